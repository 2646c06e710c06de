"""Where a network looks: activation maps, and a sheet of them beside their crops."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.errors import ShapeError
from everyid.output import whole_file
from everyid.protocols import Image
from person.lettering import Colour, fitted, lettered

__all__ = ["MOST_CROPS", "activation_maps", "draw_activation_sheet"]

MOST_CROPS = 24
"""That a sheet has room for."""

_STRONG = 0.95
_WIDTH, _HEIGHT = 128, 256
"""Of a crop as it is drawn, pixels."""
_PAIR = 2 * _WIDTH + 4
_GAP, _MARGIN, _PER_ROW = 14, 18, 6
_LETTERS = 12
"""Their size, pixels."""
_LABEL = _LETTERS + 8
_KEY = "left the crop, right how strongly the network reacts to each place: blue least, red most"
_PAPER: Colour = (28, 25, 24)
_BRIGHT: Colour = (240, 238, 236)


def activation_maps(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strongly a network reacts to each place: float32 (B, h, w), 0-1.

    The squares of all channels are summed, and each picture's sums are stretched so that its least
    is 0 and its strongest twentieth 1; where all are alike, all are 0. Maps of different pictures
    therefore do not compare in strength.

    Args:
        maps: float32 (B, C, h, w), what a layer gives, of any range.

    Raises:
        ShapeError: They are of another shape or dtype, empty, or not finite.

    Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, section 3.1,
        with p = 2; their division by the norm cancels out in the stretching. They do not cut off
        the strongest; but there are networks in which a corner or two react a thousand times as
        strongly as the rest, beside which nothing else would be seen (of transformers: Darcet et
        al., "Vision Transformers Need Registers", ICLR 2024).
    """
    if maps.ndim != 4 or maps.dtype != np.float32 or 0 in maps.shape[1:]:
        raise ShapeError(f"maps: expected float32 (B, C, h, w), got {maps.dtype} {maps.shape}")
    if not np.isfinite(maps).all():
        raise ShapeError("maps: expected finite values, got NaN or infinity")
    greatest = np.abs(maps).max(axis=(1, 2, 3), keepdims=True)
    even = maps / np.where(greatest > 0, greatest, 1)  # squares of large values would overflow
    cells = maps.shape[2] * maps.shape[3]
    sums = np.einsum("bchw,bchw->bhw", even, even).reshape(len(maps), cells)
    sums -= sums.min(axis=1, keepdims=True)
    rising = np.sort(sums, axis=1)
    strong, strongest = rising[:, [math.ceil(_STRONG * (cells - 1))]], rising[:, [-1]]
    span = np.where(strong > 0, strong, strongest)
    stretched: NDArray[np.float32] = np.minimum(sums / np.where(span > 0, span, 1), 1)
    return stretched.reshape(len(maps), *maps.shape[2:])


def draw_activation_sheet(
    path: Path,
    crops: Sequence[Image],
    maps: NDArray[np.float32],
    *,
    titles: Sequence[str],
    overwrite: bool,
) -> None:
    """Draws crops as a network sees them, each with its map laid over it, as one PNG.

    Args:
        path: The file, ``.png``.
        crops: uint8 (H, W, 3), BGR, of any sizes; 1 to :data:`MOST_CROPS`. Drawn 256 px high and
            128 px wide, whatever their shape.
        maps: float32 (N, h, w), 0-1, of :func:`activation_maps`, one for each crop.
        titles: One for each crop, written below it, cut to fit.
        overwrite: Replace an existing file.

    Raises:
        ShapeError: A crop or the maps are of another shape, dtype or range, or the numbers of
            crops, maps and titles differ or do not fit the sheet.
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    _check(crops, maps, titles)
    columns = min(len(crops), _PER_ROW)
    rows = -(-len(crops) // _PER_ROW)
    width = 2 * _MARGIN + max(columns, 2) * (_PAIR + _GAP) - _GAP
    height = 2 * _MARGIN + _LABEL + rows * (_HEIGHT + _LABEL + _GAP) - _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    _write(sheet, _KEY, (_MARGIN, _MARGIN), width - 2 * _MARGIN)
    for place, (crop, one, title) in enumerate(zip(crops, maps, titles, strict=True)):
        left = _MARGIN + place % _PER_ROW * (_PAIR + _GAP)
        top = _MARGIN + _LABEL + place // _PER_ROW * (_HEIGHT + _LABEL + _GAP)
        small = crop.shape[0] > _HEIGHT or crop.shape[1] > _WIDTH
        method = cv2.INTER_AREA if small else cv2.INTER_LINEAR
        seen: Image = cv2.resize(  # type: ignore[assignment]
            crop, (_WIDTH, _HEIGHT), interpolation=method
        )
        sheet[top : top + _HEIGHT, left : left + _WIDTH] = seen
        sheet[top : top + _HEIGHT, left + _PAIR - _WIDTH : left + _PAIR] = _overlaid(seen, one)
        _write(sheet, title, (left, top + _HEIGHT + 4), _PAIR)
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _check(crops: Sequence[Image], maps: NDArray[np.float32], titles: Sequence[str]) -> None:
    if not 1 <= len(crops) <= MOST_CROPS:
        raise ShapeError(f"crops: expected 1 to {MOST_CROPS}, got {len(crops)}")
    for number, crop in enumerate(crops):
        if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or crop.size == 0:
            raise ShapeError(
                f"crop {number}: expected uint8 (H, W, 3), got {crop.dtype} {crop.shape}"
            )
    if maps.ndim != 3 or maps.dtype != np.float32 or 0 in maps.shape:
        raise ShapeError(f"maps: expected float32 (N, h, w), got {maps.dtype} {maps.shape}")
    if not (maps.min() >= 0 and maps.max() <= 1):  # NaN is neither
        raise ShapeError(f"maps: expected 0 to 1, got {maps.min():g} to {maps.max():g}")
    if not len(crops) == len(maps) == len(titles):
        raise ShapeError(
            f"expected a map and a title for each of {len(crops)} crops, got {len(maps)} maps and "
            f"{len(titles)} titles"
        )


def _overlaid(seen: Image, one: NDArray[np.float32]) -> Image:
    """uint8 (256, 128, 3), BGR: half the crop, half the colours of the map."""
    heat = cv2.resize(one, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.round(255 * heat).astype(np.uint8), cv2.COLORMAP_JET)
    return cv2.addWeighted(seen, 0.5, colours, 0.5, 0)  # type: ignore[return-value]


def _write(sheet: Image, text: str, corner: tuple[int, int], width: int) -> None:
    line = lettered(fitted(text, width, _LETTERS), _LETTERS, ink=_BRIGHT, paper=_PAPER)
    place = sheet[corner[1] : corner[1] + len(line), corner[0] : corner[0] + width]
    place[:, : line.shape[1]] = line[:, :width]
