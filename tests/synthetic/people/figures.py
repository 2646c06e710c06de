"""People for tests of clothes, and rays that find out what is seen of them."""

from dataclasses import replace

import numpy as np

from synthetic.people.appearance import Appearance, Colour, Fabric, Garment, Hair, Shoes
from synthetic.people.gait import Gait
from synthetic.people.pose import Pose, sitting_down, walking

BLUE = Colour("blue", (0.2, 0.3, 0.7))
CLOTH = Fabric("plain", (BLUE,))
GAIT = Gait(leg_m=0.9)
POSES = [
    Pose({}),
    walking(0.0, gait=GAIT),
    walking(0.2, gait=GAIT),
    walking(0.7, gait=GAIT),
    sitting_down(0.6, gait=GAIT),
]
SKIN_LAYERS = (0, 1)


def garment(kind, **changes):
    """A garment of a kind, of usual measures."""
    usual = Garment(kind, 0.14, 1.0, 0.4, "round", open=False, hood=False, fabric=CLOTH)
    return replace(usual, **changes)


def person(**changes):
    """Somebody in T-shirt and trousers."""
    usual = Appearance(
        age_group="adult",
        sex="female",
        build="medium",
        height_m=1.7,
        phenotype={"gender": 0.9, "age": 0.66},
        skin=Colour("light", (0.9, 0.75, 0.65)),
        skin_tone="light",
        hair=Hair("short", Colour("brown", (0.3, 0.2, 0.1)), 0.5),
        beard=False,
        glasses=False,
        upper=garment("t-shirt", sleeve=0.35),
        outer=None,
        lower=garment("trousers", length=0.98, sleeve=0.0),
        legwear=None,
        shoes=Shoes("sneakers", BLUE, BLUE),
        headwear=None,
        carried=(),
    )
    return replace(usual, **changes)


def layers_seen(figure, posed, middle, heights, directions=12):
    """The texture that level rays from outside hit first; -1: none, as through a hole in cloth.

    Args:
        figure: Who is looked at.
        posed: The same in a pose.
        middle: (2,), the upright line that the rays aim at.
        heights: Their heights, metres.
        directions: From how many sides.
    """
    corners = posed.positions[figure.faces].astype(np.float64)
    first, a, b = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    facing = np.cross(a, b)
    found = []
    for angle in np.arange(directions) * 2 * np.pi / directions:
        way = np.array([np.cos(angle), np.sin(angle), 0.0])
        with np.errstate(divide="ignore", invalid="ignore"):
            for height in heights:
                start = np.array([*middle, height]) - 3 * way
                across = np.cross(way, b)
                scale = (a * across).sum(axis=1)
                apart = start - first
                u = (apart * across).sum(axis=1) / scale
                turned = np.cross(apart, a)
                v = turned @ way / scale
                away = (turned * b).sum(axis=1) / scale
                hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (facing @ way < 0)
                if not hit.any():
                    found.append(-1)
                    continue
                nearest = np.flatnonzero(hit)[np.argmin(away[hit])]
                found.append(int(figure.uvs[figure.faces[nearest, 0], 2]))
    return found
