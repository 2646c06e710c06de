"""Lettering: what a font lacks is spelt out, and what is too wide is cut or broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from person import lettering
from person.lettering import drawable, fitted, lettered, wrapped

INK, PAPER = (250, 240, 230), (10, 20, 30)


def width_of(text, size):
    return lettering._font(size).getlength(text)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("c1/0002 $a_b$ #7", "c1/0002 $a_b$ #7"),
        ("Zoë, Łukasz, Иван, Ελένη", "Zoë, Łukasz, Иван, Ελένη"),
        ("日本", r"\u65e5\u672c"),
        ("a\nb\tc\x00", r"a\nb\tc\x00"),
        ("\u202eevil", r"\u202eevil"),
        ("\udcff", r"\udcff"),
        ("", ""),
    ],
)
def test_letters_that_cannot_be_drawn_are_spelt_out(text, drawn):
    assert drawable(text) == drawn


def test_without_matplotlib_pillows_own_font_serves(monkeypatch):
    caches = (lettering._font, lettering._has)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(lettering, "find_spec", lambda name: None)
    try:
        assert drawable("Zoë 7") == r"Zo\xeb 7"
    finally:
        for cache in caches:
            cache.cache_clear()


@given(text=st.text(max_size=40), width=st.integers(20, 300))
@settings(max_examples=50)
def test_fitted_fits_and_keeps_both_ends(text, width):
    got, whole = fitted(text, width, 12), drawable(text)
    assert width_of(got, 12) <= width
    if got != whole:
        head, dots, tail = got.partition("…")
        assert dots
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert len(tail) <= len(head) <= len(tail) + 1


def test_dots_stay_where_nothing_fits():
    assert fitted("anything", 1, 12) == "…"


@given(text=st.text(max_size=60), width=st.integers(20, 200))
@settings(max_examples=50)
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    lines = wrapped(text, width, 12)
    assert all((line and width_of(line, 12) <= width) or len(line) == 1 for line in lines)
    joined = "".join(lines).replace(" ", "")
    assert joined == drawable(" ".join(text.split())).replace(" ", "")


def test_wrapped_breaks_between_words():
    assert wrapped("one two\nthree", round(width_of("one two", 12)) + 1, 12) == ("one two", "three")
    assert wrapped("", 100, 12) == ()


def test_lettered_is_a_line_on_paper():
    line = lettered("Hello", 12, ink=INK, paper=PAPER)
    assert line.shape == (16, round(width_of("Hello", 12)), 3)
    assert line.dtype == np.uint8
    assert (line[0] == PAPER).all()
    assert (line == INK).all(axis=2).any()
    assert not line.flags.writeable
