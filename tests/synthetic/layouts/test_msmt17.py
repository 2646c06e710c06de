from collections import Counter

import pytest

from everyid.errors import ConfigError
from person.crops import find_crops
from person.protocol import label, protocol
from synthetic.layouts.msmt17 import MSMT17
from synthetic.layouts.plan import CropPlan
from tests.reference.layouts import read_msmt17
from tests.synthetic.layouts.sets import laid_out, planned


def test_the_usual_reader_finds_people_and_cameras(tmp_path):
    laid_out(tmp_path, "msmt17", planned())
    rows = read_msmt17(tmp_path)
    assert {part: len(found) for part, found in rows.items()} == {
        "train": 45,
        "val": 3,
        "query": 12,
        "gallery": 36,
    }
    assert Counter(camera for _, _, camera in rows["query"]) == dict.fromkeys(range(4), 3)
    assert all(path.is_file() for found in rows.values() for paths, _, _ in found for path in paths)


def test_names_are_those_of_the_original(tmp_path):
    _, paths, _ = laid_out(tmp_path, "msmt17", planned(2, 2, pictures=3))
    assert paths[0] == "MSMT17_V1/train/0000/0000_000_01_0301morning_0100_0.jpg"
    assert paths[4] == "MSMT17_V1/train/0000/0000_004_01_0301noon_0210_1.jpg"
    assert paths[-1] == "MSMT17_V1/test/0000/0000_011_02_0301noon_0220_2.jpg"
    line = (tmp_path / "MSMT17_V1/list_train.txt").read_text().splitlines()[0]
    assert line == "0000/0000_000_01_0301morning_0100_0.jpg 0"


def test_no_list_leaves_out_a_number(tmp_path):
    plan = planned(9, 3, others=False)
    seen_once = {6, 8}
    plan = [crop for crop in plan if crop.identity not in seen_once or crop.camera == 1]
    plan = [crop for crop in plan if crop.identity != 1 or crop.camera < 2]
    plan += [CropPlan(2, 1, 3, 900 + number, 100 + number) for number in range(30)]
    laid_out(tmp_path, "msmt17", plan)
    rows = read_msmt17(tmp_path)  # which looks
    assert {identity for _, identity, _ in rows["val"]} == {0}
    assert len({identity for _, identity, _ in rows["gallery"]}) == 5
    assert len({identity for _, identity, _ in rows["query"]}) == 3


def test_the_person_room_reads_the_lists_of_paths(tmp_path):
    laid_out(tmp_path, "msmt17", planned(6, 11))
    query, gallery = (find_crops([tmp_path / f"{part}.txt"]) for part in ("query", "gallery"))
    labels = label(query, gallery, protocol("msmt17"))
    assert len(labels.query_rows) == 33
    assert len(labels.gallery_rows) == 3 * 11 * 4 - 33
    assert set(query.cameras) == {str(camera) for camera in range(1, 12)}
    assert set(query.identities) == {"0000", "0001", "0002"}


def test_distractors_and_junk_are_left_out():
    kept = MSMT17().kept(planned())
    assert {crop.identity for crop in kept} == {1, 2, 3, 4, 5, 6}


def test_more_than_the_names_hold_is_refused():
    plan = [CropPlan(1, 1, 1, number, number) for number in range(1, 1002)]
    with pytest.raises(ConfigError, match="1,000 pictures of a person, one has 1,001"):
        MSMT17().kept(plan)
    with pytest.raises(ConfigError, match="20,000 people"):
        MSMT17().kept([CropPlan(20_001, 1, 1, 1, 1)])
