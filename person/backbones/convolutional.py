"""What the convolutional networks share: layers, random weights, input and recognition."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
from torch import nn

from everyid.weights_catalogue import InputSpec
from person.backbones import Shapes

__all__ = ["IMAGENET_INPUT", "conv_norm", "holds_weights_of", "initialise"]

IMAGENET_INPUT = InputSpec(
    size_hw=(256, 128),
    colour="rgb",
    scale=255.0,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    resize="bilinear",
)
"""What torchreid and reid-strong-baseline feed all these networks, in training and at test."""


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    norm: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """A convolution without bias, ``conv``, then its norm, ``bn``, and activation, if any.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Height and width, odd; the padding keeps the size of the map.
        stride: Of the convolution.
        groups: Of the convolution.
        norm: Makes the norm of so many channels; None: none.
        activation: What comes last; None: nothing.
    """
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=convolution)
    if norm is not None:
        layers["bn"] = norm(outputs)
    if activation is not None:
        layers["activation"] = activation
    return nn.Sequential(layers)


def initialise(network: nn.Module) -> None:
    """Draws the weights of all convolutions so that gradients keep their size on the way back.

    Norms are left at one and zero, as they are made.

    Args:
        network: Changed in place.

    Source: He et al., "Delving Deep into Rectifiers" (2015), section 2.2.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def holds_weights_of(
    build: Callable[[], nn.Module], shapes: Shapes, *, classifier: tuple[str, ...]
) -> bool:
    """Whether these are the weights of a network, by their keys.

    One in ten may be missing, and as many be too many: then it is that network's file all the
    same, and whoever loads it says what is wrong with it. Relatives (deeper ones, ones with other
    norms) differ by more.

    Args:
        build: Makes the network.
        shapes: Of the checkpoint.
        classifier: Beginnings of keys that may be there or not.
    """
    with torch.device("meta"):
        own = _counted(build().state_dict(), ())
    there = _counted(shapes, classifier)
    return len(own - there) <= len(own) / 10 and len(there - own) <= len(own) / 10


def _counted(names: Iterable[str], classifier: tuple[str, ...]) -> set[str]:
    # Before PyTorch 0.4.1 norms did not count batches; nothing here is computed with the counts.
    return {
        name
        for name in names
        if not name.startswith(classifier) and not name.endswith("num_batches_tracked")
    }
