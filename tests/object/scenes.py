"""A detector that finds bright boxes, footage drawn for it, and the command line in this process.

Frames are dark; a grey-white box is a person (class 0), a blue one a car (class 2), and its
confidence is its brightness: 230 of 255 gives 0.9.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from everyid.arrays import Detections
from everyid.media import VideoWriter, open_source
from everyid.protocols import Image
from object.detectors.common import DetectorOptions, resolve_classes

NAMES = {0: "person", 2: "car"}
BRIGHT = 230
SIZE_HW = (240, 480)
RATE = 25.0
TRACKING_HEADER = (
    "frame_number,timestamp,track_id,class_id,confidence,x1,y1,x2,y2,center_x,center_y,"
    "velocity_x,velocity_y,speed,direction,movement_type"
)
Box = tuple[float, float, float, float]


class BrightBoxes:
    """A ``Detector``: each bright region is an object."""

    class_names: Mapping[int, str] = NAMES
    parallel_calls = 2

    def __init__(self, options: DetectorOptions) -> None:
        self._least = options.confidence
        self._classes = resolve_classes(options.classes, self.class_names)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Detections:
        bright = (image.max(axis=2) > 60).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
        rows = []
        for number in range(1, count):
            x, y, width, height, area = stats[number].tolist()
            if area < 30:
                continue
            middle = image[y + height // 2, x + width // 2].astype(int)
            number = 2 if middle[0] - middle[2] > 60 else 0
            score = float(image[labels == labels[y + height // 2, x + width // 2]].max(1).mean())
            rows.append((x, y, x + width, y + height, score / 255, number))
        if not rows:
            return Detections.empty()
        table = np.array(rows, np.float32)
        found = Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))
        kept = (found.scores >= self._least) & np.isin(found.class_ids, self._classes)
        order = np.argsort(-found.scores[kept], kind="stable")
        return found.select(np.flatnonzero(kept)[order])


def picture(
    boxes: Iterable[Box], *, size_hw: tuple[int, int] = SIZE_HW, cars: Iterable[Box] = ()
) -> Image:
    """A dark frame with persons and cars at (x1, y1, x2, y2)."""
    image = np.full((*size_hw, 3), 16, np.uint8)
    for color, group in (((BRIGHT,) * 3, boxes), ((BRIGHT, 40, 40), cars)):
        for box in group:
            x1, y1, x2, y2 = (round(side) for side in box)
            image[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = color
    return image


def make_clip(
    path: Path, draw: Callable[[float], Image], *, seconds: float = 2.0, rate: float = RATE
) -> Path:
    """A video of what ``draw`` gives for the time of each frame."""
    first = draw(0.0)
    size_hw = (first.shape[0], first.shape[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size_hw=size_hw, frame_rate=rate) as writer:
        for number in range(round(seconds * rate)):
            writer.write(draw(number / rate), number / rate)
    return path


def walk(time_s: float) -> Image:
    """One person who walks to the right at 100 px/s, 40 x 80 px."""
    x = 20 + 100 * time_s
    return picture([(x, 100, x + 40, 180)])


def at(left: float, top: float, width: float = 40, height: float = 80) -> Box:
    return left, top, left + width, top + height


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def hints(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("hint: ")]


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def frames_of(path: Path) -> list[Image]:
    with open_source(path) as reader:
        frames = [frame.image for frame in reader]
        assert not reader.warnings
    return frames


def files_in(folder: Path) -> list[str]:
    """All files and empty folders below a folder, hidden ones included."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    )
