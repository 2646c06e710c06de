"""The training loop: batches, losses, steps, validation, checkpoints; on one process or several.

All that is random follows from seed, epoch and batch, so a training that was killed goes on from
its last checkpoint as if nothing had happened.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from everyid.errors import ConfigError, TrainingError
from everyid.models import Evaluation
from everyid.output import Stop, progress, whole_file, writing
from everyid.protocols import Encoder
from everyid.weights_catalogue import InputSpec
from person.datasets.training_set import TrainingSet
from person.training import checkpoints
from person.training.batches import Batch, Batches, pk_epoch, share_of
from person.training.checkpoints import Progress
from person.training.history import History
from person.training.losses import (
    TripletLoss,
    cosine_distillation,
    identity_loss,
    relational_distillation,
)
from person.training.mixing import mixed
from person.training.network import Outputs, TrainingNetwork, to_network_input
from person.training.optimise import AveragedNetwork, build_optimiser, learning_rate
from person.training.recipe import Recipe

__all__ = ["Schedule", "Trainer", "Training", "loss_parts", "plan_epoch"]

_SMALLEST_BATCH = 2
"""Pictures; a batch norm has no statistics of one."""


_HIDDEN_CAMERAS = 0.2
"""Part of the pictures whose camera is not told."""


def loss_parts(recipe: Recipe) -> dict[str, float]:
    """The losses that count in a recipe, each with its weight.

    >>> from person.training.recipe import recipe
    >>> loss_parts(recipe("everyid-vit"))
    {'identity': 1.0, 'triplet': 1.0}
    """
    objective, told = recipe.objective, recipe.distillation
    weights = {"identity": objective.identity, "triplet": objective.triplet}
    if told.teacher is not None:
        weights |= {"cosine": told.cosine, "relational": told.relational}
    return {name: weight for name, weight in weights.items() if weight}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When what is done beside the steps.

    Args:
        validate_every: Epochs between validations; the last epoch always has one.
        patience: Validations without a better mAP after which training stops; 0: never.
        checkpoint_every_s: Seconds between checkpoints; each validation is followed by one too.
        log_every: Steps between rows of the history.
    """

    validate_every: int = 1
    patience: int = 0
    checkpoint_every_s: float = 300.0
    log_every: int = 20


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, on what, and what happens to the outcome.

    Args:
        recipe: What is done.
        data: The pictures.
        spec: What the network is fed.
        output: The folder of the training.
        schedule: When what is done beside the steps.
        targets: float32 (N, D), of length 1, what a teacher says of each picture; None: no teacher.
        teacher: Asked about pictures that are mixed as the recipe says; None: no teacher.
        yardstick: What validations are measured on, for the history.
        validate: Measures a network, or gives None when it was stopped; None: there is nothing to
            measure it on.
        keep_best: Called with a network when its figures are the best so far.
    """

    recipe: Recipe
    data: TrainingSet
    spec: InputSpec
    output: Path
    schedule: Schedule = Schedule()
    targets: NDArray[np.float32] | None = None
    teacher: Encoder | None = None
    yardstick: str = ""
    validate: Callable[[nn.Module], Evaluation | None] | None = None
    keep_best: Callable[[nn.Module], None] | None = None


@dataclass(slots=True)
class _Measured:
    """What was seen since the last row of the history."""

    losses: list[dict[str, float]] = field(default_factory=list)
    gradient_norm: float = 0.0
    images: int = 0
    waited_s: float = 0.0
    since: float = field(default_factory=time.perf_counter)


def plan_epoch(training: Training, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of each batch of an epoch, of all processes together.

    Args:
        training: Its recipe and data.
        seed: Of the training.
        epoch: From 0.
    """
    batching = training.recipe.batching
    alone = not len(training.data.labelled)  # then the unlabelled fill the batch
    return pk_epoch(
        training.data,
        identities_per_batch=batching.identities,
        images_per_identity=batching.images_per_identity,
        unlabelled_per_batch=batching.total if alone else batching.unlabelled,
        seed=seed,
        epoch=epoch,
    )


class Trainer:
    """One training on its way.

    Args:
        training: What is done.
        accelerator: Devices, processes and precision.
        network: What learns, as made for the recipe.
        average: Takes the mean of the weights of ``network.backbone``.
        start: Where the training is.
        optimiser_state: From a checkpoint, or None.
    """

    def __init__(
        self,
        training: Training,
        accelerator: Accelerator,
        network: TrainingNetwork,
        average: AveragedNetwork,
        *,
        start: Progress,
        optimiser_state: dict[str, dict[str, object]] | None = None,
    ) -> None:
        self._training = training
        self._accelerator = accelerator
        # A convolution is quicker on a CPU when the channels of a place lie side by side.
        self._network = network.to(accelerator.device).to(memory_format=torch.channels_last)
        self._average = average
        average.network.to(accelerator.device).to(memory_format=torch.channels_last)
        self._weights = loss_parts(training.recipe)
        self._network.freeze_unused(self._weights)
        optimiser = build_optimiser(self._network, training.recipe.optimisation)
        self._wrapped, self._optimiser = accelerator.prepare(self._network, optimiser)
        if optimiser_state is not None:
            optimiser.load_state_dict(optimiser_state["optimiser"])
            if accelerator.scaler is not None and "scaler" in optimiser_state:
                accelerator.scaler.load_state_dict(optimiser_state["scaler"])
        self._triplet = TripletLoss(training.recipe.objective.margin)
        self.progress = start
        self._saved = None if optimiser_state is None else start
        self._planned = (start.epoch, self._plan())
        plan = self._planned[1]
        self._steps = training.recipe.optimisation.epochs * len(plan)
        self._batch_size: int = len(plan[0]) * accelerator.num_processes
        if len(plan[0]) < _SMALLEST_BATCH:
            raise ConfigError(
                f"expected batches of at least {_SMALLEST_BATCH} pictures in each process, "
                f"got {len(plan[0])}",
                hint="set `identities`, `images_per_identity` or `unlabelled` higher",
            )
        self._measured = _Measured()
        self._saved_at = self._began_at = time.perf_counter()
        self._before_s = start.elapsed_s
        self.bad: dict[str, str] = {}
        self.waited_s = 0.0

    @property
    def images_seen(self) -> int:
        """Pictures in all batches so far, of all processes."""
        return self.progress.step * self._batch_size

    def run(self, stop: Stop, *, overwrite: bool = False) -> None:
        """Trains to the end, to a stop, or until nothing gets better.

        Args:
            stop: Looked at after each step, of any process; then a checkpoint is written and
                nothing else.
            overwrite: Replace the history of another training in the folder.

        Raises:
            TrainingError: The loss or its gradient is not finite; the batch lies in
                ``not-finite/``.
            OutputError: A checkpoint cannot be written.
            InputError: Too many pictures cannot be read.
        """
        training = self._training
        resumed = None if self._saved is None else self.progress.step
        if not self._accelerator.is_main_process:
            self._run_epochs(stop, None)
            return
        with History(
            training.output,
            loss_parts=self._weights,
            yardsticks=[training.yardstick] if training.validate else [],
            resume_step=resumed,
            overwrite=overwrite,
        ) as history:
            self._run_epochs(stop, history)

    def _run_epochs(self, stop: Stop, history: History | None) -> None:
        self._save()  # one that was killed early is known by it, and a full disk shows at once
        label = f"{self._training.recipe.name}: steps"
        with progress(label, self._steps) as advance:
            advance(self.progress.step)
            while not (self.progress.finished or self._stops(stop)):
                self._run_epoch(stop, history, advance)
        self._save()

    def _run_epoch(
        self, stop: Stop, history: History | None, advance: Callable[[int], None]
    ) -> None:
        now, recipe = self.progress, self._training.recipe
        if self._planned[0] != now.epoch:
            self._planned = (now.epoch, self._plan())
        plan = self._planned[1]
        with Batches(
            self._training.data,
            plan,
            recipe.augmentation,
            size_hw=recipe.size_hw,
            seed=now.seed,
            epoch=now.epoch,
            start=now.batch,
            bad=self.bad,
        ) as batches:
            for batch in batches:
                at_end = self.progress.batch + 1 == len(plan)
                moved = at_end or (self.progress.batch + 1) % recipe.optimisation.accumulate == 0
                self._step(batch, move=moved)
                self._note(step=self.progress.step + 1, batch=self.progress.batch + 1)
                advance(1)
                self._after_step(history, at_end=at_end, moved=moved)
                # Between gradients that belong together nothing ends: half a step is not resumed.
                if moved and self._stops(stop):
                    return
        self._end_epoch(stop, history)

    def _plan(self) -> list[NDArray[np.int64]]:
        """The rows of each batch of the epoch, of this process alone."""
        accelerator, training = self._accelerator, self._training
        return [
            share_of(
                rows,
                training.data.identities,
                rank=accelerator.process_index,
                processes=accelerator.num_processes,
                images_per_identity=training.recipe.batching.images_per_identity,
            )
            for rows in plan_epoch(training, seed=self.progress.seed, epoch=self.progress.epoch)
        ]

    def _step(self, batch: Batch, *, move: bool) -> None:
        step, numbers = self.progress.step, self._training.recipe.optimisation
        rate = learning_rate(step, steps=self._steps, numbers=numbers)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        # Whatever the network draws follows from the step, so that it is the same after a restart.
        torch.manual_seed(np.random.SeedSequence([self.progress.seed, step]).generate_state(1)[0])
        device = self._accelerator.device
        batch, targets = self._told(batch)
        images = to_network_input(torch.from_numpy(batch.images).to(device), self._training.spec)
        identities = torch.from_numpy(batch.identities).to(device)
        cameras = self._cameras(batch).to(device)
        self._wrapped.train()
        with nullcontext() if move else self._accelerator.no_sync(self._wrapped):
            outputs = self._wrapped(images, cameras)
            losses = self._losses(outputs, identities, targets)
            total = torch.stack([self._weights[name] * loss for name, loss in losses.items()]).sum()
            # All in one: each number asked for makes a GPU finish what it has to do.
            read = torch.stack([total, *losses.values()]).tolist()
            values = dict(zip(("loss", *losses), read, strict=True))
            if not math.isfinite(values["loss"]):
                self._refuse(batch, values)
            self._accelerator.backward(total / numbers.accumulate)
        self._measured.losses.append(values)
        self._measured.images += self._batch_size
        self._measured.waited_s += batch.waited_s
        self.waited_s += batch.waited_s
        if move:
            self._move(batch, values)

    def _move(self, batch: Batch, values: dict[str, float]) -> None:
        """Moves the weights by the gradients, and their mean after them."""
        clip = self._training.recipe.optimisation.clip
        if clip:
            norm = float(self._accelerator.clip_grad_norm_(self._wrapped.parameters(), clip))
            self._measured.gradient_norm = norm
            # In fp16 that happens now and then: such a step is left out, and the scale lowered.
            if self._accelerator.scaler is None and not math.isfinite(norm):
                self._refuse(batch, values | {"gradient": norm})
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._average.update(self._network.backbone, step=self.progress.step + 1)

    def _told(self, batch: Batch) -> tuple[Batch, NDArray[np.float32] | None]:
        """The batch, some of it mixed, and float32 (B, D) what the teacher says of each picture."""
        training, now = self._training, self.progress
        if training.targets is None:
            return batch, None
        targets = training.targets[batch.rows]
        share = training.recipe.distillation.mixed
        if not share or training.teacher is None:
            return batch, targets
        key = (now.seed, now.step, self._accelerator.process_index)
        images, identities = batch.images.copy(), batch.identities.copy()
        rows = mixed(images, share=share, generator=np.random.default_rng(key))
        identities[rows] = -1  # nobody looks like this
        targets[rows] = training.teacher.encode(list(images[rows]))
        return replace(batch, images=images, identities=identities), targets

    def _cameras(self, batch: Batch) -> Tensor:
        """The cameras of a batch, some of them hidden: used, the network seldom knows them."""
        cameras = torch.from_numpy(batch.cameras)
        if not self._training.recipe.cameras:
            return cameras
        return cameras.masked_fill(torch.rand(len(cameras)) < _HIDDEN_CAMERAS, -1)

    def _losses(
        self, outputs: Outputs, identities: Tensor, told: NDArray[np.float32] | None
    ) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        if "identity" in self._weights:
            smoothing = self._training.recipe.objective.label_smoothing
            found["identity"] = identity_loss(outputs.logits, identities, label_smoothing=smoothing)
        if "triplet" in self._weights:
            found["triplet"] = self._triplet(outputs.before_neck, identities)
        if told is None:
            return found
        targets = torch.from_numpy(told).to(outputs.embedding.device)
        if "cosine" in self._weights:
            found["cosine"] = cosine_distillation(outputs.embedding, targets)
        if "relational" in self._weights:
            found["relational"] = relational_distillation(outputs.embedding, targets)
        return found

    def _refuse(self, batch: Batch, values: dict[str, float]) -> None:
        """Ends the training; the batch is kept to be looked at."""
        folder = self._training.output / "not-finite"
        path = folder / f"batch-{self.progress.step:09d}-{self._accelerator.process_index}.npz"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        paths = np.array([self._training.data.paths[row] for row in batch.rows.tolist()])
        with whole_file(path, overwrite=True) as part:
            np.savez_compressed(
                part, images=batch.images, identities=batch.identities, rows=batch.rows, paths=paths
            )
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise TrainingError(
            f"step {self.progress.step}: a loss or its gradient is not finite: {shown}; "
            f"the batch: {path}",
            hint="try a lower learning_rate or precision fp32; the last checkpoint is whole",
        )

    def _after_step(self, history: History | None, *, at_end: bool, moved: bool) -> None:
        schedule = self._training.schedule
        if history is not None and (self.progress.step % schedule.log_every == 0 or at_end):
            self._log(history)
        late = time.perf_counter() - self._saved_at > schedule.checkpoint_every_s
        if late and moved and not at_end:
            self._save()

    def _log(self, history: History) -> None:
        now, seen = time.perf_counter(), self._measured
        if not seen.losses:
            return
        passed = max(now - seen.since, 1e-9)
        means = {
            name: float(np.mean([losses[name] for losses in seen.losses]))
            for name in seen.losses[0]
        }
        total = means.pop("loss")
        row = {
            "epoch": self.progress.epoch + 1,
            "images_seen": self.images_seen,
            "learning_rate": self._optimiser.param_groups[0]["lr"],
            "loss": total,
            "gradient_norm": seen.gradient_norm,
            "images_per_s": seen.images / passed,
            "waited_share": seen.waited_s / passed,
        }
        history.append(
            self.progress.step, row | {f"loss/{name}": value for name, value in means.items()}
        )
        self._measured = _Measured()

    def _end_epoch(self, stop: Stop, history: History | None) -> None:
        """Validates when it is due; a stop then leaves the epoch at its end, to be validated."""
        training, epoch = self._training, self.progress.epoch + 1
        last = epoch == training.recipe.optimisation.epochs
        if training.validate is not None and (
            last or epoch % training.schedule.validate_every == 0
        ):
            if history is not None:
                self._validate(history, epoch)
            self._accelerator.wait_for_everyone()
            self._note(finished=self._agreed(yes=self.progress.finished))
        if not self._stops(stop):
            self._note(epoch=epoch, batch=0, finished=self.progress.finished or last)
        self._save()

    def _validate(self, history: History, epoch: int) -> None:
        training = self._training
        found = training.validate(self._average.network) if training.validate else None
        if found is None:
            return
        value = found.mean_average_precision
        name = training.yardstick
        history.append(
            self.progress.step,
            {f"rank_1/{name}": found.rank(1), f"mean_average_precision/{name}": value},
        )
        if self.progress.best is None or value > self.progress.best:
            if training.keep_best is not None:
                training.keep_best(self._average.network)
            self._note(best=value, best_epoch=epoch, without_gain=0)
        else:
            self._note(without_gain=self.progress.without_gain + 1)
        patience = training.schedule.patience
        if patience and self.progress.without_gain >= patience:
            self._note(finished=True)
        self._measured = _Measured()

    def _stops(self, stop: Stop) -> bool:
        """Whether a stop was requested in any process; if so, it is in all."""
        agreed = self._agreed(yes=stop.requested)
        stop.requested |= agreed
        return agreed

    def _agreed(self, *, yes: bool) -> bool:
        """Whether one of the processes says so: they go on together, and end together."""
        if self._accelerator.num_processes == 1:
            return yes
        count = torch.tensor([float(yes)], device=self._accelerator.device)
        return bool(self._accelerator.reduce(count, reduction="sum").item())

    def _note(self, **changes: object) -> None:
        self.progress = self.progress.model_copy(update=changes)

    def _save(self) -> None:
        """Writes a checkpoint, unless all is as in the last one."""
        before = self._saved
        if before and before.model_copy(update={"elapsed_s": self.progress.elapsed_s}) == (
            self.progress
        ):
            return
        self._note(elapsed_s=self._before_s + time.perf_counter() - self._began_at)
        if self._accelerator.is_main_process:
            state = {"optimiser": self._optimiser.optimizer.state_dict()}
            if self._accelerator.scaler is not None:
                state["scaler"] = self._accelerator.scaler.state_dict()
            checkpoints.save(
                self._training.output,
                self.progress,
                network=self._network,
                average=self._average.network,
                optimiser=state,
            )
        self._saved, self._saved_at = self.progress, time.perf_counter()
