"""One picture of how figures fall as pictures get worse."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.degradations import FAMILIES
from person.plots import (
    COLOURS,
    INK,
    MARGIN,
    WIDTH,
    finish_axes,
    name_plot,
    save_figure,
    titled_figure,
)
from person.training.card import RobustnessCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_robustness"]

_HEIGHT = 470
"""Of the plots and the key, pixels; the lines of the title come on top."""


def draw_robustness(path: Path, measured: dict[str, list[RobustnessCurve]]) -> None:
    """Draws the two metrics over the levels of each family as one PNG.

    Args:
        path: The file, ``.png``; replaced where it is there.
        measured: Network -> its curves, of one source; each with two metrics.

    Raises:
        OutputError: It cannot be written.
    """
    first = next(iter(measured.values()))
    title = first[0].protocol.partition("; no re-ranking")[0] + "; only the queries made worse"
    figure, height = titled_figure(title, _HEIGHT)
    columns = min(4, len(measured))  # the two metrics of a network stand one above the other
    key_rows = -(-2 * len(measured) // columns)
    widths = [0.6 + len(curve.levels) for curve in first]
    plots = figure.subplots(1, len(first), sharey=True, width_ratios=widths, squeeze=False)[0]
    figure.subplots_adjust(
        left=66 / WIDTH,
        right=1 - MARGIN / WIDTH,
        bottom=(88 + key_rows * 20) / height,
        top=(_HEIGHT - 48) / height,
        wspace=0.12,
    )
    for number, plot in enumerate(plots):
        _draw_family(plot, {name: curves[number] for name, curves in measured.items()})
    plots[0].set_ylabel("per cent", fontsize=10, color=INK)
    plots[0].set_ylim(0, 100)
    figure.legend(
        *plots[0].get_legend_handles_labels(),
        loc="lower left",
        bbox_to_anchor=(MARGIN / WIDTH, 6 / height),
        ncols=columns,
        fontsize=9,
        labelcolor=INK,
        frameon=False,
    )
    save_figure(figure, path, overwrite=True)


def _draw_family(plot: "Axes", curves: dict[str, RobustnessCurve]) -> None:
    shown = next(iter(curves.values()))
    rising = next(family.rising for family in FAMILIES if family.name == shown.name)
    places = np.arange(len(shown.levels))
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
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
    name_plot(plot, what)
    levels = [level if rising else "\n".join(level.rsplit(" ", 1)) for level in shown.levels]
    plot.set_xticks(places, levels)
    plot.set_xlim(-0.3, places[-1] + 0.3)
    finish_axes(plot, unit.rstrip(")"), "")
    plot.xaxis.label.set_size(9)
