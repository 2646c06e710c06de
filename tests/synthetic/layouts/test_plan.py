from collections import Counter

import pytest

from synthetic.layouts.plan import CropPlan, split
from tests.synthetic.layouts.sets import planned


def parts(plan, part):
    return [crop for crop in plan if crop.part == part]


def people(plan):
    return {crop.identity for crop in plan}


def test_the_halves_share_nobody_and_distractors_and_junk_are_gallery():
    plan = split(planned(7, 3))
    assert people(parts(plan, "train")) == {1, 2, 3}
    assert people(parts(plan, "query")) == {4, 5, 6, 7}
    assert people(parts(plan, "gallery")) == {-1, 0, 4, 5, 6, 7}


def test_the_order_and_all_else_of_the_plan_stay():
    plan = planned(3, 2)
    assert [crop.picture for crop in split(plan)] == [crop.picture for crop in plan]
    assert split(split(plan)) == split(plan)


def test_one_picture_of_each_identity_and_camera_is_a_query():
    queries = parts(split(planned(6, 4)), "query")
    assert Counter((crop.identity, crop.camera) for crop in queries) == {
        (identity, camera): 1 for identity in (4, 5, 6) for camera in (1, 2, 3, 4)
    }
    assert len({crop.picture for crop in queries}) > 1


def test_a_query_is_a_whole_tracklet_when_asked_for():
    plan = split(planned(2, 3, pictures=5, others=False), by_tracklet=True)
    tracklets = Counter((crop.camera, crop.tracklet) for crop in parts(plan, "query"))
    assert len(tracklets) == 3
    assert set(tracklets.values()) == {5}


@pytest.mark.parametrize("identities", [1, 2, 3])
@pytest.mark.parametrize("cameras", [1, 2, 3, 6])
@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_every_query_has_a_match_under_another_camera(identities, cameras, pictures):
    plan = split(planned(identities, cameras, tracklets=1, pictures=pictures, others=False))
    gallery, queries = parts(plan, "gallery"), parts(plan, "query")
    for query in queries:
        matches = [crop for crop in gallery if crop.identity == query.identity]
        assert any(crop.camera != query.camera for crop in matches)
        assert len(matches) >= sum(crop.identity == query.identity for crop in queries)
    assert len(people(parts(plan, "train"))) == identities // 2
    assert bool(queries) == (cameras > 1)


def test_nobody_at_all_is_no_error():
    assert split([]) == []
    assert [crop.part for crop in split([CropPlan(0, 1, 1, 1, 1)])] == ["gallery"]
