"""Puts up a place: gathers its grounds, boxes, pipes and panels, and where people may go."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthetic.places.shapes import Area, Skin, boxes, flat_mesh, inside, pipe, turn
from synthetic.places.surfaces import RGB, SIZE_PX, Brush, Paint, stained
from synthetic.rendering.mesh import Mesh, join
from synthetic.rendering.renderer import Light

__all__ = ["Spot", "Stage"]

Point = tuple[float, float, float]

_SWATCHES, _CONTACT_RISE_M, _WEAR_RISE_M = 8, 0.004, 0.002
_MOST_LEAVES = 8500


class _Ground(NamedTuple):
    area: Area
    skin: Skin
    height_m: float


class Stage:
    """A place while it is put up.

    Args:
        generator: Decides all.
        light: The place's light.
        size_m: Its width along x and depth along y; the middle is at the origin.
    """

    def __init__(
        self, generator: np.random.Generator, light: Light, size_m: tuple[float, float]
    ) -> None:
        self.generator = generator
        self.light = light
        self.size_m = size_m
        self.brush = Brush(generator)
        self.walkable: list[Area] = []
        self.obstacles: list[Area] = []
        self.entries: list[tuple[float, float]] = []
        self._textures: list[Paint] = []
        self._meshes: list[Mesh] = []
        self._boxes: list[tuple[float, ...]] = []
        self._grounds: list[_Ground] = []
        self._colours: list[RGB] = []
        self._palettes: list[int] = []
        self._skins: dict[str, Skin] = {}
        self._numbers: dict[str, float] = {}
        self._leaves = 0
        self._waves = generator.uniform((-0.9, -0.9, 0.0), (0.9, 0.9, 6.3), (5, 3))

    def pick(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.generator.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return bool(self.generator.random() < share)

    def shared_number(self, name: str, low: float, high: float) -> float:
        """The number of a name, drawn when first asked for: what all posts of a place share."""
        if name not in self._numbers:
            self._numbers[name] = self.pick(low, high)
        return self._numbers[name]

    def leaves(self, count: int) -> int:
        """How many leaves to draw of so many wanted: the first trees have the most."""
        count = max(30, min(count, (_MOST_LEAVES - self._leaves) // 16))
        self._leaves += count
        return count

    def skin(self, paint: Paint, span_m: float) -> Skin:
        """A new texture that repeats every so many metres."""
        self._textures.append(paint)
        return Skin(len(self._textures) - 1, span_m)

    def panel(self, paint: Paint) -> Skin:
        """A new texture that is stretched over one side."""
        self._textures.append(paint)
        return Skin(len(self._textures) - 1, 1.0, (0.0, 0.0, 1.0, 1.0))

    def shared(self, name: str, make: Callable[[], Skin]) -> Skin:
        """The skin of a name, made when first asked for."""
        if name not in self._skins:
            self._skins[name] = make()
        return self._skins[name]

    def colour(self, rgb: RGB) -> Skin:
        """One of up to 64 plain colours a texture, sRGB 0-1, lighter on top, a little worn."""
        if rgb not in self._colours:
            if len(self._colours) % _SWATCHES**2 == 0:
                self._palettes.append(len(self._textures))
                self._textures.append(self.brush.plain((1.0, 1.0, 1.0), grain=0.02, rough=0.04))
            self._colours.append(rgb)
        number = self._colours.index(rgb)
        layer = self._palettes[number // _SWATCHES**2]
        row, column = divmod(number % _SWATCHES**2, _SWATCHES)
        low = ((column + 0.2) / _SWATCHES, (row + 0.2) / _SWATCHES)
        return Skin(layer, 1.0, (*low, low[0] + 0.6 / _SWATCHES, low[1] + 0.6 / _SWATCHES))

    def add(self, mesh: Mesh) -> None:
        """Puts up triangles that are ready."""
        self._meshes.append(mesh)

    def box(self, centre: Point, size: Point, skin: Skin, yaw_deg: float = 0.0) -> None:
        """Puts up a box, turned about its upright axis."""
        window = skin.window or (0.0, 0.0, 0.0, 0.0)
        span = 0.0 if skin.window else skin.span_m
        self._boxes.append((*centre, *size, math.radians(yaw_deg), skin.layer, span, *window))

    def quad(self, corners: ArrayLike, skin: Skin, normals: ArrayLike | None = None) -> None:
        """Puts up a flat panel seen from one side.

        Args:
            corners: float (4, 3), counterclockwise from the lower left.
            skin: What is on it.
            normals: float (4, 3), or None for upright to the panel.
        """
        points = np.asarray(corners, np.float64)
        right, up = points[1] - points[0], points[3] - points[0]
        if normals is None:
            across = np.cross(points[2] - points[0], points[3] - points[1])
            normals = np.tile(across / np.linalg.norm(across), (4, 1))
        unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
        if skin.window:
            u0, v0, u1, v1 = skin.window
            flat = unit * (u1 - u0, v1 - v0) + (u0, v0)
        else:
            start = (points[0, 0] + points[0, 1], points[0, 2])
            flat = (unit * (np.linalg.norm(right), np.linalg.norm(up)) + start) / skin.span_m
        faces = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
        self.add(flat_mesh(points, np.asarray(normals), flat, skin.layer, faces))

    def ground(self, area: Area, skin: Skin, height_m: float = 0.0) -> None:
        """Puts a piece of ground or a flat mark on it; its unevenness shows in the light."""
        x0, y0, x1, y1 = area
        columns, rows = max(1, round((x1 - x0) / 1.3)), max(1, round((y1 - y0) / 1.3))
        columns, rows = min(columns, 32), min(rows, 32)
        x, y = np.meshgrid(np.linspace(x0, x1, columns + 1), np.linspace(y0, y1, rows + 1))
        points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, height_m)])
        phase = points[:, :2] @ self._waves[:, :2].T + self._waves[:, 2]
        tilt = 0.035 * np.cos(phase) @ np.sign(self._waves[:, :2])
        normals = np.column_stack([tilt, np.ones(len(points))])
        corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
        quads = corner[:, None] + np.array([0, 1, columns + 2, columns + 1])
        faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
        self.add(flat_mesh(points, normals, self._ground_uv(points, area, skin), skin.layer, faces))
        self._grounds.append(_Ground(area, skin, height_m))

    def wear(self, area: Area, skin: Skin, height_m: float = 0.0) -> None:
        """Puts stains on a piece of ground that is there already."""
        span, kinds = skin.span_m, []
        for _ in range(2):
            kinds.append(self.skin(stained(self.brush, self._textures[skin.layer]), span))
        columns = range(math.ceil(area[0] / span), math.floor(area[2] / span))
        rows = range(math.ceil(area[1] / span), math.floor(area[3] / span))
        share = self.pick(0.1, 0.35)
        for column in columns:
            for row in rows:
                if self.chance(share):
                    x, y = column * span, row * span
                    kind = kinds[int(self.generator.integers(2))]
                    self.ground((x, y, x + span, y + span), kind, height_m + _WEAR_RISE_M)

    def contact(self, area: Area, reach_m: float = 0.25, yaw_deg: float = 0.0) -> None:
        """Darkens the ground under and around something, as where little light gets to.

        The ground is drawn again with normals that turn away from the light.
        """
        x, y = (area[0] + area[2]) / 2, (area[1] + area[3]) / 2
        below = [ground for ground in self._grounds if inside(ground.area, x, y)]
        if not below:
            return
        ground = below[-1]
        half = np.array([(area[2] - area[0]) / 2, (area[3] - area[1]) / 2])
        inner = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
        shifts = [signs * (1.0, 0.0), signs * (0.0, 1.0)]
        outer = np.stack([inner + reach_m * shift for shift in shifts], 1).reshape(-1, 2)
        flat = np.concatenate([inner * 0.92, outer]) @ turn(yaw_deg)[:2, :2].T + (x, y)
        ring = [4, 5, 7, 6, 8, 9, 11, 10, 4]  # outer points, counterclockwise
        faces = [(0, 1, 2), (0, 2, 3)]
        for at in range(8):
            owner, following = at // 2, (at + 1) // 2 % 4
            faces.append((owner, ring[at], ring[at + 1]))
            if owner != following:
                faces.append((owner, ring[at + 1], following))
        points = np.column_stack([flat, np.full(12, ground.height_m + _CONTACT_RISE_M)])
        light = np.asarray(self.light.direction)
        normals = np.tile([0.0, 0.0, 1.0], (12, 1))
        away = -light[:2] / max(np.linalg.norm(light[:2]), 1e-6)
        normals[:4] = (*(0.9 * away), -0.45)
        flat_uv = self._ground_uv(points, ground.area, ground.skin)
        self.add(flat_mesh(points, normals, flat_uv, ground.skin.layer, np.array(faces, np.int32)))

    def spot(self, x: float, y: float, yaw_deg: float = 0.0) -> "Spot":
        """Where one thing stands, with axes of its own."""
        return Spot(self, x, y, yaw_deg)

    def clear(self, area: Area, margin_m: float = 0.3) -> bool:
        """Whether nothing stands in an area yet, and no one comes in there."""
        x0, y0, x1, y1 = area
        wide = (x0 - margin_m, y0 - margin_m, x1 + margin_m, y1 + margin_m)
        apart = (
            other[2] <= wide[0] or other[0] >= wide[2] or other[3] <= wide[1] or other[1] >= wide[3]
            for other in self.obstacles
        )
        near = (wide[0] - 0.8, wide[1] - 0.8, wide[2] + 0.8, wide[3] + 0.8)
        return all(apart) and not any(inside(near, *entry) for entry in self.entries)

    def mesh(self) -> Mesh:
        """All that was put up."""
        return join([*self._meshes, boxes(np.array(self._boxes, np.float64).reshape(-1, 13))])

    def textures(self) -> NDArray[np.uint8]:
        """All textures: uint8 (L, 256, 256, 3), sRGB, the first row where v is 0."""
        layers = np.stack(self._textures)
        step = SIZE_PX // _SWATCHES
        ramp = np.linspace(0.9, 1.08, step, dtype=np.float32)[:, None, None]
        for number, rgb in enumerate(self._colours):
            row, column = divmod(number % _SWATCHES**2, _SWATCHES)
            layer = layers[self._palettes[number // _SWATCHES**2]]
            low = SIZE_PX - (row + 1) * step
            layer[low : low + step, column * step : (column + 1) * step] *= ramp[::-1] * np.array(
                rgb, np.float32
            )
        return np.rint(np.clip(layers[:, ::-1], 0, 1) * 255).astype(np.uint8)

    @staticmethod
    def _ground_uv(points: NDArray[np.float64], area: Area, skin: Skin) -> NDArray[np.float64]:
        if skin.window is None:
            return points[:, :2] / skin.span_m
        u0, v0, u1, v1 = skin.window
        part = (points[:, :2] - area[:2]) / (area[2] - area[0], area[3] - area[1])
        return part * (u1 - u0, v1 - v0) + (u0, v0)


class Spot:
    """Axes of one thing on a stage: x to its right, y to its back, z up."""

    def __init__(self, stage: Stage, x: float, y: float, yaw_deg: float) -> None:
        self.stage = stage
        self.yaw_deg = yaw_deg
        self._turn = turn(yaw_deg)
        self._shift = np.array([x, y, 0.0])

    def to_world(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (N, 3) of the thing in the place."""
        return np.asarray(np.asarray(points, np.float64) @ self._turn.T + self._shift)

    def box(self, centre: Point, size: Point, skin: Skin) -> None:
        """A box along the thing's axes."""
        x, y, z = self.to_world([centre])[0].tolist()
        self.stage.box((x, y, z), size, skin, self.yaw_deg)

    def quad(self, corners: ArrayLike, skin: Skin) -> None:
        """A panel; see Stage.quad."""
        self.stage.quad(self.to_world(corners), skin)

    def pipe(
        self, start: Point, end: Point, radii: tuple[float, float], skin: Skin, sides: int = 8
    ) -> None:
        """A round bar between two points, closed at both ends."""
        first, last = self.to_world([start, end])
        self.stage.add(pipe(first, last, radii, skin, sides))

    def mesh(self, mesh: Mesh) -> None:
        """Triangles in the thing's axes."""
        positions = self.to_world(mesh.positions).astype(np.float32)
        normals = (mesh.normals @ self._turn.T).astype(np.float32)
        self.stage.add(Mesh(positions, normals, mesh.uvs, mesh.faces))

    def stands(
        self, width: float, depth: float, *, obstacle: bool = True, reach_m: float = 0.25
    ) -> None:
        """Says how much ground the thing takes: no one walks there, and little light gets there."""
        x, y = self._shift[:2].tolist()
        self.stage.contact(
            (x - width / 2, y - depth / 2, x + width / 2, y + depth / 2), reach_m, self.yaw_deg
        )
        if obstacle:
            cos, sin = abs(self._turn[0, 0]) / 2, abs(self._turn[0, 1]) / 2
            half_x, half_y = cos * width + sin * depth, sin * width + cos * depth
            self.stage.obstacles.append((x - half_x, y - half_y, x + half_x, y + half_y))
