"""Evaluations: figures against the slow twin and by hand, and the words that go with them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.models import Evaluation
from person.embeddings import pool_tracklets
from person.evaluation import evaluate, fitting_protocol, summary_line
from person.protocol import PROTOCOLS, protocol
from tests.person.rows import crops, embeddings, unit
from tests.reference.ranking import measured
from tests.reference.verification import pair_scores

FIGURES = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP")


def around(degrees):
    """float32 (N, 2): directions; the nearer in degrees, the more similar."""
    turned = np.radians(np.asarray(degrees, np.float64))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def figures(query, gallery=None, *, name="cross-camera", data="streets", **options):
    return evaluate(query, gallery, rules=protocol(name), data=data, **options).evaluation


# Along the gallery from 0 to 90 degrees: junk, then 1@1, a distractor, 1@2, 2@1 and 1@3.
MARKET_QUERY = embeddings(crops("1 2 1 9 0000 -1", "1 3 9 1 1 1"), around([0, 90, 0, 5, 7, 8]))
MARKET_GALLERY = embeddings(
    crops("-1 1 0000 1 2 1 ?", "1 1 2 2 1 3 2", side="g"), around([1, 15, 30, 45, 60, 75, 2])
)


def test_figures_of_market_by_hand():
    found = figures(MARKET_QUERY, MARKET_GALLERY, name="market1501")
    # Query 1@1: ranks 2 and 4, without the junk and 1@1. Query 2@3, from the other end: rank 2.
    # Query 1@9: ranks 1, 3 and 5. Query 9 has no match; 0000 and -1 ask nothing.
    precision = [(1 / 2 + 2 / 4) / 2, 1 / 2, (1 + 2 / 3 + 3 / 5) / 3]
    assert found.mean_average_precision == pytest.approx(np.mean(precision))
    assert found.mean_inverse_negative_penalty == pytest.approx(np.mean([2 / 4, 1 / 2, 3 / 5]))
    assert found.cmc[:3] == pytest.approx([1 / 3, 1, 1])
    assert (found.rank(1), found.rank(2), found.rank(20)) == pytest.approx((1 / 3, 1, 1))
    assert (found.queries, found.queries_without_match) == (3, 1)
    assert (found.gallery, found.junk, found.unlabelled) == (5, 1, 1)


def test_the_protocol_line_says_all():
    found = figures(MARKET_QUERY, MARKET_GALLERY, name="market1501", data="Market-1501")
    assert found.protocol_line == (
        "Market-1501: market1501 protocol (same camera left out, junk -1 dropped, distractors 0000 "
        "kept); 3 queries, 1 more without a match, gallery 5 after 1 junk removed; 1 unlabelled "
        "left out; no re-ranking; model tiny"
    )
    assert (found.protocol, found.data, found.reranking) == ("market1501", "Market-1501", "none")
    assert found.model.model_dump() == {
        "name": "tiny",
        "sha256": "ab" * 32,
        "width": 2,
        "input": None,
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_line_names_its_protocol_and_only_what_happened(name):
    people = crops("1 1 2 2", "1 2 1 2", tracks=(1, 2, 3, 4))
    line = figures(embeddings(people), name=name, data="a, b; c").protocol_line
    assert line == (
        f"a, b; c: {name} protocol ({protocol(name).summary}); 4 queries, gallery 4; "
        "no re-ranking; model tiny"
    )


def test_one_query_is_one_query():
    line = figures(MARKET_QUERY.select(np.array([0])), MARKET_GALLERY).protocol_line
    assert "; 1 query, gallery 6; 1 unlabelled left out; " in line


people = st.sampled_from(["1", "2", "anna", "-1", "0000", None])
places = st.sampled_from(["1", "2", "hall", None])


@st.composite
def labelled(draw, side):
    who = draw(st.lists(people, min_size=1, max_size=14))
    where = draw(st.lists(places, min_size=len(who), max_size=len(who)))
    joined = [" ".join("?" if one is None else one for one in row) for row in (who, where)]
    return crops(*joined, side=side)


def slow(query, gallery, rules, own=False):
    """The figures of the slow twin, from labels as they are written."""

    def there(crops, row, unwanted):
        who, where = crops.identities[row], crops.cameras[row]
        return who is not None and who not in unwanted and not (rules.uses_cameras and not where)

    def rows(of, unwanted):
        return [row for row in range(len(of.crops)) if there(of.crops, row, unwanted)]

    asked = rows(query, rules.junk | rules.distractors)
    found = rows(gallery, rules.junk)
    words = sorted({*query.crops.identities, *gallery.crops.identities} - {None})
    halls = sorted({*query.crops.cameras, *gallery.crops.cameras} - {None})
    left, right = query.vectors[asked], gallery.vectors[found]

    def numbers(labels, among, picked):
        return np.array([among.index(labels[row]) for row in picked], np.int64)

    theirs = numbers(gallery.crops.identities, words, found)
    theirs[[gallery.crops.identities[row] in rules.distractors for row in found]] = -1
    cameras = {}
    if rules.uses_cameras:
        cameras = {
            "query_cameras": numbers(query.crops.cameras, halls, asked),
            "gallery_cameras": numbers(gallery.crops.cameras, halls, found),
        }
    return measured(
        left @ right.T,
        numbers(query.crops.identities, words, asked),
        theirs,
        own_rows=np.array([found.index(row) for row in asked]) if own else None,
        **cameras,
    )


@given(
    query=labelled("q"),
    gallery=st.none() | labelled("g"),
    name=st.sampled_from(["cross-camera", "market1501", "no-camera"]),
    seed=st.integers(0, 5),
)
def test_figures_equal_those_of_the_slow_twin(query, gallery, name, seed):
    left = embeddings(query, seed=seed)
    right = None if gallery is None else embeddings(gallery, seed=seed + 100)
    try:
        found = figures(left, right, name=name)
    except InputError:
        return
    wanted = slow(left, right or left, protocol(name), own=right is None)
    assert found.queries == len(wanted.rows)
    assert found.mean_average_precision == pytest.approx(np.mean(wanted.average_precision))
    assert found.mean_inverse_negative_penalty == pytest.approx(
        np.mean(wanted.inverse_negative_penalty)
    )
    assert found.cmc == pytest.approx(np.mean(wanted.cmc, axis=0).tolist())


def test_a_set_against_itself_leaves_out_the_own_row_alone():
    twins = embeddings(crops("1 1 2 2 3"), around([0, 1, 90, 91, 45]))
    found = figures(twins, name="no-camera")
    assert (found.queries, found.queries_without_match, found.gallery) == (4, 1, 5)
    assert found.cmc[0] == found.mean_average_precision == 1
    assert found.verification.same_pairs == 4
    assert found.verification.different_pairs == 16


def test_a_query_does_not_find_its_own_file_in_a_gallery():
    twins = embeddings(crops("1 1 2 2 3"), around([0, 1, 90, 91, 45]))
    assert figures(twins, twins, name="no-camera") == figures(twins, name="no-camera")
    copies = embeddings(crops("1 1 2 2 3", side="g"), around([0, 1, 90, 91, 45]))
    found = figures(twins, copies, name="no-camera")
    assert (found.queries, found.queries_without_match) == (5, 0)
    assert found.verification.same_pairs == 9


def test_the_own_row_is_found_where_rows_before_it_are_dropped():
    people = crops("-1 ? 0000 1 -1 1 2 2", "1 2 1 1 2 2 1 2")
    vectors = around([0, 10, 20, 40, 80, 41, 60, 61])
    found = figures(embeddings(people, vectors), name="market1501")
    assert (found.queries, found.gallery, found.junk, found.unlabelled) == (4, 5, 2, 1)
    assert found.mean_average_precision == 1


def test_cameras_make_the_difference():
    same_camera = embeddings(crops("1 1 1 2 2", "1 1 2 1 2"), around([0, 1, 80, 40, 41]))
    assert figures(same_camera, name="no-camera").cmc[0] > figures(same_camera).cmc[0]


def test_mars_pools_tracklets():
    sides = []
    for side, people, cameras, seed in (
        ("q", "1 1 2 2 0000", "1 1 2 2 1", 0),
        ("g", "1 1 2 1 1 2 00-1 00-1 0000 3", "2 2 1 2 1 1 1 1 2 2", 1),
    ):
        tracks = {"q": (1, 1, 2, 2, 3), "g": (1, 1, 2, 7, 9, 2, 3, 4, 5, 6)}[side]
        sides.append(embeddings(crops(people, cameras, side=side, tracks=tracks), seed=seed))
    query, gallery = sides
    found = figures(query, gallery, name="mars")
    # Tracklets of the gallery: 1@2 twice, 2@1, 1@1, junk twice, a distractor, 3@2.
    assert (found.queries, found.gallery, found.junk) == (2, 6, 2)
    pooled = [pool_tracklets(side) for side in sides]
    wanted = slow(*pooled, protocol("mars"))
    assert found.mean_average_precision == pytest.approx(np.mean(wanted.average_precision))
    itself = figures(gallery, name="mars")
    assert itself.gallery == 6
    assert itself.unlabelled == 0


def test_mars_needs_tracks():
    with pytest.raises(InputError, match=r"^q/0\.png: expected a track, none is known \(4 such"):
        figures(embeddings(crops("1 1 2 2", "1 2 1 2")), name="mars")


def test_classic_cuhk03_draws_one_picture_a_person():
    query = embeddings(crops("1", "1"), around([0]))
    gallery = embeddings(crops("1 1 2", "2 2 2", side="g"), around([10, 50, 30]))
    found = figures(query, gallery, name="cuhk03-classic")
    assert 0.3 < found.cmc[0] < 0.7
    assert found.cmc[1] == 1
    assert found.mean_average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found == figures(query, gallery, name="cuhk03-classic", seed=0)
    rates = {figures(query, gallery, name="cuhk03-classic", seed=s).cmc[0] for s in range(5)}
    assert len(rates) > 1
    assert figures(query, gallery, name="cuhk03-new").cmc[0] == 1


@pytest.mark.parametrize(
    ("query", "gallery", "name"),
    [
        (("1 2", "1 1"), ("3 4", "2 2"), "cross-camera"),
        (("1 2", "1 1"), ("1 2", "1 1"), "cross-camera"),
        (("1 2", "1 1"), ("0000 -1", "2 2"), "market1501"),
        (("1 2 3", None), None, "no-camera"),
        (("1", "1"), None, "cross-camera"),
    ],
)
def test_no_match_at_all(query, gallery, name):
    left = embeddings(crops(*query))
    right = None if gallery is None else embeddings(crops(*gallery, side="g"))
    with pytest.raises(InputError, match=r"^none of \d+ queries has a match among \d+ gallery"):
        figures(left, right, name=name)


def test_what_cannot_be_measured():
    unknown = embeddings(crops("? ?", "1 2"))
    with pytest.raises(InputError, match="no query picture has a known identity and camera"):
        figures(unknown)
    with pytest.raises(InputError, match="needs to know the camera") as caught:
        figures(embeddings(crops("1 1")))
    assert "--protocol no-camera" in caught.value.hint
    wide = embeddings(crops("1 1", "1 2", side="g"), unit(2, 9))
    with pytest.raises(ShapeError, match="query has width 8, gallery 9"):
        figures(embeddings(crops("1 1", "1 2")), wide)


def crowd(seed=3, count=60):
    """A set in which finding people works now and then."""
    random = np.random.default_rng(seed)
    who = random.integers(0, 8, count)
    vectors = unit(8, seed=seed)[who] + 0.4 * random.normal(size=(count, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    where = random.integers(1, 4, count)
    return embeddings(crops(" ".join(map(str, who)), " ".join(map(str, where))), vectors)


def test_intervals_hold_the_figures():
    found = figures(crowd(), repeats=200)
    assert found.bootstrap_repeats == 200
    values = {f"rank_{k}": found.rank(k) for k in (1, 5, 10, 20)} | {
        name: getattr(found, name)
        for name in ("mean_average_precision", "mean_inverse_negative_penalty")
    }
    assert set(found.intervals) == set(values)
    for name, value in values.items():
        span = found.intervals[name]
        assert 0 <= span.low <= value <= span.high <= 1 + 1e-9, name
    assert found.intervals["mean_average_precision"].low < found.mean_average_precision
    assert figures(crowd(), repeats=200) == found
    assert figures(crowd(), repeats=200, seed=1).intervals != found.intervals
    without = figures(crowd())
    assert (without.intervals, without.bootstrap_repeats) == ({}, 0)
    assert without.cmc == found.cmc


def test_one_query_has_intervals_of_no_width():
    found = figures(MARKET_QUERY.select(np.array([0])), MARKET_GALLERY, repeats=3)
    for span in found.intervals.values():
        assert span.low == span.high


def test_pairs_of_the_verification_are_those_that_count():
    found = figures(MARKET_QUERY, MARKET_GALLERY, name="market1501").verification
    # 4 queries and 5 rows, less 1@1 with itself: 2, 1 and 3 same pairs; distractors are different.
    assert found.same_pairs == 2 + 1 + 3
    assert found.same_pairs + found.different_pairs == 4 * 5 - 1
    assert found.missing is None
    assert found.thresholds[0] > 1
    assert (found.fpr[0], found.fpr[-1], found.tpr[0], found.tpr[-1]) == (0, 1, 0, 1)
    assert set(found.tpr_at_fpr) == {"0.1", "0.01", "0.001", "0.0001"}
    assert found.tpr_at_fpr["0.0001"] is None  # 13 pairs cannot say


def test_the_verification_counts_the_pairs_of_the_slow_twin():
    some = crowd()
    found = evaluate(some, None, rules=protocol("cross-camera"), data="d").verification
    who = np.array([int(one) for one in some.crops.identities])
    where = np.array([int(one) for one in some.crops.cameras])
    rows = SimpleNamespace(vectors=some.vectors, ids=who, cameras=where)
    same, different = pair_scores(rows, rows, exclude=np.arange(len(who)))
    assert (found.same_count, found.different_count) == (len(same), len(different))


def alone():
    """An evaluation of one person only: no pair of two identities."""
    return figures(embeddings(crops("1 1", "1 2")))


def test_a_verification_that_is_missing():
    found = alone().verification
    assert found.missing == "no pair of two different identities"
    assert (found.auc, found.eer, found.eer_threshold) == (None, None, None)
    assert set(found.tpr_at_fpr.values()) == {None}
    assert found.fpr == found.tpr == found.thresholds == []
    assert (found.same_pairs, found.different_pairs) == (2, 0)


@pytest.mark.parametrize("make", [alone, lambda: figures(crowd(), repeats=20), lambda: MARKET])
def test_the_document_round_trips(make):
    found = make()
    back = Evaluation.model_validate_json(found.model_dump_json())
    assert back == found
    assert summary_line(back) == summary_line(found)


MARKET = figures(MARKET_QUERY, MARKET_GALLERY, name="market1501")


def test_the_summary_of_market():
    eer = MARKET.verification
    assert summary_line(MARKET) == (
        "Rank-1 33.3, Rank-5 100.0, Rank-10 100.0, Rank-20 100.0, mAP 58.5, mINP 53.3 %; "
        f"EER {100 * eer.eer:.1f} % at similarity {eer.eer_threshold:.3f}"
    )


def test_a_summary_lacks_no_figure():
    for found in (alone(), MARKET, MARKET.model_copy(update={"verification": None})):
        line = summary_line(found)
        assert [part.split()[0] for part in line.split(";")[0].split(", ")] == list(FIGURES)
    assert "EER" not in summary_line(alone())
    assert "None" not in summary_line(alone())


def test_a_summary_gives_intervals_beside_their_figures():
    found = figures(crowd(), repeats=50)
    line = summary_line(found)
    assert line.count("(") == len(FIGURES)
    span = found.intervals["rank_1"]
    assert line.startswith(
        f"Rank-1 {100 * found.rank(1):.1f} ({100 * span.low:.1f}-{100 * span.high:.1f}), Rank-5 "
    )


@pytest.mark.parametrize(
    ("identities", "cameras", "name"),
    [
        ("1 -1 0000", "1 1 2", "market1501"),
        ("1 00-1 0000", "1 1 2", "mars"),
        ("-1 00-1", "1 1", "mars"),
        ("1 0000", "1 2", "cross-camera"),
        ("anna ?", "? hall", "cross-camera"),
    ],
)
def test_the_protocol_that_labels_speak_for(identities, cameras, name):
    gallery = crops(identities, cameras)
    assert fitting_protocol(None, crops("1", "1"), gallery).name == name
    assert fitting_protocol(None, gallery, gallery).name == name
    assert fitting_protocol("no-camera", gallery, gallery).name == "no-camera"


def test_junk_among_the_queries_alone_says_nothing():
    assert fitting_protocol(None, crops("-1", "1"), crops("1", "1")).name == "cross-camera"


@pytest.mark.parametrize(("query", "gallery"), [(None, "1 1"), ("1 1", None), (None, None)])
def test_without_cameras_a_protocol_has_to_be_named(query, gallery):
    left, right = crops("1 -1", query), crops("1 -1", gallery)
    with pytest.raises(InputError, match=r"^no camera is known of these pictures, ") as caught:
        fitting_protocol(None, left, right)
    assert "--camera-pattern" in caught.value.hint
    assert "--protocol no-camera" in caught.value.hint
    assert fitting_protocol("no-camera", left, right).name == "no-camera"


def test_an_unknown_protocol():
    with pytest.raises(ConfigError, match=r"^no protocol is called 'markt1501'") as caught:
        fitting_protocol("markt1501", crops("1"), crops("1"))
    assert caught.value.hint == "did you mean 'market1501'?"
