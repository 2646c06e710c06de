"""What the gallery commands did: the documents of their ``--json``."""

from pathlib import Path

from pydantic import Field, FiniteFloat

from everyid.models import EncoderSummary, Model
from person.gallery.calibration import Calibration
from person.gallery.records import (
    Answer,
    GalleryModel,
    IdentitySummary,
    RowSummary,
    ThresholdSummary,
)

__all__ = [
    "CalibrateRun",
    "EnrollRun",
    "ForgetRun",
    "GalleryList",
    "IdentifyRun",
    "MergeRun",
    "RatePoint",
    "ShowRun",
]


class EnrollRun(Model):
    """What ``person gallery enroll`` did."""

    gallery: Path
    created: bool = Field(description="whether the gallery is new")
    model: EncoderSummary
    people: int = Field(ge=0, description="that were named")
    new_people: int = Field(ge=0, description="of these, not in the gallery before")
    added: int = Field(ge=0, description="pictures enrolled")
    there_already: int = Field(ge=0, description="pictures that were enrolled before")
    not_needed: int = Field(ge=0, description="pictures whose view others stand for")
    replaced: int = Field(ge=0, description="older pictures that newer ones stand for now")
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")


class IdentifyRun(Model):
    """What ``person gallery identify`` did."""

    gallery: Path
    output: Path
    model: EncoderSummary
    people: int = Field(ge=0, description="in the gallery that was asked")
    vectors: int = Field(ge=0, description="likewise")
    threshold: ThresholdSummary
    crops: int = Field(ge=0)
    known: int = Field(ge=0, description="crops that show somebody who is enrolled")
    remembered: list[str] = Field(default_factory=list, description="people that are new")
    answers: list[Answer] = Field(description="one a crop")
    tracks: list[Answer] = Field(default_factory=list, description="one a track")
    outputs: dict[str, Path] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class GalleryList(Model):
    """Who is in a gallery: ``person gallery list``."""

    gallery: Path
    model: GalleryModel
    vectors: int = Field(ge=0)
    calibration: str | None = Field(description="what the threshold was learnt on; null: nothing")
    people: list[IdentitySummary]


class ShowRun(Model):
    """All about one person: ``person gallery show``."""

    gallery: Path
    person: IdentitySummary
    rows: list[RowSummary]
    picture: Path | None = Field(default=None, description="the thumbnails, where there are any")


class ForgetRun(Model):
    """Who was forgotten: ``person gallery forget``."""

    gallery: Path
    forgotten: dict[str, int] = Field(description="name -> vectors that are gone")
    people: int = Field(ge=0, description="left in the gallery")


class MergeRun(Model):
    """Who became one: ``person gallery merge``."""

    gallery: Path
    name: str
    merged: list[str]
    vectors: int = Field(ge=1, description="that the person has now")


class RatePoint(Model):
    """What a wanted false-accept rate costs."""

    false_accept_rate: float = Field(description="wanted, a question")
    threshold: FiniteFloat = Field(description="similarity from which on an answer is known")
    recognised: float = Field(ge=0, le=1, description="share of same pairs that reach it")
    measured: bool = Field(description="by the pairs; else extrapolated")


class CalibrateRun(Model):
    """What ``person gallery calibrate`` learnt."""

    gallery: Path
    calibration: Calibration
    vectors: int = Field(ge=1, description="in the gallery; what the rates are for")
    rates: list[RatePoint]
    outputs: dict[str, Path]
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
