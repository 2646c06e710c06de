"""Re-ranking against the slow twin, by hand, and at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.device import Device
from everyid.errors import ConfigError, ShapeError
from person import rerank
from person.rerank import k_reciprocal, pair_similarities
from tests.reference.reranking import reranked_distances

BF16 = Device(kind="cpu", index=0, precision="bf16", threads=1, name="any")


def people(count, *, identities=8, width=16, noise=1.0, seed=0):
    """float32 (count, width): vectors of length 1 around those of some identities."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(identities, width))[random.integers(0, identities, count)]
    rows += noise * random.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def agree(query, gallery=None, *, k=50, device=None, **options):
    """Checks distances and the first k against the twin; one set leaves each row itself out."""
    wanted = reranked_distances(query, gallery, **options)
    found = k_reciprocal(query, gallery, device=device, **options)
    rows = np.arange(len(query))
    distances = found.distances(rows)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, wanted, rtol=0, atol=1e-5)
    own = None
    if gallery is None:
        own = rows
        wanted[rows, rows] = np.inf
    top = found.top_k(k, exclude=own)
    order = np.argsort(wanted, axis=1, kind="stable")[:, : top.indices.shape[1]]
    reached = np.take_along_axis(wanted, top.indices, 1)
    best = np.take_along_axis(wanted, order, 1)
    np.testing.assert_allclose(reached, best, rtol=0, atol=1e-6)  # only ties may change places
    rows_of = (query if gallery is None else gallery)[top.indices]
    np.testing.assert_allclose(top.values, np.einsum("qkd,qd->qk", rows_of, query), atol=1e-6)


@pytest.fixture
def small_blocks(monkeypatch):
    for name, size in (
        *(("_PART", 7), ("_SQUARE", 5), ("_PAIRS", 11), ("_TERMS", 13)),
        ("_CELLS", 90),
    ):
        monkeypatch.setattr(rerank, name, size)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("device", [BF16, None])
@pytest.mark.parametrize(("queries", "rows", "noise"), [(20, 90, 0.3), (1, 60, 1), (33, 50, 3)])
def test_equals_the_twin(queries, rows, noise, device):
    vectors = people(queries + rows, noise=noise)
    agree(vectors[:queries], vectors[queries:], device=device)
    agree(vectors[queries:], device=device, k=10)


@pytest.mark.parametrize(
    "options",
    [
        {"k1": 1, "k2": 1},
        {"k1": 5, "k2": 6},
        {"k1": 7, "k2": 2},
        {"k1": 30, "k2": 1, "original_share": 0.0},
        {"original_share": 1.0},
    ],
)
def test_other_parameters(options):
    vectors = people(70, seed=3)
    agree(vectors[:10], vectors[10:], **options)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 6), st.integers(1, 30), st.integers(0, 10**6))
def test_galleries_smaller_than_the_lists(queries, rows, seed):
    vectors = people(queries + rows, width=5, seed=seed)
    if queries:
        agree(vectors[:queries], vectors[queries:])
    else:
        assert k_reciprocal(vectors[:0], vectors).distances(np.arange(0)).shape == (0, rows)
    if rows > 1:
        agree(vectors[queries:])


@pytest.mark.usefixtures("small_blocks")
def test_identical_vectors_tie_by_lower_index():
    vectors = np.repeat(people(6, width=4, seed=5), 9, axis=0)
    agree(vectors[::5], vectors)
    agree(vectors)
    same = np.repeat(vectors[:1], 40, axis=0)
    found = k_reciprocal(same[:2], same)
    assert np.isfinite(found.distances(np.arange(2))).all()
    assert np.ptp(found.distances(np.arange(2))[:, 30:]) == 0
    agree(same)


@pytest.mark.parametrize("gap", [1e-7, 3e-7])
def test_neighbours_that_fp32_cannot_tell_apart_at_the_end_of_a_list(gap):
    """Eight rows about the first one, each nearer than the next by less than fp32 resolves."""
    random = np.random.default_rng(2)
    first = np.eye(48)[0]
    others = np.linalg.qr(random.normal(size=(47, 47)))[0][:12]
    cosines = 0.8 - gap * np.arange(12)
    rows = np.zeros((12, 48))
    rows[:, 0] = cosines
    rows[:, 1:] = others * np.sqrt(1 - cosines**2)[:, None]
    vectors = np.concatenate([first[None], rows[::-1]]).astype(np.float32)
    agree(vectors[:1], vectors[1:], k1=5, k2=3)


def test_a_person_is_found_through_pictures_between():
    """On an arc, a loose group that the query ends goes before a dense one that is nearer."""
    degrees = np.radians([0, 3, 6, 9, 12, 15, -10, -11, -12, -13, -14, -15, -16])
    vectors = np.stack([np.cos(degrees), np.sin(degrees)], axis=1).astype(np.float32)
    by_similarity = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable").tolist()
    assert by_similarity[:5] == [0, 1, 2, 5, 6]
    found = k_reciprocal(vectors[:1], vectors[1:], k1=5, k2=2).top_k(12)
    assert found.indices[0, :5].tolist() == [0, 1, 2, 3, 4]
    assert found.values[0, 5] > found.values[0, 4], "similarities are the vectors' own"


def test_a_query_is_kept_out_of_its_own_result():
    vectors = people(40)
    own = np.array([3, -1, 5])
    found = k_reciprocal(vectors[[3, 4, 5]], vectors)
    top = found.top_k(40, exclude=own)
    assert top.indices.shape == (3, 39)
    assert 3 not in top.indices[0]
    assert 5 not in top.indices[2]
    assert top.indices[1, 0] == 4


def test_progress_counts_every_row():
    vectors, seen = people(30), []
    k_reciprocal(vectors[:9], vectors[9:], advance=seen.append)
    assert sum(seen) == 30


def test_vectors_that_cannot_be_written_to():
    vectors = people(20)
    vectors.flags.writeable = False
    assert k_reciprocal(vectors).top_k(3).indices.shape == (20, 3)


def test_one_row_has_no_neighbours():
    one = people(1)
    assert k_reciprocal(one).distances(np.arange(1)).tolist() == [[0.0]]
    with pytest.raises(ShapeError, match="expected more than 1 rows, got 1"):
        k_reciprocal(one).top_k(1, exclude=np.array([0]))


@pytest.mark.parametrize(
    "options", [{"k1": 0}, {"k2": 0}, {"k1": 3, "k2": 5}, {"original_share": 2}]
)
def test_parameters_out_of_range(options):
    with pytest.raises(ConfigError, match="expected k1 from 1, k2 from 1 to k1 \\+ 1 and a share"):
        k_reciprocal(people(5), **options)


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (people(3), people(3, width=8), "query has width 16, gallery 8"),
        (people(3), people(3)[:0], "gallery: expected at least one row, got none"),
        (people(3) * 2, people(3), "query: expected vectors of length 1, row 0 has length 2"),
        (people(3), people(3).astype(np.float64), "gallery: expected float32"),
    ],
)
def test_wrong_vectors(query, gallery, message):
    with pytest.raises(ShapeError, match=message):
        k_reciprocal(query, gallery)


def test_pair_similarities():
    left, right = people(5), people(7, seed=1)
    found = pair_similarities(left, np.array([4, 0, 4]), right, np.array([6, 1, 0]))
    np.testing.assert_allclose(found, (left @ right.T)[[4, 0, 4], [6, 1, 0]], atol=1e-6)
    assert pair_similarities(left, np.arange(0), right, np.arange(0)).shape == (0,)
