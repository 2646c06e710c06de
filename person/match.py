"""Exact top-k matching, the hot path: blocks of scores in the quickest precision, then proof.

A first pass over blocks of query x gallery computes scores in bf16 (where the processor has it) or
fp32 and keeps whatever could still belong to the k best, by a bound on its rounding error. The few
survivors are scored again in fp32, each pair by the same operations in the same order, so that the
result is exact whatever the first pass did, and does not depend on block sizes, threads or the
place of a vector in the gallery.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from everyid.device import Device
from everyid.errors import ConfigError, ShapeError

__all__ = ["Metric", "TopK", "check_vectors", "top_k"]

Metric = Literal["cosine", "euclidean"]

_QUERIES, _QUERY_BLOCK, _GALLERY_BLOCK = 4096, 512, 20480
"""Queries searched for at once; and the block of scores that exists at one time."""
_GROUP = 16
"""Columns of a block that share one maximum: most are ruled out by it, unseen."""
_EXACT_QUERIES, _EXACT_COLUMNS = 16, 128
"""Pairs scored again at a time: they fit the processor's cache."""
_CACHED_ROWS = 1024
_MANY_QUERIES = 2048
_MOST_KEPT = 256
"""Survivors a query, in units of k, before they are settled: bounds memory on hostile data."""
_BF16_WORTH = 1 << 24
"""Scores from which on the bf16 pass pays."""


@dataclass(frozen=True, slots=True, eq=False)
class TopK:
    """The best gallery rows of each query.

    Args:
        indices: int64 (Q, K), rows of the gallery, best first; ties by lower index.
        values: float32 (Q, K), cosine similarity (falling) or Euclidean distance (rising).
    """

    indices: NDArray[np.int64]
    values: NDArray[np.float32]


def check_vectors(vectors: NDArray[np.float32], name: str, *, unit: bool = True) -> None:
    """Checks that vectors can be matched.

    Args:
        vectors: Expected: float32 (N, D), finite; D at least 1.
        name: What they are, for the message.
        unit: Each of length 1, to 0.001.

    Raises:
        ShapeError: They are not; the first bad row is named.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32 or vectors.shape[1] < 1:
        raise ShapeError(f"{name}: expected float32 (N, D), got {vectors.dtype} {vectors.shape}")
    squares = np.einsum("nd,nd->n", vectors, vectors)
    bad = ~(np.abs(squares - 1) <= 2e-3) if unit else ~np.isfinite(squares)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        length = float(squares[row]) ** 0.5
        wanted = "length 1" if unit else "finite numbers"
        raise ShapeError(
            f"{name}: expected vectors of {wanted}, row {row} has length {length:.4g} "
            f"({int(bad.sum())} such rows of {len(bad)})",
            hint="leave out empty or damaged rows, and divide each row by its length",
        )


def top_k(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    k: int,
    metric: Metric = "cosine",
    device: Device | None = None,
    exclude: NDArray[np.int64] | None = None,
) -> TopK:
    """The k best gallery rows for each query, exact, best first; ties by lower index.

    Scores are those of fp32 arithmetic in one fixed order of operations a pair. Memory beside the
    inputs and the result: about 60 MB, whatever Q and G are.

    Args:
        query: float32 (Q, D); of length 1 for cosine.
        gallery: float32 (G, D); likewise.
        k: Ranks wanted, at least 1; K is the smaller of this and G (G - 1 with ``exclude``).
        metric: "cosine" (similarity, higher is nearer) or "euclidean" (distance).
        device: Where the first pass runs, and whether in bf16; None: the CPU in fp32.
        exclude: int64 (Q,), a gallery row to leave out of each query's result, or -1: the query's
            own when it is one of the gallery.

    Raises:
        ConfigError: k is below 1.
        ShapeError: Shapes, dtypes or lengths are not as above, or there are no gallery rows.
    """
    if k < 1:
        raise ConfigError(f"k: expected 1 or more, got {k}")
    for name, vectors in (("query", query), ("gallery", gallery)):
        check_vectors(vectors, name, unit=metric == "cosine")
    if query.shape[1] != gallery.shape[1]:
        raise ShapeError(
            f"query has width {query.shape[1]}, gallery {gallery.shape[1]}: expected one width"
        )
    if exclude is not None and exclude.shape != (len(query),):
        raise ShapeError(f"exclude: expected int64 ({len(query)},), got {exclude.shape}")
    spare = 0 if exclude is None else 1
    if len(gallery) <= spare:
        raise ShapeError(f"gallery: expected more than {spare} rows, got {len(gallery)}")
    wanted = min(k + spare, len(gallery))
    if not len(query):
        shape = (0, wanted - spare)
        return TopK(np.zeros(shape, np.int64), np.zeros(shape, np.float32))
    where = "cpu" if device is None else device.torch_name
    reduced = device is not None and device.precision == "bf16"
    reduced = reduced and metric == "cosine" and len(query) * len(gallery) >= _BF16_WORTH
    with torch.inference_mode():
        rows = torch.from_numpy(np.require(gallery, requirements=["C", "W"])).to(where)
        parts = [
            _Search(part.to(where), rows, wanted, metric, reduced).result()
            for part in _parts(query)
        ]
    indices = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    if exclude is not None:
        indices, values = _without(indices, values, exclude)
    return TopK(indices, values)


def _parts(query: NDArray[np.float32]) -> Iterator[Tensor]:
    for start in range(0, len(query), _QUERIES):
        yield torch.from_numpy(np.require(query[start : start + _QUERIES], requirements=["C", "W"]))


def _without(
    indices: NDArray[np.int64], values: NDArray[np.float32], exclude: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each row without its excluded index, or without its last one."""
    keep = indices != exclude[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = (len(indices), indices.shape[1] - 1)
    return indices[keep].reshape(shape), values[keep].reshape(shape)


class _Search:
    """One part of the queries against the whole gallery.

    Scores are maximised: the dot product, or for Euclidean ``q.g - |g|^2 / 2``, which orders a
    query's gallery as its distance does.
    """

    def __init__(
        self, query: Tensor, gallery: Tensor, k: int, metric: Metric, reduced: bool
    ) -> None:
        self._query, self._gallery, self._k, self._metric = query, gallery, k, metric
        self._reduced = reduced
        self._fast = query.bfloat16() if reduced else query
        # The k best group maxima so far: the k-th is a lower bound of the k-th best score.
        self._maxima = query.new_full((len(query), k), -torch.inf)
        self._input_error = torch.zeros(len(query), device=query.device)
        self._lengths = query.norm(dim=1)
        self._lost = (query - self._fast).norm(dim=1)
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []
        self._kept_count = 0

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices (Q, k) and values (Q, k)."""
        for start in range(0, len(self._gallery), _GALLERY_BLOCK):
            self._add(start)
        columns, scores = self._best()
        return columns, np.sqrt(-scores) if self._metric == "euclidean" else scores

    def _add(self, start: int) -> None:
        """Passes one block of the gallery by all queries."""
        exact = self._gallery[start : start + _GALLERY_BLOCK]
        size = len(exact)
        groups = -(-size // _GROUP)
        longest = 1.001 if self._metric == "cosine" else float(exact.norm(dim=1).max())
        # The sum's own rounding in fp32, and |q.g - q'.g'| <= |q| |g - g'| + |q - q'| |g'|.
        error = (exact.shape[1] + 8) * 2.0**-23 * longest * (self._lengths + longest)
        block = exact
        if self._reduced:
            # Rounding to nearest loses at most one part in 2^9; how much it lost is less, and worth
            # a look where many queries have their survivors scored again.
            block, lost = exact.bfloat16(), longest * 2.0**-9
            if len(self._query) >= _MANY_QUERIES:
                block, lost = _rounded(exact)
            error = error + 1.01 * (self._lengths * lost + longest * self._lost)
        half_squares = exact.square().sum(1) / 2 if self._metric == "euclidean" else None
        self._input_error = torch.maximum(self._input_error, error)
        if size < groups * _GROUP:  # the rest of the last group: rows of nothing
            empty = block.new_zeros(groups * _GROUP - size, block.shape[1])
            block = torch.cat([block, empty])
        for first in range(0, len(self._query), _QUERY_BLOCK):
            part = slice(first, first + _QUERY_BLOCK)
            scores = self._fast[part] @ block.T
            if half_squares is not None:
                scores[:, :size] -= half_squares
            scores[:, size:] = -torch.inf
            self._keep(scores.view(len(scores), _GROUP, groups), part, start)
        if self._kept_count > _MOST_KEPT * self._k * max(len(self._query), 1024):
            self._settle()

    def _keep(self, scores: Tensor, part: slice, start: int) -> None:
        """Keeps what may be among the k best; scores (q, _GROUP, W)."""
        maxima = scores.amax(1).float()
        best = torch.cat([self._maxima[part], maxima], 1).topk(self._k, dim=1).values
        self._maxima[part] = best
        floor = self._floor(part)
        row, group = (maxima >= floor[:, None]).nonzero(as_tuple=True)
        members = scores[row, :, group]
        near = (members >= floor[row, None]) & ~members.isneginf()  # the padding is -inf
        hit, member = near.nonzero(as_tuple=True)
        columns = member * scores.shape[2] + group[hit] + start
        self._kept.append((row[hit] + part.start, columns, members[hit, member].float()))
        self._kept_count += len(hit)

    def _floor(self, part: slice) -> Tensor:
        """The score below which nothing can be among the k best, for each query."""
        bound = self._maxima[part, -1]
        slack = 2 * self._input_error[part]
        if self._reduced:  # scores come out in bf16
            slack = slack + bound.abs() * 1.01 * 2.0**-8
        return torch.where(bound.isinf(), bound, bound - slack)

    def _settle(self) -> None:
        """Replaces what was kept by the k best of each query so far."""
        columns, scores = self._best()
        there = np.isfinite(scores)
        rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)[there]
        device = self._query.device
        kept = torch.from_numpy(rows).to(device), torch.from_numpy(columns[there]).to(device)
        stays = torch.full((len(rows),), torch.inf, device=device)
        self._kept, self._kept_count = [(*kept, stays)], len(rows)

    def _best(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best of each query among those kept, by exact score and then by index.

        Columns (Q, k) and scores (Q, k), falling; -inf where there are not yet so many.
        """
        count = len(self._query)
        columns = np.zeros((count, self._k), np.int64)
        scores = np.full((count, self._k), -np.inf, np.float32)
        rows, kept = self._survivors()
        ends = np.searchsorted(rows, np.arange(count + 1))

        def rescore(first: int) -> None:
            part = slice(first, min(first + _EXACT_QUERIES, count))
            bounds = ends[part.start : part.stop + 1]
            width = int(np.diff(bounds).max())
            places = bounds[:-1, None] + np.arange(width)
            inside = places < bounds[1:, None]
            chosen = kept[np.where(inside, places, 0)]
            found = np.where(inside, self._exact(part, chosen), np.float32(-np.inf))
            order = np.argsort(-found, axis=1, kind="stable")[:, : self._k]
            size = order.shape[1]
            columns[part, :size] = np.take_along_axis(chosen, order, 1)
            scores[part, :size] = np.take_along_axis(found, order, 1)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(rescore, range(0, count, _EXACT_QUERIES)))
        return columns, scores

    def _survivors(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of what may still be among the k best, by row and then column."""
        rows, columns, scores = (torch.cat(part) for part in zip(*self._kept, strict=True))
        keep = scores >= self._floor(slice(None))[rows]
        # One sort of whole numbers orders by query first and gallery row second.
        keys = np.sort((rows[keep] * len(self._gallery) + columns[keep]).cpu().numpy())
        return np.divmod(keys, len(self._gallery))

    def _exact(self, part: slice, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (q, n) of queries with gallery rows (q, n), in fp32.

        Each pair goes through the same operations in the same order, wherever it stands.
        """
        found = np.empty(columns.shape, np.float32)
        query = self._query[part]
        for start in range(0, columns.shape[1], _EXACT_COLUMNS):
            some = columns[:, start : start + _EXACT_COLUMNS]
            if query.device.type == "cpu":
                rows = self._gallery.numpy().take(some, axis=0)
                scores = _numpy_scores(query.numpy(), rows, self._metric)
            else:
                taken = self._gallery[torch.from_numpy(some).to(query.device)]
                scores = _torch_scores(query, taken, self._metric)
            found[:, start : start + _EXACT_COLUMNS] = scores
        return found


def _rounded(exact: Tensor) -> tuple[Tensor, float]:
    """The rows in bf16, and the largest length that one of them lost by that.

    Some rows at a time, so that they are still in the cache when they are looked at again.
    """
    rounded = torch.empty_like(exact, dtype=torch.bfloat16)
    lost = 0.0
    for start in range(0, len(exact), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        rounded[part] = exact[part]
        longest = (exact[part] - rounded[part]).square_().sum(1).max()
        lost = max(lost, math.sqrt(float(longest)))
    return rounded, lost


def _numpy_scores(
    query: NDArray[np.float32], rows: NDArray[np.float32], metric: Metric
) -> NDArray[np.float32]:
    if metric == "cosine":
        return np.asarray(np.einsum("qnd,qd->qn", rows, query))
    rows -= query[:, None]
    return np.asarray(-np.einsum("qnd,qnd->qn", rows, rows))


def _torch_scores(query: Tensor, rows: Tensor, metric: Metric) -> NDArray[np.float32]:
    if metric == "cosine":
        return np.asarray((rows * query[:, None]).sum(2).cpu().numpy())
    return np.asarray(-(rows - query[:, None]).square().sum(2).cpu().numpy())
