"""Crops and embeddings made of labels alone, for tests that read no picture."""

import numpy as np

from person.crops import Crops
from person.embeddings import Embeddings


def said(labels):
    """The words of a text as a tuple, "?" as None: "1 ? -1" is ("1", None, "-1")."""
    return tuple(None if word == "?" else word for word in labels.split())


def crops(identities, cameras=None, *, side="q", paths=None, tracks=None):
    """Crops with labels as :func:`said` reads them; no cameras: none is known."""
    who = said(identities)
    nothing = (None,) * len(who)
    return Crops(
        paths=paths or tuple(f"{side}/{row}.png" for row in range(len(who))),
        identities=who,
        cameras=nothing if cameras is None else said(cameras),
        videos=nothing,
        tracks=tracks or nothing,
        frames=nothing,
        timestamps=nothing,
    )


def unit(count, width=8, seed=0):
    """float32 (count, width), random and of length 1."""
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def embeddings(of, vectors=None, *, seed=0):
    """The crops with vectors, random ones where none are given."""
    vectors = unit(len(of), seed=seed) if vectors is None else np.asarray(vectors, np.float32)
    return Embeddings(of, vectors, "tiny", "ab" * 32)
