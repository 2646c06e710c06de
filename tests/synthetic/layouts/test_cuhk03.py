from collections import Counter

import pytest
from scipy.io import loadmat

from everyid.errors import ConfigError
from everyid.media import read_image
from person.crops import find_crops
from person.protocol import label, protocol
from synthetic.layouts.cuhk03 import CUHK03
from synthetic.layouts.plan import CropPlan
from tests.reference.layouts import read_cuhk03
from tests.synthetic.layouts.sets import laid_out, planned


@pytest.mark.parametrize("kind", ["labeled", "detected"])
def test_the_usual_reader_finds_both_splits(tmp_path, kind):
    laid_out(tmp_path, "cuhk03", planned())
    new = read_cuhk03(tmp_path, kind=kind, form="new")
    assert {part: len(found) for part, found in new.items()} == {
        "train": 24,
        "query": 6,
        "gallery": 18,
    }
    assert {identity for _, identity, _ in new["train"]} == {0, 1, 2}
    assert {identity for _, identity, _ in new["query"]} == {4, 5, 6}
    assert {camera for _, _, camera in new["query"]} == {0, 1}
    classic = read_cuhk03(tmp_path, kind=kind, form="classic")
    assert classic["query"] == classic["gallery"]
    assert {identity for _, identity, _ in classic["gallery"]} == {0, 1, 2}
    for paths, _, _ in (*new["query"], *classic["train"]):
        assert paths[0].is_file()
        assert paths[0].parent.name == f"images_{kind}"


def test_the_authors_tables_say_the_same(tmp_path):
    laid_out(tmp_path, "cuhk03", planned())
    tables = loadmat(tmp_path / "cuhk03_new_protocol_config_labeled.mat")
    rows = read_cuhk03(tmp_path, kind="labeled", form="new")["query"]
    names = [tables["filelist"][number - 1, 0].item() for number in tables["query_idx"].ravel()]
    assert names == [paths[0].name for paths, _, _ in rows]
    people = tables["labels"].ravel()[tables["query_idx"].ravel() - 1]
    assert people.tolist() == [identity for _, identity, _ in rows]


def test_a_person_is_kept_in_one_pair_and_pairs_get_like_many():
    kept = CUHK03().kept(planned(8, 5))
    pairs = {crop.identity: set() for crop in kept}
    for crop in kept:
        pairs[crop.identity].add((crop.camera + 1) // 2)
    assert Counter(map(tuple, pairs.values())) == {(1,): 4, (2,): 4}
    assert {crop.camera for crop in kept} == {1, 2, 3, 4}


def test_a_pair_of_which_both_cameras_see_a_person_comes_first():
    seen = [CropPlan(1, camera, 1, 1, 1) for camera in (1, 3, 4)]
    seen += [CropPlan(2, camera, 1, 1, 1) for camera in (1, 2)]
    assert [(crop.identity, crop.camera) for crop in CUHK03().kept(seen)] == [
        (1, 3),
        (1, 4),
        (2, 1),
        (2, 2),
    ]


def test_names_are_those_of_the_original(tmp_path):
    _, paths, _ = laid_out(tmp_path, "cuhk03", planned(2, 2, others=False))
    assert paths[0] == "images_labeled/1_001_1_01.png"
    assert paths[7] == "images_labeled/1_001_2_09.png"
    assert paths[-1] == "images_labeled/1_002_2_09.png"


def test_detected_pictures_are_cut_out_of_the_labelled_ones(tmp_path):
    _, paths, _ = laid_out(tmp_path, "cuhk03", planned(2, 2))
    sizes = {read_image(tmp_path / path.replace("labeled", "detected")).shape for path in paths}
    assert len(sizes) > 1
    assert all(28 <= height <= 32 and 14 <= width <= 16 for height, width, _ in sizes)


@pytest.mark.parametrize("kind", ["labeled", "detected"])
def test_the_person_room_reads_the_lists(tmp_path, kind):
    laid_out(tmp_path, "cuhk03", planned())
    query, gallery = (find_crops([tmp_path / f"{p}_{kind}.txt"]) for p in ("query", "gallery"))
    labels = label(query, gallery, protocol("cuhk03-new"))
    assert (len(labels.query_rows), len(labels.gallery_rows), labels.unlabelled) == (6, 18, 0)
    assert set(labels.query_ids) == set(labels.gallery_ids) == {0, 1, 2}
    assert set(query.cameras) == {"1", "2"}


def test_one_camera_eleven_cameras_and_fifty_pictures_are_refused():
    with pytest.raises(ConfigError, match="pairs of cameras, the set has 1") as error:
        CUHK03().kept(planned(2, 1))
    assert "2 cameras" in error.value.hint
    with pytest.raises(ConfigError, match="10 cameras, the set has 11 cameras"):
        CUHK03().kept(planned(2, 11))
    plan = [CropPlan(1, camera, 1, number, number) for camera in (1, 2) for number in range(1, 51)]
    with pytest.raises(ConfigError, match="one has 50"):
        CUHK03().kept(plan)
