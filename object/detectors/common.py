"""What every detector shares: options, the letterbox, non-maximum suppression, class names."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Detections
from everyid.errors import ConfigError
from everyid.protocols import Image

__all__ = [
    "DetectorOptions",
    "Letterbox",
    "letterboxed_batches",
    "resolve_classes",
    "suppress",
]

MAX_BOXES = 300
"""Boxes kept in one image, the best ones."""
MAX_CANDIDATES = 30_000
"""Boxes that enter suppression, the best ones."""
_GREY = 114
"""The value of padding that YOLO networks are trained with."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How a detector looks at images and what it keeps.

    Args:
        confidence: Lowest score that is kept, 0-1.
        iou: Boxes of one class that overlap more than this are one object, 0-1.
        image_size: Long side of the network's input, pixels; None takes the model's own.
        classes: Names or numbers of the classes to keep; empty keeps all.
        trust_weights: Load a pickle that runs code, from an unknown file.
    """

    confidence: float = 0.25
    iou: float = 0.7
    image_size: int | None = None
    classes: tuple[str, ...] = ()
    trust_weights: bool = False

    def __post_init__(self) -> None:
        for name, value in (("confidence", self.confidence), ("iou", self.iou)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name}: expected 0 to 1, got {value}")
        if self.image_size is not None and not 32 <= self.image_size <= 8192:
            raise ConfigError(f"image size: expected 32 to 8192 pixels, got {self.image_size}")


def resolve_classes(wanted: Sequence[str], names: Mapping[int, str]) -> NDArray[np.int32]:
    """The class numbers for names or numbers, int32 (C,), sorted; all when none is wanted.

    Args:
        wanted: Names (case does not matter) or numbers as text.
        names: Class number -> name, as the model has them.

    Raises:
        ConfigError: The model has no such class; the nearest name is suggested.

    >>> resolve_classes(["Dog", "0"], {0: "person", 16: "dog"}).tolist()
    [0, 16]
    """
    if not wanted:
        return np.array(sorted(names), np.int32)
    by_name = {name.lower(): number for number, name in names.items()}
    found = set()
    for item in wanted:
        key = item.strip().lower()
        if key in by_name:
            found.add(by_name[key])
        elif key.isdecimal() and int(key) in names:
            found.add(int(key))
        else:
            near = difflib.get_close_matches(key, by_name, n=1, cutoff=0.5)
            raise ConfigError(
                f"class {item!r}: the model knows {len(names)} classes, not this one",
                hint=f"did you mean {near[0]!r}?"
                if near
                else "its classes: " + ", ".join(sorted(by_name)[:100]),
            )
    return np.array(sorted(found), np.int32)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where an image lies inside the rectangle a network sees.

    Args:
        canvas_hw: (H, W) of the rectangle, multiples of the network's stride.
        inner_hw: (h, w) of the scaled image inside it.
        top: Rows of padding above.
        left: Columns of padding to the left.
        image_hw: (H, W) of the image itself.
    """

    canvas_hw: tuple[int, int]
    inner_hw: tuple[int, int]
    top: int
    left: int
    image_hw: tuple[int, int]

    @classmethod
    def fit(cls, image_hw: tuple[int, int], *, size: int, stride: int) -> "Letterbox":
        """The smallest rectangle of whole strides that holds the image at the wanted size.

        The image is scaled so that its long side is ``size`` (rounded up to whole strides), as
        ultralytics does for a clip.
        """
        height, width = image_hw
        size = -(-size // stride) * stride
        ratio = min(size / height, size / width)
        inner = max(round(height * ratio), 1), max(round(width * ratio), 1)
        rest_h, rest_w = (size - inner[0]) % stride, (size - inner[1]) % stride
        return cls(
            canvas_hw=(inner[0] + rest_h, inner[1] + rest_w),
            inner_hw=inner,
            top=round(rest_h / 2 - 0.1),
            left=round(rest_w / 2 - 0.1),
            image_hw=image_hw,
        )

    def draw(self, image: Image, canvas: Image) -> None:
        """Scales the image into a canvas of ``canvas_hw`` (bilinear) and greys the rest."""
        (height, width), top, left = self.inner_hw, self.top, self.left
        canvas[:top] = _GREY
        canvas[top + height :] = _GREY
        canvas[top : top + height, :left] = _GREY
        canvas[top : top + height, left + width :] = _GREY
        inner = canvas[top : top + height, left : left + width]
        if self.inner_hw == self.image_hw:
            inner[:] = image
        else:
            cv2.resize(image, (width, height), dst=inner, interpolation=cv2.INTER_LINEAR)

    def to_image(self, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes in pixels of the canvas -> pixels of the image, clipped to it; float32 (N, 4)."""
        height, width = self.image_hw
        shift = np.array([self.left, self.top] * 2, np.float32)
        gain = np.array([self.inner_hw[1] / width, self.inner_hw[0] / height] * 2, np.float32)
        limit = np.array([width, height] * 2, np.float32)
        return np.asarray(np.clip((boxes_xyxy - shift) / gain, 0, limit), np.float32)


def letterboxed_batches(
    images: Sequence[Image], *, size: int, stride: int
) -> list[tuple[list[int], list[Letterbox], NDArray[np.uint8]]]:
    """Images grouped by the rectangle they need: (positions, letterboxes, uint8 (B, H, W, 3)).

    Args:
        images: uint8 (H, W, 3), BGR; sizes may differ.
        size: Long side of the rectangle, pixels.
        stride: The rectangle's sides are multiples of it.
    """
    groups: dict[tuple[int, int], list[tuple[int, Letterbox]]] = {}
    for position, image in enumerate(images):
        box = Letterbox.fit((image.shape[0], image.shape[1]), size=size, stride=stride)
        groups.setdefault(box.canvas_hw, []).append((position, box))
    batches = []
    for canvas_hw, members in groups.items():
        batch = np.empty((len(members), *canvas_hw, 3), np.uint8)
        for canvas, (position, box) in zip(batch, members, strict=True):
            box.draw(images[position], canvas)
        positions, boxes = zip(*members, strict=True)
        batches.append((list(positions), list(boxes), batch))
    return batches


def suppress(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    *,
    iou: float,
) -> Detections:
    """The boxes left after greedy non-maximum suppression within each class, best first.

    A box goes when it overlaps a better one of its class by more than ``iou``; at most
    ``MAX_BOXES`` stay. Equal scores keep their order.

    Args:
        boxes_xyxy: float32 (N, 4), pixels.
        scores: float32 (N,).
        class_ids: int32 (N,).
        iou: 0-1.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    x1, y1, x2, y2 = boxes_xyxy[order].astype(np.float64).T
    classes = class_ids[order]
    areas = (x2 - x1) * (y2 - y1)
    rest = np.arange(len(order))
    kept: list[int] = []
    while rest.size and len(kept) < MAX_BOXES:
        best, rest = int(rest[0]), rest[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        union = areas[best] + areas[rest] - shared
        rest = rest[(shared <= iou * union) | (classes[rest] != classes[best])]
    rows = order[kept]
    return Detections(boxes_xyxy[rows], scores[rows], class_ids[rows])


def keep_boxes(detections: Detections) -> Detections:
    """The boxes that still have an area once they are clipped to the image."""
    x1, y1, x2, y2 = detections.boxes_xyxy.T
    return detections.select((x2 > x1) & (y2 > y1))
