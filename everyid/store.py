"""A folder of files that appear whole and checked, and that one process at a time writes.

``claimed`` keeps two processes apart by a lock of the operating system on ``.FILE.lock``. The
system itself frees such a lock when its process dies, however it dies: no stale lock has to be
guessed at, and a part can have one name that the next process finds again and goes on from. The
second process waits, and then finds the file there.
"""

import errno
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from everyid.errors import InputError, OutputError
from everyid.output import notice, writing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["claimed", "sha256_of", "storing"]

_POLL_S = 0.2
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns the system's refusals to write to the models folder into one clear error.

    Args:
        path: What is being written, for the message.

    Raises:
        OutputError: No permission, no space, or any other refusal; the hint names EVERYID_MODELS.
    """
    try:
        with writing(path):
            yield
    except OutputError as error:
        error.hint = f"make {path.parent} writable, or set EVERYID_MODELS to another folder"
        raise


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 lower-case hex digits.

    Raises:
        InputError: It is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _try_lock(descriptor: int) -> bool:
    """Whether the lock of an open file is now held; True also where a disk knows no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network disks have no locks. The checksum still keeps a mixed-up part out.
        return error.errno in _NO_LOCKS
    return True


def _still_named(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has this name, and not one removed in between."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def claimed(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the right to write ``path`` while the block runs.

    Args:
        path: The final name of the file or folder. The folder it is in is made when missing.
        wait: Wait while another process has it; otherwise that is an error.

    Raises:
        OutputError: The folder cannot be made or written to, or another process writes ``path``.
    """
    lock = path.with_name(f".{path.name}.lock")
    told = False
    while True:
        with storing(path):
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        locked = _try_lock(descriptor)
        if locked and _still_named(descriptor, lock):
            break
        os.close(descriptor)
        if not locked:
            if not wait:
                raise OutputError(
                    f"another process is writing to {path}",
                    hint="wait for it, or name another place with --output",
                )
            if not told:
                notice(f"another process is writing {path.name}; waiting for it")
            told = True
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps an open file; then the empty lock file stays
            lock.unlink()
        os.close(descriptor)
