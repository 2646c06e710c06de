"""Sensors: what they do to light, and that they differ without being absurd."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from synthetic.rendering.sensor import Sensor, adapted, develop, draw_sensor
from synthetic.seeds import generator

CLEAN = Sensor()


def flat(*rgb: float, size_wh=(64, 48)) -> np.ndarray:
    return np.broadcast_to(np.float32(rgb), (*size_wh[::-1], 3)).copy()


def taken(light, sensor, **options) -> np.ndarray:
    return develop(light, sensor, generator(5, "picture"), **options)


def test_a_clean_sensor_gives_srgb_as_bgr():
    picture = taken(flat(0.5, 0.2, 0.05), CLEAN)
    assert picture.dtype == np.uint8
    assert picture.shape == (48, 64, 3)
    np.testing.assert_allclose(picture[0, 0], [63, 124, 188], atol=1)  # sRGB of BGR


def test_highlights_go_to_white_without_turning_round():
    steps = [
        int(taken(flat(value, value, value), CLEAN)[0, 0, 0]) for value in (0.6, 0.9, 1.5, 3.9)
    ]
    assert steps == sorted(steps)
    assert steps[-1] >= 254


def test_light_below_zero_is_black():
    assert (taken(flat(-1.0, -0.1, 0.0), CLEAN) == 0).all()


@pytest.mark.parametrize(
    ("change", "brighter"),
    [({"exposure": 1.4}, 1), ({"gamma": 1.2}, -1), ({"black": 0.1}, 1), ({"contrast": 1.2}, -1)],
)
def test_the_tone_changes_as_the_name_says(change, brighter):
    usual, changed = (
        taken(flat(0.1, 0.1, 0.1), sensor).mean() for sensor in (CLEAN, replace(CLEAN, **change))
    )
    assert (changed - usual) * brighter > 3


def test_white_balance_and_saturation():
    warm = taken(flat(0.3, 0.3, 0.3), replace(CLEAN, white_balance=(1.2, 1.0, 0.8)))[0, 0]
    assert warm[2] > warm[1] > warm[0]
    grey = taken(flat(0.6, 0.1, 0.1), replace(CLEAN, saturation=0.0))[0, 0]
    assert np.ptp(grey) == 0


def test_noise_grows_with_light_and_leaves_the_mean():
    sensor = replace(CLEAN, shot_noise=2e-4, read_noise=0.003)
    light = flat(0.1, 0.1, 0.1, size_wh=(300, 300))
    picture = taken(light, sensor).astype(float)
    assert picture.mean() == pytest.approx(taken(light, CLEAN).mean(), abs=0.7)
    assert 1 < picture.std() < 8
    assert picture.std() < taken(light, replace(sensor, shot_noise=1e-3)).astype(float).std()


def test_noise_of_two_pictures_differs():
    sensor = replace(CLEAN, read_noise=0.01)
    draws = generator(1, "noise")
    first, second = (develop(flat(0.2, 0.2, 0.2), sensor, draws) for _ in range(2))
    assert (first != second).any()


def test_blur_softens_and_sharpening_makes_halos():
    light = flat(0.1, 0.1, 0.1)
    light[:, 32:] = 0.5
    plain, soft, sharp = (
        taken(light, replace(CLEAN, **change))[0, :, 0].astype(int)
        for change in ({}, {"blur_px": 1.0}, {"sharpening": 1.0})
    )
    assert np.abs(np.diff(soft)).max() < np.abs(np.diff(plain)).max()
    assert sharp.max() > plain.max()
    assert sharp.min() < plain.min()


def test_corners_are_darker_only_in_whole_pictures():
    sensor = replace(CLEAN, vignette=0.3)
    picture = taken(flat(0.3, 0.3, 0.3), sensor)
    assert picture[0, 0, 0] < picture[24, 32, 0] - 10
    assert np.ptp(taken(flat(0.3, 0.3, 0.3), sensor, vignette=False)) == 0


def test_haze_hides_what_is_far():
    light, sensor = flat(0.05, 0.05, 0.05), replace(CLEAN, haze_per_m=0.02)
    near, far, sky = (taken(light, sensor, distance_m=away).mean() for away in (3.0, 60.0, np.inf))
    assert near < far < sky
    by_pixel = np.full((48, 64), 3.0, np.float32)
    assert taken(light, sensor, distance_m=by_pixel).mean() == near


def test_infrared_is_grey_and_does_not_reach_far():
    sensor = replace(CLEAN, infrared=True, read_noise=0.01)
    near, far = (taken(flat(0.4, 0.1, 0.2), sensor, distance_m=away) for away in (4.0, 40.0))
    assert np.ptp(near.astype(int), axis=2).max() == 0
    assert near.mean() > far.mean() + 30


def test_rain_draws_streaks_also_where_the_tile_ends():
    light = flat(0.2, 0.2, 0.2, size_wh=(900, 700))
    dry, wet = (taken(light, replace(CLEAN, rain=rain)) for rain in (0.0, 1.0))
    assert (wet >= dry).all()
    assert 0.005 < (wet > dry + 5).mean() < 0.5


def test_jpeg_has_one_of_the_qualities():
    light = cv2.GaussianBlur(
        generator(3, "light").random((48, 64, 3)).astype(np.float32), (0, 0), 1.5
    )
    plain = taken(light, CLEAN).astype(int)
    fine, coarse = (
        np.abs(taken(light, replace(CLEAN, jpeg_quality=(quality, quality))) - plain).mean()
        for quality in (95, 15)
    )
    assert 0 < fine < coarse


def test_the_same_generator_gives_the_same_picture():
    light = flat(0.3, 0.2, 0.1)
    sensor = draw_sensor(generator(4, "sensor"), night=True)
    assert sensor == draw_sensor(generator(4, "sensor"), night=True)
    first, second = (taken(light, sensor, distance_m=9.0) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_few_sensors_see_badly():
    drawn = [draw_sensor(generator(number, "sensor")) for number in range(600)]
    for trait, most in (("infrared", 0.08), ("rain", 0.09), ("haze_per_m", 0.13)):
        share = np.mean([bool(getattr(sensor, trait)) for sensor in drawn])
        assert 0 < share < most, trait
    gains = np.array([sensor.white_balance for sensor in drawn])
    assert 0.05 < np.log(gains[:, 0] / gains[:, 1]).std() < 0.15
    saturation = [sensor.saturation for sensor in drawn]
    assert min(saturation) >= 0.5
    assert max(saturation) <= 1.3


def test_no_rain_indoors_and_more_noise_at_night():
    indoor = [draw_sensor(generator(number, "in"), indoor=True) for number in range(100)]
    assert not any(sensor.rain or sensor.haze_per_m for sensor in indoor)
    day, night = (
        np.median([draw_sensor(generator(n, "s"), night=dark).read_noise for n in range(50)])
        for dark in (False, True)
    )
    assert night > 2 * day


def test_a_red_shirt_is_red_in_every_ordinary_camera():
    for number in range(60):
        sensor = draw_sensor(generator(number, "hue"), night=False)
        picture = develop(flat(0.35, 0.03, 0.04), sensor, generator(number, "p"))
        blue, green, red = picture.mean((0, 1))
        assert red > max(blue, green) + 25


def test_a_camera_exposes_for_what_it_sees():
    plain = Sensor(exposure=1.1)
    dim, bright = (np.full((40, 60, 3), level, np.float32) for level in (0.08, 0.25))
    shown = [
        float(develop(light, adapted(plain, light), np.random.default_rng(1)).mean())
        for light in (dim, bright)
    ]
    assert shown[0] == pytest.approx(shown[1], abs=2)
    dark = np.full((40, 60, 3), 1e-5, np.float32)
    assert adapted(plain, dark).exposure == pytest.approx(1.1 * 2.5), "night stays dark"


def test_sky_does_not_decide_the_exposure():
    light = np.full((40, 60, 3), 0.17, np.float32)
    with_sky = light.copy()
    with_sky[:3] = 3.0
    assert adapted(Sensor(), with_sky).exposure == pytest.approx(1.0, rel=0.05)
