from dataclasses import replace

import numpy as np
import pytest

from synthetic.people.appearance import Appearance, Carried, Colour, Fabric, Headwear
from synthetic.people.wardrobe import draw_passer_by

RED = Colour("red", (0.7, 0.1, 0.1))
BLACK = Colour("black", (0.1, 0.1, 0.1))


@pytest.fixture
def person() -> Appearance:
    drawn = draw_passer_by(np.random.default_rng(5))
    return replace(drawn, outer=None, headwear=None, carried=(), legwear=None)


def test_labels_are_one_flat_row(person):
    labels = person.labels()
    assert all(isinstance(value, (str, float, int, bool, type(None))) for value in labels.values())
    assert labels["sex"] == person.sex
    assert labels["height_m"] == round(person.height_m, 2)
    assert labels["shoes_colour"] == person.shoes.colour.name


def test_things_that_are_not_there_have_no_labels(person):
    labels = person.labels()
    for name in ("outer_kind", "outer_colour", "headwear_colour", "legwear_colour", "case_colour"):
        assert labels[name] is None
    assert labels["backpack"] is False


def test_every_person_has_the_same_columns(person):
    dressed = replace(
        person,
        outer=replace(person.upper, kind="coat"),
        headwear=Headwear("hat", RED),
        carried=(Carried("backpack", "both", 0.5, Fabric("plain", (RED,))),),
    )
    assert list(dressed.labels()) == list(person.labels())
    assert dressed.labels()["headwear_kind"] == "hat"
    assert dressed.labels()["backpack"] is True
    assert dressed.labels()["backpack_colour"] == "red"


def test_a_dress_is_called_so_above_and_below(person):
    dress = replace(person.lower, kind="dress", length=0.6, fabric=Fabric("plain", (RED,)))
    top = replace(person.upper, kind="t-shirt", fabric=dress.fabric)
    labels = replace(person, upper=top, lower=dress).labels()
    assert (labels["upper_kind"], labels["lower_kind"]) == ("dress", "dress")
    assert labels["upper_colour"] == labels["lower_colour"] == "red"


@pytest.mark.parametrize(("sleeve", "word"), [(0, "none"), (0.35, "short"), (1, "long")])
def test_sleeves_in_words(person, sleeve, word):
    worn = replace(person, upper=replace(person.upper, sleeve=sleeve))
    assert worn.labels()["upper_sleeve"] == word


@pytest.mark.parametrize(
    ("length", "word"), [(0.1, "hip"), (0.42, "thigh"), (0.6, "knee"), (1, "ankle")]
)
def test_lengths_in_words(person, length, word):
    worn = replace(person, lower=replace(person.lower, length=length))
    assert worn.labels()["lower_length"] == word


def test_front_and_back_of_a_top_are_told_apart(person):
    fabric = Fabric("logo", (RED, BLACK), back=Fabric("plain", (BLACK,)))
    labels = replace(person, upper=replace(person.upper, fabric=fabric)).labels()
    assert (labels["upper_colour"], labels["upper_pattern"]) == ("red", "logo")
    assert (labels["upper_back_colour"], labels["upper_back_pattern"]) == ("black", "plain")


def test_no_hair_has_no_colour(person):
    bald = replace(person, hair=replace(person.hair, style="bald"))
    assert bald.labels()["hair_colour"] is None
