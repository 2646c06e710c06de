"""Same person or not: how well one threshold on the similarity separates all pairs."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ShapeError

__all__ = [
    "FALSE_POSITIVE_RATES",
    "RESOLUTION",
    "Samples",
    "Verification",
    "verify",
    "verify_pairs",
]

RESOLUTION = 1e-5
"""Similarities are told apart to this width; closer ones count as tied."""
FALSE_POSITIVE_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
"""Where the curve keeps its exact points, however much it is thinned."""

_PER_UNIT = 100_000
_BINS = 2 * _PER_UNIT + 1
"""One bin around each whole hundred-thousandth from -1 to 1."""
_LEFT_OUT = _BINS
"""Where pairs go that count as neither."""
# A block's scores and their bins together stay within a core's cache, which makes counting them
# several times faster than in large blocks.
_QUERY_BLOCK, _GALLERY_BLOCK = 256, 2048
_CURVE_STEPS = 495
_HISTOGRAM_BINS = 100
_NORM_TOLERANCE = 1e-3
_ROUNDING = 1e-12
"""By how much two shares of pairs may differ for the order of additions alone."""

_Counts = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Samples:
    """Embeddings and whose they are, row by row.

    Args:
        vectors: float32 (N, D), L2-normalised.
        ids: int64 (N,), the identity of each row; any numbers.
        cameras: int64 (N,), or None when cameras play no part.
    """

    vectors: NDArray[np.float32]
    ids: NDArray[np.int64]
    cameras: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """How well a threshold tells pairs of one identity from pairs of two.

    A pair is accepted as the same identity when its cosine similarity is at least the threshold.

    Args:
        same_count: Pairs of one identity.
        different_count: Pairs of two identities.
        fpr: float64 (P,), 0-1, rising: the share of different pairs that is accepted, from 0 to 1.
            All four arrays of the curve are empty when there is none.
        tpr: float64 (P,), 0-1, rising: the share of same pairs that is accepted.
        thresholds: float64 (P,), falling; the first is above 1 and accepts nothing.
        auc: The area under the curve before it is thinned, 0-1: the chance that a same pair is
            more similar than a different one, ties counting half. None without a curve.
        eer: The equal error rate, 0-1: where as large a share of same pairs is refused as of
            different pairs is accepted, between two points of the curve on the line from one to
            the other. None without a curve.
        eer_threshold: The similarity there; the middle of the range where several serve. None
            without a curve.
        edges: float64 (E + 1,), rising similarities: the bounds of the histograms' bins, equally
            wide, over the range that occurs.
        same_histogram: int64 (E,), same pairs in each bin.
        different_histogram: int64 (E,), different pairs in each bin.
        missing: Why there is no curve, or None.
    """

    same_count: int
    different_count: int
    fpr: _Floats
    tpr: _Floats
    thresholds: _Floats
    auc: float | None
    eer: float | None
    eer_threshold: float | None
    edges: _Floats
    same_histogram: _Counts
    different_histogram: _Counts
    missing: str | None

    def tpr_at(self, fpr: float) -> float | None:
        """The largest share of same pairs accepted while at most ``fpr`` of the others are, 0-1.

        None without a curve, or with fewer than 1 / ``fpr`` different pairs: then not even one
        wrong pair may be accepted, and the rate is not measured. Exact at
        ``FALSE_POSITIVE_RATES``; elsewhere the thinned curve may say up to 0.003 too little.
        """
        point = self._point(fpr)
        return None if point is None else float(self.tpr[point])

    def threshold_at(self, fpr: float) -> float | None:
        """The similarity from which pairs are accepted in :meth:`tpr_at`, or None likewise."""
        point = self._point(fpr)
        return None if point is None else float(self.thresholds[point])

    def _point(self, fpr: float) -> int | None:
        if self.missing is not None or self.different_count * fpr < 1 - _ROUNDING:
            return None
        return _last_within(self.fpr, fpr)


def verify(
    queries: Samples,
    gallery: Samples,
    *,
    distractors: Collection[int] = (),
    exclude: NDArray[np.int64] | None = None,
) -> Verification:
    """How well a threshold separates the pairs of a query and a gallery row.

    Left out are pairs of one identity under one camera, where cameras are given, pairs of two
    distractors, of which nobody knows whether they are the same person, and the excluded. With
    queries that are the gallery itself every pair counts twice, once from each side.

    Time grows with Q x G, memory with Q + G: scores are counted block by block, rounded to
    ``RESOLUTION``, and not kept.

    Args:
        queries: Q rows.
        gallery: G rows of the same width, with cameras exactly when the queries have them.
        distractors: Identities in the gallery that are nobody's match.
        exclude: int64 (Q,), for each query the gallery row that is the query itself; or None.

    Raises:
        ShapeError: Arrays do not fit together, or vectors are not finite and L2-normalised.

    Source:
        Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006, sections 5-7.
    """
    _check(queries, gallery, exclude)
    return _verification(*_count_pairs(queries, gallery, distractors, exclude))


def verify_pairs(same: NDArray[np.float32], different: NDArray[np.float32]) -> Verification:
    """How well a threshold separates pairs of one identity from pairs of two, each counted once.

    Args:
        same: float32 (S,), -1 to 1, the cosine similarities of pairs of one identity.
        different: float32 (P,), those of pairs of two.
    """
    return _verification(_counted(same), _counted(different))


def _counted(similarities: NDArray[np.float32]) -> _Counts:
    """int64 (_BINS,): pairs by similarity, rounded."""
    one = np.ones((1, 1), np.float32)
    bins = _bins(np.asarray(similarities, np.float32)[:, None], one)
    return np.bincount(bins.ravel(), minlength=_BINS)


def _verification(same: _Counts, different: _Counts) -> Verification:
    same_count, different_count = int(same.sum()), int(different.sum())
    edges, same_histogram, different_histogram = _histograms(same, different)
    missing = _reason(same_count, different_count)
    fpr = tpr = thresholds = np.empty(0)
    auc = eer = eer_threshold = None
    if missing is None:
        fpr, tpr, thresholds = _curve(same, different)
        auc = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)
        eer, eer_threshold = _equal_error(fpr, tpr, thresholds)
        kept = _thin(fpr, tpr, different_count)
        fpr, tpr, thresholds = fpr[kept], tpr[kept], thresholds[kept]
    return Verification(
        same_count=same_count,
        different_count=different_count,
        fpr=fpr,
        tpr=tpr,
        thresholds=thresholds,
        auc=auc,
        eer=eer,
        eer_threshold=eer_threshold,
        edges=edges,
        same_histogram=same_histogram,
        different_histogram=different_histogram,
        missing=missing,
    )


def _reason(same_count: int, different_count: int) -> str | None:
    if same_count and different_count:
        return None
    if same_count:
        return "no pair of two different identities"
    return "no pair of the same identity" if different_count else "no pairs"


def _check(queries: Samples, gallery: Samples, exclude: NDArray[np.int64] | None) -> None:
    for name, samples in (("queries", queries), ("gallery", gallery)):
        _check_samples(name, samples)
    widths = queries.vectors.shape[1], gallery.vectors.shape[1]
    if widths[0] != widths[1]:
        raise ShapeError(f"expected vectors of one width, got {widths[0]} and {widths[1]}")
    if (queries.cameras is None) != (gallery.cameras is None):
        raise ShapeError("expected cameras for both queries and gallery or for neither")
    if exclude is None:
        return
    rows, count = len(queries.ids), len(gallery.ids)
    if exclude.shape != (rows,) or exclude.dtype.kind != "i":
        raise ShapeError(f"exclude: expected int64 ({rows},), got {exclude.dtype} {exclude.shape}")
    if rows and (exclude.min() < 0 or exclude.max() >= count):
        raise ShapeError(
            f"exclude: expected gallery rows from 0 to {count - 1}, "
            f"got {exclude.min()} to {exclude.max()}"
        )


def _check_samples(name: str, samples: Samples) -> None:
    vectors = samples.vectors
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise ShapeError(
            f"{name}: expected float32 (N, D) vectors, got {vectors.dtype} {vectors.shape}"
        )
    for label, values in (("ids", samples.ids), ("cameras", samples.cameras)):
        if values is not None and (values.shape != vectors.shape[:1] or values.dtype.kind != "i"):
            raise ShapeError(
                f"{name}: expected int64 ({len(vectors)},) {label}, "
                f"got {values.dtype} {values.shape}"
            )
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    wrong = np.flatnonzero(~(np.abs(norms - 1) <= _NORM_TOLERANCE))
    if len(wrong):
        raise ShapeError(
            f"{name}: expected L2-normalised vectors, but row {wrong[0]} has length "
            f"{norms[wrong[0]]:g} ({len(wrong)} such rows of {len(vectors)})"
        )


def _count_pairs(
    queries: Samples,
    gallery: Samples,
    distractors: Collection[int],
    exclude: NDArray[np.int64] | None,
) -> tuple[_Counts, _Counts]:
    """int64 (_BINS,) twice: same and different pairs by similarity, rounded."""
    order, pairs = _pairs(queries, gallery, distractors, exclude)
    same, every = np.zeros((2, _BINS + 1), np.int64)
    for first_column in range(0, len(order), _GALLERY_BLOCK):
        columns = order[first_column : first_column + _GALLERY_BLOCK]
        block = np.ascontiguousarray(gallery.vectors[columns].T)
        for first_row in range(0, len(queries.ids), _QUERY_BLOCK):
            rows = slice(first_row, first_row + _QUERY_BLOCK)
            bins = _bins(queries.vectors[rows], block)
            same += pairs.take(bins, first_row, first_column)
            every += np.bincount(bins.ravel(), minlength=_BINS + 1)
    return same[:_LEFT_OUT], every[:_LEFT_OUT]


def _bins(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.intp]:
    """The bin of each pair's similarity, intp (rows, columns)."""
    scores = (queries * np.float32(_PER_UNIT)) @ gallery
    scores += np.float32(_PER_UNIT + 0.5)
    np.clip(scores, 0, _BINS - 1, out=scores)
    return scores.astype(np.intp)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Which pairs of a query and a gallery sorted by identity are the same identity.

    Args:
        starts: The first gallery row of each query's identity.
        ends: One after the last.
        known: Whether the query is somebody: no distractor.
        query_cameras: One a query, or None.
        gallery_cameras: One a sorted gallery row, or None.
        excluded: The sorted gallery row that each query is, or None.
    """

    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    known: NDArray[np.bool_]
    query_cameras: NDArray[np.int64] | None
    gallery_cameras: NDArray[np.int64] | None
    excluded: NDArray[np.intp] | None

    def take(self, bins: NDArray[np.intp], first_row: int, first_column: int) -> _Counts:
        """int64 (_BINS + 1,): the same pairs of a block, whose bins become ``_LEFT_OUT`` in it."""
        height, width = bins.shape
        block = slice(first_row, first_row + height)
        if self.excluded is not None:
            own = self.excluded[block] - first_column
            here = np.flatnonzero((own >= 0) & (own < width))
            bins[here, own[here]] = _LEFT_OUT
        starts = np.clip(self.starts[block] - first_column, 0, width)
        counts = np.clip(self.ends[block] - first_column, 0, width) - starts
        rows = np.repeat(np.arange(height), counts)
        columns = np.arange(len(rows)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
        counted = self.known[rows + first_row]
        if self.query_cameras is not None and self.gallery_cameras is not None:
            theirs = self.gallery_cameras[columns + first_column]
            counted &= self.query_cameras[rows + first_row] != theirs
        same = np.bincount(bins[rows[counted], columns[counted]], minlength=_BINS + 1)
        bins[rows, columns] = _LEFT_OUT
        return same


def _pairs(
    queries: Samples,
    gallery: Samples,
    distractors: Collection[int],
    exclude: NDArray[np.int64] | None,
) -> tuple[NDArray[np.intp], _Pairs]:
    """The gallery rows sorted by identity, and each query's own among them.

    They lie in one stretch, so that no identity is compared pair by pair.
    """
    ids = np.concatenate([queries.ids, gallery.ids])
    codes = np.unique(ids, return_inverse=True)[1]
    codes[np.isin(ids, np.array([*distractors], np.int64))] = -1
    query_codes, gallery_codes = np.split(codes, [len(queries.ids)])
    order = np.argsort(gallery_codes, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pairs = _Pairs(
        starts=np.searchsorted(gallery_codes[order], query_codes, side="left"),
        ends=np.searchsorted(gallery_codes[order], query_codes, side="right"),
        known=query_codes >= 0,
        query_cameras=queries.cameras,
        gallery_cameras=None if gallery.cameras is None else gallery.cameras[order],
        excluded=None if exclude is None else place[exclude],
    )
    return order, pairs


def _curve(same: _Counts, different: _Counts) -> tuple[_Floats, _Floats, _Floats]:
    """float64 (P,) each: FPR, TPR and threshold, with a point for every bin that has a pair."""
    bins = np.flatnonzero(same + different)[::-1]
    accepted_same, accepted_different = np.cumsum(same[bins]), np.cumsum(different[bins])
    fpr = np.concatenate([[0.0], accepted_different / accepted_different[-1]])
    tpr = np.concatenate([[0.0], accepted_same / accepted_same[-1]])
    return fpr, tpr, _lower_edges(np.concatenate([[_BINS], bins]))


def _lower_edges(bins: NDArray[np.intp]) -> _Floats:
    """float64, the smallest similarity that is rounded into each bin."""
    return (bins - _PER_UNIT - 0.5) / _PER_UNIT


def _equal_error(fpr: _Floats, tpr: _Floats, thresholds: _Floats) -> tuple[float, float]:
    """The equal error rate and its threshold."""
    gap = fpr + tpr - 1  # from -1 to 1, never falling: FPR less the share of same pairs refused
    after = int(np.searchsorted(gap, -_ROUNDING))
    before = after - 1
    if (
        gap[after] <= _ROUNDING
    ):  # down to the next similarity that occurs, all thresholds do as well
        lowest = thresholds[min(after + 1, len(thresholds) - 1)] + RESOLUTION
        middle = (thresholds[after] + min(lowest, thresholds[after])) / 2
        return float(fpr[after]), float(middle)
    part = -gap[before] / (gap[after] - gap[before])
    rate = fpr[before] + part * (fpr[after] - fpr[before])
    return float(rate), float(thresholds[before] + part * (thresholds[after] - thresholds[before]))


def _last_within(fpr: _Floats, limit: float) -> int:
    """The last point of a curve whose FPR is no larger, but for rounding."""
    return int(np.searchsorted(fpr, limit + _ROUNDING, side="right")) - 1


def _thin(fpr: _Floats, tpr: _Floats, different_count: int) -> NDArray[np.intp]:
    """The at most 2,000 points that a picture with a linear or log FPR axis needs, intp (P,)."""
    smallest = 1 / different_count
    logs = np.log(np.maximum(fpr, smallest)) / min(np.log(smallest), -1e-9)
    steps = np.floor((1 - logs) * _CURVE_STEPS) + np.floor(tpr * _CURVE_STEPS)
    jumps = np.flatnonzero(np.diff(steps))
    named = [_last_within(fpr, rate) for rate in FALSE_POSITIVE_RATES]
    return np.unique(np.concatenate([[0], jumps, jumps + 1, named, [len(fpr) - 1]]))


def _histograms(same: _Counts, different: _Counts) -> tuple[_Floats, _Counts, _Counts]:
    """float64 (E + 1,) edges and int64 (E,) twice, at most 100 bins over what occurs."""
    bins = np.flatnonzero(same + different)
    if len(bins) == 0:
        nothing = np.zeros(1, np.int64)
        return np.array([-1.0, 1.0]), nothing, nothing.copy()
    step = -(-(int(bins[-1]) + 1 - int(bins[0])) // _HISTOGRAM_BINS)
    starts = np.arange(bins[0], bins[-1] + 1, step)
    edges = _lower_edges(np.append(starts, starts[-1] + step))
    stop = bins[-1] + 1
    return (
        edges,
        np.add.reduceat(same[:stop], starts),
        np.add.reduceat(different[:stop], starts),
    )
