"""Cloth that hangs free below the hips, fitted anew around the legs in every pose."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from synthetic.people.cutting import crossings
from synthetic.people.fabrics import TEXTURE_SPAN_M
from synthetic.people.piece import Piece, join_pieces, sheet, two_sided
from synthetic.people.sewing import CLOSURE_M, Cut, Layers, trunk_turns
from synthetic.people.wearer import Wearer, arm_share

__all__ = ["Drape", "Hung", "Tail", "hang", "make_tail"]

FloatArray = NDArray[np.float32]

_COLUMNS = 36
_RING_M = 0.05
_PROBES = 96
_SLACK_M = 0.014


@dataclass(frozen=True, slots=True)
class Tail:
    """How a skirt, or a coat below the hips, is cut.

    Args:
        top: Where it begins, as garments count lengths.
        hem: Where it ends.
        flare: How many metres it widens in a metre of length.
        gap_m: Half the width of its opening in front, metres; 0: closed.
    """

    top: float
    hem: float
    flare: float
    gap_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Drape:
    """A tube of rings that hang around the hips and legs.

    Args:
        angles: float32 (C,), directions of the columns: 0 in front, rising to the figure's left.
        radii: float32 (K, C), metres from a ring's centre when nothing pushes it out.
        centres: float32 (K, 3), the rings' centres at rest.
        centre_weights: float32 (K, J), the bones that carry them.
        probes: float32 (K * M, 3), points at rest that each ring must go around.
        probe_weights: (K * M, J), the bones that carry these.
        shrink: How many metres the tube may narrow in a metre of length.
        closed: Whether the last column is joined to the first.
        zipped: Whether a zip runs down its front.
    """

    angles: FloatArray
    radii: FloatArray
    centres: FloatArray
    centre_weights: FloatArray
    probes: FloatArray
    probe_weights: csr_matrix
    shrink: float
    closed: bool
    zipped: bool


def make_tail(
    wearer: Wearer, outside: Cut, inside: FloatArray, tail: Tail, layers: Layers
) -> tuple[Piece, Drape]:
    """A drape, and its triangles: outer sides in rows, then inner sides, then a zip in front.

    Args:
        wearer: Who wears it.
        outside: The pattern whose lower edge it hangs on.
        inside: float32 (V,), metres between the skin and the outermost cloth below the drape.
        tail: Its cut.
        layers: Its textures.
    """
    top_m, hem_m = wearer.height_of(tail.top), wearer.height_of(tail.hem)
    step = _RING_M * wearer.scale
    rings = max(2, round((top_m - hem_m) / step))
    heights = np.append(top_m - step * np.arange(rings), hem_m).astype(np.float32)
    probes, probe_weights, centres, centre_weights = _probes(wearer, inside, heights)
    gap = 0.0
    if tail.gap_m:
        front, _ = _top_ring(wearer, outside, top_m, centres[0], np.zeros(1, np.float32))
        gap = float(np.arcsin(min(0.9, tail.gap_m / front[0])))
    closed = not tail.gap_m
    angles = np.linspace(gap, 2 * np.pi - gap, _COLUMNS, endpoint=not closed, dtype=np.float32)
    radius, weights = _top_ring(wearer, outside, top_m, centres[0], angles)
    radii = radius[None] + tail.flare * (top_m - heights)[:, None]
    around = np.stack([np.sin(angles), -np.cos(angles), np.zeros_like(angles)], axis=1)
    points = centres[:, None] + radii[..., None] * around
    turns = trunk_turns(wearer)
    across = np.broadcast_to(angles / (2 * np.pi) * turns, radii.shape)
    uvs = np.stack([across, np.repeat(heights[:, None], _COLUMNS, 1) / TEXTURE_SPAN_M], axis=2)
    carried = np.repeat(centre_weights[:, None], _COLUMNS, axis=1)
    carried[0] = weights
    piece = two_sided(sheet(points, uvs, carried, layer=layers.front, closed=closed))
    if layers.closure is not None:
        strip = _beside(points[:, 0], np.array([1.0, 0, 0]), np.array([0, -1.0, 0]))
        zip_uvs = np.repeat(uvs[:, :1], 2, axis=1)
        zip_ = sheet(strip, zip_uvs, carried[:, :2], layer=layers.closure)
        piece = join_pieces([piece, zip_])
    drape = Drape(
        angles=angles,
        radii=radii.astype(np.float32),
        centres=centres,
        centre_weights=centre_weights,
        probes=probes,
        probe_weights=csr_matrix(probe_weights),
        shrink=0.12,
        closed=closed,
        zipped=layers.closure is not None,
    )
    return piece, drape


def _beside(points: FloatArray, right: FloatArray, out: FloatArray) -> FloatArray:
    """Both edges of a zip along points in front, float32 (K, 2, 3)."""
    half = np.array([-0.5, 0.5])[:, None] * CLOSURE_M * right
    return (points[:, None] + half + out[..., None, :] * 0.002).astype(np.float32)


def _probes(
    wearer: Wearer, inside: FloatArray, heights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Points of hips and legs near each ring, and the ring's centre; with their weights."""
    body = wearer.body
    cloth = wearer.positions + wearer.flow * inside[:, None]
    step = heights[0] - heights[1]
    candidates = np.flatnonzero((arm_share() < 0.05) & (cloth[:, 2] < heights[0] + step))
    level = cloth[candidates, 2]
    chosen = []
    for height in heights:
        near = candidates[np.abs(level - height) < 1.5 * step]
        if not len(near):
            near = candidates[np.argsort(np.abs(level - height))[:8]]
        order = near[np.argsort(np.arctan2(cloth[near, 1], cloth[near, 0]), kind="stable")]
        chosen.append(order[np.linspace(0, len(order) - 1, _PROBES).round().astype(int)])
    picked = np.stack(chosen)
    centres = wearer.positions[picked].mean(axis=1)
    centres[:, 0] = 0
    centres[:, 2] = heights
    centre_weights = body.weights[picked].mean(axis=1)
    flat = picked.reshape(-1)
    return cloth[flat], body.weights[flat], centres.astype(np.float32), centre_weights


def _top_ring(
    wearer: Wearer, outside: Cut, height_m: float, centre: FloatArray, angles: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where the garment above ends: radii (C,) and weights (C, J) in some directions."""
    faces = wearer.body.faces
    faces = faces[(arm_share()[faces] < 0.3).all(axis=1)]
    points, weights = crossings(
        faces,
        wearer.positions[:, 2] - np.float32(height_m),
        [wearer.positions + wearer.flow * outside.offset[:, None], wearer.body.weights],
    )
    x, y = points[:, 0] - centre[0], points[:, 1] - centre[1]
    angle = np.arctan2(x, -y)
    order = np.argsort(angle, kind="stable")
    angle, distance, weights = angle[order], np.hypot(x, y)[order], weights[order]
    turned = (angles + np.pi) % (2 * np.pi) - np.pi
    nearest = np.clip(np.searchsorted(angle, turned), 0, len(angle) - 1)
    radii = np.interp(turned, angle, distance + 0.002, period=2 * np.pi)
    return radii.astype(np.float32), weights[nearest]


@dataclass(frozen=True, slots=True)
class Hung:
    """A drape in one pose.

    Args:
        positions: float32 (N, 3), of all its vertices in order.
        normals: float32 (N, 3), unit length.
        radii: float32 (K, C), metres from the rings' centres.
    """

    positions: FloatArray
    normals: FloatArray
    radii: FloatArray


def hang(drape: Drape, transforms: FloatArray, top: FloatArray, under: Hung | None = None) -> Hung:
    """The drape around the legs of a pose.

    Each ring lies across the path that the middle of both legs takes, and goes around the probes
    near it; the cloth between them falls on from where it was pushed out further up.

    Args:
        drape: The drape.
        transforms: float32 (J, 12), how the bones carry points.
        top: float32 (C, 3), where the posed garment above ends.
        under: A closed drape that hangs below this one.
    """
    rings = len(drape.radii)
    centres = _carried(drape.centre_weights @ transforms, drape.centres)
    probes = _carried(drape.probe_weights @ transforms, drape.probes)
    right = transforms[0, [0, 4, 8]]
    down = np.gradient(centres, axis=0)
    forward = np.cross(down, right)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    apart = probes.reshape(rings, -1, 3) - centres[:, None]
    plane = np.stack([apart @ right, (apart * forward[:, None]).sum(axis=2)], axis=2)
    directions = np.stack([np.sin(drape.angles), np.cos(drape.angles)])
    pushed = (plane @ directions).max(axis=1) + np.float32(_SLACK_M)
    if under is not None:
        common = min(rings, len(under.radii))
        pushed[1:common] = np.maximum(pushed[1:common], _at_angles(under.radii, drape)[1:common])
    radii = _fallen(drape, pushed, np.linalg.norm(down, axis=1))
    points = (
        centres[:, None]
        + (radii * directions[0])[..., None] * right
        + (radii * directions[1])[..., None] * forward[:, None]
    )
    points[0] = top
    normals = _normals(points, closed=drape.closed)
    positions, outwards = [points, points], [normals, -normals]
    if drape.zipped:
        positions.append(_beside(points[:, 0], right, normals[:, 0]))
        outwards.append(np.repeat(normals[:, :1], 2, axis=1))
    return Hung(
        np.concatenate([part.reshape(-1, 3) for part in positions]),
        np.concatenate([part.reshape(-1, 3) for part in outwards]),
        radii,
    )


def _fallen(drape: Drape, pushed: FloatArray, spacing: FloatArray) -> FloatArray:
    """Radii of cloth that is pushed out and falls on from there, float32 (K, C) metres."""
    radii = np.maximum(drape.radii, pushed)
    radii[0] = drape.radii[0]
    for ring in range(1, len(radii)):
        radii[ring] = np.maximum(radii[ring], radii[ring - 1] - drape.shrink * spacing[ring])
    radii[1:] = _soft(radii[1:], closed=drape.closed)
    return radii


def _at_angles(under: FloatArray, drape: Drape) -> FloatArray:
    """Radii of what hangs below, in the directions of a drape's columns, and a little more."""
    columns = under.shape[1]
    place = drape.angles / (2 * np.pi) * columns
    left = place.astype(int) % columns
    share = place - place.astype(int)
    right = (left + 1) % columns
    return np.asarray(under[:, left] * (1 - share) + under[:, right] * share + _SLACK_M)


def _carried(moved: FloatArray, points: FloatArray) -> FloatArray:
    """Points moved by a transform each, float32 (N, 3)."""
    matrices = moved.reshape(-1, 3, 4)
    turned = np.einsum("nij,nj->ni", matrices[:, :, :3], points)
    return np.asarray(turned + matrices[:, :, 3])


def _soft(radii: FloatArray, *, closed: bool) -> FloatArray:
    """Radii with bumps around the ring evened out, but never pulled in by more than a trifle."""
    mode: Literal["wrap", "edge"] = "wrap" if closed else "edge"
    for _ in range(2):
        wide = np.pad(radii, ((0, 0), (1, 1)), mode=mode)
        radii = np.maximum(radii - 0.004, 0.25 * wide[:, :-2] + 0.5 * radii + 0.25 * wide[:, 2:])
    return radii


def _normals(points: FloatArray, *, closed: bool) -> FloatArray:
    """Unit normals of a net, float32 (K, C, 3)."""
    if closed:
        along = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    else:
        along = np.gradient(points, axis=1)
    normals = np.cross(np.gradient(points, axis=0), along)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    return normals.astype(np.float32)
