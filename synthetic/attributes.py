"""What the people of a set look like: a table with a row for each, and a plot of how often."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everyid.errors import InputError, ShapeError
from everyid.output import readable, whole_file
from everyid.settings import tame_matplotlib
from synthetic.people.appearance import Appearance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Value",
    "attribute_row",
    "draw_attributes",
    "read_attributes",
    "write_attributes",
]

Value = str | int | float | bool | None
"""Of an attribute; None: there is no such thing."""

_KINDS = {
    "identity": pa.int32(),
    "day": pa.int32(),
    "height_m": pa.float64(),
    "twin_of": pa.int32(),
    **dict.fromkeys(("beard", "glasses", "outer_open", "backpack", "handbag", "case"), pa.bool_()),
}
"""Attributes that are not words; the columns of a set that lacks one have the same type."""

_NOT_PLOTTED = ("identity", "day", "twin_of")
_MOST_WORDS = 12
"""Bars of an attribute at most; what is rarer is counted together."""
_BINS = 12
_COLUMNS = 4
_DPI = 100
_PLOT_WIDTH, _BAR, _FRAME, _HEAD = 340, 19, 58, 50
"""Pixels: of a plot, and in height of one bar, of all around the bars and above all plots."""

_INK, _GREY, _PALE, _BLUE, _NONE = "#24292f", "#8c959f", "#d8dee4", "#2563eb", "#c3cad2"


def attribute_row(identity: int, day: int, person: Appearance) -> dict[str, Value]:
    """What somebody looks like on a day; ``twin_of`` is an identity, too, and counts from 1."""
    twin = None if person.twin_of is None else person.twin_of + 1
    return {"identity": identity, "day": day, **person.labels(), "twin_of": twin}


def write_attributes(
    path: Path, rows: Sequence[Mapping[str, Value]], *, overwrite: bool = False
) -> None:
    """Writes a Parquet table with a row for each person, or for each person and day.

    The columns are the attributes in the order of the first row; their types depend on their names
    alone: words, but for those that are known to be numbers or yes and no.

    Args:
        path: The file, ``.parquet``.
        rows: Attribute -> value, all with the same attributes.
        overwrite: Replace an existing file.

    Raises:
        ShapeError: There is no row, rows differ in their attributes, or a value is of another kind.
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    names = _names(rows)
    columns = {}
    for name in names:
        kind = _KINDS.get(name, pa.string())
        try:
            columns[name] = pa.array([row[name] for row in rows], kind)
        except pa.ArrowException as error:
            raise ShapeError(f"attribute {name}: expected {kind} values: {error}") from error
    with whole_file(path, overwrite=overwrite) as part:
        pq.write_table(pa.table(columns), part)


def read_attributes(path: Path) -> list[dict[str, Value]]:
    """The rows of a table of attributes, as they were written.

    Raises:
        InputError: The file is missing, or no Parquet file that can be read.
    """
    try:
        rows: list[dict[str, Value]] = pq.read_table(readable(path)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a Parquet file that can be read: {reason}") from error
    return rows


def draw_attributes(
    path: Path, rows: Sequence[Mapping[str, Value]], *, title: str, overwrite: bool = False
) -> None:
    """Draws how often each attribute has each value as one PNG, a plot for each attribute.

    Args:
        path: The file, ``.png``.
        rows: Attribute -> value, all with the same attributes.
        title: A line above.
        overwrite: Replace an existing file.

    Raises:
        ShapeError: There is no row, or rows differ in their attributes.
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    counts = {
        name: _shares([row[name] for row in rows])
        for name in _names(rows)
        if name not in _NOT_PLOTTED
    }
    tame_matplotlib()
    from matplotlib.figure import Figure

    places, below = {}, [_HEAD] * _COLUMNS
    for name in counts:
        column = below.index(min(below))
        places[name] = column, below[column]
        below[column] += _FRAME + _BAR * len(counts[name])
    width, height = _COLUMNS * _PLOT_WIDTH, max(below)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    figure.text(
        20 / width, 1 - 16 / height, title, fontsize=13, color=_INK, va="top", parse_math=False
    )
    for name, (column, top) in places.items():
        bars = _BAR * len(counts[name])
        left, bottom = column * _PLOT_WIDTH + 130, height - top - 30 - bars
        box = (left / width, bottom / height, (_PLOT_WIDTH - 190) / width, bars / height)
        _draw_bars(figure.add_axes(box), name, counts[name])
    with whole_file(path, overwrite=overwrite) as part:
        figure.savefig(part, format="png", dpi=_DPI, metadata={"Software": None})


def _names(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """The attributes, which all rows have."""
    if not rows:
        raise ShapeError("attributes: expected a row for each person, got none")
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            odd = ", ".join(sorted(row.keys() ^ rows[0].keys()))
            raise ShapeError(f"attributes: row {number} differs from the first in: {odd}")
    return list(rows[0])


def _shares(values: Sequence[Value]) -> list[tuple[str, float]]:
    """Value -> its share in percent: numbers by size, all others by how often they are there."""
    numbers = [value for value in values if isinstance(value, float)]
    if numbers:
        counts, edges = np.histogram(numbers, _BINS)
        words = [f"{low:.2f} - {high:.2f}" for low, high in pairwise(edges)]
        found = list(zip(words, map(int, counts), strict=True))
    else:
        counter = Counter(map(_word, values))
        found = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        if len(found) > _MOST_WORDS:
            rest = sum(count for _, count in found[_MOST_WORDS - 1 :])
            found = [*found[: _MOST_WORDS - 1], ("others", rest)]
    return [(word, 100 * count / len(values)) for word, count in found]


def _word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _draw_bars(plot: "Axes", name: str, shares: Sequence[tuple[str, float]]) -> None:
    places = range(len(shares))
    colours = [_NONE if word in {"none", "no", "others"} else _BLUE for word, _ in shares]
    plot.barh(places, [share for _, share in shares], height=0.72, color=colours)
    for place, (_, share) in zip(places, shares, strict=True):
        plot.text(share, place, f" {share:.1f} %", va="center", fontsize=8, color=_GREY)
    unit = ", m" if name.endswith("_m") else ""
    plot.set_title(
        name.removesuffix("_m").replace("_", " ") + unit,
        loc="left",
        x=0,
        fontsize=10,
        fontweight="bold",
        color=_INK,
    )
    plot.set_yticks(places, [word for word, _ in shares])
    plot.set_ylim(len(shares) - 0.4, -0.6)
    plot.set_xlim(0, max(share for _, share in shares) or 1)
    plot.set_xticks([])
    plot.tick_params(labelsize=8.5, colors=_INK, length=0)
    for side, spine in plot.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(_PALE)
