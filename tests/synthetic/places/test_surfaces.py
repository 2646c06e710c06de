import numpy as np
import pytest

from synthetic.places import panels, surfaces
from synthetic.places.surfaces import Brush, hsv
from synthetic.seeds import generator

GREY = (0.5, 0.5, 0.5)
SEAMLESS = {
    "asphalt": surfaces.asphalt,
    "concrete": surfaces.concrete,
    "plaster": surfaces.plaster,
    "grass": surfaces.grass,
    "gravel": surfaces.gravel,
    "leaves": surfaces.leaves,
    "paving": lambda brush: surfaces.paving(brush, GREY, cells=(8, 16), shift=0.5),
    "planks": lambda brush: surfaces.planks(brush, GREY),
    "corrugated": lambda brush: surfaces.corrugated(brush, GREY),
    "carpet": lambda brush: surfaces.carpet(brush, GREY),
}
PANELS = {
    "door": lambda brush: panels.door(brush, glazed=True),
    "goods": panels.goods,
    "notices": panels.notices,
    "shutter": panels.shutter,
    "sign": panels.sign,
    "shop": lambda brush: panels.shop_front(brush, surfaces.plaster(brush)),
    "window": lambda brush: panels.window_bay(brush, surfaces.plaster(brush), lit=True),
}


def brush(seed=0):
    return Brush(generator(seed, "paint"))


@pytest.mark.parametrize("name", [*SEAMLESS, *PANELS])
def test_paintings_are_finite_and_muted(name):
    paint = {**SEAMLESS, **PANELS}[name](brush())
    assert paint.shape == (256, 256, 3)
    assert paint.dtype == np.float32
    assert np.isfinite(paint).all()
    assert 0.02 < paint.mean() < 1.0
    assert paint.std() > 0.005
    assert paint.tobytes() == {**SEAMLESS, **PANELS}[name](brush()).tobytes()


@pytest.mark.parametrize("name", sorted(SEAMLESS))
@pytest.mark.parametrize("axis", [0, 1])
def test_materials_repeat_without_a_seam(name, axis):
    paint = SEAMLESS[name](brush()).mean(-1)
    steps = np.abs(np.diff(paint, axis=axis)).mean(1 - axis)
    seam = np.abs(np.take(paint, 0, axis) - np.take(paint, -1, axis)).mean()
    assert seam <= 1.2 * steps.max()


def test_a_stain_leaves_the_border_as_it_was():
    tool = brush()
    clean = surfaces.concrete(tool)
    dirty = surfaces.stained(tool, clean)
    assert np.allclose(clean[0], dirty[0])
    assert np.allclose(clean[:, -1], dirty[:, -1])
    assert np.abs(clean - dirty).max() > 0.01


def test_hsv_is_the_usual_one():
    assert hsv(0, 1, 1) == (1, 0, 0)
    assert hsv(1 / 3, 1, 0.5) == pytest.approx((0, 0.5, 0))
    assert hsv(0.7, 0, 0.4) == pytest.approx((0.4, 0.4, 0.4))


def test_greens_and_purples_are_pale():
    tool = brush()
    drawn = np.array([tool.colour((0.75, 0.85), 0.8, (0.5, 0.9)) for _ in range(50)])
    saturation = 1 - drawn.min(1) / drawn.max(1)
    assert saturation.max() < 0.3
