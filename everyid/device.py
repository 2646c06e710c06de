"""Which device runs the networks, in which precision, with how many threads.

The only file that asks torch about devices. torch is imported only when a driver that it could
use is present, so that a machine without a GPU starts quickly.
"""

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from everyid.errors import DeviceError
from everyid.settings import settings, tame_openvino

__all__ = [
    "Device",
    "Precision",
    "available",
    "choose",
    "cpu_threads",
    "make_current",
    "multiplies_int8",
]

Precision = Literal["fp32", "bf16", "fp16", "int8"]
_KINDS = ("auto", "cpu", "cuda", "mps")
_INT8_FEATURES = {
    *("amx_int8", "avx512_vnni", "avx_vnni"),  # x86-64
    *("asimddp", "i8mm"),  # 64-bit ARM
}
"""Instructions that multiply 8-bit integers and add them up, as Linux calls them."""


@dataclass(frozen=True, slots=True)
class Device:
    """A chosen device.

    Args:
        kind: "cuda", "mps" or "cpu".
        index: Which one of several CUDA devices; 0 for the others.
        precision: What networks compute in.
        threads: CPU threads that inference may use.
        name: For people, as the driver or the processor calls it.
    """

    kind: Literal["cuda", "mps", "cpu"]
    index: int
    precision: Precision
    threads: int
    name: str

    @property
    def torch_name(self) -> str:
        """The name torch knows it by, such as ``cuda:0``."""
        return f"cuda:{self.index}" if self.kind == "cuda" else self.kind

    def __str__(self) -> str:
        threads = f", {self.threads} threads" if self.kind == "cpu" else ""
        return f"{self.torch_name} ({self.name}), {self.precision}{threads}"


def cpu_threads() -> int:
    """How many CPU threads this process may use: EVERYID_THREADS, else its share of the cores."""
    limit = settings().threads
    if limit is not None:
        return limit
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _cgroup_cores() or cores))


def _cgroup_cores() -> int | None:
    """The CPU quota of the container, rounded up, or None."""
    quota_file = Path("/sys/fs/cgroup/cpu.max")
    if not quota_file.is_file():
        return None
    quota, period = quota_file.read_text().split()
    return None if quota == "max" else max(1, -(-int(quota) // int(period)))


@lru_cache(maxsize=1)
def _gpu_driver_present() -> bool:
    """Whether a driver that torch could use is installed; cheap, without torch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if Path("/dev/kfd").exists():  # ROCm answers as "cuda" in torch
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def available() -> dict[str, str]:
    """The devices of this machine, name -> description, best first; "cpu" is always last."""
    devices: dict[str, str] = {}
    if _gpu_driver_present():
        import torch

        for index in range(torch.cuda.device_count()):
            devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
        if torch.backends.mps.is_available():
            devices["mps"] = "Apple GPU"
    devices["cpu"] = _cpu_name()
    return devices


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    return platform.processor() or platform.machine()


@lru_cache(maxsize=1)
def _cpu_has_bf16() -> bool:
    tame_openvino()
    import openvino

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def multiplies_int8() -> bool | None:
    """Whether the processor has instructions for int8; None: this system does not say.

    openvino does not say either: it names INT8 among the abilities of every CPU.
    """
    if sys.platform == "darwin":
        return True if platform.machine() == "arm64" else None
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return None
    for line in info.read_text().splitlines():
        key, _, words = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return not _INT8_FEATURES.isdisjoint(words.split())
    return None


def _best_precision(kind: str, index: int) -> Precision:
    if kind == "cpu":
        return "bf16" if _cpu_has_bf16() else "fp32"
    if kind == "cuda":
        import torch

        with torch.cuda.device(index):
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "fp32"


def _resolve(wanted: str) -> str:
    """The full name of the wanted device, such as ``cuda:0``."""
    kind, colon, number = wanted.partition(":")
    if kind not in _KINDS or (colon and (kind != "cuda" or not number.isdecimal())):
        raise DeviceError(f"--device {wanted}: expected auto, cpu, cuda, cuda:N or mps")
    if kind == "cpu":
        return "cpu"
    there = available()
    if kind == "auto":
        return next(iter(there))
    name = f"cuda:{int(number or 0)}" if kind == "cuda" else kind
    if name not in there:
        listed = ", ".join(f"{key} ({value})" for key, value in there.items())
        raise DeviceError(
            f"--device {wanted}: not on this machine; there is {listed}",
            hint="leave --device out to take the best one",
        )
    return name


def choose(wanted: str = "auto", *, precision: Precision | Literal["auto"] = "auto") -> Device:
    """The device to run on: CUDA, then MPS, then CPU for "auto".

    Args:
        wanted: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto" takes bf16 where the hardware has it (fp16 on older CUDA cards), fp32
            elsewhere.

    Raises:
        DeviceError: No such device here (the message lists those there are), fp16 on a CPU, or
            int8 on anything else.
    """
    name = _resolve(wanted)
    kind, _, number = name.partition(":")
    index = int(number or 0)
    if precision == "fp16" and kind == "cpu":
        raise DeviceError(
            "precision fp16 is for GPUs; a CPU computes in fp32, bf16 or int8",
            hint="leave the precision out to take the best one",
        )
    if precision == "int8" and kind != "cpu":
        raise DeviceError(
            f"precision int8 is for CPUs; {name} computes in fp32, bf16 or fp16",
            hint="add --device cpu, or leave the precision out to take the best one",
        )
    chosen = _best_precision(kind, index) if precision == "auto" else precision
    description = available()[name] if kind != "cpu" else _cpu_name()
    return Device(
        kind=kind,  # type: ignore[arg-type]  # _resolve gives one of the three
        index=index,
        precision=chosen,
        threads=cpu_threads(),
        name=description,
    )


def make_current(device: Device) -> None:
    """Makes a CUDA device the one that libraries take when they are told none.

    Args:
        device: Others have no such thing and stay as they are.
    """
    if device.kind == "cuda":
        import torch

        torch.cuda.set_device(device.index)
