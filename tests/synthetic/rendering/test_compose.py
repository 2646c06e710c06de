"""Composing: who is in front, what is hidden, where shadows fall."""

import numpy as np
import pytest

from synthetic.rendering.compose import Placed, compose, smear
from synthetic.rendering.shots import Layer


def rectangle(size_wh, *, brightness=1.0, shade=0.0) -> Layer:
    width, height = size_wh
    return Layer(
        np.full((height, width, 3), brightness, np.float32),
        np.ones((height, width), np.float32),
        np.full((height, width), shade, np.float32),
    )


def shadow(size_wh, strength) -> Layer:
    width, height = size_wh
    nothing = np.zeros((height, width), np.float32)
    return Layer(np.dstack([nothing] * 3), nothing, np.full_like(nothing, strength))


PLATE = np.full((40, 60, 3), 0.5, np.float32)


def test_the_nearer_one_hides_the_other_in_any_order():
    far = Placed(rectangle((10, 20), brightness=0.2), (10, 10), 8.0)
    near = Placed(rectangle((10, 20), brightness=0.9), (14, 10), 5.0)
    picture, seen = compose(PLATE, np.inf, [far, near])
    other_way, seen_other_way = compose(PLATE, np.inf, [near, far])
    assert seen == pytest.approx([0.4, 1.0])
    assert seen_other_way == seen[::-1]
    np.testing.assert_array_equal(picture, other_way)
    np.testing.assert_allclose(
        picture[15, [9, 10, 13, 14, 23, 24], 0], [0.5, 0.2, 0.2, 0.9, 0.9, 0.5]
    )


def test_of_two_at_one_distance_the_later_one_is_in_front():
    first, second = (Placed(rectangle((4, 4)), (x, 0), 5.0) for x in (0, 2))
    assert compose(PLATE, np.inf, [first, second])[1] == pytest.approx([0.5, 1.0])


def test_three_layers_hide_by_what_lets_through():
    thin = rectangle((10, 10))
    half = Layer(thin.rgb * 0.5, thin.cover * 0.5, thin.shade)
    placed = [Placed(layer, (0, 0), depth) for layer, depth in ((thin, 9), (half, 8), (half, 7))]
    assert compose(PLATE, np.inf, placed)[1] == pytest.approx([0.25, 0.5, 1.0])


def test_what_is_beyond_the_edge_counts_as_hidden():
    inside, outside = (
        Placed(rectangle((10, 20)), (-4, 30), 5.0),
        Placed(rectangle((5, 5)), (60, 0), 5.0),
    )
    picture, seen = compose(PLATE, np.inf, [inside, outside])
    assert seen == pytest.approx([0.6 * 0.5, 0.0])
    assert picture.shape == PLATE.shape
    assert (picture[30:, :6] == 1).all()


def test_an_empty_layer_is_not_seen():
    picture, seen = compose(PLATE, np.inf, [Placed(shadow((5, 5), 0.0), (0, 0), 5.0)])
    assert seen == [0.0]
    np.testing.assert_array_equal(picture, PLATE)


def test_the_place_hides_what_is_behind_it():
    distance = np.full((40, 60), 20.0, np.float32)
    distance[20:] = 4.0  # a wall in front of the lower half
    placed = [Placed(rectangle((10, 40)), (5, 0), depth) for depth in (6.0, 4.2, 3.0)]
    assert [compose(PLATE, distance, [one])[1][0] for one in placed] == [0.5, 1.0, 1.0]


def test_the_ground_hides_nothing_and_only_the_ground_takes_shadows():
    distance = np.full((40, 60), 2.0, np.float32)
    ground = np.zeros((40, 60), np.float32)
    ground[20:] = 1
    both = [Placed(rectangle((10, 40)), (0, 0), 6.0), Placed(shadow((10, 40), 0.6), (20, 0), 6.0)]
    picture, seen = compose(PLATE, distance, both, ground=ground)
    assert seen == [0.5, 0.0]
    np.testing.assert_allclose(picture[[10, 30], 25, 0], [0.5, 0.5 * 0.4])


def test_a_shadow_darkens_what_the_figure_leaves_free():
    layer = Layer(
        np.full((1, 1, 3), 0.25, np.float32),
        np.full((1, 1), 0.25, np.float32),
        np.full((1, 1), 0.5, np.float32),
    )
    picture, _ = compose(PLATE, np.inf, [Placed(layer, (3, 3), 1.0)])
    np.testing.assert_allclose(picture[3, 3], 0.25 + 0.75 * 0.5 * 0.5)


def test_the_plate_is_not_changed():
    plate = PLATE.copy()
    compose(plate, np.inf, [Placed(rectangle((5, 5)), (0, 0), 1.0)])
    np.testing.assert_array_equal(plate, PLATE)


@pytest.mark.parametrize("shift", [(4.0, 0.0), (0.0, -6.0), (3.0, 2.0)])
def test_a_smeared_layer_keeps_its_light_and_its_middle(shift):
    layer = rectangle((30, 30))
    for part in (layer.rgb, layer.cover):
        part[:12] = part[18:] = part[:, :12] = part[:, 18:] = 0
    moved = smear(layer, shift)
    assert moved.cover.sum() == pytest.approx(36, rel=1e-5)
    rows, columns = np.indices((30, 30))
    assert (moved.cover * columns).sum() / 36 == pytest.approx(14.5, abs=1e-3)
    assert (moved.cover * rows).sum() / 36 == pytest.approx(14.5, abs=1e-3)
    wide = np.count_nonzero(moved.cover.max(0) > 1e-4) - 6
    assert wide == pytest.approx(abs(shift[0]), abs=2)


def test_a_layer_that_hardly_moves_stays_as_it_is():
    layer = rectangle((3, 3))
    assert smear(layer, (0.3, 0.1)) is layer
