from dataclasses import replace

import numpy as np
import pytest

from synthetic.people.appearance import Colour, Hair
from synthetic.people.faces import paint_face, paint_hair, paint_skin
from synthetic.people.wardrobe import draw_people


@pytest.fixture(scope="module")
def person():
    drawn = draw_people(40, seed=1)
    man = next(p for p in drawn if p.sex == "male" and p.age_group == "adult")
    return replace(man, beard=False, glasses=False, skin=Colour("light", (0.9, 0.74, 0.65)))


def test_skin_and_hair_have_their_colours():
    brown = Colour("brown", (0.3, 0.2, 0.13))
    for tile in (paint_skin(brown), paint_hair(Hair("long", brown, 0.5))):
        assert tile.shape == (256, 256, 3)
        assert tile.dtype == np.uint8
        np.testing.assert_allclose(tile.mean(axis=(0, 1)) / 255, brown.srgb, atol=0.03)


def test_strands_of_hair_run_downwards():
    tile = paint_hair(Hair("long", Colour("blond", (0.7, 0.6, 0.4)), 0.5))[..., 1].astype(float)
    assert np.abs(np.diff(tile, axis=1)).mean() > 3 * np.abs(np.diff(tile, axis=0)).mean()


def test_the_same_body_has_the_same_face(person):
    np.testing.assert_array_equal(paint_face(person), paint_face(person))
    other = replace(person, phenotype={**person.phenotype, "muscle": 0.123})
    assert (paint_face(other) != paint_face(person)).any()


def test_eyes_and_mouth_are_where_they_are_said_to_be(person):
    grey = paint_face(person).mean(axis=-1)
    skin = np.median(grey)
    for side in (-1, 1):
        column = round((0.5 + side * 0.031 / 0.24) * 256)
        assert grey[124:133, column - 3 : column + 4].min() < 0.5 * skin
    mouth = round((0.5 + 0.07 / 0.30) * 256)
    assert grey[mouth - 3 : mouth + 4, 120:136].min() < 0.8 * skin
    assert abs(grey[:60] - skin).max() < 0.1 * skin


def test_beard_and_glasses_show(person):
    plain = paint_face(person).astype(int)
    dark = replace(person.hair, colour=Colour("black", (0.08, 0.07, 0.07)))
    bearded = paint_face(replace(person, beard=True, hair=dark)).astype(int)
    glasses = paint_face(replace(person, glasses=True)).astype(int)
    chin = slice(200, 220), slice(110, 146)
    assert bearded[chin].mean() < 0.8 * plain[chin].mean()
    assert abs(glasses - plain)[110:150].mean() > 5
    assert (glasses == plain)[180:].all()
