"""Random numbers that depend on a seed and on what they are for, and on nothing else."""

import hashlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *words: str | int) -> np.random.Generator:
    """A generator of random numbers of its own for one purpose.

    Two purposes never share a stream, so drawing more of one thing changes no other, and work
    may be split over processes in any way.

    >>> float(generator(1, "person", 7).random()) == float(generator(1, "person", 7).random())
    True

    Args:
        seed: The seed of the whole run, 0 or more.
        words: What it is for, such as ``"person", 7, "walk"``.

    Returns:
        A PCG64 generator.
    """
    text = "\x1f".join([str(seed), *(f"{type(word).__name__}:{word}" for word in words)])
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
