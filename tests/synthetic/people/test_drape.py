"""Skirts and coat tails."""

import numpy as np
import pytest

from synthetic.people.body import posed_transforms
from synthetic.people.drape import Tail, hang, make_tail
from synthetic.people.garments import lower_cut
from synthetic.people.sewing import Layers
from synthetic.people.wearer import measure
from tests.synthetic.people.figures import POSES, garment


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def made(wearer, **changes):
    tail = Tail(**{"top": 0.1, "hem": 0.5, "flare": 0.1} | changes)
    cut = lower_cut(wearer, garment("skirt"), waist=0.0, hem=0.115)
    return make_tail(wearer, cut, np.zeros_like(wearer.drop), tail, Layers(4, 4, closure=6))


def posed(wearer, body, drape, pose, under=None):
    bones = posed_transforms(body, wearer.heads, pose.rotations).reshape(-1, 12)
    ring = drape.radii[0][:, None] * np.stack(
        [np.sin(drape.angles), -np.cos(drape.angles), 0 * drape.angles], axis=1
    )
    return hang(drape, bones, drape.centres[0] + ring, under)


def test_a_drape_reaches_from_its_top_to_its_hem(wearer, body):
    piece, drape = made(wearer)
    hung = posed(wearer, body, drape, POSES[0])
    assert len(hung.positions) == len(piece.mesh) == len(hung.normals)
    assert np.isclose(hung.positions[:, 2].max(), wearer.height_of(0.1), atol=2e-3)
    assert np.isclose(hung.positions[:, 2].min(), wearer.height_of(0.5), atol=2e-2)


def test_normals_of_the_outer_side_point_out(wearer, body):
    _, drape = made(wearer)
    hung = posed(wearer, body, drape, POSES[2])
    out = hung.positions[: drape.radii.size].reshape(*drape.radii.shape, 3)
    out = out - out.mean(axis=1, keepdims=True)
    facing = (hung.normals[: drape.radii.size].reshape(out.shape) * out).sum(axis=2)
    assert (facing > 0).mean() > 0.98
    assert np.allclose(np.linalg.norm(hung.normals, axis=1), 1, atol=1e-3)


def test_a_flared_skirt_is_wider_below(wearer):
    assert made(wearer, flare=0.4)[1].radii[-1].mean() > made(wearer)[1].radii[-1].mean() + 0.05


def test_striding_legs_push_the_cloth_out(wearer, body):
    _, drape = made(wearer)
    still, striding = (posed(wearer, body, drape, pose).radii[-1] for pose in POSES[:2])
    assert striding.max() > still.max() + 0.02


def test_an_open_coat_has_a_gap_in_front(wearer):
    _, closed = made(wearer)
    _, opened = made(wearer, gap_m=0.06)
    assert closed.closed
    assert not opened.closed
    assert opened.angles[0] > 0.2


def test_a_coat_hangs_outside_a_skirt(wearer, body):
    _, skirt = made(wearer, flare=0.5)
    _, coat = made(wearer, flare=0.0)
    under = posed(wearer, body, skirt, POSES[1])
    over = posed(wearer, body, coat, POSES[1], under)
    assert (over.radii[2:] >= under.radii[2:]).all()
