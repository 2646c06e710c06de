"""Many files through one function: in threads, in order, with a bar, and an end on Ctrl-C."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from everyid.device import cpu_threads
from everyid.output import Stop, progress

__all__ = ["read_each"]

_CHUNK = 16
"""Files that a thread reads in one go: so many that handing them over costs little."""

Read = TypeVar("Read")


def read_each(
    paths: Sequence[str], read: Callable[[str], Read], *, label: str, stop: Stop
) -> dict[str, Read]:
    """What a function says of each file, in order; the first ones only when a stop is requested.

    Args:
        paths: The files, each once.
        read: Called from several threads.
        label: For the progress bar.
        stop: Looked at before each handful of files.
    """
    threads = cpu_threads()
    found: dict[str, Read] = {}
    starts = iter(range(0, len(paths), _CHUNK))
    waiting: deque[tuple[Sequence[str], Future[list[Read]]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        with progress(label, len(paths)) as advance:
            while True:
                while len(waiting) <= threads and not stop.requested:
                    start = next(starts, None)
                    if start is None:
                        break
                    some = paths[start : start + _CHUNK]
                    waiting.append((some, pool.submit(lambda some: [*map(read, some)], some)))
                if not waiting:
                    return found
                some, future = waiting.popleft()
                found.update(zip(some, future.result(), strict=True))
                advance(len(some))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
