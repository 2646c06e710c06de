"""People put into the world."""

import numpy as np
import pytest

from synthetic.placing import light_at, placement
from synthetic.rendering.camera import Camera
from synthetic.rendering.renderer import Light


@pytest.mark.parametrize(
    ("heading_deg", "forwards"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))]
)
def test_a_figure_that_faces_minus_y_is_turned_to_its_heading(heading_deg, forwards):
    matrix = placement((3.0, 4.0), heading_deg)
    assert np.allclose(matrix @ [0, -1, 0.5, 1], [3 + forwards[0], 4 + forwards[1], 0.5, 1])
    assert np.allclose(matrix @ [0, 0, 0, 1], [3, 4, 0, 1])


def test_in_the_shadow_there_is_less_sun_and_as_much_sky():
    light = Light((0.0, 0.0, 1.0), (1.0, 0.9, 0.8), (0.3, 0.3, 0.4), (0.1, 0.1, 0.1))
    above = Camera("above", (0.0, 0.0, 5.0), 90.0, -90.0, 0.0, 100.0, (200, 200))
    sunlit = np.ones((200, 200), np.float32)
    sunlit[:, :100] = 0.25
    shaded = light_at((-2.0, 0.0), light, above, sunlit)
    assert shaded.sun == pytest.approx((0.25, 0.225, 0.2))
    assert shaded.sky == light.sky
    assert light_at((2.0, 0.0), light, above, sunlit) == light
    assert light_at((-50.0, 0.0), light, above, sunlit) == shaded, "the nearest pixel"


def test_behind_the_camera_it_is_as_bright_as_anywhere():
    light = Light((0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (0.3, 0.3, 0.3), (0.1, 0.1, 0.1))
    level = Camera("level", (0.0, 0.0, 2.0), 90.0, 0.0, 0.0, 100.0, (200, 200))
    assert light_at((0.0, -3.0), light, level, np.zeros((200, 200), np.float32)) == light
