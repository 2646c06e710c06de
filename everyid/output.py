"""Results to stdout, everything else to stderr; files that appear whole or not at all."""

import errno
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Protocol

from pydantic import BaseModel
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from everyid.errors import ConfigError, EveryIDError, InputError, OutputError, OutputExistsError
from everyid.settings import settings

__all__ = [
    "Advance",
    "Stop",
    "counted",
    "fresh_folder",
    "hint",
    "notice",
    "part_of",
    "progress",
    "quiet",
    "readable",
    "refuse_existing",
    "report",
    "result",
    "result_folder",
    "stoppable",
    "usable_folder",
    "warn",
    "whole_file",
    "writing",
]

_state = {"quiet": False, "json": False}


def quiet(*, enabled: bool, json: bool = False) -> None:
    """Sets whether notices and progress bars are shown; warnings and errors always are.

    Args:
        enabled: No notices and no bars (``--quiet``).
        json: The result is one JSON document (``--json``): no bars, notices stay on stderr.
    """
    _state["quiet"] = enabled
    _state["json"] = json


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def notice(text: str) -> None:
    """Writes a line for the person at the terminal to stderr, unless quiet."""
    if not _state["quiet"]:
        _stderr().print(text, markup=False)


def warn(text: str) -> None:
    """Writes a warning line to stderr."""
    _stderr().print(f"warning: {text}", markup=False, style="yellow")


def hint(text: str) -> None:
    """Writes a line that says what to do next to stderr."""
    _stderr().print(f"hint: {text}", markup=False, style="cyan")


def report(error: EveryIDError) -> None:
    """Writes a known error to stderr: one line and its hint; a traceback under EVERYID_DEBUG."""
    try:
        debug = settings().debug
    except ConfigError:  # this may be the very error that is being reported
        debug = False
    if debug:
        traceback.print_exception(error)
    _stderr().print(f"error: {error}", markup=False, style="bold red")
    if error.hint:
        hint(error.hint)


def result(value: BaseModel | list[BaseModel] | str) -> None:
    """Writes the result of a command to stdout: text as it is, a model as JSON."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, list):
        text = "[" + ",\n".join(item.model_dump_json(indent=2) for item in value) + "]"
    else:
        text = value.model_dump_json(indent=2)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "frame"), counted(2000, "person", "people")
    ('1 frame', '2,000 people')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, steps: int = 1, *, total: int | None = None) -> None:
        """Moves the bar on by some steps; a total that became known may be given."""


@contextmanager
def progress(label: str, total: int | None = None, *, as_bytes: bool = False) -> Iterator[Advance]:
    """Shows a progress bar on stderr while the block runs, and yields what moves it.

    Nothing is shown without a terminal, with ``--quiet`` or with ``--json``.

    Args:
        label: What is going on, in two or three words.
        total: Steps in all, or None when not known.
        as_bytes: Count bytes, not items.
    """
    shown = sys.stderr.isatty() and not _state["quiet"] and not _state["json"]
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn() if as_bytes else MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=_stderr(),
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task(label, total=total)

        def advance(steps: int = 1, *, total: int | None = None) -> None:
            bar.update(task, advance=steps, total=total)

        yield advance


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's refusals to write into one clear error.

    Args:
        path: What is being written, for the message.

    Raises:
        OutputError: No permission, no space, or any other refusal of the file system.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(f"no space left on the disk of {path}") from error
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot write {path}: {reason}", hint="name another place with --output"
        ) from error


def fresh_folder(domain: str, command: str) -> Path:
    """A new, empty folder ``TMP/DOMAIN/COMMAND/NNNN`` for the results of one run.

    Raises:
        OutputError: It cannot be made.
    """
    parent = settings().tmp / domain / command
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        last = max((int(p.name) for p in parent.iterdir() if p.name.isdecimal()), default=0)
        while True:
            last += 1
            folder = parent / f"{last:04d}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder


@contextmanager
def result_folder(output: Path | None, domain: str, command: str) -> Iterator[Path]:
    """Yields the folder for a run's results: the user's, or a fresh one.

    When the block raises, a folder that was made here goes again if nothing is in it.

    Args:
        output: What ``--output`` names, or None.
        domain: Such as "object".
        command: Such as "tracking".

    Raises:
        OutputError: It cannot be made or written to.
    """
    made = output is None or not output.exists()
    folder = fresh_folder(domain, command) if output is None else usable_folder(output)
    try:
        yield folder
    except BaseException:
        if made:
            with suppress(OSError):  # something is in it
                folder.rmdir()
        raise


def usable_folder(path: Path) -> Path:
    """The folder named by ``--output``, made when missing.

    Raises:
        OutputError: It is a file, or cannot be made or written to.
    """
    with writing(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"--output {path}: expected a folder, found a file")
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    return path


class Stop:
    """Whether Ctrl-C was pressed since the block began."""

    requested = False


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Lets a loop end in good order on Ctrl-C: the first sets a flag, the second interrupts.

    Outside the main thread, where signals do not arrive, the flag is never set.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        notice("stopping: finishing the files; Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def part_of(path: Path) -> Path:
    """The name under which a file is written before it is whole.

    >>> part_of(Path("clip.mp4")).name
    '.clip.part.mp4'
    """
    return path.with_name(f".{path.stem}.part{path.suffix}")


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Checks that a result may be written.

    Raises:
        OutputExistsError: It is there already and overwriting was not asked for.
        OutputError: The file system does not say.
    """
    with writing(path):
        exists = path.exists()
    if exists and not overwrite:
        raise OutputExistsError(
            f"{path} exists already", hint="add --overwrite, or name another --output"
        )


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a name beside ``path`` to write to, and renames it to ``path`` when the block ends.

    When the block raises, the part is removed and an old ``path`` stays as it was. The name is new
    each time, so that two writers of one ``path`` never share a part: the last to end wins.

    Args:
        path: The final name.
        overwrite: Replace an existing file or folder.

    Raises:
        OutputExistsError: ``path`` exists and ``overwrite`` is False.
        OutputError: The file system refuses.
    """
    refuse_existing(path, overwrite=overwrite)
    part = _unique(part_of(path))
    try:
        with writing(path):
            yield part
            _replace(part, path)
    finally:
        _remove(part)


def _unique(path: Path) -> Path:
    return path.with_stem(f"{path.stem}.{secrets.token_hex(4)}")


def _replace(part: Path, path: Path) -> None:
    """Renames a part; a folder in its way, which no rename replaces, is moved aside first."""
    if not path.is_dir() or path.is_symlink():
        if part.is_dir() and path.exists():
            path.unlink()
        part.replace(path)
        return
    aside = _unique(part_of(path))
    path.rename(aside)
    try:
        part.replace(path)
    except OSError:
        aside.rename(path)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        with suppress(NotADirectoryError):  # its folder is a file: nothing was written there
            path.unlink(missing_ok=True)


def readable(path: Path) -> Path:
    """The same path, once it is known to exist and to be readable.

    Raises:
        InputError: It is missing, or may not be read.
    """
    try:
        exists = path.exists()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not exists:
        raise InputError(f"{path}: no such file or folder")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise InputError(f"{path}: no permission to read it")
    return path
