"""Verification: the streamed counts against every pair, and what is said when nothing can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.errors import ShapeError
from person import verification
from person.verification import FALSE_POSITIVE_RATES, RESOLUTION, Samples, verify, verify_pairs
from tests.reference import verification as slow


def unit(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def people(rng, count, *, identities=6, cameras=3, width=16, noise=1.0):
    """Rows near one centre an identity: more noise, harder."""
    ids = rng.integers(0, identities, count)
    centres = np.random.default_rng(99).normal(size=(identities, width))
    vectors = unit(centres[ids] + noise * rng.normal(size=(count, width)))
    return Samples(vectors, ids, rng.integers(0, cameras, count) if cameras else None)


def lattice(rng, count, *, identities, cameras):
    """Rows whose similarities are exact in float32 and tie often: sixteenths."""
    vectors = rng.choice(np.array([-0.25, 0.25], np.float32), (count, 16))
    ids = rng.integers(-1, identities, count)
    return Samples(vectors, ids, rng.integers(0, 2, count) if cameras else None)


def assert_like_twin(got, same, different):
    """Equal for similarities that float32 and the rounding leave as they are."""
    same, different = slow.rounded(same), slow.rounded(different)
    assert (got.same_count, got.different_count) == (len(same), len(different))
    assert got.same_histogram.sum() == len(same)
    assert got.different_histogram.sum() == len(different)
    if got.missing is not None:
        assert len(same) == 0 or len(different) == 0
        return
    fpr, tpr = slow.curve(same, different)
    np.testing.assert_allclose(got.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(got.tpr, tpr, atol=1e-12)
    assert got.auc == pytest.approx(slow.auc(same, different), abs=1e-12)
    assert got.eer == pytest.approx(slow.equal_error_rate(same, different), abs=1e-12)
    for rate in (0.5, *FALSE_POSITIVE_RATES):
        if len(different) < round(1 / rate):
            assert got.tpr_at(rate) is None
        else:
            assert got.tpr_at(rate) == pytest.approx(slow.tpr_at(same, different, rate), abs=1e-12)


@given(
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(0, 12),
    gallery=st.integers(0, 40),
    identities=st.integers(0, 5),
    cameras=st.booleans(),
    distractors=st.sets(st.integers(-1, 2)),
    excluding=st.booleans(),
)
@settings(max_examples=150)
def test_like_the_slow_twin(seed, queries, gallery, identities, cameras, distractors, excluding):
    rng = np.random.default_rng(seed)
    probes = lattice(rng, queries, identities=identities, cameras=cameras)
    candidates = lattice(rng, gallery, identities=identities, cameras=cameras)
    exclude = rng.integers(0, gallery, queries) if excluding and gallery else None
    blocks = rng.choice([1, 3, 7, 2048], 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_QUERY_BLOCK", blocks[0])
        patch.setattr(verification, "_GALLERY_BLOCK", blocks[1])
        got = verify(probes, candidates, distractors=distractors, exclude=exclude)
    assert_like_twin(got, *slow.pair_scores(probes, candidates, distractors, exclude))


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("cameras", [0, 3])
def test_real_numbers_are_right_to_the_resolution(noise, cameras):
    rng = np.random.default_rng(int(noise * 10))
    probes = people(rng, 40, cameras=cameras, noise=noise)
    candidates = people(rng, 150, cameras=cameras, noise=noise)
    got = verify(probes, candidates, distractors=[0])
    same, different = slow.pair_scores(probes, candidates, [0])
    assert (got.same_count, got.different_count) == (len(same), len(different))
    for shares, scores in ((got.tpr, same), (got.fpr, different)):
        at_least = [np.mean(scores >= threshold + 1e-6) for threshold in got.thresholds]
        at_most = [np.mean(scores >= threshold - 1e-6) for threshold in got.thresholds]
        assert (np.array(at_least) - 1e-12 <= shares).all()
        assert (shares <= np.array(at_most) + 1e-12).all()
    assert got.auc == pytest.approx(slow.auc(same, different), abs=1e-4)
    assert got.eer == pytest.approx(slow.equal_error_rate(same, different), abs=2e-3)
    accepted = np.mean(same >= got.eer_threshold), np.mean(different >= got.eer_threshold)
    assert 1 - accepted[0] == pytest.approx(got.eer, abs=0.02)
    assert accepted[1] == pytest.approx(got.eer, abs=0.02)


def test_a_gallery_against_itself_leaves_each_row_out():
    rows = people(np.random.default_rng(1), 30, cameras=0)
    got = verify(rows, rows, exclude=np.arange(30))
    same, different = slow.pair_scores(rows, rows, exclude=np.arange(30))
    assert (got.same_count, got.different_count) == (len(same), len(different))
    assert got.same_count + got.different_count == 30 * 29
    assert verify(rows, rows).same_count == got.same_count + 30


def test_the_thinned_curve_keeps_the_named_points_and_stays_small():
    rng = np.random.default_rng(2)
    probes = people(rng, 300, identities=40, noise=2.0)
    candidates = people(rng, 700, identities=40, noise=2.0)
    got = verify(probes, candidates)
    bins = verification._count_pairs(probes, candidates, (), None)
    fpr, tpr, _ = verification._curve(*bins)
    assert len(fpr) > 20_000
    assert len(got.fpr) <= 2000
    assert (got.fpr[0], got.tpr[0], got.fpr[-1], got.tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(got.fpr) >= 0).all()
    assert (np.diff(got.tpr) >= 0).all()
    assert (np.diff(got.thresholds) < 0).all()
    for rate in FALSE_POSITIVE_RATES:
        assert got.tpr_at(rate) == tpr[fpr <= rate].max()
    for rate in np.geomspace(1e-4, 1, 50):
        assert 0 <= tpr[fpr <= rate].max() - got.tpr_at(rate) <= 0.003


def test_a_rate_that_the_pairs_cannot_measure_is_not_given():
    rng = np.random.default_rng(3)
    probes = Samples(unit(rng.normal(size=(10, 8))), np.arange(10))
    candidates = Samples(unit(rng.normal(size=(11, 8))), np.append(np.arange(10), 99))
    got = verify(probes, candidates)
    assert (got.same_count, got.different_count) == (10, 100)
    assert got.tpr_at(0.1) is not None
    assert got.tpr_at(0.01) is not None
    assert got.tpr_at(0.001) is None
    assert got.threshold_at(0.001) is None


def test_a_threshold_accepts_what_it_says():
    rng = np.random.default_rng(4)
    probes, candidates = people(rng, 50), people(rng, 200)
    got = verify(probes, candidates)
    same, different = slow.pair_scores(probes, candidates)
    threshold = got.threshold_at(0.01)
    assert np.mean(different >= threshold) <= 0.01
    assert np.mean(same >= threshold) == pytest.approx(got.tpr_at(0.01), abs=1e-3)


def test_perfect_separation_has_its_threshold_in_the_middle():
    probes = Samples(unit([[1, 0]]), np.array([1]))
    candidates = Samples(unit([[0.8, 0.6], [0.6, 0.8], [0, 1]]), np.array([1, 2, 2]))
    got = verify(probes, candidates)
    assert (got.eer, got.auc) == (0, 1)
    assert got.eer_threshold == pytest.approx(0.7, abs=RESOLUTION)


def test_all_tied_is_a_coin_toss():
    vectors = unit(np.ones((4, 8)))
    got = verify(Samples(vectors, np.arange(4)), Samples(vectors, np.arange(4)))
    assert (got.same_count, got.different_count) == (4, 12)
    assert (got.auc, got.eer) == (0.5, 0.5)
    assert got.tpr_at(0.1) == 0
    assert got.threshold_at(0.1) > 1
    assert got.same_histogram.tolist() == [4]


def test_opposite_and_equal_vectors_fall_into_the_outer_bins():
    probes = Samples(unit([[1, 1, 1]]), np.array([1]))
    candidates = Samples(unit([[1, 1, 1], [-1, -1, -1]]), np.array([1, 2]))
    got = verify(probes, candidates)
    assert got.thresholds == pytest.approx([1.000005, 0.999995, -1.000005])
    assert got.edges[0] == pytest.approx(-1.000005)
    assert got.edges[-1] >= 1


@pytest.mark.parametrize(
    ("query_ids", "gallery_ids", "reason"),
    [
        ([1], [2], "no pair of the same identity"),
        ([1], [1], "no pair of two different identities"),
        ([0], [0], "no pairs"),
        ([1], [], "no pairs"),
        ([], [], "no pairs"),
    ],
)
def test_without_pairs_of_both_kinds_there_is_a_reason_and_no_curve(query_ids, gallery_ids, reason):
    probes = Samples(np.ones((len(query_ids), 1), np.float32), np.array(query_ids, np.int64))
    candidates = Samples(
        np.ones((len(gallery_ids), 1), np.float32), np.array(gallery_ids, np.int64)
    )
    got = verify(probes, candidates, distractors=[0])
    assert got.missing == reason
    assert (got.auc, got.eer, got.eer_threshold) == (None, None, None)
    assert got.tpr_at(0.1) is None
    assert len(got.fpr) == len(got.tpr) == len(got.thresholds) == 0


GOOD = Samples(np.eye(3, dtype=np.float32), np.arange(3), np.arange(3))


@pytest.mark.parametrize(
    ("queries", "exclude", "message"),
    [
        (Samples(np.eye(3), np.arange(3)), None, "queries: expected float32"),
        (Samples(np.ones(3, np.float32), np.arange(3)), None, r"got float32 \(3,\)"),
        (Samples(GOOD.vectors, np.arange(4)), None, r"expected int64 \(3,\) ids, got int64 \(4,\)"),
        (Samples(GOOD.vectors, GOOD.ids * 1.0), None, "ids, got float64"),
        (Samples(GOOD.vectors, GOOD.ids, np.arange(2)), None, r"\(3,\) cameras, got int64 \(2,\)"),
        (Samples(GOOD.vectors * 2, GOOD.ids, GOOD.ids), None, "row 0 has length 2 .3 such rows"),
        (Samples(GOOD.vectors * np.nan, GOOD.ids, GOOD.ids), None, "row 0 has length nan"),
        (Samples(np.eye(3, 4, dtype=np.float32), GOOD.ids, GOOD.ids), None, "got 4 and 3"),
        (Samples(GOOD.vectors, GOOD.ids), None, "for both queries and gallery or for neither"),
        (GOOD, np.arange(2), r"exclude: expected int64 \(3,\), got int64 \(2,\)"),
        (GOOD, np.array([0, 1, 3]), "expected gallery rows from 0 to 2, got 0 to 3"),
        (GOOD, np.array([-1, 1, 2]), "expected gallery rows from 0 to 2, got -1 to 2"),
    ],
)
def test_arrays_that_do_not_fit(queries, exclude, message):
    with pytest.raises(ShapeError, match=message):
        verify(queries, GOOD, exclude=exclude)


def test_pairs_given_by_their_similarities_are_counted_as_those_of_vectors():
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(20, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = rng.integers(0, 4, 20)
    mine, others = Samples(vectors[:8], ids[:8]), Samples(vectors[8:], ids[8:])
    scores, same = vectors[:8] @ vectors[8:].T, ids[:8, None] == ids[8:]
    found, wanted = verify_pairs(scores[same], scores[~same]), verify(mine, others)
    assert (found.same_count, found.different_count) == (same.sum(), (~same).sum())
    assert found.auc == pytest.approx(wanted.auc, abs=0.02)
    assert found.eer == pytest.approx(wanted.eer, abs=0.02)


def test_pairs_of_one_kind_alone_give_no_curve():
    found = verify_pairs(np.array([0.5], np.float32), np.empty(0, np.float32))
    assert (found.auc, found.missing) == (None, "no pair of two different identities")
