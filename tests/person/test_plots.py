"""Plots look alike: size, title, axes, key, and words where there is nothing to show."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from everyid.errors import OutputExistsError
from everyid.settings import PROJECT_FOLDER
from person import plots


def drawn(figure, path):
    plots.save_figure(figure, path, overwrite=False)
    return cv2.imread(str(path))


def dark_rows(picture):
    """The rows of a picture in which something is written."""
    return np.flatnonzero((picture < 128).any(axis=(1, 2)))


def test_a_blank_figure_is_white(tmp_path):
    picture = drawn(plots.blank_figure(300), tmp_path / "a.png")
    assert picture.shape == (300, plots.WIDTH, 3)
    assert (picture == 255).all()


def test_each_line_of_a_title_makes_the_picture_higher(tmp_path):
    one, low = plots.titled_figure("A title", 300)
    many, high = plots.titled_figure("A longer title " * 30, 300)
    assert (high - 300) % (low - 300) == 0
    assert high > low > 300
    rows = dark_rows(drawn(many, tmp_path / "many.png"))
    assert rows.min() > 5
    assert rows.max() < high - 300 + 25
    assert len(rows) > len(dark_rows(drawn(one, tmp_path / "one.png")))


def test_a_title_that_is_to_have_one_line_is_cut(tmp_path):
    figure, height = plots.titled_figure("A longer title " * 30, 300, one_line=True)
    assert height == 300
    (title,) = figure.texts
    assert "…" in title.get_text()
    picture = drawn(figure, tmp_path / "a.png")
    assert (picture[:, plots.WIDTH - plots.MARGIN :] == 255).all()
    assert (picture[:, : plots.MARGIN] == 255).all()


def test_a_title_is_no_mathematics(tmp_path):
    figure, _ = plots.titled_figure(r"cost $\frac{", 300)
    drawn(figure, tmp_path / "a.png")


def test_axes_and_key():
    plot = plots.blank_figure(300).subplots()
    plot.plot([0, 1], [0, 1], label="$a")
    plots.name_plot(plot, "Loss")
    plots.finish_axes(plot, "step", "per cent")
    plots.add_key(plot, "upper left")
    assert plot.get_title(loc="left") == "Loss"
    assert (plot.get_xlabel(), plot.get_ylabel()) == ("step", "per cent")
    seen = {side for side, spine in plot.spines.items() if spine.get_visible()}
    assert seen == {"left", "bottom"}
    (text,) = plot.get_legend().get_texts()
    assert not text.get_parse_math()


@pytest.mark.parametrize(("grid", "upright"), [("both", True), ("y", False)])
def test_the_grid_goes_both_ways_or_one(grid, upright):
    plot = plots.blank_figure(300).subplots()
    plots.finish_axes(plot, "x", "y", grid=grid)
    assert plot.yaxis.get_gridlines()[0].get_visible()
    assert plot.xaxis.get_gridlines()[0].get_visible() is upright


def test_words_in_place_of_a_plot():
    plot = plots.blank_figure(300).subplots()
    plots.say_instead(plot, "not known")
    assert [text.get_text() for text in plot.texts] == ["not known"]
    assert (list(plot.get_xticks()), list(plot.get_yticks())) == ([], [])


def test_an_existing_picture_stays(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        plots.save_figure(plots.blank_figure(10), path, overwrite=False)
    assert path.read_bytes() == b"mine"
    plots.save_figure(plots.blank_figure(10), path, overwrite=True)
    first = path.read_bytes()
    plots.save_figure(plots.blank_figure(10), path, overwrite=True)
    assert path.read_bytes() == first


def test_matplotlib_is_not_imported_before_a_figure_is_asked_for():
    script = "import sys, person.plots; sys.exit('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_FOLDER)
    assert done.returncode == 0
