"""How well a network keeps tracks apart: crops of one track against crops of two people.

Source: the share of right comparisons is the area under the ROC curve: Fawcett, "An introduction to
ROC analysis" (2006), section 7.
"""

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from everyid.output import Stop
from person.crops import Crops
from person.embed import CropEncoder, embed_crops
from person.training.sightings import Sightings
from person.training.validation import ignore_progress
from person.verification import Verification, verify_pairs

__all__ = ["pair_similarities", "separation", "thinned"]

_PER_TRACK = 12


def thinned(found: Sightings, *, per_track: int = _PER_TRACK) -> Sightings:
    """The same with at most so many crops of each track, evenly over its time.

    So no long track outweighs all others.

    Args:
        found: All crops.
        per_track: At least 2.
    """
    order = np.lexsort((found.frames, found.tracks))
    bounds = np.flatnonzero(np.diff(found.tracks[order], prepend=-1))
    chosen = []
    for rows in np.split(order, bounds[1:]):
        places = np.linspace(0, len(rows) - 1, min(per_track, len(rows))).round().astype(int)
        chosen.append(rows[places])
    return found.select(np.concatenate(chosen))


def pair_similarities(
    vectors: NDArray[np.float32], found: Sightings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32 (S,) and (P,): cosine similarities of pairs of one track, and of two people.

    Pairs of two tracks that were never in view together are in neither.

    Args:
        vectors: float32 (N, D), of length 1, one a crop.
        found: The crops.
    """
    same, different = [], []
    for video in range(len(found.video_names)):
        rows = np.flatnonzero(found.videos[found.tracks] == video)
        tracks, mine = found.tracks[rows], vectors[rows]
        similarities = mine @ mine.T
        once = np.triu(np.ones((len(rows), len(rows)), bool), k=1)
        same.append(similarities[once & (tracks[:, None] == tracks)])
        different.append(similarities[once & found.together[np.ix_(tracks, tracks)]])
    return np.concatenate(same), np.concatenate(different)


def separation(
    encoder: CropEncoder, found: Sightings, *, skipped: dict[str, str], stop: Stop
) -> Verification | None:
    """How well a network keeps tracks apart; None when a stop was requested before it was known.

    Args:
        encoder: The network.
        found: What it is measured on.
        skipped: Takes path -> reason for each picture that cannot be used.
        stop: Looked at as the crops are embedded.

    Raises:
        InputError: Too few of the pictures can be used.
    """
    unknown = (None,) * len(found)
    crops = Crops(found.paths, *(unknown,) * 6)
    embedded = embed_crops(crops, encoder, skipped=skipped, stop=stop, advance=ignore_progress)
    if stop.requested:
        return None
    usable = found.select(np.array([path not in skipped for path in found.paths]))
    measured = verify_pairs(*pair_similarities(embedded.vectors, usable))
    if measured.missing is not None:
        raise InputError(
            f"nothing can be measured: {len(skipped)} of {len(found)} pictures cannot be used; "
            f"one of them: {next(iter(skipped.values()))}"
        )
    return measured
