"""Crops of people: where they stand, what a detector would have cut, how much is seen."""

import numpy as np
import pytest

from synthetic.people.figure import build_figure
from synthetic.people.gait import draw_gait
from synthetic.people.wardrobe import draw_people
from synthetic.pictures import STEP_S, Actor, cut_out, draw_walk
from synthetic.seeds import generator


@pytest.fixture(scope="module")
def actors(body):
    made = []
    for number, looks in enumerate(draw_people(2, seed=1)):
        gait = draw_gait(
            generator(1, "gait", number), age_group=looks.age_group, height_m=looks.height_m
        )
        made.append(Actor(build_figure(body, looks), gait, looks.carried))
    return made


def overlap(cut: tuple, person: tuple) -> float:
    across = min(cut[2], person[2]) - max(cut[0], person[0])
    down = min(cut[3], person[3]) - max(cut[1], person[1])
    both = max(0.0, across) * max(0.0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (cut, person)]
    return both / (sum(areas) - both)


def test_crops_hold_their_person_as_detections_do(renderer, stage, actors):
    overlaps, seen = [], []
    for number in range(16):
        made = cut_out(renderer, stage, actors[0], generator(2, "crop", number))
        left, top, right, bottom = made.box_xyxy
        assert made.picture.shape == (bottom - top, right - left, 3)
        assert made.picture.dtype == np.uint8
        assert left >= 0
        assert top >= 0
        assert (right, bottom) <= stage.camera.size_wh
        overlaps.append(overlap(made.box_xyxy, made.person_xyxy))
        seen.append(made.visibility)
    assert np.median(overlaps) > 0.7
    assert min(seen) > 0.2
    assert np.median(seen) > 0.85


def test_spoiled_boxes_hardly_hold_anybody(renderer, stage, actors):
    overlaps = []
    for number in range(10):
        made = cut_out(renderer, stage, actors[0], generator(2, "crop", number), spoiled=True)
        overlaps.append(overlap(made.box_xyxy, made.person_xyxy))
    assert np.mean(overlaps) < 0.35


def test_the_person_is_what_differs_from_the_empty_place(renderer, stage, actors):
    one = cut_out(renderer, stage, actors[0], generator(2, "crop", 3))
    other = cut_out(renderer, stage, actors[1], generator(2, "crop", 3))
    assert one.picture.shape != other.picture.shape or (one.picture != other.picture).any()


def test_the_same_chance_gives_the_same_bytes(renderer, stage, actors):
    def made() -> bytes:
        chance = generator(2, "crop", 5)
        return cut_out(
            renderer, stage, actors[0], chance, passer_by=lambda number: actors[1]
        ).picture.tobytes()

    assert made() == made()


def test_somebody_passes_by_now_and_then(renderer, stage, actors):
    asked = []

    def passer_by(number: int) -> Actor:
        asked.append(number)
        return actors[1]

    for number in range(40):
        cut_out(renderer, stage, actors[0], generator(3, number), passer_by=passer_by)
    assert 2 <= len(asked) <= 20
    assert len(set(asked)) > 1


def test_a_walk_goes_straight_at_the_persons_speed_and_stays_in_sight(stage, actors):
    steps = draw_walk(stage, actors[0], generator(4, "walk"), 6)
    ways = np.diff([step.xy for step in steps], axis=0)
    headings = np.degrees(np.arctan2(ways[:, 1], ways[:, 0]))
    assert np.allclose(np.hypot(*ways.T), actors[0].gait.speed_m_s * STEP_S)
    assert np.allclose(headings, steps[0].heading_deg)
    pixels, _ = stage.camera.project([(*step.xy, 0.0) for step in steps])
    assert (pixels >= 0).all()
    assert (pixels < stage.camera.size_wh).all()
    turned = [step.pose.rotations["upperleg01.L"] for step in steps]
    assert not np.allclose(turned[0], turned[1]), "the legs move"


def test_a_step_of_a_walk_is_drawn_where_it_is(renderer, stage, actors):
    first, *_, last = draw_walk(stage, actors[0], generator(4, "walk"), 8)
    boxes = [
        cut_out(renderer, stage, actors[0], generator(4, "crop"), step=step).person_xyxy
        for step in (first, last)
    ]
    for box, step in zip(boxes, (first, last), strict=True):
        (x, y), *_ = stage.camera.project([(*step.xy, 0.0)])[0]
        assert box[0] < x < box[2]
        assert abs(box[3] - y) < 0.2 * (box[3] - box[1])
