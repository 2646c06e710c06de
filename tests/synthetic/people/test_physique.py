from itertools import pairwise

import numpy as np
import pytest

from synthetic.people.appearance import Colour
from synthetic.people.physique import another_body, draw_hair, draw_physique


@pytest.mark.parametrize("seed", range(10))
def test_another_body_differs_in_its_form_only(seed):
    generator = np.random.default_rng(seed)
    body = draw_physique(generator)
    build, phenotype = another_body(generator, body.phenotype, body.build)
    assert build != body.build
    assert "medium" in (build, body.build)
    assert phenotype["weight"] != body.phenotype["weight"]
    for name in ("gender", "age", "height", "african", "asian", "caucasian"):
        assert phenotype[name] == body.phenotype[name]


def test_skin_darkens_with_its_tone():
    bodies = [draw_physique(np.random.default_rng(seed)) for seed in range(400)]
    brightness = [
        [sum(body.skin.srgb) for body in bodies if body.skin_tone == tone]
        for tone in ("light", "tan", "brown", "dark")
    ]
    for lighter, darker in pairwise(brightness):
        assert min(lighter) > max(darker)
    assert all(body.skin.name == body.skin_tone for body in bodies)


def test_children_are_not_bald():
    generator = np.random.default_rng(1)
    brown = Colour("brown", (0.3, 0.2, 0.1))
    styles = {draw_hair(generator, "male", "child", brown).style for _ in range(300)}
    assert "bald" not in styles
    assert "short" in styles
