import json

import cv2
import numpy as np
import pytest
import torch

from benchmarks import training_domain
from benchmarks.training_domain import BareLoop, build_network, draw_pictures, main, people
from everyid.device import choose
from person.training.losses import (
    TripletLoss,
    cosine_distillation,
    identity_loss,
    relational_distillation,
)
from person.training.recipe import override, recipe

SMALL = {
    "network": {"widths": (16, 16, 16, 16), "depths": (1, 1, 1), "embedding_width": 16},
    "size_hw": (32, 16),
    "identities": 2,
    "images_per_identity": 2,
}


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(training_domain, "PICTURES", 4)
    monkeypatch.setattr(training_domain, "PEOPLE", 10)
    monkeypatch.setattr(training_domain, "PICTURES_OF_EACH", 10)


def small(name):
    return override(recipe(name), SMALL)


def test_pictures_are_drawn(tmp_path):
    paths = draw_pictures(tmp_path / "pictures")
    pictures = [cv2.imread(path) for path in paths]
    assert [picture.shape for picture in pictures] == [(256, 128, 3)] * 4
    assert min(picture.std() for picture in pictures) > 30
    assert (pictures[0] != pictures[1]).any()


def test_people_share_the_pictures():
    labelled, mixed = (people(["a.jpg", "b.jpg"], unlabelled=each) for each in (False, True))
    assert len(labelled) == len(mixed) == 100
    assert set(labelled.paths) == {"a.jpg", "b.jpg"}
    assert np.bincount(labelled.identities).tolist() == [10] * 10
    assert len(mixed.unlabelled) == 10


def bare(name) -> tuple[BareLoop, tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor]:
    """A loop, what a network might say of its batch, the identities and the targets."""
    asked, random = small(name), torch.Generator().manual_seed(1)
    identities = torch.tensor([3, 3, 8, 8])
    targets = torch.nn.functional.normalize(torch.randn(4, 16, generator=random))
    said = tuple(torch.randn(4, width, generator=random) for width in (16, 16, 10))
    images = torch.rand(4, 3, 32, 16, generator=random)
    loop = BareLoop(
        build_network(asked), (images, identities, targets), asked, choose("cpu", precision="fp32")
    )
    return loop, said, identities, targets


def test_the_plain_loss_of_labels_is_that_of_the_project():
    loop, said, identities, _ = bare("everyid-cnn")
    expected = TripletLoss(0.3)(said[0], identities)
    expected += identity_loss(said[2], identities, label_smoothing=0.1)
    torch.testing.assert_close(loop.loss(*said), expected)


def test_the_plain_loss_of_a_teacher_is_that_of_the_project():
    loop, said, _, targets = bare("everyid-cnn-taught")
    told = recipe("everyid-cnn-taught").distillation
    expected = told.cosine * cosine_distillation(said[1], targets)
    expected += told.relational * relational_distillation(said[1], targets)
    torch.testing.assert_close(loop.loss(*said), expected)


def test_the_plain_loop_learns():
    loop, _, _, _ = bare("everyid-cnn")
    before = [each.detach().clone() for each in loop.network.parameters()]
    assert loop.run(1) > 0
    moved = [not torch.equal(*each) for each in zip(before, loop.network.parameters(), strict=True)]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize("name", training_domain.RECIPES)
def test_a_table_and_one_document(name, monkeypatch, capsys):
    monkeypatch.setattr(training_domain, "recipe", small)
    assert main(["--recipe", name, "--rounds", "2", "--steps", "2", "--device", "cpu"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    step, waiting = document["results"]
    assert step["name"] == f"{name}: step of the trainer / bare step on a ready batch"
    assert step["batch"] == 4 + 4 * name.endswith("taught")
    assert step["ratio"] > 0
    assert step["lowest"] <= step["ratio"] <= step["highest"]
    assert waiting["rounds"] == 2
    assert 0 <= waiting["lowest"] <= waiting["ratio"] < 1
    assert f"{name}: waiting for pictures" in shown.err
