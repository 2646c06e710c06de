"""The slow, obvious query expansion: sort, add up, divide."""

import numpy as np
from numpy.typing import NDArray


def expanded(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    count: int,
    exclude: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """float64 (Q, D), the mean of each query and its ``count`` nearest rows, of length 1."""
    found = []
    for row, vector in enumerate(query.astype(np.float64)):
        order = sorted(
            range(len(gallery)), key=lambda other: (-float(gallery[other] @ vector), other)
        )
        if exclude is not None:
            order = [other for other in order if other != exclude[row]]
        mean = np.mean([vector, *gallery[order[:count]].astype(np.float64)], axis=0)
        found.append(mean / np.linalg.norm(mean))
    return np.array(found).reshape(query.shape)
