"""What pictures that tile without a seam are made from."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE_PX", "coordinates", "soft_noise"]

SIZE_PX = 256
"""Side of every texture."""
_HALFWAY = 32


@lru_cache(maxsize=1)
def coordinates() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each column and each row of a tile lies: 0 at its left and top edge, 1 at the others.

    Returns:
        float32 (1, 256) to the right and float32 (256, 1) downwards, read-only.
    """
    places = (np.arange(SIZE_PX, dtype=np.float32) + np.float32(0.5)) / np.float32(SIZE_PX)
    places.flags.writeable = False
    return places[None, :], places[:, None]


def soft_noise(generator: np.random.Generator, cells: int) -> NDArray[np.float32]:
    """Smooth noise that goes on over the edges; mean about 0, standard deviation about 0.7.

    Args:
        generator: Where it comes from.
        cells: Bumps along each side, a divisor of 256.

    Returns:
        float32 (256, 256).
    """
    noise = generator.standard_normal((cells, cells), np.float32)
    if cells < _HALFWAY:  # enlarging in two steps wastes less on the margins
        noise = _enlarged(noise, _HALFWAY)
    return _enlarged(noise, SIZE_PX)


def _enlarged(tile: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    step = size // len(tile)
    margin = cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_WRAP)
    wide = cv2.resize(margin, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    inside = slice(2 * step, 2 * step + size)
    return np.asarray(wide[inside, inside], np.float32)
