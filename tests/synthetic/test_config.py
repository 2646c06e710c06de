"""What the commands may be asked for."""

import pytest

from everyid.config import build
from everyid.errors import ConfigError
from synthetic.config import CropsConfig, FootageConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"identities": 0}, r"--ids: .*greater than or equal to 1, got 0"),
        ({"identities": 5, "cameras": 0}, "--cameras: "),
        ({"identities": 5, "per_camera": 0}, "--per-camera: "),
        ({"identities": 5, "cameras": 3, "cameras_per_identity": 4}, "at most --cameras 3, got 4"),
        ({"identities": 5, "layout": "market"}, "--layout: "),
        ({"identities": 5, "distractors": -1}, "--distractors: "),
        ({"identities": 5, "seed": -1}, "--seed: "),
        ({"identities": 5, "workers": 0}, "--workers: "),
    ],
)
def test_sets_that_cannot_be_made(values: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        build(CropsConfig, **values)


@pytest.mark.parametrize(("cameras", "asked", "seen_by"), [(3, None, 3), (50, None, 6), (50, 4, 4)])
def test_how_many_cameras_see_an_identity(cameras: int, asked: int | None, seen_by: int):
    config = build(CropsConfig, identities=1, cameras=cameras, cameras_per_identity=asked)
    assert config.seen_by == seen_by


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"people": 0}, "--people: "),
        ({"cameras": 0}, "--cameras: "),
        ({"minutes": 0}, "--minutes: "),
        ({"minutes": float("inf")}, "--minutes: "),
        ({"days": 3}, "--days: "),
        ({"frame_rate": 0.5}, "--fps: "),
        ({"size": (640, 361)}, "--size: expected even numbers"),
        ({"size": (32, 32)}, "--size: expected even numbers"),
    ],
)
def test_footage_that_cannot_be_made(values: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        build(FootageConfig, **values)
