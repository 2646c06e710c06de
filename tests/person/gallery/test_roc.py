"""The picture of a calibration."""

import cv2
import numpy as np
import pytest

from everyid.errors import ConfigError, OutputExistsError
from everyid.settings import tame_matplotlib
from person.gallery.calibration import calibrate
from person.gallery.roc import draw_roc


def learnt(same, different):
    return calibrate(
        np.asarray(same, np.float32),
        np.asarray(different, np.float32),
        model="tiny",
        model_sha256="",
        data="drawn $by chance 日本 " * 12,
    )


RNG = np.random.default_rng(0)
USUAL = learnt(RNG.uniform(0.3, 1, 300), RNG.uniform(-0.2, 0.6, 900))


def test_thresholds_are_in_the_picture(tmp_path, monkeypatch):
    tame_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    words = []
    save = Figure.savefig

    def remember(figure, *args, **named):
        words.extend(text.get_text() for text in figure.findobj(Text))
        save(figure, *args, **named)

    monkeypatch.setattr(Figure, "savefig", remember)
    draw_roc(tmp_path / "a.png", USUAL, vectors=50)
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 1500
    said = " | ".join(words)
    for percent, rate in (("10", 0.1), ("1", 0.01), ("0.1", 0.001)):
        threshold = USUAL.threshold(rate, vectors=50)
        assert f"{percent} % against 50 unlike vectors: from {threshold:.3f}" in said
    assert "300 pairs of the same and 900 of different people" in said


@pytest.mark.parametrize(
    "odd",
    [
        learnt(np.full(20, 1.0), np.full(20, -1.0)),
        learnt(np.full(20, 1.0), np.full(20, 0.99)),
        learnt(np.linspace(0, 1, 20), np.linspace(-0.1, 0.99, 20)),
    ],
)
def test_any_calibration_is_drawn(tmp_path, odd):
    draw_roc(tmp_path / "a.png", odd, vectors=10**6)
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_an_existing_file_stays(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match=r"a\.png exists already"):
        draw_roc(path, USUAL)
    assert path.read_text() == "old"
    draw_roc(path, USUAL, overwrite=True)


def test_a_gallery_of_nobody(tmp_path):
    with pytest.raises(ConfigError, match=r"vectors: expected 1 or more, got 0"):
        draw_roc(tmp_path / "a.png", USUAL, vectors=0)
