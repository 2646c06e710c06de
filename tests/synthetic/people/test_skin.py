"""Bare skin."""

import numpy as np
import pytest

from synthetic.people.skin import coarse_faces, eye_height, make_skin
from synthetic.people.wearer import measure, share_of


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def test_head_and_hands_have_fewer_triangles_than_the_body_model(body):
    faces = coarse_faces()
    assert len(faces) < 0.7 * len(body.faces)
    assert (faces[:, 0] != faces[:, 1]).all()
    assert faces.max() < len(body.weights)


def test_the_face_has_its_own_texture_with_the_eyes_in_the_middle(wearer):
    mesh = make_skin(wearer, [], skin=3, face=5, tights=None).mesh
    face = mesh.uvs[:, 2] == 5
    assert set(np.unique(mesh.uvs[:, 2])) == {3.0, 5.0}
    level = np.abs(mesh.positions[:, 2] - eye_height(wearer)) < 0.003
    assert np.allclose(mesh.uvs[face & level, 1], 0.5, atol=0.02)
    assert mesh.uvs[face, :2].min() > 0
    assert mesh.uvs[face, :2].max() < 1


def test_tights_cover_the_legs_and_nothing_else(wearer):
    mesh = make_skin(wearer, [], skin=0, face=1, tights=2).mesh
    tights = mesh.positions[mesh.uvs[:, 2] == 2]
    assert tights[:, 2].min() < 0.01
    assert tights[:, 2].max() < wearer.height_of(0.0)
    assert np.abs(tights[:, 0]).max() < 0.35


def test_covered_skin_is_left_out(wearer):
    arms = np.where(share_of("upperarm", "lowerarm") > 0.5, 1, -1).astype(np.float32)
    bare = make_skin(wearer, [], skin=0, face=1, tights=None)
    clad = make_skin(wearer, [arms], skin=0, face=1, tights=None)
    assert len(clad.mesh.faces) < len(bare.mesh.faces) - 400
