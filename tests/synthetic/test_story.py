"""Stories: everybody comes, walks as people do, is seen, and leaves."""

import itertools

import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.crowd import steer
from synthetic.story import Story, load_story, save_story, tell_story
from synthetic.walks import ACTIVITIES, STEP_S, Pace
from tests.synthetic import grounds


@pytest.fixture(scope="module")
def busy() -> Story:
    return grounds.story(people=15, duration_s=120.0)


def same(one: Story, other: Story) -> bool:
    if len(one.walks) != len(other.walks):
        return False
    pairs = zip(one.walks, other.walks, strict=True)
    return all(a.person == b.person and np.array_equal(a.xy, b.xy) for a, b in pairs)


def test_a_seed_and_a_day_decide_the_story():
    first = grounds.story(duration_s=20.0)
    assert same(first, grounds.story(duration_s=20.0))
    assert not same(first, grounds.story(duration_s=20.0, seed=2))
    assert not same(first, grounds.story(duration_s=20.0, day=2))


def test_nobody_jumps(busy):
    for walk in busy.walks:
        steps = np.linalg.norm(np.diff(walk.xy, axis=0), axis=1)
        assert (steps <= walk.speed[1:] * STEP_S + 1e-9).all()
        assert (walk.speed <= 2.8).all()


def test_a_story_comes_back_from_its_file(busy, tmp_path):
    save_story(busy, tmp_path / "story.npz")
    again = load_story(tmp_path / "story.npz")
    assert same(again, busy)
    assert again.duration_s == busy.duration_s
    assert again.at(30.0) == busy.at(30.0)


def test_nobody_turns_on_the_spot_by_magic(busy):
    for walk in busy.walks:
        assert (np.abs(np.diff(walk.heading_deg)) <= 110 * STEP_S + 1e-9).all()


def test_everybody_walks_where_they_face_so_that_no_foot_slides(busy):
    for walk in busy.walks:
        moves = np.diff(walk.xy, axis=0)
        far = np.linalg.norm(moves, axis=1) > 0.02
        angle = np.deg2rad(walk.heading_deg[1:])
        across = moves[:, 0] * np.sin(angle) - moves[:, 1] * np.cos(angle)
        assert np.abs(across[far]).max(initial=0) < 1e-9


def test_steps_are_counted_by_what_was_walked(busy):
    walk = busy.walks[0]
    walked = np.linalg.norm(np.diff(walk.xy, axis=0), axis=1)
    slow = walk.activity[1:] != ACTIVITIES.index("running")
    assert np.diff(walk.cycles)[slow] == pytest.approx((walked / 1.4)[slow])


def test_nobody_walks_through_the_pillar_or_out_of_the_square(busy):
    for walk in busy.walks:
        assert grounds.Square().free(walk.xy).all()


def test_people_keep_apart(busy):
    nearest = []
    for time_s in np.arange(0, busy.duration_s, 0.5).tolist():
        places = [moment.xy for moment in busy.at(time_s)]
        nearest += [np.hypot(*np.subtract(*p)) for p in itertools.combinations(places, 2)]
    distances = np.array(nearest)
    assert distances.min() > 0.25
    assert (distances < 0.5).mean() < 0.005


def test_everybody_comes_near_two_cameras_at_least(busy):
    zones = grounds.corners(4)
    for person in range(15):
        xy = np.concatenate([walk.xy for walk in busy.walks if walk.person == person])
        seen = [np.linalg.norm(xy[:, None] - zone, axis=2).min() < 0.5 for zone in zones]
        assert sum(seen) >= 2


def test_people_come_back_after_some_time_away(busy):
    again = 0
    for person in range(15):
        own = [walk for walk in busy.walks if walk.person == person]
        for before, after in itertools.pairwise(own):
            away_s = (after.first_step - before.first_step - len(before)) * STEP_S
            assert 4.0 < away_s < 60.0
            again += 1
    assert again > 5


def test_visits_begin_and_end_at_entries(busy):
    last = round(busy.duration_s / STEP_S)
    for walk in busy.walks:
        ends = [(walk.first_step == 0, walk.xy[0])]
        ends.append((walk.first_step + len(walk) - 1 >= last, walk.xy[-1]))
        for cut, xy in ends:
            assert cut or min(np.linalg.norm(xy - entry) for entry in grounds.ENTRIES) < 0.6


def test_people_run_stand_and_talk(busy):
    kinds = {ACTIVITIES[kind] for walk in busy.walks for kind in walk.activity.tolist()}
    assert {"walking", "running", "talking", "phone"} <= kinds


def test_who_talks_stands_face_to_face(busy):
    talks = 0
    for time_s in np.arange(0, busy.duration_s, 0.5).tolist():
        there = {moment.person: moment for moment in busy.at(time_s)}
        for moment in there.values():
            if moment.activity != "talking" or moment.since_s <= 2.0:
                continue
            assert moment.partner is not None
            other = there.get(moment.partner)
            if other is None or other.activity != "talking":
                continue
            assert other.partner == moment.person
            way = np.subtract(other.xy, moment.xy)
            assert 0.3 < np.linalg.norm(way) < 2.0
            bearing = np.degrees(np.arctan2(way[1], way[0]))
            assert abs((bearing - moment.heading_deg + 180) % 360 - 180) < 25
            assert moment.speed < 0.1
            talks += 1
    assert talks


def test_sampling_gives_what_asking_one_time_gives(busy):
    times = np.arange(0, 60, 1 / 12.5)
    rows = [(time_s, moment) for time_s in times.tolist() for moment in busy.at(time_s)]
    found = busy.sample(
        np.array([moment.person for _, moment in rows]), np.array([time_s for time_s, _ in rows])
    )
    assert found.xy == pytest.approx(np.array([moment.xy for _, moment in rows]))
    assert found.heading_deg == pytest.approx(np.array([m.heading_deg for _, m in rows]))
    assert [ACTIVITIES[kind] for kind in found.activity] == [m.activity for _, m in rows]
    assert found.partner.tolist() == [-1 if m.partner is None else m.partner for _, m in rows]


def test_one_person_before_one_camera():
    told = grounds.story(people=1, cameras=1, duration_s=60.0)
    xy = np.concatenate([walk.xy for walk in told.walks])
    assert np.linalg.norm(xy[:, None] - grounds.corners(1)[0], axis=2).min() < 0.9
    assert {moment.person for moment in told.at(30.0)} <= {0}


def test_no_more_people_than_there_is_room_for():
    told = tell_story(
        grounds.Square(),
        entries=grounds.ENTRIES,
        zones=grounds.corners(4),
        paces=[Pace()] * 20,
        duration_s=30.0,
        most_present=4,
        random=(1, 1),
    )
    assert max(len(told.at(float(time_s))) for time_s in range(30)) == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"people": 0}, "people"),
        ({"cameras": 0}, "cameras"),
        ({"duration_s": 0.0}, "seconds"),
    ],
)
def test_a_story_of_nobody_or_nothing_is_refused(change, word):
    with pytest.raises(ConfigError, match=f"a story needs {word}: expected more than 0"):
        grounds.story(**change)


def test_two_who_walk_towards_each_other_both_turn_right():
    xy = np.array([[0.0, 0.0], [2.0, 0.0]])
    velocity = np.array([[1.3, 0.0], [-1.3, 0.0]])
    push, kept = steer(xy, velocity, np.array([0.0, 180.0]))
    assert push[0, 1] < -0.3
    assert push[1, 1] > 0.3
    assert (kept == 1).all()


def test_who_walks_up_to_somebody_slows_down_and_the_other_does_not():
    xy = np.array([[0.0, 0.0], [0.8, 0.0]])
    velocity = np.array([[1.3, 0.0], [0.5, 0.0]])
    _, kept = steer(xy, velocity, np.array([0.0, 0.0]))
    assert kept[0] < 0.5
    assert kept[1] == 1


def test_who_is_alone_is_left_alone():
    push, kept = steer(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1))
    assert push.tolist() == [[0, 0]]
    assert kept.tolist() == [1]
