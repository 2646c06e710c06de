"""Renderers: the same picture from each, also side by side."""

from synthetic.rendering.renderer import Renderer
from tests.synthetic.rendering.scene import PLACE, SUN, WHITE, camera, shot


def drawn_by(renderer: Renderer) -> bytes:
    """All numbers of a figure and of a place."""
    seen = camera(-0.1)
    layer, plate = renderer.draw([shot(seen)])[0], renderer.plate(PLACE, WHITE, seen, SUN)
    parts = (layer.rgb, layer.cover, layer.shade, plate.rgb, plate.distance_m, plate.sunlit)
    return b"".join(part.tobytes() for part in parts)


def test_the_same_bytes_come_again(renderer):
    assert drawn_by(renderer) == drawn_by(renderer)


def test_another_renderer_draws_the_same_bytes_while_the_first_is_open(renderer):
    before = drawn_by(renderer)
    with Renderer() as other:
        assert drawn_by(other) == before
        assert drawn_by(renderer) == before
        assert drawn_by(other) == before
    assert drawn_by(renderer) == before


def test_a_renderer_may_be_entered_again(renderer):
    again = Renderer()
    for _ in range(2):
        with again:
            assert drawn_by(again) == drawn_by(renderer)
