"""Pictures of skin, hair and faces."""

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Appearance, Colour, Hair
from synthetic.people.tiles import SIZE_PX, soft_noise
from synthetic.seeds import generator as new_generator

__all__ = ["FACE_SPAN_M", "paint_face", "paint_hair", "paint_skin"]

FACE_SPAN_M = (0.24, 0.30)
"""Width and height of what :func:`paint_face` shows of a grown-up's head, seen straight from the
front with the pupils at half the picture's height."""

_Srgb = tuple[float, float, float]
_Picture = NDArray[np.uint8]
_PUPILS_M = 0.031  # from the middle of the face
_SHADE_PX = 64  # side of the map of soft shade, which needs no detail


def paint_skin(skin: Colour) -> NDArray[np.uint8]:
    """A tile of bare skin, which is never quite even.

    Args:
        skin: Its colour.

    Returns:
        uint8 (256, 256, 3), sRGB.
    """
    generator = new_generator(0, "skin")
    return _tinted(
        skin.srgb, 1 + 0.02 * soft_noise(generator, 4) + 0.012 * soft_noise(generator, 32)
    )


def paint_hair(hair: Hair) -> NDArray[np.uint8]:
    """A tile of hair, its strands running from top to bottom.

    Args:
        hair: Its colour; the style makes no difference.

    Returns:
        uint8 (256, 256, 3), sRGB.
    """
    generator = new_generator(round(hair.length * 1000), "hair")
    strands = generator.standard_normal((1, SIZE_PX), np.float32)
    locks = cv2.blur(soft_noise(generator, 32), (1, 61), borderType=cv2.BORDER_REFLECT_101)
    light = 0.97 + 0.09 * strands + 0.2 * locks + 0.05 * soft_noise(generator, 8)
    return _tinted(hair.colour.srgb, light, lift=0.04)


def paint_face(appearance: Appearance) -> NDArray[np.uint8]:
    """The front of a head: eyes, brows, nose, mouth, beard and glasses on skin.

    It covers :data:`FACE_SPAN_M`, the pupils 0.062 m apart at half height, mouth 0.07 m and chin
    0.115 m below them; beyond the face there is plain skin. The same body always has the same
    face.

    Args:
        appearance: Whose face it is.

    Returns:
        uint8 (256, 256, 3), sRGB.
    """
    traits = [f"{name}={value}" for name, value in sorted(appearance.phenotype.items())]
    generator = new_generator(0, "face", *traits)
    picture = paint_skin(appearance.skin)
    _shade(picture, generator, old=appearance.age_group == "senior")
    _draw_mouth(picture, appearance, generator)
    if appearance.beard:
        _grow_beard(picture, appearance.hair.colour.srgb, generator)
    _draw_eyes(picture, appearance, generator)
    cv2.GaussianBlur(picture, (5, 5), 1.1, dst=picture)
    if appearance.glasses:
        _draw_glasses(picture, generator)
    return picture


def _tinted(colour: _Srgb, light: NDArray[np.float32], *, lift: float = 0.0) -> _Picture:
    """A colour under light and shade; ``lift`` lets them show on black, too."""
    planes = [np.float32(c + lift) * light - np.float32(lift) for c in colour]
    return np.asarray(
        cv2.merge([cv2.convertScaleAbs(np.maximum(plane, 0), alpha=255) for plane in planes]),
        np.uint8,
    )


def _at(right_m: float, up_m: float, side_px: int = SIZE_PX) -> tuple[int, int]:
    """The pixel at so many metres from the point between the pupils."""
    return (
        round((0.5 + right_m / FACE_SPAN_M[0]) * side_px),
        round((0.5 - up_m / FACE_SPAN_M[1]) * side_px),
    )


def _radii(wide_m: float, high_m: float, side_px: int = SIZE_PX) -> tuple[int, int]:
    return (
        max(1, round(wide_m / FACE_SPAN_M[0] * side_px)),
        max(1, round(high_m / FACE_SPAN_M[1] * side_px)),
    )


def _ink(colour: _Srgb, factors: _Srgb = (1.0, 1.0, 1.0)) -> _Srgb:
    """A colour, each channel times a factor, as OpenCV takes it."""
    red, green, blue = (
        255 * min(1.0, channel * factor) for channel, factor in zip(colour, factors, strict=True)
    )
    return red, green, blue


def _shade(picture: _Picture, generator: np.random.Generator, *, old: bool) -> None:
    """Darken eye sockets, the sides of the nose, and what lies under nose, lip and chin."""
    shade = np.full((_SHADE_PX, _SHADE_PX), 255, np.uint8)
    deep = int(generator.integers(150, 188))

    def blot(right_m: float, up_m: float, wide_m: float, high_m: float, value: int) -> None:
        centre, axes = _at(right_m, up_m, _SHADE_PX), _radii(wide_m, high_m, _SHADE_PX)
        cv2.ellipse(shade, centre, axes, 0, 0, 360, value, -1)

    for side in (-1, 1):
        blot(side * _PUPILS_M, 0.004, 0.019, 0.011, deep)
        blot(side * 0.012, -0.02, 0.002, 0.018, 225)
        if old:
            blot(side * 0.03, -0.055, 0.003, 0.016, 190)
            blot(side * _PUPILS_M, -0.018, 0.013, 0.004, 190)
    blot(0.0, -0.048, 0.014, 0.004, 165)
    blot(0.0, -0.085, 0.016, 0.004, 200)
    blot(0.0, -0.135, 0.07, 0.014, 205)
    soft = cv2.GaussianBlur(shade, (0, 0), 1.3)
    soft = cv2.resize(soft, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
    cv2.multiply(picture, cv2.merge([soft, soft, soft]), dst=picture, scale=1 / 255)


def _draw_mouth(picture: _Picture, appearance: Appearance, generator: np.random.Generator) -> None:
    wide = float(generator.uniform(0.021, 0.027))
    full = float(generator.uniform(0.0045, 0.0075))
    red = (0.86, 0.62, 0.62) if appearance.sex == "female" else (0.86, 0.70, 0.68)
    lips, line = _ink(appearance.skin.srgb, red), _ink(appearance.skin.srgb, (0.5, 0.36, 0.36))
    cv2.ellipse(picture, _at(0, -0.07), _radii(wide, full), 0, 0, 360, lips, -1)
    cv2.ellipse(picture, _at(0, -0.069), _radii(wide, 0.0015), 0, 0, 180, line, 2)
    nostril = _ink(appearance.skin.srgb, (0.6, 0.5, 0.48))
    for side in (-1, 1):
        cv2.ellipse(
            picture, _at(side * 0.007, -0.045), _radii(0.003, 0.0018), 0, 0, 360, nostril, -1
        )


def _draw_eyes(picture: _Picture, appearance: Appearance, generator: np.random.Generator) -> None:
    high = float(generator.uniform(0.0045, 0.0065))
    brow_px = int(generator.integers(3, 6)) + (appearance.sex == "male")
    lift = float(generator.uniform(0.017, 0.021))
    brow = tuple(
        0.7 * hair + 0.3 * skin * 0.8
        for hair, skin in zip(appearance.hair.colour.srgb, appearance.skin.srgb, strict=True)
    )
    iris = (0.30, 0.38, 0.42) if generator.random() < _pale(appearance) else (0.16, 0.10, 0.07)
    lid = _ink(appearance.skin.srgb, (0.32, 0.28, 0.28))
    for side in (-1, 1):
        centre = _at(side * _PUPILS_M, 0)
        cv2.ellipse(picture, centre, _radii(0.0135, high), 0, 0, 360, _ink((0.82, 0.79, 0.77)), -1)
        cv2.ellipse(picture, centre, _radii(0.0058, high), 0, 0, 360, _ink(iris), -1)
        cv2.ellipse(picture, centre, _radii(0.0145, high + 0.001), 0, 180, 360, lid, 2)
        arch = _at(side * (_PUPILS_M + 0.002), lift - 0.006)
        ink = _ink((brow[0], brow[1], brow[2]))
        cv2.ellipse(picture, arch, _radii(0.02, 0.007), 0, 200, 340, ink, brow_px)


def _pale(appearance: Appearance) -> float:
    """How likely eyes are blue, grey or green."""
    return 0.45 if appearance.phenotype.get("caucasian", 0.0) > 0.6 else 0.0


def _grow_beard(picture: _Picture, colour: _Srgb, generator: np.random.Generator) -> None:
    """Cover cheeks, chin and upper lip, but not the lips."""
    mask = np.zeros((_SHADE_PX, _SHADE_PX), np.uint8)
    side = _SHADE_PX
    cv2.ellipse(mask, _at(0, -0.045, side), _radii(0.088, 0.088, side), 0, 0, 180, 255, -1)
    cv2.ellipse(mask, _at(0, -0.04, side), _radii(0.05, 0.02, side), 0, 0, 360, 0, -1)
    cv2.ellipse(mask, _at(0, -0.059, side), _radii(0.033, 0.005, side), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, _at(0, -0.0725, side), _radii(0.019, 0.003, side), 0, 0, 360, 0, -1)
    soft = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 0.9), (SIZE_PX, SIZE_PX))
    tufts = float(generator.uniform(0.6, 0.9)) * (1 + 0.15 * soft_noise(generator, 64))
    cover = np.clip(np.asarray(soft, np.float32) / 255 * tufts, 0, 1)
    hair = np.array(colour, np.float32) * 255
    for channel in range(3):
        plane = picture[..., channel]
        picture[..., channel] = (plane + cover * (hair[channel] - plane)).astype(np.uint8)


def _draw_glasses(picture: _Picture, generator: np.random.Generator) -> None:
    frame = (24.0, 22.0, 22.0) if generator.random() < 0.75 else (92.0, 66.0, 48.0)
    thick, round_ = int(generator.integers(2, 5)), float(generator.uniform(0.017, 0.021))
    for side in (-1, 1):
        centre = _at(side * (_PUPILS_M + 0.001), -0.003)
        cv2.ellipse(picture, centre, _radii(0.023, round_), 0, 0, 360, frame, thick, cv2.LINE_AA)
        ends = _at(side * 0.055, 0.004), _at(side * 0.12, 0.004)
        cv2.line(picture, *ends, frame, thick, cv2.LINE_AA)
    cv2.line(picture, _at(-0.009, 0.0), _at(0.009, 0.0), frame, thick, cv2.LINE_AA)
