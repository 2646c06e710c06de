"""Batches for training: which pictures are in them, and the pictures, read in threads ahead.

A batch is P identities with K pictures each, then pictures of nobody known. Which rows these are,
and how each picture is changed, depends on the seed, the epoch and the place alone, not on threads
or on where a training was taken up again.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from threading import Event
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pytorch_metric_learning.samplers import MPerClassSampler
from pytorch_metric_learning.utils import common_functions

from everyid.device import cpu_threads
from everyid.errors import ConfigError, InputError
from everyid.protocols import Image
from person.crops import read_crop
from person.datasets.training_set import TrainingSet
from person.training.augment import augmented
from person.training.recipe import Augmentation

__all__ = ["Batch", "Batches", "pk_epoch", "share_of"]

_AHEAD = 3
"""Batches that are read while another is used."""
_CHUNK = 8
"""Pictures that a thread reads in one go: so many that handing them over costs little."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pictures to learn from in one step.

    Args:
        images: uint8 (B, H, W, 3), BGR, 0-255.
        identities: int64 (B,); -1: unlabelled.
        cameras: int64 (B,); -1: not known.
        rows: int64 (B,), rows of the training set.
        waited_s: Seconds that whoever took the batch waited for its pictures.
    """

    images: NDArray[np.uint8]
    identities: Rows
    cameras: Rows
    rows: Rows
    waited_s: float


def pk_epoch(
    training_set: TrainingSet,
    *,
    identities_per_batch: int,
    images_per_identity: int,
    unlabelled_per_batch: int,
    seed: int,
    epoch: int,
) -> list[Rows]:
    """The rows of each batch of an epoch, each int64 (B,): P groups of K, then the unlabelled.

    There are as many batches as P x K goes into the labelled pictures, or, where none is
    labelled, as B goes into the unlabelled ones; at least one. An identity is in a batch once; one
    with fewer than K pictures has some of them several times. Each unlabelled picture comes once
    before any comes twice.

    Args:
        training_set: What there is.
        identities_per_batch: P.
        images_per_identity: K.
        unlabelled_per_batch: Counts only where there are any.
        seed: At least 0.
        epoch: At least 0; the same numbers give the same batches.

    Raises:
        ConfigError: Fewer than P identities, or nothing to make a batch of.

    Source: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification (2017),
        section 2; drawn by ``MPerClassSampler`` of pytorch-metric-learning.
    """
    generator = np.random.default_rng((seed, epoch))
    labelled, unlabelled = training_set.labelled, training_set.unlabelled
    others = unlabelled_per_batch if len(unlabelled) else 0
    if len(labelled):
        people = training_set.identities[labelled]
        _enough(len(np.unique(people)), identities_per_batch)
        size = identities_per_batch * images_per_identity
        places = _groups_of_people(people, size, images_per_identity, generator)
        first = labelled[places]
    elif others:
        first = np.empty((max(1, len(unlabelled) // others), 0), np.int64)
    else:
        raise ConfigError(
            f"none of the {len(training_set)} pictures has an identity, and batches have no "
            "unlabelled ones",
            hint="give `unlabelled` a number of pictures, or name sources that tell identities",
        )
    count = len(first) * others
    passes = -(-count // max(1, len(unlabelled)))
    order = [generator.permutation(unlabelled) for _ in range(passes)]
    last = np.concatenate([*order, unlabelled[:0]])[:count].reshape(len(first), others)
    return list(np.concatenate([first, last], axis=1))


def _enough(identities: int, wanted: int) -> None:
    if identities < wanted:
        raise ConfigError(
            f"expected at least the {wanted} identities of a batch, found {identities}",
            hint=f"set `identities` to {identities} or less, or name more sources",
        )


def _groups_of_people(
    people: Rows, size: int, images_per_identity: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Places in ``people``, intp (batches, size), in groups of one identity."""
    length = max(len(people), size)
    usual = common_functions.NUMPY_RANDOM
    common_functions.NUMPY_RANDOM = generator  # the only way to say what the sampler draws from
    try:
        places = list(MPerClassSampler(people, images_per_identity, size, length))
    finally:
        common_functions.NUMPY_RANDOM = usual
    return np.array(places, np.intp).reshape(-1, size)


def share_of(
    rows: Rows, identities: Rows, *, images_per_identity: int, rank: int, processes: int
) -> Rows:
    """int64 (B / processes,): what one of several processes has of a batch of :func:`pk_epoch`.

    The K pictures of an identity stay together; each place of the batch goes to one process.

    Args:
        rows: int64 (B,), the batch.
        identities: int64 (N,), of the whole training set.
        images_per_identity: K.
        rank: The process, from 0.
        processes: How many there are.

    Raises:
        ConfigError: The identities or the unlabelled pictures of a batch cannot be shared evenly.
    """
    known = int(np.count_nonzero(identities[rows] >= 0))
    groups = known // images_per_identity
    parts = (("identities", groups), ("unlabelled", len(rows) - known))
    for name, count in parts:
        if count % processes:
            raise ConfigError(
                f"{processes} processes cannot share {name} = {count} of a batch evenly",
                hint=f"set `{name}` to a multiple of {processes}",
            )
    mine = rows[:known].reshape(processes, -1)[rank], rows[known:].reshape(processes, -1)[rank]
    return np.concatenate(mine)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A batch that is being read; threads write ``images`` and ``used``."""

    number: int
    rows: Rows
    images: NDArray[np.uint8]
    used: Rows


@dataclass(eq=False)
class Batches(Iterator[Batch]):
    """The batches of an epoch, in order; threads read and change the pictures, some ahead.

    As a context manager, or once it is closed or has ended, it leaves no thread behind.

    A picture that cannot be used is replaced by the next of the same identity that can; where
    there is none, by one of the next identity, the same for its whole group. An unlabelled one is
    replaced by the next unlabelled one.

    Args:
        training_set: Where the rows are from.
        batches: Rows of all batches of the epoch, also of those before ``start``.
        augmentation: How pictures are changed.
        size_hw: H and W of the images.
        seed: At least 0.
        epoch: At least 0; seed, epoch, batch, place and row decide how a picture is changed.
        start: The first batch to give, from 0.
        bad: Path -> reason for each picture known to be of no use; what is found is added.
    """

    training_set: TrainingSet
    batches: Sequence[Rows]
    augmentation: Augmentation
    _: KW_ONLY
    size_hw: tuple[int, int]
    seed: int
    epoch: int
    start: int = 0
    bad: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._closed = Event()
        self._asked = self._replaced = 0
        self._given = self._run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __next__(self) -> Batch:
        """The next batch.

        Raises:
            InputError: More than half of the pictures so far cannot be used.
        """
        return next(self._given)

    def close(self) -> None:
        """Stops reading; no thread remains."""
        self._given.close()

    def _run(self) -> Generator[Batch, None, None]:
        numbers = iter(range(self.start, len(self.batches)))
        waiting: deque[tuple[_Work, list[Future[int]]]] = deque()
        pool = ThreadPoolExecutor(cpu_threads(), thread_name_prefix="decode")
        try:
            while True:
                while len(waiting) <= _AHEAD and (number := next(numbers, None)) is not None:
                    rows = self.batches[number]
                    images = np.empty((len(rows), *self.size_hw, 3), np.uint8)
                    work = _Work(number, rows, images, rows.copy())
                    chunks = range(0, len(rows), _CHUNK)
                    waiting.append((work, [pool.submit(self._fill, work, at) for at in chunks]))
                if not waiting:
                    return
                yield self._finished(*waiting.popleft())
        finally:
            self._closed.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _finished(self, work: _Work, chunks: list[Future[int]]) -> Batch:
        begun = perf_counter()
        self._replaced += sum(chunk.result() for chunk in chunks)
        waited_s = perf_counter() - begun
        self._asked += len(work.rows)
        if 2 * self._replaced > self._asked:
            raise InputError(
                f"{self._replaced} of the {self._asked} pictures so far cannot be used; "
                f"one of them: {next(iter(self.bad.values()))}",
                hint="`python3 run.py person dataset check` tells of each",
            )
        used, known = work.used, self.training_set
        return Batch(work.images, known.identities[used], known.cameras[used], used, waited_s)

    def _fill(self, work: _Work, start: int) -> int:
        """Reads a chunk of a batch; how many of its pictures had to be replaced."""
        replaced = 0
        for place in range(start, min(start + _CHUNK, len(work.rows))):
            wanted = int(work.rows[place])
            row, crop = self._usable(wanted)
            # Without the row, all processes would draw the same for the same places.
            key = (self.seed, self.epoch, work.number, place, wanted)
            work.images[place] = augmented(
                crop,
                size_hw=self.size_hw,
                augmentation=self.augmentation,
                generator=np.random.default_rng(key),
            )
            work.used[place] = row
            replaced += row != wanted
        return replaced

    def _usable(self, wanted: int) -> tuple[int, Image]:
        """The row, or the first to take instead of it, whose picture can be used."""
        for row in self._in_turn(wanted):
            if self._closed.is_set():
                raise CancelledError
            crop = self._read(row)
            if crop is not None:
                return row, crop
        reason = self.bad[self.training_set.paths[wanted]]
        raise InputError(f"none of the pictures can be used; one of them: {reason}")

    def _in_turn(self, wanted: int) -> Iterator[int]:
        """The row, and those to take instead of it, the best first."""
        yield wanted
        identity = int(self.training_set.identities[wanted])
        place = int(np.searchsorted(self._rows_of[identity], wanted))
        yield from _around(self._rows_of[identity], place)
        if identity < 0:
            return
        others = [other for other in self._rows_of if other not in (-1, identity)]
        for other in sorted(others, key=lambda other: other < identity):
            yield from _around(self._rows_of[other], place)

    @cached_property
    def _rows_of(self) -> dict[int, NDArray[np.intp]]:
        """Identity, ascending -> its rows, ascending."""
        order = np.argsort(self.training_set.identities, kind="stable")
        found, starts = np.unique(self.training_set.identities[order], return_index=True)
        return dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True))

    def _read(self, row: int) -> Image | None:
        """The picture of a row, or None when it is of no use."""
        path = self.training_set.paths[row]
        if path in self.bad:
            return None
        try:
            return read_crop(path)
        except InputError as error:
            self.bad[path] = str(error)
            return None


def _around(rows: NDArray[np.intp], place: int) -> Iterator[int]:
    """All rows, from a place on and then from the first."""
    for turn in range(len(rows)):
        yield int(rows[(place + turn) % len(rows)])
