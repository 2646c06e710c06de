import colorsys

import numpy as np
import pytest

from synthetic.people.appearance import Colour
from synthetic.people.colours import COLOUR_NAMES, draw_colour, perceived_distance

# What the words mean in hue (degrees, may pass 360), saturation and value: written down apart
# from the regions that colours are drawn from.
MEANINGS = {
    "navy": ((205, 262), (0.35, 1), (0.1, 0.42)),
    "blue": ((195, 235), (0.2, 1), (0.36, 1)),
    "red": ((340, 368), (0.5, 1), (0.3, 0.85)),
    "orange": ((18, 36), (0.5, 1), (0.7, 1)),
    "yellow": ((38, 62), (0.4, 1), (0.7, 1)),
    "green": ((58, 165), (0.15, 1), (0.15, 0.92)),
    "purple": ((255, 312), (0.15, 1), (0.25, 0.95)),
    "pink": ((325, 372), (0.1, 0.75), (0.72, 1)),
    "brown": ((10, 42), (0.3, 1), (0.2, 0.68)),
    "beige": ((20, 52), (0.08, 0.4), (0.65, 0.95)),
}
GREYS = {"black": (0, 0.2), "grey": (0.2, 0.82), "white": (0.83, 1)}


def means(name, srgb):
    if name in GREYS:
        low, high = GREYS[name]
        return max(srgb) - min(srgb) < 0.1 and low <= sum(srgb) / 3 <= high
    hue, *rest = colorsys.rgb_to_hsv(*srgb)
    (first, last), *ranges = MEANINGS[name]
    turned = hue * 360 + (360 if hue * 360 < first - 180 else 0)
    turned += 360 if turned < first and turned + 360 <= last else 0
    return first <= turned <= last and all(
        low <= value <= high for value, (low, high) in zip(rest, ranges, strict=True)
    )


@pytest.mark.parametrize("name", COLOUR_NAMES)
def test_a_colour_looks_as_its_name_says(name):
    generator = np.random.default_rng(2)
    for _ in range(300):
        colour = draw_colour(generator, name)
        assert colour.name == name
        assert means(name, colour.srgb), colour
        assert not any(means(other, colour.srgb) for other in GREYS if other != name), colour


def test_shades_of_one_name_differ():
    generator = np.random.default_rng(2)
    assert len({draw_colour(generator, "green") for _ in range(50)}) == 50


def test_black_and_white_are_farthest_apart():
    black, white = Colour("black", (0.0, 0.0, 0.0)), Colour("white", (1.0, 1.0, 1.0))
    assert perceived_distance(black, white) == pytest.approx(1, abs=1e-3)
    assert perceived_distance(white, white) == 0
