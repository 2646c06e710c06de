"""The upper part of a head, measured, and caps of any form cut from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthetic.people.body import load_body
from synthetic.people.cutting import crossings, edges_of, touching, trim
from synthetic.people.piece import Piece, band
from synthetic.people.wearer import Wearer, share_of
from synthetic.rendering.mesh import Mesh, vertex_normals

__all__ = ["Scalp", "cap", "line_at", "look_at_head", "rim_ring"]

FloatArray = NDArray[np.float32]

_TOP_M = 0.11
"""From the pupils to the crown of the head that all measures here are for."""
_CENTRE_M = 0.07
"""How far behind the pupils the middle of the head is."""


@dataclass(frozen=True, slots=True)
class Scalp:
    """A head as hairdressers see it.

    Args:
        size: Its size against that of a usual grown-up.
        centre: float32 (3,), the middle of the head at the height of the pupils, metres.
        faces: int32 (F, 3), the triangles of the head.
        azimuth: float32 (V,), degrees from the front, 0-180, of all vertices of the body.
        height: float32 (V,), metres above the pupils, for a head of size 1.
    """

    size: float
    centre: FloatArray
    faces: NDArray[np.int32]
    azimuth: FloatArray
    height: FloatArray


@lru_cache(maxsize=1)
def _head_faces() -> NDArray[np.int32]:
    faces = load_body().faces
    return faces[(share_of("head", "eye", "neck03")[faces] > 0.3).all(axis=1)]


def look_at_head(wearer: Wearer) -> Scalp:
    """A person's head, measured."""
    eye = wearer.head("eye.L")
    size = float(wearer.positions[:, 2].max() - eye[2]) / _TOP_M
    centre = np.array([0, eye[1] + _CENTRE_M * size, eye[2]], np.float32)
    x, y, z = (wearer.positions - centre).T
    azimuth = np.degrees(np.arctan2(np.abs(x), -y))
    return Scalp(size, centre, _head_faces(), azimuth.astype(np.float32), z / np.float32(size))


def line_at(azimuth: FloatArray, line: Sequence[tuple[float, float]]) -> FloatArray:
    """The height of a line around the head, metres for a head of size 1.

    Args:
        azimuth: float32, degrees from the front.
        line: Pairs of an azimuth and the height there, in rising order.
    """
    places, heights = zip(*line, strict=True)
    return np.asarray(np.interp(azimuth, places, heights), np.float32)


def cap(
    wearer: Wearer,
    scalp: Scalp,
    edges: Sequence[FloatArray],
    offset: FloatArray,
    *,
    layer: int,
    repeat: float,
) -> Piece:
    """A cap that follows the head, closed below by a strip from its edge to the skin.

    Args:
        wearer: Whose head.
        scalp: The same head, measured.
        edges: float32 (V,) each; the cap is where all are above 0.
        offset: float32 (V,), metres between skin and cap.
        layer: Its texture.
        repeat: How often the texture goes round the head.
    """
    field = np.minimum.reduce(list(edges))
    faces = scalp.faces[touching(scalp.faces, field > 0)]
    positions = wearer.positions + wearer.normals * offset[:, None]
    faces, (positions, skin, weights) = trim(
        faces, field, [positions, wearer.positions, wearer.body.weights]
    )
    strip, strip_faces, ends = band(positions, skin, edges_of(faces))
    normals = np.concatenate([vertex_normals(positions, faces), vertex_normals(strip, strip_faces)])
    faces = np.concatenate([faces, strip_faces + np.int32(len(positions))])
    positions, weights = (
        np.concatenate([positions, strip]),
        np.concatenate([weights, weights[ends]]),
    )
    x, y, z = (positions - scalp.centre).T
    reach = np.hypot(x, y)
    u = np.where(np.abs(x) > 1e-6, np.arctan2(x, np.abs(y) + 0.02), 0) / (2 * np.pi) * repeat
    v = (z / scalp.size + 0.075 + np.maximum(0.07 - reach / scalp.size, 0)) / 0.27
    uvs = np.stack([u, v, np.full(len(u), layer)], axis=1).astype(np.float32)
    return Piece(Mesh(positions, normals, uvs, faces), weights)


def rim_ring(
    wearer: Wearer,
    scalp: Scalp,
    edge: FloatArray,
    offset: FloatArray,
    angles: NDArray[np.floating],
) -> FloatArray:
    """Where the edge of a cap lies in some directions, float32 (C, 3).

    Args:
        wearer: Whose head.
        scalp: The same head, measured.
        edge: float32 (V,), 0 at the edge.
        offset: float32 (V,), metres between skin and cap.
        angles: (C,), radians: 0 in front, rising to the figure's left.
    """
    cloth = wearer.positions + wearer.normals * offset[:, None]
    (points,) = crossings(scalp.faces, edge, [cloth])
    x, y, _ = (points - scalp.centre).T
    around = np.arctan2(x, -y)
    order = np.argsort(around, kind="stable")
    columns = [
        np.interp(angles, around[order], points[order, axis], period=2 * np.pi) for axis in range(3)
    ]
    return np.stack(columns, axis=1).astype(np.float32)
