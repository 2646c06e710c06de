"""Detectors that score a grid of boxes: from letterbox to kept boxes, whatever the network."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Detections
from everyid.protocols import Image
from everyid.runtime import Network
from object.detectors.common import (
    DetectorOptions,
    Letterbox,
    keep_boxes,
    letterboxed_batches,
    resolve_classes,
)

__all__ = ["GridDetector", "ReadOutput"]

ReadOutput = Callable[
    [NDArray[np.float32], tuple[int, int], NDArray[np.int32], DetectorOptions], Detections
]
"""One image's network output, the canvas (H, W), the wanted classes and the options -> its boxes
in pixels of the canvas, best first."""


class GridDetector:
    """Boxes from a network that sees the frame's own letterboxed rectangle.

    Fulfils :class:`everyid.protocols.Detector`.

    Args:
        network: Takes uint8 (B, H, W, 3) and gives one array with the batch first.
        class_names: Class number -> name.
        size: Long side of the rectangle, pixels.
        stride: Its sides are multiples of this.
        read: Turns one image's output into boxes.
        options: What is kept.
    """

    def __init__(
        self,
        network: Network,
        *,
        class_names: Mapping[int, str],
        size: int,
        stride: int,
        read: ReadOutput,
        options: DetectorOptions,
    ) -> None:
        self.class_names = dict(class_names)
        self.parallel_calls = network.parallel_calls
        self.network = network
        self._size = size
        self._stride = stride
        self._read = read
        self._options = options
        self._classes = resolve_classes(options.classes, class_names)

    def prepare(
        self, images: Sequence[Image]
    ) -> list[tuple[list[int], list[Letterbox], NDArray[np.uint8]]]:
        """The images as the network sees them; see ``letterboxed_batches``."""
        return letterboxed_batches(images, size=self._size, stride=self._stride)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One container of boxes for each image, in order; each sorted by falling score.

        Args:
            images: uint8 (H, W, 3), BGR, 0-255; sizes may differ.
        """
        results: list[Detections] = [Detections.empty()] * len(images)
        for positions, boxes, batch in self.prepare(images):
            output = self.network(batch)[0]
            for position, box, values in zip(positions, boxes, output, strict=True):
                found = self._read(values, box.canvas_hw, self._classes, self._options)
                placed = Detections(box.to_image(found.boxes_xyxy), found.scores, found.class_ids)
                results[position] = keep_boxes(placed)
        return results
