"""How well tracks agree with the ground truth: HOTA, IDF1 and MOTA, as TrackEval counts them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from everyid.models import TrackingScores
from object.truth import BoxRows, Truth

__all__ = ["SequenceCounts", "count_sequence", "evaluate_tracking", "pairwise_iou"]

_ALPHAS = np.arange(0.05, 0.99, 0.05)
"""The overlaps from which HOTA takes two boxes as one person; made as TrackEval makes them."""
_SAME = 0.5
"""The overlap from which MOTA and IDF1 do."""
_EPSILON = float(np.finfo(np.float64).eps)
_KEEP_ON = 1000.0
"""What it is worth to MOTA's matching to go on with the track of the frame before."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class SequenceCounts:
    """What was counted in one source; sources are taken together by adding their counts.

    Args:
        truth: The file that was compared with.
        frames: Frames that were looked at.
        partial: Whether the truth has people in further frames.
        people: Different people of the truth in them.
        boxes: Boxes of these people.
        tracked: Boxes of tracks that were compared with them.
        excused: Further boxes of tracks, left out because they lie on what need not be found.
        matched: int64 (19,), HOTA: boxes matched at each overlap.
        association: float64 (19,), HOTA: the sum of these boxes' association accuracies.
        overlap: float64 (19,), HOTA: the sum of these boxes' overlaps.
        same_person: IDF1: boxes of the one track that stands for their person.
        hits: MOTA: boxes matched.
        switches: MOTA: boxes matched with another track than the person's last one.
    """

    truth: Path
    frames: int
    partial: bool
    people: int
    boxes: int
    tracked: int
    excused: int
    matched: NDArray[np.int64]
    association: Floats
    overlap: Floats
    same_person: int
    hits: int
    switches: int


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The boxes of one frame: indices of people (M,), of tracks (N,), overlaps (M, N) 0-1."""

    people: Indices
    tracks: Indices
    overlaps: Floats


class _Sequence:
    """The boxes of one source that are compared; people and tracks numbered from 0.

    Args:
        people: Boxes of the truth.
        tracks: Boxes of the tracks.
    """

    def __init__(self, people: BoxRows, tracks: BoxRows) -> None:
        self._people, self._tracks = people, tracks
        ids, self._person = np.unique(people.ids, return_inverse=True)
        names, self._track = np.unique(tracks.ids, return_inverse=True)
        self.person_boxes = np.bincount(self._person, minlength=len(ids))
        self.track_boxes = np.bincount(self._track, minlength=len(names))

    def frames(self) -> Iterator[_Frame]:
        """The frames, in order, that have both people and tracks: no other can have a match."""
        for mine, theirs in _shared_frames(self._people, self._tracks):
            overlaps = pairwise_iou(self._people.boxes_xyxy[mine], self._tracks.boxes_xyxy[theirs])
            yield _Frame(self._person[mine], self._track[theirs], overlaps)


def count_sequence(
    truth: Truth, tracks: BoxRows, frame_numbers: NDArray[np.int64]
) -> SequenceCounts:
    """What a comparison of tracks with the truth counts, in the frames that were looked at.

    Memory grows with people times tracks and with the boxes, not with boxes times boxes.

    Args:
        truth: Of the source.
        tracks: Boxes of the tracks of people.
        frame_numbers: int64 (F,), the frames that were looked at; has all those of the tracks.

    Source:
        HOTA: Luiten et al., IJCV 2021, section 5 and algorithm 1. IDF1: Ristani et al., ECCV
        2016 workshops, section 3. MOTA: Bernardin and Stiefelhagen, JIVP 2008, section 2. In all
        details TrackEval 1.3.0 (MIT): ``metrics/{hota,identity,clear}.py``, and
        ``datasets/mot_challenge_2d_box.py`` for what is left out.
    """
    seen = truth.within(frame_numbers)
    kept = tracks.select(~_on_excused(seen, tracks))
    people = seen.rows.select(seen.counted)
    sequence = _Sequence(people, kept)
    matched, association, overlap = _hota(sequence)
    hits, switches = _clear(sequence)
    return SequenceCounts(
        truth=truth.path,
        frames=len(frame_numbers),
        partial=len(people) < int(truth.counted.sum()),
        people=len(sequence.person_boxes),
        boxes=len(people),
        tracked=len(kept),
        excused=len(tracks) - len(kept),
        matched=matched,
        association=association,
        overlap=overlap,
        same_person=_identity(sequence),
        hits=hits,
        switches=switches,
    )


def evaluate_tracking(counts: Sequence[SequenceCounts]) -> TrackingScores:
    """How good tracking is in one or several sources; several are one by their added counts.

    Figures are those of TrackEval's combined row. In particular MOTA is minus the number of the
    tracks' boxes where the truth has none.

    Args:
        counts: One or more.
    """
    boxes, tracked = sum(one.boxes for one in counts), sum(one.tracked for one in counts)
    matched = np.sum([one.matched for one in counts], axis=0)
    found = np.maximum(1, matched)
    detection = matched / np.maximum(1, boxes + tracked - matched)
    association = np.sum([one.association for one in counts], axis=0) / found
    overlap = np.sum([one.overlap for one in counts], axis=0)
    localisation = np.maximum(1e-10, overlap) / np.maximum(1e-10, matched)
    hits, switches = sum(one.hits for one in counts), sum(one.switches for one in counts)
    same = sum(one.same_person for one in counts)
    return TrackingScores(
        truth=[one.truth for one in counts],
        frames=sum(one.frames for one in counts),
        partial=any(one.partial for one in counts),
        people=sum(one.people for one in counts),
        boxes=boxes,
        excused=sum(one.excused for one in counts),
        hota=_mean_share(np.sqrt(detection * association)),
        detection_accuracy=_mean_share(detection),
        association_accuracy=_mean_share(association),
        localisation_accuracy=_mean_share(localisation),
        idf1=2 * same / max(1, boxes + tracked),
        id_precision=same / max(1, tracked),
        id_recall=same / max(1, boxes),
        mota=(2 * hits - tracked - switches) / max(1, boxes),
        id_switches=switches,
        false_positives=tracked - hits,
        misses=boxes - hits,
    )


def _mean_share(values: Floats) -> float:
    """The mean of shares as a share: sums may end a rounding error above 1."""
    return min(1.0, float(values.mean()))


def pairwise_iou(boxes_xyxy: Floats, others_xyxy: Floats) -> Floats:
    """float64 (M, N), 0-1: the intersection of each two boxes over their union; 0 without area.

    >>> pairwise_iou(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
    [[0.5, 0.0]]

    Args:
        boxes_xyxy: float64 (M, 4), pixels.
        others_xyxy: float64 (N, 4), pixels.
    """
    mine, theirs = boxes_xyxy[:, None], others_xyxy[None]
    sides = np.minimum(mine[..., 2:], theirs[..., 2:]) - np.maximum(mine[..., :2], theirs[..., :2])
    shared = np.maximum(sides[..., 0], 0) * np.maximum(sides[..., 1], 0)
    areas = [(one[..., 2] - one[..., 0]) * (one[..., 3] - one[..., 1]) for one in (mine, theirs)]
    union = areas[0] + areas[1] - shared
    some = (areas[0] > _EPSILON) & (areas[1] > _EPSILON) & (union > _EPSILON)
    overlaps: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=some)
    return overlaps


def _shared_frames(mine: BoxRows, others: BoxRows) -> Iterator[tuple[slice, slice]]:
    """The rows of each frame that is in both, in order."""
    frames = np.intersect1d(mine.frames, others.frames)
    edges = [
        np.searchsorted(rows.frames, frames, side=side).tolist()
        for rows in (mine, others)
        for side in ("left", "right")
    ]
    for first, last, start, end in zip(*edges, strict=True):
        yield slice(first, last), slice(start, end)


def _best_pairs(worth: Floats) -> tuple[Indices, Indices]:
    """The pairs of rows and columns, each in one at most, that are worth most together."""
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return rows, columns


def _on_excused(truth: Truth, tracks: BoxRows) -> NDArray[np.bool_]:
    """Which boxes of tracks, bool (N,), have for their best partner one that is excused."""
    dropped = np.zeros(len(tracks), np.bool_)
    looked_at = np.isin(truth.rows.frames, truth.rows.frames[truth.excused])
    mine, excused = truth.rows.select(looked_at), truth.excused[looked_at]
    for part, theirs in _shared_frames(mine, tracks):
        overlaps = pairwise_iou(mine.boxes_xyxy[part], tracks.boxes_xyxy[theirs])
        overlaps[overlaps < _SAME - _EPSILON] = 0
        people, found = _best_pairs(overlaps)
        on_it = (overlaps[people, found] > _EPSILON) & excused[part][people]
        dropped[theirs.start + found[on_it]] = True
    return dropped


def _hota(sequence: _Sequence) -> tuple[NDArray[np.int64], Floats, Floats]:
    """HOTA's matches, their association accuracies and overlaps, (19,) each, summed up."""
    people, tracks = sequence.person_boxes[:, None], sequence.track_boxes[None]
    likely = np.zeros((people.size, tracks.size))
    for frame in sequence.frames():
        overlaps = frame.overlaps
        spread = overlaps.sum(0)[None] + overlaps.sum(1)[:, None] - overlaps
        part = np.divide(overlaps, spread, out=np.zeros_like(spread), where=spread > _EPSILON)
        likely[frame.people[:, None], frame.tracks[None]] += part
    alignment = likely / (people + tracks - likely)
    found: list[tuple[Indices, Floats]] = []
    for frame in sequence.frames():
        worth = alignment[frame.people[:, None], frame.tracks[None]] * frame.overlaps
        rows, columns = _best_pairs(worth)
        pair = frame.people[rows] * tracks.size + frame.tracks[columns]
        found.append((pair, frame.overlaps[rows, columns]))
    pairs = np.concatenate([np.zeros(0, np.intp), *(pair for pair, _ in found)])
    overlaps = np.concatenate([np.zeros(0), *(overlap for _, overlap in found)])
    names, pair_of = np.unique(pairs, return_inverse=True)
    ours, theirs = np.divmod(names, max(1, tracks.size))
    either = people[ours, 0] + tracks[0, theirs]
    matched, association, overlap = np.zeros(len(_ALPHAS), np.int64), *np.zeros((2, len(_ALPHAS)))
    for row, alpha in enumerate(_ALPHAS):
        close = overlaps >= alpha - _EPSILON
        together = np.bincount(pair_of[close], minlength=len(names))
        matched[row] = together.sum()
        association[row] = np.sum(together * (together / np.maximum(1, either - together)))
        overlap[row] = overlaps[close].sum()
    return matched, association, overlap


def _identity(sequence: _Sequence) -> int:
    """IDF1's true positives: boxes matched when each person may be one track only, the best."""
    together = np.zeros((len(sequence.person_boxes), len(sequence.track_boxes)))
    for frame in sequence.frames():
        rows, columns = np.nonzero(frame.overlaps >= _SAME)
        together[frame.people[rows], frame.tracks[columns]] += 1
    return int(together[_best_pairs(together)].sum())


def _clear(sequence: _Sequence) -> tuple[int, int]:
    """MOTA's matches and id switches.

    A match goes on where the one before left off, if the boxes still overlap: before are the last
    frame that had people and tracks, for going on, and the person's last match, for switches.
    """
    nobody = -1
    last = np.full(len(sequence.person_boxes), nobody)
    before = last.copy()
    hits = switches = 0
    for frame in sequence.frames():
        going_on = frame.tracks[None] == before[frame.people][:, None]
        worth = _KEEP_ON * going_on + frame.overlaps
        worth[frame.overlaps < _SAME - _EPSILON] = 0
        rows, columns = _best_pairs(worth)
        real = worth[rows, columns] > _EPSILON
        people, tracks = frame.people[rows[real]], frame.tracks[columns[real]]
        switches += int(np.sum((last[people] != nobody) & (last[people] != tracks)))
        hits += len(people)
        last[people] = tracks
        before[:] = nobody
        before[people] = tracks
    return hits, switches
