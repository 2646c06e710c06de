import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from everyid.errors import InputError, ShapeError
from everyid.settings import PROJECT_FOLDER
from person import metrics
from person.metrics import Ranking, Truth, evaluate_ranking, evaluate_scores
from tests.reference.ranking import measured


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def whole_numbers(random: np.random.Generator, count: int, most: int) -> NDArray[np.int64]:
    return random.integers(0, most, count).astype(np.int64)


def same_figures(found: Ranking, scores: NDArray[np.float32], truth: Truth, k: int = 50) -> None:
    twin = measured(
        scores,
        truth.query_ids,
        truth.gallery_ids,
        query_cameras=truth.query_cameras,
        gallery_cameras=truth.gallery_cameras,
        own_rows=truth.own_rows,
        max_rank=k,
    )
    assert found.rows.tolist() == twin.rows
    assert found.first_match.tolist() == twin.first_match
    np.testing.assert_allclose(found.average_precision, twin.average_precision, atol=1e-12)
    np.testing.assert_allclose(
        found.inverse_negative_penalty, twin.inverse_negative_penalty, atol=1e-12
    )
    np.testing.assert_array_equal(found.cmc, twin.cmc)
    assert found.skipped == len(truth.query_ids) - len(twin.rows)


@pytest.fixture(params=["usual", "small"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "small":
        monkeypatch.setattr(metrics, "_BLOCK_QUERIES", 5)
        monkeypatch.setattr(metrics, "_CACHE_BYTES", 600)
        monkeypatch.setattr(metrics, "_FEW", 3)
        monkeypatch.setattr(metrics, "_WORDS", 2)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("levels", [0, 1, 3, 40])  # 0: all scores differ; 1: all are equal
@pytest.mark.parametrize(("queries", "gallery", "people"), [(30, 170, 6), (7, 33, 1), (40, 9, 30)])
@pytest.mark.parametrize("cameras", [0, 1, 3])
def test_equals_sorting_everything(
    queries: int, gallery: int, people: int, cameras: int, levels: int
) -> None:
    random = np.random.default_rng(queries + levels)
    scores = random.standard_normal((queries, gallery)).astype(np.float32)
    if levels:
        scores = random.integers(0, levels, (queries, gallery)).astype(np.float32)
    truth = Truth(
        whole_numbers(random, queries, people),
        whole_numbers(random, gallery, people + 1) - 1,
        whole_numbers(random, queries, cameras) if cameras else None,
        whole_numbers(random, gallery, cameras) if cameras else None,
    )
    before = scores.copy()
    if cameras == 1:  # all matches are of the query's camera
        with pytest.raises(InputError, match=f"none of {queries} queries has a match"):
            evaluate_scores(scores, truth=truth)
        return
    found = evaluate_scores(scores, truth=truth, max_rank=20)
    same_figures(found, before, truth, 20)
    np.testing.assert_array_equal(scores, before)  # the caller's scores stay as they are


@given(st.data())
def test_any_labels(data: st.DataObject) -> None:
    queries, gallery = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 30))
    numbers = st.integers(0, 3)

    def draw(count: int, least: int = 0) -> NDArray[np.int64]:
        values = st.lists(st.integers(least, 3), min_size=count, max_size=count)
        return np.array(data.draw(values), np.int64)

    row = st.lists(numbers, min_size=gallery, max_size=gallery)
    scores = np.array([data.draw(row) for _ in range(queries)], np.float32)
    own = np.minimum(draw(queries, -1), gallery - 1)
    truth = Truth(draw(queries), draw(gallery, -1), draw(queries), draw(gallery), own)
    try:
        found = evaluate_scores(scores, truth=truth, max_rank=5)
    except InputError:
        assert not measured(
            scores,
            truth.query_ids,
            truth.gallery_ids,
            query_cameras=truth.query_cameras,
            gallery_cameras=truth.gallery_cameras,
            own_rows=own,
        ).rows
    else:
        same_figures(found, scores, truth, 5)


@pytest.mark.usefixtures("_blocks")
def test_embeddings_give_the_figures_of_their_cosines() -> None:
    random = np.random.default_rng(3)
    centres = random.standard_normal((12, 32))
    truth = Truth(
        whole_numbers(random, 60, 12),
        whole_numbers(random, 250, 12),
        whole_numbers(random, 60, 3),
        whole_numbers(random, 250, 3),
    )
    query = unit(centres[truth.query_ids] + random.standard_normal((60, 32)))
    gallery = unit(centres[truth.gallery_ids] + random.standard_normal((250, 32)))
    found = evaluate_ranking(query, gallery, truth=truth)
    exact = (query.astype(np.float64) @ gallery.astype(np.float64).T).astype(np.float32)
    same_figures(found, exact, truth)
    assert 0.1 < found.mean_average_precision < 1
    assert found.cmc_curve[0] == pytest.approx(np.mean(found.first_match == 1))


def test_copies_of_a_vector_score_alike_wherever_they_stand() -> None:
    """What makes the order of ties true for embeddings: a score does not depend on its place."""
    random = np.random.default_rng(9)
    few = unit(random.standard_normal((5, 77)))
    which = random.integers(0, 5, 3001)
    ids = np.arange(3001, dtype=np.int64)
    wanted = np.array([int(np.flatnonzero(which == one)[3]) for one in range(5)], np.int64)
    found = evaluate_ranking(few, few[which], truth=Truth(wanted, ids))
    assert found.first_match.tolist() == [4] * 5  # three copies have lower indices


def test_the_published_figures_by_hand() -> None:
    """Matches at ranks 1, 3 and 6 of what counts: AP = (1/1 + 2/3 + 3/6) / 3, INP = 3/6."""
    scores = np.array([[0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4]], np.float32)
    gallery_ids = np.array([1, 1, 2, 1, -1, 3, 1], np.int64)
    cameras = np.array([2, 1, 2, 2, 1, 1, 2], np.int64)  # the second is of the query's camera
    one = np.ones(1, np.int64)
    found = evaluate_scores(scores, truth=Truth(one, gallery_ids, one, cameras), max_rank=4)
    assert found.average_precision[0] == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    assert found.inverse_negative_penalty[0] == pytest.approx(0.5)
    assert found.cmc_curve.tolist() == [1, 1, 1, 1]


GOLDEN = json.loads((PROJECT_FOLDER / "tests/golden/ranking_torchreid.json").read_text())["cases"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"seed {case['seed']}")
def test_equals_torchreid_where_scores_differ(case: dict[str, Any]) -> None:
    random = np.random.default_rng(case["seed"])
    queries, gallery = case["queries"], case["gallery"]
    scores = random.permutation(queries * gallery).reshape(queries, gallery).astype(np.float32)
    identities, cameras = case["identities"], case["cameras"]
    truth = Truth(
        random.integers(0, identities, queries),
        random.integers(0, identities, gallery),
        random.integers(0, cameras, queries),
        random.integers(0, cameras, gallery),
    )
    found = evaluate_scores(scores, truth=truth, max_rank=20)
    np.testing.assert_allclose(found.cmc_curve, case["cmc"], atol=1e-6)
    assert found.mean_average_precision == pytest.approx(case["mAP"], abs=1e-6)


def test_single_shot_draws() -> None:
    """One picture a person: the draw has no choice, and the CMC is the plain one."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((20, 20)).astype(np.float32)
    ids = np.arange(20, dtype=np.int64)
    plain = evaluate_scores(scores, truth=Truth(ids, ids), max_rank=20)
    drawn = evaluate_scores(scores, truth=Truth(ids, ids, single_shot_repeats=7), max_rank=20)
    np.testing.assert_array_equal(plain.cmc, drawn.cmc)
    np.testing.assert_array_equal(plain.average_precision, drawn.average_precision)


def test_single_shot_draws_are_the_mean_over_galleries() -> None:
    """The query's person has two pictures, one above and one below the only other person's."""
    scores = np.array([[0.9, 0.1, 0.5]], np.float32)
    zero = np.zeros(1, np.int64)
    ids = np.array([0, 0, 1], np.int64)
    truth = Truth(zero, ids, single_shot_repeats=4000)
    found = evaluate_scores(scores, truth=truth, max_rank=3)
    assert found.cmc[0, 0] == pytest.approx(0.5, abs=0.03)
    assert found.cmc[0, 1:].tolist() == [1, 1]
    again = evaluate_scores(scores, truth=truth, max_rank=3)
    np.testing.assert_array_equal(found.cmc, again.cmc)
    cameras = np.array([1, 0, 0], np.int64)  # only the first picture counts
    left = Truth(zero, ids, zero, cameras, single_shot_repeats=50)
    assert evaluate_scores(scores, truth=left, max_rank=3).cmc[0].tolist() == [1, 1, 1]


def test_bad_input() -> None:
    ids = np.zeros(2, np.int64)
    scores = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match="expected labels for 2 queries and 3 gallery rows"):
        evaluate_scores(scores, truth=Truth(ids, ids))
    with pytest.raises(ShapeError, match=r"query_cameras: expected whole numbers \(2,\)"):
        Truth(ids, ids, np.zeros(2), ids)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="cameras of both queries and gallery"):
        Truth(ids, ids, ids)
    with pytest.raises(ShapeError, match="own_rows: expected rows below 2, got 2"):
        Truth(ids, ids, own_rows=np.array([0, 2]))
    with pytest.raises(ShapeError, match="scores: expected numbers"):
        evaluate_scores(scores + np.float32(np.nan), truth=Truth(ids, np.zeros(3, np.int64)))
    with pytest.raises(InputError, match="none of 2 queries has a match among 3"):
        evaluate_scores(scores, truth=Truth(ids, np.ones(3, np.int64)))
    with pytest.raises(ShapeError, match="query has width 2, gallery 3"):
        evaluate_ranking(
            unit(np.ones((2, 2))), unit(np.ones((3, 3))), truth=Truth(ids, np.zeros(3, np.int64))
        )
