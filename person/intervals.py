"""How far a measured mean could be off: intervals over the queries it is the mean of."""

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError, ShapeError

__all__ = ["bootstrap"]

_CHUNK = 2**21
"""Drawn rows that are held at once."""


def bootstrap(
    values: NDArray[np.float64], *, repeats: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two float64 (M,): the lower and upper end of the percentile interval of each column's mean.

    Rows are drawn with replacement, all columns together: the interval says how much the mean
    would change with other queries of the same kind against the same gallery. It says nothing of
    other cameras, other days or another training run.

    >>> low, high = bootstrap(np.array([[0.0], [1.0], [1.0], [1.0]]))
    >>> low.tolist(), high.tolist()
    ([0.25], [1.0])

    Args:
        values: float64 (V, M), M figures of each of V queries, such as AP and the hit at rank 1.
        repeats: Samples drawn, at least 1.
        seed: Of the random generator; the same gives the same interval.
        level: The share of samples inside the interval, above 0 and below 1.

    Raises:
        InputError: There is no query.
        ShapeError: Not a finite float64 (V, M) array.
        ConfigError: ``repeats`` or ``level`` is out of range.

    Source:
        Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979; the
        percentile interval is in Efron, "Nonparametric standard errors and confidence intervals",
        Canadian Journal of Statistics 1981.
    """
    if values.ndim != 2 or values.dtype != np.float64 or not np.isfinite(values).all():
        raise ShapeError(
            f"values: expected finite float64 (V, M), got {values.dtype} {values.shape}"
        )
    if repeats < 1:
        raise ConfigError(f"repeats: expected 1 or more, got {repeats}")
    if not 0 < level < 1:
        raise ConfigError(f"level: expected a share between 0 and 1, got {level}")
    count = len(values)
    if count == 0:
        raise InputError("no query was measured, so there is no interval to give")
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // count)
    means = np.empty((repeats, values.shape[1]))
    for first in range(0, repeats, chunk):
        part = means[first : first + chunk]
        part[:] = _drawn(rng, len(part), count) @ values / count
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _drawn(rng: np.random.Generator, samples: int, count: int) -> NDArray[np.float64]:
    """float64 (samples, count): how often each row was drawn; each sample adds up to count."""
    rows = rng.integers(0, count, (samples, count))
    rows += np.arange(samples)[:, None] * count
    drawn = np.bincount(rows.ravel(), minlength=samples * count)
    return drawn.reshape(samples, count).astype(np.float64)
