"""What the commands run on when no source is named: pictures of people inside ultralytics.

The pictures belong to the installed ultralytics package and are not part of EveryID; the clip is
made from them at the first use.
"""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from everyid.errors import DependencyError
from everyid.media import VideoWriter, read_image
from everyid.output import notice, whole_file, writing
from everyid.protocols import Image
from everyid.settings import settings

__all__ = ["sample_clip", "sample_images"]

_PICTURES = ("bus.jpg", "zidane.jpg")
_SIZE_HW = (360, 640)
_FRAME_RATE = 25
_SECONDS = 10
_STRIP_HEIGHT = 380
"""Pixels; more than the clip is high, so that the view also moves down a little."""


def sample_images() -> list[Path]:
    """The two pictures of people that the ultralytics package carries.

    Raises:
        DependencyError: They are not there.
    """
    spec = find_spec("ultralytics")
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError("ultralytics is not installed", hint="pip install ultralytics")
    folder = Path(next(iter(spec.submodule_search_locations))) / "assets"
    pictures = [folder / name for name in _PICTURES]
    for picture in pictures:
        if not picture.is_file():
            raise DependencyError(
                f"{picture}: the installed ultralytics has no such sample picture",
                hint="name your own footage with --source",
            )
    return pictures


def sample_clip() -> Path:
    """A 10 s clip, 640x360 at 25 frames/s: one slow pan over both pictures; made once.

    Raises:
        DependencyError: The pictures are not there.
        OutputError: It cannot be written.
    """
    clip = settings().cache_folder / "sample" / "people.mp4"
    if clip.is_file():
        return clip
    notice("making a sample clip from the pictures in the ultralytics package")
    strip = np.concatenate([_at_height(read_image(path)) for path in sample_images()], axis=1)
    with writing(clip):
        clip.parent.mkdir(parents=True, exist_ok=True)
    frames = _SECONDS * _FRAME_RATE
    with (
        whole_file(clip, overwrite=True) as part,
        VideoWriter(part, size_hw=_SIZE_HW, frame_rate=_FRAME_RATE) as writer,
    ):
        for number in range(frames):
            writer.write(_window(strip, number / (frames - 1)), number / _FRAME_RATE)
    return clip


def _at_height(image: Image) -> Image:
    """The picture scaled to the height of the strip."""
    width = round(image.shape[1] * _STRIP_HEIGHT / image.shape[0])
    scaled = cv2.resize(image, (width, _STRIP_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _window(strip: Image, progress: float) -> Image:
    """The part of the strip seen at a time 0-1, in sub-pixel steps: to the right and down."""
    height, width = _SIZE_HW
    eased = (1 - np.cos(np.pi * progress)) / 2
    x, y = eased * (strip.shape[1] - width), eased * (strip.shape[0] - height)
    move = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
    return np.asarray(cv2.warpAffine(strip, move, (width, height)), np.uint8)
