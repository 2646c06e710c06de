"""Bags: backpacks, handbags on a strap, and cases carried in the hand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Carried
from synthetic.people.fabrics import TEXTURE_SPAN_M
from synthetic.people.piece import Piece, join_pieces, sheet, two_sided
from synthetic.people.wearer import Wearer, arm_share, share_of, smoothstep

__all__ = ["HANGERS", "Hanger", "make_bag"]

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Hanger:
    """A point of the body from which a thing hangs upright.

    Args:
        bone: It goes where the head of this bone goes, and turns with the hips about a plumb line.
    """

    bone: str


HANGERS = (
    Hanger("metacarpal2.L"),
    Hanger("metacarpal2.R"),
    Hanger("shoulder01.L"),
    Hanger("shoulder01.R"),
)
"""What things hang from: their weights follow those of the bones, in this order."""


def make_bag(wearer: Wearer, thing: Carried, cloth: FloatArray, *, layer: int) -> Piece:
    """A bag with what it hangs on.

    Args:
        wearer: Who carries it.
        thing: What it is.
        cloth: float32 (V, 3), the body's points moved out to the outermost cloth.
        layer: Its texture.

    Returns:
        A piece whose weights have columns for :data:`HANGERS` after those of the bones.
    """
    if thing.kind == "backpack":
        return _backpack(wearer, thing.size, cloth, layer)
    sign = 1 if thing.side == "left" else -1
    if thing.kind == "handbag":
        return _handbag(wearer, thing.size, cloth, layer, sign)
    return _case(wearer, thing.size, layer, sign)


def _weights(wearer: Wearer, shape: tuple[int, ...], columns: dict[int, float]) -> FloatArray:
    weights = np.zeros((*shape, len(wearer.body.bones) + len(HANGERS)), np.float32)
    for column, share in columns.items():
        weights[..., column] = share
    return weights


def _rounded_box(
    wearer: Wearer,
    half: tuple[float, float, float],
    centre: FloatArray,
    layer: int,
    columns: dict[int, float],
    *,
    roundness: float = 0.35,
) -> Piece:
    """A box with rounded edges."""
    rows, around = 11, 24
    up = np.linspace(np.pi / 2, -np.pi / 2, rows)[:, None]
    turn = np.linspace(0, 2 * np.pi, around)[None]
    side, level = _power(np.maximum(np.cos(up), 0), roundness), _power(np.sin(up), roundness)
    x = half[0] * side * _power(np.sin(turn), roundness)
    y = -half[1] * side * _power(np.cos(turn), roundness)
    z = half[2] * level + 0 * x
    points = np.stack([x, y, z], axis=2) + centre
    uvs = np.stack([turn / (2 * np.pi) + 0 * z, z / TEXTURE_SPAN_M], axis=2)
    weights = _weights(wearer, x.shape, columns)
    return sheet(points.astype(np.float32), uvs.astype(np.float32), weights, layer=layer)


def _power(values: FloatArray, exponent: float) -> FloatArray:
    return np.sign(values) * np.abs(values) ** exponent


def _ribbon(
    path: FloatArray, across: FloatArray, weights: FloatArray, layer: int, *, wide_m: float
) -> Piece:
    """A band along a path, float32 (N, 3), spread across it, float32 (3,) or (N, 3); two-sided."""
    points = path[:, None] + np.array([-0.5, 0, 0.5])[:, None] * wide_m * across[..., None, :]
    lengths = np.linspace(0, 1, len(path))[:, None] + np.zeros((1, 3))
    uvs = np.stack([0 * lengths, lengths], axis=2)
    carried = np.repeat(weights[:, None], 3, axis=1)
    band = sheet(points.astype(np.float32), uvs.astype(np.float32), carried, layer=layer)
    return two_sided(band)


def _backpack(wearer: Wearer, size: float, cloth: FloatArray, layer: int) -> Piece:
    scale = wearer.scale
    bones = wearer.body.bones
    half = (
        (0.125 + 0.035 * size) * scale,
        (0.055 + 0.035 * size) * scale,
        (0.19 + 0.06 * size) * scale,
    )
    shoulder = float(wearer.head("shoulder01.L")[2])
    middle = shoulder - half[2] - 0.01 * scale
    trunk = arm_share() < 0.3
    near = trunk & (np.abs(cloth[:, 0]) < 0.1 * scale) & (np.abs(cloth[:, 2] - middle) < half[2])
    back = float(np.quantile(cloth[near, 1], 0.97))
    carried = {bones.index("spine01"): 0.5, bones.index("spine02"): 0.5}
    centre = np.array([0, back + half[1] * 0.92, middle])
    pocket = np.array([0, back + half[1] * 1.75, middle - half[2] * 0.38])
    pieces = [
        _rounded_box(wearer, half, centre, layer, carried),
        _rounded_box(
            wearer, (half[0] * 0.78, half[1] * 0.4, half[2] * 0.45), pocket, layer, carried
        ),
    ]
    for sign in (1, -1):
        pieces.append(_strap(wearer, cloth, sign, layer))
    return join_pieces(pieces)


def _strap(wearer: Wearer, cloth: FloatArray, sign: int, layer: int) -> Piece:
    """A strap of a backpack, over the shoulder and under the arm."""
    scale = wearer.scale
    beside = 0.088 * scale * sign
    trunk = np.flatnonzero(
        (arm_share() < 0.75)
        & (share_of("head", "neck02", "neck03") < 0.1)
        & (np.abs(cloth[:, 0] - beside) < 0.045 * scale)
    )
    chest = wearer.head("spine01")
    y, z = (cloth[trunk][:, 1:] - chest[1:]).T
    around = np.arctan2(z, y)
    angles = np.linspace(np.radians(15), np.radians(232), 22)  # from behind, over the top
    turned = np.abs((around - angles[:, None] + np.pi) % (2 * np.pi) - np.pi)
    away = np.where(turned < 0.2, np.hypot(y, z) * np.cos(turned), 0).max(axis=1)
    for _ in range(2):
        wide = np.pad(away, 1, mode="edge")
        away = np.maximum(away, 0.25 * wide[:-2] + 0.5 * away + 0.25 * wide[2:])
    away += 0.006
    low = smoothstep(np.radians(150), np.radians(235), angles)
    path = np.stack(
        [
            beside * (1 + 0.55 * low),
            chest[1] + away * np.cos(angles) + 0.03 * scale * low,
            chest[2] + away * np.sin(angles),
        ],
        axis=1,
    )
    apart = ((path[:, None] - cloth[trunk]) ** 2).sum(axis=2)
    weights = _weights(wearer, (len(path),), {})
    weights[:, : len(wearer.body.bones)] = wearer.body.weights[trunk[apart.argmin(axis=1)]]
    return _ribbon(path, np.array([-1.0, 0, 0]), weights, layer, wide_m=0.05 * scale)


def _handbag(wearer: Wearer, size: float, cloth: FloatArray, layer: int, sign: int) -> Piece:
    scale = wearer.scale
    half = (0.045 * scale, (0.12 + 0.05 * size) * scale, (0.09 + 0.05 * size) * scale)
    hip = wearer.height_of(0.10)
    near = (arm_share() < 0.3) & (np.abs(cloth[:, 2] - hip) < half[2] + 0.03)
    wide = float(np.quantile(np.abs(cloth[near, 0]), 0.98))
    shoulder = wearer.head("shoulder01.L" if sign > 0 else "shoulder01.R")
    near_head = share_of("head", "neck02", "neck03") > 0.1
    over = (arm_share() < 0.6) & (np.abs(cloth[:, 0] - shoulder[0]) < 0.03 * scale) & ~near_head
    top = cloth[over][np.argmax(cloth[over, 2])]
    centre = np.array(
        [sign * (wide + half[0] + 0.02 * scale), 0.02 * scale + shoulder[1], hip - 0.02]
    )
    column = len(wearer.body.bones) + (2 if sign > 0 else 3)
    pieces = [_rounded_box(wearer, half, centre, layer, {column: 1.0}, roundness=0.4)]
    for side in (1, -1):
        end = centre + np.array([0, side * half[1] * 0.7, half[2] * 0.8])
        share = np.linspace(0, 1, 9)[:, None]
        peak = top + np.array([0, side * 0.004, 0.012])
        path = peak * (1 - share) + end * share
        outwards = np.sin(np.pi * np.clip(share * 1.1, 0, 1)) * np.array(
            [sign * 0.05 * scale, side * 0.02, 0]
        )
        path = path + outwards
        weights = _weights(wearer, (len(path),), {column: 1.0})
        pieces.append(
            _ribbon(path, np.array([0.6 * side, 0.6, 0.0]), weights, layer, wide_m=0.022 * scale)
        )
    return join_pieces(pieces)


def _case(wearer: Wearer, size: float, layer: int, sign: int) -> Piece:
    scale = max(wearer.scale, 0.8)
    hand = wearer.head("metacarpal2.L" if sign > 0 else "metacarpal2.R")
    palm = hand + np.array([sign * 0.01, -0.03, -0.075]) * wearer.scale
    half = (0.042 * scale, (0.16 + 0.06 * size) * scale, (0.12 + 0.035 * size) * scale)
    centre = palm - np.array([0, 0, half[2] + 0.035 * scale])
    column = len(wearer.body.bones) + (0 if sign > 0 else 1)
    bend = np.linspace(0, np.pi, 9)
    path = centre + np.stack(
        [0 * bend, -0.055 * np.cos(bend), half[2] * 0.9 + 0.05 * np.sin(bend)], axis=1
    )
    weights = _weights(wearer, (len(path),), {column: 1.0})
    return join_pieces(
        [
            _rounded_box(wearer, half, centre, layer, {column: 1.0}, roundness=0.25),
            _ribbon(path, np.array([1.0, 0, 0]), weights, layer, wide_m=0.025 * scale),
        ]
    )
