"""Who crops show: each is compared with the people of a gallery, a track's crops together too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from person.crops import Crops
from person.embeddings import Embeddings
from person.gallery.calibration import (
    Calibration,
    independent_vectors,
    read_calibration,
    shipped_calibration,
)
from person.gallery.records import Answer, Candidate, GalleryModel, ThresholdSummary
from person.gallery.store import Found, Gallery

__all__ = ["CALIBRATION", "Decider", "Inquiry", "Strangers", "decider_of", "tracks_of"]

CALIBRATION = "calibration.json"
"""In the gallery's folder: what its own similarities mean."""
_CAUTION = 0.1
"""Part of the wanted rate at which strangers may be taken for each other."""
_Vectors = NDArray[np.float32]
_Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Decider:
    """Tells known from unknown.

    Args:
        calibration: What similarities mean, or None where only a threshold is given.
        given: The threshold that the user named, or None.
        false_accept_rate: Otherwise: how often a stranger may be taken for somebody, a question.
        shipped: Whether the calibration is not the gallery's own.
    """

    calibration: Calibration | None
    given: float | None
    false_accept_rate: float
    shipped: bool

    def threshold(self, whose: _Groups) -> float:
        """The similarity from which on an answer counts as known.

        Args:
            whose: int64 (N,), the person of each vector that is compared with.
        """
        if self.given is not None:
            return self.given
        if self.calibration is None:
            raise InputError("expected a calibration or a threshold, got neither")
        return self.calibration.threshold(self.false_accept_rate, vectors=_chances(whose))

    def summary(self, whose: _Groups) -> ThresholdSummary:
        """The threshold, and how it was come by.

        Args:
            whose: As for :meth:`threshold`.
        """
        similarity = self.threshold(whose)
        found, rate = self.calibration, self.false_accept_rate
        if self.given is not None or found is None:
            return ThresholdSummary(
                similarity=similarity, origin="given", false_accept_rate=None, words="as given"
            )
        origin = "that comes with the model" if self.shipped else "of the gallery"
        reached = 100 * found.recognised(similarity)
        words = (
            f"{100 * rate:.3g} % false accepts a question by the calibration {origin}; "
            f"{reached:.0f} % of its pairs of one person reach it"
        )
        if not found.is_measured(rate, vectors=_chances(whose)):
            words += f"; extrapolated from {found.people_pairs:,} pairs of people"
        return ThresholdSummary(
            similarity=similarity,
            origin="shipped" if self.shipped else "gallery",
            false_accept_rate=rate,
            words=words,
        )

    def probability(self, similarity: float) -> float | None:
        """That two pictures so similar show one person, 0-1; None without calibration."""
        if self.calibration is None:
            return None
        return float(self.calibration.probability(np.array([similarity]))[0])


def _chances(whose: _Groups) -> int:
    return independent_vectors(np.unique(whose, return_counts=True)[1])


def decider_of(
    folder: Path, model: GalleryModel, *, threshold: float | None, false_accept_rate: float
) -> Decider:
    """What tells known from unknown in a gallery: its own calibration, else that of its model.

    Args:
        folder: The gallery.
        model: Its model.
        threshold: A similarity that counts instead, or None.
        false_accept_rate: Wanted, a question; above 0, below 1.

    Raises:
        InputError: There is no calibration and no threshold, or the calibration is damaged.
    """
    path = folder / CALIBRATION
    own = read_calibration(path, model_sha256=model.sha256) if path.exists() else None
    found = own or shipped_calibration(model.sha256)
    if found is None and threshold is None:
        raise InputError(
            f"{folder}: nothing says which similarity means the same person: the gallery "
            f"has no calibration, and none comes with {model.name}",
            hint=f"python3 run.py person gallery calibrate --gallery {folder} "
            "--source LABELLED, or give --threshold",
        )
    return Decider(found, threshold, false_accept_rate, shipped=own is None)


@dataclass(frozen=True, eq=False)
class Inquiry:
    """Asks a gallery who crops show.

    Args:
        gallery: The gallery.
        decider: What tells known from unknown.
        people: How many of the nearest people an answer names.
    """

    gallery: Gallery
    decider: Decider
    people: int

    def ask(self, asked: Embeddings) -> tuple[list[Answer], list[Answer]]:
        """An answer for each crop, in order, and one for each track, by first appearance.

        How near a track is to somebody is the mean over its crops of the similarity to the nearest
        of that person's vectors. The crops of a stranger seldom all resemble one person, so what is
        a safe threshold for crops is one for tracks.

        Args:
            asked: Vectors of the gallery's model.
        """
        found = self.gallery.search(asked.vectors, people=self.people)
        crops = [
            self._answer(asked.crops, np.array([row]), near, kind="crop")
            for row, near in enumerate(found)
        ]
        tracks = [
            self._answer(
                asked.crops,
                rows,
                self._near_track(asked.vectors[rows], [found[row] for row in rows.tolist()]),
                kind="track",
            )
            for rows in tracks_of(asked.crops)
        ]
        return crops, tracks

    @cached_property
    def threshold(self) -> float:
        """The similarity from which on the nearest person is who it is."""
        return self.decider.threshold(self.gallery.groups)

    def _near_track(self, vectors: _Vectors, found: Sequence[Sequence[Found]]) -> list[Found]:
        """The people nearest to a track, nearest first, of those who are near a crop of it."""
        gallery, near = self.gallery, []
        for name in dict.fromkeys(one.name for some in found for one in some):
            rows = gallery.rows_of(name)
            similarity = vectors @ gallery.rows.embeddings.vectors[rows].T
            best = int(rows[similarity.max(axis=0).argmax()])
            near.append(Found(name, float(similarity.max(axis=1).mean()), best))
        return sorted(near, key=lambda one: -one.similarity)[: self.people]

    def _answer(
        self,
        crops: Crops,
        rows: NDArray[np.intp],
        found: Sequence[Found],
        *,
        kind: Literal["crop", "track"],
    ) -> Answer:
        paths, first = self.gallery.rows.embeddings.crops.paths, int(rows[0])
        candidates = [
            Candidate(
                name=one.name,
                similarity=one.similarity,
                probability=self.decider.probability(one.similarity),
                path=paths[one.row],
                row=one.row,
            )
            for one in found
        ]
        best = candidates[0] if candidates else None
        known = best is not None and best.similarity >= self.threshold
        return Answer(
            kind=kind,
            path=crops.paths[first],
            crops=len(rows),
            camera=crops.cameras[first],
            video=crops.videos[first],
            track=crops.tracks[first],
            known=known,
            name=best.name if best is not None and known else None,
            similarity=best.similarity if best else None,
            probability=best.probability if best else None,
            candidates=candidates,
        )


def tracks_of(crops: Crops) -> list[NDArray[np.intp]]:
    """The rows of each track, in the order in which tracks first appear."""
    rows: dict[tuple[object, ...], list[int]] = {}
    keys = zip(crops.identities, crops.cameras, crops.videos, crops.tracks, strict=True)
    for row, key in enumerate(keys):
        if key[-1] is not None:
            rows.setdefault(key, []).append(row)
    return [np.array(some, np.intp) for some in rows.values()]


class Strangers:
    """People whom a gallery does not know, told from each other as they come.

    Each is compared with those who came before as with the gallery, at a tenth of the rate of false
    accepts: one person under two names is merged by a command, two under one name are not parted
    by any. The threshold rises with their number, as they are more whom a new one may be taken for.

    Args:
        decider: What tells known from unknown.
        enrolled: int64 (N,), the person of each vector of the gallery, from 0: each stranger was
            compared with these as well.
    """

    def __init__(self, decider: Decider, enrolled: _Groups) -> None:
        rate = decider.false_accept_rate * _CAUTION
        self._decider, self._enrolled = replace(decider, false_accept_rate=rate), enrolled
        self._vectors: list[_Vectors] = []
        self._whose: list[int] = []
        self._people = 0

    def place(self, vectors: _Vectors) -> int:
        """Which of the strangers this is, from 0 in order of appearance; it may be a new one.

        Args:
            vectors: float32 (T, D), of a crop, or of the crops of a track.
        """
        who = self._people
        if self._whose:
            similarity = vectors @ np.concatenate(self._vectors).T
            order = np.argsort(self._whose, kind="stable")
            starts = np.searchsorted(np.array(self._whose)[order], np.arange(self._people))
            means = np.maximum.reduceat(similarity[:, order], starts, axis=1).mean(axis=0)
            met = np.array(self._whose, np.int64) + self._enrolled.max(initial=-1) + 1
            threshold = self._decider.threshold(np.concatenate([self._enrolled, met]))
            if means.max() >= threshold:
                who = int(means.argmax())
        self._people = max(self._people, who + 1)
        self._vectors.append(vectors)
        self._whose += [who] * len(vectors)
        return who
