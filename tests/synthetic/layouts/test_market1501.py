from collections import Counter

import pytest

from everyid.errors import ConfigError
from person.crops import find_crops
from person.protocol import label, protocol
from synthetic.layouts.market1501 import Market1501, market_names
from synthetic.layouts.plan import CropPlan
from tests.reference.layouts import read_market1501
from tests.synthetic.layouts.sets import laid_out, planned


def test_the_usual_reader_finds_people_and_cameras(tmp_path):
    laid_out(tmp_path, "market1501", planned())
    rows = read_market1501(tmp_path)
    assert {part: len(found) for part, found in rows.items()} == {
        "train": 48,
        "query": 12,
        "gallery": 44,
    }
    assert Counter(identity for _, identity, _ in rows["train"]) == {0: 16, 1: 16, 2: 16}
    assert Counter(identity for _, identity, _ in rows["gallery"]) == {0: 8, 4: 12, 5: 12, 6: 12}
    assert {camera for _, _, camera in rows["query"]} == {0, 1, 2, 3}


def test_the_person_room_reads_it_back(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "market1501", planned())
    crops = find_crops([tmp_path])
    said = dict(
        zip(
            crops.paths,
            zip(crops.identities, crops.cameras, crops.frames, strict=True),
            strict=True,
        )
    )
    for crop, path in zip(plan, paths, strict=True):
        identity = "-1" if crop.identity == -1 else f"{crop.identity:04d}"
        assert said[str(tmp_path / path)] == (identity, str(crop.camera), crop.frame)
    labels = label(
        find_crops([tmp_path / "query"]),
        find_crops([tmp_path / "bounding_box_test"]),
        protocol("market1501"),
    )
    assert (len(labels.query_rows), len(labels.gallery_rows), labels.junk) == (12, 44, 8)
    assert (labels.gallery_ids == -1).sum() == 8
    assert labels.unlabelled == 0


def test_queries_have_box_00_and_pictures_of_one_frame_count_on():
    plan = [CropPlan(3, 2, 1, 9, 1, "query"), CropPlan(0, 1, 4, 9, 1), CropPlan(0, 1, 4, 9, 2)]
    assert market_names(plan) == [
        "0003_c2s1_000009_00.jpg",
        "0000_c1s4_000009_01.jpg",
        "0000_c1s4_000009_02.jpg",
    ]


def test_folders_without_crops_are_made(tmp_path):
    laid_out(tmp_path, "market1501", planned(1, 1, others=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bounding_box_test",
        "bounding_box_train",
        "query",
    ]


def test_what_readers_would_refuse_or_misread_is_refused():
    with pytest.raises(ConfigError, match="market1501 layout has names for 6 cameras"):
        Market1501().kept([CropPlan(1, 12, 1, 1, 1)])
    with pytest.raises(ConfigError, match="1,501 people, the set has 1,502 people"):
        Market1501().kept([CropPlan(1502, 1, 1, 1, 1)])
