"""Who was in view when: crops of tracks, and which tracks are surely two people.

Two tracks of one video that are in view at the same time are two people. Two that never are may be
one person who came back, or two: of these nothing is known, and nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError, ShapeError
from everyid.output import counted
from person.crops import Crops, find_crops

__all__ = [
    "LEAST_TRACKS",
    "Sightings",
    "joined",
    "read_crops",
    "spans_together",
    "split_by_time",
]

LEAST_TRACKS = 3
"""Tracks below which footage says too little."""

_HELD_OUT = 0.3
"""Part of each video's crops, the last ones, that is kept for measuring."""

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Crops of tracks.

    Args:
        paths: The N image files.
        tracks: int64 (N,), whose crop it is: rows of ``track_names``.
        frames: int64 (N,), the frame of the track's video.
        videos: int64 (T,), rows of ``video_names``: each track's video.
        track_names: "VIDEO/TRACK" of each of the T tracks.
        video_names: The names of the videos.
        together: bool (T, T), symmetric: whether two tracks are two people, in view at once.

    Raises:
        ShapeError: The arrays do not fit together.
    """

    paths: tuple[str, ...]
    tracks: Integers
    frames: Integers
    videos: Integers
    track_names: tuple[str, ...]
    video_names: tuple[str, ...]
    together: Booleans

    def __post_init__(self) -> None:
        rows, count = (len(self.paths),), len(self.track_names)
        found = self.tracks.shape, self.frames.shape, self.videos.shape, self.together.shape
        if found != (rows, rows, (count,), (count, count)):
            raise ShapeError(
                f"sightings: expected tracks and frames {rows}, videos ({count},) and together "
                f"({count}, {count}), got {found}"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: Booleans | NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows; numbers and names stay as they are.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        wanted = np.arange(len(self))[rows]
        return replace(
            self,
            paths=tuple(map(self.paths.__getitem__, wanted.tolist())),
            tracks=self.tracks[wanted],
            frames=self.frames[wanted],
        )

    @property
    def seen(self) -> Integers:
        """int64, the tracks that have a crop here, rising."""
        return np.unique(self.tracks)

    @property
    def overlapping_pairs(self) -> int:
        """Pairs of tracks with a crop here that are two people."""
        seen = self.seen
        return int(self.together[np.ix_(seen, seen)].sum()) // 2

    @property
    def says_something(self) -> bool:
        """Whether there are two crops of one track, and two tracks that are two people."""
        return len(self.seen) < len(self) and self.overlapping_pairs > 0

    def told(self) -> str:
        """What is here, in words."""
        return (
            f"{counted(len(self), 'crop')} of {counted(len(self.seen), 'track')}, "
            f"{counted(self.overlapping_pairs, 'pair')} of tracks in view at once"
        )


def spans_together(videos: Integers, firsts: Integers, lasts: Integers) -> Booleans:
    """Bool (T, T): whether two tracks of one video share a moment; False for a track with itself.

    >>> one, first, last = np.zeros(3, int), np.array([1, 5, 8]), np.array([5, 7, 9])
    >>> spans_together(one, first, last).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]

    Args:
        videos: int64 (T,).
        firsts: int64 (T,), the first frame in which each is seen.
        lasts: int64 (T,), the last one; the track counts as in view from one to the other.
    """
    found: Booleans = (
        (videos[:, None] == videos)
        & (firsts[:, None] <= lasts)
        & (firsts <= lasts[:, None])
        & ~np.eye(len(videos), dtype=bool)
    )
    return found


def read_crops(sources: Sequence[Path]) -> Sightings:
    """The crops of folders ``crops/VIDEO/TRACK/FRAME.jpg`` and lists of such files.

    A track counts as in view from its first crop to its last.

    Args:
        sources: As for :func:`person.crops.find_crops`; videos of two sources are two videos.

    Raises:
        InputError: A source cannot be read, or has no crop of a track.
    """
    return joined([_read_source(source) for source in sources])


def _read_source(source: Path) -> Sightings:
    crops = find_crops((source,))
    rows = [
        row
        for row, of_crop in enumerate(zip(crops.videos, crops.tracks, crops.frames, strict=True))
        if None not in of_crop
    ]
    if not rows:
        raise InputError(
            f"{source}: expected crops of tracks, crops/VIDEO/TRACK/FRAME.jpg, found "
            f"{counted(len(crops), 'picture')} whose path names no video, track and frame",
            hint="`python3 run.py object tracking --source VIDEO --save crops` writes such; or "
            "give a video with --source, and its tracks with --tracks",
        )
    return _of_crops(crops.select(np.array(rows, np.intp)))


def _of_crops(crops: Crops) -> Sightings:
    names = [f"{video}/{track}" for video, track in zip(crops.videos, crops.tracks, strict=True)]
    track_names, first_rows, tracks = np.unique(names, return_index=True, return_inverse=True)
    video_names, videos = np.unique(
        [str(crops.videos[row]) for row in first_rows.tolist()], return_inverse=True
    )
    frames = np.array(crops.frames, np.int64)
    firsts = np.full(len(track_names), np.iinfo(np.int64).max)
    lasts = np.full(len(track_names), -1, np.int64)
    np.minimum.at(firsts, tracks, frames)
    np.maximum.at(lasts, tracks, frames)
    return Sightings(
        crops.paths,
        tracks.astype(np.int64),
        frames,
        videos.astype(np.int64),
        tuple(track_names.tolist()),
        tuple(video_names.tolist()),
        spans_together(videos.astype(np.int64), firsts, lasts),
    )


def joined(parts: Sequence[Sightings]) -> Sightings:
    """The sightings of several sources as one; tracks of two sources are never together.

    Args:
        parts: At least one.
    """
    tracks = np.cumsum([0, *(len(part.track_names) for part in parts)])
    videos = np.cumsum([0, *(len(part.video_names) for part in parts)])
    together = np.zeros((tracks[-1], tracks[-1]), bool)
    for part, start in zip(parts, tracks[:-1].tolist(), strict=True):
        end = start + len(part.track_names)
        together[start:end, start:end] = part.together
    starts = list(zip(parts, tracks.tolist(), videos.tolist(), strict=False))
    return Sightings(
        tuple(path for part in parts for path in part.paths),
        np.concatenate([part.tracks + track for part, track, _ in starts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.videos + video for part, _, video in starts]),
        tuple(name for part in parts for name in part.track_names),
        tuple(name for part in parts for name in part.video_names),
        together,
    )


def split_by_time(found: Sightings) -> tuple[Sightings, Sightings]:
    """What to learn from, and what to measure on: the last part of each video.

    Tracks that are in view at the cut are measured on only where too little else would be left:
    where the crops of tracks that begin after it are less than half of the crops after it, or say
    nothing. No crop is ever in both parts.

    Args:
        found: All crops.

    Raises:
        InputError: There are too few tracks, or a part of them says nothing; the message tells
            what was found.
    """
    if len(found.seen) < LEAST_TRACKS or not found.says_something:
        raise _too_little("the footage", found, least=LEAST_TRACKS)
    late = np.zeros(len(found), bool)
    for video in range(len(found.video_names)):
        mine = found.videos[found.tracks] == video
        if mine.any():
            cut = np.quantile(found.frames[mine], 1 - _HELD_OUT, method="lower")
            late |= mine & (found.frames > cut)
    learnt, after = found.select(~late), found.select(late)
    whole = after.select(~np.isin(after.tracks, learnt.tracks))
    held = whole if whole.says_something and 2 * len(whole) >= len(after) else after
    for name, part in (("the part to learn from", learnt), ("the part to measure on", held)):
        if not part.says_something:
            raise _too_little(name, part)
    return learnt, held


def _too_little(name: str, found: Sightings, *, least: int = 2) -> InputError:
    return InputError(
        f"{name} has {found.told()}; expected at least {least} tracks, two crops of one of them, "
        "and two tracks in view at once",
        hint="give longer footage, or more of it, in which several people are in view together; "
        f"the first {1 - _HELD_OUT:.0%} of the crops of each video are learnt from, the others "
        "measured on",
    )
