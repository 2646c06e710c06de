"""Average query expansion: a query becomes the mean of itself and of what it finds first.

Source: Chum et al. 2007, "Total Recall: Automatic Query Expansion with a Generative Feature Model
for Object Retrieval", section 4.1, with vectors of whole pictures and no check of geometry.
"""

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device
from everyid.errors import ConfigError
from person.match import top_k

__all__ = ["expand"]

_PART = 4096
"""Queries expanded at a time."""


def expand(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    count: int,
    exclude: NDArray[np.int64] | None = None,
    device: Device | None = None,
) -> NDArray[np.float32]:
    """The mean of each query and its nearest gallery rows, scaled to length 1.

    Args:
        query: float32 (Q, D), of length 1.
        gallery: float32 (G, D), of length 1.
        count: Gallery rows in each mean, at least 1; all where there are fewer.
        exclude: int64 (Q,), a gallery row that is not taken for the query, or -1: its own.
        device: Where scores are computed; None: the CPU in fp32.

    Returns:
        float32 (Q, D). Where a query and its rows cancel out, the query as it was.

    Raises:
        ConfigError: ``count`` is below 1.
        ShapeError: Shapes, dtypes or lengths are not as above, or there are no gallery rows.
    """
    if count < 1:
        raise ConfigError(f"query expansion: expected 1 gallery row or more, got {count}")
    found = np.empty_like(query)
    near = top_k(query, gallery, k=count, device=device, exclude=exclude).indices
    for start in range(0, len(query), _PART):
        part = slice(start, start + _PART)
        mean = query[part].copy()
        for column in near[part].T:
            mean += gallery[column]
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        found[part] = np.where(length > 1e-6, mean / np.maximum(length, 1e-6), query[part])
    return found
