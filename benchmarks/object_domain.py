"""``python -m benchmarks object``: tracking against ultralytics, and what our own parts cost.

Every timed side runs in a process of its own, in turn with the other, so that neither library's
threads or caches touch the other's; models are loaded and warmed up before the clock starts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import Ratio, alternate, median_ratio, show

SHARED_CLIP = Path(__file__).resolve().parents[2] / "shared/data/video/vtest.avi"
LOW, SIZE = 0.1, 640
OPEN = ExitStack()
"""Sessions of this process; they stay open until it ends."""


def main(arguments: list[str]) -> int:
    """Runs the comparisons, or one timed side of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks object")
    parser.add_argument("--clip", type=Path, default=None, help="default: vtest.avi or the sample")
    parser.add_argument("--frames", type=int, default=150, help="frames a round")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds")
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        _serve(SIDES[options.side](options.clip, options.weights, options.frames))
        return 0
    _compare(options)
    return 0


def _compare(options: argparse.Namespace) -> None:
    from everyid.device import choose
    from everyid.weights import fetch
    from object.sample import sample_clip

    clip = options.clip or (SHARED_CLIP if SHARED_CLIP.is_file() else sample_clip())
    weights = fetch("yolov8n")
    with tempfile.TemporaryDirectory() as cache:

        def side(name: str) -> "Side":
            return Side(name, clip=clip, weights=weights, frames=options.frames, folder=cache)

        ratios = []
        with side("everyid-track") as ours, side("ultralytics-track") as theirs:
            mine, others = alternate(ours.run, theirs.run, rounds=options.rounds)
            agreement = _agreement(ours.found, theirs.found)
            ratios.append(
                Ratio(
                    name="tracking, frames/s against ultralytics' track mode",
                    goal=">= 2.5",
                    ours=mine,
                    theirs=others,
                    value=median_ratio(others, mine),
                    facts={
                        "ours_frames_per_s": round(options.frames / float(np.median(mine)), 2),
                        "theirs_frames_per_s": round(options.frames / float(np.median(others)), 2),
                        **agreement,
                    },
                )
            )
        with side("everyid-detector") as whole:
            detector = whole.run_pair(options.rounds)
            ratios.append(
                Ratio(
                    name="detector with pre- and post-processing / compiled forward alone",
                    goal="<= 1.10",
                    ours=detector["whole"],
                    theirs=detector["forward"],
                    value=median_ratio(detector["whole"], detector["forward"]),
                    facts={"unit": "seconds an image, one call at a time"},
                )
            )
        with side("everyid-track-video") as drawn, side("everyid-track") as bare:
            writing, nothing = alternate(drawn.run, bare.run, rounds=options.rounds)
            ratios.append(
                Ratio(
                    name="tracking with the annotated video written / nothing written",
                    goal="<= 1.25",
                    ours=writing,
                    theirs=nothing,
                    value=median_ratio(writing, nothing),
                    facts={},
                )
            )
    facts = {
        "clip": clip.name,
        "frames_a_round": options.frames,
        "device": str(choose("cpu")),
        "versions": {
            name: version(name) for name in ("openvino", "torch", "ultralytics", "trackers")
        },
    }
    show("object", facts, ratios)


class Side:
    """A process that runs one side again and again when asked."""

    def __init__(self, name: str, *, clip: Path, weights: Path, frames: int, folder: str) -> None:
        command = [sys.executable, "-m", "benchmarks", "object", "--side", name]
        command += ["--clip", str(clip), "--weights", str(weights), "--frames", str(frames)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.found: list[list[list[float]]] = []

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.stdin and self.process.stdout:
            self.process.stdin.close()
            self.process.stdout.close()
        self.process.wait()

    def ask(self) -> dict[str, Any]:
        """Runs one round; what the side answers."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the side's pipes are closed")
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("a side ended early; its error is above")
            if line.startswith("{"):
                return dict(json.loads(line))

    def run(self) -> float:
        """Seconds of one round; what it found is kept."""
        answer = self.ask()
        self.found = answer["found"]
        return float(answer["seconds"])

    def run_pair(self, rounds: int) -> dict[str, list[float]]:
        """The lists of a side that measures both of its halves itself."""
        self.ask()
        answers = [self.ask() for _ in range(rounds)]
        return {
            key: [value for answer in answers for value in answer[key]]
            for key in ("whole", "forward")
        }


def _serve(run: Callable[[], dict[str, Any]]) -> None:
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(run()) + "\n")
        sys.stdout.flush()


Found = list[list[list[float]]]
"""Frame by frame, the boxes xyxy of the tracks."""


def _everyid_session(weights: Path, folder: Path) -> tuple[Any, Any]:
    from object.config import TrackingConfig, build
    from object.session import Session

    config = build(
        TrackingConfig,
        sources=(),
        output=folder,
        overwrite=True,
        save=("video",),
        model=str(weights),
        device="cpu",
        confidence=LOW,
        image_size=SIZE,
        classes=("person",),
    )
    return config, OPEN.enter_context(Session.open(config, command="tracking", confidence=LOW))


def _everyid(formats: tuple[str, ...]) -> Callable[[Path, Path, int], Callable[[], Any]]:
    def make(clip: Path, weights: Path, frames: int) -> Callable[[], dict[str, Any]]:
        from everyid.output import Stop
        from object.outputs import OutputFiles
        from object.track_video import track_source

        folder = Path(tempfile.mkdtemp())
        config, session = _everyid_session(weights, folder)
        config = config.model_copy(update={"max_frames": frames})
        found: Found = []

        def track(wanted: tuple[str, ...]) -> float:
            files = OutputFiles(folder, "clip", wanted, overwrite=True)
            start = time.perf_counter()
            track_source(clip, session, files=files, config=config, stop=Stop())
            return time.perf_counter() - start

        def run() -> dict[str, Any]:
            if not found:  # the uncounted round, which also warms up
                track((*formats, "mot"))
                found.extend(_read_mot(folder / "clip.mot.txt", frames))
            return {"seconds": track(formats), "found": found}

        return run

    return make


def _read_mot(path: Path, frames: int) -> Found:
    found: Found = [[] for _ in range(frames)]
    for line in path.read_text().splitlines():
        number, _, x, y, width, height, *_ = map(float, line.split(","))
        found[int(number) - 1].append([x, y, x + width, y + height])
    return found


def _ultralytics(clip: Path, weights: Path, frames: int) -> Callable[[], dict[str, Any]]:
    from everyid.settings import tame_ultralytics

    tame_ultralytics()
    from ultralytics import YOLO

    model = YOLO(weights)

    def run() -> dict[str, Any]:
        found: Found = []
        start = time.perf_counter()
        results = model.track(
            str(clip),
            stream=True,
            tracker="bytetrack.yaml",
            conf=LOW,
            iou=0.7,
            imgsz=SIZE,
            classes=[0],
            device="cpu",
            verbose=False,
            save=False,
        )
        for result in results:
            ids = result.boxes.id
            found.append([] if ids is None else result.boxes.xyxy.tolist())
            if len(found) == frames:
                break
        return {"seconds": time.perf_counter() - start, "found": found}

    return run


def _detector(clip: Path, weights: Path, frames: int) -> Callable[[], dict[str, Any]]:
    from everyid.media import open_source

    _, session = _everyid_session(weights, Path(tempfile.mkdtemp()))
    detector = session.detector
    with open_source(clip, max_frames=30) as reader:
        images = [frame.image for frame in reader]

    def run() -> dict[str, Any]:
        whole, forward = [], []
        for image in images:
            (_, _, batch), *_ = detector.prepare([image])
            start = time.perf_counter()
            detector.detect([image])
            middle = time.perf_counter()
            detector.network(batch)
            whole.append(middle - start)
            forward.append(time.perf_counter() - middle)
        return {"whole": whole, "forward": forward}

    return run


SIDES: dict[str, Callable[[Path, Path, int], Callable[[], dict[str, Any]]]] = {
    "everyid-track": _everyid(()),
    "everyid-track-video": _everyid(("video",)),
    "ultralytics-track": _ultralytics,
    "everyid-detector": _detector,
}


def _agreement(ours: Found, theirs: Found) -> dict[str, object]:
    """How many of each side's tracked boxes the other has too, at IoU 0.5."""
    shared = [_matched(a, b) for a, b in zip(ours, theirs, strict=True)]
    count_ours = sum(map(len, ours))
    count_theirs = sum(map(len, theirs))
    return {
        "boxes_ours": count_ours,
        "boxes_theirs": count_theirs,
        "theirs_found_by_us": round(sum(b for _, b in shared) / max(1, count_theirs), 4),
        "ours_found_by_them": round(sum(a for a, _ in shared) / max(1, count_ours), 4),
    }


def _matched(ours: list[list[float]], theirs: list[list[float]]) -> tuple[int, int]:
    if not ours or not theirs:
        return 0, 0
    a, b = np.array(ours)[:, None], np.array(theirs)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=2)
    areas_a = (a[..., 2:] - a[..., :2]).prod(axis=2)
    areas_b = (b[..., 2:] - b[..., :2]).prod(axis=2)
    hit = shared / (areas_a + areas_b - shared) >= 0.5
    return int(hit.any(axis=1).sum()), int(hit.any(axis=0).sum())
