"""Media files for the tests, made when they run."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    """A smooth colour picture, uint8 (H, W, 3), BGR."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width)[None]
    image[..., 1] = np.linspace(255, 0, height)[:, None]
    image[..., 2] = 128
    return image


def shade(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A grey picture whose level tells its frame number (4 levels a frame, modulo 50)."""
    return np.full((height, width, 3), 20 + 4 * (number % 50), np.uint8)


def level(image: NDArray[np.uint8]) -> int:
    """The frame number, modulo 50, that ``shade`` put in."""
    return round((float(image.mean()) - 20) / 4)


def make_video(  # noqa: PLR0913
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    times_ms: Sequence[int] | None = None,
    rate: int = 25,
    codec: str = "libx264",
    container_format: str | None = None,
    rotation: tuple[float, bool] | None = None,
    gop: int = 12,
    frames_between: int = 2,
    pixels: str = "yuv420p",
) -> Path:
    """Encodes the pictures, by default at a constant rate, and gives back the path."""
    height, width = images[0].shape[:2]
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", format=container_format, options=options) as container:
        own = {"crf": "10", "bf": str(frames_between), "g": str(gop), "sc_threshold": "0"}
        stream = container.add_stream(codec, rate=rate, options=own if "264" in codec else {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
                format=pixels, interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND
            )
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = Fraction(1, rate if times_ms is None else 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_sound(path: Path) -> Path:
    """A second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
