"""Pairs of crops that are known to show one person or two: what thresholds are learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError
from person.embeddings import Embeddings

__all__ = [
    "FRAMES_APART",
    "Pairs",
    "labelled_pairs",
    "pairs_of_labels",
    "pairs_of_tracklets",
    "tracklet_pairs",
]

FRAMES_APART = 25
"""Crops of one track nearer in time are near duplicates, and say nothing of finding again."""

_MOST_DIFFERENT = 10_000_000
"""Pairs of different people that are looked at, at most: 40 MB."""
_MOST_SAME = 1_000
"""Pairs of one person, or of one track, so that nobody counts for everybody."""
_MOST_CROPS = 300
"""Crops of one person that pairs are made of."""
_BLOCK = 1024
_NOBODY = frozenset({None, "-1", "00-1", "0000"})
"""Not labelled; junk and distractors of Market-1501 and MARS."""

_Floats = NDArray[np.float32]
_Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Similarities of pairs of crops, and how many people are behind them.

    Args:
        same: float32 (S,), cosine similarities of pairs of one person.
        different: float32 (P,), those of pairs of two people.
        people: How many people, or tracks, there are.
        people_pairs: How many pairs of two of them the different pairs are of. Crops of the same
            two people resemble each other alike, so this is what a small rate is measured by.
        words: How the pairs were chosen.
    """

    same: _Floats
    different: _Floats
    people: int
    people_pairs: int
    words: str


def labelled_pairs(embeddings: Embeddings, *, seed: int = 0) -> tuple[_Floats, _Floats]:
    """Similarities of same and of different pairs, as :func:`pairs_of_labels` chooses them.

    Args:
        embeddings: Crops whose identities are known.
        seed: Of what is chosen by chance.

    Raises:
        InputError: As there.
    """
    pairs = pairs_of_labels(embeddings, seed=seed)
    return pairs.same, pairs.different


def tracklet_pairs(
    embeddings: Embeddings, *, frames_apart: int = FRAMES_APART, seed: int = 0
) -> tuple[_Floats, _Floats]:
    """Similarities of same and of different pairs, as :func:`pairs_of_tracklets` chooses them.

    Args:
        embeddings: Crops with video, track and frame.
        frames_apart: As there.
        seed: Of what is chosen by chance.

    Raises:
        ConfigError: As there.
        InputError: As there.
    """
    pairs = pairs_of_tracklets(embeddings, frames_apart=frames_apart, seed=seed)
    return pairs.same, pairs.different


def pairs_of_labels(embeddings: Embeddings, *, seed: int = 0) -> Pairs:
    """Pairs of labelled crops.

    Same: crops of one person under two cameras, where cameras are known, because crops of one
    camera share its light and often the moment, and flatter; at most 1,000 a person, drawn by
    chance. Different: all pairs of people among at most 4,472 crops (10 million pairs), taken from
    as many people, as evenly, as possible; cameras play no part. Crops without identity and the
    junk and distractors of Market-1501 and MARS are left out.

    Args:
        embeddings: Crops whose identities are known; crops without a camera count only where no
            camera is known at all.
        seed: Of what is chosen by chance.

    Raises:
        InputError: Nobody or one person is labelled, or nobody has a pair.
    """
    crops = embeddings.crops
    usable = np.array([identity not in _NOBODY for identity in crops.identities], bool)
    by_camera = any(crops.select(usable).cameras)
    if by_camera:
        usable &= np.array([camera is not None for camera in crops.cameras], bool)
    rows = np.flatnonzero(usable)
    people = _numbered([crops.identities[row] for row in rows])
    count = int(people.max()) + 1 if len(rows) else 0
    if count < 2:
        raise InputError(
            f"expected crops of two people or more, found {count} among {len(crops)} crops",
            hint="name folders after people, or give --id-pattern; or learn from tracks",
        )
    cameras = _numbered([crops.cameras[row] for row in rows]) if by_camera else None
    vectors = embeddings.vectors[rows]
    rng = np.random.default_rng(seed)
    same = _same(vectors, people, cameras, rng)
    if not len(same):
        raise InputError(
            "nobody has two crops" + (" under different cameras" if by_camera else ""),
            hint="add crops of the same people"
            + (" by other cameras" if by_camera else "")
            + ", or learn from tracks",
        )
    chosen = _even(people, rng)
    different = _different(vectors[chosen], people[chosen])
    seen = len(np.unique(people[chosen]))
    words = "same person under two cameras" if by_camera else "same person, cameras not known"
    return Pairs(same, different, count, seen * (seen - 1) // 2, words)


def pairs_of_tracklets(
    embeddings: Embeddings, *, frames_apart: int = FRAMES_APART, seed: int = 0
) -> Pairs:
    """Pairs of crops of tracks, with nobody having said who is who.

    Same: crops of one track that are ``frames_apart`` or more from each other; at most 1,000 a
    track, drawn by chance. Different: crops of two tracks of one video that are there at once:
    a crop of one lies in, or within ``frames_apart`` frames between two crops of, the other.

    No such pair crosses cameras: thresholds for other cameras come out too high for same people
    and say nothing of how alike people look under another light.

    Args:
        embeddings: Crops with video, track and frame; others are left out.
        frames_apart: Frames of the video, at least 1.
        seed: Of what is chosen by chance.

    Raises:
        ConfigError: ``frames_apart`` is below 1.
        InputError: No crop has a track and a frame, no track is long enough, or no two overlap.
    """
    if frames_apart < 1:
        raise ConfigError(f"frames_apart: expected 1 or more, got {frames_apart}")
    crops = embeddings.crops
    places = zip(crops.tracks, crops.frames, strict=True)
    rows = np.flatnonzero([track is not None and frame is not None for track, frame in places])
    if not len(rows):
        raise InputError(
            f"none of {len(crops)} crops has a track and a frame",
            hint="tracks come from crops/STEM/TRACK/FRAME.jpg (`run.py object tracking --save "
            "crops`), MARS names or a Parquet list; or learn from labels",
        )
    named = list(zip(crops.cameras, crops.videos, crops.tracks, strict=True))
    tracks = _numbered([named[row] for row in rows])
    videos = _numbered([named[row][:2] for row in rows])
    frames = np.array([crops.frames[row] for row in rows], np.int64)
    order = np.lexsort((frames, tracks))
    tracks, videos, frames = tracks[order], videos[order], frames[order]
    vectors = embeddings.vectors[rows[order]]
    rng = np.random.default_rng(seed)
    same = _same(vectors, tracks, None, rng, frames=frames, apart=frames_apart)
    if not len(same):
        raise InputError(
            f"no track has two crops {frames_apart} frames apart",
            hint="save crops of longer tracks, or learn from labels",
        )
    overlapping = _overlapping(tracks, videos, frames, frames_apart)
    if not overlapping:
        raise InputError(
            "no two tracks of one video are there at the same time",
            hint="add footage with two people in view at once, or learn from labels",
        )
    different = _between(vectors, tracks, overlapping, rng)
    words = f"crops of one track {frames_apart} or more frames apart; no pair crosses cameras"
    return Pairs(same, different, int(tracks.max()) + 1, len(overlapping), words)


def _numbered(values: Sequence[object]) -> _Integers:
    """int64 (N,), equal numbers for equal values, from 0 in order of appearance."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)


def _same(
    vectors: _Floats,
    groups: _Integers,
    cameras: _Integers | None,
    rng: np.random.Generator,
    *,
    frames: _Integers | None = None,
    apart: int = 0,
) -> _Floats:
    """float32 (S,): pairs within groups, under two cameras, and so many frames apart."""
    order = np.argsort(groups, kind="stable")
    found = []
    for rows in np.split(order, np.cumsum(np.bincount(groups))[:-1]):
        some = rng.choice(rows, _MOST_CROPS, replace=False) if len(rows) > _MOST_CROPS else rows
        left, right = (some[side] for side in np.triu_indices(len(some), 1))
        if cameras is not None:
            keep = cameras[left] != cameras[right]
            left, right = left[keep], right[keep]
        if frames is not None:
            keep = np.abs(frames[left] - frames[right]) >= apart
            left, right = left[keep], right[keep]
        found.append(_similarities(vectors, left, right, rng))
    return np.concatenate(found)


def _similarities(
    vectors: _Floats, left: NDArray[np.intp], right: NDArray[np.intp], rng: np.random.Generator
) -> _Floats:
    """float32 (M,): of at most 1,000 of these pairs."""
    if len(left) > _MOST_SAME:
        chosen = np.sort(rng.choice(len(left), _MOST_SAME, replace=False))
        left, right = left[chosen], right[chosen]
    return np.asarray(np.einsum("nd,nd->n", vectors[left], vectors[right]))


def _even(people: _Integers, rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows of as many people, as evenly, as the bound on pairs allows; rising."""
    most = int((2 * _MOST_DIFFERENT) ** 0.5)
    shuffled = rng.permutation(len(people))
    by_person = shuffled[np.argsort(people[shuffled], kind="stable")]
    counts = np.bincount(people)
    turn = np.arange(len(people)) - np.repeat(np.cumsum(counts) - counts, counts)
    # first one crop of each person in an order by chance, then a second of each, and so on
    luck = rng.permutation(len(counts))[people[by_person]]
    return np.sort(by_person[np.lexsort((luck, turn))[:most]])


def _different(vectors: _Floats, people: _Integers) -> _Floats:
    """float32 (P,): all pairs of two people, block by block."""
    found = []
    for start in range(0, len(people), _BLOCK):
        part = slice(start, start + _BLOCK)
        scores = vectors[part] @ vectors[start:].T
        later = np.arange(start, len(people)) > np.arange(len(people))[part, None]
        found.append(scores[later & (people[part, None] != people[start:])])
    return np.concatenate(found)


def _overlapping(
    tracks: _Integers, videos: _Integers, frames: _Integers, apart: int
) -> list[tuple[int, int]]:
    """Pairs of tracks of one video that are there at once; rows are sorted by track and frame."""
    starts = np.flatnonzero(np.diff(tracks, prepend=-1))
    seen = np.split(frames, starts[1:])
    where = videos[starts]
    found: list[tuple[int, int]] = []
    there: list[int] = []
    for track in np.lexsort((frames[starts], where)).tolist():
        first = int(seen[track][0])
        there = [one for one in there if where[one] == where[track] and seen[one][-1] >= first]
        found += [
            (one, track)
            for one in there
            if _meets(seen[one], seen[track], apart) or _meets(seen[track], seen[one], apart)
        ]
        there.append(track)
    return found


def _meets(frames: _Integers, others: _Integers, apart: int) -> bool:
    """Whether a frame is among others, or between two of them that are near each other."""
    before = np.searchsorted(others, frames, side="right") - 1
    after = np.searchsorted(others, frames, side="left")
    inside = (before >= 0) & (after < len(others))
    return bool(np.any(others[after[inside]] - others[before[inside]] <= apart))


def _between(
    vectors: _Floats,
    tracks: _Integers,
    overlapping: list[tuple[int, int]],
    rng: np.random.Generator,
) -> _Floats:
    """float32 (P,): pairs of crops of two tracks, at most 1,000 of each two, and the bound."""
    each = max(1, min(_MOST_SAME, _MOST_DIFFERENT // len(overlapping)))
    starts = np.searchsorted(tracks, np.arange(int(tracks.max()) + 2))
    found = []
    for one, other in overlapping:
        height, width = (int(starts[track + 1] - starts[track]) for track in (one, other))
        few = min(each, height * width)
        pair = rng.choice(height * width, few, replace=False)
        left, right = np.divmod(np.sort(pair), width)
        found.append(
            np.einsum("nd,nd->n", vectors[starts[one] + left], vectors[starts[other] + right])
        )
    return np.concatenate(found)
