"""Configs: what they take, and that a refusal names the option as it is typed."""

from pathlib import Path

import pytest

from everyid.config import build
from everyid.errors import ConfigError
from object.config import DetectionConfig, TrackingConfig, VideoConfig
from object.tracking import TrackerOptions

COMMON = {"sources": (Path("clip.mp4"),), "model": "yolov8n", "confidence": 0.25, "classes": ()}


def make(kind=TrackingConfig, **values):
    return build(kind, **{**COMMON, "save": ("csv",), **values})


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("confidence", 1.01, "--conf"),
        ("confidence", -0.1, "--conf"),
        ("confidence", float("nan"), "--conf"),
        ("iou", 2, "--iou"),
        ("iou", float("nan"), "--iou"),
        ("image_size", 31, "--imgsz"),
        ("image_size", 8193, "--imgsz"),
        ("batch_size", 0, "--batch-size"),
        ("batch_size", 1025, "--batch-size"),
        ("every", 0, "--every"),
        ("start_s", -1, "--start"),
        ("start_s", float("inf"), "--start"),
        ("end_s", 0, "--end"),
        ("end_s", float("nan"), "--end"),
        ("max_frames", 0, "--max-frames"),
        ("frame_rate", 0, "--fps"),
        ("frame_rate", float("inf"), "--fps"),
        ("birth", 0, "--birth"),
        ("birth", 1.5, "--birth"),
        ("walking_speed", 0, "--walking-speed"),
        ("running_speed", float("inf"), "--running-speed"),
    ],
)
def test_a_number_out_of_range_names_its_option_and_value(field, value, option):
    with pytest.raises(ConfigError) as caught:
        make(**{field: value})
    message = str(caught.value)
    assert message.startswith(f"{option}: ")
    assert message.endswith(f"got {value!r}")
    assert "\n" not in message


@pytest.mark.parametrize("end", [2.0, 1.5])
def test_the_end_is_after_the_start(end):
    with pytest.raises(
        ConfigError, match=rf"^--end: expected a time after --start 2\.0, got {end}"
    ):
        make(start_s=2.0, end_s=end)


@pytest.mark.parametrize("running", [50.0, 49.0])
def test_running_is_faster_than_walking(running):
    expected = rf"^--running-speed: expected .* above --walking-speed 50\.0, got {running}$"
    with pytest.raises(ConfigError, match=expected):
        make(walking_speed=50.0, running_speed=running)


@pytest.mark.parametrize(
    ("kind", "known", "unknown"),
    [
        (DetectionConfig, ("images", "csv", "json", "parquet"), "video"),
        (VideoConfig, ("video", "csv", "json", "jsonl", "parquet"), "crops"),
        (TrackingConfig, ("video", "csv", "json", "jsonl", "mot", "parquet", "crops"), "images"),
    ],
)
def test_each_command_knows_its_formats(kind, known, unknown):
    assert make(kind, save=known).save == known
    with pytest.raises(ConfigError) as caught:
        make(kind, save=("csv", unknown))
    assert str(caught.value).startswith("--save: ")
    assert str(caught.value).endswith(f"got {unknown!r}")
    assert all(repr(name) in str(caught.value) for name in known)


def test_formats_count_once_and_there_is_at_least_one():
    assert make(save=("csv", "video", "csv")).save == ("csv", "video")
    with pytest.raises(ConfigError, match=r"^--save: name at least one format"):
        make(save=())


def test_a_config_is_frozen_and_knows_its_fields():
    with pytest.raises(ConfigError, match="nonsense"):
        make(nonsense=1)
    with pytest.raises(ValueError, match="frozen"):
        make().every = 2


@pytest.mark.parametrize("birth", [0.01, 0.3, 1.0])
def test_every_birth_that_is_taken_suits_the_tracker(birth):
    config = make(birth=birth)
    strong = min(TrackerOptions().strong, birth)
    assert TrackerOptions(birth=config.birth, strong=strong).birth == birth
