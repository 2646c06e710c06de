"""Losses against one row, one pair, one value at a time; gradients where vectors meet or vanish."""

import numpy as np
import pytest
import torch

from everyid.errors import ShapeError
from person.training.losses import (
    TripletLoss,
    cosine_distillation,
    identity_loss,
    relational_distillation,
)
from tests.reference import losses as twin


def random(*shape, seed=0, scale=1.0, dtype=torch.float32):
    values = np.random.default_rng(seed).normal(size=shape) * scale
    return torch.from_numpy(values).to(dtype).requires_grad_()


def labels(*values):
    return torch.tensor(values, dtype=torch.int64)


def doubles(tensor):
    return tensor.detach().double().numpy()


def gradient(loss, *tensors):
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    found = torch.autograd.grad(loss, tensors)
    assert all(one.isfinite().all() for one in found)
    return found


LOSSES = {
    "identity": lambda x, y: identity_loss(x, labels(0, 2, -1, 1, 1, 0), label_smoothing=0.1),
    "triplet": lambda x, y: TripletLoss(0.3)(x, labels(0, 0, -1, 1, 1, 0)),
    "soft": lambda x, y: TripletLoss(None)(x, labels(0, 0, -1, 1, 1, 0)),
    "cosine": cosine_distillation,
    "relational": relational_distillation,
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


# against the slow twins


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("rows", [(0, 2, 1, 4), (-1, 2, -1, 2), (3, -1, -1, -1)])
def test_identity(rows, smoothing):
    logits, identities = random(4, 5, scale=3), labels(*rows)
    found = identity_loss(logits, identities, label_smoothing=smoothing)
    wanted = twin.identity(doubles(logits), identities.numpy(), smoothing)
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    (slope,) = gradient(found, logits)
    assert (slope.abs().sum(dim=1) > 0).tolist() == (identities >= 0).tolist()


@pytest.mark.parametrize("margin", [None, 0.0, 0.3, 5.0])
@pytest.mark.parametrize(
    "identities",
    [
        np.repeat(np.arange(4), 4),
        np.arange(40) // 4,  # more than 25 rows, where torch computes distances otherwise
        np.array([0, 0, 0, 1, 2, -1, 2, -1, -1]),
    ],
    ids=["4x4", "10x4", "some"],
)
def test_triplet(margin, identities):
    embeddings = random(len(identities), 7)
    found = TripletLoss(margin)(embeddings, torch.from_numpy(identities))
    wanted = twin.triplet(doubles(embeddings), identities, margin)
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    (slope,) = gradient(found, embeddings)
    assert not slope[torch.from_numpy(identities < 0)].any()
    assert slope.any()


def test_a_triplet_far_enough_costs_nothing_but_with_a_soft_margin():
    rows, identities = torch.tensor([[0.0], [1.0], [9.0], [9.0]]), labels(0, 0, 1, 1)
    assert TripletLoss(1.0)(rows, identities) == 0
    assert 0 < TripletLoss(None)(rows, identities) < 0.01


def test_the_mean_counts_triplets_that_are_far_enough():
    rows, identities = torch.tensor([[0.0], [1.0], [9.0], [9.0]]), labels(0, 0, 1, 1)
    assert TripletLoss(8.0)(rows, identities).item() == pytest.approx((0 + 1 + 0 + 0) / 4)


def test_triplets_of_near_vectors_far_from_zero():
    offset = random(40, 64, scale=1e-3).detach() + 30.0
    identities = np.arange(40) // 4
    found = TripletLoss(0.0)(offset, torch.from_numpy(identities))
    assert found.item() == pytest.approx(twin.triplet(doubles(offset), identities, 0.0), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_cosine_distillation(batch):
    student, teacher = random(batch, 6, scale=4), random(batch, 6, seed=1)
    found = cosine_distillation(student, teacher)
    wanted = twin.cosine_distance(doubles(student), doubles(teacher))
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    gradient(found, student)


@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("width", [3, 6])
def test_relational_distillation(batch, width):
    student, teacher = random(batch, 6, scale=4), random(batch, width, seed=1)
    found = relational_distillation(student, teacher)
    wanted = twin.relations(doubles(student), doubles(teacher))
    assert found.item() == pytest.approx(wanted, rel=1e-5, abs=1e-12)
    gradient(found, student)


def test_what_is_alike_costs_nothing():
    one = random(5, 6).detach()
    assert cosine_distillation(one * 3, one).item() == pytest.approx(0, abs=1e-6)
    turned = one @ torch.linalg.qr(random(6, 6, seed=1).detach()).Q
    assert relational_distillation(turned, one).item() == pytest.approx(0, abs=1e-10)


# where there is nothing to learn from


@pytest.mark.parametrize("count", [0, 3])
def test_no_labelled_rows_give_zero_with_a_gradient(count):
    rows, nobody = random(count, 5), labels(*[-1] * count)
    for loss in (
        identity_loss(rows, nobody, label_smoothing=0.1),
        TripletLoss(0.3)(rows, nobody),
        TripletLoss(None)(rows, nobody),
    ):
        assert loss == 0
        assert not gradient(loss, rows)[0].any()


@pytest.mark.parametrize("margin", [0.3, None])
@pytest.mark.parametrize("rows", [(0, 1, 2), (0, 0, 0), (0, -1, -1), (0, -1, 1)])
def test_no_triplets_give_zero_with_a_gradient(rows, margin):
    embeddings = random(3, 4)
    loss = TripletLoss(margin)(embeddings, labels(*rows))
    assert loss == 0
    assert not gradient(loss, embeddings)[0].any()


@every_loss
@pytest.mark.parametrize(("ours", "theirs"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_gradients_are_bounded_where_vectors_meet_or_vanish(loss, ours, theirs):
    x = torch.full((6, 4), ours, requires_grad=True)
    y = torch.full((6, 4), theirs)
    (slope,) = gradient(loss(x, y), x)
    assert slope.abs().max() < 1e4


# precision


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(loss, dtype):
    x, y = random(6, 4, dtype=dtype), random(6, 4, seed=1, dtype=dtype).detach()
    found = loss(x, y)
    assert found.item() == loss(x.detach().float(), y.float()).item()
    assert gradient(found, x)[0].dtype == dtype


@every_loss
def test_autocast_changes_nothing(loss):
    x, y = random(6, 4), random(6, 4, seed=1).detach()
    plain = loss(x, y)
    with torch.autocast("cpu", torch.bfloat16):
        cast = loss(x, y)
        assert (x @ x.T).dtype == torch.bfloat16
    assert cast.item() == plain.item()
    assert gradient(cast, x)[0].equal(gradient(plain, x)[0])


# what may be given


@pytest.mark.parametrize(
    ("loss", "student", "teacher", "words"),
    [
        (cosine_distillation, (6, 4), (6, 5), r"\(6, 5\), got \(6, 4\)"),
        (cosine_distillation, (6, 4), (1, 4), r"\(1, 4\), got \(6, 4\)"),
        (relational_distillation, (6, 4), (1, 4), r"\(1,\), got \(6,\)"),
    ],
)
def test_unlike_shapes_are_refused(loss, student, teacher, words):
    start = "^distillation: expected as much of the student as of the teacher, "
    with pytest.raises(ShapeError, match=f"{start}{words}$"):
        loss(torch.zeros(student), torch.zeros(teacher))
