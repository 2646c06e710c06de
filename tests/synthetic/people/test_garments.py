"""Patterns of garments on the body."""

import numpy as np
import pytest

from synthetic.people.garments import lower_cut, opening_m, stacked, upper_cut
from synthetic.people.wearer import measure, share_of
from tests.synthetic.people.figures import garment


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def test_a_hem_lies_where_it_should(wearer):
    cover = upper_cut(wearer, garment("sweater"), hem=0.1).cover()
    trunk = share_of("spine", "root", "upperleg") > 0.95
    assert (cover[trunk & (wearer.drop > 0.11)] <= 0).all()
    assert (cover[trunk & (np.abs(wearer.drop) < 0.05)] > 0).all()


def test_no_garment_covers_the_head_or_the_hands(wearer):
    covers = [upper_cut(wearer, garment("coat", neckline="high"), hem=0.1).cover()]
    covers.append(lower_cut(wearer, garment("trousers"), waist=0.0, hem=1.0).cover())
    for cover in covers:
        assert (cover[share_of("finger") > 0.9] <= 0).all()
        assert (cover[(share_of("head") > 0.95) & (wearer.positions[:, 2] > 1.5)] <= 0).all()


def test_a_tank_top_leaves_the_arms_bare(wearer):
    cover = upper_cut(wearer, garment("tank top", sleeve=0.0), hem=0.1).cover()
    assert (cover[share_of("lowerarm", "upperarm02") > 0.9] <= 0).all()


def test_an_open_jacket_is_open_in_front_only(wearer):
    opened = upper_cut(wearer, garment("jacket", open=True), hem=0.1).cover()
    middle = (np.abs(wearer.positions[:, 0]) < 0.01) & (np.abs(wearer.drop) < 0.1)
    assert (opened[middle & (wearer.behind < -0.05)] < 0).all()
    assert (opened[middle & (wearer.behind > 0.03)] > 0).all()
    assert opening_m(wearer, 0.3) > opening_m(wearer, -0.3)


def test_loose_cloth_stands_off_further_than_tight(wearer):
    tight, loose = (upper_cut(wearer, garment("shirt", fit=fit), hem=0.1) for fit in (0.0, 1.0))
    assert (loose.offset >= tight.offset).all()
    assert tight.offset.min() > 0.001
    assert loose.offset.max() < 0.09


def test_wide_trousers_hide_the_calves(wearer):
    tight, wide = (
        lower_cut(wearer, garment("trousers", fit=fit), waist=0.0, hem=1.0).offset
        for fit in (0.0, 1.0)
    )
    ankle = (share_of("lowerleg", "foot") > 0.9) & (np.abs(wearer.drop - 0.93) < 0.02)
    assert wide[ankle].mean() > tight[ankle].mean() + 0.02


def test_what_is_worn_over_other_things_is_wider(wearer):
    inside = upper_cut(wearer, garment("sweater", fit=1.0), hem=0.1)
    outside = stacked(upper_cut(wearer, garment("t-shirt", fit=0.0), hem=0.1), [inside])
    within = inside.cover() > 0
    assert (outside.offset[within] > inside.offset[within]).all()
