"""Shoes, formed over the feet."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from synthetic.people.appearance import ShoesKind
from synthetic.people.cutting import edges_of, touching, trim
from synthetic.people.fabrics import TEXTURE_SPAN_M
from synthetic.people.piece import Piece, band, join_pieces
from synthetic.people.sewing import Cut
from synthetic.people.skin import coarse_faces
from synthetic.people.wearer import Wearer, means_among, share_of, smoothstep
from synthetic.rendering.mesh import Mesh, vertex_normals

__all__ = ["SOLES_M", "make_shoes", "shoes_cut"]

FloatArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]

SOLES_M: dict[ShoesKind, float] = {"sneakers": 0.024, "shoes": 0.014, "boots": 0.024}
"""How thick the soles are; that much a person grows by putting shoes on."""
_TOPS_M: dict[ShoesKind, float] = {"sneakers": 0.022, "shoes": 0.004, "boots": 0.16}
"""How high above the ankle joint they end."""
_SOLE_LINE_M = 0.012


def shoes_cut(wearer: Wearer, kind: ShoesKind, trousers: Cut | None) -> Cut:
    """Where shoes are, as a pattern: what is below their upper edge.

    Args:
        wearer: Who wears them.
        kind: What they are.
        trousers: Legs of trousers that are tucked into them.
    """
    top = wearer.head("foot.L")[2] + _TOPS_M[kind] * wearer.scale
    z = wearer.positions[:, 2]
    lower = share_of("lowerleg", "foot", "toe") > 0.5
    edge = np.where(lower, top - z, -1).astype(np.float32)
    offset = np.full(len(z), 0.0075 * wearer.scale**0.5, np.float32)
    if kind == "boots":
        offset += 0.006 * smoothstep(0.1, 0.2, z)
        if trousers is not None:
            offset = np.maximum(offset, trousers.offset + 0.004)
    return Cut((edge,), offset, trousers=True)


@lru_cache(maxsize=1)
def _feet() -> tuple[NDArray[np.int64], csr_matrix]:
    """The vertices of both feet up to the calves, and the means over neighbours among them."""
    return means_among(share_of("lowerleg02", "foot", "toe") > 0.05)


def make_shoes(
    wearer: Wearer, cut: Cut, kind: ShoesKind, *, cover: FloatArray | None, upper: int, sole: int
) -> Piece:
    """Both shoes.

    Args:
        wearer: Who wears them.
        cut: Their pattern.
        kind: What they are.
        cover: float32 (V,), metres inside the trousers that are worn over them.
        upper: The texture of all but the soles.
        sole: The texture of the soles.
    """
    positions = wearer.positions.copy()
    chosen = _feet()[0]
    positions[chosen] = _formed(wearer, cut)
    inner = wearer.positions - wearer.normals * np.float32(0.004)
    faces = coarse_faces()
    faces = faces[~touching(faces, cut.edges[0] < -0.5)]
    if cover is not None:
        faces = faces[touching(faces, cover < 0.03)]
    faces, arrays = trim(
        faces, cut.edges[0], [positions, wearer.body.weights, inner.astype(np.float32)]
    )
    line = np.float32(_SOLE_LINE_M * wearer.scale)
    body, (place, weights, inside) = trim(faces, arrays[0][:, 2] - line, arrays)
    rims = edges_of(body)
    low = place[rims, 2].max(axis=1) < line + 0.001
    bottom, (under, under_weights, _) = trim(faces, line - arrays[0][:, 2], arrays)
    thick = SOLES_M[kind] * wearer.scale
    under[:, 2] = -thick
    floor = place - np.array([0, 0, line + thick], np.float32)
    walls, wall_faces, wall_ends = band(place, floor, rims[low])
    mouth, mouth_faces, mouth_ends = band(place, inside, rims[~low])
    pieces = [
        _mapped(place, body, weights, upper),
        _mapped(mouth, mouth_faces, weights[mouth_ends], upper),
        _mapped(walls, wall_faces, weights[wall_ends], sole),
        _mapped(under, bottom, under_weights, sole),
    ]
    return join_pieces([piece for piece in pieces if len(piece.mesh.faces)])


def _mapped(positions: FloatArray, faces: IndexArray, weights: FloatArray, layer: int) -> Piece:
    uvs = np.empty((len(positions), 3), np.float32)
    uvs[:, :2] = positions[:, 1:] / TEXTURE_SPAN_M
    uvs[:, 2] = layer
    normals = vertex_normals(positions, faces)
    return Piece(Mesh(positions, normals, uvs, faces), weights)


def _formed(wearer: Wearer, cut: Cut) -> FloatArray:
    """The feet's vertices on the outside of shoes: no toes and no ankle bones."""
    chosen, means = _feet()
    skin, out = wearer.positions[chosen], wearer.normals[chosen]
    foot = share_of("foot", "toe")[chosen]
    height = cut.offset[chosen].copy()
    for _ in range(40):
        form = skin + out * height[:, None]
        behind = ((means @ form - form) * out).sum(axis=1)
        height = np.minimum(height + foot * np.maximum(behind, 0), 0.03 * wearer.scale)
    for _ in range(3):
        height = height + foot * (means @ height - height)
    form = skin + out * height[:, None]
    for _ in range(3):
        form += foot[:, None] * 0.5 * (means @ form - form)
    short = np.maximum(0.003 - ((form - skin) * out).sum(axis=1, keepdims=True), 0)
    return np.asarray(form + out * short, np.float32)
