"""Weights out of a bundle into the models folder: what ``run.py weights import`` does.

All of a bundle is checked before anything of it has its final name, and whatever ends an import
in between takes back what was moved. After a kill, the next import puts back what was set aside.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from everyid.errors import ConfigError, HubError, OutputError, OutputExistsError, WeightsError
from everyid.hub_store import RECORD_ENDING, HubRecord, file_place, read_record
from everyid.models import Model
from everyid.output import progress
from everyid.settings import settings
from everyid.store import claimed, sha256_of, storing
from everyid.weights_bundle import Bundle, open_bundle
from everyid.weights_catalogue import find, official_name
from everyid.weights_manifest import (
    PackedFile,
    PackedWeights,
    contradiction,
    first_problem,
    made_by,
    say_licence,
)

__all__ = ["ImportReport", "ImportedWeights", "import_bundle"]

_LOCK, _STAGING = "weights out of a bundle", ".bundle"
"""In the models folder; neither can be the name of a file in a bundle."""
_RECORD_BYTES = 1 << 20
_SAME_VERSION = "use the same version of EveryID on both machines, or leave it out of the bundle"


class ImportedWeights(Model):
    """Some weights of a bundle, which are here now."""

    name: str
    licence: str
    model: str = Field(description="what --model takes: the name, or the path of a plain file")
    path: Path = Field(description="of the file that is opened")
    card: Path | None
    state: Literal["imported", "there already"]


class ImportReport(Model):
    """What ``weights import --json`` prints."""

    bundle: Path
    made_by: str
    folder: Path
    weights: list[ImportedWeights]


def import_bundle(path: Path, *, overwrite: bool) -> ImportReport:
    """What is here after importing a bundle: all of it, or an error and nothing of it.

    Args:
        path: What ``weights pack`` made.
        overwrite: Replace other files of the same names in the models folder.

    Raises:
        InputError: The bundle is missing or cannot be read.
        OutputExistsError: Another file of such a name is there, and ``overwrite`` is False.
        OutputError: The models folder cannot be written to, or has not enough space.
        WeightsError: It is no bundle, damaged, incomplete, of a newer format, or has weights that
            no command here would find, or that differ from those of the catalogue.
    """
    folder = settings().models_folder
    with open_bundle(path) as bundle:
        told = {
            record.record_path
            for record in (_checked(one, bundle) for one in bundle.manifest.weights)
            if record is not None and _told_already(record)
        }
        files = [item for item in bundle.manifest.files if folder / item.file not in told]
        with claimed(folder / _LOCK), _staging(folder) as staging:
            absent = _absent(folder, files, overwrite=overwrite)
            _refuse_full(folder, sum(item.size_bytes for item in absent))
            _unpack(bundle, staging, absent)
            with _claimed(folder, absent):
                # A download may have brought some in the meantime.
                _move_in(staging, folder, _absent(folder, absent, overwrite=overwrite))
        for one in bundle.manifest.weights:
            say_licence(one)
        moved = {item.file for item in absent}
        return ImportReport(
            bundle=path,
            made_by=bundle.manifest.made_by,
            folder=folder,
            weights=[_imported(one, folder, moved) for one in bundle.manifest.weights],
        )


def _checked(one: PackedWeights, bundle: Bundle) -> HubRecord | None:
    """The record of weights from a hub; None: of others. All will be found by their name later.

    Raises:
        InputError: The bundle cannot be read.
        WeightsError: They would not be found, or not be taken.
    """
    problem = _problem(one)
    if problem is not None:
        raise _unusable(one, bundle, problem)
    return _hub_record(one, bundle) if one.origin == "hub" else None


def _unusable(one: PackedWeights, bundle: Bundle, problem: str) -> WeightsError:
    """The error for weights that are not taken."""
    return WeightsError(
        f"{bundle.path}, made by {bundle.manifest.made_by}: {one.name}: {problem}",
        hint=_SAME_VERSION,
    )


def _problem(one: PackedWeights) -> str | None:
    """Why no command of this version would find weights by their name and take them, or None."""
    entry = find(one.name)
    files = [item.file for item in one.files]
    if one.origin == "catalogue" and (entry is None or entry.name != one.name):
        return f"no command of {made_by()} would find it by its name"
    if one.origin == "official" and not official_name(one.name):
        return f"{made_by()} knows no official model of that name"
    lacking = [item.file for item in entry.files if item.file not in files] if entry else []
    if one.origin == "catalogue" and lacking:
        return f"expected {', '.join(lacking)} with it"
    expected = [files[0] + RECORD_ENDING] if one.origin == "hub" else []
    found = [file for file in files if file.lower().endswith(RECORD_ENDING)]
    if found != expected:
        wanted, held = (", ".join(names) or "none" for names in (expected, found))
        return f"expected as record of a download {wanted}, found {held}"
    return contradiction(one)


def _hub_record(one: PackedWeights, bundle: Bundle) -> HubRecord:
    """What is recorded of weights from a hub, once it is known to tell of them.

    Raises:
        InputError: The bundle cannot be read.
        WeightsError: It is damaged, leads elsewhere, or tells of other files.
    """
    item = next(item for item in one.files if item.file.endswith(RECORD_ENDING))
    try:
        text = b"".join(bundle.read(item)) if item.size_bytes <= _RECORD_BYTES else b""
        record = HubRecord.model_validate_json(text)
        for file in record.files:
            file_place(record.repository, file.file)
    except ValidationError as error:
        raise _unusable(one, bundle, f"{item.file}: {first_problem(error)}") from error
    except (ConfigError, HubError) as error:
        raise _unusable(one, bundle, f"{item.file}: {error}") from error
    folder = settings().models_folder
    held = {folder / packed.file: (packed.sha256, packed.size_bytes) for packed in one.files}
    same = all(held.get(at) == (one.sha256, one.size_bytes) for at, one in record.needed.items())
    if not same or one.name != record.names[-1] or folder / item.file != record.record_path:
        raise _unusable(one, bundle, f"{item.file} tells of other files than are with it")
    return record


def _told_already(record: HubRecord) -> bool:
    """Whether the record that is here differs at most in when and how it was downloaded."""
    here = read_record(record.path)
    return here is not None and here.describes_the_same(record)


@contextmanager
def _claimed(folder: Path, files: Sequence[PackedFile]) -> Iterator[None]:
    """Holds the right to write these files, against downloads."""
    with ExitStack() as stack:
        for name in sorted(item.file for item in files):
            stack.enter_context(claimed(folder / name))
        yield


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder for files on their way, once what a killed import left in it is put back."""
    staging = folder / _STAGING
    old = staging / "old"
    with storing(staging):
        for left in old.rglob("*"):
            place = folder / left.relative_to(old)
            if not left.is_dir() and not os.path.lexists(place):
                left.rename(place)
        _remove(staging)
        staging.mkdir()
    try:
        yield staging
    finally:
        with storing(staging):
            _remove(staging)


def _remove(staging: Path) -> None:
    if os.path.lexists(staging):
        shutil.rmtree(staging)


def _absent(folder: Path, files: Sequence[PackedFile], *, overwrite: bool) -> list[PackedFile]:
    """The files that are not there as they should be.

    Raises:
        InputError: One is there and cannot be read.
        OutputError: A folder has the name of one, or the way to one leads out of the models folder.
        OutputExistsError: Others of their names are there, and ``overwrite`` is False.
    """
    absent, others = [], []
    for item in files:
        path = folder / item.file
        if path.is_dir():
            raise OutputError(f"{path}: expected a file or nothing, found a folder")
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise OutputError(f"{path} leads out of {folder}, through a link")
        if path.is_file() and sha256_of(path) == item.sha256:
            continue
        absent.append(item)
        if os.path.lexists(path):
            others.append(str(path))
    if others and not overwrite:
        raise OutputExistsError(
            f"there already, and not what the bundle holds: {', '.join(others)}",
            hint="add --overwrite to replace them, or set EVERYID_MODELS to another folder",
        )
    return absent


def _refuse_full(folder: Path, needed_bytes: int) -> None:
    """Checks that there is enough space.

    Raises:
        OutputError: There is not.
    """
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise OutputError(
            f"no space left on the disk of {folder}: {needed_bytes:,} bytes needed, "
            f"{free_bytes:,} free",
            hint="make space, or set EVERYID_MODELS to a folder on another disk",
        )


def _unpack(bundle: Bundle, staging: Path, wanted: Sequence[PackedFile]) -> None:
    """Checks every file of a bundle, and unpacks those wanted.

    Raises:
        InputError: The bundle cannot be read.
        OutputError: A file cannot be written.
        WeightsError: A file is damaged.
    """
    with progress("importing", bundle.manifest.total_bytes, as_bytes=True) as advance:
        for item in bundle.manifest.files:
            path = _under(staging / "new", item) if item in wanted else Path(os.devnull)
            with storing(staging), path.open("wb") as file:
                for piece in bundle.read(item):
                    file.write(piece)
                    advance(len(piece))


def _under(folder: Path, item: PackedFile) -> Path:
    """Where a file goes below a folder of the staging, which is made when missing."""
    path = folder / item.file
    with storing(folder.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _move_in(staging: Path, folder: Path, files: Sequence[PackedFile]) -> None:
    """Gives unpacked files their final names: all of them, or none."""
    steps = [
        (_under(staging / "new", item), _under(staging / "old", item), folder / item.file)
        for item in files
    ]
    try:
        with storing(staging):
            for new, old, target in steps:
                if os.path.lexists(target):
                    target.rename(old)
                new.rename(target)
    except BaseException:
        # What was moved is seen by where it is: Ctrl-C may come between any two steps.
        for new, old, target in steps:
            if not new.exists():
                target.unlink(missing_ok=True)
            if os.path.lexists(old):
                old.rename(target)
        raise


def _imported(one: PackedWeights, folder: Path, moved: set[str]) -> ImportedWeights:
    """What became of some weights."""
    path = folder / one.files[0].file
    new = any(item.file in moved for item in one.files)
    return ImportedWeights(
        name=one.name,
        licence=one.licence,
        model=str(path) if one.origin == "file" else one.name,
        path=path,
        card=folder / one.card if one.card else None,
        state="imported" if new else "there already",
    )
