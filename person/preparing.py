"""Pictures of people in the size that a network takes them."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from everyid.errors import ShapeError
from everyid.protocols import Image

__all__ = ["fitted"]

_PILLOW = {
    "bilinear": Pillow.Resampling.BILINEAR,
    "bicubic": Pillow.Resampling.BICUBIC,
}


def fitted(
    crop: Image, size_hw: tuple[int, int], resize: Literal["bilinear", "bicubic", "linear"]
) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), BGR, 0-255: the crop in a network's size, its sides stretched alike or not.

    Args:
        crop: uint8 (h, w, 3), BGR, 0-255, of any size; in the size that is wanted, it comes back.
        size_hw: The height and width that are wanted.
        resize: As in :class:`everyid.weights_catalogue.InputSpec`.

    Raises:
        ShapeError: It is something else, or has no pixels.
    """
    if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or not crop.size:
        raise ShapeError(f"crop: expected uint8 (H, W, 3), got {crop.dtype} {crop.shape}")
    if crop.shape[:2] == size_hw:
        return crop
    height, width = size_hw
    if resize == "linear":
        resized = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)
    # Pillow treats the three channels alike, so their order does not matter to it.
    picture = Pillow.fromarray(np.ascontiguousarray(crop))
    return np.asarray(picture.resize((width, height), _PILLOW[resize]), np.uint8)
