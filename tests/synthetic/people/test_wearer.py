"""Bodies measured for clothes."""

import numpy as np
import pytest

from synthetic.people.wearer import leg_radius, measure, share_of, smoothed, smoothstep


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.75)


def test_the_body_has_the_height_asked_for(wearer):
    assert np.isclose(wearer.positions[:, 2].max(), 1.75)


def test_lengths_run_from_the_waist_to_the_ankles(wearer):
    assert np.isclose(wearer.height_of(1), wearer.head("foot.L")[2], atol=1e-3)
    assert wearer.height_of(0) > wearer.head("spine03")[2]


def test_sleeves_are_measured_along_the_arm(wearer, body):
    wrist = body.weights[:, body.bones.index("wrist.R")] > 0.6
    assert np.abs(wearer.reach[wrist] - 1).max() < 0.2
    assert (wearer.reach[share_of("spine") > 0.9] <= 0).all()


def test_a_child_is_smaller_than_a_grown_up(body, wearer):
    assert measure(body, {"age": 1 / 3}, 1.2).scale < 0.75 * wearer.scale


def test_hollows_are_filled_and_hills_are_not(wearer):
    assert wearer.filling.min() >= 0
    assert wearer.filling.max() > 0.005
    assert np.median(wearer.filling) < 0.002


def test_legs_are_thicker_above_than_below(wearer):
    radius = leg_radius(wearer)
    on_leg = share_of("upperleg", "lowerleg") > 0.9
    thigh, calf = (on_leg & (np.abs(wearer.drop - drop) < 0.03) for drop in (0.4, 0.9))
    assert radius[thigh].mean() > 1.3 * radius[calf].mean()


def test_smoothing_keeps_what_is_even(wearer):
    assert np.allclose(smoothed(np.ones(len(wearer.drop), np.float32), 3), 1, atol=1e-5)


def test_a_smooth_step_may_rise_or_fall():
    places = np.array([0.0, 0.5, 1.0])
    assert np.allclose(smoothstep(0, 1, places), [0, 0.5, 1])
    assert np.allclose(smoothstep(1, 0, places), [1, 0.5, 0])
