"""One picture of how a data set is made up: images per person and camera, cameras, heights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from everyid.output import counted, whole_file
from everyid.settings import tame_matplotlib
from person.datasets.statistics import DatasetStatistics, Distribution, SplitStatistics
from person.lettering import fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_statistics"]

_DPI = 100
_WIDTH, _HEIGHT = 1500, 900
_MARGIN = 30
_TITLE = 15
"""The size of its letters, pixels."""
_BINS = 40
_FEW = 12
"""Bins so wide that bars have room beside each other."""
_CAMERAS_NAMED = 16
"""Cameras whose names fit under a plot; more are counted from 1."""
_NAME_WIDTH, _NAME_SIZE = 110, 12
"""Of the name of a camera, pixels."""

_INK, _GREY, _PALE = "#24292f", "#8c959f", "#d8dee4"
_COLOURS = {"train": "#2563eb", "query": "#d73027", "gallery": "#1a9850"}


def draw_statistics(path: Path, statistics: DatasetStatistics, *, overwrite: bool = False) -> None:
    """Draws images and cameras per identity, heights, and images per camera as one PNG.

    Args:
        path: The file, ``.png``.
        statistics: What was counted; each part has its colour.
        overwrite: Replace an existing file.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    tame_matplotlib()
    from matplotlib.figure import Figure

    splits = {name: part for name, part in statistics.splits.items() if name in _COLOURS}
    figure = Figure(figsize=(_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI, facecolor="white")
    figure.text(
        _MARGIN / _WIDTH,
        1 - 16 / _HEIGHT,
        _title(statistics, splits),
        fontsize=_TITLE * 72 / _DPI,
        fontfamily="DejaVu Sans",
        color=_INK,
        va="top",
        parse_math=False,
    )
    plots = figure.subplots(2, 2)
    figure.subplots_adjust(
        left=76 / _WIDTH,
        right=1 - _MARGIN / _WIDTH,
        bottom=92 / _HEIGHT,
        top=1 - 78 / _HEIGHT,
        wspace=0.14,
        hspace=0.36,
    )
    _draw_numbers(
        plots[0, 0],
        {name: part.images_per_identity for name, part in splits.items()},
        ("Images per identity", "images", "identities"),
    )
    _draw_numbers(
        plots[0, 1],
        {name: part.cameras_per_identity for name, part in splits.items()},
        ("Cameras per identity", "cameras", "identities"),
    )
    _draw_numbers(
        plots[1, 0],
        {name: part.heights for name, part in splits.items()},
        ("Height", "pixels", "images"),
    )
    _draw_cameras(plots[1, 1], splits)
    with whole_file(path, overwrite=overwrite) as part:
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})


def _title(statistics: DatasetStatistics, splits: Mapping[str, SplitStatistics]) -> str:
    amounts = " · ".join(
        f"{name}: {counted(part.images, 'image')}, "
        f"{counted(part.identities, 'identity', 'identities')}, {counted(part.cameras, 'camera')}"
        for name, part in splits.items()
    )
    title = f"{', '.join(statistics.sources)} · {amounts}"
    # matplotlib sets letters up to 2 % wider than Pillow measures them
    return fitted(title, round(0.98 * (_WIDTH - 2 * _MARGIN)), _TITLE)


def _draw_numbers(
    plot: "Axes", splits: Mapping[str, Distribution | None], words: tuple[str, str, str]
) -> None:
    """Histograms of whole numbers over each other, with bins of whole numbers.

    Args:
        plot: Where they are drawn.
        splits: Part -> its numbers.
        words: The title, what the numbers count, and what has them.
    """
    known = {name: values for name, values in splits.items() if values is not None}
    title, x, y = words
    plot.set_title(title, loc="left", fontsize=12, fontweight="bold", color=_INK)
    if not known:
        _say(plot, "not known")
        return
    low = min(values.minimum for values in known.values())
    high = max(values.maximum for values in known.values())
    step = -(-(high - low + 1) // _BINS)
    edges = np.arange(low, high + step + 1, step) - 0.5
    for place, (name, values) in enumerate(known.items()):
        numbers, often = np.array([*values.counts.items()]).T
        heights, _ = np.histogram(numbers, edges, weights=often)
        label = f"{name}  median {values.median:,g}, {values.minimum:,} to {values.maximum:,}"
        if len(heights) <= _FEW:
            _bars(plot, edges[:-1] + 0.5, heights, (place, len(known)), (name, label))
        else:
            plot.stairs(heights, edges, fill=True, color=_COLOURS[name], alpha=0.3, label=label)
            plot.stairs(heights, edges, color=_COLOURS[name], linewidth=1.4)
    if len(edges) - 1 <= _FEW:
        plot.set_xlim(low - 1, high + 1)  # a lone number is no bar as wide as the plot
        plot.set_xticks(range(low, high + 1))
    plot.locator_params(axis="y", integer=True)
    _finish(plot, x, y)


def _draw_cameras(plot: "Axes", splits: Mapping[str, SplitStatistics]) -> None:
    """Bars: the images of each camera, part by part beside each other."""
    plot.set_title("Images per camera", loc="left", fontsize=12, fontweight="bold", color=_INK)
    totals: dict[str, int] = {}
    for part in splits.values():
        for camera, count in part.images_per_camera.items():
            totals[camera] = totals.get(camera, 0) + count
    if not totals:
        _say(plot, "no camera is known")
        return
    cameras = sorted(totals, key=lambda camera: (-totals[camera], camera))
    places = np.arange(1, len(cameras) + 1, dtype=np.float64)
    for number, (name, part) in enumerate(splits.items()):
        images = [part.images_per_camera.get(camera, 0) for camera in cameras]
        _bars(plot, places, np.array(images), (number, len(splits)), (name, name))
    named = len(cameras) <= _CAMERAS_NAMED
    if named:
        names = [fitted(camera, _NAME_WIDTH, _NAME_SIZE) for camera in cameras]
        turned = 30 if len(cameras) > 4 else 0
        plot.set_xticks(
            places, names, rotation=turned, ha="right" if turned else "center", parse_math=False
        )
    else:
        plot.locator_params(axis="x", integer=True)
    _finish(plot, "" if named else f"{len(cameras)} cameras, most images first", "images")


def _bars(
    plot: "Axes",
    places: NDArray[np.floating[Any]],
    heights: NDArray[Any],
    order: tuple[int, int],
    names: tuple[str, str],
) -> None:
    """The bars of a part, beside those of the others.

    Args:
        plot: Where they are drawn.
        places: float (B,), the middles of the groups of bars, 1 apart.
        heights: (B,), of the part's bars.
        order: The part's number, and how many parts there are.
        names: The part's own, and its text in the key.
    """
    number, count = order
    width = 0.8 / count
    middles = places - 0.4 + (number + 0.5) * width
    plot.bar(middles, heights, width, color=_COLOURS[names[0]], label=names[1])


def _finish(plot: "Axes", x: str, y: str) -> None:
    plot.grid(axis="y", color=_PALE, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.set_ylim(0, 1.3 * plot.get_ylim()[1])  # room for the key
    plot.tick_params(labelsize=9, colors=_INK, length=3)
    for side, spine in plot.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_GREY)
    plot.set_xlabel(x, fontsize=10, color=_INK)
    plot.set_ylabel(y, fontsize=10, color=_INK)
    plot.legend(
        loc="upper right",
        fontsize=9,
        labelcolor=_INK,
        framealpha=0.92,
        edgecolor=_PALE,
        fancybox=False,
    )


def _say(plot: "Axes", text: str) -> None:
    """Words in place of a plot."""
    plot.set_xticks([])
    plot.set_yticks([])
    for spine in plot.spines.values():
        spine.set_color(_PALE)
    plot.text(0.5, 0.5, text, transform=plot.transAxes, ha="center", color=_INK, fontsize=10)
