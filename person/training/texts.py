"""Results of the training commands as text for people."""

import json
from collections.abc import Sequence

from everyid.models import TrainRun
from everyid.output import counted
from person.evaluation import summary_line
from person.training.recipe import Recipe, recipe_fields

__all__ = ["recipe_text", "recipes_text", "train_text"]


def train_text(run: TrainRun) -> str:
    """How much was learnt from, the figures of the network, and where everything lies."""
    rate = run.images_seen / run.elapsed_s if run.elapsed_s else 0.0
    lines = [
        f"{run.recipe}: {counted(run.epochs, 'epoch')}, {counted(run.steps, 'step')}, "
        f"{run.images_seen:,} pictures seen of {run.images:,} ({run.identities:,} identities), "
        f"{run.elapsed_s / 60:.1f} min, {rate:.1f} pictures/s"
    ]
    if run.best_epoch is not None:
        lines.append(f"best: epoch {run.best_epoch}")
    if run.evaluation is not None:
        lines += [summary_line(run.evaluation), run.evaluation.protocol_line]
    if run.skipped:
        lines.append(f"skipped {counted(len(run.skipped), 'file')}")
    if not run.finished:
        lines.append("interrupted")
    lines += [f"  {name:11} {path}" for name, path in run.outputs.items()]
    return "\n".join([*lines, f"results in {run.output}"])


def recipes_text(recipes: Sequence[Recipe]) -> str:
    """A line for each recipe."""
    longest = max(len(recipe.name) for recipe in recipes)
    return "\n".join(f"{recipe.name:{longest}}  {recipe.summary}" for recipe in recipes)


def recipe_text(recipe: Recipe) -> str:
    """Each field of a recipe, its value and what it means."""
    rows = [(name, _shown(value), meaning) for name, value, meaning in recipe_fields(recipe)]
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{name:{names}}  {value:{values}}  {meaning}" for name, value, meaning in rows]
    return "\n".join([f"{recipe.name}: {recipe.summary}", *lines])


def _shown(value: object) -> str:
    """A value as ``--set`` takes it.

    >>> _shown((256, 128)), _shown(None), _shown({})
    ('256x128', 'null', '{}')
    """
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
