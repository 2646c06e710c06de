"""Exact search in very many vectors, quick for one query at a time.

A first pass over a copy of the gallery in one byte a number rules out nearly every row by a bound
on what the copy lost; the rest is scored again in fp32 in the same arithmetic as
:func:`person.match.top_k`, and the result is the same, whatever the vectors are. Nothing is learnt
from the vectors, and rows can be added at any time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from everyid.device import choose
from everyid.errors import ConfigError, ShapeError
from person.match import TopK, check_vectors, top_k

__all__ = ["VectorIndex"]

_BLOCK = 32768
"""Rows that are coded together; fewer than these are always scored in fp32."""
_GROUP = 16
"""Rows that share one maximum: most are ruled out by it, unseen."""
_CODED_AFTER = 6
"""Queries after which the copy is made: it costs about as much as so many of them in fp32."""
_TOGETHER = 4
"""Queries that one pass serves: two cost as much as one, four less than twice as much."""
_MANY = 32
"""Queries at a time from which on blocks of scores, as in match, are quicker than passes."""
_SLICE = 8 * _BLOCK
"""Rows that many queries are searched for in at a time: bounds what match copies."""
_LANES = 16
"""The pass reads so many numbers at a time, also beyond the end of a row: rows are filled up."""
_CACHED_ROWS = 1024
"""Rows worked on at a time where they are looked at more than once: they fit the cache."""


class VectorIndex:
    """Vectors that are searched over and over, and the identity of each.

    The result is exact for any vectors; how quick it is depends on how many rows are nearly as
    near as the k-th best. The first queries are answered in fp32 from the vectors as they are;
    when more come, a copy in one byte a number is made (a quarter of the vectors' memory) and
    every later query reads that. There is nothing to train and nothing drawn by chance. Not for
    use from several threads at once.

    Args:
        vectors: float32 (N, D), each of length 1; N may be 0. Kept without a copy: they must not
            change as long as the index is used.
        groups: int64 (N,), the identity of each row.

    Raises:
        ShapeError: Shapes, dtypes or lengths are not as above.
    """

    def __init__(self, vectors: NDArray[np.float32], groups: NDArray[np.int64]) -> None:
        _check(vectors, groups)
        self._width = vectors.shape[1]
        self._given = vectors
        self._blocks = [
            _Block(vectors[start : start + _BLOCK]) for start in range(0, len(vectors), _BLOCK)
        ]
        self._count = len(vectors)
        self._groups = groups
        self._asked = 0

    def __len__(self) -> int:
        return self._count

    @property
    def groups(self) -> NDArray[np.int64]:
        """The identity of each row, int64 (N,), those added included."""
        return self._groups[: self._count]

    def add(self, vectors: NDArray[np.float32], groups: NDArray[np.int64]) -> None:
        """Appends rows; they are found from the next search on. Their cost does not grow with N.

        Args:
            vectors: float32 (A, D), each of length 1; copied.
            groups: int64 (A,), the identity of each.

        Raises:
            ShapeError: Shapes, dtypes, width or lengths are not as above.
        """
        _check(vectors, groups)
        self._check_width(vectors)
        first, self._count = self._count, self._count + len(vectors)
        if self._count > len(self._groups):
            grown = np.empty(2 * self._count, np.int64)
            grown[:first] = self._groups[:first]
            self._groups = grown
        self._groups[first : self._count] = groups
        done = 0
        while done < len(vectors):
            free = _BLOCK - len(self._blocks[-1].vectors) if self._blocks else 0
            if not free:
                self._blocks.append(_Block(vectors[:0]))
                free = _BLOCK
            self._blocks[-1].append(vectors[done : done + free])
            done += free

    def search(self, query: NDArray[np.float32], *, k: int) -> TopK:
        """The k best rows for each query by cosine, exact, best first; ties by lower index.

        The same rows and values as :func:`person.match.top_k` gives.

        Args:
            query: float32 (Q, D), each of length 1.
            k: Ranks wanted, at least 1; K is the smaller of this and N.

        Raises:
            ConfigError: k is below 1.
            ShapeError: Shapes, dtypes or lengths are not as above.
        """
        if k < 1:
            raise ConfigError(f"k: expected 1 or more, got {k}")
        check_vectors(query, "query")
        self._check_width(query)
        ranks = min(k, self._count)
        if not len(query) or not ranks:
            shape = (len(query), ranks)
            return TopK(np.zeros(shape, np.int64), np.zeros(shape, np.float32))
        if len(query) >= _MANY:
            return self._search_many(query, ranks)
        with torch.inference_mode():
            found = [
                one
                for start in range(0, len(query), _TOGETHER)
                for one in self._search_few(query[start : start + _TOGETHER], ranks)
            ]
        return TopK(*(np.stack(part) for part in zip(*found, strict=True)))

    def _check_width(self, vectors: NDArray[np.float32]) -> None:
        if vectors.shape[1] != self._width:
            raise ShapeError(
                f"vectors have width {vectors.shape[1]}, the index {self._width}: "
                "expected one width"
            )

    def _search_few(
        self, rows: NDArray[np.float32], k: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Indices (k,) and values (k,) for each of a few queries (q, D)."""
        self._asked += len(rows)
        query = _Query(rows)
        passes = []
        for block in self._blocks:
            if self._asked > _CODED_AFTER:
                block.code()
            passes.append(block.scores(query))
        floors = _floors(passes, k)
        return [self._best(row, place, passes, floors[place], k) for place, row in enumerate(rows)]

    def _best(
        self,
        row: NDArray[np.float32],
        place: int,
        passes: "list[_Pass]",
        floor: float,
        k: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best of the rows that reach the floor; of equal ones the lower index first."""
        indices, values = [], []
        for number, (block, seen) in enumerate(zip(self._blocks, passes, strict=True)):
            near = seen.above(place, floor)
            indices.append(near + number * _BLOCK)
            values.append(block.exact(row, near))
        found, exact = np.concatenate(indices), np.concatenate(values)
        best = np.argsort(-exact, kind="stable")[:k]
        return found[best], exact[best]

    def _search_many(self, query: NDArray[np.float32], k: int) -> TopK:
        """The best of the slices' best; rows of an earlier slice come first, so ties stay right."""
        indices = np.zeros((len(query), 0), np.int64)
        values = np.zeros((len(query), 0), np.float32)
        device = choose("cpu")
        for start, vectors in self._slices():
            found = top_k(query, vectors, k=k, device=device)
            indices = np.concatenate([indices, found.indices + start], axis=1)
            values = np.concatenate([values, found.values], axis=1)
            best = np.argsort(-values, axis=1, kind="stable")[:, :k]
            indices = np.take_along_axis(indices, best, 1)
            values = np.take_along_axis(values, best, 1)
        return TopK(indices, values)

    def _slices(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and rows, in order: the vectors given, then what was added."""
        given = len(self._given)
        for start in range(0, given, _SLICE):
            yield start, self._given[start : start + _SLICE]
        for start in range(given // _BLOCK * _BLOCK, self._count, _BLOCK):
            first = max(start, given)
            added = self._blocks[start // _BLOCK].vectors[first - start :]
            if len(added):
                yield first, added


def _check(vectors: NDArray[np.float32], groups: NDArray[np.int64]) -> None:
    check_vectors(vectors, "vectors")
    if groups.shape != (len(vectors),) or groups.dtype != np.int64:
        raise ShapeError(
            f"groups: expected int64 ({len(vectors)},), got {groups.dtype} {groups.shape}"
        )


class _Query:
    """A few queries (q, D) as the passes want them."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        exact = torch.from_numpy(rows.copy())
        rounded = exact.bfloat16()
        self.rows = rows
        self.rounded = functional.pad(rounded, (0, -rows.shape[1] % _LANES))
        self.lost = float((exact - rounded).norm(dim=1).max())


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """What the first pass saw of a block.

    Args:
        scores: (q, members, groups); the row in the block is ``member * groups + group``.
        maxima: float32 (q, groups).
        error: How far a score can be from the exact one, apart from its rounding to bf16.
    """

    scores: Tensor
    maxima: Tensor
    error: float

    def above(self, place: int, floor: float) -> NDArray[np.int64]:
        """The rows of the block that reach the floor for one of the queries, rising."""
        groups = (self.maxima[place] >= floor).nonzero()[:, 0]
        member, hit = (self.scores[place][:, groups] >= floor).nonzero(as_tuple=True)
        return np.sort((member * self.scores.shape[2] + groups[hit]).numpy())


def _floors(passes: list[_Pass], k: int) -> list[float]:
    """The score below which nothing can be among the k best, for each query."""
    maxima = torch.cat([seen.maxima for seen in passes], dim=1)
    if maxima.shape[1] < k:
        return [-math.inf] * len(maxima)
    # Each maximum belongs to another row, so k rows reach the k-th of them.
    bounds = maxima.topk(k, dim=1).values[:, -1]
    # Both that row and the one it is compared with may be off, and are rounded to bf16.
    slack = 2 * max(seen.error for seen in passes) + bounds.abs() * 1.01 * 2.0**-8
    return [float(floor) for floor in bounds - slack]


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """A copy of a block: ``values * scales[:, None]``.

    Args:
        values: int8 (n, D), -127 to 127; D filled up with zeros.
        scales: bfloat16 (n,).
        lost: The largest length that a row lost by it.
    """

    values: Tensor
    scales: Tensor
    lost: float


class _Block:
    """Up to ``_BLOCK`` rows."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.vectors = vectors
        self._room = vectors
        self._codes: _Codes | None = None

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Takes rows in, as many as there is room for."""
        first = len(self.vectors)
        last = first + len(vectors)
        if last > len(self._room):
            self._room = np.empty((_BLOCK, vectors.shape[1]), np.float32)
            self._room[:first] = self.vectors
        self._room[first:last] = vectors
        self.vectors = self._room[:last]

    def code(self) -> None:
        """Makes the copy in one byte a number, once, if the block is full."""
        if self._codes is None and len(self.vectors) == _BLOCK:
            self._codes = _coded(self.vectors)

    def scores(self, query: _Query) -> _Pass:
        """The first pass."""
        count, width = self.vectors.shape
        rounding = (width + 8) * 2.0**-23 * 1.01
        if self._codes is None:
            scores = torch.from_numpy(np.ascontiguousarray((self.vectors @ query.rows.T).T))
            error = rounding
        else:
            codes = self._codes
            # Numbers become floats and are summed in fp32; only the score is rounded to bf16.
            scores = torch._weight_int8pack_mm(query.rounded, codes.values, codes.scales)
            # |q.v - q'.v'| <= |q| |v - v'| + |q - q'| |v'|
            error = rounding + 1.01 * (codes.lost + query.lost * (1 + codes.lost))
        members = _GROUP if count % _GROUP == 0 else 1
        scores = scores.view(len(scores), members, -1)
        return _Pass(scores, scores.amax(1).float(), error)

    def exact(self, row: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cosines (n,) of a query (D,) with rows of the block (n,), in the same way as match."""
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _CACHED_ROWS):
            part = slice(start, start + _CACHED_ROWS)
            taken = self.vectors.take(rows[part], axis=0)
            found[part] = np.einsum("qnd,qd->qn", taken[None], row[None])[0]
        return found


def _coded(vectors: NDArray[np.float32]) -> _Codes:
    count, width = vectors.shape
    values = torch.zeros(count, width + -width % _LANES, dtype=torch.int8)
    scales = torch.empty(count, dtype=torch.bfloat16)
    lost = 0.0
    for start in range(0, count, _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        exact = torch.from_numpy(vectors[part].copy())
        scales[part] = exact.abs().amax(1) / 127
        steps = scales[part].float()[:, None]
        rounded = (exact / steps).round_().clamp_(-127, 127)
        values[part, :width] = rounded
        longest = exact.sub_(rounded.mul_(steps)).square_().sum(1).max()
        lost = max(lost, math.sqrt(float(longest)))
    return _Codes(values, scales, lost)
