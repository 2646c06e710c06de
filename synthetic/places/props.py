"""What stands outdoors and blocks the view: posts, benches, bins, trees, railings, signs."""

import math

import numpy as np

from synthetic.places.panels import sign
from synthetic.places.shapes import Skin
from synthetic.places.stage import Stage
from synthetic.places.surfaces import hsv, leaves, planks
from synthetic.rendering.mesh import Mesh

__all__ = [
    "bench",
    "bin_",
    "bollard",
    "column",
    "crown",
    "greenery",
    "hedge",
    "lamp_post",
    "metal",
    "planter",
    "railing",
    "scatter",
    "shelter",
    "sign_post",
    "tree",
    "wood",
]


def metal(stage: Stage) -> Skin:
    """The metal of this place's posts, frames and legs."""

    def paint() -> Skin:
        value = float(stage.generator.choice([0.14, 0.22, 0.4, 0.55]))
        return stage.colour(hsv(stage.pick(0.3, 0.65), stage.pick(0, 0.3), value))

    return stage.shared("metal", paint)


def wood(stage: Stage) -> Skin:
    """The wood of this place's benches and tables."""
    return stage.shared(
        "wood",
        lambda: stage.skin(
            planks(
                stage.brush, hsv(stage.pick(0.06, 0.1), stage.pick(0.2, 0.5), stage.pick(0.3, 0.6))
            ),
            1.2,
        ),
    )


def greenery(stage: Stage) -> Skin:
    """The leaves of this place."""
    name = "leaves" if stage.chance(0.6) else "other leaves"
    return stage.shared(name, lambda: stage.skin(leaves(stage.brush), 1.3))


def lamp_post(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A street lamp with an arm."""
    spot, high, skin = stage.spot(x, y, yaw_deg), stage.pick(4.0, 6.5), metal(stage)
    spot.pipe((0, 0, 0), (0, 0, 0.9), (0.1, 0.09), skin)
    spot.pipe((0, 0, 0.9), (0, 0, high), (0.065, 0.045), skin)
    spot.pipe((0, 0, high - 0.05), (0.9, 0, high + 0.15), (0.035, 0.03), skin, 6)
    spot.box((1.05, 0, high + 0.15), (0.55, 0.2, 0.1), stage.colour((0.6, 0.6, 0.58)))
    spot.stands(0.25, 0.25)


def bollard(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A knee- to hip-high post."""
    spot, high = stage.spot(x, y, yaw_deg), stage.shared_number("bollard", 0.6, 1.0)
    spot.pipe((0, 0, 0), (0, 0, high), (0.08, 0.07), metal(stage))
    spot.pipe((0, 0, high - 0.16), (0, 0, high - 0.08), (0.082, 0.082), stage.colour((0.8,) * 3))
    spot.stands(0.18, 0.18)


def bench(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A bench of boards on metal legs."""
    spot, width, back = stage.spot(x, y, yaw_deg), stage.pick(1.4, 2.0), stage.chance(0.7)
    for row in range(4):
        spot.box((0, -0.2 + 0.13 * row, 0.44), (width, 0.11, 0.04), wood(stage))
    for row in range(3 if back else 0):
        spot.box((0, 0.26 + 0.02 * row, 0.58 + 0.13 * row), (width, 0.03, 0.1), wood(stage))
    for side in (-0.42, 0.42):
        spot.box((side * width, 0, 0.21), (0.06, 0.45, 0.42), metal(stage))
        if back:
            spot.box((side * width, 0.28, 0.62), (0.05, 0.05, 0.44), metal(stage))
    spot.stands(width, 0.6)


def bin_(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A litter bin."""
    spot = stage.spot(x, y, yaw_deg)
    colour = stage.colour(hsv(stage.pick(0.2, 0.65), stage.pick(0, 0.4), stage.pick(0.2, 0.5)))
    if stage.chance(0.5):
        spot.pipe((0, 0, 0), (0, 0, 0.85), (0.2, 0.24), colour, 12)
        spot.pipe((0, 0, 0.85), (0, 0, 0.9), (0.25, 0.2), metal(stage), 12)
    else:
        spot.box((0, 0, 0.45), (0.5, 0.45, 0.9), colour)
        spot.box((0, 0, 0.94), (0.56, 0.5, 0.08), metal(stage))
        spot.box((0, -0.226, 0.75), (0.34, 0.01, 0.14), stage.colour((0.05, 0.05, 0.05)))
    spot.stands(0.5, 0.5)


def planter(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A tub with a bush."""
    spot, width, high = stage.spot(x, y, yaw_deg), stage.pick(0.6, 1.4), stage.pick(0.4, 0.6)
    tub = stage.colour(stage.brush.colour((0.03, 0.12), 0.3, (0.3, 0.65)))
    spot.box((0, 0, high / 2), (width, 0.6, high), tub)
    crown(stage, (x, y, high + 0.25), (0.4 * width + 0.1, 0.38, stage.pick(0.3, 0.5)), 110, 0.1)
    spot.stands(width, 0.6)


def hedge(stage: Stage, area: tuple[float, float, float, float], high: float) -> None:
    """A clipped hedge over an area."""
    x, y = (area[0] + area[2]) / 2, (area[1] + area[3]) / 2
    wide, deep = area[2] - area[0], area[3] - area[1]
    spot, skin = stage.spot(x, y), greenery(stage)
    spot.box((0, 0, high / 2), (wide, deep, high), skin)
    count = stage.leaves(min(400, int(24 * (wide + deep) * (high + deep))))
    points = stage.generator.uniform(-0.5, 0.5, (count, 3))
    side = stage.generator.integers(0, 3, count)
    points[np.arange(count), side] = np.where(points[np.arange(count), side] < 0, -0.5, 0.5)
    outward = np.zeros((count, 3))
    outward[np.arange(count), side] = np.sign(points[np.arange(count), side])
    points = points * (wide, deep, high) + (x, y, high / 2)
    stage.add(_cards(stage, points, outward, 0.11, skin))
    spot.stands(wide, deep)


def tree(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A tree with a crown of clumps of leaves."""
    spot, high = stage.spot(x, y, yaw_deg), stage.pick(2.0, 3.2)
    bark = stage.shared(
        "bark", lambda: stage.skin(planks(stage.brush, hsv(0.08, 0.3, 0.3), count=11), 0.7)
    )
    thick = stage.pick(0.08, 0.17)
    spot.pipe((0, 0, 0), (0, 0, 0.3), (1.4 * thick, thick), bark, 9)
    spot.pipe((0, 0, 0.3), (0.1, 0, high + 1.0), (thick, 0.6 * thick), bark, 9)
    wide = stage.pick(1.1, 2.0)
    for _ in range(int(stage.generator.integers(4, 7))):
        away = stage.generator.normal(0, 0.5, 3) * (wide, wide, 0.8)
        centre = (x + away[0], y + away[1], high + 1.2 + away[2])
        size = stage.pick(0.5, 0.8) * wide
        spot.pipe((0.05, 0, high), (away[0], away[1], away[2] + high + 1.1), (0.05, 0.02), bark, 5)
        crown(stage, centre, (size, size, 0.75 * size), 330, 0.16)
    spot.stands(0.5, 0.5, reach_m=0.5)


def railing(
    stage: Stage, start: tuple[float, float], end: tuple[float, float], high: float = 1.05
) -> None:
    """A railing of posts and bars along x or y."""
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    yaw = float(np.degrees(np.arctan2(end[1] - start[1], end[0] - start[0])))
    spot = stage.spot((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, yaw)
    for at in np.linspace(-length / 2, length / 2, max(2, round(length / 1.5) + 1)).tolist():
        spot.box((at, 0, high / 2), (0.05, 0.05, high), metal(stage))
    spot.box((0, 0, high), (length, 0.06, 0.05), metal(stage))
    if stage.shared_number("bars", 0, 1) < 0.5:
        for at in np.arange(-length / 2 + 0.06, length / 2, 0.13).tolist():
            spot.box((at, 0, high / 2 + 0.05), (0.016, 0.016, high - 0.1), metal(stage))
        spot.box((0, 0, 0.12), (length, 0.03, 0.03), metal(stage))
    else:
        for level in (0.3, 0.55, 0.8):
            spot.box((0, 0, level * high), (length, 0.03, 0.03), metal(stage))
    spot.stands(length, 0.12)


def sign_post(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A board on one or two legs."""
    spot = stage.spot(x, y, yaw_deg)
    face = stage.shared("sign", lambda: stage.panel(sign(stage.brush)))
    if stage.chance(0.5):  # a round or square traffic sign, high up
        spot.pipe((0, 0, 0), (0, 0, 2.8), (0.03, 0.03), metal(stage))
        spot.box((0, -0.05, 2.5), (0.6, 0.02, 0.6), face)
        spot.stands(0.15, 0.15)
        return
    for side in (-0.55, 0.55):
        spot.box((side, 0, 0.9), (0.07, 0.07, 1.8), metal(stage))
    spot.box((0, 0, 1.25), (1.1, 0.08, 1.2), metal(stage))
    spot.quad([(-0.5, -0.05, 0.7), (0.5, -0.05, 0.7), (0.5, -0.05, 1.8), (-0.5, -0.05, 1.8)], face)
    spot.stands(1.3, 0.2)


def column(stage: Stage, x: float, y: float, high: float, skin: Skin) -> None:
    """A round or square column from floor to ceiling."""
    spot, wide = stage.spot(x, y), stage.shared_number("column", 0.35, 0.8)
    if stage.shared_number("round", 0, 1) < 0.5:
        spot.pipe((0, 0, 0), (0, 0, high), (wide / 2, wide / 2), skin, 18)
        spot.pipe((0, 0, 0), (0, 0, 0.15), (wide / 2 + 0.02,) * 2, metal(stage), 18)
    else:
        spot.box((0, 0, high / 2), (wide, wide, high), skin)
        spot.box((0, 0, 0.07), (wide + 0.03, wide + 0.03, 0.14), metal(stage))
    spot.stands(wide, wide, reach_m=0.4)


def shelter(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A bus shelter: a roof on posts, a poster at one end, a bench."""
    spot, frame = stage.spot(x, y, yaw_deg), metal(stage)
    spot.box((0, 0, 2.45), (3.8, 1.6, 0.1), frame)
    for side in (-1.8, -0.6, 0.6, 1.8):
        spot.box((side, 0.7, 1.2), (0.06, 0.06, 2.4), frame)
    for level in (0.25, 0.9, 2.1):
        spot.box((0, 0.7, level), (3.6, 0.03, 0.04), frame)
    spot.box((1.8, 0, 1.3), (0.12, 1.2, 1.9), frame)
    face = stage.shared("sign", lambda: stage.panel(sign(stage.brush)))
    spot.quad(
        [(1.73, -0.5, 0.5), (1.73, -0.5, 2.1), (1.73, 0.5, 2.1), (1.73, 0.5, 0.5)][::-1], face
    )
    spot.box((-0.3, 0.45, 0.45), (2.4, 0.35, 0.05), wood(stage))
    for side in (-1.3, 0.7):
        spot.box((side, 0.45, 0.22), (0.06, 0.3, 0.42), frame)
    spot.stands(3.8, 1.6)


def scatter(
    stage: Stage,
    area: tuple[float, float, float, float],
    count: int,
    *,
    room_m: float,
    yaws_deg: tuple[float, ...] = (0.0, 90.0, 180.0, 270.0),
) -> list[tuple[float, float, float]]:
    """Up to ``count`` free places x, y, yaw in an area, apart, for things ``room_m`` wide."""
    found: list[tuple[float, float, float]] = []
    for _ in range(12 * count):
        x, y = stage.pick(area[0], area[2]), stage.pick(area[1], area[3])
        half = room_m / 2
        far = all(abs(x - a) > room_m + 0.9 or abs(y - b) > room_m + 0.9 for a, b, _ in found)
        if far and stage.clear((x - half, y - half, x + half, y + half), 0.7):
            found.append((x, y, float(stage.generator.choice(yaws_deg))))
        if len(found) == count:
            break
    return found


def _blob(
    stage: Stage,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    skin: Skin,
) -> Mesh:
    """A closed lumpy ellipsoid."""
    turns, rows = 8, 5
    angles = np.linspace(0, 2 * np.pi, turns + 1), np.linspace(0, np.pi, rows + 1)
    around, down = np.meshgrid(*angles)
    unit = np.stack(
        [np.sin(down) * np.cos(around), np.sin(down) * np.sin(around), np.cos(down)], -1
    )
    normals = unit.reshape(-1, 3) / np.asarray(radii)
    lumps = stage.generator.uniform(0.78, 1.2, (rows + 1, turns + 1))
    lumps[[0, -1]], lumps[:, -1] = 1.0, lumps[:, 0]
    unit = unit * lumps[..., None]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    size = 3 * max(radii) / skin.span_m / np.pi
    flat = [around.ravel() * size, -down.ravel() * size, np.full(around.size, skin.layer)]
    corner = (np.arange(rows)[:, None] * (turns + 1) + np.arange(turns)).ravel()
    below = corner + turns + 1
    to_below = np.stack([corner, below, below + 1], 1)[: turns * (rows - 1)]
    to_above = np.stack([corner, below + 1, corner + 1], 1)[turns:]
    return Mesh(
        (unit.reshape(-1, 3) * radii + centre).astype(np.float32),
        normals.astype(np.float32),
        np.column_stack(flat).astype(np.float32),
        np.concatenate([to_below, to_above]).astype(np.int32),
    )


def crown(
    stage: Stage,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    count: int,
    card_m: float,
) -> None:
    """A clump of leaves: an ellipsoid with small leaves on and near it."""
    skin = greenery(stage)
    stage.add(_blob(stage, centre, (0.8 * radii[0], 0.8 * radii[1], 0.8 * radii[2]), skin))
    drawn = stage.leaves(count)
    card_m *= min(1.7, math.sqrt(count / drawn))
    outward = stage.generator.normal(0, 1, (drawn, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    depth = stage.generator.uniform(0.72, 1.08, (drawn, 1))
    points = np.asarray(centre) + outward * depth * np.asarray(radii)
    stage.add(_cards(stage, points, outward, card_m, skin))


def _cards(
    stage: Stage,
    points: np.ndarray,
    outward: np.ndarray,
    size_m: float,
    skin: Skin,
) -> Mesh:
    """Leafy triangles seen from both sides, lit as the surface that they are on."""
    count = len(points)
    axes = stage.generator.normal(0, 1, (2, count, 3))
    first = axes[0] / np.linalg.norm(axes[0], axis=1, keepdims=True)
    second = np.cross(first, axes[1])
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    size = size_m * stage.generator.uniform(0.6, 1.3, (count, 1))
    corners = np.stack(
        [points - first * size, points - second * size * 0.9, points + (first + second) * size], 1
    )
    normals = outward + stage.generator.normal(0, 0.35, (count, 3))
    normals[:, 2] += 0.25
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.array([(0.0, 0.5), (0.5, 0.0), (1.0, 1.0)]) * size_m * 2 / skin.span_m
    flat = unit + stage.generator.random((count, 1, 2))
    uvs = np.concatenate([flat, np.full((count, 3, 1), skin.layer)], -1)
    start = 3 * np.arange(count)[:, None, None]
    faces = start + np.array([(0, 1, 2), (2, 1, 0)])
    return Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(normals, 3, 0).astype(np.float32),
        uvs.reshape(-1, 3).astype(np.float32),
        faces.reshape(-1, 3).astype(np.int32),
    )
