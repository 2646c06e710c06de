"""One picture of how good a ranking is: CMC, ROC, and the similarities of all pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ShapeError
from everyid.output import whole_file
from everyid.settings import tame_matplotlib
from person.lettering import wrapped
from person.verification import FALSE_POSITIVE_RATES, Verification

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "draw_similarities"]

_DPI = 100
_WIDTH, _HEIGHT = 1500, 486
"""Of the three plots, pixels; the lines of the title come on top."""
_TITLE = 15
"""The size of its letters, pixels."""
_TITLE_STEP, _MARGIN = 19, 30
_RANKS_SHOWN = 50
_RANK_TICKS = (1, 5, 10, 20, 30, 40, 50)

_INK, _GREY, _PALE = "#24292f", "#8c959f", "#d8dee4"
_BLUE, _GREEN, _RED = "#2563eb", "#1a9850", "#d73027"


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
        _say(plots[1], f"no curve: {missing}")
    if verification is not None and verification.same_count + verification.different_count:
        _draw_similarities(plots[2], verification)
    else:
        _say(plots[2], f"no similarities: {missing}")
    _save(figure, path, overwrite=overwrite)


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
    _save(figure, path, overwrite=overwrite)


def _plots(title: str, names: Sequence[str]) -> "tuple[Figure, Sequence[Axes]]":
    """A figure with a title, and its empty plots side by side."""
    tame_matplotlib()
    from matplotlib.figure import Figure

    # matplotlib sets letters up to 2 % wider than Pillow measures them
    lines = wrapped(title, round(0.98 * (_WIDTH - 2 * _MARGIN)), _TITLE)
    height = _HEIGHT + len(lines) * _TITLE_STEP
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    _draw_title(figure, lines, height)
    plots = figure.subplots(1, len(names), squeeze=False)[0]
    figure.subplots_adjust(
        left=76 / _WIDTH,
        right=1 - _MARGIN / _WIDTH,
        bottom=58 / height,
        top=(_HEIGHT - 48) / height,
        wspace=0.22,
    )
    for plot, name in zip(plots, names, strict=True):
        plot.set_title(name, loc="left", fontsize=12, fontweight="bold", color=_INK)
    return figure, plots


def _save(figure: "Figure", path: Path, *, overwrite: bool) -> None:
    with whole_file(path, overwrite=overwrite) as part:
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


def _draw_cmc(plot: "Axes", cmc: NDArray[np.float64]) -> None:
    shown = 100 * cmc[:_RANKS_SHOWN]
    last = len(shown)
    plot.plot(np.arange(1, last + 1), shown, color=_BLUE, linewidth=2, clip_on=False)
    for rank in (1, 5, 10, 20):
        if rank <= last:
            share = float(shown[rank - 1])
            _mark(plot, rank, share, f"Rank-{rank}  {share:.1f} %")
    plot.set_xlim(1 - 0.02 * last, last + 0.02 * last)
    every = range(1, last + 1)
    plot.set_xticks([rank for rank in every if last < 10 or rank in _RANK_TICKS])
    plot.set_ylim(max(0, min(90, 10 * np.floor(shown[0] / 10) - 10)), 100)
    _finish(plot, "rank", "queries with a match by then, %", key="lower right")


def _draw_roc(plot: "Axes", verification: Verification) -> None:
    reached = {rate: verification.tpr_at(rate) for rate in FALSE_POSITIVE_RATES}
    left = min((rate for rate in reached if reached[rate] is not None), default=0.1) / 10**0.5
    fpr, tpr = np.maximum(verification.fpr, left), 100 * verification.tpr
    start = max(0, int(np.searchsorted(verification.fpr, left)) - 1)
    label = f"AUC  {verification.auc:.4f}"
    plot.plot(fpr[start:], tpr[start:], color=_BLUE, linewidth=2, label=label, clip_on=False)
    chance = np.geomspace(left, 1, 100)
    plot.plot(chance, 100 * chance, color=_GREY, linewidth=1, linestyle=":", label="chance")
    if verification.eer is not None:
        percent = 100 * verification.eer
        _mark(plot, max(verification.eer, left), 100 - percent, f"EER  {percent:.2f} %", _INK)
    for rate, share in reached.items():
        if share is not None:
            _mark(plot, rate, 100 * share, f"TPR at FPR {rate:g}  {100 * share:.1f} %")
    plot.set_xscale("log")
    plot.set_xlim(left, 1)
    plot.set_ylim(0, 100)
    _finish(plot, "different pairs accepted (FPR)", "same pairs accepted (TPR), %", key="best")


def _draw_similarities(plot: "Axes", verification: Verification) -> None:
    edges, highest = verification.edges, 0.0
    for counts, total, colour, name in (
        (verification.different_histogram, verification.different_count, _RED, "different"),
        (verification.same_histogram, verification.same_count, _GREEN, "same"),
    ):
        shares = 100 * counts / max(1, total)
        highest = max(highest, float(shares.max()))
        label = f"{name}  {total:,} pairs"
        plot.stairs(shares, edges, fill=True, color=colour, alpha=0.35, label=label)
        plot.stairs(shares, edges, color=colour, linewidth=1.3)
    threshold = verification.eer_threshold
    if threshold is not None:
        label = f"EER threshold  {threshold:.3f}"
        plot.axvline(threshold, color=_INK, linewidth=1.3, linestyle="--", label=label)
    plot.set_xlim(edges[0], edges[-1])
    plot.set_ylim(0, 1.3 * highest)  # room for the key
    _finish(plot, "cosine similarity", "share of the pairs of a kind, %", key="upper left")


def _mark(plot: "Axes", x: float, y: float, label: str, colour: str = _BLUE) -> None:
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


def _finish(
    plot: "Axes", x: str, y: str, *, key: Literal["best", "lower right", "upper left"]
) -> None:
    plot.grid(color=_PALE, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=9, colors=_INK, length=3)
    for side, spine in plot.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_GREY)
    plot.set_xlabel(x, fontsize=10, color=_INK)
    plot.set_ylabel(y, fontsize=10, color=_INK)
    plot.legend(
        loc=key, fontsize=9, labelcolor=_INK, framealpha=0.92, edgecolor=_PALE, fancybox=False
    )


def _say(plot: "Axes", text: str) -> None:
    """Words in place of a plot."""
    plot.set_xticks([])
    plot.set_yticks([])
    for spine in plot.spines.values():
        spine.set_color(_PALE)
    plot.text(0.5, 0.5, text, transform=plot.transAxes, ha="center", color=_INK, fontsize=10)
