"""Ranking figures: CMC, mAP and mINP, without sorting or keeping queries x gallery.

For each query only the ranks of its matches matter, and the rank of a match is one more than the
number of gallery rows above it. So a block of scores is computed, the matches' own scores are read
from it, and the rows above each are counted. A block is forgotten before the next one is made.

Source: CMC and AP as in Zheng et al. 2015, "Scalable Person Re-identification: A Benchmark",
section 4.2, with the rectangular AP of torchreid's ``rank.py`` (MIT), whose figures these equal
where scores are distinct; mINP: Ye et al. 2021, "Deep Learning for Person Re-identification: A
Survey and Outlook", section 4.2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from everyid.device import Device
from everyid.errors import InputError, ShapeError
from person.match import check_vectors

__all__ = ["Ranking", "evaluate_blocks", "evaluate_ranking", "evaluate_scores"]

Scores = NDArray[np.float32]
ScoreBlock = Callable[[NDArray[np.int64]], Scores]
"""Gives the scores (q, G) of some queries as an array of its own."""

_BLOCK_BYTES, _BLOCK_QUERIES = 32 << 20, 256
"""The scores that exist at one time."""
_CACHE_BYTES = 2 << 20
"""The scores that are gone through again and again for the matches of a few queries."""
_FEW = 32
"""Matches a query up to which counting row by row is quicker than sorting the row."""
_WORDS = 128
"""64-bit words of flags that are summed side by side: long enough to be quick."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """How well each query found its matches. V are the queries that have one.

    Args:
        rows: int64 (V,), which queries these are, rising.
        average_precision: float64 (V,), 0-1.
        inverse_negative_penalty: float64 (V,), 0-1: matches / rank of the last one.
        first_match: int64 (V,), rank of the first match, from 1.
        cmc: float64 (V, K): whether (in single-shot draws: how often) a match is among the
            first 1, 2, ... K.
        skipped: Queries without any match.
    """

    rows: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    inverse_negative_penalty: NDArray[np.float64]
    first_match: NDArray[np.int64]
    cmc: NDArray[np.float64]
    skipped: int

    @property
    def mean_average_precision(self) -> float:
        """MAP over the queries that have a match, 0-1."""
        return float(self.average_precision.mean())

    @property
    def mean_inverse_negative_penalty(self) -> float:
        """MINP over the queries that have a match, 0-1."""
        return float(self.inverse_negative_penalty.mean())

    @property
    def cmc_curve(self) -> NDArray[np.float64]:
        """float64 (K,), rank-1, rank-2, ... over the queries that have a match, 0-1."""
        return np.asarray(self.cmc.mean(axis=0))


def evaluate_ranking(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    truth: "Truth",
    max_rank: int = 50,
    device: Device | None = None,
) -> Ranking:
    """CMC, AP and INP of each query by cosine similarity of fp32 embeddings.

    Args:
        query: float32 (Q, D), of length 1.
        gallery: float32 (G, D), of length 1.
        truth: Which gallery rows match a query, and which do not count.
        max_rank: K, the length of the CMC.
        device: Where scores are computed; None: the CPU. Always in fp32.

    Raises:
        InputError: No query has a match.
        ShapeError: Shapes, dtypes or lengths are not as above.
    """
    check_vectors(query, "query")
    check_vectors(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ShapeError(
            f"query has width {query.shape[1]}, gallery {gallery.shape[1]}: expected one width"
        )
    if device is None or device.kind == "cpu":

        def block(rows: NDArray[np.int64]) -> Scores:
            return query[rows] @ gallery.T
    else:
        left, right = (torch.from_numpy(part).to(device.torch_name) for part in (query, gallery))

        def block(rows: NDArray[np.int64]) -> Scores:
            return (left[torch.from_numpy(rows).to(left.device)] @ right.T).cpu().numpy()

    return evaluate_blocks(block, (len(query), len(gallery)), truth, max_rank)


def evaluate_scores(scores: Scores, *, truth: "Truth", max_rank: int = 50) -> Ranking:
    """CMC, AP and INP of each query by given scores; equal scores rank by lower index.

    Args:
        scores: float32 (Q, G), higher is nearer (a distance goes in with its sign turned).
        truth: Which gallery rows match a query, and which do not count.
        max_rank: K, the length of the CMC.

    Raises:
        InputError: No query has a match.
        ShapeError: The scores are not float32 (Q, G), or not all numbers.
    """
    if scores.ndim != 2 or scores.dtype != np.float32 or np.isnan(scores).any():
        raise ShapeError(
            f"scores: expected numbers, float32 (Q, G), got {scores.dtype} {scores.shape}"
        )
    return evaluate_blocks(lambda rows: scores[rows], scores.shape, truth, max_rank)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Which gallery rows match each query, and which do not count for it.

    A gallery row matches when it has the query's identity. With cameras, rows of the same identity
    and the same camera do not count, neither as match nor as mistake.

    Args:
        query_ids: int64 (Q,).
        gallery_ids: int64 (G,); negative: a distractor, which matches none.
        query_cameras: int64 (Q,), or None: cameras do not count.
        gallery_cameras: int64 (G,), or None.
        own_rows: int64 (Q,), the gallery row that is the query itself, or -1; None: none is.
        single_shot_repeats: 0, or how many draws of one gallery row an identity the CMC is the
            mean of; AP and INP are those of the whole gallery.
        seed: Of those draws.

    Raises:
        ShapeError: The arrays do not align.
    """

    query_ids: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64] | None = None
    gallery_cameras: NDArray[np.int64] | None = None
    own_rows: NDArray[np.int64] | None = None
    single_shot_repeats: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        queries, gallery = len(self.query_ids), len(self.gallery_ids)
        for name, array, size in (
            ("query_ids", self.query_ids, queries),
            ("gallery_ids", self.gallery_ids, gallery),
            ("query_cameras", self.query_cameras, queries),
            ("gallery_cameras", self.gallery_cameras, gallery),
            ("own_rows", self.own_rows, queries),
        ):
            if array is not None and (array.shape != (size,) or array.dtype.kind != "i"):
                raise ShapeError(
                    f"{name}: expected whole numbers ({size},), got {array.dtype} {array.shape}"
                )
        if self.own_rows is not None and self.own_rows.max(initial=-1) >= gallery:
            raise ShapeError(f"own_rows: expected rows below {gallery}, got {self.own_rows.max()}")
        if (self.query_cameras is None) != (self.gallery_cameras is None):
            raise ShapeError("expected cameras of both queries and gallery, or of neither")


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """The gallery rows that share their identity with some queries, most matches first.

    Args:
        queries: int64 (q,), the queries, by falling number of matches.
        sizes: int64 (q,), their numbers of matches.
        row, column: int64 (M,), query (place in ``queries``) and gallery row of each match.
        hidden_row, hidden_column: The same of rows that do not count.
    """

    queries: NDArray[np.int64]
    sizes: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    hidden_row: NDArray[np.int64]
    hidden_column: NDArray[np.int64]

    @property
    def place(self) -> NDArray[np.int64]:
        """int64 (M,), 0, 1, ... within the matches of each query."""
        return np.asarray(np.arange(len(self.row)) - (np.cumsum(self.sizes) - self.sizes)[self.row])


class _Index:
    """Finds the gallery rows of an identity."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._order = np.argsort(truth.gallery_ids, kind="stable")
        self._sorted = truth.gallery_ids[self._order]

    def members(self, queries: NDArray[np.int64]) -> _Members:
        row, column, counts = self._pairs(queries)
        sizes = np.bincount(row[counts], minlength=len(queries))
        order = np.argsort(-sizes, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        row = place[row]
        by_row = np.argsort(row, kind="stable")
        row, column, counts = row[by_row], column[by_row], counts[by_row]
        hidden_row, hidden_column = row[~counts], column[~counts]
        if self._truth.own_rows is not None:
            own = self._truth.own_rows[queries[order]]
            hidden_row = np.concatenate([hidden_row, np.flatnonzero(own >= 0)])
            hidden_column = np.concatenate([hidden_column, own[own >= 0]])
        return _Members(
            queries[order], sizes[order], row[counts], column[counts], hidden_row, hidden_column
        )

    def _pairs(
        self, queries: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Place of the query, gallery row, and whether the row counts, of all of one identity."""
        truth = self._truth
        ids = truth.query_ids[queries]
        first = np.searchsorted(self._sorted, ids, "left")
        sizes = np.where(ids < 0, 0, np.searchsorted(self._sorted, ids, "right") - first)
        row = np.repeat(np.arange(len(ids)), sizes)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        column = self._order[np.repeat(first, sizes) + offset]
        counts = np.ones(len(row), bool)
        if truth.query_cameras is not None and truth.gallery_cameras is not None:
            counts &= truth.query_cameras[queries][row] != truth.gallery_cameras[column]
        if truth.own_rows is not None:
            counts &= truth.own_rows[queries][row] != column
        return row, column, counts


def evaluate_blocks(
    block: ScoreBlock, shape: tuple[int, int], truth: Truth, max_rank: int = 50
) -> Ranking:
    """CMC, AP and INP of each query by scores that are computed when they are needed.

    Args:
        block: Gives the scores (q, G) of some queries, numbers, higher is nearer.
        shape: Q and G.
        truth: Which gallery rows match a query, and which do not count.
        max_rank: K, the length of the CMC.

    Raises:
        InputError: No query has a match.
        ShapeError: There are not labels for each query and gallery row.
    """
    queries, gallery = shape
    if (len(truth.query_ids), len(truth.gallery_ids)) != shape:
        raise ShapeError(
            f"expected labels for {queries} queries and {gallery} gallery rows, got "
            f"{len(truth.query_ids)} and {len(truth.gallery_ids)}"
        )
    index = _Index(truth)
    draws = _Draws(truth) if truth.single_shot_repeats else None
    size = max(1, min(_BLOCK_QUERIES, _BLOCK_BYTES // max(4 * gallery, 1)))
    parts = []
    for start in range(0, queries, size):
        members = index.members(np.arange(start, min(start + size, queries)))
        if members.sizes[0]:
            parts.append(_block_ranking(block(members.queries), members, max_rank, draws))
    if not parts:
        raise InputError(
            f"none of {queries} queries has a match among {gallery} gallery pictures",
            hint="a match is the same person in query and gallery, under another camera; "
            "--protocol no-camera counts pictures of the same camera too",
        )
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows)
    return Ranking(
        rows[order],
        np.concatenate([part.average_precision for part in parts])[order],
        np.concatenate([part.inverse_negative_penalty for part in parts])[order],
        np.concatenate([part.first_match for part in parts])[order],
        np.concatenate([part.cmc for part in parts])[order],
        queries - len(rows),
    )


def _block_ranking(
    scores: Scores, members: _Members, max_rank: int, draws: "_Draws | None"
) -> Ranking:
    """The queries of one block that have a match."""
    scores[members.hidden_row, members.hidden_column] = -np.inf
    count = int(np.count_nonzero(members.sizes))
    sizes = members.sizes[:count]
    ranks = np.sort(_ranks(scores, members), axis=1)
    places = np.arange(1, ranks.shape[1] + 1)
    inside = places <= sizes[:, None]
    precision = np.where(inside, places / ranks, 0.0).sum(axis=1) / sizes
    last = ranks[np.arange(count), sizes - 1]
    if draws is None:
        cmc = (ranks[:, :1] <= np.arange(1, max_rank + 1)).astype(np.float64)
    else:
        cmc = draws.cmc(scores[:count], members, max_rank)
    return Ranking(members.queries[:count], precision, sizes / last, ranks[:, 0], cmc, 0)


def _ranks(scores: Scores, members: _Members) -> NDArray[np.int64]:
    """int64 (q, P), rank from 1 of each match of the queries that have one.

    Equal scores rank by gallery row. Places past a query's last match hold a huge number.
    """
    sizes = members.sizes[members.sizes > 0]
    places = members.place
    own = np.full((len(sizes), int(sizes[0])), np.inf, np.float32)
    own[members.row, places] = scores[members.row, members.column]
    above, equal = np.zeros(own.shape, np.int64), np.zeros(own.shape, np.int64)
    many = int(np.count_nonzero(sizes > _FEW))
    for query in range(many):
        part = slice(0, int(sizes[query]))
        ordered = np.sort(scores[query])
        above[query, part] = len(ordered) - np.searchsorted(ordered, own[query, part], "right")
        equal[query, part] = len(ordered) - np.searchsorted(ordered, own[query, part], "left")
        equal[query, part] -= above[query, part]
    step = max(1, _CACHE_BYTES // max(scores[0].nbytes, 1))
    for start in range(many, len(sizes), step):
        part = slice(start, min(start + step, len(sizes)))
        _count(scores[part], own[part], sizes[part], above[part], equal[part])
    ranks = np.where(np.isinf(own), np.iinfo(np.int64).max, above + 1)
    for query in np.flatnonzero((equal > 1).any(axis=1)).tolist():
        order = np.argsort(-scores[query], kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        chosen = members.row == query
        ranks[query, places[chosen]] = rank[members.column[chosen]]
    return ranks


def _count(
    scores: Scores,
    own: Scores,
    sizes: NDArray[np.int64],
    above: NDArray[np.int64],
    equal: NDArray[np.int64],
) -> None:
    """Counts, for each match of a few queries, the scores above it and those equal to it."""
    for place in range(int(sizes[0])):
        rows = int(np.count_nonzero(sizes > place))  # most matches first: they come first
        wanted = own[:rows, place, None]
        above[:rows, place] = _count_true(np.greater(scores[:rows], wanted))
        equal[:rows, place] = _count_true(np.equal(scores[:rows], wanted))


def _count_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64 (q,), how many are True in each row of (q, G).

    Eight flags are one 64-bit word. Words are added, at most 255 of them so that no byte of a sum
    overflows, and then the bytes of the sums.
    """
    queries, size = flags.shape
    step = 8 * _WORDS * 255
    whole = size - size % (8 * _WORDS)
    total = np.asarray(np.count_nonzero(flags[:, whole:], axis=1), np.int64)
    for start in range(0, whole, step):
        part = flags[:, start : min(start + step, whole)]
        words = part.view(np.uint64).reshape(queries, -1, _WORDS)
        sums = words.sum(axis=1).view(np.uint8)
        total += sums.sum(axis=1, dtype=np.int64)
    return total


class _Draws:
    """Random single-shot galleries: one row of each identity, another one in each draw."""

    def __init__(self, truth: Truth) -> None:
        repeats = truth.single_shot_repeats
        random = np.random.default_rng(truth.seed)
        order = np.argsort(truth.gallery_ids, kind="stable")
        self._ids, first, sizes = np.unique(
            truth.gallery_ids[order], return_index=True, return_counts=True
        )
        chance = random.random((repeats, len(sizes)))
        self._drawn = order[first + (chance * sizes).astype(np.int64)]
        self._own_chance = random.random((repeats, len(truth.query_ids)))
        self._query_ids = truth.query_ids

    def cmc(self, scores: Scores, members: _Members, max_rank: int) -> NDArray[np.float64]:
        """float64 (q, K), in which part of the draws the match is among the first 1 ... K.

        Args:
            scores: float32 (q, G), of the queries with a match; -inf where rows do not count.
            members: Their matches.
            max_rank: K.
        """
        count = len(scores)
        queries, sizes = members.queries[:count], members.sizes[:count]
        starts = np.cumsum(sizes) - sizes
        rows = np.arange(count)
        own_place = np.searchsorted(self._ids, self._query_ids[queries])
        hits = np.zeros((count, max_rank))
        for drawn, chance in zip(self._drawn, self._own_chance[:, queries], strict=True):
            own = members.column[starts + (chance * sizes).astype(np.int64)]
            wanted = scores[rows, own][:, None]
            others = scores[:, drawn]
            others[rows, own_place] = -np.inf
            above = (others > wanted) | ((others == wanted) & (drawn < own[:, None]))
            hits += above.sum(axis=1)[:, None] < np.arange(1, max_rank + 1)
        return hits / len(self._drawn)
