"""Movement: velocities against the slow twin, and what a person watching would say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.models import MovementType
from object import movement
from object.movement import MovementEstimator, direction, movement_types, speed
from tests.reference.movement import SlowMovement


def boxes_at(centers, size=(40.0, 80.0)):
    centers = np.asarray(centers, np.float64).reshape(-1, 2)
    half = np.array(size) / 2
    return np.concatenate([centers - half, centers + half], axis=1).astype(np.float32)


def follow(estimator, timestamps, centers):
    """Velocities (T, 2) of one track."""
    ids = np.array([1])
    return np.array(
        [
            estimator.update(ids, boxes_at(center), float(t))[0]
            for t, center in zip(timestamps, centers, strict=True)
        ]
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    tracks=st.integers(1, 5),
    frames=st.integers(1, 40),
    memory_s=st.sampled_from([0.3, 0.5, 2.0]),
    dropped=st.floats(0, 0.8),
    far_apart=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_like_the_slow_twin(seed, tracks, frames, memory_s, dropped, far_apart):
    rng = np.random.default_rng(seed)
    fast, slow = MovementEstimator(memory_s=memory_s), SlowMovement(memory_s)
    timestamp = float(rng.uniform(0, 1000))
    ids = rng.choice(np.arange(1, 1000), tracks, replace=False)
    places, velocities = rng.uniform(0, 2000, (tracks, 2)), rng.normal(0, 100, (tracks, 2))
    for _ in range(frames):
        step = rng.choice([0.033, 0.04, 0.1, 1.0, 5.0, 70.0] if far_apart else [0.033, 0.04, 0.1])
        timestamp += step
        places += velocities * step
        seen = rng.permutation(np.flatnonzero(rng.random(tracks) >= dropped))
        boxes = boxes_at(places[seen] + rng.normal(0, 3, (len(seen), 2)))
        got = fast.update(ids[seen], boxes, timestamp)
        assert got.dtype == np.float32
        assert got.shape == (len(seen), 2)
        # float32 boxes at 7000 px carry 0.0005 px; polyfit itself is good to 1e-6 or so
        np.testing.assert_allclose(
            got, slow.update(ids[seen], boxes, timestamp), rtol=2e-3, atol=0.05
        )


@pytest.mark.parametrize("rate", [5, 10, 25, 60])
def test_a_walker_has_its_speed(rate):
    times = np.arange(3 * rate) / rate
    velocities = follow(MovementEstimator(), times, np.outer(times, [80.0, -60.0]) + 500)
    unknown = times < 0.4 - 1e-9
    assert not velocities[unknown].any()
    np.testing.assert_allclose(velocities[~unknown], [[80.0, -60.0]] * (~unknown).sum(), atol=0.05)


@pytest.mark.parametrize("gap_s", [1.0, 3.0, 20.0])
def test_sparse_sampling_gives_the_way_since_the_last_sample(gap_s):
    times = np.arange(4) * gap_s
    centers = np.array([[0, 0], [30, 0], [60, 0], [60 + 10 * gap_s, 0]])
    velocities = follow(MovementEstimator(), times, centers)
    assert not velocities[:2].any()
    assert velocities[2, 0] == pytest.approx(30 / gap_s, rel=1e-3)
    assert velocities[3, 0] == pytest.approx(10, rel=0.5 if gap_s == 1 else 0.1)


def test_skipped_frames_do_not_make_a_walker_run():
    times = np.arange(100) / 10
    seen = np.ones(100, bool)
    seen[[30, 31, 40, *range(50, 70), 75]] = False
    velocities = follow(MovementEstimator(), times[seen], np.outer(times[seen], [120.0, 0]))
    kinds = movement_types(speed(velocities))
    assert set(kinds[4:]) == {MovementType.WALKING}


@pytest.mark.parametrize("rate", [10, 25, 30])
@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_jitter_does_not_make_a_standing_person_walk(rate, sigma):
    rng = np.random.default_rng(7)
    estimator, ids = MovementEstimator(), np.arange(1, 501)
    home = rng.uniform(0, 1000, (500, 2))
    speeds = np.array(
        [
            speed(estimator.update(ids, boxes_at(home + rng.normal(0, sigma, home.shape)), t))
            for t in np.arange(4 * rate) / rate
        ]
    )
    assert (speeds >= 50).mean() < 1e-3
    assert np.quantile(speeds[2 * rate :], 0.99) < 7


def test_a_box_cut_by_a_lamp_post_does_not_make_a_standing_person_run():
    # for half a second the lower 40 px of the box are hidden: the centre jumps up by 20 px
    times = np.arange(60) / 10
    lift = np.where((times >= 2) & (times < 2.5), -20.0, 0.0)
    velocities = follow(MovementEstimator(), times, np.stack([np.zeros(60), lift], axis=1))
    assert speed(velocities).max() < 50


def test_variable_frame_rate_does_not_matter():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.2, 60))
    velocities = follow(MovementEstimator(), times, np.outer(times, [33.0, 44.0]))
    known = times - times[0] >= 0.4
    np.testing.assert_allclose(speed(velocities)[known], 55, rtol=1e-3)


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(1)
    one, other = MovementEstimator(), MovementEstimator()
    ids = np.array([9, 2, 500, 4])
    for frame in range(20):
        boxes = boxes_at(rng.uniform(0, 500, (4, 2)))
        order = rng.permutation(4)
        straight = one.update(ids, boxes, frame / 10)
        mixed = other.update(ids[order], boxes[order], frame / 10)
        np.testing.assert_array_equal(straight[order], mixed)


def test_empty_frames():
    estimator = MovementEstimator()
    got = estimator.update(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), 0.0)
    assert got.shape == (0, 2)
    assert speed(got).shape == direction(got).shape == (0,)
    assert movement_types(speed(got)) == []


def test_memory_is_bound_on_an_endless_stream():
    estimator = MovementEstimator()
    for second in range(3000):
        estimator.update(np.array([second + 1]), boxes_at([0, 0]), float(second))
    assert len(estimator._ids) < 100


def test_a_track_back_after_a_minute_starts_anew():
    estimator = MovementEstimator()
    follow(estimator, np.arange(10) / 10, np.outer(np.arange(10), [10.0, 0]))
    assert not follow(estimator, [70.0, 70.1], [[0, 0], [10, 0]]).any()


@pytest.mark.parametrize(
    ("velocity", "degrees"),
    [
        ((1, 0), 0),
        ((1, -1), 45),
        ((0, -5), 90),
        ((-2, 0), 180),
        ((0, 3), 270),
        ((1, 1), 315),
        ((0, 0), 0),
        ((1, 1e-30), 0),
        ((1, -0.0), 0),
    ],
)
def test_direction(velocity, degrees):
    got = direction(np.array([velocity], np.float32))
    assert got.dtype == np.float32
    assert got.tolist() == [degrees]
    assert not np.signbit(got).any()


@given(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32))
def test_direction_stays_below_360(x, y):
    (degrees,) = direction(np.array([[x, y]], np.float32)).tolist()
    assert 0 <= degrees < 360


def test_movement_types_at_the_thresholds():
    speeds = np.array([0, 9.99, 10, 19.99, 20, 1e9], np.float32)
    stationary, walking, running = MovementType
    assert movement_types(speeds, (10, 20)) == [
        stationary, stationary, walking, walking, running, running,
    ]  # fmt: skip
    assert all(isinstance(kind, MovementType) for kind in movement_types(speeds))


@pytest.mark.parametrize(
    "thresholds", [(0, 10), (-1, 10), (10, 10), (20, 10), (10, np.inf), (np.nan, 10), (1, np.nan)]
)
def test_wrong_thresholds(thresholds):
    with pytest.raises(ConfigError, match="thresholds: expected two speeds in px/s"):
        MovementEstimator(thresholds=thresholds)
    with pytest.raises(ConfigError, match="thresholds"):
        movement_types(np.zeros(1, np.float32), thresholds)


@pytest.mark.parametrize("memory_s", [0, -1, np.inf, np.nan])
def test_wrong_memory(memory_s):
    with pytest.raises(ConfigError, match="memory_s: expected seconds above 0"):
        MovementEstimator(memory_s=memory_s)


@pytest.mark.parametrize("timestamp", [1.0, 0.5, np.nan, np.inf])
def test_timestamps_must_rise(timestamp):
    estimator = MovementEstimator()
    estimator.update(np.array([1]), boxes_at([0, 0]), 1.0)
    with pytest.raises(InputError, match=r"timestamp: expected seconds that rise .* after 1\.0"):
        estimator.update(np.array([1]), boxes_at([0, 0]), timestamp)


@pytest.mark.parametrize(
    ("ids", "boxes", "match"),
    [
        (np.array([1.0]), boxes_at([0, 0]), "track_ids: expected integers"),
        (np.array([[1]]), boxes_at([0, 0]), "track_ids: expected integers"),
        (np.array([1, 2]), boxes_at([0, 0]), r"boxes_xyxy: expected floats \(2, 4\)"),
        (np.array([1]), boxes_at([0, 0]).astype(int), "boxes_xyxy: expected floats"),
        (np.array([3, 3]), boxes_at([[0, 0], [1, 1]]), "expected no id twice"),
    ],
)
def test_wrong_arrays(ids, boxes, match):
    with pytest.raises(ShapeError, match=match):
        MovementEstimator().update(ids, boxes, 0.0)


def test_all_names_are_there():
    assert movement.__all__ == sorted(movement.__all__)
    assert all(hasattr(movement, name) for name in movement.__all__)
