"""The head of a gallery, the lock that its writers take, and what killed writers leave."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import ValidationError

from everyid.errors import InputError, OutputError
from everyid.output import notice, readable, whole_file, writing
from everyid.store import claimed
from person.gallery.records import FORMAT_VERSION, GalleryModel, Head
from person.gallery.segments import FOLDER, synced

__all__ = ["clean", "create", "is_gallery", "locked", "read_head", "write_head"]

_HEAD = "gallery.json"
_POLL_S = 0.2


def is_gallery(folder: Path) -> bool:
    """Whether a folder is a gallery."""
    return (folder / _HEAD).is_file()


def read_head(folder: Path) -> Head:
    """The head of a gallery.

    Raises:
        InputError: There is none, it is damaged, or of a newer format.
    """
    path = folder / _HEAD
    make = f"python3 run.py person gallery enroll --gallery {folder} --source PEOPLE"
    try:
        there = readable(folder).is_dir()
    except InputError as error:
        error.hint = make
        raise
    if there and not path.exists():
        raise InputError(f"{folder}: not a gallery: there is no {_HEAD} in it", hint=make)
    try:
        text = readable(path).read_bytes()
        found = json.loads(text)
        version = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise InputError(
                f"{path}: of format {version}, this program knows formats up to {FORMAT_VERSION}",
                hint="use the version of EveryID that wrote it, or a newer one",
            )
        return Head.model_validate_json(text)
    except (OSError, ValueError) as error:
        reason = "cut short or changed"
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            reason = f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
        raise InputError(
            f"{path}: not the head of a gallery: {reason}",
            hint="restore the folder from a copy; the files in segments/ can be read as embeddings",
        ) from error


def write_head(folder: Path, head: Head) -> None:
    """Replaces the head: from here on, its version counts.

    Raises:
        OutputError: The file system refuses.
    """
    with whole_file(folder / _HEAD, overwrite=True) as part:
        part.write_text(head.model_dump_json(indent=1) + "\n", encoding="utf-8")
        synced(part)


def create(folder: Path, model: GalleryModel) -> None:
    """Makes an empty gallery, under the lock; what is there already stays as it is.

    Raises:
        OutputError: The folder holds other things, or cannot be written to.
    """
    if is_gallery(folder):
        return
    others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if others:
        raise OutputError(
            f"{folder}: expected a gallery, a new folder or an empty one, found {others[0]} "
            f"and no {_HEAD}",
            hint="name another folder with --gallery",
        )
    write_head(folder, Head(generation=0, model=model))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the right to change a gallery while the block runs; waits for it.

    Args:
        folder: Made when missing.

    Raises:
        OutputError: It cannot be made or written to.
    """
    with ExitStack() as stack:
        told = False
        while True:
            try:
                stack.enter_context(claimed(folder / _HEAD, wait=False))
                break
            except OutputError as error:
                if error.__cause__ is not None:  # not held by another: refused by the system
                    error.hint = _mend(folder)
                    raise
            if not told:
                notice(f"another process is changing {folder}; waiting for it")
            told = True
            time.sleep(_POLL_S)
        yield


def clean(folder: Path, head: Head) -> None:
    """Deletes what the head does not name: files of older versions, and parts of files.

    The folder of the files is made where it is missing.

    Args:
        folder: The gallery, whose lock is held.
        head: As it is on disk.

    Raises:
        OutputError: The file system refuses.
    """
    named = {segment.file for segment in head.segments}
    with _told(folder):
        (folder / FOLDER).mkdir(exist_ok=True)
        old = [path for path in (folder / FOLDER).iterdir() if path.name not in named]
        for path in [*old, *folder.glob(".*.part.*")]:
            path.unlink()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turns refusals of the file system into one clear error."""
    try:
        with writing(folder):
            yield
    except OutputError as error:
        error.hint = _mend(folder)
        raise


def _mend(folder: Path) -> str:
    return f"make {folder} writable, or name another folder with --gallery"
