"""History: the table a user opens, what a killed run leaves of it, TensorBoard, and the picture."""

import math

import cv2
import pytest

from everyid.errors import ConfigError, InputError, OutputError, OutputExistsError
from everyid.settings import tame_matplotlib
from person.training import history as module
from person.training.history import History, draw_history, read_history

HEADER = (
    "step,epoch,images_seen,learning_rate,loss,loss/identity,loss/triplet,"
    "gradient_norm,images_per_s,waited_share,rank_1/market,mean_average_precision/market"
)


def logged(number, **more):
    return {
        "epoch": number / 100,
        "images_seen": 64 * number,
        "learning_rate": 3.5e-4,
        "loss": 10 / number,
        "loss/identity": 7 / number,
        "loss/triplet": 3 / number,
        "gradient_norm": 2.5,
        "images_per_s": 812.25,
        "waited_share": 0.01,
        **more,
    }


def history(folder, **options):
    names = {"loss_parts": ("identity", "triplet"), "yardsticks": ("market",), **options}
    return History(folder, **names)


def written(folder, steps):
    with history(folder) as found:
        for step in steps:
            found.append(step, logged(step))
    return folder / "history.csv"


def scalars(path):
    """Tag -> step -> value of one of TensorBoard's files, and the steps it has purged from."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found, purged = {}, []
    for event in LegacyEventFileLoader(str(path)).Load():
        if event.HasField("session_log"):
            purged.append(event.step)
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found, purged


def test_one_row_a_step_and_nothing_where_nothing_was_measured(tmp_path):
    with history(tmp_path) as found:
        found.append(20, logged(20))
        found.append(30, {"rank_1/market": 0.5, "mean_average_precision/market": 1 / 3})
        found.append(40, {"loss": math.nan, "gradient_norm": math.inf, "images_seen": 123456789})
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        HEADER,
        "20,0.2,1280,0.00035,0.5,0.35,0.15,2.5,812.25,0.01,,",
        "30,,,,,,,,,,0.5,0.3333333",
        "40,,123456789,,nan,,,inf,,,,",
    ]


def test_a_row_is_on_the_disk_when_append_returns(tmp_path):
    with history(tmp_path) as found:
        found.append(1, logged(1))
        assert read_history(tmp_path / "history.csv") == [{"step": 1, **logged(1)}]
        assert found.rows == read_history(tmp_path / "history.csv")


def test_a_validation_joins_the_row_of_its_step(tmp_path):
    with history(tmp_path) as found:
        found.append(1, logged(1))
        found.append(2, logged(2))
        found.append(2, {"rank_1/market": 0.25})
        found.append(3, logged(3))
    rows = read_history(tmp_path / "history.csv")
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1] == {"step": 2, **logged(2), "rank_1/market": 0.25}


def test_a_later_value_of_a_step_takes_the_place_of_the_first(tmp_path):
    with history(tmp_path) as found:
        found.append(1, {"loss": 0.123456})
        found.append(1, {"loss": 5})
    assert (tmp_path / "history.csv").read_text().splitlines()[1:] == ["1,,,,5,,,,,,,"]


def test_resuming_cuts_off_what_came_after(tmp_path):
    path = written(tmp_path, [10, 20, 30, 40])
    before = path.read_text().splitlines()
    with history(tmp_path, resume_step=20) as found:
        assert [row["step"] for row in found.rows] == [10, 20]
        assert path.read_text().splitlines() == before[:3]
        found.append(20, {"rank_1/market": 0.75})
        found.append(30, logged(30, loss=77))
    after = path.read_text().splitlines()
    assert after[:2] == before[:2]
    assert after[2] == f"{before[2][:-1]}0.75,"
    assert [row["loss"] for row in read_history(path)] == [1, 0.5, 77]
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["history.csv"]


@pytest.mark.parametrize("cut", [1, 2, 9, 30, 48, 80])
def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path, cut):
    path = written(tmp_path, [10, 20, 30])
    left = path.read_bytes()[:-cut]
    path.write_bytes(left)
    expected = [10, 20, 30][: left.count(b"\n") - 1]
    with history(tmp_path, resume_step=100) as found:
        assert [row["step"] for row in found.rows] == expected
        found.append(101, logged(101))
    assert [row["step"] for row in read_history(path)] == [*expected, 101]


def test_what_is_left_of_a_line_that_was_being_replaced_is_dropped(tmp_path):
    path = written(tmp_path, [10, 20])
    path.write_text(path.read_text() + "5,0.01\n")
    assert [row["step"] for row in read_history(path)] == [10, 20]


@pytest.mark.parametrize("left", ["", "step,ep", None])
def test_a_history_killed_at_its_start_or_lost_begins_anew(tmp_path, left):
    if left is not None:
        (tmp_path / "history.csv").write_text(left)
    with history(tmp_path, resume_step=5) as found:
        found.append(6, logged(6))
    assert (tmp_path / "history.csv").read_text().startswith(f"{HEADER}\n6,")


def test_a_history_of_other_columns_is_not_resumed(tmp_path):
    path = written(tmp_path, [10])
    before = path.read_text()
    expected = r"history\.csv: expected the columns step,.*loss/circle.*, found step,.*loss/triplet"
    with pytest.raises(ConfigError, match=expected) as caught:
        history(tmp_path, loss_parts=("circle",), resume_step=10)
    assert "begin a new run" in caught.value.hint
    assert path.read_text() == before


@pytest.mark.parametrize("line", ["20,0.2", "20,,,,much,,,,,,,", "", ",,,,,,,,,,,"])
def test_a_broken_line_in_the_middle_is_named(tmp_path, line):
    path = written(tmp_path, [10, 30])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, lines[2], ""]))
    with pytest.raises(InputError, match=rf"history\.csv:3: expected 12 numbers, got '{line}'$"):
        read_history(path)


def test_no_history(tmp_path):
    with pytest.raises(InputError, match=r"history\.csv: no such file"):
        read_history(tmp_path / "history.csv")


def test_a_history_that_is_there_stays(tmp_path):
    path = written(tmp_path, [10])
    with pytest.raises(OutputExistsError, match=r"history\.csv exists already"):
        history(tmp_path)
    assert len(read_history(path)) == 1
    with history(tmp_path, overwrite=True) as found:
        assert found.rows == []
    assert read_history(path) == []
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_steps_rise(tmp_path):
    with history(tmp_path) as found:
        found.append(10, logged(10))
        with pytest.raises(InputError, match=r"^history: expected a step of 10 or later, got 9$"):
            found.append(9, logged(9))


@pytest.mark.parametrize("name", ["loss/circle", "step"])
def test_columns_are_fixed(tmp_path, name):
    with (
        history(tmp_path) as found,
        pytest.raises(InputError, match=rf"^history: expected columns of epoch, .*, got {name}$"),
    ):
        found.append(1, {"loss": 1, name: 2})


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*history\.csv: No such file"):
        history(tmp_path / "missing")


def test_tensorboard_gets_the_same_and_forgets_what_is_repeated(tmp_path, caplog):
    written(tmp_path, [1, 2, 3])
    (first,) = (tmp_path / "tensorboard").iterdir()
    values, purged = scalars(first)
    assert values["loss/triplet"] == pytest.approx({1: 3, 2: 1.5, 3: 1})
    assert set(values) == set(HEADER.split(",")[1:10])
    assert purged == []
    with history(tmp_path, resume_step=2) as found:
        found.append(3, {"rank_1/market": 0.5, "loss": math.nan})
    (second,) = set((tmp_path / "tensorboard").iterdir()) - {first}
    values, purged = scalars(second)
    assert values["rank_1/market"] == {3: 0.5}
    assert math.isnan(values["loss"][3])
    assert purged == [3]
    assert caplog.text == ""


@pytest.fixture
def texts(monkeypatch):
    """The words of the picture."""
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


def row(step, **more):
    return {"step": step, **logged(step), **more}


def drawn(path, rows):
    draw_history(path, rows)
    assert cv2.imread(str(path)).shape == (486, 1500, 3)


def test_the_picture_says_what_was_reached(tmp_path, texts):
    rows = [row(step) for step in range(1, 200)]
    measures = {"mean_average_precision/night": 0.5, "rank_1/night": 0.7}
    rows[50] |= measures
    rows[100] |= {**measures, "mean_average_precision/night": 0.625}
    rows[150] |= {**measures, "mean_average_precision/night": 0.6}
    drawn(tmp_path / "a.png", rows)
    for words in ("all  0.05025", "identity  0.03518", "triplet  0.01508", "now  0.00035"):
        assert words in texts
    assert "mAP  night  62.5" in texts
    assert "Rank-1  night  70.0" in texts
    assert not [text for text in texts if text.startswith("no ")]


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([], ["no loss yet", "no learning rate yet", "no validation yet"]),
        ([row(1)], ["no validation yet"]),
        ([{"step": 3, "rank_1/a": 0.1}], ["no loss yet", "no learning rate yet"]),
    ],
)
def test_what_is_missing_is_said(tmp_path, texts, rows, missing):
    drawn(tmp_path / "a.png", rows)
    assert [text for text in texts if text.startswith("no ")] == missing


def test_a_loss_that_is_not_finite_is_said(tmp_path, texts):
    rows = [row(1), row(2, loss=math.nan), row(3, loss=math.inf), row(4)]
    drawn(tmp_path / "a.png", rows)
    assert "all  2.5, not finite 2 times" in texts
    drawn(tmp_path / "a.png", rows[1:2])
    assert "all, not finite 1 times" in texts


def test_names_of_any_letters_are_drawn(tmp_path, texts):
    drawn(tmp_path / "a.png", [{"step": 1, "rank_1/$x_1 \\frac{ 日本": 0.5}])
    assert r"Rank-1  $x_1 \frac{ \u65e5\u672c  50.0" in texts


def test_an_older_picture_is_replaced(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")
    drawn(path, [row(1)])
    first = path.read_bytes()
    drawn(path, [row(1)])
    assert path.read_bytes() == first


def test_of_one_step_the_axes_name_no_other(tmp_path, monkeypatch):
    seen = {}
    real = module.save_figure

    def watched(figure, path, *, overwrite):
        for plot in figure.axes[:2]:
            seen[plot.get_title(loc="left")] = plot.get_xticks().tolist(), plot.get_ylim()[0]
        real(figure, path, overwrite=overwrite)

    monkeypatch.setattr(module, "save_figure", watched)
    drawn(tmp_path / "a.png", [row(20)])
    assert list(seen.values()) == [([20], 0), ([20], 0)]
    drawn(tmp_path / "b.png", [row(20), row(40)])
    assert len(next(iter(seen.values()))[0]) > 1
