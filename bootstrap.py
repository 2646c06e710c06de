"""Makes the environment that EveryID runs in, with nothing but the standard library.

``run.py`` calls :func:`prepare` before anything else. When the packages are there it returns at
once. Otherwise it makes a virtual environment, installs the checkout into it with pip, and starts
the same command line again with the environment's interpreter.

Three small files inside the environment keep its state:

- ``.everyid-venv``: made by us, before anything else is put there. Only such a folder is emptied.
- ``.everyid-stamp``: written last. What was installed; without it the install did not end well.
- ``.everyid-lock``: held while installing, also by pip itself, so that a second run waits.

All messages go to stderr. The environment variables read here are ``EVERYID_VENV`` (another place
than ``.venv``), ``EVERYID_NO_BOOTSTRAP`` (make nothing), and ``EVERYID_BOOTSTRAPPED`` (set by this
file itself: the process was started by it, so it must not start another).
"""

import errno
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PLUMBING = ("PIL", "av", "httpx", "numpy", "pyarrow", "pydantic", "pydantic_settings", "rich")
SCIENCE = ("cv2", "matplotlib", "nncf", "openvino", "safetensors", "scipy", "supervision", "torch")
LEARNING = ("accelerate", "pytorch_metric_learning", "tensorboard", "torchvision", "transformers")
PACKAGES = (*PLUMBING, *SCIENCE, *LEARNING, "huggingface_hub", "trackers", "typer", "ultralytics")
"""What the dependencies of pyproject.toml are imported as."""

ROOMS = ("everyid", "object", "person", "synthetic")
"""The packages of this checkout."""

EXTRA_PACKAGES = {"dev": ("hypothesis", "pytest"), "synthetic": ("anny", "moderngl")}
"""What the commands that want an extra cannot start without."""

MARKER, STAMP, LOCK, LOG = ".everyid-venv", ".everyid-stamp", ".everyid-lock", ".everyid-pip.log"
GUARD, GIGABYTE = "EVERYID_BOOTSTRAPPED", 10**9
DOWNLOAD_GB, INSTALLED_GB, UPGRADE_GB = 3.3, 6.5, 1.0

ANOTHER_DISK = (
    "free some, or name a folder on another disk with EVERYID_VENV "
    "(and one with TMPDIR, where pip unpacks), and run again"
)

NETWORK_WORDS = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|ProxyError|SSLError"
    r"|Temporary failure in name resolution|Network is unreachable|Connection (?:refused|reset)"
    r"|getaddrinfo failed|IncompleteRead|setuptools\S* \(from versions: none\)"
)
DISK_WORDS = re.compile(r"No space left on device|\[Errno 28\]|Disk quota exceeded")


class BootstrapError(Exception):
    """The environment cannot be made: what went wrong, and a hint what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    """Writes a line to stderr, before anything that a child writes there later."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def missing(names: Iterable[str]) -> list[str]:
    """Those of the top-level packages that cannot be imported here; imports none of them."""
    specs = ((name, importlib.util.find_spec(name)) for name in names)
    # A folder left over by an uninstall is found as a namespace package: it has no origin.
    return [name for name, spec in specs if spec is None or spec.origin is None]


def extras_for(arguments: list[str]) -> list[str]:
    """The extra that a command line wants: ``dev`` for tests, ``synthetic`` for its commands.

    >>> extras_for(["person", "tests"]), extras_for(["synthetic", "crops"])
    (['dev'], ['synthetic'])
    """
    if "tests" in arguments[:2]:
        return ["dev"]
    makes = arguments[:1] == ["synthetic"] and len(arguments) > 1 and "--help" not in arguments
    return ["synthetic"] if makes else []


def prepare(checkout: Path, arguments: list[str]) -> int | None:
    """None when this process can run the command; otherwise the exit code to leave with.

    Does not return when the command line was started again in the environment.

    Args:
        checkout: The folder of ``run.py``.
        arguments: The command line without the program; it says which extra is wanted.
    """
    try:
        _prepare(checkout, extras_for(arguments))
    except BootstrapError as error:
        say(f"error: {error}")
        say(f"hint: {error.hint}")
        return 1
    except KeyboardInterrupt:
        say("interrupted while preparing the environment; the next run starts it anew")
        return 130
    return None


def _prepare(checkout: Path, extras: list[str]) -> None:
    """Sees to it that the command runs where everything is installed, or raises."""
    venv = Environment(_folder(checkout), checkout)
    started_by_us = os.environ.pop(GUARD, None) == str(venv.folder)
    lacking = missing((*PACKAGES, *ROOMS))
    lacking_extras = missing(name for extra in extras for name in EXTRA_PACKAGES[extra])
    stale = venv.is_current and venv.is_managed and not venv.fits(extras)
    if not lacking and not lacking_extras and not stale:
        return
    names = ", ".join(lacking + lacking_extras)
    target = shlex.join(venv.pip_arguments(extras))
    if os.environ.get("EVERYID_NO_BOOTSTRAP", "") not in {"", "0"}:
        if not lacking and not lacking_extras:
            return
        raise BootstrapError(
            f"missing in {sys.executable}: {names}; EVERYID_NO_BOOTSTRAP is set, so nothing "
            "is installed",
            f"run `{sys.executable} -m pip install {target}` in {checkout}",
        )
    if started_by_us and (lacking or lacking_extras):
        venv.forget()
        raise BootstrapError(
            f"missing in {venv.folder} although the install ended well: {names}",
            "run again to install anew; if that does not help, report it with the file "
            f"{venv.folder / LOG}",
        )
    if not lacking and not venv.is_current and not venv.fits(extras):
        raise BootstrapError(
            f"this command needs {names}, and {sys.executable} does not have that",
            f"run `{sys.executable} -m pip install {target}` in {checkout}",
        )
    if not venv.fits(extras):
        venv.build(extras)
    _start_again(venv)


def _folder(checkout: Path) -> Path:
    """Where the environment is or will be: ``EVERYID_VENV``, or ``.venv`` in the checkout."""
    named = os.environ.get("EVERYID_VENV")
    folder = Path(named).expanduser() if named else checkout / ".venv"
    return folder.absolute()


def _start_again(venv: "Environment") -> NoReturn:
    """Replaces this process by the same command line under the environment's interpreter."""
    os.environ[GUARD] = str(venv.folder)
    command = [str(venv.python), *sys.orig_argv[1:]]
    if sys.platform == "win32":
        # Windows has no exec: the parent would seem to end before its child.
        raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603 - ours
    os.execv(command[0], command)  # noqa: S606 - the same command line, another interpreter


@dataclass(frozen=True)
class Environment:
    """A virtual environment that this project is, or is to be, installed in.

    Attributes:
        folder: The environment's own folder, absolute; may not exist yet.
        checkout: The folder with pyproject.toml.
    """

    folder: Path
    checkout: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def _constraints(self) -> Path:
        return self.checkout / "constraints.txt"

    @property
    def is_current(self) -> bool:
        """Whether this process runs in it."""
        return self.folder.exists() and Path(sys.prefix).resolve() == self.folder.resolve()

    @property
    def is_ours(self) -> bool:
        """Whether it was made here, so that it may be emptied."""
        return (self.folder / MARKER).exists()

    @property
    def is_managed(self) -> bool:
        """Whether it was made or filled here."""
        return self.is_ours or (self.folder / STAMP).exists()

    def pip_arguments(self, extras: list[str]) -> list[str]:
        """What ``pip install`` is told: the checkout, editable, and its constraints.

        A checkout that may not be written to cannot be built, so there only the dependencies are
        installed; ``run.py`` finds the packages beside itself.
        """
        constraints = ["-c", "constraints.txt"] if self._constraints.exists() else []
        if os.access(self.checkout, os.W_OK):
            return [*constraints, "-e", f".[{','.join(extras)}]" if extras else "."]
        project: dict[str, Any] = self.project()["project"]
        wanted = [project.get("dependencies", [])]
        wanted += [project.get("optional-dependencies", {}).get(extra, []) for extra in extras]
        return [*constraints, *(requirement for group in wanted for requirement in group)]

    def project(self) -> dict[str, Any]:
        """The parts of pyproject.toml that decide what is installed; raises without one."""
        path = self.checkout / "pyproject.toml"
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BootstrapError(
                f"cannot read {path}: {error}", "run run.py in a whole checkout of the project"
            ) from error
        setuptools = document.get("tool", {}).get("setuptools")
        tables = {key: document.get(key, {}) for key in ("project", "build-system")}
        return {**tables, "setuptools": setuptools}

    def stamp(self, extras: Iterable[str]) -> dict[str, object]:
        """What the stamp says after an install of this checkout as it is now."""
        content = json.dumps(self.project(), sort_keys=True, default=str).encode()
        content += self._constraints.read_bytes() if self._constraints.exists() else b""
        return {
            "project": hashlib.sha256(content).hexdigest(),
            "python": self._python_version(),
            "extras": sorted(extras),
        }

    def read_stamp(self) -> dict[str, object]:
        """The stamp as it stands; empty without one."""
        try:
            content = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def installed_extras(self) -> set[str]:
        """The extras that are in it, by its stamp."""
        extras = self.read_stamp().get("extras")
        return {str(extra) for extra in extras} if isinstance(extras, list) else set()

    def fits(self, extras: list[str]) -> bool:
        """Whether it holds this checkout's dependencies, with at least these extras."""
        have = self.installed_extras()
        return (
            self.python.exists() and have >= set(extras) and self.read_stamp() == self.stamp(have)
        )

    def forget(self) -> None:
        """Takes the stamp away, so that the next run installs."""
        (self.folder / STAMP).unlink(missing_ok=True)

    def build(self, extras: list[str]) -> None:
        """Makes it when need be, and installs the checkout into it; raises what went wrong."""
        with _refusals(self.folder), self._locked():
            if self.fits(extras):
                return
            fresh = self.is_ours and not (self.read_stamp() and self.python.exists())
            everything = {*extras, *self.installed_extras()}
            if fresh:
                self._create()
            elif not self.python.exists():
                raise BootstrapError(
                    f"{self.folder} has no working interpreter, and was not made by run.py",
                    "remove it, or name another folder with EVERYID_VENV",
                )
            else:
                self._check_space({self.folder: UPGRADE_GB})
            before = self.read_stamp()
            self.forget()
            self._install(sorted(everything), before)
            self._write(STAMP, json.dumps(self.stamp(everything)))
        say(f"ready: {self.folder}")

    def _python_version(self) -> str:
        try:
            text = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except OSError:
            return ""
        found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
        return found.group(1) if found else ""

    def _write(self, name: str, text: str) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(self.folder / name)

    def _check_usable(self) -> bool:
        """Whether it is empty or not there, and so will be ours; raises when it is not usable."""
        if not self.folder.exists():
            return True
        if not self.folder.is_dir():
            raise BootstrapError(
                f"{self.folder} is a file; the environment needs a folder there",
                "name another folder with EVERYID_VENV",
            )
        inside = {entry.name for entry in self.folder.iterdir()} - {LOCK}
        if inside and not self.is_ours and "pyvenv.cfg" not in inside:
            raise BootstrapError(
                f"{self.folder} is neither empty nor a virtual environment; it stays as it is",
                "name another folder with EVERYID_VENV",
            )
        return not inside

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the folder against other runs; a folder that was empty becomes ours."""
        self._check_usable()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as lock:
            _lock(lock, self.folder)
            if self._check_usable():
                self._write(MARKER, "Made by run.py of EveryID, which may empty this folder.\n")
            os.set_inheritable(lock.fileno(), True)
            yield

    def _space_for_all(self) -> dict[Path, float]:
        """Gigabytes that a whole install takes: here, and where pip unpacks what it downloads."""
        temporary = Path(tempfile.gettempdir())
        if temporary.stat().st_dev == self.folder.stat().st_dev:
            return {self.folder: INSTALLED_GB + DOWNLOAD_GB}
        return {self.folder: INSTALLED_GB, temporary: DOWNLOAD_GB}

    def _check_space(self, needed: dict[Path, float]) -> None:
        """Raises when one of the folders has less free space than is needed there."""
        for place, gigabytes in needed.items():
            free = shutil.disk_usage(place).free / GIGABYTE
            if free < gigabytes:
                raise BootstrapError(
                    f"not enough disk space: {place} has {free:.1f} GB free, the install needs "
                    f"{gigabytes:.1f} GB",
                    ANOTHER_DISK,
                )

    def _create(self) -> None:
        """Makes an empty environment in the folder, taking away what a dead install left."""
        lacking = missing(("venv", "ensurepip"))
        if lacking:
            raise BootstrapError(
                f"{sys.executable} has no module {' and '.join(lacking)}, which makes environments",
                "apt install python3-venv (Debian and Ubuntu), then run again",
            )
        say(
            f"EveryID makes an environment in {self.folder} and installs its packages there: "
            f"about {DOWNLOAD_GB} GB to download, {INSTALLED_GB} GB on disk, a few minutes, once."
        )
        for entry in self.folder.iterdir():
            if entry.name in {MARKER, LOCK}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self._check_space(self._space_for_all())
        # When this process runs in the very environment, its own interpreter has just gone.
        base = getattr(sys, "_base_executable", None) or sys.executable
        made = subprocess.run(  # noqa: S603 - a fixed command
            [base, "-m", "venv", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            words = [line.strip() for line in made.stdout.splitlines() if line.strip()]
            if DISK_WORDS.search(made.stdout):
                raise _no_space(self.folder)
            raise BootstrapError(
                f"`{base} -m venv {self.folder}` failed: {words[-1] if words else 'no words'}",
                "run that command by hand to see the whole message",
            )

    def _install(self, extras: list[str], before: dict[str, object]) -> None:
        """Runs pip, its words going to stderr, and raises when it fails.

        Args:
            extras: The extras to install.
            before: The stamp of what is there; put back when pip could not even begin.
        """
        log = self.folder / LOG
        log.unlink(missing_ok=True)
        if not self.is_ours and not any(self.folder.glob("lib/python*/site-packages/pip")):
            _call([str(self.python), "-m", "ensurepip"], self.checkout)
        target = self.pip_arguments(extras)
        say(f"EveryID runs in {self.checkout}: pip install {' '.join(target)}")
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check"]
        code = _call([*pip, "--log", str(log), *target], self.checkout)
        if code == 0:
            return
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        if DISK_WORDS.search(text):
            raise _no_space(self.folder)
        words = re.findall(r"\bERROR: (?!\[present)(.+)", text) or re.findall(
            r"\bERROR: (.+)", text
        )
        told = words[-1].strip() if words else "see its words above"
        if NETWORK_WORDS.search(text):
            if before:
                # pip downloads all before it installs anything: what was there is still whole.
                self._write(STAMP, json.dumps({**before, "project": "interrupted"}))
            raise BootstrapError(
                f"pip could not reach the package index: {told}",
                "connect to the network (or set PIP_INDEX_URL, PIP_PROXY) and run again",
            )
        raise BootstrapError(
            f"pip failed with exit code {code}: {told}",
            f"its whole log is {log}; run again once that is put right",
        )


def _no_space(folder: Path) -> BootstrapError:
    return BootstrapError(
        f"the disk of {folder} (or of {tempfile.gettempdir()}) is full", ANOTHER_DISK
    )


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """Turns the file system's refusals into one clear message."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_space(folder) from error
        raise BootstrapError(
            f"cannot make an environment in {folder}: {error.strerror or error}",
            "name a folder that you may write to with EVERYID_VENV",
        ) from error


def _lock(lock: IO[str], folder: Path) -> None:
    """Locks an open file until it is closed, waiting for another process that has it."""
    told = False
    while not _try_lock(lock):
        if not told:
            say(f"another run is preparing {folder}; waiting for it")
        told = True
        time.sleep(0.5)


def _try_lock(lock: IO[str]) -> bool:
    """Whether the file is locked now."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network disks have no locks; there, two runs at once are the owner's affair.
        return error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
    return True


def _call(command: list[str], folder: Path) -> int:
    """The exit code of a command run in a folder, with its stdout on our stderr.

    The child holds the lock as well: when this process is killed outright, the next run waits for
    pip to end. A polite end (Ctrl-C, SIGTERM) takes the child along.
    """

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with subprocess.Popen(  # noqa: S603 - only commands written above
            command, cwd=folder, stdout=sys.stderr, close_fds=False
        ) as child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
    finally:
        signal.signal(signal.SIGTERM, before)
