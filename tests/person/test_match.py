from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from everyid.device import Device
from everyid.errors import ConfigError, ShapeError
from person import match
from person.match import check_vectors, top_k
from tests.reference.ranking import sorted_gallery

BF16 = Device(kind="cpu", index=0, precision="bf16", threads=1, name="any")
FP32 = Device(kind="cpu", index=0, precision="fp32", threads=1, name="any")


def unit(vectors: NDArray[np.generic]) -> NDArray[np.float32]:
    rows = vectors.astype(np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_vectors(count: int, width: int, seed: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((count, width)))


@pytest.fixture(params=[1, 1000])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a few dozen vectors cross every border, and bf16 from the start."""
    monkeypatch.setattr(match, "_QUERIES", 16)
    monkeypatch.setattr(match, "_QUERY_BLOCK", 7)
    monkeypatch.setattr(match, "_GALLERY_BLOCK", 45)
    monkeypatch.setattr(match, "_GROUP", 8)
    monkeypatch.setattr(match, "_EXACT_QUERIES", 3)
    monkeypatch.setattr(match, "_EXACT_COLUMNS", 5)
    monkeypatch.setattr(match, "_BF16_WORTH", 0)
    monkeypatch.setattr(match, "_MANY_QUERIES", request.param)


def agree(
    query: NDArray[np.float32], gallery: NDArray[np.float32], k: int, **named: object
) -> None:
    found = top_k(query, gallery, k=k, **named)  # type: ignore[arg-type]
    metric = str(named.get("metric", "cosine"))
    indices, values = sorted_gallery(query, gallery, k=k, metric=metric)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-6)
    assert found.indices.dtype == np.int64
    assert found.values.dtype == np.float32


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("device", [BF16, FP32, None])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    ("queries", "rows", "k"), [(1, 1, 1), (1, 200, 5), (40, 90, 10), (17, 91, 91), (33, 300, 50)]
)
def test_equals_the_sorted_gallery(
    queries: int, rows: int, k: int, metric: str, device: Device | None
) -> None:
    query, gallery = random_vectors(queries, 24, 1), random_vectors(rows, 24, 2)
    agree(query, gallery, k, metric=metric, device=device)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("device", [BF16, FP32])
def test_near_duplicates_that_bf16_cannot_tell_apart(device: Device) -> None:
    random = np.random.default_rng(5)
    middle = random.standard_normal(32)
    gallery = unit(middle + 1e-3 * random.standard_normal((250, 32)))
    query = gallery[:20].copy()
    found = top_k(query, gallery, k=12, device=device)
    exact = query.astype(np.float64) @ gallery.astype(np.float64).T
    best = -np.sort(-exact, axis=1)[:, :12]
    np.testing.assert_allclose(np.take_along_axis(exact, found.indices, 1), best, atol=1e-7)
    np.testing.assert_allclose(found.values, best, atol=1e-6)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("device", [BF16, FP32])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_ties_go_to_the_lower_index(device: Device, metric: str) -> None:
    """Copies of a few vectors all over the gallery, in every block and place of a block."""
    few = random_vectors(4, 19, 3)
    order = np.random.default_rng(4).integers(0, 4, 400)
    found = top_k(few, few[order], k=60, metric=metric, device=device)  # type: ignore[arg-type]
    for row in range(4):
        np.testing.assert_array_equal(found.indices[row], np.flatnonzero(order == row)[:60])


@pytest.mark.usefixtures("small_blocks")
def test_all_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "_MOST_KEPT", 0)  # settle after every block
    gallery = np.repeat(random_vectors(1, 8, 0), 333, axis=0)
    for device in (BF16, FP32):
        found = top_k(gallery[:20].copy(), gallery, k=40, device=device)
        np.testing.assert_array_equal(found.indices, np.tile(np.arange(40), (20, 1)))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("limit", [0, 1, 256])
def test_settling_on_the_way_changes_nothing(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(match, "_MOST_KEPT", limit)
    gallery = random_vectors(400, 16, 8)
    rising = gallery[np.argsort(gallery @ gallery[0])]  # each block better than the last
    agree(gallery[:9].copy(), rising, 30, device=BF16)


@pytest.mark.usefixtures("small_blocks")
@given(
    st.integers(1, 12),
    st.integers(1, 120),
    st.integers(1, 40),
    st.integers(1, 9),
    st.integers(0, 10_000),
)
def test_any_size_with_small_whole_numbers(
    queries: int, rows: int, k: int, width: int, seed: int
) -> None:
    """Small whole numbers tie often; their distances are exact in any arithmetic."""
    random = np.random.default_rng(seed)
    query = random.integers(-2, 3, (queries, width)).astype(np.float32)
    gallery = random.integers(-2, 3, (rows, width)).astype(np.float32)
    agree(query, gallery, k, metric="euclidean", device=FP32)


def test_the_result_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = random_vectors(50, 64, 1), random_vectors(5000, 64, 2)
    whole = top_k(query, gallery, k=20)
    monkeypatch.setattr(match, "_GALLERY_BLOCK", 777)
    monkeypatch.setattr(match, "_QUERY_BLOCK", 13)
    monkeypatch.setattr(match, "_BF16_WORTH", 0)
    parts = top_k(query, gallery, k=20, device=BF16)
    np.testing.assert_array_equal(whole.indices, parts.indices)
    np.testing.assert_array_equal(whole.values, parts.values)


def test_k_beyond_the_gallery_gives_the_whole_gallery() -> None:
    found = top_k(random_vectors(3, 8, 0), random_vectors(5, 8, 1), k=100)
    assert found.indices.shape == found.values.shape == (3, 5)
    assert (np.sort(found.indices, axis=1) == np.arange(5)).all()


def test_a_query_is_kept_out_of_its_own_result() -> None:
    vectors = np.repeat(random_vectors(20, 16, 0), 3, axis=0)  # each has two exact copies
    rows = np.arange(60, dtype=np.int64)
    found = top_k(vectors, vectors, k=2, exclude=rows)
    for row in rows:
        copies = [r for r in range(row // 3 * 3, row // 3 * 3 + 3) if r != row]
        assert found.indices[row].tolist() == copies
    some = np.where(rows % 2 == 0, rows, -1)
    mixed = top_k(vectors, vectors, k=3, exclude=some)
    assert mixed.indices.shape == (60, 3)
    assert mixed.indices[1].tolist() == [0, 1, 2]
    assert mixed.indices[0].tolist()[:2] == [1, 2]


def test_no_queries() -> None:
    found = top_k(np.zeros((0, 8), np.float32), random_vectors(5, 8, 1), k=3)
    assert found.indices.shape == (0, 3)


def test_views_and_read_only_arrays_are_taken() -> None:
    wide = random_vectors(40, 8, 1)
    wide.flags.writeable = False
    found = top_k(wide[::2], wide[::-1], k=1)
    assert found.indices[:, 0].tolist() == list(range(39, 0, -2))


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cuda = Device(kind="cuda", index=0, precision="bf16", threads=1, name="any")
    query, gallery = random_vectors(300, 128, 1), random_vectors(60_000, 128, 2)
    here, there = top_k(query, gallery, k=50), top_k(query, gallery, k=50, device=cuda)
    np.testing.assert_allclose(here.values, there.values, atol=2e-7)
    assert (here.indices == there.indices).mean() > 0.9999


def nan_row(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors[3, 2] = np.nan
    return vectors


def zero_row(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors[3] = 0
    return vectors


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (nan_row, "gallery: expected vectors of length 1, row 3 has length nan"),
        (zero_row, r"gallery: expected vectors of length 1, row 3 has length 0 \(1 such rows of 9"),
        (lambda v: v * 2, "row 0 has length 2"),
        (lambda v: v.astype(np.float64), r"expected float32 \(N, D\), got float64 \(9, 4\)"),
        (lambda v: v[0], r"expected float32 \(N, D\), got float32 \(4,\)"),
        (lambda v: v[:, :0], r"got float32 \(9, 0\)"),
        (lambda v: v[:0], "expected more than 0 rows, got 0"),
        (lambda v: unit(v[:, :3]), "query has width 4, gallery 3"),
    ],
)
def test_bad_vectors(
    spoil: Callable[[NDArray[np.float32]], NDArray[np.float32]], said: str
) -> None:
    with pytest.raises(ShapeError, match=said):
        top_k(random_vectors(2, 4, 0), spoil(random_vectors(9, 4, 1)), k=1)


def test_bad_numbers() -> None:
    vectors = random_vectors(5, 4, 0)
    with pytest.raises(ConfigError, match="k: expected 1 or more, got 0"):
        top_k(vectors, vectors, k=0)
    with pytest.raises(ShapeError, match=r"exclude: expected int64 \(5,\)"):
        top_k(vectors, vectors, k=1, exclude=np.zeros(3, np.int64))
    with pytest.raises(ShapeError, match="expected more than 1 rows, got 1"):
        top_k(vectors[:1], vectors[:1], k=1, exclude=np.zeros(1, np.int64))


def test_any_finite_vectors_have_distances() -> None:
    check_vectors(np.zeros((2, 3), np.float32), "x", unit=False)
    with pytest.raises(ShapeError, match="x: expected vectors of finite numbers, row 1"):
        check_vectors(np.array([[0, 0], [np.inf, 0]], np.float32), "x", unit=False)
