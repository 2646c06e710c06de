"""Contact sheets: where things are, in which colour, and pictures of any shape."""

import numpy as np
import pytest

from everyid.errors import ShapeError
from person import sheets
from person.sheets import SheetCell, draw_sheet

GREY = np.full((40, 20, 3), 200, np.uint8)
QUERY, SAME, OTHER, IGNORED, UNKNOWN = (
    sheets._QUERY,
    *(sheets._STATES[state][0] for state in ("same", "other", "ignored", "unknown")),
)


def cell(state="same", *, image=GREY, rank=1, similarity=0.5, identity=None, camera=None):
    return SheetCell(image, state, rank, similarity, identity, camera)


def corner(place):
    """Left and top of a match's border."""
    column, row = place % 10, place // 10
    left = sheets._MARGIN + sheets._CELL + sheets._ASIDE + column * (sheets._CELL + sheets._GAP)
    step = sheets._HEIGHT + 2 * sheets._BORDER + sheets._LABELS + sheets._GAP
    top = sheets._MARGIN + sheets._TITLE + 8 + sheets._LABEL + 4 + 14
    return left, top + row * step


def labels(sheet, place):
    left, top = corner(place)
    below = top + sheets._HEIGHT + 2 * sheets._BORDER
    return sheet[below : below + sheets._LABELS, left : left + sheets._CELL]


def inside(sheet, place):
    left, top = corner(place)
    border = sheets._BORDER
    return sheet[top + border :, left + border :][: sheets._HEIGHT, : sheets._WIDTH]


@pytest.mark.parametrize(
    ("state", "colour"),
    [("same", SAME), ("other", OTHER), ("ignored", IGNORED), ("unknown", UNKNOWN)],
)
def test_the_border_says_what_a_match_is(state, colour):
    sheet = draw_sheet(GREY, [cell("same"), cell(state)], title="q")
    left, top = corner(1)
    assert (sheet[top, left : left + sheets._CELL] == colour).all()
    assert (sheet[top : top + sheets._HEIGHT + 2 * sheets._BORDER, left] == colour).all()
    assert (sheet[top + 50, sheets._MARGIN] == QUERY).all()


def test_only_the_colours_in_use_are_explained():
    def key_of(*states):
        sheet = draw_sheet(GREY, [cell(state) for state in states], title="q")
        key = sheet[: corner(0)[1] - 1]
        return {
            colour
            for colour in (QUERY, SAME, OTHER, IGNORED, UNKNOWN)
            if (key == colour).all(axis=2).any()
        }

    assert key_of("same", "other", "same") == {QUERY, SAME, OTHER}
    assert key_of("ignored", "unknown") == {QUERY, IGNORED, UNKNOWN}
    assert key_of() == {QUERY}


@pytest.mark.parametrize(
    ("matches", "columns", "rows"), [(0, 4, 1), (3, 4, 1), (10, 10, 1), (21, 10, 3)]
)
def test_ten_a_row(matches, columns, rows):
    sheet = draw_sheet(GREY, [cell()] * matches, title="q")
    assert sheet.dtype == np.uint8
    right = corner(columns - 1)[0] + sheets._CELL + sheets._MARGIN
    assert sheet.shape[1] == right
    below = corner(10 * rows)[1]
    assert below <= sheet.shape[0] < below + 40
    if matches:
        left, top = corner(matches - 1)
        assert (sheet[top, left] == SAME).all()


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (192, 96, (192, 96)),
        (40, 20, (192, 96)),
        (400, 100, (192, 48)),
        (50, 100, (48, 96)),
        (1, 1, (96, 96)),
        (20_000, 10, (192, 1)),
        (10, 20_000, (1, 96)),
    ],
)
def test_crops_keep_their_shape(height, width, shown):
    image = np.full((height, width, 3), (255, 0, 255), np.uint8)
    sheet = draw_sheet(image, [cell(image=image)], title="q")
    painted = (inside(sheet, 0) == (255, 0, 255)).all(axis=2)
    assert (painted.any(axis=1).sum(), painted.any(axis=0).sum()) == shown
    assert painted.sum() == shown[0] * shown[1]


def test_labels_stay_under_their_own_cell():
    plain = draw_sheet(GREY, [cell(), cell(), cell()], title="q")
    long = cell(rank=12345, identity="a very long name / 0001" * 9, camera="日本" * 50)
    named = draw_sheet(GREY, [cell(), long, cell()], title="q")
    assert (plain != named).any(axis=2).sum() > 100
    left = corner(1)[0]
    apart = (plain != named).any(axis=(0, 2))
    assert not apart[:left].any()
    assert not apart[left + sheets._CELL :].any()


def test_what_is_written_differs_with_what_is_meant():
    def label_of(**meant):
        return labels(draw_sheet(GREY, [cell(**meant)], title="q"), 0)

    usual = label_of()
    for meant in ({"rank": None}, {"similarity": -0.5}, {"identity": "0007"}, {"camera": "c1"}):
        assert (label_of(**meant) != usual).any(), meant
    assert (label_of(similarity=0.50004) == usual).all()


def test_title_and_footer_stay_on_the_sheet():
    bare = draw_sheet(GREY, [], title="q")
    long = draw_sheet(GREY, [], title="q " * 500, footer="protocol words " * 40)
    assert long.shape[1] == bare.shape[1]
    assert long.shape[0] > bare.shape[0] + 50
    for margin in (long[:, : sheets._MARGIN], long[:, -sheets._MARGIN + 2 :]):
        assert (margin == sheets._PAPER).all()


def test_the_querys_own_names_are_written():
    bare = draw_sheet(GREY, [], title="q")
    named = draw_sheet(GREY, [], title="q", identity="0001", camera="c2")
    rows = np.flatnonzero((bare != named).any(axis=(1, 2)))
    assert len(rows) > 12
    assert (bare != named).any(axis=(0, 2))[sheets._MARGIN + sheets._CELL :].sum() == 0


def test_a_camera_that_is_a_number_is_called_one():
    written = [draw_sheet(GREY, [], title="q", camera=name) for name in ("3", "camera 3", "c3")]
    assert np.array_equal(written[0], written[1])
    assert not np.array_equal(written[0], written[2])


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (np.zeros((0, 5, 3), np.uint8), r"got uint8 \(0, 5, 3\)"),
        (np.zeros((5, 5), np.uint8), r"got uint8 \(5, 5\)"),
        (np.zeros((5, 5, 3)), r"got float64 \(5, 5, 3\)"),
    ],
)
def test_pictures_that_are_none(image, what):
    with pytest.raises(ShapeError, match=f"^query: expected uint8 .H, W, 3., {what}"):
        draw_sheet(image, [], title="q")
    with pytest.raises(ShapeError, match=f"^match 2: expected uint8 .H, W, 3., {what}"):
        draw_sheet(GREY, [cell(), cell(image=image)], title="q")
