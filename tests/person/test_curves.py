"""Curves: a picture comes out whatever was measured, and the same one each time."""

import re

import cv2
import numpy as np
import pytest

from everyid.errors import OutputExistsError, ShapeError
from everyid.settings import tame_matplotlib
from person.curves import draw_curves, draw_similarities
from person.verification import Samples, verify, verify_pairs

CMC = np.array([0.5, 0.75, 0.8, 0.9, 1.0])


def measured(count, identities, *, noise=1.0):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, identities), 16))

    def rows(number):
        ids = rng.integers(0, identities, number) if identities else np.arange(number)
        vectors = centres[ids % len(centres)] + noise * rng.normal(size=(number, 16))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Samples(vectors.astype(np.float32), ids)

    return verify(rows(count), rows(3 * count))


def drawn(path, **given):
    options = {"cmc": CMC, "verification": None, "title": "t", "overwrite": False}
    draw_curves(path, **{**options, **given})
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 1500
    return picture


@pytest.fixture
def texts(monkeypatch):
    """The words of the picture, from legends and plots."""
    tame_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    found = []
    save = Figure.savefig

    def remember(figure, *args, **named):
        found[:] = [text.get_text() for text in figure.findobj(Text) if text.get_text()]
        save(figure, *args, **named)

    monkeypatch.setattr(Figure, "savefig", remember)
    return found


@pytest.mark.parametrize("noise", [0.0, 0.01, 1.0, 30.0])
def test_figures_are_in_the_picture(tmp_path, texts, noise):
    verification = measured(60, 6, noise=noise)
    drawn(tmp_path / "a.png", verification=verification, title="Market-1501 standard")
    words = " | ".join(texts)
    assert "Rank-1  50.0 %" in words
    assert "Rank-5  100.0 %" in words
    assert "Rank-10" not in words
    assert f"AUC  {verification.auc:.4f}" in words
    assert f"EER  {100 * verification.eer:.2f} %" in words
    assert f"EER threshold  {verification.eer_threshold:.3f}" in words
    assert f"same  {verification.same_count:,} pairs" in words
    assert f"different  {verification.different_count:,} pairs" in words
    assert "Market-1501 standard" in words
    assert re.search(r"TPR at FPR 0\.001  [\d.]+ %", words)
    assert "FPR 0.0001" not in words  # 9,000 pairs cannot measure it


@pytest.mark.parametrize(
    ("verification", "reasons"),
    [
        (None, ["no curve: not measured", "no similarities: not measured"]),
        (measured(0, 1), ["no curve: no pairs", "no similarities: no pairs"]),
        (measured(5, 1), ["no curve: no pair of two different identities"]),
    ],
)
def test_what_is_missing_is_said(tmp_path, texts, verification, reasons):
    drawn(tmp_path / "a.png", verification=verification)
    said = [text for text in texts if text.startswith("no ")]
    assert said == reasons


@pytest.mark.parametrize("cmc", [np.zeros(1), np.ones(1), np.ones(3), np.linspace(0, 1, 400)])
def test_any_number_of_ranks(tmp_path, cmc):
    drawn(tmp_path / "a.png", cmc=cmc, verification=measured(3, 2))


def test_the_same_picture_each_time(tmp_path):
    verification = measured(20, 4)
    for name in ("a.png", "b.png"):
        drawn(tmp_path / name, verification=verification)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_title_of_any_letters_and_length_is_drawn(tmp_path, texts):
    short = drawn(tmp_path / "a.png", title="t")
    long = drawn(tmp_path / "b.png", title="$x_1 \\frac{ 日本 \n" * 60)
    assert long.shape[0] > short.shape[0] + 100
    assert any(r"\u65e5\u672c" in text for text in texts)
    assert (long[:, -20:] == 255).all()


def test_an_existing_file_stays(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match=r"a\.png exists already"):
        drawn(path)
    assert path.read_text() == "old"
    drawn(path, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("cmc", [np.empty(0), np.ones((2, 2)), np.ones(3, np.float32)])
def test_a_cmc_that_is_none(tmp_path, cmc):
    with pytest.raises(ShapeError, match=r"cmc: expected float64 \(K,\), got"):
        drawn(tmp_path / "a.png", cmc=cmc)


def test_the_similarities_of_two_networks_stand_side_by_side(tmp_path, texts):
    one = verify_pairs(np.array([0.9, 0.8], np.float32), np.array([0.1, 0.85], np.float32))
    other = verify_pairs(np.array([0.9, 0.8], np.float32), np.array([0.1], np.float32))
    path = tmp_path / "a.png"
    draw_similarities(path, {"start": one, "adapted": other}, title="hall", overwrite=False)
    assert cv2.imread(str(path)).shape[1] == 1500
    assert {"hall", "start", "adapted", "different  2 pairs", "different  1 pairs"} <= {*texts}
    with pytest.raises(OutputExistsError, match=r"a\.png exists already"):
        draw_similarities(path, {"start": one}, title="hall", overwrite=False)
