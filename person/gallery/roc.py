"""One picture of a calibration: its ROC with the tail, and what similarities mean."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from everyid.output import whole_file
from everyid.settings import tame_matplotlib
from person.gallery.calibration import Calibration
from person.lettering import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_roc"]

_DPI = 100
_WIDTH, _HEIGHT = 1500, 520
_TITLE, _TITLE_STEP, _MARGIN = 15, 19, 30
_SMALLEST = 1e-8
_RATES = (0.1, 0.01, 0.001)
_MARKS = ("o", "s", "^")

_INK, _GREY, _PALE = "#24292f", "#8c959f", "#d8dee4"
_BLUE, _RED, _GREEN = "#2563eb", "#d73027", "#1a9850"


def draw_roc(
    path: Path, calibration: Calibration, *, vectors: int = 100, overwrite: bool = False
) -> None:
    """Draws which share of same and of different pairs a similarity accepts, as one PNG.

    The left plot is the ROC, as far as pairs measure it and beyond; marks show the thresholds for
    three wanted rates. The right one has the rate of different pairs, the share of same pairs and
    the probability over the similarity.

    Args:
        path: The file, ``.png``.
        calibration: What is drawn.
        vectors: Independent vectors of the gallery that the marks are for, at least 1.
        overwrite: Replace an existing file.

    Raises:
        ConfigError: ``vectors`` is below 1.
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    tame_matplotlib()
    from matplotlib.figure import Figure

    title = (
        f"{calibration.model}: {calibration.same_pairs:,} pairs of the same and "
        f"{calibration.different_pairs:,} of different people ({calibration.people:,} people). "
        f"{calibration.data}"
    )
    # matplotlib sets letters up to 2 % wider than Pillow measures them
    lines = wrapped(title, round(0.98 * (_WIDTH - 2 * _MARGIN)), _TITLE)
    height = _HEIGHT + len(lines) * _TITLE_STEP
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    figure.text(
        _MARGIN / _WIDTH,
        1 - 16 / height,
        "\n".join(lines),
        fontsize=_TITLE * 72 / _DPI,
        fontfamily="DejaVu Sans",
        color=_INK,
        va="top",
        linespacing=1.25,
        parse_math=False,
    )
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(
        left=76 / _WIDTH,
        right=1 - _MARGIN / _WIDTH,
        bottom=58 / height,
        top=(_HEIGHT - 48) / height,
        wspace=0.16,
    )
    _draw_rates(left, calibration, vectors)
    _draw_similarity(right, calibration)
    with whole_file(path, overwrite=overwrite) as part:
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})


def _draw_rates(plot: "Axes", calibration: Calibration, vectors: int) -> None:
    plot.set_title("ROC", loc="left", fontsize=12, fontweight="bold", color=_INK)
    fpr, tpr = np.array(calibration.fpr), np.array(calibration.tpr)
    measured = fpr >= calibration.tail.rate
    plot.plot(fpr[measured], 100 * tpr[measured], color=_BLUE, linewidth=2, label="measured")
    beyond = np.geomspace(_SMALLEST, calibration.tail.rate, 200)
    shares = [calibration.recognised(calibration.tail.similarity_at(rate)) for rate in beyond]
    plot.plot(
        *(beyond, 100 * np.array(shares)),
        color=_BLUE,
        linewidth=1.5,
        linestyle="--",
        label="extrapolated, cautiously",
    )
    plot.set_xscale("log")
    plot.set_xlim(_SMALLEST, 1)
    plot.set_ylim(0, 100)
    for wanted, mark in zip(_RATES, _MARKS, strict=True):
        threshold = calibration.threshold(wanted, vectors=vectors)
        rate = -np.expm1(np.log1p(-wanted) / vectors)
        plot.plot(
            *([rate], [100 * calibration.recognised(threshold)], mark),
            color=_INK,
            markersize=7,
            markeredgecolor="white",
            zorder=3,
            label=f"{100 * wanted:g} % against {vectors:,} unlike vectors: from {threshold:.3f}",
        )
    _finish(plot, "different pairs accepted", "same pairs accepted, %")


def _draw_similarity(plot: "Axes", calibration: Calibration) -> None:
    plot.set_title("Similarity", loc="left", fontsize=12, fontweight="bold", color=_INK)
    places = np.linspace(-0.2, 0.999, 400)
    same = [100 * calibration.recognised(place) for place in places]
    falling = np.array(calibration.thresholds)
    tail = calibration.tail
    different = np.where(
        places > tail.similarity,
        [tail.rate_at(max(place, tail.similarity)) for place in places],
        np.interp(-places, -falling, calibration.fpr),
    )
    plot.plot(places, same, color=_GREEN, linewidth=2, label="same pairs at least so similar")
    plot.plot(places, 100 * different, color=_RED, linewidth=2, label="different pairs likewise")
    plot.plot(
        places,
        100 * calibration.probability(places),
        color=_BLUE,
        linewidth=2,
        label="probability of the same person, even odds",
    )
    start = f"pairs measure rates up to {tail.similarity:.3f}"
    plot.axvline(tail.similarity, color=_GREY, linewidth=1.3, linestyle="--", label=start)
    plot.set_xlim(-0.2, 1)
    plot.set_ylim(0, 140)  # room for the key
    plot.set_yticks(range(0, 101, 20))
    _finish(plot, "cosine similarity", "%")


def _finish(plot: "Axes", x: str, y: str) -> None:
    plot.set_xlabel(x, fontsize=10, color=_INK)
    plot.set_ylabel(y, fontsize=10, color=_INK)
    plot.grid(color=_PALE, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=9, colors=_INK, length=3)
    for side, spine in plot.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_GREY)
    plot.legend(
        loc="upper left",
        fontsize=9,
        labelcolor=_INK,
        framealpha=0.92,
        edgecolor=_PALE,
        fancybox=False,
    )
