"""Figures: where the camera sees them, lit from where the light is, with their shadows."""

from dataclasses import replace

import numpy as np
import pytest

from synthetic.rendering.figures import figure_bounds
from synthetic.rendering.mesh import vertex_normals
from synthetic.rendering.shots import Light, Shot
from tests.synthetic.rendering.scene import (
    CLOUDS,
    EGG,
    PILLAR,
    SIZE,
    SUN,
    at,
    camera,
    extent,
    shot,
)


@pytest.mark.parametrize("k1", [0.0, -0.15, 0.1])
def test_a_figure_is_where_the_camera_sees_it(renderer, k1):
    for model in (at(0, 0), at(-1.6, -1.0, 70), at(1.9, 2.0, -30)):
        seen = camera(k1)
        layer = renderer.draw([shot(seen, model=model)])[0]
        expected = figure_bounds(PILLAR.positions, model, seen)
        np.testing.assert_allclose(extent(layer.cover > 0), expected, atol=1)


def test_a_window_is_a_part_of_the_picture_at_its_own_scale(renderer):
    seen = camera(-0.1)
    left, top, right, bottom = figure_bounds(PILLAR.positions, at(0, 0), seen)
    window = (left - 10.5, top - 4, right + 10.5, bottom + 4)
    layer = renderer.draw([shot(seen, window=window, size=(64, 128))])[0]
    scale = np.array((64 / (window[2] - window[0]), 128 / (window[3] - window[1])))
    expected = ((np.array([(left, top), (right, bottom)]) - window[:2]) * scale).ravel()
    np.testing.assert_allclose(extent(layer.cover > 0), expected, atol=1)


def test_a_window_may_reach_beyond_the_picture(renderer):
    window = (-200.0, -100.0, 440.0, 380.0)
    layer = renderer.draw([shot(camera(), window=window, size=(640, 480))])[0]
    within = renderer.draw([shot(camera())])[0]
    np.testing.assert_array_equal(layer.cover[100:340, 200:520], within.cover)


def test_what_is_behind_the_camera_is_not_drawn(renderer):
    layer = renderer.draw([shot(camera(), model=at(0, -20))])[0]
    assert layer.cover.max() == 0
    assert layer.rgb.max() == 0


def test_cover_is_the_share_of_a_pixel(renderer):
    seen = camera(high=2.0)
    fine_layer = renderer.draw([shot(seen, size=(1280, 960))])[0]
    layer = renderer.draw([shot(seen)])[0]
    assert set(np.unique(layer.cover)) == {0, 0.25, 0.5, 0.75, 1}
    assert layer.cover.sum() == pytest.approx(fine_layer.cover.sum() / 16, rel=0.01)
    assert layer.rgb[layer.cover == 0].max() == 0


def test_sides_are_lit_as_the_light_says(renderer):
    upright = camera(high=9.0)
    layer = renderer.draw([shot(upright, model=at(0, 0, 0), light=CLOUDS)])[0]
    top = upright.project([[0.0, 0.0, 1.7]])[0].astype(int)[0]
    np.testing.assert_allclose(layer.rgb[top[1], top[0]], 0.8, atol=0.02)
    dark = Light(SUN.direction, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert renderer.draw([shot(upright, light=dark)])[0].rgb.max() == 0


def test_light_above_white_is_kept(renderer):
    bright = Light((0.0, 0.0, 1.0), (2.0, 1.5, 0.5), (0.5, 0.5, 0.5), (0.1, 0.1, 0.1))
    high = camera(high=9.0)
    layer = renderer.draw([shot(high, model=at(0, 0, 0), light=bright)])[0]
    x, y = high.project([[0.0, 0.0, 1.7]])[0].astype(int)[0]
    np.testing.assert_allclose(layer.rgb[y, x], (2.5, 2.0, 1.0), rtol=0.03)


def test_textures_are_srgb_and_chosen_by_layer(renderer):
    textures = np.zeros((2, 8, 8, 3), np.uint8)
    textures[1] = (188, 64, 255)
    second = PILLAR.uvs.copy()
    second[:, 2] = 1
    seen = camera(high=9.0)
    drawn = Shot(
        PILLAR.positions, PILLAR.normals, second, PILLAR.faces, textures, at(0, 0, 0), seen,
        (0, 0, *SIZE), SIZE, CLOUDS,
    )  # fmt: skip
    x, y = seen.project([[0.0, 0.0, 1.7]])[0].astype(int)[0]
    expected = 0.8 * np.array([0.503, 0.0513, 1.0])
    np.testing.assert_allclose(renderer.draw([drawn])[0].rgb[y, x], expected, atol=0.015)


def test_the_shadow_falls_away_from_the_sun(renderer):
    seen = camera(high=7.0)
    layer = renderer.draw([shot(seen, model=at(0, 0, 0))])[0]
    tip = seen.project([[-0.25 - 1.2, 0.0, 0.0]])[0][0]  # 1.7 m high, the sun at 53 degrees
    across, down = tip.astype(int)
    assert layer.shade[down, across + 12] > 0.4
    assert layer.shade[down, across - 12] < 0.05
    sunward = seen.project([[0.8, 0.0, 0.0]])[0].astype(int)[0]
    assert layer.shade[sunward[1], sunward[0]] < 0.05
    strength = 0.8 * 0.8 / (0.8 * 0.8 + 0.7 * 0.3)
    assert layer.shade.max() == pytest.approx(strength, abs=0.02)


def test_under_clouds_there_is_a_soft_shadow_around_the_feet(renderer):
    seen = camera(high=7.0)
    normals = vertex_normals(EGG, PILLAR.faces)
    egg = replace(shot(seen, light=CLOUDS), positions=EGG, normals=normals)
    layer = renderer.draw([egg])[0]
    assert 0.1 < layer.shade[layer.cover < 0.1].max() < 0.9
    away = seen.project([[-1.2, 0.0, 0.0], [1.2, 0.0, 0.0]])[0].astype(int)
    assert (layer.shade[away[:, 1], away[:, 0]] < 0.02).all()


def test_a_shot_may_have_no_shadow(renderer):
    assert renderer.draw([shot(camera(), shadow=False)])[0].shade.max() == 0


def test_many_at_once_are_as_one_by_one(renderer):
    seen = camera(-0.1)
    sizes = [(40, 90), (128, 256), (64, 128), (700, 500), (33, 71)]
    shots = [
        shot(seen, model=at(0.4 * k - 1, 0, 40 * k), size=sizes[k % 5], window=(60, 20, 260, 220))
        for k in range(25)
    ]
    together = renderer.draw(shots)
    for one, layer in zip(shots, together, strict=True):
        alone = renderer.draw([one])[0]
        assert layer.cover.shape == one.size_wh[::-1]
        for name in ("rgb", "cover", "shade"):
            np.testing.assert_array_equal(getattr(layer, name), getattr(alone, name))
    assert renderer.draw([]) == []


def test_more_figures_than_are_kept_are_drawn_right(renderer):
    before = renderer.draw([shot(camera())])[0].rgb
    for value in range(40):
        renderer.draw([shot(camera(), textures=np.full((1, 4, 4, 3), value, np.uint8))])
    np.testing.assert_array_equal(renderer.draw([shot(camera())])[0].rgb, before)


def test_bounds_include_the_shadow_and_end_at_the_lens():
    seen = camera()
    alone = figure_bounds(PILLAR.positions, at(0, 0), seen)
    both = figure_bounds(PILLAR.positions, at(0, 0), seen, light=SUN)
    assert both[0] < alone[0] - 10
    assert both[2] == pytest.approx(alone[2], abs=8)
    assert figure_bounds(PILLAR.positions, at(0.5, -7), seen) is None
