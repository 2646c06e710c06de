"""The schedule, what decays, and the mean of the weights, each against numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from person.training.optimise import AveragedNetwork, build_optimiser, learning_rate
from person.training.recipe import Optimisation


def test_the_rate_rises_in_a_line_and_falls_by_a_cosine():
    numbers = Optimisation(learning_rate=0.2, warm_up=0.1, final_rate=0.05)
    rates = [learning_rate(step, steps=100, numbers=numbers) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.02 * np.arange(1, 11))
    turns = np.cos(np.pi * np.arange(90) / 90)
    np.testing.assert_allclose(rates[10:], 0.01 + 0.19 * (1 + turns) / 2)
    assert max(rates) == 0.2


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_the_rate_of_one_step_is_a_number(warm_up):
    numbers = Optimisation(learning_rate=0.2, warm_up=warm_up)
    assert learning_rate(0, steps=1, numbers=numbers) == 0.2


class Placed(nn.Module):
    """Layers, a norm, and what embeds places and cameras."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.positions = nn.Parameter(torch.zeros(1, 4, 2, 2))
        self.camera_embeddings = nn.Parameter(torch.zeros(3, 4))


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_only_weights_of_layers_decay(name, kind):
    network = Placed()
    optimiser = build_optimiser(network, Optimisation(optimiser=name, weight_decay=0.1))
    assert isinstance(optimiser, kind)
    decaying, others = (
        {id(parameter) for parameter in group["params"]} for group in optimiser.param_groups
    )
    assert decaying == {id(network.conv.weight)}
    assert others == {id(parameter) for parameter in network.parameters()} - decaying
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.1, 0.0]


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_mean_follows_the_weights(decay):
    learner = nn.BatchNorm1d(2)
    mean = AveragedNetwork(nn.BatchNorm1d(2), of=learner, decay=decay)
    expected = learner.weight.detach().numpy().astype(np.float64)
    for step in range(1, 6):
        with torch.no_grad():
            learner.weight.fill_(float(step))
            learner.running_mean.fill_(-float(step))
            learner.num_batches_tracked.fill_(step)
        mean.update(learner, step=step)
        weight = 1 - min(decay, step / (10 + step))
        expected = expected + weight * (step - expected)
        np.testing.assert_allclose(mean.network.weight.numpy(), expected, rtol=1e-6)
    assert not mean.network.training
    assert not mean.network.weight.requires_grad
    assert mean.network.num_batches_tracked == 5
    assert mean.network.running_mean[0] < 0
    if not decay:
        assert torch.equal(mean.network.weight, learner.weight)
        assert torch.equal(mean.network.running_mean, learner.running_mean)


def test_adamw_is_torchs_own_whatever_the_order_in_memory():
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
        networks.append(made.to(memory_format=torch.channels_last))
    numbers = Optimisation(learning_rate=0.01, weight_decay=0)
    optimisers = [
        build_optimiser(networks[0], numbers),
        torch.optim.AdamW(networks[1].parameters(), lr=0.01, weight_decay=0, foreach=False),
    ]
    images = torch.rand(3, 2, 3, 8, 6)
    for batch in images:
        for network, optimiser in zip(networks, optimisers, strict=True):
            network(batch.contiguous(memory_format=torch.channels_last)).square().sum().backward()
            optimiser.step()
            optimiser.zero_grad()
    for ours, theirs in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
