"""What the ``weights`` commands print with ``--json``, and how it is gathered."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from everyid.models import Model
from everyid.output import notice
from everyid.settings import settings
from everyid.weights import VerifyResult, fetch_unpinned, is_cached, sha256_of
from everyid.weights_catalogue import (
    SHA256_PATTERN,
    WeightsEntry,
    entries,
    find,
    official_name,
    unknown_name,
)

__all__ = [
    "FetchReport",
    "FetchedWeights",
    "ListedWeights",
    "Listing",
    "VerifyReport",
    "fetch_all",
    "listing",
]


class VerifyReport(Model):
    """What ``weights verify --json`` prints."""

    results: list[VerifyResult]


class ListedWeights(Model):
    """One entry of the catalogue and whether its file is here."""

    entry: WeightsEntry
    cached: bool

    @property
    def state(self) -> Literal["shipped", "damaged", "yes", "no"]:
        """Whether its file is here, in a word; one that ships with the project is or is damaged."""
        if self.entry.bundled is not None:
            return "shipped" if self.cached else "damaged"
        return "yes" if self.cached else "no"


class Listing(Model):
    """What ``weights list --json`` prints."""

    folder: Path = Field(description="where fetched files are kept")
    weights: list[ListedWeights]


class FetchedWeights(Model):
    """One file that is here now."""

    name: str
    path: Path
    sha256: str = Field(pattern=SHA256_PATTERN)
    pinned: bool = Field(description="its sha256 is in the catalogue")


class FetchReport(Model):
    """What ``weights fetch --json`` prints."""

    fetched: list[FetchedWeights]


def listing() -> Listing:
    """All entries, by name, each with whether its file is here.

    Raises:
        InputError: A file is there and cannot be read.
    """
    listed = [ListedWeights(entry=entry, cached=is_cached(entry)) for entry in entries()]
    return Listing(folder=settings().models_folder, weights=listed)


def fetch_all(names: list[str]) -> FetchReport:
    """What is here after fetching some weights, in the order asked for.

    Args:
        names: Names or file names of the catalogue, or official Ultralytics names.

    Raises:
        ConfigError: A name is neither; nothing was downloaded then.
        InputError: A file is there and cannot be read.
        OutputError: The models folder cannot be written to.
        WeightsError: A file could not be had, or one that ships with the project is damaged.
    """
    for name in names:
        if find(name) is None and not official_name(name):
            raise unknown_name(name)
    fetched = []
    for name in names:
        path = fetch_unpinned(name)
        entry = find(name)
        if entry is not None and entry.bundled is not None:
            notice(f"{entry.name} ships with the project: nothing is to be fetched")
        pinned = entry is not None
        item = FetchedWeights(name=path.stem, path=path, sha256=sha256_of(path), pinned=pinned)
        fetched.append(item)
    return FetchReport(fetched=fetched)
