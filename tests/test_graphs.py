"""OpenVINO graphs: the preprocessing alone, and a graph as bytes. More is in test_runtime.py."""

import numpy as np
import openvino
import pytest
import torch
from openvino import opset13
from torch import nn

from everyid.errors import WeightsError
from everyid.graphs import (
    Preprocessing,
    core,
    graph_of_bytes,
    graph_of_module,
    graph_to_bytes,
    preprocessor,
    with_preprocessing,
)

SIZE = (16, 8)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), np.uint8)


def doubled():
    inner = opset13.parameter([-1, 3, *SIZE], np.float32)
    weights = opset13.constant(np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1) + 2)
    return openvino.Model([opset13.result(opset13.multiply(inner, weights))], [inner], "doubled")


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_the_preprocessing_alone_is_as_by_hand(colour):
    wanted = Preprocessing(colour=colour, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    found = preprocessor(wanted, list(SIZE))(IMAGES)
    channels = IMAGES[..., ::-1] if colour == "rgb" else IMAGES
    expected = (channels / 255 - wanted.mean) / wanted.std
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_a_graph_as_bytes_comes_back_the_same():
    graph = with_preprocessing(doubled(), Preprocessing(scale=1.0))
    again = graph_of_bytes(graph_to_bytes(graph))
    first, second = (core().compile_model(one, "CPU")([IMAGES])[0] for one in (graph, again))
    np.testing.assert_array_equal(first, second)
    assert first.any()


def test_bytes_that_are_no_graph_are_refused():
    with pytest.raises(RuntimeError):
        graph_of_bytes(b"\x04\0\0\0\0\0\0\0<no>")


def test_a_module_is_traced_for_any_batch():
    graph = graph_of_module(nn.Flatten(), list(SIZE), example_hw=SIZE)
    assert graph.output(0).partial_shape[0].is_dynamic


def test_a_module_with_a_fixed_batch_is_refused():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) + torch.zeros(len(x), 3)

    with pytest.raises(WeightsError, match=r"^Fixed: the network was traced with a fixed batch"):
        graph_of_module(Fixed().eval(), list(SIZE), example_hw=SIZE)
