"""Trackers: lasting ids on synthetic scenes, and the rules they share."""

import numpy as np
import pytest
from pydantic import ValidationError

from everyid import registry
from everyid.arrays import Detections
from everyid.errors import ConfigError, InputError
from everyid.protocols import Tracker
from object import tracking
from object.tracking import ClassTracker, TrackerOptions

NAMES = ["botsort", "bytetrack", "ocsort"]
SIZE = np.array([40.0, 100.0])
every_tracker = pytest.mark.parametrize("name", NAMES)


def make(name, *, frame_rate=10.0, **options) -> ClassTracker:
    maker = registry.find("tracker", name)
    return maker(frame_rate=frame_rate, options=TrackerOptions(**options) if options else None)


def boxes(*rows) -> Detections:
    """Rows of (centre x, centre y, score) or (centre x, centre y, score, class)."""
    if not rows:
        return Detections.empty()
    table = np.array([(*row, 0)[:4] for row in rows], np.float32)
    half = SIZE / 2
    corners = np.concatenate([table[:, :2] - half, table[:, :2] + half], axis=1)
    return Detections(corners.astype(np.float32), table[:, 2], table[:, 3].astype(np.int32))


def noise_image(shift=0):
    texture = np.random.default_rng(0).integers(0, 255, (120, 220, 3), np.uint8)
    return np.ascontiguousarray(np.repeat(np.repeat(texture, 4, 0), 4, 1)[:, shift : shift + 640])


IMAGE = noise_image()


def run(tracker, frames, *, timestamps=None, images=None):
    """[(centre x, id), ...] of each frame."""
    timestamps = np.arange(len(frames)) / 10 if timestamps is None else timestamps
    result = []
    for index, (found, timestamp) in enumerate(zip(frames, timestamps, strict=True)):
        image = (images[index] if images else IMAGE) if tracker.needs_image else None
        kept, ids = tracker.update(found, timestamp=float(timestamp), image=image)
        assert len(kept) == len(ids)
        assert ids.dtype == np.int64
        assert (np.diff(ids) > 0).all()
        centers = (kept.boxes_xyxy[:, 0] + kept.boxes_xyxy[:, 2]) / 2
        result.append(list(zip(centers.tolist(), ids.tolist(), strict=True)))
    return result


def ids_of(result):
    return {track_id for frame in result for _, track_id in frame}


@every_tracker
def test_fulfils_the_protocol(name):
    tracker = make(name)
    assert isinstance(tracker, Tracker)
    assert tracker.needs_image == (name == "botsort")


@every_tracker
def test_two_walkers_cross(name):
    # they pass each other at different heights, 6 px a frame, overlapping by up to 60 %
    frames = [boxes((100 + 6 * t, 200, 0.9), (460 - 6 * t, 225, 0.85)) for t in range(60)]
    result = run(make(name), frames)
    assert ids_of(result) == {1, 2}
    rightward = {track_id for t, frame in enumerate(result) for x, track_id in frame
                 if abs(x - (100 + 6 * t)) < 0.01 and t != 30}  # fmt: skip
    assert len(rightward) == 1


@every_tracker
def test_boxes_come_back_as_they_were(name):
    tracker = make(name)
    for t in range(5):
        given = boxes((300 + t, 200, 0.8), (100 + t, 200, 0.7))
        kept, ids = tracker.update(given, timestamp=t / 10, image=IMAGE)
    rows = [given.boxes_xyxy.tolist().index(box) for box in kept.boxes_xyxy.tolist()]
    assert sorted(rows) == [0, 1]
    np.testing.assert_array_equal(kept.scores, given.scores[rows])
    assert ids.tolist() == [1, 2]


@every_tracker
@pytest.mark.parametrize("min_frames", [2, 3, 5])
def test_a_track_is_confirmed_after_its_frames_in_a_row(name, min_frames):
    frames = [boxes((100, 200, 0.9))] * 8
    result = run(make(name, min_frames=min_frames), frames)
    assert [len(frame) for frame in result] == [0] * (min_frames - 1) + [1] * (9 - min_frames)


@every_tracker
def test_a_flicker_is_no_track(name):
    frames = [boxes((100, 200, 0.9)) if t % 4 in (0, 1) else boxes() for t in range(20)]
    assert not ids_of(run(make(name, min_frames=3), frames))


@every_tracker
def test_weak_boxes_start_no_track(name):
    frames = [boxes((100, 200, 0.55), (300, 200, 0.2))] * 10
    assert not ids_of(run(make(name), frames))


@pytest.mark.parametrize("name", ["botsort", "bytetrack"])
def test_weak_boxes_extend_a_track(name):
    frames = [boxes((100 + t, 200, 0.9 if t < 5 else 0.15)) for t in range(40)]
    result = run(make(name), frames)
    assert [[track_id for _, track_id in frame] for frame in result[2:]] == [[1]] * 38


@every_tracker
def test_boxes_between_strong_and_birth_extend_a_track(name):
    frames = [boxes((100 + t, 200, 0.9 if t < 5 else 0.4)) for t in range(40)]
    assert all(len(frame) == 1 for frame in run(make(name), frames)[2:])


@every_tracker
def test_a_lost_track_is_found_again_in_time_only(name):
    seen = [boxes((100, 200, 0.9))] * 5
    times = np.arange(5) / 10
    for away_s, ids in ((1.5, {1}), (2.5, {1, 2})):
        result = run(make(name), seen * 2, timestamps=[*times, *(times + 0.5 + away_s)])
        assert ids_of(result) == ids, away_s
        # the same when the frames between are there, but empty
        between = np.arange(0.5, 0.5 + away_s - 0.05, 0.1)
        frames = [*seen, *([boxes()] * len(between)), *seen]
        stamps = [*times, *between, *(times + 0.5 + away_s)]
        assert ids_of(run(make(name), frames, timestamps=stamps)) == ids, away_s


@every_tracker
def test_a_found_track_is_shown_at_once(name):
    frames = [boxes((100, 200, 0.9)) if t != 10 else boxes() for t in range(20)]
    result = run(make(name, min_frames=4), frames)
    assert [len(frame) for frame in result[11:]] == [1] * 9


@every_tracker
def test_tracks_of_a_class_age_while_only_others_are_seen(name):
    frames = [boxes((100, 200, 0.9, 0), (300, 200, 0.9, 2))] * 5
    frames += [boxes((300, 200, 0.9, 2))] * 30
    frames += [boxes((100, 200, 0.9, 0), (300, 200, 0.9, 2))] * 5
    result = run(make(name), frames)
    assert result[4] == [(100, 1), (300, 2)]
    assert result[-1] == [(300, 2), (100, 3)]


@every_tracker
def test_ids_are_unique_over_classes_and_in_order_of_confirmation(name):
    frames = [boxes((500, 200, 0.9, 7))] * 3
    frames += [boxes((500, 200, 0.9, 7), (100, 200, 0.9, 5), (300, 200, 0.9, 0))] * 5
    result = run(make(name), frames)
    assert result[3] == [(500, 1)]
    assert result[-1] == [(500, 1), (300, 2), (100, 3)]


@every_tracker
def test_two_classes_at_one_place_are_two_tracks(name):
    result = run(make(name), [boxes((100, 200, 0.9, 0), (100, 200, 0.8, 2))] * 5)
    assert [track_id for _, track_id in result[-1]] == [1, 2]


@every_tracker
def test_two_trackers_share_nothing(name):
    frames = [boxes((100, 200, 0.9))] * 5
    first, second = make(name), make(name)
    assert ids_of(run(first, frames)) == ids_of(run(second, frames)) == {1}


@every_tracker
def test_the_same_frames_give_the_same_ids(name):
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(40):
        places = rng.uniform(100, 500, (6, 2)) * [1, 0.3]
        frames.append(boxes(*[(x, y, s, s * 20 % 2) for (x, y), s in zip(
            places.round(), rng.uniform(0.1, 1, 6), strict=True)]))  # fmt: skip
    assert run(make(name), frames) == run(make(name), frames)


@every_tracker
def test_variable_frame_rate_keeps_the_walker(name):
    # 60 px/s, sampled 0.03 to 0.4 s apart: the boxes move by 2 to 24 px of their 40
    times = np.cumsum(np.random.default_rng(2).uniform(0.03, 0.4, 60))
    result = run(make(name), [boxes((50 + 60 * t, 200, 0.9)) for t in times], timestamps=times)
    assert ids_of(result) == {1}
    assert all(len(frame) == 1 for frame in result[2:])


@every_tracker
def test_empty_frames(name):
    result = run(make(name), [boxes()] * 5)
    assert result == [[]] * 5


def test_camera_motion_is_taken_out():
    # the camera jumps by 48 px a frame at times: boxes of standing people no longer overlap enough
    shifts = [0] * 6 + [48] * 3 + [0] * 3 + [60] * 3
    images = [noise_image(100 + shift) for shift in shifts]
    frames = [boxes((300 - s, 200, 0.9, 0), (450 - s, 250, 0.9, 1)) for s in shifts]
    assert ids_of(run(make("botsort"), frames, images=images)) == {1, 2}
    assert len(ids_of(run(make("bytetrack"), frames))) > 2


def test_botsort_needs_the_image():
    with pytest.raises(InputError, match="needs the image of each frame"):
        make("botsort").update(boxes(), timestamp=0.0)


def test_others_do_not_look_at_the_image():
    kept, _ = make("bytetrack").update(boxes((1, 1, 0.9)), timestamp=0.0, image=IMAGE)
    assert not len(kept)


def test_memory_is_bound_on_an_endless_stream():
    tracker = make("bytetrack", lost_s=0.5)
    for t in range(600):
        far = (t // 4) % 10 * 200
        tracker.update(boxes((far, 200, 0.9)), timestamp=t / 10)
    (one,) = tracker._classes.values()
    assert len(one.candidates) < 20


@every_tracker
@pytest.mark.parametrize("timestamp", [1.0, 0.9, np.nan, np.inf])
def test_timestamps_must_rise(name, timestamp):
    tracker = make(name)
    tracker.update(boxes(), timestamp=1.0, image=IMAGE)
    with pytest.raises(InputError, match=r"timestamp: expected seconds that rise .* after 1\.0"):
        tracker.update(boxes(), timestamp=timestamp, image=IMAGE)


@every_tracker
@pytest.mark.parametrize("frame_rate", [0, -25.0, np.nan, np.inf])
def test_wrong_frame_rate(name, frame_rate):
    with pytest.raises(ConfigError, match="frame_rate: expected frames a second above 0"):
        make(name, frame_rate=frame_rate)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"birth": 0.3, "strong": 0.5}, "expected birth >= strong"),
        ({"birth": 1.5}, "less than or equal to 1"),
        ({"min_iou": 0}, "greater than 0"),
        ({"lost_s": -1}, "greater than or equal to 0"),
        ({"min_frames": 1}, "greater than or equal to 2"),
        ({"unknown": 1}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_options(options, match):
    with pytest.raises(ValidationError, match=match):
        TrackerOptions(**options)


def test_options_are_frozen_and_in_seconds():
    options = TrackerOptions(lost_s=1.5)
    assert options.buffer == 45
    with pytest.raises(ValidationError, match="frozen"):
        options.birth = 0.9


def test_all_names_are_there():
    assert tracking.__all__ == sorted(tracking.__all__)
    assert all(hasattr(tracking, name) for name in tracking.__all__)
