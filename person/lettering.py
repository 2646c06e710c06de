"""Text on pictures: letters that the font lacks are spelt out, lines are cut or broken to fit."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from everyid.errors import DependencyError

__all__ = ["Colour", "drawable", "fitted", "lettered", "wrapped"]

Colour = tuple[int, int, int]
"""BGR, 0-255."""

_DOTS = "…"
_LARGE = 24
"""The size, in pixels, at which letters are told from the box that stands for a missing one."""


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, or Pillow's own font, which has only ASCII."""
    package = find_spec("matplotlib")  # finds it without importing it
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, size)
    own = ImageFont.load_default(size)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise DependencyError(
            "Pillow was built without FreeType, which draws text", hint="pip install -U pillow"
        )
    return own


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    font = _font(_LARGE)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def drawable(text: str) -> str:
    r"""The text with every letter that cannot be drawn spelt out as Python would.

    >>> drawable("Zoë, 日\n")
    'Zoë, \\u65e5\\n'

    Args:
        text: Any text; line breaks and what else cannot be seen are spelt out, too.
    """
    return "".join(
        letter
        if letter.isprintable() and _has(letter)
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


@lru_cache(maxsize=4096)
def fitted(text: str, width: int, size: int) -> str:
    """The drawable text, with dots for its middle where it is too wide.

    >>> fitted("one-by-one-person-detection/0001", 100, 12)
    'one-by-…n/0001'

    Args:
        text: Any text.
        width: Pixels.
        size: Of the letters, pixels.
    """
    text = drawable(text)
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    shortest, longest = 0, len(text) - 1
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if font.getlength(_without_middle(text, middle)) <= width:
            shortest = middle
        else:
            longest = middle - 1
    return _without_middle(text, shortest)


def _without_middle(text: str, kept: int) -> str:
    return text[: (kept + 1) // 2] + _DOTS + text[len(text) - kept // 2 :]


@lru_cache(maxsize=64)
def wrapped(text: str, width: int, size: int) -> tuple[str, ...]:
    """The drawable text in lines, broken between words, or within one that is wider than a line.

    Args:
        text: Any text; its own line breaks count as spaces.
        width: Of a line, pixels.
        size: Of the letters, pixels.
    """
    font = _font(size)
    lines = [""]
    for word in drawable(" ".join(text.split())).split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return tuple(line for line in lines if line)


@lru_cache(maxsize=4096)
def lettered(text: str, size: int, *, ink: Colour, paper: Colour) -> NDArray[np.uint8]:
    """A line of text as a picture: uint8 (H, W, 3), BGR, where H is ``size`` + 4.

    The array is kept for the next time and cannot be written to.

    Args:
        text: Drawable text.
        size: Of the letters, pixels.
        ink: BGR, 0-255, of the letters.
        paper: BGR, 0-255, behind them.
    """
    font = _font(size)
    picture = Picture.new("RGB", (max(1, round(font.getlength(text))), size + 4), paper)
    ImageDraw.Draw(picture).text((0, size), text, fill=ink, font=font, anchor="ls")
    line = np.asarray(picture, np.uint8)
    line.flags.writeable = False
    return line
