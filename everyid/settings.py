"""Folders and switches, read from the environment once.

This is the only file of the packages that reads ``os.environ``; ``run.py`` alone reads
``EVERYID_VENV`` and ``EVERYID_NO_BOOTSTRAP``, before any package is installed.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from everyid.errors import ConfigError

__all__ = [
    "PROJECT_FOLDER",
    "Settings",
    "settings",
    "single_threaded",
    "tame_matplotlib",
    "tame_mesa",
    "tame_openvino",
    "tame_ultralytics",
    "tame_xet",
]

PROJECT_FOLDER = Path(__file__).resolve().parents[1]
"""The checkout: the folder that holds ``run.py`` and the packages."""

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Settings(BaseSettings):
    """Where EveryID keeps things and how it behaves, from ``EVERYID_*`` variables.

    An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix="EVERYID_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    tmp: Path = Field(
        default=PROJECT_FOLDER / "tmp",
        description="Results, and by default all else that is made (EVERYID_TMP).",
    )
    models: Path | None = Field(
        default=None, description="Downloaded weights; default TMP/models (EVERYID_MODELS)."
    )
    cache: Path | None = Field(
        default=None, description="Compiled networks; default TMP/cache (EVERYID_CACHE)."
    )
    debug: bool = Field(default=False, description="Tracebacks for known errors (EVERYID_DEBUG).")
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; default all that this process may use."
    )

    @property
    def models_folder(self) -> Path:
        """The folder of downloaded weights."""
        return self.models or self.tmp / "models"

    @property
    def cache_folder(self) -> Path:
        """The folder of compiled networks and other things that can be made again."""
        return self.cache or self.tmp / "cache"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read from the environment at the first call.

    Raises:
        ConfigError: An ``EVERYID_*`` variable has a value that cannot be read.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "EVERYID_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{name}={first['input']!r}: {first['msg']}") from error


@contextmanager
def single_threaded() -> Iterator[None]:
    """Lets processes that are started within the block compute with one thread each.

    Where every core has a process of its own, more threads would only get in each other's way.
    """
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def tame_matplotlib() -> None:
    """Keeps matplotlib from writing to the home folder and from telling of its list of fonts.

    To be called before its first import; what the user has set stays.
    """
    _give_folder("MPLCONFIGDIR", "matplotlib")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def tame_mesa() -> None:
    """Keeps Mesa to one thread a process, and from writing to the home folder.

    To be called before OpenGL starts; what the user has set stays. Drawing is spread over
    processes, and more threads than cores only wait for each other.
    """
    os.environ.setdefault("LP_NUM_THREADS", "1")
    _give_folder("MESA_SHADER_CACHE_DIR", "mesa")


def tame_openvino() -> None:
    """Keeps openvino from reporting its use to Intel and from writing to the home folder.

    To be called before its first import. Without the package ``openvino_telemetry``, which it
    brings along, openvino reports nothing; this makes that package look missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def tame_ultralytics() -> None:
    """Keeps ultralytics from writing to the home folder, installing packages and going online.

    To be called before its first import; what the user has set stays.
    """
    _give_folder("YOLO_CONFIG_DIR", "ultralytics")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_VERBOSE", "false")


def tame_xet() -> None:
    """Keeps hf-xet, which brings large files from the hub, from reporting its transfers.

    To be called before its first transfer; what the user has set stays.
    """
    os.environ.setdefault("HF_XET_TELEMETRY_ENABLED", "false")


def _give_folder(variable: str, name: str) -> None:
    """Points an environment variable that is not set to a folder in the cache."""
    if variable in os.environ:
        return
    folder = settings().cache_folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a cache that cannot be written is no reason to stop
        folder = Path(tempfile.mkdtemp(prefix=f"everyid-{name}-"))
    os.environ[variable] = str(folder)
