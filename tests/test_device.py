"""The choice of a device, on this machine and on pretended ones."""

import contextlib
import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from everyid import device
from everyid.device import Device, available, choose, cpu_threads
from everyid.errors import DeviceError
from everyid.settings import PROJECT_FOLDER, settings


def forget():
    for asked_once in (device._gpu_driver_present, device.available, device._cpu_has_bf16):
        # A test may have put something else in its place.
        getattr(asked_once, "cache_clear", lambda: None)()


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget()
    yield
    forget()


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(device, "_gpu_driver_present", lambda: False)


@pytest.fixture
def pretend(monkeypatch):
    """Gives this machine CUDA cards, with bf16 or not, or an Apple GPU."""
    import torch

    def pretend(*, cards=(), bf16=True, mps=False):
        monkeypatch.setattr(device, "_gpu_driver_present", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: cards[index])
        monkeypatch.setattr(torch.cuda, "device", lambda index: contextlib.nullcontext())
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Gives this machine 16 cores and the container limit of its choice."""
    monkeypatch.delenv("EVERYID_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)

    def limit(text=None):
        quota = tmp_path / "cpu.max"
        if text is not None:
            quota.write_text(text)
        monkeypatch.setattr(
            device, "Path", lambda name: quota if name.endswith("/cpu.max") else Path(name)
        )

    return limit


# the CPU


def test_the_cpu_is_always_there():
    chosen = choose("cpu", precision="fp32")
    assert (chosen.kind, chosen.index, chosen.torch_name) == ("cpu", 0, "cpu")
    assert chosen.precision == "fp32"
    assert chosen.threads == cpu_threads() >= 1
    assert chosen.name


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_cpu_where_there_is_nothing_else():
    assert list(available()) == ["cpu"]
    assert choose() == choose("auto") == choose("cpu")


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_the_cpu_computes_in_bf16_where_it_can(monkeypatch, has_bf16, precision):
    monkeypatch.setattr(device, "_cpu_has_bf16", lambda: has_bf16)
    assert choose("cpu").precision == precision
    assert choose("cpu", precision="fp32").precision == "fp32"
    assert choose("cpu", precision="bf16").precision == "bf16"


def test_the_processor_is_asked_for_bf16():
    assert choose("cpu").precision in {"fp32", "bf16"}


def test_fp16_is_refused_on_a_cpu():
    with pytest.raises(DeviceError, match=r"^precision fp16 is for GPUs") as caught:
        choose("cpu", precision="fp16")
    assert caught.value.hint


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0"])
def test_int8_is_refused_on_a_card(pretend, wanted):
    pretend(cards=["A card"])
    with pytest.raises(DeviceError, match=r"^precision int8 is for CPUs; cuda:0 ") as caught:
        choose(wanted, precision="int8")
    assert "--device cpu" in caught.value.hint
    assert choose("cpu", precision="int8").precision == "int8"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_vnni\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("processor\t: 0\n", None),
        (None, None),
    ],
)
def test_whether_a_processor_knows_int8(monkeypatch, tmp_path, content, expected):
    there = tmp_path / "cpuinfo"
    if content is not None:
        there.write_text(content)
    monkeypatch.setattr(device, "Path", lambda name: there)
    monkeypatch.setattr(device.sys, "platform", "linux")
    assert device.multiplies_int8() is expected


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "gpu",
        "CPU",
        "cpu:0",
        "cpu:",
        "mps:0",
        "auto:1",
        "cuda:",
        "cuda:x",
        "cuda:-1",
        "cuda:1:2",
    ],
)
def test_unknown_names_are_refused(wanted):
    with pytest.raises(DeviceError, match=r": expected auto, cpu, cuda, cuda:N or mps$") as caught:
        choose(wanted)
    assert f"--device {wanted}:" in str(caught.value)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", "mps"])
def test_what_is_not_here_is_refused_with_what_is(wanted):
    expected = rf"^--device {wanted}: not on this machine; there is cpu \(.+\)$"
    with pytest.raises(DeviceError, match=expected) as caught:
        choose(wanted)
    assert "leave --device out" in caught.value.hint


def test_how_a_cpu_reads():
    chosen = Device(kind="cpu", index=0, precision="bf16", threads=4, name="Xeon")
    assert str(chosen) == "cpu (Xeon), bf16, 4 threads"


# threads


def test_threads_from_the_environment(monkeypatch):
    monkeypatch.setenv("EVERYID_THREADS", "5")
    settings.cache_clear()
    assert cpu_threads() == 5
    assert choose("cpu", precision="fp32").threads == 5


@pytest.mark.parametrize(
    ("limit", "threads"),
    [
        (None, 16),
        ("max 100000\n", 16),
        ("400000 100000\n", 4),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("6400000 100000\n", 16),
    ],
)
def test_threads_from_the_limit_of_the_container(machine, limit, threads):
    machine(limit)
    assert cpu_threads() == threads


def test_threads_where_the_system_knows_no_affinity(machine, monkeypatch):
    machine()
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cpu_threads() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpu_threads() == 1


# pretended GPUs


def test_cuda_comes_first(pretend):
    pretend(cards=["Card A", "Card B"], mps=True)
    assert list(available().items())[:3] == [
        ("cuda:0", "Card A"),
        ("cuda:1", "Card B"),
        ("mps", "Apple GPU"),
    ]
    assert list(available())[-1] == "cpu"
    chosen = choose()
    assert (chosen.kind, chosen.index, chosen.name) == ("cuda", 0, "Card A")
    assert choose("cuda") == chosen
    assert str(chosen) == "cuda:0 (Card A), bf16"


def test_one_card_of_several(pretend):
    pretend(cards=["Card A", "Card B"])
    chosen = choose("cuda:1")
    assert (chosen.torch_name, chosen.index, chosen.name) == ("cuda:1", 1, "Card B")
    with pytest.raises(DeviceError, match=r"there is cuda:0 \(Card A\), cuda:1 \(Card B\), cpu \("):
        choose("cuda:2")
    with pytest.raises(DeviceError, match="mps: not on this machine"):
        choose("mps")


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16"), (False, "fp16")])
def test_the_precision_of_a_card(pretend, bf16, precision):
    pretend(cards=["Card A"], bf16=bf16)
    assert choose("cuda").precision == precision
    for asked in ("fp32", "bf16", "fp16"):
        assert choose("cuda", precision=asked).precision == asked


def test_an_apple_gpu(pretend):
    pretend(mps=True)
    chosen = choose()
    assert (chosen.kind, chosen.torch_name, chosen.precision) == ("mps", "mps", "fp32")
    assert str(chosen) == "mps (Apple GPU), fp32"


def test_a_driver_without_a_card_leaves_the_cpu(pretend):
    pretend()
    assert choose("auto", precision="fp32").kind == "cpu"


def test_the_cpu_can_be_asked_for_all_the_same(pretend):
    pretend(cards=["Card A"])
    assert choose("cpu", precision="fp32").kind == "cpu"


# finding a driver


@pytest.mark.parametrize(
    ("system", "library"), [("linux", "libcuda.so.1"), ("win32", "nvcuda.dll")]
)
@pytest.mark.parametrize("there", [True, False])
def test_a_driver_is_found_by_its_library(monkeypatch, system, library, there):
    asked = []

    def load(name):
        asked.append(name)
        if not there:
            raise OSError("cannot open shared object file")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(device, "Path", lambda name: Path("/nonexistent"))
    assert device._gpu_driver_present() is there
    assert asked == [library]


@pytest.mark.parametrize(("machine", "there"), [("arm64", True), ("x86_64", False)])
def test_a_mac_has_a_gpu_for_torch_when_it_is_an_arm_one(monkeypatch, machine, there):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert device._gpu_driver_present() is there


def test_rocm_is_found_by_its_device_file(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(device, "Path", lambda name: tmp_path)
    assert device._gpu_driver_present() is True


@pytest.mark.parametrize(("wanted", "driver"), [("auto", False), ("cpu", False), ("cpu", True)])
def test_torch_is_imported_only_to_look_for_a_gpu(wanted, driver):
    code = (
        "import sys; from everyid import device\n"
        f"device._gpu_driver_present = lambda: {driver}\n"
        f"print(device.choose('{wanted}').kind, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["cpu", "False"]


@pytest.mark.gpu
def test_a_real_gpu_is_preferred():
    if list(available()) == ["cpu"]:
        pytest.skip("no GPU here")
    chosen = choose()
    assert chosen.kind in {"cuda", "mps"}
    assert chosen.torch_name == next(iter(available()))
