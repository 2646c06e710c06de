"""A square of ground with a pillar, on which stories for tests take place."""

import numpy as np
from numpy.typing import NDArray

from synthetic.story import Story, tell_story
from synthetic.walks import Pace

ENTRIES = [(-9.5, 0.0), (9.5, 4.0), (0.0, -9.5)]
PILLAR_M = 1.0


class Square:
    """20 m wide, with a round pillar in the middle."""

    def path(self, start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float64]:
        a, b = np.array(start), np.array(end)
        along = b - a
        share = np.clip(-a @ along / max(along @ along, 1e-9), 0, 1)
        nearest = a + share * along
        if np.linalg.norm(nearest) > PILLAR_M + 0.6:
            return np.array([a, b])
        aside = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
        side = 1.0 if nearest @ aside >= 0 else -1.0
        return np.array([a, aside * side * (PILLAR_M + 1.0), b])

    def free(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (np.abs(points) <= 10).all(axis=1) & (np.linalg.norm(points, axis=1) > PILLAR_M)


def corners(count: int) -> list[NDArray[np.float64]]:
    """Zones of cameras, one in each corner of the square."""
    x, y = np.meshgrid(np.linspace(3, 8, 6), np.linspace(3, 8, 6))
    points = np.column_stack([x.ravel(), y.ravel()])
    signs = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    return [points * signs[camera % 4] for camera in range(count)]


def story(
    *, people: int = 12, cameras: int = 4, duration_s: float = 60.0, seed: int = 1, day: int = 1
) -> Story:
    paces = [Pace(1.1 + 0.03 * person, 2.7) for person in range(people)]
    return tell_story(
        Square(),
        entries=ENTRIES,
        zones=corners(cameras),
        paces=paces,
        duration_s=duration_s,
        most_present=30,
        random=(seed, day),
    )
