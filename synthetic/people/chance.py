"""Plain draws from tables of weights."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

__all__ = ["between", "chance", "pick"]

_Choice = TypeVar("_Choice")


def pick(generator: np.random.Generator, weights: Mapping[_Choice, float]) -> _Choice:
    """One key of a table, each as likely as its weight says.

    Args:
        generator: One number is taken from it.
        weights: 0 or more each, in any unit; not all 0.
    """
    left = float(generator.random()) * sum(weights.values())
    choice = next(iter(weights))
    for candidate, weight in weights.items():
        if weight > 0:
            choice = candidate
            left -= weight
            if left < 0:
                break
    return choice


def between(generator: np.random.Generator, low: float, high: float) -> float:
    """A number between two, each as likely."""
    return low + (high - low) * float(generator.random())


def chance(generator: np.random.Generator, share: float) -> bool:
    """True in the given share of draws, 0-1."""
    return float(generator.random()) < share
