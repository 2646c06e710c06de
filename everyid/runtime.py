"""Compiled inference: one interface for every network of the project.

On a CPU the network becomes an OpenVINO graph, with its preprocessing inside; on CUDA and MPS it
stays a torch module (inference mode, channels_last, autocast). Both take uint8 images and have a
dynamic batch. Compiled graphs, and quantised ones before they are compiled, are kept on disk; an
entry is checked before it is used and made again when it is damaged.
"""

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device, choose
from everyid.errors import ConfigError, OutputError, ShapeError, WeightsError
from everyid.graphs import (
    Preprocessing,
    core,
    graph_of_bytes,
    graph_of_file,
    graph_of_module,
    graph_size_hw,
    graph_to_bytes,
    preprocessor,
    with_preprocessing,
)
from everyid.output import notice, whole_file, writing
from everyid.quantise import Calibration, quantised, scheme
from everyid.settings import settings

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Network", "NetworkSource", "Preprocessing", "compile_network", "graph_size_hw"]

_FORMAT = 3
"""Raised when the layout of a cache entry, or what goes into a graph, changes."""


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """A network before it is compiled.

    Args:
        model: A torch module in evaluation mode that takes float32 (B, 3, H, W) and gives a tensor
            or a tuple of them; or the path of an ONNX or OpenVINO IR file.
        metadata: What the caller wants back with the compiled network: anything JSON can hold.
    """

    model: "nn.Module | Path"
    metadata: dict[str, Any] = field(default_factory=dict)


class Network(Protocol):
    """A compiled network; may be called from several threads at once."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the source gave, as it came back from JSON."""
        ...

    @property
    def parallel_calls(self) -> int:
        """How many concurrent calls keep the device busy."""
        ...

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """The network's outputs, each float32 with the batch first.

        Args:
            images: uint8 (B, H, W, 3), BGR, 0-255.
        """
        ...


def compile_network(
    source: Callable[[], NetworkSource],
    *,
    device: Device,
    preprocessing: Preprocessing,
    size_hw: tuple[int, int],
    dynamic_size: bool = False,
    cache_key: str | None = None,
    calibration: Calibration | None = None,
) -> Network:
    """A network ready to run on the device.

    Args:
        source: Makes the network; not called when a compiled graph is found on disk, so imports
            that only it needs belong inside it.
        device: From :func:`everyid.device.choose`; its precision is what the network computes in.
        preprocessing: What the graph does to the images first.
        size_hw: (H, W) of the images the network will get; with ``dynamic_size`` an example. With
            ``resize_hw`` in the preprocessing, images of any size are taken.
        dynamic_size: The network takes other sizes as well, each call its own.
        cache_key: Names the weights and how the network is built from them, such as a sha256; None
            keeps nothing on disk. Shapes, preprocessing, device and versions are added to it.
        calibration: The pictures that int8 is calibrated with; other precisions need none.

    Raises:
        ConfigError: int8 without pictures to calibrate it with.
        WeightsError: A model file cannot be read as a network, or not be quantised.
    """
    if device.kind != "cpu":
        found = source()
        if not isinstance(found.model, Path):
            return _TorchNetwork(found, device, preprocessing)
        notice(f"{found.model.name}: OpenVINO and ONNX files run on the CPU, not on {device.kind}")
        device = choose("cpu", precision="fp32" if device.precision == "fp32" else "auto")
        return compile_network(
            lambda: found,
            device=device,
            preprocessing=preprocessing,
            size_hw=size_hw,
            dynamic_size=dynamic_size,
            cache_key=cache_key,
        )
    if device.precision != "int8":
        calibration = None
    elif calibration is None:
        raise ConfigError("expected pictures to calibrate int8 with, got none")
    job = _Job(source, preprocessing, size_hw, dynamic_size, calibration)
    return _compiled(job, device, cache_key)


@dataclass(frozen=True, slots=True)
class _Job:
    """What an OpenVINO graph is made from, but for device and threads."""

    source: Callable[[], NetworkSource]
    preprocessing: Preprocessing
    size_hw: tuple[int, int]
    dynamic_size: bool
    calibration: Calibration | None

    @property
    def hw(self) -> list[int]:
        """Height and width of what the network itself gets; -1: any."""
        open_size = [-1, -1] if self.dynamic_size else self.size_hw
        return list(self.preprocessing.resize_hw or open_size)

    def digest(self, cache_key: str, *more: object) -> str:
        """Names a cache entry of this graph."""
        parts = [_FORMAT, cache_key, asdict(self.preprocessing)]
        parts += ["any" if self.dynamic_size else self.size_hw, version("openvino")]
        parts += [version("torch"), *(scheme(self.calibration) if self.calibration else ()), *more]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


# OpenVINO


def _openvino_hints(device: Device) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": device.threads,
        # In int8 this is for the layers that are not quantised.
        "INFERENCE_PRECISION_HINT": "bf16" if device.precision == "bf16" else "f32",
    }


class _OpenVinoNetwork:
    def __init__(self, compiled: Any, metadata: dict[str, Any]) -> None:  # noqa: ANN401
        self.metadata = metadata
        self.parallel_calls = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._compiled = compiled
        batch, height, width, _ = compiled.input(0).partial_shape
        self._one_by_one = batch.is_static
        self._height = height.get_length() if height.is_static else None
        self._width = width.get_length() if width.is_static else None
        self._idle: deque[Any] = deque()  # requests own buffers, and a new one is slow at first

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        _check_images(images, self._height, self._width)
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            return self._infer(request, images)
        finally:
            self._idle.append(request)

    def _infer(
        self,
        request: Any,  # noqa: ANN401
        images: NDArray[np.uint8],
    ) -> tuple[NDArray[np.float32], ...]:
        if not self._one_by_one or len(images) == 1:
            return tuple(request.infer([images], share_inputs=True).values())
        # No image: one black one shows the shapes, and its rows are left out below.
        batch = images if len(images) else np.zeros_like(images, shape=(1, *images.shape[1:]))
        singles = [
            tuple(request.infer([image[None]], share_inputs=True).values()) for image in batch
        ]
        return tuple(np.concatenate(parts)[: len(images)] for parts in zip(*singles, strict=True))


def _compiled(job: _Job, device: Device, cache_key: str | None) -> _OpenVinoNetwork:
    """The compiled network of a job, from disk when it is there; else it is kept there."""
    hints = _openvino_hints(device)
    where = None
    if cache_key is not None:
        digest = job.digest(cache_key, hints, device.name)
        where = settings().cache_folder / "compiled" / f"{digest}.blob"
        kept = _load_entry(where, lambda blob: core().import_model(blob, "CPU", hints))
        if kept is not None:
            return _OpenVinoNetwork(*kept)
    if job.calibration is None:
        graph, metadata = _graph(job)
    else:
        graph, metadata = _quantised_graph(job, job.calibration, cache_key)
    compiled = core().compile_model(graph, "CPU", hints)
    if where is not None:
        exported = compiled.export_model()
        _store_entry(
            where, metadata, exported if isinstance(exported, bytes) else exported.getvalue()
        )
    return _OpenVinoNetwork(compiled, json.loads(json.dumps(metadata)))


def _graph(job: _Job) -> tuple[Any, dict[str, Any]]:
    """An uncompiled graph with its preprocessing, and the metadata of its source."""
    graph, made = _bare_graph(job)
    return with_preprocessing(graph, job.preprocessing), made.metadata


def _bare_graph(job: _Job) -> tuple[Any, NetworkSource]:
    """The graph as its source has it; its images are float32 (B, 3, H, W)."""
    made, wanted = job.source(), job.preprocessing
    if isinstance(made.model, Path):
        return graph_of_file(made.model, job.hw), made
    example_hw = wanted.resize_hw or job.size_hw
    return graph_of_module(made.model, job.hw, example_hw=example_hw), made


# int8: the graph is quantised once, for any number of threads.


def _quantised_graph(
    job: _Job, calibration: Calibration, cache_key: str | None
) -> tuple[Any, dict[str, Any]]:
    """As :func:`_graph`, in int8; the preprocessing stays in floats."""
    where = None
    if cache_key is not None:
        where = settings().cache_folder / "quantised" / f"{job.digest(cache_key)}.graph"
        kept = _load_entry(where, graph_of_bytes)
        if kept is not None:
            return kept
    graph, made = _bare_graph(job)
    name = made.model.name if isinstance(made.model, Path) else type(made.model).__name__
    notice(f"{name}: quantising to int8, once; this takes a minute or more")
    prepare = preprocessor(job.preprocessing, job.hw)
    graph = quantised(graph, calibration.images(), prepare=prepare, name=name)
    graph = with_preprocessing(graph, job.preprocessing)
    if where is not None:
        _store_entry(where, made.metadata, graph_to_bytes(graph))
    return graph, made.metadata


# Cache entries: a line with the sha256 of the rest, a line of JSON (metadata), the blob.


def _load_entry(
    where: Path, open_blob: Callable[[bytes], Any]
) -> tuple[Any, dict[str, Any]] | None:
    """What is made of an entry's blob, and its metadata; None: there is no usable entry."""
    try:
        digest, _, rest = where.read_bytes().partition(b"\n")
        if digest.decode() != hashlib.sha256(rest).hexdigest():
            raise ValueError("checksum differs")
        header, _, blob = rest.partition(b"\n")
        return open_blob(blob), json.loads(header)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RuntimeError) as error:
        notice(f"{where.name}: compiled network unusable ({error}); making it again")
        return None


def _store_entry(where: Path, metadata: dict[str, Any], blob: bytes) -> None:
    rest = json.dumps(metadata).encode() + b"\n" + blob
    try:
        with writing(where):
            where.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(where, overwrite=True) as part:
            part.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    except OutputError as error:
        notice(f"the compiled network is not kept: {error}")


# torch


class _TorchNetwork:
    def __init__(self, made: NetworkSource, device: Device, preprocessing: Preprocessing) -> None:
        import torch

        if isinstance(made.model, Path):
            raise WeightsError(f"{made.model}: expected a torch module")
        self.metadata = json.loads(json.dumps(made.metadata))
        self.parallel_calls = 2  # the host prepares one batch while the device runs the other
        self._device = device
        self._wanted = preprocessing
        module = made.model.eval().to(device.torch_name)
        self._module = module.to(memory_format=torch.channels_last)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(preprocessing.mean, device=device.torch_name).reshape(shape)
        self._std = torch.tensor(preprocessing.std, device=device.torch_name).reshape(shape)
        self._lock = threading.Lock()

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        import torch
        from torch.nn.functional import interpolate

        _check_images(images)
        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        dtype = dtypes[self._device.precision]
        with self._lock, torch.inference_mode():
            # A view or a read-only array is copied: torch takes neither.
            whole = np.require(images, requirements=["C", "W"])
            x = torch.from_numpy(whole).to(self._device.torch_name, non_blocking=True)
            x = x.permute(0, 3, 1, 2)
            if self._wanted.colour == "rgb":
                x = x.flip(1)
            x = x.float()
            if self._wanted.resize_hw is not None:
                x = interpolate(x, self._wanted.resize_hw, mode="bilinear", align_corners=False)
            x = ((x / self._wanted.scale) - self._mean) / self._std
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self._device.kind, dtype, enabled=self._device.precision != "fp32"):
                outputs = self._module(x)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            return tuple(output.float().cpu().numpy() for output in outputs)


def _check_images(
    images: NDArray[np.uint8], height: int | None = None, width: int | None = None
) -> None:
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ShapeError(f"images: expected uint8 (B, H, W, 3), got {images.dtype} {images.shape}")
    if height not in (None, images.shape[1]) or width not in (None, images.shape[2]):
        raise ShapeError(
            f"images: expected uint8 (B, {height or 'H'}, {width or 'W'}, 3), got {images.shape}"
        )
