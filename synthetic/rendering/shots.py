"""What is drawn, in what light, and what comes back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.rendering.camera import Camera

__all__ = ["Layer", "Light", "Plate", "Shot"]

FloatArray = NDArray[np.float32]
Colour = tuple[float, float, float]
"""Linear RGB."""


@dataclass(frozen=True, slots=True)
class Light:
    """The light of a place: a sun or lamp from one side, and light from all around.

    White paper that lies flat is as bright as ``sun * direction[2] + sky``; 1 is white in full
    light, and up to 4 can be drawn.

    Args:
        direction: Towards the sun, unit length; lamps on a ceiling: nearly straight up.
        sun: Its light; all 0 under clouds.
        sky: Light from above.
        ground: Light from below.
    """

    direction: tuple[float, float, float]
    sun: Colour
    sky: Colour
    ground: Colour


@dataclass(frozen=True, slots=True)
class Shot:
    """One figure as one camera sees it.

    Shots that share ``uvs``, ``faces`` and ``textures`` (the same arrays, which must not change)
    are drawn faster.

    Args:
        positions: float32 (V, 3), metres, feet on z = 0.
        normals: float32 (V, 3).
        uvs: float32 (V, 3), as in a Mesh.
        faces: int32 (F, 3).
        textures: uint8 (L, S, S, 3), sRGB.
        model: float (4, 4), from the figure to the world: a turn about z and a shift.
        camera: Who sees it.
        window_xyxy: The part of the camera's picture that is drawn, pixels; may reach beyond it.
        size_wh: The width and height in pixels that this part is drawn at.
        light: As where the figure stands.
        shadow: Whether its shadow on the ground is drawn.
    """

    positions: FloatArray
    normals: FloatArray
    uvs: FloatArray
    faces: NDArray[np.int32]
    textures: NDArray[np.uint8]
    model: NDArray[np.float64] | FloatArray
    camera: Camera
    window_xyxy: tuple[float, float, float, float]
    size_wh: tuple[int, int]
    light: Light
    shadow: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """A drawn figure, to be laid over what is behind it.

    Args:
        rgb: float32 (H, W, 3), linear, multiplied by ``cover``.
        cover: float32 (H, W), 0-1, how much of a pixel the figure itself covers.
        shade: float32 (H, W), 0-1, how much its shadow darkens what is behind and not covered.
    """

    rgb: FloatArray
    cover: FloatArray
    shade: FloatArray


@dataclass(frozen=True, slots=True)
class Plate:
    """A place as a camera sees it, without people.

    Args:
        rgb: float32 (H, W, 3), linear.
        distance_m: float32 (H, W), along the optical axis, inf for the sky.
        sunlit: float32 (H, W), 0-1, how much of the sun gets there; 1 for the sky.
        ground: float32 (H, W), 1 where the ground is seen (less than 0.1 m above z = 0), else 0.
    """

    rgb: FloatArray
    distance_m: FloatArray
    sunlit: FloatArray
    ground: FloatArray
