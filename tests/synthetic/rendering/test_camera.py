"""Cameras: projection as OpenCV has it, and back to the ground."""

import math

import cv2
import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.rendering.camera import Camera, aim, draw_camera
from synthetic.seeds import generator


def camera(**changes) -> Camera:
    values = {
        "name": "gate",
        "position_m": (2.0, -7.0, 3.5),
        "yaw_deg": 100.0,
        "pitch_deg": -20.0,
        "roll_deg": 3.0,
        "focal_px": 640.0,
        "size_wh": (1280, 720),
        "k1": -0.08,
    }
    return Camera(**{**values, **changes})


def test_axes_are_to_the_right_down_and_ahead():
    view = camera(position_m=(0, 0, 0), yaw_deg=90, pitch_deg=0, roll_deg=0).view_matrix()
    np.testing.assert_allclose(view[:3, :3] @ (0, 5, 0), (0, 0, 5), atol=1e-12)
    np.testing.assert_allclose(view[:3, :3] @ (2, 0, 0), (2, 0, 0), atol=1e-12)
    np.testing.assert_allclose(view[:3, :3] @ (0, 0, 1), (0, -1, 0), atol=1e-12)


def test_a_rolled_camera_turns_clockwise():
    level = camera(roll_deg=0, k1=0).project([[1.0, 0.0, 3.0]])[0]
    rolled = camera(roll_deg=5, k1=0).project([[1.0, 0.0, 3.0]])[0]
    centre = np.array((640, 360))
    before, after = (np.arctan2(*(pixels - centre)[0][::-1]) for pixels in (level, rolled))
    assert math.degrees(after - before) == pytest.approx(-5)  # y points down


@pytest.mark.parametrize("k1", [-0.09, 0.0, 0.05])
def test_pixels_are_those_of_opencv(k1):
    seen = camera(k1=k1)
    points = generator(1, "points").uniform((-4, -1, 0), (8, 12, 3), (200, 3))
    pixels, depth = seen.project(points)
    inside = (depth > 0.5) & ((pixels > 0) & (pixels < seen.size_wh)).all(1)
    assert inside.sum() > 50
    said = seen.to_calibration()
    rotation = cv2.Rodrigues(np.array(said["rotation"]))[0]
    expected, _ = cv2.projectPoints(
        points[inside],
        rotation,
        np.array(said["translation_m"]),
        np.array(said["intrinsic"]),
        np.array([said["k1"], 0, 0, 0], float),
    )
    np.testing.assert_allclose(pixels[inside], expected[:, 0], atol=1e-6)


def test_what_is_behind_has_no_pixel_and_a_depth_below_zero():
    pixels, depth = camera(yaw_deg=90, pitch_deg=0).project([[2, -20, 3.5], [2, 3, 3.5]])
    assert np.isnan(pixels[0]).all()
    assert np.isfinite(pixels[1]).all()
    np.testing.assert_allclose(depth, [-13, 10])


@pytest.mark.parametrize("k1", [-0.09, -1e-9, 0.0, 0.05])
def test_undistort_takes_back_what_the_lens_did(k1):
    seen = camera(k1=k1)
    pixels = generator(2, "pixels").uniform((-900, -600), (2200, 1300), (300, 2))
    flat = seen.undistort(pixels)
    view = seen.view_matrix()
    points = (np.column_stack([flat, np.ones(300)]) * 7 - view[:3, 3]) @ view[:3, :3]
    np.testing.assert_allclose(seen.project(points)[0], pixels, atol=1e-3)


def test_nothing_far_outside_folds_back_into_the_picture():
    seen = camera(k1=-0.09, yaw_deg=90, pitch_deg=0, roll_deg=0)
    away = np.linspace(0.1, 200, 500)
    x = seen.project(np.column_stack([2 + away, np.full(500, 3.0), np.full(500, 3.5)]))[0][:, 0]
    assert (np.diff(x) > 0).all()


def test_the_ground_is_found_again():
    seen = camera()
    points = [[0.5, 0.0, 0.0], [2.0, 4.0, 0.0], [-1.5, 9.0, 0.0]]
    for pixel, point in zip(seen.project(points)[0], points, strict=True):
        assert seen.ground_point(tuple(pixel)) == pytest.approx(point[:2], abs=1e-6)


def test_there_is_no_ground_above_the_horizon():
    assert camera().ground_point((640.0, 0.0)) is None


def test_a_lens_that_folds_its_corners_is_refused():
    with pytest.raises(ConfigError, match=r"^camera gate: k1 = -0\.4 folds the corners of a"):
        camera(k1=-0.4)


@pytest.mark.parametrize("number", range(20))
def test_a_drawn_camera_has_its_target_in_the_picture(number):
    seen = draw_camera(generator(number, "camera"), "c1", target_xy=(3.0, -2.0))
    assert seen == draw_camera(generator(number, "camera"), "c1", target_xy=(3.0, -2.0))
    assert 1.5 <= seen.position_m[2] <= 8
    assert 4 <= math.dist(seen.position_m[:2], (3, -2)) <= 20
    pixels, depth = seen.project([[3.0, -2.0, 1.0]])
    assert depth[0] > 0
    assert ((pixels > 0) & (pixels < seen.size_wh)).all()


def test_aim_puts_a_point_into_the_middle():
    yaw, pitch = aim((2.0, -7.0, 3.5), (0.0, 1.0, 1.0))
    seen = camera(yaw_deg=yaw, pitch_deg=pitch)
    np.testing.assert_allclose(seen.project([[0.0, 1.0, 1.0]])[0], [(640, 360)], atol=1e-9)
