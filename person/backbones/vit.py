"""ViT with a projected class token: the network of the first EveryID's published person model.

A square image goes through a Vision Transformer; the class token that comes out, after the last
layer norm, is projected to the embedding.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2020), section 3.1; the transformer
is `ViTModel` of huggingface/transformers (Apache-2.0), as in `google/vit-base-patch16-224-in21k`.
"""

import re
from collections.abc import Mapping
from math import isqrt
from typing import Self

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig, Shapes

__all__ = ["ARCHITECTURE", "Vit", "VitConfig"]

_RENAMED = (
    ("backbone.encoder.layer.", "backbone.layers."),
    (".attention.attention.query.", ".attention.q_proj."),
    (".attention.attention.key.", ".attention.k_proj."),
    (".attention.attention.value.", ".attention.v_proj."),
    (".attention.output.dense.", ".attention.o_proj."),
    (".intermediate.dense.", ".mlp.fc1."),
    (".output.dense.", ".mlp.fc2."),
)
"""What transformers called the parts of its ViT before 5.9, and since. Replaced in this order:
the last one is contained in another."""

_UNUSED = "backbone.pooler."
"""Published files carry the transformer's pooler; nothing was ever computed with it."""

_HEAD_WIDTH = 64
"""What all sizes of the paper's table 1 have; shapes do not tell how many heads there are."""


class VitConfig(BackboneConfig):
    """What the network is built from."""

    image_size: int = Field(default=224, gt=0, description="height and width of the image, px")
    patch_size: int = Field(default=16, gt=0, description="height and width of a patch, px")
    hidden_size: int = Field(default=768, gt=0)
    layers: int = Field(default=12, gt=0)
    heads: int = Field(default=12, gt=0)
    mlp_size: int = Field(default=3072, gt=0, description="width inside the perceptrons")
    embedding_width: int = Field(default=512, gt=0)
    dropout: float = Field(default=0.3, ge=0, lt=1, description="of the embedding, in training")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} does not divide by heads {self.heads}"
            )
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} does not divide by patch_size {self.patch_size}"
            )
        return self


class Vit(nn.Module):
    """The network, with random weights.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.embedding_width = config.embedding_width
        transformer = ViTConfig(
            image_size=config.image_size,
            patch_size=config.patch_size,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_size,
            layer_norm_eps=1e-12,
        )
        self.backbone = ViTModel(transformer, add_pooling_layer=False)
        # Tracing reads every property of a module; unset, this one writes a warning.
        self.backbone.loss_function = None
        self.embedding = nn.Sequential(
            nn.Linear(config.hidden_size, config.embedding_width), nn.Dropout(config.dropout)
        )

    def forward(self, images: Tensor) -> Tensor:
        """The embeddings, float32 (B, D), not normalised.

        Args:
            images: float32 (B, 3, S, S), RGB, about -1 to 1, S the config's ``image_size``.
        """
        class_token = self.backbone(images).last_hidden_state[:, 0]
        embeddings: Tensor = self.embedding(class_token)
        return embeddings


def _today(name: str) -> str:
    """The name that transformers has now for what a key of any version means."""
    for before, since in _RENAMED:
        name = name.replace(before, since)
    return name


def _recognise(shapes: Shapes) -> VitConfig | None:
    named = {_today(key): shape for key, shape in shapes.items()}
    telling = (
        "backbone.embeddings.patch_embeddings.projection.weight",
        "backbone.embeddings.position_embeddings",
        "backbone.layers.0.mlp.fc1.weight",
        "embedding.0.weight",
    )
    match [named.get(name) for name in telling]:
        case [(hidden, 3, patch, _), (1, positions, _), (mlp, _), (embedding, _)]:
            side = isqrt(max(positions - 1, 0))
        case _:
            return None
    if side * side != positions - 1:
        return None
    layers = {key.split(".")[2] for key in named if re.match(r"backbone\.layers\.\d+\.", key)}
    try:
        return VitConfig(
            image_size=side * patch,
            patch_size=patch,
            hidden_size=hidden,
            layers=len(layers),
            heads=max(hidden // _HEAD_WIDTH, 1),
            mlp_size=mlp,
            embedding_width=embedding,
        )
    except ValidationError:
        return None


def _convert(state: Mapping[str, Tensor], config: VitConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        installed = {_today(name): name for name in Vit(config).state_dict()}
    found = {_today(key): tensor for key, tensor in state.items() if not key.startswith(_UNUSED)}
    return {installed.get(name, name): tensor for name, tensor in found.items()}


def _input(config: VitConfig) -> InputSpec:
    half = (0.5, 0.5, 0.5)
    size = (config.image_size, config.image_size)
    return InputSpec(
        size_hw=size, colour="rgb", scale=255.0, mean=half, std=half, resize="bilinear"
    )


ARCHITECTURE = Architecture(
    name="vit",
    config=VitConfig,
    build=Vit,
    recognise=_recognise,
    input=_input,
    convert=_convert,
    classifier=("classifier.",),
    layout="EveryID 2024 ViT (transformers ViTModel)",
)
"""ViT-B/16 at 224x224 with an embedding of 512 unless told otherwise."""
