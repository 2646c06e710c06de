"""Motifs printed on cloth: small ones strewn over it, camouflage, and emblems on the chest."""

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.people.tiles import SIZE_PX, soft_noise

__all__ = ["camouflage_mask", "emblem_mask", "print_mask"]

_Points = NDArray[np.float64]
_FRACTION_BITS = 4  # of the pixel coordinates handed to OpenCV
_CIRCLE = 16  # corners of what passes for a circle


def print_mask(scale: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Dots, blossoms, leaves or angular shapes strewn over a tile, across its edges too.

    Args:
        scale: 1 is usual: motifs of 2 to 5 centimetres.
        generator: Where motif and places come from.

    Returns:
        uint8 (256, 256): 0 the ground, 1 and 2 the colours of the motifs.
    """
    count = int(min(8, max(5, round(7 / scale)))) // 2 * 2  # even: each other row is shifted
    step = SIZE_PX / count
    kind = int(generator.integers(4))
    wander = 0.0 if kind == 0 else 0.22
    rows, columns = np.divmod(np.arange(count * count), count)
    centres = np.stack([columns + 0.5 * (rows % 2), rows + 0.5], axis=1)
    centres = (centres + wander * generator.uniform(-1, 1, centres.shape)) * step
    sizes = generator.uniform(0.30, 0.48, len(centres)) if kind else np.full(len(centres), 0.26)
    turns = generator.uniform(0, 2 * np.pi, len(centres))
    first = generator.random(len(centres)) < 0.7
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    shapes = _placed(_motif(kind, generator), centres, sizes * step, turns)
    _fill_wrapped(mask, shapes[first], 1)
    _fill_wrapped(mask, shapes[~first], 2)
    if kind == 1:
        _fill_wrapped(mask, _placed(_polygon(_CIRCLE) * 0.3, centres, sizes * step, turns), 2)
    return mask


def camouflage_mask(count: int, scale: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Which colour each pixel of a tile has: the first has the largest share.

    Args:
        count: How many colours, 2 to 4.
        scale: 1 is usual: patches of 4 to 10 centimetres.
        generator: Where the patches come from.

    Returns:
        uint8 (256, 256) of 0 to ``count`` - 1.
    """
    cells = 16 if scale < 1 else 8
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    for number in range(1, count):
        patches = soft_noise(generator, cells) + 0.45 * soft_noise(generator, cells * 2)
        mask[patches > (0.38 if number == 1 else 0.6)] = number
    return mask


def emblem_mask(generator: np.random.Generator) -> NDArray[np.float32]:
    """Letters, a number, a badge or bars in the middle of a picture.

    Args:
        generator: Where the emblem comes from.

    Returns:
        float32 (256, 256), 1 where the emblem is, 0 where it is not.
    """
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    middle, size = SIZE_PX / 2, float(generator.uniform(46, 84))
    kind = int(generator.integers(5))
    if kind < 2:
        letters = generator.integers(ord("A"), ord("Z") + 1, size=2 + 3 * kind)
        _write(mask, "".join(map(chr, letters.tolist())), width=size * (1.8 + 0.7 * kind))
    elif kind == 2:
        _write(mask, str(int(generator.integers(10, 100))), width=size * 1.7)
    elif kind == 3:
        inside = _polygon(int(generator.integers(3, 7)), notch=0.55)
        _fill(mask, (_polygon(_CIRCLE * 2) * size + middle)[None], 255)
        _fill(mask, (inside * size * 0.66 + middle)[None], 0)
    else:
        count = int(generator.integers(2, 5))
        widths = generator.uniform(0.6, 1.2, (count, 1))
        downs = (np.arange(count) - (count - 1) / 2)[:, None] * 0.38
        bar = np.array([[-1, -0.1], [1, -0.1], [1, 0.1], [-1, 0.1]])
        bars = np.stack([bar[:, 0] * widths, bar[:, 1] + downs], axis=2)
        _fill(mask, bars * size + middle, 255)
    return np.asarray(cv2.blur(mask, (3, 3)).astype(np.float32) / np.float32(255))


def _motif(kind: int, generator: np.random.Generator) -> _Points:
    """An outline about the origin, about 1 in radius."""
    if kind == 0:
        return _polygon(_CIRCLE)
    if kind == 1:  # five petals
        angles = np.arange(30) * 2 * np.pi / 30
        return _polygon(30) * (0.75 + 0.3 * np.cos(5 * angles))[:, None]
    if kind == 2:  # a leaf
        angles = np.arange(_CIRCLE) * 2 * np.pi / _CIRCLE
        return np.stack([1.15 * np.cos(angles), 0.5 * np.sin(angles)], axis=1)
    return _polygon(int(generator.integers(3, 6)), notch=float(generator.choice([0.45, 0.8])))


def _polygon(corners: int, *, notch: float = 1.0) -> _Points:
    """A regular polygon of radius 1, one corner up; or a star notched to a part of the radius."""
    count = corners if notch == 1.0 else corners * 2
    angles = np.arange(count) * 2 * np.pi / count
    radii = np.where(np.arange(count) % 2 == 0, 1.0, notch)
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


def _placed(outline: _Points, centres: _Points, sizes: _Points, turns: _Points) -> _Points:
    """One outline (K, 2) at N places, each of its own size and turn: (N, K, 2)."""
    cosines, sines = np.cos(turns) * sizes, np.sin(turns) * sizes
    matrices = np.stack([np.stack([cosines, sines], 1), np.stack([-sines, cosines], 1)], 1)
    return np.asarray(np.einsum("kc,ncd->nkd", outline, matrices) + centres[:, None])


def _fill_wrapped(mask: NDArray[np.uint8], shapes: _Points, value: int) -> None:
    """Fill shapes (N, K, 2), and what of them sticks out over an edge at the opposite one."""
    low, high = shapes.min(axis=1), shapes.max(axis=1)
    for right in (-SIZE_PX, 0, SIZE_PX):
        for down in (-SIZE_PX, 0, SIZE_PX):
            offset = np.array([right, down])
            seen = ((high + offset > 0) & (low + offset < SIZE_PX)).all(axis=1)
            _fill(mask, shapes[seen] + offset, value)


def _fill(mask: NDArray[np.uint8], shapes: _Points, value: int) -> None:
    corners = np.round((shapes - 0.5) * 2**_FRACTION_BITS).astype(np.int32)
    for shape in corners:  # one by one: overlaps of shapes filled at once stay empty
        cv2.fillPoly(mask, [shape], value, shift=_FRACTION_BITS)


def _write(mask: NDArray[np.uint8], word: str, *, width: float) -> None:
    """Write a word in the middle, as wide as asked for."""
    face = cv2.FONT_HERSHEY_DUPLEX
    (wide, high), _ = cv2.getTextSize(word, face, 1.0, 2)
    size = min(width / wide, SIZE_PX * 0.5 / high)
    place = (round((SIZE_PX - wide * size) / 2), round((SIZE_PX + high * size) / 2))
    cv2.putText(mask, word, place, face, size, 255, max(3, round(size * 3)))
