"""Networks in int8: close to the same in floats, and made without a word on stdout."""

import logging

import numpy as np
import openvino
import pytest
import rich
from openvino import opset13

from everyid.errors import WeightsError
from everyid.quantise import Calibration, quantised, scheme

SIZE = (16, 8)


def images(count=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def prepare(batch):
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32) / 255


def network(*, attention=False):
    """A convolution and a projection; with attention over the places in between."""
    draw = np.random.default_rng(0).standard_normal
    inner = opset13.parameter([-1, 3, *SIZE], np.float32)
    kernel = opset13.constant(draw((8, 3, 3, 3), np.float32))
    found = opset13.convolution(inner, kernel, [2, 2], [1, 1], [1, 1], [1, 1])
    if attention:
        found = opset13.relu(found)
        found = opset13.multiply(found, opset13.softmax(found, 3))
    pooled = opset13.reduce_mean(opset13.relu(found), np.array([2, 3]), keep_dims=False)
    last = opset13.matmul(pooled, opset13.constant(draw((8, 6), np.float32)), False, False)
    return openvino.Model([opset13.result(last)], [inner], "tiny")


def run(graph, batch):
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(graph, "CPU", hints)([prepare(batch)])[0]


def kinds(graph):
    return [layer.get_type_name() for layer in graph.get_ops()]


@pytest.mark.parametrize("attention", [False, True])
def test_int8_is_close_to_floats_and_says_nothing(capfd, attention):
    plain, seen = network(attention=attention), images(8)
    made = quantised(plain, seen, prepare=prepare, name="tiny")
    assert capfd.readouterr().out == ""
    assert "FakeQuantize" in kinds(made)
    assert "FakeQuantize" not in kinds(plain)
    others = images(5, seed=1)
    wanted, found = run(plain, others), run(made, others)
    cosine = (wanted * found).sum(1) / np.linalg.norm(wanted, axis=1)
    assert (cosine / np.linalg.norm(found, axis=1) > 0.98).all()


def test_nothing_of_the_process_is_changed(capfd):
    console, kind = rich.get_console(), logging.getLoggerClass()
    compiler = logging.getLogger("torch.utils.cpp_extension")
    before = (console.quiet, compiler.level, logging.getLogger().handlers)
    quantised(network(), images(2), prepare=prepare, name="tiny")
    assert logging.getLoggerClass() is kind
    assert (console.quiet, compiler.level, logging.getLogger().handlers) == before
    assert capfd.readouterr() == ("", "")


def test_a_network_that_cannot_be_quantised_is_one_clear_error():
    def wrong(batch):
        return prepare(batch)[:, :2]

    console = rich.get_console()
    expected = r"^tiny: this network cannot be quantised to int8: \S"
    with pytest.raises(WeightsError, match=expected) as caught:
        quantised(network(), images(2), prepare=wrong, name="tiny")
    assert "\n" not in str(caught.value)
    assert "leave --precision out" in caught.value.hint
    assert console.quiet is False


def test_what_a_quantised_network_depends_on_can_be_told_without_nncf():
    one, other = (scheme(Calibration(key, lambda: images(1))) for key in ("a", "b"))
    assert one != other
    assert one[0] == "int8"
