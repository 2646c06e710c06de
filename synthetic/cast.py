"""The people of footage: the same on both days, many of them in other clothes on the second."""

from collections.abc import Sequence

from synthetic.acting import Manner, draw_manner
from synthetic.people.appearance import Appearance
from synthetic.people.wardrobe import change_clothes, draw_people
from synthetic.seeds import generator

__all__ = ["CHANGED_SHARE", "draw_cast", "draw_manners"]

CHANGED_SHARE = 0.6
"""Of the people who wear other clothes on the second day."""


def draw_cast(people: int, *, day: int, seed: int) -> list[Appearance]:
    """What everybody looks like on a day, person by person.

    Args:
        people: How many.
        day: From 1.
        seed: Of the run.

    Raises:
        ConfigError: There are more people than can be told apart.
    """
    cast = draw_people(people, seed=seed)
    for person, appearance in enumerate(cast):
        chance = generator(seed, "clothes", day, person)
        if day > 1 and chance.random() < CHANGED_SHARE:
            cast[person] = change_clothes(appearance, chance)
    return cast


def draw_manners(cast: Sequence[Appearance], *, seed: int) -> list[Manner]:
    """How everybody moves; who carries the same moves the same on all days.

    Args:
        cast: What they look like and carry that day.
        seed: Of the run.
    """
    return [
        draw_manner(generator(seed, "manner", person), appearance)
        for person, appearance in enumerate(cast)
    ]
