"""Training sets: which part of a folder is read, and that people of two sources stay apart."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everyid.errors import ConfigError, InputError, ShapeError
from person.crops import find_crops
from person.datasets.training_set import (
    TrainingSet,
    counts_people_anew,
    distinct,
    read_splits,
    read_training_set,
    validation_sides,
)
from synthetic.layouts.named import LAYOUTS
from synthetic.layouts.plan import CropPlan, split
from tests.person.people import figure, market, save


def folders(root, *names):
    """A folder with one small picture a name; the folder."""
    for number, name in enumerate(names):
        save(root / name, figure(number)[::8, ::8])
    return root


def laid_out(root, layout):
    """Four people by two cameras, two pictures each, a distractor and junk, in a layout."""
    layout = LAYOUTS[layout]
    plan = [
        CropPlan(identity, camera, 1, 10 * picture, picture)
        for identity in (-1, 0, 1, 2, 3, 4)
        for camera in (1, 2)
        for picture in (1, 2)
    ]
    plan = split(layout.kept(plan), by_tracklet=layout.by_tracklet)
    paths = layout.paths(plan)
    for crop, path in zip(plan, paths, strict=True):
        save(root / path, figure(crop.identity + 2, crop.camera, crop.picture))
    layout.finish(root, plan, paths)
    return root


def below(training, root):
    return {Path(path).relative_to(root).parts[0] for path in training.paths}


def people(training):
    return [training.identity_names[number] for number in training.identities[training.labelled]]


@pytest.mark.parametrize(
    ("layout", "part"),
    [
        ("market1501", "bounding_box_train"),
        ("msmt17", "MSMT17_V1/train"),
        ("cuhk03", "train_labeled.txt"),
        ("mars", "bbox_train"),
        ("folders", "train"),
    ],
)
def test_of_a_data_set_the_training_part_is_read(tmp_path, capfd, layout, part):
    root = laid_out(tmp_path / layout, layout)
    training = read_training_set([root])
    assert f"{root}: {part} is the part to train on" in capfd.readouterr().err
    assert (training.identity_count, len(training), len(training.unlabelled)) == (2, 8, 0)
    assert set(training.cameras) == {0, 1}
    assert {name.partition("/")[0] for name in training.identity_names} == {layout}
    sides = validation_sides(root)
    query, gallery = find_crops(sides.query), find_crops(sides.gallery)
    assert len(set(query.identities)) == 2
    assert not {*query.paths, *gallery.paths} & set(training.paths)
    assert counts_people_anew(root) == (layout == "msmt17")


def test_a_folder_without_parts_is_read_whole(tmp_path, capfd):
    root = folders(tmp_path / "own", "anna/1.png", "anna/2.png", "bob/1.png", "loose.png")
    training = read_training_set([root])
    assert training.identity_names == ("own/anna", "own/bob")
    assert training.identities.tolist() == [-1, 0, 0, 1]
    assert training.cameras.tolist() == [-1] * 4
    assert training.camera_count == 0
    assert validation_sides(root) is None
    said = capfd.readouterr().err
    assert "1 of 4 crops taken as unlabelled: no identity" in said
    assert "train" not in said


def test_junk_is_left_out_and_distractors_are_unlabelled(tmp_path, capfd):
    root = market(tmp_path / "crowd", identities=2, cameras=1, views=1)
    training = read_training_set([root / "bounding_box_test"])
    assert [Path(path).name[:4] for path in training.paths] == ["0000", "0001", "0002"]
    assert training.identities.tolist() == [-1, 0, 1]
    said = capfd.readouterr().err
    assert "1 of 4 crops left out: junk" in said
    assert "1 of 4 crops taken as unlabelled: distractors" in said


@pytest.mark.parametrize(
    ("name", "labelled"),
    [
        ("0000/0000_000_01_0303morning_0008_0.jpg", True),
        ("0000/0000_c1s1_000001_00.jpg", False),
        ("0000C1T0001F001.jpg", False),
        ("0000/1.jpg", True),
        ("anna/0000_c1s1_000001_00.jpg", True),
        ("00-1C1T0001F001.jpg", None),
    ],
)
def test_0000_is_nobody_only_where_files_are_called_so(tmp_path, name, labelled):
    training = read_training_set([folders(tmp_path / "set", name, "bob/1.jpg")])
    rows = [row for row, path in enumerate(training.paths) if path.endswith(name)]
    assert [training.identities[row] >= 0 for row in rows] == (
        [] if labelled is None else [labelled]
    )


def test_people_and_cameras_of_two_sources_never_merge(tmp_path):
    names = ("7/7_c1_a.png", "7/7_c1_b.png")
    one, two = (folders(tmp_path / place / "crops", *names) for place in ("hall", "yard"))
    training = read_training_set([one, two])
    assert training.source_names == ("hall/crops", "yard/crops")
    assert training.identity_names == ("hall/crops/7", "yard/crops/7")
    assert training.camera_names == ("hall/crops/1", "yard/crops/1")
    assert training.identities.tolist() == training.sources.tolist() == [0, 0, 1, 1]
    assert training.cameras.tolist() == [0, 0, 1, 1]


def test_a_file_of_two_sources_counts_once(tmp_path, capfd):
    root = folders(tmp_path / "own", "anna/1.png", "bob/1.png", "bob/2.png")
    listed = tmp_path / "more.txt"
    listed.write_text("own/bob/2.png\nown/bob/1.png\n")
    training = read_training_set([root, listed, root])
    assert len(training) == 3
    assert training.source_names == ("own", "more.txt")
    assert f"{listed}: 2 of 2 crops in another source as well" in capfd.readouterr().err


def test_unlabelled_sources_name_nobody(tmp_path):
    named = folders(tmp_path / "named", "anna/1.png", "bob/1.png")
    clips = folders(tmp_path / "clips", "carl/9_c3_1.png")
    training = read_training_set([named], unlabelled=[clips, named], id_pattern="(anna|bob)")
    assert people(training) == ["named/anna", "named/bob"]
    assert training.unlabelled.tolist() == [2]
    assert training.camera_names == ("clips/3",)
    alone = read_training_set([], unlabelled=[clips])
    assert (len(alone), alone.identity_count) == (1, 0)


def test_a_table_says_who_where(tmp_path):
    folders(tmp_path, "a.png", "b.png", "c.png")
    table = {
        "path": ["a.png", "b.png", "c.png"],
        "identity": [3, None, 0],
        "camera": ["x", "", "y"],
    }
    pq.write_table(pa.table(table), tmp_path / "list.parquet")
    training = read_training_set([tmp_path / "list.parquet"])
    assert training.identity_names == ("list.parquet/3", "list.parquet/0")
    assert training.identities.tolist() == [0, -1, 1]
    assert training.cameras.tolist() == [0, -1, 1]


def test_patterns_name_people_and_cameras(tmp_path):
    root = folders(tmp_path / "own", "x/p1-k2.png", "x/p2-k2.png")
    training = read_training_set([root], id_pattern=r"p(\d)", camera_pattern=r"k(\d)")
    assert training.identity_names == ("own/1", "own/2")
    assert training.camera_names == ("own/2",)


def test_chosen_rows_keep_their_numbers(tmp_path):
    root = folders(tmp_path / "own", "a/1.png", "b/1.png", "c/1.png", "loose.png")
    training = read_training_set([root])
    few = training.select(np.array([3, 0]))
    assert few.identities.tolist() == [2, -1]
    assert few.identity_names == training.identity_names
    assert [Path(path).name for path in few.paths] == ["1.png", "loose.png"]
    assert len(training.select(training.identities >= 0)) == 3


def test_parts_carry_the_same_names(tmp_path):
    crowd = market(tmp_path / "crowd", identities=2, cameras=2, views=1)
    folders(crowd, "bounding_box_train/0009_c1s1_000001_00.png")
    own = folders(tmp_path / "own", "anna/1.png")
    splits = read_splits([crowd, own])
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 2,
        "query": 4,
        "gallery": 6,
    }
    assert (
        set(people(splits["query"]))
        == set(people(splits["gallery"]))
        == {
            "crowd/0001",
            "crowd/0002",
        }
    )
    assert people(splits["train"]) == ["crowd/0009", "own/anna"]
    assert list(read_splits([own])) == ["train"]


def test_sources_are_told_apart_by_where_they_lead(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert distinct([tmp_path / "a", tmp_path, tmp_path / "link"]) == [tmp_path / "a", tmp_path]


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(InputError, match="no data given") as error:
        read_training_set([])
    assert "--data" in error.value.hint
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        read_training_set([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        validation_sides(tmp_path / "nowhere")
    (tmp_path / "empty" / "train").mkdir(parents=True)
    message = f"{tmp_path / 'empty' / 'train'}: expected images in this folder"
    with pytest.raises(InputError, match=re.escape(message)):
        read_training_set([tmp_path / "empty"])
    own = folders(tmp_path / "own", "anna/1.png")
    with pytest.raises(ConfigError, match=r"--id-pattern \(x\): found nothing"):
        read_training_set([own], id_pattern="(x)")


def test_columns_fit_each_other():
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ShapeError, match=r"cameras: expected int64 \(1,\), got int64 \(2,\)"):
        TrainingSet(("a",), one, two, one, ("x",), ("y",), ("z",))
    with pytest.raises(ShapeError, match=r"sources: expected int64 \(1,\), got float64 \(1,\)"):
        TrainingSet(("a",), one, one, np.zeros(1), ("x",), ("y",), ("z",))
