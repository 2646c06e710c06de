"""Trackers: boxes of one source in, the same boxes with lasting ids out.

The association is that of the ``trackers`` package (Apache-2.0); this file gives it one
tracker a class, ids that are unique over all classes, real timestamps and our types.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from trackers import CMC, BoTSORTTracker, ByteTrackTracker, CMCConfig, OCSORTTracker

from everyid.arrays import Detections
from everyid.errors import ConfigError, InputError
from everyid.protocols import Image

__all__ = ["ClassTracker", "TrackerOptions", "botsort", "bytetrack", "ocsort"]

_BUFFER_RATE = 30
"""The ``trackers`` package counts its lost-track buffer in frames of 30 a second."""

_NEVER = -1


class TrackerOptions(BaseModel):
    """What starts, extends and ends a track.

    The defaults are for yolov8n with boxes from confidence 0.1 up, chosen on ``vtest.avi`` of
    OpenCV (768x576, 10 frames a second; people cross and stop behind a lamp post). 4,536 boxes
    of 22 passages were labelled by eye on the short fragments of a strict ByteTrack (strong
    0.3, min_iou 0.4), so boxes that it missed do not count. ByteTrack there:

    ======================================  ======  ========  ======
    birth / strong / min_iou                IDF1    switches  tracks
    ======================================  ======  ========  ======
    0.6 / 0.3 / 0.2 (the defaults)          0.901   21        34
    0.7 / 0.6 / 0.1 (those of the package)  0.877   17        26
    0.5 / 0.3 / 0.2                         0.883   21        37
    0.7 / 0.3 / 0.2                         0.900   15        28
    0.6 / 0.3 / 0.1                         0.848   25        35
    0.6 / 0.3 / 0.3                         0.869   20        37
    0.6 / 0.6 / 0.2                         0.843   20        29
    ======================================  ======  ========  ======

    - ``strong`` at 0.3: a person half hidden scored 0.3-0.6, and should not be matched only
      after everyone else has chosen.
    - ``birth`` at 0.6: 0.5 adds three short tracks; 0.7 switches less but finds fewer of the
      people (97.9 % of the boxes against 98.8 %).
    - ``min_iou`` at 0.2: 0.1 lets tracks jump to a neighbour, 0.3 breaks them up. At 5 frames a
      second 0.1 does better (every second frame of the clip: IDF1 0.850 against 0.813).
    - ``lost_s`` at 2: 1, 2 and 3 s give the same ids, but at 3 s weak boxes on the sign post
      keep a track of it alive (66 boxes more).
    - ``min_frames`` at 3: with 2, false tracks double (4 against 2) for 0.6 % more boxes.

    At the defaults OC-SORT reaches IDF1 0.890 with 28 switches (it has no use for weak boxes)
    and BoT-SORT 0.869 with 19. In the clips ``one-by-one-person-detection`` and
    ``people-detection`` of Intel, ByteTrack gives one track to each of 6 and of 7 persons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    birth: float = Field(
        default=0.6, gt=0, le=1, description="least confidence of a box that starts a track"
    )
    strong: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="least confidence of a box matched first; weaker ones only extend tracks",
    )
    min_iou: float = Field(
        default=0.2, gt=0, lt=1, description="least overlap of a box with a track's predicted one"
    )
    lost_s: float = Field(default=2.0, ge=0, le=600, description="seconds a lost track is kept")
    min_frames: int = Field(
        default=3, ge=2, le=1000, description="frames in a row that confirm a track"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.birth < self.strong:
            raise ValueError(
                f"expected birth >= strong, since weaker boxes never start a track; "
                f"got birth={self.birth}, strong={self.strong}"
            )
        return self

    @property
    def buffer(self) -> int:
        """``lost_s`` in the unit of the ``trackers`` package: frames of 30 a second."""
        return round(self.lost_s * _BUFFER_RATE)


class _Association(Protocol):
    """What is used of a tracker of the ``trackers`` package."""

    def update(
        self,
        detections: sv.Detections,
        frame: Image | None = None,
        timestamp: float | None = None,
    ) -> sv.Detections: ...


class _CameraMotion(CMC):
    """The camera's motion, estimated once a frame however many classes ask for it."""

    def __init__(self) -> None:
        super().__init__(CMCConfig(method="sparseOptFlow", downscale=2))
        self._motion: NDArray[np.float32] = np.eye(2, 3, dtype=np.float32)

    def see(self, image: Image) -> None:
        """Takes the next frame in."""
        self._motion = super().estimate(image)

    def estimate(
        self,
        frame_bgr: Image,
        dets_xyxy: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """float32 (2, 3), the motion into the frame taken in last."""
        return self._motion


@dataclass(slots=True)
class _Candidate:
    """One track of one class: its global id, 0 until confirmed.

    The box that starts a track comes without a local id, so it is counted in from the start.
    """

    track_id: int = 0
    streak: int = 1
    last_frame: int = _NEVER
    last_s: float = 0.0
    best_score: float = 0.0


@dataclass(slots=True)
class _OneClass:
    """The tracker of one class and the tracks it has named."""

    association: _Association
    candidates: dict[int, _Candidate] = field(default_factory=dict)


class ClassTracker:
    """Tracks the boxes of one source, each class by itself (a :class:`everyid.protocols.Tracker`).

    Ids start at 1, count up in the order in which tracks are confirmed (within a frame by class,
    then by the class tracker's own order), and are never used twice.

    Args:
        make: Makes the tracker of one class, when the class is first seen.
        keep_s: Seconds for which a class tracker may still find a lost track again.
        motion: Estimates camera motion, for trackers that compensate it.
        streak: Frames in a row before a track is named here; 1 where the class tracker holds
            back immature tracks itself.
        birth: Least confidence a track must have reached once before it is named here.
    """

    def __init__(
        self,
        make: Callable[[], _Association],
        *,
        keep_s: float,
        motion: _CameraMotion | None = None,
        streak: int = 1,
        birth: float = 0.0,
    ) -> None:
        self._make = make
        self._keep_s = keep_s
        self._motion = motion
        self._streak = streak
        self._birth = birth
        self._classes: dict[int, _OneClass] = {}
        self._timestamp = -math.inf
        self._frame = 0
        self._last_id = 0

    @property
    def needs_image(self) -> bool:
        """Whether ``update`` must be given the image."""
        return self._motion is not None

    def update(
        self, detections: Detections, *, timestamp: float, image: Image | None = None
    ) -> tuple[Detections, NDArray[np.int64]]:
        """The boxes that belong to a confirmed track, and their ids.

        Args:
            detections: The boxes of one frame, weak ones included.
            timestamp: Seconds, rising from call to call.
            image: uint8 (H, W, 3), BGR; needed when ``needs_image``, not looked at otherwise.

        Returns:
            The boxes as they were given (not smoothed), and int64 (N,) track ids from 1;
            both by rising track id, no id twice.

        Raises:
            InputError: The timestamp does not rise or is not finite, or the image is missing.
        """
        if not math.isfinite(timestamp) or timestamp <= self._timestamp:
            raise InputError(
                f"timestamp: expected seconds that rise from frame to frame, "
                f"got {timestamp} after {self._timestamp}"
            )
        frame = self._see(image)
        self._timestamp = timestamp
        self._frame += 1
        rows: list[int] = []
        track_ids: list[int] = []
        present = np.unique(detections.class_ids).tolist()
        for class_id in sorted({*self._classes, *present}):
            of_class = np.flatnonzero(detections.class_ids == class_id)
            one = self._classes.get(class_id)
            if one is None:
                one = self._classes[class_id] = _OneClass(self._make())
            for row, local_id in self._associate(one, detections, of_class, frame):
                track_id = self._name(one, local_id, float(detections.scores[row]))
                if track_id:
                    rows.append(row)
                    track_ids.append(track_id)
        order = np.argsort(np.array(track_ids, np.int64))
        return (
            detections.select(np.array(rows, np.intp)[order]),
            np.array(track_ids, np.int64)[order],
        )

    def _see(self, image: Image | None) -> Image | None:
        """The image as the class trackers want it: only where camera motion is compensated."""
        if self._motion is None:
            return None
        if image is None:
            raise InputError(
                "image: this tracker compensates camera motion and needs the image of each frame"
            )
        self._motion.see(image)
        return image

    def _associate(
        self,
        one: _OneClass,
        detections: Detections,
        of_class: NDArray[np.intp],
        frame: Image | None,
    ) -> list[tuple[int, int]]:
        """(row of ``detections``, local track id) of the boxes of one class, by local id."""
        boxes = sv.Detections(
            xyxy=detections.boxes_xyxy[of_class],
            confidence=detections.scores[of_class],
            class_id=of_class,  # carried through unread: it leads back to our rows
        )
        tracked = one.association.update(boxes, frame=frame, timestamp=self._timestamp)
        if tracked.tracker_id is None or tracked.class_id is None:
            return []
        local_ids: list[int] = tracked.tracker_id.tolist()
        pairs = zip(local_ids, tracked.class_id.tolist(), strict=True)
        return [(row, local_id) for local_id, row in sorted(pairs) if local_id >= 0]

    def _name(self, one: _OneClass, local_id: int, score: float) -> int:
        """The global id of a track that was seen in this frame; 0 while it is not confirmed."""
        candidate = one.candidates.get(local_id)
        if candidate is None:
            self._forget_lost(one)
            candidate = one.candidates[local_id] = _Candidate()
        if not candidate.track_id:
            in_a_row = candidate.last_frame in (self._frame - 1, _NEVER)
            candidate.streak = candidate.streak + 1 if in_a_row else 1
            candidate.best_score = max(candidate.best_score, score)
            if candidate.streak >= self._streak and candidate.best_score >= self._birth:
                self._last_id += 1
                candidate.track_id = self._last_id
        candidate.last_frame = self._frame
        candidate.last_s = self._timestamp
        return candidate.track_id

    def _forget_lost(self, one: _OneClass) -> None:
        """Drops the names of tracks that cannot come back, so that endless streams fit.

        One second is left over for the rounding of the class trackers' own clocks.
        """
        oldest = self._timestamp - self._keep_s - 1
        gone = [key for key, candidate in one.candidates.items() if candidate.last_s < oldest]
        for key in gone:
            del one.candidates[key]


def _checked_rate(frame_rate: float) -> float:
    if not math.isfinite(frame_rate) or frame_rate <= 0:
        raise ConfigError(f"frame_rate: expected frames a second above 0, got {frame_rate}")
    return float(frame_rate)


def bytetrack(*, frame_rate: float, options: TrackerOptions | None = None) -> ClassTracker:
    """A tracker that matches strong boxes by overlap first, then lets weak ones extend tracks.

    Args:
        frame_rate: Frames tracked a second (the source's, divided by any stride): one frame is
            the time step for which the motion model's noise is set. Gaps are taken from the
            timestamps.
        options: What starts, extends and ends a track; the defaults when None.

    Raises:
        ConfigError: The frame rate is not above 0.

    Source:
        Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
        ECCV 2022, section 3; roboflow/trackers core/bytetrack (Apache-2.0).
    """
    chosen = options or TrackerOptions()
    rate = _checked_rate(frame_rate)

    def make() -> _Association:
        return ByteTrackTracker(
            lost_track_buffer=chosen.buffer,
            frame_rate=rate,
            track_activation_threshold=chosen.birth,
            minimum_consecutive_frames=chosen.min_frames,
            minimum_iou_threshold=chosen.min_iou,
            high_conf_det_threshold=chosen.strong,
        )

    return ClassTracker(make, keep_s=chosen.lost_s)


def ocsort(*, frame_rate: float, options: TrackerOptions | None = None) -> ClassTracker:
    """A tracker that trusts observations over predictions: for erratic motion.

    Boxes below ``options.strong`` are not looked at: this method has no use for weak boxes.
    Tracks are confirmed here, not by the package, whose own rule drops the first boxes after
    every gap again and confirms at once in the first frames. A gap right after a track's very
    first box is not noticed.

    Args:
        frame_rate: Frames tracked a second, as for :func:`bytetrack`.
        options: What starts, extends and ends a track; the defaults when None.

    Raises:
        ConfigError: The frame rate is not above 0.

    Source:
        Cao et al., "Observation-Centric SORT", CVPR 2023, section 4; roboflow/trackers
        core/ocsort (Apache-2.0).
    """
    chosen = options or TrackerOptions()
    rate = _checked_rate(frame_rate)

    def make() -> _Association:
        return OCSORTTracker(
            lost_track_buffer=chosen.buffer,
            frame_rate=rate,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=chosen.min_iou,
            high_conf_det_threshold=chosen.strong,
        )

    return ClassTracker(make, keep_s=chosen.lost_s, streak=chosen.min_frames, birth=chosen.birth)


def botsort(*, frame_rate: float, options: TrackerOptions | None = None) -> ClassTracker:
    """A tracker like :func:`bytetrack` that also takes the camera's own motion out.

    It needs the image of each frame. Overlap is multiplied by confidence in the first match, so
    ``options.min_iou`` counts half there: what a box of confidence 0.5 must reach. Weak boxes
    must overlap by half, as in the paper.

    Args:
        frame_rate: Frames tracked a second, as for :func:`bytetrack`.
        options: What starts, extends and ends a track; the defaults when None.

    Raises:
        ConfigError: The frame rate is not above 0.

    Source:
        Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian Tracking", 2022, section
        3; roboflow/trackers core/botsort (Apache-2.0). Without appearance.
    """
    chosen = options or TrackerOptions()
    rate = _checked_rate(frame_rate)
    motion = _CameraMotion()
    min_fused = chosen.min_iou / 2

    def make() -> _Association:
        tracker = BoTSORTTracker(
            lost_track_buffer=chosen.buffer,
            frame_rate=rate,
            track_activation_threshold=chosen.birth,
            minimum_consecutive_frames=chosen.min_frames,
            minimum_iou_threshold_first_assoc=min_fused,
            minimum_iou_threshold_second_assoc=max(chosen.min_iou, 0.5),
            minimum_iou_threshold_unconfirmed_assoc=min_fused,
            high_conf_det_threshold=chosen.strong,
            instant_first_frame_activation=False,
        )
        tracker.cmc = motion
        return tracker

    return ClassTracker(make, keep_s=chosen.lost_s, motion=motion)
