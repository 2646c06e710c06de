"""MobileNetV2, read from torchreid's checkpoints, and torchvision's to begin a training with.

A block widens its input, looks at each channel's surroundings and narrows the result, without an
activation after that. The feature is the average of the last map, after its ReLU6: 0 to 6, 1280
values and more in wider networks.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2;
names and behaviour as in KaiyangZhou/deep-person-reid (MIT; `torchreid/models/mobilenetv2.py`).
"""

from collections.abc import Mapping
from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.convolutional import (
    IMAGENET_INPUT,
    conv_norm,
    holds_weights_of,
    initialise,
)

__all__ = ["ARCHITECTURE", "MobileNetV2", "MobileNetV2Config"]

_STEM, _LAST = 32, 1280
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""How much its blocks widen, channels, blocks, stride of the first."""

_PUBLISHED_WIDTHS = (1.0, 1.4)
_CLASSIFIER = ("classifier.",)


class MobileNetV2Config(BackboneConfig):
    """What the network is built from."""

    width: float = Field(default=1.0, ge=0.1, le=4, description="of all layers but a narrow last")

    @property
    def embedding_width(self) -> int:
        """D. Networks narrower than 1 keep all of the last layer.

        >>> MobileNetV2Config().embedding_width, MobileNetV2Config(width=1.4).embedding_width
        (1280, 1792)
        """
        return int(_LAST * max(self.width, 1.0))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, widen: int, stride: int) -> None:
        super().__init__()
        wide = inputs * widen
        self.conv1 = conv_norm(inputs, wide, activation=_relu6())
        self.dwconv2 = conv_norm(wide, wide, 3, stride=stride, groups=wide, activation=_relu6())
        narrowing = nn.Conv2d(wide, outputs, 1, bias=False)
        self.conv3 = nn.Sequential(narrowing, nn.BatchNorm2d(outputs))
        self._adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.conv3(self.dwconv2(self.conv1(x)))
        return x + branch if self._adds_input else branch


def _relu6() -> nn.ReLU6:
    return nn.ReLU6(inplace=True)


class MobileNetV2(nn.Module):
    """The network, with random weights.

    Args:
        config: Width.
    """

    def __init__(self, config: MobileNetV2Config) -> None:
        super().__init__()
        self.embedding_width = config.embedding_width
        channels = int(_STEM * config.width)
        self.conv1 = conv_norm(3, channels, 3, stride=2, activation=_relu6())
        for number, (widen, full, blocks, stride) in enumerate(_STAGES, start=2):
            stage = nn.Sequential()
            for block in range(blocks):
                outputs = int(full * config.width)
                first_stride = 1 if block else stride
                stage.append(_Block(channels, outputs, widen=widen, stride=first_stride))
                channels = outputs
            self.add_module(f"conv{number}", stage)
        self.conv9 = conv_norm(channels, config.embedding_width, activation=_relu6())
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: float32 (B, 3, H, W), RGB, ImageNet's mean and std taken out.
        """
        x = images
        for layer in self.children():
            x = layer(x)
        return x.mean((2, 3))


def _recognise(shapes: Shapes) -> MobileNetV2Config | None:
    if shapes.get("features.0.0.weight") == (_STEM, 3, 3, 3) and (
        shapes.get("features.18.0.weight") == (_LAST, 320, 1, 1)
    ):
        return MobileNetV2Config()
    stem = shapes.get("conv1.conv.weight")
    for width in _PUBLISHED_WIDTHS:
        config = MobileNetV2Config(width=width)
        if stem == (int(_STEM * width), 3, 3, 3) and holds_weights_of(
            partial(MobileNetV2, config), shapes, classifier=_CLASSIFIER
        ):
            return config
    return None


def _convert(state: Mapping[str, Tensor], config: MobileNetV2Config) -> dict[str, Tensor]:
    if "features.0.0.weight" not in state:
        return dict(state)
    names = _of_torchvision()
    found = _does_nothing("conv2.0.conv1", int(_STEM * config.width))
    for name, tensor in state.items():
        layer, _, value = name.rpartition(".")
        found[f"{names[layer]}.{value}" if layer in names else name] = tensor
    return found


def _of_torchvision() -> dict[str, str]:
    """Layers in torchvision's network -> their names here.

    >>> _of_torchvision()["features.2.conv.3"]
    'conv3.0.conv3.1'
    """
    names = {"features.0.0": "conv1.conv", "features.0.1": "conv1.bn"}
    number = 1
    for stage, (_, _, blocks, _) in enumerate(_STAGES, start=2):
        for block in range(blocks):
            theirs, ours = f"features.{number}.conv", f"conv{stage}.{block}"
            parts = ["conv1.conv", "conv1.bn", "dwconv2.conv", "dwconv2.bn"]
            places = ["0.0", "0.1", "1.0", "1.1", "2", "3"]
            if number == 1:  # does not widen: it has no first convolution
                parts, places = parts[2:], ["0.0", "0.1", "1", "2"]
            for place, part in zip(places, [*parts, "conv3.0", "conv3.1"], strict=True):
                names[f"{theirs}.{place}"] = f"{ours}.{part}"
            number += 1
    return names | {f"features.{number}.0": "conv9.conv", f"features.{number}.1": "conv9.bn"}


def _does_nothing(name: str, channels: int) -> dict[str, Tensor]:
    """The weights of a 1x1 convolution and its norm that give back what they are fed."""
    spread = 1 - nn.BatchNorm2d(1).eps  # which the norm adds again
    return {
        f"{name}.conv.weight": torch.eye(channels)[:, :, None, None],
        f"{name}.bn.weight": torch.ones(channels),
        f"{name}.bn.bias": torch.zeros(channels),
        f"{name}.bn.running_mean": torch.zeros(channels),
        f"{name}.bn.running_var": torch.full((channels,), spread),
    }


def _input(_: MobileNetV2Config) -> InputSpec:
    return IMAGENET_INPUT


ARCHITECTURE = Architecture(
    name="mobilenetv2",
    config=MobileNetV2Config,
    build=MobileNetV2,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=_CLASSIFIER,
    layout="torchreid or torchvision MobileNetV2",
)
"""MobileNetV2 x1.0 unless told otherwise."""
