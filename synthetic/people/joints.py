"""Turning of joints: rotation matrices, and legs and arms that reach where they are told to.

All bones turn about their own heads in the axes of the body at rest: x to the figure's left, y
backwards, z up. The measures below are of a usual body, in lengths of its leg (hip joint to sole),
so that a pose suits bodies of any size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import acos, atan2, cos, hypot, pi, radians, sin
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANKLE_HEIGHT",
    "HIP_WIDTH",
    "SHANK",
    "SIDES",
    "THIGH",
    "Axis",
    "Foot",
    "Matrix",
    "Rotations",
    "Side",
    "leg",
    "reach_of",
    "rolled",
    "sole_height",
    "turn",
    "turn_about",
]

Matrix = NDArray[np.float64]
Rotations = dict[str, Matrix]
Side = Literal["L", "R"]
Axis = tuple[float, float, float]

SIDES: Mapping[Side, int] = {"L": 1, "R": -1}
"""Endings of the bones' names, and the sign of x on that side."""

HIP_WIDTH = 0.118
ANKLE_HEIGHT = 0.083
"""How far a hip joint lies beside the middle, and an ankle above the sole, in legs."""

_HIP = (HIP_WIDTH, 0.0086, -0.0108)
"""The left hip joint, seen from the root bone's head."""
_THIGH = (0.038, -0.035, -0.454)
_SHANK = (0.045, 0.032, -0.463)
"""From the left hip joint to the knee and from there to the ankle, at rest."""
THIGH = hypot(*_THIGH)
SHANK = hypot(*_SHANK)
_STRAIGHTEST = cos(radians(2.0))

_HEEL = (-0.05, -ANKLE_HEIGHT)
_BALL = (0.155, -0.055)
_TOE = (0.06, -0.028)
"""Forward and up in a flat foot: heel and toes' joint from the ankle, toe tip from that joint."""
_MOST_TOE_BEND_DEG = 40.0


def turn(axis: Literal["x", "y", "z"], angle_deg: float) -> Matrix:
    """The rotation about one axis of the body, float64 (3, 3).

    About x a trunk leans forward and a leg swings back; about y the left side goes down; about z
    the figure turns to its right as far as -90 and to its left as far as 90.

    Args:
        axis: Which axis.
        angle_deg: Right-handed, degrees.
    """
    c, s = cos(radians(angle_deg)), sin(radians(angle_deg))
    if axis == "x":
        return np.array(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
    if axis == "y":
        return np.array(((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)))
    return np.array(((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)))


def turn_about(axis: Axis, angle_deg: float) -> Matrix:
    """The rotation about any axis, float64 (3, 3).

    Args:
        axis: A unit vector.
        angle_deg: Right-handed, degrees.
    """
    x, y, z = axis
    c, s = cos(radians(angle_deg)), sin(radians(angle_deg))
    d = 1.0 - c
    return np.array(
        (
            (c + x * x * d, x * y * d - z * s, x * z * d + y * s),
            (y * x * d + z * s, c + y * y * d, y * z * d - x * s),
            (z * x * d - y * s, z * y * d + x * s, c + z * z * d),
        )
    )


def reach_of(knee_deg: float) -> float:
    """How far an ankle is from its hip joint, in legs, when the knee is bent by so many degrees."""
    square = THIGH**2 + SHANK**2 + 2.0 * THIGH * SHANK * cos(radians(knee_deg))
    return float(square**0.5)


@dataclass(frozen=True, slots=True)
class Foot:
    """Where a foot is, in legs, and how it is turned.

    Args:
        out: Of the ankle to the foot's own side, from the middle of the body.
        forward: Of the ankle, from the hip joints.
        up: Of the ankle, from the ground.
        pitch_deg: Above 0 the toes are up, below 0 the heel is.
        splay_deg: How far the toes, and the knee, point outwards.
    """

    out: float
    forward: float
    up: float
    pitch_deg: float = 0.0
    splay_deg: float = 0.0

    @property
    def toe_bend_deg(self) -> float:
        """How far the toes bend up, so that they lie on the ground while the heel rises."""
        return min(max(-self.pitch_deg, 0.0), _MOST_TOE_BEND_DEG)


def rolled(pitch_deg: float) -> tuple[float, float]:
    """Where the ankle goes, forward and up, when a flat foot rolls on heel or toes without sliding.

    Args:
        pitch_deg: As a :class:`Foot` has it.
    """
    if pitch_deg >= 0:
        ankle = _rotated((-_HEEL[0], -_HEEL[1]), pitch_deg)
        return ankle[0] + _HEEL[0], ankle[1]
    ankle = _rotated((-_BALL[0], -_BALL[1]), pitch_deg)
    toes = _rotated((-_TOE[0], -_TOE[1]), min(0.0, pitch_deg + _MOST_TOE_BEND_DEG))
    return ankle[0] + toes[0] + _BALL[0] + _TOE[0], ankle[1] + toes[1]


def sole_height(foot: Foot) -> float:
    """How high the lowest part of a foot is above the ground, in legs."""
    pitch = foot.pitch_deg
    ball = _rotated(_BALL, pitch)[1]
    tip = ball + _rotated(_TOE, pitch + foot.toe_bend_deg)[1]
    return foot.up + min(_rotated(_HEEL, pitch)[1], tip)


def _rotated(point: tuple[float, float], pitch_deg: float) -> tuple[float, float]:
    c, s = cos(radians(pitch_deg)), sin(radians(pitch_deg))
    return c * point[0] - s * point[1], s * point[0] + c * point[1]


def leg(side: Side, foot: Foot, *, pelvis: Matrix, hip_height: float) -> Rotations:
    """The rotations of one leg's bones that bring its foot where it is to be.

    The leg is a hinge of two parts, so there is one way for the knee to bend; a foot that is too
    far away is reached for with a leg almost straight.

    Args:
        side: Which leg.
        foot: Where its foot is to be.
        pelvis: float64 (3, 3), how the root bone is turned.
        hip_height: Of the hip joints' middle above the ground, in legs.

    Returns:
        Rotations of upperleg01, lowerleg01, foot and the first bones of the toes.
    """
    sign = SIDES[side]
    hip = pelvis @ (sign * _HIP[0], 0.0, 0.0)
    target = (sign * foot.out - hip[0], -foot.forward - hip[1], foot.up - hip_height - hip[2])
    knee_deg, ankle = _bent(sign, hypot(*target))
    hinge = turn("z", sign * foot.splay_deg)
    rest = _frame(ankle, (1.0, 0.0, 0.0))
    aim = _frame(target, (hinge[0, 0], hinge[1, 0], 0.0))
    thigh = pelvis.T @ aim @ rest.T
    knee = turn("x", knee_deg)
    sole = hinge @ turn("x", -foot.pitch_deg)
    toes = turn("x", -foot.toe_bend_deg)
    return {
        f"upperleg01.{side}": thigh,
        f"lowerleg01.{side}": knee,
        f"foot.{side}": (pelvis @ thigh @ knee).T @ sole,
    } | {f"toe{toe}-1.{side}": toes for toe in range(1, 6)}


def _bent(sign: int, distance: float) -> tuple[float, Axis]:
    """How far a knee turns for an ankle at this distance, and where the ankle then is."""
    tx, ty, tz = _THIGH
    sx, sy, sz = _SHANK
    level = (distance**2 - THIGH**2 - SHANK**2) / 2.0 - tx * sx
    along, across = ty * sy + tz * sz, tz * sy - ty * sz
    share = min(max(level / hypot(along, across), -0.9), _STRAIGHTEST)
    angle = atan2(across, along) + acos(share)
    c, s = cos(angle), sin(angle)
    ankle = (sign * (tx + sx), ty + c * sy - s * sz, tz + s * sy + c * sz)
    return angle * 180.0 / pi, ankle


def _frame(along: Axis, hinge: Axis) -> Matrix:
    """A rotation with a direction in its first column and, next to square with it, a hinge."""
    length = hypot(*along)
    ax, ay, az = along[0] / length, along[1] / length, along[2] / length
    dot = ax * hinge[0] + ay * hinge[1] + az * hinge[2]
    hx, hy, hz = hinge[0] - dot * ax, hinge[1] - dot * ay, hinge[2] - dot * az
    length = hypot(hx, hy, hz)
    hx, hy, hz = hx / length, hy / length, hz / length
    return np.array(
        (
            (ax, hx, ay * hz - az * hy),
            (ay, hy, az * hx - ax * hz),
            (az, hz, ax * hy - ay * hx),
        )
    )
