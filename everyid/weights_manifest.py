"""What a bundle of weights says of itself: names, files, sizes, checksums, licences, sources."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from everyid.errors import InputError
from everyid.models import Model
from everyid.output import notice, readable, warn
from everyid.store import sha256_of
from everyid.weights_catalogue import SHA256_PATTERN, entries
from everyid.weights_licences import NOT_STATED

__all__ = [
    "MANIFEST_FORMAT",
    "Manifest",
    "ManifestHead",
    "PackedFile",
    "PackedWeights",
    "contradiction",
    "describe",
    "first_problem",
    "made_by",
    "packed_file",
    "say_licence",
]

MANIFEST_FORMAT: Literal[1] = 1
"""The format that is written, and the newest that is read."""

_DEVICES = {
    *("aux", "con", "nul", "prn"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
"""Names that Windows takes for devices, whatever their suffix."""


def _allowed(name: str) -> str:
    """The same name or path, once each part of it is known to be a name on all systems.

    Raises:
        ValueError: One is not.
    """
    for part in name.split("/"):
        if part.partition(".")[0].lower() in _DEVICES or part.endswith("."):
            raise ValueError("expected a name that every system allows")
    return name


_PART = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}"
"""Of a path: it does not start with a dot, and holds no colon, blank or slash."""
PathBelow = Annotated[
    str, Field(pattern=f"^{_PART}(/{_PART})*$", max_length=1000), AfterValidator(_allowed)
]


class PackedFile(Model):
    """One file of a bundle."""

    file: PathBelow = Field(description="its path below the models folder")
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=SHA256_PATTERN)
    sources: list[str] = Field(default_factory=list, description="where it was published")


class PackedWeights(Model):
    """What the files of some weights are, the one that is opened first."""

    name: PathBelow
    origin: Literal["catalogue", "official", "file", "hub"] = Field(
        description="how it is named in commands: a name of the catalogue, the name of an official "
        "Ultralytics model, the path of its file, or OWNER/NAME/FILE of a model hub"
    )
    licence: str = Field(min_length=1, description="SPDX identifier, or not stated")
    licence_note: str = ""
    trained_on: str = Field(min_length=1)
    card: str | None = Field(default=None, description="which of the files is its page")
    files: list[PackedFile] = Field(min_length=1)

    @property
    def total_bytes(self) -> int:
        """The size of all its files."""
        return sum(item.size_bytes for item in self.files)


class Manifest(Model):
    """What a bundle says of itself."""

    format: Literal[1] = MANIFEST_FORMAT
    made_by: str = Field(min_length=1)
    weights: list[PackedWeights] = Field(min_length=1)

    @property
    def files(self) -> list[PackedFile]:
        """All files, in the order in which they are in the bundle; what some share, once."""
        return list({item.file: item for one in self.weights for item in one.files}.values())

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(item.size_bytes for item in self.files)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        # Some disks do not tell capitals from small letters.
        names = Counter(one.name.lower() for one in self.weights)
        again = [name for name, count in names.items() if count > 1]
        if again:
            raise ValueError(f"expected each name once, got {again[0]} twice")
        held: dict[str, tuple[str, int, str]] = {}
        for item in (item for one in self.weights for item in one.files):
            what = (item.file, item.size_bytes, item.sha256)
            if held.setdefault(item.file.lower(), what) != what:
                raise ValueError(f"expected each file once, got {item.file.lower()} twice")
        for one in self.weights:
            if one.card is not None and one.card not in [item.file for item in one.files]:
                raise ValueError(f"expected the card {one.card} among the files of {one.name}")
        return self


class ManifestHead(Model, extra="ignore"):
    """What every format says, also one that is not known yet."""

    format: int
    made_by: str = "an unknown version"


def made_by() -> str:
    """The name and version of this program, as a manifest has it."""
    return f"EveryID {version('everyid')}"


def say_licence(one: PackedWeights) -> None:
    """Returns nothing; tells the person at the terminal under which licence weights stand."""
    if one.licence == NOT_STATED:
        warn(f"{one.name}: nothing says under which licence it stands")
    else:
        notice(f"{one.name}: {one.licence}. {one.licence_note}".rstrip(". ") + ".")


def contradiction(one: PackedWeights) -> str | None:
    """How weights differ from what the catalogue says of files of these names, or None."""
    known = {item.file.lower(): item for entry in entries() for item in entry.files}
    for item in one.files:
        expected = known.get(item.file.lower())
        if expected is not None and expected.sha256 != item.sha256:
            return (
                f"the catalogue of {made_by()} has another {expected.file}: "
                f"expected sha256 {expected.sha256}, got {item.sha256}"
            )
    return None


def describe(content: Path | bytes, *, file: str, sources: Sequence[str] = ()) -> PackedFile:
    """What the manifest says of a file.

    Args:
        content: The content, or where it is.
        file: Its path below the models folder, with ``/``.
        sources: Where it was published.

    Raises:
        InputError: It cannot be read, or the name is not plain.
    """
    if isinstance(content, bytes):
        size_bytes, sha256 = len(content), hashlib.sha256(content).hexdigest()
    else:
        size_bytes, sha256 = readable(content).stat().st_size, sha256_of(content)
    return packed_file(file, size_bytes=size_bytes, sha256=sha256, sources=sources)


def packed_file(
    file: str, *, size_bytes: int, sha256: str, sources: Sequence[str] = ()
) -> PackedFile:
    """What the manifest says of a file whose sha256 is known.

    Args:
        file: Its path below the models folder, with ``/``.
        size_bytes: Its size.
        sha256: Its checksum, lower-case hex.
        sources: Where it was published.

    Raises:
        InputError: The name is not plain.
    """
    try:
        return PackedFile(file=file, size_bytes=size_bytes, sha256=sha256, sources=list(sources))
    except ValidationError as error:
        raise InputError(
            f"{file!r}: expected a file name of letters, digits, '.', '_', '+' and '-'",
            hint="give it such a name, or leave it out",
        ) from error


def first_problem(error: ValidationError) -> str:
    """What is wrong with a manifest, on one line, from the first thing found."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"].removeprefix("Value error, ")
