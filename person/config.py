"""What each command of the domain is asked to do: one frozen model a command."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from everyid.config import CommandConfig, at_least_one

__all__ = [
    "EmbedConfig",
    "EncodingConfig",
    "EvaluateConfig",
    "MatchConfig",
    "TopRankConfig",
]

TopRankFormat = Literal["folders", "sheets", "csv", "parquet"]
MatchFormat = Literal["csv", "parquet"]
Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Pixels = Annotated[int, Field(ge=1, le=4096)]
Positive = Annotated[FiniteFloat, Field(gt=0)]


class EncodingConfig(CommandConfig):
    """How crops become embeddings, and how their names are read."""

    option_names: ClassVar[dict[str, str]] = {"sources": "source", "size_hw": "input_size"}

    id_pattern: str | None = None
    camera_pattern: str | None = None
    model: str
    device: str = "auto"
    batch_size: int | None = Field(default=None, ge=1, le=4096, description="None: device's own")
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    size_hw: tuple[Pixels, Pixels] | None = None
    colour: Literal["rgb", "bgr"] | None = None
    scale: Positive | None = None
    mean: Triple | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    resize: Literal["bilinear", "bicubic", "linear"] | None = None


class EmbedConfig(EncodingConfig):
    """``person embed``: crops to a file of embeddings."""

    sources: tuple[Path, ...] = Field(description="empty takes the default")
    output: Path | None = None
    overwrite: bool = False

    @model_validator(mode="after")
    def _known_suffix(self) -> Self:
        if self.output is not None and self.output.suffix.lower() not in {".parquet", ".npz"}:
            raise ValueError(f"--output: expected a .parquet or .npz file, got {self.output}")
        return self


class _TwoSides(CommandConfig):
    """One set against itself, or queries against a gallery."""

    sources: tuple[Path, ...] = ()
    query: Path | None = None
    gallery: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.query is None) != (self.gallery is None):
            given, missing = ("query", "gallery") if self.gallery is None else ("gallery", "query")
            raise ValueError(f"--{given} needs --{missing} as well")
        if self.query is not None and self.sources:
            raise ValueError("give --source, or --query and --gallery, not both")
        return self


class TopRankConfig(EncodingConfig, _TwoSides):
    """``person everyid``: the top ranks of each query, and the figures."""

    output: Path | None = None
    overwrite: bool = False
    save: Annotated[tuple[TopRankFormat, ...], AfterValidator(at_least_one)]
    top_k: int = Field(default=20, ge=1, le=1000)
    protocol: str | None = None
    pictures: int | None = Field(default=None, ge=0, description="queries drawn; None: all")


class EvaluateConfig(EncodingConfig, _TwoSides):
    """``person evaluate``: the figures of embeddings or crops."""

    output: Path | None = None
    overwrite: bool = False
    protocol: str | None = None
    bootstrap: int = Field(default=0, ge=0, le=100_000, description="0: no intervals")
    seed: int = Field(default=0, ge=0)


class MatchConfig(CommandConfig):
    """``person match``: the top ranks of one file of embeddings in another."""

    query: Path
    gallery: Path
    output: Path | None = None
    overwrite: bool = False
    save: Annotated[tuple[MatchFormat, ...], AfterValidator(at_least_one)]
    top_k: int = Field(default=20, ge=1, le=100_000)
    device: str = "auto"
