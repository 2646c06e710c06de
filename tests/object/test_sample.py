"""The pictures and the clip that commands run on when no source is named."""

import pytest

from everyid.errors import DependencyError
from everyid.media import open_source, read_image
from object import sample
from object.sample import sample_clip, sample_images
from tests.object.scenes import files_in


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path))
    return tmp_path


def test_the_pictures_are_there():
    assert [path.name for path in sample_images()] == ["bus.jpg", "zidane.jpg"]
    assert all(min(read_image(path).shape[:2]) > 400 for path in sample_images())


def test_the_clip_is_made_once(cache, capsys):
    clip = sample_clip()
    assert clip == cache / "sample" / "people.mp4"
    assert "making a sample clip" in capsys.readouterr().err
    with open_source(clip) as reader:
        assert reader.info.size_hw == (360, 640)
        assert reader.info.frame_rate == 25
        frames = list(reader)
        assert reader.warnings == []
    assert len(frames) == 250
    assert [frame.timestamp for frame in frames] == pytest.approx([n / 25 for n in range(250)])
    moved = (frames[125].image.astype(int) - frames[120].image).std()
    assert moved > 5  # the view pans
    assert all(frame.image.std() > 20 for frame in frames[::50])

    before = clip.stat()
    assert sample_clip() == clip
    assert capsys.readouterr().err == ""
    assert clip.stat().st_mtime_ns == before.st_mtime_ns
    assert files_in(cache) == ["sample/people.mp4"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_clip_leaves_none(cache, monkeypatch, error):
    real, calls = sample._window, []

    def window(strip, progress):
        calls.append(progress)
        if len(calls) == 40:
            raise error
        return real(strip, progress)

    monkeypatch.setattr(sample, "_window", window)
    with pytest.raises(error):
        sample_clip()
    assert files_in(cache) == ["sample"]


def test_ultralytics_without_its_pictures(monkeypatch):
    monkeypatch.setattr(sample, "_PICTURES", ("nowhere.jpg",))
    with pytest.raises(DependencyError, match=r"nowhere\.jpg.*no such sample picture") as caught:
        sample_images()
    assert "--source" in caught.value.hint


def test_no_ultralytics(monkeypatch):
    monkeypatch.setattr(sample, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="ultralytics is not installed"):
        sample_images()
