"""Painted panels that are stretched over one side of something: windows, doors, goods, signs.

Panels are float32 (256, 256, 3), sRGB 0-1, first row on top. None shows people.
"""

import cv2
import numpy as np

from synthetic.places.surfaces import RGB, SIZE_PX, Brush, Paint, corrugated, hsv

__all__ = [
    "SIGN_WORDS",
    "door",
    "goods",
    "lamp_panel",
    "notices",
    "shop_front",
    "shutter",
    "sign",
    "window_bay",
]


Area = tuple[float, float, float, float]
"""x0, y0, x1, y1 in widths of the panel, from its upper left."""

SIGN_WORDS = ("OFFICE", "MARKET", "CAFE", "BOOKS", "OPTIC", "BAKERY", "STORE", "BANK", "TRAVEL")


def _fill(paint: Paint, area: Area, colour: RGB | Paint, strength: float = 1.0) -> None:
    x0, y0, x1, y1 = (round(edge * SIZE_PX) for edge in area)
    part = paint[y0:y1, x0:x1]
    if part.size:
        fresh = np.asarray(colour, np.float32)
        fresh = fresh[y0:y1, x0:x1] if fresh.ndim == 3 else fresh
        part[:] = part * (1 - strength) + fresh * strength


def _shades(paint: Paint, area: Area, depth: float) -> None:
    """Darkens what lies just below the upper edge of an opening, as its lintel does."""
    x0, y0, x1, y1 = area
    for step in range(4):
        _fill(paint, (x0, y0, x1, min(y1, y0 + depth * (step + 1) / 4)), (0.02, 0.02, 0.03), 0.16)


def _glass(brush: Brush, lit: bool) -> Paint:
    """Panes that mirror a grey sky above and dark things below."""
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32) / SIZE_PX
    pick = brush.generator.uniform
    edge = pick(0.3, 0.8) + 0.06 * brush.field("clouds") + pick(-0.4, 0.4) * (x - 0.5)
    above = np.clip((edge - y) * pick(3, 12), 0, 1)[..., None]
    sky = np.array(hsv(pick(0.52, 0.62), pick(0.03, 0.2), pick(0.4, 0.75)), np.float32)
    dark = np.array(hsv(pick(0.05, 0.6), pick(0, 0.2), pick(0.08, 0.22)), np.float32)
    glass = dark + above * (sky - dark) * pick(0.3, 0.9)
    if lit:
        glass = 0.6 * glass + np.array([0.34, 0.29, 0.2], np.float32)
    return np.asarray(glass * (1 + 0.05 * brush.field("rough"))[..., None], np.float32)


def _panes(paint: Paint, area: Area, frame: RGB, *, across: int, down: int, bar: float) -> None:
    x0, y0, x1, y1 = area
    for at in np.linspace(x0, x1, across + 1):
        _fill(paint, (max(at - bar, x0), y0, min(at + bar, x1), y1), frame)
    for at in np.linspace(y0, y1, down + 1):
        _fill(paint, (x0, max(at - bar, y0), x1, min(at + bar, y1)), frame)


def window_bay(brush: Brush, wall: Paint, *, lit: bool = False) -> Paint:
    """One storey's width of a wall with a window; repeats beside and above itself."""
    paint, pick = wall.copy(), brush.generator.uniform
    half, top, bottom = pick(0.18, 0.44), pick(0.1, 0.22), pick(0.66, 0.86)
    area = (0.5 - half, top, 0.5 + half, bottom)
    trim = brush.colour((0.05, 0.65), 0.12, (0.35, 0.9))
    margin = pick(0.01, 0.04)
    _fill(paint, (area[0] - margin, top - margin, area[2] + margin, bottom + margin), trim, 0.8)
    _fill(paint, area, _glass(brush, lit))
    kind = int(brush.generator.integers(4))
    if kind == 1:  # a blind, half down
        blind = corrugated(brush, brush.colour((0.08, 0.15), 0.1, (0.5, 0.8)), ribs=48, across=True)
        _fill(paint, (area[0], top, area[2], top + pick(0.2, 0.9) * (bottom - top)), blind, 0.75)
    elif kind == 2:  # curtains at both sides
        cloth = brush.colour((0.0, 1.0), 0.2, (0.5, 0.85))
        _fill(paint, (area[0], top, area[0] + 0.3 * half, bottom), cloth, 0.6)
        _fill(paint, (area[2] - 0.3 * half, top, area[2], bottom), cloth, 0.6)
    _shades(paint, area, 0.06)
    frame = hsv(0.1, 0.05, float(brush.generator.choice([0.12, 0.3, 0.75, 0.9])))
    across, down = int(brush.generator.integers(1, 4)), int(brush.generator.integers(1, 3))
    _panes(paint, area, frame, across=across, down=down, bar=0.012)
    _fill(paint, (area[0] - 0.04, bottom, area[2] + 0.04, bottom + 0.025), trim)
    _fill(paint, (area[0] - 0.03, bottom + 0.025, area[2] + 0.03, bottom + 0.05), (0, 0, 0), 0.3)
    return paint


def _write(paint: Paint, text: str, area: Area, colour: RGB) -> None:
    """Letters that fill an area."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 2.0, 4)
    letters = np.zeros((height + 24, width + 16), np.uint8)
    cv2.putText(letters, text, (8, height + 12), cv2.FONT_HERSHEY_DUPLEX, 2.0, 255, 4, cv2.LINE_AA)
    x0, y0, x1, y1 = (round(edge * SIZE_PX) for edge in area)
    small = cv2.resize(letters, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)[..., None] / 255
    part = paint[y0:y1, x0:x1]
    part[:] = part * (1 - small) + np.asarray(colour, np.float32) * small


def shop_front(brush: Brush, wall: Paint, *, lit: bool = False) -> Paint:
    """A shop's ground floor: sign, panes with goods behind them, plinth."""
    paint, pick = wall.copy(), brush.generator.uniform
    area = (0.04, 0.26, 0.96, 0.9)
    inside = brush.plain(hsv(pick(0.05, 0.6), 0.15, pick(0.14, 0.3)), grain=0.03, clouds=0.08)
    for level in (0.52, 0.66, 0.8):
        for left in np.arange(0.06, 0.92, 0.05):
            if brush.generator.random() < 0.7:
                thing = brush.colour((0.0, 1.0), 0.45, (0.2, 0.6))
                top = level - pick(0.02, 0.11)
                _fill(inside, (left, top, left + pick(0.02, 0.05), level), thing, 0.8)
        _fill(inside, (0.04, level, 0.96, level + 0.012), (0.4, 0.38, 0.35), 0.7)
    for lamp in np.arange(0.12, 0.95, 0.2):
        _fill(inside, (lamp, 0.3, lamp + 0.1, 0.31), (0.95, 0.93, 0.85), 0.9)
    glass = (0.45 * _glass(brush, False) + 0.75 * inside) * (1.7 if lit else 1.0)
    _fill(paint, area, np.asarray(glass, np.float32))
    _shades(paint, area, 0.1)
    frame = hsv(0.1, 0.1, float(brush.generator.choice([0.1, 0.2, 0.45, 0.8])))
    across = int(brush.generator.integers(2, 5))
    _panes(paint, area, frame, across=across, down=1, bar=0.011)
    back = brush.colour((0.0, 1.0), 0.6, (0.15, 0.75))
    _fill(paint, (0.02, 0.08, 0.98, 0.22), brush.plain(back, grain=0.02, rough=0.04))
    _fill(paint, (0.02, 0.22, 0.98, 0.245), (0.03, 0.03, 0.03), 0.6)
    word = str(brush.generator.choice(SIGN_WORDS))
    _write(
        paint,
        word,
        (0.25, 0.105, 0.75, 0.195),
        (0.92, 0.9, 0.85) if max(back) < 0.6 else (0.1,) * 3,
    )
    return paint


def door(brush: Brush, *, glazed: bool) -> Paint:
    """A door leaf with its frame, about 1 m by 2.1 m."""
    colour = brush.colour((0.02, 0.65), 0.4, (0.18, 0.75))
    paint = brush.plain(colour, grain=0.02, rough=0.03)
    paint *= (1 + 0.04 * brush.field("streaks"))[..., None]
    frame = hsv(0.1, 0.06, float(brush.generator.uniform(0.25, 0.85)))
    if glazed:
        _fill(paint, (0.14, 0.08, 0.86, 0.8), _glass(brush, False))
        _fill(paint, (0.14, 0.44, 0.86, 0.46), colour)
    elif brush.generator.random() < 0.6:
        for top, bottom in ((0.1, 0.45), (0.54, 0.9)):
            _fill(paint, (0.18, top, 0.82, bottom), (0, 0, 0), 0.25)
            _fill(paint, (0.195, top + 0.01, 0.82, bottom), colour, 0.8)
    _fill(paint, (0.82, 0.5, 0.92, 0.52), (0.7, 0.68, 0.62))
    _fill(paint, (0.06, 0.93, 0.94, 0.985), (0.45, 0.44, 0.42), 0.5)
    for side in ((0.0, 0.0, 0.06, 1.0), (0.94, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.035)):
        _fill(paint, side, frame)
    _fill(paint, (0.06, 0.035, 0.075, 1.0), (0.0, 0.0, 0.0), 0.5)
    return paint


def shutter(brush: Brush) -> Paint:
    """A roller gate between jambs."""
    colour = brush.colour((0.05, 0.65), 0.25, (0.3, 0.75))
    paint = corrugated(brush, colour, ribs=22, across=True)
    for side in ((0.0, 0.0, 0.03, 1.0), (0.97, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.08)):
        _fill(paint, side, (0.3, 0.3, 0.3))
    _fill(paint, (0.03, 0.95, 0.97, 1.0), (0.1, 0.1, 0.1), 0.6)
    _shades(paint, (0.03, 0.08, 0.97, 0.95), 0.12)
    return paint


def sign(brush: Brush) -> Paint:
    """A poster or sign of shapes and lines of print."""
    pick = brush.generator.uniform
    paint = brush.plain(brush.colour((0.0, 1.0), 0.5, (0.3, 0.9)), grain=0.015, clouds=0.03)
    second = brush.colour((0.0, 1.0), 0.6, (0.15, 0.9))
    cut = pick(0.25, 0.7)
    _fill(paint, (0.0, cut, 1.0, 1.0) if pick() < 0.5 else (0.0, 0.0, 1.0, cut), second, 0.9)
    ink = (0.08, 0.08, 0.1) if max(second) > 0.5 else (0.88, 0.87, 0.83)
    _write(paint, str(brush.generator.choice(SIGN_WORDS)), (0.1, cut + 0.02, 0.8, cut + 0.14), ink)
    for line in np.arange(cut + 0.2, 0.92, 0.055):
        _fill(paint, (0.1, line, pick(0.5, 0.9), line + 0.02), ink, 0.6)
    for side in ((0, 0, 1, 0.02), (0, 0.98, 1, 1), (0, 0, 0.02, 1), (0.98, 0, 1, 1)):
        _fill(paint, side, (0.3, 0.3, 0.31))
    return paint


def notices(brush: Brush) -> Paint:
    """A board with sheets of paper."""
    paint = brush.plain(hsv(0.09, 0.4, 0.55), grain=0.08, rough=0.03)
    for left in (0.06, 0.3, 0.54, 0.78):
        for top in (0.08, 0.52):
            if brush.generator.random() < 0.75:
                sheet = brush.colour((0.0, 1.0), 0.12, (0.75, 0.95))
                down = top + brush.generator.uniform(0.28, 0.4)
                _fill(paint, (left, top, left + 0.17, down), sheet)
                for line in np.arange(top + 0.05, down - 0.03, 0.035):
                    _fill(paint, (left + 0.02, line, left + 0.14, line + 0.012), (0.2,) * 3, 0.5)
    return paint


def lamp_panel(brush: Brush, ceiling: Paint) -> Paint:
    """A square of ceiling with a lamp in it."""
    paint = ceiling.copy()
    area = (0.1, 0.3, 0.9, 0.7)
    _fill(paint, area, (0.55, 0.55, 0.55))
    _fill(paint, (0.12, 0.32, 0.88, 0.68), (1.0, 1.0, 0.98))
    return paint


def goods(brush: Brush) -> Paint:
    """Fronts of packages, 8 by 8 squares of 32 pixels, each for itself."""
    paint = np.zeros((SIZE_PX, SIZE_PX, 3), np.float32)
    pick = brush.generator.uniform
    for cell in range(64):
        left, top = cell % 8 / 8, cell // 8 / 8
        base = brush.colour((0.0, 1.0), 0.6, (0.2, 0.8))
        _fill(paint, (left, top, left + 0.125, top + 0.125), base)
        count = int(brush.generator.integers(1, 5))
        second = brush.colour((0.0, 1.0), 0.5, (0.3, 0.85))
        lower = pick(0.05, 0.09)
        height = pick(0.02, 0.035)
        for at in range(count):
            start = left + 0.125 * at / count
            stop = start + 0.125 / count - 0.006
            _fill(paint, (start + 0.006, top + lower, stop, top + lower + height), second)
            _fill(
                paint, (start + 0.01, top + 0.02, stop - 0.004, top + 0.035), (0.92, 0.9, 0.86), 0.8
            )
            _fill(paint, (stop, top, stop + 0.006, top + 0.125), (0.03, 0.03, 0.03), 0.7)
        _fill(paint, (left, top, left + 0.125, top + 0.012), (0.02, 0.02, 0.02), 0.5)
    return np.asarray(paint * (1 + 0.04 * brush.field("rough"))[..., None], np.float32)
