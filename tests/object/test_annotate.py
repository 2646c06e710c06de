"""Drawing: what a person sees in annotated frames. No golden pictures; counts of pixels."""

import numpy as np
import pytest

from everyid.arrays import Detections, Tracks
from everyid.models import MovementType
from object.annotate import Annotator
from tests.object.scenes import NAMES

STILL = MovementType.STATIONARY


def canvas(height=360, width=640, value=0):
    return np.full((height, width, 3), value, np.uint8)


def tracks(*rows):
    """Rows of (x1, y1, x2, y2, track) or with a class behind."""
    table = np.array([(*row, 0)[:6] for row in rows], np.float32).reshape(-1, 6)
    count = len(table)
    return Tracks(
        table[:, :4],
        np.full(count, 0.9, np.float32),
        table[:, 5].astype(np.int32),
        table[:, 4].astype(np.int64),
        np.zeros((count, 2), np.float32),
    )


def found(*rows):
    """Rows of (x1, y1, x2, y2, class)."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    scores = np.full(len(table), 0.9, np.float32)
    return Detections(table[:, :4], scores, table[:, 4].astype(np.int32))


def draw(annotator, image, things, timestamp=0.0, kind=STILL):
    return annotator.draw_tracks(image, things, [kind] * len(things), timestamp)


def color_of(image, box):
    """The colour in the middle of the box's lower side, where no label and no trace is."""
    return tuple(image[int(box[3]), int(box[0]) + 10].tolist())


BOX = (200, 100, 300, 300)


def test_a_track_keeps_its_colour_and_neighbours_differ():
    annotator = Annotator((360, 640), NAMES)
    colors = {}
    for track_id in range(1, 41):
        image = draw(Annotator((360, 640), NAMES), canvas(), tracks((*BOX, track_id)))
        colors[track_id] = color_of(image, BOX)
    assert len({colors[track_id] for track_id in range(1, 21)}) == 20
    for time in range(1, 5):
        image = draw(annotator, canvas(), tracks((*BOX, 7), (20, 20, 60, 80, time)), time / 25)
        assert color_of(image, BOX) == colors[7]


def test_classes_of_detections_have_colours_of_their_own():
    annotator = Annotator((360, 640), NAMES)
    person, car = (annotator.draw_detections(canvas(), found((*BOX, c))) for c in (0, 2))
    assert color_of(person, BOX) != color_of(car, BOX)
    again = annotator.draw_detections(canvas(), found((20, 20, 60, 80, 2), (*BOX, 0)))
    assert color_of(again, BOX) == color_of(person, BOX)


@pytest.mark.parametrize("size_hw", [(180, 320), (360, 640), (2160, 3840)])
def test_lines_and_text_grow_with_the_frame(size_hw):
    height, width = size_hw
    box = (width * 0.4, height * 0.4, width * 0.6, height * 0.8)
    image = draw(Annotator(size_hw, NAMES), canvas(*size_hw), tracks((*box, 1)))
    column = image[int(height * 0.7) :, width // 2].any(axis=1)
    assert max(1, height / 1080) <= column.sum() <= max(3, height / 200)
    label = image[: int(box[1]) - int(height / 200)].any(axis=2)
    rows = np.flatnonzero(label.any(axis=1))
    assert 7 <= len(rows) <= height / 8
    assert len(rows) >= height / 100


EDGES = {
    "left": (0, 60, 40, 140),
    "right": (280, 60, 320, 140),
    "top": (140, 0, 180, 80),
    "bottom": (140, 100, 180, 180),
    "corner": (0, 0, 30, 50),
    "far corner": (290, 130, 320, 180),
    "all": (0, 0, 320, 180),
    "over the left": (-30, 60, 20, 140),
    "over the right": (300, 60, 400, 140),
    "over the top": (140, -60, 180, 30),
    "over the bottom": (140, 150, 180, 260),
    "thin": (100, 60, 100.5, 140),
    "a point": (100, 60, 100.01, 60.01),
}


@pytest.mark.parametrize(
    ("name", "scale"),
    [(name, 1) for name in EDGES]
    + [(name, 12) for name in ("all", "far corner", "over the top", "a point")],
)
def test_boxes_at_every_edge_show_with_their_labels(name, scale):
    size_hw = (180 * scale, 320 * scale)
    box = tuple(side * scale for side in EDGES[name])
    image = canvas(*size_hw)
    assert draw(Annotator(size_hw, NAMES), image, tracks((*box, 3))) is image
    thickness = max(2, size_hw[0] // 200)
    x1, y1, x2, y2 = (round(side) for side in box)
    inside = np.zeros(size_hw, bool)
    inside[max(0, y1 - thickness) : y2 + thickness, max(0, x1 - thickness) : x2 + thickness] = True
    inside[max(0, y1 + thickness) : y2 - thickness, max(0, x1 + thickness) : x2 - thickness] = False
    label = image.any(axis=2) & ~inside
    assert label.sum() >= 40  # the label is inside the frame, not cut away


def test_an_empty_frame_stays_as_it_is():
    annotator = Annotator((360, 640), NAMES)
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    image = noise.copy()
    assert annotator.draw_detections(image, found()) is image
    np.testing.assert_array_equal(image, noise)
    assert draw(annotator, image, tracks()) is image
    np.testing.assert_array_equal(image, noise)


def walked(annotator, *, until, rate=10.0, speed=100.0):
    """The last frame of a walk to the right, its feet at y 200."""
    for number in range(round(until * rate) + 1):
        time = number / rate
        x = 20 + speed * time
        image = draw(annotator, canvas(), tracks((x, 120, x + 40, 200, 5)), time)
    return image


def test_the_way_of_a_track_fades_with_age():
    image = walked(Annotator((360, 640), NAMES), until=4.0)
    # feet were at x = 40 + 100 t: 140 px is 3 s ago, 440 px is now
    line = image[200, :420].max(axis=1).astype(int)
    old, middle, new = line[150:200].max(), line[250:300].max(), line[390:415].max()
    assert 0 < old < middle < new
    assert line[:130].max() == 0  # more than 3 s ago


def test_the_way_of_a_lost_track_goes_away_in_3_s():
    annotator = Annotator((360, 640), NAMES)
    walked(annotator, until=2.0)
    drawn = []
    for step in range(35):
        image = draw(annotator, canvas(), tracks(), 2.0 + step / 10)
        drawn.append(int(image.astype(int).sum()))
    assert drawn[1] > 0
    assert drawn[10] < drawn[1]
    assert drawn[20] < drawn[10]
    assert drawn[31:] == [0] * 4


def test_a_standing_track_draws_a_trace_of_nothing():
    annotator = Annotator((360, 640), NAMES)
    for time in range(5):
        image = draw(annotator, canvas(), tracks((*BOX, 1)), time / 25)
    assert not image[310:].any()


def test_ways_of_boxes_outside_the_frame_do_no_harm():
    annotator = Annotator((180, 320), NAMES)
    for time in range(20):
        x = -400 + 60 * time
        image = draw(annotator, canvas(180, 320), tracks((x, 150, x + 40, 400, 1)), time / 10)
    assert image.shape == (180, 320, 3)


def label_area(annotator, things, kind):
    image = draw(annotator, canvas(1080, 1920), things, kind=kind)
    return int(image[: int(things.boxes_xyxy[0, 1]) - 6].any(axis=2).sum())


def test_labels_say_what_moves_and_what_is_no_person():
    box = (800, 500, 1000, 900)
    person, car = tracks((*box, 1)), tracks((*box, 1, 2))
    still, walks = (
        label_area(Annotator((1080, 1920), NAMES), person, kind)
        for kind in (STILL, MovementType.WALKING)
    )
    assert walks > 2 * still  # "#1" and "#1 walking"
    assert label_area(Annotator((1080, 1920), NAMES), car, STILL) > 1.5 * still  # "#1 car"


def test_many_boxes_of_one_place():
    things = tracks(*[(300 + n, 150, 340 + n, 250, n + 1) for n in range(60)])
    assert draw(Annotator((360, 640), NAMES), canvas(), things).any()
