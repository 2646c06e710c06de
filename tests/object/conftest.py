"""The commands with a detector of bright boxes in place of a network."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import run
from everyid import output
from object import session
from object.detectors import DetectorOptions
from tests.object.scenes import BrightBoxes, Done, make_clip, walk

WORKERS = ("decode ", "encode ", "detect", "annotate")


def workers() -> list[str]:
    """The names of the threads that a command starts."""
    return [one.name for one in threading.enumerate() if one.name.startswith(WORKERS)]


@pytest.fixture
def bright_boxes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Puts the detector in place; the models that were asked for."""
    asked: list[str] = []

    def open_detector(model: str, *, device: object, options: DetectorOptions) -> BrightBoxes:
        asked.append(model)
        return BrightBoxes(options)

    monkeypatch.setattr(session, "open_detector", open_detector)
    return asked


@pytest.fixture
def everyid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Done]]:
    """Runs ``run.py`` with the given words in this process, results below ``tmp_path/results``.

    It fails when a thread of the command is left behind.
    """
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path / "results"))

    def command(*words: Any) -> Done:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["run.py", *map(str, words)])
        try:
            code = run.route()
        except SystemExit as end:
            code = end.code or 0
        captured = capfd.readouterr()
        assert workers() == []
        return Done(code, captured.out, captured.err)

    yield command
    output.quiet(enabled=False)


@pytest.fixture
def track(everyid: Callable[..., Done], bright_boxes: list[str]) -> Callable[..., Done]:
    """Runs ``object tracking`` with the detector of bright boxes."""
    return lambda *words: everyid("object", "tracking", *words)


@pytest.fixture
def detect(everyid: Callable[..., Done], bright_boxes: list[str]) -> Callable[..., Done]:
    """Runs ``object detection`` with the detector of bright boxes."""
    return lambda *words: everyid("object", "detection", *words)


@pytest.fixture
def video(everyid: Callable[..., Done], bright_boxes: list[str]) -> Callable[..., Done]:
    """Runs ``object video`` with the detector of bright boxes."""
    return lambda *words: everyid("object", "video", *words)


@pytest.fixture(scope="session")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of one person who walks to the right at 100 px/s: 50 frames."""
    return make_clip(tmp_path_factory.mktemp("walker") / "walker.mp4", walk)
