"""Random numbers by purpose."""

import pytest

from synthetic.seeds import generator


def test_the_same_words_give_the_same_numbers():
    assert generator(3, "crop", 1).random(4).tolist() == generator(3, "crop", 1).random(4).tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "a"), (2, "a")),
        ((1, "a", 1), (1, "a", "1")),
        ((1, "a", "b"), (1, "ab")),
        ((1, "a", 12), (1, "a1", 2)),
        ((1,), (1, "")),
    ],
)
def test_other_words_give_other_numbers(one: tuple, other: tuple):
    assert generator(*one).random() != generator(*other).random()


def test_numbers_are_pinned_for_all_time():
    assert generator(1, "person", 7).integers(1000, size=4).tolist() == PINNED


PINNED = [56, 51, 226, 417]
