"""The way from a name of the catalogue to a checked local file.

``fetch`` looks into the models folder first and then tries the sources of the catalogue in their
order: an official release, a model hub, for some the package index. Weights that ship with the
project are used where they lie. A further set of names, those of Ultralytics' own releases, can be
fetched without a known sha256 (``fetch_unpinned``): the first download is recorded beside the
file, and a later change is refused.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from everyid.download import discard_part, download
from everyid.errors import InputError, WeightsError
from everyid.models import Model
from everyid.output import notice, warn, whole_file
from everyid.package_index import download_member
from everyid.settings import PROJECT_FOLDER, settings
from everyid.store import claimed, sha256_of, storing
from everyid.weights_catalogue import (
    SHA256_PATTERN,
    BundledSource,
    Figure,
    InputSpec,
    PackageSource,
    UrlSource,
    WeightsEntry,
    WeightsFile,
    entries,
    find,
    find_sha256,
    official_name,
    unknown_name,
)

__all__ = [
    "DEFAULT_NAME",
    "BundledSource",
    "Figure",
    "InputSpec",
    "PackageSource",
    "UnpinnedRecord",
    "UrlSource",
    "VerifyResult",
    "WeightsEntry",
    "WeightsFile",
    "entries",
    "fetch",
    "fetch_unpinned",
    "find",
    "find_sha256",
    "is_cached",
    "is_trusted",
    "official_name",
    "restore_hint",
    "sha256_of",
    "verify",
]

DEFAULT_NAME = "yolov8n"
"""The weights that detection uses when none are named."""

RELEASE_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
"""Where Ultralytics publishes the files that ``official_name`` knows."""

_UNPINNED_NOTE = (
    "AGPL-3.0 (Ultralytics); its checksum is not in the catalogue, so nothing vouches for it"
)


class UnpinnedRecord(Model):
    """What was first downloaded under a name that has no known sha256."""

    file: str
    url: str
    sha256: str = Field(pattern=SHA256_PATTERN)
    size_bytes: int = Field(ge=0)
    downloaded_at: AwareDatetime


class VerifyResult(Model):
    """What became of one file in the models folder, or of one that ships with the project."""

    name: str
    path: Path
    state: Literal["ok", "missing", "damaged"]
    pinned: bool = Field(description="its sha256 is in the catalogue, not only recorded here")
    shipped: bool = Field(description="it belongs to the project: nothing is to be fetched")
    expected_sha256: str | None
    found_sha256: str | None

    @property
    def wrong(self) -> bool:
        """Whether it has to be mended: it is damaged, or ships with the project and is missing."""
        return self.state == "damaged" or (self.shipped and self.state == "missing")


def is_cached(entry: WeightsEntry) -> bool:
    """Whether all files of an entry are in their place with the right size and checksums.

    That is the models folder or, for weights that ship with the project, the project's own.

    Raises:
        InputError: One is there and cannot be read.
    """
    return not _absent(entry)


def is_trusted(path: Path) -> bool:
    """Whether the sha256 of a file is in the catalogue, whatever the file is called.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    return find_sha256(sha256_of(path)) is not None


def fetch(name: str) -> Path:
    """The local path of weights in the catalogue, checked; downloaded when needed.

    Of weights that ship with the project it is the path there. Weights of several files lie
    beside each other; the path is that of the one to open. A file of such a name with another
    content is kept as ``FILE.damaged`` in the models folder.

    Args:
        name: A name or file name of the catalogue.

    Raises:
        ConfigError: The name is not in the catalogue.
        InputError: The file is there and cannot be read.
        OutputError: The models folder cannot be written to.
        WeightsError: No source gave a file, the message has one line for each; or one that ships
            with the project is missing or damaged.
    """
    entry = find(name)
    if entry is None:
        raise unknown_name(name)
    path = _place(entry)
    if not _absent(entry):
        return path
    if entry.bundled is not None:
        raise _damaged_project(entry, path)
    folder = path.parent
    with claimed(path):
        absent = _absent(entry)  # none when another process brought them while this one waited
        if absent:
            notice(f"{entry.name}: {entry.licence}. {entry.licence_note}".rstrip(". ") + ".")
        while absent:
            with _set_aside(folder / absent[0].file):
                _fetch_from_sources(entry.name, absent, folder)
            absent = absent[1:]
    return path


def fetch_unpinned(name: str) -> Path:
    """The local path of an official Ultralytics model; downloaded when needed.

    Nothing vouches for what the first download brings: load it only when the user trusts it.
    Its sha256 is recorded in ``FILE.json``, and from then on the file has to stay the same. A
    file put there by hand has no record and is taken as it is. A name of the catalogue is
    fetched, and checked, by ``fetch``.

    Args:
        name: A name for which ``official_name`` is True.

    Raises:
        ConfigError: It is not an official name.
        InputError: The file is there and cannot be read.
        OutputError: The models folder cannot be written to.
        WeightsError: It cannot be downloaded, or is not the file that was recorded.
    """
    if find(name) is not None:
        return fetch(name)
    if not official_name(name):
        raise unknown_name(name)
    path = settings().models_folder / (name.removesuffix(".pt") + ".pt")
    if path.exists():
        return _unchanged(path)
    with claimed(path):
        if path.exists():
            return _unchanged(path)
        record = _read_record(path) if _record_path(path).exists() else None
        url = RELEASE_URL + path.name
        notice(f"{path.name}: {_UNPINNED_NOTE}")
        try:
            found = download(url, path, sha256=record.sha256 if record else None)
        except WeightsError as error:
            failure = _none_left([path], path.name, [f"{url}: {error}"])
            if record is not None:
                recorded = _record_path(path).absolute()
                failure.hint = f"{failure.hint}; delete {recorded} to accept another file"
            raise failure from error
        if record is None:
            _write_record(path, url, found)
    return path


def verify() -> list[VerifyResult]:
    """The state of all weights of the catalogue, by name, then of each recorded download.

    Those that ship with the project are looked at where they lie in it.
    Weights of several files are as good as the worst of them, and that one's path is given.

    Raises:
        InputError: A file cannot be read.
    """
    folder = settings().models_folder
    results = [_verified_entry(entry) for entry in entries()]
    for record_path in sorted(folder.glob("*.json")):
        path = record_path.with_suffix("")
        if find(path.name) is None and official_name(path.name):
            record = _record_or_none(path)
            expected = record.sha256 if record else None
            results.append(_verified(path.stem, path, expected, pinned=False))
    return results


def restore_hint(path: Path) -> str:
    """What to do about a damaged file of the project.

    Args:
        path: The file, in the project folder.
    """
    inside = path.relative_to(PROJECT_FOLDER).as_posix()
    return f"run `git checkout -- {inside}` in {PROJECT_FOLDER}"


def _place(item: WeightsFile) -> Path:
    """Where a file of the catalogue belongs: in the project itself, or in the models folder."""
    if item.bundled is not None:
        return PROJECT_FOLDER / item.bundled.path
    return settings().models_folder / item.file


def _damaged_project(item: WeightsFile, path: Path) -> WeightsError:
    """The error for a file of the project that is not there as it should be."""
    found = f"sha256 {sha256_of(path)}" if path.is_file() else "no file"
    return WeightsError(
        f"this checkout is damaged: {path}: expected sha256 {item.sha256}, found {found}",
        hint=restore_hint(path),
    )


def _absent(entry: WeightsEntry) -> list[WeightsFile]:
    """The files of an entry that are not in their place as they should be.

    Raises:
        InputError: One is there and cannot be read.
    """
    return [item for item in entry.files if not _is_file(_place(item), item)]


def _is_file(path: Path, item: WeightsFile) -> bool:
    """Whether a path holds a file of the catalogue.

    Raises:
        InputError: It is there and cannot be read.
    """
    try:
        if not path.is_file() or path.stat().st_size != item.size_bytes:
            return False
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return sha256_of(path) == item.sha256 and item.sha384 in (None, _sha384_of(path))


def _sha384_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha384").hexdigest()


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Keeps a wrong file as ``FILE.damaged``; it comes back when the block brings no other."""
    if not path.exists():
        yield
        return
    aside = path.with_name(f"{path.name}.damaged")
    warn(f"{path} is not the file of that name; fetching it again, the old one stays as {aside}")
    with storing(aside):
        path.replace(aside)
    try:
        yield
    finally:
        if not path.exists():
            with storing(path):
                aside.replace(path)


def _fetch_from_sources(name: str, absent: list[WeightsFile], folder: Path) -> None:
    """Tries the sources of the first of the absent files in order until one brings it.

    Args:
        name: Of the entry.
        absent: The files of the entry still to be fetched.
        folder: Where they belong.

    Raises:
        OutputError: The models folder cannot be written to.
        WeightsError: None did.
    """
    item = absent[0]
    path = folder / item.file
    failures: list[str] = []
    for source in item.downloads:
        try:
            _fetch_from(source, item, path)
        except WeightsError as error:
            failures.append(f"{source}: {error}")
            if len(failures) == len(item.downloads):
                by_hand = [folder / other.file for other in absent]
                raise _none_left(by_hand, name, failures) from error
            notice(f"{failures[-1]}; trying {item.downloads[len(failures)]}")
        else:
            return


def _fetch_from(source: UrlSource | PackageSource, item: WeightsFile, path: Path) -> None:
    """Brings a file from one source.

    Raises:
        OutputError: The models folder cannot be written to.
        WeightsError: The file cannot be had from there, or is another one.
    """
    if isinstance(source, UrlSource):
        download(source.url, path, sha256=item.sha256, size_bytes=item.size_bytes)
    else:
        download_member(
            source.requirement,
            source.member,
            path,
            sha256=item.sha256,
            size_bytes=item.size_bytes,
        )
        discard_part(path)
    found = _sha384_of(path) if item.sha384 else None
    if found != item.sha384:
        with storing(path):
            path.unlink()
        raise WeightsError(f"expected sha384 {item.sha384}, got {found}")


def _none_left(paths: list[Path], name: str, failures: list[str]) -> WeightsError:
    """The error for a file that no source gave."""
    lines = "\n".join(f"  {failure}" for failure in failures)
    what = "the file" if len(paths) == 1 else "the files"
    places = ", ".join(str(path.absolute()) for path in paths)
    return WeightsError(
        f"{name} could not be fetched from any of its sources\n{lines}",
        hint=f"try again with `python3 run.py weights fetch {name}`, bring it in a bundle with "
        f"`python3 run.py weights import bundle.zip`, or put {what} there by hand: {places}",
    )


def _record_path(path: Path) -> Path:
    """Where the sha256 of a file without a known one is recorded."""
    return path.with_name(f"{path.name}.json")


def _record_or_none(path: Path) -> UnpinnedRecord | None:
    """What was recorded for a file, or None when that cannot be read."""
    try:
        return UnpinnedRecord.model_validate_json(_record_path(path).read_bytes())
    except (OSError, ValidationError):
        return None


def _read_record(path: Path) -> UnpinnedRecord:
    """What was recorded for a file.

    Raises:
        WeightsError: The record is damaged.
    """
    record = _record_or_none(path)
    if record is None:
        raise WeightsError(
            f"{_record_path(path)} is damaged: it should hold the sha256 of {path.name}",
            hint=f"delete it to take {path.name} as it is",
        )
    return record


def _write_record(path: Path, url: str, sha256: str) -> None:
    """Records what was downloaded.

    Raises:
        OutputError: The record cannot be written.
    """
    record = UnpinnedRecord(
        file=path.name,
        url=url,
        sha256=sha256,
        size_bytes=path.stat().st_size,
        downloaded_at=datetime.now(UTC).replace(microsecond=0),
    )
    target = _record_path(path)
    with storing(target), whole_file(target, overwrite=True) as part:
        part.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _unchanged(path: Path) -> Path:
    """The same path, once its file is known to be the one recorded, if any was.

    Raises:
        WeightsError: It is another one.
    """
    if not _record_path(path).exists():
        return path
    record = _read_record(path)
    found = sha256_of(path)
    if found != record.sha256:
        raise WeightsError(
            f"{path} has changed since it was downloaded on {record.downloaded_at:%Y-%m-%d}: "
            f"expected sha256 {record.sha256}, found {found}",
            hint=f"delete it to download it again, or {_record_path(path).name} to accept it",
        )
    return path


def _verified_entry(entry: WeightsEntry) -> VerifyResult:
    """The state of the files of an entry: that of the worst."""
    shipped = entry.bundled is not None
    results = [
        _verified(entry.name, _place(item), item.sha256, pinned=True, shipped=shipped)
        for item in entry.files
    ]
    return min(results, key=lambda result: ("damaged", "missing", "ok").index(result.state))


def _verified(
    name: str, path: Path, expected: str | None, *, pinned: bool, shipped: bool = False
) -> VerifyResult:
    """The state of one file; one with an unreadable record (no ``expected``) is damaged."""
    found = sha256_of(path) if path.is_file() else None
    whole: Literal["ok", "damaged"] = "ok" if found == expected else "damaged"
    return VerifyResult(
        name=name,
        path=path,
        state="missing" if found is None else whole,
        pinned=pinned,
        shipped=shipped,
        expected_sha256=expected,
        found_sha256=found,
    )
