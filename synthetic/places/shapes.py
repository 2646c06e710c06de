"""Simple shapes as triangles: boxes, many at once, and round bars."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthetic.rendering.mesh import Mesh, box

__all__ = ["Area", "Skin", "boxes", "flat_mesh", "inside", "pipe", "turn"]

Area = tuple[float, float, float, float]
"""x0, y0, x1, y1 with x0 < x1 and y0 < y1: metres of the ground, or widths of a texture."""


class Skin(NamedTuple):
    """What a side is covered with.

    Args:
        layer: The number of the texture.
        span_m: Metres that one width of the texture covers.
        window: The part of the texture that is stretched over the side, instead of repeating.
    """

    layer: int
    span_m: float = 1.0
    window: Area | None = None


def turn(yaw_deg: float) -> NDArray[np.float64]:
    """float64 (3, 3): the turn about z, counterclockwise seen from above."""
    cos, sin = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def inside(area: Area, x: float, y: float) -> bool:
    """Whether a point lies in a rectangle or on its border."""
    return area[0] <= x <= area[2] and area[1] <= y <= area[3]


def flat_mesh(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    flat: NDArray[np.float64],
    layer: int,
    faces: NDArray[np.int32],
) -> Mesh:
    """A mesh of one texture from float64 points, normals of any length, and u and v."""
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(
        points.astype(np.float32),
        (normals / lengths).astype(np.float32),
        np.column_stack([flat, np.full(len(points), layer)]).astype(np.float32),
        faces,
    )


def boxes(rows: NDArray[np.float64]) -> Mesh:
    """All boxes at once; rows of centre, size, turn (radians), layer, span (0: window), window."""
    unit = box((1.0, 1.0, 1.0))
    count, corners = len(rows), len(unit)
    places = unit.positions * rows[:, None, 3:6]
    cos, sin = np.cos(rows[:, 6]), np.sin(rows[:, 6])
    turned = np.zeros((count, 3, 3))
    turned[:, 0, 0], turned[:, 0, 1], turned[:, 1, 0], turned[:, 1, 1] = cos, -sin, sin, cos
    turned[:, 2, 2] = 1
    points = np.einsum("nij,nkj->nki", turned, places) + rows[:, None, :3]
    normals = np.einsum("nij,kj->nki", turned, unit.normals)
    axis = np.abs(unit.normals).argmax(1)
    right, up = np.where(axis == 0, 1, 0), np.where(axis == 2, 1, 2)
    mirrored = np.where((unit.normals[:, 0] < -0.5) | (unit.normals[:, 1] > 0.5), -1.0, 1.0)
    flat = unit.uvs[:, :2] * np.column_stack([mirrored, np.ones(corners)])
    lengths = np.stack([rows[:, 3:6][:, right], rows[:, 3:6][:, up]], -1)
    start = np.stack([rows[:, 0] + rows[:, 1], rows[:, 2]], -1)[:, None]
    span = rows[:, 8][:, None, None]
    tiled = (flat * lengths + start) / np.where(span > 0, span, 1)
    window = rows[:, None, 9:]
    fitted = window[..., :2] + (flat + 0.5) * (window[..., 2:] - window[..., :2])
    uvs = np.where(span > 0, tiled, fitted)
    layer = np.broadcast_to(rows[:, None, 7:8], (count, corners, 1))
    faces = unit.faces + corners * np.arange(count)[:, None, None]
    return Mesh(
        points.reshape(-1, 3).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        np.concatenate([uvs, layer], -1).reshape(-1, 3).astype(np.float32),
        faces.reshape(-1, 3).astype(np.int32),
    )


def pipe(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radii: tuple[float, float],
    skin: Skin,
    sides: int,
) -> Mesh:
    """A round bar between two points, closed at both ends, with a radius at each."""
    along = end - start
    length = float(np.linalg.norm(along))
    along = along / length
    aside = np.cross(along, (0.0, 1.0, 0.0) if abs(along[1]) < 0.9 else (1.0, 0.0, 0.0))
    aside /= np.linalg.norm(aside)
    angles = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.outer(np.cos(angles), aside) + np.outer(np.sin(angles), np.cross(along, aside))
    count = sides + 1
    points = np.concatenate([start + radii[0] * ring, end + radii[1] * ring] * 2)
    normals = np.concatenate([ring, ring, np.tile(-along, (count, 1)), np.tile(along, (count, 1))])
    v = np.repeat([0.0, length, 0.0, length], count)
    u = np.tile(angles / (2 * np.pi), 4) * 2 * np.pi * max(radii)
    if skin.window:
        u0, v0, u1, v1 = skin.window
        u, v = u0 + (u1 - u0) * np.tile(angles / (2 * np.pi), 4), v0 + (v1 - v0) * v / length
    else:
        u, v = u / skin.span_m, v / skin.span_m
    at = np.arange(sides)
    faces = [
        np.stack([at, at + 1, at + count + 1], 1),
        np.stack([at, at + count + 1, at + count], 1),
        np.stack([np.full(sides - 2, 0), at[2:], at[2:] - 1], 1) + 2 * count,
        np.stack([np.full(sides - 2, 0), at[2:] - 1, at[2:]], 1) + 3 * count,
    ]
    whole = np.concatenate(faces).astype(np.int32)
    return flat_mesh(points, normals, np.column_stack([u, v]), skin.layer, whole)
