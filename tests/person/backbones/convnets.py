"""What the tests of the convolutional networks share."""

import hashlib
import json
import math
from functools import cache
from types import MappingProxyType

import numpy as np
import torch
import torchvision

from everyid.device import Device
from everyid.runtime import NetworkSource, Preprocessing, compile_network
from everyid.settings import PROJECT_FOLDER
from person.backbones import ARCHITECTURES, architecture
from tests.person.backbones.filling import fill, filled, shapes_of

SIZE = (64, 32)


def golden(file):
    """What a golden file says of each network."""
    return json.loads((PROJECT_FOLDER / "tests/golden" / file).read_text())["networks"]


@cache
def own_shapes(kind, config):
    """Names and shapes of a network's state dict."""
    with torch.device("meta"):
        return MappingProxyType(shapes_of(kind.build(config).state_dict()))


def fits(kind, shapes):
    """Whether a file is recognised and has just the tensors that the network it is taken for has.

    One that is recognised and does not fit is refused by the loader, key by key.
    """
    config = kind.recognise(shapes)
    if config is None:
        return False
    with torch.device("meta"):
        tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
        return shapes_of(kind.convert(tensors, config)) == dict(own_shapes(kind, config))


def weights(shapes):
    """Tensors that follow from their names, in a size that neither grows nor fades in 50 layers."""
    state = filled(shapes)
    for tensor in state.values():
        if tensor.ndim > 1:
            tensor *= math.sqrt(96 / tensor[0].numel())
    return state


def images(count=2):
    return 4 * fill("images", (count, 3, *SIZE))


def digest(shapes):
    """Stands for all names and shapes of a checkpoint, in any order."""
    lines = [f"{name} {list(shape)}" for name, shape in sorted(shapes.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def figures(network):
    """What golden files hold: the first values and the norm for each of two images.

    In float64, so that the order in which a machine adds does not show.
    """
    with torch.inference_mode():
        rows = network.double().eval()(images().double())
    return {"first": rows[:, :8].tolist(), "norm": rows.norm(dim=1).tolist()}


def loaded(kind, shapes):
    """The network that a checkpoint of these keys and shapes is recognised as, its weights in it.

    Strictly: nothing may be missing, and nothing left over but what belongs to the classifier.
    """
    config = kind.recognise(shapes)
    network = kind.build(config)
    state = kind.convert(weights(shapes), config)
    own = network.state_dict().keys()
    assert all(name.startswith(kind.classifier) for name in state.keys() - own)
    network.load_state_dict({name: state[name] for name in own}, strict=True)
    return network.eval()


def shapes_of_others(name):
    """A checkpoint's shapes for each architecture but one, and for relatives of them all."""
    found = {}
    for other in ARCHITECTURES.keys() - {name}:
        kind = architecture(other)
        found[other] = own_shapes(kind, kind.config())
    with torch.device("meta"):
        for other in ("resnet18", "resnet101", "resnext50_32x4d", "mobilenet_v2"):
            found[other] = shapes_of(getattr(torchvision.models, other)().state_dict())
    if name == "mobilenetv2":  # it reads torchvision's too
        del found["mobilenet_v2"]
    return found


def compiled_and_eager(kind, config, network, count):
    """A network's embeddings from a compiled graph in fp32, and from torch."""
    spec = kind.input(config)
    pixels = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)
    compiled = compile_network(
        lambda: NetworkSource(network),
        device=Device(kind="cpu", index=0, precision="fp32", threads=1, name="test"),
        preprocessing=Preprocessing(
            colour=spec.colour, scale=spec.scale, mean=spec.mean, std=spec.std
        ),
        size_hw=SIZE,
    )
    planes = torch.from_numpy(pixels[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32))
    mean, std = (torch.tensor(values)[:, None, None] for values in (spec.mean, spec.std))
    with torch.inference_mode():
        eager = network((planes / spec.scale - mean) / std)
    return compiled(pixels)[0], eager.numpy()


def idle_parameters(network):
    """The parameters that no gradient reaches in training."""
    network.train()
    network(torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))).sum().backward()
    return {name for name, parameter in network.named_parameters() if parameter.grad is None}
