"""What a teacher says of the pictures, asked once before training and kept beside it.

A picture's target is its embedding by the teacher, drawn towards the mean of all pictures of the
same identity where identities are known: what a teacher sees in one bad picture alone is less worth
learning than what it sees of the person.

Source: distillation of embeddings: Hinton et al., "Distilling the Knowledge in a Neural Network"
(2015), with the cosine in place of the cross-entropy; relations: Park et al. (2019), see
:mod:`person.training.losses`.
"""

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device
from everyid.errors import ConfigError, InputError
from everyid.output import Stop, notice, progress, warn
from person.crops import Crops
from person.datasets.training_set import TrainingSet
from person.embed import embed_crops
from person.embeddings import Embeddings, read_embeddings, write_embeddings
from person.encoder import NetworkEncoder, build_encoder
from person.training.recipe import Distillation

__all__ = ["teacher_targets"]

_FILE = "teacher.parquet"
_AT_LEAST = 8192
"""Pictures after which what is done is kept; the part below, once that is more."""
_PART = 16
"""Of what is known, since all of it is written anew each time."""


def teacher_targets(
    data: TrainingSet,
    *,
    told: Distillation,
    folder: Path,
    device: Device,
    skipped: dict[str, str],
    stop: Stop,
) -> tuple[TrainingSet, NDArray[np.float32], NetworkEncoder]:
    """The pictures that can be read, float32 (N, D) the target of each, and the teacher.

    Targets have length 1. What the teacher says is kept in ``teacher.parquet``; an interrupted
    run, and the next one with the same output, ask only for what is missing.

    Args:
        data: The pictures.
        told: Which teacher, as for :func:`person.encoder.build_encoder`, and how much of a target
            is the mean of its identity.
        folder: Of the training.
        device: Where the teacher runs.
        skipped: Takes path -> reason for each picture that cannot be read; these have no target.
        stop: Looked at before each batch.

    Raises:
        ConfigError: No teacher is named, or no such one is known.
        EveryIDError: The teacher, or all of the pictures, cannot be used.
        KeyboardInterrupt: Ctrl-C came before all was said.
    """
    if told.teacher is None:
        raise ConfigError("expected a teacher to ask, got none")
    teacher = build_encoder(told.teacher, device=device)
    file = folder / _FILE
    known = _known(file, teacher)
    missing = [path for path in dict.fromkeys(data.paths) if path not in known]
    with progress(f"asking {teacher.name}", len(missing)) as advance:
        left = iter(missing)
        while some := list(islice(left, max(_AT_LEAST, len(known) // _PART))):
            crops = _crops(some)
            try:
                found = embed_crops(crops, teacher, skipped=skipped, stop=stop, advance=advance)
            except InputError:
                if not all(path in skipped for path in crops.paths):
                    raise
                continue  # of these none can be read, but of others
            known |= dict(zip(found.crops.paths, found.vectors, strict=True))
            if len(found):
                kept = Embeddings(
                    _crops(list(known)), np.stack(list(known.values())), found.model, teacher.sha256
                )
                write_embeddings(file, kept, overwrite=True)
            if stop.requested:
                notice("not finished: the same command with the same --output goes on from here")
                raise KeyboardInterrupt
    for path in missing:
        if path in skipped:
            warn(f"skipped: {skipped[path]}")
    usable = data.select(np.array([path in known for path in data.paths]))
    if not len(usable):
        raise InputError(
            f"none of the {len(data):,} pictures can be used; one of them: "
            f"{next(iter(skipped.values()))}"
        )
    own = np.stack([known[path] for path in usable.paths])
    return usable, _drawn_to_mean(own, usable.identities, told.centred), teacher


def _known(file: Path, teacher: NetworkEncoder) -> dict[str, NDArray[np.float32]]:
    """Path -> embedding of what the same teacher was asked before."""
    if not file.exists():
        return {}
    try:
        found = read_embeddings(file)
    except InputError as error:
        warn(f"asking anew: {error}")
        return {}
    if found.model_sha256 != teacher.sha256:
        return {}
    return dict(zip(found.crops.paths, found.vectors, strict=True))


def _crops(paths: list[str]) -> Crops:
    unknown = (None,) * len(paths)
    return Crops(tuple(paths), *(unknown,) * 6)


def _drawn_to_mean(
    own: NDArray[np.float32], identities: NDArray[np.int64], centred: float
) -> NDArray[np.float32]:
    """float32 (N, D), of length 1: each row, and the mean of its identity's rows with it.

    Args:
        own: float32 (N, D), of length 1.
        identities: int64 (N,), -1: of nobody known, these rows stay.
        centred: Part of the mean, 0-1.
    """
    labelled = identities >= 0
    sums = np.zeros((identities.max(initial=-1) + 1, own.shape[1]), np.float64)
    np.add.at(sums, identities[labelled], own[labelled])
    counts = np.bincount(identities[labelled], minlength=len(sums))
    means = sums / np.maximum(counts, 1)[:, None]
    mixed = own.astype(np.float64)
    mixed[labelled] = (1 - centred) * mixed[labelled] + centred * means[identities[labelled]]
    norms = np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.asarray(mixed / np.maximum(norms, 1e-12), np.float32)
