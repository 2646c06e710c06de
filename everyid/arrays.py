"""Frozen containers of aligned arrays: what the hot path passes instead of objects.

One container holds all boxes of one image, row i of every array belonging to box i.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ShapeError

__all__ = ["Detections", "Tracks"]


def _rows(boxes: NDArray[np.generic]) -> int:
    return boxes.shape[0] if boxes.ndim else 0


def _require(array: NDArray[np.generic], name: str, shape: tuple[int, ...], kind: str) -> None:
    if array.shape != shape or array.dtype.kind not in kind:
        raise ShapeError(
            f"{name}: expected shape {shape} and dtype kind {kind!r}, "
            f"got {array.shape} {array.dtype}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    """Arrays whose first axis runs over the same rows."""

    boxes_xyxy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Detections(_Aligned):
    """The boxes found in one image.

    Args:
        boxes_xyxy: float32 (N, 4), pixels of the image, x right and y down, x2 > x1, y2 > y1.
        scores: float32 (N,), confidence 0-1.
        class_ids: int32 (N,), the detector's class numbers.

    Raises:
        ShapeError: The arrays do not align, or a value is not finite.
    """

    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]

    def __post_init__(self) -> None:
        count = _rows(self.boxes_xyxy)
        _require(self.boxes_xyxy, "boxes_xyxy", (count, 4), "f")
        _require(self.scores, "scores", (count,), "f")
        _require(self.class_ids, "class_ids", (count,), "i")
        if not (np.isfinite(self.boxes_xyxy).all() and np.isfinite(self.scores).all()):
            raise ShapeError("boxes_xyxy, scores: expected finite values, got NaN or infinity")

    @classmethod
    def empty(cls) -> Self:
        """No boxes."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Tracks(_Aligned):
    """The tracked boxes of one frame, one row a track.

    Args:
        boxes_xyxy: float32 (N, 4), pixels.
        scores: float32 (N,), confidence 0-1.
        class_ids: int32 (N,).
        track_ids: int64 (N,), from 1, unique within one source.
        velocities: float32 (N, 2), px/s along x and y; 0 while unknown.
    """

    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int64]
    velocities: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = _rows(self.boxes_xyxy)
        _require(self.boxes_xyxy, "boxes_xyxy", (count, 4), "f")
        _require(self.scores, "scores", (count,), "f")
        _require(self.class_ids, "class_ids", (count,), "i")
        _require(self.track_ids, "track_ids", (count,), "i")
        _require(self.velocities, "velocities", (count, 2), "f")

    @classmethod
    def empty(cls) -> Self:
        """No tracks."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int32),
            np.zeros(0, np.int64),
            np.zeros((0, 2), np.float32),
        )
