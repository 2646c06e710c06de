"""Bodies: sex, age, height, build, skin and hair."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from synthetic.people.appearance import (
    AgeGroup,
    Build,
    Colour,
    Hair,
    HairStyle,
    Sex,
    SkinTone,
)
from synthetic.people.chance import between, chance, pick

__all__ = ["Physique", "another_body", "draw_hair", "draw_physique"]

_AGE_GROUPS: dict[AgeGroup, float] = {
    "child": 0.08,
    "teenager": 0.10,
    "adult": 0.68,
    "senior": 0.14,
}
_AGES: dict[AgeGroup, tuple[float, float]] = {
    "child": (6, 12),
    "teenager": (13, 17),
    "adult": (18, 61),
    "senior": (63, 85),
}
_HEIGHTS_M: dict[Sex, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "female": ((6, 9, 12, 15, 18, 55, 85), (1.17, 1.34, 1.53, 1.62, 1.645, 1.645, 1.58)),
    "male": ((6, 9, 12, 15, 18, 55, 85), (1.18, 1.35, 1.52, 1.71, 1.78, 1.775, 1.71)),
}
"""Plausible mean heights at some ages in years."""
_FORM_AGES = ((6, 12, 18, 30, 60, 85), (0.26, 0.37, 0.58, 0.66, 0.84, 1.0))
"""Years, and the body model's number for them: 1/3 is its child, 2/3 its young adult, 1 its old."""
_BUILDS: dict[Build, tuple[float, float, float]] = {
    "slim": (0.28, 0.16, 0.34),
    "medium": (0.50, 0.43, 0.56),
    "heavy": (0.22, 0.66, 0.88),
}
"""Share of people, and the range of the body model's weight."""
_ORIGINS = {"african": 0.25, "asian": 0.27, "caucasian": 0.48}
_SKINS: dict[SkinTone, tuple[float, float]] = {
    "light": (0.0, 0.22),
    "tan": (0.30, 0.46),
    "brown": (0.54, 0.70),
    "dark": (0.78, 1.0),
}
"""Where each tone lies from the lightest (0) to the darkest (1) skin."""
_SKIN_SHADES = (
    (0.0, 0.36, 0.66, 1.0),
    ((0.91, 0.75, 0.66), (0.79, 0.60, 0.48), (0.53, 0.36, 0.27), (0.27, 0.18, 0.14)),
)
_HAIR_SHADES = {
    "black": ((0.05, 0.045, 0.045), (0.11, 0.09, 0.08)),
    "brown": ((0.20, 0.13, 0.09), (0.33, 0.22, 0.14)),
    "blond": ((0.58, 0.46, 0.29), (0.74, 0.62, 0.42)),
    "red": ((0.36, 0.15, 0.07), (0.50, 0.25, 0.13)),
    "grey": ((0.40, 0.39, 0.38), (0.58, 0.57, 0.56)),
    "white": ((0.78, 0.77, 0.75), (0.88, 0.87, 0.85)),
}
_DARK_HAIR = {"black": 0.76, "brown": 0.20, "red": 0.02, "blond": 0.02}
_FAIR_HAIR = {"brown": 0.48, "black": 0.17, "blond": 0.26, "red": 0.09}
_HAIR_STYLES: dict[tuple[Sex, bool], dict[HairStyle, float]] = {
    ("female", False): {"long": 0.42, "ponytail": 0.24, "bob": 0.17, "bun": 0.10, "short": 0.07},
    ("female", True): {"short": 0.46, "bob": 0.32, "bun": 0.11, "long": 0.08, "ponytail": 0.03},
    ("male", False): {"short": 0.84, "bald": 0.09, "bob": 0.03, "long": 0.02, "bun": 0.02},
    ("male", True): {"short": 0.64, "bald": 0.34, "ponytail": 0.02},
}
"""By sex, and whether the person is a senior."""


@dataclass(frozen=True, slots=True)
class Physique:
    """The part of an appearance that clothes do not change.

    Args:
        age_group: As in :class:`synthetic.people.appearance.Appearance`, like all that follows.
        sex: Of the body.
        build: How slim or heavy.
        height_m: Metres.
        phenotype: The body model's numbers.
        skin: Colour of the skin.
        skin_tone: Its name.
        hair: The hair.
        beard: Whether there is one.
        glasses: Whether they are worn.
    """

    age_group: AgeGroup
    sex: Sex
    build: Build
    height_m: float
    phenotype: dict[str, float] = field(hash=False)
    skin: Colour
    skin_tone: SkinTone
    hair: Hair
    beard: bool
    glasses: bool


def draw_physique(generator: np.random.Generator) -> Physique:
    """One body, of any age from 6 on."""
    sex: Sex = "female" if chance(generator, 0.5) else "male"
    age_group = pick(generator, _AGE_GROUPS)
    age = between(generator, *_AGES[age_group])
    spread = _bell(generator)
    height_m = float(np.interp(age, *_HEIGHTS_M[sex])) + 0.062 * spread
    build = pick(generator, {name: share for name, (share, _, _) in _BUILDS.items()})
    origins = _draw_origins(generator)
    phenotype = {
        "gender": between(generator, 0.82, 1.0) if sex == "female" else between(generator, 0, 0.18),
        "age": float(np.interp(age, *_FORM_AGES)),
        "height": 0.5 + 0.13 * spread,
        **_draw_form(generator, build),
        **origins,
    }
    skin_tone = _draw_skin_tone(generator, origins)
    grown_up = age_group in ("adult", "senior")
    return Physique(
        age_group=age_group,
        sex=sex,
        build=build,
        height_m=round(height_m, 3),
        phenotype={name: round(value, 4) for name, value in phenotype.items()},
        skin=_draw_skin(generator, skin_tone),
        skin_tone=skin_tone,
        hair=_draw_first_hair(generator, sex, age, origins),
        beard=chance(generator, 0.24 if sex == "male" and grown_up else 0),
        glasses=chance(generator, {"child": 0.08, "senior": 0.4}.get(age_group, 0.18)),
    )


def another_body(
    generator: np.random.Generator, phenotype: Mapping[str, float], build: Build
) -> tuple[Build, dict[str, float]]:
    """A body of the same sex, age, height and origin, but of another build."""
    others: dict[Build, float] = {"slim": 1, "heavy": 1} if build == "medium" else {"medium": 1}
    new = pick(generator, others)
    form = {name: round(value, 4) for name, value in _draw_form(generator, new).items()}
    return new, {**phenotype, **form}


def draw_hair(
    generator: np.random.Generator, sex: Sex, age_group: AgeGroup, colour: Colour
) -> Hair:
    """Hair of a colour, in a style that people of this sex and age wear."""
    styles = _HAIR_STYLES[sex, age_group == "senior"]
    if age_group in ("child", "teenager"):
        styles = {style: share for style, share in styles.items() if style != "bald"}
    return Hair(pick(generator, styles), colour, round(between(generator, 0, 1), 3))


def _bell(generator: np.random.Generator) -> float:
    """A standard normal number, kept within 2.2 of 0."""
    return min(2.2, max(-2.2, float(generator.standard_normal())))


def _draw_form(generator: np.random.Generator, build: Build) -> dict[str, float]:
    _, low, high = _BUILDS[build]
    return {
        "weight": between(generator, low, high),
        "muscle": between(generator, 0.35, 0.7),
        "proportions": between(generator, 0.35, 0.8),
        "cupsize": between(generator, 0.3, 0.7),
        "firmness": between(generator, 0.4, 0.7),
    }


def _draw_origins(generator: np.random.Generator) -> dict[str, float]:
    """Shares that sum to 1: mostly of one origin, at times mixed."""
    first, second = pick(generator, _ORIGINS), pick(generator, _ORIGINS)
    mixed = between(generator, 0, 0.5) if chance(generator, 0.2) else between(generator, 0, 0.1)
    shares = dict.fromkeys(_ORIGINS, 0.0)
    shares[first] += 1 - mixed
    shares[second] += mixed
    return shares


def _draw_skin_tone(generator: np.random.Generator, origins: dict[str, float]) -> SkinTone:
    darkness = (
        0.80 * origins["african"] + 0.27 * origins["asian"] + 0.13 * origins["caucasian"]
    ) + 0.09 * _bell(generator)
    for tone, (_, darkest) in _SKINS.items():
        if darkness < darkest + 0.04:
            return tone
    return "dark"


def _draw_skin(generator: np.random.Generator, tone: SkinTone) -> Colour:
    place = between(generator, *_SKINS[tone])
    places, shades = _SKIN_SHADES
    red, green, blue = (
        float(np.interp(place, places, channel)) for channel in zip(*shades, strict=True)
    )
    warmth = between(generator, -0.012, 0.012)
    return Colour(tone, (round(red + warmth, 4), round(green, 4), round(blue - warmth, 4)))


def _draw_first_hair(
    generator: np.random.Generator, sex: Sex, age: float, origins: dict[str, float]
) -> Hair:
    colours = _FAIR_HAIR if origins["caucasian"] > 0.5 else _DARK_HAIR
    greyness = min(0.92, max(0.0, (age - 42) / 32)) * (0.75 if sex == "female" else 1.0)
    if chance(generator, greyness):
        colours = {"grey": 1.0, "white": max(0.0, (age - 60) / 20)}
    name = pick(generator, colours)
    dark, bright = _HAIR_SHADES[name]
    place = between(generator, 0, 1)
    red, green, blue = (
        round(low + (high - low) * place, 4) for low, high in zip(dark, bright, strict=True)
    )
    age_group: AgeGroup = next(group for group, (_, last) in _AGES.items() if age <= last)
    return draw_hair(generator, sex, age_group, Colour(name, (red, green, blue)))
