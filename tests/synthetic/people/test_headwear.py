"""Caps, hats and beanies."""

import numpy as np
import pytest

from synthetic.people.headwear import headwear_edge, make_headwear
from synthetic.people.scalp import look_at_head
from synthetic.people.wearer import measure


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def bounds(wearer, kind):
    pieces = make_headwear(wearer, look_at_head(wearer), kind, layer=0)
    points = np.concatenate([piece.mesh.positions for piece in pieces])
    return points.min(axis=0), points.max(axis=0)


def test_a_peak_points_forward_and_a_brim_goes_all_round(wearer):
    beanie, cap, hat = (bounds(wearer, kind) for kind in ("beanie", "cap", "hat"))
    assert cap[0][1] < beanie[0][1] - 0.04
    assert cap[1][1] < beanie[1][1] + 0.02
    assert hat[0][0] < beanie[0][0] - 0.03
    assert hat[1][1] > beanie[1][1] + 0.03


def test_eyes_are_not_covered(wearer):
    scalp = look_at_head(wearer)
    eyes = (scalp.azimuth < 40) & (np.abs(scalp.height) < 0.01)
    for kind in ("beanie", "cap", "hat"):
        assert (headwear_edge(scalp, kind)[eyes] < 0).all()
