"""What all plots of this room have in common: size, letters, colours, axes, key.

Nothing here imports matplotlib before a figure is asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from everyid.output import whole_file
from everyid.settings import tame_matplotlib
from person.lettering import fitted, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "INK",
    "MARGIN",
    "PALE",
    "RED",
    "WIDTH",
    "add_key",
    "blank_figure",
    "finish_axes",
    "name_plot",
    "save_figure",
    "say_instead",
    "titled_figure",
]

WIDTH, MARGIN = 1500, 30
"""Of every picture, pixels."""
INK, GREY, PALE = "#24292f", "#8c959f", "#d8dee4"
"""Of letters, of axes, of grids."""
BLUE, RED, GREEN = "#2563eb", "#d73027", "#1a9850"
COLOURS = (BLUE, RED, GREEN, "#9333ea", "#ea8a00", "#0891b2", "#be185d")
"""Of lines that are told apart by colour, in this order."""

_DPI = 100
_TITLE, _TITLE_STEP = 15, 19
"""The size of a title's letters, and the height of one of its lines, pixels."""


def blank_figure(height: int) -> "Figure":
    """An empty picture, white, :data:`WIDTH` pixels wide.

    Args:
        height: Pixels.
    """
    tame_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")


def titled_figure(title: str, height: int, *, one_line: bool = False) -> "tuple[Figure, int]":
    """A picture with a title in its upper left corner, and how high the picture is, pixels.

    Args:
        title: Broken into lines to fit, each of which makes the picture higher.
        height: Without the title, pixels.
        one_line: Cut the title to fit on one line, for which ``height`` has room.
    """
    # matplotlib sets letters up to 2 % wider than Pillow measures them
    room = round(0.98 * (WIDTH - 2 * MARGIN))
    lines = (fitted(title, room, _TITLE),) if one_line else wrapped(title, room, _TITLE)
    if not one_line:
        height += len(lines) * _TITLE_STEP
    figure = blank_figure(height)
    figure.text(
        MARGIN / WIDTH,
        1 - 16 / height,
        "\n".join(lines),
        fontsize=_TITLE * 72 / _DPI,
        fontfamily="DejaVu Sans",  # the letters that were found to be there, and their widths
        color=INK,
        va="top",
        linespacing=1.25,
        parse_math=False,
    )
    return figure, height


def save_figure(figure: "Figure", path: Path, *, overwrite: bool) -> None:
    """Writes a picture as PNG: the same bytes for the same picture.

    Args:
        figure: The picture.
        path: The file, ``.png``.
        overwrite: Replace an existing file.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    with whole_file(path, overwrite=overwrite) as part:
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})


def name_plot(plot: "Axes", name: str) -> None:
    """Returns nothing; writes the name of a plot over it."""
    plot.set_title(name, loc="left", fontsize=12, fontweight="bold", color=INK)


def finish_axes(plot: "Axes", x: str, y: str, *, grid: Literal["both", "y"] = "both") -> None:
    """Returns nothing; draws the two axes of a plot, their names, and a grid behind all.

    Args:
        plot: A plot with something in it.
        x: Below it.
        y: Beside it.
        grid: Lines both ways, or level ones only.
    """
    plot.grid(axis=grid, color=PALE, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=9, colors=INK, length=3)
    for side, spine in plot.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(GREY)
    plot.set_xlabel(x, fontsize=10, color=INK)
    plot.set_ylabel(y, fontsize=10, color=INK)


def add_key(
    plot: "Axes", place: Literal["best", "lower right", "upper left", "upper right"]
) -> None:
    """Returns nothing; draws the key of a plot; what is in it is never read as mathematics."""
    key = plot.legend(
        loc=place, fontsize=9, labelcolor=INK, framealpha=0.92, edgecolor=PALE, fancybox=False
    )
    for text in key.get_texts():
        text.set_parse_math(False)


def say_instead(plot: "Axes", text: str) -> None:
    """Returns nothing; puts words in place of a plot that has nothing to show."""
    plot.set_xticks([])
    plot.set_yticks([])
    for spine in plot.spines.values():
        spine.set_color(PALE)
    plot.text(0.5, 0.5, text, transform=plot.transAxes, ha="center", color=INK, fontsize=10)
