"""Ground truth of tracking: who really is where in each frame, from a MOTChallenge ``gt.txt``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError
from everyid.output import readable, warn

__all__ = ["BoxRows", "Truth", "find_truths", "read_truth"]

_PEDESTRIAN = 1
_NO_CLASS = -1
_DISTRACTORS = (2, 7, 8, 12)
"""MOT17's person on a vehicle, standing person, distractor and reflection."""
_LAYOUT = "frame,id,left,top,width,height[,flag[,class[,visibility]]]"
_MOST = 2.0**53
_LEAST_FIELDS, _CLASS_FIELDS = 6, (8, 9)
"""A row of ten fields is of the older kind, with a place in the world where the class would be."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxRows:
    """Boxes of many frames, row i of every array belonging to box i, by rising frame.

    Args:
        frames: int64 (N,), the source's frame numbers, from 1, never falling.
        ids: int64 (N,), who is in the box; unique within a frame.
        boxes_xyxy: float64 (N, 4), pixels, x right and y down.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, rows: NDArray[np.bool_]) -> Self:
        """The same container with only the rows where the mask, bool (N,), is set."""
        return type(self)(self.frames[rows], self.ids[rows], self.boxes_xyxy[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The ground truth of one source.

    Args:
        path: Where it was read from.
        rows: All boxes of the file; within a frame in the order of the file.
        counted: bool (N,), the people whom a tracker has to find.
        excused: bool (N,), what a tracker may find or not: a box of a track that lies on it
            counts neither for nor against the tracker.
    """

    path: Path
    rows: BoxRows
    counted: NDArray[np.bool_]
    excused: NDArray[np.bool_]

    def within(self, frame_numbers: NDArray[np.int64]) -> "Truth":
        """The truth of some frames only.

        Args:
            frame_numbers: int64 (F,), the frames that were looked at.
        """
        kept = np.isin(self.rows.frames, frame_numbers)
        return Truth(self.path, self.rows.select(kept), self.counted[kept], self.excused[kept])


def read_truth(path: Path) -> Truth:
    """The ground truth in a MOTChallenge ``gt.txt``.

    A row is ``frame,id,left,top,width,height`` with up to three more fields: a flag, a class and
    a visibility. Counted are pedestrians (class 1, -1, or none at all) whose flag is not 0.
    Excused are pedestrians whose flag is 0, and the classes of people whom MOT17 does not ask for:
    2 on a vehicle, 7 standing, 8 distractor, 12 reflection. Rows of other classes, such as cars,
    are neither. Pixels are taken as they are, without MOTChallenge's offset of one.

    Args:
        path: The file.

    Raises:
        InputError: It is missing, no text, has no row, or a line is damaged; its number is named.

    Source:
        The rules are those of TrackEval 1.3.0 (MIT), ``MotChallenge2DBox`` for MOT17, but for
        pedestrians whose flag is 0: TrackEval counts a track's box that lies on one as wrong.
    """
    try:
        text = readable(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected ground truth as text: {_LAYOUT}") from error
    values: list[tuple[float, ...]] = []
    lines: dict[tuple[float, float], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        row = _row(line, f"{path}, line {number}")
        before = lines.setdefault((row[0], row[1]), number)
        if before != number:
            raise InputError(
                f"{path}, line {number}: id {row[1]:.0f} is in frame {row[0]:.0f} already, "
                f"by line {before}",
                hint="a person has one box a frame: remove one of them",
            )
        values.append(row)
    if not values:
        raise InputError(f"{path}: expected rows {_LAYOUT}, found none")
    return _truth(path, np.array(values, np.float64))


def _row(line: str, where: str) -> tuple[float, ...]:
    """Frame, id, left, top, width, height, flag and class of one line."""
    fields = line.strip().split(",")
    try:
        numbers = [float(field) for field in fields]
    except ValueError as error:
        raise InputError(f"{where}: expected numbers {_LAYOUT}, got {line.strip()!r}") from error
    if len(numbers) < _LEAST_FIELDS or not all(abs(number) < _MOST for number in numbers):
        raise InputError(f"{where}: expected {_LAYOUT}, got {line.strip()!r}")
    frame, identity, left, top, width, height = numbers[:6]
    if frame < 1 or not frame.is_integer() or not identity.is_integer():
        raise InputError(
            f"{where}: expected a whole frame number from 1 and a whole id, "
            f"got {fields[0]} and {fields[1]}"
        )
    if width <= 0 or height <= 0:
        raise InputError(
            f"{where}: expected width and height above 0, got {fields[4]} and {fields[5]}"
        )
    flag = numbers[6] if len(numbers) > _LEAST_FIELDS else 1.0
    kind = numbers[7] if len(numbers) in _CLASS_FIELDS else float(_NO_CLASS)
    return frame, identity, left, top, width, height, flag, kind


def _truth(path: Path, table: NDArray[np.float64]) -> Truth:
    """The truth of rows as ``_row`` gives them, float64 (N, 8), in the order of the file."""
    table = table[np.argsort(table[:, 0], kind="stable")]
    boxes = table[:, 2:6].copy()
    boxes[:, 2:] += boxes[:, :2]
    rows = BoxRows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), boxes)
    pedestrians = np.isin(table[:, 7], (_PEDESTRIAN, _NO_CLASS))
    flagged = table[:, 6] != 0
    excused = (pedestrians & ~flagged) | np.isin(table[:, 7], _DISTRACTORS)
    return Truth(path, rows, pedestrians & flagged, excused)


def find_truths(sources: Sequence[Path], named: Path | None) -> dict[Path, Truth]:
    """The ground truth of each source that has one.

    That is the named file, or else ``STEM/gt/gt.txt`` beside a source ``STEM.mp4``. One that was
    not named and cannot be used is passed over with a warning.

    Args:
        sources: What is tracked.
        named: What ``--truth`` names: the truth of the only source.

    Raises:
        ConfigError: A file is named, and there are several sources.
        InputError: The named file cannot be used.
    """
    if named is not None:
        if len(sources) > 1:
            raise ConfigError(
                f"--truth: expected one source that it is the truth of, got {len(sources)}",
                hint="put each truth beside its source, as STEM/gt/gt.txt for STEM.mp4",
            )
        return {sources[0]: read_truth(named)}
    found: dict[Path, Truth] = {}
    for source in sources:
        path = source.parent / source.stem / "gt" / "gt.txt"
        try:
            if path.is_file():
                found[source] = read_truth(path)
        except (InputError, OSError) as error:
            warn(f"no scores of {source}: {error}")
    return found
