"""Crops: the best of each track, apart in time, on disk as the video runs."""

import cv2
import numpy as np
import pytest

from everyid.arrays import Tracks
from everyid.errors import ConfigError, OutputError, ShapeError
from object import crops
from object.crops import CropKeeper, sharpness, visibility

RNG = np.random.default_rng(0)
# patches of 4 px, so that detail lies where pictures have it
SHARP = cv2.resize(
    RNG.integers(0, 255, (60, 80, 3), np.uint8), (320, 240), interpolation=cv2.INTER_NEAREST
)
BLURRED = cv2.GaussianBlur(SHARP, (0, 0), 4)


def tracks(*rows, scores=None):
    """Rows of (id, x1, y1, x2, y2)."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    count = len(table)
    return Tracks(
        table[:, 1:],
        np.full(count, 0.9, np.float32) if scores is None else np.array(scores, np.float32),
        np.zeros(count, np.int32),
        table[:, 0].astype(np.int64),
        np.zeros((count, 2), np.float32),
    )


def written(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


def test_files_are_named_after_source_track_and_frame(tmp_path):
    keeper = CropKeeper(tmp_path, stem="vtest")
    keeper.add(SHARP, tracks((3, 10, 20, 50, 120)), 127, 12.6)
    keeper.add(SHARP, tracks((12345, 10, 20, 50, 120)), 1_000_000, 12.7)
    assert keeper.close() == 2
    assert written(tmp_path) == ["vtest/0003/000127.jpg", "vtest/12345/1000000.jpg"]
    picture = cv2.imread(str(tmp_path / "vtest/0003/000127.jpg"))
    assert picture.shape == (100, 40, 3)
    assert np.abs(picture.astype(int) - SHARP[20:120, 10:50]).mean() < 25
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_no_margin_and_whole_pixels(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a")
    keeper.add(SHARP, tracks((1, 10.4, 20.6, 49.2, 99.9), (2, -20, -30, 20, 60)), 1, 0.0)
    keeper.close()
    assert cv2.imread(str(tmp_path / "a/0001/000001.jpg")).shape == (80, 40, 3)
    assert cv2.imread(str(tmp_path / "a/0002/000001.jpg")).shape == (60, 20, 3)


def test_the_large_are_preferred(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", per_track=1, min_gap_s=0)
    for frame, height in enumerate([60, 120, 90], start=1):
        keeper.add(SHARP, tracks((1, 10, 20, 50, 20 + height)), frame, frame / 10)
    keeper.close()
    assert written(tmp_path) == ["a/0001/000002.jpg"]


def test_the_sharp_are_preferred(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", per_track=1, min_gap_s=0)
    for frame, image in enumerate([BLURRED, SHARP, BLURRED], start=1):
        keeper.add(image, tracks((1, 10, 20, 50, 120)), frame, frame / 10)
    keeper.close()
    assert written(tmp_path) == ["a/0001/000002.jpg"]


def test_the_visible_are_preferred(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", per_track=1, min_gap_s=0)
    behind, in_front, aside = (1, 10, 20, 50, 120), (2, 30, 30, 70, 140), (2, 130, 30, 170, 140)
    keeper.add(SHARP, tracks(behind, in_front), 1, 0.1)
    keeper.add(SHARP, tracks(behind, aside), 2, 0.2)
    keeper.add(SHARP, tracks(behind, in_front), 3, 0.3)
    keeper.close()
    assert "a/0001/000002.jpg" in written(tmp_path)


def test_the_confident_are_preferred(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", per_track=1, min_gap_s=0)
    for frame, score in enumerate([0.3, 0.9, 0.5], start=1):
        keeper.add(SHARP, tracks((1, 10, 20, 50, 120), scores=[score]), frame, frame / 10)
    keeper.close()
    assert written(tmp_path) == ["a/0001/000002.jpg"]


@pytest.mark.parametrize("growth", [-1, 0, 1])
def test_crops_are_apart_in_time_and_over_all_of_it(tmp_path, growth):
    keeper = CropKeeper(tmp_path, stem="a", per_track=4, min_gap_s=1.0)
    for frame in range(1, 101):
        height = 100 + growth * frame * 0.9
        keeper.add(SHARP, tracks((1, 10, 20, 50, 20 + height)), frame, frame / 10)
    assert keeper.close() == 4
    frames = [int(name[-10:-4]) for name in written(tmp_path)]
    assert np.diff(frames).min() >= 10
    if growth:
        assert max(frames) >= 98 if growth > 0 else min(frames) <= 3
        assert max(frames) - min(frames) <= 60


def test_a_gone_track_is_written_while_the_video_runs(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", lost_s=2.0)
    keeper.add(SHARP, tracks((1, 10, 20, 50, 120), (2, 110, 20, 150, 120)), 1, 0.0)
    keeper.add(SHARP, tracks((2, 110, 20, 150, 120)), 20, 2.0)
    assert written(tmp_path) == []
    keeper.add(SHARP, Tracks.empty(), 21, 2.1)
    assert written(tmp_path) == ["a/0001/000001.jpg"]
    assert keeper.close() == 3
    assert keeper.close() == 3


def test_memory_is_bound_by_the_tracks_in_view(tmp_path):
    keeper = CropKeeper(tmp_path, stem="a", lost_s=0.5)
    for frame in range(1, 200):
        keeper.add(SHARP, tracks((frame, 10, 20, 50, 120)), frame, frame / 10)
        assert len(keeper._albums) <= 7
    assert keeper.close() == 199


@pytest.mark.parametrize(
    "box", [(10, 20, 17, 120), (10, 20, 50, 35), (-50, 20, 5, 120), (400, 20, 450, 120)]
)
def test_small_and_outside_boxes_are_passed_over(tmp_path, box):
    keeper = CropKeeper(tmp_path, stem="a")
    keeper.add(SHARP, tracks((1, *box)), 1, 0.0)
    assert keeper.close() == 0
    assert written(tmp_path) == []


def test_the_image_may_be_reused_by_the_caller(tmp_path):
    image = SHARP.copy()
    keeper = CropKeeper(tmp_path, stem="a")
    keeper.add(image, tracks((1, 10, 20, 50, 120)), 1, 0.0)
    image[:] = 0
    keeper.close()
    assert cv2.imread(str(tmp_path / "a/0001/000001.jpg")).mean() > 50


def test_crops_are_the_same_every_time(tmp_path):
    names = []
    for turn in "ab":
        keeper, rng = CropKeeper(tmp_path, stem=turn), np.random.default_rng(5)
        for frame in range(1, 60):
            x, y = rng.uniform(0, 200, 2).round()
            keeper.add(SHARP, tracks((1, x, y, x + 40, y + 100)), frame, frame / 10)
        keeper.close()
        names.append([name[2:] for name in written(tmp_path) if name.startswith(turn)])
    assert names[0] == names[1]
    assert len(names[0]) == 5


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "a").write_text("a file stands here")
    keeper = CropKeeper(tmp_path, stem="a")
    keeper.add(SHARP, tracks((1, 10, 20, 50, 120)), 1, 0.0)
    with pytest.raises(OutputError, match=r"cannot write .*000001\.jpg"):
        keeper.close()


@pytest.mark.parametrize("stem", ["", "..", "a/b", "/a", "."])
def test_wrong_stem(tmp_path, stem):
    with pytest.raises(ConfigError, match="stem: expected the name of one folder"):
        CropKeeper(tmp_path, stem=stem)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"per_track": 0}, "per_track: expected 1 or more crops, got 0"),
        ({"min_gap_s": -1.0}, "expected min_gap_s of 0 or more"),
        ({"min_gap_s": np.nan}, "expected min_gap_s of 0 or more"),
        ({"lost_s": 0.0}, "lost_s above 0 seconds"),
    ],
)
def test_wrong_options(tmp_path, options, match):
    with pytest.raises(ConfigError, match=match):
        CropKeeper(tmp_path, stem="a", **options)


@pytest.mark.parametrize("image", [SHARP[..., 0], SHARP.astype(np.float32), SHARP[..., :2]])
def test_wrong_image(tmp_path, image):
    with pytest.raises(ShapeError, match=r"image: expected uint8 \(H, W, 3\)"):
        CropKeeper(tmp_path, stem="a").add(image, Tracks.empty(), 1, 0.0)


def test_sharpness_falls_with_blur_and_not_with_contrast():
    crop = SHARP[20:120, 10:50]
    values = [sharpness(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert sharpness(crop // 2 + 60) == pytest.approx(sharpness(crop), abs=0.05)
    assert sharpness(np.full((100, 40, 3), 80, np.uint8)) == 0


def test_an_enlarged_crop_is_not_as_sharp():
    large = SHARP[:128, :64]
    small = cv2.resize(large, (16, 32), interpolation=cv2.INTER_AREA)
    assert sharpness(small) < sharpness(large)


def test_visibility_of_no_boxes_and_of_one():
    assert visibility(np.zeros((0, 4), np.float32), (10, 10)).shape == (0,)
    assert visibility(np.array([[1, 1, 5, 9]], np.float32), (10, 10)).tolist() == [1.0]


def test_all_names_are_there():
    assert crops.__all__ == sorted(crops.__all__)
    assert all(hasattr(crops, name) for name in crops.__all__)
