"""Video, GIF and raw streams through PyAV: packets to numbered, timed, upright frames."""

import math
import os
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from everyid.errors import InputError
from everyid.media_image import DEFAULT_RATE, Pending, SourceInfo, Tell
from everyid.output import notice
from everyid.protocols import Image

__all__ = ["VideoSource", "open_container", "video_stream"]

_TEXT_FORMATS = ("tty",)  # FFmpeg plays a text file as a terminal would show it
_INDEXED_FORMATS = ("mov", "matroska")
_CLOCK_RESET_S = 1.0
_SEEK_FROM_S = 2.0
_MANY_CORES = 4
_GIF_END = b";"
_NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS: whatever times there are, FFmpeg made up
_UNKNOWN = "not a video or image that can be decoded"


def open_container(path: Path) -> InputContainer:
    """The opened file; the caller closes it.

    Raises:
        InputError: FFmpeg does not know what it is, or an MP4 lacks its index.
    """
    try:
        container = av.open(str(path.absolute()), "r")  # absolute: "a:b.mp4" is no protocol
    except (av.FFmpegError, OSError) as error:
        raise _unopened(path) from error
    if not container.streams:
        container.close()
        raise _unopened(path)
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise InputError(f"{path}: {_UNKNOWN}; it is text")
    return container


def _unopened(path: Path) -> InputError:
    if not _lacks_index(path):
        return InputError(f"{path}: {_UNKNOWN}")
    return InputError(
        f"{path}: the index of this MP4 (its moov box) is missing",
        hint="the recording or copy was cut short; copy it again, or repair it (untrunc)",
    )


def _lacks_index(path: Path) -> bool:
    """True for an MP4 or QuickTime file in which no ``moov`` box can be reached."""
    boxes = []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        place = 0
        while place + 8 <= end:
            file.seek(place)
            head = file.read(16)
            size, name = int.from_bytes(head[:4], "big"), head[4:8]
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            boxes.append(name)
            if size < 8:
                break
            place += size
    return bool(boxes) and boxes[0] in (b"ftyp", b"mdat", b"wide") and b"moov" not in boxes


def video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The first video stream that is no cover picture.

    Raises:
        InputError: There is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    held = "sound but no pictures" if container.streams.audio else "no pictures"
    raise InputError(f"{path}: expected a video, found a file with {held}")


@dataclass
class _Clock:
    """Numbers decoded frames and gives them rising times.

    Where a container lists the time of every packet, a frame's number is the rank of its packet,
    so that lost frames count; elsewhere packets that failed are added to the frames that came.
    """

    ranked: bool
    timed: bool = True
    origin: int = 0
    unit: float = 1.0
    interval: float = 1 / DEFAULT_RATE
    number: int = 0
    read: int = 0
    last: float = -math.inf
    lasts: float = 0.0
    moved: int = 0
    fresh: bool = True
    _shift: float = 0.0
    _failed: int = 0
    _sent: list[int] = field(default_factory=list)

    def jump(self, number: int) -> None:
        """Goes on behind frame ``number``, with a decoder that was emptied."""
        self.number = self.read = number
        self._sent.clear()

    def sent(self, packet: "Packet[VideoStream]") -> None:
        """Takes note of a packet that went to the decoder."""
        if self.ranked and packet.pts is not None and not packet.is_discard:
            heappush(self._sent, packet.pts)

    def frame(self, frame: av.VideoFrame, failed: int) -> tuple[int, float]:
        """The number and time of the next frame, when so many packets failed until now."""
        waiting = len(self._sent)
        if frame.pts is not None:
            while self._sent and self._sent[0] < frame.pts:
                heappop(self._sent)
            if self._sent and self._sent[0] == frame.pts:
                heappop(self._sent)
        passed = waiting - len(self._sent) or 1 + failed - self._failed
        if self.fresh or frame.interlaced_frame:  # interlaced: one packet or two a frame
            passed = 1
        self.fresh = False
        self._failed = failed
        self.number += passed
        self.read += 1
        self.last = self._time(frame.pts)
        self.lasts = max(self.interval, (frame.duration or 0) * self.unit)
        return self.number, self.last

    def _time(self, pts: int | None) -> float:
        if not self.timed:
            return (self.number - 1) * self.interval
        if self.last == -math.inf:
            return 0.0 if pts is None else (pts - self.origin) * self.unit
        if pts is None:
            return self.last + self.interval
        time_s = (pts - self.origin) * self.unit + self._shift
        if time_s > self.last:
            return time_s
        self.moved += 1
        if self.last - time_s < _CLOCK_RESET_S:
            return self.last + self.interval / 2
        self._shift += self.last + self.interval - time_s
        return self.last + self.interval


class VideoSource:
    """A video file, GIF or raw stream. Its first frame is decoded when it is opened.

    Args:
        path: The file.
        frame_rate: Frames a second for a stream without timestamps, or None for what it states.
        tell: Takes the warnings.

    Raises:
        InputError: Nothing can be decoded.
    """

    def __init__(self, path: Path, frame_rate: float | None, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._short = False
        self._container = open_container(path)
        try:
            self._first = self._start()
            self.info = self._describe(self._rate(frame_rate))
        except InputError:
            self._container.close()
            raise

    def _start(self) -> av.VideoFrame:
        """The first frame; the decoder stands behind it and the clock before it."""
        self._stream = video_stream(self._path, self._container)
        # Decoding frames side by side pays from four cores on; of a damaged file it may lose the
        # last few frames, which decoding slices side by side does not.
        self._stream.thread_type = "AUTO" if (os.cpu_count() or 1) >= _MANY_CORES else "SLICE"
        self._failed = 0
        formats = self._container.format
        self._clock = _Clock(ranked=formats.name.startswith(_INDEXED_FORMATS))
        self._decoded = self._decode()
        first = next(self._decoded, None)
        if first is None:
            raise InputError(f"{self._path}: {_UNKNOWN}; no frame of it could be")
        self._timed = first.pts is not None and not formats.flags & _NO_TIMESTAMPS
        self._clock.timed = self._timed
        self._clock.origin = first.pts or 0
        self._clock.unit = float(first.time_base or 1)
        return first

    def _rate(self, given: float | None) -> float:
        stream = self._stream
        if self._timed:
            if given is not None:
                notice(f"{self._path.name}: has timestamps; the frame rate given is not used")
            return float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
        # A raw stream's average_rate is FFmpeg's own default and guessed_rate counts fields.
        stated = stream.codec_context.framerate
        rate = given or float(stated or DEFAULT_RATE)
        why = "as given" if given else ("as its header states" if stated else "for lack of better")
        self._tell(f"{self._path.name}: no timestamps; {rate:g} frames/s assumed, {why}")
        return rate

    def _describe(self, rate: float) -> SourceInfo:
        count, stream = self._stream.frames, self._stream
        duration: float | None = None
        if self._timed and stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif self._timed and self._container.duration is not None:
            duration = self._container.duration / av.time_base
        if not count and duration:
            count = max(1, round(duration * rate))
        return SourceInfo(
            path=self._path,
            kind="video",
            size_hw=_size_hw(self._first),
            frame_rate=rate,
            frame_count=count or None,
            duration_s=duration,
        )

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """Every frame that decodes; counts the packets that do not."""
        packets = self._container.demux(self._stream)
        while True:
            packet: Packet[VideoStream] | None = None  # asks the decoder for what it still holds
            with suppress(StopIteration):
                try:
                    packet = next(packets)
                except av.FFmpegError:
                    self._failed += 1
            if packet is not None:
                self._clock.sent(packet)
            try:
                yield from self._stream.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:
                self._failed += 1
            if packet is None:
                return

    def frames(self, start_s: float, stopped: Callable[[], bool]) -> Iterator[Pending]:
        """All frames in order; those before ``start_s`` may be left out.

        Raises:
            InputError: The file went away.
        """
        entry = None
        if start_s >= _SEEK_FROM_S and self._can_seek():
            entry = self._entry(start_s, stopped)
        decoded = self._from(entry) if entry else chain([self._first], self._decoded)
        clock = self._clock
        clock.interval = 1 / self.info.frame_rate
        try:
            for frame in decoded:
                number, time_s = clock.frame(frame, self._failed)
                yield Pending(number, time_s, partial(self._load, frame))
            self._report_end()
        finally:
            self._report()

    def _can_seek(self) -> bool:
        indexed = self._container.format.name.startswith(_INDEXED_FORMATS)
        return self._timed and indexed and not self._first.interlaced_frame

    def _entry(self, start_s: float, stopped: Callable[[], bool]) -> tuple[int, int] | None:
        """The time and rank of the last keyframe up to ``start_s``, or None when not certain.

        Reads the packets before it without decoding them: their times rank the frames.
        """
        limit = self._clock.origin + round(start_s / self._clock.unit)
        times: list[int] = []
        keys: list[int] = []
        with open_container(self._path) as container:
            for packet in container.demux(video_stream(self._path, container)):
                if packet.size == 0 or (packet.dts is not None and packet.dts > limit):
                    break
                if packet.pts is None or packet.is_corrupt or packet.is_discard or stopped():
                    return None
                times.append(packet.pts)
                if packet.is_keyframe and packet.pts <= limit:
                    keys.append(packet.pts)
        times.sort()
        if not keys or max(keys) == times[0] or times[0] != self._clock.origin:
            return None
        if any(a == b for a, b in pairwise(times)):
            return None
        return max(keys), bisect_left(times, max(keys))

    def _from(self, entry: tuple[int, int]) -> Iterator[av.VideoFrame]:
        """The frames from a keyframe on; from the first one when the keyframe is not reached."""
        key, rank = entry
        with suppress(av.FFmpegError):
            self._container.seek(key, stream=self._stream)
            self._decoded = self._decode()
            for frame in self._decoded:
                if frame.pts == key:
                    self._clock.jump(rank)
                    return chain([frame], self._decoded)
                if frame.pts is None or frame.pts > key:
                    break
        self._container.close()
        self._container = open_container(self._path)
        self._first = self._start()
        return chain([self._first], self._decoded)

    def _load(self, frame: av.VideoFrame) -> Image:
        try:
            image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        except (av.FFmpegError, ValueError) as error:
            raise InputError(f"{self._path}: its pixels cannot be turned into colours") from error
        a, b, c, d = _turn(frame)
        if b or c:
            image = image.transpose(1, 0, 2)
        if a < 0 or c < 0:
            image = image[:, ::-1]
        if d < 0 or b < 0:
            image = image[::-1]
        return np.ascontiguousarray(image)

    def _report_end(self) -> None:
        """Says what is missing at the end, once all was read."""
        clock, info, stream = self._clock, self.info, self._stream
        expected_s, slack_s = info.duration_s, 1.5 * clock.interval
        if "avi" in self._container.format.name and stream.frames:
            expected_s = stream.frames / info.frame_rate  # its duration is guessed from the size
        elif expected_s and stream.duration is None:
            slack_s = max(1.0, expected_s / 50)  # the container's: sound may outlast the pictures
        end_s = clock.last + clock.lasts
        if expected_s and expected_s - end_s > slack_s:
            self._short = True
            self._tell(
                f"{self._path.name}: {clock.read} of about {info.frame_count} frames could be "
                f"read; the file is damaged or cut short after {end_s:.2f} s"
            )
        elif self._container.format.name == "gif" and not _ends_as_gif(self._path):
            self._tell(
                f"{self._path.name}: {clock.read} frames could be read; the file is cut short"
            )

    def _report(self) -> None:
        lost = max(self._failed, self._clock.number - self._clock.read)
        if lost and not self._short:
            self._tell(
                f"{self._path.name}: {lost} damaged frames were skipped, "
                f"{self._clock.read} could be read"
            )
        if self._clock.moved:
            self._tell(
                f"{self._path.name}: {self._clock.moved} timestamps repeated or ran backwards "
                "and were moved forward"
            )

    def close(self) -> None:
        """Lets go of the file."""
        self._decoded.close()
        self._container.close()


def _turn(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Where the display matrix sends the axes: x' = a x + c y, y' = b x + d y, each -1, 0 or 1."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, Buffer):
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(data)[:20], np.int32).tolist()
    if abs(a) >= abs(b):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0


def _size_hw(frame: av.VideoFrame) -> tuple[int, int]:
    turned = _turn(frame)[0] == 0
    return (frame.width, frame.height) if turned else (frame.height, frame.width)


def _ends_as_gif(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-min(64, path.stat().st_size), 2)
        return file.read().rstrip(b"\0\r\n").endswith(_GIF_END)
