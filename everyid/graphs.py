"""Graphs of OpenVINO: from files and torch modules, with preprocessing, and as bytes."""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from everyid.errors import WeightsError
from everyid.settings import tame_openvino

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Preprocessing",
    "core",
    "graph_of_bytes",
    "graph_of_file",
    "graph_of_module",
    "graph_size_hw",
    "graph_to_bytes",
    "preprocessor",
    "with_preprocessing",
]


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


@lru_cache(maxsize=1)
def core() -> Any:  # noqa: ANN401 - openvino ships no types
    """OpenVINO's entry, made once; it reports nothing and leaves the home folder alone."""
    tame_openvino()
    import openvino

    return openvino.Core()


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
        graph = core().read_model(path)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    if len(graph.inputs) != 1 or len(graph.input(0).partial_shape) != 4:
        raise WeightsError(f"{path}: expected a network with one image input (B, 3, H, W)")
    return graph


def _unreadable(path: Path, error: RuntimeError) -> WeightsError:
    reason = str(error).strip().splitlines()[-1]
    return WeightsError(f"{path}: not a network that OpenVINO can run: {reason}")


def graph_of_file(path: Path, hw: list[int]) -> Any:  # noqa: ANN401
    """The graph of a file with its batch opened, or of batch 1 where the file has that built in.

    Args:
        path: ONNX or OpenVINO IR.
        hw: Height and width of its images; -1: any.

    Raises:
        WeightsError: It cannot be read as a network with one image input.
    """
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


def graph_of_module(module: "nn.Module", hw: list[int], *, example_hw: tuple[int, int]) -> Any:  # noqa: ANN401
    """The graph of a torch module for any batch.

    Args:
        module: In evaluation mode; takes float32 (B, 3, H, W).
        hw: Height and width of its images; -1: any.
        example_hw: Those of the images it is traced with.

    Raises:
        WeightsError: It was traced with a fixed batch.
    """
    tame_openvino()
    import openvino
    import torch

    example = torch.zeros(2, 3, *example_hw)
    with warnings.catch_warnings():
        # OpenVINO's converter traces; what torch says about tracing is not for our users.
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(module, example_input=example, input=[-1, 3, *hw])
    _refuse_fixed_batch(graph, type(module).__name__)
    return graph


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


def with_preprocessing(graph: Any, wanted: Preprocessing) -> Any:  # noqa: ANN401
    """A graph that takes uint8 (B, H, W, 3) in BGR and gives float32; the given one is used up."""
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


def preprocessor(
    wanted: Preprocessing, hw: list[int]
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The preprocessing alone: from uint8 (B, H, W, 3), BGR, to float32 (B, 3, H, W).

    Args:
        wanted: What it does.
        hw: Height and width of what comes out; -1: any.
    """
    from openvino import Model, opset13

    inner = opset13.parameter([-1, 3, *hw], np.float32)
    nothing = Model([opset13.result(inner)], [inner], "preprocessing")
    steps = with_preprocessing(nothing, wanted)
    run = core().compile_model(steps, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: np.array(run([images])[0])


def graph_to_bytes(graph: Any) -> bytes:  # noqa: ANN401
    """A graph as one piece: the length of its XML, that, and its weights."""
    import openvino

    with tempfile.TemporaryDirectory(prefix="everyid-") as folder:
        path = Path(folder) / "graph.xml"
        openvino.serialize(graph, path)
        text, values = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + values


def graph_of_bytes(blob: bytes) -> Any:  # noqa: ANN401
    """The graph that :func:`graph_to_bytes` was given."""
    length = int.from_bytes(blob[:8], "little")
    return core().read_model(blob[8 : 8 + length], blob[8 + length :])
