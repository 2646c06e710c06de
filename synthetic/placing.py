"""People put into the world: turned, moved, lit as where they stand, and what a camera sees."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synthetic.places.place import Place
from synthetic.rendering.camera import Camera
from synthetic.rendering.renderer import Light

__all__ = ["PERSON_M", "hangs_in", "light_at", "placement", "standing_in_picture", "visible_share"]

PERSON_M = 1.7
"""How tall somebody is whom no one has drawn yet."""

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


def hangs_in(place: Place, camera: Camera, *, from_wall_m: float) -> bool:
    """Whether a camera hangs in the furnished part of a place, not behind its walls.

    Args:
        place: The place.
        camera: The camera.
        from_wall_m: How far it keeps from the edge.
    """
    sides = zip(camera.position_m, place.extent_m, strict=False)
    return all(abs(at) <= side / 2 - from_wall_m for at, side in sides)


def standing_in_picture(
    camera: Camera, points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How tall people on points are in the picture, and whether they are in it from head to foot.

    Args:
        camera: Who looks.
        points: float64 (N, 2), of the ground, metres.

    Returns:
        float64 (N,), pixels, NaN behind the lens; bool (N,).
    """
    feet, _ = camera.project(np.column_stack([points, np.zeros(len(points))]))
    heads, _ = camera.project(np.column_stack([points, np.full(len(points), PERSON_M)]))
    with np.errstate(invalid="ignore"):
        whole = [(ends >= 0).all(1) & (ends < camera.size_wh).all(1) for ends in (feet, heads)]
    return feet[:, 1] - heads[:, 1], np.asarray(whole[0] & whole[1])


def visible_share(
    camera: Camera,
    distance_m: NDArray[np.float32],
    points: NDArray[np.float64],
    *,
    heights_m: NDArray[np.float64],
    slack_m: float,
) -> NDArray[np.float64]:
    """How much of a person on each point no thing hides.

    Args:
        camera: Who looks.
        distance_m: float32 (H, W), of the place without people, along the optical axis.
        points: float64 (N, 2), metres; on what is beside the picture the nearest pixel decides.
        heights_m: float64 (K,), of the body's points that are looked for.
        slack_m: What is nearer than such a point by less does not hide it.

    Returns:
        float64 (N,), 0-1, in steps of 1 / K.
    """
    width, height = camera.size_wh
    clear = np.zeros(len(points))
    for up in heights_m:
        pixels, depth = camera.project(np.column_stack([points, np.full(len(points), up)]))
        columns, rows = np.floor(np.nan_to_num(pixels)).astype(int).T
        rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
        clear += distance_m[rows, columns] > depth - slack_m
    return np.asarray(clear / len(heights_m), np.float64)
