"""Colours of clothes and things, and the words for them."""

import math

import numpy as np

from synthetic.people.appearance import Colour
from synthetic.people.chance import between, pick

__all__ = ["COLOUR_NAMES", "draw_colour", "perceived_distance"]

_Range = tuple[float, float]

_REGIONS: dict[str, dict[tuple[_Range, _Range, _Range], float]] = {
    "black": {((0.16, 0.26), (0.0, 0.01), (0, 360)): 1},
    "white": {
        ((0.94, 0.985), (0.0, 0.008), (0, 360)): 3,
        ((0.93, 0.965), (0.012, 0.022), (80, 100)): 1,  # off-white
    },
    "grey": {
        ((0.37, 0.46), (0.0, 0.012), (0, 360)): 4,  # charcoal
        ((0.48, 0.64), (0.0, 0.012), (0, 360)): 3,
        ((0.66, 0.80), (0.0, 0.010), (0, 360)): 3,
    },
    "navy": {((0.23, 0.32), (0.046, 0.064), (258, 274)): 1},
    "blue": {
        ((0.42, 0.58), (0.05, 0.10), (246, 264)): 5,  # washed
        ((0.68, 0.80), (0.04, 0.07), (242, 258)): 3,  # light
        ((0.42, 0.52), (0.12, 0.165), (256, 264)): 1,  # royal
    },
    "red": {
        ((0.43, 0.54), (0.13, 0.18), (20, 28)): 3,
        ((0.33, 0.39), (0.09, 0.125), (14, 24)): 3,  # wine
    },
    "orange": {((0.65, 0.73), (0.12, 0.16), (50, 61)): 1},
    "yellow": {
        ((0.74, 0.80), (0.115, 0.145), (86, 95)): 3,  # mustard
        ((0.84, 0.90), (0.11, 0.16), (97, 106)): 1,
    },
    "green": {
        ((0.40, 0.53), (0.05, 0.08), (114, 128)): 5,  # olive
        ((0.34, 0.44), (0.05, 0.085), (146, 162)): 4,  # bottle
        ((0.50, 0.62), (0.085, 0.125), (142, 156)): 2,
        ((0.78, 0.86), (0.055, 0.085), (148, 162)): 1,  # mint
    },
    "purple": {
        ((0.36, 0.52), (0.08, 0.13), (302, 318)): 3,
        ((0.70, 0.79), (0.06, 0.09), (302, 314)): 1,  # lilac
    },
    "pink": {
        ((0.78, 0.87), (0.05, 0.085), (354, 372)): 3,
        ((0.62, 0.69), (0.14, 0.185), (355, 365)): 1,
    },
    "brown": {
        ((0.32, 0.46), (0.045, 0.075), (48, 68)): 3,
        ((0.52, 0.60), (0.075, 0.10), (56, 68)): 1,  # caramel
    },
    "beige": {((0.75, 0.87), (0.03, 0.055), (72, 90)): 1},
}
"""Ranges of OKLab lightness, chroma and hue in degrees, with how common each is. The gaps between
them hold colours that two people would call differently."""

COLOUR_NAMES = tuple(_REGIONS)
"""The words for colours of cloth."""


def draw_colour(generator: np.random.Generator, name: str) -> Colour:
    """One shade that goes by the given word.

    Args:
        generator: Where the shade comes from.
        name: One of :data:`COLOUR_NAMES`.
    """
    lightness, chroma, hue = pick(generator, _REGIONS[name])
    return Colour(
        name,
        _to_srgb(
            between(generator, *lightness),
            between(generator, *chroma),
            math.radians(between(generator, *hue)),
        ),
    )


def perceived_distance(first: Colour, second: Colour) -> float:
    """How different two colours look: about 0.02 is just seen, black to white is 1.

    The Euclidean distance in OKLab.
    """
    return math.dist(_to_oklab(first.srgb), _to_oklab(second.srgb))


def _to_srgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """What OKLab's inverse gives, clipped to what a screen can show.

    Source: B. Ottosson, A perceptual color space for image processing, 2020.
    """
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _encode(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encode(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encode(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _to_oklab(srgb: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = (_decode(channel) for channel in srgb)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _encode(linear: float) -> float:
    linear = min(1.0, max(0.0, linear))
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _decode(encoded: float) -> float:
    return encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4
