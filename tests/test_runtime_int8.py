"""int8 in the runtime: close to floats, quantised once, kept on disk and made again if damaged."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from everyid import output, runtime
from everyid.device import Device
from everyid.errors import ConfigError
from everyid.graphs import graph_of_module
from everyid.quantise import Calibration
from everyid.runtime import NetworkSource, Preprocessing, compile_network
from everyid.settings import PROJECT_FOLDER, settings

SIZE = (32, 16)
CPU = Device(kind="cpu", index=0, precision="int8", threads=1, name="test")
RGB = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, 8)

    def forward(self, x):
        return self.head(torch.relu(self.stem(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Small().eval()


def images(count, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 2, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    output.quiet(enabled=False)
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch):
    """Counts the quantisings, and leaves them out: this is about what is kept."""
    made = []

    def quantised(graph, images, *, prepare, name):
        made.append(prepare(images[:1]))
        return graph

    monkeypatch.setattr(runtime, "quantised", quantised)
    return made


def build(model, *, device=CPU, key="crops", cache_key="small", **changes):
    options = {"device": device, "preprocessing": RGB, "size_hw": SIZE, "cache_key": cache_key}
    options["calibration"] = Calibration(key, lambda: images(6))
    return compile_network(lambda: NetworkSource(model, {"width": 8}), **options | changes)


def cosines(one, other):
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(1) / norms


@pytest.mark.usefixtures("cache")
def test_int8_is_close_to_fp32_with_the_same_preprocessing(small, capfd):
    (found,) = build(small)(images(5, seed=1))
    floats = build(small, device=replace(CPU, precision="fp32"), calibration=None)
    (wanted,) = floats(images(5, seed=1))
    assert found.dtype == np.float32
    assert (cosines(found, wanted) > 0.99).all()
    assert not np.array_equal(found, wanted)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "Small: quantising to int8, once; this takes a minute or more\n"


def test_int8_needs_pictures(small):
    with pytest.raises(ConfigError, match=r"^expected pictures to calibrate int8 with, got none$"):
        build(small, calibration=None)


@pytest.mark.usefixtures("cache")
def test_the_calibration_sees_what_the_network_gets(small, counted):
    build(small)
    channels = images(6)[:1, ..., ::-1].transpose(0, 3, 1, 2) / 255
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (RGB.mean, RGB.std))
    np.testing.assert_allclose(counted[0], (channels - mean) / std, atol=1e-5)


def refuse():
    raise RuntimeError("the source was made again")


def test_the_second_start_needs_neither_source_nor_pictures(small, cache, counted, capsys):
    first = build(small)
    capsys.readouterr()
    options = {"device": CPU, "preprocessing": RGB, "size_hw": SIZE, "cache_key": "small"}
    options["calibration"] = Calibration("crops", refuse)
    for threads in (1, 2):  # with other threads it is compiled again, but not quantised
        device = replace(CPU, threads=threads)
        again = compile_network(refuse, **options | {"device": device})
        np.testing.assert_array_equal(again(images(2))[0], first(images(2))[0])
        assert again.metadata == {"width": 8}
    assert len(counted) == 1
    assert capsys.readouterr().err == ""
    assert len(list(cache.rglob("*.graph"))) == 1
    assert len(list(cache.rglob("*.blob"))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "other crops"},
        {"cache_key": "other weights"},
        {"preprocessing": Preprocessing(colour="bgr")},
        {"size_hw": (16, 16), "calibration": Calibration("crops", lambda: images(2)[:, :16])},
    ],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.usefixtures("cache")
def test_whatever_changes_the_network_quantises_it_again(small, counted, changes):
    build(small)
    build(small, **changes)
    assert len(counted) == 2


@pytest.mark.usefixtures("cache")
def test_without_a_key_nothing_is_kept(small, counted):
    build(small, cache_key=None)
    build(small, cache_key=None)
    assert len(counted) == 2


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-1], lambda c: c + b"x"])
def test_a_damaged_entry_is_made_again(small, cache, counted, capsys, damage):
    wanted = build(small)(images(2))[0]
    for entry in list(cache.rglob("*.graph")) + list(cache.rglob("*.blob")):
        entry.write_bytes(damage(entry.read_bytes()))
    found = build(small)
    assert len(counted) == 2
    assert capsys.readouterr().err.count("unusable (checksum differs); making it again") == 2
    np.testing.assert_array_equal(found(images(2))[0], wanted)
    build(small)
    assert len(counted) == 2


def test_several_at_once_leave_one_whole_entry(small, cache, counted, tmp_path):
    path = tmp_path / "small.xml"  # torch traces one network at a time, OpenVINO reads many
    openvino.save_model(graph_of_module(small, list(SIZE), example_hw=SIZE), path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: build(path)(images(2))[0], range(4)))
    assert all(np.array_equal(one, found[0]) for one in found)
    names = sorted(path.suffix for path in cache.rglob("*") if path.is_file())
    assert names == [".blob", ".graph"]
    quantisings = len(counted)
    build(path)
    assert len(counted) == quantisings


SECOND_START = f"""
import sys
from pathlib import Path
from everyid.device import Device
from everyid.graphs import graph_of_module
from everyid.quantise import Calibration
from everyid.runtime import Preprocessing, compile_network
network = compile_network(
    None,
    device=Device(kind="cpu", index=0, precision="int8", threads=1, name="test"),
    preprocessing={RGB!r},
    size_hw={SIZE!r},
    cache_key="small",
    calibration=Calibration("crops", None),
)
print(network.metadata, sorted({{"nncf", "torch"}} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_kept_network_starts_without_nncf(small, cache, counted):
    build(small)
    done = subprocess.run(
        [sys.executable, "-c", SECOND_START], cwd=PROJECT_FOLDER, capture_output=True, text=True,
        check=False, env={"EVERYID_CACHE": str(cache), "PATH": ""},
    )  # fmt: skip
    assert done.stdout == "{'width': 8} []\n", done.stderr
