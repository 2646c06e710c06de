"""A gallery as a folder on disk: one head, files of rows, and a calibration.

``gallery.json``, the head, names the files of rows that count. Those are written first, under new
names; then the head is replaced, which the file system does whole or not at all; then what no head
names any longer is deleted. A reader needs no lock: it sees the version before or the one after.
Writers take turns by a lock that the system frees when its process dies, and each begins by
deleting what a killed one left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from person.crops import Crops
from person.embeddings import Embeddings
from person.gallery.calibration import independent_vectors
from person.gallery.head import read_head
from person.gallery.records import Head, IdentitySummary, Rows, Segment
from person.gallery.search import VectorIndex
from person.gallery.segments import FOLDER, read_rows, read_thumbnails

__all__ = ["Found", "Gallery", "as_utc"]

_READS = 5
"""How often a gallery that others change is read anew."""
_MOST_SEARCHED = 1000
"""Rows that are looked at for one question, where people have very many."""


class Found(NamedTuple):
    """A person near a vector.

    Args:
        name: Who.
        similarity: Cosine to the nearest of the person's vectors, -1 to 1.
        row: Of the gallery: which vector that is.
    """

    name: str
    similarity: float
    row: int


@dataclass(frozen=True, eq=False)
class Gallery:
    """One version of a gallery, as it was when it was read.

    >>> gallery = Gallery.open(Path("visitors"))  # doctest: +SKIP
    >>> gallery.search(vectors)[0][0].name  # doctest: +SKIP
    'anna'

    Args:
        folder: Where it is.
        head: Its model and files.
        rows: All of its rows, in the order of the files.
    """

    folder: Path
    head: Head
    rows: Rows

    @classmethod
    def open(cls, folder: Path) -> "Gallery":
        """The gallery in a folder, whole, whoever is writing to it.

        Raises:
            InputError: It is none, is of a newer format, or a file is missing or damaged.
        """
        head = read_head(folder)
        for _ in range(_READS):
            try:
                return cls(folder, head, _read_all(folder, head))
            except InputError:
                now = read_head(folder)
                if now.generation == head.generation:
                    raise
                head = now
        raise InputError(
            f"{folder}: the gallery changed {_READS} times while it was read",
            hint="run the command again when fewer others write to it",
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The people, sorted."""
        return tuple(sorted(set(self.rows.names)))

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """int64 (N,), whose each row is: places in ``names``."""
        return np.array([self._places[name] for name in self.rows.names], np.int64)

    @property
    def independent_vectors(self) -> int:
        """How many vectors of different people let as many strangers in, at least 1."""
        return independent_vectors(np.unique(self.groups, return_counts=True)[1])

    @cached_property
    def _members(self) -> list[NDArray[np.intp]]:
        """The rows of each person, in order."""
        order = np.argsort(self.groups, kind="stable")
        starts = np.searchsorted(self.groups[order], np.arange(len(self.names)))
        return np.split(order, starts[1:]) if self.names else []

    @cached_property
    def index(self) -> VectorIndex:
        """What finds rows by their vectors; made when it is first needed."""
        return VectorIndex(self.rows.embeddings.vectors, self.groups)

    def search(self, vectors: NDArray[np.float32], *, people: int = 1) -> list[list[Found]]:
        """The nearest people of each vector, nearest first, each once.

        Args:
            vectors: float32 (Q, D), each of length 1.
            people: How many are wanted; fewer come from a gallery that has fewer.

        Raises:
            ShapeError: The vectors are not as said, or of another width.
        """
        if not len(self):
            return [[] for _ in vectors]
        most = int(np.bincount(self.groups).max())  # rows that one person may take of the best
        wanted = min((people - 1) * most + 1, len(self), max(_MOST_SEARCHED, people))
        top = self.index.search(vectors, k=wanted)
        groups = self.groups[top.indices]
        answers = []
        for row, values, found in zip(top.indices, top.values, groups, strict=True):
            first = np.sort(np.unique(found, return_index=True)[1])[:people]
            answers.append(
                [Found(self.names[int(found[at])], float(values[at]), int(row[at])) for at in first]
            )
        return answers

    def thumbnails(self, rows: Sequence[int]) -> list[bytes | None]:
        """The pictures of some rows, JPEG, at most 256 px high; None where there is none.

        Raises:
            InputError: A file cannot be read, or the gallery was changed since it was opened.
        """
        ends = np.cumsum([segment.rows for segment in self.head.segments])
        found: dict[int, bytes | None] = {}
        for place, segment in enumerate(self.head.segments):
            start = int(ends[place]) - segment.rows
            mine = [row for row in rows if start <= row < int(ends[place])]
            if mine:
                found |= zip(
                    mine, self._pictures(segment, [row - start for row in mine]), strict=True
                )
        return [found[row] for row in rows]

    def _pictures(self, segment: Segment, rows: Sequence[int]) -> list[bytes | None]:
        try:
            return read_thumbnails(self.folder / FOLDER, segment, rows)
        except InputError as error:
            if read_head(self.folder).generation == self.head.generation:
                raise
            raise InputError(
                f"{self.folder}: the gallery was changed while it was read",
                hint="run the command again",
            ) from error

    def rows_of(self, name: str) -> NDArray[np.intp]:
        """The rows of a person, intp (M,), in order.

        Raises:
            InputError: Nobody has that name; the hint lists some who are like it.
        """
        if name not in self:
            raise InputError(f"{self.folder}: nobody is called {name!r}", hint=self._like(name))
        return self._members[self._places[name]]

    def people(self) -> list[IdentitySummary]:
        """Everybody in the gallery, by name."""
        cameras, added = self.rows.embeddings.crops.cameras, self.rows.added_utc
        found = []
        for name, mine in zip(self.names, self._members, strict=True):
            times = np.sort(added[mine]).astype("datetime64[ms]")
            seen = dict.fromkeys(cameras[row] for row in mine.tolist())
            found.append(
                IdentitySummary(
                    name=name,
                    vectors=len(mine),
                    cameras=sorted(camera for camera in seen if camera is not None),
                    first_added=as_utc(times[0]),
                    last_added=as_utc(times[-1]),
                )
            )
        return found

    def _like(self, name: str) -> str:
        near = get_close_matches(name, self.names, n=5)
        if near:
            return f"did you mean {' or '.join(near)}?"
        return f"python3 run.py person gallery list --gallery {self.folder}"


def as_utc(time: np.datetime64) -> datetime:
    """A time of a row, in UTC.

    >>> as_utc(np.datetime64("2026-01-02T03:04:05.000", "ms")).isoformat()
    '2026-01-02T03:04:05+00:00'
    """
    return datetime.fromtimestamp(int(time.astype("datetime64[ms]").astype(np.int64)) / 1000, UTC)


def _read_all(folder: Path, head: Head) -> Rows:
    """The rows of all files.

    Raises:
        InputError: A file is missing or damaged.
    """
    parts = [read_rows(folder / FOLDER, segment, head.model) for segment in head.segments]
    count = sum(map(len, parts))
    vectors = np.empty((count, head.model.width), np.float32)
    added = np.empty(count, "datetime64[ms]")
    done = 0
    for part in parts:
        vectors[done : done + len(part)] = part.embeddings.vectors
        added[done : done + len(part)] = part.added_utc
        done += len(part)
    columns = (
        tuple(chain.from_iterable(getattr(part.embeddings.crops, column.name) for part in parts))
        for column in fields(Crops)
    )
    model = head.model
    return Rows(Embeddings(Crops(*columns), vectors, model.name, model.sha256), added)
