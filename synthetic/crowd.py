"""How people walk among each other: paths followed, turns of limited sharpness, nobody run into."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthetic.walks import ACTIVITIES, STEP_S, Activity, Ground, Pace, Point, Stop, Visit, Walk

__all__ = ["Crowd", "Walker", "steer"]

Doubles = NDArray[np.float64]

_LOOK_AHEAD_M = 0.9
_CAREFUL_M, _CAREFUL_S = 0.25, 1.5
"""How far ahead somebody looks who bumped into something, and for how long."""
_ARRIVED_M = 0.35
_SPEED_UP, _SLOW_DOWN = 1.2, 1.8
"""Metres a second, each second."""
_TURN_DEG_S = 110.0
_HORIZON_S = 2.5
_ROOM_M = 0.95
"""How far apart the middles of two people pass each other when there is room."""
_TALK_M = 1.9
_STUCK_S = 3.0
_ENTRY_FREE_M = 1.0


@dataclass(frozen=True, slots=True)
class Walker:
    """One person of a crowd.

    Args:
        person: From 0.
        pace: How fast the person goes.
        visits: All visits, in order; taken one by one.
        talks_with: Whom the person stops to talk to on meeting, and for how many seconds.
    """

    person: int
    pace: Pace
    visits: Iterator[Visit]
    talks_with: Mapping[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    """What a person is about."""

    who: Walker
    visit: Visit | None = None
    ready_s: float = 0.0
    first: bool = True
    present: bool = False
    xy: Point = (0.0, 0.0)
    heading_deg: float = 0.0
    speed: float = 0.0
    cycles: float = 0.0
    stops: list[Stop] = field(default_factory=list)
    path: Doubles = field(default_factory=lambda: np.zeros((1, 2)))
    along: int = 0
    activity: Activity = "walking"
    since_s: float = 0.0
    until_s: float = 0.0
    partner: int = -1
    told: set[int] = field(default_factory=set)
    stuck_s: float = 0.0
    careful_s: float = 0.0
    firm_xy: Point = (0.0, 0.0)
    first_step: int = 0
    samples: list[tuple[float, ...]] = field(default_factory=list)


def steer(xy: Doubles, velocity: Doubles, heading_deg: Doubles) -> tuple[Doubles, Doubles]:
    """How everybody gives way to everybody else.

    Who will pass too near turns away from where the other will be, to the right when that is
    straight ahead; who has somebody close in front slows down.

    Source: the idea of time to the closest approach: Karamouzas et al., A predictive collision
    avoidance model for pedestrian simulation, 2009, section 3.

    Args:
        xy: float64 (N, 2), metres.
        velocity: float64 (N, 2), metres a second.
        heading_deg: float64 (N,).

    Returns:
        What to add to the unit vector of the way, float64 (N, 2); and what share of the speed is
        kept, float64 (N,), 0-1.
    """
    angle = np.deg2rad(heading_deg)
    ahead = np.stack([np.cos(angle), np.sin(angle)], 1)
    right = np.stack([ahead[:, 1], -ahead[:, 0]], 1)
    apart = xy[None] - xy[:, None]
    distance = np.linalg.norm(apart, axis=2) + np.where(np.eye(len(xy)) > 0, 1e9, 1e-6)
    closing = velocity[None] - velocity[:, None]
    soon = -(apart * closing).sum(2) / ((closing**2).sum(2) + 1e-6)
    soon = np.clip(soon, 0, _HORIZON_S)
    miss = apart + closing * soon[..., None]
    passes = np.linalg.norm(miss, axis=2)
    in_front = np.einsum("ijk,ik->ij", apart, ahead) / distance
    on_the_left = -np.einsum("ijk,ik->ij", miss, right)
    side = np.where(on_the_left > -0.08, 1.0, -1.0)
    weight = (1 - soon / _HORIZON_S) * np.clip(1 - passes / _ROOM_M, 0, 1)
    weight *= (in_front > -0.1) & (distance < 4.0)
    push = 1.8 * (weight * side).sum(1)[:, None] * right
    near = np.clip((0.75 - distance) / 0.75, 0, 1)
    push -= 2.0 * (apart / distance[..., None] * near[..., None]).sum(1)
    brake = np.where((in_front > 0.75) & (distance < 1.3), (distance - 0.55) / 0.75, 1.0)
    return push, np.clip(brake.min(1, initial=1.0), 0.0, 1.0)


class Crowd:
    """People who come, walk and leave; steps are simulated one by one.

    Args:
        ground: What they walk on.
        walkers: Everybody, in order of ``person``.
        most_present: How many may be on the ground at once.
    """

    def __init__(self, ground: Ground, walkers: Sequence[Walker], *, most_present: int) -> None:
        self._ground = ground
        self._walkers = [_State(walker) for walker in walkers]
        self._most_present = most_present
        self._step = 0
        self._walks: list[Walk] = []
        for walker in self._walkers:
            self._call(walker, now_s=0.0)

    def run(self, steps: int) -> list[Walk]:
        """All walks of the first ``steps`` steps, sorted by when they begin, then by person."""
        for _ in range(steps):
            self._admit()
            present = [walker for walker in self._walkers if walker.present]
            self._talk(present)
            for walker in present:
                self._record(walker)
            self._move(present)
            self._step += 1
        for walker in self._walkers:
            self._finish(walker)
        return sorted(self._walks, key=lambda walk: (walk.first_step, walk.person))

    def _call(self, walker: _State, *, now_s: float) -> None:
        """Makes the next visit known."""
        walker.visit = next(walker.who.visits, None)
        if walker.visit is not None:
            walker.ready_s = now_s + walker.visit.away_s

    def _admit(self) -> None:
        """Lets people in who are due, those first who were not here yet."""
        now_s = self._step * STEP_S
        present = [walker for walker in self._walkers if walker.present]
        due = [
            walker
            for walker in self._walkers
            if not walker.present and walker.visit is not None and walker.ready_s <= now_s + 1e-9
        ]
        due.sort(key=lambda walker: (not walker.first, walker.ready_s, walker.who.person))
        for walker in due:
            visit = walker.visit
            if visit is None or len(present) >= self._most_present:
                return
            inside = visit.inside if self._step == 0 else None
            start = inside or visit.entry
            if any(math.dist(start, other.xy) < _ENTRY_FREE_M for other in present):
                continue
            walker.present, walker.first = True, False
            walker.xy = walker.firm_xy = start
            walker.stops, walker.told = list(visit.stops), set()
            walker.first_step, walker.stuck_s = self._step, 0.0
            self._head_for_next(walker)
            ahead = walker.path[min(8, len(walker.path) - 1)] - walker.path[0]
            walker.heading_deg = math.degrees(math.atan2(ahead[1], ahead[0]))
            walker.speed = self._wanted_speed(walker)
            present.append(walker)

    def _head_for_next(self, walker: _State) -> None:
        """Turns to the next stop, or leaves when there is none."""
        walker.partner = -1
        if not walker.stops:
            self._finish(walker)
            self._call(walker, now_s=self._step * STEP_S)
            return
        stop = walker.stops[0]
        walker.path = _dense(self._ground.path(walker.firm_xy, stop.xy))
        walker.along = 0
        self._begin(walker, "running" if stop.runs else "walking")

    def _begin(self, walker: _State, activity: Activity, duration_s: float = 0.0) -> None:
        if activity != walker.activity:
            walker.since_s = 0.0
        walker.activity, walker.until_s = activity, duration_s

    def _talk(self, present: list[_State]) -> None:
        """Stops pairs who know each other and meet."""
        for number, one in enumerate(present):
            for other in present[number + 1 :]:
                if self._meet(one, other):
                    duration_s = one.who.talks_with[other.who.person]
                    for walker, partner in ((one, other), (other, one)):
                        walker.told.add(partner.who.person)
                        walker.partner = partner.who.person
                        self._begin(walker, "talking", duration_s)

    def _meet(self, one: _State, other: _State) -> bool:
        """Whether two are to stop: they know each other, both walk, and each sees the other."""
        if other.who.person not in one.who.talks_with or other.who.person in one.told:
            return False
        if one.activity != "walking" or other.activity != "walking":
            return False
        if math.dist(one.xy, other.xy) > _TALK_M:
            return False
        return all(
            abs(_turn(walker.heading_deg, _bearing(walker.xy, seen.xy))) < 75
            for walker, seen in ((one, other), (other, one))
        )

    def _move(self, present: list[_State]) -> None:
        if not present:
            return
        xy = np.array([walker.xy for walker in present])
        heading = np.array([walker.heading_deg for walker in present])
        angle = np.deg2rad(heading)
        speed = np.array([walker.speed for walker in present])
        velocity = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        push, brake = steer(xy, velocity, heading)
        for walker, aside, kept in zip(present, push.tolist(), brake.tolist(), strict=True):
            walker.since_s += STEP_S
            if walker.activity in ("walking", "running"):
                self._follow(walker, aside, kept)
            else:
                self._stay(walker)
        ahead = [_ahead(walker) for walker in present]
        free = self._ground.free(np.array(ahead)).tolist()
        for walker, point, is_free in zip(present, ahead, free, strict=True):
            # Who keeps to a free way may brush what is at its side.
            moves = is_free or (walker.careful_s > 0.0 and _faces(walker))
            moved = math.dist(walker.xy, point) if moves else 0.0
            if moves:
                walker.xy = point
                walker.firm_xy = point if is_free else walker.firm_xy
            else:
                self._bump(walker)
            walker.cycles += moved / _cycle_m(walker)
            if walker.activity in ("walking", "running"):
                self._arrive(walker, moved)

    def _bump(self, walker: _State) -> None:
        """Stops before an obstacle, and looks for a way from there."""
        walker.speed = 0.0
        if walker.careful_s <= 0.0 and walker.activity in ("walking", "running"):
            walker.path = _dense(self._ground.path(walker.firm_xy, walker.stops[0].xy))
            walker.along = 0
            walker.careful_s = _CAREFUL_S

    def _follow(self, walker: _State, aside: list[float], kept: float) -> None:
        """Turns towards the way and the gaps between people, and chooses the speed."""
        x, y = walker.xy
        target = walker.path[walker.along]
        walker.careful_s -= STEP_S
        look = _LOOK_AHEAD_M if walker.careful_s <= 0.0 else _CAREFUL_M
        while walker.along < len(walker.path) - 1 and math.dist(walker.xy, target) < look:
            walker.along += 1
            target = walker.path[walker.along]
        way = np.array([target[0] - x, target[1] - y])
        way /= max(float(np.linalg.norm(way)), 1e-6)
        if walker.careful_s > 0.0:  # keeps to the way, where nothing stands
            aside = [0.0, 0.0]
        elif walker.stuck_s > _STUCK_S:  # squeezes past, as one does
            aside, kept = [0.3 * aside[0], 0.3 * aside[1]], max(kept, 0.5)
        wanted = math.degrees(math.atan2(way[1] + aside[1], way[0] + aside[0]))
        error = _turn(walker.heading_deg, wanted)
        most = _TURN_DEG_S * STEP_S
        walker.heading_deg += max(-most, min(most, 3.5 * STEP_S * error))
        goal = self._wanted_speed(walker) * kept * max(0.12, math.cos(math.radians(error)))
        stop = walker.stops[0]
        if stop.activity != "walking":
            left = max(0.0, math.dist(walker.xy, stop.xy) - 0.1)
            goal = min(goal, max(0.3, math.sqrt(_SLOW_DOWN * left)))
        self._change_speed(walker, goal)

    def _stay(self, walker: _State) -> None:
        """Stands, turned to the partner if there is one; goes on when it is time."""
        self._change_speed(walker, 0.0)
        walker.until_s = max(0.0, walker.until_s - STEP_S)
        if walker.partner >= 0:
            other = self._walkers[walker.partner]
            error = _turn(walker.heading_deg, _bearing(walker.xy, other.xy))
            most = _TURN_DEG_S * STEP_S
            walker.heading_deg += max(-most, min(most, 3.0 * STEP_S * error))
        if walker.until_s <= 1e-9:
            self._head_for_next(walker)

    def _change_speed(self, walker: _State, goal: float) -> None:
        rise, fall = _SPEED_UP * STEP_S, _SLOW_DOWN * STEP_S
        walker.speed += max(-fall, min(rise, goal - walker.speed))

    def _wanted_speed(self, walker: _State) -> float:
        pace = walker.who.pace
        return pace.running if walker.activity == "running" else pace.walking

    def _arrive(self, walker: _State, moved_m: float) -> None:
        """Does what is to be done at a stop once it is reached; gives up one that is blocked."""
        walker.stuck_s = walker.stuck_s + STEP_S if moved_m < 0.25 * STEP_S else 0.0
        stop = walker.stops[0]
        last = len(walker.stops) == 1
        near = 0.8 if stop.activity == "walking" and not last else _ARRIVED_M
        blocked = walker.stuck_s > 2 * _STUCK_S
        if math.dist(walker.xy, stop.xy) > near and not blocked:
            return
        if blocked:
            walker.stuck_s = 0.0
            if last:  # leaves by the same entry, on a new way
                self._head_for_next(walker)
                return
        walker.stops.pop(0)
        if stop.activity == "walking" or blocked:
            self._head_for_next(walker)
        else:
            self._begin(walker, stop.activity, stop.duration_s)

    def _record(self, walker: _State) -> None:
        walker.samples.append(
            (
                *walker.xy,
                walker.heading_deg,
                walker.speed,
                walker.cycles,
                ACTIVITIES.index(walker.activity),
                walker.since_s,
                walker.until_s,
                walker.partner,
            )
        )

    def _finish(self, walker: _State) -> None:
        """Ends the walk of somebody who leaves."""
        walker.present = False
        if not walker.samples:
            return
        rows = np.array(walker.samples)
        walker.samples = []
        self._walks.append(
            Walk(
                person=walker.who.person,
                first_step=walker.first_step,
                xy=rows[:, :2].copy(),
                heading_deg=rows[:, 2].copy(),
                speed=rows[:, 3].copy(),
                cycles=rows[:, 4].copy(),
                activity=rows[:, 5].astype(np.int8),
                since_s=rows[:, 6].copy(),
                until_s=rows[:, 7].copy(),
                partner=rows[:, 8].astype(np.int32),
            )
        )


def _ahead(walker: _State) -> Point:
    """Where a step along the heading leads."""
    angle, step = math.radians(walker.heading_deg), walker.speed * STEP_S
    return walker.xy[0] + step * math.cos(angle), walker.xy[1] + step * math.sin(angle)


def _faces(walker: _State) -> bool:
    """Whether somebody is turned to the next point of the way."""
    x, y = walker.path[walker.along].tolist()
    return abs(_turn(walker.heading_deg, _bearing(walker.xy, (x, y)))) < 15


def _cycle_m(walker: _State) -> float:
    pace = walker.who.pace
    return pace.running_cycle_m if walker.activity == "running" else pace.walking_cycle_m


def _bearing(start: Point, end: Point) -> float:
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def _turn(start_deg: float, end_deg: float) -> float:
    """The shorter turn from one direction to another, -180 to 180 degrees.

    >>> _turn(350.0, 10.0), _turn(-720.0, -90.0)
    (20.0, -90.0)
    """
    return (end_deg - start_deg + 180) % 360 - 180


def _dense(path: Doubles) -> Doubles:
    """The path with a point every 0.1 m."""
    path = np.asarray(path, np.float64).reshape(-1, 2)
    lengths = np.concatenate([[0.0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
    at = np.append(np.arange(0, lengths[-1], 0.1), lengths[-1])
    return np.stack([np.interp(at, lengths, path[:, axis]) for axis in range(2)], 1)
