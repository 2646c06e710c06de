"""Crops on disk through an encoder: decoding in threads, ahead of the network, results in order."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from everyid.device import cpu_threads
from everyid.errors import InputError
from everyid.output import Advance, Stop
from everyid.protocols import Image
from person.crops import Crops, read_crop
from person.embeddings import Embeddings

__all__ = ["CropEncoder", "embed_crops"]

_CHUNK = 8
"""Crops that a thread decodes in one go: so many that handing them over costs little."""


class CropEncoder(Protocol):
    """What is asked of an encoder; :class:`person.encoder.NetworkEncoder` fulfils it."""

    @property
    def name(self) -> str:
        """What its network is called."""
        ...

    @property
    def sha256(self) -> str:
        """Of the file with its weights."""
        ...

    @property
    def width(self) -> int:
        """D, the width of an embedding."""
        ...

    @property
    def batch_size(self) -> int:
        """Crops in one call of the network."""
        ...

    @property
    def parallel_calls(self) -> int:
        """How many concurrent calls of ``encode_prepared`` keep the device busy, at least 1."""
        ...

    def prepare(self, crop: Image) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), BGR, 0-255: the crop in the size of the network's input."""
        ...

    def encode_prepared(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order."""
        ...


def embed_crops(
    crops: Crops, encoder: CropEncoder, *, skipped: dict[str, str], stop: Stop, advance: Advance
) -> Embeddings:
    """The embeddings of the crops that can be read, in their order.

    A few batches are in memory at a time. When a stop is requested, what is done by then is given,
    which may be nothing.

    Args:
        crops: At least one.
        encoder: Its ``prepare`` and ``encode_prepared`` are called from several threads.
        skipped: Takes path -> reason for each picture that cannot be read or shows nobody; these
            have no row in the result.
        stop: Looked at before each batch.
        advance: Called with the number of crops that became done or were skipped.

    Raises:
        InputError: None of the pictures can be used.
    """
    if not len(crops):
        raise InputError("expected crops to embed, got none")
    vectors = np.empty((len(crops), encoder.width), np.float32)
    rows: list[int] = []
    waiting: deque[tuple[list[int], Future[NDArray[np.float32]]]] = deque()
    pictures = _pictures(crops.paths, encoder, stop)
    usable = _usable(pictures, crops.paths, skipped, advance)
    pool = ThreadPoolExecutor(encoder.parallel_calls, thread_name_prefix="encode")
    try:
        while True:
            while len(waiting) <= encoder.parallel_calls and not stop.requested:
                batch = list(islice(usable, encoder.batch_size))
                if not batch:
                    break
                images = np.stack([picture for _, picture in batch])
                numbers = [row for row, _ in batch]
                waiting.append((numbers, pool.submit(encoder.encode_prepared, images)))
            if not waiting:
                break
            numbers, future = waiting.popleft()
            vectors[len(rows) : len(rows) + len(numbers)] = future.result()
            rows += numbers
            advance(len(numbers))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        pictures.close()
    if not rows and not stop.requested:
        first = skipped[crops.paths[0]]
        few = f"none of the {len(crops)} pictures can be used; the first: {first}"
        raise InputError(first if len(crops) == 1 else few)
    done = crops.select(np.array(rows, np.intp))
    return Embeddings(done, vectors[: len(rows)], encoder.name, encoder.sha256)


def _pictures(
    paths: Sequence[str], encoder: CropEncoder, stop: Stop
) -> Generator[NDArray[np.uint8] | str, None, None]:
    """Each picture as the network takes it, or why it cannot be used; in order."""
    threads = cpu_threads()
    ahead = threads + 2 * encoder.batch_size // _CHUNK
    starts = iter(range(0, len(paths), _CHUNK))
    waiting: deque[Future[list[NDArray[np.uint8] | str]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            while len(waiting) < ahead and not stop.requested:
                start = next(starts, None)
                if start is None:
                    break
                waiting.append(pool.submit(_prepare, paths[start : start + _CHUNK], encoder))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(paths: Sequence[str], encoder: CropEncoder) -> list[NDArray[np.uint8] | str]:
    results: list[NDArray[np.uint8] | str] = []
    for path in paths:
        try:
            crop = read_crop(path)
        except InputError as error:
            results.append(str(error))
        else:
            results.append(encoder.prepare(crop))
    return results


def _usable(
    pictures: Iterator[NDArray[np.uint8] | str],
    paths: Sequence[str],
    skipped: dict[str, str],
    advance: Advance,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures that can be used, with their rows; the others go to ``skipped``."""
    for row, picture in enumerate(pictures):
        if isinstance(picture, str):
            skipped[paths[row]] = picture
            advance()
        else:
            yield row, picture
