"""Stages: cameras that see people, kept in files."""

from dataclasses import asdict

import numpy as np

from synthetic.stages import draw_stage, load_stage, save_stage


def test_a_person_at_each_spot_is_in_the_picture_at_a_fair_size(stage):
    feet, _ = stage.camera.project(np.column_stack([stage.spots_xy, np.zeros(len(stage.spots_xy))]))
    heads, depth = stage.camera.project(
        np.column_stack([stage.spots_xy, np.full(len(stage.spots_xy), 1.7)])
    )
    assert len(stage.spots_xy) >= 24
    for ends in (feet, heads):
        assert (ends >= 0).all()
        assert (ends < stage.camera.size_wh).all()
    tall = feet[:, 1] - heads[:, 1]
    assert tall.min() >= 56
    assert tall.max() <= 280
    assert (depth > 0).all()


def test_pictures_have_the_cameras_size(stage):
    width, height = stage.camera.size_wh
    for part in (stage.distance_m, stage.sunlit, stage.ground):
        assert part.shape == (height, width)
        assert part.dtype == np.float32
    assert stage.picture.shape == (height, width, 3)
    assert 0.005 < stage.picture.mean() < 1.5


def test_a_file_keeps_a_stage(stage, tmp_path):
    path = tmp_path / "0001.npz"
    save_stage(stage, path)
    back = load_stage(path)
    for name in ("camera", "sensor", "light"):
        assert asdict(getattr(back, name)) == asdict(getattr(stage, name))
    assert np.array_equal(back.spots_xy, stage.spots_xy)
    assert np.array_equal(back.ground, stage.ground)
    assert np.abs(back.sunlit - stage.sunlit).max() < 0.003
    bright = np.clip(stage.picture, 0, 4)
    assert np.abs(back.picture - bright).max() < 2e-4
    near = np.isfinite(stage.distance_m) & (stage.distance_m < 100)
    assert np.abs(back.distance_m[near] - stage.distance_m[near]).max() < 0.04
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_seed_and_number_give_the_same_stage(renderer, stage):
    again = draw_stage(renderer, seed=1, number=1)
    assert again.picture.tobytes() == stage.picture.tobytes()
    assert again.camera == stage.camera
    assert draw_stage(renderer, seed=1, number=2).camera != stage.camera
