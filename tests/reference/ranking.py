"""The slow, obvious ways to rank a gallery and to measure the ranking: sort everything."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def sorted_gallery(
    query: NDArray[np.float32], gallery: NDArray[np.float32], *, k: int, metric: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and values of the k best by a stable sort of all float64 scores, as float32."""
    q, g = query.astype(np.float64), gallery.astype(np.float64)
    indices, values = [], []
    for row in q:
        scores = np.empty(len(g), np.float32)
        for column, other in enumerate(g):
            if metric == "cosine":
                scores[column] = np.float32((row * other).sum())
            else:
                scores[column] = -np.float32(((row - other) ** 2).sum())
        order = np.argsort(-scores, kind="stable")[:k]
        indices.append(order)
        values.append(scores[order] if metric == "cosine" else np.sqrt(-scores[order]))
    return np.array(indices, np.int64), np.array(values, np.float32)


@dataclass
class Figures:
    """AP, INP, first rank and CMC of each query that has a match."""

    rows: list[int]
    average_precision: list[float]
    inverse_negative_penalty: list[float]
    first_match: list[int]
    cmc: list[list[float]]


def measured(
    scores: NDArray[np.float32],
    query_ids: NDArray[np.int64],
    gallery_ids: NDArray[np.int64],
    *,
    query_cameras: NDArray[np.int64] | None = None,
    gallery_cameras: NDArray[np.int64] | None = None,
    own_rows: NDArray[np.int64] | None = None,
    max_rank: int = 50,
) -> Figures:
    """The figures of each query, by a stable sort of its whole row of scores."""
    found = Figures([], [], [], [], [])
    for query, row in enumerate(scores):
        hits = []
        for column in np.argsort(-row, kind="stable"):
            same = gallery_ids[column] == query_ids[query] and query_ids[query] >= 0
            if own_rows is not None and column == own_rows[query]:
                continue
            if (
                same
                and query_cameras is not None
                and gallery_cameras is not None
                and gallery_cameras[column] == query_cameras[query]
            ):
                continue
            hits.append(bool(same))
        ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
        if not ranks:
            continue
        found.rows.append(query)
        found.average_precision.append(
            sum(number / rank for number, rank in enumerate(ranks, 1)) / len(ranks)
        )
        found.inverse_negative_penalty.append(len(ranks) / ranks[-1])
        found.first_match.append(ranks[0])
        found.cmc.append([float(ranks[0] <= rank) for rank in range(1, max_rank + 1)])
    return found
