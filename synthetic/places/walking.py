"""Where people may be in a place, and how they get from one point to another."""

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from everyid.errors import ConfigError
from synthetic.places.shapes import Area

__all__ = ["BODY_M", "CELL_M", "free_cells", "is_free", "path", "standing_points"]

CELL_M = 0.2
"""Width of the cells that a place is divided into for walking."""

BODY_M = 0.28
"""How far the middle of a person stays away from things."""

Point = tuple[float, float]


class _Ground(Protocol):
    """What of a place matters to who walks there."""

    @property
    def free(self) -> NDArray[np.bool_]: ...

    @property
    def extent_m(self) -> tuple[float, float]: ...


def free_cells(
    walkable: Sequence[Area],
    obstacles: Sequence[Area],
    entries: Sequence[Point],
    extent_m: tuple[float, float],
) -> tuple[NDArray[np.bool_], tuple[Point, ...]]:
    """The cells where a person may be, and the entries moved to the nearest of them.

    Args:
        walkable: Where people walk.
        obstacles: What they walk round.
        entries: Where they come and go.
        extent_m: Width and depth of the place around the origin.

    Returns:
        bool (rows, columns): of all free pieces only the largest; and the entries on it, each
        once, without those that are more than 2 m away from it.
    """
    columns, rows = (math.ceil(side / CELL_M) for side in extent_m)
    x = (np.arange(columns) + 0.5) * CELL_M - extent_m[0] / 2
    y = (np.arange(rows) + 0.5) * CELL_M - extent_m[1] / 2
    free = np.zeros((rows, columns), np.uint8)
    for x0, y0, x1, y1 in walkable:
        free[np.ix_((y >= y0) & (y <= y1), (x >= x0) & (x <= x1))] = 1
    for x0, y0, x1, y1 in obstacles:
        near_y = (y > y0 - BODY_M) & (y < y1 + BODY_M)
        free[np.ix_(near_y, (x > x0 - BODY_M) & (x < x1 + BODY_M))] = 0
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    largest = 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax()) if len(sizes) > 1 else 0
    kept = pieces == largest if largest else np.zeros_like(free, bool)
    at = np.argwhere(kept)
    points = np.column_stack([x[at[:, 1]], y[at[:, 0]]])
    moved: list[Point] = []
    for entry in entries:
        away = np.hypot(*(points - entry).T)
        nearest = int(away.argmin()) if len(away) else 0
        if len(away) and away[nearest] < 2.0:
            point = (float(points[nearest, 0]), float(points[nearest, 1]))
            if point not in moved:
                moved.append(point)
    return kept, tuple(moved)


def is_free(place: _Ground, xy: ArrayLike) -> NDArray[np.bool_]:
    """Whether a person may be at points: on walkable ground and away from things.

    Args:
        place: A place.
        xy: float (N, 2), metres.

    Returns:
        bool (N,).
    """
    points = np.asarray(xy, np.float64).reshape(-1, 2)
    cells = np.floor((points + np.divide(place.extent_m, 2)) / CELL_M).astype(np.intp)
    rows, columns = place.free.shape
    inside = ((cells >= 0) & (cells < (columns, rows))).all(1)
    column, row = np.clip(cells, 0, (columns - 1, rows - 1)).T
    return np.asarray(inside & place.free[row, column])


def standing_points(
    place: _Ground, generator: np.random.Generator, count: int
) -> NDArray[np.float64]:
    """Random free points, spread evenly over the free ground.

    Args:
        place: A place.
        generator: Decides which.
        count: How many.

    Returns:
        float64 (N, 2), metres.
    """
    at = np.argwhere(place.free)
    chosen = at[generator.integers(len(at), size=count)][:, ::-1]
    inside = generator.uniform(0.05, 0.95, (count, 2))
    return np.asarray((chosen + inside) * CELL_M - np.divide(place.extent_m, 2))


def path(place: _Ground, start_xy: Point, goal_xy: Point) -> NDArray[np.float64]:
    """A short walk round all obstacles, its corners rounded.

    The same two points give the same walk.
    Source: Hart, Nilsson, Raphael, A formal basis for the heuristic determination of minimum
    cost paths, 1968.

    Args:
        place: A place.
        start_xy: Where it begins, a free point.
        goal_xy: Where it ends, a free point.

    Returns:
        float64 (N, 2), metres, N >= 2, from start to goal, points at most 0.4 m apart.

    Raises:
        ConfigError: One of the points is not free.
    """
    for name, point in (("start", start_xy), ("goal", goal_xy)):
        if not is_free(place, point)[0]:
            raise ConfigError(
                f"the walk's {name} ({point[0]:.2f}, {point[1]:.2f}) is not free ground",
                hint="take one of the place's entries or standing points",
            )
    half = np.divide(place.extent_m, 2)
    cells = _search(place.free, _cell(start_xy, half), _cell(goal_xy, half))
    middle = (np.array(cells, np.float64)[:, ::-1] + 0.5) * CELL_M - half
    line = np.concatenate([[start_xy], middle[1:-1], [goal_xy]])
    corners = [0]
    while corners[-1] < len(line) - 1:
        last = corners[-1]
        after = len(line) - 1
        while after > last + 1 and not _sees(place, line[last], line[after]):
            after = last + 1 + (after - last - 1) * 3 // 4
        corners.append(after)
    return _rounded(place, _resampled(line[corners], 0.3))


def _cell(point: Point, half: NDArray[np.float64]) -> tuple[int, int]:
    column, row = np.floor((np.asarray(point) + half) / CELL_M).astype(int).tolist()
    return row, column


_STEPS = tuple(
    (row, column, math.hypot(row, column))
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if row or column
)


def _search(
    free: NDArray[np.bool_], start: tuple[int, int], goal: tuple[int, int]
) -> list[tuple[int, int]]:
    """Cells from start to goal; steps next to something cost more, so that walks keep away."""
    near = cv2.erode(free.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
    cost = np.pad(np.where(free, np.where(near > 0, 1.0, 1.6), 0.0), 1).tolist()
    before: dict[tuple[int, int], tuple[int, int]] = {}
    best = {start: 0.0}
    waiting = [(0.0, start)]
    while waiting:
        _, cell = heapq.heappop(waiting)
        if cell == goal:
            break
        so_far = best[cell]
        for row, column, length in _STEPS:
            to = (cell[0] + row, cell[1] + column)
            price = cost[to[0] + 1][to[1] + 1]
            corner = cost[cell[0] + 1][to[1] + 1] and cost[to[0] + 1][cell[1] + 1]
            if not price or not corner:
                continue
            total = so_far + length * price
            if total < best.get(to, math.inf) - 1e-9:
                best[to] = total
                before[to] = cell
                left = math.hypot(goal[0] - to[0], goal[1] - to[1])
                heapq.heappush(waiting, (total + left, to))
    way = [goal]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1] if len(way) > 1 else [start, goal]


def _sees(place: _Ground, start: NDArray[np.float64], end: NDArray[np.float64]) -> bool:
    count = max(2, math.ceil(float(np.hypot(*(end - start))) / 0.02))
    return bool(is_free(place, np.linspace(start, end, count)).all())


def _resampled(line: NDArray[np.float64], step_m: float) -> NDArray[np.float64]:
    """The corners of a line and, between them, points at even distances of at most a step."""
    parts = [line[:1]]
    for start, end in pairwise(line):
        count = max(1, math.ceil(float(np.hypot(*(end - start))) / step_m))
        parts.append(np.linspace(start, end, count + 1)[1:])
    return np.concatenate(parts)


def _rounded(place: _Ground, line: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line with softer corners, wherever that stays on free ground."""
    for _ in range(6):
        softer = line.copy()
        softer[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
        links = [_sees(place, *pair) for pair in pairwise(softer)]
        if not all(links):
            break
        line = softer
    return line
