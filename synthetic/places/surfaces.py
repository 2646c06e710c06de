"""Painted materials: asphalt, paving, plaster, planks, grass, leaves, metal.

Every painting is float32 (256, 256, 3), sRGB 0-1, first row on top, and repeats without a seam
unless its docstring says otherwise.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "RGB",
    "SIZE_PX",
    "Brush",
    "Paint",
    "asphalt",
    "carpet",
    "concrete",
    "corrugated",
    "grass",
    "gravel",
    "hsv",
    "leaves",
    "paving",
    "planks",
    "plaster",
    "stained",
    "worn_paint",
]

SIZE_PX = 256
"""Width and height of every texture."""

Paint = NDArray[np.float32]
RGB = tuple[float, float, float]


def hsv(hue: float, saturation: float, value: float) -> RGB:
    """The sRGB colour (0-1) of a hue (0-1, which wraps), a saturation and a value."""
    angles = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    rgb = value * (1 - saturation * np.clip(np.minimum(angles, 4 - angles), 0, 1))
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


class Brush:
    """Random numbers and ready-made noise to paint with.

    Args:
        generator: Where all chance comes from.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        y, x = np.meshgrid(np.fft.fftfreq(SIZE_PX), np.fft.rfftfreq(SIZE_PX), indexing="ij")
        radius = np.hypot(x, y)
        radius[0, 0] = 1.0
        weights = {
            "grain": radius > 0.12,
            "patches": np.exp(-((np.log(radius * 28)) ** 2)),
            "dabs": np.exp(-2 * (np.log(radius * 9)) ** 2),
            "clouds": (radius < 0.04) / radius**1.1,
            "rough": radius**-1.2,
            "streaks": 1 / (np.abs(x) + 8 * np.abs(y) + 0.01) ** 1.4,
        }
        self._fields: dict[str, list[Paint]] = {}
        for name, weight in weights.items():
            self._fields[name] = []
            for _ in range(2):
                white = np.fft.rfft2(generator.standard_normal((SIZE_PX, SIZE_PX), np.float32))
                white[0, 0] = 0
                field = np.fft.irfft2(white * weight, (SIZE_PX, SIZE_PX))
                self._fields[name].append((field / field.std()).astype(np.float32))

    def field(self, name: str) -> Paint:
        """Noise of mean 0 and deviation 1, float32 (256, 256), that repeats without a seam.

        Args:
            name: "grain" (pixels), "dabs" (leaves), "patches" (a tenth of the width), "clouds"
                (wide), "rough" (of all sizes) or "streaks" (upright).
        """
        choice = self.generator.integers(0, [2, SIZE_PX, SIZE_PX, 2])
        field = np.roll(self._fields[name][choice[0]], tuple(choice[1:3]), (0, 1))
        return np.asarray(field[:, ::-1] if choice[3] else field)

    def colour(
        self, hue: tuple[float, float], saturation: float, value: tuple[float, float]
    ) -> RGB:
        """A random colour of a range of hues and values and of at most this saturation.

        Greens and purples, rare in what people build, are paler than browns, reds and blues.
        """
        pick = self.generator.uniform
        drawn = pick(*hue)
        pale = 0.35 if 0.18 < drawn < 0.48 or 0.68 < drawn < 0.95 else 1.0
        return hsv(drawn, pick(0, saturation) * pale, pick(*value))

    def plain(self, colour: RGB, *, grain: float, rough: float = 0.0, clouds: float = 0.0) -> Paint:
        """One colour with noise of several scales, given as parts of its brightness."""
        shade = 1 + grain * self.field("grain")
        if rough:
            shade = shade + rough * self.field("rough")
        if clouds:
            shade = shade + clouds * self.field("clouds")
        tint = np.asarray(colour, np.float32) * shade[..., None].astype(np.float32)
        return tint.astype(np.float32)


def _veins(brush: Brush, width: float) -> Paint:
    """Thin winding lines, 1 on them, here and there: cracks."""
    line = np.exp(-((brush.field("rough") / width) ** 2))
    return np.asarray(line * (brush.field("clouds") > 0.6), np.float32)


def _cells(
    across: int, down: int, shift: float, joint_px: float
) -> tuple[Paint, NDArray[np.intp], Paint]:
    """Joints (1 on them), the number of the cell of each pixel, and the way to its lower edge."""
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float32)
    row_at = y * down / SIZE_PX
    row = np.floor(row_at)
    column_at = x * across / SIZE_PX + shift * (row % 2)
    column = np.floor(column_at) % across
    to_edge = np.minimum(
        np.abs(column_at - np.round(column_at)) * SIZE_PX / across,
        np.abs(row_at - np.round(row_at)) * SIZE_PX / down,
    )
    joints = np.clip(joint_px / 2 + 0.5 - to_edge, 0, 1)
    return joints, (row * across + column).astype(np.intp), row_at - row


def asphalt(brush: Brush) -> Paint:
    """Tarmac, old or new; one width is 4 m."""
    colour = brush.colour((0.05, 0.65), 0.06, (0.24, 0.46))
    paint = brush.plain(colour, grain=0.11, rough=0.03, clouds=0.03)
    paint += (0.16 * (brush.field("grain") > 2.3) * brush.generator.uniform(0, 1))[..., None]
    return paint * (1 - 0.4 * _veins(brush, 0.02))[..., None]


def concrete(brush: Brush) -> Paint:
    """Cast concrete with pores and stains; one width is 3 m."""
    colour = brush.colour((0.05, 0.18), 0.1, (0.42, 0.68))
    paint = brush.plain(colour, grain=0.03, rough=0.05, clouds=0.03)
    paint *= (1 - 0.12 * np.clip(brush.field("patches") - 0.8, 0, 1))[..., None]
    return paint * (1 - 0.3 * _veins(brush, 0.015))[..., None]


def plaster(brush: Brush, colour: RGB | None = None) -> Paint:
    """A painted wall, with runs of dirt where no colour is asked for; one width is 3 m."""
    outside = colour is None
    colour = colour or brush.colour((0.03, 0.17), 0.28, (0.5, 0.85))
    wear = 1.0 if outside else 0.4
    paint = brush.plain(colour, grain=0.015, rough=0.025 * wear, clouds=0.02 * wear)
    dirt = 0.06 * wear * brush.generator.random() * np.clip(brush.field("streaks"), 0, 2)
    return np.asarray(paint * (1 - dirt)[..., None], np.float32)


def paving(
    brush: Brush,
    colour: RGB,
    *,
    cells: tuple[int, int] = (6, 6),
    shift: float = 0.0,
    contrast: float = 0.06,
    joint: tuple[float, float] = (2.0, 0.6),
) -> Paint:
    """Slabs, bricks, tiles or panels.

    Args:
        brush: What to paint with.
        colour: The mean colour, sRGB 0-1.
        cells: How many across and down; a shift needs an even number down.
        shift: How far every other row is moved, in widths of a cell.
        contrast: How much cells differ in brightness.
        joint: The width of the joints in pixels and their brightness beside the cells'.
    """
    joints, cell, below = _cells(*cells, shift, joint[0])
    count = cells[0] * cells[1]
    tones = 1 + contrast * brush.generator.standard_normal((count, 1))
    tones = tones + 0.15 * contrast * brush.generator.standard_normal((count, 3))
    paint = brush.plain(colour, grain=0.035, rough=0.04) * tones[cell]
    bevel = 1 + 0.05 * np.exp(-below * 12) - 0.06 * np.exp(-(1 - below) * 12)
    shade = (bevel * (1 - (1 - joint[1]) * joints))[..., None]
    stain = 1 - 0.1 * np.clip(brush.field("patches") - 1.0, 0, 1)
    return np.asarray(paint * shade * stain[..., None], np.float32)


def planks(brush: Brush, colour: RGB, *, count: int = 8) -> Paint:
    """Upright boards with a grain; one width is about 1.5 m."""
    joints, cell, _ = _cells(count, 1, 0.0, 1.5)
    tones = 1 + 0.09 * brush.generator.standard_normal((count, 1))
    grain = 1 + 0.07 * brush.field("streaks")[..., None]
    paint = brush.plain(colour, grain=0.03, rough=0.02) * tones[cell] * grain
    return np.asarray(paint * (1 - 0.5 * joints)[..., None], np.float32)


def corrugated(brush: Brush, colour: RGB, *, ribs: int = 16, across: bool = False) -> Paint:
    """Ribbed metal sheet, upright ribs or (across) slats; one width is about 2 m."""
    wave = np.sin(np.arange(SIZE_PX) * 2 * np.pi * ribs / SIZE_PX)
    profile = 1 + 0.16 * np.clip(2 * wave, -1, 1).astype(np.float32)
    shade = profile[:, None] if across else profile[None, :]
    dirt = 1 - 0.08 * np.clip(brush.field("streaks"), -0.5, 2)
    return np.asarray(
        brush.plain(colour, grain=0.02, rough=0.03) * (shade * dirt)[..., None], np.float32
    )


def grass(brush: Brush) -> Paint:
    """A lawn, green to dry; one width is 3 m."""
    dry = brush.generator.uniform(0, 1)
    green = np.array([0.25, 0.31, 0.16]) * (1 - dry) + np.array([0.42, 0.4, 0.22]) * dry
    bare = np.array([0.4, 0.34, 0.25], np.float32)
    paint = brush.plain(tuple(green), grain=0.24, rough=0.1)
    share = np.clip(0.8 * brush.field("rough") - 1.2, 0, 0.8)[..., None]
    tint = 1 + 0.035 * brush.field("patches")[..., None] * np.array([1.0, 0.3, -0.4], np.float32)
    return np.asarray(paint * tint * (1 - share) + bare * share, np.float32)


def gravel(brush: Brush) -> Paint:
    """Grit, gravel or trodden earth; one width is 2.5 m."""
    colour = brush.colour((0.07, 0.13), 0.3, (0.42, 0.66))
    paint = brush.plain(colour, grain=0.16, rough=0.06, clouds=0.03)
    return np.asarray(paint * (1 + 0.07 * brush.field("patches"))[..., None], np.float32)


def carpet(brush: Brush, colour: RGB) -> Paint:
    """Carpet tiles; one width is 2 m."""
    paint = brush.plain(colour, grain=0.1, rough=0.03)
    _, cell, _ = _cells(4, 4, 0.0, 1.0)
    turned = (cell + cell // 4) % 2
    bars = 1 + 0.05 * np.sin(np.arange(SIZE_PX) * np.pi / 4)
    weave = np.where(turned == 1, bars[None, :], bars[:, None])
    return np.asarray(paint * (weave * np.where(turned == 1, 1.03, 0.97))[..., None], np.float32)


def leaves(brush: Brush) -> Paint:
    """Leaves in light and shade; one width is 1 m."""
    hue = brush.generator.uniform(0.17, 0.33)
    colour = hsv(hue, brush.generator.uniform(0.3, 0.55), brush.generator.uniform(0.26, 0.42))
    paint = brush.plain(colour, grain=0.25)
    shade = np.clip(0.85 + 0.4 * brush.field("dabs") + 0.15 * brush.field("patches"), 0.2, 1.9)
    return np.asarray(paint * shade[..., None], np.float32)


def stained(brush: Brush, paint: Paint) -> Paint:
    """The same material with a stain in the middle; its border is unchanged."""
    y, x = np.mgrid[-1 : 1 : SIZE_PX * 1j, -1 : 1 : SIZE_PX * 1j].astype(np.float32)
    inside = np.clip(1.6 - 1.8 * np.hypot(x, y), 0, 1)
    blot = np.clip(brush.field("rough") + 0.7 * brush.field("clouds"), 0, 1.6) * inside
    strength = brush.generator.uniform(0.1, 0.32) * brush.generator.choice([1.0, 1.0, -0.5])
    return np.asarray(paint * (1 - strength * blot)[..., None], np.float32)


def worn_paint(brush: Brush, colour: RGB, ground: Paint) -> Paint:
    """Road paint that the ground shows through."""
    thin = np.clip(0.35 * brush.field("rough") + 0.25 * brush.field("grain") - 0.1, 0, 0.9)[
        ..., None
    ]
    paint = brush.plain(colour, grain=0.04, rough=0.03)
    return np.asarray(paint * (1 - thin) + ground * thin, np.float32)
