"""What the rooms offer each other; found by name through :mod:`everyid.registry`."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Detections

__all__ = ["AttributeReader", "Detector", "Encoder", "Image", "TrackLinker", "Tracker"]

Image = NDArray[np.uint8]
"""uint8 (H, W, 3), BGR, 0-255."""


@runtime_checkable
class Detector(Protocol):
    """Finds boxes in images. ``detect`` may be called from several threads at once."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """Class number -> name."""
        ...

    @property
    def parallel_calls(self) -> int:
        """How many concurrent ``detect`` calls keep the device busy, at least 1."""
        ...

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One container of boxes for each image, in order; each sorted by falling score.

        Args:
            images: uint8 (H, W, 3), BGR, 0-255; sizes may differ.
        """
        ...


@runtime_checkable
class Tracker(Protocol):
    """Gives the boxes of one source lasting ids."""

    def update(
        self, detections: Detections, *, timestamp: float, image: Image | None = None
    ) -> tuple[Detections, NDArray[np.int64]]:
        """The boxes that belong to a confirmed track, and int64 (N,) track ids from 1.

        Args:
            detections: The boxes of one frame, weak ones included.
            timestamp: Seconds, rising from call to call.
            image: uint8 (H, W, 3), BGR; only trackers that compensate camera motion need it.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns crops into embeddings."""

    @property
    def width(self) -> int:
        """D, the width of an embedding."""
        ...

    def encode(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order.

        Args:
            crops: uint8 (H, W, 3), BGR, 0-255; sizes may differ.
        """
        ...


@runtime_checkable
class TrackLinker(Protocol):
    """Says which tracks of one or more sources are the same identity."""

    def link(
        self, embeddings: NDArray[np.float32], *, spans_s: NDArray[np.float64], sources: list[str]
    ) -> NDArray[np.int64]:
        """int64 (T,), an identity number from 1 for each track.

        Args:
            embeddings: float32 (T, D), one L2-normalised row a track.
            spans_s: float64 (T, 2), start and end of each track in seconds.
            sources: The source of each track; overlapping tracks of one source differ.
        """
        ...


@runtime_checkable
class AttributeReader(Protocol):
    """Reads attributes (colours, garments, carried things) off crops."""

    def read(self, crops: Sequence[Image]) -> list[dict[str, str]]:
        """One mapping of attribute name to value for each crop, in order."""
        ...
