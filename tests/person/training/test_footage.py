"""People cut out of a video: which boxes, which frames; tracks apart against a slow twin."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import InputError, OutputExistsError
from everyid.output import Stop
from person.names import read_name
from person.training.footage import TrackTable, cut_footage, read_tracks, seen_apart

rows_seen = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 30), st.integers(0, 5)),
    unique_by=lambda row: row[:2],
    max_size=10,
)


def table(path, rows, **columns):
    """A tracks file of (frame, track, x1, y1, x2, y2) at 10 frames a second."""
    frames, tracks, *sides = np.array(rows, np.float64).reshape(-1, 6).T
    pq.write_table(
        pa.table(
            {
                "frame_number": frames.astype(np.int64),
                "timestamp": (frames - 1) / 10,
                "track_id": tracks.astype(np.int64),
                **dict(zip(("x1", "y1", "x2", "y2"), sides, strict=True)),
            }
            | columns
        ),
        path,
    )
    return path


def clip(folder, frames, size_hw=(80, 200)):
    """A folder of frames, each of one grey level: 10 times its number."""
    folder.mkdir()
    for number in range(1, frames + 1):
        picture = np.full((*size_hw, 3), 10 * number, np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture)
    return folder


@given(rows_seen)
def test_tracks_are_apart_when_one_frame_has_both_and_neither_hides_the_other(rows):
    rows = sorted(rows)
    frames, tracks, left, top = np.array(rows, np.int64).reshape(-1, 4).T
    boxes = np.stack([left, top, left + 10, top + 20], axis=1).astype(np.float64)
    found = TrackTable(frames, frames / 10, tracks, boxes)
    seen = np.unique(tracks)
    got = seen_apart(found, seen)
    wanted = np.zeros_like(got)
    for one, (frame, track, x, y) in enumerate(rows):
        for frame_2, track_2, x_2, y_2 in rows[:one]:
            shared = max(0, 10 - abs(x - x_2)) * max(0, 20 - abs(y - y_2))
            if frame == frame_2 and shared <= 0.3 * 200:
                places = np.searchsorted(seen, [track, track_2])
                wanted[places[0], places[1]] = wanted[places[1], places[0]] = True
    assert np.array_equal(got, wanted)


def test_people_are_cut_out_of_moments_a_while_apart(tmp_path):
    rows = [
        (frame, track, left, 10, left + 20, 70)
        for frame in range(1, 11)
        for track, left in ((1, 10), (2, 100))
    ]
    found = cut_footage(
        clip(tmp_path / "hall", 10),
        table(tmp_path / "hall.parquet", rows),
        tmp_path / "out/crops",
        min_height=48,
        overwrite=False,
        stop=Stop(),
    )
    assert found.frames.tolist() == [1, 1, 5, 5, 9, 9]
    assert found.track_names == ("hall/1", "hall/2")
    assert found.overlapping_pairs == 1
    for path, frame, track in zip(found.paths, found.frames, found.tracks, strict=True):
        crop = cv2.imread(path)
        assert crop.shape == (60, 20, 3)
        assert abs(int(crop.mean()) - 10 * frame) <= 1
        name = read_name(path.partition("out/")[2])
        assert (name.video, name.track, name.frame) == ("hall", track + 1, frame)
    with pytest.raises(OutputExistsError, match=r"hall exists already"):
        cut_footage(
            tmp_path / "hall",
            tmp_path / "hall.parquet",
            tmp_path / "out/crops",
            min_height=48,
            overwrite=False,
            stop=Stop(),
        )


def test_low_boxes_hidden_ones_and_those_outside_are_left_out(tmp_path):
    rows = [
        (1, 1, 10, 10, 30, 70),
        (1, 2, 15, 10, 35, 70),  # hides much of the first
        (1, 3, 60, 10, 80, 40),  # low
        (1, 4, 190, 10, 230, 70),  # most of it outside
        (1, 5, 100, 10, 120, 70),
    ]
    found = cut_footage(
        clip(tmp_path / "hall", 1),
        table(tmp_path / "hall.parquet", rows),
        tmp_path / "crops",
        min_height=48,
        overwrite=False,
        stop=Stop(),
    )
    assert found.track_names == ("hall/5",)


def test_other_classes_than_people_do_not_count(tmp_path):
    rows = [(1, 1, 10, 10, 30, 70), (1, 2, 60, 10, 80, 70)]
    path = table(tmp_path / "hall.parquet", rows, class_id=np.array([2, 0], np.int32))
    assert read_tracks(path).tracks.tolist() == [2]


@pytest.mark.parametrize(
    ("rows", "columns", "what"),
    [
        ([], {}, r"expected boxes of tracked people, found none"),
        ([(1, 1, 30, 10, 10, 70)], {}, r"1 of 1 rows are none, the first: \[1\.0, 0\.0, 1\.0"),
        ([(0, 1, 10, 10, 30, 70)], {}, r"expected frames from 1"),
        ([(1, 1, np.nan, 10, 30, 70)], {}, r"1 of 1 rows are none"),
        ([(1, 1, 10, 10, 30, 70)], {"class_id": np.array([7])}, r"found none"),
    ],
)
def test_a_table_that_is_no_tracks_is_refused(tmp_path, rows, columns, what):
    with pytest.raises(InputError, match=what):
        read_tracks(table(tmp_path / "hall.parquet", rows, **columns))


def test_a_table_without_a_needed_column_is_refused(tmp_path):
    pq.write_table(pa.table({"frame_number": [1]}), tmp_path / "hall.parquet")
    with pytest.raises(InputError, match=r"expected a column 'timestamp', found frame_number"):
        read_tracks(tmp_path / "hall.parquet")


def test_tracks_of_another_video_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match=r"of 1 box in .*none could be cut out"):
        cut_footage(
            clip(tmp_path / "hall", 2),
            table(tmp_path / "hall.parquet", [(50, 1, 10, 10, 30, 70)]),
            tmp_path / "crops",
            min_height=48,
            overwrite=False,
            stop=Stop(),
        )
    assert list((tmp_path / "crops").iterdir()) == []


def test_a_stop_leaves_no_half_cut_video(tmp_path):
    stop = Stop()
    stop.requested = True
    with pytest.raises(KeyboardInterrupt):
        cut_footage(
            clip(tmp_path / "hall", 2),
            table(tmp_path / "hall.parquet", [(1, 1, 10, 10, 30, 70)]),
            tmp_path / "crops",
            min_height=48,
            overwrite=False,
            stop=stop,
        )
    assert list((tmp_path / "crops").iterdir()) == []
