"""Networks in 8-bit integers, by post-training quantisation; the only file that imports nncf.

Some pictures are sent through the network once, and the range of the values at each layer is
written down; weights and activations are then rounded to 256 steps of these ranges. nncf is
imported only when a network is quantised, and what comes of it is kept by
:mod:`everyid.runtime`.
"""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import rich
from numpy.typing import NDArray

from everyid.errors import WeightsError
from everyid.output import progress
from everyid.settings import tame_openvino

__all__ = ["Calibration", "quantised", "scheme"]

_SCHEME = 1
"""Raised when networks are quantised in another way."""

_ATTENTION = {"ScaledDotProductAttention", "Softmax"}
"""Layers by which a graph is known to be a transformer, whose attention is left in floats."""

_HEAVY = {"Convolution", "GroupConvolution", "MatMul"}

_ONE_AT_A_TIME = threading.Lock()
"""nncf's logger and rich's console belong to the whole process."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The pictures that show which values go through a network.

    Args:
        key: Names them; networks that saw other pictures are kept apart.
        images: Gives them, uint8 (N, H, W, 3), BGR, 0-255, in the size of the network's input.
            Called only when the network is not on disk yet.
    """

    key: str
    images: Callable[[], NDArray[np.uint8]]


def scheme(calibration: Calibration) -> list[str]:
    """What a quantised network depends on beside the network: pictures, way and version."""
    return ["int8", str(_SCHEME), version("nncf"), calibration.key]


def quantised(
    graph: Any,  # noqa: ANN401 - openvino ships no types
    images: NDArray[np.uint8],
    *,
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    name: str,
) -> Any:  # noqa: ANN401
    """The graph with its heavy layers in int8; in a transformer all but the attention's scores.

    Args:
        graph: An ``openvino.Model`` with one input, (B, 3, H, W); it stays as it is.
        images: uint8 (N, H, W, 3), BGR, 0-255, to calibrate with.
        prepare: The network's preprocessing, from uint8 (1, H, W, 3) to float32 (1, 3, H, W).
        name: What the network is called, for the error.

    Raises:
        WeightsError: nncf cannot quantise this network.

    Three kinds of layers stay in floats, as they are sensitive and cost little: those before an
    instance norm, which makes much of small differences; gates, which weigh whole channels; and
    the last layer, when it gives vectors.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), the arithmetic; Xiao et al., "SmoothQuant" (2023),
    for transformers, both as nncf (Apache-2.0) has them.
    """
    tame_openvino()
    kinds = {layer.get_type_name() for layer in graph.get_ops()}
    with _ONE_AT_A_TIME, _silence(), progress("quantising, pictures seen") as advance:
        nncf = _import_nncf()

        def sample(image: NDArray[np.uint8]) -> NDArray[np.float32]:
            advance()
            return prepare(image[None])

        try:
            return nncf.quantize(
                graph,
                nncf.Dataset(images, sample),
                subset_size=len(images),
                target_device=nncf.TargetDevice.CPU,
                model_type=nncf.ModelType.TRANSFORMER if kinds & _ATTENTION else None,
                ignored_scope=nncf.IgnoredScope(names=_in_floats(graph)),
            )
        except Exception as error:  # nncf's errors are of a dozen classes with no common root
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise WeightsError(
                f"{name}: this network cannot be quantised to int8: {lines[-1]}",
                hint="leave --precision out to take the best one that needs no quantising",
            ) from error


def _in_floats(graph: Any) -> list[str]:  # noqa: ANN401
    """The names of the layers that stay in floats, sorted."""
    layers = graph.get_ordered_ops()
    found = {name for layer in layers if _is_instance_norm(layer) for name in _before(layer)}
    heavy = [layer for layer in layers if layer.get_type_name() in _HEAVY]
    for layer in heavy:
        shape = layer.output(0).partial_shape
        if shape.rank.is_static and len(shape) == 4 and shape[2] == 1 and shape[3] == 1:
            found.add(layer.get_friendly_name())
    if heavy and heavy[-1].output(0).partial_shape.rank == 2:
        found.add(heavy[-1].get_friendly_name())
    return sorted(found)


def _is_instance_norm(layer: Any) -> bool:  # noqa: ANN401
    """Whether a layer normalises each channel of a map by itself; layer norms do not."""
    if layer.get_type_name() != "MVN" or layer.output(0).partial_shape.rank != 4:
        return False
    axes = layer.input_value(1).get_node()
    if axes.get_type_name() != "Constant":
        return False
    return sorted(int(axis) % 4 for axis in axes.get_data().reshape(-1)) == [2, 3]


def _before(norm: Any) -> set[str]:  # noqa: ANN401
    """The names of the layers before an instance norm, back to the heavy layer before the last."""
    found: set[str] = set()
    waiting = [(norm, 1)]
    while waiting:
        layer, crossings = waiting.pop()
        kind = layer.get_type_name()
        if kind in _HEAVY:
            crossings -= 1
        if crossings < 0 or kind in {"Constant", "Convert", "Parameter"}:
            continue
        found.add(layer.get_friendly_name())
        waiting += [(source.get_node(), crossings) for source in layer.input_values()]
    return found


def _import_nncf() -> Any:  # noqa: ANN401 - nncf's types are not followed
    before = logging.getLoggerClass()
    try:
        import nncf
    finally:
        logging.setLoggerClass(before)  # nncf sets its own for every logger made from then on
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps nncf's bars off stdout, and what it and torch's compiler say of themselves away."""
    console, compiler = rich.get_console(), logging.getLogger("torch.utils.cpp_extension")
    quiet, level = console.quiet, compiler.level
    console.quiet = True
    compiler.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        console.quiet = quiet
        compiler.setLevel(level)
