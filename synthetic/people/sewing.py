"""Cloth from patterns: cut out of the body's surface, with rims, and with its place on textures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.people.cutting import compact, divide, edges_of, split, touching, trim
from synthetic.people.fabrics import EMBLEM_SPAN_M, TEXTURE_SPAN_M
from synthetic.people.piece import Piece, band, join_pieces
from synthetic.people.wearer import Wearer, arm_share
from synthetic.rendering.mesh import Mesh, vertex_normals

__all__ = ["CLOSURE_M", "HIDDEN_M", "Cut", "Layers", "sew", "trunk_turns"]

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]

CLOSURE_M = 0.011
"""Width of a zip or a row of buttons."""
HIDDEN_M = 0.03
"""Cloth and skin that lie this far inside the edges of what is worn over them are left out."""
_RIM_M = 0.03
_TRUNK, _LEFT, _RIGHT = range(3)
_DECAL_M = 0.0015


@dataclass(frozen=True, slots=True)
class Layers:
    """The textures of one garment.

    Args:
        front: Of the whole garment, or of its front.
        back: Of its back; the same as front where that does not differ.
        emblem: Of the emblem on the chest, if there is one.
        closure: Of the zip or the buttons down its front, if there are some.
    """

    front: int
    back: int
    emblem: int | None = None
    closure: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """The pattern of one garment on the body.

    Args:
        edges: float32 (V,) each: metres inside an edge of the garment; the cloth is where all are
            above 0.
        offset: float32 (V,), metres between skin and cloth.
        trousers: Whether its pattern runs round each leg, not round the trunk.
    """

    edges: tuple[FloatArray, ...]
    offset: FloatArray
    trousers: bool = False

    def cover(self) -> FloatArray:
        """Metres inside the nearest edge, float32 (V,)."""
        return np.asarray(np.minimum.reduce(self.edges))


@dataclass(frozen=True, slots=True)
class _Cloth:
    """Cloth that is cut out but not yet mapped: what is known of each of its vertices."""

    faces: IndexArray
    positions: FloatArray
    inner: FloatArray
    skin: FloatArray
    reach: FloatArray
    arm: FloatArray
    behind: FloatArray
    normals: FloatArray
    weights: FloatArray


def sew(wearer: Wearer, cut: Cut, covers: Sequence[FloatArray], layers: Layers) -> Piece:
    """The cloth of a pattern, without what lies hidden under other garments.

    Args:
        wearer: Who wears it.
        cut: The pattern.
        covers: float32 (V,) each: metres inside the edges of a garment worn over this one.
        layers: Its textures.

    Returns:
        Cloth with a narrow rim turned inwards along its edges.
    """
    cloth, hidden = _cut_out(wearer, cut, covers)
    seen = hidden < HIDDEN_M * wearer.scale
    rims = edges_of(cloth.faces)
    shown = cloth.faces[touching(cloth.faces, seen)]
    if not len(shown):
        return join_pieces([_empty(wearer)])
    pieces = [_mapped(wearer, cut, cloth, shown, layers)]
    rims = rims[seen[rims].any(axis=1)]
    if len(rims):
        pieces.append(_rim(cloth, rims, layers.front))
    if layers.emblem is not None:
        pieces.append(_emblem(wearer, cloth, shown, layers.emblem))
    if layers.closure is not None:
        pieces.append(_closure(cloth, shown, layers.closure))
    return join_pieces(pieces)


def trunk_turns(wearer: Wearer) -> float:
    """How often a texture is repeated around the trunk: a whole number, so that no seam shows."""
    hips = (np.abs(wearer.drop - 0.05) < 0.1) & (arm_share() < 0.1)
    x, y = wearer.positions[hips, 0], wearer.positions[hips, 1] - wearer.head("spine03")[1]
    return max(1.0, round(2 * np.pi * float(np.hypot(x, y).mean()) * 1.1 / TEXTURE_SPAN_M))


def _empty(wearer: Wearer) -> Piece:
    nothing = np.zeros((0, 3), np.float32)
    mesh = Mesh(nothing, nothing, nothing, np.zeros((0, 3), np.int32))
    return Piece(mesh, np.zeros((0, wearer.body.weights.shape[1]), np.float32))


def _cut_out(wearer: Wearer, cut: Cut, covers: Sequence[FloatArray]) -> tuple[_Cloth, FloatArray]:
    """The cloth, and how far each of its vertices lies under what is worn over it, metres."""
    count = len(wearer.positions)
    hidden = np.maximum.reduce(covers) if covers else np.full(count, -1, np.float32)
    edges = np.stack(cut.edges, axis=1)
    inwards = np.minimum(0.001, cut.offset - 0.002)
    arrays = [
        wearer.positions + wearer.flow * cut.offset[:, None],
        wearer.positions + wearer.flow * np.maximum(inwards, cut.offset - _RIM_M)[:, None],
        wearer.positions,
        np.stack([wearer.reach, arm_share(), wearer.behind, hidden], axis=1),
        edges,
        wearer.body.weights,
    ]
    faces = wearer.body.faces
    for edge in cut.edges:
        faces = faces[touching(faces, edge > 0)]
    faces, arrays = compact(faces, arrays)
    for number in range(edges.shape[1]):
        faces, arrays = trim(faces, arrays[4][:, number], arrays)
    if not cut.trousers:  # sleeves and trunk meet in a clean line, and so do front and back
        faces, arrays = divide(faces, arrays[3][:, 1] - np.float32(0.5), arrays)
        faces, arrays = divide(faces, arrays[3][:, 2], arrays)
    positions, inner, skin, places, _, weights = arrays
    normals = vertex_normals(positions, faces)
    reach, arm, behind, under = places.T
    return _Cloth(faces, positions, inner, skin, reach, arm, behind, normals, weights), under


def _rim(cloth: _Cloth, rims: IndexArray, layer: int) -> Piece:
    """A strip from the edges of the cloth to the skin."""
    positions, faces, ends = band(cloth.positions, cloth.inner, rims)
    texture = np.full((len(ends), 1), layer)
    uvs = np.concatenate([positions[:, [0, 2]] / TEXTURE_SPAN_M, texture], axis=1)
    normals = vertex_normals(positions, faces)
    along = cloth.normals[ends]  # no bright line where a rim faces up
    normals = np.where(normals[:, 2:] < along[:, 2:], normals, along)
    mesh = Mesh(positions, normals, uvs.astype(np.float32), faces)
    return Piece(mesh, cloth.weights[ends])


def _mapped(wearer: Wearer, cut: Cut, cloth: _Cloth, faces: IndexArray, layers: Layers) -> Piece:
    """The cloth with its place on the textures; seams where parts meet."""
    part = _parts(cut, cloth, faces)
    angles = np.zeros((3, len(cloth.skin)), np.float32)
    turns = np.ones(3)
    along = np.zeros((3, len(cloth.skin)), np.float32)
    for number in np.unique(part).tolist():
        used = np.unique(faces[part == number])
        angles[number], along[number], turns[number] = _round_part(wearer, cut, cloth, number, used)
    corner = angles[part[:, None], faces]
    jumps = corner.max(axis=1) - corner.min(axis=1) > np.pi
    wrapped = (corner < 0) & jumps[:, None]
    behind = (part == _TRUNK) & (cloth.behind[faces].mean(axis=1) > 0)
    shared, old, kind = split(faces, part[:, None] * 4 + wrapped * 2 + behind[:, None])
    number, wrap, rear = kind // 4, kind // 2 % 2, kind % 2
    u = (angles[number, old] / (2 * np.pi) + wrap) * turns[number]
    v = along[number, old] / TEXTURE_SPAN_M
    uvs = np.stack([u, v, np.where(rear == 1, layers.back, layers.front)], axis=1)
    mesh = Mesh(cloth.positions[old], cloth.normals[old], uvs.astype(np.float32), shared)
    return Piece(mesh, cloth.weights[old])


def _parts(cut: Cut, cloth: _Cloth, faces: IndexArray) -> NDArray[np.int64]:
    """Which tube each triangle belongs to: trunk, or left or right limb."""
    left = cloth.skin[faces, 0].mean(axis=1) > 0
    side = np.where(left, _LEFT, _RIGHT)
    if cut.trousers:
        return side
    return np.where(cloth.arm[faces].mean(axis=1) > 0.5, side, _TRUNK)


def _round_part(
    wearer: Wearer, cut: Cut, cloth: _Cloth, part: int, used: NDArray[np.int32]
) -> tuple[FloatArray, FloatArray, float]:
    """Where vertices are around a tube (0 in front, rising to the figure's left) and along it.

    Returns:
        float32 (V,) radians; float32 (V,) metres upwards; how many textures go round the tube.
    """
    skin = cloth.skin
    if part == _TRUNK:
        x, y = skin[:, 0], skin[:, 1] - wearer.head("spine03")[1]
        angle, along = np.arctan2(x, -y), skin[:, 2]
    elif cut.trousers:
        side = "L" if part == _LEFT else "R"
        hip, knee, ankle = (
            wearer.head(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot")
        )
        heights = np.array([ankle[2], knee[2], hip[2]])
        axis = np.stack([ankle, knee, hip])
        x, y = (
            skin[:, number] - np.interp(skin[:, 2], heights, axis[:, number]).astype(np.float32)
            for number in (0, 1)
        )
        sign = 1 if part == _LEFT else -1
        angle = np.arctan2(-y, x * sign) * -sign + sign * np.pi / 2
        angle = np.where(np.abs(angle) > np.pi, angle - 2 * np.pi * np.sign(angle), angle)
        along = skin[:, 2]
    else:
        return _round_arm(wearer, cloth, part, used)
    radius = float(np.hypot(x[used], y[used]).mean())
    turns = trunk_turns(wearer) if part == _TRUNK else 2 * np.pi * radius / TEXTURE_SPAN_M
    return angle.astype(np.float32), along.astype(np.float32), turns


def _round_arm(
    wearer: Wearer, cloth: _Cloth, part: int, used: NDArray[np.int32]
) -> tuple[FloatArray, FloatArray, float]:
    side = "L" if part == _LEFT else "R"
    joints = np.stack(
        [wearer.head(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist")]
    )
    places = np.array([0.0, 0.5, 1.0])
    axis = np.stack(
        [np.interp(cloth.reach, places, joints[:, number]) for number in range(3)], axis=1
    )
    direction = joints[2] - joints[0]
    direction = direction / np.linalg.norm(direction)
    forward = np.array([0, -1, 0]) + direction * direction[1]
    forward /= np.linalg.norm(forward)
    leftwards = np.cross(forward, direction) * -1
    apart = cloth.skin - axis
    angle = np.arctan2(apart @ leftwards, apart @ forward)
    radius = float(np.linalg.norm(apart[used], axis=1).mean())
    along = joints[0, 2] - cloth.reach * wearer.arm_m
    return (
        angle.astype(np.float32),
        along.astype(np.float32),
        2 * np.pi * radius / TEXTURE_SPAN_M,
    )


def _emblem(wearer: Wearer, cloth: _Cloth, faces: IndexArray, layer: int) -> Piece:
    """The chest once more, a little in front, with the emblem on it."""
    middle = np.float32(wearer.head("spine01")[2] + 0.005 * wearer.scale)
    half = np.float32(EMBLEM_SPAN_M / 2 * wearer.scale)
    x, z = cloth.positions[:, 0], cloth.positions[:, 2] - middle
    edges = [half - x, half + x, half - z, half + z]
    place = (np.stack([x, z], axis=1) / (2 * half) + 0.5).astype(np.float32)
    return _decal(cloth, faces, edges, place, layer)


def _closure(cloth: _Cloth, faces: IndexArray, layer: int) -> Piece:
    """A zip or a row of buttons down the front."""
    half = np.float32(CLOSURE_M / 2)
    x = cloth.positions[:, 0]
    place = cloth.positions[:, [0, 2]] / TEXTURE_SPAN_M
    return _decal(cloth, faces, [half - x, half + x], place, layer)


def _decal(
    cloth: _Cloth,
    faces: IndexArray,
    edges: list[FloatArray],
    place: FloatArray,
    layer: int,
) -> Piece:
    """A part of the front of the trunk once more, a little further out, with another texture."""
    front = np.where(cloth.arm > 0.5, -1, -cloth.behind)
    out = cloth.positions + cloth.normals * np.float32(_DECAL_M)
    arrays = [out, cloth.normals, cloth.weights, np.stack([*edges, front], axis=1), place]
    for number in range(len(edges) + 1):
        faces, arrays = trim(faces, arrays[3][:, number], arrays)
    positions, normals, weights, _, place = arrays
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    uvs = np.concatenate([place, np.full((len(place), 1), layer)], axis=1)
    return Piece(Mesh(positions, normals, uvs.astype(np.float32), faces), weights)
