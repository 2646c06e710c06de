"""The slow, obvious twin of object/movement.py: a weighted line through all samples kept."""

import numpy as np

MIN_SAMPLES = 3
MIN_HISTORY_S = 0.4
LEAST_DECAY = 0.01
FORGET_S = 60.0


class SlowMovement:
    """Keeps every sample of every track and fits anew each time."""

    def __init__(self, memory_s: float = 0.5) -> None:
        self.memory_s = memory_s
        self.samples: dict[int, list[tuple[float, float, float]]] = {}

    def update(self, track_ids, boxes_xyxy, timestamp) -> np.ndarray:
        """float64 (N, 2), px/s."""
        velocities = np.zeros((len(track_ids), 2))
        for row, (track_id, box) in enumerate(zip(track_ids.tolist(), boxes_xyxy, strict=True)):
            x1, y1, x2, y2 = (float(value) for value in box)
            samples = self.samples.setdefault(track_id, [])
            if samples and timestamp - samples[-1][0] > FORGET_S:
                samples.clear()
            samples.append((timestamp, (x1 + x2) / 2, (y1 + y2) / 2))
            velocities[row] = self.velocity(np.array(samples))
        return velocities

    def velocity(self, samples: np.ndarray) -> tuple[float, float]:
        """The slopes along x and y of one track's samples, rows of (t, x, y)."""
        times = samples[:, 0] - samples[-1, 0]
        if len(samples) < MIN_SAMPLES or -times[0] < MIN_HISTORY_S - 1e-6:
            return 0.0, 0.0
        decays = np.maximum(np.exp(-np.diff(times) / self.memory_s), LEAST_DECAY)
        weights = np.append(np.cumprod(decays[::-1])[::-1], 1.0)
        keep = weights > 1e-30
        # polyfit weighs residuals before squaring: hence the root
        line = np.polyfit(times[keep], samples[keep, 1:], 1, w=np.sqrt(weights[keep]))
        return float(line[0, 0]), float(line[0, 1])
