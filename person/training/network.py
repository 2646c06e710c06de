"""A network with what it needs while it learns: a BNNeck and a classifier.

Source: Luo et al., "Bag of Tricks and A Strong Baseline for Deep Person Re-Identification" (2019),
section 3.5: the triplet loss looks at what comes before a batch norm, the identity loss at what
comes after it.
"""

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

from everyid.weights_catalogue import InputSpec

__all__ = ["Outputs", "TrainingNetwork", "to_network_input"]

_CLASSIFIER_STD = 0.001


class Outputs(NamedTuple):
    """What a training network says of a batch.

    Args:
        before_neck: float32 (B, D), for the triplet loss.
        embedding: float32 (B, D), what the network will be used for.
        logits: float32 (B, I), one for each identity; without a classifier (B, 0).
    """

    before_neck: Tensor
    embedding: Tensor
    logits: Tensor


class TrainingNetwork(nn.Module):
    """A network of :mod:`person.backbones` and what is left behind after training.

    A network without a BNNeck of its own gets one in front of the classifier; it is used without
    it, as its published checkpoints are.

    Args:
        backbone: The network; with ``features(images, cameras)`` when it has a BNNeck.
        identities: I, classes of the classifier; 0: no classifier.
    """

    def __init__(self, backbone: nn.Module, *, identities: int = 0) -> None:
        super().__init__()
        self.backbone = backbone
        width = int(backbone.embedding_width)  # type: ignore[arg-type]  # all backbones have it
        self._has_neck = hasattr(backbone, "features")
        self.neck = nn.Identity() if self._has_neck else nn.BatchNorm1d(width)
        self.classifier = nn.Linear(width, identities, bias=False) if identities else None
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=_CLASSIFIER_STD)

    def freeze_unused(self, losses: Collection[str]) -> None:
        """Freezes the neck where no loss looks behind it.

        It would get no gradient anyway, and several processes wait for that of each weight that
        is not frozen.

        Args:
            losses: Names, as of :func:`person.training.loop.loss_parts`.
        """
        if not self._has_neck:
            self.neck.requires_grad_(self.classifier is not None)
        elif set(losses) <= {"triplet"}:
            neck: nn.Module = self.backbone.neck  # type: ignore[assignment]  # as features() has it
            neck.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor, cameras: Tensor | None = None) -> Outputs:
        """What is said of a batch.

        Args:
            images: float32 (B, 3, H, W), as the backbone is fed.
            cameras: int64 (B,), -1: not known; None: of none.
        """
        if self._has_neck:
            before, embedding = self.backbone.features(images, cameras)  # type: ignore[operator]
            after = embedding
        else:
            before = embedding = self.backbone(images)
            after = self.neck(before)
        logits = before[:, :0] if self.classifier is None else self.classifier(after)
        return Outputs(before, embedding, logits)


def to_network_input(images: Tensor, spec: InputSpec) -> Tensor:
    """What a network is fed, float32 (B, 3, H, W): ``(pixel / scale - mean) / std``.

    Args:
        images: uint8 (B, H, W, 3), BGR, 0-255, on the device of the network.
        spec: Order of the channels, scale, mean and std.
    """
    ordered = images
    if spec.colour == "rgb":
        # In half the time of flip.
        ordered = torch.stack(images.unbind(-1)[::-1], dim=-1)
    values = ordered.permute(0, 3, 1, 2).float()
    values /= spec.scale
    # Where mean and std change nothing, two more passes over all pixels would only take time.
    for numbers, idle, apply in ((spec.mean, 0, Tensor.sub_), (spec.std, 1, Tensor.div_)):
        if any(number != idle for number in numbers):
            apply(values, torch.tensor(numbers, device=images.device).view(1, 3, 1, 1))
    return values
