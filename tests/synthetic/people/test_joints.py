"""Rotations, and legs that bring a foot where it is to be."""

import numpy as np
import pytest

from synthetic.people.joints import (
    ANKLE_HEIGHT,
    SHANK,
    THIGH,
    Foot,
    leg,
    reach_of,
    rolled,
    sole_height,
    turn,
    turn_about,
)


@pytest.mark.parametrize(("axis", "unit"), [("x", (1, 0, 0)), ("y", (0, 1, 0)), ("z", (0, 0, 1))])
def test_turns_about_the_body_axes_agree_with_turns_about_any_axis(axis, unit):
    np.testing.assert_allclose(turn(axis, 33.0), turn_about(unit, 33.0), atol=1e-12)
    np.testing.assert_allclose(turn(axis, 90.0) @ unit, unit, atol=1e-12)


def test_the_signs_are_those_promised():
    assert (turn("x", 20) @ (0, 0, 1))[1] < 0  # leans forward, to -y
    assert (turn("y", 20) @ (1, 0, 0))[2] < 0  # the left side goes down
    np.testing.assert_allclose(turn("z", 90) @ (0, -1, 0), (1, 0, 0), atol=1e-12)  # to its left


def test_a_bent_knee_shortens_the_leg():
    assert reach_of(0) == pytest.approx(THIGH + SHANK)
    assert reach_of(0) > reach_of(30) > reach_of(90) > reach_of(150)


@pytest.mark.parametrize("pitch_deg", [-70, -40, -20, 0, 10, 20])
def test_a_foot_that_rolls_touches_the_ground(pitch_deg):
    forward, up = rolled(pitch_deg)
    assert sole_height(Foot(0.1, forward, up, pitch_deg)) == pytest.approx(0, abs=1e-9)


def test_a_flat_foot_is_where_it_was():
    assert rolled(0.0) == pytest.approx((0.0, ANKLE_HEIGHT))


@pytest.mark.parametrize("side", ["L", "R"])
def test_the_sole_is_turned_as_asked_however_the_hips_are(side):
    pelvis = turn("z", 6) @ turn("y", 4) @ turn("x", 3)
    foot = Foot(0.07, 0.2, 0.1, pitch_deg=12.0, splay_deg=8.0)
    bones = leg(side, foot, pelvis=pelvis, hip_height=0.95)
    sole = (
        pelvis @ bones[f"upperleg01.{side}"] @ bones[f"lowerleg01.{side}"] @ bones[f"foot.{side}"]
    )
    toes = sole @ (0, -1, 0)
    assert np.degrees(np.arcsin(toes[2])) == pytest.approx(12.0)
    outwards = toes[0] if side == "L" else -toes[0]
    assert np.degrees(np.arctan2(outwards, -toes[1])) == pytest.approx(8.0)


def test_what_is_out_of_reach_is_reached_for_with_an_almost_straight_leg():
    bones = leg("L", Foot(0.1, 2.0, 0.1), pelvis=np.eye(3), hip_height=0.95)
    for matrix in bones.values():
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
