"""ResNet50, read from checkpoints of torchvision, torchreid and reid-strong-baseline.

The layout, told by a checkpoint's keys, decides what comes out and what is taken for granted:

========================  =====================  =============================  ======  =========
layout                    told by                embedding                      stride  stem ReLU
========================  =====================  =============================  ======  =========
torchvision                                      mean of the last map, 2048     2       yes
torchreid resnet50                               the same                       2       yes
torchreid resnet50_fc512  ``fc.0.weight``        after fc, norm and ReLU, 512   1       yes
reid-strong-baseline      ``base.conv1.weight``  after the batch norm (BNNeck)  1       no
a BNNeck without base     ``bottleneck.weight``  the same                       1       yes
========================  =====================  =============================  ======  =========

Neither the stride of the last stage nor the ReLU shows in keys or shapes; both are fields of the
configuration, for files that differ from their publisher's, and have to be kept beside weights that
are saved again. The published reid-strong-baseline was trained without the ReLU between the first
norm and the pooling, and needs to be run like that.

Source: He et al., "Deep Residual Learning for Image Recognition" (2015), table 1; last stride and
BNNeck: Luo et al., "Bag of Tricks and A Strong Baseline for Deep Person Re-identification" (2019),
sections 3.4 and 3.5; names and behaviour as in pytorch/vision (BSD-3-Clause),
KaiyangZhou/deep-person-reid (MIT; `torchreid/models/resnet.py`) and
michuanhaohao/reid-strong-baseline (MIT; `modeling/baseline.py`, `modeling/backbones/resnet.py`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Literal, TypeVar

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.convolutional import IMAGENET_INPUT, holds_weights_of, initialise

__all__ = ["ARCHITECTURE", "ResNet50", "ResNet50Config"]

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels inside the blocks, blocks, stride of the first."""

_WIDER = 4
"""Blocks give this many times the channels that they have inside."""

_BASE = "base."
_CLASSIFIER = ("classifier.", "fc.weight", "fc.bias")

_Value = TypeVar("_Value")


class ResNet50Config(BackboneConfig):
    """What the network is built from."""

    last_stride: Literal[1, 2] = Field(
        default=2, description="of the last stage; 1: a map of twice the height and width"
    )
    stem_relu: bool = Field(default=True, description="before the pooling of the first layer")
    fc_width: int | None = Field(
        default=None, gt=0, description="of a fully connected layer; None: there is none"
    )
    neck: bool = Field(default=False, description="whether embeddings end in a batch norm")

    @property
    def embedding_width(self) -> int:
        """D."""
        return self.fc_width or _STAGES[-1][0] * _WIDER


class _Block(nn.Module):
    def __init__(self, inputs: int, channels: int, *, stride: int) -> None:
        super().__init__()
        outputs = channels * _WIDER
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        branch = torch.relu(self.bn1(self.conv1(x)))
        branch = torch.relu(self.bn2(self.conv2(branch)))
        return torch.relu(self.bn3(self.conv3(branch)) + self.downsample(x))


class ResNet50(nn.Module):
    """The network, with random weights and torchvision's names.

    Args:
        config: Stride, stem and what follows the last map.
    """

    def __init__(self, config: ResNet50Config) -> None:
        super().__init__()
        self.embedding_width = config.embedding_width
        channels = _STAGES[0][0]
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True) if config.stem_relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, (inside, blocks, stride) in enumerate(_STAGES, start=1):
            first_stride = config.last_stride if number == len(_STAGES) else stride
            stage = nn.Sequential(_Block(channels, inside, stride=first_stride))
            channels = inside * _WIDER
            for _ in range(1, blocks):
                stage.append(_Block(channels, inside, stride=1))
            self.add_module(f"layer{number}", stage)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        width = config.embedding_width
        if config.fc_width:
            self.fc = nn.Sequential(nn.Linear(channels, width), nn.BatchNorm1d(width), nn.ReLU())
        if config.neck:
            self.bottleneck = nn.BatchNorm1d(width)
            self.bottleneck.bias.requires_grad_(False)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: float32 (B, 3, H, W), RGB, ImageNet's mean and std taken out.
        """
        x = images
        for layer in self.children():
            x = layer(x)
        return x


def _without_base(mapping: Mapping[str, _Value]) -> dict[str, _Value]:
    return {name.removeprefix(_BASE): value for name, value in mapping.items()}


def _recognise(shapes: Shapes) -> ResNet50Config | None:
    named = _without_base(shapes)
    if named.get("layer4.2.conv3.weight") != (2048, 512, 1, 1):
        return None
    fc = named.get("fc.0.weight", ())
    neck = "bottleneck.weight" in named
    strong_baseline = f"{_BASE}conv1.weight" in shapes
    try:
        config = ResNet50Config(
            last_stride=1 if fc or neck or strong_baseline else 2,
            stem_relu=not strong_baseline,
            fc_width=fc[0] if fc else None,
            neck=neck,
        )
    except ValidationError:
        return None
    fits = holds_weights_of(partial(ResNet50, config), named, classifier=_CLASSIFIER)
    return config if fits else None


def _convert(state: Mapping[str, Tensor], _: ResNet50Config) -> dict[str, Tensor]:
    return _without_base(state)


def _input(_: ResNet50Config) -> InputSpec:
    return IMAGENET_INPUT


ARCHITECTURE = Architecture(
    name="resnet50",
    config=ResNet50Config,
    build=ResNet50,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=_CLASSIFIER,
    layout="ResNet50 of torchvision, torchreid or reid-strong-baseline",
)
"""torchvision's and torchreid's ResNet50 unless told otherwise."""
