"""Surfaces are cut exactly where a field crosses 0."""

import numpy as np

from synthetic.people.cutting import crossings, divide, edges_of, split, trim

CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def area(faces, corners):
    first, second, third = (corners[faces[:, corner]] for corner in range(3))
    a, b = second - first, third - first
    return float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2)


def test_a_trimmed_square_has_the_area_that_is_left():
    faces, (corners,) = trim(SQUARE, CORNERS[:, 0] - np.float32(0.25), [CORNERS])
    assert np.isclose(area(faces, corners), 0.75)
    assert np.isclose(corners[:, 0].min(), 0.25)


def test_neighbours_share_the_vertices_on_a_cut():
    faces, (corners,) = trim(SQUARE, CORNERS[:, 0] - np.float32(0.25), [CORNERS])
    assert len(corners) == 5
    assert len(edges_of(faces)) == 5


def test_nothing_is_left_of_what_lies_outside():
    faces, (corners,) = trim(SQUARE, np.full(4, -1, np.float32), [CORNERS])
    assert faces.shape == (0, 3)
    assert corners.shape == (0, 2)


def test_all_is_left_of_what_lies_inside():
    faces, (corners,) = trim(SQUARE, np.ones(4, np.float32), [CORNERS])
    assert np.array_equal(faces, SQUARE)
    assert np.array_equal(corners, CORNERS)


def test_a_divided_square_keeps_its_area_and_its_outline():
    field = CORNERS[:, 0] - np.float32(0.25)
    faces, (corners,) = divide(SQUARE, field, [CORNERS])
    assert np.isclose(area(faces, corners), 1)
    sides = np.sign(corners[faces, 0] - 0.25)
    assert not ((sides > 0).any(axis=1) & (sides < 0).any(axis=1)).any()


def test_crossings_lie_on_the_line():
    (points,) = crossings(SQUARE, CORNERS[:, 1] - np.float32(0.5), [CORNERS])
    assert np.allclose(points[:, 1], 0.5)


def test_split_corners_share_vertices_within_a_group_only():
    faces, old, group = split(SQUARE, np.array([[0, 0, 0], [1, 1, 1]]))
    assert len(old) == 6
    assert np.array_equal(old[faces], SQUARE)
    assert group.tolist().count(1) == 3
