"""The pictures and the clip that commands run on when no source is named."""

import pytest

from everyid.errors import DependencyError, InputError
from everyid.media import read_image
from everyid.settings import PROJECT_FOLDER
from object import sample
from object.sample import sample_clip, sample_images


def test_the_pictures_are_there():
    assert [path.name for path in sample_images()] == ["bus.jpg", "zidane.jpg"]
    assert all(min(read_image(path).shape[:2]) > 400 for path in sample_images())


def test_the_clip_is_that_of_the_checkout():
    expected = PROJECT_FOLDER / "tests/data/site/camera-1.mp4"
    if not expected.is_file():
        pytest.skip(f"no {expected}")
    assert sample_clip() == expected
    assert (expected.parent / "camera-1" / "gt" / "gt.txt").is_file()


def test_no_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "_CLIP", tmp_path / "camera-1.mp4")
    with pytest.raises(InputError, match=r"camera-1\.mp4: the sample clip is missing") as caught:
        sample_clip()
    assert "--source" in caught.value.hint


def test_ultralytics_without_its_pictures(monkeypatch):
    monkeypatch.setattr(sample, "_PICTURES", ("nowhere.jpg",))
    with pytest.raises(DependencyError, match=r"nowhere\.jpg.*no such sample picture") as caught:
        sample_images()
    assert "--source" in caught.value.hint


def test_no_ultralytics(monkeypatch):
    monkeypatch.setattr(sample, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="ultralytics is not installed"):
        sample_images()
