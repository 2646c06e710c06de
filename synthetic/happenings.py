"""What happens before each camera, and how people pass from camera to camera."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthetic.truth import Rows
from synthetic.walks import ACTIVITIES, Activity

__all__ = ["Happening", "HappeningKind", "events_text", "happenings", "transitions"]

Integers = NDArray[np.int64]

HappeningKind = Literal[
    "enters", "leaves", "runs", "stands", "looks around", "phones", "meets", "carries"
]
_KINDS: dict[Activity, HappeningKind] = {
    "running": "runs",
    "standing": "stands",
    "looking": "looks around",
    "phone": "phones",
    "talking": "meets",
}
_SHORTEST_S = 0.5
"""What can be seen for less is not told; entering and leaving take one frame."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens before a camera.

    Args:
        kind: "enters" and "leaves" are said of the camera's view, with one frame; "carries" lasts
            for a whole track; the others as long as they are seen.
        camera: Its name.
        day: From 1.
        identities: Who; of "meets" both, the smaller number first, whether both are seen or not.
        start_frame: From 1.
        end_frame: The last one.
        start_s: Timestamp of the first frame.
        end_s: Timestamp of the last frame.
        box_xyxy: At the first frame, of the one who is seen; pixels.
        ground_xy_m: Where that is, metres.
        thing: What is carried, else None.
    """

    kind: HappeningKind
    camera: str
    day: int
    identities: tuple[int, ...]
    start_frame: int
    end_frame: int
    start_s: float
    end_s: float
    box_xyxy: tuple[float, ...]
    ground_xy_m: tuple[float, ...]
    thing: str | None = None


def happenings(rows: Rows, things: Mapping[int, Sequence[str]]) -> list[Happening]:
    """What happens in one video, by first frame, then by kind and identity.

    Args:
        rows: The video's boxes.
        things: Identity -> what that person carries that day.
    """
    found: list[Happening] = []
    for track in _groups(rows.tracks):
        found += _passage(rows, track)
        identity = int(rows.boxes.identities[track[0]])
        found += [
            _happening(rows, "carries", track, thing=thing) for thing in things.get(identity, ())
        ]
    found += _meetings(rows)
    return sorted(
        found, key=lambda one: (one.start_frame, one.kind, one.identities, one.thing or "")
    )


def _groups(numbers: Integers) -> list[Integers]:
    """The rows of each number, rising."""
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order])) + 1
    return np.split(order, starts) if len(order) else []


def _passage(rows: Rows, track: Integers) -> Iterator[Happening]:
    """What one person does during one track, but for meetings."""
    frames = rows.boxes.frames
    if frames[track[0]] > 1:
        yield _happening(rows, "enters", track[:1])
    if frames[track[-1]] < rows.view.frames:
        yield _happening(rows, "leaves", track[-1:])
    changes = np.flatnonzero(np.diff(rows.activity[track])) + 1
    for stretch in np.split(track, changes):
        kind = _KINDS.get(ACTIVITIES[int(rows.activity[stretch[0]])])
        if kind is not None and kind != "meets" and _lasts(rows, stretch):
            yield _happening(rows, kind, stretch)


def _meetings(rows: Rows) -> Iterator[Happening]:
    """Each talk of two once, though two may be seen at it."""
    pairs: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row in np.flatnonzero(rows.partner > 0).tolist():
        both = sorted((int(rows.boxes.identities[row]), int(rows.partner[row])))
        pairs[tuple(both)].append(row)
    for identities, found in sorted(pairs.items()):
        every = np.array(found)
        gaps = np.diff(rows.boxes.frames[every]) > rows.view.frame_rate
        for stretch in np.split(every, np.flatnonzero(gaps) + 1):
            if _lasts(rows, stretch):
                yield _happening(rows, "meets", stretch, identities=identities)


def _lasts(rows: Rows, stretch: Integers) -> bool:
    times = rows.timestamps[stretch]
    return bool(times[-1] - times[0] >= _SHORTEST_S)


def _happening(
    rows: Rows,
    kind: HappeningKind,
    stretch: Integers,
    *,
    identities: tuple[int, ...] | None = None,
    thing: str | None = None,
) -> Happening:
    first, last = int(stretch[0]), int(stretch[-1])
    times = rows.timestamps
    return Happening(
        kind=kind,
        camera=rows.view.camera,
        day=rows.view.day,
        identities=identities or (int(rows.boxes.identities[first]),),
        start_frame=int(rows.boxes.frames[first]),
        end_frame=int(rows.boxes.frames[last]),
        start_s=round(float(times[first]), 6),
        end_s=round(float(times[last]), 6),
        box_xyxy=tuple(np.round(rows.boxes.boxes_xyxy[first], 2).tolist()),
        ground_xy_m=tuple(np.round(rows.ground_xy[first], 3).tolist()),
        thing=thing,
    )


def events_text(found: Sequence[Happening]) -> str:
    """One JSON object a line, in the order given."""
    return "".join(json.dumps(asdict(one)) + "\n" for one in found)


def transitions(videos: Sequence[Rows]) -> list[dict[str, str | int | float]]:
    """How people pass from camera to camera: from each track to the same person's next one.

    The next track is the one that begins next, on the same day, in any camera; the time from the
    end of the one to the beginning of the other is negative while both cameras see the person.

    Args:
        videos: Of all cameras and days.

    Returns:
        For each pair of cameras with a transition, by name: ``from``, ``to``, ``count``, and
        ``min_s``, ``median_s``, ``max_s``; one camera twice means coming back.
    """
    passages: dict[tuple[int, int], list[tuple[float, str, float]]] = defaultdict(list)
    for rows in videos:
        for track in _groups(rows.tracks):
            times = rows.timestamps[track]
            identity = int(rows.boxes.identities[track[0]])
            passages[rows.view.day, identity].append(
                (float(times[0]), rows.view.camera, float(times[-1]))
            )
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one_day in passages.values():
        for (_, before, end_s), (start_s, after, _) in pairwise(sorted(one_day)):
            seconds[before, after].append(start_s - end_s)
    return [
        {
            "from": before,
            "to": after,
            "count": len(taken),
            "min_s": round(min(taken), 3),
            "median_s": round(float(np.median(taken)), 3),
            "max_s": round(max(taken), 3),
        }
        for (before, after), taken in sorted(seconds.items())
    ]
