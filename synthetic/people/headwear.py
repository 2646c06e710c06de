"""Caps, hats and beanies."""

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import HeadwearKind
from synthetic.people.piece import Piece, sheet, two_sided
from synthetic.people.scalp import Scalp, cap, line_at, rim_ring
from synthetic.people.wearer import Wearer, smoothstep

__all__ = ["headwear_edge", "make_headwear"]

FloatArray = NDArray[np.float32]

_BANDS: dict[HeadwearKind, tuple[tuple[float, float], ...]] = {
    "cap": ((0, 0.046), (60, 0.034), (90, 0.028), (120, 0.012), (180, -0.008)),
    "hat": ((0, 0.044), (60, 0.032), (90, 0.027), (120, 0.014), (180, 0.002)),
    "beanie": ((0, 0.036), (60, 0.020), (90, 0.004), (120, -0.008), (180, -0.024)),
}
"""Lower edges: degrees from the front, metres above the pupils."""
_OFFSET_M = 0.013
_BRIMS_M = {"cap": 0.072, "hat": 0.055}
_BRIM_ROWS = 4


def headwear_edge(scalp: Scalp, kind: HeadwearKind) -> FloatArray:
    """Metres above the lower edge of headwear, float32 (V,)."""
    line = line_at(scalp.azimuth, _BANDS[kind])
    return ((scalp.height - line) * scalp.size).astype(np.float32)


def make_headwear(wearer: Wearer, scalp: Scalp, kind: HeadwearKind, *, layer: int) -> list[Piece]:
    """The parts of one piece of headwear.

    Args:
        wearer: Whose head.
        scalp: The same head, measured.
        kind: What it is.
        layer: Its texture.
    """
    edge = headwear_edge(scalp, kind)
    high = smoothstep(0.05, 0.11, scalp.height)
    puff = {"cap": 0.008, "hat": 0.022, "beanie": 0.016}[kind]
    offset = ((_OFFSET_M + puff * high) * scalp.size).astype(np.float32)
    crown = cap(wearer, scalp, [edge], offset, layer=layer, repeat=1)
    if kind == "beanie":
        folded = (0.045 * scalp.size - edge).astype(np.float32)
        fold = cap(wearer, scalp, [edge, folded], offset + np.float32(0.006), layer=layer, repeat=1)
        return [crown, fold]
    wide_m = _BRIMS_M[kind]
    half = np.radians(62) if kind == "cap" else np.pi
    angles = np.linspace(-half, half, 24, endpoint=kind == "cap")
    ring = rim_ring(wearer, scalp, edge, offset, angles)
    points = _peak(ring, angles, wide_m) if kind == "cap" else _brim(ring, angles, wide_m)
    weights = np.zeros((*points.shape[:2], len(wearer.body.bones)), np.float32)
    weights[..., wearer.body.bones.index("head")] = 1
    brim = sheet(points, points[..., :2] / 0.25, weights, layer=layer, closed=kind == "hat")
    return [crown, two_sided(brim)]


def _peak(ring: FloatArray, angles: NDArray[np.floating], wide_m: float) -> NDArray[np.floating]:
    """A peak that points forward and thins out at its ends, (R, C, 3)."""
    outwards = np.stack([np.sin(angles), -np.cos(angles), 0 * angles], axis=1)
    outwards = outwards * 0.35 + np.array([0, -0.65, 0])
    width = wide_m * np.clip(np.cos(angles / angles[-1] * np.pi / 2), 0, 1) ** 0.5
    share = np.linspace(0, 1, _BRIM_ROWS)[:, None] * width
    points = ring - 0.004 * outwards + share[..., None] * outwards
    points[..., 2] -= share * (0.3 + 0.25 * np.sin(angles) ** 2)
    return np.asarray(points)


def _brim(ring: FloatArray, angles: NDArray[np.floating], wide_m: float) -> NDArray[np.floating]:
    """A brim all round, (R, C, 3)."""
    outwards = np.stack([np.sin(angles), -np.cos(angles), 0 * angles], axis=1)
    share = np.linspace(-0.004, wide_m, _BRIM_ROWS)[:, None]
    points = ring + share[..., None] * outwards
    points[..., 2] -= 0.12 * share
    return np.asarray(points)
