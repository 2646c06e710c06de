"""Types that cross a file, the command line or the hub, validated and JSON round-tripping."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

__all__ = [
    "BoundingBox",
    "CropSetRun",
    "Detection",
    "DetectionRun",
    "EmbeddingRun",
    "EncoderSummary",
    "Evaluation",
    "EvaluationRun",
    "FootageCamera",
    "FootageRun",
    "FrameResult",
    "ImageResult",
    "Interval",
    "Match",
    "MatchRun",
    "Model",
    "MovementType",
    "QueryMatches",
    "SourceSummary",
    "TopRankRun",
    "TrackedObject",
    "TrackingResult",
    "TrackingRun",
    "TrackingScores",
    "TrackingSummary",
    "Tracklet",
    "TrainRun",
    "VerificationSummary",
    "VideoRun",
]

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


class Model(BaseModel):
    """The base of all types here: frozen, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MovementType(StrEnum):
    """How fast a track moves, by two thresholds on its speed in px/s."""

    STATIONARY = "stationary"
    WALKING = "walking"
    RUNNING = "running"


class BoundingBox(Model):
    """A box in pixels of its image, x right and y down.

    >>> BoundingBox(x1=10, y1=20, x2=30, y2=60).center
    (20.0, 40.0)
    """

    x1: FiniteFloat
    y1: FiniteFloat
    x2: FiniteFloat
    y2: FiniteFloat

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.x2 <= self.x1 or self.y2 <= self.y1:
            raise ValueError("expected x2 > x1 and y2 > y1")
        return self

    @property
    def width(self) -> float:
        """x2 - x1, pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """y2 - y1, pixels."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Width times height, square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box, (x, y) in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


class Detection(Model):
    """One object found in one image."""

    box: BoundingBox
    confidence: FiniteFloat = Field(ge=0, le=1)
    class_id: int = Field(ge=0)
    class_name: str


class TrackedObject(Detection):
    """One row of a track: an object in one frame, with its identity and movement."""

    track_id: int = Field(ge=1)
    velocity_x: FiniteFloat = Field(default=0.0, description="px/s, right is positive")
    velocity_y: FiniteFloat = Field(default=0.0, description="px/s, down is positive")
    speed: FiniteFloat = Field(default=0.0, ge=0, description="px/s")
    direction: FiniteFloat = Field(
        default=0.0, ge=0, lt=360, description="degrees, 0 right, 90 up; 0 while unknown"
    )
    movement_type: MovementType = MovementType.STATIONARY


class Tracklet(Model):
    """One track from its first to its last frame."""

    track_id: int = Field(ge=1)
    class_id: int = Field(ge=0)
    class_name: str
    first_frame: int = Field(ge=1)
    last_frame: int = Field(ge=1)
    start_s: FiniteFloat
    end_s: FiniteFloat
    boxes: int = Field(ge=1, description="frames in which the track has a box")
    mean_confidence: FiniteFloat = Field(ge=0, le=1)
    mean_speed: FiniteFloat = Field(ge=0, description="px/s")
    movement_type: MovementType = Field(description="the type of most of its boxes")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_frame < self.first_frame or self.end_s < self.start_s:
            raise ValueError("expected a track to end after it starts")
        return self

    @property
    def duration_s(self) -> float:
        """Seconds from the first box to the last."""
        return self.end_s - self.start_s


class FrameResult(Model):
    """All that was found in one frame."""

    source: str
    frame_number: int = Field(ge=1, description="source frames, from 1")
    timestamp: FiniteFloat = Field(description="seconds, the first frame at 0")
    objects: list[TrackedObject | Detection]


class ImageResult(Model):
    """All that was found in one image."""

    source: str
    width: int = Field(ge=1, description="pixels")
    height: int = Field(ge=1, description="pixels")
    objects: list[Detection]


class SourceSummary(Model):
    """What one source gave: how much was read, what was written, what went wrong."""

    source: str
    frames: int = Field(ge=0, description="frames processed")
    duration_s: FiniteFloat = Field(ge=0, description="seconds of footage covered")
    elapsed_s: FiniteFloat = Field(ge=0, description="seconds of wall time")
    boxes: int = Field(ge=0, description="boxes in all frames")
    outputs: dict[str, Path] = Field(default_factory=dict, description="format -> file or folder")
    warnings: list[str] = Field(default_factory=list)
    interrupted: bool = False

    @property
    def frames_per_second(self) -> float:
        """Frames processed for each second of wall time; 0 when no time passed."""
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0


class TrackingScores(Model):
    """How well the tracks of people agree with the ground truth of one or several sources."""

    truth: list[Path] = Field(min_length=1, description="the files compared with")
    frames: int = Field(ge=0, description="frames that were looked at: only they are scored")
    partial: bool = Field(description="the truth has people in further frames")
    people: int = Field(ge=0, description="different people of the truth in these frames")
    boxes: int = Field(ge=0, description="their boxes")
    excused: int = Field(ge=0, description="boxes of tracks left out: on what need not be found")
    hota: Share = Field(description="HOTA, mean over the overlaps 0.05 to 0.95")
    detection_accuracy: Share = Field(description="DetA of HOTA")
    association_accuracy: Share = Field(description="AssA of HOTA")
    localisation_accuracy: Share = Field(description="LocA of HOTA")
    idf1: Share = Field(description="IDF1, at overlap 0.5 as all below")
    id_precision: Share = Field(description="IDP")
    id_recall: Share = Field(description="IDR")
    mota: FiniteFloat = Field(le=1, description="MOTA, below 0 with many false positives")
    id_switches: int = Field(ge=0, description="times a person's track became another")
    false_positives: int = Field(ge=0, description="boxes of tracks that are on nobody")
    misses: int = Field(ge=0, description="boxes of people that no track has")


class TrackingSummary(SourceSummary):
    """What tracking found in one source."""

    tracks: dict[str, int] = Field(description="class name -> tracks")
    people: int = Field(ge=0, description="tracks of class person")
    longest_track: Tracklet | None = None
    scores: TrackingScores | None = Field(
        default=None, description="where the truth of the source is known"
    )


class TrackingResult(Model):
    """A summary with the tracklets behind it."""

    summary: TrackingSummary
    tracklets: list[Tracklet]


class DetectionRun(Model):
    """What ``object detection`` did: the document of its ``--json``."""

    output: Path
    image_count: int = Field(ge=0, description="images looked at")
    boxes: dict[str, int] = Field(description="class name -> boxes")
    images: list[ImageResult] = Field(default_factory=list)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class VideoRun(Model):
    """What ``object video`` did: the document of its ``--json``."""

    output: Path
    sources: list[SourceSummary]
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class TrackingRun(Model):
    """What ``object tracking`` did: the document of its ``--json``."""

    output: Path
    sources: list[TrackingResult]
    scores: TrackingScores | None = Field(
        default=None, description="of all sources with a known truth, where they are several"
    )
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class EncoderSummary(Model):
    """The network behind embeddings."""

    name: str
    sha256: str = Field(description="of its weights and what they are fed; empty: not known")
    width: int = Field(ge=1, description="D, the length of an embedding")
    input: str | None = Field(default=None, description="what it is fed, in words")


class Match(Model):
    """One picture found for a query."""

    rank: int = Field(ge=1)
    path: str
    identity: str | None = None
    camera: str | None = None
    similarity: FiniteFloat = Field(description="cosine, -1 to 1")
    state: Literal["same", "other", "ignored", "unknown"] = Field(
        description="the same identity, another, the same under the same camera, or not known"
    )


class QueryMatches(Model):
    """A query and its matches, best first."""

    query: str
    identity: str | None = None
    camera: str | None = None
    matches: list[Match]


class Interval(Model):
    """A bootstrap interval over the queries."""

    low: FiniteFloat
    high: FiniteFloat


class VerificationSummary(Model):
    """How well a threshold on similarity tells same from different."""

    same_pairs: int = Field(ge=0)
    different_pairs: int = Field(ge=0)
    auc: Share | None = Field(description="area under the ROC, 0-1")
    eer: Share | None = Field(description="equal error rate, 0-1")
    eer_threshold: FiniteFloat | None = Field(description="similarity at the equal error rate")
    tpr_at_fpr: dict[str, Share | None] = Field(
        description="false positive rate -> true positive rate; null: too few pairs to say"
    )
    fpr: list[Share] = Field(description="of the ROC, rising")
    tpr: list[Share] = Field(description="of the ROC")
    thresholds: list[FiniteFloat] = Field(description="of the ROC, similarity, falling")
    missing: str | None = Field(default=None, description="why there is no curve")


class Evaluation(Model):
    """How good a ranking is, and under which rules."""

    protocol_line: str = Field(description="stands beside every figure")
    protocol: str
    data: str
    model: EncoderSummary
    reranking: str = "none"
    queries: int = Field(ge=1, description="queries with a match: those that count")
    queries_without_match: int = Field(ge=0)
    gallery: int = Field(ge=1, description="gallery rows, distractors included")
    junk: int = Field(ge=0, description="gallery rows that the protocol dropped")
    unlabelled: int = Field(ge=0, description="rows without identity or needed camera")
    mean_average_precision: Share
    mean_inverse_negative_penalty: Share
    cmc: list[Share] = Field(min_length=1, description="Rank-1, Rank-2, ..., 0-1")
    intervals: dict[str, Interval] = Field(
        default_factory=dict, description="figure -> its 95 % bootstrap interval"
    )
    bootstrap_repeats: int = 0
    verification: VerificationSummary | None = None

    def rank(self, k: int) -> float:
        """CMC at rank ``k`` from 1, 0-1; that of the last rank where the curve is shorter."""
        return self.cmc[min(max(k, 1), len(self.cmc)) - 1]


class EmbeddingRun(Model):
    """What ``person embed`` did: the document of its ``--json``."""

    output: Path
    crops: int = Field(ge=0)
    model: EncoderSummary
    elapsed_s: FiniteFloat = Field(ge=0, description="seconds, the network's start left out")
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class MatchRun(Model):
    """What ``person match`` did: the document of its ``--json``."""

    output: Path
    queries: int = Field(ge=0)
    gallery: int = Field(ge=1)
    top_k: int = Field(ge=1, description="ranks given: not more than the gallery has")
    reranking: str = Field(default="none", description="what was done to the ranking")
    model: EncoderSummary
    elapsed_s: FiniteFloat = Field(ge=0, description="seconds of matching alone")
    outputs: dict[str, Path] = Field(default_factory=dict)


class EvaluationRun(Model):
    """What ``person evaluate`` did: the document of its ``--json``."""

    output: Path
    evaluation: Evaluation
    outputs: dict[str, Path] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")


class TopRankRun(Model):
    """What ``person everyid`` did: the document of its ``--json``."""

    output: Path
    model: EncoderSummary
    queries: int = Field(ge=0)
    gallery: int = Field(ge=0)
    top_k: int = Field(ge=1)
    reranking: str = Field(default="none", description="what was done to the ranking")
    evaluation: Evaluation | None = None
    no_figures: str | None = Field(default=None, description="why there is no evaluation")
    matches: list[QueryMatches] = Field(default_factory=list)
    outputs: dict[str, Path] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")
    interrupted: bool = False


class TrainRun(Model):
    """What ``person train`` did: the document of its ``--json``."""

    output: Path
    recipe: str
    identities: int = Field(ge=0)
    images: int = Field(ge=0, description="in the data")
    steps: int = Field(ge=0, description="batches so far")
    epochs: int = Field(ge=0, description="whole ones so far")
    images_seen: int = Field(ge=0)
    best_epoch: int | None = Field(default=None, description="whose weights are in the model file")
    evaluation: Evaluation | None = Field(default=None, description="of the model file")
    elapsed_s: float = Field(ge=0, description="of all runs together")
    finished: bool
    outputs: dict[str, Path] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")


class CropSetRun(Model):
    """What ``synthetic crops`` did: the document of its ``--json``."""

    output: Path
    layout: str
    crops: int = Field(ge=0, description="made")
    planned: int = Field(ge=1, description="that the whole set has")
    identities: int = Field(ge=1)
    cameras: int = Field(ge=1)
    distractors: int = Field(ge=0, description="crops of people who match no query")
    junk: int = Field(ge=0, description="crops of bad boxes")
    elapsed_s: float = Field(ge=0)
    interrupted: bool = False


class FootageCamera(Model):
    """What one camera of ``synthetic footage`` recorded on one day."""

    name: str
    day: int = Field(ge=1)
    video: Path
    truth: Path = Field(description="MOTChallenge ground truth")
    frames: int = Field(ge=1)
    identities: int = Field(ge=0, description="different people seen")
    boxes: int = Field(ge=0)


class FootageRun(Model):
    """What ``synthetic footage`` did: the document of its ``--json``."""

    output: Path
    place: str = Field(description="what kind of place it is")
    people: int = Field(ge=1)
    days: int = Field(ge=1)
    frame_rate: float = Field(gt=0, description="frames/s")
    cameras: list[FootageCamera] = Field(description="those that are whole")
    events: int = Field(ge=0)
    elapsed_s: float = Field(ge=0)
    interrupted: bool = False
