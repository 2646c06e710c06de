"""What the commands on data sets are asked to do: one frozen model a command."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from everyid.config import CommandConfig

__all__ = ["DatasetCheckConfig", "DatasetStatsConfig"]


class DatasetCheckConfig(CommandConfig):
    """``person dataset check``: what is wrong with data, before it is trained on."""

    option_names: ClassVar[dict[str, str]] = {"sources": "data"}

    sources: tuple[Path, ...] = Field(default=(), description="empty takes the default")
    id_pattern: str | None = None
    camera_pattern: str | None = None


class DatasetStatsConfig(DatasetCheckConfig):
    """``person dataset stats``: how much of what there is."""

    output: Path | None = None
    overwrite: bool = False
