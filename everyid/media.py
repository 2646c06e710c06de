"""One reader for images, folders, GIFs, video files and raw streams; the writer beside it.

What a file is, its content says: Pillow opens pictures, PyAV all that moves. Decoding runs in its
own thread, a few frames ahead of whoever reads.
"""

import math
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Literal, Self

from PIL import UnidentifiedImageError

from everyid.errors import ConfigError, InputError
from everyid.media_image import ImageSource, Source, SourceInfo, open_picture, read_image
from everyid.media_video import VideoSource, open_container, video_stream
from everyid.media_write import Channel, VideoWriter
from everyid.output import readable, warn
from everyid.protocols import Image

__all__ = [
    "IMAGE_SUFFIXES",
    "Frame",
    "Reader",
    "SourceInfo",
    "VideoWriter",
    "find_sources",
    "list_lines",
    "natural_order",
    "open_source",
    "read_image",
]

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".ico"),
)
"""Lower-case endings of the names by which files in folders are taken as images."""

_NUMBERS = re.compile(r"(\d+)")
_VIDEO_NAMES = re.compile(
    r".*\.(h?26[45]|3g[2p]|3gpp|asf|avc|avi|divx|dv|f4v|flv|hevc|ivf|m2ts|m[24]v|mjpe?g|mkv|mov|mp4"
    r"|mpe?g|mts|mxf|nut|ogv|ts|vob|webm|wmv|y4m)",
    re.IGNORECASE,
)
_SAME_TIME_S = 1e-6


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    Args:
        image: uint8 (H, W, 3), BGR.
        frame_number: The source's frame, from 1; skipped and lost frames count.
        timestamp: Seconds since the source's first frame.
        path: The image file, for image sources.
    """

    image: Image
    frame_number: int
    timestamp: float
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Window:
    """Which frames of a source are wanted: start_s <= timestamp < end_s, every n-th, so many."""

    start_s: float
    end_s: float | None
    every: int
    max_frames: int | None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise ConfigError(f"start: expected seconds, at least 0, got {self.start_s}")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise ConfigError(f"end: expected seconds above {self.start_s}, got {self.end_s}")
        for name, count in (("every", self.every), ("max_frames", self.max_frames)):
            if count is not None and count < 1:
                raise ConfigError(f"{name}: expected a number of frames, at least 1, got {count}")

    def wants(self, number: int, timestamp: float) -> bool:
        return timestamp > self.start_s - _SAME_TIME_S and (number - 1) % self.every == 0

    def over(self, timestamp: float) -> bool:
        return self.end_s is not None and timestamp > self.end_s - _SAME_TIME_S


class Reader:
    """Iterates over the frames of a source, decoding in its own thread. Read it once.

    Use it as a context manager; ``close`` stops the thread and lets go of the file.

    Args:
        source: Where frames come from.
        window: Which of them are wanted.
        warnings: A list that the source writes to.
    """

    def __init__(self, source: Source, window: _Window, warnings: list[str]) -> None:
        self.info = source.info
        self.warnings = warnings
        self._source = source
        self._window = window
        self._channel: Channel[Frame] = Channel()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """The wanted frames, in order.

        Raises:
            InputError: Nothing can be decoded, no frame is in the window, or it was read before.
        """
        if self._thread is not None or self._channel.ended:
            raise InputError(f"{self.info.path}: a reader is read once", hint="open it again")
        name = f"decode {self.info.path.name}"
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        return self._given()

    def _given(self) -> Iterator[Frame]:
        try:
            while (frame := self._channel.get()) is not None:
                yield frame
        finally:
            self.close()

    def close(self) -> None:
        """Stops decoding at once; no thread and no open file remain."""
        self._channel.end(drop=True)
        if self._thread is None:
            self._source.close()
        else:
            self._thread.join()

    def _run(self) -> None:
        with self._channel, closing(self._source), closing(self._wanted()) as frames:
            for frame in frames:
                if not self._channel.put(frame):
                    return

    def _wanted(self) -> Generator[Frame, None, None]:
        window, given = self._window, 0
        for pending in self._source.frames(window.start_s, lambda: self._channel.ended):
            if self._channel.ended or window.over(pending.timestamp):
                break
            if not window.wants(pending.number, pending.timestamp):
                continue
            image = pending.load()
            if image is None:
                continue
            yield Frame(image, pending.number, pending.timestamp, pending.path)
            given += 1
            if given == window.max_frames:
                return
        if not given and not self._channel.ended:
            span = f"{window.start_s:g} s and {window.end_s or self.info.duration_s or 0:g} s"
            raise InputError(
                f"{self.info.path}: no frame to read between {span}",
                hint="ask for an earlier start, a later end or a smaller step",
            )


def open_source(
    path: Path,
    *,
    frame_rate: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    every: int = 1,
    max_frames: int | None = None,
) -> Reader:
    """A reader over the frames of an image, a folder of images, a GIF, a video or a raw stream.

    Args:
        path: The file or folder; its content decides what it is.
        frame_rate: Frames a second where the source has no timestamps: image sequences (25 when
            not given) and raw streams (what the stream states, else 25).
        start_s: Leave out frames before this time; seconds from the source's first frame.
        end_s: Leave out frames at this time and after.
        every: Give the source's frames 1, 1 + every, 1 + 2 * every, ...
        max_frames: Give at most so many.

    Raises:
        InputError: It is missing, unreadable, empty, or holds nothing that can be decoded.
        ConfigError: A number is out of range.
    """
    window = _Window(start_s, end_s, every, max_frames)
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise ConfigError(f"frame_rate: expected frames a second above 0, got {frame_rate}")
    warnings: list[str] = []

    def tell(text: str) -> None:
        warnings.append(text)
        warn(text)

    source: Source
    if readable(path).is_dir():
        source = ImageSource(path, _images_in(path), frame_rate, tell)
    elif _kind(path) == "image":
        source = ImageSource(path, [path], frame_rate, tell)
    else:
        source = VideoSource(path, frame_rate, tell)
    return Reader(source, window, warnings)


def find_sources(paths: Sequence[Path], *, want: Literal["images", "video"]) -> list[Path]:
    """The media files that files, folders and lists stand for, in order, each once.

    A folder gives what lies directly in it in natural order (frame2 before frame10), by file name
    alone; hidden files are left out. A ``.txt`` file is a list: one path a line, seen from the
    list's folder or else from the current one; empty lines and lines after # do not count.

    Args:
        paths: Files, folders and lists.
        want: "images" gives image files, those of folders one by one. "video" gives videos,
            GIFs and single images; a folder gives its videos, or, when it has only images,
            itself: a sequence.

    Raises:
        InputError: Something is missing, unreadable, of the other kind, or has nothing wanted.
    """
    if not paths:
        raise InputError("no source given", hint="name a file or folder with --source")
    found: dict[Path, Path] = {}
    for path in chain.from_iterable(_listed(path) for path in paths):
        for source in _folder(path, want) if readable(path).is_dir() else [_file(path, want)]:
            found.setdefault(source.resolve(), _in_unicode(source))
    return list(found.values())


def _in_unicode(path: Path) -> Path:
    """The same path, once it is known that results can name it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{str(path)!a}: the name is not valid UTF-8", hint="rename the file"
        ) from error
    return path


def _listed(path: Path) -> list[Path]:
    """The lines of a list of paths, or the path itself when it is none."""
    if path.suffix.lower() != ".txt" or not readable(path).is_file():
        return [path]
    entries = []
    for number, line in list_lines(path):
        beside = path.parent / line
        entry = beside if beside.exists() else Path(line)
        if not entry.exists():
            raise InputError(f"{entry}: no such file or folder", hint=f"see {path}, line {number}")
        entries.append(entry)
    return entries


def list_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a list that name something, each with its number from 1; at least one.

    Empty lines and lines after # do not count.

    Raises:
        InputError: It is no text in UTF-8, or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a list of paths in UTF-8, one a line") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    naming = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not naming:
        raise InputError(f"{path}: expected a list of paths, found none")
    return naming


def _file(path: Path, want: Literal["images", "video"]) -> Path:
    if want == "images" and _kind(path) == "video":
        raise InputError(
            f"{path}: expected an image, found a video",
            hint=f"use: run.py object video --source {path}",
        )
    _kind(path)
    return path


def _folder(folder: Path, want: Literal["images", "video"]) -> list[Path]:
    kinds = _media_in(folder)
    images = [path for path, kind in kinds.items() if kind == "image"]
    videos = [path for path, kind in kinds.items() if kind == "video"]
    if want == "video" and (videos or images):
        return videos or [folder]
    if want == "images" and images:
        return images
    wanted = "images" if want == "images" else "videos or images"
    instead = f"found {len(videos)} videos" if videos else f"found none in {len(kinds)} files"
    hint = "name a folder that has some; folders inside it are not searched"
    if videos:
        hint = f"use: run.py object video --source {folder}"
    raise InputError(f"{folder}: expected {wanted} in this folder, {instead}", hint=hint)


def _images_in(folder: Path) -> list[Path]:
    if _folder(folder, "video") != [folder]:
        raise InputError(
            f"{folder}: expected a folder of images, found videos in it",
            hint="name one of its files",
        )
    return _folder(folder, "images")


def _media_in(folder: Path) -> dict[Path, Literal["image", "video"] | None]:
    """The files of a folder in natural order, each with what its name says it is."""
    try:
        files = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file()]
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from error
    return {
        path: _named_kind(path) for path in sorted(files, key=lambda path: natural_order(path.name))
    }


def _named_kind(path: Path) -> Literal["image", "video"] | None:
    if path.name.lower().endswith(IMAGE_SUFFIXES):
        return "image"
    if _VIDEO_NAMES.fullmatch(path.name):
        return "video"
    suffix = path.suffix.lower()
    if suffix in ("", ".gif"):
        with suppress(InputError):
            return _kind(path)
    return "video" if suffix == ".gif" else None


def natural_order(name: str) -> tuple[list[str | int], str]:
    """What to sort names by so that frame2 comes before frame10.

    >>> sorted(["b1", "a10", "a2"], key=natural_order)
    ['a2', 'a10', 'b1']
    """
    parts: list[str | int] = list(_NUMBERS.split(name.casefold()))
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def _kind(path: Path) -> Literal["image", "video"]:
    """What the content of a file is; a GIF that moves is video, one that does not an image.

    Raises:
        InputError: It is missing, unreadable, empty, or neither.
    """
    if not readable(path).is_file():
        raise InputError(f"{path}: expected an image or video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    if path.suffix.lower() not in (".mjpeg", ".mjpg"):  # each of their frames is a JPEG
        with suppress(UnidentifiedImageError), open_picture(path) as picture:
            moving = picture.format == "GIF" and bool(getattr(picture, "is_animated", False))
            return "video" if moving else "image"
    with open_container(path) as container:
        video_stream(path, container)
    return "video"
