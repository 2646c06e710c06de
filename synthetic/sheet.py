"""Contact sheets: the same people under every camera of a set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from everyid.errors import DependencyError, InputError
from everyid.media import read_image
from everyid.protocols import Image
from synthetic.layouts.plan import DISTRACTOR, CropPlan

__all__ = ["contact_sheet"]

_WIDTH, _MARGIN = 1280, 24
_SIDE = 150
"""The column of words beside the pictures, pixels."""
_CELL_GAP, _CAMERA_GAP, _ROW_GAP = 3, 14, 10
_WIDEST_CELL = 100
_MOST_CELLS = 14
"""Pictures side by side: more would be too small to tell anything."""
_TITLE, _LABEL, _SMALL = 20, 15, 12
"""Sizes of letters, pixels."""

_PAPER, _EMPTY, _LINE = (24, 26, 30), (36, 39, 44), (88, 94, 104)
_BRIGHT, _DIM = (236, 238, 240), (158, 164, 172)
"""RGB, 0-255."""


def contact_sheet(
    folder: Path,
    plan: Sequence[CropPlan],
    paths: Sequence[str],
    *,
    title: str,
    notes: Mapping[int, str] | None = None,
    most_people: int = 8,
) -> Image:
    """uint8 (H, W, 3), BGR: a row for each person, the cameras side by side, about 1,280 px wide.

    Where there are more people, cameras or pictures than fit, those shown are taken evenly from
    all. Pictures keep their shape.

    Args:
        folder: Of the set.
        plan: The crops; distractors and junk are not shown.
        paths: Of the crops, seen from the folder.
        title: A line above.
        notes: Identity -> words beside the row, such as what the person wears.
        most_people: Rows at most.

    Raises:
        InputError: There is nobody to show, or a crop cannot be read.
    """
    seen: defaultdict[int, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, crop in enumerate(plan):
        if crop.identity > DISTRACTOR:
            seen[crop.identity][crop.camera].append(row)
    if not seen:
        raise InputError("a contact sheet needs a crop of somebody, there is none")
    cameras = _evenly(sorted({camera for one in seen.values() for camera in one}), _MOST_CELLS)
    most = max(len(one[camera]) for one in seen.values() for camera in cameras)
    each = max(1, min(most, _MOST_CELLS // len(cameras)))
    grid = _Grid(len(cameras), each)
    people = _evenly(sorted(seen), most_people)
    sheet = Picture.new("RGB", (grid.width, grid.top + len(people) * grid.step + 14), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, _MARGIN - 4), title, _TITLE, _BRIGHT, grid.width - 2 * _MARGIN)
    _draw_captions(draw, grid, cameras)
    for number, identity in enumerate(people):
        top = grid.top + number * grid.step
        words = "" if notes is None else notes.get(identity, "")
        _draw_words(draw, top, grid.cell_height, f"{identity:04d}", words)
        for group, camera in enumerate(cameras):
            shown = _evenly(seen[identity][camera], each)
            for place in range(each):
                corner = grid.left(group, place), top
                picture = read_image(folder / paths[shown[place]]) if place < len(shown) else None
                _draw_cell(sheet, corner, (grid.cell_width, grid.cell_height), picture)
    return np.ascontiguousarray(np.asarray(sheet, np.uint8)[..., ::-1])


class _Grid:
    """Where things are.

    Args:
        cameras: How many groups of cells.
        each: Cells of a group.
    """

    def __init__(self, cameras: int, each: int) -> None:
        free = _WIDTH - 2 * _MARGIN - _SIDE - (cameras - 1) * _CAMERA_GAP
        gaps = cameras * (each - 1) * _CELL_GAP
        self.cell_width = min(_WIDEST_CELL, (free - gaps) // (cameras * each))
        self.cell_height = 2 * self.cell_width
        self.group_width = each * (self.cell_width + _CELL_GAP) - _CELL_GAP
        self.top = _MARGIN + _TITLE + 16 + _SMALL + 16
        self.step = self.cell_height + _ROW_GAP
        right = self.left(cameras - 1, 0) + self.group_width
        self.width = max(right + _MARGIN, _WIDTH // 2)

    def left(self, group: int, place: int) -> int:
        """The left edge of a cell, pixels."""
        start = _MARGIN + _SIDE + group * (self.group_width + _CAMERA_GAP)
        return start + place * (self.cell_width + _CELL_GAP)


def _evenly(items: Sequence[int], most: int) -> list[int]:
    """At most so many of the items, in order, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _draw_captions(draw: ImageDraw.ImageDraw, grid: _Grid, cameras: Sequence[int]) -> None:
    """Over each group of cells the camera's name, and a line as wide as the group."""
    line = grid.top - 8
    for group, camera in enumerate(cameras):
        left = grid.left(group, 0)
        name = f"camera {camera}" if grid.group_width >= _WIDEST_CELL else f"{camera}"
        middle = left + grid.group_width // 2
        font = _font(_SMALL)
        draw.text((middle, line - 6), name, fill=_DIM, font=font, anchor="ms")
        draw.line((left, line, left + grid.group_width - 1, line), fill=_LINE)


def _draw_words(draw: ImageDraw.ImageDraw, top: int, height: int, name: str, words: str) -> None:
    """Beside a row: who it is, and as many lines of words below as there is room for."""
    width = _SIDE - 16
    _write(draw, (_MARGIN, top), name, _LABEL, _BRIGHT, width)
    step = _SMALL + 4
    room = (height - _LABEL - 8) // step
    for number, line in enumerate(_wrapped(words, width)[:room]):
        place = _MARGIN, top + _LABEL + 8 + number * step
        _write(draw, place, line, _SMALL, _DIM, width)


def _draw_cell(
    sheet: Picture.Image, corner: tuple[int, int], size: tuple[int, int], crop: Image | None
) -> None:
    """A crop as large as its cell allows, in the middle; None: an empty cell."""
    sheet.paste(_EMPTY, (*corner, corner[0] + size[0], corner[1] + size[1]))
    if crop is None:
        return
    height, width = crop.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Picture.fromarray(np.ascontiguousarray(crop[..., ::-1]))
    picture = picture.resize(shown, Picture.Resampling.LANCZOS)
    left, top = ((whole - part) // 2 for whole, part in zip(size, shown, strict=True))
    sheet.paste(picture, (corner[0] + left, corner[1] + top))


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, the same on every system."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise DependencyError(
            "Pillow was built without FreeType, which draws text", hint="pip install -U pillow"
        )
    return font


def _wrapped(words: str, width: int) -> list[str]:
    """The words in lines that are at most so wide, as far as single words allow."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(_SMALL).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """A line of text below and right of the corner, cut where it is too wide."""
    font = _font(size)
    if font.getlength(text) > width:
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text}…"
    draw.text(corner, text, fill=colour, font=font)
