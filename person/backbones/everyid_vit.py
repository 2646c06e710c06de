"""EveryID's own small Vision Transformer for upright crops, TransReID-style with an early CNN.

An instance norm of the image takes light and white balance out. Four small convolutions, each of
which halves the map, and not one cut into patches, make the tokens. What comes out of the
transformer (class token and average of the others) is projected and ends in a batch norm (BNNeck),
whose output is the embedding. The camera may be told (side information embedding).

Source: Xiao et al., "Early Convolutions Help Transformers See Better" (2021), section 3.2, the
stem; He et al., "TransReID: Transformer-based Object Re-Identification" (2021), sections 3.1 and
3.3; Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification" (2019),
section 3.5, the neck.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Self

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate

from everyid.errors import ShapeError
from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.convolutional import conv_norm, initialise
from person.backbones.transformer import EPSILON, TransformerLayer, drop_paths, plain_attention

__all__ = ["ARCHITECTURE", "EveryIdVit", "EveryIdVitConfig"]

_STRIDE = 16
"""From token to token, px."""

_HEAD_WIDTH = 64
"""Of every attention head; so the shapes of the weights tell all there is to the network."""


class EveryIdVitConfig(BackboneConfig):
    """What the network is built from."""

    size_hw: tuple[int, int] = Field(default=(256, 128), description="of the image, px")
    hidden_size: int = Field(
        default=256, gt=0, multiple_of=_HEAD_WIDTH, description="width of a token"
    )
    layers: int = Field(default=8, gt=0)
    mlp_size: int = Field(default=768, gt=0, description="width inside the perceptrons")
    embedding_width: int = Field(default=256, gt=0)
    class_token: bool = Field(default=True, description="one token more, of no place")
    cameras: int = Field(default=0, ge=0, description="cameras with an embedding of their own")
    drop_path: float = Field(
        default=0.1, ge=0, lt=1, description="how often training skips the last layer"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.size_hw) < _STRIDE or any(length % _STRIDE for length in self.size_hw):
            raise ValueError(f"size_hw {self.size_hw} is not in multiples of {_STRIDE} px")
        return self

    @property
    def grid_hw(self) -> tuple[int, int]:
        """How many tokens stand above and beside each other.

        >>> EveryIdVitConfig().grid_hw
        (16, 8)
        """
        height, width = self.size_hw
        return height // _STRIDE, width // _STRIDE


def _stem(width: int) -> nn.Sequential:
    """From images to a map of the tokens; its layers are named after the stride of their maps."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for stride in (2, 4, 8, _STRIDE):
        outputs = width * stride // _STRIDE
        layers[f"stride{stride}"] = conv_norm(
            channels, outputs, 3, stride=2, activation=nn.ReLU(inplace=True)
        )
        channels = outputs
    layers["projection"] = nn.Conv2d(width, width, 1)
    return nn.Sequential(layers)


class EveryIdVit(nn.Module):
    """The network, with random weights.

    Its submodule ``stem`` gives a map of stride 16, (B, ``hidden_size``, H / 16, W / 16),
    and the stem's ``stride8`` one of stride 8 with half as many channels: places for hooks.

    Args:
        config: Sizes and parts.
    """

    def __init__(self, config: EveryIdVitConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.embedding_width = config.embedding_width
        self._size_hw = config.size_hw
        self.image_norm = nn.InstanceNorm2d(3, affine=True)
        self.stem = _stem(width)
        # A map, so that its shape tells the size of the image. The class token has no place in it.
        self.positions = nn.Parameter(torch.empty(1, width, *config.grid_hw))
        self.class_token = nn.Parameter(torch.empty(1, 1, width)) if config.class_token else None
        self.camera_embeddings = (
            nn.Parameter(torch.empty(config.cameras, width)) if config.cameras else None
        )
        heads, mlp_size = width // _HEAD_WIDTH, config.mlp_size
        self.blocks = nn.Sequential(
            *(
                TransformerLayer(
                    width, heads=heads, mlp_size=mlp_size, drop_path=rate, mix=plain_attention
                )
                for rate in drop_paths(config.drop_path, config.layers)
            )
        )
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.head = nn.Linear(width * (1 + config.class_token), self.embedding_width, bias=False)
        self.neck = nn.BatchNorm1d(self.embedding_width)
        self.neck.bias.requires_grad_(False)
        initialise(self.stem)
        for parameter in self.parameters(recurse=False):
            nn.init.trunc_normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor, cameras: Tensor | None = None) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: As for :meth:`features`.
            cameras: As for :meth:`features`.

        Raises:
            ShapeError: Images of another size than the config's.
        """
        return self.features(images, cameras)[1]

    def features(self, images: Tensor, cameras: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What goes into the neck and what comes out of it, the embeddings: float32 (B, D) each.

        Losses of distances take the first in training, losses of classes the second.

        Args:
            images: float32 (B, 3, H, W), RGB, 0-1, of the config's ``size_hw``.
            cameras: int64 (B,), which of the training's cameras took each image, from 0; -1:
                unknown. None: all unknown. An unknown camera is taken for the mean of them all.
                A network without camera embeddings ignores this.

        Raises:
            ShapeError: Images of another size than the config's.
        """
        if images.shape[1:] != (3, *self._size_hw):
            height, width = self._size_hw
            raise ShapeError(
                f"images: expected (B, 3, {height}, {width}), got {tuple(images.shape)}",
                hint="resize them, or build the network with their size_hw, in multiples of "
                f"{_STRIDE} px",
            )
        places = self.stem(self.image_norm(images)) + self.positions
        tokens = places.flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat((self.class_token.expand(tokens.shape[0], -1, -1), tokens), dim=1)
        if self.camera_embeddings is not None:
            tokens = tokens + _told(self.camera_embeddings, cameras)
        tokens = self.norm(self.blocks(tokens))
        if self.class_token is None:
            pooled = tokens.mean(dim=1)
        else:
            pooled = torch.cat((tokens[:, 0], tokens[:, 1:].mean(dim=1)), dim=1)
        # Under autocast the projection is of half precision; the neck's statistics are not.
        before_neck = self.head(pooled).to(self.neck.weight.dtype)
        return before_neck, self.neck(before_neck)


def _told(embeddings: Tensor, cameras: Tensor | None) -> Tensor:
    """What is added to all tokens of an image, (B, 1, hidden_size), or (1, 1, hidden_size)."""
    mean = embeddings.mean(dim=0, keepdim=True)
    if cameras is None:
        return mean[None]
    # The mean comes last, where -1 finds it.
    return torch.cat((embeddings, mean))[cameras][:, None]


def _recognise(shapes: Shapes) -> EveryIdVitConfig | None:
    telling = ("positions", "blocks.0.mlp.fc1.weight", "head.weight", "stem.projection.weight")
    cameras = shapes.get("camera_embeddings", (0, 0))
    match [*(shapes.get(name) for name in telling), cameras]:
        case [(1, hidden, rows, columns), (mlp, _), (embedding, _), (_, _, 1, 1), (count, _)]:
            layers = {key.split(".")[1] for key in shapes if re.match(r"blocks\.\d+\.", key)}
        case _:
            return None
    try:
        return EveryIdVitConfig(
            size_hw=(rows * _STRIDE, columns * _STRIDE),
            hidden_size=hidden,
            layers=len(layers),
            mlp_size=mlp,
            embedding_width=embedding,
            class_token="class_token" in shapes,
            cameras=count,
        )
    except ValidationError:
        return None


def _convert(state: Mapping[str, Tensor], config: EveryIdVitConfig) -> dict[str, Tensor]:
    """The same, with positions for the config's size."""
    found = dict(state)
    positions = found.get("positions")
    if positions is not None and positions.shape[2:] != config.grid_hw:
        found["positions"] = interpolate(positions, config.grid_hw, mode="bicubic")
    return found


def _input(config: EveryIdVitConfig) -> InputSpec:
    return InputSpec(size_hw=config.size_hw, colour="rgb", scale=255.0, resize="bilinear")


ARCHITECTURE = Architecture(
    name="everyid-vit",
    config=EveryIdVitConfig,
    build=EveryIdVit,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=("classifier.",),
    layout="EveryID's own small ViT",
)
"""At 256x128, with an embedding of 256, unless told otherwise."""
