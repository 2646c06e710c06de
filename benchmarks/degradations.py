"""Ways to make pictures of people worse, as cameras and what stands in front of them do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from everyid.protocols import Image

__all__ = ["FAMILIES", "Change", "Family"]

_NOISE, _GREY_LEVEL = 4.0, 128

Change = Callable[[Image, np.random.Generator], Image]
"""Takes uint8 (H, W, 3), BGR, and gives a new one; all chance comes from the generator."""


@dataclass(frozen=True)
class Family:
    """One way to make pictures worse.

    Args:
        name: What is done; in brackets what its levels are.
        changes: Level -> what makes a picture of it.
        rising: Whether each level is worse than the one before, so that a line may join them.
    """

    name: str
    changes: dict[str, Change]
    rising: bool = True


def _swapped(image: Image, _: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def _blurred(image: Image, _: np.random.Generator, *, part: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), part * len(image)), np.uint8)


def _dark(image: Image, generator: np.random.Generator, *, gain: float) -> Image:
    noise = generator.normal(0, _NOISE, image.shape)
    return np.clip(np.rint(image * gain + noise), 0, 255).astype(np.uint8)


def _small(image: Image, _: np.random.Generator, *, height_px: int) -> Image:
    """Never enlarged: what is smaller stays as it is."""
    height, width = image.shape[:2]
    if height <= height_px:
        return image
    size_wh = max(1, round(width * height_px / height)), height_px
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _covered(image: Image, top: float, bottom: float, left: float, right: float) -> Image:
    """Grey between these parts of the height and the width."""
    height, width = image.shape[:2]
    covered = image.copy()
    rows = slice(round(top * height), round(bottom * height))
    covered[rows, round(left * width) : round(right * width)] = _GREY_LEVEL
    return covered


def _without_feet(image: Image, _: np.random.Generator) -> Image:
    return _covered(image, 2 / 3, 1, 0, 1)


def _without_left(image: Image, _: np.random.Generator) -> Image:
    return _covered(image, 0, 1, 0, 0.5)


def _without_some(image: Image, generator: np.random.Generator) -> Image:
    area = generator.uniform(0.2, 0.5)
    high = generator.uniform(area, 1)
    wide = area / high
    top, left = generator.uniform(0, 1 - high), generator.uniform(0, 1 - wide)
    return _covered(image, top, top + high, left, left + wide)


def _as_jpeg(image: Image, _: np.random.Generator, *, quality: int) -> Image:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


FAMILIES = (
    Family("colour order", {"swapped": _swapped}),
    Family(
        "blur (sigma, part of the height)",
        {f"{100 * part:g} %": partial(_blurred, part=part) for part in (0.005, 0.01, 0.02, 0.04)},
    ),
    Family(
        "darkness (gain; noise of 4 levels)",
        {f"{gain:g}": partial(_dark, gain=gain) for gain in (0.5, 0.25, 0.12)},
    ),
    Family(
        "small (height)",
        {f"{height} px": partial(_small, height_px=height) for height in (64, 48, 32, 24)},
    ),
    Family(
        "covered by grey",
        {
            "lowest third": _without_feet,
            "left half": _without_left,
            "20-50 % anywhere": _without_some,
        },
        rising=False,
    ),
    Family("JPEG (quality)", {"10": partial(_as_jpeg, quality=10)}),
)
"""All that is done to pictures."""
