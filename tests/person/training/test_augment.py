"""Changed crops: shape and type for any crop, each change seen alone, the plain way as encoders."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.weights_catalogue import InputSpec
from person.encoder import NetworkEncoder
from person.training.augment import augmented, plain
from person.training.recipe import Augmentation
from tests.person.people import figure

SIZE = (64, 32)
NOTHING = dict.fromkeys(Augmentation.model_fields, 0.0)


def change(crop, seed=0, size_hw=SIZE, **strengths):
    """The crop with only the named changes."""
    wanted = Augmentation(**NOTHING | strengths)
    generator = np.random.default_rng(seed)
    return augmented(crop, size_hw=size_hw, augmentation=wanted, generator=generator)


def noise(shape, low=0, high=256):
    return np.random.default_rng(5).integers(low, high, (*shape, 3), np.uint8)


def difference(one, other):
    return np.abs(one.astype(int) - other).mean()


@settings(max_examples=40)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 60),
    size_hw=st.tuples(st.integers(1, 70), st.integers(1, 40)),
    seed=st.integers(0, 2**40),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_any_crop_gets_the_size_and_is_left_alone(height, width, size_hw, seed, share):
    crop = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    before = crop.copy()
    shares = dict.fromkeys(("flip", "small", "blur", "grey", "erase"), share)
    wanted = Augmentation(**shares, pad=share / 2, erase_least=0, erase_most=share)
    generators = [np.random.default_rng(seed) for _ in range(2)]
    made = [
        augmented(crop, size_hw=size_hw, augmentation=wanted, generator=generator)
        for generator in generators
    ]
    assert made[0].shape == (*size_hw, 3)
    assert made[0].dtype == np.uint8
    assert made[0].flags.c_contiguous
    assert np.array_equal(*made)
    assert np.array_equal(crop, before)


def test_without_changes_only_the_size_changes():
    crop = figure(1)
    assert np.array_equal(change(crop), crop)
    assert not np.shares_memory(change(crop), crop)
    smooth = cv2.GaussianBlur(cv2.resize(crop, (60, 120)), (0, 0), 3)
    for size_hw in ((150, 70), (90, 40), (50, 25), (25, 12)):
        assert difference(change(smooth, size_hw=size_hw), plain(smooth, size_hw=size_hw)) < 2


def test_a_crop_that_shrinks_is_averaged():
    crop = noise((256, 128))
    means = crop.reshape(32, 8, 16, 8, 3).mean((1, 3))
    assert np.abs(change(crop, size_hw=(32, 16)) - means).max() < 2


def test_flip_mirrors():
    assert np.array_equal(change(figure(1), flip=1), figure(1)[:, ::-1])


def test_pad_moves_and_repeats_the_border():
    crop = figure(1)
    moves = set()
    for seed in range(40):
        image = change(crop, seed, pad=0.1)
        wide = cv2.copyMakeBorder(crop, 6, 6, 3, 3, cv2.BORDER_REPLICATE)
        fits = {
            (top, left)
            for top in range(13)
            for left in range(7)
            if np.array_equal(wide[top : top + 64, left : left + 32], image)
        }
        assert fits
        moves |= fits
    assert len(moves) > 20
    assert {top for top, _ in moves} >= {0, 12}


@pytest.mark.parametrize("name", ["brightness", "contrast", "colour", "shift"])
def test_colours_are_an_affine_map_of_each_channel(name):
    crop = noise(SIZE, 100, 150)
    image = change(crop, 3, **{name: 8.0 if name == "shift" else 0.1})
    fits = [np.polyfit(crop[..., c].ravel(), image[..., c].ravel(), 1) for c in range(3)]
    gains, added = np.array(fits).T
    assert difference(image, crop * gains + added) < 0.5
    assert difference(image, crop) > 0.4
    if name == "shift":
        assert gains == pytest.approx([1, 1, 1], abs=0.01)
    elif name == "colour":
        assert np.ptp(gains) > 0.02
        assert added == pytest.approx([0, 0, 0], abs=2)
    else:
        assert np.ptp(gains) < 0.02
    if name == "contrast":
        assert image.mean() == pytest.approx(crop.mean(), abs=1)


def test_gains_have_the_stated_spread():
    crop = np.full((8, 4, 3), 60, np.uint8)
    seeds = range(300)
    bright = [change(crop, seed, (8, 4), brightness=0.2).mean() / 60 for seed in seeds]
    assert np.log(bright).std() == pytest.approx(0.2, abs=0.03)
    shifted = [change(crop, seed, (8, 4), shift=10).mean() - 60 for seed in seeds]
    assert np.std(shifted) == pytest.approx(10, abs=1.5)


def test_grey_keeps_only_brightness():
    image = change(figure(1), grey=1)
    wanted = cv2.cvtColor(figure(1), cv2.COLOR_BGR2GRAY)
    assert difference(image, wanted[..., None]) < 1
    assert np.ptp(image, axis=2).max() <= 1
    tinted = change(figure(1), grey=1, colour=0.3)
    assert np.ptp(tinted, axis=2).max() > 5


@pytest.mark.parametrize("name", ["blur", "small"])
def test_blur_and_distance_take_detail_away(name):
    crop = noise((256, 128))
    for seed in range(5):
        image = change(crop, seed, (256, 128), **{name: 1})
        assert image.std() < 0.95 * crop.std()
        assert image.mean() == pytest.approx(crop.mean(), abs=1)


def test_erasing_fills_one_rectangle_of_the_stated_area():
    crop = np.full((64, 32, 3), 77, np.uint8)
    kinds = set()
    for seed in range(60):
        changed = (change(crop, seed, erase=1, erase_least=0.1, erase_most=0.2) != 77).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.09 < changed.mean() < 0.21
        image = change(crop, seed, erase=1, erase_least=0.1, erase_most=0.2)
        kinds.add(len(np.unique(image[changed], axis=0)) == 1)
    assert kinds == {True, False}


def test_all_of_a_picture_can_be_erased():
    image = change(np.full((64, 32, 3), 77, np.uint8), erase=1, erase_least=1, erase_most=1)
    assert (image != 77).any(axis=2).all()


def test_shares_are_kept():
    crop = figure(1)
    flipped = [np.array_equal(change(crop, seed, flip=0.3), crop[:, ::-1]) for seed in range(400)]
    assert np.mean(flipped) == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize("shape", [(64, 32), (9, 70), (200, 90), (30, 15)])
def test_plain_is_what_an_encoder_does(shape):
    crop = noise(shape)
    spec = InputSpec(size_hw=SIZE, colour="rgb", scale=255.0, resize="bilinear")
    network = SimpleNamespace(metadata={"width": 8}, parallel_calls=1)
    encoder = NetworkEncoder(network, name="n", sha256="0", spec=spec, batch_size=1)
    assert np.array_equal(plain(crop, size_hw=SIZE), encoder.prepare(crop))
    turned = crop[:, ::-1]
    assert np.array_equal(plain(turned, size_hw=SIZE), encoder.prepare(turned))
