"""Tensors that follow from their names alone, so that golden files hold outputs and no weights."""

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch

from everyid.device import Device
from everyid.runtime import NetworkSource, Preprocessing, compile_network


def fill(name, shape):
    """float32 of that shape in -0.25 to 0.25; about 1 where a layer is scaled by it.

    Whole numbers until the last division, so every machine gets the same bits.
    """
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    steps = np.arange(math.prod(shape), dtype=np.uint64) * np.uint64(2654435761)
    spread = (steps + np.uint64(zlib.crc32(name.encode()))) % np.uint64(2**32)
    values = (spread.astype(np.float64) / 2**32 - 0.5) / 2
    scales = name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight"))
    return torch.from_numpy((values + scales).astype(np.float32).reshape(shape))


def filled(shapes: Mapping[str, list[int]]):
    """A state dict of such tensors."""
    return {name: fill(name, tuple(shape)) for name, shape in shapes.items()}


def shapes_of(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def in_openvino(architecture, config, network, images):
    """A network's embeddings from a compiled graph in fp32, and from torch.

    Args:
        images: uint8 (B, H, W, 3), BGR.
    """
    spec = architecture.input(config)
    preprocessing = Preprocessing(
        colour=spec.colour, scale=spec.scale, mean=spec.mean, std=spec.std
    )
    compiled = compile_network(
        lambda: NetworkSource(network),
        device=Device(kind="cpu", index=0, precision="fp32", threads=1, name="test"),
        preprocessing=preprocessing,
        size_hw=spec.size_hw,
    )
    planes = torch.from_numpy(images[..., ::-1].astype(np.float32).copy()).permute(0, 3, 1, 2)
    with torch.inference_mode():
        eager = network((planes / spec.scale - spec.mean[0]) / spec.std[0]).numpy()
    return compiled(images)[0], eager
