from typing import get_args

import pytest

from synthetic.people import fashion
from synthetic.people.appearance import GarmentKind, Pattern
from synthetic.people.colours import COLOUR_NAMES

TABLES = [name for name in fashion.__all__ if name.endswith("_COLOURS")]


@pytest.mark.parametrize("name", TABLES)
def test_every_colour_of_a_table_is_known(name):
    table = getattr(fashion, name)
    tables = table.values() if name == "SHOE_COLOURS" else [table]
    for weights in tables:
        assert set(weights) <= set(COLOUR_NAMES)
        assert all(weight > 0 for weight in weights.values())


def test_every_garment_has_patterns_that_can_be_painted():
    assert set(fashion.PATTERNS) == set(get_args(GarmentKind))
    assert all(set(weights) <= set(get_args(Pattern)) for weights in fashion.PATTERNS.values())


def test_lengths_lie_between_waist_and_ankles():
    assert all(0 <= low < high <= 1 for low, high in fashion.LENGTHS.values())
