"""Bad files, bad places and full disks: one line, a hint, an exit code, and nothing left behind."""

import errno
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from everyid import output
from everyid.models import DetectionRun, TrackingRun, VideoRun
from everyid.settings import PROJECT_FOLDER
from object import outputs, session, tables, track_video
from tests.media_samples import make_sound, make_video
from tests.object.scenes import at, files_in, make_clip, picture, rows_of, walk

COMMANDS = ("detection", "video", "tracking")
MOVING = ("video", "tracking")


@pytest.fixture
def refused(everyid, bright_boxes, tmp_path):
    """Runs a command that has to fail cleanly; the error's text."""

    def command(name, source, *words):
        out = tmp_path / "out"
        before = files_in(tmp_path)
        done = everyid("object", name, "--source", source, "--output", out, *words)
        assert (done.code, done.out) == (1, "")
        assert len(done.errors) == 1
        assert "Traceback" not in done.err
        assert files_in(tmp_path) == before
        assert not out.exists()
        return done

    return command


def png_of(width, height):
    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_there(refused, tmp_path, command):
    missing = tmp_path / "no" / "clip.mp4"
    assert refused(command, missing).errors == [f"error: {missing}: no such file or folder"]


@pytest.mark.parametrize(
    ("command", "words"),
    [("detection", "images"), *((name, "videos or images") for name in MOVING)],
)
def test_a_folder_without_media(refused, tmp_path, command, words):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("text")
    done = refused(command, folder)
    assert done.errors == [
        f"error: {folder}: expected {words} in this folder, found none in 1 files"
    ]
    assert len(done.hints) == 1


def test_a_video_given_to_detection(refused, walker):
    done = refused("detection", walker)
    assert done.errors == [f"error: {walker}: expected an image, found a video"]
    assert done.hints == [f"hint: use: run.py object video --source {walker}"]


@pytest.mark.parametrize("command", COMMANDS)
def test_text_named_as_video(refused, tmp_path, command):
    clip = tmp_path / "clip.mp4"
    clip.write_text("this is no video\n" * 200)
    done = refused(command, clip)
    assert done.errors[0].startswith(f"error: {clip}: not a video or image that can be decoded")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["clip.mp4", "photo.jpg", "thing"])
def test_an_empty_file(refused, tmp_path, command, name):
    (tmp_path / name).touch()
    done = refused(command, tmp_path / name)
    assert done.errors == [f"error: {tmp_path / name}: the file is empty (0 bytes)"]


@pytest.mark.parametrize("command", COMMANDS)
def test_sound_without_pictures(refused, tmp_path, command):
    sound = make_sound(tmp_path / "sound.wav")
    expected = f"error: {sound}: expected a video, found a file with sound but no pictures"
    assert refused(command, sound).errors == [expected]


@pytest.mark.parametrize("command", MOVING)
def test_a_video_cut_short_gives_what_decodes(everyid, bright_boxes, tmp_path, command):
    whole = make_video(tmp_path / "whole.mp4", [walk(n / 25) for n in range(50)], gop=10)
    clip = tmp_path / "cut.mp4"
    clip.write_bytes(whole.read_bytes()[: round(whole.stat().st_size * 0.7)])
    out = tmp_path / "out"
    done = everyid("object", command, "-s", clip, "-o", out, "--save", "csv,video", "--json")
    assert done.code == 0
    assert "damaged or cut short" in done.err
    if command == "video":
        summary = VideoRun.model_validate_json(done.out).sources[0]
    else:
        summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert 15 < summary.frames < 48
    (warning,) = summary.warnings
    assert f"{summary.frames} of about 50 frames could be read" in warning
    rows = rows_of(out / "cut.csv")
    assert int(rows[-1]["frame_number"]) == summary.frames


def test_a_video_without_its_index(refused, tmp_path):
    body = make_clip(tmp_path / "y.mp4", walk, seconds=0.4).read_bytes()
    place = body.index(b"moov")
    clip = tmp_path / "no-index.mp4"
    clip.write_bytes(body[:place] + b"????" + body[place + 4 :])
    done = refused("tracking", clip)
    assert done.errors == [f"error: {clip}: the index of this MP4 (its moov box) is missing"]
    assert len(done.hints) == 1


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_strange_sizes(everyid, bright_boxes, tmp_path, size_hw):
    image = np.full((*size_hw, 3), 200, np.uint8)
    cv2.imwrite(str(tmp_path / "strange.png"), image)
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(4):
        cv2.imwrite(str(frames / f"{number}.png"), image)
    done = everyid("object", "detection", "-s", tmp_path / "strange.png", "-o", tmp_path / "a")
    assert done.code == 0
    assert cv2.imread(str(tmp_path / "a" / "strange.png")).shape == image.shape
    for command in MOVING:
        out = tmp_path / command
        save = "csv,video,jsonl" + (",crops" if command == "tracking" else "")
        done = everyid("object", command, "-s", frames, "-o", out, "--save", save)
        assert done.code == 0, done.err
        assert len((out / "frames.jsonl").read_text().splitlines()) == 4


def test_a_real_video_of_one_row(everyid, bright_boxes, tmp_path):
    images = [np.full((1, 5000, 3), 10 * n, np.uint8) for n in range(4)]
    clip = make_video(tmp_path / "row.mkv", images, codec="ffv1", pixels="bgr0")
    done = everyid("object", "tracking", "-s", clip, "-o", tmp_path / "out")
    assert done.code == 0
    assert "4 frames" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_picture_that_claims_too_much(refused, tmp_path, command):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_of(60_000, 60_000))
    done = refused(command, bomb)
    assert done.errors == [f"error: {bomb}: the picture claims more than 178 megapixels"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_picture(detect, tmp_path, mode):
    grey = picture([at(20, 30), at(200, 30)])[..., 0]
    if mode == "I;16":
        image = Picture.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "I":
        image = Picture.fromarray(grey.astype(np.int32) * 257)
    elif mode == "F":
        image = Picture.fromarray(grey.astype(np.float32) / 255)
    else:
        flat = Picture.fromarray(grey)
        image = flat.convert("RGB").convert(mode) if mode in ("CMYK", "P") else flat.convert(mode)
    assert image.mode == mode
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I", "F") else "a.png")
    image.save(path)
    done = detect("-s", path, "-o", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    run = DetectionRun.model_validate_json(done.out)
    # black and white by dots makes many small things of the dark ground
    assert run.boxes["person"] == 2 or mode == "1"
    assert len(files_in(tmp_path / "out")) == 3


def test_an_image_cut_short(refused, tmp_path):
    cv2.imwrite(str(tmp_path / "whole.jpg"), picture([at(20, 30)]))
    path = tmp_path / "cut.jpg"
    path.write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    assert refused("detection", path).errors[0].startswith(f"error: {path}: the image is damaged")


def test_a_source_that_may_not_be_read(refused, walker, monkeypatch):
    real = os.access

    def access(path, mode, **named):
        return path != walker and real(path, mode, **named)

    monkeypatch.setattr(output.os, "access", access)
    done = refused("tracking", walker)
    assert done.errors == [f"error: {walker}: no permission to read it"]


def test_a_source_that_goes_away_is_skipped(track, tmp_path, walker, monkeypatch):
    other = tmp_path / "other.mp4"
    shutil.copy(walker, other)
    real = session.open_source

    def open_source(path, **words):
        if path == other:
            other.unlink()
        return real(path, **words)

    monkeypatch.setattr(session, "open_source", open_source)
    done = track("-s", other, "-s", walker, "-o", tmp_path / "out", "--save", "csv")
    assert done.code == 1
    assert f"warning: skipped: {other}: no such file or folder" in done.err
    assert files_in(tmp_path / "out") == ["walker.csv"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_a_file(everyid, bright_boxes, tmp_path, walker, command):
    source = tmp_path / "a.png" if command == "detection" else walker
    cv2.imwrite(str(tmp_path / "a.png"), picture([]))
    there = tmp_path / "there"
    there.write_text("mine")
    done = everyid("object", command, "-s", source, "-o", there)
    assert done.code == 1
    assert done.errors == [f"error: --output {there}: expected a folder, found a file"]
    done = everyid("object", command, "-s", source, "-o", there / "deeper")
    assert done.code == 1
    assert done.errors == [f"error: cannot write {there / 'deeper'}: Not a directory"]
    assert done.hints == ["hint: name another place with --output"]
    assert there.read_text() == "mine"
    assert not bright_boxes  # noticed before a model was opened


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that refuses")
@pytest.mark.parametrize("command", MOVING)
def test_an_output_that_cannot_be_written(everyid, bright_boxes, walker, command):
    done = everyid("object", command, "-s", walker, "-o", "/proc/everyid")
    assert done.code == 1
    assert done.errors[0].startswith("error: cannot write /proc/everyid: ")
    assert done.hints == ["hint: name another place with --output"]


class Full:
    """A text file on a full disk."""

    def __init__(self, real, room):
        self._real = real
        self._room = room

    def write(self, text):
        self._room -= len(text)
        return len(text)

    def _check(self):
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self):
        self._check()

    def close(self):
        self._real.close()
        self._check()  # what waits to be written finds no room either


@pytest.fixture
def full_disk(monkeypatch):
    """Lets each file that tables open for text take 1,000 characters."""
    real = Path.open

    def opened(self, *words, **named):
        file = real(self, *words, **named)
        return Full(file, 1000) if words[:1] == ("w",) and ".part" in self.name else file

    monkeypatch.setattr(tables.Path, "open", opened)


@pytest.mark.parametrize("save", ["csv", "video,csv,parquet,crops,json", "mot", "jsonl"])
def test_a_disk_that_fills_up_while_tracking(refused, walker, full_disk, save):
    done = refused("tracking", walker, "--save", save)
    assert done.errors[0].startswith("error: no space left on the disk of ")


@pytest.mark.parametrize("save", ["csv", "images,json", "images,csv,parquet,json"])
def test_a_disk_that_fills_up_among_images(detect, tmp_path, full_disk, save):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        cv2.imwrite(str(photos / f"{number}.png"), picture([at(20, 30)], size_hw=(120, 160)))
    done = detect("-s", photos, "-o", tmp_path / "out", "--save", save)
    assert (done.code, done.out) == (1, "")
    assert len(done.errors) == 1
    assert done.errors[0].startswith("error: no space left on the disk of ")
    left = files_in(tmp_path / "out") if (tmp_path / "out").exists() else []
    # pictures that were whole stay; no table, no part
    assert all(name.endswith(".png") and not name.startswith(".") for name in left)


def test_a_disk_that_is_full_at_the_very_end(refused, walker, monkeypatch):
    def close(self):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tables.pq.ParquetWriter, "close", close)
    done = refused("tracking", walker, "--save", "parquet,csv", "--max-frames", 5)
    assert done.errors[0].startswith("error: no space left on the disk of ")


def test_a_disk_that_is_full_for_the_summary(refused, walker, monkeypatch):
    def write_text(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(track_video.Path, "write_text", write_text)
    done = refused("tracking", walker, "--save", "json,csv", "--max-frames", 5)
    assert done.errors[0].startswith("error: no space left on the disk of ")


def test_a_disk_that_is_full_for_the_video(refused, walker, monkeypatch):
    def refuse(self, image, timestamp):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outputs.VideoWriter, "write", refuse)
    done = refused("tracking", walker, "--save", "video,csv,crops")
    assert done.errors[0].startswith("error: no space left on the disk of ")


def test_a_table_that_cannot_be_opened_closes_the_others(refused, walker, monkeypatch):
    def refuse(*words, **named):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tables.pq, "ParquetWriter", refuse)
    done = refused("tracking", walker, "--save", "csv,parquet,video")
    assert "Too many open files" in done.errors[0]


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.bin"])
def test_a_model_that_is_none(everyid, walker, tmp_path, name):
    model = tmp_path / name
    model.write_text("this is no model")
    done = everyid("object", "tracking", "-s", walker, "-m", model, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert len(done.errors) == 1
    assert str(model) in done.errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", ["nosuchmodel", "no/such/model.pt"])
def test_a_model_that_is_not_there(everyid, walker, tmp_path, model):
    done = everyid("object", "video", "-s", walker, "-m", model, "-o", tmp_path / "out")
    assert done.code == 1
    assert done.errors[0].startswith(f"error: --model {model}: no such file")
    assert not (tmp_path / "out").exists()


def test_the_streams_and_codes_of_a_real_process(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_text("this is no video\n" * 200)
    done = subprocess.run(
        [sys.executable, "run.py", "object", "tracking", "--source", clip, "--json"],
        cwd=PROJECT_FOLDER,
        env={**os.environ, "EVERYID_NO_BOOTSTRAP": "1", "EVERYID_TMP": str(tmp_path / "results")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {clip}: not a video or image that can be decoded")
    assert len(done.stderr.splitlines()) <= 2
    assert files_in(tmp_path) == ["clip.mp4"]
