"""Whether data can be trained on, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from everyid.models import Model
from everyid.output import Stop, counted
from person.datasets.problems import (
    Look,
    Problem,
    label_problems,
    leak_problems,
    look_at,
    picture_problems,
)
from person.datasets.reading import read_each
from person.datasets.training_set import (
    Split,
    TrainingSet,
    counts_people_anew,
    distinct,
    read_splits,
)

__all__ = ["DatasetCheck", "SourceCheck", "check_dataset", "check_text"]

_SHOWN = 3
"""Examples of a problem that the text names."""


class SourceCheck(Model):
    """How much a source holds."""

    name: str
    path: Path
    images: int = Field(ge=0, description="to train on, those without identity included")
    unlabelled: int = Field(ge=0, description="of these: without identity")
    identities: int = Field(ge=0, description="of the images to train on")
    cameras: int = Field(ge=0, description="likewise")
    query: int = Field(ge=0, description="images")
    gallery: int = Field(ge=0, description="images")


class DatasetCheck(Model):
    """What ``person dataset check`` found: the document of its ``--json``."""

    sources: list[SourceCheck]
    images: int = Field(ge=0, description="to train on")
    unlabelled: int = Field(ge=0, description="of these: without identity")
    identities: int = Field(ge=0)
    cameras: int = Field(ge=0)
    looked_at: int = Field(ge=0, description="images decoded, query and gallery included")
    problems: list[Problem] = Field(description="errors first, then warnings, then notes")
    interrupted: bool = False

    @property
    def trainable(self) -> bool:
        """Whether no problem is an error."""
        return all(problem.severity != "error" for problem in self.problems)


def check_dataset(
    sources: Sequence[Path],
    *,
    id_pattern: str | None = None,
    camera_pattern: str | None = None,
    stop: Stop,
) -> DatasetCheck:
    """What is wrong with data: with its labels, its files, and between its parts.

    Every image is decoded, those of queries and galleries too. When a stop is requested, what was
    not looked at by then counts as good.

    Args:
        sources: As in :func:`person.datasets.training_set.read_training_set`.
        id_pattern: Likewise.
        camera_pattern: Likewise.
        stop: Looked at between images.

    Raises:
        InputError: There are no images, or a source cannot be read.
        ConfigError: A pattern is none, or finds nothing in any path of a source.
    """
    splits = read_splits(sources, id_pattern=id_pattern, camera_pattern=camera_pattern)
    paths = list(dict.fromkeys(path for part in splits.values() for path in part.paths))
    looks = read_each(paths, look_at, label="images", stop=stop)
    train, folders = splits["train"], distinct(sources)
    names = zip(train.source_names, folders, strict=True)
    anew = frozenset(name for name, folder in names if counts_people_anew(folder))
    problems = [
        *label_problems(_usable(train, looks)),
        *picture_problems(splits, looks),
        *leak_problems(splits, looks, anew=anew),
    ]
    order = ("error", "warning", "note")
    return DatasetCheck(
        sources=[_source(number, folder, splits) for number, folder in enumerate(folders)],
        images=len(train),
        unlabelled=len(train.unlabelled),
        identities=train.identity_count,
        cameras=train.camera_count,
        looked_at=len(looks),
        problems=sorted(problems, key=lambda problem: order.index(problem.severity)),
        interrupted=stop.requested,
    )


def check_text(check: DatasetCheck) -> str:
    """How much there is, and each problem with what it means and the first examples."""
    lines = [_source_line(source) for source in check.sources]
    if len(check.sources) > 1:
        lines.append(f"together: {_amounts(check)}")
    for problem in check.problems:
        lines.append(f"{problem.severity}: {problem.summary}: {problem.meaning}")
        lines += [f"  {example}" for example in problem.examples[:_SHOWN]]
        if problem.examples and problem.count > _SHOWN:
            lines.append(f"  and {problem.count - _SHOWN:,} more")
    if check.interrupted:
        lines.append(f"interrupted after {counted(check.looked_at, 'image')}")
    elif not check.problems:
        lines.append("no problem found")
    return "\n".join(lines)


def _usable(train: TrainingSet, looks: Mapping[str, Look]) -> TrainingSet:
    """The rows whose images can be read, or were not looked at."""
    readable = [path not in looks or looks[path].size_hw is not None for path in train.paths]
    return train.select(np.array(readable, bool))


def _source(number: int, folder: Path, splits: Mapping[Split, TrainingSet]) -> SourceCheck:
    parts = {name: part.select(part.sources == number) for name, part in splits.items()}
    train = parts["train"]
    return SourceCheck(
        name=train.source_names[number],
        path=folder,
        images=len(train),
        unlabelled=len(train.unlabelled),
        identities=len(np.unique(train.identities[train.labelled])),
        cameras=len(np.unique(train.cameras[train.cameras >= 0])),
        query=len(parts["query"]) if "query" in parts else 0,
        gallery=len(parts["gallery"]) if "gallery" in parts else 0,
    )


def _source_line(source: SourceCheck) -> str:
    """A source's name and what is in it."""
    line = f"{source.name}: {_amounts(source)}"
    if source.query or source.gallery:
        line += f"; {source.query:,} in query, {source.gallery:,} in gallery"
    return line


def _amounts(of: SourceCheck | DatasetCheck) -> str:
    amounts = [
        counted(of.images, "image"),
        counted(of.identities, "identity", "identities"),
        counted(of.cameras, "camera"),
    ]
    if of.unlabelled:
        amounts.append(f"{of.unlabelled:,} without identity")
    return ", ".join(amounts)
