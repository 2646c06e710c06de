"""Who walks where and when: visits of people to a site, planned so that the cameras see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError
from everyid.output import whole_file
from synthetic.crowd import Crowd, Walker
from synthetic.seeds import generator
from synthetic.walks import STEP_S, Activity, Ground, Moment, Pace, Point, Stop, Visit, Walk

__all__ = ["Samples", "Story", "load_story", "save_story", "tell_story"]

Doubles = NDArray[np.float64]

_INSIDE_SHARE = 0.45
"""Of the people who are there when everything begins."""
_AWAY_S = (5.0, 30.0)
_RUN_SHARE = 0.1
"""Of the legs of ways that are run."""
_TALKS_WITH_SHARE = 0.3
"""Of all pairs that stop to talk when they meet."""
_TALK_S = (4.0, 10.0)
_STOPS: tuple[tuple[Activity, float, tuple[float, float]], ...] = (
    ("walking", 0.5, (0.0, 0.0)),
    ("standing", 0.15, (2.5, 7.0)),
    ("looking", 0.15, (3.0, 7.0)),
    ("phone", 0.2, (5.0, 12.0)),
)
"""What is done at a stop, how often, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What people are about at some times, one row each; see :class:`synthetic.walks.Moment`.

    Args:
        xy: float64 (N, 2), metres.
        heading_deg: float64 (N,), may be beyond 0-360.
        speed: float64 (N,), metres a second.
        activity: int64 (N,), places in ``ACTIVITIES``.
        partner: int64 (N,), persons, -1 for nobody.
    """

    xy: Doubles
    heading_deg: Doubles
    speed: Doubles
    activity: NDArray[np.int64]
    partner: NDArray[np.int64]


@dataclass(frozen=True)
class Story:
    """All that happens on one day.

    Args:
        walks: Sorted by when they begin, then by person.
        duration_s: Seconds.
    """

    walks: tuple[Walk, ...]
    duration_s: float

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The first and the last step of each walk: int64 (W, 2)."""
        ends = [(walk.first_step, walk.first_step + len(walk) - 1) for walk in self.walks]
        return np.array(ends, np.int64).reshape(-1, 2)

    def at(self, time_s: float) -> list[Moment]:
        """Everybody who is there at a time, by person.

        Args:
            time_s: Seconds since the beginning.
        """
        step = time_s / STEP_S
        near = (self._ends[:, 0] <= step + 1) & (step <= self._ends[:, 1] + 1)
        found = [self.walks[number].at(time_s) for number in np.flatnonzero(near).tolist()]
        there = [moment for moment in found if moment is not None]
        return sorted(there, key=lambda moment: moment.person)

    def sample(self, persons: NDArray[np.int64], times_s: Doubles) -> Samples:
        """What persons are about at times at which they are there.

        Args:
            persons: int64 (N,), from 0, of whom all are there.
            times_s: float64 (N,), rising.
        """
        found = Samples(
            np.full((len(persons), 2), np.nan),
            *(np.full(len(persons), np.nan) for _ in range(2)),
            *(np.full(len(persons), kind) for kind in (0, -1)),
        )
        for walk in self.walks:
            first_s = walk.first_step * STEP_S
            last_s = first_s + (len(walk) - 1) * STEP_S
            low, high = np.searchsorted(times_s, [first_s - 1e-6, last_s + 1e-6])
            rows = low + np.flatnonzero(persons[low:high] == walk.person)
            steps = times_s[rows] / STEP_S - walk.first_step
            every = np.arange(len(walk))
            for target, values in (
                (found.xy[:, 0], walk.xy[:, 0]),
                (found.xy[:, 1], walk.xy[:, 1]),
                (found.heading_deg, walk.heading_deg),
                (found.speed, walk.speed),
            ):
                target[rows] = np.interp(steps, every, values)
            before = np.clip((steps + 1e-6).astype(np.int64), 0, len(walk) - 1)
            found.activity[rows] = walk.activity[before]
            found.partner[rows] = walk.partner[before]
        return found


_COLUMNS = tuple(item.name for item in fields(Walk) if item.name not in ("person", "first_step"))


def save_story(story: Story, path: Path) -> None:
    """Writes a story to a ``.npz`` file, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    starts = np.cumsum([0, *(len(walk) for walk in story.walks)])
    heads = np.array([(walk.person, walk.first_step) for walk in story.walks], np.int64)
    columns = {
        name: np.concatenate([getattr(walk, name) for walk in story.walks]) for name in _COLUMNS
    }
    with whole_file(path, overwrite=True) as part, part.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            starts=starts,
            heads=heads,
            duration_s=np.array(story.duration_s),
            **columns,
        )


def load_story(path: Path) -> Story:
    """The story that was saved.

    Raises:
        OSError: It cannot be read.
    """
    with np.load(path) as file:
        columns = {name: file[name] for name in _COLUMNS}
        walks = tuple(
            Walk(
                person=person,
                first_step=first_step,
                **{name: values[start:end] for name, values in columns.items()},
            )
            for (person, first_step), (start, end) in zip(
                file["heads"].tolist(), pairwise(file["starts"].tolist()), strict=True
            )
        )
        return Story(walks, float(file["duration_s"]))


def tell_story(
    ground: Ground,
    *,
    entries: Sequence[Point],
    zones: Sequence[Doubles],
    paces: Sequence[Pace],
    duration_s: float,
    most_present: int,
    random: tuple[int, int],
) -> Story:
    """One day: everybody comes, passes the zones of several cameras, leaves, and comes back.

    Each first visit leads through the zones of two cameras at least, where there are two; later
    visits through those of the next ones. When the time is long enough for it, everybody is seen.

    Args:
        ground: What people walk on.
        entries: Where they come from and leave, metres, at least one.
        zones: For each camera the points that it sees well, float64 (N, 2), metres, N at least 1.
        paces: How fast each person goes.
        duration_s: Seconds.
        most_present: How many may be there at once.
        random: The seed of the run, and the number of the day.

    Returns:
        The day.

    Raises:
        ConfigError: There is nobody, no camera, no entry or no time.
    """
    wrong = [
        name
        for name, value in (
            ("people", len(paces)),
            ("cameras", len(zones)),
            ("entries", len(entries)),
            ("seconds", duration_s),
        )
        if value <= 0
    ]
    if wrong:
        raise ConfigError(
            f"a story needs {wrong[0]}: expected more than 0",
            hint=f"ask for one of the {wrong[0]} at least",
        )
    plan = _Plan(ground, tuple(entries), tuple(zones), duration_s)
    seed, day = random
    walkers = [
        Walker(
            person=person,
            pace=pace,
            visits=plan.visits(person, generator(seed, "visits", day, person)),
            talks_with=_acquaintances(person, len(paces), (seed, day)),
        )
        for person, pace in enumerate(paces)
    ]
    crowd = Crowd(ground, walkers, most_present=max(1, most_present))
    return Story(tuple(crowd.run(int(np.ceil(duration_s / STEP_S)) + 1)), duration_s)


def _acquaintances(person: int, count: int, random: tuple[int, int]) -> dict[int, float]:
    """Whom a person talks to, and for how long: the same for both of a pair."""
    known = {}
    for other in range(count):
        low, high = min(person, other), max(person, other)
        draw = generator(random[0], "talk", random[1], low, high)
        if low != high and draw.random() < _TALKS_WITH_SHARE:
            known[other] = float(draw.uniform(*_TALK_S))
    return known


@dataclass(frozen=True, slots=True)
class _Plan:
    ground: Ground
    entries: tuple[Point, ...]
    zones: tuple[Doubles, ...]
    duration_s: float

    def visits(self, person: int, random: np.random.Generator) -> Iterator[Visit]:
        """Visits without end."""
        cameras = random.permutation(len(self.zones)).tolist()
        inside = random.random() < _INSIDE_SHARE
        latest = max(0.0, min(0.5 * self.duration_s, self.duration_s - 45.0))
        away_s = 0.0 if inside else float(random.uniform(0.0, latest))
        first = True
        while True:
            count = min(len(cameras), 2 if first else int(random.integers(1, 4)))
            passed, cameras = cameras[:count], cameras[count:] + cameras[:count]
            points = [self._point(camera, random) for camera in passed]
            if len(self.zones) == 1:
                points.append(self._point(0, random))
            start = points.pop(0) if first and inside else None
            yield self._visit(random, points, away_s=away_s, inside=start)
            first, away_s = False, float(random.uniform(*_AWAY_S))

    def _point(self, camera: int, random: np.random.Generator) -> Point:
        zone = self.zones[camera]
        x, y = zone[int(random.integers(len(zone)))].tolist()
        return x, y

    def _visit(
        self,
        random: np.random.Generator,
        points: Sequence[Point],
        *,
        away_s: float,
        inside: Point | None,
    ) -> Visit:
        come, leave = (self.entries[int(random.integers(len(self.entries)))] for _ in range(2))
        stops = []
        for point in points:
            kind = int(random.choice(len(_STOPS), p=[share for _, share, _ in _STOPS]))
            activity, _, (shortest, longest) = _STOPS[kind]
            duration_s = float(random.uniform(shortest, longest))
            runs = bool(random.random() < _RUN_SHARE)
            stops.append(Stop(point, activity, duration_s, runs))
        stops.append(Stop(leave, runs=bool(random.random() < _RUN_SHARE)))
        return Visit(away_s, come, tuple(stops), inside)
