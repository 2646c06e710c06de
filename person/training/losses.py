"""What a network is trained to make small: identities, triplets, and likeness to a teacher.

Each loss is one number with a gradient, averaged so that it does not grow with the batch. All are
computed in float32, also under autocast: differences of near vectors are lost in bfloat16.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss, normalize

from everyid.errors import ShapeError

__all__ = [
    "TripletLoss",
    "cosine_distillation",
    "identity_loss",
    "relational_distillation",
]

_SHORTEST = 1e-4
"""Vectors shorter than this count as this long: else the gradient at zero has no bound."""


@contextmanager
def _in_float32(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    with torch.autocast(tensors[0].device.type, enabled=False):
        yield tuple(tensor.float() for tensor in tensors)


def identity_loss(logits: Tensor, identities: Tensor, *, label_smoothing: float) -> Tensor:
    """float32 (): the mean cross entropy of the labelled rows; 0, with a gradient of 0, for none.

    Args:
        logits: Float (B, I), one column an identity.
        identities: int64 (B,), 0 to I - 1, or -1: not labelled.
        label_smoothing: 0 to 1, how much of the target is spread evenly over all identities.

    Source:
        Szegedy et al., Rethinking the Inception Architecture, 2016, section 7 (the smoothing).

    >>> identity_loss(torch.zeros(2, 4), torch.tensor([3, -1]), label_smoothing=0.1).exp()
    tensor(4.)
    """
    with _in_float32(logits) as (scores,):
        total = cross_entropy(
            scores, identities, ignore_index=-1, label_smoothing=label_smoothing, reduction="sum"
        )
        return total / (identities >= 0).sum().clamp(min=1)


class _EuclideanDistance(LpDistance):  # type: ignore[misc]  # the library has no types
    """Distances from differences, not from products: these lose near pairs to rounding."""

    def __init__(self) -> None:
        super().__init__(normalize_embeddings=False)

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        return torch.cdist(query_emb, ref_emb, compute_mode="donot_use_mm_for_euclid_dist")


class TripletLoss:
    """The batch-hard triplet loss of the labelled rows, by Euclidean distances.

    Every row is an anchor once, with the farthest row of its identity and the nearest of another;
    rows without one of these are left out. The mean is over all triplets, satisfied ones too.

    Args:
        margin: How much nearer the positive shall be than the negative, at least 0; None: a soft
            margin, ``log(1 + exp(positive - negative))``.

    Source:
        Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017,
        section 2.

    >>> rows = torch.tensor([[0.0], [1.0], [3.0], [9.0]])
    >>> TripletLoss(margin=4.0)(rows, torch.tensor([0, 0, 1, -1]))
    tensor(2.5000)
    """

    def __init__(self, margin: float | None) -> None:
        distance = _EuclideanDistance()
        self._miner = BatchHardMiner(distance=distance)
        self._loss = TripletMarginLoss(
            margin=margin or 0.0,
            smooth_loss=margin is None,
            distance=distance,
            reducer=MeanReducer(),
        )

    def __call__(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """float32 (): the loss; 0, with a gradient of 0, where no triplet is to be had.

        Args:
            embeddings: Float (B, D), not normalised.
            identities: int64 (B,), or -1: not labelled.
        """
        labelled = identities >= 0
        with _in_float32(embeddings) as (vectors,):
            vectors, names = vectors[labelled], identities[labelled]
            if not len(vectors):
                return vectors.sum()
            loss: Tensor = self._loss(vectors, names, self._miner(vectors, names))
            return loss


def cosine_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """float32 (): the mean of 1 - cosine similarity of the rows; 0 to 2.

    Args:
        student: Float (B, D), not normalised.
        teacher: Float (B, D), the same images in the same order.

    Raises:
        ShapeError: The two differ in shape.

    >>> cosine_distillation(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor(1.)
    """
    _check_alike(student.shape, teacher.shape)
    with _in_float32(student, teacher) as (ours, theirs):
        return (1 - (_unit(ours) * _unit(theirs)).sum(dim=1)).mean()


def relational_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """float32 (): the mean squared difference of the two B x B matrices of cosine similarities.

    It asks that images lie to each other as they do for the teacher, so widths may differ.

    Args:
        student: Float (B, D), not normalised.
        teacher: Float (B, any width), the same images in the same order.

    Raises:
        ShapeError: The two differ in B.

    Source:
        Tung and Mori, Similarity-Preserving Knowledge Distillation, 2019, section 3; Park et al.,
        Relational Knowledge Distillation, 2019.

    >>> alike, apart = torch.tensor([[2.0], [1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> relational_distillation(alike, apart)
    tensor(0.5000)
    """
    _check_alike(student.shape[:1], teacher.shape[:1])
    with _in_float32(student, teacher) as (ours, theirs):
        ours, theirs = _unit(ours), _unit(theirs)
        return mse_loss(ours @ ours.T, theirs @ theirs.T)


def _unit(vectors: Tensor) -> Tensor:
    return normalize(vectors, dim=1, eps=_SHORTEST)


def _check_alike(student: torch.Size, teacher: torch.Size) -> None:
    if student != teacher:
        raise ShapeError(
            f"distillation: expected as much of the student as of the teacher, {tuple(teacher)}, "
            f"got {tuple(student)}"
        )
