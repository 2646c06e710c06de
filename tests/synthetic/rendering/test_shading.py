"""Light that parts of a figure take from each other."""

import numpy as np

from synthetic.rendering.shading import lamp_axes, openings


def plate(height_m: float, half_m: float) -> np.ndarray:
    """A square of points 2 cm apart."""
    along = np.arange(-half_m, half_m + 1e-6, 0.02)
    x, y = np.meshgrid(along, along)
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, height_m)]).astype(np.float32)


UP = np.array([0.0, 0.0, 1.0])


def test_a_lone_plate_is_open():
    points = plate(1.0, 0.3)
    normals = np.tile(np.float32(UP), (len(points), 1))
    np.testing.assert_allclose(openings(points, normals, UP), 1.0, atol=0.03)


def test_what_lies_below_is_dark_and_what_is_beside_is_not():
    low, high = plate(0.0, 0.6), plate(0.5, 0.15)
    points = np.concatenate([low, high])
    opened = openings(points, np.tile(np.float32(UP), (len(points), 1)), UP)
    under = np.abs(low[:, :2]).max(1) < 0.1
    beside = np.abs(low[:, :2]).max(1) > 0.25
    assert opened[: len(low)][under, 1].max() < 0.1
    assert opened[: len(low)][beside, 1].min() == 1
    assert opened[: len(low)][under, 0].max() < opened[: len(low)][beside, 0].min()
    assert (opened[len(low) :] > 0.97).all()


def test_a_low_sun_casts_to_the_other_side():
    low, high = plate(0.0, 0.8), plate(0.5, 0.1)
    points = np.concatenate([low, high])
    towards = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
    sun = openings(points, np.tile(np.float32(UP), (len(points), 1)), towards)[: len(low), 1]
    shaded = low[sun < 0.5]
    np.testing.assert_allclose(shaded.mean(0)[:2], (-0.5, 0), atol=0.05)


def test_without_a_sun_or_without_points():
    assert openings(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), UP).shape == (0, 2)
    points = plate(0.0, 0.1)
    assert (openings(points, np.tile(np.float32(UP), (len(points), 1)), None)[:, 1] == 1).all()


def test_lamp_axes_are_right_handed():
    for towards in (UP, np.array([0.6, 0.0, 0.8]), np.array([0.0, 0.8, 0.6])):
        axes = lamp_axes(towards)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.cross(axes[0], axes[1]), towards, atol=1e-12)
