"""Files of model hubs on this machine: where each lies, what is recorded of it, how it is named.

Below the folder ``hub`` of the models folder, ``FILE`` of the repository ``OWNER/NAME`` is
``OWNER/NAME/FILE``. Beside the file of a model that is opened lies ``FILE.hub.json``: from which
commit it and the files that belong to it came, and their sha256. Nothing here reaches a network.
"""

import re
from pathlib import Path, PurePosixPath

from pydantic import AwareDatetime, Field, ValidationError

from everyid.errors import ConfigError, HubError, WeightsError
from everyid.models import Model
from everyid.output import warn, whole_file
from everyid.settings import settings
from everyid.store import sha256_of, storing
from everyid.weights_catalogue import SHA256_PATTERN

__all__ = [
    "RECORD_ENDING",
    "HubFile",
    "HubRecord",
    "file_place",
    "find_downloaded",
    "find_record",
    "is_intact",
    "read_record",
    "records",
    "refuse_changed",
    "write_record",
]

RECORD_ENDING = ".hub.json"
"""What the name of a record has after the name of the model's file."""

_CARD = "README.md"
_NO_BLANKS = r"^[^\x00-\x20\x7f]+$"
"""Records come out of bundles, too: what is in them is shown, and is part of commands."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class HubFile(Model):
    """One file of a repository."""

    file: str = Field(min_length=1, description="its path in the repository")
    sha256: str = Field(pattern=SHA256_PATTERN)
    size_bytes: int = Field(ge=0)


class HubRecord(Model):
    """A model that was downloaded from a hub, and where it came from."""

    repository: str = Field(description="OWNER/NAME")
    domain: str = Field(pattern="^[a-z_]+$", description="whose models these are, such as person")
    revision: str = Field(
        pattern=_NO_BLANKS, description="what was asked for: a branch, a tag or a commit"
    )
    commit: str = Field(pattern="^[0-9a-f]{7,64}$", description="what that was on the day")
    files: list[HubFile] = Field(min_length=1, description="the one to open comes first")
    endpoint: str = Field(pattern=_NO_BLANKS, description="address of the hub")
    downloaded_at: AwareDatetime

    @property
    def main(self) -> HubFile:
        """The file that is opened."""
        return self.files[0]

    @property
    def path(self) -> Path:
        """Where that file lies."""
        return file_place(self.repository, self.main.file)

    @property
    def record_path(self) -> Path:
        """Where the record itself lies."""
        return _record_of(self.path)

    @property
    def card(self) -> Path | None:
        """Where its page lies, when there is one; another model's download may have renewed it."""
        place = self.path.with_name(_CARD)
        return place if place.is_file() else None

    @property
    def needed(self) -> dict[Path, HubFile]:
        """Its files by their places, but for its card, which it shares with other models."""
        places = ((file_place(self.repository, one.file), one) for one in self.files)
        return {place: one for place, one in places if one is self.main or place.name != _CARD}

    @property
    def again(self) -> str:
        """How to get it once more, as it was."""
        return (
            f"download it again: --repo {self.repository} --file {self.main.file} "
            f"--revision {self.commit}; or import its bundle again with --overwrite"
        )

    def describes_the_same(self, other: "HubRecord") -> bool:
        """Whether both tell of the same files, whenever and from where they came."""
        ours = (self.repository, self.domain, self.commit, self.files)
        return ours == (other.repository, other.domain, other.commit, other.files)

    @property
    def names(self) -> tuple[str, ...]:
        """What it can be asked for by, from the shortest to the one that is never ambiguous."""
        file = PurePosixPath(self.main.file)
        whole = f"{self.repository}/{self.main.file}"
        return (file.stem, file.name, self.main.file, self.repository, whole)


def file_place(repository: str, file: str) -> Path:
    """Where a file of a repository belongs on this machine, always below the folder of hubs.

    Args:
        repository: ``OWNER/NAME``.
        file: Its path in the repository, with ``/``; whatever a hub says it is.

    Raises:
        ConfigError: ``repository`` is no such name.
        HubError: The path would lead elsewhere, or no file can be called that.
    """
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise ConfigError(
            f"expected a repository as OWNER/NAME, got {repository!r}",
            hint="such as --repo SebLogsdon/EveryPerson",
        )
    parts = file.split("/")
    if _FORBIDDEN.search(file) or any(map(_is_wrong, parts)):
        raise HubError(
            f"{repository}: the file name {file!r} is refused: expected one below the repository's "
            "own folder",
            hint="do not trust this repository; nothing was written",
        )
    top = settings().models_folder / "hub"
    place = top.joinpath(*repository.split("/"), *parts)
    if not place.parent.resolve().is_relative_to(top.resolve()):
        raise HubError(
            f"{place} leads out of {top}, through a link",
            hint="remove the link; to keep models elsewhere, set EVERYID_MODELS",
        )
    return place


def _is_wrong(part: str) -> bool:
    """Whether a part of a path is none, means a place of its own, or hides what it is.

    >>> [_is_wrong(part) for part in ("", "..", ".cache", "nul.pth", "a ", "a.pth")]
    [True, True, True, True, True, False]
    """
    hidden = not part or part.startswith(".") or part != part.rstrip(". ")
    return hidden or part.endswith(RECORD_ENDING) or _DEVICES.fullmatch(part) is not None


def write_record(record: HubRecord) -> None:
    """Writes the record of a model beside it.

    Raises:
        OutputError: It cannot be written.
    """
    target = record.record_path
    with storing(target), whole_file(target, overwrite=True) as part:
        part.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_record(path: Path) -> HubRecord | None:
    """What is recorded of a model, or None when nothing that can be read is.

    Args:
        path: The model's file.
    """
    return _read(_record_of(path))


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}{RECORD_ENDING}")


def _read(record_path: Path) -> HubRecord | None:
    """A record, if it is one and lies where it says."""
    try:
        record = HubRecord.model_validate_json(record_path.read_bytes())
        places = [file_place(record.repository, one.file) for one in record.files]
        return record if _record_of(places[0]) == record_path else None
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, ConfigError, HubError):
        warn(f"{record_path}: not a record of a download; delete it, and download the model again")
        return None


def records(domain: str | None = None) -> list[HubRecord]:
    """What was downloaded and is still there, by repository and file.

    Args:
        domain: Only models of this one; None: of all.
    """
    top = settings().models_folder / "hub"
    found = (_read(path) for path in sorted(top.rglob(f"*{RECORD_ENDING}")))
    return [
        record
        for record in found
        if record is not None and domain in (None, record.domain) and record.path.is_file()
    ]


def is_intact(record: HubRecord) -> bool:
    """Whether all files of a record but its card are there with the sha256 they came with.

    Raises:
        InputError: One is there and cannot be read.
    """
    return all(
        place.is_file() and sha256_of(place) == one.sha256 for place, one in record.needed.items()
    )


def find_record(name: str, domain: str | None = None) -> HubRecord | None:
    """What is recorded of a downloaded model; None when none is called that.

    Args:
        name: ``OWNER/NAME``, ``OWNER/NAME/FILE``, or a file's name with or without its ending.
        domain: Whose models are meant; None: anybody's.

    Raises:
        ConfigError: Several are called that.
    """
    found = [record for record in records(domain) if name in record.names]
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} downloaded models are called {name!r}",
            hint=f"say which: {', '.join(record.names[-1] for record in found)}",
        )
    return found[0] if found else None


def refuse_changed(record: HubRecord) -> None:
    """Returns nothing; checks that a model is still as it was downloaded.

    Raises:
        InputError: A file is there and cannot be read.
        WeightsError: A file is another one, or missing.
    """
    if not is_intact(record):
        raise WeightsError(
            f"{record.path}, or a file that belongs to it, is not as it was downloaded from "
            f"{record.repository} on {record.downloaded_at:%Y-%m-%d}",
            hint=record.again,
        )


def find_downloaded(name: str, domain: str) -> Path | None:
    """The file of a downloaded model, checked; None when none is called that.

    Args:
        name: As ``find_record`` takes it.
        domain: Whose models are meant.

    Raises:
        ConfigError: Several are called that.
        InputError: A file is there and cannot be read.
        WeightsError: A file is not as it was downloaded.
    """
    record = find_record(name, domain)
    if record is None:
        return None
    refuse_changed(record)
    return record.path
