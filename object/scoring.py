"""Collects the tracks of people while a video runs, and compares them with its truth at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Tracks
from everyid.media import Frame
from everyid.output import notice, warn
from object.detectors.common import resolve_classes
from object.tracking_metrics import SequenceCounts, count_sequence
from object.truth import BoxRows, Truth

__all__ = ["ScoreBook", "comparable"]


def comparable(
    truths: Mapping[Path, Truth], classes: Sequence[str], class_names: Mapping[int, str]
) -> Mapping[Path, Truth]:
    """The truths, if people are tracked, and none if not, as a truth is of people; says which.

    Args:
        truths: Source -> its truth.
        classes: Names or numbers of the classes that are tracked; empty is all.
        class_names: Class number -> name.

    Raises:
        ConfigError: The detector has no such class.
    """
    people = _person_classes(class_names)
    if truths and not np.isin(resolve_classes(classes, class_names), people).any():
        notice("no scores: a truth is of people, and of the classes tracked none is named person")
        return {}
    for source, truth in truths.items():
        notice(f"{source} is compared with the truth in {truth.path}")
    return truths


def _person_classes(class_names: Mapping[int, str]) -> list[int]:
    return [number for number, name in class_names.items() if name == "person"]


class ScoreBook:
    """Keeps the boxes of people's tracks in the frames that were looked at, 24 bytes a box.

    Args:
        truth: Of the source.
        class_names: Class number -> name.
    """

    def __init__(self, truth: Truth, class_names: Mapping[int, str]) -> None:
        self.warnings: list[str] = []
        self.counts: SequenceCounts | None = None
        self._truth = truth
        self._classes = _person_classes(class_names)
        self._frames: list[int] = []
        self._ids: list[NDArray[np.int64]] = []
        self._boxes: list[NDArray[np.float32]] = []

    def expect(self, frame_count: int | None) -> None:
        """Warns when the truth has frames that the source has not.

        Args:
            frame_count: About how many the source has, if known.
        """
        last = int(self._truth.rows.frames[-1])
        if frame_count is not None and last > frame_count:
            self._warn(
                f"{self._truth.path}: the truth goes up to frame {last}, the video has about "
                f"{frame_count} frames: is it the truth of another video?"
            )

    def add(self, frame: Frame, tracks: Tracks) -> None:
        """Takes in one frame that was looked at.

        Args:
            frame: Gives its number.
            tracks: What was tracked in it, of all classes.
        """
        people = np.isin(tracks.class_ids, self._classes)
        self._frames.append(frame.frame_number)
        self._ids.append(tracks.track_ids[people])
        self._boxes.append(tracks.boxes_xyxy[people])

    def finish(self) -> SequenceCounts | None:
        """Compares with the truth in the frames taken in, and keeps and gives what was counted.

        None, with a warning, when the truth has nobody there: all figures would be empty.
        """
        numbers = np.array(self._frames, np.int64)
        if not np.isin(self._truth.rows.frames[self._truth.counted], numbers).any():
            self._warn(
                f"{self._truth.path}: the truth has no person in the {len(numbers)} frames that "
                "were looked at: no scores"
            )
            return None
        rows = BoxRows(
            np.repeat(numbers, [len(ids) for ids in self._ids]),
            np.concatenate(self._ids),
            np.concatenate(self._boxes).astype(np.float64),
        )
        self.counts = count_sequence(self._truth, rows, numbers)
        return self.counts

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        warn(text)
