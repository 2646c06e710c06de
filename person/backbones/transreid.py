"""A Vision Transformer for upright crops in TransReID's manner, read from its checkpoints.

Over a plain ViT: patches may overlap, the image is upright, the class token ends in a batch norm
(BNNeck), the camera may be told (side information embedding) and the patches may be looked at
once more in four shuffled parts (jigsaw patch module).

Source: He et al., "TransReID: Transformer-based Object Re-Identification" (2021), sections 3.1-3.4;
behaviour and names as in damo-cv/TransReID (MIT) and hustvl/PersonViT (`model/make_model.py`,
`model/backbones/vit_pytorch.py`).
"""

import copy
import math
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Literal, Self, TypeVar

import torch
from pydantic import Field, FiniteFloat, ValidationError, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes
from person.backbones.transformer import EPSILON, TransformerLayer, drop_paths

__all__ = ["ARCHITECTURE", "TransReid", "TransReidConfig"]

_PARTS = 4
_SHIFT = 5
_GROUPS = 2
"""The jigsaw's numbers in every configuration that was published; no shape tells them."""

_SIZES_HW = ((256, 128), (384, 128), (224, 224), (256, 256))
"""Where published weights come from: people, tall people, ImageNet, vehicles."""

_HEAD_WIDTH = 64
"""As in DeiT-Tiny, -Small and ViT-Base; shapes do not tell how many heads there are."""

_Value = TypeVar("_Value")


class TransReidConfig(BackboneConfig):
    """What the network is built from."""

    size_hw: tuple[int, int] = Field(default=(256, 128), description="of the image, px")
    patch_size: int = Field(default=16, gt=0, description="height and width of a patch, px")
    stride: int = Field(default=16, gt=0, description="from patch to patch, px; 12: they overlap")
    hidden_size: int = Field(default=768, gt=0)
    layers: int = Field(default=12, gt=0)
    heads: int = Field(default=12, gt=0)
    mlp_size: int = Field(default=3072, gt=0, description="width inside the perceptrons")
    cameras: int = Field(default=0, ge=0, description="cameras with an embedding of their own")
    camera_weight: FiniteFloat = Field(default=3.0, description="of the camera's embedding")
    jigsaw: bool = Field(default=False, description="four parts beside the whole")
    neck: Literal["before", "after"] = Field(
        default="before", description="embeddings are taken before or after the batch norm"
    )
    drop_path: float = Field(
        default=0.1, ge=0, lt=1, description="how often training skips the last layer"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} does not divide by heads {self.heads}"
            )
        if min(self.size_hw) < self.patch_size:
            raise ValueError(f"size_hw {self.size_hw} is below patch_size {self.patch_size}")
        if self.jigsaw and self.patches < _PARTS:
            raise ValueError(f"jigsaw needs at least {_PARTS} patches, got {self.patches}")
        return self

    @property
    def grid_hw(self) -> tuple[int, int]:
        """How many patches stand above and beside each other."""
        return _grid_hw(self.size_hw, self.patch_size, self.stride)

    @property
    def patches(self) -> int:
        """How many patches there are.

        >>> TransReidConfig().patches, TransReidConfig(stride=12).patches
        (128, 210)
        """
        rows, columns = self.grid_hw
        return rows * columns


def _grid_hw(size_hw: tuple[int, int], patch_size: int, stride: int) -> tuple[int, int]:
    rows, columns = ((length - patch_size) // stride + 1 for length in size_hw)
    return rows, columns


class _Transformer(nn.Module):
    def __init__(self, config: TransReidConfig) -> None:
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + config.patches, width))
        cameras = torch.empty(config.cameras, 1, width)
        self.sie_embed = nn.Parameter(cameras) if config.cameras else None
        self.camera_weight = config.camera_weight
        cutting = nn.Conv2d(3, width, patch, stride=config.stride)
        self.patch_embed = nn.Sequential(OrderedDict(proj=cutting))
        self.blocks = nn.ModuleList(
            TransformerLayer(
                width,
                heads=config.heads,
                mlp_size=config.mlp_size,
                drop_path=rate,
                mix=scaled_dot_product_attention,
            )
            for rate in drop_paths(config.drop_path, config.layers)
        )
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, images: Tensor, cameras: Tensor | None) -> Tensor:
        """The tokens before the last layer, (B, 1 + patches, hidden_size)."""
        patches = self.patch_embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.expand(patches.shape[0], -1, -1), patches), dim=1)
        tokens = tokens + self.pos_embed
        if self.sie_embed is not None:
            sides = self.sie_embed
            told = sides.mean(dim=0, keepdim=True) if cameras is None else sides[cameras]
            tokens = tokens + self.camera_weight * told
        for block in list(self.blocks)[:-1]:
            tokens = block(tokens)
        return tokens


class TransReid(nn.Module):
    """The network, with random weights.

    Args:
        config: Sizes and parts.
    """

    def __init__(self, config: TransReidConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.embedding_width = width * (1 + _PARTS if config.jigsaw else 1)
        self.base = _Transformer(config)
        for parameter in self.base.parameters(recurse=False):
            nn.init.trunc_normal_(parameter, std=0.02)
        for module in self.base.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        if config.jigsaw:
            last = nn.Sequential(self.base.blocks[-1], self.base.norm)
            self.b1, self.b2 = copy.deepcopy(last), copy.deepcopy(last)
        self._jigsaw = config.jigsaw
        self._necks = ["bottleneck"]
        if config.jigsaw:
            self._necks += [f"bottleneck_{part}" for part in range(1, 1 + _PARTS)]
        for name in self._necks:
            neck = nn.BatchNorm1d(width)
            neck.bias.requires_grad_(False)
            self.add_module(name, neck)
        self._after_neck = config.neck == "after"

    def forward(self, images: Tensor, cameras: Tensor | None = None) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        With the jigsaw D is five times ``hidden_size``: the whole image, then the four parts, each
        a quarter as long.

        Args:
            images: float32 (B, 3, H, W), RGB, -1 to 1, of the config's ``size_hw``.
            cameras: int64 (B,), which of the training's cameras took each image, from 0. None:
                unknown; a network with camera embeddings takes the mean of them. One without
                them ignores this.
        """
        tokens = self.base(images, cameras)
        if not self._jigsaw:
            features = [_class_feature((self.base.blocks[-1], self.base.norm), tokens)]
        else:
            class_tokens = tokens[:, None, :1].expand(-1, _PARTS, -1, -1)
            together = torch.cat((class_tokens, _jigsaw(tokens)), dim=2).flatten(0, 1)
            local = torch.unflatten(_class_feature(self.b2, together), 0, (-1, _PARTS))
            features = [_class_feature(self.b1, tokens), *local.unbind(1)]
        if self._after_neck:
            necks = [self.get_submodule(name) for name in self._necks]
            features = [neck(feature) for neck, feature in zip(necks, features, strict=True)]
        return torch.cat([features[0], *(part / _PARTS for part in features[1:])], dim=1)


def _class_feature(last: Iterable[nn.Module], tokens: Tensor) -> Tensor:
    block, norm = last
    feature: Tensor = norm(block(tokens, first_only=True)[:, 0])
    return feature


def _jigsaw(tokens: Tensor) -> Tensor:
    """The patches' tokens in four parts, (B, 4, patches // 4, hidden_size).

    They are rolled by four, since of TransReID's shift of five the class token takes one place;
    then cut into two halves and dealt from them in turn. An odd number gets the last but one once
    more. What four equal parts leave over is left out.
    """
    patches = tokens.shape[1] - 1
    rolled = torch.cat((tokens[:, _SHIFT:], tokens[:, 1:_SHIFT]), dim=1)
    if patches % _GROUPS:
        rolled = torch.cat((rolled, rolled[:, -2:-1]), dim=1)
    dealt = torch.unflatten(rolled, 1, (_GROUPS, -1)).transpose(1, 2).flatten(1, 2)
    return torch.unflatten(dealt[:, : patches // _PARTS * _PARTS], 1, (_PARTS, -1))


def _under_base(mapping: Mapping[str, _Value]) -> Mapping[str, _Value]:
    """The same, with the names of a plain ViT (timm, DeiT, DINO) under ``base.``."""
    if "cls_token" not in mapping:
        return mapping
    return {f"base.{name}": value for name, value in mapping.items()}


def _fitting(patches: int, patch_size: int) -> tuple[tuple[int, int], int] | None:
    """The size of the image and the stride that give so many patches."""
    for stride in filter(None, (patch_size, patch_size * 3 // 4)):
        for size_hw in _SIZES_HW:
            if math.prod(_grid_hw(size_hw, patch_size, stride)) == patches:
                return size_hw, stride
    columns = math.isqrt(max(patches, 0) // 2)
    if 2 * columns * columns == patches:
        return (2 * columns * patch_size, columns * patch_size), patch_size
    return None


def _recognise(shapes: Shapes) -> TransReidConfig | None:
    named = _under_base(shapes)
    telling = (
        "base.patch_embed.proj.weight",
        "base.pos_embed",
        "base.blocks.0.mlp.fc1.weight",
        # ViT-Small of TransReID has none, and another scale that its shapes do not tell.
        "base.blocks.0.attn.qkv.bias",
    )
    sides = named.get("base.sie_embed", (0, 1, 1))
    match [*(named.get(name) for name in telling), sides]:
        case [(hidden, 3, patch, _), (1, positions, _), (mlp, _), (_,), (cameras, 1, _)]:
            fitting = _fitting(positions - 1, patch)
        case _:
            return None
    if fitting is None:
        return None
    layers = {key.split(".")[2] for key in named if re.match(r"base\.blocks\.\d+\.", key)}
    try:
        return TransReidConfig(
            size_hw=fitting[0],
            patch_size=patch,
            stride=fitting[1],
            hidden_size=hidden,
            layers=len(layers),
            heads=max(hidden // _HEAD_WIDTH, 1),
            mlp_size=mlp,
            cameras=cameras,
            jigsaw="b2.0.norm1.weight" in named,
        )
    except ValidationError:
        return None


def _convert(state: Mapping[str, Tensor], config: TransReidConfig) -> dict[str, Tensor]:
    found = dict(_under_base(state))
    if found.keys() != state.keys():
        # A plain ViT has no neck; a fresh one leaves the directions of embeddings as they are.
        neck = nn.BatchNorm1d(config.hidden_size).state_dict()
        found |= {f"bottleneck.{name}": tensor for name, tensor in neck.items()}
    positions = found.get("base.pos_embed")
    if positions is not None:
        found["base.pos_embed"] = _resized(positions, config)
    return found


def _resized(positions: Tensor, config: TransReidConfig) -> Tensor:
    """Position embeddings stretched to the network's grid, bilinear as in TransReID."""
    fitting = _fitting(positions.shape[1] - 1, config.patch_size)
    if positions.shape[1] == 1 + config.patches or fitting is None:
        return positions
    old_grid_hw = _grid_hw(fitting[0], config.patch_size, fitting[1])
    grid = torch.unflatten(positions[:, 1:], 1, old_grid_hw)
    stretched = interpolate(grid.permute(0, 3, 1, 2), config.grid_hw, mode="bilinear")
    return torch.cat((positions[:, :1], stretched.flatten(2).transpose(1, 2)), dim=1)


def _input(config: TransReidConfig) -> InputSpec:
    half = (0.5, 0.5, 0.5)
    # Training there resizes bicubic, but evaluation bilinear.
    return InputSpec(
        size_hw=config.size_hw, colour="rgb", scale=255.0, mean=half, std=half, resize="bilinear"
    )


ARCHITECTURE = Architecture(
    name="transreid",
    config=TransReidConfig,
    build=TransReid,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=("classifier", "base.fc.", "base.head"),
    layout="TransReID, PersonViT, or a plain ViT as timm saves it",
)
"""ViT-B/16 at 256x128, patches beside each other, unless told otherwise."""
