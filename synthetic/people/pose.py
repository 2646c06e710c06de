"""Poses of a body: walking, running, standing, sitting down, and what lies between two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, isfinite, pi, sin

import numpy as np

from everyid.errors import ConfigError
from synthetic.people.appearance import Carried
from synthetic.people.arms import HANGING, ArmAngles, Arms, arm, draw_arms, hanging, held
from synthetic.people.gait import (
    Gait,
    Stride,
    foot_at,
    hip_height_at,
    running_stride,
    walking_stride,
)
from synthetic.people.joints import (
    ANKLE_HEIGHT,
    HIP_WIDTH,
    SIDES,
    Foot,
    Matrix,
    Rotations,
    Side,
    leg,
    reach_of,
    sole_height,
    turn,
)

__all__ = [
    "Pose",
    "Stand",
    "blend",
    "draw_pose",
    "draw_stand",
    "running",
    "sitting_down",
    "standing",
    "walking",
]


@dataclass(frozen=True, slots=True)
class Pose:
    """How a body is held.

    Args:
        rotations: float64 (3, 3) a bone: its turn about its own head at rest, in the body's axes
            (x to the figure's left, y backwards, z up); what is missing does not turn. A bone
            takes along all that hangs on it.
        lift_m: How high the lowest point of the body is above the ground, metres.
        back_m: How far the whole figure is to be moved backwards for its feet to stay where they
            stand, metres; above 0 only for one who sits down.
    """

    rotations: Mapping[str, Matrix]
    lift_m: float = 0.0
    back_m: float = 0.0


@dataclass(frozen=True, slots=True)
class _Trunk:
    """Turns of hips, chest and head, degrees; to the left, forward and down are positive."""

    hip_turn: float = 0.0
    hip_list: float = 0.0
    chest_turn: float = 0.0
    lean: float = 0.0
    slouch: float = 0.0
    head_turn: float = 0.0
    head_pitch: float = 0.0

    def pelvis(self) -> Matrix:
        """How the root bone is turned."""
        return turn("z", self.hip_turn) @ turn("y", self.hip_list) @ turn("x", 0.4 * self.lean)

    def rotations(self) -> Rotations:
        """Rotations of the spine, the neck and the head."""
        part = (
            turn("z", (self.chest_turn - self.hip_turn) / 3.0)
            @ turn("y", -self.hip_list / 3.0)
            @ turn("x", 0.2 * self.lean)
        )
        back = turn("x", 0.5 * self.slouch)
        bent = self.head_pitch - self.lean - self.slouch
        neck = turn("x", 0.7 * self.slouch + 0.3 * bent)
        head = turn("z", 0.6 * (self.head_turn - self.chest_turn)) @ turn(
            "x", 0.7 * bent - 0.7 * self.slouch
        )
        return {
            "root": self.pelvis(),
            "spine04": part,
            "spine03": part,
            "spine02": part @ back,
            "spine01": back,
            "neck01": turn("z", 0.4 * (self.head_turn - self.chest_turn)) @ neck,
            "head": head,
        }


def _checked(name: str, number: float, least: float, most: float) -> float:
    """The number, if it lies within its range.

    Raises:
        ConfigError: It does not.
    """
    if not least <= number <= most:
        raise ConfigError(f"{name}: expected {least:g} to {most:g}, got {number}")
    return number


def _checked_phase(phase: float) -> float:
    if not isfinite(phase):
        raise ConfigError(f"phase: expected a finite number of cycles, got {phase}")
    return phase


def walking(phase: float, *, gait: Gait, arms: Arms = HANGING) -> Pose:
    """The pose of one who walks.

    Args:
        phase: Cycles of two steps, any number; at 0 the left heel comes down, at 0.5 the right.
            It grows by 1 with every ``gait.cycle_m`` metres.
        gait: The person's manner.
        arms: What the arms do; one that holds a telephone bows the head too.

    Raises:
        ConfigError: The phase is not finite.
    """
    stride = walking_stride(gait)
    angle = 2.0 * pi * _checked_phase(phase)
    pace = stride.cycle / 1.5
    turned, pitched = _regard(arms)
    trunk = _Trunk(
        hip_turn=-gait.hip_turn_deg * pace * cos(angle),
        hip_list=-gait.hip_sway_deg * cos(angle - 0.36 * pi),
        chest_turn=gait.hip_turn_deg * pace * cos(angle - 0.1 * pi),
        lean=gait.lean_deg + 0.8 * cos(2.0 * angle),
        slouch=gait.slouch_deg,
        head_turn=turned,
        head_pitch=gait.head_pitch_deg + pitched,
    )
    rotations = _strode(stride, phase, trunk)
    for side, sign in SIDES.items():
        swing_deg = gait.arm_swing_deg * (1.0 + sign * gait.asymmetry) * pace
        swung = -3.0 - sign * swing_deg * cos(angle - 0.08 * pi)
        free = hanging(swung, elbow_deg=gait.elbow_deg, out_deg=gait.arm_out_deg)
        rotations |= arm(side, _upright(held(arms.of(side), free=free), trunk))
    return Pose(rotations)


def running(phase: float, *, gait: Gait, arms: Arms = HANGING) -> Pose:
    """The pose of one who runs, in flight twice a cycle.

    Args:
        phase: Cycles of two steps, any number; at 0 the left foot comes down, at 0.5 the right.
            It grows by 1 with every ``gait.run_cycle_m`` metres.
        gait: The person's manner.
        arms: What the arms do.

    Raises:
        ConfigError: The phase is not finite.
    """
    stride = running_stride(gait)
    angle = 2.0 * pi * _checked_phase(phase)
    trunk = _Trunk(
        hip_turn=-7.0 * cos(angle),
        hip_list=-gait.hip_sway_deg * cos(angle - 0.3 * pi),
        chest_turn=9.0 * cos(angle - 0.1 * pi),
        lean=gait.lean_deg + 7.0,
        slouch=0.6 * gait.slouch_deg,
        head_pitch=gait.head_pitch_deg,
    )
    rotations = _strode(stride, phase, trunk)
    for side, sign in SIDES.items():
        swing_deg = 1.7 * gait.arm_swing_deg * (1.0 + sign * gait.asymmetry)
        swung = -12.0 - sign * swing_deg * cos(angle - 0.08 * pi)
        free = ArmAngles(swung, gait.arm_out_deg + 5.0, 20.0, 88.0 + 0.3 * swung, 0.0, 0.0, 2.2)
        rotations |= arm(side, held(arms.of(side), free=free))
    lowest = min(sole_height(foot_at(stride, phase + shift)) for shift in (0.0, 0.5))
    return Pose(rotations, lift_m=max(0.0, lowest) * gait.leg_m)


def _strode(stride: Stride, phase: float, trunk: _Trunk) -> Rotations:
    """Rotations of trunk and legs in the middle of a stride."""
    height = hip_height_at(stride, phase)
    rotations = trunk.rotations()
    pelvis = rotations["root"]
    for side in SIDES:
        foot = foot_at(stride, phase if side == "L" else phase + 0.5)
        rotations |= leg(side, foot, pelvis=pelvis, hip_height=height)
    return rotations


def _upright(angles: ArmAngles, trunk: _Trunk) -> ArmAngles:
    """The same arm, hanging as before though the trunk leans."""
    return angles._replace(forward=angles.forward + trunk.lean + trunk.slouch)


def _regard(arms: Arms) -> tuple[float, float]:
    """How far the head turns and bows to what the hands do."""
    left, right = arms.left == "phone", arms.right == "phone"
    return 8.0 * (left - right), 24.0 if left or right else 0.0


@dataclass(frozen=True, slots=True)
class Stand:
    """One way of standing about.

    Args:
        weight: Which leg bears the weight: 1 the left, -1 the right, 0 both.
        width_m: Between the ankles, metres.
        forward_m: How far the left foot is before the right one, metres.
        splay_deg: How far each foot points outwards, left and right.
        look_deg: How far the head is turned to the left and bowed, in the middle.
        roam_deg: How far the head looks about from there.
        arms: What the arms do.
    """

    weight: float
    width_m: float
    forward_m: float
    splay_deg: tuple[float, float]
    look_deg: tuple[float, float]
    roam_deg: float
    arms: Arms


_WALK_SHARE, _RUN_SHARE, _SIT_SHARE = 0.72, 0.03, 0.02

_STANDING_ARMS: tuple[tuple[float, Arms], ...] = (
    (0.45, HANGING),
    (0.57, Arms("pocket", "pocket")),
    (0.63, Arms("pocket", "swing")),
    (0.69, Arms("swing", "pocket")),
    (0.77, Arms("crossed", "crossed")),
    (0.82, Arms("hips", "hips")),
    (0.89, Arms("swing", "phone")),
    (0.93, Arms("phone", "phone")),
    (0.97, Arms("swing", "talk")),
    (1.0, Arms("talk", "talk")),
)
"""What people who stand do with free arms, by the share of people up to there."""


def draw_stand(generator: np.random.Generator, *, gait: Gait, arms: Arms = HANGING) -> Stand:
    """One way of standing about.

    Args:
        generator: Where it is drawn from.
        gait: The person's manner.
        arms: What the arms do while walking; one that swings there may do anything here.
    """
    drawn = generator.random(8).tolist()
    chosen = next(candidate for share, candidate in _STANDING_ARMS if drawn[0] <= share)
    if arms != HANGING:
        chosen = arms
    weight = (0.0, 0.0, 1.0, -1.0)[int(drawn[1] * 4)] * (0.6 + 0.4 * drawn[2])
    roam_deg = 45.0 * drawn[3] if drawn[3] > 0.5 else 4.0
    return Stand(
        weight=weight,
        width_m=gait.leg_m * (0.17 + 0.12 * drawn[4]),
        forward_m=gait.leg_m * 0.12 * (drawn[5] - 0.5),
        splay_deg=(gait.splay_deg + 8.0 * drawn[6], gait.splay_deg + 8.0 * drawn[7]),
        look_deg=(50.0 * (drawn[4] - 0.5) * drawn[6], gait.head_pitch_deg + 10.0 * drawn[5] - 4.0),
        roam_deg=roam_deg,
        arms=chosen,
    )


def standing(phase: float, *, gait: Gait, stand: Stand) -> Pose:
    """The pose of one who stands; the feet stay, trunk and head sway.

    Args:
        phase: Cycles of a slow sway, some 6 seconds each, any number.
        gait: The person's manner.
        stand: The way of standing.

    Raises:
        ConfigError: The phase is not finite.
    """
    angle = 2.0 * pi * _checked_phase(phase)
    turned, pitched = _regard(stand.arms)
    roam = 0.0 if pitched else stand.roam_deg * sin(angle)
    trunk = _Trunk(
        hip_turn=0.6 * cos(angle),
        hip_list=-5.0 * stand.weight,
        chest_turn=0.15 * roam + 1.2 * sin(angle + 0.7),
        lean=0.5 * gait.lean_deg + 0.6 * sin(2.0 * angle),
        slouch=gait.slouch_deg,
        head_turn=turned + roam + stand.look_deg[0] * (pitched == 0.0),
        head_pitch=stand.look_deg[1] + pitched,
    )
    rotations = trunk.rotations()
    rotations |= _planted(stand, gait, rotations["root"])
    for side in SIDES:
        free = hanging(-2.0 + sin(angle), elbow_deg=0.9 * gait.elbow_deg, out_deg=gait.arm_out_deg)
        angles = held(stand.arms.of(side), free=free)
        if stand.arms.of(side) == "talk":
            beat = sin(3.0 * angle + SIDES[side])
            angles = angles._replace(elbow=angles.elbow + 16.0 * beat, out=angles.out + 5.0 * beat)
        rotations |= arm(side, _upright(angles, trunk))
    return Pose(rotations)


def _planted(stand: Stand, gait: Gait, pelvis: Matrix) -> Rotations:
    """Rotations of the legs of one who stands, the hips over the leg that bears the weight."""
    half = 0.5 * stand.width_m / gait.leg_m
    shift = 0.55 * half * stand.weight
    feet: dict[Side, Foot] = {}
    for side, sign in SIDES.items():
        forward = 0.5 * sign * stand.forward_m / gait.leg_m + 0.02
        splay_deg = stand.splay_deg[0 if side == "L" else 1]
        feet[side] = Foot(half - sign * shift, forward, ANKLE_HEIGHT, 0.0, splay_deg)
    heights = []
    for side, foot in feet.items():
        hip = pelvis @ (SIDES[side] * HIP_WIDTH, 0.0, 0.0)
        aside = abs(hip[0]) - foot.out
        square = reach_of(5.0) ** 2 - aside**2 - (foot.forward + hip[1]) ** 2
        heights.append(foot.up + square**0.5 - hip[2])
    height = float(min(heights))
    return leg("L", feet["L"], pelvis=pelvis, hip_height=height) | leg(
        "R", feet["R"], pelvis=pelvis, hip_height=height
    )


def sitting_down(
    progress: float, *, gait: Gait, seat_height_m: float = 0.45, arms: Arms = HANGING
) -> Pose:
    """The pose of one who goes from standing to sitting; the feet stay where they are.

    Args:
        progress: 0 stands to 1 sits.
        gait: The person's manner.
        seat_height_m: Of the seat above the ground, 0.2 to 0.8 metres.
        arms: What the arms do; free hands go to the thighs.

    Raises:
        ConfigError: A value is out of its range.
    """
    share = _checked("progress", progress, 0.0, 1.0)
    seat = _checked("seat_height_m", seat_height_m, 0.2, 0.8) / gait.leg_m + 0.1
    down = share * share * (3.0 - 2.0 * share)
    turned, pitched = _regard(arms)
    trunk = _Trunk(
        lean=0.5 * gait.lean_deg * (1.0 - down) + 34.0 * sin(pi * share) - 4.0 * down,
        slouch=gait.slouch_deg + 4.0 * down,
        head_turn=turned,
        head_pitch=gait.head_pitch_deg + pitched + 12.0 * sin(pi * share),
    )
    rotations = trunk.rotations()
    tallest = ANKLE_HEIGHT + reach_of(6.0) * 0.998
    height = tallest + (min(seat, tallest) - tallest) * down
    forward = 0.45 * down * min(1.0, (tallest - seat) / 0.35)
    for side in SIDES:
        foot = Foot(0.1, forward, ANKLE_HEIGHT, 0.0, gait.splay_deg)
        rotations |= leg(side, foot, pelvis=rotations["root"], hip_height=height)
        free = hanging(-2.0, elbow_deg=gait.elbow_deg, out_deg=gait.arm_out_deg)
        lap = held("lap", free=free)
        free = ArmAngles(*(a + (b - a) * down for a, b in zip(free, lap, strict=True)))
        rotations |= arm(side, held(arms.of(side), free=free))
    return Pose(rotations, back_m=forward * gait.leg_m)


def draw_pose(
    generator: np.random.Generator, gait: Gait, *, carried: tuple[Carried, ...] = ()
) -> Pose:
    """A pose as a photograph of a street finds it: most walk, some stand, few run or sit down.

    Args:
        generator: Where it is drawn from.
        gait: The person's manner.
        carried: The things the person carries.
    """
    arms = draw_arms(generator, carried=carried)
    phase, drawn = generator.random(2).tolist()
    stand = draw_stand(generator, gait=gait, arms=arms)
    if drawn < _WALK_SHARE:
        return walking(phase, gait=gait, arms=arms)
    if drawn < _WALK_SHARE + _RUN_SHARE:
        return running(phase, gait=gait, arms=arms)
    if drawn > 1 - _SIT_SHARE:
        return sitting_down(0.15 + 0.5 * phase, gait=gait, arms=arms)
    return standing(phase, gait=gait, stand=stand)


def blend(first: Pose, second: Pose, weight: float) -> Pose:
    """A pose between two: every bone turns the shortest way at an even pace.

    Args:
        first: What weight 0 gives.
        second: What weight 1 gives.
        weight: 0 to 1.

    Raises:
        ConfigError: The weight is out of its range.
    """
    share = _checked("weight", weight, 0.0, 1.0)
    bones = list(dict.fromkeys((*first.rotations, *second.rotations)))
    still = np.eye(3)
    start = np.stack([first.rotations.get(bone, still) for bone in bones])
    end = np.stack([second.rotations.get(bone, still) for bone in bones])
    between = start @ _powers(start.transpose(0, 2, 1) @ end, share)
    return Pose(
        dict(zip(bones, between, strict=True)),
        lift_m=first.lift_m + (second.lift_m - first.lift_m) * share,
        back_m=first.back_m + (second.back_m - first.back_m) * share,
    )


def _powers(matrices: Matrix, power: float) -> Matrix:
    """Rotations about the same axes, float64 (N, 3, 3), by a share of the angle."""
    twice = np.stack(
        (
            matrices[:, 2, 1] - matrices[:, 1, 2],
            matrices[:, 0, 2] - matrices[:, 2, 0],
            matrices[:, 1, 0] - matrices[:, 0, 1],
        ),
        axis=1,
    )
    length = np.linalg.norm(twice, axis=1)
    angles = np.arctan2(length, np.trace(matrices, axis1=1, axis2=2) - 1.0) * power
    axes = twice / np.maximum(length, 1e-12)[:, None]
    cross = np.zeros_like(matrices)
    cross[:, (2, 0, 1), (1, 2, 0)] = axes
    cross[:, (1, 2, 0), (2, 0, 1)] = -axes
    sines, cosines = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.asarray(np.eye(3) + sines * cross + (1.0 - cosines) * (cross @ cross))
