"""Indoor and roofed places: malls, stores, corridors, lobbies, warehouses, stations."""

import numpy as np

from synthetic.places.buildings import room, wall_paint
from synthetic.places.furniture import (
    cartons,
    counter,
    desk,
    kiosk,
    lockers,
    machine,
    plant,
    rack,
    shelf,
    sofa,
    table_set,
    turnstiles,
)
from synthetic.places.panels import door, notices, shop_front, shutter, sign, window_bay
from synthetic.places.props import bench, bin_, column, metal, railing, scatter
from synthetic.places.shapes import Skin
from synthetic.places.stage import Stage
from synthetic.places.surfaces import (
    asphalt,
    carpet,
    concrete,
    corrugated,
    gravel,
    hsv,
    paving,
    planks,
    plaster,
)
from synthetic.places.vehicles import train

__all__ = ["corridor", "lobby", "mall", "platform", "store", "underpass", "warehouse"]

Bay = tuple[Skin, float, float, float]


def _floor(stage: Stage) -> Skin:
    """Tiles, polished concrete, boards or vinyl."""
    brush, kind = stage.brush, int(stage.generator.integers(5))
    if kind == 0:
        return stage.skin(concrete(brush), 3.0)
    if kind == 1:
        wooden = hsv(stage.pick(0.06, 0.1), stage.pick(0.2, 0.45), stage.pick(0.4, 0.7))
        return stage.skin(planks(brush, wooden, count=12), 1.6)
    colour = brush.colour((0.05, 0.14), 0.2, (0.45, 0.85))
    count = int(stage.generator.integers(3, 7))
    paint = paving(
        brush, colour, cells=(count, count), contrast=0.02, joint=(1.3, stage.pick(0.6, 0.9))
    )
    return stage.skin(paint, 2.4)


def _wall(stage: Stage) -> Skin:
    light = stage.brush.colour((0.05, 0.6), 0.12, (0.68, 0.92))
    return stage.skin(plaster(stage.brush, light), 3.0)


def _doors(stage: Stage) -> tuple[Bay, ...]:
    """A blind and a glazed door."""
    blind = stage.panel(door(stage.brush, glazed=False))
    glazed = stage.panel(door(stage.brush, glazed=True))
    return ((blind, 1.0, 0.0, 2.1), (glazed, 1.5, 0.0, 2.25))


def _posters(stage: Stage) -> tuple[Bay, ...]:
    board = stage.panel(notices(stage.brush))
    return (
        (stage.panel(sign(stage.brush)), 0.8, 0.9, 2.0),
        (board, stage.pick(1.2, 2.4), 1.0, 1.9),
    )


def _everywhere(stage: Stage, margin: float = 0.35) -> None:
    wide, deep = stage.size_m
    stage.walkable.append(
        (-wide / 2 + margin, -deep / 2 + margin, wide / 2 - margin, deep / 2 - margin)
    )


def _ends(stage: Stage) -> None:
    """People also come and go at both ends, where the place goes on."""
    wide = stage.size_m[0] / 2 - 0.7
    stage.entries += [(-wide, 0.0), (wide, 0.0)]


def _columns(stage: Stage, high: float, lines: tuple[float, ...], skin: Skin) -> None:
    for at in np.arange(-stage.size_m[0] / 2 + 3.0, stage.size_m[0] / 2 - 2, stage.pick(4.5, 7)):
        for line in lines:
            if stage.clear((float(at), line, float(at), line), 0.5):
                column(stage, float(at), line, high, skin)


def mall(stage: Stage) -> None:
    """A hall with shops on both sides, stands, seats and plants."""
    brush, high = stage.brush, stage.pick(3.6, 5.5)
    wall = plaster(brush, brush.colour((0.05, 0.15), 0.1, (0.6, 0.9)))
    shops = [stage.panel(shop_front(brush, wall, lit=True)) for _ in range(3)]
    bays = tuple((shop, stage.pick(3.0, 4.5), 0.0, 3.2) for shop in shops)
    entrance = (stage.panel(door(brush, glazed=True)), 1.8, 0.0, 2.4)
    closed = (stage.panel(shutter(brush)), 3.0, 0.02, 3.0)
    bays = (*bays, *bays, entrance, closed)
    room(stage, high, _floor(stage), stage.skin(wall, 3.0), bays=bays, share=0.95)
    _everywhere(stage)
    _ends(stage)
    wide, deep = stage.size_m
    area = (-wide / 2 + 2, -deep / 2 + 2.2, wide / 2 - 2, deep / 2 - 2.2)
    for x, y, yaw in scatter(stage, area, int(stage.generator.integers(0, 3)), room_m=3.2):
        kiosk(stage, x, y, yaw)
    _columns(stage, high, (-deep / 4, deep / 4), stage.skin(plaster(brush, (0.8, 0.79, 0.76)), 3.0))
    for x, y, yaw in scatter(stage, area, int(wide * deep / stage.pick(30, 70)), room_m=1.8):
        maker = (plant, plant, bench, sofa, bin_, table_set, machine)
        maker[int(stage.generator.integers(len(maker)))](stage, x, y, yaw)
    if stage.chance(0.4):
        railing(stage, (-wide / 4, deep / 2 - 2.0), (wide / 6, deep / 2 - 2.0))


def store(stage: Stage) -> None:
    """Aisles between shelves full of goods."""
    wide, deep = stage.size_m
    high = stage.pick(3.0, 4.2)
    room(
        stage, high, _floor(stage), _wall(stage), bays=(*_doors(stage), *_posters(stage)), share=0.3
    )
    _everywhere(stage)
    _ends(stage)
    stage.entries.append((stage.pick(-0.2, 0.2) * wide, -deep / 2 + 0.8))
    aisle, thick = stage.pick(1.7, 2.5), stage.pick(0.8, 1.1)
    tall, length = stage.pick(1.4, 2.1), deep - 5.0
    bays = int((wide - 3.5) / (aisle + thick))
    start = -(bays * (aisle + thick) - aisle) / 2
    boxes = 3000  # goods beyond this would cost more triangles than they are worth
    for number in range(bays):
        x = start + number * (aisle + thick)
        at = -length / 2 + 1.0
        while at < length / 2 and boxes > 0:
            part = min(stage.pick(3.0, 5.0), length / 2 + 0.6 - at)
            if part > 1.2:
                shelf(stage, (x, at, x + thick, at + part), tall)
                boxes -= int(part * tall * 16)
            at += part + (1.6 if stage.chance(0.3) else 0.0)
    front = (-wide / 2 + 1, -deep / 2 + 1.8, wide / 2 - 1, -deep / 2 + 2.2)
    for x, y, _ in scatter(stage, front, 3, room_m=2.2):
        maker = (counter, cartons_stand, plant)[int(stage.generator.integers(3))]
        maker(stage, x, y, 90.0)


def cartons_stand(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A pallet with cartons on the floor."""
    cartons(stage, x, y, 0.0, room_m=1.1)
    stage.spot(x, y, yaw_deg).stands(1.1, 1.1)


def corridor(stage: Stage) -> None:
    """A corridor of an office, school or hotel with doors on both sides."""
    brush, high = stage.brush, stage.pick(2.5, 3.0)
    covered = carpet(brush, brush.colour((0, 1), 0.3, (0.25, 0.5)))
    floor = stage.skin(covered, 2.0) if stage.chance(0.5) else _floor(stage)
    bays = (*_doors(stage), *_doors(stage)[:1], *_posters(stage))
    room(stage, high, floor, _wall(stage), bays=bays, share=0.75)
    _everywhere(stage)
    _ends(stage)
    wide, deep = stage.size_m
    for side, yaw in ((deep / 2 - 0.35, 0.0), (-deep / 2 + 0.35, 180.0)):
        area = (-wide / 2 + 1.5, side, wide / 2 - 1.5, side)
        for x, y, _ in scatter(stage, area, int(wide / 8), room_m=0.8):
            maker = (plant, bin_, lockers, machine, bench)[int(stage.generator.integers(5))]
            maker(stage, x, y, yaw)


def lobby(stage: Stage) -> None:
    """A lobby or open office: seats, plants, desks, a counter, gates."""
    brush, high = stage.brush, stage.pick(2.8, 4.4)
    wall = plaster(brush, brush.colour((0.05, 0.6), 0.12, (0.65, 0.9)))
    pane = (stage.panel(window_bay(brush, wall)), 2.6, 0.1, 2.7)
    bays = (*_doors(stage), *_posters(stage), pane, pane)
    covered = carpet(brush, brush.colour((0, 1), 0.25, (0.3, 0.5)))
    floor = stage.skin(covered, 2.0) if stage.chance(0.4) else _floor(stage)
    room(stage, high, floor, stage.skin(wall, 3.0), bays=bays, share=0.8)
    _everywhere(stage)
    _ends(stage)
    wide, deep = stage.size_m
    _columns(stage, high, (stage.pick(-0.3, 0.3) * deep,), _wall(stage))
    area = (-wide / 2 + 1.8, -deep / 2 + 1.8, wide / 2 - 1.8, deep / 2 - 1.8)
    if stage.chance(0.5):
        for x, y, yaw in scatter(stage, area, 1, room_m=2.6):
            turnstiles(stage, x, y, yaw, lanes=2)
    for x, y, yaw in scatter(stage, area, 1, room_m=3.4):
        counter(stage, x, y, yaw)
    office = stage.chance(0.5)
    makers = (desk, desk, desk, plant, lockers) if office else (sofa, sofa, plant, table_set, plant)
    for x, y, yaw in scatter(stage, area, int(wide * deep / stage.pick(16, 36)), room_m=2.0):
        makers[int(stage.generator.integers(len(makers)))](stage, x, y, yaw)


def warehouse(stage: Stage) -> None:
    """Racks of pallets under a metal roof."""
    brush, high = stage.brush, stage.pick(5.0, 7.0)
    colour = brush.colour((0.05, 0.62), 0.15, (0.5, 0.8))
    wall = stage.skin(corrugated(brush, colour), 2.0)
    gate = (stage.panel(shutter(brush)), 3.4, 0.0, 3.6)
    bays = (*_doors(stage), gate, *_posters(stage)[:1])
    room(stage, high, stage.skin(concrete(brush), 3.0), wall, bays=bays, share=0.6)
    _everywhere(stage)
    _ends(stage)
    wide, deep = stage.size_m
    line = stage.skin(plaster(brush, (0.72, 0.6, 0.15)), 3.0)
    aisle, row = stage.pick(2.4, 3.4), -deep / 2 + stage.pick(1.8, 3)
    while row + 1.1 < deep / 2 - 1.5:
        half = wide / 2 - 2.2
        split = stage.pick(-0.4, 0.4) * half
        for low, top in ((-half, split - 1.2), (split + 1.2, half)):
            if top - low > 2.5:
                rack(stage, (low, row, top, row + 1.1), stage.pick(3.2, 4.6))
        stage.ground((-half - 0.5, row - 0.5, half + 0.5, row - 0.4), line, 0.004)
        row += 1.1 + aisle
    area = (-wide / 2 + 1, -deep / 2 + 1, wide / 2 - 1, deep / 2 - 1)
    for x, y, yaw in scatter(stage, area, 3, room_m=1.3):
        cartons_stand(stage, x, y, yaw)


def underpass(stage: Stage) -> None:
    """A tiled passage under a road or railway, often with a row of columns."""
    brush, high = stage.brush, stage.pick(2.6, 3.4)
    tile = brush.colour((0.05, 0.6), 0.2, (0.5, 0.85))
    cells = (12, 24) if stage.chance(0.5) else (10, 10)
    paint = paving(brush, tile, cells=cells, contrast=0.03, joint=(1.4, 0.7))
    bays = (*_posters(stage), (stage.panel(door(brush, glazed=False)), 1.0, 0.0, 2.1))
    ceiling = hsv(0.1, 0.05, stage.pick(0.35, 0.6))
    wall, floor = stage.skin(paint, 2.4), stage.skin(concrete(brush), 3.0)
    room(stage, high, floor, wall, bays=bays, ceiling=ceiling, share=0.35)
    _everywhere(stage)
    _ends(stage)
    wide, deep = stage.size_m
    if stage.chance(0.6) or deep > 9:
        _columns(stage, high, (0.0,) if deep < 9 else (-deep / 5, deep / 5), wall)
    if stage.chance(0.5):
        railing(stage, (-wide / 2 + 2, deep / 2 - 0.6), (wide / 4, deep / 2 - 0.6))
    area = (-wide / 2 + 1, -deep / 2 + 0.6, wide / 2 - 1, -deep / 2 + 0.7)
    for x, y, _ in scatter(stage, area, 2, room_m=0.8):
        (bin_ if stage.chance(0.5) else machine)(stage, x, y, 180.0)


def platform(stage: Stage) -> None:
    """A station's platform with a track, seats, a roof on columns, perhaps a train."""
    brush = stage.brush
    wide, deep = stage.size_m
    edge, reach = deep / 2 - 3.8, wide / 2 + 18
    grey = brush.colour((0.05, 0.12), 0.1, (0.5, 0.7))
    slabs = stage.skin(paving(brush, grey, cells=(4, 4), joint=(1.5, 0.7)), 2.4)
    bed = stage.skin(gravel(brush), 2.0)
    stage.ground((-60, -60, 60, 60), stage.skin(asphalt(brush), 4.0), -1.15)
    stage.ground((-reach, edge, reach, edge + 9), bed, -1.0)
    stage.ground((-reach, -deep / 2 - 1, reach, edge), slabs)
    bumps = paving(brush, (0.75, 0.68, 0.4), cells=(24, 24), contrast=0.02, joint=(3.0, 0.8))
    stage.ground((-reach, edge - 0.95, reach, edge - 0.6), stage.skin(bumps, 1.6), 0.004)
    stage.wear((-reach, -deep / 2, reach, edge - 1), slabs)
    stage.ground(
        (-reach, edge - 0.1, reach, edge), stage.skin(plaster(brush, (0.85,) * 3), 3.0), 0.004
    )
    stage.box((0, edge - 0.2, -0.55), (2 * reach, 0.38, 1.08), stage.skin(concrete(brush), 3.0))
    for rail in (edge + 1.0, edge + 2.44):
        stage.box((0, rail, -0.88), (2 * reach, 0.07, 0.16), metal(stage))
    for at in np.arange(-reach, reach, 0.65).tolist():
        stage.box((at, edge + 1.72, -0.98), (0.24, 2.5, 0.1), stage.colour((0.3, 0.28, 0.26)))
    if stage.chance(0.4):
        train(stage, -reach + stage.pick(0, 12), reach, edge + 0.25)
    back = stage.skin(wall_paint(stage), 3.0)
    stage.box((0, -deep / 2 - 0.3, 2.2), (2 * reach, 0.5, 4.4), back)
    stage.box((0, edge + 9.2, 1.5), (2 * reach, 0.5, 5.0), back)
    poster = stage.shared("sign", lambda: stage.panel(sign(brush)))
    for at in np.arange(-wide / 2 + 1.5, wide / 2 - 2, stage.pick(3, 5)).tolist():
        y, low = -deep / 2 - 0.02, 0.8
        corners = [(at + 1.2, y, low), (at, y, low), (at, y, 2.4), (at + 1.2, y, 2.4)]
        stage.quad(corners, poster)
    stage.walkable.append((-wide / 2, -deep / 2 + 0.3, wide / 2, edge - 0.6))
    middle = (edge - 0.6 - deep / 2) / 2
    stage.entries += [(-wide / 2 + 0.6, middle), (wide / 2 - 0.6, middle)]
    stage.entries.append((stage.pick(-0.2, 0.2) * wide, -deep / 2 + 0.7))
    _canopy(stage, edge)
    area = (-wide / 2 + 1, -deep / 2 + 1.0, wide / 2 - 1, edge - 1.7)
    for x, y, _ in scatter(stage, area, int(wide / 3), room_m=1.6):
        maker = (bench, bench, bin_, machine)[int(stage.generator.integers(4))]
        maker(stage, x, y, 180.0)


def _canopy(stage: Stage, edge: float) -> None:
    """A roof over the platform, on columns, with hanging boards."""
    wide, deep = stage.size_m
    low, high = -deep / 2, stage.pick(3.3, 4.2)
    skin = metal(stage)
    line = (low + edge) / 2
    for at in np.arange(-wide / 2 - 8, wide / 2 + 9, stage.pick(5, 7)).tolist():
        if stage.clear((at, line, at, line), 0.3):
            column(stage, at, line, high, skin)
            stage.box((at, line, high + 0.1), (0.2, edge - low - 1, 0.2), skin)
    if stage.chance(0.6):
        sheet = stage.skin(corrugated(stage.brush, (0.6, 0.6, 0.58)), 2.0)
        reach, above = wide / 2 + 10, high + 0.22
        corners = [(-reach, low, above), (-reach, edge, above)]
        stage.quad([*corners, (reach, edge, above), (reach, low, above)], sheet)
    for at in (-wide / 4, wide / 4):
        stage.box((at, line, 2.75), (1.6, 0.12, 0.35), stage.colour((0.1, 0.13, 0.25)))
        stage.box((at, line, high - 0.35), (0.05, 0.05, 0.9), skin)
