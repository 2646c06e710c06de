"""One picture of how good a ranking is: CMC, ROC, and the similarities of all pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ShapeError
from person.plots import (
    BLUE,
    GREEN,
    GREY,
    INK,
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
from person.verification import FALSE_POSITIVE_RATES, Verification

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "draw_similarities"]

_HEIGHT = 486
"""Of the three plots, pixels; the lines of the title come on top."""
_RANKS_SHOWN = 50
_RANK_TICKS = (1, 5, 10, 20, 30, 40, 50)


def draw_curves(
    path: Path,
    *,
    cmc: NDArray[np.float64],
    verification: Verification | None,
    title: str,
    overwrite: bool,
) -> None:
    """Draws the CMC, the ROC and the similarities of same and different pairs as one PNG.

    Args:
        path: The file, ``.png``.
        cmc: float64 (K,), 0-1, rising: the share of queries with a match in the first 1..K.
        verification: What the other two plots show, or None: they then say that it is missing.
        title: The protocol, the model and the data; broken into lines to fit.
        overwrite: Replace an existing file.

    Raises:
        ShapeError: ``cmc`` is not float64 (K,) with K of 1 or more.
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    if cmc.ndim != 1 or cmc.dtype != np.float64 or len(cmc) == 0:
        raise ShapeError(f"cmc: expected float64 (K,), got {cmc.dtype} {cmc.shape}")
    figure, plots = _plots(title, ("CMC", "ROC", "Similarity of pairs"))
    _draw_cmc(plots[0], cmc)
    missing = "not measured" if verification is None else verification.missing
    if verification is not None and missing is None:
        _draw_roc(plots[1], verification)
    else:
        say_instead(plots[1], f"no curve: {missing}")
    if verification is not None and verification.same_count + verification.different_count:
        _draw_similarities(plots[2], verification)
    else:
        say_instead(plots[2], f"no similarities: {missing}")
    save_figure(figure, path, overwrite=overwrite)


def draw_similarities(
    path: Path, found: Mapping[str, Verification], *, title: str, overwrite: bool
) -> None:
    """Draws the similarities of same and different pairs by several networks as one PNG.

    Args:
        path: The file, ``.png``.
        found: What is written over a plot -> what it shows, with at least one pair; one to three.
        title: Broken into lines to fit.
        overwrite: Replace an existing file.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    figure, plots = _plots(title, tuple(found))
    for plot, verification in zip(plots, found.values(), strict=True):
        _draw_similarities(plot, verification)
    save_figure(figure, path, overwrite=overwrite)


def _plots(title: str, names: Sequence[str]) -> "tuple[Figure, Sequence[Axes]]":
    """A figure with a title, and its empty plots side by side."""
    figure, height = titled_figure(title, _HEIGHT)
    plots = figure.subplots(1, len(names), squeeze=False)[0]
    figure.subplots_adjust(
        left=76 / WIDTH,
        right=1 - MARGIN / WIDTH,
        bottom=58 / height,
        top=(_HEIGHT - 48) / height,
        wspace=0.22,
    )
    for plot, name in zip(plots, names, strict=True):
        name_plot(plot, name)
    return figure, plots


def _draw_cmc(plot: "Axes", cmc: NDArray[np.float64]) -> None:
    shown = 100 * cmc[:_RANKS_SHOWN]
    last = len(shown)
    plot.plot(np.arange(1, last + 1), shown, color=BLUE, linewidth=2, clip_on=False)
    for rank in (1, 5, 10, 20):
        if rank <= last:
            share = float(shown[rank - 1])
            _mark(plot, rank, share, f"Rank-{rank}  {share:.1f} %")
    plot.set_xlim(1 - 0.02 * last, last + 0.02 * last)
    every = range(1, last + 1)
    plot.set_xticks([rank for rank in every if last < 10 or rank in _RANK_TICKS])
    plot.set_ylim(max(0, min(90, 10 * np.floor(shown[0] / 10) - 10)), 100)
    finish_axes(plot, "rank", "queries with a match by then, %")
    add_key(plot, "lower right")


def _draw_roc(plot: "Axes", verification: Verification) -> None:
    reached = {rate: verification.tpr_at(rate) for rate in FALSE_POSITIVE_RATES}
    left = min((rate for rate in reached if reached[rate] is not None), default=0.1) / 10**0.5
    fpr, tpr = np.maximum(verification.fpr, left), 100 * verification.tpr
    start = max(0, int(np.searchsorted(verification.fpr, left)) - 1)
    label = f"AUC  {verification.auc:.4f}"
    plot.plot(fpr[start:], tpr[start:], color=BLUE, linewidth=2, label=label, clip_on=False)
    chance = np.geomspace(left, 1, 100)
    plot.plot(chance, 100 * chance, color=GREY, linewidth=1, linestyle=":", label="chance")
    if verification.eer is not None:
        percent = 100 * verification.eer
        _mark(plot, max(verification.eer, left), 100 - percent, f"EER  {percent:.2f} %", INK)
    for rate, share in reached.items():
        if share is not None:
            _mark(plot, rate, 100 * share, f"TPR at FPR {rate:g}  {100 * share:.1f} %")
    plot.set_xscale("log")
    plot.set_xlim(left, 1)
    plot.set_ylim(0, 100)
    finish_axes(plot, "different pairs accepted (FPR)", "same pairs accepted (TPR), %")
    add_key(plot, "best")


def _draw_similarities(plot: "Axes", verification: Verification) -> None:
    edges, highest = verification.edges, 0.0
    for counts, total, colour, name in (
        (verification.different_histogram, verification.different_count, RED, "different"),
        (verification.same_histogram, verification.same_count, GREEN, "same"),
    ):
        shares = 100 * counts / max(1, total)
        highest = max(highest, float(shares.max()))
        label = f"{name}  {total:,} pairs"
        plot.stairs(shares, edges, fill=True, color=colour, alpha=0.35, label=label)
        plot.stairs(shares, edges, color=colour, linewidth=1.3)
    threshold = verification.eer_threshold
    if threshold is not None:
        label = f"EER threshold  {threshold:.3f}"
        plot.axvline(threshold, color=INK, linewidth=1.3, linestyle="--", label=label)
    plot.set_xlim(edges[0], edges[-1])
    plot.set_ylim(0, 1.3 * highest)  # room for the key
    finish_axes(plot, "cosine similarity", "share of the pairs of a kind, %")
    add_key(plot, "upper left")


def _mark(plot: "Axes", x: float, y: float, label: str, colour: str = BLUE) -> None:
    plot.plot(
        [x],
        [y],
        "o",
        color=colour,
        markersize=6,
        markeredgecolor="white",
        label=label,
        zorder=3,
        clip_on=False,
    )
