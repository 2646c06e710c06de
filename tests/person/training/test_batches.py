"""Batches: who is in them, the same pictures each time, bad files replaced, no thread left."""

import threading

import numpy as np
import pytest

from everyid.errors import ConfigError, InputError
from person.datasets.training_set import TrainingSet
from person.training import batches as module
from person.training.augment import augmented
from person.training.batches import Batches, pk_epoch, share_of
from person.training.recipe import Augmentation
from tests.person.people import figure, save

SIZE = (16, 8)


def training_set(identities, paths=None):
    """Rows of these identities; a row's camera is its number, modulo 3."""
    identities = np.array(identities, np.int64)
    cameras = np.arange(len(identities), dtype=np.int64) % 3
    names = tuple(f"set/{number}" for number in range(int(identities.max(initial=0)) + 1))
    paths = tuple(map(str, paths or range(len(identities))))
    sources = np.zeros(len(identities), np.int64)
    return TrainingSet(
        paths, identities, cameras, sources, names, ("set/0", "set/1", "set/2"), ("set",)
    )


def plan(known, *, p=2, k=2, unlabelled=0, seed=0, epoch=0):
    return pk_epoch(
        known,
        identities_per_batch=p,
        images_per_identity=k,
        unlabelled_per_batch=unlabelled,
        seed=seed,
        epoch=epoch,
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """4 people with 4 pictures each, then 5 pictures of nobody known; not to be written to."""
    folder = tmp_path_factory.mktemp("drawn")
    identities = [*np.repeat(np.arange(4), 4), *[-1] * 5]
    paths = [
        save(folder / f"{row}.png", figure(row // 4, row % 4)) for row in range(len(identities))
    ]
    return training_set(identities, paths)


def broken(known, rows):
    """The same set, where the files of these rows are not there."""
    paths = [f"{path}.gone" if row in rows else path for row, path in enumerate(known.paths)]
    return training_set(known.identities, paths)


def read(known, rows, *, seed=1, epoch=0, start=0, bad=None):
    with Batches(
        known,
        rows,
        Augmentation(),
        size_hw=SIZE,
        seed=seed,
        epoch=epoch,
        start=start,
        bad={} if bad is None else bad,
    ) as given:
        return list(given)


def threads():
    return [one.name for one in threading.enumerate() if one.name.startswith("decode")]


def same(one, other):
    columns = ("images", "identities", "cameras", "rows")
    return len(one) == len(other) and all(
        np.array_equal(getattr(mine, column), getattr(yours, column))
        for mine, yours in zip(one, other, strict=True)
        for column in columns
    )


def test_a_batch_is_groups_of_one_identity_then_unlabelled():
    known = training_set([*np.repeat(np.arange(6), 5), *[-1] * 9])
    rows = plan(known, p=3, k=4, unlabelled=2)
    assert len(rows) == 30 // 12
    for batch in rows:
        assert batch.dtype == np.int64
        groups = known.identities[batch[:12]].reshape(3, 4)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0])) == 3
        assert all(len(set(group)) == 4 for group in batch[:12].reshape(3, 4))
        assert (known.identities[batch[12:]] == -1).all()
        assert len(batch) == 14


def test_an_epoch_follows_from_seed_and_epoch_alone():
    known = training_set([*np.repeat(np.arange(6), 5), *[-1] * 9])
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - what the sampler draws from unasked
    first = plan(known, unlabelled=1, seed=3, epoch=7)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    assert np.array_equal(first, plan(known, unlabelled=1, seed=3, epoch=7))
    assert not np.array_equal(first, plan(known, unlabelled=1, seed=3, epoch=8))
    assert not np.array_equal(first, plan(known, unlabelled=1, seed=4, epoch=7))
    assert module.common_functions.NUMPY_RANDOM is np.random


def test_few_pictures_of_an_identity_are_repeated():
    known = training_set([0, 1, 1])
    (batch,) = plan(known, p=2, k=4)
    assert sorted(known.identities[batch]) == [0] * 4 + [1] * 4
    assert set(batch) == {0, 1, 2}


def test_unlabelled_pictures_come_once_before_any_comes_twice():
    known = training_set([-1] * 7 + [0, 0, 1, 1] * 10)
    rows = plan(known, unlabelled=3)
    seen = np.concatenate([batch[4:] for batch in rows])
    assert len(seen) == 30
    for turn in range(4):
        assert sorted(seen[7 * turn : 7 * turn + 7]) == list(range(7))
    assert not np.array_equal(seen[:7], seen[7:14])


@pytest.mark.parametrize("count", [5, 20, 23])
def test_without_labels_an_epoch_sees_each_picture_once(count):
    rows = plan(training_set([-1] * count), unlabelled=5)
    assert len(rows) == count // 5
    assert len(set(np.concatenate(rows))) == len(rows) * 5


def test_fewer_pictures_than_a_batch_are_repeated():
    (rows,) = plan(training_set([-1] * 3), unlabelled=5)
    assert set(rows) == {0, 1, 2}
    assert len(rows) == 5


def test_without_unlabelled_pictures_batches_are_smaller():
    assert {len(batch) for batch in plan(training_set([0, 0, 1, 1] * 3), unlabelled=4)} == {4}


def test_too_few_identities_are_told():
    with pytest.raises(
        ConfigError, match=r"^expected at least the 3 identities of a batch, found 2$"
    ) as told:
        plan(training_set([0, 0, 5, -1]), p=3)
    assert told.value.hint == "set `identities` to 2 or less, or name more sources"


def test_nothing_to_make_a_batch_of_is_told():
    with pytest.raises(ConfigError, match=r"^none of the 2 pictures has an identity, and batches"):
        plan(training_set([-1, -1]))
    with pytest.raises(ConfigError, match=r"^none of the 0 pictures has an identity"):
        plan(training_set([]), unlabelled=2)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_share_a_batch(processes):
    known = training_set([*np.repeat(np.arange(6), 5), *[-1] * 9])
    for batch in plan(known, p=4, k=3, unlabelled=4):
        parts = [
            share_of(batch, known.identities, images_per_identity=3, rank=rank, processes=processes)
            for rank in range(processes)
        ]
        assert sorted(np.concatenate(parts)) == sorted(batch)
        assert {len(part) for part in parts} == {16 // processes}
        for part in parts:
            groups = known.identities[part[: 12 // processes]].reshape(-1, 3)
            assert (groups == groups[:, :1]).all()
            assert (groups >= 0).all()
            assert (known.identities[part[12 // processes :]] == -1).all()


@pytest.mark.parametrize(
    ("p", "unlabelled", "told"), [(3, 2, "identities = 3"), (2, 3, "unlabelled = 3")]
)
def test_what_processes_cannot_share_is_told(p, unlabelled, told):
    known = training_set([0, 0, 1, 1, 2, 2, -1])
    rows = plan(known, p=p, unlabelled=unlabelled)[0]
    with pytest.raises(
        ConfigError, match=rf"^2 processes cannot share {told} of a batch evenly$"
    ) as error:
        share_of(rows, known.identities, images_per_identity=2, rank=0, processes=2)
    assert error.value.hint == f"set `{told.split()[0]}` to a multiple of 2"


def test_pictures_are_those_of_the_rows(drawn):
    rows = plan(drawn, p=3, k=3, unlabelled=2)
    nothing = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0))
    with Batches(drawn, rows, nothing, size_hw=(64, 32), seed=0, epoch=0) as given:
        (batch,) = given
        assert batch.waited_s > 0
        assert given.bad == {}
    assert np.array_equal(batch.rows, rows[0])
    assert np.array_equal(batch.identities, drawn.identities[rows[0]])
    assert np.array_equal(batch.cameras, drawn.cameras[rows[0]])
    assert batch.images.dtype == np.uint8
    for image, row in zip(batch.images, batch.rows, strict=True):
        assert np.array_equal(image, figure(int(row) // 4, int(row) % 4))


def test_changes_follow_from_seed_epoch_batch_place_and_row(drawn):
    rows = [np.array([3, 3, 9]), np.array([3])]
    made = read(drawn, rows, seed=5, epoch=2)
    generator = np.random.default_rng((5, 2, 0, 1, 3))
    wanted = augmented(figure(0, 3), size_hw=SIZE, augmentation=Augmentation(), generator=generator)
    assert np.array_equal(made[0].images[1], wanted)
    assert not np.array_equal(made[0].images[0], wanted)
    assert not np.array_equal(made[1].images[0], made[0].images[0])


@pytest.mark.parametrize("count", [1, 4])
def test_threads_do_not_matter(drawn, monkeypatch, count):
    rows = plan(drawn, unlabelled=9)
    usual = read(drawn, rows)
    monkeypatch.setenv("EVERYID_THREADS", str(count))
    assert len(usual) == 4
    assert same(read(drawn, rows), usual)
    assert not same(read(drawn, rows, seed=2), usual)
    assert not same(read(drawn, rows, epoch=1), usual)


def test_an_epoch_can_be_taken_up_anywhere(drawn):
    rows = plan(drawn, p=1, unlabelled=3)
    whole = read(drawn, rows)
    assert len(whole) == 8
    for start in (0, 1, 5, 8):
        assert same(read(drawn, rows, start=start), whole[start:])


def test_a_bad_picture_is_replaced_by_the_next_of_its_identity(drawn):
    bad = {}
    known = broken(drawn, {5, 7, 18})
    (batch,) = read(known, [np.array([4, 5, 6, 7, 8, 17, 18])], bad=bad)
    assert batch.rows.tolist() == [4, 6, 6, 4, 8, 17, 19]
    assert batch.identities.tolist() == [1, 1, 1, 1, 2, -1, -1]
    assert set(bad) == {known.paths[row] for row in (5, 7, 18)}
    assert bad[known.paths[5]] == f"{known.paths[5]}: no such file or folder"
    (again,) = read(known, [np.array([4, 5, 6, 7, 8, 17, 18])], bad=bad)
    assert same([again], [batch])


def test_an_identity_of_bad_pictures_is_replaced_by_the_next(drawn):
    known = broken(drawn, {12, 13, 14, 15, 0})
    (batch,) = read(known, [np.array([12, 14, 1, 2, 4, 5])])
    assert batch.rows.tolist() == [1, 2, 1, 2, 4, 5]
    (batch,) = read(broken(drawn, {4, 5, 6, 7}), [np.array([5, 7, 0, 1, 2])])
    assert batch.rows.tolist() == [9, 11, 0, 1, 2]


def test_a_picture_too_small_to_show_a_person_is_bad(drawn, tmp_path):
    tiny = save(tmp_path / "tiny.png", figure(1)[:2])
    known = training_set(drawn.identities, [tiny, *drawn.paths[1:]])
    bad = {}
    (batch,) = read(known, [np.array([0, 1])], bad=bad)
    assert batch.rows.tolist() == [1, 1]
    assert bad == {str(tiny): f"{tiny}: 32x2 px are too few to show a person"}


def test_mostly_bad_pictures_end_it(drawn):
    known = broken(drawn, {0, 1, 2})
    with pytest.raises(
        InputError, match=r"^3 of the 4 pictures so far cannot be used; one of them: .*\.gone: no"
    ) as told:
        read(known, [np.array([0, 1, 2, 3])])
    assert told.value.hint == "`python3 run.py person dataset check` tells of each"
    assert threads() == []
    with pytest.raises(InputError, match=r"^none of the pictures can be used; one of them: "):
        read(broken(drawn, set(range(16))), [np.array([0, 16])])
    assert len(read(known, [np.array([4, 5, 6]), np.array([0, 1, 2])])) == 2


def test_no_thread_is_left_behind(drawn):
    rows = plan(drawn, p=1, unlabelled=3)
    with Batches(drawn, rows, Augmentation(), size_hw=SIZE, seed=0, epoch=0) as given:
        next(given)
        assert threads()
    assert threads() == []
    with pytest.raises(StopIteration):
        next(given)
    given = Batches(drawn, rows, Augmentation(), size_hw=SIZE, seed=0, epoch=0)
    next(given)
    given.close()
    assert threads() == []


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_ctrl_c_leaves_no_thread(drawn, monkeypatch, where):
    rows = plan(drawn, p=1, unlabelled=3)
    given = Batches(drawn, rows, Augmentation(), size_hw=SIZE, seed=0, epoch=0)

    def press():
        raise KeyboardInterrupt

    def run():
        with given:
            next(given)
            if where == "outside":
                press()
            monkeypatch.setattr(module, "perf_counter", press)
            next(given)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert threads() == []


def test_only_a_few_batches_are_read_ahead(drawn, monkeypatch):
    began = []
    real = module.augmented

    def counted(crop, **options):
        began.append(1)
        return real(crop, **options)

    monkeypatch.setattr(module, "augmented", counted)
    rows = [np.array([0, 1])] * 50
    with Batches(drawn, rows, Augmentation(), size_hw=SIZE, seed=0, epoch=0) as given:
        for _ in range(3):
            next(given)
        assert len(began) <= (3 + 3) * 2
