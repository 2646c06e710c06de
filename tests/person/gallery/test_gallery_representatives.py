import numpy as np
import pytest

from person.gallery import representatives as module
from person.gallery.representatives import representatives, seen_before
from tests.person.rows import unit
from tests.reference.representatives import slow_representatives


@pytest.mark.parametrize(("count", "keep"), [(0, 3), (1, 1), (3, 3), (5, 1), (12, 4), (15, 14)])
def test_as_the_slow_twin(count, keep):
    for seed in range(3):
        vectors = unit(count, width=4, seed=seed)
        chosen = representatives(vectors, keep=keep)
        assert chosen.tolist() == sorted(slow_representatives(vectors, keep))


def test_equal_vectors():
    vectors = np.repeat(unit(2), 3, axis=0)
    chosen = representatives(vectors, keep=2)
    assert sorted(vectors[chosen].tolist()) == sorted(unit(2).tolist())


def test_the_order_does_not_matter():
    vectors = unit(30)
    turned = np.random.default_rng(0).permutation(30)
    one, other = representatives(vectors, keep=5), representatives(vectors[turned], keep=5)
    assert set(one.tolist()) == set(turned[other].tolist())


def test_what_was_chosen_is_chosen_again_with_the_rest():
    vectors = unit(30)
    chosen = representatives(vectors, keep=5)
    rest = np.delete(np.arange(30), chosen)
    again = np.concatenate([chosen, rest])
    assert representatives(vectors[again], keep=5).tolist() == [0, 1, 2, 3, 4]


def test_views_are_kept_and_the_odd_one_is_not():
    rng = np.random.default_rng(0)
    views = np.eye(4, dtype=np.float32)[[0] * 10 + [1] * 10 + [2] * 10 + [3]]
    vectors = (views + rng.normal(0, 0.05, views.shape)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert [row // 10 for row in representatives(vectors, keep=3).tolist()] == [0, 1, 2]


def test_of_very_many_some_are_looked_at(monkeypatch):
    monkeypatch.setattr(module, "_MOST_COMPARED", 8)
    chosen = representatives(unit(100), keep=5)
    assert len(set(chosen.tolist())) == 5
    assert len(set(representatives(unit(100), keep=20).tolist())) == 20


def test_pictures_seen_before():
    vectors = unit(4)
    new = vectors[[0, 3, 1, 3]]
    assert seen_before(new, vectors[:1]).tolist() == [True, False, False, True]
    assert seen_before(new[:0], vectors).tolist() == []
    nobody = np.empty((0, 8), np.float32)
    assert seen_before(new, nobody).tolist() == [False, False, False, True]
