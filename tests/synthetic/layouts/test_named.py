import re

import pytest

from everyid.errors import ConfigError
from synthetic.layouts.named import LAYOUTS, layout_named
from tests.synthetic.layouts.sets import fingerprints, laid_out, planned


def test_an_unknown_name_lists_the_known_ones():
    known = "market1501, msmt17, cuhk03, mars, folders"
    with pytest.raises(ConfigError, match=re.escape(f"'Market'; known: {known}")) as error:
        layout_named("Market")
    assert error.value.hint == "did you mean 'market1501'?"


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_crop_has_a_path_of_its_own_and_all_files_are_there(tmp_path, name):
    plan, paths, further = laid_out(tmp_path, name, planned())
    assert len(set(paths)) == len(paths) == len(plan)
    assert set(fingerprints(tmp_path)) == {*paths, *further}
    assert all(path.endswith(layout_named(name).suffix) for path in paths)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_same_plan_gives_the_same_bytes(tmp_path, name):
    for place in ("one", "two"):
        laid_out(tmp_path / place, name, planned(3, 2))
    assert fingerprints(tmp_path / "one") == fingerprints(tmp_path / "two")


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_person_is_a_set_too(tmp_path, name):
    plan, paths, _ = laid_out(tmp_path, name, planned(1, 2, others=False))
    assert {crop.part for crop in plan} == {"query", "gallery"}
    assert len(paths) == 8


@pytest.mark.parametrize("name", sorted(LAYOUTS.keys() - {"cuhk03"}))
def test_one_camera_is_a_set_without_queries(tmp_path, name):
    plan, _, _ = laid_out(tmp_path, name, planned(3, 1))
    assert {crop.part for crop in plan} == {"train", "gallery"}
