from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from synthetic.people.appearance import Colour, Fabric, Pattern
from synthetic.people.fabrics import paint_emblem, paint_fabric
from synthetic.people.wardrobe import draw_people

PATTERNS = get_args(Pattern)
COLOURS = (
    Colour("grey", (0.55, 0.55, 0.56)),
    Colour("white", (0.95, 0.95, 0.94)),
    Colour("navy", (0.1, 0.12, 0.3)),
)


def fabric(pattern, **changes):
    return replace(Fabric(pattern, COLOURS, seed=3), **changes)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_tile_is_the_same_each_time(pattern):
    tile = paint_fabric(fabric(pattern))
    assert tile.shape == (256, 256, 3)
    assert tile.dtype == np.uint8
    np.testing.assert_array_equal(tile, paint_fabric(fabric(pattern)))


def steps_between_lines(tiles, axis):
    """Mean difference of each row or column from the one before it; the first from the last."""
    differences = np.abs(tiles - np.roll(tiles, 1, axis + 1))
    return differences.mean(axis=(0, 2 - axis, 3))


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_tiles_meet_without_a_seam(pattern, scale):
    # One tile may happen to change much at its edge; many together do not.
    cloths = [fabric(pattern, scale=scale, seed=seed) for seed in range(12)]
    tiles = np.stack([paint_fabric(cloth) for cloth in cloths]).astype(np.float32)
    for axis in (0, 1):
        edge, *inside = steps_between_lines(tiles, axis)
        assert edge <= 1.05 * max(inside)


@pytest.mark.parametrize("pattern", ["plain", "denim", "knit", "leather", "quilted", "logo"])
def test_cloth_of_one_colour_has_that_colour(pattern):
    mean = paint_fabric(fabric(pattern)).mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(mean, COLOURS[0].srgb, atol=0.05)


@pytest.mark.parametrize("pattern", ["striped", "zigzag", "printed", "camouflage"])
def test_the_ground_covers_more_than_any_other_colour(pattern):
    for seed in range(6):
        tile = paint_fabric(fabric(pattern, seed=seed))[..., None, :] / 255
        distances = np.linalg.norm(tile - [colour.srgb for colour in COLOURS], axis=-1)
        shares = np.bincount(distances.argmin(axis=-1).ravel(), minlength=3) / 256**2
        assert shares.argmax() == 0
        assert shares[1:].max() > 0.03


def test_stripes_lie_level_or_stand_upright():
    for angle_deg, along in ((0.0, 1), (90.0, 0)):
        tile = paint_fabric(fabric("striped", angle_deg=angle_deg))[..., 0].astype(float)
        assert tile.mean(axis=along).std() > 5 * tile.mean(axis=1 - along).std()


def test_another_seed_gives_another_print():
    first, second = (paint_fabric(fabric("printed", seed=seed)) for seed in (1, 2))
    assert (first != second).mean() > 0.2


def test_tiles_of_other_sizes():
    tile = paint_fabric(fabric("checked"), size_px=64)
    assert tile.shape == (64, 64, 3)
    full = paint_fabric(fabric("checked"))
    assert abs(tile.mean() - full.mean()) < 1


@pytest.mark.parametrize("seed", range(8))
def test_an_emblem_stands_in_the_middle_of_its_cloth(seed):
    logo = fabric("logo", seed=seed)
    tile, chest = paint_fabric(logo), paint_emblem(logo)
    assert chest.shape == (256, 256, 3)
    edge = np.ones((256, 256), bool)
    edge[26:-26, 12:-12] = False
    np.testing.assert_array_equal(chest[edge], tile[edge])
    assert 0.02 < (chest != tile).any(axis=-1).mean() < 0.6


def test_all_that_people_wear_can_be_painted():
    for person in draw_people(25, seed=2):
        garments = [person.upper, person.lower, *([person.outer] if person.outer else [])]
        for cloth in [g.fabric for g in garments] + [thing.fabric for thing in person.carried]:
            assert paint_fabric(cloth).std() > 0
