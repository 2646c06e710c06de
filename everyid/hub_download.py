"""Models from a hub: whole and checked in the models folder, with a record of where they are from.

A file gets its name once its checksum is the one that the hub states. Until then its bytes are in
a part that is named after that checksum, so that the next run goes on from there, whatever cut the
last one short.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from everyid.errors import EveryIDError, HubError, OutputError
from everyid.hub import Hub, RemoteFile
from everyid.hub_store import (
    HubFile,
    HubRecord,
    file_place,
    is_intact,
    records,
    write_record,
)
from everyid.output import notice, warn
from everyid.store import claimed, sha256_of, storing

__all__ = ["Choose", "download"]

Choose = Callable[[Sequence[str]], Sequence[str]]
"""From the names of all files of a repository those that are wanted, the one to open first.

It raises an ``EveryIDError`` where what it looks for is not among them."""

_ROOM = "make room, or set EVERYID_MODELS to another folder"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def download(
    repository: str,
    choose: Choose,
    *,
    domain: str,
    revision: str = "main",
    endpoint: str | None = None,
) -> HubRecord:
    """What is now here of a repository, every file checked.

    A commit that is here whole is not asked for again. With ``HF_HUB_OFFLINE=1`` only what is
    here counts: in the models folder, or in the cache that other programs of the hub share.

    Args:
        repository: ``OWNER/NAME``.
        choose: Says which files are wanted.
        domain: Whose models these are, such as "person"; kept in the record.
        revision: A branch, a tag or a commit.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the usual one.

    Raises:
        ConfigError: ``repository`` is no ``OWNER/NAME``.
        HubError: The hub refuses, is not there, or sends something else than it states.
        OutputError: The models folder cannot be written to, or its disk is full.
    """
    file_place(repository, "any")  # a wrong name is told before anything is asked
    hub = Hub(repository, revision, endpoint=endpoint)
    if hub.offline:
        return _offline(hub, choose, domain)
    here = _here(hub, choose, domain)
    if here is not None and here.commit == revision:
        return here
    try:
        with hub.talking():
            found = hub.look()
            wanted = [found.files[name] for name in choose(list(found.files))]
            places = [(one.name, file_place(repository, one.name)) for one in wanted]
            for one, (_, place) in zip(wanted, places, strict=True):
                _bring(hub, found.commit, one, place)
    except HubError as error:
        if here is not None:
            notice(f"here is commit {here.commit}; it goes by the name of {here.names[0]}")
        raise error from error.__cause__
    return _recorded(hub, found.commit, places, domain)


def _bring(hub: Hub, commit: str, wanted: RemoteFile, place: Path) -> None:
    """Puts a file of a repository in its place, checked.

    Raises:
        HubError: What comes is not what the hub states.
        OutputError: It cannot be written.
    """
    if not wanted.stated:
        raise HubError(
            f"{hub.asked.endpoint} states no checksum of {wanted.name}, to check it by",
            hint="check HF_ENDPOINT: a copy of the hub that leaves them out cannot be used",
        )
    with claimed(place):
        if place.is_file():
            if wanted.found(place) == wanted.stated:
                return
            _make_way(place)
        part = place.with_name(f".{place.name}.{wanted.stated[:16]}.part")
        resumed = _keep_only(part, wanted)
        while True:
            _fill(hub, commit, wanted, part)
            found = wanted.found(part)
            with storing(place):
                if found == wanted.stated:
                    part.replace(place)
                    return
                part.unlink()
            if not resumed:
                raise HubError(
                    f"{hub.asked.repository}/{wanted.name}: the hub states the checksum "
                    f"{wanted.stated}, what came has {found}; it was thrown away",
                    hint="run the command again; if it stays so, tell the owner of the repository",
                )
            resumed = False  # what an earlier run left may have been of something else


def _keep_only(part: Path, wanted: RemoteFile) -> bool:
    """Whether there is a part to go on from; those of other content are removed."""
    with storing(part):
        for old in part.parent.glob(f"{part.name.rsplit('.', 2)[0]}.*.part"):
            if old != part or old.stat().st_size > wanted.size_bytes:
                old.unlink()
    return part.exists()


def _make_way(place: Path) -> None:
    """Says what becomes of another file in the place of one that is to come."""
    sha256 = sha256_of(place)
    for record in records():
        known = {file_place(record.repository, item.file): item.sha256 for item in record.files}
        if known.get(place) == sha256:
            commit = record.commit
            notice(f"{place.name}: here from commit {commit}; the one asked for replaces it")
            return
    aside = place.with_name(f"{place.name}.damaged")
    warn(f"{place} is not the file that was downloaded; the old one stays as {aside}")
    with storing(aside):
        place.replace(aside)


def _fill(hub: Hub, commit: str, wanted: RemoteFile, part: Path) -> None:
    """Brings a part to its full length.

    Raises:
        OutputError: The disk has no room for it, or refuses.
    """
    cached = hub.cached(wanted.name, commit)
    missing = wanted.size_bytes - (part.stat().st_size if part.exists() else 0)
    free = shutil.disk_usage(part.parent).free
    if free < missing:
        raise OutputError(
            f"no space left on the disk of {part.parent}: {wanted.name} needs "
            f"{missing / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free",
            hint=_ROOM,
        )
    if cached is not None and wanted.found(cached) == wanted.stated:
        with storing(part):
            shutil.copyfile(cached, part)
    else:
        hub.fill(commit, wanted, part)


def _recorded(hub: Hub, commit: str, places: Sequence[tuple[str, Path]], domain: str) -> HubRecord:
    files = [
        HubFile(file=name, sha256=sha256_of(place), size_bytes=place.stat().st_size)
        for name, place in places
    ]
    record = HubRecord(
        repository=hub.asked.repository,
        domain=domain,
        revision=hub.asked.revision,
        commit=commit,
        files=files,
        endpoint=hub.asked.endpoint,
        downloaded_at=datetime.now(UTC).replace(microsecond=0),
    )
    write_record(record)
    return record


def _here(hub: Hub, choose: Choose, domain: str) -> HubRecord | None:
    """What was downloaded before and fits what is asked for, or None."""
    for record in records(domain):
        names = [one.file for one in record.files]
        fits = hub.asked.revision in (record.commit, record.revision)
        if record.repository != hub.asked.repository or not fits:
            continue
        try:
            same = list(choose(names)) == names
        except EveryIDError:
            continue
        if same and is_intact(record):
            return record
    return None


def _offline(hub: Hub, choose: Choose, domain: str) -> HubRecord:
    """What is here already, in the models folder or in the client's own cache.

    Raises:
        HubError: Nothing is.
    """
    here = _here(hub, choose, domain) or _from_cache(hub, choose, domain)
    if here is None:
        asked = hub.asked
        raise HubError(
            f"HF_HUB_OFFLINE is set, and {asked.repository} at {asked.revision!r} is not here",
            hint="unset HF_HUB_OFFLINE, or bring it from a machine that has it: `python3 run.py "
            "weights pack` there, `weights import` here",
        )
    notice(f"offline: as downloaded, commit {here.commit}")
    return here


def _from_cache(hub: Hub, choose: Choose, domain: str) -> HubRecord | None:
    """What other programs left in the client's own cache, copied from there; None: nothing."""
    snapshot = hub.cached_snapshot()
    if snapshot is None:
        return None
    commit, folder = snapshot
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    try:
        names = choose(list(found))
    except EveryIDError:
        return None
    places = [(name, file_place(hub.asked.repository, name)) for name in names]
    for name, place in places:
        _check_cached(found[name])
        with claimed(place), storing(place):
            part = place.with_name(f".{place.name}.cached.part")
            shutil.copyfile(found[name], part)
            part.replace(place)
    return _recorded(hub, commit, places, domain)


def _check_cached(path: Path) -> None:
    """Checks a file of the client's cache, which names what is large after its sha256.

    Raises:
        HubError: It is another one.
    """
    stated = path.resolve().name
    if _SHA256.fullmatch(stated) and sha256_of(path) != stated:
        raise HubError(
            f"{path} is damaged: its sha256 is not the one the hub stated",
            hint="`hf cache verify`, or download it again",
        )
