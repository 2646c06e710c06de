"""What a training leaves behind: figures of the file that is used, pictures, and a model card."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from everyid import weights
from everyid.device import Device
from everyid.errors import InputError
from everyid.media import read_image
from everyid.models import Evaluation, TrainRun
from everyid.output import Stop
from everyid.protocols import Image
from everyid.weights_catalogue import InputSpec
from person.checkpoint import load_network, recognise
from person.config import TrainConfig
from person.crops import own_rows
from person.curves import draw_curves
from person.datasets.training_set import TrainingSet
from person.encoder import NetworkEncoder, build_encoder
from person.evaluation import summary_line
from person.match import top_k
from person.matches import Matches
from person.pictures import write_sheets
from person.protocol import PROTOCOLS
from person.training.activations import activation_maps, draw_activation_sheet
from person.training.augment import plain
from person.training.card import (
    NO_PROOF,
    OUT_OF_SCOPE,
    CardFigures,
    DataSource,
    ModelCard,
    card_teacher,
    parameter_count,
    versions,
    write_card,
)
from person.training.checkpoints import Progress
from person.training.history import draw_history, read_history
from person.training.network import to_network_input
from person.training.recipe import Recipe
from person.training.validation import Measured, Validation, ignore_progress, measure

__all__ = ["Outcome", "Parts", "finish"]

_SHOWN_QUERIES = 12
_TOP = 10
_LIMITS = (
    "It is as good as the figures say on data like theirs, and nobody knows how good on other data:"
    " measure it on your own with person evaluate.",
    NO_PROOF,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a training is put together from.

    Args:
        recipe: With what was overridden.
        data: What is trained on.
        validation: What it is measured on, or None.
        device: Where it runs.
        accelerator: Devices, processes and precision.
        teacher: That was asked about the pictures, if any.
        targets: float32 (N, D), what it said.
        spec: What the network is fed.
    """

    recipe: Recipe
    data: TrainingSet
    validation: Validation | None
    device: Device
    accelerator: Accelerator
    teacher: NetworkEncoder | None
    targets: NDArray[np.float32] | None
    spec: InputSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training went.

    Args:
        progress: Where it is now.
        model: The file of the network, if it is there.
        skipped: File -> why it could not be read; what is found later is added.
        images_seen: Pictures in all batches.
    """

    progress: Progress
    model: Path
    skipped: dict[str, str]
    images_seen: int


def finish(config: TrainConfig, parts: Parts, outcome: Outcome, *, stop: Stop) -> TrainRun:
    """Measures and draws what a training has made, and writes its card.

    Args:
        config: What was asked for.
        parts: Of the training.
        outcome: How it went.
        stop: Requested: nothing is measured or drawn.

    Raises:
        OutputError: A file cannot be written.
    """
    folder = outcome.model.parent
    outputs: dict[str, Path] = {"history": folder / "history.csv"}
    figures: Evaluation | None = None
    rows = read_history(outputs["history"])
    if rows:
        outputs["curves"] = folder / "history.png"
        draw_history(outputs["curves"], rows)
    if outcome.model.exists() and outcome.progress.finished and not stop.requested:
        outputs["model"] = outcome.model
        encoder = build_encoder(str(outcome.model), device=parts.device)
        if parts.validation is not None:
            figures = _measured(encoder, parts.validation, outcome, outputs, stop)
        if not stop.requested:
            _draw_activations(parts, outcome, outputs)
            outputs["card"] = folder / "README.md"
            card = _card(config, parts, outcome, encoder, figures)
            write_card(outputs["card"], card, overwrite=True)
    now = outcome.progress
    labelled = parts.data.identities[parts.data.labelled]
    return TrainRun(
        output=folder,
        recipe=parts.recipe.name,
        identities=len(np.unique(labelled)),
        images=len(parts.data),
        steps=now.step,
        epochs=now.epoch,
        images_seen=outcome.images_seen,
        best_epoch=now.best_epoch or None,
        evaluation=figures,
        elapsed_s=now.elapsed_s,
        finished=now.finished and not stop.requested,
        outputs=outputs,
        skipped=outcome.skipped,
    )


def _measured(
    encoder: NetworkEncoder,
    data: Validation,
    outcome: Outcome,
    outputs: dict[str, Path],
    stop: Stop,
) -> Evaluation | None:
    """The figures of the file as it is used, with its curves and ranked lists; None: stopped."""
    measured = measure(encoder, data, skipped=outcome.skipped, stop=stop)
    if measured is None:
        return None
    folder, found = outcome.model.parent, measured.figures
    outputs["evaluation"] = folder / "evaluation.png"
    draw_curves(
        outputs["evaluation"],
        cmc=np.array(found.evaluation.cmc),
        verification=found.verification,
        title=f"{summary_line(found.evaluation)} · {found.evaluation.protocol_line}",
        overwrite=True,
    )
    _draw_ranks(measured, folder, outputs, stop)
    return found.evaluation


def _draw_ranks(found: Measured, folder: Path, outputs: dict[str, Path], stop: Stop) -> None:
    query, gallery, figures = found.query, found.gallery, found.figures.evaluation
    others = query if gallery is None else gallery
    if len(others) < 2:
        return
    rows = _spread(len(query))
    some = query.select(rows)
    own = rows if gallery is None else own_rows(some.crops, others.crops)
    top = top_k(some.vectors, others.vectors, k=_TOP, exclude=own)
    rules = PROTOCOLS[figures.protocol]
    matches = Matches.of(some.crops, others.crops, top, rules=rules)
    outputs["ranks"] = folder / "ranks"
    write_sheets(
        matches,
        range(len(matches)),
        outputs["ranks"],
        footer=figures.protocol_line,
        overwrite=True,
        stop=stop,
        advance=ignore_progress,
    )


def _spread(count: int) -> NDArray[np.int64]:
    """int64: a few of so many rows, evenly; a fixed step would meet one camera again and again."""
    return np.unique(np.linspace(0, count - 1, min(count, _SHOWN_QUERIES)).round().astype(np.int64))


def _draw_activations(parts: Parts, outcome: Outcome, outputs: dict[str, Path]) -> None:
    """Where the network looks, in some pictures it was not trained on where there are such."""
    paths = parts.data.paths if parts.validation is None else parts.validation.query.paths
    paths = tuple(path for path in paths if path not in outcome.skipped)
    crops: dict[str, Image] = {}
    for path in [paths[row] for row in _spread(len(paths)).tolist()]:
        with suppress(InputError):  # no batch had it so far
            crops[path] = read_image(Path(path))
    model = outcome.model
    network = load_network(model, recognise(model, sha256=weights.sha256_of(model)))
    batch = [plain(crop, size_hw=parts.recipe.size_hw) for crop in crops.values()]
    maps: list[Tensor] = []

    def keep(_module: nn.Module, _args: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            maps[:] = [output]

    for module in network.modules():
        module.register_forward_hook(keep)
    with torch.inference_mode():
        if batch:
            network(to_network_input(torch.from_numpy(np.stack(batch)), parts.spec))
    if maps:
        outputs["activations"] = outcome.model.parent / "activations.png"
        draw_activation_sheet(
            outputs["activations"],
            batch,
            activation_maps(maps[0].numpy()),
            titles=[Path(path).name for path in crops],
            overwrite=True,
        )


def _card(
    config: TrainConfig,
    parts: Parts,
    outcome: Outcome,
    encoder: NetworkEncoder,
    figures: Evaluation | None,
) -> ModelCard:
    recipe, now = parts.recipe, outcome.progress
    teacher = None
    if parts.teacher is not None:
        teacher = card_teacher(parts.teacher.name, weights.find_sha256(parts.teacher.sha256))
    return ModelCard(
        name=recipe.name,
        summary=f"An embedding of a picture of a person: {recipe.summary}.",
        file=outcome.model.name,
        architecture=recipe.architecture,
        parameters=parameter_count(outcome.model),
        input=encoder.input,
        embedding_width=encoder.width,
        licence="not stated",
        data=_sources(config, parts.data),
        labels=_labels(recipe),
        teacher=teacher,
        recipe=recipe,
        command=config.command_line(),
        seed=config.seed,
        versions=versions(),
        machine=parts.device.name,
        hours=now.elapsed_s / 3600,
        curves="history.png",
        figures=[]
        if figures is None
        else [
            CardFigures(
                data=figures.data,
                protocol=figures.protocol_line,
                metrics={
                    "Rank-1": figures.rank(1),
                    "Rank-5": figures.rank(5),
                    "mAP": figures.mean_average_precision,
                    "mINP": figures.mean_inverse_negative_penalty,
                },
            )
        ],
        limits=list(_LIMITS),
        out_of_scope=list(OUT_OF_SCOPE),
    )


def _labels(recipe: Recipe) -> str:
    if recipe.learns_identities:
        return "identity labels of the data above"
    return "none; the embeddings of the teacher were learnt"


def _sources(config: TrainConfig, data: TrainingSet) -> list[DataSource]:
    """What was trained on, source by source, and what each says of where it comes from."""
    found = []
    paths = (*config.data, *config.unlabelled)
    for number, (name, path) in enumerate(zip(data.source_names, paths, strict=True)):
        rows = data.select(data.sources == number)
        labelled = np.unique(rows.identities[rows.identities >= 0])
        seen = np.unique(rows.cameras[rows.cameras >= 0])
        found.append(
            DataSource(
                name=name,
                images=len(rows),
                identities=len(labelled) or None,
                cameras=len(seen) or None,
                origin=_origin(path),
            )
        )
    return found


def _origin(path: Path) -> str:
    """How a set was made, where it says so itself."""
    folder = path if path.is_dir() else path.parent
    try:
        command = json.loads((folder / "run.json").read_bytes())["command"]
        name, seed = command["name"], command["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return "not stated; given by whoever trained it"
    return f"people who do not exist, drawn by {name}, seed {seed}"
