"""``python -m benchmarks train``: a training step against the same network's bare step.

One side is the trainer as ``person train`` runs it: pictures read and changed in threads, the
losses of the recipe, the mean of the weights, the history on disk. The other is a plain loop of
torch on one batch that is ready: forward, losses, backward, step. Both sides run in turn, in one
process, with the same threads and precision.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pairs import Ratio, alternate, median_ratio, show
from everyid.device import Device, choose
from everyid.output import Stop
from person import backbones
from person.datasets.training_set import TrainingSet
from person.training.batches import Batch, Batches
from person.training.checkpoints import Progress
from person.training.loop import Trainer, Training, plan_epoch
from person.training.network import TrainingNetwork
from person.training.optimise import AveragedNetwork
from person.training.recipe import Recipe, recipe

__all__ = ["BareLoop", "TrainerInTurns", "draw_pictures", "main", "people"]

RECIPES = ("everyid-cnn", "everyid-cnn-taught")
PICTURES, PICTURE_HW = 128, (256, 128)
PEOPLE, PICTURES_OF_EACH = 1000, 40
"""So many that no epoch ends while time is taken."""
WARM_UP = 3
"""Steps of a block that do not count: its first batches have nothing to be read behind."""
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}


def main(arguments: list[str]) -> int:
    """Runs the comparisons."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks train")
    parser.add_argument("--recipe", action="append", choices=RECIPES, help="default: both")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds")
    parser.add_argument("--steps", type=int, default=10, help="counted steps a round")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    options = parser.parse_args(arguments)
    device = choose(options.device)
    torch.set_num_threads(device.threads)
    ratios = []
    with tempfile.TemporaryDirectory(prefix="everyid-bench-") as folder:
        paths = draw_pictures(Path(folder) / "pictures")
        for name in options.recipe or RECIPES:
            ratios += _compare(recipe(name), paths, Path(folder) / name, device, options)
    show("train", {"device": str(device), "torch": torch.__version__}, ratios)
    return 0


def draw_pictures(folder: Path) -> list[str]:
    """The paths of JPEG pictures as large as crops often are, with blobs of colour and noise."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(PICTURES):
        random = np.random.default_rng(number)
        blobs = random.integers(0, 256, (16, 8, 3), np.uint8)
        picture = cv2.resize(blobs, PICTURE_HW[::-1], interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
        paths.append(str(folder / f"{number:04d}.jpg"))
        cv2.imwrite(paths[-1], noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


def people(paths: list[str], *, unlabelled: bool) -> TrainingSet:
    """Rows of many people who share a few pictures.

    Args:
        paths: The pictures.
        unlabelled: Whether every tenth row is of nobody known.
    """
    rows = np.arange(PEOPLE * PICTURES_OF_EACH)
    identities = rows // PICTURES_OF_EACH
    if unlabelled:
        identities[rows % 10 == 9] = -1
    return TrainingSet(
        paths=tuple(paths[row % len(paths)] for row in rows.tolist()),
        identities=identities,
        cameras=rows % 6,
        sources=np.zeros(len(rows), np.int64),
        identity_names=tuple(f"drawn/{person}" for person in range(PEOPLE)),
        camera_names=tuple(f"drawn/{camera}" for camera in range(6)),
        source_names=("drawn",),
    )


class _StopAfter(Stop):
    """Asks for a stop after some steps, and takes the time of those that count.

    Args:
        trainer: Looks at it after each step.
        steps: That count.
    """

    def __init__(self, trainer: Trainer, steps: int) -> None:
        self._trainer = trainer
        self._first = trainer.progress.step + WARM_UP
        self._last = self._first + steps
        self.began = self.ended = (0.0, 0.0)

    @property
    def requested(self) -> bool:
        """Whether all steps were made."""
        step = self._trainer.progress.step
        now = time.perf_counter(), self._trainer.waited_s
        if step == self._first:
            self.began = now
        if step == self._last and not self.ended[0]:
            self.ended = now
        return step >= self._last

    @requested.setter
    def requested(self, value: bool) -> None:
        """The trainer may say so too; here that changes nothing."""


class TrainerInTurns:
    """The project's trainer, some steps at a time.

    Args:
        training: What is done.
        device: Where.
    """

    def __init__(self, training: Training, device: Device) -> None:
        asked = training.recipe
        accelerator = Accelerator(
            cpu=device.kind == "cpu",
            mixed_precision="no" if device.precision == "fp32" else device.precision,
        )
        network = build_network(asked)
        average = AveragedNetwork(
            build_network(asked).backbone, of=network.backbone, decay=asked.optimisation.ema
        )
        start = Progress(recipe=asked, data="", seed=0)
        self.trainer = Trainer(training, accelerator, network, average, start=start)
        self.waited: list[float] = []

    def run(self, steps: int) -> float:
        """Seconds of so many steps; what they waited for pictures is added to ``waited``."""
        stop = _StopAfter(self.trainer, steps)
        self.trainer.run(stop)
        seconds, waited = np.subtract(stop.ended, stop.began).tolist()
        self.waited.append(waited)
        return float(seconds)


def build_network(asked: Recipe) -> TrainingNetwork:
    """The network of a recipe with random weights, always the same."""
    kind = backbones.architecture(asked.architecture)
    torch.manual_seed(0)
    backbone = kind.build(kind.config.model_validate(asked.network))
    return TrainingNetwork(backbone, identities=PEOPLE if asked.objective.identity else 0)


class BareLoop:
    """Forward, losses, backward and step, and nothing else: torch alone.

    Args:
        network: What learns; gives before_neck, embedding and logits.
        batch: Ready: normalised, on the device.
        asked: Learning rate, decay and weights of the losses.
        device: Where, and in which precision.
    """

    def __init__(
        self,
        network: nn.Module,
        batch: tuple[Tensor, Tensor, Tensor],
        asked: Recipe,
        device: Device,
    ) -> None:
        self.network = network.to(device.torch_name).to(memory_format=torch.channels_last).train()
        self._images, self._identities, self._targets = batch
        self._asked, self._device = asked, device
        numbers = asked.optimisation
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=numbers.learning_rate, weight_decay=numbers.weight_decay
        )

    def run(self, steps: int) -> float:
        """Seconds of so many steps."""
        for _ in range(WARM_UP):
            self._step()
        began = time.perf_counter()
        for _ in range(steps):
            loss = self._step()
        loss.item()  # a GPU is done only then
        return time.perf_counter() - began

    def _step(self) -> Tensor:
        dtype = _DTYPES[self._device.precision]
        with torch.autocast(self._device.kind, dtype=dtype, enabled=dtype is not None):
            before, embedding, logits = self.network(self._images)
        loss = self.loss(before.float(), embedding.float(), logits.float())
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._optimiser.zero_grad()
        return loss

    def loss(self, before: Tensor, embedding: Tensor, logits: Tensor) -> Tensor:
        """The loss of the recipe, written plainly."""
        told = self._asked.distillation
        if told.teacher is not None:
            ours = functional.normalize(embedding)
            cosine = 1 - (ours * self._targets).sum(1).mean()
            grams = functional.mse_loss(ours @ ours.T, self._targets @ self._targets.T)
            return told.cosine * cosine + told.relational * grams
        distances = torch.cdist(before, before)
        same = self._identities[:, None] == self._identities
        farthest = distances.masked_fill(~same, 0).amax(1)
        nearest = distances.masked_fill(same, float("inf")).amin(1)
        objective = self._asked.objective
        triplet = (farthest - nearest + (objective.margin or 0)).relu().mean()
        identity = functional.cross_entropy(
            logits, self._identities, label_smoothing=objective.label_smoothing
        )
        return objective.identity * identity + objective.triplet * triplet


def _compare(
    asked: Recipe, paths: list[str], output: Path, device: Device, options: argparse.Namespace
) -> list[Ratio]:
    """The waiting and the step of one recipe."""
    data = people(paths, unlabelled=asked.batching.unlabelled > 0)
    network = build_network(asked)
    width = int(network.backbone.embedding_width)  # type: ignore[arg-type]
    targets = np.random.default_rng(0).standard_normal((len(data), width), np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    kind = backbones.architecture(asked.architecture)
    spec = kind.input(kind.config.model_validate(asked.network))
    training = Training(
        recipe=asked,
        data=data,
        spec=spec.model_copy(update={"size_hw": asked.size_hw}),
        output=output,
        targets=targets if asked.distillation.teacher is not None else None,
    )
    output.mkdir()
    batch, reading_s = _read_alone(training, options.steps)
    ready = _ready(batch, training, targets, device)
    ours, bare = TrainerInTurns(training, device), BareLoop(network, ready, asked, device)
    mine, theirs = alternate(
        lambda: ours.run(options.steps), lambda: bare.run(options.steps), rounds=options.rounds
    )
    waited = ours.waited[1:]
    facts: dict[str, object] = {
        "batch": len(batch.rows),
        "steps_a_round": options.steps,
        "images_per_s": round(options.steps * len(batch.rows) / float(np.median(mine)), 1),
    }
    return [
        Ratio(
            name=f"{asked.name}: step of the trainer / bare step on a ready batch",
            goal="<= 1.10",
            ours=mine,
            theirs=theirs,
            value=median_ratio(mine, theirs),
            facts=facts | _spread(mine, theirs),
        ),
        Ratio(
            name=f"{asked.name}: waiting for pictures / the trainer's time",
            goal="< 0.05",
            ours=waited,
            theirs=mine,
            value=median_ratio(waited, mine),
            facts={"reading_alone_s_a_batch": round(reading_s, 4), **_spread(waited, mine)},
        ),
    ]


def _spread(above: list[float], below: list[float]) -> dict[str, object]:
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    return {"lowest": round(ratios[0], 3), "highest": round(ratios[-1], 3)}


def _read_alone(training: Training, count: int) -> tuple[Batch, float]:
    """A batch, and the seconds that one takes when nothing else runs."""
    asked = training.recipe
    plan = plan_epoch(training, seed=0, epoch=0)[: count + 1]
    with Batches(
        training.data, plan, asked.augmentation, size_hw=asked.size_hw, seed=0, epoch=0
    ) as batches:
        began = time.perf_counter()
        read = list(batches)
        return read[0], (time.perf_counter() - began) / len(plan)


def _ready(
    batch: Batch, training: Training, targets: np.ndarray, device: Device
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, identities and targets on the device, the images as the network is fed."""
    spec = training.spec
    order = [2, 1, 0] if spec.colour == "rgb" else [0, 1, 2]
    values = (batch.images[..., order] / spec.scale - spec.mean) / spec.std
    images = torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)
    images = images.to(device.torch_name, memory_format=torch.channels_last)
    identities = torch.from_numpy(batch.identities).to(device.torch_name)
    return images, identities, torch.from_numpy(targets[batch.rows]).to(device.torch_name)
