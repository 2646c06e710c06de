from collections import Counter

from person.crops import find_crops
from person.protocol import label, protocol
from tests.synthetic.layouts.sets import laid_out, planned


def test_the_person_room_takes_the_folder_for_who_and_the_name_for_where(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "folders", planned(4, 12))
    crops = find_crops([tmp_path])
    said = {
        path: (identity, camera)
        for path, identity, camera in zip(crops.paths, crops.identities, crops.cameras, strict=True)
    }
    for crop, path in zip(plan, paths, strict=True):
        identity = "-1" if crop.identity == -1 else f"{crop.identity:04d}"
        assert said[str(tmp_path / path)] == (identity, str(crop.camera))
        assert path.split("/")[:2] == [crop.part, identity]


def test_query_and_gallery_can_be_measured(tmp_path):
    plan, _, _ = laid_out(tmp_path, "folders", planned())
    labels = label(
        find_crops([tmp_path / "query"]),
        find_crops([tmp_path / "gallery"]),
        protocol("market1501"),
    )
    parts = Counter(crop.part for crop in plan)
    assert (len(labels.query_rows), labels.junk) == (parts["query"], 8)
    assert len(labels.gallery_rows) == parts["gallery"] - 8


def test_folders_of_parts_without_crops_are_made(tmp_path):
    laid_out(tmp_path, "folders", planned(1, 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery", "query", "train"]
