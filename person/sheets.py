"""Contact sheets: a query and what was found for it, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from everyid.errors import ShapeError
from everyid.protocols import Image
from person.lettering import Colour, fitted, lettered, wrapped

__all__ = ["SheetCell", "State", "draw_sheet"]

State = Literal["same", "other", "ignored", "unknown"]
"""What a match is: the same identity, another, one that the protocol ignores, or not known."""

_WIDTH, _HEIGHT, _BORDER = 96, 192, 4
_CELL = _WIDTH + 2 * _BORDER
_GAP, _MARGIN, _ASIDE = 12, 18, 36
"""Between cells, around the sheet, and between the query and its matches."""
_TITLE, _LABEL, _SMALL = 17, 12, 11
"""Sizes of letters, pixels."""
_LABELS = 3 * (_LABEL + 4) + 6
_PER_ROW, _FEWEST_COLUMNS = 10, 4

_PAPER: Colour = (28, 25, 24)
_EMPTY: Colour = (46, 42, 40)
_BRIGHT: Colour = (240, 238, 236)
_DIM: Colour = (165, 160, 156)
_QUERY: Colour = (245, 150, 70)
_STATES: dict[State, tuple[Colour, str]] = {
    "same": ((90, 185, 70), "same identity"),
    "other": ((60, 60, 232), "other identity"),
    "ignored": ((30, 180, 255), "ignored: same camera, or junk"),
    "unknown": ((140, 140, 140), "identity unknown"),
}


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One match of a query.

    Args:
        image: uint8 (H, W, 3), BGR, of any size.
        state: What it is to the query.
        rank: From 1, or None where it has none, as when ignored.
        similarity: Cosine, -1 to 1.
        identity: Its name, or None.
        camera: Its name, or None.
    """

    image: Image
    state: State
    rank: int | None
    similarity: float
    identity: str | None = None
    camera: str | None = None


def draw_sheet(
    query: Image,
    matches: Sequence[SheetCell],
    *,
    title: str,
    footer: str = "",
    identity: str | None = None,
    camera: str | None = None,
) -> Image:
    """uint8 (H, W, 3), BGR: the query at the left, its matches in order, ten a row.

    Borders are blue around the query, green around the same identity, red around another, amber
    around one that is ignored, grey around one that is unknown. Crops keep their shape.

    Args:
        query: uint8 (H, W, 3), BGR, of any size.
        matches: In the order they are shown, best first.
        title: A line above, cut to fit; what the query is called.
        footer: Small text below, broken into lines; such as the model and the protocol.
        identity: Of the query.
        camera: Of the query.

    Raises:
        ShapeError: A picture is not uint8 (H, W, 3), or is empty.
    """
    for number, image in enumerate([query, *(match.image for match in matches)]):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            what = f"match {number}" if number else "query"
            raise ShapeError(f"{what}: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
    columns = min(max(len(matches), _FEWEST_COLUMNS), _PER_ROW)
    rows = max(1, -(-len(matches) // _PER_ROW))
    width = 2 * _MARGIN + _CELL + _ASIDE + columns * (_CELL + _GAP) - _GAP
    lines = wrapped(footer, width - 2 * _MARGIN, _SMALL)
    top = _MARGIN + (_TITLE + 8) + (_LABEL + 4) + 14
    row_height = _HEIGHT + 2 * _BORDER + _LABELS + _GAP
    bottom = top + rows * row_height
    height = bottom + len(lines) * (_SMALL + 6) + _MARGIN - _GAP // 2
    sheet = np.empty((height, width, 3), np.uint8)
    _fill(sheet, (0, 0), (width, height), _PAPER)

    _write(sheet, fitted(title, width - 2 * _MARGIN, _TITLE), (_MARGIN, _MARGIN), _BRIGHT, _TITLE)
    _draw_key(sheet, matches, _MARGIN + _TITLE + 8)
    _draw_cell(sheet, query, (_MARGIN, top), _QUERY)
    _draw_labels(sheet, (_MARGIN, top), ("query", ""), identity, camera)
    for place, match in enumerate(matches):
        column, row = place % _PER_ROW, place // _PER_ROW
        left = _MARGIN + _CELL + _ASIDE + column * (_CELL + _GAP)
        corner = left, top + row * row_height
        _draw_cell(sheet, match.image, corner, _STATES[match.state][0])
        rank = "" if match.rank is None else f"#{match.rank}"
        similarity = f"{match.similarity:.3f}"
        _draw_labels(sheet, corner, (rank, similarity), match.identity, match.camera)
    for number, line in enumerate(lines):
        _write(sheet, line, (_MARGIN, bottom + number * (_SMALL + 6)), _DIM, _SMALL)
    return sheet


def _draw_key(sheet: Image, matches: Sequence[SheetCell], top: int) -> None:
    """What the colours mean that are on the sheet."""
    left = _MARGIN
    shown = {match.state for match in matches}
    for colour, words in [(_QUERY, "query"), *(_STATES[one] for one in _STATES if one in shown)]:
        _fill(sheet, (left, top + 3), (10, 10), colour)
        left = _write(sheet, words, (left + 16, top), _DIM, _LABEL) + 18
    if not matches:
        _write(sheet, "no matches", (left, top), _DIM, _LABEL)


def _draw_cell(sheet: Image, image: Image, corner: tuple[int, int], colour: Colour) -> None:
    left, top = corner
    _fill(sheet, corner, (_CELL, _HEIGHT + 2 * _BORDER), colour)
    left, top = left + _BORDER, top + _BORDER
    _fill(sheet, (left, top), (_WIDTH, _HEIGHT), _EMPTY)
    height, width = image.shape[:2]
    scale = min(_WIDTH / width, _HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(image, size, interpolation=method)
    left, top = left + (_WIDTH - size[0]) // 2, top + (_HEIGHT - size[1]) // 2
    sheet[top : top + size[1], left : left + size[0]] = picture


def _fill(sheet: Image, corner: tuple[int, int], size: tuple[int, int], colour: Colour) -> None:
    last = corner[0] + size[0] - 1, corner[1] + size[1] - 1
    cv2.rectangle(sheet, corner, last, colour, cv2.FILLED)  # assigning takes thirty times as long


def _draw_labels(
    sheet: Image,
    corner: tuple[int, int],
    ends: tuple[str, str],
    identity: str | None,
    camera: str | None,
) -> None:
    """Under a cell: a line with a text at each end, the identity, the camera."""
    left, top = corner[0], corner[1] + _HEIGHT + 2 * _BORDER + 4
    step = _LABEL + 4
    _write(sheet, ends[0], (left, top), _DIM, _LABEL)
    _write(sheet, ends[1], (left, top), _BRIGHT, _LABEL, until=left + _CELL)
    if identity:
        _write(sheet, fitted(identity, _CELL, _LABEL), (left, top + step), _BRIGHT, _LABEL)
    if camera:
        camera = f"camera {camera}" if camera.isdecimal() else camera
        _write(sheet, fitted(camera, _CELL, _LABEL), (left, top + 2 * step), _DIM, _LABEL)


def _write(
    sheet: Image,
    text: str,
    corner: tuple[int, int],
    colour: Colour,
    size: int,
    *,
    until: int | None = None,
) -> int:
    """Draws a line of text from the corner, or so that it ends at ``until``; returns its end."""
    line = lettered(text, size, ink=colour, paper=_PAPER)
    width = int(line.shape[1])
    left = corner[0] if until is None else until - width
    place = sheet[corner[1] : corner[1] + len(line), left : left + width]
    place[:] = line[:, : place.shape[1]]
    return left + width
