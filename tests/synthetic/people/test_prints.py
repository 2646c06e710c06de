import numpy as np
import pytest

from synthetic.people.prints import camouflage_mask, emblem_mask, print_mask


@pytest.mark.parametrize("seed", range(8))
def test_prints_have_two_colours_on_their_ground(seed):
    shares = np.bincount(print_mask(1.0, np.random.default_rng(seed)).ravel()) / 256**2
    assert len(shares) == 3
    assert shares[0] > 0.5
    assert shares[1:].min() > 0.01


def test_smaller_prints_have_more_edges():
    small, large = (
        np.mean([np.diff(print_mask(scale, np.random.default_rng(seed))) != 0 for seed in range(6)])
        for scale in (0.6, 1.7)
    )
    assert small > large


@pytest.mark.parametrize("count", [2, 3])
def test_camouflage_shows_most_of_its_first_colour(count):
    mask = camouflage_mask(count, 1.0, np.random.default_rng(1))
    shares = np.bincount(mask.ravel()) / 256**2
    assert len(shares) == count
    assert shares.argmax() == 0
    assert shares.min() > 0.08


@pytest.mark.parametrize("seed", range(12))
def test_an_emblem_keeps_off_the_edge(seed):
    mask = emblem_mask(np.random.default_rng(seed))
    assert mask.min() == 0
    assert mask.max() == 1
    rows, columns = np.nonzero(mask)
    assert min(rows.min(), columns.min()) >= 12
    assert max(rows.max(), columns.max()) <= 243
