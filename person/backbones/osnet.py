"""OSNet, plain or with instance norms (IBN, AIN), read from torchreid's checkpoints.

A block looks at its input with four streams of one to four small convolutions, so at four scales;
one gate, shared by the streams, weighs their channels. The feature comes after the fully connected
layer, its norm and its ReLU: no value of an embedding is negative.

Source: Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification" (2019), section 3;
AIN: Zhou et al., "Learning Generalisable Omni-Scale Representations for Person Re-Identification"
(2021); IBN: Pan et al., "Two at Once" (2018), IBN-b; names and behaviour as in
KaiyangZhou/deep-person-reid (MIT; `torchreid/models/osnet.py`, `osnet_ain.py`).
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial, reduce
from typing import Literal

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.convolutional import (
    IMAGENET_INPUT,
    conv_norm,
    holds_weights_of,
    initialise,
)

__all__ = ["ARCHITECTURE", "OsNet", "OsNetConfig"]

_CHANNELS = (64, 256, 384, 512)
"""Of the stem and of the three stages, at width 1."""

_SCALES = 4
_NARROWER = 4
"""The streams of a block have this part of its channels."""
_GATE_NARROWER = 16

_INSTANCE_NORMS = {
    "plain": ((False, False), (False, False), (False, False)),
    "ibn": ((True, True), (False, False), (False, False)),
    "ain": ((True, True), (False, True), (True, False)),
}
"""Which blocks of the three stages have one. AIN's places are what its search found."""

_CLASSIFIER = ("classifier.",)


class OsNetConfig(BackboneConfig):
    """What the network is built from."""

    width: float = Field(
        default=1.0, gt=0, le=1, multiple_of=0.25, description="of all layers, 1: the full one"
    )
    variant: Literal["plain", "ibn", "ain"] = Field(
        default="plain",
        description="instance norms: none; after the sums of the first stage; inside branches",
    )
    embedding_width: int = Field(default=512, gt=0)

    @property
    def channels(self) -> list[int]:
        """Of the stem and of the three stages.

        >>> OsNetConfig(width=0.25).channels
        [16, 64, 96, 128]
        """
        return [round(full * self.width) for full in _CHANNELS]


_instance_norm = partial(nn.InstanceNorm2d, affine=True)


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)


def _small_conv(channels: int) -> nn.Sequential:
    """A 3x3 convolution cut in two: across the channels, then over each one's surroundings."""
    across = nn.Conv2d(channels, channels, 1, bias=False)
    around = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    layers = {"conv1": across, "conv2": around, "bn": nn.BatchNorm2d(channels), "relu": _relu()}
    return nn.Sequential(OrderedDict(layers))


class _Gate(nn.Module):
    """Weighs each channel of a map by what all of them are on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _GATE_NARROWER, 1)
        self.fc2 = nn.Conv2d(channels // _GATE_NARROWER, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(means))))


class _Block(nn.Module):
    """An omni-scale block; its instance norm comes before the sum in AIN, after it otherwise."""

    def __init__(self, inputs: int, outputs: int, *, ain: bool, instance_norm: bool) -> None:
        super().__init__()
        channels = outputs // _NARROWER
        self.conv1 = conv_norm(inputs, channels, activation=_relu())
        self._add_streams(channels, ain=ain)
        self.gate = _Gate(channels)
        self._norm_in_branch = ain
        # The instance norm in the branch takes the place of the batch norm there.
        no_norm = ain and instance_norm
        self.conv3 = conv_norm(channels, outputs, norm=None if no_norm else nn.BatchNorm2d)
        self.downsample = nn.Identity() if inputs == outputs else conv_norm(inputs, outputs)
        self.IN = _instance_norm(outputs) if instance_norm else nn.Identity()

    def _add_streams(self, channels: int, *, ain: bool) -> None:
        streams: list[nn.Module] = [
            nn.Sequential(*(_small_conv(channels) for _ in range(depth)))
            for depth in range(1, _SCALES + 1)
        ]
        if ain:
            self.conv2 = nn.ModuleList(nn.Sequential(OrderedDict(layers=s)) for s in streams)
            self._streams = [f"conv2.{number}" for number in range(_SCALES)]
        else:
            self._streams = ["conv2a", "conv2b", "conv2c", "conv2d"]
            streams[0] = _small_conv(channels)
            for name, stream in zip(self._streams, streams, strict=True):
                self.add_module(name, stream)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.conv1(x)
        scales = (self.gate(self.get_submodule(name)(narrow)) for name in self._streams)
        branch = self.conv3(reduce(torch.add, scales))
        if self._norm_in_branch:
            return torch.relu(self.IN(branch) + self.downsample(x))
        return torch.relu(self.IN(branch + self.downsample(x)))


class OsNet(nn.Module):
    """The network, with random weights.

    Args:
        config: Width and variant.
    """

    def __init__(self, config: OsNetConfig) -> None:
        super().__init__()
        self.embedding_width = config.embedding_width
        stem, *_, last = config.channels
        norm = nn.BatchNorm2d if config.variant == "plain" else _instance_norm
        self.conv1 = conv_norm(3, stem, 7, stride=2, norm=norm, activation=_relu())
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self._stages: list[str] = []
        for stage in range(3):
            self._add_stage(stage, config)
        self.conv5 = conv_norm(last, last, activation=_relu())
        self.fc = nn.Sequential(
            nn.Linear(last, config.embedding_width), nn.BatchNorm1d(config.embedding_width), _relu()
        )
        initialise(self)

    def _add_stage(self, stage: int, config: OsNetConfig) -> None:
        """Two blocks, and between stages what halves the map."""
        before, channels = config.channels[stage : stage + 2]
        ain = config.variant == "ain"
        first, second = _INSTANCE_NORMS[config.variant][stage]
        layers: list[nn.Module] = [
            _Block(before, channels, ain=ain, instance_norm=first),
            _Block(channels, channels, ain=ain, instance_norm=second),
        ]
        halving = nn.Sequential(
            conv_norm(channels, channels, activation=_relu()), nn.AvgPool2d(2, stride=2)
        )
        number = stage + 2
        self._stages.append(f"conv{number}")
        if stage < 2 and ain:
            self.add_module(f"pool{number}", halving)
            self._stages.append(f"pool{number}")
        elif stage < 2:
            layers.append(halving)
        self.add_module(f"conv{number}", nn.Sequential(*layers))

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: float32 (B, 3, H, W), RGB, ImageNet's mean and std taken out.
        """
        x = self.maxpool(self.conv1(images))
        for name in self._stages:
            x = self.get_submodule(name)(x)
        embeddings: Tensor = self.fc(self.conv5(x).mean((2, 3)))
        return embeddings


def _recognise(shapes: Shapes) -> OsNetConfig | None:
    match [shapes.get("conv1.conv.weight"), shapes.get("fc.0.weight")]:
        case [(stem, 3, 7, 7), (embedding, _)]:
            pass
        case _:
            return None
    variant = "ibn" if "conv2.0.IN.weight" in shapes else "plain"
    if "pool2.0.conv.weight" in shapes:
        variant = "ain"
    fields = {"width": stem / _CHANNELS[0], "variant": variant, "embedding_width": embedding}
    try:
        config = OsNetConfig.model_validate(fields)
    except ValidationError:
        return None
    fits = holds_weights_of(partial(OsNet, config), shapes, classifier=_CLASSIFIER)
    return config if fits else None


def _convert(state: Mapping[str, Tensor], _: OsNetConfig) -> dict[str, Tensor]:
    return dict(state)


def _input(_: OsNetConfig) -> InputSpec:
    return IMAGENET_INPUT


ARCHITECTURE = Architecture(
    name="osnet",
    config=OsNetConfig,
    build=OsNet,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=_CLASSIFIER,
    layout="torchreid OSNet",
)
"""OSNet x1.0 without instance norms, an embedding of 512, unless told otherwise."""
