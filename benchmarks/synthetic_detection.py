"""What a detector that was trained on real people sees in synthetic footage and empty places."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from everyid.arrays import Detections
from everyid.config import build
from everyid.device import choose
from everyid.media import open_source, read_image
from everyid.output import Stop, progress
from everyid.protocols import Detector, Image
from object.detectors import DetectorOptions, open_detector
from object.tracking_metrics import pairwise_iou
from synthetic.config import FootageConfig
from synthetic.footage import make_footage
from synthetic.jobs import run_jobs
from synthetic.places.place import KINDS
from synthetic.rendering.renderer import Renderer
from synthetic.rendering.sensor import develop
from synthetic.seeds import generator
from synthetic.stages import draw_stage

__all__ = ["DETECTOR", "Detected", "draw_empty", "empty_pictures", "people_in_footage"]

DETECTOR = "yolov8n"
SIZE_WH, RATE, MINUTES, PEOPLE, CAMERAS = (640, 360), 5.0, 8 / 60, 10, 2
EMPTY = 240
_KEPT, _WEAK, _SAME = 0.25, 0.05, 0.5
_WHOLE, _EDGE_PX = 0.95, 1.0
_EMPTY_SEED = 7
_FLAT, _COLOURED = 90, 3
"""Below this range of grey levels a picture is flat, below this mean saturation it is grey."""


@dataclass(frozen=True, slots=True)
class Detected:
    """One whole person in a frame, or one false person, and what the detector made of it.

    Args:
        found: Whether it was detected.
        why: For those that were not, why.
        place: The kind of place.
        camera: Its name.
        view: "clear", "flat" (little contrast, as in fog) or "grey" (no colour, as by infrared).
        activity: What the person does.
        height_px: Of the box.
        contrast: How much its middle differs from both its sides, 0-255.
        caption: For the contact sheet.
        picture: uint8 (H, W, 3), BGR, the box with much around it; empty when found.
    """

    found: bool
    why: str
    place: str
    camera: str
    view: str
    activity: str
    height_px: float
    contrast: float
    caption: str
    picture: Image


def people_in_footage(folder: Path) -> tuple[list[Path], list[Detected]]:
    """The videos, one site for each kind of place, and all whole people in them.

    Args:
        folder: Videos go there; those that are there are used again.
    """
    detector = _open(_WEAK)
    videos: list[Path] = []
    seen: list[Detected] = []
    for seed, kind in enumerate(KINDS, 1):
        site = folder / "footage" / kind.replace(" ", "-")
        if not site.exists():
            run = make_footage(
                build(
                    FootageConfig,
                    cameras=CAMERAS,
                    people=PEOPLE,
                    minutes=MINUTES,
                    seed=seed,
                    frame_rate=RATE,
                    size=SIZE_WH,
                    place=kind,
                    output=site,
                )
            )
            if run.interrupted:
                raise KeyboardInterrupt
        rows = pq.read_table(site / "identities.parquet").to_pylist()
        for video in sorted(site.glob("camera-*.mp4")):
            videos.append(video)
            own = [row for row in rows if row["camera"] == video.stem]
            seen += _in_video(video, own, detector, kind)
    return videos, seen


def _open(confidence: float) -> Detector:
    options = DetectorOptions(confidence=confidence)
    return open_detector(DETECTOR, device=choose("auto"), options=options)


def _in_video(
    video: Path, rows: Sequence[dict[str, Any]], detector: Detector, kind: str
) -> list[Detected]:
    seen: list[Detected] = []
    with open_source(video) as reader:
        for frame in reader:
            there = [row for row in rows if row["frame"] == frame.frame_number]
            if not there:
                continue
            boxes = np.array([[row[name] for name in ("x1", "y1", "x2", "y2")] for row in there])
            found = detector.detect([frame.image])[0]
            reasons = _reasons(boxes, found, detector)
            height, width = frame.image.shape[:2]
            inner = np.array([width, height]) - _EDGE_PX
            cut = np.any((boxes[:, :2] <= _EDGE_PX) | (boxes[:, 2:] >= inner), axis=1)
            for row, box, why, is_cut in zip(
                there, boxes, reasons, np.atleast_1d(cut), strict=True
            ):
                if row["visibility"] >= _WHOLE and not is_cut:
                    seen.append(_person(frame.image, row, box, why, kind))
    return seen


def _person(
    image: Image, row: dict[str, Any], box: NDArray[np.float64], why: str, kind: str
) -> Detected:
    height = float(box[3] - box[1])
    contrast = _contrast(image, box)
    where = f"{kind} {row['camera'][-1]} frame {row['frame']} id {row['identity']}"
    return Detected(
        found=not why,
        why=why,
        place=kind,
        camera=row["camera"],
        view=_view(image),
        activity=row["activity"],
        height_px=height,
        contrast=contrast,
        caption=f"{where}\n{height:.0f} px, contrast {contrast:.0f}: {why}",
        picture=around(image, box) if why else np.empty((0, 0, 3), np.uint8),
    )


def _reasons(boxes: NDArray[np.float64], found: Detections, detector: Detector) -> list[str]:
    """For each box why no person was detected there; an empty word where one was."""
    people = np.array([detector.class_names[one] == "person" for one in found.class_ids], bool)
    strong = people & (found.scores >= _KEPT)
    overlaps = pairwise_iou(boxes, found.boxes_xyxy.astype(np.float64))
    kept = overlaps[:, strong]
    rows, columns = linear_sum_assignment(kept, maximize=True)
    matched = dict(zip(rows.tolist(), kept[rows, columns].tolist(), strict=True))
    return [
        ""
        if matched.get(row, 0.0) >= _SAME
        else _reason(overlaps[row], people=people, strong=strong, found=found, detector=detector)
        for row in range(len(boxes))
    ]


def _reason(
    overlaps: NDArray[np.float64],
    *,
    people: NDArray[np.bool_],
    strong: NDArray[np.bool_],
    found: Detections,
    detector: Detector,
) -> str:
    if (overlaps[strong] >= _SAME).any():
        return "one box for two"
    if (overlaps[strong] >= 0.25).any():
        return "box too different"
    if (overlaps[people] >= _SAME).any():
        return "confidence below 0.25"
    other = (overlaps >= _SAME) & (found.scores >= _KEPT)
    if other.any():
        return f"taken for a {detector.class_names[int(found.class_ids[np.argmax(other)])]}"
    return "nothing found"


def _view(image: Image) -> str:
    low, high = np.percentile(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (2, 98))
    if cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 1].mean() < _COLOURED:
        return "grey"
    return "flat" if high - low < _FLAT else "clear"


def _contrast(image: Image, box: NDArray[np.float64]) -> float:
    """The distance of the mean colours of a box's middle and of what lies left and right of it."""
    left, top, right, bottom = np.round(box).astype(int).tolist()
    across, down = max(2, (right - left) // 3), max(2, (bottom - top) // 8)
    rows = slice(top + down, max(top + down + 1, bottom - down))
    middle = image[rows, left + across : max(left + across + 1, right - across)]
    sides = [image[rows, max(0, left - across) : left], image[rows, right : right + across]]
    beside = np.concatenate([side.reshape(-1, 3) for side in sides])
    if not len(beside) or not middle.size:
        return 0.0
    # rows are taken alone, or dark trousers and a bright shirt would look like the wall together
    body = middle.mean(axis=1)
    around_it = np.nanmean([side.mean(axis=1) for side in sides if side.shape[1]], axis=0)
    return float(np.linalg.norm(body - around_it, axis=1).mean())


def around(image: Image, box: NDArray[np.float64]) -> Image:
    """A box with much around it, itself marked: uint8 (240, 240, 3), BGR.

    Args:
        image: uint8 (H, W, 3), BGR.
        box: float64 (4,), pixels.
    """
    middle, side = (box[:2] + box[2:]) / 2, max(48.0, 1.7 * float((box[2:] - box[:2]).max()))
    scale = 240 / side
    moved = np.array([[scale, 0, 120 - scale * middle[0]], [0, scale, 120 - scale * middle[1]]])
    cut = np.asarray(cv2.warpAffine(image, moved, (240, 240), flags=cv2.INTER_CUBIC), np.uint8)
    corners = ((box.reshape(2, 2) - middle) * scale + 120).round().astype(int)
    cv2.rectangle(cut, corners[0].tolist(), corners[1].tolist(), (80, 220, 80), 1)
    return cut


def empty_pictures(folder: Path) -> tuple[int, list[Detected]]:
    """How many pictures of places without people were looked at, and the people seen in them.

    Args:
        folder: The pictures go there; those that are there are used again.
    """
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    paths = [empty / f"{number:04d}.png" for number in range(1, EMPTY + 1)]
    missing = [path for path in paths if not path.exists()]
    with progress("empty places", len(missing)) as advance:
        for _ in run_jobs(draw_empty, missing, workers=None, stop=Stop()):
            advance()
    detector = _open(_KEPT)
    false: list[Detected] = []
    for path in paths:
        image = read_image(path)
        found = detector.detect([image])[0]
        for box, score, number in zip(
            found.boxes_xyxy.astype(np.float64), found.scores, found.class_ids, strict=True
        ):
            if detector.class_names[int(number)] == "person":
                caption = f"{path.stem}: {score:.2f}, {box[3] - box[1]:.0f} px"
                false.append(
                    Detected(
                        found=True,
                        why="",
                        place="",
                        camera=path.stem,
                        view=_view(image),
                        activity="",
                        height_px=float(box[3] - box[1]),
                        contrast=_contrast(image, box),
                        caption=caption,
                        picture=around(image, box),
                    )
                )
    return len(paths), false


_RENDERER: list[Renderer] = []
"""The renderer of this process, once it is open."""


def draw_empty(path: Path) -> None:
    """Draws what one camera sees when nobody is there, and writes it.

    Args:
        path: ``NNNN.png``, the camera's number.
    """
    if not _RENDERER:
        _RENDERER.append(Renderer().__enter__())
    stage = draw_stage(_RENDERER[0], seed=_EMPTY_SEED, number=int(path.stem))
    chance = generator(_EMPTY_SEED, "empty", int(path.stem))
    picture = develop(stage.picture, stage.sensor, chance, distance_m=stage.distance_m)
    cv2.imwrite(str(path), picture)
