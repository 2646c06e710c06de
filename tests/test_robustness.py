import json

import cv2
import numpy as np
import pytest

from benchmarks import robustness
from benchmarks.degradations import FAMILIES
from benchmarks.robustness import Source, main, measure_robustness
from benchmarks.robustness_picture import draw_robustness
from everyid.errors import InputError
from person.crops import find_crops
from person.training.validation import ignore_progress

LEVELS = {level: change for family in FAMILIES for level, change in family.changes.items()}


def worse(level, picture, seed=0) -> np.ndarray:
    return LEVELS[level](picture, np.random.default_rng(seed))


def noise(height=96, width=48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("level", LEVELS)
def test_each_change_gives_a_new_picture_and_always_the_same(level):
    picture = noise()
    before = picture.copy()
    first, second = worse(level, picture), worse(level, picture)
    assert first.dtype == np.uint8
    assert first.ndim == picture.ndim
    assert first.shape[1] <= picture.shape[1]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(picture, before)
    assert first.shape != picture.shape or (first != picture).any()


def test_names_of_levels_are_told_apart():
    assert len(LEVELS) == sum(len(family.changes) for family in FAMILIES)


def test_swapped_colours():
    blue = np.zeros((4, 2, 3), np.uint8)
    blue[..., 0] = 200
    assert worse("swapped", blue)[0, 0].tolist() == [0, 0, 200]


def test_a_blur_is_as_wide_in_a_large_picture():
    small = noise(64, 32)
    large = cv2.resize(small, (128, 256), interpolation=cv2.INTER_NEAREST)
    left = worse("4 %", small).astype(float).std()
    assert worse("4 %", large).astype(float).std() == pytest.approx(left, rel=0.1)


def test_the_dark_is_as_dark_as_it_says():
    grey = np.full((64, 32, 3), 200, np.uint8)
    dark = worse("0.25", grey).astype(float)
    assert dark.mean() == pytest.approx(50, abs=0.5)
    assert dark.std() == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize(
    ("size_hw", "expected"), [((96, 48), (32, 16)), ((20, 10), (20, 10)), ((300, 3), (32, 1))]
)
def test_small_pictures_keep_their_proportions_and_never_grow(size_hw, expected):
    assert worse("32 px", noise(*size_hw)).shape[:2] == expected


@pytest.mark.parametrize(
    ("level", "share", "kept"),
    [("lowest third", 1 / 3, np.s_[:64]), ("left half", 1 / 2, np.s_[:, 24:])],
)
def test_what_is_covered(level, share, kept):
    picture = np.full((96, 48, 3), 7, np.uint8)
    covered = worse(level, picture)
    assert (covered != 7).all(axis=2).mean() == pytest.approx(share)
    np.testing.assert_array_equal(covered[kept], picture[kept])


def test_rectangles_anywhere_cover_a_fifth_to_a_half():
    black = np.zeros((200, 100, 3), np.uint8)
    shares = [(worse("20-50 % anywhere", black, seed) > 0).mean() for seed in range(50)]
    assert 0.19 < min(shares) < 0.3
    assert 0.4 < max(shares) < 0.51


class Looks:
    """Tells people by their mean colour."""

    name, sha256 = "looks", "0" * 64

    def encode(self, images):
        rows = np.array([image.mean(axis=(0, 1)) for image in images]) - 128
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def data(tmp_path):
    """Three people, red, green and blue; one query and two gallery pictures of each."""
    for person in range(3):
        for camera, side in ((1, "query"), (2, "gallery"), (3, "gallery")):
            folder = tmp_path / "set" / side / f"{person:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            picture = np.full((64, 32, 3), 60 + camera, np.uint8)
            picture[..., person] = 220
            cv2.imwrite(str(folder / f"{person:04d}_c{camera}s1_000001_00.png"), picture)
    return tmp_path / "set"


def source_of(data) -> Source:
    query, gallery = (find_crops([data / side]) for side in ("query", "gallery"))
    return Source("set", query, gallery, lambda path: cv2.imread(path))


def test_curves_for_the_card(data):
    told = []
    source = source_of(data)
    curves = measure_robustness(Looks(), source, advance=lambda steps: told.append(steps))
    assert [curve.name for curve in curves] == [family.name for family in FAMILIES]
    assert sum(told) == 6 + 3 * (1 + len(LEVELS))
    for curve in curves:
        assert curve.levels[0] == "none"
        assert curve.metrics["Rank-1"][0] == curve.metrics["mAP"][0] == 1
        assert curve.protocol.startswith("set: cross-camera protocol")
        assert curve.data == "set, only the queries made worse"
    found = {level: curve.metrics["Rank-1"][place] for curve in curves
             for place, level in enumerate(curve.levels)}  # fmt: skip
    assert found["swapped"] == pytest.approx(1 / 3)  # green alone stays green
    assert found["4 %"] == found["64 px"] == found["10"] == 1


def test_pictures_without_a_match(data):
    both = source_of(data)
    one, others = np.arange(1), np.arange(2, 6)
    source = Source("set", both.query.select(one), both.gallery.select(others), both.read)
    with pytest.raises(InputError, match=r"none of 1 queries has a match among 4 gallery"):
        measure_robustness(Looks(), source, advance=ignore_progress)


def test_a_table_one_document_and_a_picture(data, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(robustness, "build_encoder", lambda model, device: Looks())
    arguments = ["--model", "a,b", "--source", str(data), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--queries", "2"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [one["model"] for one in document["results"]] == ["looks", "b"]  # of one file name
    assert "2 queries, gallery 6" in document["results"][0]["protocol"]
    assert [one["name"] for one in document["results"][1]["curves"]] == [
        family.name for family in FAMILIES
    ]
    assert "JPEG (quality)" in shown.err
    assert "100.0 / 100.0" in shown.err
    picture = cv2.imread(str(tmp_path / "out" / "robustness.png"))
    assert picture.shape[1] == 1500
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_many_networks_in_one_picture(data, tmp_path):
    curves = measure_robustness(Looks(), source_of(data), advance=ignore_progress)
    draw_robustness(tmp_path / "many.png", {f"network {number}": curves for number in range(9)})
    assert cv2.imread(str(tmp_path / "many.png")).shape[1] == 1500


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["--source", str(tmp_path / "none")]) == 1
    shown = capsys.readouterr()
    assert not shown.out
    assert "none" in shown.err
