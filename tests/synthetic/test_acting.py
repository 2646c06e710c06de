"""How people of a story hold themselves."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from synthetic.acting import draw_manner, pose_at
from synthetic.cast import CHANGED_SHARE, draw_cast, draw_manners
from synthetic.people.arms import Arms
from synthetic.people.pose import Pose
from synthetic.seeds import generator
from synthetic.walks import Activity, Moment


def moment(
    activity: Activity = "walking",
    *,
    speed: float = 0.0,
    since_s: float = 5.0,
    until_s: float = 5.0,
    cycles: float = 0.3,
) -> Moment:
    return Moment(0, (0.0, 0.0), 0.0, speed, cycles, activity, since_s, until_s, None)


@pytest.fixture(scope="module")
def manner():
    found = draw_manner(generator(1, "test"), draw_cast(1, day=1, seed=1)[0])
    return replace(found, arms=Arms())


def angle_deg(one: Pose, other: Pose, bone: str) -> float:
    still = np.eye(3)
    between = one.rotations.get(bone, still).T @ other.rotations.get(bone, still)
    return float(np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))))


def farthest_deg(one: Pose, other: Pose) -> float:
    bones = {*one.rotations, *other.rotations}
    return max(angle_deg(one, other, bone) for bone in bones)


def test_steps_go_with_the_way_walked(manner):
    speed = manner.pace.walking
    start = pose_at(moment(speed=speed), manner)
    assert farthest_deg(start, pose_at(moment(speed=speed, cycles=1.3), manner)) < 0.01
    assert angle_deg(start, pose_at(moment(speed=speed, cycles=0.8), manner), "upperleg01.L") > 10


def test_who_stands_does_not_step(manner):
    one, other = (pose_at(moment(cycles=cycles), manner) for cycles in (0.0, 0.5))
    assert farthest_deg(one, other) < 0.01


@pytest.mark.parametrize(
    ("activity", "bone"),
    [("phone", "lowerarm01.R"), ("talking", "lowerarm01.R"), ("looking", "head")],
)
def test_pauses_show(manner, activity, bone):
    rest, doing = pose_at(moment(), manner), pose_at(moment(activity), manner)
    assert angle_deg(rest, doing, bone) > 8


@pytest.mark.parametrize("activity", ["phone", "talking", "looking", "standing"])
def test_pauses_begin_and_end_gradually(manner, activity):
    for ends in ({"since_s": 0.0}, {"until_s": 0.0}):
        rest = pose_at(moment("walking", since_s=ends.get("since_s", 5.0)), manner)
        assert farthest_deg(rest, pose_at(moment(activity, **ends), manner)) < 3


def test_no_pose_jumps_while_people_get_faster(manner):
    speeds = np.arange(0.0, manner.pace.running + 0.1, 0.05).tolist()
    poses = [pose_at(moment("running", speed=speed), manner) for speed in speeds]
    steps = [farthest_deg(a, b) for a, b in pairwise(poses)]
    assert max(steps) < 20
    assert farthest_deg(poses[0], poses[-1]) > 30


def test_who_holds_something_does_not_wave_it(manner):
    holding = replace(manner, arms=Arms("carry", "strap"))
    rest, talk = pose_at(moment(), holding), pose_at(moment("talking"), holding)
    assert angle_deg(rest, talk, "upperarm01.R") < 5


def test_many_change_their_clothes_and_nobody_the_body():
    first, second = (draw_cast(60, day=day, seed=3) for day in (1, 2))
    assert [p.height_m for p in first] == [p.height_m for p in second]
    changed = sum(a != b for a, b in zip(first, second, strict=True)) / 60
    assert abs(changed - CHANGED_SHARE) < 0.2
    assert draw_cast(60, day=2, seed=3) == second


def test_people_walk_alike_on_all_days():
    first, second = (draw_manners(draw_cast(9, day=day, seed=3), seed=3) for day in (1, 2))
    assert [manner.gait for manner in first] == [manner.gait for manner in second]
    assert len({manner.gait for manner in first}) == 9
