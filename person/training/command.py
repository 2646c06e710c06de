"""``person train``: from what was asked for to a trained network, its figures and its card."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from pydantic import ValidationError
from torch import nn

from everyid import weights
from everyid.device import Device, choose, make_current
from everyid.errors import ConfigError, InputError
from everyid.models import Evaluation, TrainRun
from everyid.output import Stop, notice, readable, result_folder, stoppable, warn
from everyid.store import claimed
from everyid.weights_catalogue import InputSpec
from person import backbones
from person.checkpoint import load_network, recognise
from person.config import TrainConfig
from person.crops import Crops
from person.datasets.training_set import TrainingSet, read_training_set, validation_sides
from person.training import checkpoints
from person.training.checkpoints import Progress
from person.training.export import export_network
from person.training.loop import Schedule, Trainer, Training, loss_parts
from person.training.network import TrainingNetwork
from person.training.optimise import AveragedNetwork
from person.training.recipe import Recipe, override, recipe
from person.training.results import Outcome, Parts, finish
from person.training.targets import teacher_targets
from person.training.validation import (
    NetworkInTraining,
    Validation,
    check_measurable,
    validate,
    validation_on,
)

__all__ = ["run_train"]

_HELD_OUT_LEAST = 2
"""Pictures of an identity that is held out; one alone has nothing to be found."""
_WAIT = timedelta(days=1)
"""How long processes wait for the first one, which alone asks a teacher and validates."""
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}


def run_train(config: TrainConfig) -> TrainRun | None:
    """Trains a network; None in all processes but the first, where several train together.

    With an ``output`` that holds a checkpoint of the same training, it goes on from there.

    Raises:
        ConfigError: The recipe, a value of it or another option is wrong, or the output holds a
            checkpoint of another training.
        InputError: The data cannot be used, or does not fit the recipe.
        TrainingError: The loss became something that is not finite.
        EveryIDError: The teacher, the device or the output cannot be used.
    """
    asked = _asked_recipe(config)
    accelerator, device = _accelerator(config)
    if accelerator.num_processes > 1 and config.output is None:
        raise ConfigError(
            f"{accelerator.num_processes} processes train together: expected --output, the folder "
            "they share"
        )
    torch.set_num_threads(device.threads)
    with (
        stoppable() as stop,
        result_folder(config.output, "person", "train") as folder,
        _alone(folder, accelerator),
    ):
        data, validation = _read_data(config)
        _check_data(asked, data)
        asked = _fitting(asked, data)
        if validation is not None:
            check_measurable(validation)
        spec = _spec(asked, data.camera_count)
        teacher = targets = None
        skipped: dict[str, str] = {}
        if asked.learns_from_teacher:
            with accelerator.main_process_first():  # the others then find what it was told
                data, targets, teacher = teacher_targets(
                    data,
                    told=asked.distillation,
                    folder=folder,
                    device=device,
                    skipped=skipped,
                    stop=stop,
                )
        parts = Parts(asked, data, validation, device, accelerator, teacher, targets, spec)
        return _train(config, parts, folder, skipped, stop)


def _asked_recipe(config: TrainConfig) -> Recipe:
    values = dict(config.settings)
    for name in ("teacher", "epochs"):
        value = getattr(config, name)
        if value is not None:
            values[name] = value
    asked = override(recipe(config.recipe), values)
    told = asked.distillation
    if told.teacher is not None and not asked.learns_from_teacher:
        raise ConfigError(
            f"recipe {asked.name}: nothing would be learnt from the teacher {told.teacher}, for "
            "cosine and relational have weight 0",
            hint="set one of them above 0, or leave the teacher out with --teacher none",
        )
    if not loss_parts(asked):
        raise ConfigError(
            f"recipe {asked.name}: nothing would be learnt, for all losses have weight 0",
            hint="set identity or triplet, or with a teacher cosine or relational, above 0",
        )
    if asked.architecture not in backbones.ARCHITECTURES:
        raise ConfigError(
            f"recipe {asked.name}: no architecture is called {asked.architecture!r}; "
            f"known: {', '.join(sorted(backbones.ARCHITECTURES))}"
        )
    return asked


def _accelerator(config: TrainConfig) -> tuple[Accelerator, Device]:
    device = choose(config.device, precision=config.precision or "auto")
    accelerator = Accelerator(
        cpu=device.kind == "cpu",
        mixed_precision="no" if device.precision == "fp32" else device.precision,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_WAIT)],
    )
    if accelerator.num_processes == 1:
        make_current(device)  # accelerate takes that one
    return accelerator, device


@contextmanager
def _alone(folder: Path, accelerator: Accelerator) -> Iterator[None]:
    """Keeps a second training out of the folder."""
    first = accelerator.is_main_process
    with claimed(folder / "training", wait=False) if first else nullcontext():
        yield


def _read_data(config: TrainConfig) -> tuple[TrainingSet, Validation | None]:
    """What is trained on, and what it is measured on."""
    data = read_training_set(
        config.data,
        unlabelled=config.unlabelled,
        id_pattern=config.id_pattern,
        camera_pattern=config.camera_pattern,
    )
    whole = [source for source in config.data if validation_sides(source) is not None]
    source = config.validate_on or next(iter(whole), None)
    if source is None:
        return _held_out(config, data)
    return data, validation_on(
        source,
        protocol=config.protocol,
        id_pattern=config.id_pattern,
        camera_pattern=config.camera_pattern,
    )


def _held_out(config: TrainConfig, data: TrainingSet) -> tuple[TrainingSet, Validation | None]:
    """A part of the identities, kept from training to be measured on."""
    counts = np.bincount(data.identities[data.labelled], minlength=data.identity_count)
    candidates = np.flatnonzero(counts >= _HELD_OUT_LEAST)
    wanted = round(config.hold_out * len(candidates))
    if wanted < 2:
        notice("no validation: the data has no query and gallery, and too few people to hold out")
        return data, None
    chosen = np.random.default_rng(config.seed).choice(candidates, wanted, replace=False)
    held = np.isin(data.identities, chosen)
    notice(
        f"validation: {wanted:,} of {data.identity_count:,} identities are held out "
        f"({int(held.sum()):,} pictures)"
    )
    return data.select(~held), Validation(
        _as_crops(data, np.flatnonzero(held)), None, "held-out identities", config.protocol
    )


def _as_crops(data: TrainingSet, rows: np.ndarray) -> Crops:
    def names(column: np.ndarray, known: tuple[str, ...]) -> tuple[str | None, ...]:
        return tuple(known[value] if value >= 0 else None for value in column[rows].tolist())

    unknown = (None,) * len(rows)
    return Crops(
        tuple(data.paths[row] for row in rows.tolist()),
        names(data.identities, data.identity_names),
        names(data.cameras, data.camera_names),
        *(unknown,) * 4,
    )


def _check_data(asked: Recipe, data: TrainingSet) -> None:
    if not asked.learns_identities:
        return
    counts = np.bincount(data.identities[data.labelled], minlength=1)
    people = int(np.count_nonzero(counts))
    if people < 2:
        raise InputError(
            f"expected pictures of at least two people to tell apart, got {people}",
            hint="give a folder for each person, see `person dataset check`; or learn from a "
            "teacher alone with --teacher NAME --set identity=0 --set triplet=0",
        )
    single = int(np.count_nonzero(counts == 1))
    if single:
        warn(f"{single:,} of {people:,} identities have one picture: nothing to compare it with")


def _fitting(asked: Recipe, data: TrainingSet) -> Recipe:
    """The recipe, with batches of no more identities than there are."""
    people, wanted = len(np.unique(data.identities[data.labelled])), asked.batching.identities
    if not 0 < people < wanted:
        return asked
    notice(f"batches have all {people} identities that there are, not {wanted}")
    return override(asked, {"identities": people})


def _digest(data: TrainingSet) -> str:
    digest = hashlib.sha256("\n".join(data.paths).encode())
    digest.update(data.identities.tobytes())
    return digest.hexdigest()


def _networks(
    parts: Parts, seed: int, start: str | None
) -> tuple[TrainingNetwork, AveragedNetwork, str]:
    """The network that learns, the mean of it, and the sha256 of the weights it begins with."""
    asked = parts.recipe
    kind = backbones.architecture(asked.architecture)
    config = _network_config(asked, parts.data.camera_count)
    torch.manual_seed(seed)
    backbone, sha256 = kind.build(config), ""
    _check_width(parts, backbone)
    if start is not None:
        path = Path(start) if weights.find(start) is None else weights.fetch(start)
        sha256 = weights.sha256_of(readable(path))
        found = recognise(path, sha256=sha256)
        if found.architecture != kind.name or kind.config.model_validate(found.config) != config:
            raise ConfigError(
                f"--start {start}: these are the weights of {found.label}, and the recipe trains "
                f"{kind.layout} {config.model_dump()}",
                hint="name the same with --set architecture=... and --set network=...",
            )
        backbone = load_network(path, found)
    identities = parts.data.identity_count if asked.objective.identity else 0
    network = TrainingNetwork(backbone, identities=identities)
    average = AveragedNetwork(kind.build(config), of=backbone, decay=asked.optimisation.ema)
    return network, average, sha256


def _check_width(parts: Parts, backbone: nn.Module) -> None:
    """Checks that what a teacher says can be compared with what the network says."""
    if parts.targets is None or not parts.recipe.distillation.cosine:
        return
    theirs, ours = parts.targets.shape[1], backbone.embedding_width
    if theirs != ours:
        raise ConfigError(
            f"recipe {parts.recipe.name}: the teacher's embeddings have {theirs} values, and the "
            f"network's {ours}: no cosine between them",
            hint="give the network that embedding_width with --set network=..., or learn from the "
            "likeness of pictures alone with --set cosine=0",
        )


def _network_config(asked: Recipe, camera_count: int) -> Any:  # noqa: ANN401 - each has its own
    kind = backbones.architecture(asked.architecture)
    values = dict(asked.network)
    if "size_hw" in kind.config.model_fields:
        values.setdefault("size_hw", asked.size_hw)
    if asked.cameras:
        _check_cameras(asked, kind, camera_count)
        values["cameras"] = camera_count
    try:
        return kind.config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"recipe {asked.name}: network: {where}: {first['msg']}; "
            f"fields of {kind.name}: {', '.join(kind.config.model_fields)}"
        ) from error


def _check_cameras(asked: Recipe, kind: backbones.Architecture, camera_count: int) -> None:
    if "cameras" not in kind.config.model_fields:
        raise ConfigError(
            f"recipe {asked.name}: {kind.name} has no embedding of cameras",
            hint="--set architecture=everyid-vit has one; or leave it out with --set cameras=false",
        )
    if not camera_count:
        raise InputError(
            "no camera is known of these pictures, and an embedding of cameras was asked for",
            hint="say how file names tell the camera with --camera-pattern",
        )


def _spec(asked: Recipe, camera_count: int) -> InputSpec:
    kind = backbones.architecture(asked.architecture)
    spec: InputSpec = kind.input(_network_config(asked, camera_count))
    return spec.model_copy(update={"size_hw": asked.size_hw})


def _train(
    config: TrainConfig, parts: Parts, folder: Path, skipped: Mapping[str, str], stop: Stop
) -> TrainRun | None:
    network, average, start = _networks(parts, config.seed, config.start)
    progress, state = _where_it_is(config, parts, folder, start, (network, average))
    model = folder / f"{parts.recipe.name}.safetensors"

    def keep(candidate: nn.Module) -> None:
        export_network(
            model,
            candidate,
            architecture=parts.recipe.architecture,
            config=_network_config(parts.recipe, parts.data.camera_count),
            spec=parts.spec,
        )

    training = Training(
        recipe=parts.recipe,
        data=parts.data,
        spec=parts.spec,
        output=folder,
        schedule=Schedule(
            validate_every=config.validate_every,
            patience=config.patience,
            checkpoint_every_s=config.checkpoint_every_s,
        ),
        targets=parts.targets,
        teacher=parts.teacher,
        yardstick=parts.validation.name if parts.validation else "",
        validate=partial(_validated, parts, stop) if parts.validation else None,
        keep_best=keep,
    )
    trainer = Trainer(
        training, parts.accelerator, network, average, start=progress, optimiser_state=state
    )
    trainer.run(stop, overwrite=config.overwrite)
    if not parts.accelerator.is_main_process:
        return None
    if not trainer.progress.finished:
        notice(f"not finished: the same command with --output {folder} goes on from here")
    elif parts.validation is None:
        keep(average.network)
    outcome = Outcome(trainer.progress, model, {**skipped, **trainer.bad}, trainer.images_seen)
    return finish(config, parts, outcome, stop=stop)


def _where_it_is(
    config: TrainConfig,
    parts: Parts,
    folder: Path,
    start: str,
    networks: tuple[TrainingNetwork, AveragedNetwork],
) -> tuple[Progress, dict[str, Any] | None]:
    """Where the training is, and the state of its optimiser; the networks get their weights."""
    fresh = Progress(
        recipe=parts.recipe,
        data=_digest(parts.data),
        seed=config.seed,
        processes=parts.accelerator.num_processes,
        start=start,
    )
    checkpoint = None if config.overwrite else checkpoints.latest(folder)
    if checkpoint is None:
        return fresh, None
    progress = checkpoints.read_progress(checkpoint)
    checkpoints.check_same_training(progress, fresh, checkpoint)
    network, average = networks
    state = checkpoints.restore(checkpoint, network=network, average=average.network)
    if progress.finished:
        notice(f"the training has ended before, at step {progress.step:,}")
    else:
        notice(f"going on from step {progress.step:,}, epoch {progress.epoch + 1}")
    return progress, state


def _validated(parts: Parts, stop: Stop, network: nn.Module) -> Evaluation | None:
    if parts.validation is None:
        return None
    encoder = NetworkInTraining(
        network,
        name=parts.recipe.name,
        spec=parts.spec,
        device=parts.accelerator.device,
        precision=_DTYPES[parts.device.precision],
    )
    return validate(encoder, parts.validation, stop=stop)
