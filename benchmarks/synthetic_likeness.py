"""How alike pictures of one person and of two are, synthetic and real."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everyid.config import build
from everyid.media import read_image
from everyid.output import Stop
from object.config import TrackingConfig
from object.track_video import run_tracking
from person.config import EmbedConfig
from person.crops import Crops
from person.embeddings import Embeddings
from person.session import Session
from synthetic.config import CropsConfig
from synthetic.crops import make_crops

__all__ = [
    "ENCODER",
    "Alike",
    "CropSet",
    "Likeness",
    "across_cameras",
    "alike",
    "make_set",
    "thumbnails",
    "vectors_of",
    "within_tracks",
]

ENCODER = "person-reidentification-retail-0277"
CAMERAS, PICTURES = 4, 4
_THUMBNAIL_WH = (16, 32)
_WEAK = 0.1

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropSet:
    """A set of crops.

    Args:
        seed: Of the set.
        folder: Where it is.
        crops: All its crops.
        origin: Identity -> the identity that it is a near twin of, or itself.
        duplicates: How many identities have all attributes of an earlier one.
    """

    seed: int
    folder: Path
    crops: Crops
    origin: dict[int, int]
    duplicates: int

    @property
    def people(self) -> NDArray[np.int64]:
        """int64 (N,), whom each crop shows."""
        return np.array([int(name or 0) for name in self.crops.identities], np.int64)

    @property
    def origins(self) -> NDArray[np.int64]:
        """int64 (N,), the same number for near twins."""
        return np.array([self.origin[person] for person in self.people.tolist()], np.int64)

    @property
    def cameras(self) -> NDArray[np.int64]:
        """int64 (N,), which camera took each crop."""
        return np.array([int(name or 0) for name in self.crops.cameras], np.int64)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosine similarities of pairs of pictures.

    Args:
        same: float32 (S,), of one person.
        different: float32 (D,), of two.
    """

    same: Floats
    different: Floats

    def facts(self) -> dict[str, object]:
        """Mean and standard deviation of both, d-prime, and the area under the ROC curve."""
        if not len(self.same) or not len(self.different):
            return {"same_pairs": len(self.same), "different_pairs": len(self.different)}
        gap = float(self.same.mean() - self.different.mean())
        spread = float(np.sqrt((self.same.var() + self.different.var()) / 2))
        below = np.searchsorted(np.sort(self.different), self.same)
        return {
            "same_pairs": len(self.same),
            "different_pairs": len(self.different),
            "same_mean": round(float(self.same.mean()), 4),
            "same_sd": round(float(self.same.std()), 4),
            "different_mean": round(float(self.different.mean()), 4),
            "different_sd": round(float(self.different.std()), 4),
            "d_prime": round(gap / max(spread, 1e-9), 3),
            "auc": round(float(below.mean()) / len(self.different), 4),
        }


@dataclass(frozen=True, slots=True)
class Alike:
    """Pictures of people who are no twins, and are much alike all the same.

    Args:
        pairs: How many pairs of pictures are above the threshold.
        people: How many pairs of people these are.
        highest: The greatest likeness.
        best: Rows of the crops and likeness of the most alike pairs, no two of the same people.
    """

    pairs: int
    people: int
    highest: float
    best: list[tuple[int, int, float]]


def make_set(folder: Path, seed: int, identities: int) -> CropSet:
    """A set of crops, made, or read when it is there.

    Args:
        folder: It goes to a folder in it.
        seed: Of the set.
        identities: How many people.
    """
    place = folder / f"crops-{identities}-{seed}"
    if not place.exists():
        run = make_crops(
            build(
                CropsConfig,
                identities=identities,
                cameras=CAMERAS,
                per_camera=PICTURES,
                layout="folders",
                distractors=0.0,
                junk=0.0,
                seed=seed,
                output=place,
            )
        )
        if run.interrupted:
            raise KeyboardInterrupt
    table = pq.read_table(place / "crops.parquet").to_pydict()
    unknown = (None,) * len(table["path"])
    crops = Crops(
        paths=tuple(str(place / path) for path in table["path"]),
        identities=tuple(str(one) for one in table["identity"]),
        cameras=tuple(str(one) for one in table["camera"]),
        videos=unknown,
        tracks=unknown,
        frames=unknown,
        timestamps=unknown,
    )
    rows = pq.read_table(place / "attributes.parquet").to_pylist()
    origin: dict[int, int] = {}
    looks = set()
    for row in sorted(rows, key=lambda row: int(row["identity"])):
        origin[row["identity"]] = row["twin_of"] or row["identity"]
        looks.add(tuple(row[key] for key in row if key not in {"identity", "day", "twin_of"}))
    for one in origin:
        while origin[origin[one]] != origin[one]:
            origin[one] = origin[origin[one]]
    return CropSet(seed, place, crops, origin, len(rows) - len(looks))


def vectors_of(crops: Crops) -> Embeddings:
    """The embeddings of crops by the network that was trained on real people."""
    return _session().embed(crops)


@lru_cache(maxsize=1)
def _session() -> Session:
    """The network, opened once."""
    return Session(build(EmbedConfig, sources=(), model=ENCODER), Stop())


def across_cameras(
    vectors: Floats, people: NDArray[np.int64], cameras: NDArray[np.int64]
) -> Likeness:
    """The similarities of all pairs of pictures from two cameras.

    Args:
        vectors: float32 (N, D), L2-normalised.
        people: int64 (N,).
        cameras: int64 (N,).
    """
    one, other = np.triu_indices(len(vectors), 1)
    apart = cameras[one] != cameras[other]
    one, other = one[apart], other[apart]
    scores = (vectors @ vectors.T)[one, other]
    same = people[one] == people[other]
    return Likeness(scores[same], scores[~same])


def within_tracks(videos: Sequence[Path], folder: Path) -> Likeness:
    """The similarities of pictures within a track, and of tracks that are there at one time.

    Pictures of a track are a second or more apart; tracks of one time are surely two people.

    Args:
        videos: Tracked by the project's own tracking.
        folder: Crops of each track go to folders in it.
    """
    same: list[Floats] = [np.empty(0, np.float32)]
    different = list(same)
    for number, video in enumerate(videos):
        run = run_tracking(
            build(
                TrackingConfig,
                sources=(video,),
                output=folder / str(number),
                overwrite=True,
                save=("crops",),
                model="yolov8n",
                confidence=_WEAK,
                classes=("person",),
            )
        )
        tracks = {one.track_id: one for source in run.sources for one in source.tracklets}
        paths = sorted((folder / str(number)).rglob("*.jpg"))
        if len(paths) < 2:
            continue
        embeddings = vectors_of(_tracked(paths))
        track = np.array([one or 0 for one in embeddings.crops.tracks], np.int64)
        together = np.array(
            [
                [
                    tracks[a].start_s < tracks[b].end_s and tracks[b].start_s < tracks[a].end_s
                    for b in track.tolist()
                ]
                for a in track.tolist()
            ]
        )
        one, other = np.triu_indices(len(track), 1)
        scores = (embeddings.vectors @ embeddings.vectors.T)[one, other]
        own = track[one] == track[other]
        same.append(scores[own])
        different.append(scores[~own & together[one, other]])
    return Likeness(np.concatenate(same), np.concatenate(different))


def _tracked(paths: Sequence[Path]) -> Crops:
    """Crops as tracking keeps them, ``TRACK/FRAME.jpg``."""
    unknown = (None,) * len(paths)
    return Crops(
        paths=tuple(map(str, paths)),
        identities=unknown,
        cameras=unknown,
        videos=unknown,
        tracks=tuple(int(path.parent.name) for path in paths),
        frames=tuple(int(path.stem) for path in paths),
        timestamps=unknown,
    )


def thumbnails(crops: Crops) -> Floats:
    """Tiny grey pictures without mean and of length 1, so that products are correlations.

    Args:
        crops: N of them.

    Returns:
        float32 (N, 512).
    """
    rows = []
    for path in crops.paths:
        grey = cv2.cvtColor(read_image(Path(path)), cv2.COLOR_BGR2GRAY)
        tiny = cv2.resize(grey, _THUMBNAIL_WH, interpolation=cv2.INTER_AREA).astype(np.float32)
        rows.append((tiny - tiny.mean()).ravel())
    found = np.stack(rows)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True).clip(1e-6), np.float32)


def alike(vectors: Floats, origins: NDArray[np.int64], *, least: float, most: int) -> Alike:
    """The most alike pictures of different people.

    Args:
        vectors: float32 (N, D), L2-normalised.
        origins: int64 (N,), the same number for one person and for near twins.
        least: From which likeness on pairs are counted.
        most: How many pairs are given.
    """
    one, other = np.triu_indices(len(vectors), 1)
    apart = origins[one] != origins[other]
    one, other = one[apart], other[apart]
    scores = (vectors @ vectors.T)[one, other]
    above = scores > least
    people = {
        tuple(sorted(pair))
        for pair in zip(origins[one[above]].tolist(), origins[other[above]].tolist(), strict=True)
    }
    best: list[tuple[int, int, float]] = []
    known: set[tuple[int, ...]] = set()
    for place in np.argsort(-scores)[: 200 * most].tolist():
        pair = tuple(sorted((int(origins[one[place]]), int(origins[other[place]]))))
        if pair not in known and len(best) < most:
            known.add(pair)
            best.append((int(one[place]), int(other[place]), float(scores[place])))
    return Alike(int(above.sum()), len(people), float(scores.max(initial=-1.0)), best)
