"""Cutting triangles exactly along a line, and finding and finishing the edges this leaves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["compact", "crossings", "divide", "edges_of", "split", "touching", "trim"]

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]

_LEAST_SHARE = 1e-3
"""No cut goes nearer to a vertex than this share of the edge."""


def trim(
    faces: IndexArray, field: FloatArray, arrays: Sequence[FloatArray]
) -> tuple[IndexArray, list[FloatArray]]:
    """The part of a surface where a field is above 0, cut exactly where it crosses 0.

    Args:
        faces: int32 (F, 3).
        field: float32 (V,), taken as linear within a triangle.
        arrays: float32 (V, ...) each: what is known of the vertices.

    Returns:
        int32 (F', 3), and the arrays of the vertices that are still used, in their old order, with
        those of the new ones after them.
    """
    reached = faces[touching(faces, field > 0)]
    reached, (field, *kept) = compact(reached, [field, *arrays])
    inside, _, grown = _cut(reached, field, kept)
    return compact(inside, grown)


def divide(
    faces: IndexArray, field: FloatArray, arrays: Sequence[FloatArray]
) -> tuple[IndexArray, list[FloatArray]]:
    """The whole surface, with triangles cut so that a field changes its sign within none.

    Args:
        faces: int32 (F, 3).
        field: float32 (V,), taken as linear within a triangle.
        arrays: float32 (V, ...) each: what is known of the vertices.

    Returns:
        int32 (F', 3), and the arrays with the new vertices after the old ones.
    """
    inside, outside, grown = _cut(faces, field, arrays)
    return np.concatenate([inside, outside]), grown


def _cut(
    faces: IndexArray, field: FloatArray, arrays: Sequence[FloatArray]
) -> tuple[IndexArray, IndexArray, list[FloatArray]]:
    """The triangles on both sides of where a field is 0, and the arrays with the new vertices.

    A triangle that is crossed is replaced by three, with new vertices on its edges that two
    neighbours share, so that no gap opens.
    """
    inside = field > 0
    first, second, third = (inside[faces[:, corner]].view(np.int8) for corner in range(3))
    count = first + second + third
    within, without = faces[count == 3], faces[count == 0]
    crossing = (count == 1) | (count == 2)
    crossed = faces[crossing]
    if not len(crossed):
        return within, without, list(arrays)
    alone = np.argmax(inside[crossed] == (count[crossing] == 1)[:, None], axis=1)
    turned = np.take_along_axis(crossed, (alone[:, None] + np.arange(3)) % 3, axis=1)
    lone, left, right = turned.T  # the first is on a side of its own
    pairs = np.sort(np.stack([np.r_[lone, lone], np.r_[left, right]], axis=1), axis=1)
    size = len(field)
    keys, places = np.unique(pairs[:, 0].astype(np.int64) * size + pairs[:, 1], return_inverse=True)
    low, high = keys // size, keys % size
    share = field[low] / (field[low] - field[high])
    share = np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE).astype(np.float32)
    on_left, on_right = np.split(places.reshape(-1) + size, 2)
    tips = np.stack([lone, on_left, on_right], axis=1)
    bases = np.stack([on_left, left, right, on_left, right, on_right], axis=1)
    one = inside[lone]
    grown = []
    for array in arrays:
        part = share.reshape(-1, *[1] * (array.ndim - 1))
        grown.append(np.concatenate([array, array[low] + (array[high] - array[low]) * part]))
    kept = np.concatenate([within, tips[one], bases[~one].reshape(-1, 3)])
    left = np.concatenate([without, tips[~one], bases[one].reshape(-1, 3)])
    return kept.astype(np.int32), left.astype(np.int32), grown


def touching(faces: IndexArray, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which triangles have a corner among the vertices asked for, bool (F,)."""
    first, second, third = (asked[faces[:, corner]] for corner in range(3))
    return np.asarray(first | second | third)


def compact(faces: IndexArray, arrays: Sequence[FloatArray]) -> tuple[IndexArray, list[FloatArray]]:
    """The same triangles, and the arrays without the vertices that none of them uses."""
    used = np.zeros(len(arrays[0]), bool)
    used[faces] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return number[faces], [array[used] for array in arrays]


def split(
    faces: IndexArray, group: NDArray[np.int64]
) -> tuple[IndexArray, NDArray[np.int64], NDArray[np.int64]]:
    """Triangles whose corners share a vertex only where they are of one group.

    Args:
        faces: int32 (F, 3).
        group: int64 (F, 3), 0 or more.

    Returns:
        int32 (F, 3) faces of new vertices; and for each of these its old vertex and its group.
    """
    groups = int(group.max(initial=0)) + 1
    kept, places = np.unique(faces.astype(np.int64) * groups + group, return_inverse=True)
    return places.reshape(-1, 3).astype(np.int32), kept // groups, kept % groups


def edges_of(faces: IndexArray) -> IndexArray:
    """The open edges of a surface, int32 (E, 2), each in the direction of its only triangle."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    size = int(faces.max(initial=0)) + 1
    forward, backward = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return edges[~np.isin(forward, backward)].astype(np.int32)


def crossings(
    faces: IndexArray, field: FloatArray, arrays: Sequence[FloatArray]
) -> list[FloatArray]:
    """What is known of the points where a field is 0 on the edges of triangles.

    Args:
        faces: int32 (F, 3).
        field: float32 (V,).
        arrays: float32 (V, ...) each.

    Returns:
        float32 (N, ...) each, a row for each edge that is crossed upwards by its triangle.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    inside = field > 0
    first, second = edges[inside[edges[:, 0]] & ~inside[edges[:, 1]]].T
    share = field[first] / (field[first] - field[second])
    found = []
    for array in arrays:
        part = share.reshape(-1, *[1] * (array.ndim - 1))
        found.append(array[first] + (array[second] - array[first]) * part)
    return found
