"""What people do with their arms and hands: swing them, carry and hold things, gesture."""

from dataclasses import dataclass
from functools import lru_cache
from math import hypot
from typing import Literal, NamedTuple

import numpy as np

from synthetic.people.appearance import Carried
from synthetic.people.joints import SIDES, Axis, Matrix, Rotations, Side, turn, turn_about

__all__ = [
    "HANGING",
    "ArmAngles",
    "ArmMode",
    "Arms",
    "arm",
    "draw_arms",
    "hanging",
    "held",
]

ArmMode = Literal[
    "swing", "carry", "pocket", "phone", "strap", "shoulder bag", "crossed", "hips", "talk", "lap"
]


@dataclass(frozen=True, slots=True)
class Arms:
    """What each arm does.

    Args:
        left: The figure's own left arm: "swing" hangs and swings with the steps, "carry" hangs
            straight with a thing in the hand, "strap" holds the strap of a backpack, "shoulder
            bag" that of a bag on this shoulder, "lap" rests on the thigh of who sits.
        right: The other one.
    """

    left: ArmMode = "swing"
    right: ArmMode = "swing"

    def of(self, side: Side) -> ArmMode:
        """What the arm of one side does."""
        return self.left if side == "L" else self.right


HANGING = Arms()
"""Both arms free."""


class ArmAngles(NamedTuple):
    """How an arm is held, in degrees, seen from one that hangs straight down, palm inwards.

    Args:
        forward: Of the upper arm; below 0 it points backwards.
        out: Of the upper arm, sideways.
        inward: How far the forearm, when bent, points to the other side instead of forwards.
        elbow: How far it is bent.
        twist: How far the thumb is turned inwards; below 0 outwards.
        wrist: How far the hand is bent to the palm's side.
        curl: Of the fingers: 0 flat, 1 at ease, 3 a fist.
    """

    forward: float
    out: float
    inward: float
    elbow: float
    twist: float = 0.0
    wrist: float = 0.0
    curl: float = 1.0


_HELD: dict[ArmMode, ArmAngles] = {
    "pocket": ArmAngles(-24.0, 13.0, 34.0, 52.0, 0.0, 0.0, 0.4),
    "phone": ArmAngles(22.0, 6.0, 42.0, 98.0, -60.0, 8.0, 1.6),
    "strap": ArmAngles(-18.0, 10.0, 24.0, 142.0, 40.0, 25.0, 2.6),
    "shoulder bag": ArmAngles(-15.0, 16.0, 16.0, 145.0, 40.0, 25.0, 2.6),
    "crossed": ArmAngles(24.0, 6.0, 72.0, 92.0, 20.0, 0.0, 1.2),
    "hips": ArmAngles(-18.0, 46.0, 60.0, 92.0, 40.0, -30.0, 1.0),
    "talk": ArmAngles(14.0, 12.0, 8.0, 78.0, -35.0, -5.0, 0.8),
    "lap": ArmAngles(22.0, 8.0, 24.0, 58.0, 50.0, 0.0, 0.8),
}
"""How arms that do not hang are held."""

_STRAP_SHARE: dict[Side, float] = {"L": 0.25, "R": 0.15}
"""How many of those with a backpack hold a strap; who holds the right one holds both."""

_UPPER = (0.666, -0.03, -0.746)
_FORE = (0.512, -0.684, -0.52)
_ACROSS = (0.385, 0.821, -0.421)
"""Directions of the left arm at rest: of its two parts, and over the palm, index to little."""
_REST_ELBOW_DEG = 41.5
_CARRYING_DEG = 8.0
"""By how much a straight forearm points further out than the upper arm."""
_FINGERS = {2: 0.85, 3: 1.0, 4: 1.1, 5: 1.2}
_THUMB_DEG = 28.0
"""How far the thumb lies nearer to the other fingers than at rest."""
_FINGER_JOINTS_DEG = (16.0, 24.0, 14.0)


def hanging(swing_deg: float, *, elbow_deg: float, out_deg: float) -> ArmAngles:
    """How a free arm is held; the elbow bends more the further it is before the body.

    Args:
        swing_deg: How far the upper arm is before the body, below 0 behind it.
        elbow_deg: How far the elbow is bent in the middle of the swing.
        out_deg: How far the arm stands off the body.
    """
    elbow = max(4.0, elbow_deg + 0.45 * swing_deg)
    return ArmAngles(swing_deg, out_deg, 5.0, elbow, 8.0, 4.0, 1.0)


def held(mode: ArmMode, *, free: ArmAngles) -> ArmAngles:
    """How an arm is held for what it does.

    Args:
        mode: What it does.
        free: How it would be held if it did nothing.
    """
    if mode == "swing":
        return free
    if mode == "carry":
        return ArmAngles(0.25 * free.forward, free.out + 2.0, 6.0, 7.0, 6.0, 0.0, 2.6)
    angles = _HELD[mode]
    return angles._replace(forward=angles.forward + 0.12 * free.forward)


def arm(side: Side, angles: ArmAngles) -> Rotations:
    """The rotations of one arm's bones, seen from the chest.

    Args:
        side: Which arm.
        angles: How it is held.

    Returns:
        Rotations of upperarm01, lowerarm01, lowerarm02, wrist and the fingers' bones.
    """
    sign = SIDES[side]
    hinge, fore, across, aside, down = _rest_axes(side)
    upper = turn("y", -sign * angles.out) @ turn("x", -angles.forward)
    upper = upper @ turn("z", -sign * angles.inward) @ down
    half_twist = turn_about(fore, sign * 0.5 * angles.twist)
    return {
        f"upperarm01.{side}": upper,
        f"lowerarm01.{side}": turn_about(hinge, angles.elbow - _REST_ELBOW_DEG)
        @ turn_about(aside, sign * _CARRYING_DEG),
        f"lowerarm02.{side}": half_twist,
        f"wrist.{side}": half_twist @ turn_about(across, sign * angles.wrist),
        **_fingers(side, angles.curl),
    }


@lru_cache(maxsize=2)
def _rest_axes(
    side: Side,
) -> tuple[Axis, Axis, Axis, Axis, Matrix]:
    """At rest: the elbow's axis, the forearm, the palm, the elbow's other axis; how it hangs."""
    mirror = np.array((SIDES[side], 1.0, 1.0))
    upper, fore, across = (_unit(np.array(axis) * mirror) for axis in (_UPPER, _FORE, _ACROSS))
    hinge = _unit(np.cross(upper, fore))
    rest = np.column_stack((upper, hinge, np.cross(upper, hinge)))
    hangs, bends = np.array((0.0, 0.0, -1.0)), np.array((-1.0, 0.0, 0.0))
    aim = np.column_stack((hangs, bends, np.cross(hangs, bends)))
    aside = np.cross(hinge, fore)
    return _axis(hinge), _axis(fore), _axis(across), _axis(aside), aim @ rest.T


def _axis(vector: Matrix) -> Axis:
    x, y, z = vector.tolist()
    return x, y, z


def _unit(vector: Matrix) -> Matrix:
    return vector / hypot(*vector.tolist())


@lru_cache(maxsize=64)
def _fingers(side: Side, curl: float) -> Rotations:
    """The rotations of a hand's fingers."""
    sign = SIDES[side]
    _, fore, across, _, _ = _rest_axes(side)
    palm = _axis(_unit(np.cross(across, fore)))
    bones: Rotations = {f"finger1-1.{side}": turn_about(palm, -_THUMB_DEG)}
    for finger, share in _FINGERS.items():
        for joint, angle_deg in enumerate(_FINGER_JOINTS_DEG, start=1):
            bones[f"finger{finger}-{joint}.{side}"] = turn_about(
                across, sign * share * curl * angle_deg
            )
    return bones


def draw_arms(generator: np.random.Generator, *, carried: tuple[Carried, ...]) -> Arms:
    """What a person's arms do.

    Args:
        generator: Where it is drawn from.
        carried: The things the person carries, which keep a hand where they are held.
    """
    modes: dict[Side, ArmMode] = {side: _draw_mode(generator) for side in SIDES}
    names: dict[Side, str] = {"L": "left", "R": "right"}
    for thing in carried:
        chance = generator.random()
        for side, name in names.items():
            if thing.side not in (name, "both"):
                continue
            if thing.kind == "case":
                modes[side] = "carry"
            elif thing.kind == "handbag" and chance < 0.45:
                modes[side] = "shoulder bag"
            elif thing.kind == "backpack" and chance < _STRAP_SHARE[side]:
                modes[side] = "strap"
    return Arms(modes["L"], modes["R"])


def _draw_mode(generator: np.random.Generator) -> ArmMode:
    drawn = generator.random()
    if drawn < 0.82:
        return "swing"
    return "pocket" if drawn < 0.92 else "phone"
