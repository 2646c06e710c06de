"""The best few pictures of each track, written while the video runs."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Tracks
from everyid.errors import ConfigError, OutputError, ShapeError
from everyid.output import whole_file, writing
from everyid.protocols import Image

__all__ = ["CropKeeper", "sharpness", "visibility"]

_MIN_WIDTH, _MIN_HEIGHT = 8, 16
_FULL_AREA = 128 * 256
"""Pixels from which a crop counts as large: what re-identification models look at."""
_JPEG_QUALITY = 95
_FLAT_VARIANCE = 100.0
"""Squared grey levels: below it, contrast is mostly noise and must not count as detail."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """The best crop of the time window that is still open."""

    quality: float
    frame_number: int
    timestamp: float
    pixels: Image


@dataclass(frozen=True, slots=True)
class _Kept:
    """A crop of a closed window, as JPEG bytes: a fraction of the pixels' size."""

    quality: float
    frame_number: int
    jpeg: bytes


@dataclass(slots=True)
class _Album:
    """The crops of one track so far."""

    last_s: float
    closes_s: float = -math.inf
    opens_s: float = -math.inf
    best: _Raw | None = None
    kept: list[_Kept] = field(default_factory=list)


class CropKeeper:
    """Keeps the best few crops of each track, at least a while apart, and writes them as JPEG.

    The best crop of each window of ``min_gap_s`` is chosen by size, sharpness, visibility and
    confidence; the best ``per_track`` of these are kept. A track's crops go to
    ``FOLDER/STEM/TRACK/FRAME.jpg`` (``vtest/0003/000127.jpg``: track and frame padded to sort)
    when it has not been seen for ``lost_s``, the rest with :meth:`close`. Memory is bound by the
    tracks in view: a crop's pixels and ``per_track`` JPEGs each.

    Args:
        folder: The folder of all crops, as ``crops/``.
        stem: The name of the source, one folder.
        per_track: Crops kept of a track, at least 1.
        min_gap_s: Seconds between two crops of a track, at least 0.
        lost_s: Seconds after which an unseen track is written; above what the tracker keeps.

    Raises:
        ConfigError: An option is out of range, or the stem is not a plain name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stem: str,
        per_track: int = 5,
        min_gap_s: float = 1.0,
        lost_s: float = 5.0,
    ) -> None:
        if stem in ("", "..") or Path(stem).name != stem:
            raise ConfigError(f"stem: expected the name of one folder, got {stem!r}")
        if per_track < 1:
            raise ConfigError(f"per_track: expected 1 or more crops, got {per_track}")
        if not (0 <= min_gap_s < math.inf and 0 < lost_s < math.inf):
            raise ConfigError(
                f"expected min_gap_s of 0 or more and lost_s above 0 seconds, "
                f"got {min_gap_s} and {lost_s}"
            )
        self._folder = folder / stem
        self._per_track = per_track
        self._min_gap_s = min_gap_s
        self._lost_s = lost_s
        self._albums: dict[int, _Album] = {}
        self._written = 0

    def add(self, image: Image, tracks: Tracks, frame_number: int, timestamp: float) -> None:
        """Takes in one frame, and writes the crops of tracks that are gone.

        Boxes that show less than 8 x 16 pixels of the image are passed over.

        Args:
            image: uint8 (H, W, 3), BGR; not kept, crops are copied.
            tracks: The tracks of this frame.
            frame_number: Source frames, from 1.
            timestamp: Seconds, rising from call to call.

        Raises:
            ShapeError: The image is not uint8 (H, W, 3).
            OutputError: A crop cannot be written.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ShapeError(f"image: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        corners = _corners(tracks.boxes_xyxy, width, height)
        sides = corners[:, 2:] - corners[:, :2]
        size = np.minimum(1.0, np.sqrt(sides.clip(0).prod(axis=1) / _FULL_AREA))
        bounds = size * visibility(tracks.boxes_xyxy, (height, width)) * tracks.scores
        large = (sides[:, 0] >= _MIN_WIDTH) & (sides[:, 1] >= _MIN_HEIGHT)
        for row, track_id in enumerate(tracks.track_ids.tolist()):
            album = self._albums.setdefault(track_id, _Album(last_s=timestamp))
            album.last_s = timestamp
            if timestamp >= album.closes_s:
                self._close_window(album)
            bound = float(bounds[row])
            if not large[row] or timestamp < album.opens_s or not self._may_beat(album, bound):
                continue
            left, top, right, bottom = corners[row].tolist()
            crop = image[top:bottom, left:right]
            quality = bound * sharpness(crop)
            if not self._may_beat(album, quality):
                continue
            if album.best is None:
                album.closes_s = timestamp + self._min_gap_s
            album.best = _Raw(quality, frame_number, timestamp, crop.copy())
        self._write_lost(timestamp)

    def close(self) -> int:
        """Writes what is left; the number of crops written in all.

        Raises:
            OutputError: A crop cannot be written.
        """
        for track_id in list(self._albums):
            self._write(track_id)
        return self._written

    def _may_beat(self, album: _Album, quality: float) -> bool:
        """Whether a crop of this quality would be the window's best and then be kept."""
        if album.best is not None:
            return quality > album.best.quality
        return len(album.kept) < self._per_track or quality > album.kept[-1].quality

    def _close_window(self, album: _Album) -> None:
        """Moves the window's best crop to the kept ones, which stay sorted by falling quality."""
        best = album.best
        if best is None:
            return
        album.best = None
        album.opens_s = best.timestamp + self._min_gap_s
        kept = _Kept(best.quality, best.frame_number, _jpeg(best.pixels))
        ranked = sorted([*album.kept, kept], key=lambda crop: -crop.quality)
        album.kept = ranked[: self._per_track]

    def _write_lost(self, timestamp: float) -> None:
        lost = [
            track_id
            for track_id, album in self._albums.items()
            if timestamp - album.last_s > self._lost_s
        ]
        for track_id in lost:
            self._write(track_id)

    def _write(self, track_id: int) -> None:
        album = self._albums.pop(track_id)
        self._close_window(album)
        folder = self._folder / f"{track_id:04d}"
        for crop in album.kept:
            path = folder / f"{crop.frame_number:06d}.jpg"
            with writing(path):
                folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path, overwrite=True) as part:
                part.write_bytes(crop.jpeg)
            self._written += 1


def visibility(boxes_xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """float64 (N,), 0-1: the part of each box inside the frame and not behind other boxes.

    A box is in front of another when it ends lower in the image. Where several hide a box their
    parts are added up, as if they did not overlap.

    >>> boxes = np.array([[0, 0, 10, 20], [5, 5, 15, 25], [-5, 30, 5, 50]], np.float32)
    >>> visibility(boxes, (100, 100)).tolist()
    [0.625, 1.0, 0.5]

    Args:
        boxes_xyxy: float32 (N, 4), pixels, x2 > x1, y2 > y1.
        size_hw: Height and width of the frame, pixels.
    """
    boxes = boxes_xyxy.astype(np.float64)
    height, width = size_hw
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    frame = np.array([[0.0, 0.0, width, height]])
    hidden = _overlaps(boxes, boxes) * (boxes[None, :, 3] > boxes[:, None, 3])
    inside = _overlaps(boxes, frame)[:, 0] / areas
    covered = np.minimum(1.0, hidden.sum(axis=1) / areas)
    seen: NDArray[np.float64] = inside * (1 - covered)
    return seen


def _overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (N, M), the areas that boxes share."""
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    areas: NDArray[np.float64] = (bottom_right - top_left).clip(0).prod(axis=2)
    return areas


def sharpness(crop: Image) -> float:
    """How much fine detail a crop has for its contrast, 0-1.

    The variance of the Laplacian of the grey crop, brought to fit 64 x 128 pixels so that a small
    crop is not sharp for being small, relative to the variance of the grey values so that a
    bright sign is not sharp for being bright.

    Args:
        crop: uint8 (H, W, 3), BGR, not empty.

    Source:
        Pertuz et al., "Analysis of focus measure operators", Pattern Recognition 2013, LAP4.
    """
    height, width = crop.shape[:2]
    scale = min(64 / width, 128 / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.cvtColor(cv2.resize(crop, size, interpolation=method), cv2.COLOR_BGR2GRAY)
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return detail / (detail + float(grey.var()) + _FLAT_VARIANCE)


def _corners(boxes_xyxy: NDArray[np.float32], width: int, height: int) -> NDArray[np.int64]:
    """int64 (N, 4), the whole pixels that boxes touch inside the image."""
    limits = np.array([width, height], np.float64)
    corners = np.empty((len(boxes_xyxy), 4), np.int64)
    corners[:, :2] = np.floor(boxes_xyxy[:, :2].clip(0, limits))
    corners[:, 2:] = np.ceil(boxes_xyxy[:, 2:].clip(0, limits))
    return corners


def _jpeg(pixels: Image) -> bytes:
    done, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise OutputError(f"a crop of {pixels.shape[1]} x {pixels.shape[0]} px gave no JPEG")
    return coded.tobytes()
