"""Collars, lapels and hoods."""

import numpy as np
import pytest

from synthetic.people.collars import make_collar, make_hood, make_lapels
from synthetic.people.garments import upper_cut
from synthetic.people.wearer import measure
from tests.synthetic.people.figures import garment


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def test_a_collar_lies_around_the_neck(wearer):
    cut = upper_cut(wearer, garment("shirt", neckline="collar"), hem=0.1)
    points = make_collar(wearer, cut, layer=0, high_m=0.03).mesh.positions
    neck = wearer.head("neck01")
    assert np.abs(points[:, 0]).max() < 0.16
    assert neck[2] - 0.15 < points[:, 2].min() < points[:, 2].max() < neck[2] + 0.12


def test_lapels_run_down_to_the_lower_chest(wearer):
    cut = upper_cut(wearer, garment("blazer", neckline="collar"), hem=0.1)
    points = make_lapels(wearer, cut, layer=0).mesh.positions
    assert points[:, 2].min() < wearer.head("spine01")[2]
    assert points[:, 2].min() > wearer.height_of(0.05)


def test_a_hood_hangs_down_behind(wearer):
    cut = upper_cut(wearer, garment("hooded jacket", neckline="high"), hem=0.1)
    points = make_hood(wearer, cut, layer=0).mesh.positions
    lowest = points[np.argmin(points[:, 2])]
    assert lowest[1] > wearer.head("neck01")[1] + 0.05
    assert np.abs(points[:, 0]).max() < 0.25
