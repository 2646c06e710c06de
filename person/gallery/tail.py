"""The similarities of different people beyond what their pairs can measure."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from everyid.models import Model

__all__ = ["Tail", "fit_tail"]

_PAIRS_ABOVE = 20
"""Pairs of people above a similarity for its rate to count as measured."""
_LARGEST_RATE = 0.5
_MULTIPLES = (1, 3, 10)
_SURE = 1.64
"""Standard errors to the upper end of a one-sided 95 % interval."""
_NEAREST_ONE = 0.999999

Rate = Annotated[FiniteFloat, Field(gt=0, le=1)]


class Tail(Model):
    """How the share of different pairs falls off towards the highest similarities.

    From ``similarity`` on, the share falls by a factor of e with every ``scale`` of Fisher's z of
    the similarity (its inverse hyperbolic tangent): an exponential tail, the generalised Pareto
    one with shape 0.
    """

    rate: Rate = Field(description="share of different pairs where the tail starts: measured")
    similarity: FiniteFloat = Field(ge=-1, lt=1, description="cosine, where the tail starts")
    scale: FiniteFloat = Field(gt=0, description="in Fisher's z, by which the share falls to 1/e")

    def similarity_at(self, rate: float) -> float:
        """The similarity that a share ``rate`` of different pairs reaches, below 1.

        Args:
            rate: Above 0, at most ``self.rate``.
        """
        start = float(np.arctanh(self.similarity))
        return float(np.tanh(start + self.scale * np.log(self.rate / rate)))

    def rate_at(self, similarity: float) -> float:
        """The share of different pairs that are that similar: the inverse.

        Args:
            similarity: At least ``self.similarity``, below 1.
        """
        above = float(np.arctanh(similarity) - np.arctanh(self.similarity))
        return self.rate * float(np.exp(-above / self.scale))


def fit_tail(different: NDArray[np.float32], *, people_pairs: int) -> Tail:
    """The tail of different pairs, rather too heavy than too light.

    It starts where 20 pairs of people are above. Its scale is the largest mean excess from there,
    from a place with three and from one with ten times as many above, each raised to the upper end
    of its 95 % interval, for which pairs of people count, not pairs of crops.

    Args:
        different: float32 (P,), cosine similarities of different pairs, at least 2 of them unequal.
        people_pairs: Pairs of people that they are of, 1 to P.

    Source:
        Pickands, "Statistical inference using extreme order statistics", Annals of Statistics
        1975; the mean excess is in Coles, "An introduction to statistical modeling of extreme
        values", 2001, section 4.3.
    """
    falling = np.sort(different.astype(np.float64))[::-1]
    heights = np.arctanh(np.clip(falling, -_NEAREST_ONE, _NEAREST_ONE))
    rate = min(_LARGEST_RATE, _PAIRS_ABOVE / people_pairs)
    scale = 0.0
    for part in (min(_LARGEST_RATE, rate * multiple) for multiple in _MULTIPLES):
        above = _above(heights, part)
        excess = float(np.mean(heights[:above] - heights[above]))
        scale = max(scale, excess * (1 + _SURE / (people_pairs * part) ** 0.5))
    above = _above(heights, rate)
    start = float(np.tanh(heights[above]))
    return Tail(rate=above / len(heights), similarity=start, scale=max(scale, 1e-6))


def _above(heights: NDArray[np.float64], rate: float) -> int:
    """How many pairs are the highest ``rate`` of all, at least 1 and at most all but one."""
    return min(max(1, int(rate * len(heights))), len(heights) - 1)
