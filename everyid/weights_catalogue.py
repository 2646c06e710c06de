"""What weights are known by name, read from ``weights_catalogue.json``.

For each name the file says where the weights can be had, their sha256, under which licence they
stand, what they were trained on and what the network is fed. Some ship with the project itself.
"""

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from everyid.errors import ConfigError
from everyid.models import Model

__all__ = [
    "SHA256_PATTERN",
    "BundledSource",
    "Catalogue",
    "Figure",
    "InputSpec",
    "PackageSource",
    "UrlSource",
    "WeightsEntry",
    "WeightsFile",
    "entries",
    "find",
    "find_sha256",
    "official_name",
    "unknown_name",
]

CATALOGUE_FILE = Path(__file__).with_name("weights_catalogue.json")
"""What ``entries`` reads."""
SHA256_PATTERN = r"^[0-9a-f]{64}$"

_SHA384_PATTERN = r"^[0-9a-f]{96}$"
_PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
_PROJECT_PATH = r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)*[A-Za-z0-9][A-Za-z0-9._+-]*$"
"""Below the project folder: no part of it starts with a dot, and it does not start with "/"."""
_OFFICIAL_NAME = re.compile(
    r"""(
        yolov3(-spp|-tiny)?u
        | yolov5[nsmlx]6?u
        | yolov8[nsmlx](-cls|-seg|-pose|-obb|-oiv7)?
        | yolov8[smlx]-world(v2)?
        | yolov8x-pose-p6
        | yolov9([tsmce]|[ce]-seg)
        | yolov10[nsmblx]
        | yolo11[nsmlx](-cls|-seg|-pose|-obb)?
        | yolo12[nsmlx]
        | yolo26[nsmlx](-cls|-seg|-sem|-pose|-obb|-depth)?
        | yoloe-(v8|11)[sml]-seg(-pf)?
        | yoloe-26[nsmlx]-seg(-pf)?
        | rtdetr-[lx]
    )(\.pt)?""",
    re.VERBOSE,
)


class InputSpec(Model):
    """What a network is fed: ``(pixel / scale - mean) / std``, channels in order of ``colour``."""

    size_hw: tuple[int, int] | None = Field(
        description="height and width it was made for, px; None: no size in particular"
    )
    colour: Literal["rgb", "bgr"]
    scale: FiniteFloat = Field(gt=0, description="pixels, 0-255, are divided by this")
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = Field(
        default=(0.0, 0.0, 0.0), description="subtracted after scaling"
    )
    std: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = Field(
        default=(1.0, 1.0, 1.0), description="divided by at last"
    )
    resize: Literal["bilinear", "bicubic", "linear"] | None = Field(
        default=None,
        description="how pictures come to that size: Pillow's bilinear or bicubic (antialiased), "
        "or OpenCV's linear (not); None: the caller's affair",
    )


class UrlSource(Model):
    """A file on a web server: an official release, or a model hub."""

    kind: Literal["url"] = "url"
    url: str = Field(pattern=r"^https?://")

    def __str__(self) -> str:
        return self.url


class PackageSource(Model):
    """A file inside a wheel of whatever package index pip is set to."""

    kind: Literal["package"] = "package"
    package: str = Field(pattern=_PLAIN_NAME)
    version: str = Field(pattern=_PLAIN_NAME)
    member: str = Field(min_length=1, description="path inside the wheel")

    @property
    def requirement(self) -> str:
        """The package as pip wants it, pinned."""
        return f"{self.package}=={self.version}"

    def __str__(self) -> str:
        return f"the package index ({self.requirement})"


class BundledSource(Model):
    """A file of the project itself: it is used where it lies, and never fetched or copied."""

    kind: Literal["bundled"] = "bundled"
    path: str = Field(pattern=_PROJECT_PATH, description="below the project folder")

    def __str__(self) -> str:
        return self.path


class Figure(Model):
    """What somebody measured with some weights, as they published it."""

    data: str = Field(min_length=1, description="the data set it was measured on")
    protocol: str = Field(min_length=1)
    metrics: dict[str, FiniteFloat] = Field(description="name -> value; shares are 0-1")
    source: str = Field(min_length=1, description="where it was published")


class WeightsFile(Model):
    """One file, and where it can be had."""

    file: str = Field(pattern=_PLAIN_NAME, description="its name in the models folder")
    sha256: str = Field(pattern=SHA256_PATTERN)
    sha384: str | None = Field(
        default=None, pattern=_SHA384_PATTERN, description="where its publisher gives that"
    )
    size_bytes: int = Field(ge=1)
    sources: list[
        Annotated[UrlSource | PackageSource | BundledSource, Field(discriminator="kind")]
    ] = Field(min_length=1, description="tried in this order")

    @property
    def bundled(self) -> BundledSource | None:
        """Where it ships with the project, or None: it has to be fetched."""
        return next((one for one in self.sources if isinstance(one, BundledSource)), None)

    @property
    def downloads(self) -> list[UrlSource | PackageSource]:
        """The sources that it is fetched from, in the order they are tried."""
        return [one for one in self.sources if not isinstance(one, BundledSource)]

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.bundled is None:
            return self
        if len(self.sources) > 1 or self.bundled.path.rpartition("/")[2] != self.file:
            raise ValueError("expected a bundled file to bear its name and have no other source")
        return self


class WeightsEntry(WeightsFile):
    """What some weights are: the file that is opened, and those that belong beside it."""

    name: str = Field(pattern=_PLAIN_NAME)
    companions: list[WeightsFile] = Field(
        default_factory=list,
        description="files that have to lie beside it, such as the .bin of an .xml",
    )
    licence: str = Field(min_length=1, description="SPDX identifier")
    licence_note: str = Field(default="", description="what it asks of users, one line")
    task: str = Field(min_length=1)
    architecture: str = Field(min_length=1)
    parameters: int | None = Field(default=None, ge=1, description="how many, as published")
    trained_on: str = Field(min_length=1)
    input: InputSpec
    figures: list[Figure] = Field(default_factory=list)
    card: str | None = Field(
        default=None, pattern=_PROJECT_PATH, description="its page, below the project folder"
    )

    @property
    def files(self) -> list[WeightsFile]:
        """All its files, the one that is opened first."""
        return [self, *self.companions]

    @property
    def total_bytes(self) -> int:
        """The size of all its files."""
        return sum(item.size_bytes for item in self.files)

    @model_validator(mode="after")
    def _bundled_alone(self) -> Self:
        if self.companions and any(item.bundled for item in self.files):
            raise ValueError("expected a bundled file to be the only one of its weights")
        return self


class Catalogue(Model):
    """All weights that are known by name."""

    weights: list[WeightsEntry]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [entry.name for entry in self.weights]
        files = [item.file for entry in self.weights for item in entry.files]
        if len(set(names)) < len(names) or len(set(files)) < len(files):
            raise ValueError("expected each name and each file once")
        return self


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    return Catalogue.model_validate_json(CATALOGUE_FILE.read_bytes())


def entries() -> list[WeightsEntry]:
    """All weights in the catalogue, by name.

    >>> [entry.name for entry in entries()][-2:]
    ['yolov8n', 'yolox_nano']
    """
    return sorted(_catalogue().weights, key=lambda entry: entry.name)


def find(name: str) -> WeightsEntry | None:
    """The entry with this name or file name, or None.

    >>> find("yolov8n.pt") is find("yolov8n")
    True
    """
    return next((e for e in _catalogue().weights if name in (e.name, e.file)), None)


def find_sha256(sha256: str) -> WeightsEntry | None:
    """The entry one of whose files has this sha256, whatever the file is called; or None."""
    return next((e for e in entries() if sha256 in [item.sha256 for item in e.files]), None)


def official_name(name: str) -> bool:
    """Whether a name, with or without ``.pt``, is one of Ultralytics' released models.

    >>> official_name("yolo11m.pt"), official_name("yolov8n-seg"), official_name("mine.pt")
    (True, True, False)
    """
    return _OFFICIAL_NAME.fullmatch(name) is not None


def unknown_name(name: str) -> ConfigError:
    """The error for a name that means no weights, with the nearest one that does."""
    known = [entry.name for entry in entries()]
    near = difflib.get_close_matches(name.removesuffix(".pt"), known, n=1, cutoff=0.5)
    return ConfigError(
        f"no weights are called {name!r}; known: {', '.join(known)}",
        hint=f"did you mean {near[0]!r}?" if near else "see `python3 run.py weights list`",
    )
