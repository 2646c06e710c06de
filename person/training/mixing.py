"""Pictures of people nobody has seen, made of those of a batch, for a teacher to talk about.

A student that sees only the pictures there are learns what the teacher says of them; one that sees
what can be made of them learns what the teacher does. What is made need not look real, for the
teacher is asked about it as it is.

Source: Beyer et al., "Knowledge Distillation: A Good Teacher is Patient and Consistent" (2022),
section 3: the same changed picture for both, mixed ones among them; blending: Zhang et al., "mixup"
(2018); halves: Yun et al., "CutMix" (2019), here along the height of a body.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.protocols import Image

__all__ = ["mixed"]

_BLEND = (0.3, 0.7)
"""Part of the first of two pictures that are blended."""
_CUT = (0.3, 0.7)
"""Where one body ends and another begins, part of the height."""
_LEAST_PART = 0.35
"""The smallest part of height and width that is still seen."""
_COLOUR_STD = 0.35
"""Of what is added to each number of a matrix that makes other colours."""


def mixed(
    images: NDArray[np.uint8], *, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """int64 (M,), rising: which images of a batch became others.

    Each is blended with another, gets the legs of another, is cut to a part of itself, or has its
    colours changed: one of the four, by chance.

    Args:
        images: uint8 (B, H, W, 3), BGR, 0-255; changed in place.
        share: How many of them change, 0-1, on average.
        generator: Of all that is drawn.
    """
    before = images.copy()
    rows = np.flatnonzero(generator.random(len(images)) < share)
    for row in rows.tolist():
        other = before[generator.integers(len(images))]
        change = (_blended, _joined, _cut, _recoloured)[generator.integers(4)]
        images[row] = change(before[row], other, generator)
    return rows


def _blended(image: Image, other: Image, generator: np.random.Generator) -> Image:
    part = generator.uniform(*_BLEND)
    return np.asarray(cv2.addWeighted(image, part, other, 1 - part, 0), np.uint8)


def _joined(image: Image, other: Image, generator: np.random.Generator) -> Image:
    height = int(generator.uniform(*_CUT) * len(image))
    return np.concatenate([image[:height], other[height:]])


def _cut(image: Image, _: Image, generator: np.random.Generator) -> Image:
    """A part of the picture, enlarged: half a body, as at the edge of a frame."""
    height, width = image.shape[:2]
    part_height = int(generator.uniform(_LEAST_PART, 1) * height)
    part_width = int(generator.uniform(max(_LEAST_PART, part_height / height), 1) * width)
    top = int(generator.integers(height - part_height + 1))
    left = int(generator.integers(width - part_width + 1))
    part = image[top : top + part_height, left : left + part_width]
    return np.asarray(cv2.resize(part, (width, height)), np.uint8)


def _recoloured(image: Image, _: Image, generator: np.random.Generator) -> Image:
    """Each colour from all three, so that one garment's colour moves other than another's."""
    matrix = np.eye(3) + generator.normal(0, _COLOUR_STD, (3, 3))
    matrix /= np.maximum(np.abs(matrix.sum(axis=1, keepdims=True)), 0.3)
    if generator.random() < 0.5:
        matrix = matrix[generator.permutation(3)]
    return np.asarray(cv2.transform(image, matrix), np.uint8)
