"""Activation maps: what is strong is red, and sheets of crops of any size."""

import math

import cv2
import numpy as np
import pytest

from everyid.errors import OutputExistsError, ShapeError
from person.training import activations
from person.training.activations import MOST_CROPS, activation_maps, draw_activation_sheet

GREY = np.full((40, 20, 3), 128, np.uint8)


def slow(maps):
    """The same, a cell at a time, for maps whose strongest twentieth is one cell."""
    found = np.zeros((len(maps), *maps.shape[2:]), np.float32)
    for number, one in enumerate(maps.astype(np.float64)):
        cells = {}
        for y in range(one.shape[1]):
            for x in range(one.shape[2]):
                cells[y, x] = sum(float(value) ** 2 for value in one[:, y, x])
        least, most = min(cells.values()), max(cells.values())
        for place, value in cells.items():
            found[number][place] = (value - least) / (most - least) if most > least else 0
    return found


@pytest.mark.parametrize("shape", [(0, 3, 4, 2), (1, 1, 1, 1), (2, 5, 4, 3), (3, 2, 1, 7)])
@pytest.mark.parametrize("scale", [1e-25, 1, 1e25])
def test_maps_are_those_of_the_slow_way(shape, scale):
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = activation_maps(maps * np.float32(scale))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow(maps), atol=1e-6)


def test_all_signs_and_channels_count():
    maps = np.zeros((1, 2, 2, 2), np.float32)
    maps[0, :, 0, 0] = 1, -1
    maps[0, :, 1, 1] = -1, 0
    assert activation_maps(maps).tolist() == [[[1, 0], [0, 0.5]]]


@pytest.mark.parametrize("value", [0, -3])
def test_an_even_map_is_empty(value):
    assert (activation_maps(np.full((2, 3, 4, 2), value, np.float32)) == 0).all()


def test_a_corner_a_thousand_times_as_strong_does_not_hide_the_rest():
    maps = np.zeros((1, 1, 16, 8), np.float32)
    maps[0, 0, 4:8, 2:5] = 1
    maps[0, 0, 0, 0] = 1000
    found = activation_maps(maps)[0]
    assert (found[4:8, 2:5] == 1).all()
    assert found[0, 0] == 1
    assert found.sum() == 13


def test_a_single_strong_place_is_seen():
    maps = np.zeros((1, 1, 16, 8), np.float32)
    maps[0, 0, 9, 3] = 2
    found = activation_maps(maps)[0]
    assert (found[9, 3], found.sum()) == (1, 1)


@pytest.mark.parametrize(
    ("maps", "what"),
    [
        (np.zeros((2, 3, 4), np.float32), r"got float32 \(2, 3, 4\)"),
        (np.zeros((2, 3, 4, 2)), r"got float64 \(2, 3, 4, 2\)"),
        (np.zeros((2, 3, 0, 2), np.float32), r"got float32 \(2, 3, 0, 2\)"),
        (np.full((1, 1, 2, 2), math.nan, np.float32), r"expected finite values, got NaN"),
        (np.full((1, 1, 2, 2), math.inf, np.float32), r"expected finite values, got NaN"),
    ],
)
def test_what_is_no_map(maps, what):
    with pytest.raises(ShapeError, match=rf"^maps: .*{what}"):
        activation_maps(maps)


def drawn(path, crops, maps, *, titles=None, overwrite=False):
    titles = [str(number) for number in range(len(crops))] if titles is None else titles
    draw_activation_sheet(path, crops, maps, titles=titles, overwrite=overwrite)
    return cv2.imread(str(path))


def cells(sheet, place):
    """The crop and what lies beside it."""
    column, row = place % 6, place // 6
    left = activations._MARGIN + column * (2 * 128 + 4 + activations._GAP)
    step = 256 + activations._LABEL + activations._GAP
    top = activations._MARGIN + activations._LABEL + row * step
    pair = sheet[top : top + 256, left : left + 260]
    return pair[:, :128], pair[:, 132:]


def test_a_crop_stands_beside_what_moves_the_network(tmp_path):
    maps = np.zeros((1, 2, 1), np.float32)
    maps[0, 0] = 1
    crop, over = cells(drawn(tmp_path / "a.png", [GREY], maps), 0)
    assert (crop == 128).all()
    top, bottom = over[:60].astype(int).mean(axis=(0, 1)), over[-60:].astype(int).mean(axis=(0, 1))
    assert top[2] > top[0] + 50  # red above
    assert bottom[0] > bottom[2] + 50  # blue below


@pytest.mark.parametrize("count", [1, 6, 7, MOST_CROPS])
def test_six_a_row(tmp_path, count):
    crops = [np.full((5 + number, 300, 3), number + 1, np.uint8) for number in range(count)]
    sheet = drawn(tmp_path / "a.png", crops, np.zeros((count, 16, 8), np.float32))
    for number in range(count):
        crop, _ = cells(sheet, number)
        assert crop.shape == (256, 128, 3)
        assert (crop == number + 1).all()


@pytest.mark.parametrize("size", [(1, 1), (256, 128), (700, 20), (20, 700)])
def test_crops_of_any_size_fill_the_same_place(tmp_path, size):
    crop = np.full((*size, 3), 77, np.uint8)
    assert (
        cells(drawn(tmp_path / "a.png", [crop], np.zeros((1, 3, 2), np.float32)), 0)[0] == 77
    ).all()


def test_titles_stay_under_their_own_crop(tmp_path):
    maps = np.zeros((2, 2, 2), np.float32)
    plain = drawn(tmp_path / "a.png", [GREY, GREY], maps, titles=["", ""])
    named = drawn(tmp_path / "b.png", [GREY, GREY], maps, titles=["", "日本 $x_1 \n" * 60])
    columns = np.flatnonzero((plain != named).any(axis=(0, 2)))
    second = activations._MARGIN + activations._PAIR + activations._GAP
    assert len(columns) > 100
    assert columns.min() >= second
    assert columns.max() < second + activations._PAIR


def test_an_existing_sheet_stays(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    maps = np.zeros((1, 2, 2), np.float32)
    with pytest.raises(OutputExistsError, match=r"a\.png exists already"):
        drawn(path, [GREY], maps)
    assert path.read_text() == "old"
    drawn(path, [GREY], maps, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


ZEROS = np.zeros((1, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("crops", "maps", "titles", "what"),
    [
        ([], ZEROS, [], r"^crops: expected 1 to 24, got 0$"),
        ([GREY] * 25, ZEROS, [], r"^crops: expected 1 to 24, got 25$"),
        (
            [GREY[..., 0]],
            ZEROS,
            ["a"],
            r"^crop 0: expected uint8 \(H, W, 3\), got uint8 \(40, 20\)",
        ),
        ([GREY[:0]], ZEROS, ["a"], r"^crop 0: .*got uint8 \(0, 20, 3\)"),
        ([GREY], ZEROS[0], ["a"], r"^maps: expected float32 \(N, h, w\), got float32 \(2, 2\)"),
        ([GREY], ZEROS + 2, ["a"], r"^maps: expected 0 to 1, got 2 to 2$"),
        ([GREY], ZEROS + math.nan, ["a"], r"^maps: expected 0 to 1, got nan to nan$"),
        ([GREY, GREY], ZEROS, ["a", "b"], r"each of 2 crops, got 1 maps and 2 titles$"),
        ([GREY], ZEROS, [], r"each of 1 crops, got 1 maps and 0 titles$"),
    ],
)
def test_what_cannot_be_drawn(tmp_path, crops, maps, titles, what):
    with pytest.raises(ShapeError, match=what):
        drawn(tmp_path / "a.png", crops, maps, titles=titles)
    assert list(tmp_path.iterdir()) == []
