"""Lays figures over a place, far to near, and says how much of each can be seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.rendering.shots import Layer

__all__ = ["Placed", "compose", "smear"]

FloatArray = NDArray[np.float32]
Part = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer with its place in a picture.

    Args:
        layer: What is drawn, at the picture's scale.
        offset_xy: Where its top left pixel is in the picture, pixels; may be outside.
        distance_m: How far the figure is along the optical axis.
    """

    layer: Layer
    offset_xy: tuple[int, int]
    distance_m: float


def compose(
    plate_rgb: FloatArray,
    plate_distance_m: FloatArray | float,
    placed: Sequence[Placed],
    *,
    ground: FloatArray | None = None,
) -> tuple[FloatArray, list[float]]:
    """The picture with all figures in it, and how much of each can be seen.

    Figures farther away are laid first; of two at the same distance the one named later is in
    front. A figure is hidden where the place is nearer by more than the figure is thick, but never
    by the ground; its shadow falls on the ground only. The plate stays as it is.

    Args:
        plate_rgb: float32 (H, W, 3), linear.
        plate_distance_m: float32 (H, W) along the optical axis, or one number for all.
        placed: The figures.
        ground: float32 (H, W), 1 where the plate shows the ground, else 0; None: shadows fall
            everywhere, and all of the plate may hide figures.

    Returns:
        float32 (H, W, 3), linear; and for each figure, in the order given, the share of its cover
        that is in the picture and hidden neither by the place nor by figures in front. What a
        layer holds beyond the picture's edge counts as hidden; a figure without cover has 0.
    """
    picture = plate_rgb.copy()
    distance = np.broadcast_to(np.asarray(plate_distance_m, np.float32), plate_rgb.shape[:2])
    order = sorted(range(len(placed)), key=lambda number: (-placed[number].distance_m, number))
    seen: list[tuple[Part, FloatArray] | None] = [None] * len(placed)
    laid: list[int] = []
    for number in order:
        parts = _overlap(placed[number], plate_rgb.shape[:2])
        if parts is None:
            continue
        there, here = parts
        layer = placed[number].layer
        free = (distance[there] > placed[number].distance_m - _HALF_THICK_M).astype(np.float32)
        shade = layer.shade[here]
        if ground is not None:
            free, shade = np.maximum(free, ground[there]), shade * ground[there]
        cover = layer.cover[here] * free
        kept = (1 - cover) * (1 - shade)
        picture[there] = picture[there] * kept[..., None] + layer.rgb[here] * free[..., None]
        for behind in laid:
            _cover_up(seen[behind], there, cover)
        seen[number] = there, cover
        laid.append(number)
    return picture, [
        _share(one.layer, remaining) for one, remaining in zip(placed, seen, strict=True)
    ]


def smear(layer: Layer, shift_xy: tuple[float, float]) -> Layer:
    """The layer of a figure that moves while the shutter is open.

    Args:
        layer: With free margins of half the way around the figure.
        shift_xy: The way it moves in that time, pixels.

    Returns:
        A layer of the same size; the same object for less than half a pixel.
    """
    way = math.hypot(*shift_xy)
    if way < 0.5:
        return layer
    steps = 2 * math.ceil(way) + 1
    side = 2 * math.ceil(way / 2) + 3
    kernel = np.zeros((side, side), np.float32)
    for step in np.linspace(-0.5, 0.5, steps):  # each point is spread over four pixels
        x, y = side // 2 + step * shift_xy[0], side // 2 + step * shift_xy[1]
        column, row = math.floor(x), math.floor(y)
        right, down = x - column, y - row
        kernel[row : row + 2, column : column + 2] += np.outer((1 - down, down), (1 - right, right))
    kernel /= kernel.sum()
    edge = cv2.BORDER_CONSTANT
    return Layer(
        *(
            np.asarray(cv2.filter2D(part, -1, kernel[::-1, ::-1], borderType=edge), np.float32)
            for part in (layer.rgb, layer.cover, layer.shade)
        )
    )


_HALF_THICK_M = 0.3
"""How far a figure's pixels may be in front of its middle: what it touches does not cut it."""


def _overlap(one: Placed, shape_hw: tuple[int, ...]) -> tuple[Part, Part] | None:
    """The rows and columns of the picture and of the layer that lie on each other."""
    there, here = [], []
    for offset, long, end in zip(one.offset_xy[::-1], one.layer.cover.shape, shape_hw, strict=True):
        first, last = max(offset, 0), min(offset + long, end)
        if last <= first:
            return None
        there.append(slice(first, last))
        here.append(slice(first - offset, last - offset))
    return (there[0], there[1]), (here[0], here[1])


def _cover_up(behind: tuple[Part, FloatArray] | None, there: Part, cover: FloatArray) -> None:
    """Takes from what is seen of a figure what another one in front covers."""
    if behind is None:
        return
    place, remaining = behind
    both = [
        (max(one.start, other.start), min(one.stop, other.stop))
        for one, other in zip(place, there, strict=True)
    ]
    if all(first < last for first, last in both):
        of_it, of_cover = (
            tuple(
                slice(first - whole.start, last - whole.start)
                for (first, last), whole in zip(both, frame, strict=True)
            )
            for frame in (place, there)
        )
        remaining[of_it] *= 1 - cover[of_cover]


def _share(layer: Layer, remaining: tuple[Part, FloatArray] | None) -> float:
    total = float(layer.cover.sum(dtype=np.float64))
    if remaining is None or total == 0:
        return 0.0
    return float(remaining[1].sum(dtype=np.float64)) / total
