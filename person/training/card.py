"""Model cards: what some weights are, what they came from, how good they are and are not."""

import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator

from everyid.models import Model
from everyid.output import whole_file
from everyid.weights_catalogue import InputSpec, WeightsEntry
from person.checkpoint import read_tensors
from person.encoder import describe_input
from person.training.recipe import Recipe, recipe_fields

__all__ = [
    "NO_PROOF",
    "OUT_OF_SCOPE",
    "CardFigures",
    "CardTeacher",
    "DataSource",
    "ModelCard",
    "RobustnessCurve",
    "card_teacher",
    "parameter_count",
    "versions",
    "write_card",
]

NO_PROOF = "A similarity alone is no proof that two pictures show one person."
"""A limit of every network."""
OUT_OF_SCOPE = (
    "Deciding anything about a person without a human who looks at the pictures.",
    "Following people where the law or those people do not allow it.",
)
"""What no network is to be used for."""

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]

_HUB_LICENCES = frozenset(
    {
        *("agpl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0"),
        *("cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-4.0", "gpl-3.0", "mit"),
    }
)
"""Of the licences that the hub knows by a name of its own, those whose name is the SPDX
identifier in small letters. Any other is ``other`` there."""
_MARKUP = re.compile(r"^[-#+=]|[\\|`*<>\[\]~]|(?<!\w)_|_(?!\w)")


class DataSource(Model):
    """Pictures that the network saw in training."""

    name: Text
    images: int = Field(ge=0)
    identities: int | None = Field(default=None, ge=0, description="None: not labelled")
    cameras: int | None = Field(default=None, ge=0, description="None: not labelled")
    origin: Text = Field(description="where the pictures come from, and under which licence")


class CardTeacher(Model):
    """The encoder whose outputs were learnt."""

    name: Text
    licence: Text = Field(description="SPDX identifier")
    trained_on: Text


class CardFigures(Model):
    """What was measured on one data set."""

    data: Text
    protocol: Text = Field(description="the protocol line: stands beside every figure")
    metrics: dict[str, Share] = Field(min_length=1, description="name -> 0-1")


class RobustnessCurve(Model):
    """How figures fall as pictures get worse."""

    name: Text = Field(description="what is done to the pictures")
    data: Text
    protocol: Text
    levels: list[Text] = Field(min_length=1, description="how much of it, with its unit")
    metrics: dict[str, list[Share]] = Field(min_length=1, description="name -> 0-1 at each level")

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for name, values in self.metrics.items():
            if len(values) != len(self.levels):
                raise ValueError(f"expected {len(self.levels)} values of {name}, got {len(values)}")
        return self


class ModelCard(Model):
    """All that a card says."""

    name: Text
    summary: Text = Field(description="one line: what the network does")
    file: Text = Field(description="name of the weights file")
    architecture: Text
    parameters: int = Field(ge=1, description="how many the embedding needs")
    input: InputSpec
    embedding_width: int = Field(ge=1, description="D")
    licence: Text = Field(description="of the weights, SPDX identifier")
    data: list[DataSource] = Field(min_length=1)
    labels: Text = Field(description="what labels were learnt, and what none were used of")
    teacher: CardTeacher | None = None
    recipe: Recipe
    command: Text = Field(description="makes the weights again")
    seed: int
    versions: dict[str, str] = Field(description="everyid, torch, python: name -> version")
    machine: Text
    hours: FiniteFloat = Field(ge=0, description="wall time of the training")
    curves: str = Field(
        default="", description="file with the picture of the training; empty: none"
    )
    figures: list[CardFigures] = Field(default_factory=list)
    robustness: list[RobustnessCurve] = Field(default_factory=list)
    limits: list[Text] = Field(min_length=1)
    out_of_scope: list[Text] = Field(min_length=1, description="what it is not to be used for")


def card_teacher(name: str, entry: WeightsEntry | None) -> CardTeacher:
    """What a card says of a network that was learnt from.

    Args:
        name: What it is called.
        entry: What the catalogue says of it; None: nothing.
    """
    return CardTeacher(
        name=name,
        licence=entry.licence if entry else "not known",
        trained_on=entry.trained_on if entry else "not known",
    )


def parameter_count(path: Path) -> int:
    """How many parameters an embedding needs: all numbers but running statistics.

    Args:
        path: The weights file.

    Raises:
        InputError: It cannot be read.
        WeightsError: It is damaged, or no file of weights.
    """
    tensors = read_tensors(path)
    return sum(tensor.numel() for name, tensor in tensors.items() if "running" not in name)


def versions() -> dict[str, str]:
    """Name -> version, of what a network was trained with."""
    return {name: version(name) for name in ("everyid", "torch")} | {
        "python": platform.python_version()
    }


def write_card(path: Path, card: ModelCard, *, overwrite: bool) -> None:
    """Writes a model card as model hubs show it: Markdown with YAML in front.

    Args:
        path: The file, often ``README.md``.
        card: What it says.
        overwrite: Replace an existing file.

    Raises:
        OutputExistsError: The file is there and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    with whole_file(path, overwrite=overwrite) as part:
        part.write_text(_text(card), encoding="utf-8", newline="\n")


def _text(card: ModelCard) -> str:
    sections = [
        _front_matter(card),
        f"# {_plain(card.name)}",
        _plain(card.summary),
        "## How to use it",
        _code(
            f"python3 run.py person embed --source crops/ --model {card.file} "
            "--output crops.parquet",
            f"python3 run.py person everyid --query photo.jpg --gallery crops/ --model {card.file}",
        ),
        "## What it is",
        _pairs(
            {
                "architecture": card.architecture,
                "parameters": f"{card.parameters:,}",
                "input": describe_input(card.input),
                "embedding": f"{card.embedding_width} values, compared by cosine similarity",
                "licence": card.licence,
            }
        ),
        "## What it learnt from",
        _table(
            ("data", "images", "identities", "cameras", "origin"),
            (
                (
                    one.name,
                    _count(one.images),
                    _count(one.identities),
                    _count(one.cameras),
                    one.origin,
                )
                for one in card.data
            ),
        ),
        f"Labels: {_plain(card.labels)}",
        f"Teacher: {_teacher(card.teacher)}",
        "## How it was trained",
        *_training(card),
        *([f"![Loss, learning rate and validation]({card.curves})"] if card.curves else []),
        "## Figures",
        *_figures(card),
        "## Limits",
        _list(card.limits),
        "## Out of scope",
        _list(card.out_of_scope),
    ]
    return "\n\n".join(sections) + "\n"


def _training(card: ModelCard) -> list[str]:
    return [
        f"Recipe `{card.recipe.name}`:",
        _pairs({name: _value(value) for name, value, _ in recipe_fields(card.recipe)}),
        "Command:",
        _code(card.command),
        _pairs(
            {
                "seed": card.seed,
                **card.versions,
                "machine": card.machine,
                "wall time": _time(card.hours),
            }
        ),
    ]


def _time(hours: float) -> str:
    """Hours, or minutes of less than one.

    >>> _time(2.04), _time(0.5)
    ('2.0 h', '30 min')
    """
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def _front_matter(card: ModelCard) -> str:
    """YAML; JSON, which is part of it, for what is not ours to choose."""
    licence = card.licence.lower()
    lines = ["license: other", f"license_name: {json.dumps(card.licence)}"]
    if licence in _HUB_LICENCES:
        lines = [f"license: {licence}"]
    lines += [
        "library_name: everyid",
        "pipeline_tag: image-feature-extraction",
        "tags:",
        "- person-re-identification",
    ]
    return "\n".join(["---", *lines, "---"])


def _teacher(teacher: CardTeacher | None) -> str:
    if teacher is None:
        return "none"
    return (
        f"{_plain(teacher.name)} ({_plain(teacher.licence)}), trained on "
        f"{_plain(teacher.trained_on)}"
    )


def _figures(card: ModelCard) -> list[str]:
    """A table for each protocol line, so that no figure stands without its own; then the curves."""
    if not card.figures and not card.robustness:
        return ["None were measured."]
    sections = ["In per cent."]
    for protocol in dict.fromkeys(found.protocol for found in card.figures):
        alike = [found for found in card.figures if found.protocol == protocol]
        names = list(dict.fromkeys(name for found in alike for name in found.metrics))
        rows = [(one.data, *(_percent(one.metrics.get(name)) for name in names)) for one in alike]
        sections += [_plain(protocol), _table(("data", *names), rows)]
    for curve in card.robustness:
        sections += [
            f"### {_plain(curve.name)}",
            f"{_plain(curve.data)}; {_plain(curve.protocol)}",
            _table(
                (curve.name, *curve.metrics),
                zip(
                    curve.levels,
                    *(map(_percent, values) for values in curve.metrics.values()),
                    strict=True,
                ),
            ),
        ]
    return sections


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _value(value: object) -> str:
    """A field of a recipe; a size as people write it."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return " x ".join(str(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items()) or "usual"
    return str(value)


def _plain(text: str) -> str:
    r"""Text on one line, in which nothing counts as Markdown or HTML.

    >>> _plain("a|b  *c*")
    'a\\|b \\*c\\*'
    """
    return _MARKUP.sub(lambda found: f"\\{found.group()}", " ".join(text.split()))


def _count(number: int | None) -> str:
    return "not labelled" if number is None else f"{number:,}"


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [[_plain(name) for name in head], ["---"] * len(head)]
    lines += [[_plain(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _pairs(pairs: Mapping[str, object]) -> str:
    return _table(("", ""), ((name, str(value)) for name, value in pairs.items()))


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(item)}" for item in items)


def _code(*lines: str) -> str:
    """A block of commands; its fence is longer than any in them."""
    text = "\n".join(lines).strip()
    runs = re.findall(r"`{3,}", text)
    fence = "`" * (1 + max((len(run) for run in runs), default=2))
    return f"{fence}bash\n{text}\n{fence}"
