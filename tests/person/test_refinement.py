"""Expanded and re-ranked: top ranks, figures and the words for them."""

from types import SimpleNamespace

import numpy as np
import pytest

from everyid.errors import ShapeError
from person.evaluation import evaluate
from person.expansion import expand
from person.protocol import protocol
from person.refinement import Ranked, Refinement
from tests.person.rows import crops, embeddings, unit
from tests.reference.ranking import measured
from tests.reference.reranking import reranked_distances

PEOPLE = " ".join(str(row % 5) for row in range(30))
CAMERAS = " ".join(str(row % 3) for row in range(30))
GALLERY = embeddings(crops(PEOPLE, CAMERAS, side="g"), seed=1)
QUERY = embeddings(crops("0 1 2 3 4 0 1", "9 9 9 9 9 9 9"), seed=2)
WAYS = [(0, False), (3, False), (0, True), (3, True)]


def scores(query, gallery, how):
    """float64 (Q, G) by the twin, higher is nearer.

    Queries are expanded in fp32 here too: two that average the same rows differ by rounding alone.
    """
    own = np.arange(len(query)) if gallery is None else None
    right = query if gallery is None else gallery
    left = query
    if how.expand_query:
        left = expand(query, right, count=how.expand_query, exclude=own)
    if not how.rerank:
        return left.astype(np.float64) @ right.T
    alone = gallery is None and not how.expand_query
    return -reranked_distances(left, None if alone else right)


@pytest.mark.parametrize(("count", "rerank"), WAYS)
@pytest.mark.parametrize("alone", [False, True])
def test_top_ranks_and_figures_are_those_of_the_twins(count, rerank, alone):
    how = Refinement(count, rerank)
    query, gallery = (GALLERY, None) if alone else (QUERY, GALLERY)
    wanted = scores(query.vectors, None if alone else GALLERY.vectors, how)
    ranked = how.rank(query, gallery)
    found = evaluate(query, gallery, rules=protocol("cross-camera"), data="d", ranked=ranked)
    own = np.arange(len(query)) if alone else None
    labels = ([int(who) for who in each.crops.identities] for each in (query, GALLERY))
    places = ([int(where) for where in each.crops.cameras] for each in (query, GALLERY))
    query_ids, gallery_ids = map(np.array, labels)
    query_cameras, gallery_cameras = map(np.array, places)
    figures = measured(
        wanted.astype(np.float32), query_ids, gallery_ids,
        query_cameras=query_cameras, gallery_cameras=gallery_cameras, own_rows=own,
    )  # fmt: skip
    evaluation = found.evaluation
    assert evaluation.mean_average_precision == pytest.approx(np.mean(figures.average_precision))
    assert evaluation.rank(1) == pytest.approx(np.mean(figures.cmc, axis=0)[0])
    if alone:
        wanted[own, own] = -np.inf
    top = ranked.top_k(10)
    assert (top.indices == np.argsort(-wanted, axis=1, kind="stable")[:, :10]).all()
    cosines = np.einsum("qkd,qd->qk", GALLERY.vectors[top.indices], query.vectors)
    np.testing.assert_allclose(top.values, cosines, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "words", "ending"),
    [
        (Refinement(), "none", "no re-ranking"),
        (Refinement(4), "queries expanded by 4", None),
        (
            Refinement(4, rerank=True),
            "queries expanded by 4, k-reciprocal re-ranking, k1 20, k2 6, lambda 0.3",
            None,
        ),
    ],
)
def test_the_protocol_line_says_what_was_done(how, words, ending):
    ranked = how.rank(QUERY, GALLERY)
    found = evaluate(QUERY, GALLERY, rules=protocol("cross-camera"), data="d", ranked=ranked)
    assert found.evaluation.reranking == words
    assert f"gallery 30; {ending or words}; model tiny" in found.evaluation.protocol_line


def test_pairs_are_verified_by_their_own_vectors():
    rules = protocol("cross-camera")
    plain = evaluate(QUERY, GALLERY, rules=rules, data="d").evaluation
    ranked = Refinement(2, rerank=True).rank(QUERY, GALLERY)
    other = evaluate(QUERY, GALLERY, rules=rules, data="d", ranked=ranked).evaluation
    assert other.verification == plain.verification
    assert other.mean_average_precision != plain.mean_average_precision


def test_rows_without_labels_help_to_rank_and_do_not_count():
    unlabelled = embeddings(crops("? " * 29 + "0", "1 " * 30, side="g"), GALLERY.vectors)
    ranked = Refinement(rerank=True).rank(QUERY, unlabelled)
    found = evaluate(
        QUERY, unlabelled, rules=protocol("cross-camera"), data="d", ranked=ranked
    ).evaluation
    assert (found.gallery, found.unlabelled, found.rank(1)) == (1, 29, 1.0)


def test_tracklets_are_pooled_before_they_are_ranked():
    people = crops("1 1 2 2 1 2", "1 1 1 1 2 2", tracks=(1, 1, 2, 2, 3, 4))
    rows = embeddings(people, unit(6, seed=4))
    ranked = Refinement(rerank=True).rank(rows, None)
    found = evaluate(rows, None, rules=protocol("mars"), data="d", ranked=ranked).evaluation
    assert found.gallery == 4
    assert "k-reciprocal" in found.protocol_line


def test_a_query_whose_file_is_in_the_gallery():
    same = embeddings(GALLERY.crops, GALLERY.vectors).select(np.array([4, 7]))
    top = Refinement(2, rerank=True).rank(same, GALLERY).top_k(29)
    assert 4 not in top.indices[0]
    assert 7 not in top.indices[1]


def test_ctrl_c_ends_a_re_ranking():
    stop = SimpleNamespace(requested=True)
    ranked = Ranked(Refinement(rerank=True, stop=stop), QUERY.vectors, GALLERY.vectors)
    with pytest.raises(KeyboardInterrupt):
        ranked.top_k(3)


def test_nothing_to_rank():
    with pytest.raises(ShapeError, match="gallery: expected more than 1 rows, got 1"):
        Refinement(rerank=True).rank(GALLERY.select(np.array([0])), None).top_k(1)
