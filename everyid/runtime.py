"""Compiled inference: one interface for every network of the project.

On a CPU the network becomes an OpenVINO graph, with its preprocessing inside; on CUDA and MPS it
stays a torch module (inference mode, channels_last, autocast). Both take uint8 images and have a
dynamic batch. Compiled graphs are kept on disk; an entry is checked before it is used and made
again when it is damaged.
"""

import hashlib
import json
import threading
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device, choose
from everyid.errors import OutputError, ShapeError, WeightsError
from everyid.output import notice, whole_file, writing
from everyid.settings import settings, tame_openvino

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Network", "NetworkSource", "Preprocessing", "compile_network", "graph_size_hw"]

_FORMAT = 3
"""Raised when the layout of a cache entry, or what goes into a graph, changes."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to a uint8 BGR image inside the graph: ``(colour(x) / scale - mean) / std``.

    Args:
        colour: The channel order that the network was trained with; images come as BGR.
        scale: Divides the 0-255 values: 255 for networks fed 0-1.
        mean: Per channel, in the network's order, after scaling.
        std: Per channel, likewise.
        resize_hw: Resize to this size inside the graph (bilinear, half-pixel centres, without
            antialiasing), or None when images come in the size the network wants.
    """

    colour: Literal["rgb", "bgr"] = "rgb"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize_hw: tuple[int, int] | None = None


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

    Raises:
        WeightsError: A model file cannot be read as a network.
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
    hints = _openvino_hints(device)
    where = None
    if cache_key is not None:
        parts = [_FORMAT, cache_key, asdict(preprocessing), size_hw if not dynamic_size else "any"]
        parts += [hints, device.name, version("openvino"), version("torch")]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        where = settings().cache_folder / "compiled" / f"{digest}.blob"
        kept = _load_entry(where, hints)
        if kept is not None:
            return kept
    made = source()
    compiled = _openvino_compile(made, preprocessing, size_hw, dynamic_size, hints)
    if where is not None:
        _store_entry(where, compiled, made.metadata)
    return _OpenVinoNetwork(compiled, json.loads(json.dumps(made.metadata)))


# OpenVINO


@lru_cache(maxsize=1)
def _core() -> Any:  # noqa: ANN401 - openvino ships no types
    tame_openvino()
    import openvino

    return openvino.Core()


def _openvino_hints(device: Device) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": device.threads,
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


def _openvino_compile(
    made: NetworkSource,
    preprocessing: Preprocessing,
    size_hw: tuple[int, int],
    dynamic_size: bool,
    hints: dict[str, Any],
) -> Any:  # noqa: ANN401
    import openvino

    hw = list(preprocessing.resize_hw or ([-1, -1] if dynamic_size else size_hw))
    if isinstance(made.model, Path):
        graph = _read_graph(made.model, hw)
    else:
        import torch

        example = torch.zeros(2, 3, *(preprocessing.resize_hw or size_hw))
        with warnings.catch_warnings():
            # OpenVINO's converter traces; what torch says about tracing is not for our users.
            warnings.simplefilter("ignore")
            graph = openvino.convert_model(made.model, example_input=example, input=[-1, 3, *hw])
        _refuse_fixed_batch(graph, type(made.model).__name__)
    return _core().compile_model(_with_preprocessing(graph, preprocessing, hw), "CPU", hints)


def _refuse_fixed_batch(graph: Any, name: str) -> None:  # noqa: ANN401
    """Checks that a traced graph follows the batch it is given.

    Raises:
        WeightsError: An output has the batch of the example, as when the module asked for len(x).
    """
    shapes = [output.partial_shape for output in graph.outputs]
    fixed = [s for s in shapes if s.rank.is_static and (not len(s) or s[0].is_static)]
    if fixed:
        raise WeightsError(
            f"{name}: the network was traced with a fixed batch: expected outputs of shape "
            f"(B, ...) for any B, got {fixed[0]}",
            hint="its forward may take sizes from x.shape, but not from len(x) or int(...)",
        )


def graph_size_hw(path: Path) -> tuple[int, int] | None:
    """The (H, W) of the images that an ONNX or OpenVINO IR file is made for; None: any.

    Raises:
        WeightsError: The file cannot be read as a network with one image input.
    """
    _, _, height, width = _open_graph(path).input(0).partial_shape
    if height.is_dynamic or width.is_dynamic:
        return None
    return height.get_length(), width.get_length()


def _open_graph(path: Path) -> Any:  # noqa: ANN401
    try:
        graph = _core().read_model(path)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    if len(graph.inputs) != 1 or len(graph.input(0).partial_shape) != 4:
        raise WeightsError(f"{path}: expected a network with one image input (B, 3, H, W)")
    return graph


def _unreadable(path: Path, error: RuntimeError) -> WeightsError:
    reason = str(error).strip().splitlines()[-1]
    return WeightsError(f"{path}: not a network that OpenVINO can run: {reason}")


def _read_graph(path: Path, hw: list[int]) -> Any:  # noqa: ANN401
    """The graph of a file with its batch opened, or of batch 1 where the file has that built in."""
    graph = _open_graph(path)
    try:
        graph.reshape([-1, 3, *hw])
        if any(output.partial_shape[0].is_static for output in graph.outputs):
            graph.reshape([1, 3, *hw])
        if any(
            output.partial_shape[0].is_static and output.partial_shape[0] != 1
            for output in graph.outputs
        ):
            raise WeightsError(f"{path}: expected outputs of batch 1 for an input of batch 1")
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    return graph


def _with_preprocessing(graph: Any, wanted: Preprocessing, hw: list[int]) -> Any:  # noqa: ANN401
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor, ResizeAlgorithm

    steps = PrePostProcessor(graph)
    image = steps.input()
    tensor = image.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    tensor.set_color_format(ColorFormat.BGR)
    if wanted.resize_hw is not None:
        tensor.set_spatial_dynamic_shape()
    image.model().set_layout(Layout("NCHW"))
    chain = image.preprocess().convert_element_type(Type.f32)
    if wanted.resize_hw is not None:
        chain.resize(ResizeAlgorithm.RESIZE_LINEAR)
    if wanted.colour == "rgb":
        chain.convert_color(ColorFormat.RGB)
    if wanted.scale != 1.0:
        chain.scale(wanted.scale)
    if any(wanted.mean):
        chain.mean(list(wanted.mean))
    if any(value != 1.0 for value in wanted.std):
        chain.scale(list(wanted.std))
    for index in range(len(graph.outputs)):
        steps.output(index).tensor().set_element_type(Type.f32)
    return steps.build()


# Cache entries: a line with the sha256 of the rest, a line of JSON (metadata), the compiled blob.


def _load_entry(where: Path, hints: dict[str, Any]) -> _OpenVinoNetwork | None:
    try:
        digest, _, rest = where.read_bytes().partition(b"\n")
        if digest.decode() != hashlib.sha256(rest).hexdigest():
            raise ValueError("checksum differs")
        header, _, blob = rest.partition(b"\n")
        return _OpenVinoNetwork(_core().import_model(blob, "CPU", hints), json.loads(header))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RuntimeError) as error:
        notice(f"{where.name}: compiled network unusable ({error}); making it again")
        return None


def _store_entry(where: Path, compiled: Any, metadata: dict[str, Any]) -> None:  # noqa: ANN401
    exported = compiled.export_model()
    blob = exported if isinstance(exported, bytes) else exported.getvalue()
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
