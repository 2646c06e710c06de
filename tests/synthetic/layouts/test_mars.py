from collections import Counter

import numpy as np
import pytest
from scipy.io import loadmat

from everyid.errors import ConfigError
from person.crops import find_crops
from person.protocol import label, protocol
from synthetic.layouts.mars import MARS
from synthetic.layouts.plan import CropPlan
from tests.reference.layouts import read_mars
from tests.synthetic.layouts.sets import laid_out, planned


def test_the_usual_reader_finds_tracklets(tmp_path):
    laid_out(tmp_path, "mars", planned(pictures=3))
    rows = read_mars(tmp_path)
    assert {part: len(found) for part, found in rows.items()} == {
        "train": 24,
        "query": 12,
        "gallery": 20,
    }
    assert {len(paths) for paths, identity, _ in rows["query"]} == {3}
    assert Counter(identity for _, identity, _ in rows["gallery"]) == {0: 8, 4: 4, 5: 4, 6: 4}
    assert all(path.is_file() for found in rows.values() for paths, _, _ in found for path in paths)


def test_tables_are_whole_numbers_from_one_with_junk_first(tmp_path):
    laid_out(tmp_path, "mars", planned())
    table = loadmat(tmp_path / "info/tracks_test_info.mat")["track_test_info"]
    assert table.dtype == np.int32
    assert table[0].tolist() == [1, 1, -1, 1]
    assert table[:, 2].tolist() == sorted(table[:, 2])
    assert (table[1:, 0] == table[:-1, 1] + 1).all()
    assert loadmat(tmp_path / "info/query_IDX.mat")["query_IDX"].shape == (1, 12)


def test_tracklets_count_over_all_cameras_and_pictures_in_time(tmp_path):
    plan = [CropPlan(1, 1, 1, 30, 2), CropPlan(1, 1, 1, 20, 1), CropPlan(1, 2, 1, 5, 1)]
    _, paths, _ = laid_out(tmp_path, "mars", plan)
    assert paths == [
        "bbox_test/0001/0001C1T0001F002.jpg",
        "bbox_test/0001/0001C1T0001F001.jpg",
        "bbox_test/0001/0001C2T0002F001.jpg",
    ]


def test_the_person_room_reads_it_back(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "mars", planned())
    query, gallery = (find_crops([tmp_path / f"{part}.txt"]) for part in ("query", "gallery"))
    labels = label(query, gallery, protocol("mars"))
    assert labels.junk == 8
    assert (labels.gallery_ids == -1).sum() == 8
    tracklets = set(zip(query.identities, query.cameras, query.tracks, strict=True))
    assert len(tracklets) == 12
    everything = find_crops([tmp_path / "bbox_train", tmp_path / "bbox_test"])
    assert len(everything) == len(paths)
    cameras = Counter(str(crop.camera) for crop in plan)
    assert Counter(everything.cameras) == cameras


def test_a_set_without_training_has_an_empty_table(tmp_path):
    laid_out(tmp_path, "mars", planned(1, 1))
    assert read_mars(tmp_path)["train"] == []
    assert read_mars(tmp_path)["query"] == []


def test_cameras_of_two_digits_are_refused():
    with pytest.raises(ConfigError, match="mars layout has names for 6 cameras"):
        MARS().kept([CropPlan(1, 10, 1, 1, 1)])
