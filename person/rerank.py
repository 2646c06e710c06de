"""k-reciprocal re-ranking, exact and sparse: lists of neighbours, never rows x rows.

Two rows are k-reciprocal neighbours when each is among the nearest of the other. Each row is
encoded by weights on its reciprocal neighbours and on theirs; the encoding is averaged over the
nearest rows, and the share of it that two rows have in common gives their Jaccard distance. The
final distance is a mixture of that and of the original one. Nearly all pairs have nothing in
common, so that encodings are sparse matrices, and what a query shares with the gallery is summed
from the columns that the query has.

Source: Zhong et al. 2017, "Re-ranking Person Re-identification with k-reciprocal Encoding",
sections 3.2-3.5; what the paper leaves open as in ``rerank.py`` of torchreid (MIT): original
distances are squared and divided by the largest of their row, a row is its own first neighbour,
half of k1 rounds to even.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from everyid.device import Device
from everyid.errors import ConfigError, ShapeError
from person.match import TopK, check_vectors, top_k

__all__ = ["Reranked", "k_reciprocal", "pair_similarities"]

_PART, _SQUARE = 4096, 512
"""Rows whose neighbours are looked for at once; and rows and columns of a block of scores."""
_PAIRS, _TERMS, _CELLS = 1 << 9, 1 << 18, 1 << 22
"""Pairs of vectors, terms of a sum and cells of a block that exist at one time."""
_SPARE, _CLOSE = 8, 2e-6
"""Neighbours looked for beyond k1, so that those closer than fp32 can tell apart where a list ends
are put in order in fp64."""
_SMALLEST = 0.01
"""The farthest row counts as at least this far, or rounding would tell rows apart that are all
nearly the same."""


def k_reciprocal(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    original_share: float = 0.3,
    device: Device | None = None,
    advance: Callable[[int], object] | None = None,
) -> "Reranked":
    """The re-ranked distances of queries in a gallery, or of a set in itself.

    All rows of both sides are neighbours of each other. The original distance is
    2 - 2 * similarity, the squared distance of vectors of length 1; equally near rows are
    neighbours by lower index, after the row itself.

    Args:
        query: float32 (Q, D), of length 1.
        gallery: float32 (G, D), of length 1; None: the queries are their own gallery, and G is Q.
        k1: Neighbours of a row that may be reciprocal, at least 1.
        k2: Nearest rows, the row among them, that an encoding is averaged over, 1 ... k1 + 1.
        original_share: Part of the original distance in the final one, 0-1 (the paper's lambda).
        device: Where scores are computed; None: the CPU in fp32.
        advance: Told the number of rows whose neighbours were found: Q + G (or Q) in all.

    Raises:
        ConfigError: k1, k2 or the share is not as above.
        ShapeError: Shapes, dtypes or lengths are not as above, or there are no gallery rows.
    """
    if not (1 <= k2 <= k1 + 1 and 0 <= original_share <= 1):
        raise ConfigError(
            "re-ranking: expected k1 from 1, k2 from 1 to k1 + 1 and a share from 0 to 1, got "
            f"{k1}, {k2} and {original_share}"
        )
    for name, vectors in (("query", query), ("gallery", query if gallery is None else gallery)):
        check_vectors(vectors, name)
    if gallery is not None and query.shape[1] != gallery.shape[1]:
        raise ShapeError(
            f"query has width {query.shape[1]}, gallery {gallery.shape[1]}: expected one width"
        )
    rows = query if gallery is None else np.concatenate([query, gallery])
    first = 0 if gallery is None else len(query)
    if len(rows) == first:
        raise ShapeError("gallery: expected at least one row, got none")
    sizes = (k2, round(k1 / 2) + 1, k1 + 1)
    lists, farthest = _neighbours(rows, sizes, device, advance), _farthest(rows, device)
    encoded = _encode(rows, lists, farthest, sizes)
    return Reranked(rows, (len(query), first), encoded, farthest, original_share, device)


class Reranked:
    """The final distances of queries to gallery rows, made when they are asked for.

    Args:
        rows: float32 (N, D), of length 1: the queries and then the gallery.
        shape: The number of queries, and the row where the gallery begins.
        encoded: float32 (N, N), sparse: the averaged encodings.
        farthest: float64 (N,), the largest original distance from each row.
        original_share: Part of the original distance in the final one.
        device: Where blocks are computed.
    """

    def __init__(
        self,
        rows: NDArray[np.float32],
        shape: tuple[int, int],
        encoded: sparse.csr_array,
        farthest: NDArray[np.float64],
        original_share: float,
        device: Device | None,
    ) -> None:
        queries, self._first = shape
        self._query, self._gallery = rows[:queries], rows[self._first :]
        self._encoded = encoded[:queries]
        self._columns = encoded[self._first :].tocsc()
        self._scale = original_share / farthest[:queries]
        self._other_share = 1 - original_share
        self._device = device
        self._there = None
        if device is not None and device.kind != "cpu":
            held = np.require(self._gallery, requirements=["C", "W"])
            self._there = torch.from_numpy(held).to(device.torch_name)

    def distances(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        """The distances of some queries to the whole gallery, 0-1 for the most part.

        Args:
            queries: int64 (q,), which.

        Returns:
            float32 (q, G), smaller is nearer. Each query is a whole row: ask for some at a time.
        """
        found = self._similarities(queries)
        if not self._first:
            found[np.arange(len(queries)), queries] = 1
        found -= 1
        np.minimum(found, 0, out=found)
        found *= (-2 * self._scale[queries]).astype(np.float32)[:, None]
        shared = self._shared(queries)
        shared /= 2 - shared
        shared *= np.float32(-self._other_share)
        shared += np.float32(self._other_share)
        found += shared
        return found

    def top_k(self, k: int, *, exclude: NDArray[np.int64] | None = None) -> TopK:
        """The k nearest gallery rows of each query, nearest first; ties by lower index.

        A row that shares nothing with the query stands where the original distance puts it among
        such rows. So the k best are among the k originally best and those that share something.

        Args:
            k: Ranks wanted, at least 1.
            exclude: int64 (Q,), a gallery row to leave out of each query's result, or -1.

        Returns:
            The rows, with their cosine similarities: these do not fall with the rank.

        Raises:
            ConfigError: k is below 1.
            ShapeError: No gallery row is left.
        """
        near = top_k(self._query, self._gallery, k=k, device=self._device, exclude=exclude)
        indices, values = np.empty_like(near.indices), np.empty_like(near.values)
        step = max(1, _CELLS // len(self._gallery))
        for start in range(0, len(indices), step):
            queries = np.arange(start, min(start + step, len(indices)))
            part = slice(start, start + len(queries))
            left_out = None if exclude is None else exclude[part]
            indices[part], values[part] = self._best(queries, near.indices[part], left_out)
        return TopK(indices, values)

    def _best(
        self,
        queries: NDArray[np.int64],
        near: NDArray[np.int64],
        exclude: NDArray[np.int64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Gallery rows and similarities (q, k); ``near`` are the k originally best."""
        shared = self._shared(queries)
        if exclude is not None:
            some = np.flatnonzero(exclude >= 0)
            shared[some, exclude[some]] = 0
        wanted = shared > 0
        wanted[np.arange(len(near))[:, None], near] = True
        place, column = np.nonzero(wanted)
        similarity = pair_similarities(self._query, queries[place], self._gallery, column)
        common = shared[place, column].astype(np.float64)
        distance = self._other_share * (1 - common / (2 - common))
        original = _distances(similarity)
        original[(column == queries[place]) & (self._first == 0)] = 0
        distance += self._scale[queries[place]] * original
        order = np.lexsort((distance, place))  # stable, and columns rise within a place
        starts = np.searchsorted(place, np.arange(len(queries)))
        best = order[starts[:, None] + np.arange(near.shape[1])]
        return column[best], similarity[best]

    def _similarities(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._there is None:
            return self._query[queries] @ self._gallery.T
        left = torch.from_numpy(self._query[queries]).to(self._there.device)
        return (left @ self._there.T).cpu().numpy()

    def _shared(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 (q, G), the sum of the smaller weights of both encodings, 0-1."""
        found = np.zeros((len(queries), len(self._gallery)), np.float32)
        encoded = self._encoded[queries]
        place = np.repeat(np.arange(len(queries)), np.diff(encoded.indptr))
        pointers = self._columns.indptr.astype(np.int64)
        starts, sizes = pointers[encoded.indices], np.diff(pointers)[encoded.indices]
        for part in _parts(sizes, _TERMS):
            size = sizes[part]
            repeated = np.repeat(np.arange(part.start, part.stop), size)
            offset = np.arange(len(repeated)) - np.repeat(np.cumsum(size) - size, size)
            terms = starts[repeated] + offset
            smaller = np.minimum(encoded.data[repeated], self._columns.data[terms])
            cells = place[repeated] * found.shape[1] + self._columns.indices[terms]
            np.add.at(found.reshape(-1), cells, smaller)
        return found


def pair_similarities(
    left: NDArray[np.float32],
    left_rows: NDArray[np.int64],
    right: NDArray[np.float32],
    right_rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """float32 (P,), the products of rows of two sets, pair by pair.

    Args:
        left: float32 (M, D).
        left_rows: int64 (P,).
        right: float32 (N, D).
        right_rows: int64 (P,).
    """
    found = np.empty(len(left_rows), np.float32)
    for start in range(0, len(found), _PAIRS):
        part = slice(start, start + _PAIRS)
        found[part] = np.einsum("pd,pd->p", left[left_rows[part]], right[right_rows[part]])
    return found


def _distances(similarities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.maximum(2 - 2 * similarities.astype(np.float64), 0)


def _parts(sizes: NDArray[np.int64], most: int) -> Iterator[slice]:
    """Slices of about ``most`` in all; one that is larger by itself stands alone."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
        yield slice(start, stop)
        start = stop


def _neighbours(
    rows: NDArray[np.float32],
    sizes: tuple[int, int, int],
    device: Device | None,
    advance: Callable[[int], object] | None,
) -> NDArray[np.int64]:
    """int64 (N, K), the nearest of each row, itself first."""
    count = len(rows)
    wanted = min(sizes[-1], count)
    lists = np.empty((count, wanted), np.int64)
    lists[:, 0] = np.arange(count)
    for start in range(0, count, _PART):
        part = slice(start, min(start + _PART, count))
        if count > 1:
            near = top_k(
                rows[part],
                rows,
                k=wanted - 1 + _SPARE,
                device=device,
                exclude=np.arange(part.start, part.stop),
            )
            lists[part, 1:] = _settled(rows, start, near, sizes)[:, : wanted - 1]
        if advance is not None:
            advance(part.stop - part.start)
    return lists


def _farthest(rows: NDArray[np.float32], device: Device | None) -> NDArray[np.float64]:
    """float64 (N,), the largest distance from each row. A block of scores serves both its sides."""
    vectors = torch.from_numpy(np.require(rows, requirements=["C", "W"]))
    vectors = vectors.to("cpu" if device is None else device.torch_name)
    lowest = vectors.new_ones(len(vectors))
    with torch.inference_mode():
        for start in range(0, len(vectors), _SQUARE):
            part = slice(start, start + _SQUARE)
            for first in range(0, start + 1, _SQUARE):
                other = slice(first, first + _SQUARE)
                scores = vectors[part] @ vectors[other].T
                lowest[part] = torch.minimum(lowest[part], scores.amin(1))
                lowest[other] = torch.minimum(lowest[other], scores.amin(0))
    return np.maximum(_distances(lowest.cpu().numpy()), _SMALLEST)


def _settled(
    rows: NDArray[np.float32], start: int, near: TopK, sizes: tuple[int, int, int]
) -> NDArray[np.int64]:
    """The neighbours, in the order of fp64 where a list ends between two that fp32 cannot tell.

    Only who is in a list counts, and a list without the row itself ends one place earlier.
    """
    ends = [size - 1 for size in sizes if 1 < size <= near.values.shape[1]]
    gaps = near.values[:, [end - 1 for end in ends]] - near.values[:, ends]
    close = np.flatnonzero((gaps < _CLOSE).any(axis=1))
    indices = near.indices.copy()
    for place in close.tolist():
        members = np.sort(indices[place])
        exact = rows[members].astype(np.float64) @ rows[start + place].astype(np.float64)
        indices[place] = members[np.argsort(-exact, kind="stable")]
    return indices


def _encode(
    rows: NDArray[np.float32],
    lists: NDArray[np.int64],
    farthest: NDArray[np.float64],
    sizes: tuple[int, int, int],
) -> sparse.csr_array:
    """float32 (N, N): weights on the k-reciprocal neighbours, averaged over the nearest rows."""
    count = len(rows)
    near, half, _ = sizes
    neighbours = _reciprocal(lists)
    narrow = _reciprocal(lists[:, :half])
    # A neighbour's own neighbours join when more than two thirds of them are there already.
    shared = sparse.csr_array((neighbours @ narrow.T).multiply(neighbours))
    members = np.diff(narrow.indptr)[shared.indices]
    joins = sparse.csr_array(
        (
            (3 * shared.data > 2 * members).astype(np.int32),
            shared.indices,
            shared.indptr,
        ),
        shape=shared.shape,
    )
    joins.eliminate_zeros()
    pattern = sparse.csr_array(neighbours + joins @ narrow)
    pattern.sort_indices()
    own = np.repeat(np.arange(count), np.diff(pattern.indptr))
    distance = _distances(pair_similarities(rows, own, rows, pattern.indices))
    distance[own == pattern.indices] = 0
    weights = np.exp(-distance / farthest[own])
    weights /= np.bincount(own, weights, minlength=count)[own]
    encoded = sparse.csr_array(
        (weights.astype(np.float32), pattern.indices, pattern.indptr), shape=(count, count)
    )
    nearest = lists[:, :near]
    pointers = np.arange(0, nearest.size + 1, nearest.shape[1])
    mean = np.full(nearest.size, 1 / nearest.shape[1], np.float32)
    return sparse.csr_array((mean, nearest.ravel(), pointers), shape=(count, count)) @ encoded


def _reciprocal(lists: NDArray[np.int64]) -> sparse.csr_array:
    """int32 (N, N), 1 where each of two rows is in the list of the other; lists (N, K)."""
    count = len(lists)
    mutual = np.empty(lists.shape, bool)
    for start in range(0, count, _PART):
        part = slice(start, min(start + _PART, count))
        own = np.arange(part.start, part.stop)[:, None, None]
        mutual[part] = (lists[lists[part]] == own).any(axis=2)
    pointers = np.concatenate([[0], np.cumsum(mutual.sum(axis=1))])
    columns = lists[mutual]
    return sparse.csr_array(
        (np.ones(len(columns), np.int32), columns, pointers), shape=(count, count)
    )
