"""What stands indoors and blocks the view: shelves, desks, chairs, plants, counters."""

import numpy as np

from synthetic.places.panels import goods, shop_front
from synthetic.places.props import greenery, metal, planter, wood
from synthetic.places.shapes import Area, Skin
from synthetic.places.stage import Stage
from synthetic.places.surfaces import concrete, hsv, leaves, planks

__all__ = [
    "cartons",
    "chair",
    "counter",
    "desk",
    "kiosk",
    "lockers",
    "machine",
    "plant",
    "rack",
    "shelf",
    "sofa",
    "table_set",
    "turnstiles",
]


def _goods(stage: Stage) -> Skin:
    name = "goods" if stage.chance(0.5) else "other goods"
    return stage.shared(name, lambda: stage.panel(goods(stage.brush)))


def _cell(stage: Stage, skin: Skin) -> Skin:
    """The front of one of the 64 packages of a texture."""
    row, column = divmod(int(stage.generator.integers(64)), 8)
    low = (column / 8 + 0.004, row / 8 + 0.004)
    return Skin(skin.layer, 1.0, (*low, low[0] + 0.117, low[1] + 0.117))


def _fabric(stage: Stage) -> Skin:
    """The cover of this place's seats."""
    return stage.shared(
        "fabric", lambda: stage.colour(stage.brush.colour((0.0, 1.0), 0.5, (0.15, 0.5)))
    )


def _white(stage: Stage) -> Skin:
    return stage.shared(
        "board", lambda: stage.colour(stage.brush.colour((0.05, 0.15), 0.15, (0.6, 0.9)))
    )


def shelf(stage: Stage, area: Area, high: float) -> None:
    """Back-to-back shelves along the longer side of an area, full of goods."""
    along_x = area[2] - area[0] >= area[3] - area[1]
    length, deep = sorted((area[2] - area[0], area[3] - area[1]), reverse=True)
    spot = stage.spot((area[0] + area[2]) / 2, (area[1] + area[3]) / 2, 0.0 if along_x else 90.0)
    frame = _white(stage)
    spot.box((0, 0, 0.07), (length, deep, 0.14), metal(stage))
    spot.box((0, 0, high / 2), (length, 0.05, high), frame)
    for end in (-length / 2, length / 2):
        spot.box((end, 0, high / 2), (0.05, deep, high), frame)
    levels = np.arange(0.16, high - 0.2, stage.shared_number("shelves", 0.34, 0.45))
    rise = float(levels[1] - levels[0])
    for level in levels.tolist():
        spot.box((0, 0, level), (length, deep, 0.035), frame)
        for side in (-1, 1):
            at = -length / 2 + 0.06
            while at < length / 2 - 0.2:
                wide = min(stage.pick(0.22, 0.62), length / 2 - 0.04 - at)
                tall = rise * stage.pick(0.45, 0.9)
                thick = (deep / 2 - 0.06) * stage.pick(0.7, 1.0)
                if stage.chance(0.93):
                    middle = (at + wide / 2, side * (0.03 + thick / 2), level + 0.02 + tall / 2)
                    spot.box(middle, (wide - 0.015, thick, tall), _cell(stage, _goods(stage)))
                at += wide
    spot.stands(length, deep)


def rack(stage: Stage, area: Area, high: float) -> None:
    """A rack for pallets along x, with cartons."""
    length, deep = area[2] - area[0], area[3] - area[1]
    spot = stage.spot((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)
    blue = stage.shared("upright", lambda: stage.colour(hsv(stage.pick(0.55, 0.66), 0.6, 0.35)))
    orange = stage.shared("beam", lambda: stage.colour(hsv(stage.pick(0.04, 0.1), 0.7, 0.65)))
    bays = max(1, round(length / 2.7))
    for edge in np.linspace(-length / 2, length / 2, bays + 1).tolist():
        for side in (-deep / 2, deep / 2):
            spot.box((edge, side, high / 2), (0.09, 0.09, high), blue)
        for level in np.arange(0.4, high, 0.8).tolist():
            spot.box((edge, 0, level), (0.04, deep, 0.04), blue)
    for level in np.arange(0.0, high - 0.8, 1.5).tolist():
        for side in (-deep / 2, deep / 2):
            if level:
                spot.box((0, side, level), (length, 0.05, 0.11), orange)
        for at in np.arange(-length / 2 + 0.75, length / 2 - 0.5, 1.3).tolist():
            if stage.chance(0.85):
                x, y, _ = spot.to_world([(at, 0, 0)])[0].tolist()
                cartons(stage, x, y, level + 0.08, room_m=1.1)
    spot.stands(length, deep)


def cartons(stage: Stage, x: float, y: float, base: float, *, room_m: float) -> None:
    """A pallet with cartons."""
    card = stage.shared(
        "cardboard", lambda: stage.skin(planks(stage.brush, hsv(0.08, 0.38, 0.62), count=2), 1.1)
    )
    spot = stage.spot(x, y, float(stage.generator.choice([0.0, 0.0, 90.0])) + stage.pick(-3, 3))
    spot.box((0, 0, base + 0.06), (room_m, room_m * 0.85, 0.12), wood(stage))
    tall = stage.pick(0.25, 0.4)
    for level in range(int(stage.generator.integers(1, 4))):
        for column in range(2):
            for row in range(2):
                if stage.chance(0.9):
                    middle = (
                        (column - 0.5) * room_m * 0.48,
                        (row - 0.5) * room_m * 0.4,
                        base + 0.12 + tall * (level + 0.5),
                    )
                    size = (room_m * 0.46, room_m * 0.39, tall - 0.01)
                    spot.box(
                        middle, size, card if stage.chance(0.85) else _cell(stage, _goods(stage))
                    )


def chair(stage: Stage, x: float, y: float, yaw_deg: float, *, stands: bool = True) -> None:
    """A chair that faces its own -y."""
    spot, skin = stage.spot(x, y, yaw_deg), _fabric(stage)
    spot.box((0, 0, 0.45), (0.46, 0.45, 0.06), skin)
    spot.box((0, 0.22, 0.72), (0.44, 0.05, 0.38), skin)
    for side in (-0.2, 0.2):
        for end in (-0.18, 0.21):
            spot.box((side, end, 0.22), (0.03, 0.03, 0.44), metal(stage))
    if stands:
        spot.stands(0.5, 0.5, reach_m=0.12)


def table_set(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A small table and the chairs at it."""
    spot = stage.spot(x, y, yaw_deg)
    top = wood(stage) if stage.shared_number("tops", 0, 1) < 0.5 else _white(stage)
    if stage.shared_number("round tables", 0, 1) < 0.5:
        spot.pipe((0, 0, 0.72), (0, 0, 0.76), (0.42, 0.42), top, 16)
    else:
        spot.box((0, 0, 0.74), (0.8, 0.8, 0.04), top)
    spot.pipe((0, 0, 0.02), (0, 0, 0.72), (0.04, 0.04), metal(stage))
    spot.pipe((0, 0, 0), (0, 0, 0.03), (0.28, 0.28), metal(stage), 12)
    for turn in (0.0, 90.0, 180.0, 270.0):
        if stage.chance(0.7):
            angle = np.deg2rad(turn + yaw_deg)
            away = 0.68 + stage.pick(0, 0.15)
            at = (x + away * -np.sin(angle), y + away * np.cos(angle))
            chair(
                stage,
                float(at[0]),
                float(at[1]),
                turn + yaw_deg + stage.pick(-15, 15),
                stands=False,
            )
    spot.stands(1.7, 1.7, reach_m=0.1)


def sofa(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A sofa or row of upholstered seats that faces its own -y."""
    spot, skin, wide = stage.spot(x, y, yaw_deg), _fabric(stage), stage.pick(1.4, 2.4)
    spot.box((0, 0, 0.25), (wide, 0.75, 0.3), skin)
    spot.box((0, 0.32, 0.58), (wide, 0.18, 0.45), skin)
    for side in (-wide / 2, wide / 2):
        spot.box((side, 0, 0.36), (0.16, 0.8, 0.5), skin)
    for seat in np.linspace(-wide / 2 + 0.1, wide / 2 - 0.1, 4)[1:3].tolist():
        spot.box((seat, -0.06, 0.38), (0.012, 0.63, 0.05), stage.colour((0.05, 0.05, 0.05)))
    spot.stands(wide + 0.16, 0.85)


def desk(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A desk with a screen and a chair."""
    spot = stage.spot(x, y, yaw_deg)
    dark = stage.colour((0.07, 0.07, 0.08))
    spot.box((0, 0, 0.73), (1.5, 0.75, 0.04), wood(stage))
    spot.box((0, 0.3, 0.4), (1.4, 0.03, 0.6), _white(stage))
    for side in (-0.72, 0.72):
        spot.box((side, 0, 0.36), (0.05, 0.7, 0.72), metal(stage))
    spot.box((0, 0.2, 1.02), (0.56, 0.04, 0.34), dark)
    spot.box((0, 0.22, 0.8), (0.06, 0.05, 0.16), dark)
    spot.box((0, -0.1, 0.76), (0.42, 0.14, 0.02), dark)
    spot.box((0.5, 0, 0.8), (0.22, 0.3, 0.1), stage.colour((0.85, 0.85, 0.82)))
    behind = spot.to_world([(stage.pick(-0.2, 0.2), -0.7, 0)])[0].tolist()
    chair(stage, behind[0], behind[1], yaw_deg + 180 + stage.pick(-30, 30), stands=False)
    spot.stands(1.6, 1.7, reach_m=0.1)


def plant(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A plant in a pot, or a tub with a bush."""
    if stage.chance(0.4):
        planter(stage, x, y, yaw_deg)
        return
    spot = stage.spot(x, y, yaw_deg)
    pot = stage.colour(stage.brush.colour((0.03, 0.1), 0.4, (0.25, 0.8)))
    spot.pipe((0, 0, 0), (0, 0, 0.42), (0.17, 0.24), pot, 12)
    skin = stage.shared("leaves", lambda: stage.skin(leaves(stage.brush), 1.3))
    high = stage.pick(0.5, 0.95)
    for _ in range(16):
        angle, out = stage.pick(0, 2 * np.pi), stage.pick(0.15, 0.5)
        tip = (out * np.cos(angle), out * np.sin(angle), 0.42 + high * stage.pick(0.5, 1.0))
        spot.pipe((0, 0, 0.42), (tip[0] * 0.6, tip[1] * 0.6, tip[2]), (0.012, 0.008), skin, 4)
        end = (tip[0] * 1.25, tip[1] * 1.25, tip[2] - 0.12)
        spot.pipe((tip[0] * 0.6, tip[1] * 0.6, tip[2]), end, (0.07, 0.012), greenery(stage), 5)
    spot.stands(0.6, 0.6)


def counter(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A reception or checkout counter."""
    spot, wide = stage.spot(x, y, yaw_deg), stage.pick(2.0, 3.6)
    spot.box((0, 0, 0.5), (wide, 0.6, 1.0), wood(stage))
    spot.box((0, 0, 1.03), (wide + 0.1, 0.75, 0.05), _white(stage))
    spot.box((0, -0.02, 0.06), (wide - 0.1, 0.6, 0.12), metal(stage))
    dark = stage.colour((0.07, 0.07, 0.08))
    for at in (-0.3 * wide, 0.25 * wide):
        spot.box((at, 0.15, 1.25), (0.45, 0.04, 0.3), dark)
        spot.box((at, 0.17, 1.1), (0.06, 0.06, 0.1), dark)
    spot.stands(wide + 0.1, 0.8)


def kiosk(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A stand that sells things in the middle of a hall or square."""
    spot, wide = stage.spot(x, y, yaw_deg), stage.pick(2.2, 3.2)
    front = stage.shared(
        "kiosk", lambda: stage.panel(shop_front(stage.brush, concrete(stage.brush), lit=True))
    )
    spot.box((0, 0, 1.25), (wide, 2.0, 2.5), front)
    roof = stage.colour(stage.brush.colour((0.0, 1.0), 0.4, (0.2, 0.7)))
    spot.box((0, 0, 2.56), (wide + 0.5, 2.5, 0.12), roof)
    spot.box((0, -1.1, 0.95), (wide, 0.3, 0.05), metal(stage))
    spot.stands(wide, 2.2)


def machine(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A vending or ticket machine that serves both sides."""
    spot = stage.spot(x, y, yaw_deg)
    spot.box(
        (0, 0, 0.95), (1.0, 0.75, 1.9), stage.colour(stage.brush.colour((0, 1), 0.5, (0.15, 0.6)))
    )
    front = _goods(stage)
    pane = Skin(front.layer, 1.0, (0.0, 0.0, 1.0, 1.0))
    for face in (spot, stage.spot(x, y, yaw_deg + 180)):
        corners = [(-0.42, -0.381, 0.65), (0.22, -0.381, 0.65)]
        face.quad([*corners, (0.22, -0.381, 1.75), (-0.42, -0.381, 1.75)], pane)
        face.box((0.36, -0.37, 1.2), (0.16, 0.03, 0.4), stage.colour((0.08, 0.09, 0.1)))
        face.box((-0.1, -0.37, 0.35), (0.6, 0.03, 0.2), stage.colour((0.04, 0.04, 0.04)))
    spot.stands(1.0, 0.8)


def lockers(stage: Stage, x: float, y: float, yaw_deg: float) -> None:
    """A row of lockers against a wall behind it."""
    spot, count = stage.spot(x, y, yaw_deg), int(stage.generator.integers(4, 9))
    colour = stage.brush.colour((0.0, 1.0), 0.4, (0.35, 0.7))
    skins = [stage.colour(hsv(0.1, 0.05, 0.25)), stage.colour(colour)]
    spot.box((0, 0, 0.92), (0.4 * count, 0.45, 1.84), skins[0])
    for number in range(count):
        for level in (0.5, 1.36):
            at = (number - count / 2 + 0.5) * 0.4
            spot.box((at, -0.225, level), (0.375, 0.02, 0.83), skins[1])
            spot.box((at + 0.13, -0.238, level), (0.03, 0.02, 0.12), skins[0])
    spot.stands(0.4 * count, 0.5)


def turnstiles(stage: Stage, x: float, y: float, yaw_deg: float, *, lanes: int) -> None:
    """Gates across the way of a station or office, along its own x; lanes of 1.1 m."""
    steel = stage.colour((0.55, 0.56, 0.57))
    for number in range(lanes + 1):
        at = stage.spot(x, y, yaw_deg).to_world([((number - lanes / 2) * 1.3, 0, 0)])[0].tolist()
        spot = stage.spot(at[0], at[1], yaw_deg)
        spot.box((0, 0, 0.5), (0.22, 1.5, 1.0), steel)
        spot.box((0, 0, 1.02), (0.24, 1.52, 0.05), stage.colour((0.1, 0.1, 0.11)))
        spot.stands(0.24, 1.5)
