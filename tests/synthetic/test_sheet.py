import numpy as np
import pytest

from everyid.errors import InputError
from synthetic.layouts.plan import CropPlan
from synthetic.sheet import contact_sheet
from tests.synthetic.layouts.sets import laid_out, planned


def test_a_row_for_each_person_and_all_cameras_side_by_side(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "folders", planned(3, 4, tracklets=1))
    sheet = contact_sheet(tmp_path, plan, paths, title="3 people")
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert 1000 <= sheet.shape[1] <= 1400
    taller = contact_sheet(tmp_path, plan, paths, title="3 people", most_people=2)
    assert taller.shape[0] < sheet.shape[0]
    for crop in (crop for crop in plan if crop.identity > 0 and crop.camera == 3):
        colour = np.array([30 + 40 * (crop.identity % 5), 180, 20 * crop.picture])
        off = np.abs(sheet.astype(int) - colour).max(axis=2)
        assert (off < 8).sum() > 1000  # JPEG changes colours a little


def test_words_stand_beside_the_row(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "folders", planned(1, 2))
    plain = contact_sheet(tmp_path, plan, paths, title="one")
    noted = contact_sheet(tmp_path, plan, paths, title="one", notes={1: "a red jacket " * 40})
    changed = np.argwhere((plain != noted).any(axis=2))
    assert len(changed)
    assert changed[:, 1].max() < 174
    assert plain.shape == noted.shape


@pytest.mark.parametrize(("identities", "cameras", "pictures"), [(1, 1, 1), (2, 30, 1), (2, 2, 40)])
def test_any_number_of_cameras_and_pictures_fits(tmp_path, identities, cameras, pictures):
    plan = planned(identities, cameras, tracklets=1, pictures=pictures, others=False)
    plan, paths, _ = laid_out(tmp_path, "folders", plan)
    sheet = contact_sheet(tmp_path, plan, paths, title="a title that is far too long " * 9)
    assert 600 <= sheet.shape[1] <= 1400


def test_the_same_set_gives_the_same_sheet(tmp_path):
    plan, paths, _ = laid_out(tmp_path, "folders", planned(2, 2))
    one, two = (contact_sheet(tmp_path, plan, paths, title="again") for _ in range(2))
    assert (one == two).all()


def test_nobody_to_show_is_told(tmp_path):
    with pytest.raises(InputError, match="needs a crop of somebody"):
        contact_sheet(tmp_path, [CropPlan(0, 1, 1, 1, 1)], ["a.jpg"], title="")
