"""Containers of aligned arrays: what they refuse, and how rows are chosen."""

import re
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from everyid.arrays import Detections, Tracks
from everyid.errors import InputError, ShapeError

COUNT = 4
every_kind = pytest.mark.parametrize("kind", [Detections, Tracks])


def arrays(kind, count=COUNT):
    rows = np.arange(count)
    found = {
        "boxes_xyxy": np.stack([rows, rows, rows + 10, rows + 20], axis=1).astype(np.float32),
        "scores": np.linspace(0.1, 0.9, count, dtype=np.float32),
        "class_ids": rows.astype(np.int32),
        "track_ids": rows.astype(np.int64) + 1,
        "velocities": np.stack([rows, -rows], axis=1).astype(np.float32),
    }
    return {field.name: found[field.name] for field in fields(kind)}


def make(kind, **changes):
    return kind(**{**arrays(kind), **changes})


def refused(kind, message, **changes):
    with pytest.raises(ShapeError, match=re.escape(message)):
        make(kind, **changes)


@every_kind
def test_the_length_is_the_number_of_boxes(kind):
    assert len(make(kind)) == COUNT
    assert len(kind(**arrays(kind, 1))) == 1


@every_kind
def test_empty_has_no_rows_and_the_documented_types(kind):
    empty = kind.empty()
    assert len(empty) == 0
    for name, array in arrays(kind).items():
        assert getattr(empty, name).shape == (0, *array.shape[1:])
        assert getattr(empty, name).dtype == array.dtype


@every_kind
@pytest.mark.parametrize(
    ("boxes", "came"),
    [
        (np.zeros((COUNT, 5), np.float32), "got (4, 5) float32"),
        (np.zeros(COUNT, np.float32), "got (4,) float32"),
        (np.zeros((COUNT, 2, 2), np.float32), "got (4, 2, 2) float32"),
        (np.zeros((COUNT, 4), np.int32), "got (4, 4) int32"),
        (np.array(1.0, np.float32), "got () float32"),
    ],
)
def test_wrong_boxes(kind, boxes, came):
    with pytest.raises(ShapeError, match=rf"^boxes_xyxy: expected .*{re.escape(came)}$"):
        make(kind, boxes_xyxy=boxes)


@every_kind
def test_arrays_must_align(kind):
    names = [name for name in arrays(kind) if name != "boxes_xyxy"]
    for name in names:
        shorter = arrays(kind)[name][:-1]
        refused(kind, f"{name}: expected shape {(COUNT, *shorter.shape[1:])}", **{name: shorter})


@every_kind
def test_numbers_must_be_of_the_right_kind(kind):
    refused(kind, "scores: expected shape (4,)", scores=np.ones(COUNT, np.int32))
    refused(kind, "got (4,) float32", class_ids=np.ones(COUNT, np.float32))
    refused(kind, "got (4,) bool", class_ids=np.ones(COUNT, np.bool_))


def test_track_ids_and_velocities():
    refused(Tracks, "track_ids: expected", track_ids=np.ones(COUNT, np.float32))
    refused(Tracks, "velocities: expected shape (4, 2)", velocities=np.ones((4, 3), np.float32))


@pytest.mark.parametrize("name", ["boxes_xyxy", "scores"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_detections_are_finite(name, value):
    array = arrays(Detections)[name].copy()
    array[-1] = value
    refused(Detections, "expected finite values, got NaN or infinity", **{name: array})


def test_a_shape_error_is_an_input_error():
    with pytest.raises(InputError):
        make(Detections, scores=np.ones((COUNT, 1), np.float32))


@every_kind
@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (np.array([True, False, False, True]), [0, 3]),
        (np.zeros(COUNT, np.bool_), []),
        (np.array([2, 0]), [2, 0]),
        (np.array([1, 1, 1]), [1, 1, 1]),
        (np.array([-1]), [3]),
        (np.array([], np.intp), []),
    ],
)
def test_select_takes_the_same_rows_of_every_array(kind, rows, kept):
    selected = make(kind).select(rows)
    assert type(selected) is kind
    assert len(selected) == len(kept)
    for name, array in arrays(kind).items():
        np.testing.assert_array_equal(getattr(selected, name), array[kept])
        assert getattr(selected, name).dtype == array.dtype


@every_kind
def test_select_from_none(kind):
    assert len(kind.empty().select(np.zeros(0, np.bool_))) == 0


@every_kind
def test_a_selection_shares_nothing_with_its_source(kind):
    whole = make(kind)
    part = whole.select(np.ones(COUNT, np.bool_))
    part.boxes_xyxy[:] = -1
    np.testing.assert_array_equal(whole.boxes_xyxy, arrays(kind)["boxes_xyxy"])


@every_kind
def test_frozen_but_replaceable(kind):
    made = make(kind)
    with pytest.raises(FrozenInstanceError):
        made.scores = np.zeros(COUNT, np.float32)
    changed = replace(made, scores=np.zeros(COUNT, np.float32))
    assert changed.scores.sum() == 0
    assert made.scores.sum() > 0
