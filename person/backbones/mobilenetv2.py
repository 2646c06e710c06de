"""MobileNetV2, read from torchreid's checkpoints.

A block widens its input, looks at each channel's surroundings and narrows the result, without an
activation after that. The feature is the average of the last map, after its ReLU6: 0 to 6, 1280
values and more in wider networks.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2;
names and behaviour as in KaiyangZhou/deep-person-reid (MIT; `torchreid/models/mobilenetv2.py`).
"""

from collections.abc import Mapping
from functools import partial

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
    stem = shapes.get("conv1.conv.weight")
    for width in _PUBLISHED_WIDTHS:
        config = MobileNetV2Config(width=width)
        if stem == (int(_STEM * width), 3, 3, 3) and holds_weights_of(
            partial(MobileNetV2, config), shapes, classifier=_CLASSIFIER
        ):
            return config
    return None


def _convert(state: Mapping[str, Tensor], _: MobileNetV2Config) -> dict[str, Tensor]:
    return dict(state)


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
    layout="torchreid MobileNetV2",
)
"""MobileNetV2 x1.0 unless told otherwise."""
