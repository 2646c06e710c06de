"""The video writer, and the bounded channel that joins a codec's thread to its user."""

import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from everyid.device import cpu_threads
from everyid.errors import ConfigError, InputError, OutputError, ShapeError
from everyid.protocols import Image

__all__ = ["Channel", "VideoWriter"]

T = TypeVar("T")

_TICKS = 90_000
"""Ticks a second: the clock of MPEG, fine enough for every camera."""
_SMALLEST_SIDE = 16
"""Hardware decoders behind browsers refuse pictures smaller than one macroblock."""
_KEYFRAME_EVERY_S = 4.0
_BT709, _BT601 = 1, 6
_CORES_FOR_THREADS = 4
_WAKE_S = 0.2


class Channel(Generic[T]):
    """A bounded queue between two threads that either side can end.

    As a context manager it ends when the block ends; an exception of the block goes to the other
    side instead of up, which is how an error leaves a codec's thread with its type.

    Args:
        capacity: Items that wait at most, at least 1.
    """

    def __init__(self, capacity: int = 8) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._changed = Condition()
        self._ended = False
        self._error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """True once no more items are taken in."""
        return self._ended

    @property
    def error(self) -> BaseException | None:
        """The exception that ended the channel, if one did."""
        return self._error

    def put(self, item: T) -> bool:
        """True when the item was taken, False when the channel has ended; waits while it is full.

        Raises:
            BaseException: The error that ended the channel.
        """
        with self._changed:
            while len(self._items) >= self._capacity and not self._ended:
                self._changed.wait(_WAKE_S)  # without an end, Ctrl-C is not seen on Windows
            if self._error is not None:
                raise self._error
            if not self._ended:
                self._items.append(item)
                self._changed.notify_all()
            return not self._ended

    def get(self) -> T | None:
        """The oldest item, or None when the channel has ended and is empty; waits for one.

        Raises:
            BaseException: The error that ended the channel, once the items before it are gone.
        """
        with self._changed:
            while not self._items and not self._ended:
                self._changed.wait(_WAKE_S)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def end(self, error: BaseException | None = None, *, drop: bool = False) -> None:
        """Takes in no more items and wakes both sides; the first error is the one that counts.

        Args:
            error: What to raise on the other side.
            drop: Forget the items that wait.
        """
        with self._changed:
            self._error = self._error or error
            self._ended = True
            if drop:
                self._items.clear()
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.end(error)
        return True


class VideoWriter:
    """Writes H.264 in MP4 that a browser plays, encoding in its own thread.

    The picture keeps its real timestamps (variable frame rate), counted from the first frame
    written. The colour matrix is that of BT.601, and the file says so. Sizes that H.264 cannot
    hold are padded right and below by repeating the last pixel: to even numbers, and to 16 at
    least. Leaving the ``with`` block finishes the file, also after an exception, so that an
    interrupted run keeps what it has.

    Args:
        path: The file, written directly; made at the first frame. Removed when encoding fails.
        size_hw: Height and width of the picture; other images are scaled to fit, with black bars.
        frame_rate: Frames a second; sets the duration of the last frame and paces the encoder.
        reproducible: The same pictures give the same bytes on any number of cores. That costs
            time, and some quality where little moves.

    Raises:
        ConfigError: A size or rate that is not positive.
        OutputError: The folder is missing or the path is a folder.
    """

    def __init__(
        self,
        path: Path,
        *,
        size_hw: tuple[int, int],
        frame_rate: float,
        reproducible: bool = False,
    ) -> None:
        if min(size_hw) < 1:
            raise ConfigError(f"size_hw: expected two numbers of at least 1, got {size_hw}")
        if not (math.isfinite(frame_rate) and frame_rate > 0):
            raise ConfigError(f"frame_rate: expected frames a second above 0, got {frame_rate}")
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if not path.absolute().parent.is_dir():
            raise OutputError(f"cannot write {path}: the folder {path.parent} does not exist")
        self.path = path
        self._size_hw = size_hw
        self._frame_rate = frame_rate
        self._reproducible = reproducible
        self._start_s: float | None = None
        self._last_pts = -1
        self._told = False
        self._channel: Channel[av.VideoFrame] = Channel()
        self._thread = Thread(target=self._run, name=f"encode {path.name}", daemon=True)
        self._thread.start()

    def write(self, image: Image, timestamp: float) -> None:
        """Hands one picture to the encoder; waits while the encoder is behind.

        Args:
            image: uint8 (H, W, 3), BGR; copied, so it may be changed afterwards.
            timestamp: Seconds, rising; one that does not rise is moved just behind the last.

        Raises:
            ShapeError: The image is not uint8 (H, W, 3).
            InputError: The timestamp is not a finite number.
            OutputError: The encoder or the file system refused, or the writer is closed.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ShapeError(f"image: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
        if not math.isfinite(timestamp):
            raise InputError(f"timestamp: expected seconds, got {timestamp}")
        if self._start_s is None:
            self._start_s = timestamp
        pts = max(round((timestamp - self._start_s) * _TICKS), self._last_pts + 1)
        # OpenCV converts in a tenth of swscale's time, by the matrix of BT.601.
        planes = cv2.cvtColor(self._fitted(image), cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = pts, Fraction(1, _TICKS)
        try:
            taken = self._channel.put(frame)
        except OutputError:
            self._told = True
            raise
        if not taken:
            raise OutputError(f"cannot write {self.path}: the writer is closed")
        self._last_pts = pts

    def close(self) -> None:
        """Finishes the file; no file is left when no frame was written.

        Raises:
            OutputError: The encoder or the file system refused, unless ``write`` said so already.
        """
        self._finish()
        if self._channel.error is not None and not self._told:
            self._told = True
            raise self._channel.error

    def _finish(self) -> None:
        self._channel.end()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._finish()

    def _fitted(self, image: Image) -> Image:
        """uint8 BGR of the size that is encoded."""
        height, width = self._size_hw
        if image.shape[:2] != self._size_hw:
            image = _letterboxed(image, height, width)
        below = max(height + height % 2, _SMALLEST_SIDE) - height
        right = max(width + width % 2, _SMALLEST_SIDE) - width
        if below or right:
            padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
            return padded.astype(np.uint8, copy=False)
        return np.ascontiguousarray(image)

    def _run(self) -> None:
        with self._channel:
            first = self._channel.get()
            if first is None:
                return
            try:
                self._encode(first)
            except (av.FFmpegError, OSError) as error:
                self.path.unlink(missing_ok=True)
                reason = error.strerror or str(error)
                raise OutputError(
                    f"cannot write {self.path}: {reason}", hint="name another place with --output"
                ) from error

    def _encode(self, first: av.VideoFrame) -> None:
        with av.open(
            str(self.path.absolute()),
            "w",
            format="mp4",
            options={"movflags": "+faststart", "video_track_timescale": str(_TICKS)},
        ) as container:
            stream = self._stream(container, first)
            for frame in self._waiting(first):
                self._mux(container, stream, frame)
            self._mux(container, stream, None)

    def _stream(self, container: OutputContainer, first: av.VideoFrame) -> VideoStream:
        rate = Fraction(self._frame_rate).limit_denominator(1001)
        rate = max(rate, Fraction(1, 1001))
        keyframes = max(1, min(250, round(self._frame_rate * _KEYFRAME_EVERY_S)))
        options = {"preset": "veryfast", "crf": "23", "profile": "high", "g": str(keyframes)}
        if self._reproducible:  # the tree's weights vary from run to run at some widths
            options["x264-params"] = "mbtree=0"
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = Fraction(1, _TICKS)
        codec.colorspace, codec.color_primaries, codec.color_trc = _BT601, _BT709, _BT709
        codec.color_range = ColorRange.MPEG
        # Threads of the encoder cost a tenth; with few cores others have a use for that.
        alone = self._reproducible or cpu_threads() < _CORES_FOR_THREADS
        codec.thread_count = 1 if alone else 0
        return stream

    def _waiting(self, first: av.VideoFrame) -> Iterator[av.VideoFrame]:
        frame: av.VideoFrame | None = first
        while frame is not None:
            yield frame
            frame = self._channel.get()

    def _mux(
        self, container: OutputContainer, stream: VideoStream, picture: av.VideoFrame | None
    ) -> None:
        for packet in stream.encode(picture):
            # The muxer knows all durations from the timestamps, but for the last.
            packet.duration = max(1, round(_TICKS / self._frame_rate))
            container.mux(packet)


def _letterboxed(image: Image, height: int, width: int) -> Image:
    """uint8 (height, width, 3): the image scaled to fit, in the middle of black."""
    scale = min(height / image.shape[0], width / image.shape[1])
    rows = min(height, max(1, round(image.shape[0] * scale)))
    columns = min(width, max(1, round(image.shape[1] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[top : top + rows, left : left + columns] = cv2.resize(
        image, (columns, rows), interpolation=way
    )
    return canvas
