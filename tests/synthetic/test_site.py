"""Sites: cameras hang where they see much, and it is known what each of them sees."""

from dataclasses import replace

import numpy as np
import pytest

from everyid.errors import ConfigError
from synthetic.places.place import draw_place
from synthetic.rendering.camera import Camera, aim
from synthetic.seeds import generator
from synthetic.site import (
    Site,
    draw_site,
    load_site,
    most_present,
    overlaps,
    save_site,
    seen_points,
)
from tests.synthetic.drawings import Boxes

SIZE = (320, 180)


def drawn(*, cameras: int = 4, seed: int = 1, kind: str | None = "square") -> Site:
    return draw_site(Boxes(), cameras=cameras, seed=seed, size_wh=SIZE, kind=kind)


@pytest.fixture(scope="module")
def site() -> Site:
    return drawn()


def test_a_seed_decides_the_site(site):
    again, other = drawn(), drawn(seed=2)
    assert again.cameras == site.cameras
    assert again.sensors == site.sensors
    assert (again.seen == site.seen).all()
    assert other.cameras != site.cameras


def test_cameras_have_names_and_see_ground(site):
    assert [camera.name for camera in site.cameras] == [f"camera-{n}" for n in range(1, 5)]
    assert (site.seen.sum(axis=1) >= 15).all()
    assert [len(zone) for zone in site.zones] == site.seen.sum(axis=1).tolist()
    assert all(camera.size_wh == SIZE for camera in site.cameras)


def test_some_views_overlap_and_some_do_not(site):
    shares = [overlaps(site.seen[a], site.seen[b]) for a in range(4) for b in range(a)]
    assert max(shares) > 0.15
    assert min(shares) < 0.1


def test_outdoors_cameras_hang_high_and_look_down(site):
    for camera in site.cameras:
        assert 2.5 <= camera.position_m[2] <= 6.0
        assert camera.pitch_deg < 5


def test_people_on_seen_points_are_whole_in_the_picture(site):
    for camera, zone in zip(site.cameras, site.zones, strict=True):
        for height_m in (0.0, 1.7):
            pixels, _ = camera.project(np.column_stack([zone, np.full(len(zone), height_m)]))
            assert (pixels >= -4).all()
            assert (pixels <= np.array(SIZE) + 4).all()


def test_people_can_go_from_every_entry_to_every_zone(site):
    for zone in site.zones:
        x, y = zone[0].tolist()
        way = site.path(site.place.entries[0], (x, y))
        assert site.free(way).all()
        assert way[-1] == pytest.approx((x, y))


def test_a_site_comes_back_from_its_file(site, tmp_path):
    save_site(site, tmp_path / "site.json")
    again = load_site(tmp_path / "site.json", seed=1, kind="square")
    assert again.cameras == site.cameras
    assert again.sensors == site.sensors
    assert (again.seen == site.seen).all()
    assert (again.points == site.points).all()
    assert again.place.kind == "square"
    assert (again.place.mesh.positions == site.place.mesh.positions).all()


def test_one_camera_is_enough():
    assert len(drawn(cameras=1).cameras) == 1


def test_no_camera_is_refused():
    with pytest.raises(ConfigError, match="a site needs cameras: expected 1 or more, got 0"):
        drawn(cameras=0)


def test_unknown_places_are_refused():
    with pytest.raises(ConfigError, match="unknown kind of place 'moon'"):
        drawn(kind="moon")


def test_places_in_which_nothing_can_be_seen_are_given_up():
    with pytest.raises(ConfigError, match="no place was found with room for 1 cameras of 320x180"):
        draw_site(Boxes(wall_m=0.5), cameras=1, seed=1, size_wh=SIZE, kind="corridor")


def test_points_behind_a_wall_are_not_seen():
    place = draw_place(generator(1, "test"), kind="square")
    position = (0.0, -9.0, 4.0)
    yaw, pitch = aim(position, (0.0, 0.0, 1.0))
    camera = Camera("a", position, yaw, pitch, 0.0, 200.0, SIZE)
    x, y = np.meshgrid(np.linspace(-6, 6, 13), np.linspace(-9, 9, 19))
    points = np.column_stack([x.ravel(), y.ravel()])
    seen = seen_points(Boxes(), place, camera, points)
    assert 15 < seen.sum() < len(points)
    before_wall = seen_points(Boxes(wall_m=9.0), place, camera, points)
    assert (before_wall <= seen).all()
    assert 0 < before_wall.sum() < seen.sum()
    assert points[before_wall, 1].max() < points[seen, 1].max()


def test_overlap_is_a_share_of_the_smaller_view():
    one = np.array([1, 1, 1, 1, 0], bool)
    other = np.array([0, 0, 0, 1, 1], bool)
    assert overlaps(one, other) == 0.5
    assert overlaps(one, ~one) == 0
    assert overlaps(one, one & ~one) == 0


def test_larger_places_hold_more_people():
    small, large = (
        draw_place(generator(1, "test"), kind="square", size_m=(side, side)) for side in (12, 28)
    )
    assert 1 <= most_present(small) < most_present(large)
    assert most_present(replace(small, free=small.free & False)) == 1
