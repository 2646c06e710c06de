"""How one person walks and runs: their manner, and the way of their feet over the ground."""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, radians, sin

import numpy as np

from everyid.errors import ConfigError
from synthetic.people.appearance import AgeGroup
from synthetic.people.joints import HIP_WIDTH, Foot, reach_of, rolled

__all__ = [
    "Gait",
    "Stride",
    "draw_gait",
    "foot_at",
    "hip_height_at",
    "leg_length_m",
    "running_stride",
    "walking_stride",
]


@dataclass(frozen=True, slots=True)
class Gait:
    """The manner in which one person moves.

    Args:
        leg_m: Hip joint to sole, metres; the nearer to that of the body to be posed, the less do
            its feet slide (1 % is 7 mm a step).
        cadence_hz: Steps a second when walking.
        cycle_m: What two steps cover when walking, metres.
        run_cadence_hz: Steps a second when running.
        run_cycle_m: What two steps cover when running, metres.
        arm_swing_deg: How far an arm swings to each side of its middle.
        elbow_deg: How far the elbow of a hanging arm is bent.
        arm_out_deg: How far a hanging arm stands off the body.
        lean_deg: How far the trunk leans forward.
        slouch_deg: How far the upper back is bent and the head pushed forward.
        splay_deg: How far the feet point outwards.
        step_width_m: Between the lines of the left and the right ankle, metres.
        hip_sway_deg: How far the hips go down on the side of the lifted foot.
        hip_turn_deg: How far the hips turn with each step; the shoulders turn against them.
        head_pitch_deg: How far the head is bowed; below 0 it is held up.
        asymmetry: -1 to 1: by what share the left arm swings more, and the right one less.
    """

    leg_m: float
    cadence_hz: float = 1.85
    cycle_m: float = 1.4
    run_cadence_hz: float = 2.7
    run_cycle_m: float = 2.2
    arm_swing_deg: float = 20.0
    elbow_deg: float = 16.0
    arm_out_deg: float = 9.0
    lean_deg: float = 3.0
    slouch_deg: float = 4.0
    splay_deg: float = 7.0
    step_width_m: float = 0.13
    hip_sway_deg: float = 3.5
    hip_turn_deg: float = 4.5
    head_pitch_deg: float = 3.0
    asymmetry: float = 0.0

    @property
    def speed_m_s(self) -> float:
        """How fast the figure must walk for its feet not to slide, metres a second."""
        return self.cadence_hz * self.cycle_m / 2.0

    @property
    def run_speed_m_s(self) -> float:
        """How fast the figure must run for its feet not to slide, metres a second."""
        return self.run_cadence_hz * self.run_cycle_m / 2.0


@dataclass(frozen=True, slots=True)
class Stride:
    """The way of a foot through one cycle, in legs, degrees and shares of the cycle.

    The foot comes down at 0. A time is a share of the cycle, or of the swing where said so.

    Args:
        cycle: What two steps cover.
        out: Of the ankle from the middle of the body.
        splay_deg: How far the feet point outwards.
        front: How far before the hip joints a flat foot would be when it comes down.
        stance: When the foot leaves the ground.
        flat_at: When the whole sole is on the ground.
        rise_at: When the heel leaves the ground.
        rise_power: The heel rises with this power of time.
        strike_deg: Pitch of the foot when it comes down.
        off_deg: Pitch of the foot when it leaves the ground.
        middle_at: When in its swing the foot is as the next two say.
        middle_up: Height of the ankle then.
        middle_deg: Pitch of the foot then.
        hurry: How fast it then goes down and turns: multiples of its mean over the swing.
        retreat: How fast the foot goes back just before it comes down, of the ground's speed.
        bob: How far the hip joints go up and down from their mean height.
        highest_at: When they are highest.
        least_knee_deg: How straight a knee gets; the hips are as high as that allows.
    """

    cycle: float
    out: float
    splay_deg: float
    front: float
    stance: float
    flat_at: float
    rise_at: float
    rise_power: float
    strike_deg: float
    off_deg: float
    middle_at: float
    middle_up: float
    middle_deg: float
    hurry: tuple[float, float]
    retreat: float
    bob: float
    highest_at: float
    least_knee_deg: float


def leg_length_m(height_m: float, *, age_group: AgeGroup) -> float:
    """The usual length of a leg, hip joint to sole, metres.

    Args:
        height_m: Of the person, 0.9 to 2.3.
        age_group: Children's legs grow with their height, and little beyond.

    Raises:
        ConfigError: Nobody is that small or tall.
    """
    if not 0.9 <= height_m <= 2.3:
        raise ConfigError(f"height_m: expected 0.9 to 2.3 metres, got {height_m}")
    share, slope = (0.531, 0.036) if age_group == "child" else (0.527, 0.075)
    return height_m * (share + slope * (height_m - 1.65))


_STEP_OF_HEIGHT = {"child": 0.425, "teenager": 0.415, "adult": 0.41, "senior": 0.365}
_CADENCE_HZ = {"child": 2.05, "teenager": 1.87, "adult": 1.84, "senior": 1.72}
_SLOUCH_DEG = {"child": 2.0, "teenager": 6.0, "adult": 5.0, "senior": 11.0}
_SLOWEST_M_S, _FASTEST_M_S = 0.8, 1.7


def draw_gait(generator: np.random.Generator, *, age_group: AgeGroup, height_m: float) -> Gait:
    """One person's manner of moving.

    Args:
        generator: Where it is drawn from.
        age_group: The old take shorter and slower steps and stoop; children take quick ones.
        height_m: 0.9 to 2.3.

    Raises:
        ConfigError: Nobody is that small or tall.
    """
    leg_m = leg_length_m(height_m, age_group=age_group)
    drawn = generator.normal(size=12).clip(-2.0, 2.0)
    cadence_hz = _CADENCE_HZ[age_group] + 0.07 * drawn[0]
    step_m = height_m * (_STEP_OF_HEIGHT[age_group] + 0.02 * drawn[1])
    speed_m_s = min(max(cadence_hz * step_m, _SLOWEST_M_S), _FASTEST_M_S)
    senior = age_group == "senior"
    return Gait(
        leg_m=leg_m,
        cadence_hz=float(cadence_hz),
        cycle_m=float(2.0 * speed_m_s / cadence_hz),
        run_cadence_hz=float(2.7 + 0.08 * drawn[0]),
        run_cycle_m=float(leg_m * (2.1 - 0.4 * senior + 0.12 * drawn[1])),
        arm_swing_deg=float(18.0 - 4.0 * senior + 5.0 * drawn[2]),
        elbow_deg=float(16.0 + 4.0 * senior + 5.0 * drawn[3]),
        arm_out_deg=float(9.0 + 1.2 * drawn[4]),
        lean_deg=float(2.5 + 1.5 * senior + 1.3 * drawn[5]),
        slouch_deg=float(_SLOUCH_DEG[age_group] + 3.0 * drawn[6]),
        splay_deg=float(7.0 + 3.0 * drawn[7]),
        step_width_m=float(leg_m * (0.13 + 0.02 * senior + 0.018 * drawn[8])),
        hip_sway_deg=float(3.5 + 1.0 * drawn[9]),
        hip_turn_deg=float(4.5 + 1.2 * drawn[9]),
        head_pitch_deg=float(3.0 + 4.0 * drawn[10]),
        asymmetry=float(0.15 * drawn[11]),
    )


@lru_cache(maxsize=4096)
def walking_stride(gait: Gait) -> Stride:
    """The way of the feet of a person who walks.

    The constants were fitted, over strides of 1.25 to 1.7 legs, to about the knee, hip and ankle
    angles that textbooks give for people at their own pace (such as D. A. Winter, The Biomechanics
    and Motor Control of Human Gait, 1991); they were not checked against its tables.

    Args:
        gait: The person's manner.
    """
    cycle = gait.cycle_m / gait.leg_m
    share = cycle / 1.5
    return Stride(
        cycle=cycle,
        out=0.5 * gait.step_width_m / gait.leg_m,
        splay_deg=gait.splay_deg,
        front=0.231 * cycle,
        stance=0.605,
        flat_at=0.065,
        rise_at=0.343,
        rise_power=2.5,
        strike_deg=18.2 * share,
        off_deg=-62.5 * share**0.5,
        middle_at=0.406,
        middle_up=0.181,
        middle_deg=-24.0,
        hurry=(2.5, 0.4),
        retreat=0.36,
        bob=0.0218 * share**2,
        highest_at=0.25,
        least_knee_deg=4.0,
    )


@lru_cache(maxsize=4096)
def running_stride(gait: Gait) -> Stride:
    """The way of the feet of a person who runs.

    Args:
        gait: The person's manner.
    """
    cycle = gait.run_cycle_m / gait.leg_m
    return Stride(
        cycle=cycle,
        out=0.35 * gait.step_width_m / gait.leg_m,
        splay_deg=0.6 * gait.splay_deg,
        front=0.3,
        stance=0.36,
        flat_at=0.04,
        rise_at=0.15,
        rise_power=1.5,
        strike_deg=6.0,
        off_deg=-66.0,
        middle_at=0.45,
        middle_up=0.46,
        middle_deg=-70.0,
        hurry=(0.8, 0.8),
        retreat=0.7,
        bob=0.03,
        highest_at=0.42,
        least_knee_deg=16.0,
    )


def foot_at(stride: Stride, phase: float) -> Foot:
    """Where a foot is.

    Args:
        stride: Its way.
        phase: 0 when it comes down, to 1 when it does so again; any number is taken as that much
            of a cycle.
    """
    phase %= 1.0
    where = _on_the_ground if phase < stride.stance else _in_the_air
    forward, up, pitch_deg, out = where(stride, phase)
    return Foot(out, forward, up, pitch_deg, stride.splay_deg)


def hip_height_at(stride: Stride, phase: float) -> float:
    """How high the middle of the hip joints is above the ground, in legs; above it in flight too.

    Args:
        stride: The way of the feet.
        phase: As either foot has it: the hips go up and down twice a cycle.
    """
    return _mean_hip_height(stride) + _bob(stride, phase)


def _bob(stride: Stride, phase: float) -> float:
    return stride.bob * cos(4.0 * pi * (phase - stride.highest_at))


@lru_cache(maxsize=4096)
def _mean_hip_height(stride: Stride) -> float:
    """The height at which no leg is too short for its foot's way."""
    reach = reach_of(stride.least_knee_deg) ** 2 - (HIP_WIDTH - stride.out) ** 2
    heights = []
    for phase in np.linspace(0.0, 1.0, 81).tolist():
        foot = foot_at(stride, phase)
        heights.append(foot.up + (reach - foot.forward**2) ** 0.5 - _bob(stride, phase))
    return float(min(heights))


def _on_the_ground(stride: Stride, phase: float) -> tuple[float, float, float, float]:
    """Forward, up, pitch and out of a foot that stands or rolls on ground that passes below."""
    pitch_deg = 0.0
    if phase < stride.flat_at:
        share = phase / stride.flat_at
        pitch_deg = stride.strike_deg * (1.0 - share * share * (3.0 - 2.0 * share))
    elif phase > stride.rise_at:
        share = (phase - stride.rise_at) / (stride.stance - stride.rise_at)
        pitch_deg = stride.off_deg * share**stride.rise_power
    along, up = rolled(pitch_deg)
    splay = radians(stride.splay_deg)
    forward = stride.front - stride.cycle * phase + along * cos(splay)
    return forward, up, pitch_deg, stride.out + along * sin(splay)


@lru_cache(maxsize=4096)
def _swing_ends(stride: Stride) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """A foot as it leaves the ground, its speeds then, and the foot as it comes down."""
    instant = 1e-4
    off = _on_the_ground(stride, stride.stance)
    before = _on_the_ground(stride, stride.stance - instant)
    speeds = tuple((b - a) / instant for a, b in zip(before, off, strict=True))
    return off, speeds, _on_the_ground(stride, 0.0)


def _in_the_air(stride: Stride, phase: float) -> tuple[float, float, float, float]:
    """Forward, up, pitch and out of a foot that swings: cubic curves joined smoothly."""
    off, speeds, down = _swing_ends(stride)
    whole = 1.0 - stride.stance
    part = phase - stride.stance
    retreat = -stride.retreat * stride.cycle * whole
    forward = _cubic(part / whole, off[0], down[0], speeds[0] * whole, retreat)
    out = _cubic(part / whole, off[3], down[3], speeds[3] * whole, 0.0)
    first = whole * stride.middle_at
    rest = whole - first
    found = []
    for row, middle in ((1, stride.middle_up), (2, stride.middle_deg)):
        slope = stride.hurry[row - 1] * (down[row] - middle) / whole
        if part < first:
            value = _cubic(part / first, off[row], middle, speeds[row] * first, slope * first)
        else:
            value = _cubic((part - first) / rest, middle, down[row], slope * rest, 0.0)
        found.append(value)
    return forward, found[0], found[1], out


def _cubic(share: float, start: float, end: float, start_slope: float, end_slope: float) -> float:
    """Hermite's curve between two values, 0-1, with its slopes there."""
    square = share * share
    cube = square * share
    return (
        start * (2.0 * cube - 3.0 * square + 1.0)
        + end * (3.0 * square - 2.0 * cube)
        + start_slope * (cube - 2.0 * square + share)
        + end_slope * (cube - square)
    )
