import numpy as np
import pytest

from synthetic.places import furniture, props
from synthetic.places.stage import Stage
from synthetic.places.vehicles import car
from synthetic.rendering.renderer import Light
from synthetic.seeds import generator

LIGHT = Light((0.0, 0.6, 0.8), (0.9, 0.9, 0.8), (0.4, 0.4, 0.5), (0.1, 0.1, 0.1))


def stage_of(seed=0):
    return Stage(generator(seed, "stage"), LIGHT, (20.0, 12.0))


def facing(mesh):
    """How each triangle's side agrees with its corners' normals, and the enclosed volume."""
    corners = mesh.positions[mesh.faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = mesh.normals[mesh.faces].mean(1)
    big = np.linalg.norm(across, axis=1) > 1e-9
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    return (across * normals).sum(1)[big], volume


THINGS = (
    *(car, furniture.chair, furniture.sofa, furniture.counter, furniture.lockers),
    *(furniture.machine, furniture.table_set),
    *(props.bench, props.bin_, props.bollard, props.lamp_post),
)


@pytest.mark.parametrize("make", THINGS)
def test_closed_things_face_outwards(make):
    stage = stage_of()
    make(stage, 2.0, 1.0, 30.0)
    agreement, volume = facing(stage.mesh())
    assert (agreement > 0).all()
    assert volume > 0.001
    assert len(stage.obstacles) == 1
    x0, y0, x1, y1 = stage.obstacles[0]
    assert x0 < 2.0 < x1
    assert y0 < 1.0 < y1


def test_a_box_and_a_bar_enclose_their_volume():
    stage = stage_of()
    stage.box((0, 0, 1), (1, 2, 3), stage.colour((0.5, 0.5, 0.5)), 45.0)
    assert facing(stage.mesh())[1] == pytest.approx(6, rel=1e-4)
    bar = stage_of()
    bar.spot(1, 2, 30).pipe((0, 0, 0), (0, 1, 2), (0.2, 0.2), bar.colour((1.0, 0, 0)), 32)
    assert facing(bar.mesh())[1] == pytest.approx(np.pi * 0.04 * 5**0.5, rel=0.02)


def test_colours_share_a_texture_and_keep_their_tone():
    stage = stage_of()
    red, blue = stage.colour((0.6, 0.1, 0.1)), stage.colour((0.1, 0.1, 0.6))
    assert red.layer == blue.layer
    assert stage.colour((0.6, 0.1, 0.1)) == red
    picture = stage.textures()[red.layer]
    for skin, strongest in ((red, 0), (blue, 2)):
        u0, v0, u1, v1 = (round(edge * 256) for edge in skin.window)
        mean = picture[v0:v1, u0:u1].reshape(-1, 3).mean(0)
        assert mean.argmax() == strongest
        assert mean[strongest] == pytest.approx(0.6 * 255, rel=0.12)


def test_more_colours_than_one_texture_holds():
    stage = stage_of()
    skins = [stage.colour((number / 100, 0.2, 0.2)) for number in range(70)]
    assert len({skin.layer for skin in skins}) == 2
    assert len(stage.textures()) == 2


def test_contact_darkens_only_where_there_is_ground():
    stage = stage_of()
    skin = stage.colour((0.5, 0.5, 0.5))
    stage.contact((0, 0, 1, 1))
    assert len(stage.mesh()) == 0
    stage.ground((-5, -5, 5, 5), skin)
    before = len(stage.mesh())
    stage.contact((0, 0, 1, 1))
    mesh = stage.mesh()
    assert len(mesh) > before
    added = mesh.normals[before:]
    assert added[:4, 2].max() < 0 < added[4:, 2].min()
    first = mesh.positions[mesh.faces[-8:]]
    assert (np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])[:, 2] > 0).all()


def test_things_are_not_put_where_something_stands_or_people_enter():
    stage = stage_of()
    stage.spot(0, 0).stands(1, 1)
    stage.entries.append((5.0, 0.0))
    assert not stage.clear((0.6, 0, 1, 1))
    assert not stage.clear((4.5, 0.5, 4.6, 0.6))
    assert stage.clear((-4, -4, -3, -3))


def test_a_crown_is_closed_and_its_leaves_are_seen_from_both_sides():
    stage = stage_of()
    props.crown(stage, (0, 0, 3), (1, 1, 0.8), 50, 0.1)
    mesh = stage.mesh()
    whole = facing(mesh)[1]
    assert 0.35 * 4 / 3 * np.pi * 0.8 < whole < 4 / 3 * np.pi * 0.8
    leaves = np.sort(mesh.faces[-100:], 1)
    assert len(np.unique(leaves, axis=0)) == 50
