from dataclasses import dataclass

import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.places.walking import BODY_M, free_cells, is_free, path, standing_points
from synthetic.seeds import generator

EXTENT_M = (10.0, 6.0)
FLOOR = ((-5.0, -3.0, 5.0, 3.0),)
WALL = ((-0.2, -3.0, 0.2, 2.0),)  # leaves a way round its upper end


@dataclass(frozen=True)
class Ground:
    free: np.ndarray
    extent_m: tuple[float, float]


def ground(walkable=FLOOR, obstacles=WALL, entries=((-4.0, -2.0), (4.0, -2.0))):
    free, moved = free_cells(walkable, obstacles, entries, EXTENT_M)
    return Ground(free, EXTENT_M), moved


def test_points_near_things_and_outside_are_not_free():
    site, _ = ground()
    points = [(-4, 0), (0, 0), (0.2 + BODY_M - 0.1, 0), (0, 2.7), (6, 0), (-5.1, 0)]
    assert is_free(site, points).tolist() == [True, False, False, True, False, False]


def test_a_walk_goes_round_an_obstacle_in_small_steps():
    site, (start, goal) = ground()
    walk = path(site, start, goal)
    assert tuple(walk[0]) == start
    assert tuple(walk[-1]) == goal
    between = np.linspace(walk[:-1], walk[1:], 20).reshape(-1, 2)
    assert is_free(site, between).all()
    steps = np.hypot(*np.diff(walk, axis=0).T)
    assert steps.max() <= 0.4
    assert walk[:, 1].max() > 2.0 + BODY_M - 0.2
    assert 11.0 < steps.sum() < 15.0


def test_a_free_way_is_nearly_straight():
    site, (start, goal) = ground(obstacles=())
    walk = path(site, start, goal)
    assert np.hypot(*np.diff(walk, axis=0).T).sum() < 1.02 * np.hypot(*np.subtract(goal, start))


def test_the_same_walk_twice():
    site, (start, goal) = ground()
    assert path(site, start, goal).tobytes() == path(site, start, goal).tobytes()


def test_a_walk_to_where_one_is():
    site, (start, _) = ground()
    walk = path(site, start, start)
    assert walk.shape == (2, 2)
    assert (walk == start).all()


def test_a_walk_into_a_wall_is_refused():
    site, (start, _) = ground()
    with pytest.raises(ConfigError, match=r"the walk's goal \(0.00, 0.00\) is not free ground"):
        path(site, start, (0.0, 0.0))


def test_standing_points_are_free_and_everywhere():
    site, _ = ground()
    points = standing_points(site, generator(0, "stand"), 500)
    assert points.shape == (500, 2)
    assert is_free(site, points).all()
    assert np.ptp(points[:, 0]) > 9
    assert not standing_points(site, generator(0), 0).size


def test_only_the_largest_piece_is_free():
    whole = ((-1.0, -3.0, -0.6, 3.0),)
    site, moved = ground(obstacles=whole)
    assert is_free(site, [(3, 0), (-4, 0)]).tolist() == [True, False]
    assert len(moved) == 1


def test_entries_move_to_the_nearest_free_ground_once():
    _, moved = ground(entries=((0.0, 0.0), (0.01, 0.0), (20.0, 0.0), (-4.9, 0.1)))
    assert 2 <= len(moved) <= 3
    assert all(abs(x) < 5 for x, _ in moved)
