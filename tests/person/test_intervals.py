"""Intervals: against drawing one sample after the other, and what is known beforehand."""

import numpy as np
import pytest

from everyid.errors import ConfigError, InputError, ShapeError
from person import intervals
from person.intervals import bootstrap


def slow_bootstrap(values, repeats, seed, level):
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(repeats):
        rows = rng.integers(0, len(values), len(values))
        means.append(values[rows].mean(axis=0))
    ends = 50 * (1 - level), 50 * (1 + level)
    return tuple(np.percentile(np.array(means), end, axis=0) for end in ends)


@pytest.mark.parametrize("chunk", [1, 100, 2**21])
@pytest.mark.parametrize(("queries", "figures"), [(1, 1), (2, 3), (37, 5), (300, 2), (5, 0)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_like_the_slow_twin(monkeypatch, chunk, queries, figures, level):
    monkeypatch.setattr(intervals, "_CHUNK", chunk)
    values = np.random.default_rng(queries).random((queries, figures))
    got = bootstrap(values, repeats=73, seed=5, level=level)
    for ends, wanted in zip(got, slow_bootstrap(values, 73, 5, level), strict=True):
        assert ends.dtype == np.float64
        assert ends.shape == (figures,)
        np.testing.assert_allclose(ends, wanted, atol=1e-12)


def test_one_query_has_no_spread():
    low, high = bootstrap(np.array([[0.25, 1.0]]))
    assert low.tolist() == high.tolist() == [0.25, 1.0]


def test_the_width_is_that_of_the_normal_interval():
    values = np.random.default_rng(0).normal(3.0, 2.0, (2000, 1))
    low, high = bootstrap(values, repeats=4000)
    error = 1.96 * values.std() / np.sqrt(2000)
    assert low[0] == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert high[0] == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_the_seed_decides():
    values = np.random.default_rng(0).random((50, 1))
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)


def test_no_query():
    with pytest.raises(InputError, match="no query was measured"):
        bootstrap(np.empty((0, 3)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"got float64 \(3,\)"),
        (np.zeros((3, 1), np.float32), r"got float32 \(3, 1\)"),
        (np.array([[np.nan]]), "expected finite float64"),
    ],
)
def test_values_that_are_no_figures(values, message):
    with pytest.raises(ShapeError, match=message):
        bootstrap(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats: expected 1 or more, got 0"),
        ({"level": 0.0}, "level: expected a share between 0 and 1, got 0.0"),
        ({"level": 1.0}, "got 1.0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ConfigError, match=message):
        bootstrap(np.zeros((3, 1)), **options)
