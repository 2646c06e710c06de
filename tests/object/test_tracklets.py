"""Tracklets: what is known of a track at its end."""

import numpy as np
import pytest

from everyid.arrays import Tracks
from everyid.media import Frame
from everyid.models import MovementType
from object.tracklets import TrackletBook
from tests.object.scenes import NAMES

IMAGE = np.zeros((2, 2, 3), np.uint8)
STILL, WALKS, RUNS = MovementType


def add(book, number, timestamp, rows):
    """Rows of (track, class, score, velocity x, velocity y, type)."""
    count = len(rows)
    book.add(
        Frame(IMAGE, number, timestamp),
        Tracks(
            np.tile(np.array([[0, 0, 9, 9]], np.float32), (count, 1)),
            np.array([row[2] for row in rows], np.float32),
            np.array([row[1] for row in rows], np.int32),
            np.array([row[0] for row in rows], np.int64),
            np.array([row[3:5] for row in rows], np.float32).reshape(count, 2),
        ),
        [row[5] for row in rows],
    )


def test_no_frames_and_empty_frames_give_no_tracklets():
    book = TrackletBook(NAMES)
    assert book.tracklets() == []
    add(book, 1, 0.0, [])
    assert book.tracklets() == []


def test_totals_of_two_tracks():
    book = TrackletBook(NAMES)
    add(book, 3, 0.08, [(2, 2, 0.5, 0, 0, STILL)])
    add(book, 4, 0.12, [(1, 0, 0.9, 3, -4, WALKS), (2, 2, 0.7, 30, 40, WALKS)])
    add(book, 5, 0.16, [])
    add(book, 9, 0.32, [(2, 2, 0.9, 60, 80, WALKS)])
    first, second = book.tracklets()
    assert (first.track_id, first.class_name, first.boxes) == (1, "person", 1)
    assert (first.first_frame, first.last_frame, first.duration_s) == (4, 4, 0)
    assert first.mean_speed == pytest.approx(5)
    assert (second.track_id, second.class_id, second.class_name) == (2, 2, "car")
    assert (second.first_frame, second.last_frame, second.boxes) == (3, 9, 3)
    assert (second.start_s, second.end_s) == (0.08, 0.32)
    assert second.duration_s == pytest.approx(0.24)
    assert second.mean_confidence == pytest.approx(0.7)
    assert second.mean_speed == pytest.approx(50)
    assert second.movement_type is WALKS


@pytest.mark.parametrize(
    ("types", "most"),
    [((STILL, STILL, RUNS), STILL), ((STILL, RUNS, RUNS), RUNS), ((WALKS,), WALKS)],
)
def test_the_type_of_most_boxes(types, most):
    book = TrackletBook(NAMES)
    for number, kind in enumerate(types, 1):
        add(book, number, number / 10, [(1, 0, 0.5, 0, 0, kind)])
    assert book.tracklets()[0].movement_type is most


def test_confidence_of_one_stays_one_over_many_frames():
    book = TrackletBook(NAMES)
    for number in range(1, 1001):
        add(book, number, number / 10, [(1, 0, 1.0, 0, 0, STILL), (2, 0, 0.1, 0, 0, STILL)])
    sure, unsure = book.tracklets()
    assert sure.mean_confidence == 1
    assert unsure.mean_confidence == pytest.approx(0.1)


def test_tracklets_may_be_asked_for_in_between():
    book = TrackletBook(NAMES)
    add(book, 1, 0.0, [(1, 0, 0.5, 0, 0, STILL)])
    assert book.tracklets()[0].boxes == 1
    add(book, 2, 0.1, [(1, 0, 0.5, 0, 0, STILL)])
    assert book.tracklets()[0].boxes == 2
