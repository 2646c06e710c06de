"""Triangles with normals and texture coordinates, in metres."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mesh", "box", "double_sided", "join", "vertex_normals"]

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles whose back is not drawn.

    Args:
        positions: float32 (V, 3), metres, z up.
        normals: float32 (V, 3), unit length, outwards.
        uvs: float32 (V, 3): u and v in widths of the texture, which repeats, and the number of
            the texture in its array (a whole number, the same on the corners of a triangle).
        faces: int32 (F, 3), rows of vertices, counterclockwise seen from outside.
    """

    positions: FloatArray
    normals: FloatArray
    uvs: FloatArray
    faces: IndexArray

    def __len__(self) -> int:
        return len(self.positions)


def vertex_normals(positions: FloatArray, faces: IndexArray) -> FloatArray:
    """Normals of smooth surfaces: the means of the adjoining triangles', weighted by area.

    Args:
        positions: float32 (V, 3).
        faces: int32 (F, 3).

    Returns:
        float32 (V, 3), unit length; zero for vertices of no triangle.
    """
    first, second, third = (positions[faces[:, corner]] for corner in range(3))
    across = np.cross(second - first, third - first)
    sums = np.zeros(positions.shape)
    for axis in range(3):
        for corner in range(3):
            sums[:, axis] += np.bincount(faces[:, corner], across[:, axis], len(positions))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), np.float32)


def box(
    size_m: tuple[float, float, float],
    *,
    centre_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    layer: int = 0,
    span_m: float = 1.0,
) -> Mesh:
    """A box with flat sides and sharp edges, six sides of four vertices.

    Args:
        size_m: Lengths along x, y and z.
        centre_m: Where its middle is.
        layer: The texture of all sides.
        span_m: How many metres one width of the texture covers.

    Returns:
        24 vertices, 12 triangles; v grows upwards on the upright sides.
    """
    half = np.asarray(size_m, np.float64) / 2
    positions: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    uvs: list[NDArray[np.float64]] = []
    faces: list[list[int]] = []
    for axis in range(3):
        right, up = [(1, 2), (0, 2), (0, 1)][axis]
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            turned = bool((sign > 0) == (axis == 1))  # which way round the corners go
            corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
            points = np.zeros((4, 3))
            points[:, axis] = sign * half[axis]
            points[:, right] = corners[:, 0] * half[right]
            points[:, up] = corners[:, 1] * half[up]
            start = 4 * len(positions)
            order = [(0, 2, 1), (0, 3, 2)] if turned else [(0, 1, 2), (0, 2, 3)]
            faces += [[start + corner for corner in triangle] for triangle in order]
            positions.append(points + np.asarray(centre_m))
            normals.append(np.tile(normal, (4, 1)))
            flat = points[:, [right, up]] / span_m
            uvs.append(np.column_stack([flat, np.full(4, float(layer))]))
    return Mesh(
        np.concatenate(positions).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(uvs).astype(np.float32),
        np.array(faces, np.int32),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of all the triangles, vertices in the order given."""
    if not meshes:
        nothing = np.zeros((0, 3), np.float32)
        return Mesh(nothing, nothing, nothing, np.zeros((0, 3), np.int32))
    starts = np.cumsum([0, *(len(mesh) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.positions for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate(
            [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)]
        ),
    )


def double_sided(mesh: Mesh) -> Mesh:
    """The mesh with a second set of triangles that is seen from the other side."""
    back = Mesh(mesh.positions, -mesh.normals, mesh.uvs, mesh.faces[:, ::-1].copy())
    return join([mesh, back])
