from collections import Counter

import numpy as np
import pytest

from synthetic.people.chance import between, chance, pick


def test_each_key_comes_as_often_as_its_weight_says():
    generator = np.random.default_rng(1)
    counts = Counter(pick(generator, {"a": 6, "b": 0, "c": 2}) for _ in range(4000))
    assert counts["b"] == 0
    assert counts["a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_the_only_key_with_a_weight_is_picked():
    generator = np.random.default_rng(1)
    assert {pick(generator, {"a": 0.0, "b": 0.3, "c": 0.0}) for _ in range(50)} == {"b"}


def test_numbers_between_two():
    generator = np.random.default_rng(1)
    drawn = [between(generator, -2, 3) for _ in range(500)]
    assert -2 <= min(drawn) < -1.8
    assert 2.8 < max(drawn) < 3


def test_chance_never_and_always():
    generator = np.random.default_rng(1)
    assert not any(chance(generator, 0) for _ in range(100))
    assert all(chance(generator, 1) for _ in range(100))
