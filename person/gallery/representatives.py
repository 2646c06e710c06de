"""Which of a person's vectors a gallery keeps: few that stand for all of them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAME_PICTURE", "representatives", "seen_before"]

SAME_PICTURE = 0.99999
"""Similarity from which two vectors are of the same picture: two frames of one scene differ more,
one picture embedded twice less."""
_MOST_COMPARED = 2048


def representatives(vectors: NDArray[np.float32], *, keep: int) -> NDArray[np.intp]:
    """The rows that stand for all, intp (K,), rising; K is the smaller of N and ``keep``.

    They are chosen one by one, each so that the sum over all vectors of the similarity to the
    nearest chosen one grows most. Unlike the farthest points this takes views that many pictures
    show, not the one bad box. The choice depends on the set of vectors, not on their order.

    Source: Nemhauser, Wolsey, Fisher 1978, "An analysis of approximations for maximizing submodular
    set functions": within 1 - 1/e of the best choice.

    Args:
        vectors: float32 (N, D), each of length 1. Of more than 2,048, so many spread over them
            are looked at.
        keep: How many are wanted at most, at least 1.
    """
    if len(vectors) <= keep:
        return np.arange(len(vectors))
    order = np.array(sorted(range(len(vectors)), key=lambda row: vectors[row].tobytes()), np.intp)
    if len(order) > _MOST_COMPARED:
        order = order[np.linspace(0, len(order) - 1, max(_MOST_COMPARED, keep)).astype(np.intp)]
    some = vectors[order].astype(np.float64)
    similarity = some @ some.T
    nearest = np.full(len(some), -1.0)
    chosen: list[int] = []
    for _ in range(keep):
        gains = np.maximum(similarity - nearest[:, None], 0).sum(axis=0)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        nearest = np.maximum(nearest, similarity[:, chosen[-1]])
    return np.sort(order[chosen])


def seen_before(new: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which new vectors are of a picture that is there, or of an earlier new one: bool (N,).

    Args:
        new: float32 (N, D), each of length 1.
        there: float32 (M, D), likewise.
    """
    seen = np.zeros(len(new), np.bool_)
    for row, vector in enumerate(new):
        seen[row] = any(bool((some @ vector >= SAME_PICTURE).any()) for some in (there, new[:row]))
    return seen
