"""Crops to train on: rows of several data sets, each with its own people and cameras."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError, ShapeError
from everyid.output import counted, notice, readable
from person.crops import Crops, find_crops
from person.protocol import PROTOCOLS
from person.session import Sides, sides_of

__all__ = [
    "Split",
    "TrainingSet",
    "counts_people_anew",
    "distinct",
    "read_splits",
    "read_training_set",
    "validation_sides",
]

Split = Literal["train", "query", "gallery"]
"""A part of a data set."""

_TRAINING_PARTS = (
    *("bounding_box_train", "bbox_train", "train", "mask_train_v2"),
    *("MSMT17_V1/train", "MSMT17_V2/mask_train_v2"),
)
"""Folders of data sets that are meant for training: Market-1501 and Duke, MARS, MSMT17, own."""
_CUHK03 = ("images_labeled", "train_labeled.txt")
"""A folder that tells CUHK03, and the list of the pictures in it that are meant for training."""
_TEST_LISTS = (("query.txt", "gallery.txt"), ("query_labeled.txt", "gallery_labeled.txt"))
"""Lists that stand for queries and gallery where these share a folder."""

_JUNK = frozenset[str | None]().union(*(rules.junk for rules in PROTOCOLS.values()))
_DISTRACTORS = frozenset({"0000", "0"})  # in a list of numbers it is a 0
_DISTRACTOR_FILE = re.compile(r"0000(?:_c\d+s\d+_\d+|C\d+T\d+F\d+)", re.ASCII)
"""Only Market-1501 and MARS call people who match nobody 0000; in MSMT17 that is a person."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Crops with who and which camera as numbers; people of two sources are never the same.

    Args:
        paths: The N image files.
        identities: int64 (N,), rows of ``identity_names``, or -1: unlabelled.
        cameras: int64 (N,), rows of ``camera_names``, or -1: not known.
        sources: int64 (N,), rows of ``source_names``.
        identity_names: "SOURCE/IDENTITY" of each, in the order they were met.
        camera_names: "SOURCE/CAMERA" of each.
        source_names: The end of each source's path, as long as it takes to tell them apart.

    Raises:
        ShapeError: A column is not int64 or not as long as ``paths``.
    """

    paths: tuple[str, ...]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    sources: NDArray[np.int64]
    identity_names: tuple[str, ...]
    camera_names: tuple[str, ...]
    source_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("identities", "cameras", "sources"):
            column = getattr(self, name)
            if column.shape != (len(self.paths),) or column.dtype != np.int64:
                raise ShapeError(
                    f"{name}: expected int64 ({len(self.paths)},), got {column.dtype} "
                    f"{column.shape}"
                )

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The same container with only the chosen rows; numbers and names stay as they are.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        wanted = np.arange(len(self))[rows]
        return replace(
            self,
            paths=tuple(map(self.paths.__getitem__, wanted.tolist())),
            identities=self.identities[wanted],
            cameras=self.cameras[wanted],
            sources=self.sources[wanted],
        )

    @property
    def identity_count(self) -> int:
        """I: all numbers in ``identities`` are below it."""
        return len(self.identity_names)

    @property
    def camera_count(self) -> int:
        """C: all numbers in ``cameras`` are below it."""
        return len(self.camera_names)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """int64 (L,), the rows whose identity is known, rising."""
        return np.flatnonzero(self.identities >= 0).astype(np.int64)

    @property
    def unlabelled(self) -> NDArray[np.int64]:
        """int64 (U,), the other rows, rising."""
        return np.flatnonzero(self.identities < 0).astype(np.int64)


def read_training_set(
    sources: Sequence[Path],
    *,
    unlabelled: Sequence[Path] = (),
    id_pattern: str | None = None,
    camera_pattern: str | None = None,
) -> TrainingSet:
    """The crops of the sources that are meant for training, in order, each file once.

    Of a folder that is a data set, only its training part is read: ``bounding_box_train``,
    ``bbox_train``, ``train``, ``MSMT17_V1/train`` or, of CUHK03, ``train_labeled.txt``. Of another
    folder all images below are read. Junk (-1) is left out; distractors (0000 in file names of
    Market-1501 and MARS) and crops without identity are unlabelled.

    Args:
        sources: Folders, images, ``.txt`` and ``.parquet`` lists as in
            :func:`person.crops.find_crops`.
        unlabelled: More of these, whose identities do not count, whatever they are called.
        id_pattern: Finds the identity in paths; it has to fit each of ``sources``.
        camera_pattern: Finds the camera in paths; it has to fit each source.

    Raises:
        InputError: No source is given, one is missing or unreadable, or one holds no image.
        ConfigError: A pattern is none, or finds nothing in any path of a source.
    """
    folders = distinct([*sources, *unlabelled])
    if not folders:
        raise InputError("no data given", hint="name a folder or list with --data")
    with_labels = len(distinct(sources))
    parts = []
    for number, folder in enumerate(folders):
        part = _training_part(folder)
        if part != folder:
            below = part.relative_to(folder).as_posix()
            notice(f"{folder}: {below} is the part to train on")
        parts.append(_Part(number, (part,), number < with_labels))
    found = _Rows(_short_names(folders))
    for part_read in parts:
        taken = found.add(part_read, id_pattern, camera_pattern)
        _tell(folders[part_read.source], taken, labelled=part_read.labelled)
    return found.training_set()


def read_splits(
    sources: Sequence[Path], *, id_pattern: str | None = None, camera_pattern: str | None = None
) -> dict[Split, TrainingSet]:
    """The sources' training parts, and their queries and galleries where they have such.

    Names of people and cameras are those of :func:`read_training_set` in each; numbers are not.

    Args:
        sources: As in :func:`read_training_set`.
        id_pattern: Likewise.
        camera_pattern: Likewise.

    Raises:
        InputError: As in :func:`read_training_set`.
        ConfigError: Likewise.
    """
    splits: dict[Split, TrainingSet] = {
        "train": read_training_set(sources, id_pattern=id_pattern, camera_pattern=camera_pattern)
    }
    folders = distinct(sources)
    sides = [validation_sides(folder) for folder in folders]
    if any(sides):
        query, gallery = _Rows(_short_names(folders)), _Rows(_short_names(folders))
        for number, side in enumerate(sides):
            if side is not None:
                for rows, paths in ((query, side.query), (gallery, side.gallery or ())):
                    rows.add(_Part(number, paths, True), id_pattern, camera_pattern)
        splits |= {"query": query.training_set(), "gallery": gallery.training_set()}
    return splits


def validation_sides(source: Path) -> Sides | None:
    """The queries and the gallery of a data set's folder; None where it has none.

    They are folders as in :func:`person.session.sides_of`, or lists called ``query.txt`` and
    ``gallery.txt`` (of CUHK03 ``query_labeled.txt`` and ``gallery_labeled.txt``).

    Raises:
        InputError: The source is missing or may not be read.
    """
    if not readable(source).is_dir():
        return None
    sides = sides_of((source,), None, None)
    if sides.gallery is not None:
        return sides
    for asked, there in _TEST_LISTS:
        query, gallery = source / asked, source / there
        if query.is_file() and gallery.is_file():
            notice(f"{source}: {asked} are the queries, {there} is the gallery")
            return Sides((query,), (gallery,))
    return None


def counts_people_anew(source: Path) -> bool:
    """Whether a folder is MSMT17, whose parts give one number to different people."""
    return (_training_part(source).parent / "list_train.txt").is_file()


def distinct(sources: Iterable[Path]) -> list[Path]:
    """The sources as given, each once, by where they lead."""
    found: dict[Path, Path] = {}
    for source in sources:
        found.setdefault(source.resolve(), source)
    return list(found.values())


def _training_part(source: Path) -> Path:
    """What of a source is meant for training: a folder or list in it, or all of it."""
    if not readable(source).is_dir():
        return source
    for name in _TRAINING_PARTS:
        if (source / name).is_dir():
            return source / name
    pictures, listed = _CUHK03
    if (source / pictures).is_dir() and (source / listed).is_file():
        return source / listed
    return source


def _short_names(sources: Sequence[Path]) -> tuple[str, ...]:
    """The shortest end of each path that no other path has.

    >>> _short_names([Path("/data/hall/crops"), Path("/data/yard/crops"), Path("/data/market")])
    ('hall/crops', 'yard/crops', 'market')
    """
    parts = [source.resolve().parts for source in sources]

    def name(mine: tuple[str, ...]) -> str:
        size = 1
        while sum(other[-size:] == mine[-size:] for other in parts) > 1:
            size += 1
        return Path(*mine[-size:]).as_posix()

    return tuple(map(name, parts))


class _Part(NamedTuple):
    """What is read of a source.

    Args:
        source: The source's number.
        paths: Folders and lists.
        labelled: Whether identities count.
    """

    source: int
    paths: tuple[Path, ...]
    labelled: bool


class _Rows:
    """The rows of a training set as they are found."""

    def __init__(self, source_names: tuple[str, ...]) -> None:
        self._source_names = source_names
        self._paths: list[str] = []
        self._identities: list[int] = []
        self._cameras: list[int] = []
        self._sources: list[int] = []
        self._identity_numbers: dict[tuple[int, str], int] = {}
        self._camera_numbers: dict[tuple[int, str], int] = {}
        self._files: set[tuple[int, int]] = set()

    def add(self, part: _Part, id_pattern: str | None, camera_pattern: str | None) -> Counter[str]:
        """Adds what is new in a part; what became of its crops, by kind.

        Raises:
            InputError: There is no image, or something cannot be read.
            ConfigError: A pattern cannot be used.
        """
        crops = find_crops(
            part.paths,
            id_pattern=id_pattern if part.labelled else None,
            camera_pattern=camera_pattern,
        )
        again = self._known(crops)
        kinds: Counter[str] = Counter()
        for row, (path, identity) in enumerate(zip(crops.paths, crops.identities, strict=True)):
            kind = "again" if row in again else _kind(path, identity)
            kinds[kind] += 1
            if kind not in {"again", "junk"}:
                known = identity if kind == "person" and part.labelled else None
                self._paths.append(path)
                self._sources.append(part.source)
                self._identities.append(_number(self._identity_numbers, part.source, known))
                camera = crops.cameras[row]
                self._cameras.append(_number(self._camera_numbers, part.source, camera))
        return kinds

    def training_set(self) -> TrainingSet:
        """All that was added."""

        def names(numbers: dict[tuple[int, str], int]) -> tuple[str, ...]:
            return tuple(f"{self._source_names[source]}/{name}" for source, name in numbers)

        return TrainingSet(
            paths=tuple(self._paths),
            identities=np.array(self._identities, np.int64),
            cameras=np.array(self._cameras, np.int64),
            sources=np.array(self._sources, np.int64),
            identity_names=names(self._identity_numbers),
            camera_names=names(self._camera_numbers),
            source_names=self._source_names,
        )

    def _known(self, crops: Crops) -> set[int]:
        """The rows whose files are there already, from another source."""
        if len(self._source_names) == 1:
            return set()  # nothing to compare with, and a million files to look up
        files = {}
        for row, path in enumerate(crops.paths):
            with suppress(OSError):  # whoever opens it will say so
                status = Path(path).stat()
                files[row] = status.st_dev, status.st_ino
        known = {row for row, file in files.items() if file in self._files}
        self._files.update(files.values())
        return known


def _kind(path: str, identity: str | None) -> Literal["person", "junk", "distractor", "nobody"]:
    """What a crop shows, by its identity."""
    if identity is None:
        return "nobody"
    if identity in _JUNK:
        return "junk"
    if identity in _DISTRACTORS and _DISTRACTOR_FILE.match(Path(path).name):
        return "distractor"
    return "person"


def _number(numbers: dict[tuple[int, str], int], source: int, name: str | None) -> int:
    return -1 if name is None else numbers.setdefault((source, name), len(numbers))


def _tell(source: Path, kinds: Counter[str], *, labelled: bool) -> None:
    """Says which crops of a source are not used, or not as people."""
    crops = kinds.total()
    said = [
        (kinds["again"], "in another source as well, counted once"),
        (kinds["junk"], "left out: junk"),
    ]
    if labelled:
        said += [
            (kinds["distractor"], "taken as unlabelled: distractors"),
            (kinds["nobody"], "taken as unlabelled: no identity"),
        ]
    for count, words in said:
        if count:
            notice(f"{source}: {count:,} of {counted(crops, 'crop')} {words}")
