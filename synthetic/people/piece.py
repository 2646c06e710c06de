"""Parts of a dressed person: triangles that the bones move, and the textures they show."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Colour
from synthetic.rendering.mesh import Mesh, join, vertex_normals
from synthetic.seeds import generator

__all__ = ["Piece", "Textures", "band", "grid_faces", "join_pieces", "sheet", "two_sided"]

FloatArray = NDArray[np.float32]
Numbers = NDArray[np.floating]

_SIZE_PX = 256
_GRAIN = 0.02


@dataclass(frozen=True, slots=True)
class Piece:
    """A mesh at rest and the bones that move it.

    Args:
        mesh: The triangles, in the body's frame at rest.
        weights: float32 (V, J), rows sum to 1.
    """

    mesh: Mesh
    weights: FloatArray


@dataclass(slots=True)
class Textures:
    """The pictures of one person, collected while the person is dressed."""

    pictures: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(self, picture: NDArray[np.uint8]) -> int:
        """Takes a picture, uint8 (256, 256, 3), top row up; returns its layer."""
        self.pictures.append(picture[::-1])
        return len(self.pictures) - 1

    def add_colour(self, colour: Colour, *, shade: float = 1.0) -> int:
        """Takes one colour, made lighter or darker, with a little grain; returns its layer."""
        flat = np.array(colour.srgb, np.float32) * np.float32(255 * shade)
        return self.add(np.minimum(flat * _grain(), 255).astype(np.uint8))

    def stack(self) -> NDArray[np.uint8]:
        """All of them, uint8 (L, 256, 256, 3); row 0 is where v is 0."""
        return np.ascontiguousarray(np.stack(self.pictures))


@lru_cache(maxsize=1)
def _grain() -> FloatArray:
    """Light and shade of a surface that is not quite even, float32 (256, 256, 1)."""
    noise = generator(0, "grain").standard_normal((_SIZE_PX, _SIZE_PX, 1), np.float32)
    return np.asarray(np.maximum(1 + _GRAIN * noise, 0), np.float32)


def join_pieces(pieces: Sequence[Piece]) -> Piece:
    """One piece of all the triangles, vertices in the order given."""
    return Piece(
        join([piece.mesh for piece in pieces]),
        np.concatenate([piece.weights for piece in pieces]),
    )


def grid_faces(rows: int, columns: int, *, closed: bool) -> NDArray[np.int32]:
    """The triangles of a net of vertices, int32 (F, 3).

    Vertices are numbered row by row. Seen from where rows run down and columns to the right, the
    triangles are counterclockwise.

    Args:
        rows: 2 or more.
        columns: 2 or more.
        closed: Whether the last column is joined to the first.
    """
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns - (not closed)), indexing="ij")
    right = (column + 1) % columns
    above_left, above_right = row * columns + column, row * columns + right
    below_left, below_right = above_left + columns, above_right + columns
    halves = np.stack(
        [above_left, below_left, below_right, above_left, below_right, above_right], axis=-1
    )
    return halves.reshape(-1, 3).astype(np.int32)


def sheet(
    points: Numbers, uvs: Numbers, weights: Numbers, *, layer: int, closed: bool = False
) -> Piece:
    """A net of vertices as a piece, seen from outside only.

    Args:
        points: (R, C, 3): rows that run down, columns to the right, seen from outside.
        uvs: (R, C, 2).
        weights: (R, C, J).
        layer: Its texture.
        closed: Whether the last column is joined to the first.
    """
    rows, columns = points.shape[:2]
    faces = grid_faces(rows, columns, closed=closed)
    positions = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
    texture = np.full((rows * columns, 1), layer, np.float32)
    return Piece(
        Mesh(
            positions,
            vertex_normals(positions, faces),
            np.concatenate([uvs.reshape(-1, 2), texture], axis=1).astype(np.float32),
            faces,
        ),
        np.ascontiguousarray(weights.reshape(rows * columns, -1), np.float32),
    )


def band(
    outer: FloatArray, inner: FloatArray, edges: NDArray[np.int32]
) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
    """A strip from open edges of a surface to points below them.

    Args:
        outer: float32 (V, 3), the surface.
        inner: float32 (V, 3), where the strip leads from each vertex.
        edges: int32 (E, 2), each in the direction of the triangle that it belongs to.

    Returns:
        float32 (2 N, 3) positions, first those on the surface; int32 (F, 3) faces; and int32 (2 N,)
        which vertex each comes from.
    """
    ends, places = np.unique(edges, return_inverse=True)
    first, second = places.reshape(-1, 2).T
    count = len(ends)
    near = np.stack([second, first, first + count], axis=1)
    far = np.stack([second, first + count, second + count], axis=1)
    faces = np.concatenate([near, far]).astype(np.int32)
    return np.concatenate([outer[ends], inner[ends]]), faces, np.concatenate([ends, ends])


def two_sided(piece: Piece) -> Piece:
    """The piece with a second set of triangles that is seen from its other side."""
    mesh = piece.mesh
    back = replace(mesh, normals=-mesh.normals, faces=mesh.faces[:, ::-1].copy())
    return join_pieces([piece, Piece(back, piece.weights)])
