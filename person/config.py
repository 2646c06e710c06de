"""What each command of the domain is asked to do: one frozen model a command."""

import shlex
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from everyid.config import CommandConfig, at_least_one

__all__ = [
    "AdaptConfig",
    "EmbedConfig",
    "EncodingConfig",
    "EvaluateConfig",
    "MatchConfig",
    "TopRankConfig",
    "TrainConfig",
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
    precision: Literal["fp32", "bf16", "fp16", "int8"] | None = None
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


class _Refined(CommandConfig):
    """What is done beyond plain similarity."""

    expand_query: int = Field(default=0, ge=0, le=100, description="gallery rows; 0: none")
    rerank: bool = False


class TopRankConfig(EncodingConfig, _TwoSides, _Refined):
    """``person everyid``: the top ranks of each query, and the figures."""

    output: Path | None = None
    overwrite: bool = False
    save: Annotated[tuple[TopRankFormat, ...], AfterValidator(at_least_one)]
    top_k: int = Field(default=20, ge=1, le=1000)
    protocol: str | None = None
    pictures: int | None = Field(default=None, ge=0, description="queries drawn; None: all")


class EvaluateConfig(EncodingConfig, _TwoSides, _Refined):
    """``person evaluate``: the figures of embeddings or crops."""

    output: Path | None = None
    overwrite: bool = False
    protocol: str | None = None
    bootstrap: int = Field(default=0, ge=0, le=100_000, description="0: no intervals")
    seed: int = Field(default=0, ge=0)


class MatchConfig(_Refined):
    """``person match``: the top ranks of one file of embeddings in another."""

    query: Path
    gallery: Path
    output: Path | None = None
    overwrite: bool = False
    save: Annotated[tuple[MatchFormat, ...], AfterValidator(at_least_one)]
    top_k: int = Field(default=20, ge=1, le=100_000)
    device: str = "auto"


_DECIDING = (
    *("teacher", "epochs", "start", "validate_on", "protocol", "hold_out", "id_pattern"),
    *("camera_pattern", "validate_every", "patience", "device", "precision"),
)
"""Options of a training that its result depends on, beside its data, recipe and seed."""


class TrainConfig(CommandConfig):
    """``person train``: a network from pictures."""

    option_names: ClassVar[dict[str, str]] = {"settings": "set"}

    recipe: str
    data: Annotated[tuple[Path, ...], Field(min_length=1)]
    unlabelled: tuple[Path, ...] = ()
    settings: tuple[tuple[str, str], ...] = Field(default=(), description="of the recipe")
    teacher: str | None = None
    epochs: int | None = Field(default=None, ge=1)
    start: str | None = None
    validate_on: Path | None = None
    protocol: str | None = None
    hold_out: float = Field(default=0.1, ge=0, le=0.5, description="part of the identities")
    id_pattern: str | None = None
    camera_pattern: str | None = None
    validate_every: int = Field(default=1, ge=1, description="epochs")
    patience: int = Field(default=0, ge=0, description="validations; 0: never stops early")
    checkpoint_every_s: float = Field(default=300.0, gt=0)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    output: Path | None = None
    overwrite: bool = False

    def command_line(self) -> str:
        """The command that trains the same, without where the result goes."""
        words = ["python3", "run.py", "person", "train", "--recipe", self.recipe]
        for option, paths in (("--data", self.data), ("--unlabelled", self.unlabelled)):
            for path in paths:
                words += [option, path.name if path.is_absolute() else str(path)]
        for name in _DECIDING:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                words += [f"--{name.replace('_', '-')}", str(value)]
        for name, value in self.settings:
            words += ["--set", f"{name}={value}"]
        return shlex.join([*words, "--seed", str(self.seed)])


class AdaptConfig(CommandConfig):
    """``person adapt``: a network to the footage of a site."""

    option_names: ClassVar[dict[str, str]] = {"sources": "source"}

    model: str
    sources: Annotated[tuple[Path, ...], Field(min_length=1)]
    tracks: tuple[Path, ...] = Field(default=(), description="one a source; none: of crops")
    min_height: int = Field(default=48, ge=16, description="pixels of the lowest box")
    steps: int = Field(default=300, ge=1)
    learning_rate: Positive = 1e-4
    validate_on: Path | None = None
    protocol: str | None = None
    tolerance: float = Field(default=0.005, ge=0, le=1, description="of mAP on validate_on")
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    output: Path | None = None
    overwrite: bool = False

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if self.tracks and len(self.tracks) != len(self.sources):
            raise ValueError(
                f"expected a --tracks for each --source, in the same order, got "
                f"{len(self.tracks)} for {len(self.sources)}; folders of crops need none"
            )
        return self

    def command_line(self) -> str:
        """The command that adapts the same, without where the result goes."""
        words = ["python3", "run.py", "person", "adapt", "--model", Path(self.model).name]
        for number, source in enumerate(self.sources):
            words += ["--source", source.name]
            if self.tracks:
                words += ["--tracks", self.tracks[number].name]
        words += ["--min-height", str(self.min_height)] if self.tracks else []
        words += ["--steps", str(self.steps), "--learning-rate", f"{self.learning_rate:g}"]
        if self.validate_on is not None:
            words += ["--validate-on", self.validate_on.name]
            words += ["--tolerance", f"{self.tolerance:g}"]
            words += ["--protocol", self.protocol] if self.protocol else []
        return shlex.join([*words, "--seed", str(self.seed)])
