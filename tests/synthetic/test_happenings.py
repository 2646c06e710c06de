"""Events before cameras, and ways between them."""

import json

import numpy as np
import pytest

from synthetic.happenings import events_text, happenings, transitions
from synthetic.truth import Boxes, Rows, View
from synthetic.walks import ACTIVITIES, Activity


def passage(
    frames: range,
    *,
    identity: int = 1,
    track: int = 1,
    doing: dict[int, Activity] | None = None,
    partner: int = 0,
    view: View | None = None,
) -> Rows:
    """One person's boxes in some frames; ``doing`` from frames on."""
    count = len(frames)
    activity = np.zeros(count, np.int64)
    for frame, kind in (doing or {}).items():
        activity[np.array(frames) >= frame] = ACTIVITIES.index(kind)
    numbers = np.array(frames, np.int64)
    corners = np.stack([numbers * 1.0, numbers * 0.0, numbers + 20.0, numbers * 0 + 50.0], 1)
    talking = ACTIVITIES.index("talking")
    return Rows(
        view=view or View("camera-1", 1, 100, 10.0),
        boxes=Boxes(numbers, np.full(count, identity), corners, np.ones(count)),
        tracks=np.full(count, track),
        ground_xy=np.stack([numbers * 0.1, numbers * 0.0], 1),
        heading_deg=np.zeros(count),
        speed=np.ones(count),
        activity=activity,
        partner=np.where(activity == talking, partner, 0),
    )


def together(*parts: Rows) -> Rows:
    """The boxes of several people in one video."""

    def joined(*values: np.ndarray) -> np.ndarray:
        return np.concatenate(values)

    boxes = Boxes(
        *(joined(*(getattr(part.boxes, name) for part in parts)) for name in Boxes.__slots__)
    )
    rest = {
        name: joined(*(getattr(part, name) for part in parts))
        for name in ("tracks", "ground_xy", "heading_deg", "speed", "activity", "partner")
    }
    return Rows(view=parts[0].view, boxes=boxes, **rest)


def told(rows: Rows, things: dict[int, list[str]] | None = None) -> list[tuple[str, int, int]]:
    return [(one.kind, one.start_frame, one.end_frame) for one in happenings(rows, things or {})]


def test_people_enter_and_leave_the_view():
    assert told(passage(range(20, 61))) == [("enters", 20, 20), ("leaves", 60, 60)]


def test_who_is_there_from_the_first_to_the_last_frame_neither_enters_nor_leaves():
    assert told(passage(range(1, 101))) == []


@pytest.mark.parametrize(
    ("activity", "kind"),
    [
        ("running", "runs"),
        ("standing", "stands"),
        ("looking", "looks around"),
        ("phone", "phones"),
    ],
)
def test_what_people_do_is_told_from_its_first_to_its_last_frame(activity, kind):
    rows = passage(range(1, 101), doing={30: activity, 50: "walking"})
    assert told(rows) == [(kind, 30, 49)]


def test_what_is_hardly_seen_is_not_told():
    rows = passage(range(1, 101), doing={30: "running", 33: "walking"})
    assert told(rows) == []


def test_a_meeting_is_told_once_with_both():
    one = passage(range(1, 101), doing={40: "talking", 71: "walking"}, partner=4)
    other = passage(
        range(1, 101),
        identity=4,
        track=2,
        doing={41: "talking", 71: "walking"},
        partner=1,
    )
    (meeting,) = happenings(together(one, other), {})
    assert (meeting.kind, meeting.identities) == ("meets", (1, 4))
    assert (meeting.start_frame, meeting.end_frame) == (40, 70)
    assert meeting.box_xyxy == (40, 0, 60, 50)
    assert meeting.ground_xy_m == (4, 0)


def test_two_meetings_of_the_same_people_are_two():
    doing: dict[int, Activity] = {10: "talking", 30: "walking", 60: "talking", 80: "walking"}
    assert told(passage(range(1, 101), doing=doing, partner=2)) == [
        ("meets", 10, 29),
        ("meets", 60, 79),
    ]


def test_a_meeting_of_which_one_is_seen_is_told_with_both():
    rows = passage(range(1, 101), identity=9, doing={10: "talking", 30: "walking"}, partner=2)
    (meeting,) = happenings(rows, {})
    assert meeting.identities == (2, 9)


def test_what_is_carried_is_told_for_the_whole_track():
    found = happenings(passage(range(1, 51)), {1: ["backpack", "case"]})
    assert [(one.kind, one.thing, one.start_frame, one.end_frame) for one in found] == [
        ("carries", "backpack", 1, 50),
        ("carries", "case", 1, 50),
        ("leaves", None, 50, 50),
    ]


def test_events_are_lines_of_json():
    text = events_text(happenings(passage(range(20, 61)), {}))
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["kind"], first["camera"], first["day"]) == ("enters", "camera-1", 1)
    assert (first["start_s"], second["start_s"]) == (1.9, 5.9)
    assert first["identities"] == [1]
    assert first["box_xyxy"] == [20, 0, 40, 50]


def test_no_boxes_no_events():
    assert happenings(passage(range(0)), {}) == []
    assert transitions([passage(range(0))]) == []


def test_ways_between_cameras_are_counted_and_timed():
    second = View("camera-2", 1, 100, 10.0)
    videos = [
        together(
            passage(range(1, 11)),  # ends at 0.9 s
            passage(range(1, 21), identity=2, track=2),  # 1.9 s
            passage(range(81, 91), track=3),
        ),
        together(
            passage(range(31, 41), view=second),  # begins at 3.0 s, ends at 3.9 s
            passage(range(16, 31), identity=2, track=2, view=second),  # begins at 1.5 s
        ),
    ]
    assert transitions(videos) == [
        {
            "from": "camera-1",
            "to": "camera-2",
            "count": 2,
            "min_s": -0.4,
            "median_s": 0.85,
            "max_s": 2.1,
        },
        {
            "from": "camera-2",
            "to": "camera-1",
            "count": 1,
            "min_s": 4.1,
            "median_s": 4.1,
            "max_s": 4.1,
        },
    ]


def test_no_way_leads_from_one_day_to_the_next():
    morning = passage(range(1, 11))
    next_day = passage(range(1, 11), view=View("camera-2", 2, 100, 10.0))
    assert transitions([morning, next_day]) == []
