"""What every test gets: no network, folders of its own, and the files that some tests need."""

import ipaddress
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from everyid.settings import PROJECT_FOLDER, settings
from everyid.weights import DEFAULT_NAME, find, is_cached

# Shared machines are slow at times: no test is judged by the clock.
hypothesis.settings.register_profile("everyid", deadline=None)
hypothesis.settings.load_profile("everyid")

FOLDERS = pytest.StashKey[Path]()
ENVIRONMENT = pytest.StashKey[pytest.MonkeyPatch]()


class NetworkBlockedError(OSError):
    """A test not marked ``network`` tried to leave this machine; code sees it as being offline."""


def pytest_sessionstart() -> None:
    """Lets child processes be interrupted, also where this one was started in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_configure(config: pytest.Config) -> None:
    """Points every folder of EveryID into a temporary one, before any test module is imported.

    Downloaded models are the exception: what was fetched before serves the tests too.
    """
    folder = Path(tempfile.mkdtemp(prefix="everyid-tests-"))
    for name in ("ultralytics", "matplotlib"):
        (folder / name).mkdir()
    models = settings().models_folder
    patch = pytest.MonkeyPatch()
    patch.setenv("EVERYID_MODELS", str(models))
    patch.setenv("EVERYID_TMP", str(folder / "tmp"))
    patch.setenv("EVERYID_CACHE", str(folder / "cache"))
    for name in ("EVERYID_DEBUG", "EVERYID_VENV", "EVERYID_NO_BOOTSTRAP", "FORCE_COLOR"):
        patch.delenv(name, raising=False)
    patch.setenv("YOLO_CONFIG_DIR", str(folder / "ultralytics"))
    patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
    patch.setenv("YOLO_AUTOINSTALL", "false")
    patch.setenv("YOLO_OFFLINE", "true")
    patch.setenv("YOLO_VERBOSE", "false")
    settings.cache_clear()
    config.stash[FOLDERS] = folder
    config.stash[ENVIRONMENT] = patch


def pytest_unconfigure(config: pytest.Config) -> None:
    if ENVIRONMENT in config.stash:
        config.stash[ENVIRONMENT].undo()
        settings.cache_clear()
        shutil.rmtree(config.stash[FOLDERS], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: runs with --slow")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


def is_local(host: object) -> bool:
    """Whether a host name or address is this machine itself, known without asking anyone."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets sockets reach this machine only, but for tests marked ``network``."""
    if request.node.get_closest_marker("network"):
        return
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(host: object) -> None:
        if not is_local(host):
            raise NetworkBlockedError(f"{host!r}: tests reach no network; mark it `network`")

    def check_address(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            check(address[0])

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        check_address(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        check_address(sock, address)
        return connect_ex(sock, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        check(host)
        return getaddrinfo(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """Makes a test's own ``EVERYID_*`` variables count, in that test only."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of footage beside the checkout; the test is skipped where there is none."""
    folder = PROJECT_FOLDER.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no footage at {folder}")
    return folder


@pytest.fixture(scope="session")
def default_weights() -> Path:
    """The checked file of the default weights; the test is skipped when it was never fetched."""
    entry = find(DEFAULT_NAME)
    if entry is None or not is_cached(entry):
        pytest.skip(f"weights missing: run `python3 run.py weights fetch {DEFAULT_NAME}`")
    return settings().models_folder / entry.file
