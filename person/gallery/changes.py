"""Changing a gallery: all that a block asks for becomes one new version, or none of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from everyid.errors import OutputError
from person.gallery.head import clean, create, locked, read_head, write_head
from person.gallery.records import Enrolment, GalleryModel, Head, Segment
from person.gallery.segments import (
    FOLDER,
    enrolment_table,
    read_table,
    renamed,
    write_segments,
)
from person.gallery.store import Gallery

__all__ = ["Change", "changing"]

_SMALL_ROWS, _MOST_SMALL = 1024, 8
"""More files than these with fewer rows than those become one at the next change."""


class Change:
    """What is to become of a gallery; see :func:`changing`.

    Args:
        gallery: As it is, and stays until the block ends.
    """

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self._names = list(gallery.rows.names)
        self._kept = np.ones(len(gallery), np.bool_)
        self._added: list[Enrolment] = []
        self._anonymous = gallery.head.anonymous

    def add(self, enrolment: Enrolment) -> None:
        """Enrols rows."""
        if len(enrolment):
            self._added.append(enrolment)

    def drop(self, rows: NDArray[np.intp]) -> None:
        """Takes rows out, with their pictures.

        Args:
            rows: intp (M,), of ``gallery.rows``.
        """
        self._kept[rows] = False

    def rename(self, rows: NDArray[np.intp], name: str) -> None:
        """Gives rows to somebody.

        Args:
            rows: intp (M,), of ``gallery.rows``.
            name: Whose they are from now on.
        """
        for row in rows.tolist():
            self._names[row] = name

    def anonymous(self) -> str:
        """A name for somebody unknown that was never given before: ``unknown-0001``."""
        taken = set(self.gallery.names)
        while True:
            self._anonymous += 1
            name = f"unknown-{self._anonymous:04d}"
            if name not in taken:
                return name

    def commit(self) -> None:
        """Writes what was asked for as one new version, and deletes what that leaves over."""
        head, folder = self.gallery.head, self.gallery.folder
        untouched, tables = self._sorted_out()
        if not tables and not self._added:
            return
        tables += [enrolment_table(one, head.model) for one in self._added]
        generation = head.generation + 1
        try:
            new = write_segments(folder / FOLDER, tables, generation)
            changed = Head(
                generation=generation,
                model=head.model,
                anonymous=self._anonymous,
                segments=(*untouched, *new),
            )
            write_head(folder, changed)
        except OutputError as error:
            error.hint = f"make room, or make {folder} writable: the gallery is as it was"
            raise
        clean(folder, changed)

    def _sorted_out(self) -> tuple[list[Segment], list[pa.Table]]:
        """The files that stay as they are, and what others hold that is to be written anew."""
        head, before = self.gallery.head, self.gallery.rows.names
        ends = np.cumsum([segment.rows for segment in head.segments], dtype=np.int64)
        parts = [
            slice(end - one.rows, end)
            for one, end in zip(head.segments, ends.tolist(), strict=True)
        ]
        same = [
            bool(self._kept[part].all()) and self._names[part] == list(before[part])
            for part in parts
        ]
        small = [one.rows < _SMALL_ROWS for one in head.segments]
        if self._added and sum(small) > _MOST_SMALL:
            same = [stays and not few for stays, few in zip(same, small, strict=True)]
        untouched, tables = [], []
        for segment, part, stays in zip(head.segments, parts, same, strict=True):
            if stays:
                untouched.append(segment)
                continue
            kept = self._kept[part]
            table = read_table(self.gallery.folder / FOLDER, segment, head.model.width)
            tables.append(renamed(table, self._names[part]).filter(pa.array(kept)))
        return untouched, tables


@contextmanager
def changing(folder: Path, *, create_for: GalleryModel | None = None) -> Iterator[Change]:
    """Yields what changes a gallery, and writes one new version when the block ends.

    No other process changes the gallery meanwhile. When the block raises, the gallery stays as it
    was. What killed writers left is deleted first.

    Args:
        folder: The gallery.
        create_for: The model of a gallery that is to be made where there is none; None: it is
            there already.

    Raises:
        InputError: The gallery cannot be read.
        OutputError: It cannot be written; it is then as it was.
    """
    if create_for is None:
        read_head(folder)  # a folder that is none gets no lock file either
    with locked(folder):
        if create_for is not None:
            create(folder, create_for)
        clean(folder, read_head(folder))
        change = Change(Gallery.open(folder))
        yield change
        change.commit()
