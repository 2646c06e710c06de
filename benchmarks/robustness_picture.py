"""One picture of how figures fall as pictures get worse."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.degradations import FAMILIES
from everyid.output import whole_file
from everyid.settings import tame_matplotlib
from person.lettering import wrapped
from person.training.card import RobustnessCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_robustness"]

_DPI, _WIDTH, _HEIGHT = 100, 1500, 470
_TITLE, _TITLE_STEP, _MARGIN = 15, 19, 30
_INK, _GREY, _PALE = "#24292f", "#8c959f", "#d8dee4"
_COLOURS = ("#2563eb", "#d73027", "#1a9850", "#9333ea", "#ea8a00", "#0891b2", "#be185d")


def draw_robustness(path: Path, measured: dict[str, list[RobustnessCurve]]) -> None:
    """Draws the two metrics over the levels of each family as one PNG.

    Args:
        path: The file, ``.png``; replaced where it is there.
        measured: Network -> its curves, of one source; each with two metrics.

    Raises:
        OutputError: It cannot be written.
    """
    tame_matplotlib()
    from matplotlib.figure import Figure

    first = next(iter(measured.values()))
    title = first[0].protocol.partition("; no re-ranking")[0] + "; only the queries made worse"
    lines = wrapped(title, round(0.98 * (_WIDTH - 2 * _MARGIN)), _TITLE)
    height = _HEIGHT + len(lines) * _TITLE_STEP
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    _draw_title(figure, lines, height)
    columns = min(4, len(measured))  # the two metrics of a network stand one above the other
    key_rows = -(-2 * len(measured) // columns)
    widths = [0.6 + len(curve.levels) for curve in first]
    plots = figure.subplots(1, len(first), sharey=True, width_ratios=widths, squeeze=False)[0]
    figure.subplots_adjust(
        left=66 / _WIDTH,
        right=1 - _MARGIN / _WIDTH,
        bottom=(88 + key_rows * 20) / height,
        top=(_HEIGHT - 48) / height,
        wspace=0.12,
    )
    for number, plot in enumerate(plots):
        _draw_family(plot, {name: curves[number] for name, curves in measured.items()})
    plots[0].set_ylabel("per cent", fontsize=10, color=_INK)
    plots[0].set_ylim(0, 100)
    figure.legend(
        *plots[0].get_legend_handles_labels(),
        loc="lower left",
        bbox_to_anchor=(_MARGIN / _WIDTH, 6 / height),
        ncols=columns,
        fontsize=9,
        labelcolor=_INK,
        frameon=False,
    )
    with whole_file(path, overwrite=True) as part:
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})


def _draw_title(figure: "Figure", lines: tuple[str, ...], height: int) -> None:
    figure.text(
        _MARGIN / _WIDTH,
        1 - 16 / height,
        "\n".join(lines),
        fontsize=_TITLE * 72 / _DPI,
        fontfamily="DejaVu Sans",  # the letters that were found to be there, and their widths
        color=_INK,
        va="top",
        linespacing=1.25,
        parse_math=False,
    )


def _draw_family(plot: "Axes", curves: dict[str, RobustnessCurve]) -> None:
    shown = next(iter(curves.values()))
    rising = next(family.rising for family in FAMILIES if family.name == shown.name)
    places = np.arange(len(shown.levels))
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        for (metric, values), line, face in zip(
            curve.metrics.items(), ("-", "--"), (colour, "white"), strict=True
        ):
            plot.plot(
                places,
                [100 * value for value in values],
                linestyle=line if rising else "none",
                marker="o",
                markersize=5,
                color=colour,
                markerfacecolor=face,
                linewidth=1.8,
                label=f"{metric}, {name}",
                clip_on=False,
                zorder=3,
            )
    what, _, unit = shown.name.partition(" (")
    plot.set_title(what, loc="left", fontsize=12, fontweight="bold", color=_INK)
    plot.set_xlabel(unit.rstrip(")"), fontsize=9, color=_INK)
    levels = [level if rising else "\n".join(level.rsplit(" ", 1)) for level in shown.levels]
    plot.set_xticks(places, levels)
    plot.set_xlim(-0.3, places[-1] + 0.3)
    plot.grid(color=_PALE, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=9, colors=_INK, length=3)
    for side, spine in plot.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_GREY)
