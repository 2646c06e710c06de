"""What a training keeps of itself on disk, so that it goes on exactly where it was.

A checkpoint is a folder ``checkpoints/STEP``: the weights that learn and their mean as safetensors,
the state of the optimiser, and where the training is. It gets its name when it is whole, and only
then the one before goes. Batches and random numbers follow from seed and step, so nothing else is
needed: on a CPU a training that went on has the same weights as one that was never interrupted.
"""

import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from everyid.errors import ConfigError, InputError, OutputError
from everyid.models import Model
from everyid.output import whole_file, writing
from person.training.recipe import Recipe, recipe_fields

__all__ = ["Progress", "check_same_training", "latest", "read_progress", "restore", "save"]

_FOLDER = "checkpoints"
_PROGRESS, _NETWORK, _AVERAGE, _OPTIMISER = (
    *("progress.json", "network.safetensors"),
    *("average.safetensors", "optimiser.pt"),
)


class Progress(Model):
    """Where a training is, and what it is."""

    recipe: Recipe
    data: str = Field(description="a digest of the pictures and their labels, in order")
    seed: int
    processes: int = 1
    start: str = Field(default="", description="sha256 of the weights it began with; empty: none")
    step: int = Field(default=0, ge=0, description="batches seen")
    epoch: int = Field(default=0, ge=0, description="of the next batch, from 0")
    batch: int = Field(default=0, ge=0, description="of the epoch, the next one, from 0")
    best: float | None = Field(default=None, description="highest mAP of a validation so far")
    best_epoch: int = 0
    without_gain: int = Field(default=0, ge=0, description="validations since the best one")
    elapsed_s: float = Field(default=0.0, ge=0)
    finished: bool = False


def save(
    output: Path,
    progress: Progress,
    *,
    network: nn.Module,
    average: nn.Module,
    optimiser: dict[str, Any],
) -> None:
    """Writes a checkpoint and removes those before it.

    Args:
        output: The folder of the training.
        progress: Where it is.
        network: The network that learns, with its classifier.
        average: The mean of its weights.
        optimiser: The state of the optimiser, and of what scales its gradients.

    Raises:
        OutputError: It cannot be written; the one before is still there.
    """
    folder = output / _FOLDER / f"{progress.step:09d}"
    try:
        with writing(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(folder, overwrite=True) as part:
            part.mkdir()
            _save_tensors(network.state_dict(), part / _NETWORK)
            _save_tensors(average.state_dict(), part / _AVERAGE)
            torch.save(optimiser, part / _OPTIMISER)
            text = progress.model_dump_json(indent=2)
            (part / _PROGRESS).write_text(text + "\n", encoding="utf-8")
    except (OutputError, SafetensorError, RuntimeError) as error:
        there = latest(output)
        kept = f"that of step {int(there.name)} is whole" if there else "there is none yet"
        raise OutputError(
            f"the checkpoint of step {progress.step} was not written: {error}; {kept}",
            hint="make room, then run the same command again: it goes on from there",
        ) from error
    for old in _all(output):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


def _save_tensors(state: dict[str, Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)


def latest(output: Path) -> Path | None:
    """The last whole checkpoint of a training, or None."""
    return max(_all(output), default=None)


def _all(output: Path) -> list[Path]:
    folder = output / _FOLDER
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]


def read_progress(checkpoint: Path) -> Progress:
    """Where the training of a checkpoint is.

    Raises:
        InputError: The checkpoint is damaged, or not one of this project.
    """
    try:
        return Progress.model_validate_json((checkpoint / _PROGRESS).read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(checkpoint, error) from error


def restore(checkpoint: Path, *, network: nn.Module, average: nn.Module) -> dict[str, Any]:
    """The state of the optimiser of a checkpoint; the networks get their weights.

    Args:
        checkpoint: From :func:`latest`.
        network: Changed in place.
        average: Changed in place.

    Raises:
        InputError: It is damaged, or of another network.
    """
    try:
        network.load_state_dict(load_file(checkpoint / _NETWORK))
        average.load_state_dict(load_file(checkpoint / _AVERAGE))
        found: dict[str, Any] = torch.load(
            checkpoint / _OPTIMISER, map_location="cpu", weights_only=True
        )
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _damaged(checkpoint, error) from error
    return found


def _damaged(checkpoint: Path, error: Exception) -> InputError:
    reason = str(error).strip().partition("\n")[0]
    return InputError(
        f"{checkpoint}: not a checkpoint that training can go on from: {reason}",
        hint="begin anew with --overwrite, or name another --output",
    )


def check_same_training(found: Progress, wanted: Progress, where: Path) -> None:
    """Checks that a checkpoint is of the training that is asked for.

    Args:
        found: Of the checkpoint.
        wanted: What is asked for.
        where: The checkpoint, for the message.

    Raises:
        ConfigError: It is of another one; the message says what differs.
    """
    differences = []
    old = {name: value for name, value, _ in recipe_fields(found.recipe)}
    for name, value, _ in recipe_fields(wanted.recipe):
        if old[name] != value:
            differences.append(f"{name} is {value} here and {old[name]} there")
    if found.recipe.name != wanted.recipe.name:
        differences.insert(0, f"recipe {wanted.recipe.name} here, {found.recipe.name} there")
    for name, text in (("data", "the data"), ("start", "the weights at the start")):
        if getattr(found, name) != getattr(wanted, name):
            differences.append(f"{text} changed")
    for name in ("seed", "processes"):
        here, there = getattr(wanted, name), getattr(found, name)
        if here != there:
            differences.append(f"{name} {here} here, {there} there")
    if differences:
        raise ConfigError(
            f"{where}: a checkpoint of another training: {'; '.join(differences)}",
            hint="give the same options to go on, --overwrite to begin anew, or another --output",
        )
