import numpy as np
import pytest

from synthetic.people.tiles import coordinates, soft_noise


def test_coordinates_run_over_the_tile():
    across, down = coordinates()
    assert (across.shape, down.shape) == ((1, 256), (256, 1))
    np.testing.assert_allclose([across[0, 0], across[0, -1]], [0.5 / 256, 255.5 / 256])
    with pytest.raises(ValueError, match="read-only"):
        across[0, 0] = 1


@pytest.mark.parametrize("cells", [4, 8, 16, 32, 64])
def test_noise_goes_on_over_the_edges(cells):
    noise = np.stack([soft_noise(np.random.default_rng(seed), cells) for seed in range(12)])
    assert noise.shape == (12, 256, 256)
    assert abs(noise.mean()) < 0.2
    assert 0.5 < noise.std() < 0.95
    for axis in (1, 2):
        steps = np.abs(noise - np.roll(noise, 1, axis)).mean(axis=(0, 3 - axis))
        assert steps[0] < 1.15 * max(steps[1:])
