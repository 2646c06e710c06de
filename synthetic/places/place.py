"""Places that surveillance cameras look at, made up from a generator: one call, one place."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError
from synthetic.places import halls, streets
from synthetic.places.shapes import Area
from synthetic.places.stage import Stage
from synthetic.places.walking import free_cells
from synthetic.rendering.mesh import Mesh
from synthetic.rendering.renderer import Light

__all__ = ["KINDS", "Place", "draw_place"]

_OUTDOORS: dict[str, Callable[[Stage], None]] = {
    "street": streets.street,
    "square": streets.square,
    "park": streets.park,
    "car park": streets.car_park,
    "school yard": streets.yard,
    "station platform": halls.platform,
}
_INDOORS: dict[str, Callable[[Stage], None]] = {
    "mall": halls.mall,
    "store": halls.store,
    "corridor": halls.corridor,
    "lobby": halls.lobby,
    "warehouse": halls.warehouse,
    "underpass": halls.underpass,
}
_DEPTHS_M = {"corridor": (2.4, 4.5), "underpass": (4.0, 8.0)}
_SMALLEST_M = (12.0, 2.4)

KINDS = (*_OUTDOORS, *_INDOORS)
"""The kinds of places."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What a camera sees without people, and where people may be.

    The middle is at the origin, the ground at z = 0; all is in metres.

    Args:
        kind: One of ``KINDS``.
        mesh: All that stands and lies there; ceilings face down only.
        textures: uint8 (L, 256, 256, 3), sRGB RGB, the first row where v is 0.
        light: Its light.
        indoor: Whether lamps light it.
        walkable: Rectangles x0, y0, x1, y1 where people walk; together they are one piece.
        obstacles: Rectangles x0, y0, x1, y1 that things take.
        entries: Points x, y where people come and go, each reachable from each.
        extent_m: Width along x and depth along y of the part that is furnished.
        free: bool (rows, columns), cells of ``CELL_M`` from the corner of least x and y where
            the middle of a person may be, all reachable from each other.
    """

    kind: str
    mesh: Mesh
    textures: NDArray[np.uint8]
    light: Light
    indoor: bool
    walkable: tuple[Area, ...]
    obstacles: tuple[Area, ...]
    entries: tuple[tuple[float, float], ...]
    extent_m: tuple[float, float]
    free: NDArray[np.bool_]


def draw_place(
    generator: np.random.Generator,
    *,
    kind: str | None = None,
    size_m: tuple[float, float] | None = None,
) -> Place:
    """A place that does not exist.

    Args:
        generator: Decides all.
        kind: One of ``KINDS``, or None for any.
        size_m: Width along x and depth along y, at least 12 by 2.4 (10 outdoors and in halls);
            None draws 14-30 by 12-20, for passages less deep.

    Raises:
        ConfigError: There is no such kind, or the size is too small.
    """
    kind = kind or str(generator.choice(KINDS))
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of place {kind!r}", hint=f"one of: {', '.join(KINDS)}")
    narrow = kind in _DEPTHS_M
    if size_m is None:
        low, high = _DEPTHS_M.get(kind, (12.0, 20.0))
        size_m = (float(generator.uniform(14, 30)), float(generator.uniform(low, high)))
    if size_m[0] < _SMALLEST_M[0] or size_m[1] < (_SMALLEST_M[1] if narrow else 10.0):
        raise ConfigError(
            f"a {kind} of {size_m[0]:g} x {size_m[1]:g} m is too small",
            hint=f"at least 12 x {_SMALLEST_M[1] if narrow else 10:g} m",
        )
    indoor = kind in _INDOORS
    light = _lamps(generator) if indoor else _daylight(generator)
    stage = Stage(generator, light, size_m)
    (_INDOORS if indoor else _OUTDOORS)[kind](stage)
    free, entries = free_cells(stage.walkable, stage.obstacles, stage.entries, size_m)
    return Place(
        kind=kind,
        mesh=stage.mesh(),
        textures=stage.textures(),
        light=light,
        indoor=indoor,
        walkable=tuple(stage.walkable),
        obstacles=tuple(stage.obstacles),
        entries=entries,
        extent_m=size_m,
        free=free,
    )


def _daylight(generator: np.random.Generator) -> Light:
    """A sunny, hazy, clouded or dim sky."""
    high = math.radians(generator.uniform(22, 65))
    around = generator.uniform(0, 2 * math.pi)
    flat = math.cos(high)
    direction = (flat * math.cos(around), flat * math.sin(around), math.sin(high))
    weather = str(
        generator.choice(["sunny", "hazy", "overcast", "dusk"], p=[0.36, 0.2, 0.32, 0.12])
    )
    sun, sky, warm = {
        "sunny": (0.95, 0.38, 0.1),
        "hazy": (0.45, 0.6, 0.06),
        "overcast": (0.1, 0.88, 0.02),
        "dusk": (0.07, 0.3, 0.15),
    }[weather]
    sun, sky = sun * generator.uniform(0.85, 1.1), sky * generator.uniform(0.85, 1.1)
    blue = generator.uniform(0.5, 1.5) * warm
    ground = 0.3 * (sky + sun * math.sin(high))
    return Light(
        direction,
        (sun * (1 + warm), sun, sun * (1 - 1.5 * warm)),
        (sky * (1 - blue), sky, sky * (1 + 1.2 * blue)),
        (ground * 1.05, ground, ground * 0.92),
    )


def _lamps(generator: np.random.Generator) -> Light:
    """Rows of lamps on a ceiling, warm or cold."""
    tilt, around = generator.uniform(0.05, 0.3), generator.uniform(0, 2 * math.pi)
    direction = np.array([tilt * math.cos(around), tilt * math.sin(around), 1.0])
    direction /= np.linalg.norm(direction)
    strength, warm = generator.uniform(0.55, 1.0), generator.uniform(-0.06, 0.16)
    share = generator.uniform(0.2, 0.45)
    tint = np.array([1 + warm, 1.0, 1 - 1.4 * warm]) * strength
    sun, sky, ground = share * tint, (1 - share) * tint, 0.45 * tint * (1.05, 1.0, 0.93)
    x, y, z = direction.tolist()
    return Light((x, y, z), _colour(sun), _colour(sky), _colour(ground))


def _colour(rgb: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = rgb.tolist()
    return red, green, blue
