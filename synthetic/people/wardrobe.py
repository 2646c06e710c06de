"""People drawn as they are met in the street, no two the same."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from everyid.errors import ConfigError
from synthetic.people.appearance import Appearance, Carried, Hair, HairStyle, Label, ShoesKind
from synthetic.people.chance import between, chance, pick
from synthetic.people.colours import draw_colour
from synthetic.people.fashion import HEADWEAR_COLOURS, SHOE_COLOURS
from synthetic.people.outfits import draw_carried, draw_outfit
from synthetic.people.physique import another_body, draw_hair, draw_physique
from synthetic.seeds import generator as new_generator

__all__ = [
    "MOST_PEOPLE",
    "NEAR_TWIN_SHARE",
    "change_clothes",
    "draw_passer_by",
    "draw_people",
    "kept_apart",
]

MOST_PEOPLE = 100_000
"""How many :func:`draw_people` tells apart. Of so many, 1.5 % look at first like somebody before
them and are drawn again, and the list takes about half a gigabyte."""
NEAR_TWIN_SHARE = 0.1
"""How many people are made from another one: alike but for one or two small things."""


def draw_people(count: int, *, seed: int) -> list[Appearance]:
    """People of whom no two share all labels, the first of a longer draw among them.

    About :data:`NEAR_TWIN_SHARE` of them are near twins of somebody before them, whose number
    stands in ``twin_of``: alike in all labels but for a few, such as the colour of the shoes.
    Nobody has two near twins. Heights, which cannot be read from one picture, do not count as
    telling people apart.

    >>> [person.sex for person in draw_people(3, seed=1)] == [
    ...     person.sex for person in draw_people(5, seed=1)[:3]
    ... ]
    True

    Args:
        count: How many, 0 to :data:`MOST_PEOPLE`.
        seed: 0 or more; the same seed gives the same people.

    Raises:
        ConfigError: More people than can be kept apart, or a count below 0.
    """
    if not 0 <= count <= MOST_PEOPLE:
        raise ConfigError(
            f"expected 0 to {MOST_PEOPLE} people, came {count}",
            hint="draw fewer, or several sets with different seeds",
        )
    people: list[Appearance] = []
    known: set[tuple[Label, ...]] = set()
    single: list[int] = []  # numbers of those who have no near twin yet
    while len(people) < count:
        generator = new_generator(seed, "person", len(people))
        person = _draw_another(generator, people, single)
        while (looks := kept_apart(person)) in known:
            person = _draw_another(generator, people, single)
        if person.twin_of is None:
            single.append(len(people))
        else:
            del single[bisect_left(single, person.twin_of)]
        known.add(looks)
        people.append(person)
    return people


def draw_passer_by(generator: np.random.Generator) -> Appearance:
    """One person, of any sex and any age from 6 on.

    Args:
        generator: Where the choices come from.
    """
    body = draw_physique(generator)
    outfit = draw_outfit(generator, body.sex, body.age_group)
    parts = {item.name: getattr(body, item.name) for item in fields(body)}
    parts |= {item.name: getattr(outfit, item.name) for item in fields(outfit)}
    return Appearance(**parts)


def change_clothes(appearance: Appearance, generator: np.random.Generator) -> Appearance:
    """The same person on another day.

    Body, skin, beard and the colour of the hair stay. The hair may be worn otherwise, glasses are
    at times left off, and about half keep their shoes and half their bags. What is worn on upper
    body, legs and head is new.

    Args:
        appearance: The person on one day.
        generator: Where the choices come from.
    """
    outfit = draw_outfit(generator, appearance.sex, appearance.age_group)
    kept_shoes = chance(generator, 0.6) and outfit.shoes.kind == appearance.shoes.kind
    return replace(
        appearance,
        upper=outfit.upper,
        outer=outfit.outer,
        lower=outfit.lower,
        legwear=outfit.legwear,
        shoes=appearance.shoes if kept_shoes else outfit.shoes,
        headwear=outfit.headwear,
        carried=appearance.carried if chance(generator, 0.5) else outfit.carried,
        hair=_rearranged(generator, appearance),
        glasses=appearance.glasses and chance(generator, 0.85),
        twin_of=None,
    )


def kept_apart(appearance: Appearance) -> tuple[Label, ...]:
    """The labels in which any two of :func:`draw_people` differ somewhere.

    All but the height, which cannot be read from one picture, and whose twin somebody is.
    """
    labels = appearance.labels()
    return tuple(labels[name] for name in labels if name not in ("height_m", "twin_of"))


def _rearranged(generator: np.random.Generator, person: Appearance) -> Hair:
    """The same hair; long hair may be worn open, in a ponytail or in a bun."""
    styles: dict[HairStyle, float] = {"long": 0.4, "ponytail": 0.4, "bun": 0.2}
    if person.hair.style not in styles or not chance(generator, 0.3):
        return person.hair
    return replace(person.hair, style=pick(generator, styles))


def _draw_another(
    generator: np.random.Generator, people: list[Appearance], single: list[int]
) -> Appearance:
    """Somebody new or, in the stated share, a near twin of one who has none yet."""
    if not single or not chance(generator, NEAR_TWIN_SHARE):
        return draw_passer_by(generator)
    number = single[int(generator.integers(len(single)))]
    return _draw_twin(generator, people[number], number)


def _draw_twin(generator: np.random.Generator, original: Appearance, number: int) -> Appearance:
    """Somebody much like the original in the same clothes, but for a detail or two."""
    twin = replace(
        original,
        height_m=round(original.height_m + between(generator, -0.03, 0.03), 3),
        twin_of=number,
    )
    for _ in range(1 if chance(generator, 0.6) else 2):
        twin = pick(generator, _DETAILS)(generator, twin)
    return twin


def _other_shoes(generator: np.random.Generator, person: Appearance) -> Appearance:
    colours = {**SHOE_COLOURS[person.shoes.kind], person.shoes.colour.name: 0.0}
    return replace(
        person,
        shoes=replace(person.shoes, colour=draw_colour(generator, pick(generator, colours))),
    )


def _other_kind_of_shoes(generator: np.random.Generator, person: Appearance) -> Appearance:
    kinds: dict[ShoesKind, float] = {"sneakers": 1, "shoes": 1, "boots": 1}
    kind = pick(generator, {**kinds, person.shoes.kind: 0.0})
    return replace(person, shoes=replace(person.shoes, kind=kind))


def _other_bags(generator: np.random.Generator, person: Appearance) -> Appearance:
    """The bags put down, or one taken along."""
    carried: tuple[Carried, ...] = ()
    while not person.carried and not carried:
        carried = draw_carried(generator, person.sex, person.age_group, smart=False)[:1]
    return replace(person, carried=carried)


def _other_hair(generator: np.random.Generator, person: Appearance) -> Appearance:
    hair = draw_hair(generator, person.sex, person.age_group, person.hair.colour)
    return replace(person, hair=hair)


def _other_build(generator: np.random.Generator, person: Appearance) -> Appearance:
    build, phenotype = another_body(generator, person.phenotype, person.build)
    return replace(person, build=build, phenotype=phenotype)


def _other_headwear(generator: np.random.Generator, person: Appearance) -> Appearance:
    """A cap, a hat or a beanie of another colour; without one, glasses put on or off."""
    if person.headwear is None:
        return replace(person, glasses=not person.glasses)
    colours = {**HEADWEAR_COLOURS, person.headwear.colour.name: 0.0}
    colour = draw_colour(generator, pick(generator, colours))
    return replace(person, headwear=replace(person.headwear, colour=colour))


_Change = Callable[[np.random.Generator, Appearance], Appearance]
_DETAILS: dict[_Change, float] = {
    _other_shoes: 0.3,
    _other_bags: 0.24,
    _other_hair: 0.16,
    _other_build: 0.12,
    _other_kind_of_shoes: 0.1,
    _other_headwear: 0.08,
}
"""The details in which near twins differ, and how often."""
