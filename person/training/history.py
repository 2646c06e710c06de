"""What a training run measures as it goes: a table, TensorBoard's files, and one picture."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from everyid.errors import ConfigError, InputError
from everyid.output import readable, refuse_existing, whole_file, writing
from person.lettering import drawable
from person.plots import (
    COLOURS,
    INK,
    add_key,
    blank_figure,
    finish_axes,
    name_plot,
    save_figure,
    say_instead,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["History", "Row", "draw_history", "read_history"]

Row = dict[str, float]
"""Column -> value, of one step; a column that was not measured is left out."""

_BEFORE_LOSSES = ("step", "epoch", "images_seen", "learning_rate", "loss")
_AFTER_LOSSES = ("gradient_norm", "images_per_s", "waited_share")
_RANK_1, _MAP = "rank_1/", "mean_average_precision/"
_LARGEST_WHOLE = 2**53
"""Whole numbers below this are written with all their digits; floats have no larger ones."""
_EVENT_FILES = "events.out.tfevents.*"

_HEIGHT = 486
"""Of the picture, pixels."""
_FEW = 60
"""With no more steps than this each has its dot; alone between two that are not finite, a step
would not be seen otherwise."""


class History:
    """Writes what a run measures to ``history.csv`` and to ``tensorboard/``, row by row.

    The table has one row a step and these columns, empty where nothing was measured: step, epoch,
    images_seen, learning_rate, loss, ``loss/PART`` for each part, gradient_norm, images_per_s,
    waited_share, ``rank_1/YARDSTICK`` and ``mean_average_precision/YARDSTICK`` for each yardstick.
    What is appended is in the table when the call returns. To be used as a context.

    Args:
        folder: Of the run; both are put there.
        loss_parts: The names of what the loss is the sum of.
        yardsticks: The names of what the run is validated on.
        resume_step: Goes on after that step: later rows are cut off, and TensorBoard is told to
            forget them. A last line that is not whole is dropped. None: begins anew.
        overwrite: Replace an existing history; without meaning when it is resumed.

    Raises:
        ConfigError: The history to resume has other columns.
        InputError: The history to resume cannot be read.
        OutputExistsError: There is a history, and it is neither resumed nor overwritten.
        OutputError: It cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        loss_parts: Iterable[str] = (),
        yardsticks: Iterable[str] = (),
        resume_step: int | None = None,
        overwrite: bool = False,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter  # with torch, 2 s

        self.path = folder / "history.csv"
        losses = [f"loss/{part}" for part in loss_parts]
        measures = [prefix + name for name in yardsticks for prefix in (_RANK_1, _MAP)]
        self._columns = [*_BEFORE_LOSSES, *losses, *_AFTER_LOSSES, *measures]
        self._rows: list[Row] = []
        board = folder / "tensorboard"
        lines = [_line(self._columns)]
        if resume_step is None:
            refuse_existing(self.path, overwrite=overwrite)
            with writing(board):
                for old in board.glob(_EVENT_FILES):
                    old.unlink()
        elif self.path.exists():
            lines += self._kept(resume_step, lines[0])
        with whole_file(self.path, overwrite=True) as part:
            part.write_bytes("".join(lines).encode())
        with writing(board):
            purge = None if resume_step is None else resume_step + 1
            self._board = SummaryWriter(str(board), purge_step=purge)
        with writing(self.path):
            self._file = self.path.open("r+b")
            self._end = self._file.seek(0, io.SEEK_END)
        self._start = self._end - len(lines[-1].encode())

    def _kept(self, resume_step: int, header: str) -> list[str]:
        """The lines up to a step of the history that is there; their rows are taken over."""
        lines, rows = _read(self.path)
        if lines and lines[0] != header:
            raise ConfigError(
                f"{self.path}: expected the columns {header.rstrip()}, found {lines[0].rstrip()}",
                hint="resume with the losses and yardsticks of before, or begin a new run",
            )
        self._rows = [row for row in rows if row["step"] <= resume_step]
        return lines[1 : 1 + len(self._rows)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with writing(self.path):
            self._file.close()
            self._board.close()

    @property
    def rows(self) -> list[Row]:
        """The rows so far, by rising step."""
        return [dict(row) for row in self._rows]

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Writes what was measured at a step; the step of the last row gets further values.

        Args:
            step: Not before that of the last row.
            values: Column -> value; NaN and infinity are written as such.

        Raises:
            InputError: The step is before the last row's, or a column is not of the table.
            OutputError: It cannot be written.
        """
        unknown = [name for name in values if name not in self._columns[1:]]
        if unknown:
            raise InputError(
                f"history: expected columns of {', '.join(self._columns[1:])}, "
                f"got {', '.join(unknown)}"
            )
        last = self._rows[-1]["step"] if self._rows else step
        if step < last:
            raise InputError(f"history: expected a step of {last:.0f} or later, got {step}")
        if self._rows and step == last:
            row = self._rows.pop() | dict(values)
        else:
            row = {"step": step, **values}
            self._start = self._end
        self._rows.append(row)
        line = _line([_text(row.get(name)) for name in self._columns]).encode()
        with writing(self.path):
            self._file.seek(self._start)
            self._end = self._start + self._file.write(line)
            self._file.truncate()
            self._file.flush()
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()


def read_history(path: Path) -> list[Row]:
    """The rows of a ``history.csv``, by rising step; a last line that is not whole is left out.

    Args:
        path: The file, as :class:`History` writes it.

    Raises:
        InputError: It is missing, may not be read, or a line is not a row of numbers.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[list[str], list[Row]]:
    """The whole lines, the header first, each with its end; and the rows of those after it."""
    *lines, _ = readable(path).read_bytes().decode(errors="replace").split("\n")
    table = [next(csv.reader([line]), []) for line in lines]
    rows: list[Row] = []
    for number, cells in enumerate(table[1:], start=2):
        try:
            pairs = zip(table[0], cells, strict=True)
            row = {name: _number(text) for name, text in pairs if text or name == "step"}
        except ValueError as error:
            if number == len(table):  # the process was killed while it wrote
                del lines[-1]
                break
            raise InputError(
                f"{path}:{number}: expected {len(table[0])} numbers, got {lines[number - 1]!r}",
                hint="correct or remove the line",
            ) from error
        rows.append(row)
    return [f"{line}\n" for line in lines], rows


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)


def _text(value: float | None) -> str:
    if value is None:
        return ""
    whole = abs(value) < _LARGEST_WHOLE and float(value).is_integer()
    return f"{value:.0f}" if whole else f"{value:.7g}"


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def draw_history(path: Path, rows: Sequence[Row]) -> None:
    """Draws the losses, the learning rate, and mAP and Rank-1 over the steps as one PNG.

    The keys give the last value of the losses and the best of the others. An existing picture is
    replaced: it is drawn again as the run goes on.

    Args:
        path: The file, ``.png``.
        rows: By rising step; there may be none, and values may be missing or not finite.

    Raises:
        OutputError: It cannot be written.
    """
    figure = blank_figure(_HEIGHT)
    plots = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.05, right=0.98, bottom=0.12, top=0.91, wspace=0.2)
    names = list(dict.fromkeys(name for row in rows for name in row))
    _draw_losses(plots[0], rows, [name for name in names if name.partition("/")[0] == "loss"])
    _draw_learning_rate(plots[1], rows)
    _draw_measures(plots[2], rows, [name for name in names if name.startswith((_RANK_1, _MAP))])
    titles = ("Loss", "Learning rate", "Validation")
    for plot, title in zip(plots, titles, strict=True):
        name_plot(plot, title)
    save_figure(figure, path, overwrite=True)


def _draw_losses(plot: "Axes", rows: Sequence[Row], names: list[str]) -> None:
    for number, name in enumerate(name for name in names if name != "loss"):
        _draw_series(plot, rows, name, label=name.partition("/")[2], colour=_colour(number))
    if "loss" in names:
        _draw_series(plot, rows, "loss", label="all", colour=INK)
    _finish(plot, "", key="upper right", missing="no loss yet")


def _draw_learning_rate(plot: "Axes", rows: Sequence[Row]) -> None:
    _draw_series(plot, rows, "learning_rate", label="now", colour=COLOURS[0])
    _finish(plot, "", key="upper right", missing="no learning rate yet")


def _draw_measures(plot: "Axes", rows: Sequence[Row], names: list[str]) -> None:
    yardsticks = list(dict.fromkeys(name.partition("/")[2] for name in names))
    for number, yardstick in enumerate(yardsticks):
        for prefix, label in ((_MAP, "mAP"), (_RANK_1, "Rank-1")):
            label = f"{label}  {yardstick}"
            _draw_series(plot, rows, prefix + yardstick, label=label, colour=_colour(number))
    if plot.lines:
        plot.set_ylim(0, 100)
    _finish(plot, "%", key="lower right", missing="no validation yet")


def _draw_series(plot: "Axes", rows: Sequence[Row], name: str, *, label: str, colour: str) -> None:
    """A line of what was measured under a name; in per cent, with the best, where it is a share."""
    measured = [(row["step"], row[name]) for row in rows if name in row]
    if not measured:
        return
    share = name.startswith((_RANK_1, _MAP))
    steps, values = np.array(measured, np.float64).T
    finite = values[np.isfinite(values)]
    values = np.where(np.isfinite(values), values, math.nan) * (100 if share else 1)
    if len(finite):
        label += f"  {100 * finite.max():.1f}" if share else f"  {finite[-1]:.4g}"
    if len(finite) < len(values):
        label += f", not finite {len(values) - len(finite)} times"
    plot.plot(
        steps,
        values,
        color=colour,
        linewidth=1.8,
        linestyle="--" if name.startswith(_RANK_1) else "-",
        marker="o" if len(values) <= _FEW else None,
        markersize=4,
        label=drawable(label),
    )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _finish(
    plot: "Axes", y: str, *, key: Literal["upper right", "lower right"], missing: str
) -> None:
    """Axes and key, or words in place of a plot without lines."""
    if not plot.lines:
        say_instead(plot, missing)
        return
    steps = {step for line in plot.lines for step in np.asarray(line.get_xdata()).tolist()}
    if len(steps) == 1:  # else the axes tell of steps and values that nobody has seen
        plot.set_xticks(list(steps))
        plot.set_ylim(bottom=min(0, plot.get_ylim()[0]))
    else:
        plot.locator_params(axis="x", integer=True)
    finish_axes(plot, "step", y)
    add_key(plot, key)
