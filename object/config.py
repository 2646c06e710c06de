"""What each command of the domain is asked to do: one frozen model a command."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from everyid.config import CommandConfig, at_least_one

__all__ = ["DetectionConfig", "RunConfig", "TrackingConfig", "VideoConfig"]

ImageFormat = Literal["images", "csv", "json", "parquet"]
VideoFormat = Literal["video", "csv", "json", "jsonl", "parquet"]
TrackingFormat = Literal["video", "csv", "json", "jsonl", "mot", "parquet", "crops"]


class RunConfig(CommandConfig):
    """What all commands share."""

    option_names: ClassVar[dict[str, str]] = {
        "confidence": "conf",
        "end_s": "end",
        "frame_rate": "fps",
        "image_size": "imgsz",
        "sources": "source",
        "start_s": "start",
    }

    sources: tuple[Path, ...] = Field(description="files and folders; empty takes the sample")
    output: Path | None = Field(default=None, description="folder; None makes a fresh one")
    overwrite: bool = False
    model: str
    device: str = "auto"
    batch_size: int | None = Field(default=None, ge=1, le=1024, description="None: device's own")
    confidence: float = Field(ge=0, le=1)
    iou: float = Field(default=0.7, ge=0, le=1)
    image_size: int | None = Field(default=None, ge=32, le=8192, description="pixels")
    classes: tuple[str, ...] = Field(description="names or numbers; empty keeps all")
    trust_weights: bool = False


class DetectionConfig(RunConfig):
    """``object detection``: boxes in images."""

    save: Annotated[tuple[ImageFormat, ...], AfterValidator(at_least_one)]


class VideoConfig(RunConfig):
    """``object video``: boxes in every frame of videos."""

    save: Annotated[tuple[VideoFormat, ...], AfterValidator(at_least_one)]
    every: int = Field(default=1, ge=1, description="take every Nth frame")
    start_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    end_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_frames: int | None = Field(default=None, ge=1)
    frame_rate: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(
                f"--end: expected a time after --start {self.start_s}, got {self.end_s}"
            )
        return self


class TrackingConfig(VideoConfig):
    """``object tracking``: boxes with lasting ids and movement."""

    save: Annotated[  # type: ignore[assignment]  # a wider choice than plain video has
        tuple[TrackingFormat, ...], AfterValidator(at_least_one)
    ]
    truth: Path | None = Field(default=None, description="None: STEM/gt/gt.txt beside the source")
    tracker: str = "bytetrack"
    birth: float | None = Field(default=None, gt=0, le=1, description="None: tracker's default")
    walking_speed: float = Field(default=50.0, gt=0, allow_inf_nan=False, description="px/s")
    running_speed: float = Field(default=200.0, gt=0, allow_inf_nan=False, description="px/s")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.running_speed <= self.walking_speed:
            raise ValueError(
                f"--running-speed: expected a speed above --walking-speed {self.walking_speed}, "
                f"got {self.running_speed}"
            )
        return self
