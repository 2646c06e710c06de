"""People put into the world: turned, moved, and lit as where they stand."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synthetic.rendering.camera import Camera
from synthetic.rendering.renderer import Light

__all__ = ["light_at", "placement"]

_NEAREST_M = 0.1


def placement(xy: tuple[float, float], heading_deg: float) -> NDArray[np.float64]:
    """From a figure, which faces -y, to the world: float64 (4, 4).

    >>> (placement((2.0, 1.0), 0.0) @ [0.0, -1.0, 0.0, 1.0]).round(9).tolist()
    [3.0, 1.0, 0.0, 1.0]

    Args:
        xy: Where it stands, metres.
        heading_deg: Where it looks: 0 along x, 90 along y.
    """
    turn = math.radians(heading_deg + 90)
    matrix = np.eye(4)
    matrix[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    matrix[:2, 3] = xy
    return matrix


def light_at(
    xy: tuple[float, float], light: Light, camera: Camera, sunlit: NDArray[np.float32]
) -> Light:
    """The light that falls on somebody: less sun where the ground lies in shadow.

    Args:
        xy: Where they stand, metres.
        light: Of the place.
        camera: Who sees the ground there.
        sunlit: float32 (H, W), 0-1, of the camera's picture. For a spot beside the picture the
            nearest pixel counts.
    """
    pixels, depth = camera.project([[xy[0], xy[1], 0.0]])
    if depth[0] <= _NEAREST_M:
        return light
    width, height = camera.size_wh
    column = int(np.clip(pixels[0, 0], 0, width - 1))
    row = int(np.clip(pixels[0, 1], 0, height - 1))
    share = float(sunlit[row, column])
    red, green, blue = light.sun
    return replace(light, sun=(red * share, green * share, blue * share))
