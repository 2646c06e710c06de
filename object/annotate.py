"""Boxes, labels and fading traces drawn on frames, readable on small and large ones."""

from collections import deque
from collections.abc import Mapping

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from everyid.arrays import Detections, Tracks
from everyid.models import MovementType
from everyid.protocols import Image

__all__ = ["Annotator"]

_COLORS = [
    *("#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6"),
    *("#d2f53c", "#fabebe", "#008080", "#e6beff", "#aa6e28", "#fffac8", "#800000", "#aaffc3"),
    *("#808000", "#ffd8b1", "#000080", "#ff6f61"),
]
"""Colours that differ well next to each other; a track keeps the one of its id."""
_TRACE_S = 3.0
"""Seconds of a track's way that are drawn."""
_FADES = (0.25, 0.5, 0.75, 1.0)
"""Opacity of a trace, from its oldest quarter to its newest."""
_SMALL = 360
"""Frames whose short side is below this get short labels."""


def _text_colors() -> sv.ColorPalette:
    """Black on light colours, white on dark ones."""
    colors = []
    for color in sv.ColorPalette.from_hex(_COLORS).colors:
        luma = 0.299 * color.r + 0.587 * color.g + 0.114 * color.b
        colors.append(sv.Color.BLACK if luma > 140 else sv.Color.WHITE)
    return sv.ColorPalette(colors)


class Annotator:
    """Draws on the frames of one source, in order.

    Args:
        size_hw: (H, W) of the frames, from which line widths and text sizes follow.
        class_names: Class number -> name.
    """

    def __init__(self, size_hw: tuple[int, int], class_names: Mapping[int, str]) -> None:
        short = min(size_hw)
        scale = float(np.clip(short / 1080, 0.3, 3.0))
        self._class_names = class_names
        self._short_labels = short < _SMALL
        self._thickness = max(1, round(3.2 * scale))
        palette = sv.ColorPalette.from_hex(_COLORS)
        self._bgr = [color.as_bgr() for color in palette.colors]
        self._boxes = sv.BoxAnnotator(palette, self._thickness, sv.ColorLookup.INDEX)
        self._labels = sv.LabelAnnotator(
            palette,
            color_lookup=sv.ColorLookup.INDEX,
            text_color=_text_colors(),
            text_scale=max(0.33, 0.75 * scale),
            text_thickness=max(1, round(1.6 * scale)),
            text_padding=max(2, round(7 * scale)),
            smart_position=True,
        )
        self._traces: dict[int, deque[tuple[float, int, int]]] = {}

    def draw_detections(self, image: Image, found: Detections) -> Image:
        """Draws boxes and labels such as "person 0.87" into the image and returns it."""
        labels = [
            self._class_names[number]
            if self._short_labels
            else f"{self._class_names[number]} {score:.2f}"
            for number, score in zip(found.class_ids.tolist(), found.scores.tolist(), strict=True)
        ]
        return self._draw(image, found.boxes_xyxy, found.class_ids, labels)

    def draw_tracks(
        self, image: Image, tracks: Tracks, types: list[MovementType], timestamp: float
    ) -> Image:
        """Draws traces, boxes and labels such as "#3 walking" or "#4 car" into the image.

        Args:
            image: uint8 (H, W, 3), BGR; changed in place.
            tracks: What is in the frame.
            types: The movement of each track.
            timestamp: Seconds; traces fade by it.

        Returns:
            The same image.
        """
        self._draw_traces(image, tracks, timestamp)
        labels = [
            self._track_label(track_id, self._class_names[number], kind)
            for track_id, number, kind in zip(
                tracks.track_ids.tolist(), tracks.class_ids.tolist(), types, strict=True
            )
        ]
        return self._draw(image, tracks.boxes_xyxy, tracks.track_ids, labels)

    def _track_label(self, track_id: int, name: str, kind: MovementType) -> str:
        if self._short_labels:
            return f"#{track_id}"
        if name != "person":
            return f"#{track_id} {name}"
        return f"#{track_id}" if kind is MovementType.STATIONARY else f"#{track_id} {kind.value}"

    def _draw(
        self,
        image: Image,
        boxes_xyxy: NDArray[np.float32],
        keys: NDArray[np.integer],
        labels: list[str],
    ) -> Image:
        """Draws boxes whose colour is chosen by their key (a track id or class number)."""
        if not len(boxes_xyxy):
            return image
        things = sv.Detections(xyxy=boxes_xyxy, class_id=np.zeros(len(boxes_xyxy), int))
        lookup = (keys % len(_COLORS)).astype(int)
        self._boxes.annotate(image, things, custom_color_lookup=lookup)
        self._labels.annotate(image, things, labels=labels, custom_color_lookup=lookup)
        return image

    def _draw_traces(self, image: Image, tracks: Tracks, timestamp: float) -> None:
        feet = tracks.boxes_xyxy[:, [0, 2, 3]]
        for track_id, (x1, x2, y2) in zip(tracks.track_ids.tolist(), feet.tolist(), strict=True):
            trace = self._traces.setdefault(track_id, deque())
            trace.append((timestamp, round((x1 + x2) / 2), round(y2)))
        for track_id, trace in list(self._traces.items()):
            while trace and trace[0][0] < timestamp - _TRACE_S:
                trace.popleft()
            if not trace:
                del self._traces[track_id]
            elif len(trace) > 1:
                self._draw_trace(image, trace, timestamp, self._bgr[track_id % len(_COLORS)])

    def _draw_trace(
        self,
        image: Image,
        trace: deque[tuple[float, int, int]],
        timestamp: float,
        color: tuple[int, int, int],
    ) -> None:
        points = np.array([(x, y) for _, x, y in trace], np.int32)
        age = (timestamp - np.array([time for time, _, _ in trace])) / _TRACE_S
        height, width = image.shape[:2]
        margin = self._thickness + 1
        left, top = (max(0, low - margin) for low in points.min(axis=0).tolist())
        right, bottom = (high + margin + 1 for high in points.max(axis=0).tolist())
        part = image[top : min(height, bottom), left : min(width, right)]
        if not part.size:
            return
        steps = len(_FADES)
        group = np.minimum(((1 - age) * steps).astype(int), steps - 1)
        for number, opacity in enumerate(_FADES):
            chosen = np.flatnonzero(group == number)
            if not chosen.size:
                continue
            # One point more, so that the pieces join.
            line = points[chosen[0] : chosen[-1] + 2] - np.array([left, top], np.int32)
            over = part.copy()
            cv2.polylines(over, [line], False, color, self._thickness, cv2.LINE_AA)
            cv2.addWeighted(over, opacity, part, 1 - opacity, 0, dst=part)
