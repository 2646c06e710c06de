"""Dressed people, made once and posed many times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from synthetic.people.appearance import Appearance
from synthetic.people.bags import HANGERS
from synthetic.people.body import Body, posed_transforms
from synthetic.people.drape import Drape, hang
from synthetic.people.dressing import dress
from synthetic.people.piece import join_pieces
from synthetic.people.pose import Pose
from synthetic.people.wearer import measure

__all__ = ["Figure", "PosedFigure", "build_figure", "pose_figure"]

FloatArray = NDArray[np.float32]

_LEAST_NORMAL = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One dressed person at rest.

    Args:
        body: The body model.
        heads: float32 (J, 3), where the bones begin, metres.
        positions: float32 (V, 3), metres; the bare soles would be at z = 0.
        normals: float32 (V, 3), unit length, outwards.
        uvs: float32 (V, 3): u and v in widths of the texture, and the number of the texture.
        faces: int32 (F, 3), counterclockwise seen from outside.
        weights: (V, J + H), how much each bone, and each of
            :data:`synthetic.people.bags.HANGERS`, moves each vertex.
        textures: uint8 (L, 256, 256, 3), sRGB; v is 0 at row 0.
        standing: How many of the first vertices stand on the ground: all but bags and drapes.
        drapes: Parts fitted anew in each pose, and the first vertex of each.
    """

    body: Body
    heads: FloatArray
    positions: FloatArray
    normals: FloatArray
    uvs: FloatArray
    faces: NDArray[np.int32]
    weights: csr_matrix
    textures: NDArray[np.uint8]
    standing: int
    drapes: tuple[tuple[int, Drape], ...]


@dataclass(frozen=True, slots=True)
class PosedFigure:
    """A figure in one pose, facing -y, its lowest point at z = 0 or as high as the pose lifts it.

    Args:
        positions: float32 (V, 3), metres.
        normals: float32 (V, 3), unit length, outwards.
    """

    positions: FloatArray
    normals: FloatArray


def build_figure(body: Body, appearance: Appearance) -> Figure:
    """One person, dressed; the same looks give the same figure.

    The body is as high as ``appearance.height_m``; soles, hair and headwear come on top of that.

    Args:
        body: The body model.
        appearance: What the person looks like.
    """
    wearer = measure(body, appearance.phenotype, appearance.height_m)
    dressed = dress(wearer, appearance)
    hanging = [piece for piece, _ in dressed.drapes]
    whole = join_pieces([*dressed.pieces, *dressed.bags, *hanging])
    first = len(whole.mesh) - sum(len(piece.mesh) for piece in hanging)
    drapes = []
    for piece, drape in dressed.drapes:
        drapes.append((first, drape))
        first += len(piece.mesh)
    normals = whole.mesh.normals  # where triangles of all directions meet there may be none
    flat = np.linalg.norm(normals, axis=1, keepdims=True) < _LEAST_NORMAL
    return Figure(
        body=body,
        heads=wearer.heads,
        positions=whole.mesh.positions,
        normals=np.where(flat, np.array([0, 0, 1], np.float32), normals),
        uvs=whole.mesh.uvs,
        faces=whole.mesh.faces,
        weights=csr_matrix(whole.weights),
        textures=dressed.textures,
        standing=sum(len(piece.mesh) for piece in dressed.pieces),
        drapes=tuple(drapes),
    )


def pose_figure(figure: Figure, pose: Pose) -> PosedFigure:
    """The figure in a pose, its lowest point on the ground, or as high as the pose says.

    Source: linear blend skinning.

    Args:
        figure: The person.
        pose: How the body is held.

    Raises:
        ConfigError: The pose turns a bone that is not there.
    """
    bones = posed_transforms(figure.body, figure.heads, pose.rotations).reshape(-1, 12)
    moved = np.ascontiguousarray((figure.weights @ _with_hangers(figure, bones)).T)
    x, y, z = np.ascontiguousarray(figure.positions.T)
    across, back, up = np.ascontiguousarray(figure.normals.T)
    positions = np.empty_like(figure.positions)
    normals = np.empty_like(figure.normals)
    for axis in range(3):
        first, second, third, shift = moved[4 * axis : 4 * axis + 4]
        positions[:, axis] = first * x + second * y + third * z + shift
        normals[:, axis] = first * across + second * back + third * up
    normals /= np.sqrt(np.maximum((normals * normals).sum(axis=1, keepdims=True), 1e-12))
    under = None
    for start, drape in figure.drapes:
        under = hang(drape, bones, positions[start : start + len(drape.angles)], under)
        positions[start : start + len(under.positions)] = under.positions
        normals[start : start + len(under.positions)] = under.normals
    positions[:, 2] += np.float32(pose.lift_m) - positions[: figure.standing, 2].min()
    return PosedFigure(positions, normals)


def _with_hangers(figure: Figure, bones: FloatArray) -> FloatArray:
    """The bones' transforms, float32 (J, 12), and those of what things hang from."""
    names = figure.body.bones
    heading = np.arctan2(bones[0, 4], bones[0, 0])
    c, s = np.cos(heading), np.sin(heading)
    upright = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    added = np.empty((len(HANGERS), 3, 4), np.float32)
    for number, hanger in enumerate(HANGERS):
        bone = names.index(hanger.bone)
        matrix = bones[bone].reshape(3, 4)
        point = figure.heads[bone]
        added[number, :, :3] = upright
        added[number, :, 3] = matrix[:, :3] @ point + matrix[:, 3] - upright @ point
    return np.concatenate([bones, added.reshape(-1, 12)])
