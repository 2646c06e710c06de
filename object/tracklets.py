"""Running totals of each track, from which tracklets are made at the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from everyid.arrays import Tracks
from everyid.media import Frame
from everyid.models import MovementType, Tracklet
from object.movement import speed

__all__ = ["TrackletBook"]


@dataclass(slots=True)
class _Totals:
    class_id: int
    first_frame: int
    start_s: float
    last_frame: int = 0
    end_s: float = 0.0
    boxes: int = 0
    confidence: float = 0.0
    speed: float = 0.0
    types: Counter[MovementType] = field(default_factory=Counter)


class TrackletBook:
    """Keeps the totals of every track of a source: a few numbers each, whatever its length.

    Args:
        class_names: Class number -> name.
    """

    def __init__(self, class_names: Mapping[int, str]) -> None:
        self._class_names = class_names
        self._totals: dict[int, _Totals] = {}

    def add(self, frame: Frame, tracks: Tracks, types: list[MovementType]) -> None:
        """Counts the boxes of one frame.

        Args:
            frame: Gives number and time.
            tracks: What is in it.
            types: The movement of each track.
        """
        rows = zip(
            tracks.track_ids.tolist(),
            tracks.class_ids.tolist(),
            tracks.scores.tolist(),
            speed(tracks.velocities).tolist(),
            types,
            strict=True,
        )
        for track_id, class_id, score, pace, kind in rows:
            totals = self._totals.get(track_id)
            if totals is None:
                totals = _Totals(class_id, frame.frame_number, frame.timestamp)
                self._totals[track_id] = totals
            totals.last_frame, totals.end_s = frame.frame_number, frame.timestamp
            totals.boxes += 1
            totals.confidence += score
            totals.speed += pace
            totals.types[kind] += 1

    def tracklets(self) -> list[Tracklet]:
        """All tracks seen so far, by rising id."""
        return [
            Tracklet(
                track_id=track_id,
                class_id=totals.class_id,
                class_name=self._class_names[totals.class_id],
                first_frame=totals.first_frame,
                last_frame=totals.last_frame,
                start_s=totals.start_s,
                end_s=totals.end_s,
                boxes=totals.boxes,
                mean_confidence=min(1.0, totals.confidence / totals.boxes),
                mean_speed=totals.speed / totals.boxes,
                movement_type=totals.types.most_common(1)[0][0],
            )
            for track_id, totals in sorted(self._totals.items())
        ]
