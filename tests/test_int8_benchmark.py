"""The benchmark of int8: speeds in turn, and the record of what is offered."""

import pytest

from benchmarks import int8
from benchmarks.int8 import IMAGES, main, record, speeds
from person import quantisation
from person.quantisation import Figures, Offers, QuantisedFigures, offers


def figures(name, rank_1):
    both = Figures(rank_1=rank_1, mean_average_precision=0.5)
    return QuantisedFigures(
        name=name,
        sha256="a" * 64,
        fp32=both,
        int8=both,
        across=rank_1,
        data="people",
        calibration_sha256="b" * 64,
        versions={},
    )


def test_speeds_are_medians_of_ratios_in_turn(monkeypatch):
    clock, seconds = [0.0], {"slow": [9, 4, 8, 2], "quick": [9, 2, 2, 2]}
    order = []

    def side(name):
        def run():
            order.append(name)
            clock[0] += seconds[name][order.count(name) - 1]

        return run

    monkeypatch.setattr(int8.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(int8.time, "process_time", lambda: clock[0] / 2)
    found = speeds({name: side(name) for name in seconds}, 3)
    assert order == ["slow", "quick"] * 4
    assert found["slow"] == {"images_per_s": IMAGES / 4, "ratio": 1.0, "cpu_ratio": 1.0}
    assert found["quick"] == {"images_per_s": IMAGES / 2, "ratio": 2.0, "cpu_ratio": 2.0}


def test_a_record_keeps_what_was_not_measured_again(tmp_path, monkeypatch):
    place = tmp_path / "offers.json"
    before = Offers(networks=[figures("one", 0.5), figures("two", 0.6)])
    place.write_text(before.model_dump_json())
    monkeypatch.setattr(quantisation, "OFFERS_FILE", place)
    record([figures("two", 0.7), figures("three", 0.8)])
    found = [(one.name, one.fp32.rank_1) for one in offers().networks]
    assert found == [("one", 0.5), ("three", 0.8), ("two", 0.7)]


def test_a_record_needs_data(capsys):
    with pytest.raises(SystemExit):
        main(["--record"])
    assert "--record needs --data" in capsys.readouterr().err
