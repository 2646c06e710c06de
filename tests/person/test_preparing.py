"""Pictures in the size of a network; against Pillow and OpenCV they are in test_encoder.py."""

import numpy as np
import pytest

from everyid.errors import ShapeError
from person.preparing import fitted


@pytest.mark.parametrize("way", ["bilinear", "bicubic", "linear"])
def test_a_picture_comes_in_the_wanted_size(way):
    picture = np.full((50, 20, 3), (1, 128, 255), np.uint8)
    found = fitted(picture, (16, 8), way)
    assert found.shape == (16, 8, 3)
    assert (found == (1, 128, 255)).all()
    assert fitted(found, (16, 8), way) is found


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ShapeError, match=r"^crop: expected uint8 \(H, W, 3\), got "):
        fitted(wrong, (16, 8), "linear")
