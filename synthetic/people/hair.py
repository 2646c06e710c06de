"""Hair: caps shaped on the scalp, and what falls from them."""

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Hair
from synthetic.people.piece import Piece, sheet, two_sided
from synthetic.people.scalp import Scalp, cap, line_at
from synthetic.people.wearer import Wearer, arm_share, smoothstep

__all__ = ["hair_edge", "make_hair"]

FloatArray = NDArray[np.floating]

_SHORT = (
    *((0, 0.070), (25, 0.066), (42, 0.058), (55, 0.034), (64, 0.012), (72, -0.012)),
    *((80, -0.012), (86, 0.022), (112, 0.022), (122, -0.012), (140, -0.05), (180, -0.062)),
)
_FULL = (
    *((0, 0.066), (25, 0.060), (45, 0.046), (60, 0.016), (72, -0.02), (112, -0.02)),
    *((130, -0.04), (180, -0.062)),
)
"""Hairlines: degrees from the front, metres above the pupils; the ear is at 85-118 degrees."""
_FRINGE_M = 0.034
_FALL_COLUMNS = 30
_FALL_ROWS = 14


def hair_edge(scalp: Scalp, hair: Hair) -> FloatArray:
    """Metres inside the hairline, float32 (V,)."""
    line = line_at(scalp.azimuth, _FULL if hair.style in ("bob", "long") else _SHORT)
    if hair.style in ("bob", "long") and round(hair.length * 1000) % 3 == 0:
        line -= _FRINGE_M * smoothstep(58, 40, scalp.azimuth)
    ragged = 0.0022 * np.sin(0.9 * scalp.azimuth) + 0.0015 * np.sin(0.37 * scalp.azimuth + 1)
    return np.asarray((scalp.height - line + ragged) * scalp.size, np.float32)


def make_hair(
    wearer: Wearer,
    scalp: Scalp,
    hair: Hair,
    *,
    under: FloatArray | None,
    cloth: FloatArray,
    layer: int,
) -> list[Piece]:
    """The hair of a head, no piece for a bald one.

    Args:
        wearer: Whose head.
        scalp: The same head, measured.
        hair: How it is worn.
        under: float32 (V,), metres inside a hat or cap.
        cloth: float32 (V, 3), the body's points moved out to the outermost cloth.
        layer: The texture of hair.
    """
    if hair.style == "bald":
        return []
    edge = hair_edge(scalp, hair)
    offset = _volume(scalp, hair, edge)
    edges = [edge]
    if under is not None:
        offset = np.minimum(offset, np.where(under > -0.012, 0.004, 0.012)).astype(np.float32)
        edges.append((0.02 - under).astype(np.float32))
    pieces = [cap(wearer, scalp, edges, offset, layer=layer, repeat=2)]
    if hair.style in ("bob", "long"):
        pieces.append(_falling(wearer, scalp, hair, cloth, layer))
    elif hair.style == "ponytail":
        pieces.append(_tail(wearer, scalp, hair, layer))
    elif hair.style == "bun":
        pieces.append(_bun(wearer, scalp, layer, low=under is not None))
    return pieces


def _volume(scalp: Scalp, hair: Hair, edge: FloatArray) -> FloatArray:
    """Metres between skin and hair."""
    top = smoothstep(0.03, 0.085, scalp.height)
    least, high = {
        "short": (0.004 + 0.006 * hair.length, 0.008 + 0.018 * hair.length),
        "bob": (0.014, 0.018),
        "long": (0.011, 0.014),
    }.get(hair.style, (0.005, 0.007))
    offset = least + (high - least) * top
    taper = 0.3 + 0.7 * smoothstep(0.0, 0.018, edge)
    phase = 7 * hair.length
    locks = np.sin(np.radians(scalp.azimuth) * 9 + phase) * np.sin(scalp.height * 130 + phase)
    return np.asarray(offset * taper * (1 + 0.12 * locks) * scalp.size, np.float32)


def _head_weights(wearer: Wearer, shape: tuple[int, ...], trunk: FloatArray) -> FloatArray:
    """Weights that go over from the head (0) to the upper back (1)."""
    weights = np.zeros((*shape, len(wearer.body.bones)), np.float32)
    weights[..., wearer.body.bones.index("head")] = 1 - trunk
    weights[..., wearer.body.bones.index("spine01")] = trunk
    return weights


def _falling(wearer: Wearer, scalp: Scalp, hair: Hair, cloth: FloatArray, layer: int) -> Piece:
    """Hair that falls from the sides and the back of the head, and lies on the back."""
    size = scalp.size
    long = hair.style == "long"
    lowest = -0.20 - 0.20 * hair.length if long else -0.075 - 0.055 * hair.length
    heights = np.linspace(0.05, lowest, _FALL_ROWS)
    front = np.interp(-heights, (-0.05, 0.02, 0.08, 0.16, 0.24), (70, 64, 72, 112, 132))
    if not long:
        front = np.interp(-heights, (-0.05, 0.02, 0.14), (70, 60, 56))
    across = np.linspace(-1, 1, _FALL_COLUMNS)
    azimuths = np.radians(180 + across * (180 - front[:, None]))  # from the left, over the back
    x, y, z = (cloth - scalp.centre).T / size
    near = (z > lowest - 0.05) & (arm_share() < 0.2)
    near &= (np.arange(len(z)) % 3 == 0) | (z < -0.12)  # a head has points enough
    around, away, level = np.arctan2(x, -y)[near], np.hypot(x, y)[near], z[near]
    radii = np.empty_like(azimuths)
    for row, height in enumerate(heights):
        slab = np.abs(level - height) < 0.035
        turned = np.abs((around[slab] - azimuths[row][:, None] + np.pi) % (2 * np.pi) - np.pi)
        reach = np.where(turned < 0.22, away[slab] * np.cos(turned), 0).max(axis=1, initial=0)
        radii[row] = reach + 0.013
        if row:
            radii[row] = np.maximum(radii[row], radii[row - 1] - (0.006 if long else 0.002))
        else:
            radii[row] -= 0.007
    for _ in range(3):
        wide = np.pad(radii, ((0, 0), (1, 1)), mode="edge")
        radii = np.maximum(radii, 0.25 * wide[:, :-2] + 0.5 * radii + 0.25 * wide[:, 2:])
    locks = (
        0.004 * np.sin(across * 19 + 5 * hair.length) * smoothstep(0.03, -0.06, heights)[:, None]
    )
    radii += locks
    inwards = (
        smoothstep(0.75, 1.0, np.abs(across))[None] * smoothstep(0.02, -0.03, heights)[:, None]
    )
    radii -= 0.012 * inwards
    points = np.stack(
        [np.sin(azimuths) * radii, -np.cos(azimuths) * radii, heights[:, None] + 0 * radii], axis=2
    )
    uvs = np.stack([across + 0 * radii, heights[:, None] / 0.25 + 0 * radii], axis=2)
    trunk = np.repeat(smoothstep(-0.08, -0.24, heights)[:, None], _FALL_COLUMNS, axis=1)
    return two_sided(
        sheet(
            (points * size + scalp.centre).astype(np.float32),
            uvs.astype(np.float32),
            _head_weights(wearer, trunk.shape, trunk),
            layer=layer,
        )
    )


def _tail(wearer: Wearer, scalp: Scalp, hair: Hair, layer: int) -> Piece:
    """A ponytail: a tube that swells below the tie and thins out."""
    rows, columns = 12, 10
    along = np.linspace(0, 1, rows)
    length = 0.17 + 0.13 * hair.length
    back = _back_of_head(wearer, scalp, 0.035)
    bend = 1 - np.exp(-along * 6)
    path = np.stack(
        [
            0 * along,
            back - 0.005 + 0.05 * bend - 0.01 * along,
            0.045 + 0.01 * bend - length * along**1.15,
        ],
        axis=1,
    )
    width = np.interp(along, (0, 0.08, 0.3, 0.75, 1), (0.010, 0.012, 0.026, 0.022, 0.004))
    return _tube(wearer, scalp, path, width, columns, layer, trunk=0.35 * along)


def _bun(wearer: Wearer, scalp: Scalp, layer: int, *, low: bool) -> Piece:
    rows, columns = 9, 12
    height = 0.0 if low else 0.06
    angle = np.linspace(0, np.pi, rows)
    back = _back_of_head(wearer, scalp, height)
    middle = np.array([0, back + 0.014, height + 0.008])
    path = middle + np.stack([0 * angle, 0 * angle, 0.034 * np.cos(angle)], axis=1)
    return _tube(wearer, scalp, path, 0.038 * np.sin(angle), columns, layer, trunk=0 * angle)


def _back_of_head(wearer: Wearer, scalp: Scalp, height: float) -> float:
    """How far behind its middle the head ends at a height, metres for a head of size 1."""
    near = (np.abs(scalp.height - height) < 0.02) & (scalp.azimuth > 160)
    return float((wearer.positions[near, 1].max() - scalp.centre[1]) / scalp.size)


def _tube(
    wearer: Wearer,
    scalp: Scalp,
    path: FloatArray,
    width: FloatArray,
    columns: int,
    layer: int,
    *,
    trunk: FloatArray,
) -> Piece:
    """A tube around a path in the plane of symmetry, round in cross-section."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    forward = np.cross(np.array([1.0, 0, 0]), along)
    angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    points = (
        path[:, None]
        - (width[:, None] * np.sin(angle))[..., None] * np.array([1.0, 0, 0])
        + (width[:, None] * np.cos(angle))[..., None] * forward[:, None]
    )
    flat = np.zeros(points.shape[:2])
    uvs = np.stack([angle / np.pi + flat, np.linspace(1, 0, len(path))[:, None] + flat], axis=2)
    return sheet(
        (points * scalp.size + scalp.centre).astype(np.float32),
        uvs.astype(np.float32),
        _head_weights(wearer, flat.shape, trunk[:, None] + flat),
        layer=layer,
        closed=True,
    )
