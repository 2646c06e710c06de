"""What worker processes do, in this process."""

import cv2
import pytest

from everyid.errors import OutputError
from synthetic import crop_worker as module
from synthetic.crop_worker import CropTask, StageTask, draw_crops, make_stage, stage_path
from synthetic.people.wardrobe import draw_people
from synthetic.stages import save_stage


@pytest.fixture
def folder(tmp_path, stage, renderer, body, monkeypatch):
    """A folder with the stage of camera 1, drawn by the tests' own renderer."""
    monkeypatch.setattr(module, "process_renderer", lambda: renderer)
    save_stage(stage, stage_path(tmp_path, 1))
    return tmp_path


def task(folder, count: int = 3, **changes) -> CropTask:
    values = {
        "seed": 1,
        "role": "person",
        "number": 1,
        "looks": draw_people(1, seed=1)[0],
        "stages": folder,
        "crops": tuple((1, number, folder / f"{number}.jpg") for number in range(1, count + 1)),
        "size_wh": (64, 128),
    }
    return CropTask(**values | changes)


def test_all_crops_of_a_person_are_drawn(folder):
    assert draw_crops(task(folder)) == 3
    pictures = [cv2.imread(str(folder / f"{number}.jpg")) for number in (1, 2, 3)]
    assert {picture.shape for picture in pictures} == {(128, 64, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_what_is_there_is_not_drawn_again_and_the_rest_is_as_it_would_have_been(folder):
    assert draw_crops(task(folder)) == 3
    wanted = (folder / "2.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(b"kept")
    (folder / "2.jpg").unlink()
    assert draw_crops(task(folder)) == 3
    assert (folder / "1.jpg").read_bytes() == b"kept"
    assert (folder / "2.jpg").read_bytes() == wanted


def test_crops_without_a_size_are_as_large_as_they_were_cut(folder):
    assert draw_crops(task(folder, size_wh=None)) == 3
    shapes = {cv2.imread(str(folder / f"{number}.jpg")).shape for number in (1, 2, 3)}
    assert len(shapes) > 1


def test_a_request_to_stop_ends_between_two_crops(folder, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(module, "stopping", lambda: next(answers))
    assert draw_crops(task(folder)) == 1
    assert (folder / "1.jpg").exists()
    assert not (folder / "2.jpg").exists()


def test_a_folder_that_is_gone_is_one_error(folder):
    gone = ((1, 1, folder / "gone" / "1.jpg"),)
    with pytest.raises(OutputError, match="cannot write"):
        draw_crops(task(folder, crops=gone))


def test_a_stage_that_is_there_is_not_drawn_again(folder):
    before = stage_path(folder, 1).stat().st_mtime_ns
    make_stage(StageTask(1, 1, folder))
    assert stage_path(folder, 1).stat().st_mtime_ns == before


def test_a_missing_stage_is_drawn(folder, stage):
    before = stage_path(folder, 1).read_bytes()
    stage_path(folder, 1).unlink()
    make_stage(StageTask(1, 1, folder))
    assert stage_path(folder, 1).read_bytes() == before
