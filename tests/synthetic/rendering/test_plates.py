"""Places: where the camera sees them, lit and shaded, under the sky."""

import numpy as np
import pytest

from synthetic.rendering.camera import Camera
from synthetic.rendering.figures import figure_bounds
from synthetic.seeds import generator
from tests.synthetic.rendering.scene import (
    CLOUDS,
    CRATE,
    GROUND,
    PLACE,
    SIZE,
    SUN,
    WHITE,
    camera,
    extent,
)


@pytest.mark.parametrize("k1", [0.0, -0.15, 0.1])
def test_a_plate_has_things_where_the_camera_sees_them(renderer, k1):
    seen = camera(k1)
    plate = renderer.plate(PLACE, WHITE, seen, CLOUDS)
    expected = figure_bounds(CRATE.positions, np.eye(4), seen)
    covered = (plate.ground == 0) & np.isfinite(plate.distance_m)
    left, top, right, _ = extent(covered)
    np.testing.assert_allclose((left, top, right), expected[:3], atol=1.01)
    points = generator(1, "ground").uniform((-3, -3), (3, 3), (50, 2))
    pixels, depth = seen.project(np.column_stack([points, np.zeros(50)]))
    columns, rows = np.floor(pixels).astype(int).T
    inside = (columns >= 0) & (columns < SIZE[0]) & (rows >= 0) & (rows < SIZE[1])
    open_ground = [
        (plate.distance_m[row, column], away)
        for row, column, away in zip(rows[inside], columns[inside], depth[inside], strict=True)
        if plate.ground[row, column]
    ]
    measured, exact = np.array(open_ground).T
    np.testing.assert_allclose(measured, exact, rtol=0.01)


def test_the_sky_is_far_away_and_the_ground_is_lit(renderer):
    level = Camera("c1", (0.0, -6.0, 2.0), 90.0, 0.0, 0.0, 260.0, SIZE)
    plate = renderer.plate(GROUND, WHITE, level, SUN)
    assert np.isinf(plate.distance_m[:100]).all()
    assert (plate.sunlit[:100] == 1).all()
    np.testing.assert_allclose(plate.rgb[:60].mean((0, 1)), 0.3, atol=0.05)
    np.testing.assert_allclose(plate.rgb[200, 20], 0.8 * 0.8 + 0.3, atol=0.02)


def test_what_stands_in_the_place_casts_shadows(renderer):
    seen = camera(high=7.0)
    plate = renderer.plate(PLACE, WHITE, seen, SUN)
    pixels = seen.project([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])[0].astype(int)
    shaded, sunny = (plate.sunlit[y, x] for x, y in pixels)
    assert shaded < 0.1
    assert sunny > 0.9
    dark, bright = (plate.rgb[y, x].mean() for x, y in pixels)
    assert dark < 0.4 * bright
