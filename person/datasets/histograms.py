"""One picture of how a data set is made up: images per person and camera, cameras, heights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from everyid.output import counted
from person.datasets.statistics import DatasetStatistics, Distribution, SplitStatistics
from person.lettering import fitted
from person.plots import (
    BLUE,
    GREEN,
    MARGIN,
    RED,
    WIDTH,
    add_key,
    finish_axes,
    name_plot,
    save_figure,
    say_instead,
    titled_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_statistics"]

_HEIGHT = 900
"""Of the picture with its title, pixels."""
_BINS = 40
_FEW = 12
"""Bins so wide that bars have room beside each other."""
_CAMERAS_NAMED = 16
"""Cameras whose names fit under a plot; more are counted from 1."""
_NAME_WIDTH, _NAME_SIZE = 110, 12
"""Of the name of a camera, pixels."""

_COLOURS = {"train": BLUE, "query": RED, "gallery": GREEN}


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
    splits = {name: part for name, part in statistics.splits.items() if name in _COLOURS}
    figure, _ = titled_figure(_title(statistics, splits), _HEIGHT, one_line=True)
    plots = figure.subplots(2, 2)
    figure.subplots_adjust(
        left=76 / WIDTH,
        right=1 - MARGIN / WIDTH,
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
    save_figure(figure, path, overwrite=overwrite)


def _title(statistics: DatasetStatistics, splits: Mapping[str, SplitStatistics]) -> str:
    amounts = " · ".join(
        f"{name}: {counted(part.images, 'image')}, "
        f"{counted(part.identities, 'identity', 'identities')}, {counted(part.cameras, 'camera')}"
        for name, part in splits.items()
    )
    return f"{', '.join(statistics.sources)} · {amounts}"


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
    name_plot(plot, title)
    if not known:
        say_instead(plot, "not known")
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
    name_plot(plot, "Images per camera")
    totals: dict[str, int] = {}
    for part in splits.values():
        for camera, count in part.images_per_camera.items():
            totals[camera] = totals.get(camera, 0) + count
    if not totals:
        say_instead(plot, "no camera is known")
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
    plot.set_ylim(0, 1.3 * plot.get_ylim()[1])  # room for the key
    finish_axes(plot, x, y, grid="y")
    add_key(plot, "upper right")
