import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.places.place import KINDS, draw_place
from synthetic.places.walking import is_free, path
from synthetic.seeds import generator

LARGE_M = {"corridor": (30.0, 4.0), "underpass": (30.0, 6.0)}


def place_of(kind, seed=0, size_m=(30.0, 20.0)):
    return draw_place(generator(seed, "place", kind), kind=kind, size_m=LARGE_M.get(kind, size_m))


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_is_a_valid_mesh_within_the_budget(kind):
    place = place_of(kind)
    mesh, textures = place.mesh, place.textures
    assert textures.dtype == np.uint8
    assert textures.shape[1:] == (256, 256, 3)
    assert 1 <= len(textures) <= 32
    assert 100 < len(mesh.faces) < 60_000
    assert mesh.positions.dtype == mesh.normals.dtype == mesh.uvs.dtype == np.float32
    assert np.isfinite(mesh.positions).all()
    assert np.isfinite(mesh.uvs).all()
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh)
    layers = mesh.uvs[mesh.faces, 2]
    assert (layers == layers[:, :1]).all()
    assert set(np.unique(layers)) <= set(range(len(textures)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_people_can_walk_from_each_entry_to_each_other(kind, seed):
    place = place_of(kind, seed)
    assert len(place.entries) >= 2
    assert is_free(place, place.entries).all()
    for goal in place.entries[1:4]:
        walk = path(place, place.entries[0], goal)
        assert is_free(place, np.linspace(walk[:-1], walk[1:], 8).reshape(-1, 2)).all()
        assert tuple(walk[0]) == place.entries[0]
        assert tuple(walk[-1]) == goal


def test_footage_sites_have_entries_on_several_sides():
    for kind in ("street", "square", "park", "car park", "school yard", "mall", "store", "lobby"):
        entries = np.array(place_of(kind).entries)
        assert len(entries) >= 3
        assert np.ptp(entries[:, 0]) > 20


def test_a_place_depends_on_its_generator_alone():
    first, again, other = (draw_place(generator(seed, "p"), kind="street") for seed in (3, 3, 4))
    assert first.mesh.positions.tobytes() == again.mesh.positions.tobytes()
    assert first.mesh.uvs.tobytes() == again.mesh.uvs.tobytes()
    assert first.textures.tobytes() == again.textures.tobytes()
    assert (first.light, first.entries, first.extent_m) == (
        again.light,
        again.entries,
        again.extent_m,
    )
    assert first.free.tobytes() == again.free.tobytes()
    assert first.textures.tobytes() != other.textures.tobytes()


def test_kinds_are_drawn_when_none_is_asked_for():
    drawn = {draw_place(generator(seed, "any")).kind for seed in range(6)}
    assert len(drawn) > 2
    assert drawn <= set(KINDS)


@pytest.mark.parametrize("kind", ["mall", "corridor", "park"])
def test_light_is_plausible(kind):
    place = place_of(kind)
    assert place.indoor == (kind != "park")
    direction = np.array(place.light.direction)
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert direction[2] > (0.9 if place.indoor else 0.3)
    brightest = np.array(place.light.sun) * direction[2] + np.array(place.light.sky)
    assert (brightest > 0.2).all()
    assert (brightest < 2.0).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="unknown kind of place 'moon'") as caught:
        draw_place(generator(0), kind="moon")
    assert "street" in str(caught.value.hint)


@pytest.mark.parametrize("size_m", [(8.0, 20.0), (20.0, 5.0)])
def test_a_place_that_is_too_small_is_refused(size_m):
    with pytest.raises(ConfigError, match="too small"):
        draw_place(generator(0), kind="street", size_m=size_m)
