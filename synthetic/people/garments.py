"""Clothes cut from the form of the body that wears them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Garment
from synthetic.people.sewing import Cut
from synthetic.people.wearer import Wearer, arm_share, leg_radius, smoothed, smoothstep

__all__ = ["OUTERS", "lower_cut", "opening_m", "stacked", "upper_cut"]

FloatArray = NDArray[np.float32]

_GAP_M = 0.005
OUTERS = ("jacket", "hooded jacket", "coat", "blazer")
"""Kinds worn over others."""


def upper_cut(wearer: Wearer, garment: Garment, *, hem: float) -> Cut:
    """The pattern of a garment with a trunk and, perhaps, sleeves.

    Args:
        wearer: Who wears it.
        garment: What it is.
        hem: Where its trunk ends, as garments count lengths.
    """
    arm = arm_share()
    edges = [
        np.where(arm > 0.5, 1, (hem - wearer.drop) * wearer.leg_m).astype(np.float32),
        _neck_edge(wearer, garment),
    ]
    if garment.sleeve < 0.1:
        edges.append((0.42 - arm) * np.float32(0.13 * wearer.scale))
    else:
        edges.append(((garment.sleeve - wearer.reach) * wearer.arm_m).astype(np.float32))
    if garment.open:
        edges.append(_front_opening(wearer))
    return Cut(tuple(edges), _upper_offset(wearer, garment, hem))


def lower_cut(wearer: Wearer, garment: Garment, *, waist: float, hem: float) -> Cut:
    """The pattern of trousers, or of the part of a skirt around the hips.

    Args:
        wearer: Who wears it.
        garment: What it is.
        waist: Where it begins, as garments count lengths.
        hem: Where it ends.
    """
    not_arm = (0.5 - arm_share()) * np.float32(0.1)
    edges = (
        ((wearer.drop - waist) * wearer.leg_m).astype(np.float32),
        ((hem - wearer.drop) * wearer.leg_m).astype(np.float32),
        not_arm,
    )
    trousers = garment.kind not in ("skirt", "dress")
    return Cut(edges, _lower_offset(wearer, garment), trousers=trousers)


def _straight_legs(wearer: Wearer, fit: float) -> FloatArray:
    """How far cloth stands off below the knees so that trousers do not show the calves, metres."""
    radius = leg_radius(wearer)
    calf = float(np.quantile(radius[np.abs(wearer.drop - 0.72) < 0.06], 0.9))
    least = calf * (0.80 + 0.42 * fit) * smoothstep(0.42, 0.62, wearer.drop)
    return np.asarray(np.minimum(least - radius, 0.07 * wearer.scale), np.float32)


def stacked(cut: Cut, below: Sequence[Cut]) -> Cut:
    """The pattern, wide enough to lie over those below it."""
    offset = cut.offset
    for other in below:
        near = smoothstep(-0.06, 0.0, other.cover())
        offset = np.maximum(offset, (other.offset + np.float32(_GAP_M)) * near)
    return Cut(cut.edges, offset, cut.trousers)


def _neck_edge(wearer: Wearer, garment: Garment) -> FloatArray:
    """Metres below the neckline, a plane that rises backwards with an opening cut in its front."""
    scale = wearer.scale
    x, y, z = ((wearer.positions - wearer.head("neck01")) / scale).T
    kind = garment.kind
    if garment.neckline == "high":
        top = 0.05 if kind in OUTERS else 0.042
        return np.asarray((top - (z - 0.45 * y)) * scale, np.float32)
    top = {"tank top": -0.018, "t-shirt": -0.006, "blazer": 0.004}.get(kind, 0.0)
    edge = (top - (z - 0.5 * y)) * 0.9
    across = np.abs(x)
    if garment.neckline == "v" or garment.neckline == "collar":
        depth = 0.29 if kind == "blazer" else {"v": 0.13, "collar": 0.07}[garment.neckline]
        opening = (across - 0.075 * (1 + (z + 0.02) / depth)) * 0.9
    else:
        depth = 0.10 if kind == "tank top" else 0.055
        opening = (np.hypot(across / 0.07, np.minimum(z, 0) / depth) - 1) * 0.07
    front = np.maximum(opening, y * 2)
    return np.asarray(np.minimum(edge, front) * scale, np.float32)


def opening_m(wearer: Wearer, drop: float) -> float:
    """Half the width of the opening of a coat that is worn open, metres, at some height."""
    return float(_opening(wearer, np.array([drop], np.float32))[0])


def _opening(wearer: Wearer, drop: FloatArray) -> FloatArray:
    return np.float32(wearer.scale) * (0.035 + 0.04 * smoothstep(-0.35, 0.3, drop))


def _front_opening(wearer: Wearer) -> FloatArray:
    """Metres beside the opening of a coat that is worn open."""
    aside = np.abs(wearer.positions[:, 0]) - _opening(wearer, wearer.drop)
    return np.maximum(aside, 2 * wearer.behind).astype(np.float32)


def _upper_offset(wearer: Wearer, garment: Garment, hem: float) -> FloatArray:
    fit = garment.fit
    arm = arm_share()
    outer = garment.kind in OUTERS
    base = {"tank top": 0.004, "t-shirt": 0.005, "shirt": 0.005, "sweater": 0.008}.get(
        garment.kind, 0.012
    )
    loose = 0.006 + 0.026 * fit
    if garment.fabric.pattern == "quilted":
        base += 0.008
    trunk = 0.15 + 0.85 * smoothstep(-0.28, 0.02, wearer.drop)
    sleeve = 0.35 + 0.65 * smoothstep(0.0, 0.45, wearer.reach)
    if garment.kind in ("sweater", "jacket", "hooded jacket"):
        trunk *= 1 - 0.7 * smoothstep(hem - 0.05, hem - 0.005, wearer.drop)
        sleeve *= 1 - 0.75 * smoothstep(0.86, 0.97, wearer.reach)
    profile = trunk + (sleeve * 0.85 - trunk) * smoothstep(0.3, 0.7, arm)
    hanging = 1 - 0.55 * wearer.flow[:, 2]
    offset = base + loose * profile * hanging
    offset += wearer.filling * min(1.0, 0.45 + fit + 0.3 * outer) * (1 - smoothstep(0.3, 0.6, arm))
    return smoothed((offset * wearer.scale**0.5).astype(np.float32), 2)


def _lower_offset(wearer: Wearer, garment: Garment) -> FloatArray:
    fit = garment.fit
    if garment.kind == "leggings":
        return smoothed(np.float32(0.0025) + 0.7 * wearer.filling, 1)
    base = 0.005
    loose = 0.002 + 0.03 * fit
    drop = wearer.drop
    profile = 0.12 + 0.4 * smoothstep(0.0, 0.2, drop) + 0.48 * smoothstep(0.3, 0.62, drop)
    hanging = 1 - 0.3 * wearer.flow[:, 2]
    offset = base + loose * profile * hanging + wearer.filling * min(1.0, 0.6 + fit)
    offset = np.maximum(offset, _straight_legs(wearer, fit))
    return smoothed((offset * wearer.scale**0.5).astype(np.float32), 2)
