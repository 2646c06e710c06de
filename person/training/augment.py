"""Crops changed at random for training, and the same crops unchanged for validation."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from everyid.protocols import Image
from person.training.recipe import Augmentation

__all__ = ["augmented", "plain"]

_LUMA = (0.114, 0.587, 0.299)
"""Part of blue, green and red in brightness, ITU-R BT.601."""
_FAR = (0.2, 0.7)
"""Size of a person seen from afar, part of the network's input; uniform."""
_BLUR = (0.002, 0.008)
"""Standard deviation of a blur, part of the height; uniform."""
_ASPECT = 0.3
"""Height to width of an erased rectangle: from this to 1 / this, uniform in the logarithm."""


def augmented(
    crop: Image,
    *,
    size_hw: tuple[int, int],
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> Image:
    """uint8 (H, W, 3), BGR, 0-255: the crop in another size, changed at random.

    In this order: resized, mirrored, seen from afar (shrunk and enlarged), moved with the border
    repeated, other colours, blurred, one rectangle erased: filled with one colour or with noise.

    Args:
        crop: uint8 (h, w, 3), BGR, 0-255, of any size; it is not changed.
        size_hw: H and W.
        augmentation: What happens how often, and how strongly.
        generator: Where all chance comes from.

    Source: erasing: Zhong et al., Random Erasing Data Augmentation (2017), section 3.2; the
        rectangle is made to fit where the paper draws again.
    """
    image: NDArray[Any] = _resized(crop, size_hw)
    if generator.random() < augmentation.flip:
        image = cv2.flip(image, 1)
    if generator.random() < augmentation.small:
        image = _from_afar(image, generator)
    image = _moved(image, augmentation.pad, generator)
    image = cv2.transform(image, _colour_matrix(image, augmentation, generator))
    if generator.random() < augmentation.blur:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(*_BLUR) * size_hw[0])
    if generator.random() < augmentation.erase:
        least, most = augmentation.erase_least, augmentation.erase_most
        _erase(image, generator.uniform(least, most), generator)
    return np.asarray(image, np.uint8)


def plain(crop: Image, *, size_hw: tuple[int, int]) -> Image:
    """uint8 (H, W, 3), BGR, 0-255: the crop resized as an encoder resizes it, Pillow bilinear.

    Args:
        crop: uint8 (h, w, 3), BGR, 0-255, of any size; given back where the size is right.
        size_hw: H and W.
    """
    if crop.shape[:2] == size_hw:
        return crop
    height, width = size_hw
    picture = Pillow.fromarray(np.ascontiguousarray(crop))
    return np.asarray(picture.resize((width, height), Pillow.Resampling.BILINEAR), np.uint8)


def _resized(crop: Image, size_hw: tuple[int, int]) -> Image:
    """The crop in that size: halved while twice too large, then linear.

    INTER_AREA takes 7 times as long where the sizes are no multiples, Pillow 14 times; linear
    alone leaves out pixels when it shrinks to less than half.
    """
    height, width = size_hw
    while crop.shape[0] >= 2 * height and crop.shape[1] >= 2 * width:
        half_height, half_width = crop.shape[0] // 2, crop.shape[1] // 2
        even = crop[: 2 * half_height, : 2 * half_width]
        crop = _scaled(even, (half_height, half_width), cv2.INTER_AREA)
    return crop if crop.shape[:2] == size_hw else _scaled(crop, size_hw, cv2.INTER_LINEAR)


def _scaled(image: Image, size_hw: tuple[int, int], way: int) -> Image:
    return np.asarray(cv2.resize(image, size_hw[::-1], interpolation=way), np.uint8)


def _from_afar(image: Image, generator: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    part = generator.uniform(*_FAR)
    few = max(1, round(height * part)), max(1, round(width * part))
    return _scaled(_resized(image, few), (height, width), cv2.INTER_LINEAR)


def _moved(image: Image, pad: float, generator: np.random.Generator) -> Image:
    """The image moved by up to ``pad`` of its size each way; its border fills what gets free."""
    height, width = image.shape[:2]
    down, right = (
        int(generator.integers(-most, most, endpoint=True))
        for most in (round(pad * height), round(pad * width))
    )
    kept = image[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    sides = max(0, down), max(0, -down), max(0, right), max(0, -right)
    return np.asarray(cv2.copyMakeBorder(kept, *sides, cv2.BORDER_REPLICATE), np.uint8)


def _colour_matrix(
    image: Image, augmentation: Augmentation, generator: np.random.Generator
) -> NDArray[np.float32]:
    """float32 (3, 4), BGR to BGR: gain, contrast about the mean, and what is added; grey or not.

    OpenCV applies a matrix in a sixth of the time that a table of 256 levels takes.
    """
    means = cv2.mean(image)[:3]
    grey = generator.random() < augmentation.grey
    mean = (
        sum(part * value for part, value in zip(_LUMA, means, strict=True))
        if grey
        else sum(means) / 3
    )
    brightness, contrast, *colours, shift = generator.standard_normal(6).tolist()
    spread = math.exp(augmentation.contrast * contrast)
    matrix = np.zeros((3, 4), np.float32)
    # With numbers alone: numpy takes longer over three of them than OpenCV over the picture.
    for channel, colour in enumerate(colours):
        gain = math.exp(augmentation.brightness * brightness + augmentation.colour * colour)
        if grey:
            matrix[channel, :3] = [gain * spread * part for part in _LUMA]
        else:
            matrix[channel, channel] = gain * spread
        matrix[channel, 3] = gain * (1 - spread) * mean + augmentation.shift * shift
    return matrix


def _erase(image: NDArray[Any], area: float, generator: np.random.Generator) -> None:
    """Fills a rectangle of that part of the area, in place."""
    height, width = image.shape[:2]
    aspect = math.exp(generator.uniform(math.log(_ASPECT), -math.log(_ASPECT)))
    pixels = max(1.0, area * height * width)
    wide = min(math.sqrt(pixels / aspect), width)
    high = min(pixels / wide, height)
    shape = max(1, round(high)), max(1, round(min(pixels / high, width)))
    top = int(generator.integers(height - shape[0], endpoint=True))
    left = int(generator.integers(width - shape[1], endpoint=True))
    noise = generator.random() < 0.5
    filling = generator.integers(0, 256, (*shape, 3) if noise else 3, np.uint8)
    image[top : top + shape[0], left : left + shape[1]] = filling
