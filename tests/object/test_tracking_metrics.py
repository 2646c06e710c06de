"""HOTA, IDF1 and MOTA: TrackEval's figures, the slow twin's, and those known by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from everyid.settings import PROJECT_FOLDER
from object.tracking_metrics import count_sequence, evaluate_tracking, pairwise_iou
from object.truth import BoxRows, Truth, read_truth
from tests.reference.tracking_metrics import overlap, slow_scores
from tests.reference.tracking_trackeval import sequences, text_of

GOLDEN = json.loads((PROJECT_FOLDER / "tests/golden/tracking_metrics.json").read_text())
SEQUENCES = sequences()


def box_rows(rows):
    """Rows of (frame, id, left, top, width, height) as the arrays that are compared."""
    table = np.array([row[:6] for row in rows], np.float64).reshape(-1, 6)
    table = table[np.argsort(table[:, 0], kind="stable")]
    boxes = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    return BoxRows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), boxes)


def truth_of(rows):
    """A truth in which all rows count."""
    found = box_rows(rows)
    count = len(found)
    return Truth(Path("gt.txt"), found, np.ones(count, np.bool_), np.zeros(count, np.bool_))


def frames_to(last):
    return np.arange(1, last + 1, dtype=np.int64)


def counted(tmp_path, name):
    truth, tracks = SEQUENCES[name]
    path = tmp_path / f"{name}.txt"
    path.write_text(text_of(truth))
    return count_sequence(read_truth(path), box_rows(tracks), frames_to(30))


def scores_of(truth, tracks, last=30):
    return evaluate_tracking([count_sequence(truth_of(truth), box_rows(tracks), frames_to(last))])


def test_the_golden_file_has_every_sequence():
    assert "trackeval 1.3.0" in GOLDEN["made_with"]
    assert set(GOLDEN["figures"]) == {*SEQUENCES, "all"}


@pytest.mark.parametrize("name", SEQUENCES)
def test_equals_trackeval(tmp_path, name):
    scores = evaluate_tracking([counted(tmp_path, name)]).model_dump()
    expected = GOLDEN["figures"][name]
    assert {key: scores[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def test_equals_trackeval_over_all_sequences(tmp_path):
    together = evaluate_tracking([counted(tmp_path, name) for name in SEQUENCES])
    expected = GOLDEN["figures"]["all"]
    scores = together.model_dump()
    assert {key: scores[key] for key in expected} == pytest.approx(expected, abs=1e-12)
    assert together.frames == 30 * len(SEQUENCES)
    assert len(together.truth) == len(SEQUENCES)
    assert not together.partial


def small(seed):
    """Few people and tracks with boxes at random places, so that every pairing can be tried."""
    random = np.random.default_rng(seed)
    truth, tracks, odd = [], [], []
    for frame in range(1, 7):
        for rows, most in ((truth, 4), (tracks, 5), (odd, 2)):
            for name in random.permutation(most)[: random.integers(0, most + 1)].tolist():
                left, top = random.uniform(0, 12, 2)
                rows.append((frame, name, left, top, *random.uniform(15, 25, 2)))
    return truth, tracks, odd


@pytest.mark.parametrize("seed", range(25))
def test_equals_the_slow_twin(seed):
    truth, tracks, odd = small(seed)
    both = [*truth, *((row[0], 50 + row[1], *row[2:]) for row in odd)]
    kind = np.array([0] * len(truth) + [1] * len(odd))
    kind = kind[np.argsort([row[0] for row in both], kind="stable")]
    fast = evaluate_tracking(
        [
            count_sequence(
                Truth(Path("gt.txt"), box_rows(both), kind == 0, kind == 1),
                box_rows(tracks),
                frames_to(6),
            )
        ]
    ).model_dump()

    def plain(rows):
        found = box_rows(rows)
        return list(
            zip(
                found.frames.tolist(),
                found.ids.tolist(),
                map(tuple, found.boxes_xyxy.tolist()),
                strict=True,
            )
        )

    slow = slow_scores(plain(truth), plain(tracks), plain(odd))
    assert {key: fast[key] for key in slow} == pytest.approx(slow, abs=1e-9)


def test_perfect_tracks():
    scores = scores_of(*SEQUENCES["perfect"])
    assert (scores.hota, scores.idf1, scores.mota) == (1, 1, 1)
    assert (scores.id_switches, scores.false_positives, scores.misses) == (0, 0, 0)
    assert (scores.frames, scores.people, scores.boxes) == (30, 1, 6)


def test_one_person_whose_track_changes_half_way():
    """Ten boxes, five under each of two ids: found wholly, half of it as one person."""
    truth = [(frame, 1, 0, 0, 10, 20) for frame in range(1, 11)]
    tracks = [(frame, 1 + frame // 6, 0, 0, 10, 20) for frame in range(1, 11)]
    scores = scores_of(truth, tracks)
    assert scores.detection_accuracy == pytest.approx(1)
    assert scores.association_accuracy == pytest.approx(0.5)
    assert scores.hota == pytest.approx(0.5**0.5)
    assert scores.idf1 == scores.id_precision == scores.id_recall == 0.5
    assert scores.id_switches == 1
    assert scores.mota == pytest.approx(0.9)


def test_only_frames_that_were_looked_at_are_scored():
    truth = truth_of([(frame, 1, 0, 0, 10, 20) for frame in range(1, 11)])
    tracks = box_rows([(frame, 1, 0, 0, 10, 20) for frame in (1, 4, 7)])
    scores = evaluate_tracking([count_sequence(truth, tracks, np.array([1, 4, 7]))])
    assert (scores.frames, scores.boxes, scores.mota, scores.partial) == (3, 3, 1, True)
    more = evaluate_tracking([count_sequence(truth, tracks, frames_to(10))])
    assert (more.misses, more.partial) == (7, False)


def test_excused_boxes_count_neither_way():
    rows = [(1, 1, 0, 0, 10, 20), (1, 2, 50, 0, 10, 20)]
    truth = Truth(Path("gt.txt"), box_rows(rows), np.array([True, False]), np.array([False, True]))
    on_both = box_rows([(1, 7, 0, 0, 10, 20), (1, 8, 52, 0, 10, 20)])
    scores = evaluate_tracking([count_sequence(truth, on_both, frames_to(1))])
    assert (scores.mota, scores.boxes, scores.people, scores.excused) == (1, 1, 1, 1)
    on_one = box_rows([(1, 7, 0, 0, 10, 20), (1, 8, 80, 0, 10, 20)])
    scores = evaluate_tracking([count_sequence(truth, on_one, frames_to(1))])
    assert (scores.mota, scores.false_positives, scores.misses, scores.excused) == (0, 1, 0, 0)


def test_many_boxes_on_nobody_give_a_mota_below_0():
    truth = [(1, 1, 0, 0, 10, 20)]
    tracks = [(1, name, 100.0 * name, 0, 10, 20) for name in range(1, 5)]
    scores = scores_of(truth, tracks)
    assert (scores.mota, scores.hota, scores.false_positives, scores.misses) == (-4, 0, 4, 1)


def test_the_scores_do_not_depend_on_names_or_on_where_time_begins():
    truth, tracks = SEQUENCES["drawn 5"]
    people = [row for row in truth if row[7] == 1]
    plain = scores_of(people, tracks)
    moved = scores_of(
        [(row[0] + 500, 900 - row[1], *row[2:]) for row in people],
        [(row[0] + 500, 7 * row[1], *row[2:]) for row in tracks],
        last=530,
    )
    fields = {"frames", "truth"}
    expected = plain.model_dump(exclude=fields)
    assert moved.model_dump(exclude=fields) == pytest.approx(expected, abs=1e-12)


def test_overlaps_equal_the_slow_ones():
    random = np.random.default_rng(3)
    boxes = np.sort(random.uniform(0, 9, (12, 2, 2)), axis=1).reshape(12, 4)
    boxes[0, 2] = boxes[0, 0]  # no width
    others = boxes[::-1][:7]
    expected = [[overlap(one, other) for other in others] for one in boxes]
    np.testing.assert_allclose(pairwise_iou(boxes, others), expected, atol=1e-12)
    assert pairwise_iou(boxes, others[:0]).shape == (12, 0)
