"""Reading and writing of images, sequences, GIFs, video and raw streams."""

import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from everyid.errors import ConfigError, InputError, OutputError, ShapeError
from everyid.media import VideoWriter, find_sources, open_source, read_image

sys.path.insert(0, str(Path(__file__).parent))
from media_samples import gradient, level, make_sound, make_video, shade

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def codec_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("decode ", "encode "))]


@pytest.fixture(autouse=True)
def _no_thread_remains():
    yield
    assert codec_threads() == []


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """120 frames at 25/s with B-frames and a keyframe every 12."""
    path = tmp_path_factory.mktemp("clip") / "long clip.mp4"
    return make_video(path, [shade(n) for n in range(1, 121)])


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return path


def write(path: Path, images, times, rate=10.0):
    with VideoWriter(path, size_hw=images[0].shape[:2], frame_rate=rate) as writer:
        for image, timestamp in zip(images, times, strict=True):
            writer.write(image, timestamp)
    return path


def read(path: Path, **options):
    with open_source(path, **options) as reader:
        return list(reader), reader


# ---- images


def save(path: Path, picture: Picture.Image, **options) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("mode", "color", "expected_bgr"),
    [
        ("RGB", (10, 20, 30), (30, 20, 10)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (200, 100, 0, 255), (0, 100, 200)),
        ("LA", (40, 255), (40, 40, 40)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 32896, (128, 128, 128)),
        ("I;16", 300, (1, 1, 1)),
    ],
)
def test_read_image_gives_bgr_for_every_mode(tmp_path, mode, color, expected_bgr):
    path = save(tmp_path / "a.png", Picture.new(mode, (5, 3), color))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.shape == (3, 5, 3)
    assert image.flags.writeable
    assert image.flags.c_contiguous
    assert tuple(image[0, 0]) == expected_bgr


def test_read_image_of_palette_cmyk_and_float(tmp_path):
    palette = Picture.new("RGB", (4, 4), (255, 0, 0)).quantize(4)
    assert tuple(read_image(save(tmp_path / "p.png", palette))[0, 0]) == (0, 0, 255)
    cmyk = Picture.new("CMYK", (8, 8), (0, 255, 255, 0))
    blue, green, red = read_image(save(tmp_path / "c.jpg", cmyk, quality=100))[4, 4]
    assert red > 240
    assert max(blue, green) < 15
    unit = Picture.fromarray(np.full((2, 2), 0.5, np.float32))
    assert tuple(read_image(save(tmp_path / "f.tiff", unit))[0, 0]) == (128, 128, 128)


def test_transparent_palette_pixels_show_white(tmp_path):
    picture = Picture.new("RGBA", (4, 4), (255, 0, 0, 0))
    picture.putpixel((0, 0), (0, 0, 255, 255))
    image = read_image(save(tmp_path / "a.gif", picture))
    assert tuple(image[0, 0]) == (255, 0, 0)
    assert tuple(image[3, 3]) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}]
)
def test_a_small_jpeg_is_as_pillow_reads_it(tmp_path, mode, options):
    noise = np.random.default_rng(3).integers(0, 256, (61, 37, 3), np.uint8)
    picture = Picture.fromarray(cv2.GaussianBlur(noise, (5, 5), 2)).convert(mode)
    path = save(tmp_path / "a.jpg", picture, **options)
    with Picture.open(path) as theirs:
        expected = np.asarray(theirs.convert("RGB"))[..., ::-1]
    assert np.array_equal(read_image(path), expected)


def test_a_jpeg_that_says_how_it_is_turned(tmp_path):
    exif = Picture.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", Picture.fromarray(gradient(20, 40)), exif=exif)
    assert read_image(path).shape == (40, 20, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_known_before_reading(tmp_path, orientation):
    stored = np.zeros((4, 6, 3), np.uint8)
    stored[:2, :3] = 255
    exif = Picture.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", Picture.fromarray(stored), exif=exif)
    frames, reader = read(path)
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}
    mirrored = {2, 4, 5, 7}
    wanted = stored[:, ::-1] if orientation in mirrored else stored
    if orientation in (5, 7):
        wanted = np.rot90(stored[:, ::-1], 1 if orientation == 5 else 3)
    else:
        wanted = np.rot90(wanted, turns[orientation])
    assert reader.info.size_hw == wanted.shape[:2]
    assert np.array_equal(frames[0].image, wanted)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_image_shapes(tmp_path, shape):
    path = save(tmp_path / "a.png", Picture.new("RGB", shape[::-1], (1, 2, 3)))
    frames, reader = read(path)
    assert reader.info.size_hw == shape
    assert frames[0].image.shape == (*shape, 3)


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [60_000, 14_000])
def test_a_picture_that_claims_too_many_pixels_is_refused(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    for reads in (read_image, read):
        with pytest.raises(InputError, match="claims more than 178 megapixels"):
            reads(path)


def test_a_large_picture_below_the_limit_is_no_warning(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_claiming(10_000, 10_000))
    assert find_sources([path], want="images") == [path]


def test_read_image_failures(tmp_path):
    with pytest.raises(InputError, match=r"no\.png: no such file or folder"):
        read_image(tmp_path / "no.png")
    with pytest.raises(InputError, match="found a folder"):
        read_image(tmp_path)
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    with pytest.raises(InputError, match="not an image that can be decoded"):
        read_image(text)
    whole = save(tmp_path / "whole.jpg", Picture.fromarray(gradient(200, 200)))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(InputError, match="the image is damaged"):
        read_image(cut)
    with pytest.raises(InputError, match="the image is damaged"):
        read(cut)


# ---- image sequences


def test_folder_of_images_is_a_sequence_in_natural_order(tmp_path, capsys):
    for number in (10, 2, 1):
        save(tmp_path / f"{number}.png", Picture.new("L", (number, 3), number))
    (tmp_path / "notes.csv").write_text("1,2")
    frames, reader = read(tmp_path)
    assert [f.image.shape[1] for f in frames] == [1, 2, 10]
    assert [f.frame_number for f in frames] == [1, 2, 3]
    assert [f.timestamp for f in frames] == [0, 1 / 25, 2 / 25]
    assert [f.path.name for f in frames] == ["1.png", "2.png", "10.png"]
    assert (reader.info.kind, reader.info.frame_count) == ("images", 3)
    assert reader.warnings == []
    assert "25 frames/s is assumed" in capsys.readouterr().err
    frames, reader = read(tmp_path, frame_rate=2, start_s=0.5, end_s=1.0)
    assert [(f.frame_number, f.timestamp) for f in frames] == [(2, 0.5)]
    assert reader.info.duration_s == 1.5
    assert capsys.readouterr().err == ""


def test_undecodable_images_of_a_folder_are_skipped_counted_and_named(tmp_path):
    for number in (1, 3):
        save(tmp_path / f"{number}.png", Picture.new("L", (3, 3)))
    (tmp_path / "2.png").write_bytes(b"x" * 50)
    frames, reader = read(tmp_path)
    assert [f.frame_number for f in frames] == [1, 3]
    assert len(reader.warnings) == 1
    assert "1 of 3 images cannot be decoded and were skipped: 2.png" in reader.warnings[0]


def test_folder_in_which_no_image_decodes(tmp_path):
    (tmp_path / "1.png").write_bytes(b"x" * 50)
    with pytest.raises(InputError, match="none of 1 images can be decoded"):
        open_source(tmp_path)
    (tmp_path / "1.png").write_bytes(png_claiming(50, 50))
    with pytest.raises(InputError, match="none of 1 images can be decoded"):
        read(tmp_path)


# ---- video


def test_video_frames_numbers_times_and_pictures(long_clip):
    frames, reader = read(long_clip)
    info = reader.info
    assert (info.kind, info.size_hw, info.frame_rate) == ("video", (48, 64), 25)
    assert (info.frame_count, info.duration_s) == (120, pytest.approx(4.8))
    assert [f.frame_number for f in frames] == list(range(1, 121))
    assert np.allclose([f.timestamp for f in frames], np.arange(120) / 25)
    assert [level(f.image) for f in frames] == [n % 50 for n in range(1, 121)]
    assert reader.warnings == []


@pytest.mark.parametrize("start", [0.04, 1.0, 2.0, 2.4, 3.33, 4.75])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".264"])
def test_start_gives_true_numbers_with_and_without_seeking(tmp_path, start, suffix):
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = tmp_path / f"a{suffix}"
    make_video(path, [shade(n) for n in range(1, 121)], codec=codec)
    every, _ = read(path)
    wanted = [(f.frame_number, f.timestamp, level(f.image)) for f in every]
    frames, _ = read(path, start_s=start)
    given = [(f.frame_number, f.timestamp, level(f.image)) for f in frames]
    assert given == [row for row in wanted if row[1] >= start - 1e-6]


def test_seeking_is_used_and_given_up_when_the_keyframe_is_not_reached(long_clip, monkeypatch):
    from everyid.media_video import VideoSource

    calls = []
    real = VideoSource._from
    monkeypatch.setattr(VideoSource, "_from", lambda s, e: calls.append(e) or real(s, e))
    frames, _ = read(long_clip, start_s=3.0, max_frames=1)
    assert calls[0][1] == 72
    assert (frames[0].frame_number, level(frames[0].image)) == (76, 26)
    key, rank = calls[0]
    monkeypatch.setattr(VideoSource, "_entry", lambda *_: (key + 1, rank))
    frames, _ = read(long_clip, start_s=3.0, max_frames=1)
    assert (frames[0].frame_number, level(frames[0].image)) == (76, 26)


def test_every_end_and_max_frames(long_clip):
    assert [f.frame_number for f in read(long_clip, every=50)[0]] == [1, 51, 101]
    assert [f.frame_number for f in read(long_clip, max_frames=2)[0]] == [1, 2]
    assert [f.frame_number for f in read(long_clip, start_s=1, every=10, max_frames=2)[0]] == [
        31,
        41,
    ]
    assert [f.frame_number for f in read(long_clip, start_s=0.2, end_s=0.28)[0]] == [6, 7]
    assert read(long_clip, end_s=0.1)[1].warnings == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every: expected"),
        ({"max_frames": 0}, "max_frames: expected"),
        ({"start_s": -1}, "start: expected"),
        ({"start_s": float("nan")}, "start: expected"),
        ({"start_s": 2, "end_s": 2}, "end: expected"),
        ({"frame_rate": 0}, "frame_rate: expected"),
    ],
)
def test_numbers_out_of_range(long_clip, options, message):
    with pytest.raises(ConfigError, match=message):
        open_source(long_clip, **options)


def test_a_window_without_frames_is_an_error(long_clip):
    for options in ({"start_s": 100}, {"start_s": 1.01, "end_s": 1.02}):
        with pytest.raises(InputError, match="no frame to read between"):
            read(long_clip, **options)


def test_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0, 40, 500, 520, 1700, 3000]
    images = [shade(n) for n in range(1, 7)]
    frames, reader = read(make_video(tmp_path / "v.mkv", images, times_ms=times))
    assert [round(f.timestamp * 1000) for f in frames] == times
    assert reader.warnings == []


def test_first_frame_is_at_zero_when_the_file_starts_late(tmp_path):
    times = [5000, 5100, 5300, 8000]
    path = make_video(tmp_path / "v.mkv", [shade(n) for n in range(1, 5)], times_ms=times)
    assert [round(f.timestamp, 3) for f in read(path)[0]] == [0, 0.1, 0.3, 3.0]
    late = read(path, start_s=2)[0]
    assert [(f.frame_number, round(f.timestamp, 3)) for f in late] == [(4, 3.0)]


@pytest.mark.parametrize(
    ("pts", "times"),
    [
        ([0, 1, 1, 2, 3], [0, 0.1, 0.15, 0.2, 0.3]),
        ([0, 1, None, 3], [0, 0.1, 0.2, 0.3]),
        ([100, 101, 102, 0, 1], [0, 0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_times_that_do_not_rise_are_moved(pts, times):
    from everyid.media_video import _Clock

    clock = _Clock(ranked=False, origin=pts[0], unit=0.1, interval=0.1)
    given = []
    for value in pts:
        frame = av.VideoFrame(16, 16)
        frame.pts = value
        given.append(clock.frame(frame, 0))
    assert [number for number, _ in given] == list(range(1, len(pts) + 1))
    assert [time_s for _, time_s in given] == pytest.approx(times)
    assert clock.moved == (None not in pts)


@given(st.lists(st.one_of(st.none(), st.integers(-500, 500)), min_size=1, max_size=40))
def test_times_always_rise(pts):
    from everyid.media_video import _Clock

    clock = _Clock(ranked=True, origin=pts[0] or 0, unit=0.04, interval=0.04)
    last = -1.0
    for number, value in enumerate(pts, start=1):
        frame = av.VideoFrame(16, 16)
        frame.pts = value
        assert clock.frame(frame, 0)[0] == number
        assert clock.last > last
        last = clock.last


@pytest.mark.parametrize(("given_rate", "rate"), [(None, 12), (30, 30)])
def test_raw_stream_takes_the_given_or_its_stated_rate(tmp_path, given_rate, rate):
    path = tmp_path / "a.264"
    make_video(path, [shade(n) for n in range(1, 21)], rate=12, container_format="h264")
    frames, reader = read(path, frame_rate=given_rate)
    assert len(frames) == 20
    assert np.allclose([f.timestamp for f in frames], np.arange(20) / rate)
    assert reader.info.frame_rate == rate
    assert len(reader.warnings) == 1
    assert f"no timestamps; {rate} frames/s assumed" in reader.warnings[0]


def test_gif_delays_are_kept_and_transparency_is_white(tmp_path):
    pictures = [Picture.new("RGBA", (9, 7), (255, 0, 0, 0)) for _ in range(3)]
    for index, picture in enumerate(pictures):
        picture.putpixel((index, 0), (0, 0, 255, 255))
    path = tmp_path / "a.gif"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[100, 300, 50], disposal=2
    )
    frames, reader = read(path)
    assert reader.info.kind == "video"
    assert [round(f.timestamp, 3) for f in frames] == [0, 0.1, 0.4]
    assert tuple(frames[1].image[0, 1]) == (255, 0, 0)
    assert tuple(frames[1].image[6, 8]) == (255, 255, 255)
    assert find_sources([path], want="video") == [path]
    with pytest.raises(InputError, match="expected an image, found a video"):
        find_sources([path], want="images")
    cut = tmp_path / "cut.gif"
    cut.write_bytes(path.read_bytes()[:-1])
    assert "the file is cut short" in read(cut)[1].warnings[0]


def test_one_frame_gif_is_an_image_and_a_video_source(tmp_path):
    path = save(tmp_path / "a.gif", Picture.new("RGB", (1, 1), (1, 2, 3)))
    assert len(read(path)[0]) == 1
    assert find_sources([path], want="images") == find_sources([path], want="video") == [path]


@pytest.mark.parametrize(
    ("rotation", "turned"),
    [
        ((90, False), lambda a: np.rot90(a, 1)),
        ((-90, False), lambda a: np.rot90(a, -1)),
        ((180, False), lambda a: np.rot90(a, 2)),
        ((0, True), lambda a: a[:, ::-1]),
    ],
)
def test_rotation_and_mirroring_of_the_file_are_applied(tmp_path, rotation, turned):
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = 255
    frames, reader = read(make_video(tmp_path / "r.mp4", [stored] * 3, rotation=rotation))
    wanted = turned(stored)
    assert reader.info.size_hw == wanted.shape[:2]
    assert np.abs(frames[0].image.astype(int) - wanted).mean() < 3
    assert frames[0].image.flags.c_contiguous


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3, 5)])
def test_extreme_video_shapes(tmp_path, shape):
    images = [shade(n, *shape) for n in (1, 2)]
    path = make_video(tmp_path / "a.mkv", images, codec="ffv1", pixels="bgr0")
    frames, _ = read(path)
    assert [np.array_equal(f.image, i) for f, i in zip(frames, images, strict=True)] == [True, True]


# ---- damage


@pytest.mark.parametrize("cores", [2, 8])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_truncated_video_keeps_what_decodes_and_says_what_is_lost(
    tmp_path, monkeypatch, capsys, cores, suffix
):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(120)]
    whole = make_video(tmp_path / f"whole{suffix}", images)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    frames, reader = read(cut)
    assert 20 < len(frames) < 60
    assert [f.frame_number for f in frames][:20] == list(range(1, 21))
    assert len(reader.warnings) == 1
    assert reader.warnings[0].startswith(f"cut{suffix}: {len(frames)} of about 120 frames could be")
    assert "the file is damaged or cut short after" in reader.warnings[0]
    assert reader.warnings[0] in capsys.readouterr().err


def test_damage_in_the_middle_is_skipped_counted_and_numbered_over(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(120)]
    whole = make_video(tmp_path / "a.mp4", images, gop=1, frames_between=0)
    body = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        place = [packet.pos for packet in container.demux(video=0)][50]
    body[place : place + 400] = bytes(400)
    whole.write_bytes(body)
    frames, reader = read(whole)
    assert len(frames) == 119
    assert [f.frame_number for f in frames] == [n for n in range(1, 121) if n != 51]
    assert reader.warnings == ["a.mp4: 1 damaged frames were skipped, 119 could be read"]
    assert read(whole, start_s=2.2)[0][0].frame_number == 56


def test_files_that_are_no_media(tmp_path, long_clip):
    def named(name: str, body: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(body)
        return path

    body = long_clip.read_bytes()
    cases = [
        (
            named("text.mp4", b"hello, this is text\n" * 50),
            "not a video or image that can be decoded",
        ),
        (
            named("text.vt", b"hello, this is text\n" * 50),
            "not a video or image that can be decoded",
        ),
        (named("noise.264", bytes(range(256)) * 9), "not a video or image that can be decoded"),
        (named("empty.mp4", b""), r"the file is empty \(0 bytes\)"),
        (make_sound(tmp_path / "sound.wav"), "sound but no pictures"),
        (named("index.mp4", body[: body[3]] + body[body.index(b"mdat") - 4 :]), "moov box"),
        (tmp_path / "missing.mp4", r"missing\.mp4: no such file or folder"),
    ]
    for path, message in cases:
        with pytest.raises(InputError, match=message):
            open_source(path)
        if path.name != "noise.264":  # only decoding tells
            with pytest.raises(InputError, match=message):
                find_sources([path], want="video")


def test_content_decides_not_the_name(tmp_path, long_clip):
    video = tmp_path / "video.jpg"
    video.write_bytes(long_clip.read_bytes())
    assert read(video, max_frames=1)[1].info.kind == "video"
    image = save(tmp_path / "image.mp4", Picture.new("RGB", (3, 3)), format="PNG")
    assert read(image)[1].info.kind == "image"


# ---- threads


def test_close_in_the_middle_leaves_no_thread_and_no_file(long_clip):
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    reader = open_source(long_clip)
    frames = iter(reader)
    assert next(frames).frame_number == 1
    assert len(codec_threads()) == 1
    started = time.monotonic()
    reader.close()
    reader.close()
    assert time.monotonic() - started < 1
    assert codec_threads() == []
    assert list(frames) == []
    if descriptors.exists():
        assert len(list(descriptors.iterdir())) == before
    with pytest.raises(InputError, match="a reader is read once"):
        iter(reader)


def test_leaving_the_loop_or_raising_in_it_stops_decoding(long_clip):
    with open_source(long_clip) as reader:
        for _ in reader:
            break
    with pytest.raises(KeyboardInterrupt), open_source(long_clip) as reader:  # noqa: PT012
        for _ in reader:
            raise KeyboardInterrupt
    with open_source(long_clip):
        pass


def test_errors_of_the_decoder_thread_keep_their_type(long_clip, monkeypatch):
    from everyid.media_video import VideoSource

    def broken(*_):
        raise ZeroDivisionError("in the thread")

    monkeypatch.setattr(VideoSource, "_load", broken)
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        read(long_clip)


def test_decoding_runs_ahead_only_so_far(long_clip):
    with open_source(long_clip) as reader:
        frames = iter(reader)
        next(frames)
        time.sleep(0.3)
        assert len(reader._channel._items) == 8


# ---- finding sources


@pytest.fixture
def tree(tmp_path, long_clip):
    root = tmp_path / "my files"
    (root / "inner").mkdir(parents=True)
    for name in ("cam10.mp4", "cam2.MP4", ".hidden.mp4", "inner/deep.mp4"):
        (root / name).write_bytes(long_clip.read_bytes())
    for name in ("img10.png", "img9.png", ".hidden.png"):
        save(root / name, Picture.new("L", (2, 2)))
    (root / "readme.md").write_text("text")
    return root


def names(paths):
    return [path.name for path in paths]


def test_folders_are_expanded_in_natural_order(tree):
    assert names(find_sources([tree], want="video")) == ["cam2.MP4", "cam10.mp4"]
    assert names(find_sources([tree], want="images")) == ["img9.png", "img10.png"]
    both = [tree / "cam10.mp4", tree, tree / "img9.png"]
    assert names(find_sources(both, want="video")) == ["cam10.mp4", "cam2.MP4", "img9.png"]


def test_folder_of_images_alone_is_one_source(tree):
    for path in tree.glob("cam*"):
        path.unlink()
    assert find_sources([tree], want="video") == [tree]
    assert len(read(tree)[0]) == 2


def test_lists_of_paths(tree, monkeypatch, tmp_path):
    listing = tree / "list.txt"
    listing.write_text(f"# cameras\n\ncam10.mp4\n{tree / 'cam2.MP4'}\ncam10.mp4\n")
    assert names(find_sources([listing], want="video")) == ["cam10.mp4", "cam2.MP4"]
    elsewhere = tmp_path / "list.txt"
    elsewhere.write_text("img9.png\n")
    monkeypatch.chdir(tree)
    assert names(find_sources([elsewhere], want="images")) == ["img9.png"]
    elsewhere.write_text("gone.png\n")
    with pytest.raises(InputError, match=r"gone\.png: no such file or folder") as raised:
        find_sources([elsewhere], want="images")
    assert "list.txt, line 1" in raised.value.hint
    elsewhere.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="a list of paths in UTF-8"):
        find_sources([elsewhere], want="images")
    elsewhere.write_text("\n# none\n")
    with pytest.raises(InputError, match="expected a list of paths, found none"):
        find_sources([elsewhere], want="images")


def test_sources_of_the_wrong_kind(tree):
    with pytest.raises(InputError, match="expected an image, found a video") as raised:
        find_sources([tree / "cam10.mp4"], want="images")
    assert "run.py object video --source" in raised.value.hint
    with pytest.raises(
        InputError, match="expected images in this folder, found 1 videos"
    ) as raised:
        find_sources([tree / "inner"], want="images")
    assert "run.py object video --source" in raised.value.hint
    (tree / "inner" / "deep.mp4").unlink()
    for want in ("images", "video"):
        with pytest.raises(InputError, match="in this folder, found none in 0 files"):
            find_sources([tree / "inner"], want=want)
    with pytest.raises(InputError, match="no source given"):
        find_sources([], want="video")
    with pytest.raises(InputError, match="expected a folder of images, found videos"):
        open_source(tree)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_natural_order_is_numeric(numbers):
    from everyid.media import natural_order

    paths = [Path(f"Frame{number}.png") for number in numbers]
    assert sorted(paths, key=lambda path: natural_order(path.name)) == [
        Path(f"Frame{n}.png") for n in sorted(numbers)
    ]


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), max_size=8))
def test_natural_order_takes_any_name(texts):
    from everyid.media import natural_order

    paths = [Path("x" + text) for text in texts]
    backwards = paths[::-1]
    assert sorted(paths, key=lambda path: natural_order(path.name)) == sorted(
        backwards, key=lambda path: natural_order(path.name)
    )


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="file permissions of POSIX")
def test_unreadable_files_and_folders(tmp_path, long_clip):
    body = textwrap.dedent(
        f"""
        import os, sys
        from pathlib import Path
        from everyid.errors import InputError
        from everyid.media import find_sources, open_source
        if os.geteuid() == 0:
            os.setuid(65534)
        for call in (
            lambda: open_source(Path("{tmp_path}/a.mp4")),
            lambda: find_sources([Path("{tmp_path}/folder")], want="video"),
        ):
            try:
                call()
            except InputError as error:
                sys.stdout.write(str(error) + "\\n")
        """
    )
    (tmp_path / "a.mp4").write_bytes(long_clip.read_bytes())
    (tmp_path / "a.mp4").chmod(0)
    (tmp_path / "folder").mkdir(mode=0o000)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", body], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.count("no permission to read it") == 2, done.stderr


# ---- writing


def test_written_video_is_what_a_browser_plays(tmp_path):
    images = [gradient(48, 64)] * 795
    path = write(tmp_path / "a.mp4", images, [n / 10 for n in range(795)])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("h264", "High")
        assert stream.pix_fmt == "yuv420p"
        assert float(stream.duration * stream.time_base) == pytest.approx(79.5)
        assert container.duration / av.time_base == pytest.approx(79.5, abs=0.01)
    body = path.read_bytes()
    assert body.index(b"moov") < body.index(b"mdat")
    frames, reader = read(path)
    assert reader.warnings == []
    assert np.allclose([f.timestamp for f in frames], np.arange(795) / 10)


def test_colours_survive_writing_and_reading(tmp_path):
    image = gradient(240, 320)
    frames, _ = read(write(tmp_path / "a.mp4", [image] * 3, [0, 0.1, 0.2]))
    errors = np.abs(frames[1].image.astype(int) - image).mean(axis=(0, 1))
    assert errors.max() < 4


def test_variable_times_survive_from_the_first_on(tmp_path):
    times = [5.0, 5.04, 5.5, 5.6, 9.0, 9.0, 9.1]
    frames, reader = read(write(tmp_path / "a.mp4", [shade(n) for n in range(7)], times))
    given = [f.timestamp for f in frames]
    assert np.allclose(given, np.array(times) - 5, atol=1e-4)
    assert (np.diff(given) > 0).all()
    assert reader.warnings == []


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size_is_written_padded_by_its_last_pixels(tmp_path_factory, height, width):
    path = tmp_path_factory.mktemp("sizes") / "a.mp4"
    frames, _ = read(write(path, [shade(40, height, width)] * 2, [0, 0.1]))
    rows, columns = max(16, height + height % 2), max(16, width + width % 2)
    assert frames[0].image.shape == (rows, columns, 3)
    assert np.abs(frames[0].image.astype(int) - 180).max() < 6


def test_images_of_other_sizes_are_letterboxed(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, size_hw=(64, 64), frame_rate=10) as writer:
        writer.write(np.full((32, 64, 3), 200, np.uint8), 0)
        writer.write(np.full((200, 100, 3), 200, np.uint8), 0.1)
    wide, tall = (f.image.astype(int).mean(axis=2) for f in read(path)[0])
    assert wide[:12].max() < 40
    assert abs(wide[20:44].mean() - 200) < 6
    assert tall[:, :12].max() < 40
    assert abs(tall[:, 20:44].mean() - 200) < 6


def test_the_image_may_change_after_it_was_handed_over(tmp_path):
    path, image = tmp_path / "a.mp4", shade(10)
    with VideoWriter(path, size_hw=(48, 64), frame_rate=10) as writer:
        for number in range(10):
            image[:] = shade(4 * number)
            writer.write(image, number / 10)
        image[:] = 255
    assert [round(level(f.image) / 4) for f in read(path)[0]] == list(range(10))


def test_no_frame_leaves_no_file(tmp_path):
    path = tmp_path / "a.mp4"
    VideoWriter(path, size_hw=(4, 4), frame_rate=2).close()
    with pytest.raises(ValueError, match="mine"), VideoWriter(path, size_hw=(4, 4), frame_rate=2):
        raise ValueError("mine")
    assert not path.exists()


def test_an_exception_between_frames_leaves_a_whole_file(tmp_path):
    path = tmp_path / "a.mp4"
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        VideoWriter(path, size_hw=(48, 64), frame_rate=2) as writer,
    ):
        writer.write(shade(1), 0)
        raise KeyboardInterrupt
    assert len(read(path)[0]) == 1


def test_encoder_errors_surface_and_leave_no_file(tmp_path):
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, size_hw=(20_000, 16), frame_rate=2)
    writer.write(np.zeros((20_000, 16, 3), np.uint8), 0)
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4"):
        writer.close()
    assert not path.exists()
    writer = VideoWriter(path, size_hw=(20_000, 16), frame_rate=2)
    with pytest.raises(OutputError, match=r"cannot write .*a\.mp4"):  # noqa: PT012
        for number in range(100):
            writer.write(np.zeros((20_000, 16, 3), np.uint8), number)
    writer.close()


def test_writer_refuses_wrong_input(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(ConfigError, match="size_hw"):
        VideoWriter(path, size_hw=(0, 4), frame_rate=2)
    with pytest.raises(ConfigError, match="frame_rate"):
        VideoWriter(path, size_hw=(4, 4), frame_rate=0)
    with pytest.raises(OutputError, match="does not exist"):
        VideoWriter(tmp_path / "no" / "a.mp4", size_hw=(4, 4), frame_rate=2)
    with pytest.raises(OutputError, match="it is a folder"):
        VideoWriter(tmp_path, size_hw=(4, 4), frame_rate=2)
    with VideoWriter(path, size_hw=(4, 4), frame_rate=2) as writer:
        with pytest.raises(ShapeError, match=r"expected uint8 \(H, W, 3\)"):
            writer.write(np.zeros((4, 4), np.uint8), 0)
        with pytest.raises(ShapeError, match="got float64"):
            writer.write(np.zeros((4, 4, 3)), 0)
        with pytest.raises(InputError, match="timestamp"):
            writer.write(np.zeros((4, 4, 3), np.uint8), float("nan"))
    with pytest.raises(OutputError, match="the writer is closed"):
        writer.write(np.zeros((4, 4, 3), np.uint8), 0)


# ---- real footage


@pytest.mark.parametrize(
    ("name", "count", "size_hw", "last_s", "warned"),
    [
        ("video/vtest.avi", 795, (576, 768), 79.4, 0),
        ("video/one-by-one-person-detection.mp4", 1394, (432, 768), 139.3, 0),
        ("video/people-detection.264", 596, (432, 768), 595 / 12, 1),
        ("gif/preview_classroom.gif", 45, (270, 480), 2.93, 0),
    ],
)
def test_real_footage(name, count, size_hw, last_s, warned):
    frames, reader = 0, open_source(data(name), every=40)
    with reader:
        for frame in reader:
            frames += 1
            assert frame.image.shape == (*size_hw, 3)
            assert frame.frame_number == 40 * (frames - 1) + 1
    assert reader.info.size_hw == size_hw
    assert frames == -(-count // 40)
    assert reader._source._clock.number == count
    assert reader._source._clock.last == pytest.approx(last_s)
    assert len(reader.warnings) == warned


def test_a_name_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        Picture.new("RGB", (8, 8)).save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    with pytest.raises(InputError, match=r"caf\\udce9\.png': the name is not valid UTF-8"):
        find_sources([tmp_path], want="images")
