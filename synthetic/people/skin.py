"""Bare skin: the body's surface, coarser where it has more detail than is ever seen."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthetic.people.body import load_body
from synthetic.people.cutting import compact, split, touching
from synthetic.people.fabrics import TEXTURE_SPAN_M
from synthetic.people.faces import FACE_SPAN_M
from synthetic.people.piece import Piece
from synthetic.people.sewing import HIDDEN_M
from synthetic.people.wearer import Wearer, arm_share, share_of
from synthetic.rendering.mesh import Mesh

__all__ = ["coarse_faces", "eye_height", "make_skin"]

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]

_FACE_CELL_M = 0.0065
_HAND_CELL_M = 0.013
_FOOT_CELL_M = 0.014
_SCALP_CELL_M = 0.016
_VIEW_CELL_M = 0.004
_INSIDE_M = 0.012
_FACING = 0.25


@lru_cache(maxsize=1)
def coarse_faces() -> IndexArray:
    """The triangles of the body, int32 (F, 3), fewer than the body model has.

    What lies inside (mouth, nostrils) is left out; on head, hands and feet, vertices within a small
    cell that face the same way become one of them.
    """
    body = load_body()
    rest = body.rest({})
    positions, faces = rest.positions, body.faces
    corners = positions[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    head, hand = share_of("head", "eye") > 0.5, share_of("wrist", "finger", "metacarpal") > 0.5
    faces = faces[~(head[faces].all(axis=1) & _inside(corners.mean(axis=1), head[faces[:, 0]]))]
    sums = np.zeros_like(positions)
    np.add.at(sums, body.faces, normals[:, None].repeat(3, axis=1))
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    foot = share_of("foot", "toe") > 0.5
    cell = np.where(hand, _HAND_CELL_M, np.where(foot, _FOOT_CELL_M, _FACE_CELL_M))
    behind = positions[:, 1] > _eye_back(rest.heads) + 0.05
    cell = np.where(head & behind, _SCALP_CELL_M, cell)
    place = np.floor(positions / cell[:, None]).astype(np.int64)
    facing = (np.abs(sums) > 0.6) * np.sign(sums)
    fine = ~(head | hand | foot)
    place[fine] = 0
    key = np.concatenate(
        [place, facing.astype(np.int64), (head * 4 + hand * 2 + foot)[:, None]], axis=1
    )
    key[fine] = -1
    key[fine, 0] = np.flatnonzero(fine)
    _, first, cluster = np.unique(key, axis=0, return_index=True, return_inverse=True)
    merged = first[cluster.reshape(-1)][faces]
    whole = (
        (merged[:, 0] != merged[:, 1])
        & (merged[:, 1] != merged[:, 2])
        & (merged[:, 2] != merged[:, 0])
    )
    return np.asarray(merged[whole], np.int32)


def _eye_back(heads: FloatArray) -> float:
    """How far back the eyes' middle lies, metres."""
    return float(heads[load_body().bones.index("eye.L"), 1])


def _inside(centres: FloatArray, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which triangles no light reaches from any of many sides."""
    seen = ~asked
    part = centres[asked]
    open_ = np.zeros(len(part), bool)
    for number in range(60):  # directions spread evenly over the sphere
        up = 1 - (2 * number + 1) / 60
        turn = number * 2.399963
        flat = np.sqrt(1 - up * up)
        towards = np.array([flat * np.cos(turn), flat * np.sin(turn), up])
        across = np.cross(towards, [0, 0, 1.0])
        across /= np.linalg.norm(across)
        plane = np.stack([across, np.cross(towards, across)], axis=1)
        cell = np.floor(part @ plane / _VIEW_CELL_M).astype(np.int64)
        cell -= cell.min(axis=0)
        index = cell[:, 0] * (cell[:, 1].max() + 1) + cell[:, 1]
        high = part @ towards
        top = np.full(index.max() + 1, -9.0)
        np.maximum.at(top, index, high)
        open_ |= high > top[index] - _INSIDE_M
    seen[asked] = open_
    return ~seen


def eye_height(wearer: Wearer) -> float:
    """Height of the pupils above the ground, metres."""
    return float(wearer.head("eye.L")[2])


def make_skin(
    wearer: Wearer, covers: Sequence[FloatArray], *, skin: int, face: int, tights: int | None
) -> Piece:
    """The skin that shows.

    Args:
        wearer: Whose skin.
        covers: float32 (V,) each: metres inside the edges of a garment.
        skin: The texture of skin.
        face: The texture of the face, seen straight from the front.
        tights: The texture of what covers the legs like a second skin.
    """
    faces = coarse_faces()
    for cover in covers:
        faces = faces[touching(faces, cover < HIDDEN_M * wearer.scale)]
    head = share_of("head", "eye")[faces].min(axis=1) > 0.5
    front = head & (wearer.normals[faces, 1].mean(axis=1) < -_FACING)
    front |= head & touching(faces, _in_socket(wearer))
    legs = share_of("upperleg", "lowerleg", "foot", "toe")[faces].max(axis=1) > 0.4
    low = legs | (wearer.drop[faces].mean(axis=1) > 0.1) & ~touching(faces, arm_share() > 0.5)
    kind = np.where(front, 1, np.where(low & (tights is not None), 2, 0))
    faces, old, group = split(faces, np.repeat(kind[:, None], 3, axis=1))
    positions = wearer.positions[old]
    uvs = np.empty((len(old), 3), np.float32)
    uvs[:, 0] = (positions[:, 0] + positions[:, 1]) / TEXTURE_SPAN_M
    uvs[:, 1] = positions[:, 2] / TEXTURE_SPAN_M
    size = _face_scale(wearer)
    on_face = group == 1
    uvs[on_face, 0] = 0.5 + positions[on_face, 0] / (FACE_SPAN_M[0] * size)
    uvs[on_face, 1] = 0.5 + (positions[on_face, 2] - eye_height(wearer)) / (FACE_SPAN_M[1] * size)
    uvs[:, 2] = np.array([skin, face, skin if tights is None else tights])[group]
    faces, (positions, normals, uvs, weights) = compact(
        faces, [positions, wearer.normals[old], uvs, wearer.body.weights[old]]
    )
    return Piece(Mesh(positions, normals, uvs, faces), weights)


def _in_socket(wearer: Wearer) -> NDArray[np.bool_]:
    """Which vertices belong to the hollows that the eyes fill."""
    apart = np.abs(wearer.positions[:, [0, 2]]) - wearer.head("eye.L")[[0, 2]]
    near = np.hypot(*apart.T) < 0.5 * wearer.head("eye.L")[0]
    return np.asarray(near & (wearer.positions[:, 1] < wearer.head("eye.L")[1] + 0.005))


def _face_scale(wearer: Wearer) -> float:
    """Size of the face against that of the painted one."""
    return float(wearer.head("eye.L")[0] / 0.031)
