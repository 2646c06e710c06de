"""What is put on over what."""

import numpy as np
import pytest

from synthetic.people.appearance import Carried, Shoes
from synthetic.people.dressing import dress
from synthetic.people.wearer import measure
from tests.synthetic.people.figures import BLUE, CLOTH, garment, person


@pytest.fixture(scope="module")
def wearer(body):
    return measure(body, {}, 1.7)


def test_skirts_and_long_coats_hang_and_other_things_do_not(wearer):
    assert not dress(wearer, person()).drapes
    skirt = person(lower=garment("skirt", length=0.5))
    assert len(dress(wearer, skirt).drapes) == 1
    both = person(lower=garment("skirt", length=0.5), outer=garment("coat", length=0.6))
    assert len(dress(wearer, both).drapes) == 2


def test_bags_are_kept_apart_from_what_stands_on_the_ground(wearer):
    carried = (Carried("case", "left", 0.5, CLOTH),)
    assert len(dress(wearer, person(carried=carried)).bags) == 1


def test_a_closed_jacket_hides_most_of_the_shirt(wearer):
    shirt = garment("shirt", length=0.1)
    plain, covered, opened = (
        len(dress(wearer, person(upper=shirt, outer=outer)).pieces[1].mesh.faces)
        for outer in (None, garment("jacket"), garment("jacket", open=True))
    )
    assert covered < opened < plain
    assert covered < 0.4 * plain


def test_tight_trousers_go_into_boots_and_wide_ones_over_them(wearer):
    boots = Shoes("boots", BLUE, BLUE)
    lows = []
    for fit in (0.1, 0.9):
        looks = person(lower=garment("trousers", length=0.98, fit=fit), shoes=boots)
        lows.append(dress(wearer, looks).pieces[0].mesh.positions[:, 2].min())
    assert lows[0] > lows[1] + 0.05


def test_a_garment_of_the_same_cloth_shares_its_texture(wearer):
    same = dress(wearer, person()).textures
    assert same.shape == (6, 256, 256, 3)
    assert same.dtype == np.uint8
