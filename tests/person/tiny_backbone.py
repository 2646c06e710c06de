"""A network small enough for tests, in the manner of person/backbones."""

import torch
from torch import nn

from everyid.weights_catalogue import InputSpec
from person.backbones import Architecture, BackboneConfig

SIZE = (16, 8)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TinyConfig(BackboneConfig):
    embedding_width: int = 6
    classes: int = 4


class Tiny(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding_width = config.embedding_width
        self.conv = nn.Conv2d(3, 5, 3, stride=2)
        self.norm = nn.BatchNorm2d(5)
        self.fc = nn.Linear(5, config.embedding_width)
        self.classifier = nn.Linear(config.embedding_width, config.classes)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def recognise(shapes):
    if shapes.get("conv.weight") != (5, 3, 3, 3):
        return None
    return TinyConfig(embedding_width=shapes.get("fc.weight", (6,))[0])


ARCHITECTURE = Architecture(
    name="tiny",
    config=TinyConfig,
    build=Tiny,
    recognise=recognise,
    input=lambda config: InputSpec(
        size_hw=SIZE, colour="rgb", scale=255, mean=MEAN, std=STD, resize="bilinear"
    ),
    convert=lambda tensors, config: dict(tensors),
    classifier=("classifier.",),
    layout="Tiny of the tests",
)


def tiny(width=6, classes=4, seed=0):
    """One of these networks, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Tiny(TinyConfig(embedding_width=width, classes=classes))
    return network.eval()
