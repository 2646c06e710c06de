"""What a network has while it learns, and what it is fed."""

import numpy as np
import pytest
import torch
from torch import nn

from everyid.weights_catalogue import InputSpec
from person.backbones.everyid_cnn import EveryIdCnn, EveryIdCnnConfig
from person.training.network import TrainingNetwork, to_network_input
from tests.person.tiny_backbone import tiny

SMALL = EveryIdCnnConfig(widths=(16, 16, 16, 16), depths=(1, 1, 1), embedding_width=8)


def test_a_network_with_a_neck_keeps_its_own():
    backbone = EveryIdCnn(SMALL)
    network = TrainingNetwork(backbone, identities=5)
    images = torch.rand(4, 3, 64, 32)
    found = network.eval()(images, torch.tensor([0, 1, -1, 0]))
    before, embedding = backbone.features(images)
    assert torch.equal(found.before_neck, before)
    assert torch.equal(found.embedding, embedding)
    assert torch.equal(found.logits, embedding @ network.classifier.weight.T)
    assert not any(name.startswith("neck.") for name in network.state_dict())


def test_a_network_without_a_neck_gets_one_for_the_classifier_alone():
    backbone = tiny(width=6)
    network = TrainingNetwork(backbone, identities=5)
    images = torch.rand(4, 3, 16, 8)
    found = network.train()(images)
    assert torch.equal(found.before_neck, found.embedding)
    centred = found.embedding - found.embedding.mean(0)
    after = centred / (centred.square().mean(0) + 1e-5).sqrt()
    torch.testing.assert_close(found.logits, after @ network.classifier.weight.T)


def test_without_identities_there_are_no_logits():
    network = TrainingNetwork(tiny())
    assert network(torch.rand(4, 3, 16, 8)).logits.shape == (4, 0)
    assert network.classifier is None


@pytest.mark.parametrize("losses", [("triplet",), ("cosine",), ("identity", "triplet")])
@pytest.mark.parametrize("own", [True, False])
def test_what_learns_gets_a_gradient_and_nothing_else(losses, own):
    identities = 5 * ("identity" in losses)
    backbone = EveryIdCnn(SMALL) if own else nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(16))
    if not own:
        backbone.append(nn.Flatten()).embedding_width = 32
    network = TrainingNetwork(backbone, identities=identities)
    network.freeze_unused(losses)
    found = network(torch.rand(4, 3, 64, 32))
    parts = {"triplet": found.before_neck, "cosine": found.embedding, "identity": found.logits}
    sum(parts[name].square().sum() for name in losses).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_what_a_network_is_fed_as_by_hand(colour):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    spec = InputSpec(size_hw=(5, 4), colour=colour, scale=255, mean=mean, std=std)
    expected = images[..., ::-1] if colour == "rgb" else images
    expected = ((expected / 255 - mean) / std).transpose(0, 3, 1, 2)
    found = to_network_input(torch.from_numpy(images), spec)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)
