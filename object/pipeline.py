"""Frames through a detector, several batches at once, results in order."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from everyid.arrays import Detections
from everyid.device import Device
from everyid.media import Frame
from everyid.protocols import Detector

__all__ = ["default_batch_size", "detected_frames"]


def default_batch_size(device: Device) -> int:
    """Frames in one call of the detector: a GPU wants many, a CPU one per thread."""
    return 1 if device.kind == "cpu" else 16


def detected_frames(
    frames: Iterable[Frame], detector: Detector, *, batch_size: int
) -> Generator[tuple[Frame, Detections], None, None]:
    """Each frame with its boxes, in order, while the next ones are being looked at.

    At most ``detector.parallel_calls + 1`` batches are in memory.

    Args:
        frames: Read as they are needed.
        detector: Its ``detect`` is called from several threads.
        batch_size: Frames in one call.
    """
    source = iter(frames)
    waiting: deque[tuple[list[Frame], Future[list[Detections]]]] = deque()
    pool = ThreadPoolExecutor(detector.parallel_calls, thread_name_prefix="detect")
    try:
        while True:
            while len(waiting) <= detector.parallel_calls:
                batch = list(islice(source, batch_size))
                if not batch:
                    break
                images = [frame.image for frame in batch]
                waiting.append((batch, pool.submit(detector.detect, images)))
            if not waiting:
                return
            batch, future = waiting.popleft()
            yield from zip(batch, future.result(), strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
