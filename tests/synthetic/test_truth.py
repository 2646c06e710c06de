"""Ground truth in files: boxes, identities, tracks."""

import configparser

import numpy as np
import pyarrow.parquet as pq
import pytest

from everyid.errors import InputError, OutputExistsError
from synthetic.truth import (
    IDENTITY_SCHEMA,
    Boxes,
    View,
    clip_box,
    identity_rows,
    read_truth,
    sequence_text,
    truth_text,
    write_identities,
)
from synthetic.walks import ACTIVITIES
from tests.synthetic import grounds

VIEW = View("camera-1", 1, 300, 10.0)


def boxes_of(rows: list[tuple[int, int]]) -> Boxes:
    """A box of 20 x 50 pixels for each frame and identity."""
    frames, identities = (np.array([row[side] for row in rows], np.int64) for side in (0, 1))
    left = 10.0 * identities
    corners = np.stack([left, left * 0 + 5, left + 20.25, left * 0 + 55], 1)
    return Boxes(frames, identities, corners, np.linspace(0.1, 1, len(rows)))


def seen_boxes() -> Boxes:
    """Everybody who is there, in every frame, as if one camera saw it all."""
    told = grounds.story(duration_s=30.0)
    return boxes_of(
        [(f, moment.person + 1) for f in range(1, 301) for moment in told.at((f - 1) / 10)]
    )


def test_boxes_are_written_as_motchallenge_wants_them():
    text = truth_text(boxes_of([(1, 2), (3, 1)]))
    assert text == "1,2,20.00,5.00,20.25,50.00,1,1,0.1000\n3,1,10.00,5.00,20.25,50.00,1,1,1.0000\n"


def test_boxes_come_back_from_their_file(tmp_path):
    boxes = boxes_of([(1, 2), (1, 3), (9, 2)])
    path = tmp_path / "gt.txt"
    path.write_text(truth_text(boxes))
    found = read_truth(path)
    assert found.frames.tolist() == [1, 1, 9]
    assert found.identities.tolist() == [2, 3, 2]
    assert found.boxes_xyxy == pytest.approx(boxes.boxes_xyxy, abs=0.011)
    assert found.visibility == pytest.approx(boxes.visibility, abs=1e-4)


def test_a_video_without_people_has_an_empty_file(tmp_path):
    path = tmp_path / "gt.txt"
    path.write_text("")
    found = read_truth(path)
    assert len(found) == 0
    rows = identity_rows(VIEW, found, grounds.story(duration_s=30.0))
    write_identities(tmp_path / "identities.parquet", [rows])
    assert pq.read_table(tmp_path / "identities.parquet").num_rows == 0


@pytest.mark.parametrize("text", ["1,2,3\n", "frame,id\n", "1,1,0,0,5,5,1,1,1\n1,1\n"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "gt.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=r"gt\.txt: expected rows of nine numbers"):
        read_truth(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected rows of nine numbers"):
        read_truth(tmp_path / "gt.txt")


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5.0, -5.0, 10.0, 10.0), (0.0, 0.0, 10.0, 10.0)),
        ((600.0, 300.0, 700.0, 400.0), (600.0, 300.0, 640.0, 360.0)),
        ((-20.0, 5.0, 0.0, 50.0), None),
        ((640.0, 5.0, 700.0, 50.0), None),
    ],
)
def test_boxes_end_at_the_edge_of_the_picture(box, clipped):
    assert clip_box(box, (640, 360)) == clipped


def test_seqinfo_is_read_by_the_usual_parser():
    ini = configparser.ConfigParser()
    ini.read_string(sequence_text(VIEW, (640, 360)))
    found = dict(ini["Sequence"])
    assert found["name"] == "camera-1"
    assert (found["seqlength"], found["framerate"]) == ("300", "10")
    assert (found["imwidth"], found["imheight"]) == ("640", "360")


def test_a_person_who_comes_back_begins_a_new_track():
    rows = [(1, 5), (2, 5), (22, 5), (43, 5), (43, 7), (300, 7)]
    found = identity_rows(VIEW, boxes_of(rows), grounds.story(duration_s=30.0))
    assert found.tracks.tolist() == [1, 1, 1, 2, 3, 4]


def test_rows_say_where_people_are_and_what_they_do(tmp_path):
    told = grounds.story(duration_s=30.0)
    path = tmp_path / "identities.parquet"
    write_identities(path, [identity_rows(VIEW, seen_boxes(), told)])
    table = pq.read_table(path)
    assert table.schema == IDENTITY_SCHEMA
    for row in table.slice(100, 60).to_pylist():
        moment = {m.person + 1: m for m in told.at(row["timestamp"])}[row["identity"]]
        assert row["timestamp"] == pytest.approx((row["frame"] - 1) / 10)
        assert (row["ground_x_m"], row["ground_y_m"]) == pytest.approx(moment.xy, abs=1e-5)
        assert row["speed_m_s"] == pytest.approx(moment.speed, abs=1e-5)
        assert row["heading_deg"] == pytest.approx(moment.heading_deg % 360, abs=1e-3)
        assert row["activity"] == moment.activity
        assert (row["camera"], row["day"]) == ("camera-1", 1)
    assert set(table["activity"].to_pylist()) <= set(ACTIVITIES)
    partners = [p for p in table["partner"].to_pylist() if p is not None]
    assert all(1 <= partner <= 12 for partner in partners)


def test_a_file_of_identities_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "identities.parquet"
    path.write_text("")
    with pytest.raises(OutputExistsError):
        write_identities(path, [])
    write_identities(path, [], overwrite=True)
    assert pq.read_table(path).num_rows == 0
