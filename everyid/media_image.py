"""Still pictures: one image, or a folder of them as a sequence, through Pillow."""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError

from everyid.errors import InputError
from everyid.output import notice, readable
from everyid.protocols import Image

__all__ = ["ImageSource", "Pending", "Source", "SourceInfo", "Tell", "open_picture", "read_image"]

DEFAULT_RATE = 25.0
_MOST_PIXELS = 178_956_970
"""Pixels of the largest picture that is opened: where Pillow itself refuses."""
# Pillow warns from half of where it refuses. Warnings cannot be filtered for one thread alone and
# nobody can act on this one, so the place it starts from moves up to where a picture is refused.
Picture.MAX_IMAGE_PIXELS = _MOST_PIXELS
_BOMBS = (Picture.DecompressionBombError, Picture.DecompressionBombWarning)
# Without EPS and WMF, which run other programs, and MPEG, which is video.
_PICTURES = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "TGA")
_ORIENTATION_TAG = 0x0112
_SMALL_BYTES, _HEAD_BYTES, _SMALL_PIXELS = 1 << 20, 4096, 1 << 20
"""Of JPEG files that take the quick way."""
_open = Picture.open  # ultralytics replaces it by one that wants a package of its own

Tell = Callable[[str], None]
"""Takes one warning."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before it is read.

    Args:
        path: As given.
        kind: One image, a folder of images as a sequence, or video (also GIF and raw streams).
        size_hw: Height and width of the first frame, after rotation.
        frame_rate: Average or stated frames a second, above 0.
        frame_count: Estimate, or None when nothing says.
        duration_s: Estimate in seconds, or None.
    """

    path: Path
    kind: Literal["image", "images", "video"]
    size_hw: tuple[int, int]
    frame_rate: float
    frame_count: int | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A frame that is numbered and timed; ``load`` makes the picture, or None when it is lost."""

    number: int
    timestamp: float
    load: Callable[[], Image | None]
    path: Path | None = None


class Source(Protocol):
    """What a reader reads from, in its thread."""

    info: SourceInfo

    def frames(self, start_s: float, stopped: Callable[[], bool]) -> Iterator[Pending]:
        """All frames in order; those before ``start_s`` may be left out."""

    def close(self) -> None:
        """Lets go of the file."""


def open_picture(path: Path) -> Picture.Image:
    """The picture, its header read and its pixels not.

    Raises:
        InputError: Too many pixels, or the file cannot be read.
        UnidentifiedImageError: Not a picture.
    """
    try:
        picture = _open(path, formats=_PICTURES)
        if picture.width * picture.height <= _MOST_PIXELS:
            return picture
        picture.close()
    except UnidentifiedImageError:
        raise
    except _BOMBS as error:
        raise InputError(_too_large(path)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: the image is damaged: {error}") from error
    raise InputError(_too_large(path))


def _too_large(path: Path) -> str:
    return f"{path}: the picture claims more than {_MOST_PIXELS // 1_000_000} megapixels"


def read_image(path: Path) -> Image:
    """uint8 (H, W, 3), BGR: the picture of a file, upright as its EXIF data says.

    16-bit values are scaled to 8 bits, grey and palettes become colour, and transparent parts
    show white, as in a browser and as FFmpeg decodes GIF. Of an animation, the first frame.

    Args:
        path: An image in one of the common formats; its content decides which.

    Raises:
        InputError: It is missing, unreadable, damaged, too large, or not an image.
    """
    if readable(path).is_dir():
        raise InputError(f"{path}: expected an image file, found a folder")
    try:
        quick = _plain_jpeg(path)
        if quick is not None:
            return quick
        with open_picture(path) as picture:
            rgb = _rgb(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image that can be decoded") from error
    except _BOMBS as error:
        raise InputError(_too_large(path)) from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: the image is damaged: {error}") from error
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _plain_jpeg(path: Path) -> Image | None:
    """The picture of a small JPEG file that is whole and as nearly all are; None: ask Pillow.

    OpenCV gives the same pixels in half the time, and what Pillow does in Python for each file
    stops all other threads.
    """
    with path.open("rb") as file:
        data = file.read(_SMALL_BYTES)
    head, size = data[:_HEAD_BYTES], len(data)
    if size == _SMALL_BYTES or not head.startswith(b"\xff\xd8\xff") or data[-2:] != b"\xff\xd9":
        return None
    # Only these parts say how a picture is turned, or that its colours are not YCbCr.
    if b"Exif" in head or b"Adobe" in head or _jpeg_pixels(data) > _SMALL_PIXELS:
        return None
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if picture is None else np.asarray(picture, np.uint8)


def _jpeg_pixels(data: bytes) -> float:
    """How many pixels a JPEG file claims; infinity where it does not say or has other colours."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        if 0xC0 <= data[place + 1] <= 0xC2:  # baseline, extended or progressive
            height, width, channels = struct.unpack_from(">HHB", data, place + 5)
            return float(height * width) if channels in (1, 3) else math.inf
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return math.inf


def _rgb(picture: Picture.Image) -> Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, np.float64)
        finite = np.nan_to_num(values, nan=0.0, posinf=65535.0, neginf=0.0)
        unit = picture.mode == "F" and finite.size > 0 and float(finite.max()) <= 1.0
        scale = 255.0 if unit else (1.0 if picture.mode == "F" else 255.0 / 65535.0)
        grey = np.clip(np.rint(finite * scale), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Picture.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = Picture.alpha_composite(white, layer)
    return np.asarray(picture.convert("RGB"), np.uint8)


class ImageSource:
    """One image, or the images of a folder in order.

    Args:
        path: What was asked for: the image or the folder.
        files: The images, at least one.
        frame_rate: Frames a second, or None for 25.
        tell: Takes the warnings.

    Raises:
        InputError: No image has a header that can be read.
    """

    def __init__(self, path: Path, files: list[Path], frame_rate: float | None, tell: Tell) -> None:
        self._files = files
        self._tell = tell
        self._single = files == [path]
        self._lost: list[str] = []
        self._read = 0
        rate = frame_rate or DEFAULT_RATE
        if frame_rate is None and not self._single:
            notice(f"{path}: images carry no times; {rate:g} frames/s is assumed")
        self.info = SourceInfo(
            path=path,
            kind="image" if self._single else "images",
            size_hw=self._first_size(path),
            frame_rate=rate,
            frame_count=len(files),
            duration_s=None if self._single else len(files) / rate,
        )

    def _first_size(self, path: Path) -> tuple[int, int]:
        reason: Exception | None = None
        for file in self._files:
            try:
                with open_picture(file) as picture:
                    turned = picture.getexif().get(_ORIENTATION_TAG, 1) >= 5
                    return picture.size if turned else (picture.height, picture.width)
            except (InputError, OSError, ValueError, SyntaxError) as error:
                reason = error
        raise InputError(f"{path}: none of {len(self._files)} images can be decoded") from reason

    def frames(self, start_s: float, stopped: Callable[[], bool]) -> Iterator[Pending]:
        """All frames in order.

        Raises:
            InputError: The one image, or all images that were asked for, cannot be decoded.
        """
        try:
            for index, file in enumerate(self._files):
                time_s = index / self.info.frame_rate
                yield Pending(index + 1, time_s, partial(self._load, file), file)
        finally:
            self._report()
        if self._lost and not self._read:
            raise InputError(f"{self.info.path}: none of {len(self._lost)} images can be decoded")

    def _load(self, file: Path) -> Image | None:
        try:
            image = read_image(file)
        except InputError:
            if self._single:
                raise
            self._lost.append(file.name)
            return None
        self._read += 1
        return image

    def _report(self) -> None:
        if not self._lost:
            return
        names = ", ".join(self._lost[:5])
        more = f" and {len(self._lost) - 5} more" if len(self._lost) > 5 else ""
        self._tell(
            f"{self.info.path.name}: {len(self._lost)} of {len(self._files)} images cannot be "
            f"decoded and were skipped: {names}{more}"
        )

    def close(self) -> None:
        """Nothing: each image is opened and closed when it is read."""
