"""Cloth from patterns: hems, rims, hidden parts and places on textures."""

import numpy as np
import pytest

from synthetic.people.garments import lower_cut, upper_cut
from synthetic.people.sewing import CLOSURE_M, Layers, sew, trunk_turns
from synthetic.people.wearer import measure
from tests.synthetic.people.figures import garment


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


@pytest.fixture(scope="module")
def cut(wearer):
    return upper_cut(wearer, garment("sweater"), hem=0.1)


def test_cloth_ends_level_at_its_hem(wearer, cut):
    piece = sew(wearer, cut, [], Layers(3, 3))
    low = piece.mesh.positions[:, 2] < wearer.height_of(0.09)
    assert low.sum() > 50
    assert piece.mesh.positions[:, 2].min() > wearer.height_of(0.1) - 0.02


def test_a_rim_leads_from_the_hem_to_the_skin(wearer, cut):
    whole = sew(wearer, cut, [], Layers(3, 3))
    hidden = sew(wearer, cut, [np.full(len(wearer.drop), 1, np.float32)], Layers(3, 3))
    assert len(whole.mesh) > 1000
    assert len(hidden.mesh) == 0


def test_front_and_back_meet_in_a_line(wearer, cut):
    piece = sew(wearer, cut, [], Layers(3, 5))
    back = piece.mesh.uvs[:, 2] == 5
    middle = wearer.head("spine02")[1]
    upper = piece.mesh.positions[:, 2] > wearer.height_of(0.0)
    assert back.any()
    assert piece.mesh.positions[back & upper, 1].min() > middle - 0.06


def test_an_emblem_shows_once_on_the_chest(wearer, cut):
    piece = sew(wearer, cut, [], Layers(3, 3, emblem=7))
    emblem = piece.mesh.uvs[:, 2] == 7
    assert piece.mesh.uvs[emblem, :2].min() > -0.01
    assert piece.mesh.uvs[emblem, :2].max() < 1.01
    assert piece.mesh.normals[emblem, 1].mean() < -0.3


def test_a_zip_runs_down_the_front(wearer, cut):
    piece = sew(wearer, cut, [], Layers(3, 3, closure=8))
    closure = piece.mesh.positions[piece.mesh.uvs[:, 2] == 8]
    assert np.abs(closure[:, 0]).max() < CLOSURE_M
    assert np.ptp(closure[:, 2]) > 0.3


def test_textures_go_round_the_trunk_a_whole_number_of_times(wearer):
    assert trunk_turns(wearer) in (1.0, 2.0, 3.0)


def test_each_leg_has_a_pattern_of_its_own(wearer):
    cut = lower_cut(wearer, garment("trousers"), waist=0.0, hem=0.9)
    piece = sew(wearer, cut, [], Layers(2, 2))
    side = np.sign(piece.mesh.positions[piece.mesh.faces, 0].round(4))
    assert ((side >= 0).all(axis=1) | (side <= 0).all(axis=1)).mean() > 0.97
