"""What goes round the neck of a garment: collars, lapels and hoods."""

import numpy as np
from numpy.typing import NDArray

from synthetic.people.cutting import crossings
from synthetic.people.fabrics import TEXTURE_SPAN_M
from synthetic.people.piece import Piece, sheet, two_sided
from synthetic.people.sewing import Cut
from synthetic.people.wearer import Wearer, arm_share, smoothstep

__all__ = ["make_collar", "make_hood", "make_lapels"]

FloatArray = NDArray[np.floating]

_NECK_EDGE = 1


def _neck_ring(
    wearer: Wearer, cut: Cut, angles: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where the neckline is in some directions, what carries it, and the ways out of the neck.

    Returns:
        float32 (C, 3) points, float32 (C, J) weights, float32 (C, 3) level unit vectors.
    """
    middle = wearer.head("neck01") + np.array([0, 0.01 * wearer.scale, 0], np.float32)
    cloth = wearer.positions + wearer.flow * cut.offset[:, None]
    faces = wearer.body.faces
    near = (arm_share() < 0.5) & (wearer.drop < 0.1)
    points, weights = crossings(
        faces[near[faces].all(axis=1)], cut.edges[_NECK_EDGE], [cloth, wearer.body.weights]
    )
    x, y, _ = (points - middle).T
    around = np.arctan2(x, -y)
    order = np.argsort(around, kind="stable")
    columns = [
        np.interp(angles, around[order], points[order, axis], period=2 * np.pi) for axis in range(3)
    ]
    turned = (angles + np.pi) % (2 * np.pi) - np.pi
    nearest = order[np.clip(np.searchsorted(around[order], turned), 0, len(order) - 1)]
    outwards = np.stack([np.sin(angles), -np.cos(angles), np.zeros_like(angles)], axis=1)
    return np.stack(columns, axis=1), weights[nearest], outwards


def _strip(points: FloatArray, weights: FloatArray, layer: int, *, closed: bool = False) -> Piece:
    rows, columns = points.shape[:2]
    around = np.linspace(0, 0.9, columns)[None] + np.zeros((rows, 1))
    down = np.linspace(0, -0.08, rows)[:, None] + np.zeros((1, columns))
    return two_sided(
        sheet(
            points.astype(np.float32),
            np.stack([around, down / TEXTURE_SPAN_M], axis=2).astype(np.float32),
            np.repeat(weights[None], rows, axis=0),
            layer=layer,
            closed=closed,
        )
    )


def make_collar(wearer: Wearer, cut: Cut, *, layer: int, high_m: float) -> Piece:
    """A collar that stands up from the neckline and folds over.

    Args:
        wearer: Who wears it.
        cut: The garment's pattern.
        layer: Its texture.
        high_m: How high it stands, metres on a usual adult.
    """
    scale = wearer.scale
    angles = np.linspace(0.16, 2 * np.pi - 0.16, 36)
    base, weights, out = _neck_ring(wearer, cut, angles)
    front = smoothstep(1.2, 0.3, np.minimum(angles, 2 * np.pi - angles))[:, None]
    up = np.array([0, -0.25, 0.97])
    high = high_m * scale * (1 - 0.45 * front)
    fall = scale * (0.010 + 0.030 * front)
    points = np.stack(
        [
            base + out * 0.002 - up * 0.004,
            base + up * high - out * 0.002,
            base + up * (high + 0.003) + out * 0.004,
            base + up * (high * 0.5) + out * (0.012 * scale),
            base - up * fall + out * (0.016 * scale) + np.array([0, -0.006, 0]) * front,
        ]
    )
    return _strip(points[::-1], weights, layer)


def make_lapels(wearer: Wearer, cut: Cut, *, layer: int) -> Piece:
    """Lapels along a deep opening in front, and the collar that goes on from them."""
    scale = wearer.scale
    share = np.linspace(-1, 1, 44)
    bend = np.sign(share) * (1 - (1 - np.abs(share)) ** 1.6)
    angles = np.pi + bend * (np.pi - 0.035)
    base, weights, out = _neck_ring(wearer, cut, angles)
    depth = (wearer.head("neck01")[2] - base[:, 2])[:, None] / scale
    lapel = smoothstep(0.03, 0.10, depth)
    width = scale * (0.045 + 0.022 * lapel) * smoothstep(0.315, 0.20, depth)
    side = np.sign(base[:, :1]) * np.array([[1.0, 0, 0.25]])
    ways = out * (1 - lapel) + side * lapel
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    up = np.array([0, -0.2, 0.98]) * (0.022 * scale) * (1 - lapel)
    edge = base + ways * width - up * 0.6
    inner = base + up
    middle = base + ways * width * 0.5 + up * 0.55
    points = np.stack([edge, middle, inner])
    points[:2] = _laid_on(wearer, cut, points[:2].reshape(-1, 3)).reshape(2, -1, 3)
    points[2] += out * 0.003
    return _strip(points, weights, layer)


def _laid_on(wearer: Wearer, cut: Cut, points: FloatArray) -> FloatArray:
    """Points moved so that they lie just outside the cloth."""
    cloth = wearer.positions + wearer.flow * cut.offset[:, None]
    near = np.flatnonzero((wearer.drop < 0.1) & (arm_share() < 0.6) & (cut.cover() > -0.02))
    apart = ((points[:, None] - cloth[near]) ** 2).sum(axis=2)
    nearest = near[np.argmin(apart, axis=1)]
    out = wearer.flow[nearest]
    away = ((points - cloth[nearest]) * out).sum(axis=1, keepdims=True)
    return np.asarray(points + out * (np.clip(away, 0.005, 0.012) - away))


def make_hood(wearer: Wearer, cut: Cut, *, layer: int) -> Piece:
    """A hood that lies on the shoulders and hangs down behind."""
    scale = wearer.scale
    columns, rows = 28, 12
    angles = np.linspace(0.7, 2 * np.pi - 0.7, columns)
    base, weights, out = _neck_ring(wearer, cut, angles)
    back = smoothstep(0.8, np.pi, np.minimum(angles, 2 * np.pi - angles))
    round_ = np.linspace(0, 2 * np.pi, rows)
    thick = scale * (0.014 + 0.024 * back)
    drop = scale * (0.016 + 0.075 * back**2)
    lift = scale * (0.012 + 0.012 * back)
    away, high = np.cos(round_)[:, None], np.sin(round_)[:, None]
    level = np.where(high > 0, high * (lift + thick * 0.6), high * drop)
    points = (
        base
        + out * ((away * thick) + thick * 0.75)[..., None]
        + np.array([0, 0, 1.0]) * (level + lift * 0.5)[..., None]
    )
    down = np.maximum(-level, 0) / scale
    points[..., 1] += 0.25 * down * back
    return _strip(points[::-1], weights, layer)
