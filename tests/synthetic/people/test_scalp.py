"""Heads, measured, and caps cut from them."""

import numpy as np
import pytest

from synthetic.people.scalp import cap, line_at, look_at_head, rim_ring
from synthetic.people.wearer import measure


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def test_heights_count_from_the_pupils(wearer):
    scalp = look_at_head(wearer)
    assert np.isclose(scalp.height.max(), 0.11, atol=1e-4)
    assert 0.8 < scalp.size < 1.2


def test_azimuths_count_from_the_front(wearer):
    scalp = look_at_head(wearer)
    nose = np.argmin(np.where(scalp.height > -0.1, wearer.positions[:, 1], 9))
    assert scalp.azimuth[nose] < 10


def test_a_line_is_followed_between_its_points():
    assert np.allclose(line_at(np.array([0.0, 45.0, 180.0]), ((0, 0.1), (90, 0.0))), [0.1, 0.05, 0])


def test_a_cap_lies_over_the_scalp(wearer):
    scalp = look_at_head(wearer)
    offset = np.full(len(wearer.drop), 0.01, np.float32)
    piece = cap(wearer, scalp, [scalp.height - np.float32(0.04)], offset, layer=2, repeat=1)
    assert np.isclose(piece.mesh.positions[:, 2].max(), 1.71, atol=2e-3)
    assert piece.mesh.positions[:, 2].min() > scalp.centre[2] + 0.03 * scalp.size
    assert (piece.mesh.uvs[:, 2] == 2).all()


def test_the_rim_of_a_cap_goes_round_the_head(wearer):
    scalp = look_at_head(wearer)
    angles = np.array([0, np.pi / 2, np.pi])
    offset = np.full(len(wearer.drop), 0.01, np.float32)
    front, left, back = rim_ring(wearer, scalp, scalp.height - np.float32(0.04), offset, angles)
    assert front[1] < left[1] < back[1]
    assert left[0] > 0.06
