import numpy as np
import pytest

from synthetic.people.outfits import draw_carried, draw_outfit


@pytest.fixture(scope="module")
def outfits():
    generator = np.random.default_rng(6)
    return [draw_outfit(generator, "female", "adult") for _ in range(600)]


def test_dresses_are_of_one_cloth_above_and_below(outfits):
    dresses = [outfit for outfit in outfits if outfit.lower.kind == "dress"]
    assert dresses
    assert all(outfit.upper.fabric == outfit.lower.fabric for outfit in dresses)


def test_hoods_hang_on_all_hooded_jackets_and_on_no_shirt(outfits):
    garments = [g for outfit in outfits for g in (outfit.upper, outfit.outer) if g]
    assert all(g.hood for g in garments if g.kind == "hooded jacket")
    assert not any(g.hood for g in garments if g.kind in ("shirt", "t-shirt", "blazer"))


def test_colours_of_a_pattern_have_different_names(outfits):
    for outfit in outfits:
        for garment in (outfit.upper, outfit.lower):
            names = [colour.name for colour in garment.fabric.colours]
            assert len(set(names)) == len(names)


def test_sleeves_fit_their_garment(outfits):
    for outfit in outfits:
        assert outfit.outer is None or outfit.outer.sleeve == 1
        assert outfit.lower.sleeve == 0
        if outfit.upper.kind == "tank top":
            assert outfit.upper.sleeve == 0


def test_cases_go_with_smart_clothes():
    generator = np.random.default_rng(6)

    def share(*, smart):
        drawn = [draw_carried(generator, "male", "adult", smart=smart) for _ in range(800)]
        return np.mean([any(thing.kind == "case" for thing in things) for things in drawn])

    assert share(smart=True) > 2 * share(smart=False) > 0
