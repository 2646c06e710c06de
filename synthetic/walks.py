"""What a walk is: where a person is at each moment between entering and leaving, and doing what."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACTIVITIES",
    "STEP_S",
    "Activity",
    "Ground",
    "Moment",
    "Pace",
    "Point",
    "Stop",
    "Visit",
    "Walk",
]

Doubles = NDArray[np.float64]
Point = tuple[float, float]

Activity = Literal["walking", "running", "standing", "looking", "phone", "talking"]
ACTIVITIES: tuple[Activity, ...] = (
    "walking",
    "running",
    "standing",
    "looking",
    "phone",
    "talking",
)
"""What people do; a number in a file of walks is a place in this tuple."""
STEP_S = 0.1
"""Seconds of one step of the simulation."""


class Ground(Protocol):
    """What people walk on."""

    def path(self, start: Point, end: Point) -> Doubles:
        """A way round the obstacles: float64 (N, 2), both ends included, metres."""

    def free(self, points: Doubles) -> NDArray[np.bool_]:
        """Where a person can be: bool (N,) for float64 (N, 2), metres."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one person goes.

    Args:
        walking: Metres a second.
        running: Metres a second.
        walking_cycle_m: What two steps cover.
        running_cycle_m: What two steps cover when running.
    """

    walking: float = 1.3
    running: float = 2.8
    walking_cycle_m: float = 1.4
    running_cycle_m: float = 2.2


@dataclass(frozen=True, slots=True)
class Stop:
    """A point of a way, and what is done there.

    Args:
        xy: Metres.
        activity: What is done there for a while; "walking": the way goes on at once.
        duration_s: How long.
        runs: Whether the way to this point is run.
    """

    xy: Point
    activity: Activity = "walking"
    duration_s: float = 0.0
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay on the ground, from an entry to an entry.

    Args:
        away_s: How long the person is away before.
        entry: Where the person comes from.
        stops: The way; the last is the entry by which the person leaves.
        inside: Where the person is already when everything begins; used for first visits only,
            which begin by the entry when there is no room.
    """

    away_s: float
    entry: Point
    stops: tuple[Stop, ...]
    inside: Point | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """One person from entering to leaving, a sample each ``STEP_S``.

    Args:
        person: From 0.
        first_step: Step of the first sample; step 0 is at 0 s.
        xy: float64 (N, 2), metres.
        heading_deg: float64 (N,), without jumps: may be beyond 0-360.
        speed: float64 (N,), metres a second along the heading.
        cycles: float64 (N,), pairs of steps taken so far that day, with fractions; rises.
        activity: int8 (N,), places in ``ACTIVITIES``.
        since_s: float64 (N,), how long the activity has lasted.
        until_s: float64 (N,), how long it will go on; 0 where that is open.
        partner: int32 (N,), whom the person talks to, or -1.
    """

    person: int
    first_step: int
    xy: Doubles
    heading_deg: Doubles
    speed: Doubles
    cycles: Doubles
    activity: NDArray[np.int8]
    since_s: Doubles
    until_s: Doubles
    partner: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.xy)

    def at(self, time_s: float) -> "Moment | None":
        """What the person is about at a time, or None when not there.

        Args:
            time_s: Seconds since step 0.
        """
        place = time_s / STEP_S - self.first_step
        if not 0 <= place <= len(self) - 1 + 1e-6:
            return None
        low = min(int(place + 1e-6), len(self) - 1)
        high = min(low + 1, len(self) - 1)
        share = max(0.0, place - low)

        def between(values: Doubles) -> float:
            return float(values[low] + share * (values[high] - values[low]))

        return Moment(
            person=self.person,
            xy=(between(self.xy[:, 0]), between(self.xy[:, 1])),
            heading_deg=between(self.heading_deg),
            speed=between(self.speed),
            cycles=between(self.cycles),
            activity=ACTIVITIES[int(self.activity[low])],
            since_s=float(self.since_s[low]) + share * STEP_S,
            until_s=max(0.0, float(self.until_s[low]) - share * STEP_S),
            partner=int(self.partner[low]) if self.partner[low] >= 0 else None,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """One person at one time.

    Args:
        person: From 0.
        xy: Metres.
        heading_deg: Where the person faces; may be beyond 0-360.
        speed: Metres a second along the heading.
        cycles: Pairs of steps taken so far that day, with fractions.
        activity: What the person does.
        since_s: How long already.
        until_s: How long it will go on; 0 where that is open.
        partner: Whom the person talks to.
    """

    person: int
    xy: Point
    heading_deg: float
    speed: float
    cycles: float
    activity: Activity
    since_s: float
    until_s: float
    partner: int | None
