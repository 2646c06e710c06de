"""Parked cars and standing trains."""

import numpy as np

from synthetic.places.shapes import Skin
from synthetic.places.stage import Stage
from synthetic.places.surfaces import corrugated
from synthetic.rendering.mesh import Mesh

__all__ = ["car", "train"]

_PROFILES = {
    "saloon": "0 .55  .03 .7  .27 .9  .42 1.38  .55 1.45  .72 1.4  .87 1.02  .98 .96  1 .6",
    "hatchback": "0 .55  .03 .72  .25 .95  .42 1.42  .6 1.5  .88 1.43  .97 1.05  .99 .95  1 .6",
    "van": "0 .6  .02 .85  .14 1.1  .27 1.8  .4 1.95  .7 1.98  .97 1.95  .99 1  1 .6",
}
"""Pairs: how far from the front bumper in parts of the length, and the body's height there."""
_BELT_M = {"saloon": 0.92, "hatchback": 0.97, "van": 1.12}


def car(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A parked car whose front points to its own -x."""
    kind = str(stage.generator.choice(["saloon", "hatchback", "hatchback", "van"]))
    length, width = {"saloon": (4.5, 1.78), "hatchback": (4.0, 1.74), "van": (4.8, 1.95)}[kind]
    value = float(stage.generator.choice([0.1, 0.2, 0.45, 0.7, 0.85, 0.3, 0.35]))
    colour = stage.brush.colour((0.0, 1.0), 0.12 if value > 0.4 else 0.6, (value, value))
    paint, glass = stage.colour(colour), stage.colour((0.13, 0.15, 0.17))
    dark = stage.colour((0.06, 0.06, 0.065))
    spot = stage.spot(x, y, yaw_deg)
    outline = np.array(_PROFILES[kind].split(), np.float64).reshape(-1, 2)
    profile = outline * (length, 1.0) - (length / 2, 0.0)
    for side in _body(profile, width, _BELT_M[kind], paint, glass):
        spot.mesh(side)
    for along in (-0.31, 0.31):
        for across in (-1, 1):
            wheel = (along * length, across * (width / 2 - 0.22), 0.32)
            rim = (along * length, across * (width / 2 + 0.012), 0.32)
            spot.pipe(wheel, rim, (0.32, 0.32), dark, 12)
            far = (along * length, across * (width / 2 + 0.02), 0.32)
            spot.pipe(rim, far, (0.2, 0.18), stage.colour((0.55, 0.56, 0.57)), 10)
    spot.box((0, 0, 0.24), (length * 0.92, width * 0.9, 0.16), dark)
    half = length / 2
    for aside in (-0.36, 0.36):
        lamp = (0.06, 0.34, 0.14)
        spot.box((-half + 0.07, aside * width, 0.66), lamp, stage.colour((0.82, 0.83, 0.82)))
        spot.box((half - 0.02, aside * width, 0.82), lamp, stage.colour((0.45, 0.05, 0.05)))
        mirror = (-0.17 * length, aside * 2.95 * width / 2, 0.98)
        spot.box(mirror, (0.1, 0.16, 0.12), paint)
    for end in (-half - 0.005, half + 0.005):
        spot.box((end, 0, 0.5), (0.02, 0.5, 0.11), stage.colour((0.85, 0.85, 0.8)))
        spot.box((end * 0.985, 0, 0.36), (0.06, width * 0.86, 0.14), dark)
    for across in (-1, 1):  # gaps of the doors
        for along in (-0.16, 0.05, 0.24):
            gap = (along * length, across * (width / 2 + 0.002), 0.66)
            spot.box(gap, (0.012, 0.01, 0.46), dark)
    spot.stands(length, width, reach_m=0.35)


def _body(profile: np.ndarray, width: float, belt: float, paint: Skin, glass: Skin) -> list[Mesh]:
    """The shell of a car: sides up to the belt, windows drawn in above it, hood and roof."""
    count = len(profile)
    x, top = profile[:, 0], profile[:, 1]
    rise = np.clip((top - belt) / 0.55, 0, 1)
    half = width / 2 * (1 - 0.06 * (np.abs(x) / np.abs(x).max()) ** 4)
    low = np.full(count, 0.22)
    middle = np.minimum(top - 0.02, belt)
    rows = [(half * 0.96, low), (half, (low + middle) / 2), (half * 0.97, middle)]
    rows.append((half * (0.93 - 0.2 * rise), top))
    ring = [np.column_stack([x, -across, high]) for across, high in rows]
    ring += [np.column_stack([x, across, high]) for across, high in reversed(rows)]
    parts = []
    for at in range(7):
        is_side_window, is_top = at in (2, 4), at == 3
        for start in range(count - 1):
            four = [
                ring[at][start],
                ring[at][start + 1],
                ring[at + 1][start + 1],
                ring[at + 1][start],
            ]
            steep = (
                abs(top[start + 1] - top[start]) > 0.2 and max(top[start : start + 2]) > belt + 0.2
            )
            tall = max(rise[start], rise[start + 1]) > 0.5
            pane = (is_side_window and tall) or (is_top and steep)
            parts.append(_patch(np.array(four), glass if pane else paint))
    for end, order in ((0, (7, 0, 3, 4)), (count - 1, (0, 7, 4, 3))):
        parts.append(_patch(np.array([ring[at][end] for at in order]), paint))
    return parts


def _patch(corners: np.ndarray, skin: Skin) -> Mesh:
    """A four-cornered side, flat enough for one normal."""
    across = np.cross(corners[2] - corners[0], corners[3] - corners[1])
    normal = across / max(float(np.linalg.norm(across)), 1e-9)
    u0, v0, u1, v1 = skin.window or (0.0, 0.0, 1.0, 1.0)
    flat = np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)])
    return Mesh(
        corners.astype(np.float32),
        np.tile(normal, (4, 1)).astype(np.float32),
        np.column_stack([flat, np.full(4, skin.layer)]).astype(np.float32),
        np.array([(0, 1, 2), (0, 2, 3)], np.int32),
    )


def train(stage: Stage, x0: float, x1: float, y: float) -> None:
    """A train along x whose side faces -y, with windows and doors."""
    value = stage.pick(0.3, 0.75)
    colour = stage.brush.colour((0.0, 1.0), 0.4, (value, value))
    side = corrugated(stage.brush, colour, ribs=3, across=True)
    skin = stage.skin(side, 3.0)
    glass = stage.colour((0.1, 0.12, 0.14))
    spot = stage.spot((x0 + x1) / 2, y + 1.4)
    spot.box((0, 0, 1.3), (x1 - x0, 2.8, 3.4), skin)
    spot.box((0, -0.01, 0.0), (x1 - x0, 2.8, 0.5), stage.colour((0.12, 0.12, 0.12)))
    second = stage.colour(stage.brush.colour((0.0, 1.0), 0.6, (0.2, 0.7)))
    spot.box((0, -0.005, 0.55), (x1 - x0, 2.8, 0.25), second)
    for at in np.arange(x0 + 1.5, x1 - 1.5, 2.2).tolist():
        number = round((at - x0 - 1.5) / 2.2)
        local = at - (x0 + x1) / 2
        if number % 4 == 2:
            spot.box((local, -0.02, 1.15), (1.3, 2.8, 2.1), second)
            for leaf in (-0.32, 0.32):
                spot.box((local + leaf, -0.03, 1.45), (0.42, 2.8, 0.9), glass)
        else:
            spot.box((local, -0.02, 1.55), (1.5, 2.8, 0.85), glass)
