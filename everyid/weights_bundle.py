"""Bundles: zip files that carry weights to machines where nothing can be downloaded.

A bundle holds ``manifest.json`` and, under ``weights/``, the files that it lists. The same weights
make the same bytes. Nothing is compressed, so that a bundle's size bounds what comes out of it.
Paths come from the checked manifest only: an entry that it does not list spoils the bundle.
"""

import hashlib
import json
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from everyid.errors import InputError, WeightsError
from everyid.output import progress, readable, whole_file
from everyid.weights_manifest import (
    MANIFEST_FORMAT,
    Manifest,
    ManifestHead,
    PackedFile,
    PackedWeights,
    first_problem,
    made_by,
)

__all__ = ["Bundle", "Parcel", "open_bundle", "write_bundle"]

_MANIFEST = "manifest.json"
_FOLDER = "weights/"
_MANIFEST_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_PACK_AGAIN = "copy it again, or make it again with `python3 run.py weights pack`"
_ZIP_FAULTS = (
    *(EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError),
    *(struct.error, zipfile.BadZipFile),
)
"""What zipfile raises over files that are damaged, or made to look so."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Weights to be packed.

    Args:
        weights: What the manifest says of them.
        contents: Each file's content, or where it is, in the order of ``weights.files``.
    """

    weights: PackedWeights
    contents: tuple[Path | bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An open bundle that holds what its manifest lists, by name and size, and nothing else.

    Args:
        path: The zip file.
        manifest: What it says of itself.
        archive: The same file, open.
    """

    path: Path
    manifest: Manifest
    archive: zipfile.ZipFile

    def read(self, item: PackedFile) -> Iterator[bytes]:
        """Yields the content of a file in pieces.

        Raises:
            InputError: The bundle cannot be read.
            WeightsError: The content is damaged; raised after the last piece at the latest.
        """
        digest = hashlib.sha256()
        with _reading(self.path), self.archive.open(_FOLDER + item.file) as source:
            while piece := source.read(_CHUNK_BYTES):
                digest.update(piece)
                yield piece
        if digest.hexdigest() != item.sha256:
            raise WeightsError(
                f"{self.path}: {item.file} is damaged: expected sha256 {item.sha256}, "
                f"found {digest.hexdigest()}",
                hint=_PACK_AGAIN,
            )


def write_bundle(path: Path, parcels: Sequence[Parcel], *, overwrite: bool = False) -> None:
    """Returns nothing; writes a bundle: the same bytes for the same parcels in any order.

    Args:
        path: The zip file.
        parcels: What goes in, each name once; files that several share are the same.
        overwrite: Replace an existing file.

    Raises:
        InputError: A file cannot be read, or two have one name.
        OutputExistsError: ``path`` exists and ``overwrite`` is False.
        OutputError: It cannot be written.
        WeightsError: A file changed while it was read.
    """
    parcels = sorted(parcels, key=lambda parcel: parcel.weights.name)
    try:
        manifest = Manifest(made_by=made_by(), weights=[parcel.weights for parcel in parcels])
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}", hint="rename one of them") from error
    contents = {
        item.file: content
        for parcel in parcels
        for item, content in zip(parcel.weights.files, parcel.contents, strict=True)
    }
    text = manifest.model_dump_json(indent=2) + "\n"
    with (
        whole_file(path, overwrite=overwrite) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
        progress("packing", manifest.total_bytes, as_bytes=True) as advance,
    ):
        archive.writestr(_entry(_MANIFEST, len(text)), text)
        for item in manifest.files:
            with archive.open(_entry(_FOLDER + item.file, item.size_bytes), "w") as target:
                for piece in _pieces(item, contents[item.file]):
                    target.write(piece)
                    advance(len(piece))


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Yields a bundle, once its entries are known to be those of its manifest.

    The contents are checked as they are read, see :meth:`Bundle.read`.

    Raises:
        InputError: There is no such file, or it cannot be read.
        WeightsError: It is no bundle, damaged, incomplete, holds what its manifest does not
            list, or is of a newer format.
    """
    if readable(path).is_dir():
        raise InputError(f"{path}: expected a bundle, a zip file; found a folder")
    with ExitStack() as stack:
        with _reading(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
        manifest = _read_manifest(path, archive)
        problem = _problem(archive, manifest, path.stat().st_size)
        if problem:
            raise WeightsError(f"{path}: {problem}", hint=_PACK_AGAIN)
        yield Bundle(path, manifest, archive)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what zipfile raises into one clear error."""
    try:
        yield
    except _ZIP_FAULTS as error:
        raise WeightsError(
            f"{path}: expected a whole bundle, a zip file that `weights pack` made: {error}",
            hint=_PACK_AGAIN,
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _entry(name: str, size_bytes: int) -> zipfile.ZipInfo:
    """An entry that is the same whenever and wherever it is made."""
    entry = zipfile.ZipInfo(name, date_time=_EARLIEST)
    entry.create_system = 3  # Unix, whose permissions follow
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.file_size = size_bytes  # by which zipfile sees that it needs the fields of Zip64
    return entry


def _pieces(item: PackedFile, content: Path | bytes) -> Iterator[bytes]:
    """The content of a file in pieces, checked.

    Raises:
        InputError: It cannot be read.
        WeightsError: It is not what it was when it was described.
    """
    digest = hashlib.sha256()
    try:
        with _open(content) as file:
            while piece := file.read(_CHUNK_BYTES):
                digest.update(piece)
                yield piece
    except OSError as error:
        raise InputError(f"cannot read {content!s}: {error.strerror or error}") from error
    if digest.hexdigest() != item.sha256:
        raise WeightsError(f"{content!s} changed while it was packed", hint="pack again")


def _open(content: Path | bytes) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    """What a bundle says of itself.

    Raises:
        InputError: It cannot be read.
        WeightsError: It says nothing, nothing that can be read, or is of a newer format.
    """
    entry = next((one for one in archive.infolist() if one.filename == _MANIFEST), None)
    if entry is None or entry.file_size > _MANIFEST_BYTES:
        raise WeightsError(
            f"{path}: expected a bundle, a zip file that `weights pack` made; "
            f"it has no {_MANIFEST} of at most {_MANIFEST_BYTES:,} bytes",
            hint=_PACK_AGAIN,
        )
    with _reading(path):
        text = archive.read(entry)
    try:
        head = ManifestHead.model_validate_json(text)
        if head.format > MANIFEST_FORMAT:
            raise WeightsError(
                f"{path} is of format {head.format}, made by {head.made_by}; "
                f"{made_by()} reads formats up to {MANIFEST_FORMAT}",
                hint="use the same version of EveryID on both machines",
            )
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(
            f"{path}: its {_MANIFEST} is damaged: {first_problem(error)}", hint=_PACK_AGAIN
        ) from error


def _problem(archive: zipfile.ZipFile, manifest: Manifest, bundle_bytes: int) -> str | None:
    """What is wrong with the entries of a bundle, or None."""
    sizes = {_FOLDER + item.file: item.size_bytes for item in manifest.files}
    entries = [entry for entry in archive.infolist() if entry.filename != _MANIFEST]
    counts = Counter(entry.filename for entry in archive.infolist())
    again = [name for name, count in counts.items() if count > 1]
    if again:
        return f"it holds {_shown(again[0])} more than once"
    for entry in entries:
        if entry.filename not in sizes:
            return f"it holds {_shown(entry.filename)}, which its manifest does not list"
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            return f"{entry.filename} is compressed or encrypted, as no bundle's files are"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            return f"{entry.filename} is a link or a folder; expected a file"
        expected = sizes.pop(entry.filename)
        if entry.file_size != expected:
            return f"{entry.filename}: expected {expected:,} bytes, found {entry.file_size:,}"
    if sizes:
        return f"it is incomplete: {', '.join(sorted(sizes))} missing"
    if manifest.total_bytes > bundle_bytes:
        return "its files are larger than itself"
    return None


def _shown(name: str) -> str:
    """A name from outside on one line, without what a terminal would act on."""
    return json.dumps(name)
