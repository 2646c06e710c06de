"""Whole runs of detection, video and tracking: what is in the files they leave."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from everyid.config import build
from everyid.models import DetectionRun, FrameResult, TrackingResult, TrackingRun, VideoRun
from everyid.settings import PROJECT_FOLDER
from object import session
from object.config import DetectionConfig, TrackingConfig, VideoConfig
from object.detect_images import run_detection
from object.detect_video import run_video
from object.tables import DETECTION_SCHEMA, IMAGE_SCHEMA, TRACKING_SCHEMA
from object.track_video import run_tracking
from tests.object.scenes import (
    SIZE_HW,
    TRACKING_HEADER,
    BrightBoxes,
    at,
    files_in,
    frames_of,
    make_clip,
    picture,
    rows_of,
    walk,
)

FORMATS = {
    "video": "walker.mp4",
    "csv": "walker.csv",
    "json": "walker.json",
    "jsonl": "walker.jsonl",
    "mot": "walker.mot.txt",
    "parquet": "walker.parquet",
    "crops": "crops/walker",
}


def tracked(track, tmp_path, source, *words, save="csv"):
    """The rows of the CSV of a run of tracking, as numbers where they are some."""
    folder = tmp_path / "out"
    done = track("-s", source, "-o", folder, "--save", save, "--overwrite", *words)
    assert done.code == 0, done.err
    return [
        {key: value if key == "movement_type" else float(value) for key, value in row.items()}
        for row in rows_of(folder / f"{source.stem}.csv")
    ]


@pytest.fixture(scope="module")
def everything(tmp_path_factory, walker):
    """All formats of one run over the walker, who leaves at 1.6 s."""
    folder = tmp_path_factory.mktemp("everything")

    def come_and_go(time_s):
        return walk(time_s) if 0.2 <= time_s < 1.6 else picture([])

    clip = make_clip(folder / "walker.mp4", come_and_go)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "open_detector", lambda _, *, device, options: BrightBoxes(options))
        config = build(
            TrackingConfig,
            sources=(clip,),
            output=folder / "out",
            save=tuple(FORMATS),
            model="yolov8n",
            confidence=0.1,
            classes=("person",),
        )
        run = run_tracking(config)
    return folder / "out", run


def test_each_format_has_its_file(everything):
    folder, run = everything
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        Path(name).parts[0] for name in FORMATS.values()
    )
    summary = run.sources[0].summary
    assert summary.outputs == {name: folder / place for name, place in FORMATS.items()}
    assert all(path.exists() for path in summary.outputs.values())


def test_tracking_csv(everything):
    folder, _ = everything
    text = (folder / "walker.csv").read_text()
    assert text.splitlines()[0] == TRACKING_HEADER
    rows = rows_of(folder / "walker.csv")
    # seen from frame 6 to 40; the third box of a track is the first that counts
    assert [int(row["frame_number"]) for row in rows] == list(range(8, 41))
    for row in rows:
        number = int(row["frame_number"])
        assert float(row["timestamp"]) == pytest.approx((number - 1) / 25, abs=1e-6)
        assert (row["track_id"], row["class_id"]) == ("1", "0")
        assert float(row["confidence"]) == pytest.approx(230 / 255, abs=0.02)
        box = [float(row[name]) for name in ("x1", "y1", "x2", "y2")]
        left = 20 + 100 * (number - 1) / 25
        assert box == pytest.approx([left, 100, left + 40, 180], abs=1.5)
        assert float(row["center_x"]) == pytest.approx((box[0] + box[2]) / 2)
        assert float(row["center_y"]) == pytest.approx((box[1] + box[3]) / 2)


def test_tracking_parquet_equals_the_csv(everything):
    folder, _ = everything
    table = pq.read_table(folder / "walker.parquet")
    assert table.schema.equals(TRACKING_SCHEMA)
    assert ",".join(table.column_names) == TRACKING_HEADER
    rows = rows_of(folder / "walker.csv")
    assert table.num_rows == len(rows)
    for name in table.column_names:
        shown = [row[name] for row in rows]
        if name == "movement_type":
            assert table[name].to_pylist() == shown
        else:
            expected = [float(value) for value in shown]
            assert table[name].to_pylist() == pytest.approx(expected, abs=0.00501)


def test_tracking_mot(everything):
    folder, _ = everything
    rows = rows_of(folder / "walker.csv")
    lines = (folder / "walker.mot.txt").read_text().splitlines()
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        fields = line.split(",")
        assert len(fields) == 10
        frame, track, left, top, width, height, confidence, *rest = map(float, fields)
        assert fields[0].isdecimal()
        assert fields[1].isdecimal()
        assert (frame, track) == (float(row["frame_number"]), float(row["track_id"]))
        corners = [left, top, left + width, top + height]
        assert corners == pytest.approx([float(row[n]) for n in ("x1", "y1", "x2", "y2")], abs=0.02)
        assert confidence == float(row["confidence"])
        assert rest == [-1, -1, -1]


def test_tracking_jsonl_has_every_frame(everything):
    folder, run = everything
    lines = (folder / "walker.jsonl").read_text().splitlines()
    frames = [FrameResult.model_validate_json(line) for line in lines]
    assert [frame.frame_number for frame in frames] == list(range(1, 51))
    assert {frame.source for frame in frames} == {run.sources[0].summary.source}
    assert [len(frame.objects) for frame in frames] == [0] * 7 + [1] * 33 + [0] * 10
    rows = rows_of(folder / "walker.csv")
    objects = [one for frame in frames for one in frame.objects]
    assert [one.speed for one in objects] == pytest.approx(
        [float(row["speed"]) for row in rows], abs=0.00501
    )
    assert [one.movement_type for one in objects] == [row["movement_type"] for row in rows]


def test_tracking_json_is_the_result(everything):
    folder, run = everything
    result = TrackingResult.model_validate_json((folder / "walker.json").read_text())
    assert result == run.sources[0]
    (tracklet,) = result.tracklets
    assert (tracklet.first_frame, tracklet.last_frame, tracklet.boxes) == (8, 40, 33)
    assert tracklet.movement_type == "walking"
    assert result.summary.longest_track == tracklet
    assert (result.summary.people, result.summary.tracks) == (1, {"person": 1})
    assert (result.summary.frames, result.summary.boxes) == (50, 33)


def test_tracking_crops(everything):
    folder, _ = everything
    crops = sorted((folder / "crops").rglob("*.*"))
    assert crops
    rows = {int(row["frame_number"]): row for row in rows_of(folder / "walker.csv")}
    for path in crops:
        assert re.fullmatch(r"walker/0001/\d{6}\.jpg", str(path.relative_to(folder / "crops")))
        row = rows[int(path.stem)]
        image = cv2.imread(str(path))
        wide = float(row["x2"]) - float(row["x1"])
        assert image.shape[1] == pytest.approx(wide, abs=1.5)
        assert image.mean() > 200  # the bright person, and nothing drawn over it


def test_the_annotated_video(everything):
    folder, _ = everything
    frames = frames_of(folder / "walker.mp4")
    assert len(frames) == 50
    assert {frame.shape for frame in frames} == {(*SIZE_HW, 3)}
    rows = {int(row["frame_number"]): row for row in rows_of(folder / "walker.csv")}
    colorful = [int(np.ptp(frame.astype(int), axis=2).max()) for frame in frames]
    for number, spread in enumerate(colorful, 1):
        drawn = number in rows or number > 40  # boxes, and then the way that fades
        assert (spread > 25) == drawn, number


@pytest.mark.parametrize("name", FORMATS)
def test_one_format_is_all_that_is_written(track, tmp_path, walker, name):
    folder = tmp_path / "out"
    done = track("-s", walker, "-o", folder, "--save", name, "--max-frames", 10, "--json")
    assert done.code == 0
    written = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert written
    if name == "crops":
        assert all(path.parts[:3] == ("crops", "walker", "0001") for path in written)
    else:
        assert [str(path) for path in written] == [FORMATS[name]]
    summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert summary.outputs == {name: folder / FORMATS[name]}


def test_crops_of_nobody_replace_the_old_ones(track, tmp_path, walker):
    folder = tmp_path / "out"
    words = ("-s", walker, "-o", folder, "--save", "crops,csv", "--overwrite", "--max-frames", 10)
    assert track(*words).code == 0
    assert len(files_in(folder)) > 1
    done = track(*words, "--classes", "car", "--json")
    assert done.code == 0
    assert files_in(folder) == ["crops/walker", "walker.csv"]
    result = TrackingRun.model_validate_json(done.out).sources[0]
    assert all(path.exists() for path in result.summary.outputs.values())
    assert result.tracklets == []
    assert (result.summary.people, result.summary.longest_track) == (0, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), range(1, 51)),
        (("--every", 3), range(1, 51, 3)),
        (("--max-frames", 7), range(1, 8)),
        (("--start", 0.4), range(11, 51)),
        (("--end", 0.4), range(1, 11)),
        (("--start", 0.4, "--end", 1.2, "--every", 4), range(13, 31, 4)),
        (("--start", 0.4, "--max-frames", 2, "--every", 5), range(11, 21, 5)),
        (("--every", 50), range(1, 2)),
    ],
)
@pytest.mark.parametrize("command", ["video", "tracking"])
def test_the_frames_asked_for(everyid, bright_boxes, tmp_path, walker, command, words, expected):
    folder = tmp_path / "out"
    done = everyid("object", command, "-s", walker, "-o", folder, "--save", "jsonl", *words)
    assert done.code == 0
    lines = (folder / "walker.jsonl").read_text().splitlines()
    frames = [FrameResult.model_validate_json(line) for line in lines]
    assert [frame.frame_number for frame in frames] == list(expected)
    times = [frame.timestamp for frame in frames]
    assert times == pytest.approx([(number - 1) / 25 for number in expected], abs=1e-6)


def test_a_window_behind_the_end(track, tmp_path, walker):
    done = track("-s", walker, "-o", tmp_path / "out", "--start", 5)
    assert (done.code, done.out) == (1, "")
    assert "no frame to read between 5 s" in done.errors[0]
    assert not (tmp_path / "out").exists()


def test_movement_of_a_walker_a_runner_and_one_who_stands(track, tmp_path):
    rng = np.random.default_rng(1)

    def draw(time_s):
        jitter = rng.integers(-2, 3, 2)
        return picture(
            [
                at(20 + 100 * time_s, 270, 60, 80),
                at(20 + 300 * time_s, 10, 80, 60),
                at(600 + jitter[0], 150 + jitter[1], 40, 90),
                at(520, 260 - 80 * time_s, 40, 90),
            ],
            size_hw=(360, 720),
        )

    clip = make_clip(tmp_path / "scene.mp4", draw, seconds=2.0)
    for every in (1, 3):
        rows = tracked(track, tmp_path, clip, "--every", every)
        late = [row for row in rows if row["timestamp"] >= 0.8]
        by_place = {
            "walks": [row for row in late if row["y1"] > 260 and row["x1"] < 500],
            "runs": [row for row in late if row["y1"] < 20],
            "stands": [row for row in late if row["x1"] > 590 and row["y1"] > 140],
            "climbs": [row for row in late if 510 < row["x1"] < 530 and row["y1"] > 80],
        }
        for name, group in by_place.items():
            assert len(group) >= 9, (name, every)
            if name != "runs" or every == 1:  # 36 px a step is too far for boxes of 80
                assert len({row["track_id"] for row in group}) == 1, (name, every)
        for row in by_place["walks"]:
            assert row["speed"] == pytest.approx(100, abs=4)
            assert row["velocity_x"] == pytest.approx(100, abs=4)
            assert min(row["direction"], 360 - row["direction"]) < 3
            assert row["movement_type"] == "walking"
        for row in by_place["climbs"]:
            assert row["speed"] == pytest.approx(80, abs=4)
            assert row["velocity_y"] == pytest.approx(-80, abs=4)
            assert row["direction"] == pytest.approx(90, abs=3)
        for row in by_place["stands"]:
            assert row["speed"] < 20
            assert row["movement_type"] == "stationary"
        if every == 1:
            for row in by_place["runs"]:
                assert row["speed"] == pytest.approx(300, abs=8)
                assert row["movement_type"] == "running"


def test_thresholds_of_movement(track, tmp_path, walker):
    for walking, running, expected in ((120, 200, "stationary"), (20, 90, "running")):
        speeds = ("--walking-speed", walking, "--running-speed", running)
        rows = tracked(track, tmp_path, walker, *speeds)
        assert {row["movement_type"] for row in rows if row["timestamp"] > 0.6} == {expected}


def test_a_weak_box_starts_no_track_unless_birth_is_low(track, tmp_path):
    def dim(time_s):
        image = walk(time_s).astype(int)
        return (image * 100 // 230).clip(16).astype(np.uint8)  # confidence 0.39

    clip = make_clip(tmp_path / "dim.mp4", dim, seconds=0.8)
    assert tracked(track, tmp_path, clip) == []
    assert len(tracked(track, tmp_path, clip, "--birth", 0.2)) == 18
    assert len(tracked(track, tmp_path, clip, "--birth", 0.35)) == 18
    assert tracked(track, tmp_path, clip, "--birth", 0.2, "--conf", 0.5) == []


@pytest.mark.parametrize("tracker", ["bytetrack", "ocsort", "botsort"])
def test_every_tracker(track, tmp_path, walker, tracker):
    rows = tracked(track, tmp_path, walker, "--tracker", tracker, "--max-frames", 20)
    assert {row["track_id"] for row in rows} == {1}
    assert len(rows) >= 17


def test_classes_have_tracks_of_their_own(track, tmp_path):
    def draw(time_s):
        return picture([at(20 + 50 * time_s, 20)], cars=[at(300 - 50 * time_s, 120, 90, 50)])

    clip = make_clip(tmp_path / "street.mp4", draw, seconds=0.6)
    rows = tracked(track, tmp_path, clip, "--classes", "all", save="csv,json")
    assert Counter((row["track_id"], row["class_id"]) for row in rows) == {(1, 0): 13, (2, 2): 13}
    done = track("-s", clip, "--classes", "all", "--save", "csv")
    assert done.out.splitlines()[1].startswith("  found    1 person, 1 car; longest track #")


def test_two_sources_of_one_name(track, tmp_path):
    clips = [make_clip(tmp_path / place / "x.mp4", walk, seconds=0.4) for place in ("a", "b")]
    done = track("-s", clips[0], "-s", clips[1], "-o", tmp_path / "out", "--save", "csv,crops")
    assert done.code == 0
    names = {Path(name).parts[0] for name in files_in(tmp_path / "out")}
    assert names == {"x.mp4.csv", "x.mp4-2.csv", "crops"}
    assert sorted(path.name for path in (tmp_path / "out" / "crops").iterdir()) == [
        "x.mp4",
        "x.mp4-2",
    ]
    assert str(clips[0]) in done.out
    assert str(clips[1]) in done.out


@pytest.mark.parametrize("command", ["video", "tracking"])
def test_a_folder_of_videos_with_a_bad_one(everyid, bright_boxes, tmp_path, command):
    folder, out = tmp_path / "clips", tmp_path / "out"
    for name in ("b10", "b9"):
        make_clip(folder / f"{name}.mp4", walk, seconds=0.4)
    (folder / "b9x.mp4").write_bytes(b"this is no video" * 100)
    (folder / "notes.txt").write_text("not looked at")
    done = everyid("object", command, "-s", folder, "-o", out, "--save", "csv,json")
    assert done.code == 1
    bad = folder / "b9x.mp4"
    assert f"warning: skipped: {bad}: not a video or image that can be decoded" in done.err
    assert done.errors == []
    assert "skipped 1 file" in done.out.splitlines()
    order = [line.split(":")[0] for line in done.out.splitlines() if "frames (" in line]
    assert order == [str(folder / "b9.mp4"), str(folder / "b10.mp4")]
    assert files_in(out) == ["b10.csv", "b10.json", "b9.csv", "b9.json"]
    assert len(rows_of(out / "b9.csv")) == (10 if command == "video" else 8)

    done = everyid("object", command, "-s", folder, "-o", out, "--overwrite", "--json")
    assert done.code == 1
    run = (VideoRun if command == "video" else TrackingRun).model_validate_json(done.out)
    assert list(run.skipped) == [str(bad)]
    assert len(run.sources) == 2


def test_a_folder_of_only_bad_videos(track, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.avi"):
        (folder / name).write_bytes(b"this is no video" * 100)
    done = track("-s", folder, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert done.errors == ["error: none of the 2 sources could be used"]
    assert done.err.count("warning: skipped: ") == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_of_images_is_one_sequence(track, tmp_path):
    folder = tmp_path / "cam1"
    folder.mkdir()
    for number in range(1, 13):
        cv2.imwrite(str(folder / f"{number}.png"), walk(number / 10))
    done = track("-s", folder, "-o", tmp_path / "out", "--save", "csv,video", "--fps", 10)
    assert done.code == 0
    rows = rows_of(tmp_path / "out" / "cam1.csv")
    assert [row["frame_number"] for row in rows] == [str(number) for number in range(3, 13)]
    assert float(rows[-1]["timestamp"]) == 1.1
    assert float(rows[-1]["speed"]) == pytest.approx(100, abs=1)
    assert len(frames_of(tmp_path / "out" / "cam1.mp4")) == 12


def test_the_current_folder_as_a_sequence(track, tmp_path, monkeypatch):
    (tmp_path / "cam1").mkdir()
    for number in range(1, 5):
        cv2.imwrite(str(tmp_path / "cam1" / f"{number}.png"), walk(number / 25))
    monkeypatch.chdir(tmp_path / "cam1")
    assert track("-s", ".", "-o", "../out", "--save", "csv,mot").code == 0
    assert files_in(tmp_path / "out") == ["cam1.csv", "cam1.mot.txt"]


def test_a_list_of_sources(track, tmp_path, walker):
    (tmp_path / "list.txt").write_text(f"# two\n{walker}\n\n{walker}\n")
    done = track("-s", tmp_path / "list.txt", "-o", tmp_path / "out", "--save", "csv")
    assert done.code == 0
    assert files_in(tmp_path / "out") == ["walker.csv"]  # each source once


@pytest.mark.parametrize("command", ["video", "tracking"])
def test_a_video_is_not_replaced_by_its_own_result(everyid, bright_boxes, tmp_path, command):
    clip = make_clip(tmp_path / "x.mp4", walk, seconds=0.2)
    before = clip.read_bytes()
    done = everyid("object", command, "-s", clip, "-o", tmp_path, "--overwrite")
    assert done.code == 1
    assert done.errors == [f"error: {clip}: the result would replace its own source"]
    assert clip.read_bytes() == before
    assert files_in(tmp_path) == ["x.mp4"]


def test_video_files(video, tmp_path, walker):
    folder = tmp_path / "out"
    words = ("--save", "video,csv,json,jsonl,parquet", "--max-frames", 10)
    assert video("-s", walker, "-o", folder, *words).code == 0
    rows = rows_of(folder / "walker.csv")
    assert list(rows[0]) == DETECTION_SCHEMA.names
    assert [row["frame_number"] for row in rows] == [str(number) for number in range(1, 11)]
    assert {row["class_name"] for row in rows} == {"person"}
    table = pq.read_table(folder / "walker.parquet")
    assert table.schema.equals(DETECTION_SCHEMA)
    for name in ("x1", "y2", "confidence", "timestamp"):
        shown = [float(row[name]) for row in rows]
        assert table[name].to_pylist() == pytest.approx(shown, abs=0.00501)
    assert len(frames_of(folder / "walker.mp4")) == 10
    summary = json.loads((folder / "walker.json").read_text())
    assert (summary["frames"], summary["boxes"]) == (10, 10)
    lines = (folder / "walker.jsonl").read_text().splitlines()
    assert [len(FrameResult.model_validate_json(line).objects) for line in lines] == [1] * 10


def test_batches_change_nothing(video, tmp_path, walker):
    for size in (1, 7, 64):
        words = ("--save", "csv", "--batch-size", size, "--max-frames", 20)
        assert video("-s", walker, "-o", tmp_path / str(size), *words).code == 0
    one, *others = [(tmp_path / str(size) / "walker.csv").read_text() for size in (1, 7, 64)]
    assert one.count("\n") == 21
    assert others == [one, one]


def test_detection_files(detect, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "two.png"), picture([at(20, 30), at(200, 30)]))
    cv2.imwrite(str(photos / "none.jpg"), picture([]))
    cv2.imwrite(str(photos / "two.jpg"), picture([], cars=[at(20, 30, 90, 40)]))
    cv2.imwrite(str(photos / "web.webp"), picture([at(20, 30)]))
    out = tmp_path / "out"
    done = detect("-s", photos, "-o", out, "--save", "images,csv,json,parquet")
    assert done.code == 0
    assert done.out.splitlines()[0] == "4 images: 3 person, 1 car"
    tables = ["detections.csv", "detections.json", "detections.parquet"]
    pictures = ["none.jpg", "two.jpg.jpg", "two.png.png", "web.jpg"]
    assert files_in(out) == sorted([*tables, *pictures])
    rows = rows_of(out / "detections.csv")
    assert list(rows[0]) == IMAGE_SCHEMA.names
    assert Counter(Path(row["image"]).name for row in rows) == {
        "two.jpg": 1,
        "two.png": 2,
        "web.webp": 1,
    }
    assert pq.read_table(out / "detections.parquet")["class_name"].to_pylist() == [
        row["class_name"] for row in rows
    ]
    run = DetectionRun.model_validate_json((out / "detections.json").read_text())
    assert run.image_count == 4
    assert [Path(image.source).name for image in run.images] == [
        "none.jpg",
        "two.jpg",
        "two.png",
        "web.webp",
    ]
    assert [len(image.objects) for image in run.images] == [0, 1, 2, 1]
    plain, drawn = cv2.imread(str(photos / "two.png")), cv2.imread(str(out / "two.png.png"))
    assert plain.shape == drawn.shape
    assert (plain != drawn).any()


def test_detection_of_a_folder_with_a_bad_image(detect, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "a.png"), picture([at(20, 30)]))
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:150])
    done = detect("-s", photos, "-o", tmp_path / "out")
    assert done.code == 1
    assert f"warning: skipped: {photos / 'b.png'}: the image is damaged" in done.err
    assert done.out.splitlines()[:2] == ["1 image: 1 person", "skipped 1 file"]
    assert files_in(tmp_path / "out") == ["a.png", "detections.csv", "detections.json"]
    run = DetectionRun.model_validate_json((tmp_path / "out" / "detections.json").read_text())
    assert list(run.skipped) == [str(photos / "b.png")]


def test_detection_of_only_bad_images(detect, tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), picture([at(20, 30)]))
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b.png", "c.png"):
        (photos / name).write_bytes((tmp_path / "good.png").read_bytes()[:150])
    done = detect("-s", photos, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert done.errors == ["error: none of the 2 images could be read"]
    assert not (tmp_path / "out").exists()


def test_pictures_are_not_replaced_by_their_own_results(detect, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture([at(20, 30)]))
    before = (tmp_path / "a.png").read_bytes()
    done = detect("-s", tmp_path / "a.png", "-o", tmp_path, "--overwrite")
    assert done.code == 1
    assert done.errors == [f"error: {tmp_path / 'a.png'}: the result would replace its own source"]
    assert files_in(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.usefixtures("bright_boxes")
def test_boxes_of_all_images_are_kept_only_when_asked_for(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture([at(20, 30)]))
    common = {"model": "yolov8n", "confidence": 0.25, "classes": (), "save": ("csv",)}
    for keep, count in ((True, 1), (False, 0)):
        sources, out = (tmp_path / "a.png",), tmp_path / str(keep)
        config = build(DetectionConfig, sources=sources, output=out, **common)
        run = run_detection(config, keep_images=keep)
        assert (run.image_count, run.boxes, len(run.images)) == (1, {"person": 1}, count)


@pytest.mark.usefixtures("bright_boxes")
def test_video_from_python(tmp_path, walker):
    common = {"model": "yolov8n", "confidence": 0.25, "classes": (), "save": ("csv",)}
    config = build(VideoConfig, sources=(walker,), output=tmp_path, max_frames=5, **common)
    (summary,) = run_video(config).sources
    assert (summary.frames, summary.boxes) == (5, 5)
    assert summary.outputs == {"csv": tmp_path / "walker.csv"}


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    return make_clip(
        tmp_path_factory.mktemp("long") / "long.mp4",
        lambda time_s: picture([at(20 + 10 * time_s, 20)], size_hw=(120, 320)),
        seconds=16,
    )


class Started:
    """A command in a process of its own, with a slow detector of bright boxes."""

    def __init__(self, tmp_path, *words, seconds_a_frame):
        environment = {
            **os.environ,
            "EVERYID_NO_BOOTSTRAP": "1",
            "EVERYID_TMP": str(tmp_path / "results"),
            "SECONDS_A_FRAME": str(seconds_a_frame),
        }
        self.out = tmp_path / "stdout.txt"
        self.err = tmp_path / "stderr.txt"
        with self.out.open("w") as out, self.err.open("w") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.object.bright_run", "object", *map(str, words)],
                cwd=PROJECT_FOLDER,
                env=environment,
                stdout=out,
                stderr=err,
            )

    def wait_for(self, condition):
        until = time.monotonic() + 60
        while not condition():
            assert self._process.poll() is None, self.err.read_text()
            assert time.monotonic() < until, self.err.read_text()
            time.sleep(0.02)

    def send(self, number):
        self._process.send_signal(number)

    def end(self):
        return self._process.wait(60)


def has_lines(folder, pattern, count):
    def condition():
        return any(path.read_text().count("\n") >= count for path in folder.glob(pattern))

    return condition


def test_ctrl_c_keeps_what_was_done(tmp_path, long_clip):
    out = tmp_path / "out"
    words = ("-s", long_clip, "-s", long_clip.parent, "-o", out)
    save = ("--save", "video,csv,json,jsonl,mot,parquet,crops")
    started = Started(tmp_path, "tracking", *words, *save, seconds_a_frame=0.04)
    started.wait_for(has_lines(out, ".long.part.csv", 25))
    assert [path.name for path in out.glob("[!.]*") if path.is_file()] == []
    started.send(signal.SIGINT)
    assert started.end() == 130
    assert "Traceback" not in started.err.read_text()
    assert "stopping: finishing the files" in started.err.read_text()
    head, found, *_, last = started.out.read_text().splitlines()
    assert head.startswith(f"{long_clip}: ")
    assert head.endswith(", interrupted")
    assert found.startswith("  found    1 person; longest track #1")
    assert last == f"results in {out}"

    assert not list(out.rglob(".*"))
    result = TrackingResult.model_validate_json((out / "long.json").read_text())
    assert result.summary.interrupted
    count = result.summary.frames
    assert 24 < count < 400
    assert len(frames_of(out / "long.mp4")) == count
    assert len((out / "long.jsonl").read_text().splitlines()) == count
    rows = rows_of(out / "long.csv")
    assert len(rows) == count - 2
    assert pq.read_table(out / "long.parquet").num_rows == len(rows)
    assert len((out / "long.mot.txt").read_text().splitlines()) == len(rows)
    assert list((out / "crops" / "long" / "0001").iterdir())


@pytest.mark.slow
def test_ctrl_c_as_json_starts_no_further_source(tmp_path, long_clip, walker):
    out = tmp_path / "out"
    words = ("-s", long_clip, "-s", walker, "-o", out, "--save", "csv", "--json")
    started = Started(tmp_path, "video", *words, seconds_a_frame=0.04)
    started.wait_for(has_lines(out, ".long.part.csv", 5))
    started.send(signal.SIGINT)
    assert started.end() == 130
    run = VideoRun.model_validate_json(started.out.read_text())
    assert [summary.interrupted for summary in run.sources] == [True]
    assert files_in(out) == ["long.csv"]
    assert len(rows_of(out / "long.csv")) == run.sources[0].frames


@pytest.mark.slow
def test_ctrl_c_among_images(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for number in range(100):
        cv2.imwrite(str(photos / f"{number}.png"), picture([at(20, 20)], size_hw=(120, 160)))
    words = ("-s", photos, "-o", out, "--save", "images,csv,json")
    started = Started(tmp_path, "detection", *words, seconds_a_frame=0.1)
    started.wait_for(lambda: len(list(out.glob("[!.]*.png"))) >= 5)
    started.send(signal.SIGINT)
    assert started.end() == 130
    run = DetectionRun.model_validate_json((out / "detections.json").read_text())
    assert run.interrupted
    assert 5 <= run.image_count < 100
    assert len(run.images) == run.image_count == len(rows_of(out / "detections.csv"))
    assert len(files_in(out)) == run.image_count + 2
    assert "interrupted" in started.out.read_text().splitlines()


def test_ctrl_c_twice_ends_at_once_and_leaves_nothing(tmp_path, long_clip):
    out = tmp_path / "out"
    words = ("-s", long_clip, "-o", out, "--save", "video,csv,crops")
    started = Started(tmp_path, "tracking", *words, seconds_a_frame=1.5)
    started.wait_for(has_lines(out, ".long.part.csv", 1))  # written with the first frame
    started.send(signal.SIGINT)
    started.wait_for(lambda: "stopping" in started.err.read_text())
    started.send(signal.SIGINT)
    assert started.end() == 130
    assert started.out.read_text() == ""
    assert "Traceback" not in started.err.read_text()
    assert not out.exists() or files_in(out) == []


def test_a_killed_run_leaves_no_result_and_does_not_stand_in_the_way(tmp_path, long_clip, track):
    out = tmp_path / "out"
    words = ("-s", long_clip, "-o", out, "--save", "video,csv,json,parquet,crops")
    started = Started(tmp_path, "tracking", *words, seconds_a_frame=0.04)
    started.wait_for(has_lines(out, ".long.part.csv", 10))
    started.send(signal.SIGKILL)
    assert started.end() == -signal.SIGKILL
    assert [name for name in files_in(out) if not name.split("/")[-1].startswith(".")] == []
    done = track(*words, "--max-frames", 30)
    assert done.code == 0
    assert [name for name in files_in(out) if ".part" in name] == []
    assert len(frames_of(out / "long.mp4")) == 30
    assert len(rows_of(out / "long.csv")) == 28


@pytest.mark.slow
@pytest.mark.usefixtures("default_weights")
def test_people_in_the_sample_pictures(everyid, tmp_path):
    done = everyid("object", "detection", "-o", tmp_path / "out", "--json")
    assert done.code == 0
    run = DetectionRun.model_validate_json(done.out)
    assert run.image_count == 2
    assert run.boxes["person"] in (5, 6)
    assert run.boxes["bus"] == 1
    assert files_in(tmp_path / "out") == [
        "bus.jpg",
        "detections.csv",
        "detections.json",
        "zidane.jpg",
    ]


@pytest.mark.usefixtures("default_weights")
def test_people_in_vtest(everyid, tmp_path, shared_data):
    clip = shared_data / "video" / "vtest.avi"
    if not clip.is_file():
        pytest.skip(f"no {clip}")
    out = tmp_path / "out"
    words = ("-s", clip, "-o", out, "--max-frames", 40, "--json", "--save", "video,csv,crops")
    done = everyid("object", "tracking", *words)
    assert done.code == 0
    summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert (summary.frames, summary.duration_s) == (40, 4)
    assert summary.people >= 3
    rows = rows_of(out / "vtest.csv")
    assert min(int(row["track_id"]) for row in rows) == 1
    assert len({row["track_id"] for row in rows}) == summary.people
    for row in rows:
        number, box = int(row["frame_number"]), [float(row[n]) for n in ("x1", "y1", "x2", "y2")]
        assert float(row["timestamp"]) == pytest.approx((number - 1) * 0.1, abs=1e-6)
        assert 0 <= box[0] < box[2] <= 768
        assert 0 <= box[1] < box[3] <= 576
        assert row["class_id"] == "0"
    assert {int(row["frame_number"]) for row in rows} >= set(range(3, 41))
    frames = frames_of(out / "vtest.mp4")
    assert len(frames) == 40
    assert frames[0].shape == (576, 768, 3)
    assert len(list((out / "crops" / "vtest").iterdir())) == summary.people
