"""What the ``weights`` commands print with ``--json``, and how it is gathered."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from everyid.hub_store import HubRecord, records
from everyid.models import Model
from everyid.output import notice
from everyid.settings import settings
from everyid.weights import VerifyResult, fetch_unpinned, is_cached, sha256_of, verify
from everyid.weights_catalogue import (
    SHA256_PATTERN,
    WeightsEntry,
    entries,
    find,
    official_name,
    unknown_name,
)
from everyid.weights_licences import licence_of

__all__ = [
    "FetchReport",
    "FetchedWeights",
    "ListedDownload",
    "ListedWeights",
    "Listing",
    "VerifyReport",
    "fetch_all",
    "listing",
    "verify_all",
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


class ListedDownload(Model):
    """A model that was downloaded from a hub."""

    name: str = Field(description="OWNER/NAME/FILE; shorter names do where they mean one model")
    size_bytes: int = Field(ge=0, description="of all its files")
    licence: str = Field(description="what its card states, or not stated")
    record: HubRecord


class Listing(Model):
    """What ``weights list --json`` prints."""

    folder: Path = Field(description="where fetched files are kept")
    weights: list[ListedWeights]
    downloaded: list[ListedDownload] = Field(default=[], description="from a model hub")


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
    """All entries, by name, each with whether its file is here; then what came from hubs.

    Raises:
        InputError: A file is there and cannot be read.
    """
    listed = [ListedWeights(entry=entry, cached=is_cached(entry)) for entry in entries()]
    downloaded = [_listed(record) for record in records()]
    return Listing(folder=settings().models_folder, weights=listed, downloaded=downloaded)


def _listed(record: HubRecord) -> ListedDownload:
    """What is shown of a downloaded model."""
    return ListedDownload(
        name=record.names[-1],
        size_bytes=sum(one.size_bytes for one in record.files),
        licence=licence_of(record.card),
        record=record,
    )


def verify_all() -> VerifyReport:
    """The state of all weights of the catalogue, of each recorded download, and of hubs' models.

    Raises:
        InputError: A file cannot be read.
    """
    return VerifyReport(results=[*verify(), *map(_verified, records())])


def _verified(record: HubRecord) -> VerifyResult:
    """The state of a downloaded model: damaged when one of its files is, or is missing."""
    places = {place: one.sha256 for place, one in record.needed.items()}
    found = {place: sha256_of(place) if place.is_file() else None for place in places}
    path = next((place for place in places if found[place] != places[place]), record.path)
    return VerifyResult(
        name=record.names[-1],
        path=path,
        state="ok" if found[path] == places[path] else "damaged",
        pinned=False,
        shipped=False,
        expected_sha256=places[path],
        found_sha256=found[path],
    )


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
