import numpy as np
import pytest

from person.gallery.pictures import _KNOWN, _UNKNOWN, Cell, draw_answer, draw_person, percent
from person.gallery.records import Answer, Candidate

WHITE = np.full((64, 32, 3), 255, np.uint8)


def answer(*, known, people=2, remembered=None):
    near = [
        Candidate(name=f"person {place}", similarity=0.9 - place / 100, path="a.jpg")
        for place in range(people)
    ]
    return Answer(
        kind="crop",
        path="door/1.jpg",
        crops=1,
        known=known,
        name=near[0].name if known else None,
        similarity=near[0].similarity if near else None,
        candidates=near,
        remembered=remembered,
    )


def has(picture, colour):
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


def test_known_is_green_and_unknown_is_not():
    for known in (True, False):
        picture = draw_answer(
            answer(known=known), WHITE, [WHITE, WHITE], threshold=0.5, footer="a gallery"
        )
        assert picture.dtype == np.uint8
        assert has(picture, _KNOWN) == known
        assert has(picture, _UNKNOWN) != known


@pytest.mark.parametrize("people", [0, 1, 7, 25])
def test_any_number_of_people_and_no_pictures(people):
    picture = draw_answer(
        answer(known=False, people=people, remembered="unknown-0001"),
        None,
        [None] * people,
        threshold=0.5,
        footer="a gallery " * 40,
    )
    rows = -(-max(people, 1) // 10)
    assert picture.shape[0] > 300 * rows


def test_pictures_of_odd_shapes():
    odd = [np.full((*size, 3), 200, np.uint8) for size in ((1, 1), (900, 2), (3, 700))]
    picture = draw_person(
        [Cell(one, ("a", "b", "c")) for one in odd], title="日本", below="", footer=""
    )
    assert has(picture, (200, 200, 200))


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "> 99.9 %"), (0.995, "99.5 %"), (0.42, "42 %"), (0.0, "< 0.1 %")]
)
def test_nothing_is_ever_certain(share, words):
    assert percent(share) == words
