"""Crops of people on disk: found in folders and lists, with who, where and when."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from stat import S_ISDIR
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.media import IMAGE_SUFFIXES, list_lines, natural_order, read_image
from everyid.output import readable
from everyid.protocols import Image
from person.names import label_pattern, read_name

__all__ = [
    "LABELS",
    "Crops",
    "crops_of_table",
    "find_crops",
    "open_parquet",
    "own_rows",
    "read_columns",
    "read_crop",
    "require_column",
]

LABELS = {
    "identity": pa.string(),
    "camera": pa.string(),
    "video": pa.string(),
    "track": pa.int64(),
    "frame": pa.int64(),
    "timestamp": pa.float64(),
}
"""Columns that say something of a crop, as they stand in files after ``path``; null: not known."""

_MIN_SIDE = 4
"""Pixels below which a picture shows nobody."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Crops and what is known of them, row by row; None where a thing is not known.

    Args:
        paths: The image files, as given.
        identities: Who it is, in the words of the data.
        cameras: Which camera saw it.
        videos: The video it was cut from.
        tracks: The tracklet's number, unique with identity, camera and video.
        frames: The frame's number in the video.
        timestamps: Seconds from the start of the video.

    Raises:
        ShapeError: The columns differ in length.
    """

    paths: tuple[str, ...]
    identities: tuple[str | None, ...]
    cameras: tuple[str | None, ...]
    videos: tuple[str | None, ...]
    tracks: tuple[int | None, ...]
    frames: tuple[int | None, ...]
    timestamps: tuple[float | None, ...]

    def __post_init__(self) -> None:
        lengths = {column.name: len(getattr(self, column.name)) for column in fields(self)}
        if len(set(lengths.values())) != 1:
            raise ShapeError(f"crops: expected columns of one length, got {lengths}")

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        wanted = np.arange(len(self))[rows].tolist()
        return type(self)(
            *(tuple(map(getattr(self, column.name).__getitem__, wanted)) for column in fields(self))
        )


def find_crops(
    sources: Sequence[Path], *, id_pattern: str | None = None, camera_pattern: str | None = None
) -> Crops:
    """The crops that files, folders and lists stand for, in order, each file once.

    A folder is searched with all folders in it, in natural order (2 before 10), the files of a
    folder before its folders; what is hidden or no image by its name is left out. A ``.txt`` file
    is a list: one path a line, seen from the list's folder or else from the current one; empty
    lines and lines after # do not count. A ``.parquet`` file is a list with a column ``path`` and
    any of those in ``LABELS``, which then count instead of what the paths say.

    What paths say, see :func:`person.names.read_name`; in a list all folders of a line count.

    Args:
        sources: Image files, folders and lists.
        id_pattern: A regular expression that finds the identity in the path below a source, or
            in the line of a list; nothing else then gives an identity.
        camera_pattern: Likewise for the camera.

    Raises:
        InputError: Something is missing or unreadable, or there is no image.
        ConfigError: A pattern is none, or finds nothing in any path.
    """
    if not sources:
        raise InputError("no source given", hint="name a file or folder with --source")
    found = _Found(_pattern(id_pattern, "id"), _pattern(camera_pattern, "camera"))
    for source in sources:
        suffix = source.suffix.lower()
        if readable(source).is_dir():
            found.add_folder(source, "", _names(source.absolute()))
        elif suffix == ".txt":
            _add_lines(found, source)
        elif suffix == ".parquet":
            _add_table(found, source)
        else:
            found.add_file(source, source.name, _names(source.parent.absolute()))
    return found.crops()


def crops_of_table(table: pa.Table, path: Path) -> Crops:
    """The crops of a table with a column ``path`` and any of those in ``LABELS``.

    Numbers become text and text numbers as a column needs it; empty text and NaN are not known.

    Args:
        table: Other columns do not matter.
        path: The file it comes from, for messages.

    Raises:
        InputError: There is no column ``path``, it has gaps, or a column holds something else.
    """
    names = table.column_names
    require_column("path", names, path)
    paths = _coerced(table.column("path"), pa.string(), f"{path}: path")
    if paths.null_count:
        raise InputError(f"{path}: expected a path in each row, {paths.null_count} have none")
    unknown = (None,) * len(paths)
    labels = [
        tuple(_coerced(table.column(name), kind, f"{path}: {name}").to_pylist())
        if name in names
        else unknown
        for name, kind in LABELS.items()
    ]
    return Crops(tuple(paths.to_pylist()), *labels)


def read_crop(path: str) -> Image:
    """uint8 (H, W, 3), BGR, 0-255: the picture of a crop, large enough to show somebody.

    Args:
        path: The image file, as in :class:`Crops`.

    Raises:
        InputError: It is missing, cannot be read, or has sides of so few pixels that it shows
            nobody.
    """
    crop = read_image(Path(path))
    height, width = crop.shape[:2]
    if min(height, width) < _MIN_SIDE:
        raise InputError(f"{path}: {width}x{height} px are too few to show a person")
    return crop


def require_column(name: str, names: Sequence[str], path: Path) -> None:
    """Checks that a file has a column.

    Raises:
        InputError: It is not there, or there several times.
    """
    if names.count(name) != 1:
        raise InputError(
            f"{path}: expected a column {name!r}, found {', '.join(names) or 'no columns'}"
        )


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Yields the open file; what goes wrong with its content while the block reads it is told.

    Raises:
        InputError: It is no Parquet file, or a damaged one.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a Parquet file that can be read: {reason}") from error


def read_columns(file: pq.ParquetFile, wanted: Sequence[str]) -> pa.Table:
    """Those of the wanted columns that a file has; inside of :func:`open_parquet`."""
    table = file.read(columns=[name for name in file.schema_arrow.names if name in wanted])
    table.validate(full=True)  # of text and indices, that damage would otherwise show later
    return table


def _coerced(column: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    """The column in another type; empty text and NaN become null.

    Raises:
        InputError: A value has no place in that type.
    """
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
            if not pa.types.is_floating(kind):  # whole numbers with gaps among them come as 7.0
                column = column.cast(pa.int64())
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.if_else(pc.equal(column, ""), None, column)
        return column.cast(kind)
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{where}: expected {kind} values: {reason}") from error


def _names(path: Path) -> tuple[str, ...]:
    """The names of a file or folder and of those above it, outermost first, without the root."""
    return path.parts[1:] if path.anchor else path.parts


def _wanted(name: str) -> bool:
    """Whether a folder's file of that name is taken as an image."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


@dataclass(slots=True)
class _Pattern:
    """A pattern of the user's, and whether it ever found something."""

    option: str
    find: Callable[[str], str | None]
    worked: bool = False

    def __call__(self, path: str) -> str | None:
        label = self.find(path)
        self.worked |= label is not None
        return label


def _pattern(pattern: str | None, group: Literal["id", "camera"]) -> _Pattern | None:
    if pattern is None:
        return None
    return _Pattern(f"--{group}-pattern {pattern}", label_pattern(pattern, group))


_Place = tuple[int, int]
"""Device and inode of a folder."""


class _Found:
    """Crops as they are found, and which files they are.

    A folder is known by its inode and walked once, so that only files that are links or that
    somebody named have to be looked up: of a million in folders, none.
    """

    def __init__(self, identity: _Pattern | None, camera: _Pattern | None) -> None:
        patterns = {"identity": identity, "camera": camera}
        self._patterns = {name: find for name, find in patterns.items() if find is not None}
        self._columns: dict[str, list[Any]] = {name: [] for name in ("path", *LABELS)}
        self._walked: set[_Place] = set()
        self._taken: dict[_Place, set[str]] = {}
        self._places: dict[str, _Place] = {}
        self._example = ""

    def add_folder(self, folder: Path, below: str, above: tuple[str, ...]) -> None:
        """Adds the images of a folder and of those in it.

        Args:
            folder: Its path.
            below: Goes before the names of what is in it for ``read_name``: "" or "people/".
            above: For ``read_name``.

        Raises:
            InputError: It cannot be listed, or holds no image.
        """
        some = False
        mine: set[_Place] = set()  # coming back to one of these, by a link, finds nothing new
        waiting = [(str(folder / "-")[:-1], below)]  # with the separator; "" for "."
        while waiting:
            prefix, below = waiting.pop()
            place = _place(prefix)
            if place in self._walked:
                some |= place not in mine
                continue
            self._walked.add(place)
            mine.add(place)
            images, folders, links = _list(prefix)
            some |= bool(images)
            taken = self._taken.get(place, set())
            for name in images:
                if name not in taken and (name not in links or self._claim(Path(prefix, name))):
                    self._add(prefix + name, below + name, above)
            waiting += [(f"{prefix}{name}{os.sep}", f"{below}{name}/") for name in folders[::-1]]
        if not some:
            raise InputError(f"{folder}: expected images in this folder or below, found none")

    def add_file(self, path: Path, below: str, above: tuple[str, ...]) -> bool:
        """Adds a file; False: it is there already."""
        new = self._claim(path)
        if new:
            self._add(str(path), below, above)
        return new

    def replace(self, name: str, values: Sequence[Any]) -> None:
        """Sets a label of the last rows, unless the user gave a pattern for it."""
        column = self._columns[name]
        if name not in self._patterns:
            column[len(column) - len(values) :] = values

    def crops(self) -> Crops:
        """All that was found.

        Raises:
            ConfigError: A pattern never found anything.
        """
        for pattern in self._patterns.values():
            if not pattern.worked:
                raise ConfigError(
                    f"{pattern.option}: found nothing in any of the paths",
                    hint=f"it is searched for in paths such as {self._example}",
                )
        return Crops(*map(tuple, self._columns.values()))

    def _add(self, path: str, below: str, above: tuple[str, ...]) -> None:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{path!a}: the name is not valid UTF-8", hint="rename the file"
            ) from error
        labels = dict(zip(LABELS, (*read_name(below, above=above), None), strict=True))
        for name, find in self._patterns.items():
            labels[name] = find(below)
        self._columns["path"].append(path)
        for name, label in labels.items():
            self._columns[name].append(label)
        self._example = self._example or below

    def _claim(self, path: Path) -> bool:
        """Whether a file is met for the first time."""
        if path.is_symlink():
            path = path.resolve()
        folder, name = str(path.parent), path.name
        if folder not in self._places:
            self._places[folder] = _place(folder)
        place = self._places[folder]
        taken = self._taken.setdefault(place, set())
        if name in taken or (place in self._walked and _wanted(name)):
            return False
        taken.add(name)
        return True


def _place(folder: str) -> _Place:
    try:
        status = Path(folder).stat()
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    return status.st_dev, status.st_ino


def _list(folder: str) -> tuple[list[str], list[str], set[str]]:
    """The images of a folder and the folders in it, naturally ordered; which images are links."""
    images: list[str] = []
    folders: list[str] = []
    links: set[str] = set()
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                with suppress(OSError):  # a link that leads in a circle is neither
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif _wanted(entry.name) and entry.is_file():
                        images.append(entry.name)
                        if entry.is_symlink():
                            links.add(entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from error
    return sorted(images, key=natural_order), sorted(folders, key=natural_order), links


class _Entry(NamedTuple):
    """Where a line of a list leads.

    Args:
        path: As it can be opened from here.
        below: The line with "/" between its folders, for ``read_name``.
        above: The names of the folders that the line is seen from.
        is_folder: Whether it is one.
    """

    path: Path
    below: str
    above: tuple[str, ...]
    is_folder: bool


class _Lookup:
    """Finds what the lines of a list name, seen from its folder or else from the current one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        folders = dict.fromkeys((path.parent, Path()))
        self._folders = [(folder, _names(folder.absolute())) for folder in folders]

    def __call__(self, text: str, where: str) -> _Entry:
        """What a line names.

        Raises:
            InputError: There is no such thing.
        """
        line = Path(text)
        for folder, above in self._folders:
            path = folder / line
            with suppress(OSError, ValueError):  # a ValueError for a zero byte in it
                is_folder = S_ISDIR(path.stat().st_mode)
                absolute = line.is_absolute()
                return _Entry(path, "/".join(_names(line)), () if absolute else above, is_folder)
        raise InputError(f"{text}: no such file or folder", hint=f"see {self._path}, {where}")


def _add_lines(found: _Found, path: Path) -> None:
    """Adds what the lines of a list name."""
    find = _Lookup(path)
    for number, line in list_lines(path):
        entry = find(line, f"line {number}")
        if entry.is_folder:
            below = f"{entry.below}/" if entry.below else ""
            found.add_folder(entry.path, below, entry.above)
        else:
            found.add_file(entry.path, entry.below, entry.above)


def _add_table(found: _Found, path: Path) -> None:
    """Adds the rows of a Parquet list."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        require_column("path", names, path)
        listed = crops_of_table(read_columns(file, ("path", *LABELS)), path)
    if not len(listed):
        raise InputError(f"{path}: expected a list of paths, found none")
    find, new = _Lookup(path), []
    for row, line in enumerate(listed.paths):
        entry = find(line, f"row {row + 1}")
        if entry.is_folder:
            raise InputError(f"{entry.path}: expected an image file, found a folder")
        if found.add_file(entry.path, entry.below, entry.above):
            new.append(row)
    kept = listed.select(np.array(new, np.intp))
    for name, column in zip(LABELS, fields(kept)[1:], strict=True):
        if name in names:
            found.replace(name, getattr(kept, column.name))


def own_rows(query: Crops, gallery: Crops) -> NDArray[np.int64] | None:
    """int64 (Q,), the gallery row that is the query's own file, or -1; None: all are -1."""
    names = {Path(path).name for path in query.paths}
    places = {
        Path(path).resolve(): row  # slow, so only where the name is that of a query
        for row, path in enumerate(gallery.paths)
        if Path(path).name in names
    }
    if not places:
        return None
    own = np.array([places.get(Path(path).resolve(), -1) for path in query.paths], np.int64)
    return own if (own >= 0).any() else None
