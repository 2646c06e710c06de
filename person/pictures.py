"""What a person looks at: a folder of pictures and a contact sheet for each query."""

import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import cv2

from everyid.device import cpu_threads
from everyid.media import read_image
from everyid.output import Advance, Stop, readable, whole_file, writing
from everyid.protocols import Image
from person.matches import STATES, Matches
from person.sheets import SheetCell, draw_sheet

__all__ = ["query_name", "write_folders", "write_sheets"]

_KEPT_PICTURES = 2000
_LONGEST_SIDE = 200
"""Pictures are kept this small for the sheets, pixels."""
_LONGEST_NAME, _LONGEST_SUFFIX = 80, 12
"""Bytes of what is kept of a name: file systems take 255, some of them 260 for the whole path."""


def query_name(number: int, path: str) -> str:
    """``NNNN_name`` of a query, from 1: safe as the name of a folder anywhere.

    >>> query_name(7, "people/anna/a photo.jpg")
    '0007_a photo'
    """
    return f"{number:04d}_{_safe(Path(path).stem)}"


def _safe(name: str, longest: int = _LONGEST_NAME) -> str:
    plain = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name)
    return plain.encode()[:longest].decode(errors="ignore").rstrip(" .") or "_"


def _copied(rank: int, path: Path) -> str:
    """``RR_name.suffix``, as safe as :func:`query_name`."""
    suffix = f".{_safe(path.suffix[1:], _LONGEST_SUFFIX)}" if path.suffix else ""
    return f"{rank:02d}_{_safe(path.stem)}{suffix}"


def write_folders(
    matches: Matches,
    rows: Sequence[int],
    folder: Path,
    *,
    overwrite: bool,
    stop: Stop,
    advance: Advance,
) -> None:
    """Copies each query and its matches into ``NNNN_name/``: ``00_name``, then ``RR_name``.

    Args:
        matches: All matches.
        rows: The queries wanted.
        folder: Holds the folders; appears when it is whole.
        overwrite: Replace an existing one.
        stop: Ends it after the query at hand.
        advance: Moves a progress bar by a query.

    Raises:
        InputError: A picture is missing or may not be read.
        OutputExistsError: The folder is there already and ``overwrite`` is False.
        OutputError: A copy cannot be written.
    """
    with whole_file(folder, overwrite=overwrite) as part:
        part.mkdir()
        for number, row in enumerate(rows, start=1):
            if stop.requested:
                break
            query = Path(matches.query.paths[row])
            target = part / query_name(number, str(query))
            target.mkdir()
            found = [Path(matches.gallery.paths[i]) for i in matches.top.indices[row].tolist()]
            for rank, path in enumerate([query, *found]):
                copy = target / _copied(rank, path)
                with writing(copy):
                    shutil.copyfile(readable(path), copy)
            advance()


def write_sheets(
    matches: Matches,
    rows: Sequence[int],
    folder: Path,
    *,
    footer: str,
    overwrite: bool,
    stop: Stop,
    advance: Advance,
) -> None:
    """Draws a contact sheet ``NNNN_name.png`` for each query.

    Args:
        matches: All matches.
        rows: The queries wanted.
        folder: Holds the sheets; appears when it is whole.
        footer: The model and the protocol, on every sheet.
        overwrite: Replace an existing folder.
        stop: Ends it after the sheets at hand.
        advance: Moves a progress bar by a query.

    Raises:
        InputError: A picture is missing or cannot be read.
        OutputExistsError: The folder is there already and ``overwrite`` is False.
        OutputError: A sheet cannot be written.
    """
    with whole_file(folder, overwrite=overwrite) as part:
        part.mkdir()
        small = lru_cache(_KEPT_PICTURES)(_small_picture)

        def draw(number: int, row: int) -> None:
            if stop.requested:
                return
            sheet = _sheet(matches, row, footer, small)
            path = part / f"{query_name(number, matches.query.paths[row])}.png"
            with writing(path):
                path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
            advance()

        with ThreadPoolExecutor(cpu_threads()) as pool:
            for _ in pool.map(draw, range(1, len(rows) + 1), rows):
                pass


def _sheet(matches: Matches, row: int, footer: str, small: Callable[[str], Image]) -> Image:
    gallery = matches.gallery
    found = zip(
        matches.top.indices[row].tolist(),
        matches.top.values[row].tolist(),
        matches.states[row].tolist(),
        strict=True,
    )
    cells = [
        SheetCell(
            image=small(gallery.paths[place]),
            state=STATES[state],
            rank=rank,
            similarity=similarity,
            identity=gallery.identities[place],
            camera=gallery.cameras[place],
        )
        for rank, (place, similarity, state) in enumerate(found, start=1)
    ]
    return draw_sheet(
        small(matches.query.paths[row]),
        cells,
        title=matches.query.paths[row],
        footer=footer,
        identity=matches.query.identities[row],
        camera=matches.query.cameras[row],
    )


def _small_picture(path: str) -> Image:
    image = read_image(Path(path))
    ratio = _LONGEST_SIDE / max(image.shape[:2])
    if ratio >= 1:
        return image
    size = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
