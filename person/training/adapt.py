"""``person adapt``: a network that learns the people, cameras and light of one site.

Nobody names anyone. Crops of one track show one person; two tracks in view at once are two people;
of all other pairs nothing is known and nothing is learnt. The last part of each video is measured
on, and what is written is never worse there than what it began with.

Source: the loss: Khosla et al., "Supervised Contrastive Learning" (2020), equation 2, with the sum
over negatives limited to pairs known to be two people; tracks as labels, people in view at once as
negatives: Karthik et al., "Simple Unsupervised Multi-Object Tracking" (2020), section 3.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from everyid.device import Device, choose
from everyid.errors import InputError, TrainingError
from everyid.models import Evaluation
from everyid.output import Stop, notice, progress, refuse_existing, result_folder, stoppable, warn
from person import backbones
from person.checkpoint import load_network
from person.config import AdaptConfig
from person.datasets.training_set import TrainingSet
from person.encoder import Checkpoint, find_checkpoint
from person.training.adapt_results import AdaptRun, Candidate, Story, finish
from person.training.batches import Batch, Batches
from person.training.export import export_network
from person.training.footage import cut_footage
from person.training.losses import cosine_distillation
from person.training.network import to_network_input
from person.training.optimise import AveragedNetwork, build_optimiser, learning_rate
from person.training.recipe import (
    Augmentation,
    Batching,
    Distillation,
    Objective,
    Optimisation,
    Recipe,
)
from person.training.separation import separation, thinned
from person.training.sightings import Sightings, joined, read_crops, split_by_time
from person.training.validation import NetworkInTraining, Validation, validate, validation_on

__all__ = ["contrast", "plan_batches", "run_adapt"]

_TEMPERATURE = 0.1
_CANDIDATES = 5
"""How often the network is measured on its way."""
_PARTNERS = 3
"""Tracks in view with another that come with it into a batch."""


def contrast(embeddings: Tensor, tracks: Tensor, together: Tensor) -> Tensor:
    """float32 (): how much each pair of one track is less alike than the first with other people.

    The mean over pairs of ``log(1 + sum over negatives exp((negative - positive) / 0.1))`` of
    cosine similarities; 0, with a gradient of 0, where there is no such pair.

    >>> rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> contrast(rows, torch.tensor([0, 0, 1]), ~torch.eye(2, dtype=torch.bool)) < 1e-4
    tensor(True)

    Args:
        embeddings: Float (B, D), not normalised.
        tracks: int64 (B,), rows of ``together``.
        together: bool (T, T), whether two tracks are two people; others are no negatives.
    """
    unit = normalize(embeddings.float(), dim=1)
    scores = unit @ unit.T / _TEMPERATURE
    apart = together[tracks][:, tracks]
    nothing = torch.finfo(scores.dtype).min
    others = torch.where(apart, scores, nothing).logsumexp(dim=1, keepdim=True)
    itself = torch.eye(len(tracks), dtype=torch.bool, device=tracks.device)
    counted = (tracks[:, None] == tracks) & ~itself & apart.any(dim=1, keepdim=True)
    return (softplus(others - scores) * counted).sum() / counted.sum().clamp(min=1)


def plan_batches(
    found: Sightings, *, steps: int, tracks_per_batch: int, crops_per_track: int, seed: int
) -> list[NDArray[np.int64]]:
    """The rows of each batch, each int64 (B,): tracks with some of those in view with them.

    Each track is in a batch once, with different crops, fewer where it has fewer.

    Args:
        found: With tracks in view at once, one of them with two crops.
        steps: How many batches.
        tracks_per_batch: At most; at least 2.
        crops_per_track: At most.
        seed: The same gives the same batches.

    Raises:
        InputError: No track of two crops is in view with another.
    """
    seen = found.seen
    rows_of = {track: np.flatnonzero(found.tracks == track) for track in seen.tolist()}
    partners = {track: seen[found.together[track, seen]] for track in seen.tolist()}
    anchors = [track for track in rows_of if len(rows_of[track]) > 1 and len(partners[track])]
    if not anchors:
        raise InputError(
            f"{found.told()}: none of these tracks has two crops and is in view with another",
            hint="give longer footage, in which several people are in view together",
        )
    batches = []
    for step in range(steps):
        generator = np.random.default_rng((seed, step))
        chosen: dict[int, None] = {}
        for anchor in generator.permutation(anchors).tolist():
            chosen |= dict.fromkeys([anchor])
            chosen |= dict.fromkeys(generator.permutation(partners[anchor])[:_PARTNERS].tolist())
            if len(chosen) >= tracks_per_batch:
                break
        rows = [
            generator.permutation(rows_of[track])[:crops_per_track]
            for track in list(chosen)[:tracks_per_batch]
        ]
        batches.append(np.concatenate(rows).astype(np.int64))
    return batches


def run_adapt(config: AdaptConfig) -> AdaptRun:
    """Adapts a network to footage, or keeps it where that does not make it better.

    Raises:
        InputError: The footage cannot be used, or says too little.
        ConfigError: An option is wrong.
        WeightsError: The model is no checkpoint that can learn.
        TrainingError: The loss became something that is not finite.
        EveryIDError: The device or the output cannot be used.
        KeyboardInterrupt: Ctrl-C came before the start was measured.
    """
    began = time.perf_counter()
    device = choose(config.device, precision="fp32")
    start = find_checkpoint(config.model)
    with stoppable() as stop, result_folder(config.output, "person", "adapt") as folder:
        for name in (f"{start.name}-adapted.safetensors", "similarities.png", "README.md"):
            refuse_existing(folder / name, overwrite=config.overwrite)
        validation = _validation(config)
        found = _sightings(config, folder, stop)
        learnt, held = split_by_time(found)
        notice(f"learning from {learnt.told()}; measuring on {held.told()}")
        torch.set_num_threads(device.threads)
        adaptation = _Adaptation(config, start, learnt, thinned(held), validation, device)
        adaptation.run(stop)
        model = folder / f"{start.name}-adapted.safetensors"
        export_network(
            model,
            adaptation.best,
            architecture=start.recognition.architecture,
            config=adaptation.network_config,
            spec=start.input,
        )
        story = Story(
            start=start,
            recipe=adaptation.recipe,
            device=device,
            learnt=learnt,
            held=held,
            yardstick=validation.name if validation else "",
            before=adaptation.before,
            candidates=adaptation.candidates,
            skipped=adaptation.skipped,
            finished=not stop.requested,
            embedding_width=int(adaptation.best.embedding_width),  # type: ignore[arg-type]
            elapsed_s=time.perf_counter() - began,
        )
        return finish(config, story, model)


def _validation(config: AdaptConfig) -> Validation | None:
    if config.validate_on is None:
        return None
    return validation_on(config.validate_on, protocol=config.protocol)


def _sightings(config: AdaptConfig, folder: Path, stop: Stop) -> Sightings:
    if not config.tracks:
        for source in config.sources:
            _refuse_video(source)
        return read_crops(config.sources)
    stems = [source.stem for source in config.sources]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    if twice:
        raise InputError(
            f"--source: expected videos of different names, for their crops lie in folders of "
            f"these names; several are called {', '.join(sorted(twice))}"
        )
    return joined(
        [
            cut_footage(
                video,
                tracks,
                folder / "crops",
                min_height=config.min_height,
                overwrite=config.overwrite,
                stop=stop,
            )
            for video, tracks in zip(config.sources, config.tracks, strict=True)
        ]
    )


def _refuse_video(source: Path) -> None:
    if source.is_file() and source.suffix.lower() not in (".txt", ".parquet"):
        raise InputError(
            f"{source}: expected a folder of tracked crops, found a file; a video needs --tracks",
            hint=f"`python3 run.py object tracking --source {source} --save parquet` writes them",
        )


@dataclass(slots=True)
class _Steps:
    """What learns, and what it is kept near to."""

    learner: nn.Module
    average: AveragedNetwork
    optimiser: torch.optim.Optimizer


@dataclass(eq=False)
class _Adaptation:
    """One adaptation on its way.

    Args:
        config: What was asked for.
        start: What it begins with.
        learnt: What is learnt from.
        held: What is measured on.
        validation: Labelled data that must not become worse, or None.
        device: Where it runs.

    Attributes:
        recipe: What is done.
        before: The start's figures; set by :meth:`run`.
        candidates: What was measured on the way.
        best: The network to write, on the CPU or the device.
        skipped: Path -> why a picture could not be used.
    """

    config: AdaptConfig
    start: Checkpoint
    learnt: Sightings
    held: Sightings
    validation: Validation | None
    device: Device
    candidates: list[Candidate] = field(default_factory=list, init=False)
    skipped: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        recognition = self.start.recognition
        self._kind = backbones.architecture(recognition.architecture)
        self.network_config = self._kind.config.model_validate(recognition.config)
        self._place = torch.device(self.device.torch_name)
        self.recipe = _recipe(self.config, self.start)
        network = load_network(self.start.path, recognition)
        self._first = _rounded(self._built(), network).requires_grad_(requires_grad=False)
        self.best: nn.Module = self._first

    def _built(self) -> nn.Module:
        network: nn.Module = self._kind.build(self.network_config)
        return network.to(self._place).eval()

    def run(self, stop: Stop) -> None:
        """Learns, and measures on the way; on a stop what was best by then stays.

        Raises:
            KeyboardInterrupt: A stop was requested before the start was measured.
            InputError: Too few pictures can be used, or the validation data says nothing.
            TrainingError: The loss is not finite.
        """
        plan = self._plan()  # what is missing is missed before the long work
        before = self._measure(self._first, 0, stop)
        if before is None:
            raise KeyboardInterrupt
        self.before = before
        if before.separation.auc == 1:
            notice("the start makes no mistake on what is measured: nothing can become better")
            return
        learner = self._built()
        learner.load_state_dict(self._first.state_dict())
        numbers = self.recipe.optimisation
        steps = _Steps(
            learner,
            AveragedNetwork(self._built(), of=learner, decay=numbers.ema),
            build_optimiser(learner, numbers),
        )
        every = -(-self.config.steps // _CANDIDATES)
        together = torch.from_numpy(self.learnt.together).to(self._place)
        with (
            progress("adapting", self.config.steps) as advance,
            Batches(
                self._training_set(),
                plan,
                self.recipe.augmentation,
                size_hw=self.recipe.size_hw,
                seed=self.config.seed,
                epoch=0,
                bad=self.skipped,
            ) as batches,
        ):
            for step, batch in _until(stop, batches):
                self._step(steps, batch, together, step)
                advance(1)
                if step % every == 0 or step == self.config.steps:
                    self._try(steps.average.network, step, stop)

    def _plan(self) -> list[NDArray[np.int64]]:
        batching = self.recipe.batching
        return plan_batches(
            self.learnt,
            steps=self.config.steps,
            tracks_per_batch=batching.identities,
            crops_per_track=batching.images_per_identity,
            seed=self.config.seed,
        )

    def _training_set(self) -> TrainingSet:
        found = self.learnt
        return TrainingSet(
            found.paths,
            found.tracks,
            np.full(len(found), -1),
            found.videos[found.tracks],
            found.track_names,
            (),
            found.video_names,
        )

    def _step(self, steps: _Steps, batch: Batch, together: Tensor, step: int) -> None:
        """One step. Norms keep the statistics they have: those of a few crops say little."""
        numbers = self.recipe.optimisation
        for group in steps.optimiser.param_groups:
            group["lr"] = learning_rate(step - 1, steps=self.config.steps, numbers=numbers)
        images = to_network_input(torch.from_numpy(batch.images).to(self._place), self.start.input)
        tracks = torch.from_numpy(batch.identities).to(self._place)
        embeddings = steps.learner(images)
        with torch.no_grad():
            targets = self._first(images)
        near = self.recipe.distillation.cosine * cosine_distillation(embeddings, targets)
        loss = contrast(embeddings, tracks, together) + near
        if not torch.isfinite(loss):
            raise TrainingError(
                f"step {step}: the loss is not finite: {loss.item():g}",
                hint="try a lower --learning-rate",
            )
        steps.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        nn.utils.clip_grad_norm_(steps.learner.parameters(), numbers.clip)
        steps.optimiser.step()
        steps.average.update(steps.learner, step=step)

    def _try(self, network: nn.Module, step: int, stop: Stop) -> None:
        """Measures a network, and keeps it where it is the best so far."""
        rounded = _rounded(self._built(), network)
        found = self._measure(rounded, step, stop)
        if found is None:
            return
        self.candidates.append(found)
        if found.accepted:
            self.best = rounded

    def _measure(self, network: nn.Module, step: int, stop: Stop) -> Candidate | None:
        encoder = NetworkInTraining(
            network,
            name=self.start.name,
            spec=self.start.input,
            device=self._place,
            precision=None,
        )
        skipped: dict[str, str] = {}
        found = separation(encoder, self.held, skipped=skipped, stop=stop)
        if found is None:
            return None
        if not step:
            self.skipped |= skipped
            for reason in skipped.values():
                warn(f"skipped: {reason}")
        better = step > 0 and self._is_best(found.auc or 0.0)
        labelled: Evaluation | None = None
        if self.validation is not None and (better or not step):
            labelled = validate(encoder, self.validation, stop=stop)
            if labelled is None:
                return None
        return Candidate(step, found, labelled, accepted=better and self._holds(labelled))

    def _is_best(self, auc: float) -> bool:
        earlier = [one.separation.auc or 0.0 for one in self.candidates if one.accepted]
        return auc > max([self.before.separation.auc or 0.0, *earlier])

    def _holds(self, labelled: Evaluation | None) -> bool:
        """Whether labelled data did not become worse than is tolerated."""
        before = self.before.labelled
        if labelled is None or before is None:
            return True
        least = before.mean_average_precision - self.config.tolerance
        return labelled.mean_average_precision >= least


def _until(stop: Stop, batches: Batches) -> Iterator[tuple[int, Batch]]:
    """Steps from 1 and their batches, until a stop is requested."""
    for step, batch in enumerate(batches, start=1):
        if stop.requested:
            return
        yield step, batch


def _rounded(target: nn.Module, source: nn.Module) -> nn.Module:
    """``target`` with the weights of the source in the precision that they are written in."""
    target.load_state_dict(
        {
            name: tensor.half().float() if tensor.is_floating_point() else tensor
            for name, tensor in source.state_dict().items()
        }
    )
    return target


def _recipe(config: AdaptConfig, start: Checkpoint) -> Recipe:
    return Recipe(
        name=f"{start.name}-adapted",
        summary="crops of one track drawn together, people in view at once pushed apart, and each "
        "embedding kept near that of the start",
        architecture=start.recognition.architecture,
        network=start.recognition.config,
        size_hw=start.input.size_hw or (256, 128),
        augmentation=Augmentation(erase=0.2),
        batching=Batching(identities=8, images_per_identity=4),
        objective=Objective(identity=0.0, triplet=0.0),
        distillation=Distillation(teacher=start.name, cosine=2.0, relational=0.0),
        optimisation=Optimisation(
            epochs=1,
            learning_rate=config.learning_rate,
            warm_up=0.1,
            ema=0.98,
        ),
    )
