"""Ground truth from MOTChallenge files: what counts, and what is said of damaged ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import ConfigError, InputError
from object.truth import find_truths, read_truth


@pytest.fixture
def written(tmp_path):
    def write(text, name="gt.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_rows_by_frame_with_corners(written):
    path = written("2,5,10,20,30,40,1,1,0.5\n\n1,7,-3.5,0,10,20.25,1,1,1\n2,4,1,1,2,2,1,1,1\n")
    truth = read_truth(path)
    assert truth.path == path
    assert truth.rows.frames.tolist() == [1, 2, 2]
    assert truth.rows.ids.tolist() == [7, 5, 4]  # within a frame as in the file
    assert truth.rows.boxes_xyxy.tolist() == [[-3.5, 0, 6.5, 20.25], [10, 20, 40, 60], [1, 1, 3, 3]]
    assert truth.counted.all()
    assert not truth.excused.any()


@pytest.mark.parametrize(
    ("fields", "role"),
    [
        ("", "counted"),
        (",1", "counted"),
        (",0.7", "counted"),
        (",0", "excused"),
        (",1,1", "counted"),
        (",1,-1", "counted"),
        (",1,1,0.25", "counted"),
        (",0,1,1", "excused"),
        (",1,-1,-1,-1", "counted"),
        (",1,7.3,4.2,0", "counted"),  # ten fields: a place in the world, no class
        (",0,-1,-1,-1", "excused"),
        *[(f",{flag},{kind},1", "excused") for kind in (2, 7, 8, 12) for flag in (0, 1)],
        *[(f",{flag},{kind},1", "neither") for kind in (3, 5, 9, 13) for flag in (0, 1)],
    ],
)
def test_what_counts(written, fields, role):
    truth = read_truth(written(f"1,1,0,0,10,20{fields}"))
    assert truth.counted.tolist() == [role == "counted"]
    assert truth.excused.tolist() == [role == "excused"]


def test_windows_text_with_a_mark(written):
    truth = read_truth(written(b"\xef\xbb\xbf1, 2, 3, 4, 5, 6, 1, 1, 1\r\n"))
    assert truth.rows.boxes_xyxy.tolist() == [[3, 4, 8, 10]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3", "expected frame,id,left,top,width,height.*, got '1,2,3'"),
        ("1,2,3,4,5,x", "expected numbers frame,id,.*, got '1,2,3,4,5,x'"),
        ("1;2;3;4;5;6", "expected numbers frame,id,.*, got '1;2;3;4;5;6'"),
        ("1,2,3,4,5,nan", "expected frame,id,left,top,width,height.*nan"),
        ("1,1e300,3,4,5,6", "expected frame,id,left,top,width,height.*1e300"),
        ("0,2,3,4,5,6", "expected a whole frame number from 1 and a whole id, got 0 and 2"),
        ("1.5,2,3,4,5,6", "expected a whole frame number from 1 and a whole id, got 1.5 and 2"),
        ("1,2.5,3,4,5,6", "expected a whole frame number from 1 and a whole id, got 1 and 2.5"),
        ("1,2,3,4,0,6", "expected width and height above 0, got 0 and 6"),
        ("1,2,3,4,5,-6", "expected width and height above 0, got 5 and -6"),
        ("7,8,0,0,9,9", "id 8 is in frame 7 already, by line 1"),
    ],
)
def test_a_damaged_line_is_named(written, line, message):
    path = written(f"7,8,1,1,9,9,1,1,1\n\n{line}\n1,1,1,1,1,1\n")
    with pytest.raises(InputError, match=rf"gt\.txt, line 3: {message}"):
        read_truth(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected rows frame,id,.*, found none"),
        ("\n \n", "expected rows frame,id,.*, found none"),
        (b"\xff\xfe\x00\x01", "expected ground truth as text"),
    ],
)
def test_no_text_or_no_rows(written, content, message):
    with pytest.raises(InputError, match=rf"gt\.txt: {message}"):
        read_truth(written(content))


def test_missing_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_truth(tmp_path / "gt.txt")
    with pytest.raises(InputError, match="expected ground truth as text"):
        read_truth(tmp_path)


@given(st.text(alphabet="0123456789.,-e\nxn ", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "gt.txt"
    path.write_text(text)
    try:
        truth = read_truth(path)
    except InputError:
        return
    assert len(truth.rows) == len(truth.counted) == len(truth.excused) > 0
    assert (np.diff(truth.rows.frames) >= 0).all()
    assert not (truth.counted & truth.excused).any()


def test_some_frames_only(written):
    lines = [f"{frame},1,0,0,9,9,{frame % 2},1,1" for frame in range(1, 7)]
    part = read_truth(written("\n".join(lines))).within(np.array([2, 3, 60]))
    assert part.rows.frames.tolist() == [2, 3]
    assert part.counted.tolist() == [False, True]
    assert part.excused.tolist() == [True, False]


def test_the_truth_beside_its_source(written, capsys):
    beside = written("1,1,0,0,9,9", "one/gt/gt.txt")
    folder = beside.parents[2]
    sources = [folder / "one.mp4", folder / "two.mp4"]
    found = find_truths(sources, None)
    assert list(found) == [sources[0]]
    assert found[sources[0]].path == beside
    named = written("1,1,0,0,9,9\n2,1,0,0,9,9", "other.txt")
    assert find_truths(sources[:1], named)[sources[0]].path == named  # the named one wins
    assert capsys.readouterr().err == ""


def test_a_damaged_one_beside_a_source_is_passed_over(written, capsys):
    beside = written("1,1,0,0", "one/gt/gt.txt")
    assert find_truths([beside.parents[2] / "one.mp4"], None) == {}
    assert "warning: no scores of " in (told := capsys.readouterr().err)
    assert "gt.txt, line 1: expected" in told


def test_a_named_one_is_of_one_source_and_has_to_be_usable(written):
    with pytest.raises(ConfigError, match=r"--truth: expected one source .*, got 2") as caught:
        find_truths([Path("a.mp4"), Path("b.mp4")], written("1,1,0,0,9,9"))
    assert "STEM/gt/gt.txt" in caught.value.hint
    with pytest.raises(InputError, match="line 1"):
        find_truths([Path("a.mp4")], written("1,1"))
