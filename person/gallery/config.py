"""What each gallery command is asked to do: one frozen model a command."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from everyid.config import CommandConfig, at_least_one
from person.config import EncodingConfig

__all__ = [
    "DEFAULT_KEEP",
    "DEFAULT_MODEL",
    "CalibrateConfig",
    "EnrollConfig",
    "ForgetConfig",
    "GalleryEncodingConfig",
    "IdentifyConfig",
    "MergeConfig",
    "ShowConfig",
]

DEFAULT_MODEL = "everyid-cnn"
DEFAULT_KEEP = 10

Sources = Annotated[tuple[Path, ...], Field(min_length=1)]
Keep = Annotated[int, Field(ge=1, le=1000)]


class GalleryEncodingConfig(EncodingConfig):
    """What the commands share that turn pictures into vectors of a gallery's model."""

    gallery: Path
    sources: tuple[Path, ...]
    model: str = Field(default="", description="empty: the gallery's own")


class EnrollConfig(GalleryEncodingConfig):
    """``person gallery enroll``: people into a gallery."""

    sources: Sources
    name: str | None = None
    keep: Keep = Field(default=DEFAULT_KEEP, description="vectors a person")


class IdentifyConfig(GalleryEncodingConfig):
    """``person gallery identify``: who crops show."""

    sources: Sources
    threshold: FiniteFloat | None = Field(default=None, ge=-1, le=1)
    false_accept_rate: float = Field(default=0.01, gt=0, lt=1, description="of a question")
    top_k: int = Field(default=5, ge=1, le=100, description="people shown for each crop")
    remember: bool = False
    keep: Keep = Field(default=DEFAULT_KEEP, description="vectors of a remembered person")
    save: Annotated[tuple[Literal["sheets", "csv"], ...], AfterValidator(at_least_one)]
    pictures: int | None = Field(default=None, ge=0, description="answers drawn; None: all")
    output: Path | None = None
    overwrite: bool = False


class CalibrateConfig(GalleryEncodingConfig):
    """``person gallery calibrate``: which similarity means the same person, here."""

    sources: tuple[Path, ...] = Field(default=(), description="none: the gallery itself")
    option_names: ClassVar[dict[str, str]] = {"sources": "source"}


class ShowConfig(CommandConfig):
    """``person gallery show``: all about one person."""

    gallery: Path
    name: str
    output: Path | None = None
    overwrite: bool = False


class ForgetConfig(CommandConfig):
    """``person gallery forget``: people out of a gallery, and off the disk."""

    gallery: Path
    names: Annotated[tuple[str, ...], Field(min_length=1)]


class MergeConfig(CommandConfig):
    """``person gallery merge``: several people who are one."""

    gallery: Path
    name: str
    others: Annotated[tuple[str, ...], Field(min_length=1)]
    keep: Keep = Field(default=DEFAULT_KEEP, description="vectors of the person")
