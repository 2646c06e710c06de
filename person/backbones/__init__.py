"""The networks that turn a crop of a person into an embedding, one file each.

A file offers its network as one :class:`Architecture`: the configuration the network is built
from, how a published checkpoint of it is recognised by keys and shapes, and what it is fed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from everyid.weights_catalogue import InputSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ARCHITECTURES", "Architecture", "BackboneConfig", "Shapes", "architecture"]

Shapes = Mapping[str, tuple[int, ...]]
"""The keys of a checkpoint, each with the shape of its tensor."""

ARCHITECTURES = {
    "vit": "person.backbones.vit",
    "transreid": "person.backbones.transreid",
    "osnet": "person.backbones.osnet",
    "resnet50": "person.backbones.resnet50",
    "mobilenetv2": "person.backbones.mobilenetv2",
    "everyid-vit": "person.backbones.everyid_vit",
    "everyid-cnn": "person.backbones.everyid_cnn",
}
"""Name -> module; each module has its ``ARCHITECTURE``. Asked in this order what a file is."""


class BackboneConfig(BaseModel):
    """What a network is built from; each file has its own, with the field's names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of network.

    Args:
        name: As in ``ARCHITECTURES``.
        config: What it is built from; without arguments the usual size.
        build: Makes the network with random weights. Its ``forward`` takes float32 (B, 3, H, W)
            and gives the embeddings, float32 (B, D), not normalised; its attribute
            ``embedding_width`` is D.
        recognise: The configuration whose network these keys and shapes are the weights of, or
            None when they are of another kind. Prefixes such as ``module.`` are gone by then.
        input: What a network of a configuration is fed when nothing else is said.
        convert: A checkpoint's tensors under the names that the network has.
        classifier: Beginnings of keys that belong to the training head: these may be missing, left
            over or of another size.
        layout: Whose checkpoints are recognised, for people: "torchreid OSNet".
    """

    name: str
    config: type[BackboneConfig]
    build: Callable[[Any], "nn.Module"]
    recognise: Callable[[Shapes], BackboneConfig | None]
    input: Callable[[Any], InputSpec]
    convert: Callable[[Mapping[str, "Tensor"], Any], dict[str, "Tensor"]]
    classifier: tuple[str, ...]
    layout: str


def architecture(name: str) -> Architecture:
    """The architecture of that name, imported now.

    Raises:
        KeyError: No such name.
    """
    found: Architecture = import_module(ARCHITECTURES[name]).ARCHITECTURE
    return found
