from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from everyid.errors import ConfigError, ShapeError
from person.gallery import search
from person.gallery.search import VectorIndex
from person.match import top_k
from tests.reference.ranking import sorted_gallery

Vectors = NDArray[np.float32]


def unit(vectors: NDArray[np.generic]) -> Vectors:
    rows = vectors.astype(np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_vectors(count: int, width: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((count, width)))


def crowd(people: int, pictures: int, width: int, seed: int) -> Vectors:
    """People who look alike, several pictures of each."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal(width) + random.standard_normal((people, width)))
    own = unit(random.standard_normal((people * pictures, width)))
    return unit(np.repeat(centres, pictures, axis=0) + 0.7 * own)


def index_of(vectors: Vectors) -> VectorIndex:
    return VectorIndex(vectors, np.arange(len(vectors), dtype=np.int64))


def agree(index: VectorIndex, query: Vectors, gallery: Vectors, k: int) -> None:
    """The same as sorting everything, and to the last bit as match."""
    found = index.search(query, k=k)
    indices, values = sorted_gallery(query, gallery, k=k, metric="cosine")
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.values, top_k(query, gallery, k=k).values)
    assert found.indices.dtype == np.int64
    assert found.values.dtype == np.float32


@pytest.fixture(params=["coded", "later", "never"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 32 rows, whose copy is made at once, after some queries, or never."""
    after = {"coded": 0, "later": 3, "never": 1 << 30}[request.param]
    monkeypatch.setattr(search, "_BLOCK", 32)
    monkeypatch.setattr(search, "_SLICE", 64)
    monkeypatch.setattr(search, "_CACHED_ROWS", 5)
    monkeypatch.setattr(search, "_CODED_AFTER", after)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("queries", "rows", "k"),
    [(1, 1, 1), (1, 96, 5), (3, 31, 31), (5, 33, 4), (6, 107, 200), (40, 150, 10), (33, 64, 64)],
)
def test_equals_the_sorted_gallery(queries: int, rows: int, k: int) -> None:
    query, gallery = random_vectors(queries, 24, 1), random_vectors(rows, 24, 2)
    index = index_of(gallery)
    agree(index, query, gallery, k)
    agree(index, query, gallery, k)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("width", [1, 3, 16, 256, 257])
def test_any_width(width: int) -> None:
    query, gallery = random_vectors(5, width, 1), random_vectors(100, width, 2)
    agree(index_of(gallery), query, gallery, 9)


@pytest.mark.usefixtures("small_blocks")
def test_known_people_and_strangers() -> None:
    vectors = crowd(60, 6, 48, seed=3)
    gallery, query = vectors[:240], vectors[230:255]
    agree(index_of(gallery), query, gallery, 10)


@pytest.mark.usefixtures("small_blocks")
def test_near_duplicates_that_a_byte_cannot_tell_apart() -> None:
    """Thousandths apart, the best one last: the first pass alone would get them wrong."""
    random = np.random.default_rng(5)
    gallery = unit(random.standard_normal(32) + 3e-3 * random.standard_normal((200, 32)))
    query = random_vectors(1, 32, 6)
    rising = gallery[np.argsort(gallery.astype(np.float64) @ query[0])]
    found = index_of(rising).search(query, k=12)
    exact = rising.astype(np.float64) @ query[0].astype(np.float64)
    np.testing.assert_allclose(exact[found.indices[0]], np.sort(exact)[::-1][:12], atol=1e-7)


@pytest.mark.usefixtures("small_blocks")
def test_rows_with_one_large_number() -> None:
    """What a copy in one byte keeps worst: everything else in the row is a step or two."""
    gallery = random_vectors(100, 64, 1)
    gallery[:, 7] += 4
    gallery, query = unit(gallery), random_vectors(6, 64, 2)
    agree(index_of(gallery), query, gallery, 10)


@pytest.mark.usefixtures("small_blocks")
def test_ties_go_to_the_lower_index() -> None:
    few = random_vectors(4, 19, 3)
    order = np.random.default_rng(4).integers(0, 4, 400)
    index = index_of(few[order])
    for row in range(4):
        found = index.search(few[[row]], k=60)
        np.testing.assert_array_equal(found.indices[0], np.flatnonzero(order == row)[:60])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("queries", [2, 40])
def test_all_equal(queries: int) -> None:
    gallery = np.repeat(random_vectors(1, 8, 0), 333, axis=0)
    index = VectorIndex(gallery, np.zeros(333, np.int64))
    found = index.search(np.repeat(gallery[:1], queries, axis=0), k=40)
    np.testing.assert_array_equal(found.indices, np.tile(np.arange(40), (queries, 1)))


@pytest.mark.usefixtures("small_blocks")
def test_opposite_vectors_have_their_order_too() -> None:
    gallery = random_vectors(90, 16, 1)
    gallery[:, 0] = -np.abs(gallery[:, 0]) - 3
    gallery, query = unit(gallery), unit(np.eye(1, 16))
    agree(index_of(gallery), query, gallery, 20)
    assert (index_of(gallery).search(query, k=1).values < 0).all()


@pytest.mark.usefixtures("small_blocks")
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.lists(st.integers(0, 70), max_size=5),
    st.integers(1, 40),
    st.integers(0, 10_000),
)
def test_added_rows_are_found(queries: int, additions: list[int], k: int, seed: int) -> None:
    """Rows given and rows added in any pieces are one gallery; the array given stays."""
    gallery = random_vectors(45 + sum(additions), 12, seed)
    query = random_vectors(queries, 12, seed + 1)
    groups = np.random.default_rng(seed).integers(0, 9, len(gallery))
    ends = np.cumsum([45, *additions])
    start = gallery[:45].copy()
    index = VectorIndex(start, groups[:45])
    for first, last in pairwise(ends):
        index.search(query, k=k)
        index.add(gallery[first:last], groups[first:last])
        assert len(index) == last
        np.testing.assert_array_equal(index.groups, groups[:last])
    found, whole = index.search(query, k=k), top_k(query, gallery, k=k)
    np.testing.assert_array_equal(found.indices, whole.indices)
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(start, gallery[:45])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("given", [0, 32, 45, 64, 100])
def test_many_queries_see_added_rows(given: int) -> None:
    gallery, query = random_vectors(170, 12, 1), random_vectors(50, 12, 2)
    index = index_of(gallery[:given])
    index.add(gallery[given:150], np.arange(given, 150))
    index.add(gallery[150:], np.arange(150, 170))
    agree(index, query, gallery, 15)


def test_an_empty_index_finds_nothing_until_rows_are_added() -> None:
    index = VectorIndex(np.zeros((0, 8), np.float32), np.zeros(0, np.int64))
    query = random_vectors(2, 8, 1)
    assert len(index) == 0
    assert index.search(query, k=3).indices.shape == (2, 0)
    index.add(query[[1, 1, 0]], np.array([5, 5, 9]))
    found = index.search(query, k=10)
    assert found.indices.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert index.groups[found.indices[0]].tolist() == [9, 5, 5]


def test_no_queries() -> None:
    found = index_of(random_vectors(5, 8, 1)).search(np.zeros((0, 8), np.float32), k=3)
    assert found.indices.shape == found.values.shape == (0, 3)


@pytest.mark.usefixtures("small_blocks")
def test_views_and_read_only_arrays_are_taken() -> None:
    wide = random_vectors(200, 8, 1)
    wide.flags.writeable = False
    index = VectorIndex(wide[::-2], np.arange(100, dtype=np.int64))
    for queries in (3, 40):
        found = index.search(wide[1 : 2 * queries : 2], k=1)
        assert found.indices[:, 0].tolist() == list(range(99, 99 - queries, -1))


def test_a_query_has_one_result_however_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """In fp32, in bytes, alone, among few, among many; with one thread or two."""
    monkeypatch.setattr(search, "_BLOCK", 512)
    gallery, query = crowd(130, 10, 64, seed=1), random_vectors(40, 64, 2)
    index = index_of(gallery)
    whole = top_k(query, gallery, k=20)
    threads = torch.get_num_threads()
    try:
        for step, used in ((1, 1), (3, 2), (31, 1), (40, 2)):
            torch.set_num_threads(used)
            for start in range(0, 40, step):
                found = index.search(query[start : start + step], k=20)
                np.testing.assert_array_equal(found.indices, whole.indices[start : start + step])
                np.testing.assert_array_equal(found.values, whole.values[start : start + step])
    finally:
        torch.set_num_threads(threads)


def test_few_rows_are_scored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes it quick: of look-alikes, nearly all are ruled out by their copy."""
    monkeypatch.setattr(search, "_CODED_AFTER", 0)
    monkeypatch.setattr(search, "_BLOCK", 1024)
    vectors = crowd(830, 10, 256, seed=4)
    index, seen = index_of(vectors[:8192]), []
    exact = search._Block.exact

    def counting(block: search._Block, row: Vectors, rows: NDArray[np.int64]) -> Vectors:
        seen.append(len(rows))
        return exact(block, row, rows)

    monkeypatch.setattr(search._Block, "exact", counting)
    index.search(vectors[-8:], k=10)
    assert 80 <= sum(seen) <= 8 * 200


def spoilt(value: float) -> Callable[[Vectors], Vectors]:
    def spoil(vectors: Vectors) -> Vectors:
        vectors[3, 2] = value
        return vectors

    return spoil


BAD = [
    (spoilt(np.nan), "expected vectors of length 1, row 3 has length nan"),
    (spoilt(np.inf), "expected vectors of length 1, row 3 has length inf"),
    (lambda v: v * 0, "row 0 has length 0"),
    (lambda v: v.astype(np.float64), r"expected float32 \(N, D\), got float64 \(9, 4\)"),
    (lambda v: v[0], r"expected float32 \(N, D\), got float32 \(4,\)"),
    (lambda v: v[:, :0], r"got float32 \(9, 0\)"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD)
def test_bad_vectors(spoil: Callable[[Vectors], Vectors], said: str) -> None:
    groups = np.zeros(9, np.int64)
    with pytest.raises(ShapeError, match=f"vectors: .*{said}"):
        VectorIndex(spoil(random_vectors(9, 4, 1)), groups)
    index = VectorIndex(random_vectors(9, 4, 2), groups)
    with pytest.raises(ShapeError, match=f"vectors: .*{said}"):
        index.add(spoil(random_vectors(9, 4, 1)), groups)
    with pytest.raises(ShapeError, match=f"query: .*{said}"):
        index.search(spoil(random_vectors(9, 4, 1)), k=1)
    assert len(index) == 9


def test_widths_that_differ() -> None:
    index = index_of(random_vectors(9, 4, 1))
    with pytest.raises(ShapeError, match="vectors have width 5, the index 4"):
        index.add(random_vectors(2, 5, 1), np.zeros(2, np.int64))
    with pytest.raises(ShapeError, match="vectors have width 3, the index 4"):
        index.search(random_vectors(2, 3, 1), k=1)


@pytest.mark.parametrize("groups", [np.zeros(8, np.int64), np.zeros(9, np.int32)])
def test_groups_that_do_not_fit(groups: NDArray[np.int64]) -> None:
    vectors = random_vectors(9, 4, 1)
    with pytest.raises(ShapeError, match=rf"groups: expected int64 \(9,\), got {groups.dtype} \("):
        VectorIndex(vectors, groups)
    with pytest.raises(ShapeError, match=r"groups: expected int64 \(9,\), got"):
        index_of(vectors).add(vectors, groups)


def test_k_below_one() -> None:
    vectors = random_vectors(5, 4, 0)
    with pytest.raises(ConfigError, match="k: expected 1 or more, got 0"):
        index_of(vectors).search(vectors, k=0)
