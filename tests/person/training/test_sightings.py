"""Who was in view with whom, against a slow twin; the cut in time; what is too little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import InputError, ShapeError
from person.training.sightings import Sightings, joined, read_crops, spans_together, split_by_time
from tests.person.people import figure, save

tracks_in_time = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 4)), max_size=8
)


def sightings(seen, *, together=()):
    """Of track -> frames, in one video; the pairs are in view at once."""
    rows = [(number, frame) for number, frames in enumerate(seen) for frame in frames]
    tracks, frames = np.array(rows, np.int64).reshape(-1, 2).T
    matrix = np.zeros((len(seen), len(seen)), bool)
    for one, other in together:
        matrix[one, other] = matrix[other, one] = True
    return Sightings(
        tuple(f"{track}/{frame}.jpg" for track, frame in rows),
        tracks,
        frames,
        np.zeros(len(seen), np.int64),
        tuple(f"hall/{number}" for number in range(len(seen))),
        ("hall",),
        matrix,
    )


@given(tracks_in_time)
def test_tracks_are_together_when_their_spans_share_a_frame(found):
    videos, firsts, lengths = np.array(found, np.int64).reshape(-1, 3).T
    got = spans_together(videos, firsts, firsts + lengths)
    frames = [set(range(first, first + length + 1)) for _, first, length in found]
    for one, (video, _, _) in enumerate(found):
        for other, (theirs, _, _) in enumerate(found):
            meet = video == theirs and bool(frames[one] & frames[other])
            assert got[one, other] == (meet and one != other)


def test_a_folder_of_tracked_crops_is_read_with_who_was_there_at_once(tmp_path):
    for track, frames in {1: (1, 9), 2: (5, 12), 3: (11, 20)}.items():
        for frame in frames:
            save(tmp_path / f"crops/hall/{track:04d}/{frame:06d}.jpg", figure(track))
    save(tmp_path / "crops/yard/0001/000001.jpg", figure(1))
    found = read_crops([tmp_path / "crops"])
    assert found.track_names == ("hall/1", "hall/2", "hall/3", "yard/1")
    assert found.video_names == ("hall", "yard")
    assert sorted(found.frames[found.tracks == 1].tolist()) == [5, 12]
    assert found.together.astype(int).tolist() == [
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_the_same_name_in_two_sources_is_two_videos(tmp_path):
    for side in ("a", "b"):
        save(tmp_path / side / "crops/hall/0001/000001.jpg", figure(1))
    found = read_crops([tmp_path / "a/crops", tmp_path / "b/crops"])
    assert found.video_names == ("hall", "hall")
    assert found.tracks.tolist() == [0, 1]
    assert not found.together.any()


def test_pictures_of_no_track_are_refused(tmp_path):
    save(tmp_path / "anna/1.jpg", figure(1))
    with pytest.raises(InputError, match=r"expected crops of tracks.*found 1 picture whose path"):
        read_crops([tmp_path])


@given(
    st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=9, unique=True), max_size=7),
    st.integers(0, 99),
)
def test_learning_and_measuring_share_no_crop_and_no_time(seen, seed):
    pairs = np.random.default_rng(seed).integers(0, max(1, len(seen)), (6, 2)).tolist()
    found = sightings(seen, together=[pair for pair in pairs if pair[0] != pair[1]] if seen else [])
    try:
        learnt, held = split_by_time(found)
    except InputError:
        return
    assert not {*learnt.paths} & {*held.paths}
    assert learnt.frames.max() < held.frames.min()
    for part in (learnt, held):
        assert part.says_something


def test_tracks_that_cross_the_cut_are_left_out_where_enough_others_remain():
    first = [[*range(0, 48, 2)], [*range(1, 48, 2)]]
    crossing = [[30, 55, 56]]
    later = [[*range(60, 80, 2)], [*range(61, 81, 2)]]
    learnt, held = split_by_time(
        sightings([*first, *crossing, *later], together=[(0, 1), (2, 3), (3, 4)])
    )
    assert learnt.seen.tolist() == [0, 1, 2]
    assert held.seen.tolist() == [3, 4]


def test_tracks_that_cross_the_cut_are_measured_on_where_all_do():
    everybody = [[*range(start, 100, 5)] for start in range(3)]
    learnt, held = split_by_time(sightings(everybody, together=[(0, 1)]))
    assert learnt.seen.tolist() == held.seen.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("seen", "together", "what"),
    [
        ([[1, 2], [1, 2]], [(0, 1)], r"the footage has 4 crops of 2 tracks, 1 pair"),
        ([[1, 2], [3, 4], [5, 6]], [], r"the footage has 6 crops of 3 tracks, 0 pairs"),
        ([[1], [1], [1]], [(0, 1)], r"the footage has 3 crops of 3 tracks, 1 pair"),
        (
            [[1, 2, 3, 4], [1, 2], [90, 91]],
            [(0, 1)],
            r"the part to measure on has 3 crops of 2 tracks, 0 pairs of tracks",
        ),
        (
            [[*range(1, 10)], [90, 91], [90, 91]],
            [(1, 2)],
            r"the part to learn from has 9 crops of 1 track, 0 pairs of tracks",
        ),
    ],
)
def test_too_little_footage_is_refused_with_what_was_found(seen, together, what):
    with pytest.raises(InputError, match=what):
        split_by_time(sightings(seen, together=together))


def test_arrays_that_do_not_fit_are_refused():
    found = sightings([[1], [2]])
    with pytest.raises(ShapeError, match=r"sightings: expected tracks and frames"):
        Sightings(found.paths[:1], *(getattr(found, name) for name in Sightings.__slots__[1:]))


def test_tracks_of_two_sources_are_never_together():
    found = joined([sightings([[1], [1]], together=[(0, 1)])] * 2)
    assert found.overlapping_pairs == 2
    assert found.tracks.tolist() == [0, 1, 2, 3]
    assert found.videos.tolist() == [0, 0, 1, 1]
