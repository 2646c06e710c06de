"""What each command of the room is asked to do: one frozen model a command."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from everyid.config import CommandConfig

__all__ = ["CropsConfig", "FootageConfig", "LayoutName", "MakingConfig"]

LayoutName = Literal["market1501", "msmt17", "cuhk03", "mars", "folders"]


class MakingConfig(CommandConfig):
    """What all commands share."""

    cameras: int = Field(ge=1, le=9999)
    seed: int = Field(default=1, ge=0, lt=2**63)
    output: Path | None = Field(default=None, description="folder; None makes a fresh one")
    overwrite: bool = False
    workers: int | None = Field(default=None, ge=1, le=256, description="None: one a core")

    command_name: ClassVar[str]

    def command(self) -> dict[str, Any]:
        """What decides the result, for the file that says how it was made."""
        kept = self.model_dump(mode="json", exclude={"output", "overwrite", "workers"})
        return {"name": self.command_name, **kept}


class CropsConfig(MakingConfig):
    """``synthetic crops``: a set for re-identification."""

    command_name: ClassVar[str] = "synthetic crops"

    option_names: ClassVar[dict[str, str]] = {"identities": "ids"}

    identities: int = Field(ge=1)
    cameras: int = Field(default=6, ge=1, le=9999)
    cameras_per_identity: int | None = Field(
        default=None, ge=1, description="None: all, but at most 6"
    )
    per_camera: int = Field(default=4, ge=1, le=999, description="pictures")
    layout: LayoutName = "market1501"
    distractors: float = Field(
        default=0.1, ge=0, le=10, description="unlabelled people's pictures per labelled one"
    )
    junk: float = Field(default=0.03, ge=0, le=10, description="bad boxes per labelled picture")

    @property
    def seen_by(self) -> int:
        """In how many cameras an identity appears."""
        wanted = min(self.cameras, 6)
        return wanted if self.cameras_per_identity is None else self.cameras_per_identity

    def command(self) -> dict[str, Any]:
        """What decides the result; how many cameras see an identity is said as a number."""
        return super().command() | {"cameras_per_identity": self.seen_by}

    @model_validator(mode="after")
    def _some_camera_each(self) -> Self:
        if self.seen_by > self.cameras:
            raise ValueError(
                f"--cameras-per-identity: expected at most --cameras {self.cameras}, "
                f"got {self.seen_by}"
            )
        return self


class FootageConfig(MakingConfig):
    """``synthetic footage``: one site, several cameras."""

    command_name: ClassVar[str] = "synthetic footage"

    cameras: int = Field(default=4, ge=1, le=99)
    people: int = Field(default=15, ge=1, le=1000)
    minutes: float = Field(default=2.0, gt=0, le=24 * 60, allow_inf_nan=False)
    days: int = Field(default=1, ge=1, le=2)
    frame_rate: float = Field(default=15.0, ge=1, le=60, allow_inf_nan=False)
    size: tuple[int, int] = Field(default=(640, 360), description="pixels, width and height")
    place: str | None = Field(default=None, description="kind of place; None: the seed decides")

    option_names: ClassVar[dict[str, str]] = {"frame_rate": "fps"}

    @model_validator(mode="after")
    def _usable_size(self) -> Self:
        width, height = self.size
        if not (64 <= width <= 3840 and 64 <= height <= 2160 and width % 2 == height % 2 == 0):
            raise ValueError(
                f"--size: expected even numbers from 64x64 to 3840x2160, got {width}x{height}"
            )
        return self
