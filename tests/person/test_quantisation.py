"""int8 for encoders: for which networks it is offered, and what they are calibrated with."""

import numpy as np
import pytest
from pydantic import ValidationError

from everyid import output
from everyid.device import choose
from everyid.errors import ConfigError, DeviceError
from everyid.settings import settings
from everyid.weights import entries, sha256_of
from everyid.weights_catalogue import InputSpec
from person import backbones, quantisation
from person.encoder import EncoderOptions, build_encoder
from person.quantisation import (
    CROPS_FILE,
    Figures,
    Offers,
    QuantisedFigures,
    calibration_crops,
    calibration_of,
    int8_calibration,
    offers,
)
from tests.person.tiny_backbone import SIZE, tiny

SPEC = InputSpec(size_hw=SIZE, colour="rgb", scale=255, resize="bilinear")
SHA256 = "a" * 64


def figures(fp32=0.9, int8=0.9, across=0.9, sha256=SHA256):
    return QuantisedFigures(
        name="ours",
        sha256=sha256,
        fp32=Figures(rank_1=fp32, mean_average_precision=0.8),
        int8=Figures(rank_1=int8, mean_average_precision=0.8),
        across=across,
        data="people of the tests",
        calibration_sha256=SHA256,
        versions={},
    )


@pytest.fixture(autouse=True)
def _heard():
    output.quiet(enabled=False)


@pytest.fixture
def measured(monkeypatch):
    """Makes some figures those that are recorded."""

    def measured(*networks):
        found = Offers(networks=list(networks))
        monkeypatch.setattr(quantisation, "offers", lambda: found)

    return measured


# What is recorded


def test_the_record_is_of_the_pictures_and_weights_that_ship():
    found = offers()
    hint = "measure again: python -m benchmarks int8 --data FOLDER --record, see benchmarks/README"
    assert {one.calibration_sha256 for one in found.networks} == {sha256_of(CROPS_FILE)}, hint
    known = {item.sha256 for entry in entries() for item in entry.files if entry.task == "reid"}
    assert {one.sha256 for one in found.networks} <= known, hint
    default = next(entry for entry in entries() if entry.name == "everyid-cnn")
    assert default.sha256 in {one.sha256 for one in found.networks}, hint


@pytest.mark.parametrize(
    ("lost", "offered"), [(-0.01, True), (0.0, True), (0.005, True), (0.0075, False)]
)
def test_half_a_point_of_rank_1_may_be_lost(lost, offered):
    assert figures(int8=0.9 - lost).offered is offered
    assert figures(across=0.9 - lost).offered is offered
    assert figures(int8=0.9 - lost).lost == pytest.approx(max(lost, 0))


def test_a_wrong_share_is_refused():
    with pytest.raises(ValidationError):
        figures(fp32=90.5)


# The pictures


def test_the_pictures_are_few_and_small():
    crops = calibration_crops()
    assert 100 <= len(crops) <= 300
    assert all(crop.dtype == np.uint8 and crop.ndim == 3 for crop in crops)
    assert CROPS_FILE.stat().st_size < 1_500_000


def test_they_come_in_the_size_of_the_network():
    found = calibration_of(SIZE, "linear").images()
    assert found.shape == (len(calibration_crops()), *SIZE, 3)
    assert found.dtype == np.uint8
    keys = {calibration_of(SIZE, way).key for way in ("linear", "bilinear", "linear")}
    assert len(keys) == 2


# For which networks


def test_an_offered_network_is_told_its_cost(measured, capsys):
    measured(figures(int8=0.8975, across=0.8950))
    int8_calibration("ours", SHA256, SPEC)
    expected = (
        "ours: Rank-1 90.00 % in fp32, 89.75 % in int8, 89.50 % from int8 to fp32 "
        "(people of the tests)\n"
    )
    assert capsys.readouterr().err.startswith(expected)


def test_a_network_that_loses_too_much_is_refused(measured):
    measured(figures(int8=0.8875))
    expected = (
        r"^ours: int8 is not offered for this network, for it may cost 0\.5 points and costs "
        r"1\.25: Rank-1 90\.00 % in fp32, 88\.75 % in int8"
    )
    with pytest.raises(ConfigError, match=expected) as caught:
        int8_calibration("ours", SHA256, SPEC)
    assert caught.value.hint.startswith("leave --precision out")


def test_what_was_not_measured_is_said_with_the_command_that_measures(measured, capsys):
    measured(figures(sha256="b" * 64))
    int8_calibration("mine", SHA256, SPEC)
    told = capsys.readouterr().err
    assert told.startswith("mine: what int8 costs this network was not measured; ")
    assert "person evaluate --precision int8" in told


@pytest.mark.parametrize(("has", "told"), [(True, False), (None, False), (False, True)])
def test_a_processor_that_is_slow_at_int8_is_told(measured, monkeypatch, capsys, has, told):
    measured(figures())
    monkeypatch.setattr(quantisation, "multiplies_int8", lambda: has)
    int8_calibration("ours", SHA256, SPEC)
    assert ("no instructions for int8" in capsys.readouterr().err) is told


# As an encoder


def test_an_encoder_in_int8_is_close_to_one_in_fp32(tmp_path, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(backbones, "ARCHITECTURES", {"tiny": "tests.person.tiny_backbone"})
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    path = tmp_path / "mine.pth"
    torch.save(tiny().state_dict(), path)
    found = {}
    for precision in ("fp32", "int8"):
        options = EncoderOptions(precision=precision)
        encoder = build_encoder(str(path), device=choose("cpu"), options=options)
        found[precision] = encoder.encode(calibration_crops()[:8])
    assert not np.array_equal(found["fp32"], found["int8"])
    assert ((found["fp32"] * found["int8"]).sum(axis=1) > 0.98).all()
    told = capsys.readouterr()
    assert told.out == ""
    assert "mine: what int8 costs this network was not measured" in told.err


def test_int8_is_refused_on_a_gpu(monkeypatch):
    monkeypatch.setattr("everyid.device.available", lambda: {"cuda:0": "card", "cpu": "processor"})
    with pytest.raises(
        DeviceError, match=r"^precision int8 is for CPUs; cuda:0 computes"
    ) as caught:
        choose("cuda", precision="int8")
    assert "--device cpu" in caught.value.hint
