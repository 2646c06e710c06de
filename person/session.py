"""What every command sets up first: which crops, which network, and their embeddings."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from everyid.device import Device, choose
from everyid.errors import InputError
from everyid.models import EncoderSummary
from everyid.output import Stop, notice, progress, readable, warn
from everyid.settings import PROJECT_FOLDER, settings
from person.config import EncodingConfig
from person.crops import Crops, find_crops
from person.embed import embed_crops
from person.embeddings import Embeddings, read_embeddings, same_space
from person.encoder import EncoderOptions, NetworkEncoder, build_encoder, describe_input

__all__ = [
    "Session",
    "Sides",
    "default_source",
    "is_embeddings",
    "shown",
    "sides_of",
]

_SPLITS = (
    ("query", "bounding_box_test"),
    ("query", "gallery"),
    ("probe", "gallery"),
)
"""Folders of a data set that are queries and gallery."""
_TOLD = 20
"""Skipped files that a warning names, each time crops are embedded."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: queries with a gallery, or one set with itself (no gallery)."""

    query: tuple[Path, ...]
    gallery: tuple[Path, ...] | None

    @property
    def name(self) -> str:
        """What the data is called, for the protocol line."""
        if self.gallery is None:
            return shown(self.query)
        parents = {path.resolve().parent for path in (*self.query, *self.gallery)}
        if len(parents) == 1:
            return parents.pop().name
        return f"{shown(self.query)} in {shown(self.gallery)}"


def shown(paths: Sequence[Path]) -> str:
    """Some sources as a short name."""
    first = paths[0].resolve().name
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def default_source() -> Path:
    """The crops that commands use when none are named.

    Raises:
        InputError: There are none; the hint names both ways to have some.
    """
    own = settings().tmp / "datasets" / "people"
    fixture = PROJECT_FOLDER / "tests" / "data" / "people"
    for folder in (own, fixture):
        if folder.is_dir():
            return folder
    raise InputError(
        f"no crops of people: {own} does not exist",
        hint="put crops there, a folder for each person, or name some with --source; "
        "`python3 run.py object tracking --source VIDEO --save crops` cuts them from a video",
    )


def sides_of(sources: tuple[Path, ...], query: Path | None, gallery: Path | None) -> Sides:
    """What a command compares, by what was asked for.

    One folder with ``query`` and ``bounding_box_test`` (or ``gallery``) in it is taken apart.

    Raises:
        InputError: Nothing was named and there is no default.
    """
    if query is not None and gallery is not None:
        return Sides((query,), (gallery,))
    sources = sources or (default_source(),)
    if len(sources) == 1:
        for asked, there in _SPLITS:
            left, right = sources[0] / asked, sources[0] / there
            if left.is_dir() and right.is_dir():
                notice(f"{sources[0]}: {asked} are the queries, {there} is the gallery")
                return Sides((left,), (right,))
    return Sides(sources, None)


def is_embeddings(path: Path) -> bool:
    """Whether a file holds embeddings, not crops or a list of them.

    Raises:
        InputError: A Parquet file that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return True
    if suffix != ".parquet" or not readable(path).is_file():
        return False
    try:
        return "vector" in pyarrow.parquet.read_schema(path).names
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InputError(f"{path}: not a Parquet file that can be read: {error}") from error


def _in_order(crops: Crops, parts: list[Embeddings]) -> Embeddings:
    """The embeddings of those crops that have one, in the order of the crops."""
    there: dict[str, NDArray[np.float32]] = {}
    for part in parts:
        there |= dict(zip(part.crops.paths, part.vectors, strict=True))
    rows = [row for row, path in enumerate(crops.paths) if path in there]
    vectors = np.stack([there[crops.paths[row]] for row in rows])
    chosen = crops.select(np.array(rows, np.intp))
    return Embeddings(chosen, vectors, parts[0].model, parts[0].model_sha256)


@dataclass
class Session:
    """A command's device and network, and what could not be read.

    Args:
        config: What the user asked for.
        stop: Set by Ctrl-C.
        skipped: File -> why it could not be used.
        elapsed_s: Seconds of embedding, the network's start left out.
    """

    config: EncodingConfig
    stop: Stop
    skipped: dict[str, str] = field(default_factory=dict)
    elapsed_s: float = 0.0

    @cached_property
    def device(self) -> Device:
        """The chosen device."""
        return choose(self.config.device, precision=self.config.precision or "auto")

    @cached_property
    def encoder(self) -> NetworkEncoder:
        """The network, opened when it is first needed."""
        config = self.config
        options = EncoderOptions(
            batch_size=config.batch_size,
            precision=config.precision,
            size_hw=config.size_hw,
            colour=config.colour,
            scale=config.scale,
            mean=config.mean,
            std=config.std,
            resize=config.resize,
        )
        encoder = build_encoder(config.model, device=self.device, options=options)
        notice(f"{encoder.name} on {self.device}")
        return encoder

    @property
    def code(self) -> str:
        """Stands for the network, what it is fed, and its precision: 8 hex digits."""
        encoder, precision = self.encoder, self.config.precision or self.device.precision
        text = f"{encoder.sha256} {describe_input(encoder.input)} {precision}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def summary(self, found: Embeddings) -> EncoderSummary:
        """The network behind embeddings; with what it is fed when it ran here."""
        ran = "encoder" in vars(self)
        return found.summary(describe_input(self.encoder.input) if ran else None)

    def embed(self, crops: Crops, done: Embeddings | None = None) -> Embeddings:
        """The embeddings of crops.

        Args:
            crops: At least one.
            done: Some of them from an earlier run of the same ``code``; they are not made again.

        Raises:
            EveryIDError: The network, or all of the crops, cannot be used.
            KeyboardInterrupt: Ctrl-C came before the first crop was embedded.
        """
        if done is None:
            return self._embedded(crops, "crops")
        there = {path: row for row, path in enumerate(done.crops.paths)}
        new = [row for row, path in enumerate(crops.paths) if path not in there]
        notice(f"{len(crops) - len(new):,} of {len(crops):,} crops were embedded before")
        parts = [done]
        if new:
            parts.append(self._embedded(crops.select(np.array(new, np.intp)), "crops"))
        return _in_order(crops, parts)

    def both(self, sides: Sides) -> tuple[Embeddings, Embeddings | None]:
        """The embeddings of queries and gallery; None for a set that is its own gallery.

        Each is embedded from crops, or read when it is one file of embeddings.

        Raises:
            EveryIDError: The network, or all crops of a side, cannot be used; a file of embeddings
                is not alone; or the two sides are of different models.
            KeyboardInterrupt: Ctrl-C came before the first crop of a side was embedded.
        """
        query = self._found(sides.query)
        if sides.gallery is None:
            return self._embedded(query, "crops"), None
        gallery = self._found(sides.gallery)  # what is missing is missed before the long work
        left, right = self._embedded(query, "queries"), self._embedded(gallery, "gallery")
        same_space(left, right)
        return left, right

    def crops(self, paths: tuple[Path, ...]) -> Crops:
        """The crops that files, folders and lists stand for, with their labels.

        Raises:
            InputError: There are none, or a source cannot be read.
            ConfigError: A pattern is wrong, or fits no crop.
        """
        config = self.config
        return find_crops(paths, id_pattern=config.id_pattern, camera_pattern=config.camera_pattern)

    def _found(self, paths: tuple[Path, ...]) -> Crops | Embeddings:
        files = [path for path in paths if is_embeddings(path)]
        if not files:
            return self.crops(paths)
        if len(paths) > 1:
            raise InputError(
                f"{files[0]}: a file of embeddings, among {len(paths)} sources",
                hint="name it alone, or name the crops themselves",
            )
        return read_embeddings(files[0])

    def _embedded(self, found: Crops | Embeddings, label: str) -> Embeddings:
        if isinstance(found, Embeddings):
            return found
        encoder = self.encoder  # its notices come before the bar
        skipped: dict[str, str] = {}
        started = time.perf_counter()
        with progress(label, len(found)) as advance:
            embeddings = embed_crops(
                found, encoder, skipped=skipped, stop=self.stop, advance=advance
            )
        self.elapsed_s += time.perf_counter() - started
        self.skipped |= skipped
        for reason in list(skipped.values())[:_TOLD]:
            warn(f"skipped: {reason}")
        if len(skipped) > _TOLD:
            warn(f"skipped: {len(skipped) - _TOLD:,} more; --json lists all")
        if not len(embeddings):
            raise KeyboardInterrupt
        return embeddings
