"""Backpacks, handbags and cases."""

import numpy as np
import pytest

from synthetic.people.appearance import Carried
from synthetic.people.bags import HANGERS, make_bag
from synthetic.people.wearer import measure
from tests.synthetic.people.figures import CLOTH


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def bag(wearer, kind, side="left", size=0.5):
    return make_bag(wearer, Carried(kind, side, size, CLOTH), wearer.positions, layer=9)


def test_weights_have_columns_for_what_bags_hang_from(wearer, body):
    for kind in ("backpack", "handbag", "case"):
        weights = bag(wearer, kind).weights
        assert weights.shape[1] == len(body.bones) + len(HANGERS)
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-4)


def test_a_backpack_is_behind_with_straps_in_front(wearer):
    points = bag(wearer, "backpack", "both").mesh.positions
    back = wearer.behind.max()
    assert points[:, 1].max() > back + 0.05
    assert points[:, 1].min() < wearer.head("spine01")[1] - 0.08
    assert points[:, 2].max() < wearer.head("head")[2]


@pytest.mark.parametrize("kind", ["handbag", "case"])
def test_bags_hang_on_their_side(wearer, kind):
    left, right = (bag(wearer, kind, side).mesh.positions for side in ("left", "right"))
    assert left[:, 0].min() > 0
    assert right[:, 0].max() < 0


def test_a_large_bag_is_larger(wearer):
    for kind in ("backpack", "handbag", "case"):
        small, large = (bag(wearer, kind, size=size).mesh.positions for size in (0.0, 1.0))
        assert np.ptp(large, axis=0).prod() > np.ptp(small, axis=0).prod()
