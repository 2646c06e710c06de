"""Calibration: the wanted rate is held, probabilities are true, and bad input is told."""

import json

import numpy as np
import pytest

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.store import sha256_of
from everyid.weights import find
from person.gallery import calibration as module
from person.gallery.calibration import (
    Calibration,
    calibrate,
    independent_vectors,
    read_calibration,
    shipped_calibration,
)
from tests.reference.calibration import accepted_once

NAMES = {"model": "tiny", "model_sha256": "ab" * 32, "data": "drawn"}


def drawn(count, mean, seed, spread=0.18):
    heights = np.random.default_rng(seed).normal(mean, spread, count)
    return np.tanh(heights).astype(np.float32)


def same(count=400, seed=1):
    return drawn(count, 1.0, seed)


def different(count=20_000, seed=2):
    return drawn(count, 0.15, seed)


@pytest.fixture(scope="module")
def learnt():
    return calibrate(same(), different(), **NAMES, people=60, people_pairs=1500)


def test_a_wanted_rate_is_a_rate_of_pairs_for_each_vector(learnt):
    few, many = learnt.threshold(0.5, vectors=2), learnt.threshold(0.01, vectors=1)
    share = float(np.mean(different(200_000, seed=9) >= few))
    assert accepted_once(share, 2) == pytest.approx(0.5, rel=0.05)
    assert np.mean(different(200_000, seed=9) >= many) <= 0.0125
    assert np.mean(different() >= many) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(
    ("each", "count"), [([], 1), ([1], 1), ([1] * 50, 50), ([4], 3), ([10, 10], 8)]
)
def test_vectors_of_one_person_count_less(each, count):
    assert independent_vectors(np.array(each, np.int64)) == count


@pytest.mark.parametrize("vectors", [1, 10, 100])
@pytest.mark.parametrize("wanted", [0.01, 0.1])
def test_strangers_are_accepted_no_more_often_than_wanted(learnt, vectors, wanted):
    asked = different(2000 * vectors, seed=3).reshape(2000, vectors).max(axis=1)
    rate = np.mean(asked >= learnt.threshold(wanted, vectors=vectors))
    assert rate <= wanted + 3 * (wanted / 2000) ** 0.5


def test_thresholds_rise_with_the_gallery_and_with_caution(learnt):
    sizes = [learnt.threshold(0.01, vectors=vectors) for vectors in (1, 3, 10, 1000, 10**6)]
    rates = [learnt.threshold(rate, vectors=10) for rate in (0.9, 0.3, 0.1, 1e-3, 1e-6)]
    for values in (sizes, rates):
        assert values == sorted(values)
        assert len(set(values)) == len(values)
        assert values[-1] < 1


def test_what_is_measured_and_what_is_extrapolated(learnt):
    # 20 of 1,500 pairs of people: 1.3 %
    assert learnt.tail.rate == pytest.approx(20 / 1500, rel=0.01)
    assert learnt.is_measured(0.02, vectors=1)
    assert not learnt.is_measured(0.02, vectors=10)
    at = learnt.tail.similarity
    assert learnt.threshold(learnt.tail.rate * 0.999, vectors=1) == pytest.approx(at, abs=1e-4)
    assert learnt.threshold(learnt.tail.rate * 1.001, vectors=1) == pytest.approx(at, abs=1e-4)


def test_pairs_count_for_themselves_where_nothing_is_said_of_people():
    found = calibrate(same(), different(), **NAMES)
    assert (found.people, found.people_pairs) == (400, 20_000)
    assert calibrate(same(), different(), **NAMES, people_pairs=10**9).people_pairs == 20_000


def test_recognised_is_the_share_of_same_pairs(learnt):
    for similarity in (-1.0, 0.5, 0.7, 0.8, 1.0):
        share = np.mean(same() >= similarity)
        assert learnt.recognised(similarity) == pytest.approx(share, abs=0.02)


def test_the_probability_is_what_comes_true(learnt):
    ours, theirs = same(40_000, seed=5), different(40_000, seed=6)
    values = np.concatenate([ours, theirs])
    truth = np.repeat([1.0, 0.0], 40_000)
    said = learnt.probability(values)
    assert said.dtype == np.float64
    for low in np.arange(0, 1, 0.25):
        inside = (said >= low) & (said < low + 0.25)
        assert said[inside].mean() == pytest.approx(truth[inside].mean(), abs=0.12)


def test_the_probability_rises_and_is_never_certain(learnt):
    said = learnt.probability(np.linspace(-1, 1, 101).reshape(1, 101))
    assert said.shape == (1, 101)
    assert (np.diff(said) >= 0).all()
    assert said.min() == pytest.approx(1 / 62)
    assert said.max() == pytest.approx(1 - 1 / 1502)


@pytest.mark.parametrize("gap", [0.01, 0.3, 1.5])
def test_twenty_pairs_of_each_are_enough(gap):
    ours = np.linspace(-0.1, 0.2, 20, dtype=np.float32) + np.float32(gap / 2)
    theirs = np.linspace(-0.2, 0.2, 20, dtype=np.float32) - np.float32(gap / 2)
    found = calibrate(ours, theirs, **NAMES)
    assert found.slope > 0
    assert 0 < found.probability(np.array([-1.0]))[0] <= found.probability(np.array([1.0]))[0] < 1
    assert found.threshold(0.01, vectors=1000) < 1


def test_json_there_and_back(learnt, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(learnt.model_dump_json())
    assert path.stat().st_size < 20_000
    assert len(learnt.thresholds) <= 200
    assert read_calibration(path, model_sha256=NAMES["model_sha256"]) == learnt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:200], r"c\.json: not a calibration that can be read"),
        (lambda _: "", r"c\.json: not a calibration"),
        (lambda _: "[1]", r"c\.json: not a calibration"),
        (lambda text: text.replace('"slope":', '"slop":'), r"c\.json: not a calibration"),
        (lambda text: text.replace('"fpr":[', '"fpr":[0.0,'), r"of one length"),
        (lambda text: text.replace('"fpr":[0.0,', '"fpr":[0.5,'), r"expected fpr and tpr to rise"),
        (lambda text: text.replace('"thresholds":[', '"thresholds":[NaN,'), r"c\.json: not a"),
    ],
)
def test_a_damaged_file(learnt, tmp_path, change, message):
    path = tmp_path / "c.json"
    path.write_text(change(learnt.model_dump_json()))
    with pytest.raises(InputError, match=message) as caught:
        read_calibration(path)
    assert caught.value.hint


def test_thresholds_that_do_not_fall(learnt, tmp_path):
    fields = json.loads(learnt.model_dump_json())
    fields["thresholds"] = fields["thresholds"][::-1]
    path = tmp_path / "c.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"expected thresholds to fall"):
        read_calibration(path)


def test_the_calibration_of_another_model(learnt, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(learnt.model_dump_json())
    with pytest.raises(InputError, match=r"model with sha256 cdcdcdcdcdcd, got one of tiny \(abab"):
        read_calibration(path, model_sha256="cd" * 32)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"no such file"):
        read_calibration(tmp_path / "none.json")


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_rate_that_is_none(learnt, rate):
    for ask in (learnt.threshold, learnt.is_measured):
        with pytest.raises(ConfigError, match=r"expected above 0 and below 1"):
            ask(rate, vectors=10)


@pytest.mark.parametrize("vectors", [0, -3])
def test_an_empty_gallery(learnt, vectors):
    with pytest.raises(ConfigError, match=r"vectors: expected 1 or more") as caught:
        learnt.threshold(0.01, vectors=vectors)
    assert "enrol somebody first" in caught.value.hint


@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "message"),
    [
        (same(19), different(), InputError, r"at least 20 pairs of the same kind, got 19"),
        (same(), different(0), InputError, r"at least 20 pairs of the different kind, got 0"),
        (same() * np.nan, different(), ShapeError, r"same: .* pair 0 has nan \(400 such"),
        (same(), different() + 2, ShapeError, r"different: expected cosine similarities"),
        (same()[None], different(), ShapeError, r"same: expected float32 \(N,\)"),
        (np.arange(30), different(), ShapeError, r"same: expected float32 \(N,\), got int64"),
        (different(), same(), InputError, r"same pairs are no more alike than different ones"),
        (np.full(40, 0.5, "f4"), np.full(40, 0.5, "f4"), InputError, r"no more alike"),
        (np.full(40, 1.0, "f4"), np.full(40, 0.9999, "f4"), InputError, r"no more alike"),
    ],
)
def test_pairs_that_teach_nothing(ours, theirs, kind, message):
    with pytest.raises(kind, match=message):
        calibrate(ours, theirs, **NAMES)


def test_the_shipped_one_is_of_the_shipped_model():
    entry = find("everyid-cnn")
    path = module._WEIGHTS / "everyid-cnn.safetensors"
    assert entry is not None
    found = shipped_calibration(sha256_of(path))
    assert found is not None
    assert found.model == "everyid-cnn"
    assert found.people >= 200
    assert 0.5 < found.threshold(0.01, vectors=10) < 0.95


def test_no_calibration_is_shipped_for_other_models():
    assert shipped_calibration("0" * 64) is None
    assert shipped_calibration("") is None


def test_a_shipped_one_that_is_damaged(tmp_path, monkeypatch):
    (tmp_path / "a.calibration.json").write_text("{")
    monkeypatch.setattr(module, "_WEIGHTS", tmp_path)
    with pytest.raises(InputError, match=r"a\.calibration\.json: not a calibration"):
        shipped_calibration("ab" * 32)


def test_unknown_fields_are_refused(learnt):
    with pytest.raises(ValueError, match=r"Extra inputs"):
        Calibration(**learnt.model_dump(), more=1)
