import numpy as np

from synthetic.places import halls, streets
from synthetic.places.buildings import building, new_style, room
from synthetic.places.stage import Stage
from synthetic.rendering.renderer import Light
from synthetic.seeds import generator

LIGHT = Light((0.0, 0.6, 0.8), (0.9, 0.9, 0.8), (0.4, 0.4, 0.5), (0.1, 0.1, 0.1))


def stage_of(size_m=(20.0, 12.0)):
    return Stage(generator(0, "stage"), LIGHT, size_m)


def test_a_house_has_its_storeys_and_a_door_on_the_side_asked_for():
    stage = stage_of()
    building(stage, (-6, 6, 6, 16), 3, "s", new_style(stage), enter=True)
    mesh = stage.mesh()
    assert 9 < mesh.positions[:, 2].max() < 10.5
    assert len(stage.entries) == 1
    x, y = stage.entries[0]
    assert -6 < x < 6
    assert 4 < y < 6


def test_a_room_is_seen_into_from_outside_and_above():
    stage = stage_of()
    grey = stage.skin(stage.brush.plain((0.5, 0.5, 0.5), grain=0.1), 2.0)
    room(stage, 3.0, grey, grey, bays=((grey, 1.0, 0.0, 2.0), (grey, 2.0, 1.0, 2.0)))
    mesh = stage.mesh()
    corners = mesh.positions[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = corners.mean(1)
    assert (across[middle[:, 2] > 2.99, 2] < 0).all()
    wall = (middle[:, 1] > 5.95) & (np.abs(across[:, 1]) > 0.01)
    assert (across[wall, 1] < 0).all()
    assert stage.entries
    assert all(abs(x) < 10 and abs(y) < 6 for x, y in stage.entries)


def test_a_street_is_crossed_where_no_car_stands():
    stage = stage_of((30.0, 20.0))
    streets.street(stage)
    x0, y0, x1, y1 = stage.walkable[2]
    for other in stage.obstacles:
        assert other[2] < x0 or other[0] > x1 or other[3] < y0 or other[1] > y1


def test_a_store_has_shelves_with_aisles_between():
    stage = stage_of((30.0, 20.0))
    halls.store(stage)
    shelves = [area for area in stage.obstacles if area[3] - area[1] > 2.5]
    assert len(shelves) > 8
    lefts = sorted({round(area[0], 2) for area in shelves})
    assert np.diff(lefts).min() > 2.3
