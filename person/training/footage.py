"""Crops of tracked people, cut from a video at moments a while apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from everyid.media import open_source
from everyid.output import Advance, Stop, counted, progress, whole_file, writing
from everyid.protocols import Image
from person.crops import open_parquet, read_columns, require_column
from person.training.sightings import Sightings

__all__ = ["TrackTable", "covered_shares", "cut_footage", "read_tracks", "seen_apart"]

_COLUMNS = ("frame_number", "timestamp", "track_id", "x1", "y1", "x2", "y2")
_CLASS, _PERSON = "class_id", 0
_BETWEEN_S = 0.4
"""Seconds between two moments, at least: pictures nearer than that are nearly the same."""
_MOST_COVERED = 0.3
"""Part of a box that another may cover; else the crop shows both, or both boxes one person."""
_LEAST_WIDTH = 8
_JPEG_QUALITY = 95

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """Where people were seen in a video, by frame.

    Args:
        frames: int64 (N,), from 1, rising.
        timestamps: float64 (N,), seconds.
        tracks: int64 (N,), at least 0.
        boxes_xyxy: float64 (N, 4), pixels.
    """

    frames: Integers
    timestamps: Floats
    tracks: Integers
    boxes_xyxy: Floats

    def by_frame(self) -> Iterator[slice]:
        """The rows of each frame."""
        bounds = np.flatnonzero(np.diff(self.frames, prepend=-1, append=-1)).tolist()
        for start, end in pairwise(bounds):
            yield slice(start, end)


def read_tracks(path: Path) -> TrackTable:
    """The people in a tracks file, as ``object tracking --save parquet`` writes it.

    Args:
        path: A Parquet file with frame_number, timestamp, track_id, x1, y1, x2 and y2; where there
            is a class_id, only its class 0 counts: people.

    Raises:
        InputError: It cannot be read, or holds something else.
    """
    with open_parquet(path) as file:
        for name in _COLUMNS:
            require_column(name, file.schema_arrow.names, path)
        table = read_columns(file, (*_COLUMNS, _CLASS))
    columns = [table.column(name).to_numpy().astype(np.float64) for name in _COLUMNS]
    values = np.stack(columns, axis=1) if len(table) else np.empty((0, len(_COLUMNS)))
    if _CLASS in table.column_names:
        values = values[table.column(_CLASS).to_numpy() == _PERSON]
    if not len(values):
        raise InputError(f"{path}: expected boxes of tracked people, found none")
    frames, _, tracks, left, top, right, bottom = values.T
    good = np.isfinite(values).all(1) & (frames >= 1) & (tracks >= 0)
    good &= (right > left) & (bottom > top)
    if not good.all():
        raise InputError(
            f"{path}: expected frames from 1, tracks from 0 and boxes with x2 > x1 and y2 > y1; "
            f"{int((~good).sum())} of {len(values)} rows are none, the first: "
            f"{values[~good][0].tolist()}"
        )
    values = values[np.lexsort((tracks, frames))]
    whole = values[:, [0, 2]].astype(np.int64)
    return TrackTable(whole[:, 0], values[:, 1], whole[:, 1], values[:, 3:])


def covered_shares(boxes_xyxy: Floats) -> Floats:
    """float64 (N, N), 0-1: the area that two boxes share, part of the smaller one; 0 with itself.

    >>> covered_shares(np.array([[0, 0, 10, 20], [0, 10, 5, 15], [10, 0, 20, 20.0]])).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]

    Args:
        boxes_xyxy: float64 (N, 4), pixels.
    """
    top_left = np.maximum(boxes_xyxy[:, None, :2], boxes_xyxy[:, :2])
    bottom_right = np.minimum(boxes_xyxy[:, None, 2:], boxes_xyxy[:, 2:])
    shared = (bottom_right - top_left).clip(0).prod(axis=2)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    np.fill_diagonal(shared, 0)
    found: Floats = shared / np.minimum(areas[:, None], areas)
    return found


def seen_apart(table: TrackTable, tracks: Integers) -> NDArray[np.bool_]:
    """Bool (T, T): whether two tracks have boxes in one frame, of which neither hides the other.

    Args:
        table: All boxes.
        tracks: int64 (T,), the tracks, rising; others do not matter.
    """
    together = np.zeros((len(tracks), len(tracks)), bool)
    for rows in table.by_frame():
        known = np.isin(table.tracks[rows], tracks)
        places = np.searchsorted(tracks, table.tracks[rows][known])
        apart = covered_shares(table.boxes_xyxy[rows][known]) <= _MOST_COVERED
        together[np.ix_(places, places)] |= apart
    np.fill_diagonal(together, val=False)
    return together


def cut_footage(
    video: Path, tracks: Path, folder: Path, *, min_height: int, overwrite: bool, stop: Stop
) -> Sightings:
    """Cuts people out of a video into ``FOLDER/STEM/TRACK/FRAME.jpg``.

    Of moments a while apart, all boxes are taken that are high enough and that no other box
    covers much.

    Args:
        video: What was tracked.
        tracks: Its tracks, see :func:`read_tracks`.
        folder: The folder of all crops, called ``crops``.
        min_height: Pixels of the lowest box.
        overwrite: Replace the crops of a video of that name.
        stop: Requested: nothing of the video is kept.

    Raises:
        InputError: The video or the tracks cannot be used, or nobody can be cut out.
        OutputError: A crop cannot be written, or crops of that name are there.
        KeyboardInterrupt: A stop was requested.
    """
    table = read_tracks(tracks)
    chosen = _chosen(table, min_height)
    stem = video.stem
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        whole_file(folder / stem, overwrite=overwrite) as part,
        progress(f"cutting {stem}", len(chosen)) as advance,
    ):
        part.mkdir()
        cut = _cut(video, table, chosen, part, stop=stop, advance=advance)
        if not cut:
            raise InputError(
                f"{video}: of {counted(len(table.frames), 'box', 'boxes')} in {tracks} none could "
                f"be cut out: expected boxes of this video, at least {min_height} px high, that "
                "others do not hide",
                hint="give --source and --tracks in pairs of one video; a lower --min-height "
                "takes in smaller people",
            )
    frames, numbers = np.array(cut, np.int64).T
    seen, rows = np.unique(numbers, return_inverse=True)
    return Sightings(
        tuple(str(folder / stem / _name(*where)) for where in cut),
        rows.astype(np.int64),
        frames,
        np.zeros(len(seen), np.int64),
        tuple(f"{stem}/{track}" for track in seen.tolist()),
        (stem,),
        seen_apart(table, seen),
    )


def _chosen(table: TrackTable, min_height: int) -> dict[int, Integers]:
    """Frame -> the rows to cut out there."""
    chosen: dict[int, Integers] = {}
    before = -np.inf
    for rows in table.by_frame():
        now = float(table.timestamps[rows.start])
        if now - before < _BETWEEN_S:
            continue
        boxes = table.boxes_xyxy[rows]
        free = covered_shares(boxes).max(axis=1, initial=0) <= _MOST_COVERED
        high = boxes[:, 3] - boxes[:, 1] >= min_height
        good = np.flatnonzero(free & high) + rows.start
        if len(good):
            chosen[int(table.frames[rows.start])] = good.astype(np.int64)
            before = now
    return chosen


def _cut(
    video: Path,
    table: TrackTable,
    chosen: dict[int, Integers],
    folder: Path,
    *,
    stop: Stop,
    advance: Advance,
) -> list[tuple[int, int]]:
    """Frame and track of each crop that was written, in order."""
    cut: list[tuple[int, int]] = []
    with _opened(video) as frames:
        for number, image in frames:
            if stop.requested:
                raise KeyboardInterrupt
            if number not in chosen:
                continue
            for row in chosen[number].tolist():
                crop = _inside(image, table.boxes_xyxy[row])
                if crop is not None:
                    cut.append((number, int(table.tracks[row])))
                    _save(folder / _name(*cut[-1]), crop)
            advance(1)
            if number == max(chosen):
                break
    return cut


@contextmanager
def _opened(video: Path) -> Iterator[Iterator[tuple[int, Image]]]:
    with open_source(video) as reader:
        yield ((frame.frame_number, frame.image) for frame in reader)


def _name(frame: int, track: int) -> str:
    """As ``object tracking --save crops`` calls it."""
    return f"{track:04d}/{frame:06d}.jpg"


def _inside(image: Image, box_xyxy: Floats) -> Image | None:
    """What of a box the image has; None: less than half of it, or next to nothing."""
    height, width = image.shape[:2]
    left, top = np.floor(box_xyxy[:2]).clip(0).astype(int).tolist()
    right, bottom = np.ceil(box_xyxy[2:]).clip(0, (width, height)).astype(int).tolist()
    area = max(0, right - left) * max(0, bottom - top)
    if right - left < _LEAST_WIDTH or 2 * area < np.prod(box_xyxy[2:] - box_xyxy[:2]):
        return None
    return image[top:bottom, left:right]


def _save(path: Path, crop: Image) -> None:
    _, coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(coded.tobytes())
