"""How the weights move: what decays, how the learning rate goes, and the mean of the weights.

Source: warm-up and cosine: Loshchilov and Hutter, "SGDR" (2017), equation 5; no decay of norms and
biases: He et al., "Bag of Tricks for Image Classification" (2019), section 3.1; the mean: Tarvainen
and Valpola, "Mean teachers" (2017), section 2.
"""

import math
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from person.training.recipe import Optimisation

__all__ = ["AveragedNetwork", "build_optimiser", "learning_rate"]

_MOMENTUM = 0.9
_NOT_DECAYING = ("positions", "class_token", "camera_embeddings")


def learning_rate(step: int, *, steps: int, numbers: Optimisation) -> float:
    """The learning rate of a step: a straight rise, then a cosine down to the final rate.

    >>> flat = Optimisation(learning_rate=1.0, warm_up=0.5, final_rate=0.0)
    >>> [round(learning_rate(step, steps=4, numbers=flat), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]

    Args:
        step: From 0.
        steps: Of the whole training.
        numbers: Highest and final rate, and the part that rises.
    """
    rising = round(numbers.warm_up * steps)
    if step < rising:
        return numbers.learning_rate * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    part = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return numbers.learning_rate * (numbers.final_rate + (1 - numbers.final_rate) * part)


def build_optimiser(network: nn.Module, numbers: Optimisation) -> torch.optim.Optimizer:
    """The optimiser of a network; norms, biases and embeddings of places and cameras do not decay.

    Args:
        network: What is trained.
        numbers: Which optimiser, learning rate and decay.
    """
    decaying: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        free = parameter.ndim <= 1 or name.rpartition(".")[2] in _NOT_DECAYING
        (others if free else decaying).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": numbers.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if numbers.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=numbers.learning_rate, momentum=_MOMENTUM, nesterov=True)
    # Of one pass over the weights, where there are others. A loss scaler asks more of it than here.
    fused = decaying[0].device.type == "cpu" if decaying else None
    return torch.optim.AdamW(groups, lr=numbers.learning_rate, fused=fused)


class AveragedNetwork:
    """The mean of a network's weights over the last steps; later ones weigh more.

    In the first steps the decay is lower, so that the random start is soon forgotten.

    Args:
        network: Another of the same kind, which gets the mean; the statistics of batches are
            averaged as the weights are.
        of: The network that learns.
        decay: Weight of the past in each step, 0-1; 0: always the network itself.
    """

    def __init__(self, network: nn.Module, *, of: nn.Module, decay: float) -> None:
        network.load_state_dict(of.state_dict())
        self.network = network.eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, *, step: int) -> None:
        """Takes the weights after a step in.

        Args:
            network: Whose weights moved.
            step: How many steps were taken, from 1.
        """
        weight = 1 - min(self._decay, step / (10 + step))
        mine: list[Tensor] = []
        theirs: list[Tensor] = []
        for own, other in zip(_tensors(self.network), _tensors(network), strict=True):
            if own.is_floating_point():
                mine.append(own)
                theirs.append(other.to(own.dtype))
            else:
                own.copy_(other)
        torch._foreach_lerp_(mine, theirs, weight)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    """Weights, then statistics; ``state_dict`` takes as long as averaging them does."""
    return chain(network.parameters(), network.buffers())
