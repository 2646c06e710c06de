"""The tail of different pairs: right where it is known, and cautious where it is not."""

import numpy as np
import pytest
from pydantic import ValidationError

from person.gallery.tail import Tail, fit_tail
from tests.reference import calibration as reference


def similarities(count, *, scale=0.15, seed=0):
    """float32 (count,) whose Fisher's z falls off exponentially."""
    heights = np.random.default_rng(seed).exponential(scale, count)
    return np.tanh(heights).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "people_pairs"), [(20, 1), (20, 20), (37, 30), (2000, 300), (5000, 5000)]
)
def test_it_is_that_of_the_slow_twin(count, people_pairs):
    different = similarities(count)
    found = fit_tail(different, people_pairs=people_pairs)
    rate, similarity, scale = reference.tail(different.tolist(), people_pairs)
    assert found.rate == rate
    assert found.similarity == pytest.approx(similarity, abs=1e-9)
    assert found.scale == pytest.approx(scale, rel=1e-9)


def test_rates_beyond_the_pairs_come_out_no_higher_than_wanted():
    wanted = 1e-6
    true = [
        np.exp(
            -np.arctanh(
                fit_tail(similarities(20_000, seed=seed), people_pairs=20_000).similarity_at(wanted)
            )
            / 0.15
        )
        for seed in range(20)
    ]
    assert np.mean(np.array(true) <= wanted) >= 0.9
    assert np.median(true) > wanted / 100  # cautious, not useless


def test_fewer_people_make_it_more_cautious():
    different = similarities(5000)
    reached = [
        fit_tail(different, people_pairs=count).similarity_at(1e-5) for count in (5000, 500, 50)
    ]
    assert reached == sorted(reached)


def test_it_never_reaches_one_in_what_anybody_asks():
    tail = fit_tail(similarities(100), people_pairs=100)
    assert tail.similarity_at(tail.rate) == pytest.approx(tail.similarity)
    assert tail.similarity < tail.similarity_at(1e-4) < tail.similarity_at(1e-6) < 1


def test_a_rate_and_back():
    tail = fit_tail(similarities(1000), people_pairs=100)
    for rate in (0.1, 1e-3, 1e-5):
        assert tail.rate_at(tail.similarity_at(rate)) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.999, 1.0, -1.0])
def test_pairs_that_are_all_equally_alike(value):
    tail = fit_tail(np.full(50, value, np.float32), people_pairs=50)
    assert tail.similarity == pytest.approx(value, abs=1e-5)
    assert tail.similarity_at(1e-9) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": 0.0, "similarity": 0.5, "scale": 0.1},
        {"rate": 0.1, "similarity": 1.0, "scale": 0.1},
        {"rate": 0.1, "similarity": 0.5, "scale": 0.0},
        {"rate": 0.1, "similarity": float("nan"), "scale": 0.1},
    ],
)
def test_what_is_no_tail(fields):
    with pytest.raises(ValidationError):
        Tail(**fields)
