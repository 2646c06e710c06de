"""The files of one source: their names, when they are whole, and the annotated video."""

import errno
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import OutputError, OutputExistsError
from object import outputs
from object.outputs import AnnotatedVideo, OutputFiles, output_files, refuse_source, unique_stems
from tests.object.conftest import workers
from tests.object.scenes import files_in, frames_of, picture

ALL = ("video", "csv", "json", "jsonl", "mot", "parquet", "crops")
NAMES = ["x.mp4", "x.csv", "x.json", "x.jsonl", "x.mot.txt", "x.parquet"]


@pytest.mark.parametrize(
    ("sources", "stems"),
    [
        (["a.mp4"], ["a"]),
        (["a/x.mp4", "b/y.mp4"], ["x", "y"]),
        (["a/x.mp4", "a/x.avi"], ["x.mp4", "x.avi"]),
        (["a/x.mp4", "b/x.mp4", "c/x.mp4"], ["x.mp4", "x.mp4-2", "x.mp4-3"]),
        (["x", "x.mp4"], ["x", "x.mp4"]),
        (["frames/", "more.frames"], ["frames", "more"]),
        (["one.two.mp4", ".hidden"], ["one.two", ".hidden"]),
    ],
)
def test_names_of_outputs(sources, stems):
    assert list(unique_stems([Path(source) for source in sources]).values()) == stems


def test_the_current_folder_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "cam1" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "cam1" / "deep")
    assert list(unique_stems([Path(), Path("..")]).values()) == ["deep", "cam1"]


parts = st.sampled_from(["a", "b", "x", "x.mp4", "x.mp4-2", "x-2", "x.avi"])


@given(st.lists(st.tuples(parts, parts), unique=True, max_size=12))
def test_no_two_sources_share_a_name(pairs):
    sources = [Path(folder, name) for folder, name in pairs]
    stems = unique_stems(sources)
    assert list(stems) == sources
    assert len(set(stems.values())) == len(sources)
    assert all(stem and Path(stem).name == stem for stem in stems.values())


def test_many_sources_have_names_soon():
    sources = [Path(f"cam{n % 50}", f"{n // 50:06}.jpg") for n in range(8_000)]
    assert len(set(unique_stems(sources).values())) == 8_000


def write(files, text="new"):
    for name in files.final:
        part = files.part(name)
        if name == "crops":
            (part / "0001").mkdir(parents=True)
            (part / "0001" / "000001.jpg").write_text(text)
        else:
            part.write_text(text)


def write_and_raise(files, error):
    with files.open():
        write(files)
        raise error


def test_files_get_their_names_when_all_is_done(tmp_path):
    files = OutputFiles(tmp_path, "x", ALL, overwrite=False)
    assert "csv" in files
    assert "images" not in files
    with files.open():
        write(files)
        assert not any(path.exists() for path in files.final.values())
    assert files_in(tmp_path) == sorted([*NAMES, "crops/x/0001/000001.jpg"])
    assert all(path.exists() for path in files.final.values())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError("full")])
def test_nothing_is_left_when_the_work_fails(tmp_path, error):
    files = OutputFiles(tmp_path, "x", ALL, overwrite=False)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write_and_raise(files, error)
    assert files_in(tmp_path) == []


def test_old_results_stay_when_the_work_fails(tmp_path):
    old = OutputFiles(tmp_path, "x", ALL, overwrite=False)
    with old.open():
        write(old, "old")
    new = OutputFiles(tmp_path, "x", ALL, overwrite=True)
    with pytest.raises(OutputError, match="full"):
        write_and_raise(new, OutputError("full"))
    assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"old"}
    with new.open():
        write(new, "new")
    assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"new"}
    assert len(files_in(tmp_path)) == len(ALL)


def test_crops_of_other_sources_stay(tmp_path):
    other = tmp_path / "crops" / "y" / "1.jpg"
    other.parent.mkdir(parents=True)
    other.write_text("y")
    files = OutputFiles(tmp_path, "x", ["crops"], overwrite=False)
    with pytest.raises(ZeroDivisionError):
        write_and_raise(files, ZeroDivisionError)
    assert files_in(tmp_path) == ["crops/y/1.jpg"]


def test_parts_of_a_killed_run_are_removed(tmp_path):
    files = OutputFiles(tmp_path, "x", ALL, overwrite=False)
    write(files, "of a killed run")
    again = OutputFiles(tmp_path, "x", ALL, overwrite=False)
    with again.open():
        assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ALL)
def test_each_file_that_exists_is_refused_before_any_work(tmp_path, name):
    there = OutputFiles(tmp_path, "x", [name], overwrite=False).final[name]
    there.parent.mkdir(exist_ok=True)
    there.touch()
    with pytest.raises(OutputExistsError, match=rf"{there} exists already") as caught:
        OutputFiles(tmp_path, "x", ALL, overwrite=False)
    assert "--overwrite" in caught.value.hint
    OutputFiles(tmp_path, "x", ALL, overwrite=True)


def test_a_source_is_never_replaced(tmp_path, monkeypatch):
    clip = tmp_path / "x.mp4"
    clip.touch()
    monkeypatch.chdir(tmp_path)
    for source in (clip, Path("x.mp4"), Path("../") / tmp_path.name / "x.mp4"):
        for overwrite in (True, False):
            with pytest.raises(OutputError, match="would replace its own source") as caught:
                output_files(tmp_path, [source], ["csv", "video"], overwrite=overwrite)
            assert "--output" in caught.value.hint
            assert not isinstance(caught.value, OutputExistsError)
    assert list(output_files(tmp_path, [clip], ["csv"], overwrite=True)) == [clip]
    refuse_source(tmp_path / "y.mp4", {clip})


def test_a_name_too_long_for_the_disk(tmp_path):
    for length in (246, 250, 255):
        stem = "x" * length
        with pytest.raises(OutputError, match="too long"):
            write_and_raise(OutputFiles(tmp_path, stem, ["csv"], overwrite=False), ValueError)
    assert files_in(tmp_path) == []


def test_a_file_that_cannot_be_named_in_the_end(tmp_path, monkeypatch):
    files = OutputFiles(tmp_path, "x", ["csv", "json"], overwrite=False)

    def refuse(self, target):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    message = r"cannot write .*x\.csv: Input/output error"
    with pytest.raises(OutputError, match=message), files.open():
        write(files)
    assert files_in(tmp_path) == []


def write_many(video):
    for number in range(2, 100):
        video.write(lambda number=number: drawn(number), number / 10)


def drawn(number):
    return picture([(10 + number, 20, 50 + number, 60)], size_hw=(90, 160))


def test_the_annotated_video_draws_in_order_in_another_thread(tmp_path):
    calls = []
    video = AnnotatedVideo(tmp_path / "x.mp4", size_hw=(90, 160), frame_rate=10)

    def draw(number):
        calls.append((number, threading.current_thread().name))
        return drawn(number)

    for number in range(30):
        video.write(lambda number=number: draw(number), number / 10)
    video.close()
    assert calls == [(number, "annotate") for number in range(30)]
    frames = frames_of(tmp_path / "x.mp4")
    assert len(frames) == 30
    left = [int(np.flatnonzero(frame[40, :, 0] > 120)[0]) for frame in frames]
    assert left == [10 + number for number in range(30)]
    assert workers() == []


def test_an_error_while_drawing_reaches_the_caller(tmp_path):
    video = AnnotatedVideo(tmp_path / "x.mp4", size_hw=(90, 160), frame_rate=10)
    video.write(lambda: drawn(0), 0.0)
    video.write(lambda: 1 / 0, 0.1)
    with pytest.raises(ZeroDivisionError):
        write_many(video)
    video.close()
    assert workers() == []


def test_an_error_in_the_last_frame_reaches_the_caller(tmp_path):
    video = AnnotatedVideo(tmp_path / "x.mp4", size_hw=(90, 160), frame_rate=10)
    video.write(lambda: 1 / 0, 0.0)
    with pytest.raises(ZeroDivisionError):
        video.close()
    assert workers() == []


def test_an_error_of_the_encoder_reaches_the_caller(tmp_path, monkeypatch):
    def refuse(self, image, timestamp):
        raise OutputError("no space left on the disk")

    monkeypatch.setattr(outputs.VideoWriter, "write", refuse)
    video = AnnotatedVideo(tmp_path / "x.mp4", size_hw=(90, 160), frame_rate=10)
    with pytest.raises(OutputError, match="no space left"):
        write_many(video)
    with suppress(OutputError):
        video.close()
    assert workers() == []


def test_a_video_without_frames_is_no_file(tmp_path):
    AnnotatedVideo(tmp_path / "x.mp4", size_hw=(90, 160), frame_rate=10).close()
    assert files_in(tmp_path) == []
