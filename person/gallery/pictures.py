"""Pictures of answers: who was asked about, beside the nearest people; and all of one person."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from everyid.protocols import Image
from person.gallery.records import Answer
from person.lettering import Colour, fitted, lettered, wrapped

__all__ = ["Cell", "draw_answer", "draw_person"]

_WIDTH, _HEIGHT, _BORDER = 128, 256, 4
_CELL = _WIDTH + 2 * _BORDER
_GAP, _MARGIN, _ASIDE = 14, 24, 46
"""Between cells, around the picture, and between who was asked about and the others."""
_TITLE, _LABEL, _SMALL = 22, 13, 11
"""Sizes of letters, pixels."""
_STEP = 5
"""Between lines."""
_FEWEST, _PER_ROW = 5, 10

_PAPER: Colour = (28, 25, 24)
_EMPTY: Colour = (46, 42, 40)
_BRIGHT: Colour = (240, 238, 236)
_DIM: Colour = (165, 160, 156)
_ASKED: Colour = (245, 150, 70)
_KNOWN: Colour = (90, 185, 70)
_UNKNOWN: Colour = (70, 170, 250)
_OTHER: Colour = (110, 106, 104)


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture with words under it.

    Args:
        image: uint8 (H, W, 3), BGR, of any size; None: there is none.
        lines: The words, at most three lines, each cut to fit.
        colour: Of the border.
    """

    image: Image | None
    lines: tuple[str, ...]
    colour: Colour = _OTHER


def draw_answer(
    answer: Answer,
    query: Image | None,
    nearest: Sequence[Image | None],
    *,
    threshold: float,
    footer: str,
) -> Image:
    """uint8 (H, W, 3), BGR: who was asked about at the left, the nearest people beside.

    The border of who it is, is green; the line above says it in words.

    Args:
        answer: Whom it is about.
        query: uint8 (H, W, 3), BGR, the picture asked about; None: there is none.
        nearest: The most similar picture of each candidate, in their order.
        threshold: The similarity from which on an answer is known.
        footer: Small text below: the gallery, the model, where the threshold comes from.
    """
    asked = Cell(query, _asked_lines(answer), _ASKED)
    cells = [
        Cell(
            image,
            (
                one.name,
                f"similarity {one.similarity:.3f}",
                "" if one.probability is None else f"probability {percent(one.probability)}",
            ),
            _KNOWN if answer.known and place == 0 else _OTHER,
        )
        for place, (one, image) in enumerate(zip(answer.candidates, nearest, strict=True))
    ]
    if answer.known:
        title, ink = f"Known: {answer.name}", _KNOWN
    elif answer.remembered:
        title, ink = f"Unknown, remembered as {answer.remembered}", _UNKNOWN
    else:
        title, ink = "Unknown", _UNKNOWN
    if answer.similarity is None:
        below = "nobody was enrolled to compare with"
    else:
        side = "at or above" if answer.known else "below"
        below = f"similarity {answer.similarity:.3f}, {side} the threshold {threshold:.3f}"
        if answer.probability is not None:
            below += f"; probability {percent(answer.probability)}"
    return _drawn(asked, cells, title=(title, ink), below=below, footer=footer)


def draw_person(cells: Sequence[Cell], *, title: str, below: str, footer: str) -> Image:
    """uint8 (H, W, 3), BGR: all pictures of one person, ten a row.

    Args:
        cells: The pictures.
        title: The name.
        below: A line about the person.
        footer: Small text: the gallery and the model.
    """
    return _drawn(None, cells, title=(title, _BRIGHT), below=below, footer=footer)


def percent(share: float) -> str:
    """A probability for people; never 0 or 100 %, as nothing measured is that sure.

    >>> percent(0.5), percent(0.9998), percent(0.0001)
    ('50 %', '> 99.9 %', '< 0.1 %')
    """
    if share > 0.999:
        return "> 99.9 %"
    if share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if 0.01 <= share <= 0.99 else f"{100 * share:.1f} %"


def _asked_lines(answer: Answer) -> tuple[str, ...]:
    camera = f"camera {answer.camera}" if answer.camera else ""
    if answer.kind == "crop":
        return "asked", answer.path.rpartition("/")[2], camera
    return f"asked: track {answer.track}", f"{answer.crops} crops", camera


def _drawn(
    asked: Cell | None,
    cells: Sequence[Cell],
    *,
    title: tuple[str, Colour],
    below: str,
    footer: str,
) -> Image:
    """The whole picture: two lines, the cells, the footer."""
    columns = min(max(len(cells), _FEWEST), _PER_ROW)
    rows = max(1, -(-len(cells) // _PER_ROW))
    left = _MARGIN + (_CELL + _ASIDE if asked else 0)
    width = left + columns * (_CELL + _GAP) - _GAP + _MARGIN
    room = width - 2 * _MARGIN
    top = _MARGIN + _TITLE + 4 + _STEP + _LABEL + 4 + _GAP
    step = _HEIGHT + 2 * _BORDER + 3 * (_LABEL + 4) + _STEP + _GAP
    lines = wrapped(footer, room, _SMALL)
    height = top + rows * step + len(lines) * (_SMALL + 4 + _STEP) + _MARGIN - _STEP
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = _PAPER
    _write(sheet, fitted(title[0], room, _TITLE), (_MARGIN, _MARGIN), title[1], _TITLE)
    second = _MARGIN, _MARGIN + _TITLE + 4 + _STEP
    _write(sheet, fitted(below, room, _LABEL), second, _DIM, _LABEL)
    if asked is not None:
        _draw(sheet, asked, (_MARGIN, top))
    for place, cell in enumerate(cells):
        row, column = divmod(place, _PER_ROW)
        _draw(sheet, cell, (left + column * (_CELL + _GAP), top + row * step))
    bottom = top + rows * step
    for number, line in enumerate(lines):
        line_top = bottom + number * (_SMALL + 4 + _STEP)
        _write(sheet, line, (_MARGIN, line_top), _DIM, _SMALL)
    return sheet


def _draw(sheet: Image, cell: Cell, corner: tuple[int, int]) -> None:
    """A picture in its frame, its words below."""
    left, top = corner
    whole = (slice(top, top + _HEIGHT + 2 * _BORDER), slice(left, left + _CELL))
    sheet[whole] = cell.colour
    inner = sheet[top + _BORDER : top + _BORDER + _HEIGHT, left + _BORDER : left + _BORDER + _WIDTH]
    inner[:] = _EMPTY
    if cell.image is None:
        _write(sheet, "no picture", (left + 32, top + _HEIGHT // 2), _DIM, _LABEL, paper=_EMPTY)
    else:
        height, width = cell.image.shape[:2]
        scale = min(_WIDTH / width, _HEIGHT / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(cell.image, size, interpolation=method)
        right, down = (_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2
        inner[down : down + size[1], right : right + size[0]] = picture
    for number, line in enumerate(cell.lines):
        place = left, top + _HEIGHT + 2 * _BORDER + _STEP + number * (_LABEL + 4)
        _write(sheet, fitted(line, _CELL, _LABEL), place, _DIM if number else _BRIGHT, _LABEL)


def _write(
    sheet: Image,
    text: str,
    corner: tuple[int, int],
    ink: Colour,
    size: int,
    *,
    paper: Colour = _PAPER,
) -> None:
    line = lettered(text, size, ink=ink, paper=paper)
    place = sheet[corner[1] : corner[1] + len(line), corner[0] : corner[0] + line.shape[1]]
    place[:] = line[:, : place.shape[1]]
