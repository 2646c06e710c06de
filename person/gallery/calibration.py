"""Which similarity means "the same person": thresholds for a wanted rate of false accepts.

A gallery is asked about somebody who is not in it, once, with one picture: at most the wanted share
of such questions may be answered with a name. Each of N vectors of different people is a chance to
go wrong, so a pair may be accepted wrongly at the rate 1 - (1 - f)^(1/N) only. Several vectors of
one person resemble each other and are fewer chances; :func:`independent_vectors` says how many.
"""

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.models import Model
from everyid.output import readable
from person.gallery.tail import Tail, fit_tail
from person.verification import FALSE_POSITIVE_RATES, Verification, verify_pairs

__all__ = [
    "Calibration",
    "calibrate",
    "independent_vectors",
    "read_calibration",
    "shipped_calibration",
]

_WEIGHTS = Path(__file__).parents[1] / "weights"
_FEWEST = 20
"""Pairs of a kind from which on something can be learnt."""
_MOST_POINTS = 200
_RATE_STEPS, _SHARE_STEPS = 110, 80
_BEYOND = 1e-3
"""By how much rounding may take a cosine past 1."""
_OWN_VIEWS = 0.6
"""r vectors of one person are as many chances to go wrong as r to this power of several people."""
_BINS = 2001
"""Of similarities, for the curve of the probability."""
_STEPS = 100

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Floats = NDArray[np.float64]


class Calibration(Model):
    """What similarities of one model mean."""

    model: str = Field(description="whose similarities these are")
    model_sha256: str = Field(description="of its weights and what they are fed")
    data: str = Field(description="what it was learnt from, in words")
    same_pairs: int = Field(ge=1, description="pairs of crops of one person")
    different_pairs: int = Field(ge=1, description="pairs of crops of two people")
    people: int = Field(ge=1, description="people, or tracks, behind them")
    people_pairs: int = Field(ge=1, description="pairs of two of them, behind the different pairs")
    slope: FiniteFloat = Field(gt=0, description="of the logit of the probability")
    intercept: FiniteFloat = Field(description="of it, at similarity 0")
    tail: Tail = Field(description="of the different pairs, where they cannot measure")
    fpr: list[Share] = Field(max_length=_MOST_POINTS, description="of the ROC, rising")
    tpr: list[Share] = Field(max_length=_MOST_POINTS, description="of the ROC, rising")
    thresholds: list[FiniteFloat] = Field(
        min_length=2, max_length=_MOST_POINTS, description="of the ROC, similarity, falling"
    )

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if not len(self.fpr) == len(self.tpr) == len(self.thresholds):
            raise ValueError("expected fpr, tpr and thresholds of one length")
        if np.any(np.diff(self.fpr) < 0) or np.any(np.diff(self.tpr) < 0):
            raise ValueError("expected fpr and tpr to rise")
        if np.any(np.diff(self.thresholds) >= 0):
            raise ValueError("expected thresholds to fall")
        return self

    def threshold(self, false_accept_rate: float, *, vectors: int) -> float:
        """The similarity from which an answer counts as known.

        Args:
            false_accept_rate: The share of questions about strangers that may be answered with a
                name, above 0 and below 1.
            vectors: Enrolled vectors of different people that a question is compared with, at
                least 1; see :func:`independent_vectors`.

        Raises:
            ConfigError: Either is out of range.
        """
        rate = _pair_rate(false_accept_rate, vectors)
        if rate < self.tail.rate:
            return self.tail.similarity_at(rate)
        point = int(np.searchsorted(self.fpr, rate, side="right")) - 1
        return min(self.thresholds[point], self.tail.similarity_at(self.tail.rate))

    def is_measured(self, false_accept_rate: float, *, vectors: int) -> bool:
        """Whether the pairs measure that threshold; else it is extrapolated, see :class:`Tail`.

        Args:
            false_accept_rate: As for :meth:`threshold`.
            vectors: As there.

        Raises:
            ConfigError: As there.
        """
        return _pair_rate(false_accept_rate, vectors) >= self.tail.rate

    def recognised(self, similarity: float) -> float:
        """The share of pairs of one person that are at least that similar, 0-1.

        Args:
            similarity: Cosine; a threshold.
        """
        falling = np.array(self.thresholds)
        return float(np.interp(-similarity, -falling, self.tpr))

    def probability(self, similarity: NDArray[np.floating]) -> Floats:
        """That two pictures this similar show one person, float64, 0-1, of the same shape.

        Same and different are taken as equally likely beforehand. In a gallery they are not: the
        best of many strangers is similar too, which :meth:`threshold` accounts for.

        Never nearer to 0 or 1 than the numbers of people behind the pairs support.

        Args:
            similarity: Cosine, of any shape.
        """
        logit = self.slope * np.asarray(similarity, np.float64) + self.intercept
        low, high = 1 / (self.people + 2), 1 - 1 / (self.people_pairs + 2)
        return np.clip(_logistic(logit), low, high)


def independent_vectors(vectors_of_each: NDArray[np.int64]) -> int:
    """How many vectors of different people let as many strangers in, at least 1.

    A stranger is compared with r vectors of a person, which resemble each other. Measured on two
    synthetic sets (200 and 240 people, 12 to 100 of them enrolled with 2, 4 and 8 vectors each,
    rates of 1, 5 and 10 %) they count as r^0.43 to r^0.83, most often r^0.5; r^0.6 is taken.

    >>> independent_vectors(np.array([1, 1, 8]))
    6

    Args:
        vectors_of_each: int64 (I,), how many each person has, at least 1.
    """
    return max(1, int(np.ceil(np.sum(np.asarray(vectors_of_each, np.float64) ** _OWN_VIEWS))))


def calibrate(
    same: NDArray[np.float32],
    different: NDArray[np.float32],
    *,
    model: str,
    model_sha256: str,
    data: str,
    people: int | None = None,
    people_pairs: int | None = None,
) -> Calibration:
    """What similarities mean, learnt from pairs.

    Args:
        same: float32 (S,), cosine similarities of pairs of one person, at least 20.
        different: float32 (P,), those of pairs of two people, at least 20.
        model: The name of the model behind them.
        model_sha256: Of its weights, as embeddings have it.
        data: What the pairs are of, in words.
        people: People behind the pairs; None: each same pair counts as a person of its own.
        people_pairs: Pairs of two people behind the different pairs; None: as many as pairs. Give
            them: pairs of the same two people are no independent evidence.

    Raises:
        ShapeError: No float arrays (N,), or values that are no cosine.
        InputError: Too few pairs, or same pairs are no more alike than different ones.
    """
    for name, values in (("same", same), ("different", different)):
        _check(name, values)
    slope, intercept = _fit_probability(same, different)
    if slope <= 0:
        raise InputError(
            f"same pairs are no more alike than different ones: mean similarity {same.mean():.3f} "
            f"and {different.mean():.3f} of {len(same):,} and {len(different):,} pairs",
            hint="check who the crops are said to show, and that the vectors are of this model",
        )
    several = min(people_pairs or len(different), len(different))
    tail = fit_tail(different, people_pairs=several)
    curve = verify_pairs(same, different)
    kept = _kept(curve, tail.rate)
    return Calibration(
        model=model,
        model_sha256=model_sha256,
        data=data,
        same_pairs=len(same),
        different_pairs=len(different),
        people=people or len(same),
        people_pairs=several,
        slope=slope,
        intercept=intercept,
        tail=tail,
        fpr=curve.fpr[kept].tolist(),
        tpr=curve.tpr[kept].tolist(),
        thresholds=np.round(curve.thresholds[kept], 6).tolist(),
    )


def read_calibration(path: Path, *, model_sha256: str | None = None) -> Calibration:
    """The calibration in a JSON file.

    Args:
        path: The file.
        model_sha256: Of the model that it is to be of; None: any.

    Raises:
        InputError: It is missing, damaged, or of another model.
    """
    try:
        found = Calibration.model_validate_json(readable(path).read_bytes())
    except (ValidationError, OSError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise InputError(
            f"{path}: not a calibration that can be read: {first}", hint="calibrate again"
        ) from error
    if model_sha256 is not None and found.model_sha256 != model_sha256:
        raise InputError(
            f"{path}: expected a calibration of the model with sha256 {model_sha256[:12]}, got one "
            f"of {found.model} ({found.model_sha256[:12]})",
            hint="similarities of two models do not compare: calibrate this model",
        )
    return found


def shipped_calibration(model_sha256: str) -> Calibration | None:
    """The calibration that comes with a model, or None: there is none.

    Args:
        model_sha256: Of the model, as embeddings have it.

    Raises:
        InputError: A shipped calibration is damaged.
    """
    for path in sorted(_WEIGHTS.glob("*.calibration.json")):
        found = read_calibration(path)
        if found.model_sha256 == model_sha256:
            return found
    return None


def _pair_rate(false_accept_rate: float, vectors: int) -> float:
    """The rate at which one pair may be accepted wrongly."""
    if not 0 < false_accept_rate < 1:
        raise ConfigError(
            f"false accept rate: expected above 0 and below 1, got {false_accept_rate}",
            hint="0.01 lets one stranger in a hundred be taken for somebody enrolled",
        )
    if vectors < 1:
        raise ConfigError(
            f"vectors: expected 1 or more, got {vectors}",
            hint="nobody can be known by an empty gallery: enrol somebody first",
        )
    return float(-np.expm1(np.log1p(-false_accept_rate) / vectors))


def _check(name: str, values: NDArray[np.float32]) -> None:
    if values.ndim != 1 or values.dtype.kind != "f":
        raise ShapeError(f"{name}: expected float32 (N,), got {values.dtype} {values.shape}")
    if len(values) < _FEWEST:
        raise InputError(
            f"expected at least {_FEWEST} pairs of the {name} kind, got {len(values)}",
            hint="add crops: a handful of pictures each of seven people or more will do",
        )
    wrong = np.flatnonzero(~(np.abs(values) <= 1 + _BEYOND))  # also true of NaN
    if len(wrong):
        raise ShapeError(
            f"{name}: expected cosine similarities from -1 to 1, pair {wrong[0]} has "
            f"{values[wrong[0]]:g} ({len(wrong)} such pairs of {len(values)})"
        )


def _kept(curve: Verification, rate: float) -> NDArray[np.intp]:
    """At most 200 points of a ROC: by even steps of log FPR down to ``rate``, and of TPR."""
    rates = np.concatenate([np.geomspace(rate, 1, _RATE_STEPS), FALSE_POSITIVE_RATES])
    by_rate = np.searchsorted(curve.fpr, rates, side="right") - 1
    shares = np.linspace(0, 1, _SHARE_STEPS)
    by_share = np.minimum(np.searchsorted(curve.tpr, shares), len(curve.tpr) - 1)
    return np.unique(np.concatenate([[0, len(curve.fpr) - 1], by_rate, by_share]))


def _fit_probability(
    same: NDArray[np.float32], different: NDArray[np.float32]
) -> tuple[float, float]:
    """Slope and intercept of the logit, over similarity.

    Source:
        Platt, "Probabilistic outputs for support vector machines", 1999, with his targets a little
        off 0 and 1, and both kinds weighing the same; solved as in Lin, Lin and Weng, "A note on
        Platt's probabilistic outputs", Machine Learning 2007.
    """
    places = np.linspace(-1, 1, _BINS)
    design = np.stack([places, np.ones(_BINS)], axis=1)
    weights, wanted = np.zeros(_BINS), np.zeros(_BINS)
    for values, target in (
        (same, (len(same) + 1) / (len(same) + 2)),
        (different, 1 / (len(different) + 2)),
    ):
        bins = np.rint((values.clip(-1, 1) + 1) * (_BINS // 2)).astype(np.intp)
        share = np.bincount(bins, minlength=_BINS) / (2 * len(values))
        weights += share
        wanted += share * target
    fit = np.zeros(2)
    loss = _loss(design @ fit, weights, wanted)
    for _ in range(_STEPS):
        expected = _logistic(design @ fit)
        gradient = design.T @ (weights * expected - wanted)
        curvature = (design.T * (weights * expected * (1 - expected))) @ design
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        size = 1.0
        while size > 1e-9 and (now := _loss(design @ (fit - size * step), weights, wanted)) > loss:
            size /= 2
        if size <= 1e-9 or loss - now < 1e-15:
            break
        fit, loss = fit - size * step, now
    return float(fit[0]), float(fit[1])


def _loss(logits: Floats, weights: Floats, wanted: Floats) -> float:
    """The cross entropy of targets with a logistic curve."""
    return float(np.sum(weights * np.logaddexp(0, logits) - wanted * logits))


def _logistic(logits: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray((1 + np.tanh(logits / 2)) / 2)
