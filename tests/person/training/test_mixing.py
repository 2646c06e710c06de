"""Pictures made of those of a batch."""

import numpy as np
import pytest

from person.training import mixing
from person.training.mixing import mixed


def batch(count=12, height=32, width=16):
    """Each picture of one colour of its own, darker below."""
    generator = np.random.default_rng(0)
    colours = generator.integers(60, 200, (count, 1, 1, 3))
    shade = np.linspace(1, 0.5, height)[None, :, None, None]
    return np.broadcast_to(colours * shade, (count, height, width, 3)).astype(np.uint8)


def test_the_same_numbers_give_the_same_pictures():
    one, two = batch(), batch()
    rows = mixed(one, share=0.5, generator=np.random.default_rng(4))
    assert mixed(two, share=0.5, generator=np.random.default_rng(4)).tolist() == rows.tolist()
    assert (one == two).all()


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (0.5, 300, 700), (1.0, 1000, 1000)]
)
def test_only_the_rows_that_are_told_change(share, least, most):
    before = batch(1000, 8, 4)
    after = before.copy()
    rows = mixed(after, share=share, generator=np.random.default_rng(1))
    assert least <= len(rows) <= most
    assert rows.tolist() == sorted(set(rows.tolist()))
    others = np.setdiff1d(np.arange(1000), rows)
    assert (after[others] == before[others]).all()


def test_two_are_blended():
    image, other = np.zeros((8, 4, 3), np.uint8), np.full((8, 4, 3), 200, np.uint8)
    found = mixing._blended(image, other, np.random.default_rng(0))
    assert 60 <= found.min() == found.max() <= 140


def test_one_gets_the_legs_of_another():
    image, other = np.zeros((100, 4, 3), np.uint8), np.full((100, 4, 3), 200, np.uint8)
    found = mixing._joined(image, other, np.random.default_rng(0))
    ends = np.flatnonzero(found[:, 0, 0] == 200)
    assert 30 <= ends[0] <= 70
    assert (found[: ends[0]] == 0).all()
    assert (found[ends[0] :] == 200).all()


def test_a_part_is_enlarged():
    image = batch(1, 64, 32)[0]
    for seed in range(20):
        found = mixing._cut(image, image, np.random.default_rng(seed))
        assert found.shape == image.shape
        assert found.min() >= image.min()
        assert found.max() <= image.max()


def test_colours_change_and_shapes_stay():
    image = batch(1, 16, 8)[0]
    image[:, :4] = 0
    changed = [mixing._recoloured(image, image, np.random.default_rng(seed)) for seed in range(8)]
    assert all((found[:, :4] == 0).all() for found in changed)
    assert len({tuple(found[0, 5].tolist()) for found in changed}) == 8
