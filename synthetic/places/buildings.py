"""Houses around an outdoor place, walls around an indoor one."""

from typing import NamedTuple

import numpy as np

from synthetic.places.panels import door, lamp_panel, shop_front, shutter, window_bay
from synthetic.places.props import crown, metal
from synthetic.places.shapes import Area, Skin
from synthetic.places.stage import Spot, Stage
from synthetic.places.surfaces import RGB, Paint, concrete, corrugated, hsv, paving, plaster

__all__ = ["Style", "building", "far_houses", "new_style", "room", "wall_paint"]

STOREY_M = 3.1


class Style(NamedTuple):
    """What one architect's houses look like."""

    wall: Skin
    windows: tuple[Skin, ...]
    fronts: tuple[Skin, ...]
    entrance: Skin
    trim: Skin
    bay_m: float


def wall_paint(stage: Stage) -> Paint:
    """A wall of plaster, brick, concrete panels or metal; one width is 3 m."""
    brush, kind = stage.brush, int(stage.generator.integers(6))
    if kind in (0, 1):
        colour = brush.colour((0.01, 0.09), 0.5, (0.38, 0.65))
        cells = (12, 40) if stage.chance(0.5) else (10, 34)
        joint = (1.8, float(stage.generator.choice([0.7, 1.25])))
        return paving(brush, colour, cells=cells, shift=0.5, contrast=0.09, joint=joint)
    if kind == 2:
        grey = brush.colour((0.05, 0.6), 0.1, (0.45, 0.75))
        return paving(brush, grey, cells=(2, 2), contrast=0.03, joint=(2.5, 0.5))
    if kind == 3:
        return concrete(brush)
    return plaster(brush)


def new_style(stage: Stage, *, shops: bool = True, lit: bool = False) -> Style:
    """A style of houses; costs six textures or so."""
    brush, wall = stage.brush, wall_paint(stage)
    windows = tuple(stage.panel(window_bay(brush, wall, lit=lit and n == 1)) for n in range(2))
    front = shop_front if shops else window_bay
    fronts = [stage.panel(front(brush, wall, lit=lit))]
    if stage.chance(0.4):
        fronts.append(stage.panel(shutter(brush)))
    entrance = stage.shared("entrance", lambda: stage.panel(door(brush, glazed=True)))
    trim = stage.colour(brush.colour((0.05, 0.15), 0.15, (0.35, 0.85)))
    return Style(
        stage.skin(wall, 3.0), windows, tuple(fronts), entrance, trim, stage.pick(2.6, 3.6)
    )


def building(
    stage: Stage, area: Area, storeys: int, sides: str, style: Style, *, enter: bool = False
) -> None:
    """A house with windows and doors on some sides.

    Args:
        stage: Where to put it up.
        area: The ground it takes.
        storeys: How many.
        sides: Those with windows: letters of "nesw", for +y, +x, -y and -x.
        style: What it looks like.
        enter: Whether people come and go at its doors.
    """
    x0, y0, x1, y1 = area
    x, y, high = (x0 + x1) / 2, (y0 + y1) / 2, storeys * STOREY_M
    stage.box((x, y, high / 2), (x1 - x0, y1 - y0, high), style.wall)
    stage.box((x, y, high + 0.12), (x1 - x0 + 0.3, y1 - y0 + 0.3, 0.3), style.trim)
    plans = {
        "s": (x, y0, 0.0, x1 - x0),
        "e": (x1, y, 90.0, y1 - y0),
        "n": (x, y1, 180.0, x1 - x0),
        "w": (x0, y, 270.0, y1 - y0),
    }
    for side in sides:
        at_x, at_y, yaw, length = plans[side]
        _front(stage, (at_x, at_y, yaw), length, storeys, style, enter=enter)
        half = (length / 2, 0.02) if yaw in (0.0, 180.0) else (0.02, length / 2)
        wall = (at_x - half[0], at_y - half[1], at_x + half[0], at_y + half[1])
        stage.contact(wall, 0.5)


def _front(
    stage: Stage,
    at: tuple[float, float, float],
    length: float,
    storeys: int,
    style: Style,
    *,
    enter: bool,
) -> None:
    """One side of a house: bays of windows, at the ground also shops and an entrance."""
    spot = stage.spot(*at)
    count = max(1, round(length / style.bay_m))
    bay = length / count
    entrance = int(stage.generator.integers(count))
    spot.box((0, -0.03, 0.2), (length, 0.06, 0.4), style.trim)
    for number in range(count):
        left = -length / 2 + number * bay
        for storey in range(storeys):
            if storey == 0:
                skin = style.fronts[int(stage.generator.integers(len(style.fronts)))]
                skin = skin if stage.chance(0.75) else style.windows[0]
            else:
                skin = style.windows[int(stage.generator.random() < 0.3)]
            low = storey * STOREY_M + (0.4 if storey == 0 else 0)
            high, edge = (storey + 1) * STOREY_M, -0.02
            if not (storey == 0 and number == entrance):
                corners = [(left, edge, low), (left + bay, edge, low)]
                corners += [(left + bay, edge, high), (left, edge, high)]
                spot.quad(corners, skin)
        if number == entrance:
            _entrance(spot, left + bay / 2, style, enter=enter)
        elif stage.chance(0.25):
            awning = stage.colour(stage.brush.colour((0.0, 1.0), 0.5, (0.3, 0.75)))
            spot.box((left + bay / 2, -0.6, 2.55), (bay * 0.9, 1.15, 0.05), awning)
            spot.box((left + bay / 2, -1.17, 2.45), (bay * 0.9, 0.02, 0.22), awning)
    if stage.chance(0.5):
        for storey in range(1, storeys):
            spot.box((0, -0.05, storey * STOREY_M), (length, 0.12, 0.14), style.trim)
    for edge in (-length / 2 + 0.15, length / 2 - 0.15):
        spot.pipe((edge, -0.1, 0), (edge, -0.1, storeys * STOREY_M), (0.05, 0.05), metal(stage), 6)


def _entrance(spot: Spot, at: float, style: Style, *, enter: bool) -> None:
    """A door under a small roof."""
    leaf = [(at - 0.6, -0.07, 0), (at + 0.6, -0.07, 0)]
    spot.quad([*leaf, (at + 0.6, -0.07, 2.35), (at - 0.6, -0.07, 2.35)], style.entrance)
    spot.box((at, -0.45, 2.6), (1.8, 0.9, 0.1), style.trim)
    if enter:
        x, y, _ = spot.to_world([(at, -0.8, 0)])[0].tolist()
        spot.stage.entries.append((x, y))


def far_houses(stage: Stage, reach_m: float, *, green: float) -> None:
    """Plain houses and (a share of green) trees far away, all around, that close the view."""
    style = stage.shared("far houses", lambda: stage.skin(_far_wall(stage), 9.0))
    for turn in range(4):
        at = -reach_m
        while at < reach_m:
            wide, high = stage.pick(8, 16), stage.pick(5, 13)
            away = reach_m + stage.pick(4, 8)
            centre = (at + wide / 2, away) if turn % 2 else (away, at + wide / 2)
            x, y = (-centre[0], -centre[1]) if turn > 1 else centre
            if stage.chance(green):
                for _ in range(3):
                    shift = stage.generator.uniform(-1, 1, 2) * (wide / 2, 3)
                    middle = (shift[0], shift[1]) if turn % 2 else (shift[1], shift[0])
                    size = stage.pick(3.0, 5.0)
                    centre_m = (x + float(middle[0]), y + float(middle[1]), 0.7 * size)
                    crown(stage, centre_m, (size, size, size * stage.pick(0.7, 1.2)), 60, 0.45)
                at += wide
                continue
            stage.box(
                (x, y, high / 2), (wide if turn % 2 else 8, 8 if turn % 2 else wide, high), style
            )
            at += wide + stage.pick(0, 5)


def _far_wall(stage: Stage) -> Paint:
    """Rows of small windows, 3 by 3 storeys."""
    paint = plaster(stage.brush)
    rows, columns = np.mgrid[0:256, 0:256]
    holes = (rows % 85 > 22) & (rows % 85 < 62) & (columns % 64 > 18) & (columns % 64 < 46)
    glass = np.array(hsv(0.58, 0.15, stage.pick(0.2, 0.4)), np.float32)
    paint[holes] = glass * (1 + 0.15 * stage.brush.field("clouds")[holes][:, None])
    return paint


def room(
    stage: Stage,
    high: float,
    floor: Skin,
    wall: Skin,
    *,
    bays: tuple[tuple[Skin, float, float, float], ...] = (),
    ceiling: RGB = (0.8, 0.8, 0.78),
    share: float = 0.5,
) -> None:
    """Floor, walls and a lit ceiling around the whole place, seen from inside only.

    Args:
        stage: Where to put it up.
        high: Height of the ceiling, metres.
        floor: What is underfoot.
        wall: What the walls are covered with.
        bays: What may hang on a wall: panel, width, lower and upper edge, metres; people come and
            go at those whose lower edge is 0.
        ceiling: Its colour, sRGB.
        share: How much of the walls the bays take.
    """
    wide, deep = stage.size_m
    stage.ground((-wide / 2, -deep / 2, wide / 2, deep / 2), floor)
    stage.wear((-wide / 2, -deep / 2, wide / 2, deep / 2), floor)
    _ceiling(stage, high, ceiling)
    for x, y, yaw, length in (
        (0.0, deep / 2, 0.0, wide),
        (-wide / 2, 0.0, 90.0, deep),
        (0.0, -deep / 2, 180.0, wide),
        (wide / 2, 0.0, 270.0, deep),
    ):
        _wall(stage, (x, y, yaw), length, high, wall)
        spot, at = stage.spot(x, y, yaw), -length / 2 + stage.pick(0.4, 1.5)
        while bays:
            panel, broad, low, top = bays[int(stage.generator.integers(len(bays)))]
            if at + broad > length / 2 - 0.3:
                break
            if stage.chance(share):
                edge = -0.025
                corners = [(at, edge, low), (at + broad, edge, low)]
                spot.quad([*corners, (at + broad, edge, top), (at, edge, top)], panel)
                if low == 0.0:
                    way = spot.to_world([(at + broad / 2, -0.6, 0)])[0].tolist()
                    stage.entries.append((way[0], way[1]))
            at += broad + stage.pick(0.1, 0.8)


def _wall(
    stage: Stage, at: tuple[float, float, float], length: float, high: float, skin: Skin
) -> None:
    """One wall of a room, darker at its foot and under the ceiling, with a skirting board."""
    spot, half = stage.spot(*at), length / 2
    facing = spot.to_world([(0, -1, 0)])[0] - spot.to_world([(0, 0, 0)])[0]
    levels = (0.0, 0.6, high - 0.5, high)
    tilts = (-1.0, 0.0, 0.0, -0.5)
    for part in range(3):
        low, top = levels[part], levels[part + 1]
        corners = [(-half, 0, low), (half, 0, low), (half, 0, top), (-half, 0, top)]
        tilt = np.array([tilts[part], tilts[part], tilts[part + 1], tilts[part + 1]])
        normals = facing + tilt[:, None] * np.array([0.0, 0.0, 1.0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        stage.quad(spot.to_world(corners), skin, normals)
    board = stage.shared("skirting", lambda: stage.colour(hsv(0.08, 0.2, stage.pick(0.2, 0.7))))
    edge = -0.015
    spot.quad([(-half, edge, 0), (half, edge, 0), (half, edge, 0.1), (-half, edge, 0.1)], board)
    reach = (half, 0.01) if at[2] in (0.0, 180.0) else (0.01, half)
    stage.contact((at[0] - reach[0], at[1] - reach[1], at[0] + reach[0], at[1] + reach[1]), 0.7)


def _ceiling(stage: Stage, high: float, colour: RGB) -> None:
    """Tiles or beams with lamps, facing down; as bright as lamps make it."""
    wide, deep = stage.size_m
    brush = stage.brush
    paint = (
        corrugated(brush, colour, ribs=8)
        if high > 4.5
        else paving(brush, colour, cells=(4, 4), contrast=0.02, joint=(2.0, 0.75))
    )
    tiles, lamp = stage.skin(paint, 2.4), stage.panel(lamp_panel(brush, paint))
    columns, rows = max(1, round(wide / 2.4)), max(1, round(deep / 2.4))
    step_x, step_y = wide / columns, deep / rows
    every = int(stage.generator.integers(1, 3))
    for column in range(columns):
        for row in range(rows):
            x, y = -wide / 2 + column * step_x, -deep / 2 + row * step_y
            lit = column % 2 == 0 and row % every == 0
            corners = [(x, y, high), (x, y + step_y, high)]
            corners += [(x + step_x, y + step_y, high), (x + step_x, y, high)]
            normals = np.tile([0.0, 0.0, 1.0 if lit else -1.0], (4, 1))
            stage.quad(corners, lamp if lit else tiles, normals)
