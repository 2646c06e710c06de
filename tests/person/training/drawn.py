"""A data set of drawn people, a recipe for it that takes moments, and a loop without a command."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from everyid.models import EncoderSummary, Evaluation
from everyid.weights_catalogue import InputSpec
from person.config import TrainConfig
from person.training import checkpoints
from person.training.checkpoints import Progress
from person.training.loop import Schedule, Trainer, Training
from person.training.network import TrainingNetwork
from person.training.optimise import AveragedNetwork
from person.training.recipe import override, recipe
from tests.person.people import figure, save
from tests.person.tiny_backbone import ARCHITECTURE, TinyConfig, tiny

PEOPLE, STEPS_AN_EPOCH, EPOCHS = 8, 4, 3
STEPS = STEPS_AN_EPOCH * EPOCHS
NETWORK = '{"widths": [16, 16, 16, 16], "depths": [1, 1, 1], "embedding_width": 8}'
SETTINGS = {"size_hw": "64x32", "network": NETWORK, "identities": "4", "images_per_identity": "2"}
EACH_STEP = Schedule(log_every=1)
WORDS = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
WORDS += ["--epochs", EPOCHS, "--device", "cpu", "--precision", "fp32"]


def name_of(identity, camera, view, suffix=".png"):
    return f"{identity:04d}_c{camera}s1_{100 * identity + view:06d}_{view:02d}{suffix}"


def market_to_train(folder):
    """A Market-1501 layout: 8 people to train on, 3 others to measure on; the folder."""
    parts = {"bounding_box_train": (range(1, 1 + PEOPLE), 2), "query": (range(20, 23), 1)}
    parts["bounding_box_test"] = (range(20, 23), 2)
    for part, (people, views) in parts.items():
        for camera in (1, 2):
            for identity in people:
                for view in range(views):
                    shown = view + (part == "bounding_box_test")
                    name = name_of(identity, camera, shown)
                    save(folder / part / name, figure(identity, camera, shown))
    return folder


def config(data, output, *, settings=None, **changes):
    """What ``person train`` is asked: a training of 12 steps."""
    asked = {
        "recipe": "everyid-cnn",
        "epochs": EPOCHS,
        "device": "cpu",
        "precision": "fp32",
        "settings": tuple((SETTINGS | (settings or {})).items()),
    }
    return TrainConfig(data=(data,), output=output, **asked | changes)


def weights_of(output):
    """All tensors of the last checkpoint: of the network, of its mean, and of the optimiser."""
    folder = checkpoints.latest(output)
    optimiser = torch.load(folder / "optimiser.pt", weights_only=True)["optimiser"]
    found = {
        f"{part} {name}": tensor
        for part in ("network", "average")
        for name, tensor in load_file(folder / f"{part}.safetensors").items()
    }
    for number, state in optimiser["state"].items():
        found |= {f"optimiser {number} {name}": value for name, value in state.items()}
    return found


def same_weights(one, other):
    """Whether two trainings are at the same place, bit by bit."""
    left, right = weights_of(one), weights_of(other)
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def figures(value):
    """An evaluation of which only the mAP counts."""
    return Evaluation(
        protocol_line="a line",
        protocol="no-camera",
        data="somewhere",
        model=EncoderSummary(name="tiny", sha256="", width=6),
        queries=1,
        queries_without_match=0,
        gallery=1,
        junk=0,
        unlabelled=0,
        mean_average_precision=value,
        mean_inverse_negative_penalty=value,
        cmc=[value],
    )


def trainer(data, output, *, settings=None, schedule=EACH_STEP, precision="no", **more):
    """A training of the tiny network, anew or from its last checkpoint."""
    AcceleratorState._reset_state(reset_partial_state=True)
    wanted = {"size_hw": "16x8", "identities": 4, "images_per_identity": 2, "epochs": EPOCHS}
    asked = override(recipe("everyid-cnn"), wanted | (settings or {}))
    output.mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = TrainingNetwork(tiny(), identities=PEOPLE if asked.objective.identity else 0)
    average = AveragedNetwork(tiny(seed=1), of=network.backbone, decay=asked.optimisation.ema)
    progress, state = Progress(recipe=asked, data="the drawn", seed=5), None
    there = checkpoints.latest(output)
    if there is not None:
        progress = checkpoints.read_progress(there)
        state = checkpoints.restore(there, network=network, average=average.network)
    spec: InputSpec = ARCHITECTURE.input(TinyConfig())
    return Trainer(
        Training(asked, data, spec, output, schedule, **more),
        Accelerator(cpu=True, mixed_precision=precision),
        network,
        average,
        start=progress,
        optimiser_state=state,
    )
