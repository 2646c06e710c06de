"""The open-set benchmark: it counts what it says, on vectors whose answer is known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks import open_set
from benchmarks.calibration import learn, upper
from benchmarks.open_set import OpenSet, held_back, main, measure, of_people
from tests.person.rows import crops, embeddings


def people(count, *, each=12, cameras=4, noise=0.5, seed=0):
    """Embeddings of people who are far from each other, under several cameras."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(count, 32)), each, axis=0)
    vectors = centres + noise * rng.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [f"p{row // each}" for row in range(len(vectors))]
    where = [f"c{row % cameras}" for row in range(len(vectors))]
    return embeddings(crops(" ".join(labels), " ".join(where)), vectors)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(open_set, "_DRAWS", 4)


@pytest.fixture(scope="module")
def learnt():
    return learn([people(30, seed=1), people(30, seed=2)], None, names="drawn")


def test_people_who_are_easy_are_found_and_strangers_are_not(learnt):
    found = measure(of_people("easy", people(40, noise=0.2)), learnt, vectors=50)
    assert [one.wanted for one in found] == [0.001, 0.01, 0.1]
    for one in found:
        assert one.vectors == 50
        assert one.rank_1 == 1
        assert one.false_accepts <= one.wanted
        assert one.false_accepts <= one.false_accepts_high
        assert one.strangers == 20 * 12
    assert found[-1].identified > 0.95
    assert all(less.identified <= more.identified for less, more in pairwise(found))


def test_everybody_alike_is_everybody_taken_for_somebody(learnt):
    vectors = np.tile(np.eye(1, 8, dtype=np.float32), (80, 1))
    data = OpenSet("twins", vectors, np.repeat(np.arange(8), 10), np.tile(np.arange(2), 40))
    for one in measure(data, learnt, vectors=20):
        assert one.false_accepts == 1


def test_a_gallery_is_filled_with_others(learnt):
    data = of_people("few", people(8))
    fill = people(60, seed=7).vectors
    assert measure(data, learnt, vectors=500)[0].vectors == 20
    assert measure(data, learnt, vectors=500, fill=fill)[0].vectors == 500


def test_halves_of_time_are_enrolled_in_order(learnt):
    data = of_people("clip", people(6, cameras=2))
    ordered = replace(data, in_order=True)
    found = measure(ordered, learnt, vectors=18)
    assert found[0].vectors == 18
    assert found[0].strangers == 3 * 12


def test_rates_of_pairs_hold_for_other_people():
    found = held_back("drawn", people(40, noise=1.0))
    assert [one.rate for one in found] == [1e-2, 1e-3, 1e-4, 1e-5]
    assert found[0].factor < 2.5
    assert found[-1].extrapolated == 1
    assert all(one.factor <= one.factor_high for one in found)


def test_the_upper_of_two_kinds_of_pairs():
    ours = np.linspace(-0.5, 0.9, 1000, dtype=np.float32)
    theirs = np.array([0.3, 0.4, 0.5], np.float32)
    both = upper(ours[::-1], theirs)
    assert len(both) == 1000
    assert (np.diff(both) >= 0).all()
    for rate in (0.9, 0.5, 0.2, 0.01):
        place = int((1 - rate) * 1000)
        assert both[place] >= ours[place]
        assert np.mean(both >= np.quantile(theirs, 1 - rate, method="lower")) >= rate


def test_sets_of_people_are_not_compared_with_each_other():
    one, two = people(10, seed=1), people(10, seed=2)
    found = learn([one, two], None, names="two places")
    assert found.people == 20
    assert found.people_pairs == 2 * 45
    assert found.different_pairs == 2 * (120 * 119 // 2 - 10 * 66)
    assert found.data == "two places: 20 people, same person under two cameras"


def test_a_missing_source_is_told(tmp_path, capsys):
    missing = tmp_path / "none.parquet"
    assert main(["--data", str(missing), "--model", str(tmp_path / "none.onnx")]) == 1
    assert "no such file" in capsys.readouterr().err
