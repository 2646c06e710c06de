"""Rows to disk as they come: CSV, Parquet, JSON lines and MOTChallenge text."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everyid.arrays import Detections, Tracks
from everyid.media import Frame
from everyid.models import (
    BoundingBox,
    Detection,
    DetectionRun,
    FrameResult,
    ImageResult,
    MovementType,
    TrackedObject,
)
from object.movement import direction, speed

__all__ = [
    "DETECTION_SCHEMA",
    "IMAGE_SCHEMA",
    "TRACKING_SCHEMA",
    "CsvTable",
    "JsonDocument",
    "JsonLines",
    "MotText",
    "ParquetTable",
    "Rows",
    "detection_objects",
    "detection_rows",
    "frame_result",
    "image_rows",
    "tracking_objects",
    "tracking_rows",
]

Rows = dict[str, Any]
"""Column name -> array or list, all of one length."""

_FRAME = [("frame_number", pa.int64()), ("timestamp", pa.float64())]
_CLASS = [("class_id", pa.int32()), ("class_name", pa.string())]
_BOX = [
    ("confidence", pa.float32()),
    *((name, pa.float32()) for name in ("x1", "y1", "x2", "y2", "center_x", "center_y")),
]
IMAGE_SCHEMA = pa.schema([("image", pa.string()), *_CLASS, *_BOX])
DETECTION_SCHEMA = pa.schema([*_FRAME, *_CLASS, *_BOX])
TRACKING_SCHEMA = pa.schema(
    [
        *_FRAME,
        ("track_id", pa.int64()),
        ("class_id", pa.int32()),
        *_BOX,
        ("velocity_x", pa.float32()),
        ("velocity_y", pa.float32()),
        ("speed", pa.float32()),
        ("direction", pa.float32()),
        ("movement_type", pa.string()),
    ]
)
_DECIMALS = {"timestamp": 6, "confidence": 4}
"""Decimals of floats in CSV; 2 for all others, which are pixels, px/s and degrees."""
_ROW_GROUP = 50_000
"""Rows held in memory before a Parquet row group is written."""


def _box_columns(found: Detections | Tracks) -> Rows:
    x1, y1, x2, y2 = found.boxes_xyxy.T
    return {
        "class_id": found.class_ids,
        "confidence": found.scores,
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "center_x": (x1 + x2) / 2,
        "center_y": (y1 + y2) / 2,
    }


def image_rows(image: str, found: Detections, class_names: Mapping[int, str]) -> Rows:
    """The columns of ``IMAGE_SCHEMA`` for the boxes of one image."""
    return {
        "image": [image] * len(found),
        "class_name": _names(found, class_names),
        **_box_columns(found),
    }


def _names(found: Detections, class_names: Mapping[int, str]) -> list[str]:
    return [class_names[number] for number in found.class_ids.tolist()]


def detection_rows(frame: Frame, found: Detections, class_names: Mapping[int, str]) -> Rows:
    """The columns of ``DETECTION_SCHEMA`` for the boxes of one frame."""
    count = len(found)
    return {
        "frame_number": np.full(count, frame.frame_number, np.int64),
        "timestamp": np.full(count, frame.timestamp),
        "class_name": _names(found, class_names),
        **_box_columns(found),
    }


def tracking_rows(frame: Frame, tracks: Tracks, types: list[MovementType]) -> Rows:
    """The columns of ``TRACKING_SCHEMA`` for the tracks of one frame."""
    count = len(tracks)
    return {
        "frame_number": np.full(count, frame.frame_number, np.int64),
        "timestamp": np.full(count, frame.timestamp),
        "track_id": tracks.track_ids,
        **_box_columns(tracks),
        "velocity_x": tracks.velocities[:, 0],
        "velocity_y": tracks.velocities[:, 1],
        "speed": speed(tracks.velocities),
        "direction": direction(tracks.velocities),
        "movement_type": [kind.value for kind in types],
    }


def _boxes(found: Detections | Tracks) -> list[BoundingBox]:
    return [BoundingBox(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in found.boxes_xyxy.tolist()]


def detection_objects(found: Detections, class_names: Mapping[int, str]) -> list[Detection]:
    """The boxes of one image as the types of a JSON document."""
    return [
        Detection(box=box, confidence=score, class_id=number, class_name=class_names[number])
        for box, score, number in zip(
            _boxes(found), found.scores.tolist(), found.class_ids.tolist(), strict=True
        )
    ]


def tracking_objects(
    tracks: Tracks, types: list[MovementType], class_names: Mapping[int, str]
) -> list[TrackedObject]:
    """The tracks of one frame as the types of a JSON document."""
    speeds, directions = speed(tracks.velocities), direction(tracks.velocities)
    return [
        TrackedObject(
            box=box,
            confidence=float(tracks.scores[row]),
            class_id=int(tracks.class_ids[row]),
            class_name=class_names[int(tracks.class_ids[row])],
            track_id=int(tracks.track_ids[row]),
            velocity_x=float(tracks.velocities[row, 0]),
            velocity_y=float(tracks.velocities[row, 1]),
            speed=float(speeds[row]),
            direction=float(directions[row]),
            movement_type=types[row],
        )
        for row, box in enumerate(_boxes(tracks))
    ]


class Table(Protocol):
    """A file that takes rows as they come."""

    def write(self, rows: Rows) -> None:
        """Adds rows."""

    def close(self) -> None:
        """Finishes the file."""


class CsvTable:
    """A CSV file with the columns of a schema, in its order; flushed at every write.

    Args:
        path: The file.
        schema: Names and types of the columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file: TextIO = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(schema.names)
        self._columns = [(field.name, _formatter(field)) for field in schema]

    def write(self, rows: Rows) -> None:
        """Adds rows: floats with 2 decimals, timestamp with 6, confidence with 4."""
        columns = [[show(value) for value in _plain(rows[name])] for name, show in self._columns]
        self._writer.writerows(zip(*columns, strict=True))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _plain(column: Any) -> list[Any]:  # noqa: ANN401 - an array or a list
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def _formatter(field: pa.Field) -> Callable[[Any], str]:
    if not pa.types.is_floating(field.type):
        return str
    digits = _DECIMALS.get(field.name, 2)
    if field.name == "direction":  # 359.999 is 0.00, not 360.00
        return lambda value: format(round(value, digits) % 360, f".{digits}f")
    return lambda value: format(value, f"z.{digits}f")  # -0.001 is 0.00, not -0.00


class ParquetTable:
    """A Parquet file (zstd) with the columns of a schema, written in row groups.

    Args:
        path: The file.
        schema: Names and types of the columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def write(self, rows: Rows) -> None:
        """Adds rows; every 50,000 go to disk."""
        batch = pa.record_batch(
            [pa.array(rows[f.name], f.type) for f in self._schema], self._schema
        )
        self._waiting.append(batch)
        self._count += batch.num_rows
        if self._count >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._count = [], 0

    def close(self) -> None:
        """Writes what waits and the file's footer."""
        self._flush()
        self._writer.close()


class JsonLines:
    """One ``FrameResult`` a line, flushed at every write.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8")

    def write(self, result: FrameResult) -> None:
        """Adds a frame."""
        self._file.write(result.model_dump_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class JsonDocument:
    """A ``DetectionRun`` written image by image, so that a million images need no memory.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._file.write('{"images": [')
        self._first = True

    def write(self, result: ImageResult) -> None:
        """Adds an image."""
        self._file.write(("\n" if self._first else ",\n") + result.model_dump_json())
        self._first = False

    def finish(self, run: DetectionRun) -> None:
        """Adds all that is known at the end, and closes the file."""
        rest = run.model_dump_json(exclude={"images"})
        self._file.write("\n],\n" + rest[1:] + "\n")
        self._file.close()

    def close(self) -> None:
        """Closes the file as it is."""
        self._file.close()


class MotText:
    """MOTChallenge results: frame, id, left, top, width, height, confidence, -1, -1, -1.

    Frames and ids count from 1; pixels count from 0, as the boxes do everywhere here.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="ascii")

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Adds the tracks of a frame."""
        for box, score, track_id in zip(
            tracks.boxes_xyxy.tolist(),
            tracks.scores.tolist(),
            tracks.track_ids.tolist(),
            strict=True,
        ):
            x1, y1, x2, y2 = box
            self._file.write(
                f"{frame.frame_number},{track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
                f"{score:.4f},-1,-1,-1\n"
            )
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def frame_result(
    source: str, frame: Frame, objects: list[TrackedObject] | list[Detection]
) -> FrameResult:
    """One frame as the type of a JSON document."""
    return FrameResult(
        source=source,
        frame_number=frame.frame_number,
        timestamp=frame.timestamp,
        objects=list(objects),
    )
