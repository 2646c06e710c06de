"""How fast and where each track moves, from its boxes and their timestamps.

The velocity of a track is the slope of a line fitted through its box centres, old samples
weighing less. Only seven sums a track are kept, however long it lasts.
"""

import math

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.models import MovementType

__all__ = ["MovementEstimator", "direction", "movement_types", "speed"]

DEFAULT_THRESHOLDS = (50.0, 200.0)
"""Speeds in px/s from which a track walks and runs."""

_MIN_SAMPLES = 3
_MIN_HISTORY_S = 0.4
"""Seconds of history before a velocity is given.

With 4 px of white jitter at 10, 25 and 30 frames a second, 10-22 % of standing tracks would
seem to walk (50 px/s) after 0.2 s of history, 0.1-2 % after 0.3 s, and 0.1 % or less after 0.4 s.
"""
_LEAST_DECAY = 0.01
"""What a gap of any length leaves of older samples: enough to draw the line to a lone one."""
_FORGET_S = 60.0
"""Seconds after which a track that was not seen is a new one; longer than trackers keep any."""

_TYPES = np.array(list(MovementType), dtype=object)

_S0, _ST, _STT, _SX, _STX, _SY, _STY = range(7)
_FIRST, _LAST, _COUNT = range(3)


class MovementEstimator:
    """Velocities of the tracks of one source, from all frames given so far.

    A weighted least-squares line through the box centres over real time; the weight of a sample
    falls by 1/e in ``memory_s``. In the steady state 4 px of jitter on a standing box give 99 %
    of speeds below 6 px/s at 10 frames a second and 4 at 25; a turn shows after about
    ``memory_s``.

    Args:
        thresholds: Speeds in px/s from which a track counts as walking and as running,
            for :func:`movement_types`.
        memory_s: Seconds, above 0.

    Raises:
        ConfigError: The thresholds are not 0 < first < second, or the memory is not above 0.

    Source:
        Exponentially weighted least squares; e.g. Haykin, "Adaptive Filter Theory", chapter on
        recursive least squares.
    """

    def __init__(
        self, *, thresholds: tuple[float, float] = DEFAULT_THRESHOLDS, memory_s: float = 0.5
    ) -> None:
        self.thresholds = _checked_thresholds(thresholds)
        if not math.isfinite(memory_s) or memory_s <= 0:
            raise ConfigError(f"memory_s: expected seconds above 0, got {memory_s}")
        self._memory_s = memory_s
        self._timestamp = -math.inf
        self._ids = np.zeros(0, np.int64)
        self._sums = np.zeros((0, 7), np.float64)
        self._seen = np.zeros((0, 3), np.float64)

    def update(
        self, track_ids: NDArray[np.int64], boxes_xyxy: NDArray[np.float32], timestamp: float
    ) -> NDArray[np.float32]:
        """The velocities of the tracks of one frame.

        Args:
            track_ids: int64 (N,), no id twice.
            boxes_xyxy: float32 (N, 4), pixels.
            timestamp: Seconds, rising from call to call.

        Returns:
            float32 (N, 2), px/s along x and y (down is positive), in the order given; 0 until a
            track has three samples over 0.4 s.

        Raises:
            ShapeError: The arrays do not align, or an id comes twice.
            InputError: The timestamp does not rise or is not finite.
        """
        self._check(track_ids, boxes_xyxy, timestamp)
        self._timestamp = timestamp
        self._add_missing(track_ids, timestamp)
        rows = np.searchsorted(self._ids, track_ids)
        seen = self._seen[rows]
        gap_s = timestamp - seen[:, _LAST]
        forgotten = gap_s > _FORGET_S
        seen[forgotten] = (timestamp, timestamp, 0)
        seen[:, _LAST] = timestamp
        seen[:, _COUNT] += 1

        boxes = boxes_xyxy.astype(np.float64)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        sums = self._aged(self._sums[rows], gap_s)
        sums[forgotten] = 0
        sums[:, _S0] += 1
        sums[:, _SX] += centers[:, 0]
        sums[:, _SY] += centers[:, 1]
        self._sums[rows] = sums
        self._seen[rows] = seen

        long_enough = timestamp - seen[:, _FIRST] >= _MIN_HISTORY_S - 1e-6
        known = long_enough & (seen[:, _COUNT] >= _MIN_SAMPLES)
        velocities = np.zeros((len(rows), 2), np.float32)
        velocities[known] = _slopes(sums[known])
        return velocities

    def _check(
        self, track_ids: NDArray[np.int64], boxes_xyxy: NDArray[np.float32], timestamp: float
    ) -> None:
        count = len(track_ids)
        if track_ids.shape != (count,) or track_ids.dtype.kind != "i":
            raise ShapeError(
                f"track_ids: expected integers (N,), got {track_ids.shape} {track_ids.dtype}"
            )
        if boxes_xyxy.shape != (count, 4) or boxes_xyxy.dtype.kind != "f":
            raise ShapeError(
                f"boxes_xyxy: expected floats ({count}, 4), "
                f"got {boxes_xyxy.shape} {boxes_xyxy.dtype}"
            )
        if len(np.unique(track_ids)) != count:
            raise ShapeError(f"track_ids: expected no id twice, got {track_ids.tolist()}")
        if not math.isfinite(timestamp) or timestamp <= self._timestamp:
            raise InputError(
                f"timestamp: expected seconds that rise from frame to frame, "
                f"got {timestamp} after {self._timestamp}"
            )

    def _add_missing(self, track_ids: NDArray[np.int64], timestamp: float) -> None:
        """Makes room for new tracks, and drops those long gone."""
        new = np.setdiff1d(track_ids, self._ids)
        if not len(new):
            return
        kept = timestamp - self._seen[:, _LAST] <= _FORGET_S
        kept |= np.isin(self._ids, track_ids)
        ids = np.concatenate([self._ids[kept], new])
        order = np.argsort(ids)
        fresh = np.tile([timestamp, timestamp, 0.0], (len(new), 1))
        self._ids = ids[order]
        self._sums = np.concatenate([self._sums[kept], np.zeros((len(new), 7))])[order]
        self._seen = np.concatenate([self._seen[kept], fresh])[order]

    def _aged(self, sums: NDArray[np.float64], gap_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums with time counted from now and every weight decayed by the gap."""
        aged = sums.copy()
        aged[:, _STT] += gap_s * (gap_s * sums[:, _S0] - 2 * sums[:, _ST])
        aged[:, _ST] -= gap_s * sums[:, _S0]
        aged[:, _STX] -= gap_s * sums[:, _SX]
        aged[:, _STY] -= gap_s * sums[:, _SY]
        decay = np.maximum(np.exp(-gap_s / self._memory_s), _LEAST_DECAY)
        return aged * decay[:, None]


def _slopes(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32 (N, 2), the slopes of the weighted least-squares lines."""
    spread = sums[:, _S0] * sums[:, _STT] - sums[:, _ST] ** 2
    along_x = sums[:, _S0] * sums[:, _STX] - sums[:, _ST] * sums[:, _SX]
    along_y = sums[:, _S0] * sums[:, _STY] - sums[:, _ST] * sums[:, _SY]
    return (np.stack([along_x, along_y], axis=1) / spread[:, None]).astype(np.float32)


def _checked_thresholds(thresholds: tuple[float, float]) -> tuple[float, float]:
    walking, running = thresholds
    if not 0 < walking < running < math.inf:
        raise ConfigError(
            f"thresholds: expected two speeds in px/s, 0 < walking < running, "
            f"got {walking} and {running}"
        )
    return float(walking), float(running)


def speed(velocities: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (N,), speeds in px/s.

    >>> speed(np.array([[3.0, -4.0]], np.float32)).tolist()
    [5.0]

    Args:
        velocities: float32 (N, 2), px/s along x and y.
    """
    speeds: NDArray[np.float32] = np.hypot(velocities[:, 0], velocities[:, 1])
    return speeds


def direction(velocities: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (N,), directions in degrees, 0 to below 360: 0 right, 90 up; 0 when standing.

    >>> direction(np.array([[1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]], np.float32)).tolist()
    [0.0, 90.0, 180.0]

    Args:
        velocities: float32 (N, 2), px/s along x and y, y down.
    """
    along_x, along_y = velocities.astype(np.float64).T
    degrees = np.degrees(np.arctan2(-along_y, along_x)) % 360
    rounded: NDArray[np.float32] = degrees.astype(np.float32)
    rounded[rounded >= 360] = 0  # a hair below 360 rounds up to it
    rounded[rounded == 0] = 0  # no -0.0
    return rounded


def movement_types(
    speeds: NDArray[np.float32], thresholds: tuple[float, float] = DEFAULT_THRESHOLDS
) -> list[MovementType]:
    """The type of each speed: stationary < first threshold <= walking < second <= running.

    >>> [str(kind) for kind in movement_types(np.array([0, 50, 200], np.float32))]
    ['stationary', 'walking', 'running']

    Args:
        speeds: float32 (N,), px/s.
        thresholds: px/s, 0 < first < second.

    Raises:
        ConfigError: The thresholds are not in order.
    """
    kinds: list[MovementType] = _TYPES[
        np.digitize(speeds, _checked_thresholds(thresholds))
    ].tolist()
    return kinds
