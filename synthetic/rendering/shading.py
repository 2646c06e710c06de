"""How much light from above and from one side reaches each vertex of a figure."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["lamp_axes", "openings"]

FloatArray = NDArray[np.float32]

_CELL_M = 0.03
_GAP_M = (0.05, 0.13)
"""What lies higher by less hides nothing, by more hides all."""


def lamp_axes(towards: ArrayLike) -> NDArray[np.float64]:
    """The axes of what a far lamp sees: to the right, up, and towards the lamp.

    Args:
        towards: float (3,), unit length.

    Returns:
        float64 (3, 3), an axis a row.
    """
    towards = np.asarray(towards, np.float64)
    across = np.cross((0.0, 1.0, 0.0) if abs(towards[1]) < 0.7 else (1.0, 0.0, 0.0), towards)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(towards, across), towards])


_TILTED = 0.5**0.5
_SKY = np.stack(
    [
        lamp_axes((x, y, _TILTED if x or y else 1.0)).astype(np.float32)
        for x, y in ((0, 0), (_TILTED, 0), (-_TILTED, 0), (0, _TILTED), (0, -_TILTED))
    ]
)
"""The axes of five far lamps that stand for the sky."""


def openings(
    positions: FloatArray, normals: FloatArray, direction: NDArray[np.float64] | None
) -> FloatArray:
    """The share of the sky's light and of the sun's that no other part of the figure hides.

    Args:
        positions: float32 (V, 3), metres, of vertices that lie a few centimetres apart.
        normals: float32 (V, 3).
        direction: float64 (3,), towards the sun, unit length; None without a sun.

    Returns:
        float32 (V, 2), 0-1: the sky's, the sun's.
    """
    opened = np.ones((len(positions), 2), np.float32)
    if not len(positions):
        return opened
    rows = np.ascontiguousarray(positions.T)
    weights = np.maximum(_SKY[:, 2] @ normals.T, 0) + np.float32(0.1)
    hidden = np.zeros(len(positions), np.float32)
    for axes, weight in zip(_SKY, weights, strict=True):
        hidden += weight * _hidden(axes @ rows)
    opened[:, 0] -= np.float32(0.85) * hidden / weights.sum(0)
    if direction is not None:
        opened[:, 1] -= np.float32(0.95) * _hidden(lamp_axes(direction).astype(np.float32) @ rows)
    return opened


def _hidden(seen: FloatArray) -> FloatArray:
    """float32 (V,), 0-1: how much lies between each vertex, a column in a lamp's axes, and it.

    The figure is looked at from the lamp on a grid of cells; a vertex well below the highest one
    in and around its cell is in the shadow.
    """
    right, up, high = seen
    column = ((right - right.min()) * np.float32(1 / _CELL_M)).astype(np.int32)
    row = ((up - up.min()) * np.float32(1 / _CELL_M)).astype(np.int32)
    width, height = int(column.max()) + 1, int(row.max()) + 1
    place = row * np.int32(width) + column
    highest = np.full(width * height, -1e3, np.float32)
    np.maximum.at(highest, place, high)
    grown = cv2.dilate(highest.reshape(height, width), np.ones((3, 3), np.uint8))
    above = grown.ravel()[place] - high
    scale = np.float32(1 / (_GAP_M[1] - _GAP_M[0]))
    return np.asarray(np.clip((above - np.float32(_GAP_M[0])) * scale, 0, 1), np.float32)
