"""The project's own convolutional network: small, and made of what a CPU computes quickly.

The picture is normalised by its own mean and deviation, which takes the light and the white balance
of a camera out before anything is learnt. Two convolutions bring it to a quarter of its size; three
stages of residual blocks follow, at an eighth and two times a sixteenth, each block with two
grouped 3x3 convolutions, a 1x1 and a gate. What each place of the last map says is weighed by a
learnt weight of that place and channel: in a crop of a person, height tells the parts of the body.
A BNNeck ends it.

Source: blocks as in Radosavovic et al., "Designing Network Design Spaces" (2020), with the gates of
Hu et al., "Squeeze-and-Excitation Networks" (2018); weights of places: Chen et al.,
"MobileFaceNets" (2018), section 3.1; instance norms as in Jia et al., "Frustratingly Easy Person
Re-Identification" (2019); BNNeck: Luo et al., "Bag of Tricks" (2019), section 3.5.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.convolutional import conv_norm, holds_weights_of, initialise

__all__ = ["ARCHITECTURE", "EveryIdCnn", "EveryIdCnnConfig"]

_GROUP = 16
"""Channels that a grouped convolution looks at together."""
_GATE_NARROWER = 4
_STRIDES = (2, 2, 1)
_PLACES_HW = (16, 8)
"""Of the last map for a picture of 256x128; for others the weights of places are interpolated."""

Width = Annotated[int, Field(ge=16, multiple_of=16)]
Depth = Annotated[int, Field(ge=1)]


class EveryIdCnnConfig(BackboneConfig):
    """What the network is built from."""

    widths: tuple[Width, Width, Width, Width] = Field(
        default=(32, 48, 112, 224), description="channels of the stem and of the three stages"
    )
    depths: tuple[Depth, Depth, Depth] = Field(
        default=(2, 3, 5), description="blocks of the three stages"
    )
    embedding_width: int = Field(default=256, gt=0)


class _Gate(nn.Module):
    """Weighs each channel of a map by what all of them are on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, channels // _GATE_NARROWER, 1)
        self.widen = nn.Conv2d(channels // _GATE_NARROWER, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.widen(torch.relu(self.narrow(means))))


class _Block(nn.Module):
    """Two 3x3 convolutions, one 1x1 and a gate, added to the input."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        groups = max(1, outputs // _GROUP)
        same = inputs == outputs and stride == 1
        self.conv1 = conv_norm(
            inputs, outputs, 3, stride=stride, groups=groups if same else 1, activation=nn.ReLU()
        )
        self.conv2 = conv_norm(outputs, outputs, 3, groups=groups)
        self.conv3 = conv_norm(outputs, outputs)
        self.gate = _Gate(outputs)
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.gate(self.conv3(self.conv2(self.conv1(x))))
        return torch.relu(branch + self.shortcut(x))


class _Places(nn.Module):
    """The sum of a map over its places, each place of each channel with a weight of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        height, width = _PLACES_HW
        self.weight = nn.Parameter(torch.full((1, channels, height, width), 1 / (height * width)))

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.weight
        if x.shape[2:] != weight.shape[2:]:
            ratio = weight.shape[2] * weight.shape[3] / (x.shape[2] * x.shape[3])
            weight = ratio * functional.interpolate(weight, x.shape[2:], mode="bilinear")
        return (x * weight).sum((2, 3))


class EveryIdCnn(nn.Module):
    """The network, with random weights.

    Args:
        config: Widths and depths.
    """

    def __init__(self, config: EveryIdCnnConfig) -> None:
        super().__init__()
        self.embedding_width = config.embedding_width
        stem, *stages = config.widths
        self.norm = nn.InstanceNorm2d(3, affine=True)
        first = partial(nn.InstanceNorm2d, affine=True)
        self.stem = nn.Sequential(
            conv_norm(3, stem // 2, 3, stride=2, norm=first, activation=nn.ReLU()),
            conv_norm(stem // 2, stem, 3, stride=2, activation=nn.ReLU()),
        )
        inputs = stem
        sizes = zip(stages, config.depths, _STRIDES, strict=True)
        for number, (outputs, depth, stride) in enumerate(sizes, 1):
            blocks = [
                _Block(outputs if block else inputs, outputs, stride=1 if block else stride)
                for block in range(depth)
            ]
            self.add_module(f"stage{number}", nn.Sequential(*blocks))
            inputs = outputs
        self.places = _Places(inputs)
        self.fc = nn.Linear(inputs, config.embedding_width, bias=False)
        self.neck = nn.BatchNorm1d(config.embedding_width)
        initialise(self)

    def features(self, images: Tensor, cameras: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What comes before the BNNeck and after it, both float32 (B, D).

        Args:
            images: float32 (B, 3, H, W), RGB, 0-1.
            cameras: Not looked at; networks with a camera embedding take them here.
        """
        x = self.stem(self.norm(images))
        for number in (1, 2, 3):
            x = self.get_submodule(f"stage{number}")(x)
        before: Tensor = self.fc(self.places(x))
        return before, self.neck(before)

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: float32 (B, 3, H, W), RGB, 0-1.
        """
        return self.features(images)[1]


def _recognise(shapes: Shapes) -> EveryIdCnnConfig | None:
    stages = [_stage(shapes, number) for number in (1, 2, 3)]
    match [shapes.get(f"{name}.weight") for name in ("stem.1.conv", "fc", "places")]:
        case [(stem, _, 3, 3), (embedding, _), (1, _, *_)]:
            pass
        case _:
            return None
    fields = {
        "widths": (stem, *(width for width, _ in stages)),
        "depths": tuple(depth for _, depth in stages),
        "embedding_width": embedding,
    }
    try:
        config = EveryIdCnnConfig.model_validate(fields)
    except ValidationError:
        return None
    fits = holds_weights_of(partial(EveryIdCnn, config), shapes, classifier=())
    return config if fits else None


def _stage(shapes: Shapes, number: int) -> tuple[int, int]:
    """Channels and blocks of a stage; zeros where there is none."""
    depth = 0
    while f"stage{number}.{depth}.conv3.conv.weight" in shapes:
        depth += 1
    width = shapes.get(f"stage{number}.0.conv3.conv.weight", ())
    return (width[0] if width else 0), depth


def _convert(state: Mapping[str, Tensor], _: EveryIdCnnConfig) -> dict[str, Tensor]:
    return dict(state)


def _input(_: EveryIdCnnConfig) -> InputSpec:
    return InputSpec(size_hw=(256, 128), colour="rgb", scale=255.0, resize="bilinear")


ARCHITECTURE = Architecture(
    name="everyid-cnn",
    config=EveryIdCnnConfig,
    build=EveryIdCnn,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=(),
    layout="EveryID CNN",
)
"""The network that ships, unless told otherwise."""
