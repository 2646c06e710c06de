"""Pictures beside what was measured: contact sheets and histograms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.protocols import Image
from everyid.settings import tame_matplotlib

__all__ = ["draw_histograms", "draw_sheet", "pair_of_pictures"]

_CELL, _LINE, _COLUMNS, _MOST = 240, 14, 6, 60


def draw_sheet(path: Path, cells: Sequence[tuple[Image, str]]) -> None:
    """Writes a sheet of pictures with words below; of many, 60 that are spread evenly.

    Args:
        path: The file, ``.png``.
        cells: Pictures, uint8 (240, 240, 3), BGR, and their words, up to two lines.
    """
    chosen = np.unique(np.linspace(0, len(cells) - 1, min(len(cells), _MOST)).round().astype(int))
    step = _CELL + 2 * _LINE + 8
    rows = max(1, -(-len(chosen) // _COLUMNS))
    sheet = np.full((rows * step, _COLUMNS * (_CELL + 4), 3), 30, np.uint8)
    for place, number in enumerate(chosen.tolist()):
        picture, words = cells[number]
        top, left = place // _COLUMNS * step, place % _COLUMNS * (_CELL + 4)
        sheet[top : top + _CELL, left : left + _CELL] = picture
        for line, text in enumerate(words.split("\n")):
            corner = (left + 2, top + _CELL + (line + 1) * _LINE)
            cv2.putText(sheet, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (230, 230, 230), 1)
    cv2.imwrite(str(path), sheet)


def pair_of_pictures(left: Image, right: Image) -> Image:
    """Two pictures side by side, as large as fits: uint8 (240, 240, 3), BGR.

    Args:
        left: uint8 (H, W, 3), BGR.
        right: uint8 (H, W, 3), BGR.
    """
    cell = np.full((_CELL, _CELL, 3), 50, np.uint8)
    for number, picture in enumerate((left, right)):
        height, width = picture.shape[:2]
        scale = min((_CELL // 2 - 4) / width, _CELL / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        top, at = (_CELL - size[1]) // 2, number * _CELL // 2 + (_CELL // 2 - size[0]) // 2
        cell[top : top + size[1], at : at + size[0]] = cv2.resize(picture, size)
    return cell


def draw_histograms(
    path: Path, rows: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> None:
    """Draws how similar pictures of one person and of two are, a plot for each set.

    Args:
        path: The file, ``.png``.
        rows: The set's name -> cosine similarities of pairs of one person, and of two.
    """
    tame_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.3 * len(rows)), dpi=100)
    edges = np.linspace(-0.4, 1.0, 71)
    plots = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for plot, (name, (same, different)) in zip(plots, rows.items(), strict=True):
        for values, words, colour in (
            (different, "two people", "#d73027"),
            (same, "one person", "#1a9850"),
        ):
            label = f"{words}, {len(values):,} pairs"
            plot.hist(values, edges, density=True, alpha=0.55, color=colour, label=label)
        plot.set_title(name, loc="left", fontsize=10)
        plot.legend(fontsize=8, frameon=False, loc="upper left")
    plots[-1].set_xlabel("cosine similarity")
    figure.tight_layout()
    figure.savefig(path)
