"""Frames: who is drawn where, how much of each is seen, and in which box."""

import numpy as np
import pytest

from synthetic import filming
from synthetic.filming import Sighting, Take, film
from synthetic.rendering.camera import Camera, aim
from synthetic.rendering.sensor import Sensor
from synthetic.walks import Moment
from tests.synthetic import drawings

POSITION = (0.0, -8.0, 3.0)
CAMERA = Camera("a", POSITION, *aim(POSITION, (0.0, 0.0, 1.0)), 0.0, 400.0, (320, 180))


@pytest.fixture(autouse=True)
def boxes(monkeypatch):
    monkeypatch.setattr(filming, "pose_figure", drawings.posed)


def take(renderer: drawings.Boxes, *, shutter_s: float = 0.0) -> Take:
    plate = renderer.plate(drawings.PERSON, np.zeros(0, np.uint8), CAMERA, drawings.LIGHT)
    return Take(CAMERA, Sensor(shutter_s=shutter_s), drawings.LIGHT, plate)


def at(x: float, y: float, *, person: int = 0, speed: float = 0.0) -> Moment:
    return Moment(person, (x, y), 0.0, speed, 0.0, "walking", 0.0, 0.0, None)


def shown(
    *moments: Moment, renderer: drawings.Boxes | None = None, shutter_s: float = 0.0
) -> tuple[np.ndarray, list[Sighting]]:
    renderer = renderer or drawings.Boxes()
    people = [(drawings.actor(), moment) for moment in moments]
    chance = np.random.default_rng(0)
    return film(renderer, take(renderer, shutter_s=shutter_s), people, chance)


def test_an_empty_place_is_a_picture_without_sightings():
    picture, seen = shown()
    assert picture.shape == (180, 320, 3)
    assert picture.dtype == np.uint8
    assert seen == []


def test_a_box_holds_all_of_a_person():
    picture, (seen,) = shown(at(0.0, 0.0, person=4))
    assert seen.person == 4
    assert seen.visibility == pytest.approx(1.0)
    corners = [(x, y, z) for x in (-0.15, 0.15) for y in (-0.25, 0.25) for z in (0.0, 1.7)]
    pixels, _ = CAMERA.project(corners)
    assert seen.box_xyxy == pytest.approx((*pixels.min(0), *pixels.max(0)), abs=1e-3)
    bright = np.argwhere(picture[..., 0] > 180)
    left, top, right, bottom = seen.box_xyxy
    assert bright[:, 1].min() == pytest.approx(left, abs=1)
    assert bright[:, 1].max() + 1 == pytest.approx(right, abs=1)
    assert bright[:, 0].min() == pytest.approx(top, abs=1)
    assert bright[:, 0].max() + 1 == pytest.approx(bottom, abs=1)


def test_who_is_behind_somebody_is_seen_less_but_has_a_whole_box():
    _, (alone,) = shown(at(0.0, 2.0))
    _, (front, behind) = shown(at(0.0, 0.0), at(0.0, 2.0, person=1))
    assert front.visibility == pytest.approx(1.0)
    assert 0.02 < behind.visibility < 0.6
    assert behind.box_xyxy == alone.box_xyxy


def test_the_order_of_people_does_not_matter():
    picture, seen = shown(at(0.0, 0.0), at(0.3, 2.0, person=1))
    other, swapped = shown(at(0.3, 2.0, person=1), at(0.0, 0.0))
    assert (picture == other).all()
    assert seen == swapped[::-1]


def test_who_is_hidden_by_the_place_is_not_told_of():
    renderer = drawings.Boxes(wall_m=7.0)
    assert shown(at(0.0, 0.0), renderer=renderer)[1] == []
    assert len(shown(at(0.0, -3.0), renderer=renderer)[1]) == 1


def test_boxes_end_at_the_edge_and_what_is_beyond_counts_as_unseen():
    pixels, _ = CAMERA.project([(x, 0.0, 1.0) for x in np.linspace(-4, 4, 801)])
    edge = float(np.linspace(-4, 4, 801)[np.abs(pixels[:, 0]).argmin()])
    _, (seen,) = shown(at(edge, 0.0))
    assert seen.box_xyxy[0] == 0
    assert seen.visibility == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("xy", [(9.0, 0.0), (0.0, -20.0), (0.0, -8.0)])
def test_people_out_of_view_or_under_the_camera_cost_nothing(xy):
    renderer = drawings.Boxes()
    assert shown(at(*xy), renderer=renderer)[1] == []
    assert renderer.drawn == 0


def test_who_moves_while_the_shutter_is_open_is_smeared_along_the_way():
    def soft(shutter_s: float) -> int:
        picture, _ = shown(at(0.0, 0.0, speed=1.4), shutter_s=shutter_s)
        row = picture[90, :, 0].astype(int)
        return int(((row > row[0] + 5) & (row < row.max() - 5)).sum())

    assert soft(0.0) < soft(0.1)
