"""Pairs: whose similarities count as same and as different, and who is left out."""

from dataclasses import replace

import numpy as np
import pytest

from everyid.errors import ConfigError, InputError
from person.crops import Crops
from person.gallery import pairs
from person.gallery.pairs import (
    labelled_pairs,
    pairs_of_labels,
    pairs_of_tracklets,
    tracklet_pairs,
)
from tests.person.rows import crops, embeddings
from tests.reference import calibration as reference


def tracks(*runs, videos=None):
    """Embeddings of tracks with the given frames, all in one video if not said otherwise."""
    rows = [(track, frame) for track, frames in enumerate(runs, 1) for frame in frames]
    count = len(rows)
    nothing = (None,) * count
    where = [videos[track - 1] if videos else "hall" for track, _ in rows]
    columns = tuple(track for track, _ in rows), tuple(frame for _, frame in rows)
    paths = tuple(f"{row}.jpg" for row in range(count))
    return embeddings(Crops(paths, nothing, nothing, tuple(where), *columns, nothing))


def agree(found, expected):
    for values, wanted in zip(found, expected, strict=True):
        assert values.dtype == np.float32
        np.testing.assert_allclose(np.sort(values), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("identities", "cameras"),
    [
        ("1 1 2 2 1 2 3", "a b a b c c a"),
        ("1 1 2", None),
        ("1 2 1 2", "a a b b"),
        ("anna ? anna -1 0000 tom 00-1 tom", "1 1 2 3 4 1 2 2"),
        ("1 1 2 2 1", "a ? a b b"),
    ],
)
def test_labelled_pairs_are_those_of_the_slow_twin(identities, cameras, monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK", 3)
    rows = embeddings(crops(identities, cameras))
    agree(labelled_pairs(rows), reference.labelled(rows))


def test_many_rows_of_few_blocks():
    rng = np.random.default_rng(0)
    rows = embeddings(
        crops(
            " ".join(map(str, rng.integers(0, 9, 90))), " ".join(map(str, rng.integers(0, 3, 90)))
        )
    )
    agree(labelled_pairs(rows), reference.labelled(rows))
    found = pairs_of_labels(rows)
    assert (found.people, found.people_pairs) == (9, 36)


def test_one_camera_is_not_enough_where_cameras_are_known():
    with pytest.raises(InputError, match=r"nobody has two crops under different cameras") as caught:
        labelled_pairs(embeddings(crops("1 1 2 2", "a a b b")))
    assert "by other cameras" in caught.value.hint


@pytest.mark.parametrize(("identities", "count"), [("? ?", 0), ("1 1 1", 1), ("1 1 -1 0000", 1)])
def test_nobody_to_tell_apart(identities, count):
    with pytest.raises(InputError, match=rf"two people or more, found {count} among"):
        labelled_pairs(embeddings(crops(identities)))


def test_nobody_seen_twice():
    with pytest.raises(InputError, match=r"nobody has two crops$"):
        labelled_pairs(embeddings(crops("1 2 3")))


def test_a_large_set_is_sampled_evenly_and_the_same_each_time(monkeypatch):
    monkeypatch.setattr(pairs, "_MOST_DIFFERENT", 200)
    monkeypatch.setattr(pairs, "_MOST_SAME", 5)
    rows = embeddings(crops(" ".join(["0"] * 300 + [str(who) for who in range(1, 12)] * 2)))
    found, again, other = (pairs_of_labels(rows, seed=seed) for seed in (0, 0, 1))
    assert len(found.same) == 5 + 11
    assert found.people_pairs == 12 * 11 // 2  # everybody has a crop among the twenty
    assert 170 < len(found.different) <= 190
    assert np.array_equal(found.different, again.different)
    assert not np.array_equal(found.different, other.different)


@pytest.mark.parametrize(
    "runs",
    [
        [(1, 5, 9, 30), (9, 10), (40, 50)],
        [(1, 20, 30), (25, 35), (21, 100)],
        [(1, 11, 40), (20,), (10, 11, 12)],
        [(1, 11, 21), (1, 11, 21), (22, 32), (21, 33)],
    ],
)
def test_pairs_of_tracks_are_those_of_the_slow_twin(runs):
    rows = tracks(*runs)
    agree(tracklet_pairs(rows, frames_apart=10), reference.tracked(rows, 10))


def test_tracks_in_any_order():
    rows = tracks((1, 20, 30), (25, 35), (21, 100))
    mixed = rows.select(np.random.default_rng(0).permutation(len(rows)))
    agree(tracklet_pairs(mixed, frames_apart=10), reference.tracked(rows, 10))


def test_many_tracks_of_several_videos():
    rng = np.random.default_rng(1)
    starts = rng.integers(1, 200, 12)
    runs = [tuple(range(start, start + 60, 12)) for start in starts.tolist()]
    rows = tracks(*runs, videos=[f"v{track % 3}" for track in range(12)])
    agree(tracklet_pairs(rows), reference.tracked(rows, 25))


def test_what_is_said_of_tracks():
    found = pairs_of_tracklets(tracks((1, 26), (2, 27), (3, 28), (500, 530)))
    assert (found.people, found.people_pairs) == (4, 3)
    assert "no pair crosses cameras" in found.words
    assert "25 or more frames apart" in found.words


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (embeddings(crops("1 1 2")), r"none of 3 crops has a track and a frame"),
        (tracks((1, 2, 3), (1, 2, 3)), r"no track has two crops 25 frames apart"),
        (tracks((1, 40), (50, 90)), r"no two tracks of one video are there at the same time"),
        (tracks((1, 40), (1, 40), videos="ab"), r"no two tracks of one video"),
    ],
)
def test_nothing_to_learn_from_tracks(rows, message):
    with pytest.raises(InputError, match=message):
        tracklet_pairs(rows)


def test_crops_without_a_frame_do_not_count():
    rows = tracks((1, 26), (2, 27), (3, 60))
    without = replace(rows.crops, frames=(*rows.crops.frames[:-1], None))
    agree(
        tracklet_pairs(replace(rows, crops=without)),
        reference.tracked(rows.select(np.arange(5)), 25),
    )


def test_frames_apart_by_nothing():
    with pytest.raises(ConfigError, match=r"frames_apart: expected 1 or more, got 0"):
        tracklet_pairs(tracks((1, 2)), frames_apart=0)
