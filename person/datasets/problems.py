"""What can be wrong with data to train on: each problem with its count and what it means."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from everyid.errors import InputError
from everyid.media import read_image
from everyid.models import Model
from everyid.output import counted
from person.datasets.training_set import Split, TrainingSet

__all__ = [
    "Look",
    "Problem",
    "label_problems",
    "leak_problems",
    "look_at",
    "picture_problems",
]

Severity = Literal["error", "warning", "note"]

_EXAMPLES = 20
_LEAST_HEIGHT = 32
"""Pixels below which a crop shows little of a person."""


class Problem(Model):
    """One thing that is wrong with the data."""

    kind: str = Field(description='such as "unreadable"')
    severity: Severity = Field(description="error: no training; note: good to know")
    count: int = Field(ge=1, description="images, files or identities, as the summary says")
    summary: str = Field(description='such as "3 images cannot be read"')
    meaning: str = Field(description="what it does to a training")
    examples: list[str] = Field(
        default_factory=list, max_length=_EXAMPLES, description="the first ones: files or names"
    )


class Look(NamedTuple):
    """What is seen of an image.

    Args:
        size_hw: Height and width, pixels; None: it cannot be read.
        digest: Stands for the file's content; None likewise.
        reason: Why it cannot be read.
    """

    size_hw: tuple[int, int] | None
    digest: bytes | None
    reason: str | None


def look_at(path: str) -> Look:
    """What is seen of an image when all of it is decoded."""
    try:
        height, width = read_image(Path(path)).shape[:2]
        content = Path(path).read_bytes()
    except InputError as error:
        return Look(None, None, str(error))
    except OSError as error:
        return Look(None, None, f"{path}: cannot be read: {error.strerror}")
    return Look((height, width), hashlib.sha256(content).digest(), None)


def picture_problems(
    splits: Mapping[Split, TrainingSet], looks: Mapping[str, Look]
) -> list[Problem]:
    """Images that cannot be read, small ones, and those that are wider than high.

    Args:
        splits: What the images belong to.
        looks: What was seen of them; those that were not looked at are taken as good.
    """
    unreadable = [look.reason for look in looks.values() if look.reason is not None]
    usable = any(path not in looks or looks[path].size_hw for path in splits["train"].paths)
    sizes = {path: look.size_hw for path, look in looks.items() if look.size_hw is not None}
    small = [_sized(path, size) for path, size in sizes.items() if size[0] < _LEAST_HEIGHT]
    wide = [_sized(path, size) for path, size in sizes.items() if size[1] > size[0]]
    return _found(
        _problem(
            "unreadable",
            "warning" if usable else "error",
            unreadable,
            lambda count: f"{counted(count, 'image')} cannot be read",
            "training leaves them out" if usable else "no image is left to train on",
        ),
        _problem(
            "small",
            "warning",
            small,
            lambda count: f"{counted(count, 'image')} below {_LEAST_HEIGHT} px high",
            "they show little of a person; larger crops teach more",
        ),
        _problem(
            "landscape",
            "warning",
            wide,
            lambda count: f"{counted(count, 'image')} wider than high",
            "training squeezes them into an upright shape; are they crops of one person each?",
        ),
    )


def label_problems(train: TrainingSet) -> list[Problem]:
    """What is missing among the labels: people, pairs of pictures, cameras.

    Args:
        train: The rows that can be used.
    """
    rows = train.labelled
    if not len(train):
        return []  # that no image can be read is told elsewhere
    if not len(rows):
        nobody = Problem(
            kind="no-identity",
            severity="error",
            count=len(train),
            summary=f"no identity is known of {counted(len(train), 'image')}",
            meaning="there is nobody to tell apart; name folders after people, or give "
            "--id-pattern",
        )
        return [nobody, *_camera_problems(train)]
    images = np.bincount(train.identities[rows], minlength=train.identity_count)
    present, single = np.flatnonzero(images), np.flatnonzero(images == 1)
    pairs = len(single) < len(present)
    return _found(
        _problem(
            "one-identity",
            "error",
            [train.identity_names[number] for number in present] if len(present) == 1 else [],
            lambda _: "all labelled images are of one identity",
            "there is nobody to tell this person from",
        ),
        _problem(
            "single-image",
            "warning" if pairs else "error",
            [train.identity_names[number] for number in single],
            lambda count: f"{_people(count)} with one image",
            "they never make a pair of pictures of one person"
            + ("" if pairs else ", and nobody else does"),
        ),
        _problem(
            "unlabelled",
            "note",
            [train.paths[row] for row in train.unlabelled],
            lambda count: f"{counted(count, 'image')} without identity",
            "only distillation from a teacher learns from them",
        ),
        *_camera_problems(train),
    )


def leak_problems(
    splits: Mapping[Split, TrainingSet],
    looks: Mapping[str, Look],
    *,
    anew: frozenset[str] = frozenset(),
) -> list[Problem]:
    """What stands twice: files in one part, and people or files in two that should be apart.

    Args:
        splits: The parts.
        looks: What was seen of the images.
        anew: Names of sources whose parts give one name to different people.
    """
    train = splits["train"]
    tests = [splits[name] for name in ("query", "gallery") if name in splits]
    files = _by_content(train, looks)
    seen_in_tests = {digest for part in tests for digest in _by_content(part, looks)}
    twice = [rows for rows in files.values() if len(rows) > 1]
    trained = _present(train, anew)
    tested: set[str] = set().union(*(_present(part, anew) for part in tests))
    lonely = _present(splits["query"]) - _present(splits["gallery"]) if tests else set()
    return _found(
        _problem(
            "two-identities",
            "warning",
            [_files(train, rows) for rows in twice if _number_of_people(train, rows) > 1],
            lambda count: f"{counted(count, 'file')} under two identities or more",
            "training is told that one picture shows different people: one label is wrong",
        ),
        _problem(
            "duplicate",
            "note",
            [_files(train, rows) for rows in twice if _number_of_people(train, rows) <= 1],
            lambda count: f"{counted(count, 'file')} there more than once",
            "they count for more, and a pair of them teaches nothing",
        ),
        _problem(
            "identity-leak",
            "warning",
            sorted(trained & tested),
            lambda count: f"{_people(count)} in training and in query or gallery",
            "figures on people who were trained on are too good",
        ),
        _problem(
            "file-leak",
            "warning",
            [train.paths[rows[0]] for digest, rows in files.items() if digest in seen_in_tests],
            lambda count: f"{counted(count, 'file')} in training and in query or gallery",
            "figures on pictures that were trained on are too good",
        ),
        _problem(
            "no-match",
            "warning",
            sorted(lonely),
            lambda count: f"{_people(count)} in query and not in gallery",
            "their queries have no match and do not count",
        ),
    )


def _camera_problems(train: TrainingSet) -> list[Problem]:
    known = train.cameras >= 0
    dark = [train.paths[row] for row in np.flatnonzero(~known)]
    if not known.any():
        return _found(
            _problem(
                "no-camera",
                "warning",
                dark,
                lambda _: "no camera is known",
                "what a person looks like across cameras cannot be taught or measured; tell "
                "cameras with --camera-pattern",
            )
        )
    rows = known & (train.identities >= 0)
    pairs = np.unique(np.stack([train.identities[rows], train.cameras[rows]]), axis=1)
    cameras = np.bincount(pairs[0], minlength=train.identity_count)
    # A person with one image has one camera anyway, which is told elsewhere; and one with a
    # picture from nobody knows where may have two.
    whole = _counts(train, train.identities >= 0) == _counts(train, rows)
    alone = np.flatnonzero((cameras == 1) & whole & (_counts(train, rows) > 1))
    return _found(
        _problem(
            "one-camera",
            "warning",
            [train.identity_names[number] for number in alone],
            lambda count: f"{_people(count)} seen by one camera only",
            "their pairs do not teach to know a person in another camera's light and view",
        ),
        _problem(
            "camera-unknown",
            "note",
            dark,
            lambda count: f"{counted(count, 'image')} of no known camera",
            "they help less to know a person across cameras",
        ),
    )


def _problem(
    kind: str,
    severity: Severity,
    cases: Sequence[str],
    summary: Callable[[int], str],
    meaning: str,
) -> Problem | None:
    """A problem with its cases; None where there are none."""
    if not cases:
        return None
    return Problem(
        kind=kind,
        severity=severity,
        count=len(cases),
        summary=summary(len(cases)),
        meaning=meaning,
        examples=list(cases[:_EXAMPLES]),
    )


def _found(*problems: Problem | None) -> list[Problem]:
    return [problem for problem in problems if problem is not None]


def _people(count: int) -> str:
    return counted(count, "identity", "identities")


def _sized(path: str, size_hw: tuple[int, int]) -> str:
    return f"{path}: {size_hw[1]}x{size_hw[0]} px"


def _counts(train: TrainingSet, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64 (I,), how many of the rows each person has."""
    return np.bincount(train.identities[rows], minlength=train.identity_count).astype(np.int64)


def _present(part: TrainingSet, without: Iterable[str] = ()) -> set[str]:
    """The names of the people in a part, but for some sources."""
    left_out = [number for number, name in enumerate(part.source_names) if name in without]
    rows = (part.identities >= 0) & ~np.isin(part.sources, left_out)
    return {part.identity_names[number] for number in np.unique(part.identities[rows])}


def _by_content(part: TrainingSet, looks: Mapping[str, Look]) -> dict[bytes, list[int]]:
    """The rows of each content."""
    rows: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, path in enumerate(part.paths):
        if path in looks and (digest := looks[path].digest) is not None:
            rows[digest].append(row)
    return rows


def _number_of_people(part: TrainingSet, rows: Sequence[int]) -> int:
    return len(Counter(part.identities[rows].tolist()).keys() - {-1})


def _files(part: TrainingSet, rows: Sequence[int]) -> str:
    return " = ".join(part.paths[row] for row in rows[:3])
