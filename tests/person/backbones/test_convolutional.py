"""What the convolutional networks share."""

import pytest
import torch
from torch import nn

from person.backbones.convolutional import conv_norm, holds_weights_of, initialise


def names(network):
    return [name for name, _ in network.named_children()]


def test_the_parts_have_their_names():
    assert names(conv_norm(2, 4, activation=nn.ReLU())) == ["conv", "bn", "activation"]
    assert names(conv_norm(2, 4, norm=None)) == ["conv"]
    assert isinstance(conv_norm(2, 4, norm=nn.InstanceNorm2d).bn, nn.InstanceNorm2d)


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_padding_keeps_the_size(kernel):
    layer = conv_norm(2, 4, kernel, groups=2)
    assert layer(torch.rand(2, 2, 9, 8)).shape == (2, 4, 9, 8)
    assert conv_norm(2, 4, kernel, stride=2)(torch.rand(2, 2, 9, 8)).shape == (2, 4, 5, 4)


def test_random_weights_by_what_a_layer_gives():
    network = nn.Sequential(nn.Conv2d(8, 512, 3), nn.BatchNorm2d(512))
    initialise(network)
    assert network[0].weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.05)
    assert not network[0].bias.any()
    assert (network[1].weight == 1).all()


def test_weights_of_a_network_may_lack_a_tenth_and_have_a_tenth_too_much():
    def build():
        return nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(20)), nn.BatchNorm2d(2))

    names = {name: () for name in build().state_dict() if "num_batches" not in name}
    assert len(names) == 24

    def held(missing, extra, head=()):
        kept = dict(list(names.items())[missing:]) | {f"other.{i}": () for i in range(extra)}
        kept |= dict.fromkeys(head, ())
        return holds_weights_of(build, kept, classifier=("head.",))

    assert held(0, 0)
    assert held(0, 0, [f"head.{i}" for i in range(9)])
    assert held(2, 2)
    assert not held(3, 0)
    assert not held(0, 3)
