"""The ``object`` commands as a person meets them: words in, streams and exit codes out."""

import re
import subprocess
import sys

import cv2
import pytest

from everyid.errors import WeightsError
from everyid.models import DetectionRun, TrackingRun, VideoRun
from everyid.settings import PROJECT_FOLDER
from object import session
from tests.object.scenes import at, files_in, picture

COMMANDS = ("detection", "video", "tracking")
DEFAULTS = {
    "detection": ["[default: images,csv,json]", "[default: all]", "[default: 0.25]"],
    "video": ["[default: video,csv,parquet]", "[default: all]", "[default: 0.25]"],
    "tracking": [
        *("[default: video,csv]", "[default: person]", "[default: 0.1]", "[default: bytetrack]"),
        *("[default: 50.0]", "[default: 200.0]", "px/s", "Default: 0.6"),
    ],
}


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture([at(20, 30), at(200, 30)], cars=[at(300, 100, 90, 40)]))
    return path


@pytest.fixture
def source(photo, walker):
    return {"detection": photo, "video": walker, "tracking": walker}


@pytest.mark.parametrize("command", [*COMMANDS, "tests"])
def test_help(everyid, command):
    done = everyid("object", command, "--help")
    assert done.code == 0
    assert done.err == ""
    assert len(re.findall(rf"^ +python3 run\.py object {command}", done.out, re.MULTILINE)) == 2
    text = " ".join(done.out.split())
    for words in DEFAULTS.get(command, []):
        assert words in text
    if command in COMMANDS:
        for option in ("--source", "--output", "--save", "--model", "--device", "--batch-size"):
            assert option in text
        for option in ("--overwrite", "--json", "--quiet", "--trust-weights", "--imgsz"):
            assert option in text
        assert f"object/{command.upper()}" not in text
        assert "[default: yolov8n]" in text
        assert "[default: auto]" in text
        assert "[default: 0.7]" in text


def test_the_help_of_the_domain_names_its_commands(everyid):
    done = everyid("object")
    text = done.out + done.err
    assert all(re.search(rf"^ +{command} ", text, re.MULTILINE) for command in COMMANDS)


def test_the_birth_in_the_help_is_that_of_the_tracker(everyid):
    from object.tracking import TrackerOptions

    text = " ".join(everyid("object", "tracking", "--help").out.split())
    assert f"may begin a track, 0-1. Default: {TrackerOptions().birth}." in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command):
    script = (
        "import sys, run\n"
        f"sys.argv = ['run.py', 'object', '{command}', '--help']\n"
        "try:\n    run.route()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'cv2', 'av', 'pyarrow', 'ultralytics', 'supervision', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_FOLDER, check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_success_as_text(everyid, bright_boxes, source, tmp_path, command):
    folder = tmp_path / "out"
    done = everyid("object", command, "--source", source[command], "--output", folder)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[-1] == f"results in {folder}"
    assert re.fullmatch(r"yolov8n on cpu.*\n", done.err)  # only the notice
    assert bright_boxes == ["yolov8n"]
    if command == "detection":
        assert lines[0] == "1 image: 2 person, 1 car"
        assert files_in(folder) == ["detections.csv", "detections.json", "photo.png"]
    else:
        assert lines[0].startswith(f"{source[command]}: 50 frames (2.0 s) in ")
        found = {"video": "50 boxes", "tracking": "1 person; longest track #1, 1.9 s"}
        assert lines[1] == f"  found    {found[command]}"
        for line in lines[2:-1]:
            name, path = line.split()
            assert path == str(folder / f"walker.{'mp4' if name == 'video' else name}")
        expected = ["walker.csv", "walker.mp4", "walker.parquet"]
        assert files_in(folder) == expected[: 3 if command == "video" else 2]


@pytest.mark.parametrize(
    ("command", "model"),
    [("detection", DetectionRun), ("video", VideoRun), ("tracking", TrackingRun)],
)
def test_success_as_json(everyid, bright_boxes, source, tmp_path, command, model):
    words = ("--source", source[command], "--output", tmp_path / "out", "--json")
    done = everyid("object", command, *words)
    assert done.code == 0
    run = model.model_validate_json(done.out)
    assert run.output == tmp_path / "out"
    assert run.skipped == {}
    if isinstance(run, DetectionRun):
        assert (run.image_count, run.boxes) == (1, {"person": 2, "car": 1})
        assert [image.source for image in run.images] == [str(source[command])]
        assert (run.images[0].width, run.images[0].height) == (480, 240)
        assert len(run.images[0].objects) == 3
        return
    summary = run.sources[0] if isinstance(run, VideoRun) else run.sources[0].summary
    assert (summary.source, summary.frames, summary.duration_s) == (str(source[command]), 50, 2)
    assert summary.outputs["csv"] == tmp_path / "out" / "walker.csv"
    assert all(path.is_file() for path in summary.outputs.values())
    assert summary.warnings == []
    assert not summary.interrupted
    if isinstance(run, TrackingRun):
        assert run.sources[0].summary.people == 1
        (tracklet,) = run.sources[0].tracklets
        assert (tracklet.track_id, tracklet.first_frame, tracklet.last_frame) == (1, 3, 50)


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_keeps_stderr_empty(everyid, bright_boxes, source, tmp_path, command):
    done = everyid("object", command, "-s", source[command], "-o", tmp_path / "out", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_one_failure_as_one_line(everyid, bright_boxes, tmp_path, command):
    missing = tmp_path / "nowhere.mp4"
    for more in ((), ("--json",), ("--quiet",)):
        done = everyid("object", command, "--source", missing, *more)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"error: {missing}: no such file or folder\n"
    assert not bright_boxes  # noticed before a model was opened
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [["--nonsense"], ["--conf", "much"], ["--every", "1.5"]])
def test_usage_errors_leave_with_2(everyid, command, words):
    done = everyid("object", command, *words)
    assert done.code == 2
    assert done.out == ""
    assert "Usage: run.py object" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_results_go_to_a_fresh_folder_each(everyid, bright_boxes, source, tmp_path, command):
    parent = tmp_path / "results" / "object" / command
    for number in ("0001", "0002"):
        done = everyid("object", command, "--source", source[command], "--save", "csv")
        assert done.code == 0
        assert done.out.splitlines()[-1] == f"results in {parent / number}"
        assert len(files_in(parent / number)) == 1
    (parent / "0041").mkdir()
    words = ("--save", "csv", "--quiet")
    done = everyid("object", command, "--source", source[command], *words)
    assert done.out.splitlines()[-1] == f"results in {parent / '0042'}"


@pytest.mark.parametrize("command", COMMANDS)
def test_results_that_exist_need_overwrite(everyid, bright_boxes, source, tmp_path, command):
    words = ("object", command, "-s", source[command], "-o", tmp_path / "out", "--save", "csv")
    assert everyid(*words).code == 0
    (csv,) = (tmp_path / "out").iterdir()
    first = csv.read_bytes()
    csv.write_text("old")
    done = everyid(*words)
    assert (done.code, done.out) == (1, "")
    assert done.errors == [f"error: {csv} exists already"]
    assert done.hints == ["hint: add --overwrite, or name another --output"]
    assert csv.read_text() == "old"
    assert everyid(*words, "--overwrite").code == 0
    assert csv.read_bytes() == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--conf", "1.5"], "--conf: Input should be less than or equal to 1, got 1.5"),
        (["--iou", "-1"], "--iou: Input should be greater than or equal to 0, got -1.0"),
        (["--imgsz", "8"], "--imgsz: Input should be greater than or equal to 32, got 8"),
        (["--batch-size", "0"], "--batch-size: Input should be greater than .* got 0"),
        (["--every", "0"], "--every: Input should be greater than or equal to 1, got 0"),
        (["--start", "-2"], "--start: Input should be greater than or equal to 0, got -2.0"),
        (["--start", "3", "--end", "2"], r"--end: expected a time after --start 3\.0, got 2\.0"),
        (["--max-frames", "0"], "--max-frames: Input should be greater than .* got 0"),
        (["--fps", "nan"], "--fps: .*, got nan"),
        (["--birth", "0"], r"--birth: Input should be greater than 0, got 0\.0"),
        (["--walking-speed", "0"], r"--walking-speed: Input should be greater than 0, got 0\.0"),
        (["--running-speed", "20"], r"--running-speed: .* --walking-speed 50\.0, got 20\.0"),
        (["--save", "csv,xml"], "--save: Input should be 'video', 'csv', .* got 'xml'"),
        (["--save", ","], "--save: name at least one format.*"),
        (["--tracker", "deepsort"], "unknown tracker 'deepsort'; known: botsort, bytetrack, .*"),
        (["--device", "tpu"], ".*tpu.*"),
    ],
)
def test_options_out_of_range(track, walker, tmp_path, words, message):
    done = track("--source", walker, "--output", tmp_path / "out", *words)
    assert (done.code, done.out) == (1, "")
    assert len(done.errors) == 1
    assert re.fullmatch("error: " + message, done.errors[0])
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_the_nearest_tracker_is_named(track, walker):
    assert track("--source", walker, "--tracker", "bytetrak").hints == [
        "hint: did you mean 'bytetrack'?"
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_nearest_class_is_named(everyid, bright_boxes, source, tmp_path, command):
    words = ("--source", source[command], "--output", tmp_path / "out", "--classes", "Persn,car")
    done = everyid("object", command, *words)
    assert done.code == 1
    assert done.errors == ["error: class 'Persn': the model knows 2 classes, not this one"]
    assert done.hints == ["hint: did you mean 'person'?"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("classes", "boxes"),
    [
        ("all", {"person": 2, "car": 1}),
        ("ALL,person", {"person": 2, "car": 1}),
        ("", {"person": 2, "car": 1}),
        ("person", {"person": 2}),
        ("2", {"car": 1}),
        (" CAR , 0 ", {"person": 2, "car": 1}),
    ],
)
def test_classes(detect, photo, classes, boxes):
    done = detect("--source", photo, "--classes", classes, "--json", "--save", "csv")
    assert DetectionRun.model_validate_json(done.out).boxes == boxes


def test_options_reach_the_detector(everyid, walker, tmp_path, monkeypatch):
    seen = []

    def open_detector(model, *, device, options):
        seen.append((model, str(device), options))
        raise WeightsError("enough seen", hint="go on")

    monkeypatch.setattr(session, "open_detector", open_detector)
    for command, least in (("video", 0.25), ("tracking", 0.1)):
        words = ("--model", "m.onnx", "--device", "cpu", "--iou", "0.5", "--imgsz", "320")
        done = everyid("object", command, "-s", walker, *words, "--classes", "car,0")
        assert (done.code, done.err) == (1, "error: enough seen\nhint: go on\n")
        model, device, options = seen.pop()
        assert model == "m.onnx"
        assert device.startswith("cpu")
        assert (options.confidence, options.iou, options.image_size) == (least, 0.5, 320)
        assert options.classes == ("car", "0")
        assert not options.trust_weights
    everyid("object", "video", "-s", walker, "--trust-weights", "--conf", "0.6")
    assert seen[0][2].trust_weights
    assert seen[0][2].confidence == 0.6
    assert not list((tmp_path / "results").glob("*/*/*"))  # no folder of a run that never began


def test_a_bug_is_not_dressed_up(everyid, walker, monkeypatch):
    def open_detector(model, *, device, options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session, "open_detector", open_detector)
    with pytest.raises(ZeroDivisionError):
        everyid("object", "video", "-s", walker)


def test_the_command_tests_hands_words_to_pytest(everyid, monkeypatch):
    seen = []

    def run_tests(paths, extra):
        seen.append((paths, extra))
        return 5

    monkeypatch.setattr("everyid.testing.run_tests", run_tests)
    assert everyid("object", "tests", "-k", "movement", "-x").code == 5
    assert seen == [(["tests/object", "object"], ["-k", "movement", "-x"])]
