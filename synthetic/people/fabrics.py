"""Pictures of cloth that tile without a seam."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.people.appearance import Fabric, Pattern
from synthetic.people.prints import camouflage_mask, emblem_mask, print_mask
from synthetic.people.tiles import SIZE_PX, coordinates, soft_noise
from synthetic.seeds import generator as new_generator

__all__ = ["EMBLEM_SPAN_M", "TEXTURE_SPAN_M", "paint_emblem", "paint_fabric"]

TEXTURE_SPAN_M = 0.5
"""How much cloth one picture of :func:`paint_fabric` shows, to the side and upwards."""
EMBLEM_SPAN_M = 0.32
"""How much of the chest the picture of :func:`paint_emblem` covers, to the side and upwards."""

_Plane = NDArray[np.float32]  # (256, 256), or 1 where all rows or columns are the same
_Planes = NDArray[np.float32]  # (3, 256, 256), or 1 likewise
_Painter = Callable[[Fabric, np.random.Generator], tuple[_Planes, _Plane]]


def paint_fabric(fabric: Fabric, *, size_px: int = SIZE_PX) -> NDArray[np.uint8]:
    """A picture of a piece of cloth, :data:`TEXTURE_SPAN_M` wide and high, its top edge up.

    The right edge goes on at the left one and the bottom at the top. Of a "logo" fabric it shows
    the plain cloth; the emblem is :func:`paint_emblem`'s.

    Args:
        fabric: What to paint; its ``back`` is another fabric and is not looked at.
        size_px: Side of the picture.

    Returns:
        uint8 (size_px, size_px, 3), sRGB.
    """
    generator = new_generator(fabric.seed, "fabric")
    picture, light = _PAINTERS[fabric.pattern](fabric, generator)
    tile = _finished(picture, light)
    if size_px == SIZE_PX:
        return tile
    scaled = cv2.resize(tile, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def paint_emblem(fabric: Fabric) -> NDArray[np.uint8]:
    """The chest of a "logo" fabric: its one emblem in the middle of plain cloth.

    It covers :data:`EMBLEM_SPAN_M` to the side and upwards, and does not repeat.

    Args:
        fabric: With at least two colours: the cloth's and the emblem's.

    Returns:
        uint8 (256, 256, 3), sRGB, upright.
    """
    generator = new_generator(fabric.seed, "fabric")
    _, light = _plain(fabric, generator)
    return _finished(_mixed(fabric, emblem_mask(generator)), light)


def _finished(planes: _Planes, light: _Plane) -> NDArray[np.uint8]:
    """Colours under the cloth's own light and shade, the threads showing on black cloth too."""
    lit = (planes + np.float32(0.03)) * light - np.float32(0.03)
    picture = cv2.convertScaleAbs(np.maximum(lit, 0, out=lit).reshape(-1, SIZE_PX), alpha=255)
    return np.asarray(cv2.merge(list(picture.reshape(3, SIZE_PX, SIZE_PX))), np.uint8)


def _flat(fabric: Fabric) -> _Planes:
    return _palette(fabric)[:, 0, None, None]


def _palette(fabric: Fabric) -> NDArray[np.float32]:
    return np.array([colour.srgb for colour in fabric.colours], np.float32).T


def _mixed(fabric: Fabric, mask: _Plane) -> _Planes:
    """The ground where the mask is 0, the second colour where it is 1."""
    palette = _palette(fabric)
    ground, figure = palette[:, 0, None, None], palette[:, 1, None, None]
    return np.asarray(ground + mask * (figure - ground), np.float32)


@lru_cache(maxsize=1)
def _threads() -> _Plane:
    """Fine noise of threads, the same for all cloth."""
    noise = new_generator(0, "threads").standard_normal((SIZE_PX, SIZE_PX), np.float32)
    threads = cv2.blur(noise, (5, 1), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(threads + cv2.blur(noise, (1, 5), borderType=cv2.BORDER_REFLECT_101))


def _woven(generator: np.random.Generator, *, depth: float = 0.03) -> _Plane:
    """Light and shade of fine threads and of a little wear; 1 is the colour itself."""
    shift = generator.integers(SIZE_PX, size=2)
    threads = np.roll(_threads(), (int(shift[0]), int(shift[1])), (0, 1))
    return np.asarray(1 + depth * threads + 0.025 * soft_noise(generator, 4), np.float32)


def _plain(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    return _flat(fabric), _woven(generator)


def _denim(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    """Twill: slanting ridges, pale and dark warp threads, and worn patches."""
    across, down = coordinates()
    ridges = np.cos((across * 64 + down * 64) * 2 * np.pi)
    warp = generator.standard_normal(SIZE_PX).astype(np.float32)
    light = _woven(generator, depth=0.05) + 0.05 * ridges + 0.05 * warp[None, :]
    return _flat(fabric), light + 0.05 * soft_noise(generator, 8)


def _knit(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    """Columns of stitches, each a V."""
    across, down = coordinates()
    columns = _count(26, fabric.scale, 14, 40)
    slant = np.abs((across * columns) % 1 - 0.5)
    stitches = np.cos((down * columns + slant) * 2 * np.pi) - 1.6 * (slant < 0.1)
    return _flat(fabric), _woven(generator) + 0.07 * stitches


def _leather(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    creases = 1 - np.abs(soft_noise(generator, 16))
    light = 1 + 0.06 * soft_noise(generator, 4) + 0.05 * creases + 0.03 * soft_noise(generator, 64)
    return _flat(fabric), np.asarray(light, np.float32)


def _quilted(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    """Padding between seams that run level, or in the smaller share cross each other aslant."""
    across, down = coordinates()
    count = _count(6, fabric.scale, 4, 10)
    pulled = 0.05 * soft_noise(generator, 32)
    if generator.random() < 0.75:
        places = [(down * count + pulled) % 1]
    else:
        places = [((down + sign * across) * count) % 1 for sign in (1, -1)]
    light = np.float32(1) + 0.02 * soft_noise(generator, 16)
    for place in places:
        puff = np.sin(np.pi * place) - 0.55 + 0.25 * np.cos(np.pi * place)
        seam = np.minimum(place, 1 - place) < 0.6 * count / SIZE_PX
        light = light + (0.3 * puff - 0.35 * seam) / len(places)
    return _flat(fabric), np.asarray(light, np.float32)


def _striped(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    across, down = coordinates()
    count = _count(12, fabric.scale**1.6, 5, 26)
    along = across if fabric.angle_deg == 90 else down
    mask = _bands(along * count, float(generator.uniform(0.2, 0.48)), count)
    return _mixed(fabric, mask), _woven(generator)


def _zigzag(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    across, down = coordinates()
    count = _count(8, fabric.scale, 4, 14)
    waves = 2 * np.abs((across * count) % 1 - 0.5)
    return _mixed(fabric, _bands(down * count + waves * 0.6, 0.4, count)), _woven(generator)


def _checked(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    """Gingham, tartan with its thin lines, or a windowpane of thin lines only."""
    across, down = coordinates()
    count = _count(9, fabric.scale**1.4, 4, 18)
    kind = int(generator.integers(3))
    if kind == 2:
        bands = [_bands(place * count, 0.14, count) for place in (across, down)]
        return _mixed(fabric, np.maximum(bands[0], bands[1])), _woven(generator)
    bands = [_bands(place * count, 0.42, count) for place in (across, down)]
    planes = _mixed(fabric, np.float32(0.5) * (bands[0] + bands[1]))
    if kind == 1:
        lines = [_bands(place * count + 0.5, 0.07, count) for place in (across, down)]
        line = np.float32(0.05 if min(fabric.colours[0].srgb) > 0.5 else 0.85)
        planes += np.float32(0.6) * np.maximum(lines[0], lines[1]) * (line - planes)
    return planes, _woven(generator)


def _printed(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    mask = print_mask(fabric.scale, generator)
    return _palette(fabric)[:, mask], _woven(generator)


def _camouflage(fabric: Fabric, generator: np.random.Generator) -> tuple[_Planes, _Plane]:
    mask = camouflage_mask(len(fabric.colours), fabric.scale, generator)
    return _palette(fabric)[:, mask], _woven(generator)


def _count(usual: float, scale: float, fewest: int, most: int) -> int:
    """How often a pattern repeats in one tile: a whole number, so that the tile has no seam."""
    return int(min(most, max(fewest, round(usual / scale))))


def _bands(place: _Plane, share: float, count: int) -> _Plane:
    """1 in the middle of each whole step of ``place``, over the given share of it; soft edges."""
    distance = np.abs(place % 1 - 0.5)
    return np.asarray(np.clip((share / 2 - distance) * SIZE_PX / count + 0.5, 0, 1), np.float32)


_PAINTERS: dict[Pattern, _Painter] = {
    "plain": _plain,
    "logo": _plain,
    "denim": _denim,
    "knit": _knit,
    "leather": _leather,
    "quilted": _quilted,
    "striped": _striped,
    "checked": _checked,
    "zigzag": _zigzag,
    "printed": _printed,
    "camouflage": _camouflage,
}
