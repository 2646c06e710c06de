"""The slow, obvious k-reciprocal re-ranking: sets, loops, and every distance in float64."""

import numpy as np
from numpy.typing import NDArray


def reranked_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    original_share: float = 0.3,
) -> NDArray[np.float64]:
    """float64 (Q, G), the final distances; without a gallery those of the queries to themselves."""
    rows = query if gallery is None else np.concatenate([query, gallery])
    vectors = rows.astype(np.float64)
    count = len(vectors)
    distance = np.maximum(2 - 2 * (vectors[:, None] * vectors).sum(axis=2), 0)
    np.fill_diagonal(distance, 0)
    distance /= np.maximum(distance.max(axis=1, keepdims=True), 0.01)
    ranks = [
        sorted(range(count), key=lambda other, row=row: (other != row, distance[row, other], other))
        for row in range(count)
    ]

    def reciprocal(row: int, k: int) -> set[int]:
        return {near for near in ranks[row][: k + 1] if row in ranks[near][: k + 1]}

    narrow = [reciprocal(row, int(np.around(k1 / 2))) for row in range(count)]
    weights = np.zeros((count, count))
    for row in range(count):
        wide = reciprocal(row, k1)
        members = set(wide)
        for near in wide:
            if len(narrow[near] & wide) > 2 / 3 * len(narrow[near]):
                members |= narrow[near]
        for member in members:
            weights[row, member] = np.exp(-distance[row, member])
        weights[row] /= weights[row].sum()
    encoded = np.array([weights[ranks[row][:k2]].mean(axis=0) for row in range(count)])
    first = 0 if gallery is None else len(query)
    final = np.empty((len(query), count - first))
    for row in range(len(query)):
        for column in range(first, count):
            pair = encoded[[row, column]]
            jaccard = 1 - pair.min(axis=0).sum() / pair.max(axis=0).sum()
            original = distance[row, column]
            final[row, column - first] = (1 - original_share) * jaccard + original_share * original
    return final
