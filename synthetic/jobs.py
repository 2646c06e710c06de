"""Work split over processes: one thread each, results as they come, a clean end on Ctrl-C."""

import multiprocessing
import multiprocessing.synchronize
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from everyid.device import cpu_threads
from everyid.errors import DependencyError
from everyid.output import Stop
from everyid.settings import single_threaded

__all__ = ["run_jobs", "stopping"]

_POLL_S = 0.2
_QUEUED_PER_WORKER = 3

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_shared: dict[str, multiprocessing.synchronize.Event] = {}
"""In a worker: what the main process sets to ask for an end."""


def run_jobs(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    *,
    workers: int | None,
    stop: Stop,
) -> Iterator[tuple[TaskT, ResultT]]:
    """Yields each task with its result, in the order they are done.

    Always in other processes, also with one worker: they compute with one thread each, so that
    their number changes no result. After a request to stop no task is begun; those that were
    begun may ask :func:`stopping` and end early.

    Args:
        function: Of a module's top level; called with one task.
        tasks: What is sent to it; small, for it is pickled.
        workers: How many processes; None takes one a core.
        stop: Looked at several times a second.

    Raises:
        DependencyError: A process died, as when memory runs out.
        EveryIDError: What ``function`` raised; begun tasks are waited for.
    """
    if not tasks:
        return
    count = min(workers or cpu_threads(), len(tasks))
    context = multiprocessing.get_context("spawn")
    ending = context.Event()
    left = list(reversed(tasks))
    running: dict[Future[ResultT], TaskT] = {}
    with (
        single_threaded(),
        ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(ending,)
        ) as pool,
    ):
        try:
            while left or running:
                while left and len(running) < count * _QUEUED_PER_WORKER and not stop.requested:
                    task = left.pop()
                    running[pool.submit(function, task)] = task
                if stop.requested:
                    ending.set()
                    left.clear()
                    for future in [future for future in running if future.cancel()]:
                        del running[future]
                done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise DependencyError(
                f"one of {count} worker processes died, perhaps for lack of memory",
                hint="run the same command again with fewer --workers",
            ) from error
        finally:
            ending.set()
            pool.shutdown(wait=True, cancel_futures=True)


def stopping() -> bool:
    """Whether the work of this process is wanted no more; False outside of :func:`run_jobs`."""
    ending = _shared.get("ending")
    return ending is not None and ending.is_set()


def _begin(ending: multiprocessing.synchronize.Event) -> None:
    """Prepares a worker: Ctrl-C is for the main process to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared["ending"] = ending
    cv2.setNumThreads(1)
