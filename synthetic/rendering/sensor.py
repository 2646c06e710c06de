"""From light to a picture as a camera gives it: exposure, colour, noise, sharpening, JPEG."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.seeds import generator as generator_of

__all__ = ["Sensor", "adapted", "develop", "draw_sensor"]

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Of linear RGB: Rec. 709."""

_INFRARED = np.array([0.45, 0.35, 0.2])
_FULL = 16384
"""Which of the 65,536 steps before the tone curve is white in full light."""

_FULL_IN_ALL = np.full(4, float(_FULL))

_MIDDLE_GREY = 0.17
"""What the middle of a picture is exposed for, linear."""
_GAINS = (0.6, 2.5)
"""How far a camera exposes less or more than for white in full light."""

_LAMP_M = 14.0
"""How far an infrared lamp reaches: there half of its light is left."""
_HAZE = 0.4
"""Light that haze scatters into the lens, linear."""

_TILE = 640
"""Pixels along each side of the prepared noise and rain."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What one camera makes of light; the same in all of its pictures.

    Args:
        exposure: Factor on the light.
        white_balance: Factors on red, green and blue.
        gamma: Of the tone curve, on top of sRGB's; below 1 is brighter.
        contrast: Slope of the tone curve in the middle, 1 as it comes.
        saturation: 0 grey, 1 as it comes.
        black: What black is lifted to, 0-1 of the finished picture.
        shot_noise: Variance of noise for white in full light.
        read_noise: Standard deviation of noise in the dark, 1 is white in full light.
        blur_px: Standard deviation of the blur of lens and small motion.
        shutter_s: How long it exposes; see ``synthetic.rendering.compose.smear``.
        sharpening: How much is added of what blur takes; makes halos.
        vignette: How much darker the corners are, 0-1.
        infrared: Whether it sees by its own infrared lamp, in grey.
        rain: How strong streaks of rain are, 0-1.
        haze_per_m: How much of the light is lost in a metre of air.
        jpeg_quality: The lowest and highest quality of its pictures; None: not compressed.
    """

    exposure: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    black: float = 0.0
    shot_noise: float = 0.0
    read_noise: float = 0.0
    blur_px: float = 0.0
    shutter_s: float = 0.0
    sharpening: float = 0.0
    vignette: float = 0.0
    infrared: bool = False
    rain: float = 0.0
    haze_per_m: float = 0.0
    jpeg_quality: tuple[int, int] | None = None


def draw_sensor(
    generator: np.random.Generator, *, night: bool | None = None, indoor: bool = False
) -> Sensor:
    """A camera's sensor: mostly ordinary ones, few that see badly.

    One person looks different through two of them, as in life; colours hardly ever become
    others.

    Args:
        generator: Decides all.
        night: Whether it is night; then half of the sensors see by infrared, the others are noisy
            and yellowish. None: one in twelve.
        indoor: Whether it hangs indoors, without rain and haze, under lamps of any colour.
    """
    chance, normal = generator.random, generator.normal
    dark = bool(chance() < 1 / 12) if night is None else night
    infrared = dark and bool(chance() < 0.5)
    spread = 0.11 if dark or indoor else 0.07
    warm, green = normal(0.06 if dark else 0.0, spread), normal(0, 0.35 * spread)
    gains = np.clip(np.exp([warm, green, -warm]), 0.7, 1.4)
    gains /= gains @ _LUMINANCE
    noise = min(math.exp(normal(math.log(0.012 if dark else 0.006), 0.5)), 0.03)
    weather = 1.0 if indoor or infrared else chance()
    haze = float(generator.uniform(0.003, 0.01)) if weather < 0.1 else 0.0
    lift = float(generator.uniform(0, 0.07)) if chance() < 0.2 else 0.0
    low = int(generator.integers(45, 90))
    return Sensor(
        exposure=math.exp(float(np.clip(normal(-0.4 if dark else 0.1, 0.24), -0.8, 0.5))),
        white_balance=(float(gains[0]), float(gains[1]), float(gains[2])),
        gamma=float(np.clip(normal(1.0, 0.09), 0.8, 1.25)),
        contrast=float(np.clip(normal(1.15, 0.1), 0.85, 1.4)),
        saturation=float(np.clip(normal(0.75 if dark else 1.0, 0.14), 0.5, 1.3)),
        black=0.0 if haze else lift,
        shot_noise=0.15 * noise**1.5,
        read_noise=0.2 * noise,
        blur_px=float(np.clip(normal(0.55, 0.25), 0.0, 1.3)),
        shutter_s=float(
            generator.uniform(1 / 60, 1 / 30) if dark else generator.uniform(0, 1 / 50)
        ),
        sharpening=float(generator.uniform(0.3, 1.1)) if chance() < 0.5 else 0.0,
        vignette=float(generator.uniform(0.0, 0.3)),
        infrared=infrared,
        rain=float(generator.uniform(0.3, 1.0)) if weather < 0.05 else 0.0,
        haze_per_m=haze,
        jpeg_quality=(low, min(low + 15, 96)),
    )


def adapted(sensor: Sensor, linear: FloatArray) -> Sensor:
    """The sensor with its exposure set for a place, as cameras do by themselves.

    Args:
        sensor: Its exposure stays as a preference: above 1 is brighter than usual.
        linear: float32 (H, W, 3), linear RGB, what the camera looks at.
    """
    # The brightest part, mostly sky, and what lies in the deepest shade do not count.
    light = np.sort((linear[::4, ::4] @ _LUMINANCE.astype(np.float32)).ravel())
    middle = float(light[len(light) // 10 : len(light) * 9 // 10].mean())
    gain = float(np.clip(_MIDDLE_GREY / max(middle, 1e-4), *_GAINS))
    return replace(sensor, exposure=sensor.exposure * gain)


def develop(
    linear: FloatArray,
    sensor: Sensor,
    generator: np.random.Generator,
    *,
    distance_m: FloatArray | float | None = None,
    vignette: bool = True,
) -> Image:
    """The picture that a sensor gives of light.

    In this order: haze, vignette, exposure and colour; blur; rain and noise; tone curve;
    sharpening; 8 bits; JPEG.

    Args:
        linear: float32 (H, W, 3), linear RGB, 1 is white in full light.
        sensor: Of the camera.
        generator: Decides noise, rain and the quality of the JPEG.
        distance_m: float32 (H, W) or one number: how far away things are, inf for the sky, for
            haze and for the reach of the infrared lamp; None: near.
        vignette: Whether to darken the corners; False for a part of the camera's picture.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    light: NDArray[Any] = cv2.transform(linear, _colour_matrix(sensor))
    if distance_m is not None and (sensor.haze_per_m or sensor.infrared):
        light = _through_air(light, sensor, distance_m)
    height, width = light.shape[:2]
    if vignette and (sensor.vignette or sensor.infrared):
        strength = max(sensor.vignette, 0.55 if sensor.infrared else 0.0)
        light = cv2.multiply(light, _corners(height, width, strength))
    if sensor.blur_px > 0.2:
        light = cv2.GaussianBlur(light, (0, 0), sensor.blur_px)
    if sensor.rain:
        streaks = _part(_rain_tile(), height, width, generator)
        light = cv2.scaleAdd(streaks, 0.3 * sensor.rain, light)
    if sensor.shot_noise or sensor.read_noise:
        scale = np.sqrt(
            np.maximum(light, 0) * np.float32(sensor.shot_noise) + np.float32(sensor.read_noise**2)
        )
        scale *= _part(_noise_tile(), height, width, generator)
        if sensor.infrared:
            scale = np.ascontiguousarray(np.broadcast_to(scale[..., :1], scale.shape))
        light = cv2.add(light, scale)
    steps: NDArray[Any] = cv2.multiply(light, _FULL_IN_ALL, dtype=cv2.CV_16U)
    picture: NDArray[Any] = np.take(_tone_curve(sensor.gamma, sensor.contrast, sensor.black), steps)
    if sensor.sharpening:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.1)
        picture = cv2.addWeighted(picture, 1 + sensor.sharpening, soft, -sensor.sharpening, 0)
    if sensor.jpeg_quality is None:
        return np.asarray(picture, np.uint8)
    low, high = sensor.jpeg_quality
    quality = int(generator.integers(low, high + 1))
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


@lru_cache(maxsize=1024)
def _colour_matrix(sensor: Sensor) -> FloatArray:
    """float32 (3, 3): from RGB to BGR with exposure, white balance and saturation."""
    if sensor.infrared:
        return np.tile(_INFRARED * sensor.exposure, (3, 1)).astype(np.float32)
    grey = np.tile(_LUMINANCE, (3, 1))
    colours = grey + sensor.saturation * (np.eye(3) - grey)
    balanced = colours @ np.diag(sensor.white_balance) * sensor.exposure
    return np.ascontiguousarray(balanced[::-1], np.float32)


def _through_air(light: FloatArray, sensor: Sensor, distance_m: FloatArray | float) -> FloatArray:
    """The light after its way: whiter with haze; an infrared lamp lights what is near."""
    distance: FloatArray = np.minimum(np.asarray(distance_m, np.float32), np.float32(300))
    if sensor.infrared:
        reach = 1.5 / (1 + (distance / np.float32(_LAMP_M)) ** 2)
        # Most cloth is brighter in infrared than in daylight, whatever its colour.
        lit: FloatArray = np.float32(0.8) * np.maximum(light, 0) ** 0.7 * reach[..., None]
        light = lit
    if sensor.haze_per_m:
        kept = np.exp(distance * np.float32(-sensor.haze_per_m))[..., None]
        light = light * kept + np.float32(_HAZE) * (1 - kept)  # as bright as it is exposed for
    return np.ascontiguousarray(light, np.float32)


@lru_cache(maxsize=8)
def _corners(height: int, width: int, strength: float) -> FloatArray:
    """float32 (H, W, 3): 1 in the middle, less in the corners."""
    y = (np.arange(height) + 0.5) / height * 2 - 1
    x = (np.arange(width) + 0.5) / width * 2 - 1
    squared = (y[:, None] ** 2 + x[None] ** 2) / 2
    return np.repeat((1 - strength * squared**1.5)[..., None], 3, 2).astype(np.float32)


@lru_cache(maxsize=1)
def _noise_tile() -> FloatArray:
    """float32 (640, 640, 3) of standard deviation 1: mostly grey, in grains of about a pixel."""
    draw = generator_of(0, "sensor noise").standard_normal
    grains = draw((_TILE, _TILE, 1)) + 0.7 * draw((_TILE, _TILE, 3))
    soft = cv2.GaussianBlur(grains.astype(np.float32), (0, 0), 0.6, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft / soft.std(), np.float32)


@lru_cache(maxsize=1)
def _rain_tile() -> FloatArray:
    """float32 (640, 640, 3), 0-1: streaks that fall nearly straight."""
    drawn = generator_of(0, "rain")
    tile = np.zeros((_TILE, _TILE), np.float32)
    for x, y, long, bright in drawn.uniform((0, -40, 12, 0.2), (_TILE, _TILE, 45, 1), (420, 4)):
        ends = (int(x), int(y)), (int(x + 0.12 * long), int(y + long))
        cv2.line(tile, *ends, float(bright), 1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(tile, (0, 0), 0.8)
    return np.asarray(np.repeat(soft[..., None], 3, 2), np.float32)


def _part(tile: FloatArray, height: int, width: int, generator: np.random.Generator) -> FloatArray:
    """A part of a tile from anywhere in it; the tile is repeated where it is too small."""
    down, across = generator.integers(0, _TILE, 2).tolist()
    if height <= _TILE and width <= _TILE:
        down, across = down % (_TILE - height + 1), across % (_TILE - width + 1)
        return tile[down : down + height, across : across + width]
    rows, columns = (np.arange(height) + down) % _TILE, (np.arange(width) + across) % _TILE
    repeated: FloatArray = tile[rows[:, None], columns]
    return repeated


@lru_cache(maxsize=256)
def _tone_curve(gamma: float, contrast: float, black: float) -> Image:
    """uint8 (65536,): the picture's value for each step of light."""
    light = np.arange(65536) / _FULL
    # Straight to 0.7, then towards 1 ever more slowly: highlights do not end abruptly.
    rolled = np.where(light < 0.7, light, 1 - 0.3 * np.exp(-(np.maximum(light, 0.7) - 0.7) / 0.3))
    encoded = np.where(
        rolled <= 0.0031308, 12.92 * rolled, 1.055 * np.maximum(rolled, 1e-9) ** (1 / 2.4) - 0.055
    )
    shaped = np.clip((encoded - 0.45) * contrast + 0.45, 0, 1) ** gamma
    return np.asarray(np.rint(255 * (black + (1 - black) * shaped)), np.uint8)
