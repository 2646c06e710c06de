"""What a gallery is made of: its rows, its head on disk, and what is answered from it."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field, FiniteFloat

from everyid.errors import ShapeError
from everyid.models import Model
from person.embeddings import Embeddings

__all__ = [
    "FORMAT_VERSION",
    "Answer",
    "Candidate",
    "Enrolment",
    "GalleryModel",
    "Head",
    "IdentitySummary",
    "RowSummary",
    "Rows",
    "Segment",
    "ThresholdSummary",
]

FORMAT_VERSION = 1
"""Of the folder's layout; a program refuses a folder of a higher one."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Similarity = Annotated[FiniteFloat, Field(ge=-1.001, le=1.001, description="cosine")]
Probability = Annotated[FiniteFloat, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Enrolled pictures, row by row: whose they are, their vectors, and since when.

    Args:
        embeddings: N rows; ``embeddings.crops.identities`` are the names, none of them None.
        added_utc: datetime64[ms] (N,), when each was enrolled, UTC.

    Raises:
        ShapeError: The columns differ in length, or a row has no name.
    """

    embeddings: Embeddings
    added_utc: NDArray[np.datetime64]

    def __post_init__(self) -> None:
        if self.added_utc.shape != (len(self.embeddings),):
            raise ShapeError(
                f"added_utc: expected ({len(self.embeddings)},), got {self.added_utc.shape}"
            )
        if None in self.embeddings.crops.identities:
            row = self.embeddings.crops.identities.index(None)
            raise ShapeError(f"identities: expected a name in each row, row {row} has none")

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def names(self) -> tuple[str, ...]:
        """Whose each row is."""
        return tuple(name or "" for name in self.embeddings.crops.identities)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        return type(self)(self.embeddings.select(rows), self.added_utc[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """Rows that are to be enrolled, with their pictures.

    Args:
        rows: N rows.
        thumbnails: N JPEG files; None where there is no picture.
    """

    rows: Rows
    thumbnails: tuple[bytes | None, ...]

    def __post_init__(self) -> None:
        if len(self.thumbnails) != len(self.rows):
            raise ShapeError(
                f"thumbnails: expected {len(self.rows)}, one a row, got {len(self.thumbnails)}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows.

        Args:
            rows: integer (M,) indices in the wanted order.
        """
        thumbnails = tuple(self.thumbnails[row] for row in rows.tolist())
        return type(self)(self.rows.select(rows), thumbnails)


class Segment(Model):
    """One file of rows."""

    file: str = Field(pattern=r"^[0-9]{4,}-[0-9a-f]{8}\.parquet$", description="in segments/")
    rows: int = Field(ge=1)
    sha256: Sha256


class GalleryModel(Model):
    """The network whose vectors a gallery holds."""

    name: str
    sha256: str = Field(min_length=1, description="of its weights and what they are fed")
    width: int = Field(ge=1, description="D, the length of a vector")
    given: str = Field(description="what --model named when the gallery was made")


class Head(Model):
    """``gallery.json``: which files make up the gallery. It names nobody."""

    format_version: Literal[1] = 1
    generation: int = Field(ge=0, description="rises by one with each change")
    model: GalleryModel
    anonymous: int = Field(default=0, ge=0, description="the last number given to an unknown")
    segments: tuple[Segment, ...] = ()


class IdentitySummary(Model):
    """One person of a gallery."""

    name: str
    vectors: int = Field(ge=1)
    cameras: list[str] = Field(description="that saw them, each once")
    first_added: AwareDatetime
    last_added: AwareDatetime


class RowSummary(Model):
    """One enrolled picture."""

    path: str = Field(description="as given")
    camera: str | None = None
    video: str | None = None
    track: int | None = None
    frame: int | None = None
    timestamp: FiniteFloat | None = Field(default=None, description="seconds in the video")
    added: AwareDatetime
    picture: bool = Field(description="whether the gallery keeps one")


class Candidate(Model):
    """One person whom a question was compared with."""

    name: str
    similarity: Similarity
    probability: Probability | None = Field(
        default=None, description="that it is the same person; null without calibration"
    )
    path: str = Field(description="the most similar enrolled picture, as given")
    row: int = Field(default=0, ge=0, exclude=True, description="of the gallery: that picture")


class Answer(Model):
    """Who a crop, or a track of crops, shows."""

    kind: Literal["crop", "track"]
    path: str = Field(description="the crop; of a track, its first one")
    crops: int = Field(ge=1)
    camera: str | None = None
    video: str | None = None
    track: int | None = None
    known: bool
    name: str | None = Field(default=None, description="who; null: unknown")
    similarity: Similarity | None = Field(default=None, description="to the nearest person")
    probability: Probability | None = None
    candidates: list[Candidate] = Field(description="the nearest people, best first")
    remembered: str | None = Field(default=None, description="the name it was enrolled under")


class ThresholdSummary(Model):
    """From which similarity on an answer counts as known, and how that was come by."""

    similarity: FiniteFloat
    origin: Literal["given", "gallery", "shipped"]
    false_accept_rate: float | None = Field(default=None, description="wanted, a question")
    words: str = Field(description="how it was come by")
