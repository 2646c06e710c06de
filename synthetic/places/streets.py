"""Outdoor places: streets, squares, parks, car parks, school yards."""

import numpy as np

from synthetic.places.buildings import building, far_houses, new_style
from synthetic.places.furniture import kiosk, table_set
from synthetic.places.props import (
    bench,
    bin_,
    bollard,
    hedge,
    lamp_post,
    planter,
    railing,
    scatter,
    shelter,
    sign_post,
    tree,
)
from synthetic.places.shapes import Area, Skin
from synthetic.places.stage import Stage
from synthetic.places.surfaces import asphalt, concrete, grass, gravel, paving, worn_paint
from synthetic.places.vehicles import car

__all__ = ["car_park", "park", "square", "street", "yard"]

_FAR_M = 34.0
_ROAD_M = -0.03


def _pavement(stage: Stage) -> Skin:
    """Slabs, blocks or tarmac to walk on."""
    colour = stage.brush.colour((0.02, 0.14), 0.18, (0.42, 0.72))
    kind = int(stage.generator.integers(5))
    if kind == 0:
        return stage.skin(asphalt(stage.brush), 4.0)
    if kind == 1:
        return stage.skin(concrete(stage.brush), 3.0)
    cells, shift = {2: ((6, 6), 0.0), 3: ((8, 16), 0.5), 4: ((5, 8), 0.5)}[kind]
    joint = (1.6, stage.pick(0.55, 0.8))
    contrast = stage.pick(0.03, 0.08)
    paint = paving(stage.brush, colour, cells=cells, shift=shift, contrast=contrast, joint=joint)
    return stage.skin(paint, 2.4)


def _surround(
    stage: Stage, sides: str, *, shops: bool, lit: bool = False, open_sides: str = ""
) -> None:
    """Houses along sides of the place, hedges and trees along others; far away houses, trees."""
    wide, deep = stage.size_m[0] / 2, stage.size_m[1] / 2
    styles = [new_style(stage, shops=shops, lit=lit) for _ in range(2)]
    for number, side in enumerate("nesw"):
        reach = (wide if side in "ns" else deep) + (14.0 if side in "ns" else 0.0)
        away = deep if side in "ns" else wide
        if side in open_sides:
            continue
        if side not in sides:
            _greens(stage, side, away + stage.pick(2.5, 5.0), reach)
            continue
        at = -reach
        while at < reach:
            broad = stage.pick(9, 17)
            low, high = away + 0.5, away + 13.0
            area: Area = (at, low, at + broad, high)
            if side == "s":
                area = (at, -high, at + broad, -low)
            elif side == "e":
                area = (low, at, high, at + broad)
            elif side == "w":
                area = (-high, at, -low, at + broad)
            opposite = "snwe"["nsew".index(side)]
            style = styles[int(stage.generator.integers(2))]
            storeys = int(stage.generator.integers(2, 6))
            building(stage, area, storeys, opposite, style, enter=stage.chance(0.6))
            at += broad + (stage.pick(1.5, 4) if stage.chance(0.25 + 0.1 * number) else 0.0)
    far_houses(stage, _FAR_M, green=0.2 + 0.6 * (len(sides) < 2))


def _greens(stage: Stage, side: str, away: float, reach: float) -> None:
    """A hedge with gaps and trees along one side."""
    turned = {"n": (0, 1), "s": (0, -1), "e": (1, 0), "w": (-1, 0)}[side]
    at = -reach
    while at < reach:
        broad = stage.pick(3, 7)
        middle = at + broad / 2
        x, y = (turned[0] * away or middle), (turned[1] * away or middle)
        if stage.chance(0.6):
            half = (broad / 2 - 0.3, 0.4) if side in "ns" else (0.4, broad / 2 - 0.3)
            hedge(stage, (x - half[0], y - half[1], x + half[0], y + half[1]), stage.pick(0.8, 1.7))
        if stage.chance(0.55):
            tree(stage, x + turned[0] * 2, y + turned[1] * 2, 0.0)
        at += broad


def _edges(stage: Stage, spread: float = 0.35) -> None:
    """People come and go in the middle and near the corners of all four sides."""
    wide, deep = stage.size_m[0] / 2 - 0.5, stage.size_m[1] / 2 - 0.5
    shift = stage.pick(-spread, spread)
    stage.entries += [(-wide, shift * deep), (wide, -shift * deep)]
    stage.entries += [(shift * wide, -deep), (-shift * wide, deep)]


def street(stage: Stage) -> None:
    """A street: pavements, road with parked cars, houses, trees and lamps."""
    wide, deep = stage.size_m
    reach = wide / 2 + 16
    middle, half = stage.pick(-0.08, 0.08) * deep, min(max(0.2 * deep, 2.6), 4.5)
    south, north = middle - half, middle + half
    walk, stone = _pavement(stage), asphalt(stage.brush)
    road = stage.skin(stone, 4.0)
    kerb = stage.skin(concrete(stage.brush), 3.0)
    white = stage.skin(worn_paint(stage.brush, (0.8, 0.8, 0.77), stone), 3.0)
    stage.ground((-60, -60, 60, 60), walk, -0.12)
    stage.ground((-reach, -deep / 2 - 1, reach, south), walk)
    stage.ground((-reach, north, reach, deep / 2 + 1), walk)
    stage.ground((-reach, south, reach, north), road, _ROAD_M)
    stage.wear((-reach, south, reach, north), road, _ROAD_M)
    stage.wear((-reach, -deep / 2, reach, south), walk)
    stage.wear((-reach, north, reach, deep / 2), walk)
    for edge in (south, north):
        stage.box((0, edge, -0.04), (2 * reach, 0.16, 0.09), kerb)
    zebra = stage.pick(-0.3, 0.3) * wide
    for at in np.arange(south + 0.3, north - 0.3, 1.0).tolist():
        stage.ground((zebra - 1.8, at, zebra + 1.8, at + 0.5), white, _ROAD_M + 0.006)
    for at in np.arange(-reach, reach, 4.5).tolist():
        if abs(at + 1 - zebra) > 3.5:
            mark = (at, middle - 0.06, at + 2, middle + 0.06)
            stage.ground(mark, white, _ROAD_M + 0.006)
    stage.walkable += [
        (-wide / 2, -deep / 2 + 0.4, wide / 2, south - 0.2),
        (-wide / 2, north + 0.2, wide / 2, deep / 2 - 0.4),
        (zebra - 1.6, south - 0.3, zebra + 1.6, north + 0.3),
    ]
    for x in (-wide / 2 + 0.4, wide / 2 - 0.4):
        stage.entries += [(x, (south - deep / 2) / 2), (x, (north + deep / 2) / 2)]
    sides = "ns" if stage.chance(0.75) else "n"
    _surround(stage, sides, shops=True, lit=stage.chance(0.4), open_sides="ew")
    lanes = [(south + 1.0, 180.0)] + ([(north - 1.0, 0.0)] if half > 3.2 else [])
    for lane, yaw in lanes:
        at = -reach + stage.pick(0, 4)
        while at < reach - 3:
            if abs(at - zebra) > 5.2 and stage.chance(0.7):
                car(stage, at, lane + stage.pick(-0.1, 0.1), yaw + stage.pick(-1.5, 1.5))
            at += stage.pick(5.2, 7)
    _roadside(stage, (south - 0.55, north + 0.55), zebra)


def _roadside(stage: Stage, lines: tuple[float, float], zebra: float) -> None:
    """Trees, lamps, bollards and signs along the kerbs, benches and bins at the walls."""
    wide, deep = stage.size_m
    for line, wall in zip(lines, (-deep / 2 + 0.9, deep / 2 - 0.9), strict=True):
        make = tree if stage.chance(0.5) else lamp_post
        for at in np.arange(-wide / 2 - 8, wide / 2 + 8, stage.pick(5, 8)).tolist():
            if abs(at - zebra) > 2.4:
                make(stage, at, line, 90.0 if line < 0 else 270.0)
        if stage.chance(0.7):
            for at in np.arange(zebra - 6, zebra + 6.5, 1.5).tolist():
                if abs(at - zebra) > 2.0 and stage.clear((at, line, at, line), 0.3):
                    bollard(stage, at, line, 0.0)
        elif stage.chance(0.6):
            railing(stage, (zebra + 2.4, line), (zebra + 7, line))
        if stage.chance(0.35) and abs(wall - line) > 3.0:
            shelter(
                stage, zebra - 5.5, line + (0.6 if line > 0 else -0.6), 0.0 if line < 0 else 180
            )
        area = (-wide / 2 + 1, wall - 0.1, wide / 2 - 1, wall + 0.1)
        for x, y, _ in scatter(stage, area, 5, room_m=1.4, yaws_deg=(0.0,)):
            make_one = (bench, bin_, planter, sign_post)[int(stage.generator.integers(4))]
            make_one(stage, x, y, 0.0 if wall > 0 else 180.0)


def square(stage: Stage) -> None:
    """A paved square among houses."""
    wide, deep = stage.size_m
    floor = _pavement(stage)
    stage.ground((-60, -60, 60, 60), floor, -0.05)
    stage.ground((-wide / 2 - 14, -deep / 2 - 8, wide / 2 + 14, deep / 2 + 8), floor)
    stage.wear((-wide / 2 - 8, -deep / 2 - 6, wide / 2 + 8, deep / 2 + 6), floor)
    if stage.chance(0.6):  # bands of another stone
        band = _pavement(stage)
        for at in np.arange(-wide / 2, wide / 2, stage.pick(4, 7)).tolist():
            stage.ground((at, -deep / 2, at + 0.6, deep / 2), band, 0.003)
    stage.walkable.append((-wide / 2, -deep / 2, wide / 2, deep / 2))
    _edges(stage)
    sides = "".join(side for side in "nesw" if stage.chance(0.65)) or "n"
    _surround(stage, sides, shops=True, lit=stage.chance(0.4))
    area = (-wide / 2 + 2, -deep / 2 + 2, wide / 2 - 2, deep / 2 - 2)
    if stage.chance(0.4) and wide > 16:
        for x, y, yaw in scatter(stage, area, 1, room_m=3.4):
            kiosk(stage, x, y, yaw)
    for x, y, yaw in scatter(stage, area, int(stage.generator.integers(0, 5)), room_m=1.8):
        table_set(stage, x, y, yaw + stage.pick(0, 45))
    _fill(stage, area, (bench, bench, tree, tree, lamp_post, bin_, planter, sign_post))
    if stage.chance(0.6):
        for at in np.arange(-wide / 2 + 1, wide / 2 - 0.5, stage.pick(1.4, 2.0)).tolist():
            if stage.clear((at, -deep / 2 + 1, at, -deep / 2 + 1), 0.2):
                bollard(stage, at, -deep / 2 + 1.0, 0.0)


def _fill(stage: Stage, area: Area, makers: tuple[object, ...]) -> None:
    """Puts single things about, about one to 14 square metres at most."""
    share = (area[2] - area[0]) * (area[3] - area[1]) / stage.pick(14, 40)
    for x, y, yaw in scatter(stage, area, max(3, int(share)), room_m=1.6):
        maker = makers[int(stage.generator.integers(len(makers)))]
        if callable(maker):
            maker(stage, x, y, yaw)


def park(stage: Stage) -> None:
    """Paths through lawns with trees, hedges and benches."""
    wide, deep = stage.size_m
    lawn = stage.skin(grass(stage.brush), 3.0)
    paint = gravel(stage.brush) if stage.chance(0.5) else asphalt(stage.brush)
    path = stage.skin(paint, 2.7)
    stage.ground((-60, -60, 60, 60), lawn, -0.05)
    stage.ground((-wide / 2 - 6, -deep / 2 - 6, wide / 2 + 6, deep / 2 + 6), lawn)
    stage.wear((-wide / 2, -deep / 2, wide / 2, deep / 2), lawn)
    y, x = stage.pick(-0.25, 0.25) * deep, stage.pick(-0.3, 0.3) * wide
    broad = stage.pick(1.2, 2.2)
    reach = 30.0
    stage.ground((-reach, y - broad, reach, y + broad), path, 0.004)
    stage.ground((x - broad, -reach, x + broad, reach), path, 0.006)
    stage.walkable.append((-wide / 2, -deep / 2, wide / 2, deep / 2))
    stage.entries += [(-wide / 2 + 0.5, y), (wide / 2 - 0.5, y)]
    stage.entries += [(x, -deep / 2 + 0.5), (x, deep / 2 - 0.5)]
    for at in np.arange(-wide / 2, wide / 2, stage.pick(5, 8)).tolist():
        if abs(at - x) > broad + 1:
            maker = (bench, lamp_post, bin_)[int(stage.generator.integers(3))]
            maker(stage, at, y + broad + 0.6, 0.0)
    for area in (
        (-wide / 2, y + broad + 1.4, x - broad - 0.8, deep / 2),
        (x + broad + 0.8, y + broad + 1.4, wide / 2, deep / 2),
        (-wide / 2, -deep / 2, x - broad - 0.8, y - broad - 0.8),
        (x + broad + 0.8, -deep / 2, wide / 2, y - broad - 0.8),
    ):
        if area[2] - area[0] > 2 and area[3] - area[1] > 2:
            for tree_x, tree_y, _ in scatter(stage, area, 3, room_m=1.2):
                tree(stage, tree_x, tree_y, 0.0)
            if stage.chance(0.4):
                line = area[1] + 0.4
                hedge(stage, (area[0] + 0.6, line, area[2] - 0.6, line + 0.8), stage.pick(0.6, 1.2))
    sides = "n" if stage.chance(0.3) else ""
    _surround(stage, sides, shops=False)


def car_park(stage: Stage) -> None:
    """Rows of parked cars between lanes."""
    wide, deep = stage.size_m
    stone = asphalt(stage.brush)
    floor = stage.skin(stone, 4.0)
    white = stage.skin(worn_paint(stage.brush, (0.8, 0.8, 0.77), stone), 3.0)
    stage.ground((-60, -60, 60, 60), _pavement(stage), -0.05)
    stage.ground((-wide / 2 - 8, -deep / 2 - 2, wide / 2 + 8, deep / 2 + 2), floor)
    stage.walkable.append((-wide / 2, -deep / 2, wide / 2, deep / 2))
    stage.wear((-wide / 2 - 4, -deep / 2, wide / 2 + 4, deep / 2), floor)
    _edges(stage, 0.15)
    slot, rows = stage.pick(2.5, 2.9), [-deep / 2 + 3.2, deep / 2 - 3.2]
    share = stage.pick(0.35, 0.85)
    for row, yaw in zip(rows, (270.0, 90.0), strict=True):
        for at in np.arange(-wide / 2 + 1, wide / 2 + 4, slot).tolist():
            stage.ground((at - 0.05, row - 2.4, at + 0.05, row + 2.4), white, 0.005)
            middle = at + slot / 2
            room = stage.clear((middle - 1, row - 2.3, middle + 1, row + 2.3), 0.1)
            if room and stage.chance(share):
                turn = yaw if stage.chance(0.7) else yaw + 180
                car(stage, middle + stage.pick(-0.15, 0.15), row, turn + stage.pick(-2, 2))
    _surround(stage, str(stage.generator.choice(["n", "ns", "s", "e"])), shops=False)
    line = (-wide / 2 + 1, -0.4, wide / 2 - 1, 0.4)
    for x, y, yaw in scatter(stage, line, 3, room_m=0.5):
        maker = (lamp_post, sign_post, bin_)[int(stage.generator.integers(3))]
        maker(stage, x, y, yaw)
    for edge in (-deep / 2 + 0.4, deep / 2 - 0.4):
        for x, y, yaw in scatter(stage, (-wide / 2, edge, wide / 2, edge), 4, room_m=0.6):
            (tree if stage.chance(0.6) else lamp_post)(stage, x, y, yaw)


def yard(stage: Stage) -> None:
    """The yard of a school or campus, with a painted court."""
    wide, deep = stage.size_m
    stone = asphalt(stage.brush) if stage.chance(0.5) else concrete(stage.brush)
    floor = stage.skin(stone, 4.0)
    paint = stage.brush.colour((0.0, 1.0), 0.3, (0.6, 0.85))
    mark = stage.skin(worn_paint(stage.brush, paint, stone), 3.0)
    stage.ground((-60, -60, 60, 60), stage.skin(grass(stage.brush), 3.0), -0.05)
    stage.ground((-wide / 2 - 3, -deep / 2 - 2, wide / 2 + 3, deep / 2 + 2), floor)
    stage.wear((-wide / 2, -deep / 2, wide / 2, deep / 2), floor)
    half_x, half_y = 0.32 * wide, 0.3 * deep
    for low, high in (
        ((-half_x, -half_y), (half_x, -half_y)),
        ((-half_x, half_y), (half_x, half_y)),
    ):
        stage.ground((low[0], low[1] - 0.04, high[0], high[1] + 0.04), mark, 0.005)
    for x in (-half_x, 0.0, half_x):
        stage.ground((x - 0.04, -half_y, x + 0.04, half_y), mark, 0.006)
    stage.walkable.append((-wide / 2, -deep / 2, wide / 2, deep / 2))
    _edges(stage)
    _surround(stage, str(stage.generator.choice(["n", "nw", "ne", "nsw"])), shops=False)
    rail = -deep / 2 + 0.8
    for at in np.arange(-wide / 2 + 2, wide / 2 - 4, 3.4).tolist():
        if stage.clear((at, rail, at + 2.2, rail), 0.4) and stage.chance(0.6):
            railing(stage, (at, rail), (at + 2.2, rail), 0.9)
    area = (-wide / 2 + 1.2, -deep / 2 + 2, wide / 2 - 1.2, deep / 2 - 1.5)
    _fill(stage, area, (bench, bench, tree, bin_, planter, table_set, sign_post))
