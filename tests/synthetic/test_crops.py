"""Sets of crops as a person makes them: what lies there, twice the same, interrupted, refused."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import cv2
import pyarrow.parquet as pq
import pytest

from everyid.models import CropSetRun
from person.crops import find_crops
from synthetic import crops as module
from synthetic.jobs import run_jobs

SMALL = ("--ids", 4, "--cameras", 2, "--per-camera", 1, "--seed", 5)


def contents(folder) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def rendering(body, renderer):
    """Skips where nothing can be drawn."""


@pytest.mark.usefixtures("rendering")
def test_a_set_is_whole_labelled_and_the_same_every_time(synthetic, tmp_path):
    done = synthetic("crops", *SMALL, "--distractors", 0.5, "--output", tmp_path / "a set")
    assert done.code == 0, done.err
    assert "12 crops: 4 identities in 2 cameras, 4 distractors, 0 junk" in done.out
    assert done.out.splitlines()[-1] == str(tmp_path / "a set")
    assert "for 12 crops" in done.err
    there = contents(tmp_path / "a set")
    assert {
        "attributes.parquet",
        "attributes.png",
        "crops.parquet",
        "run.json",
        "sheet.jpg",
    } <= set(there)
    assert not [name for name in there if name.startswith(".")]
    pictures = [name for name in there if name.endswith(".jpg") and name != "sheet.jpg"]
    assert len({there[name] for name in pictures}) == len(pictures) == 12
    for name in pictures:
        assert cv2.imread(str(tmp_path / "a set" / name)).shape == (128, 64, 3)
    again = synthetic(
        "crops", *SMALL, "--distractors", 0.5, "--output", tmp_path / "b", "--workers", 1, "--json"
    )
    assert contents(tmp_path / "b") == there
    run = CropSetRun.model_validate_json(again.out)
    assert (run.crops, run.planned, run.identities, run.interrupted) == (12, 12, 4, False)
    crops = find_crops([tmp_path / "a set" / "bounding_box_train"])
    assert set(crops.identities) == {"0001", "0002"}
    assert set(crops.cameras) == {"1", "2"}


@pytest.mark.usefixtures("rendering")
def test_tables_say_who_is_in_which_file(synthetic, tmp_path):
    done = synthetic(
        "crops", *SMALL, "--layout", "folders", "--output", tmp_path / "s", "--junk", 0
    )
    assert done.code == 0, done.err
    rows = pq.read_table(tmp_path / "s" / "crops.parquet").to_pylist()
    assert all((tmp_path / "s" / row["path"]).is_file() for row in rows)
    people = pq.read_table(tmp_path / "s" / "attributes.parquet").to_pylist()
    assert [row["identity"] for row in people] == [1, 2, 3, 4]
    assert {row["identity"] for row in rows} == {0, 1, 2, 3, 4} - (
        set() if any(row["identity"] == 0 for row in rows) else {0}
    )
    words = json.loads((tmp_path / "s" / "run.json").read_text())
    assert words["command"]["seed"] == 5
    assert "numpy" in words["versions"]


@pytest.mark.usefixtures("rendering")
def test_an_interrupted_run_goes_on_and_ends_the_same(synthetic, tmp_path, monkeypatch):
    whole = synthetic("crops", *SMALL, "--output", tmp_path / "whole")
    assert whole.code == 0, whole.err

    def interrupted(function, tasks, *, workers, stop):
        for done in run_jobs(function, tasks, workers=1, stop=stop):
            stop.requested = function is module.draw_crops
            yield done

    monkeypatch.setattr(module, "run_jobs", interrupted)
    half = synthetic("crops", *SMALL, "--output", tmp_path / "half", "--json")
    assert half.code == 130
    run = CropSetRun.model_validate_json(half.out)
    assert run.interrupted
    assert 0 < run.crops < run.planned
    assert [path.name for path in (tmp_path / "half").iterdir()] == [".part"]
    assert f"--output {tmp_path / 'half'} goes on from here" in half.err
    monkeypatch.undo()
    rest = synthetic("crops", *SMALL, "--output", tmp_path / "half")
    assert rest.code == 0, rest.err
    assert "going on with what an interrupted run left" in rest.err
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")


def test_a_folder_in_use_is_refused_before_anything_is_drawn(synthetic, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "versions", dict)
    (tmp_path / "mine.txt").write_text("mine")
    done = synthetic("crops", *SMALL, "--output", tmp_path)
    assert done.code == 1
    assert done.errors == [f"error: {tmp_path} is not empty"]


def test_a_full_disk_is_refused_before_anything_is_drawn(synthetic, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "versions", dict)
    monkeypatch.setattr(module, "body_file", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    done = synthetic("crops", *SMALL, "--output", tmp_path / "s")
    assert done.code == 1
    assert "error: no room in" in done.errors[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ids", 0), "error: --ids: Input should be greater than or equal to 1, got 0"),
        (("--cameras", 1), "error: --cameras: market1501 compares cameras and needs 2 or more"),
        (("--layout", "market"), "error: no layout is called 'market'; known: market1501"),
        (("--ids", 200_000, "--layout", "folders"), "error: expected 0 to 100000 people"),
        (("--ids", 2000), "error: the market1501 layout has names for 1,501 people"),
    ],
)
def test_sets_that_cannot_be_made(synthetic, words, message):
    done = synthetic("crops", *words)
    assert done.code == 1
    assert done.errors[0].startswith(message), done.err
    assert done.out == ""


def test_help_tells_of_every_option(synthetic):
    done = synthetic("crops", "--help")
    assert done.code == 0
    for word in ("--ids", "--layout", "--distractors", "--seed", "Examples:"):
        assert word in done.out
