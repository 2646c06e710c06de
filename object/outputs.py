"""The files one source's run writes: under part names while it runs, whole when it ends."""

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from everyid.media import VideoWriter
from everyid.output import part_of, refuse_existing, writing
from everyid.protocols import Image

__all__ = ["SUFFIXES", "AnnotatedVideo", "OutputFiles", "unique_stems"]

SUFFIXES = {
    "video": ".mp4",
    "csv": ".csv",
    "json": ".json",
    "jsonl": ".jsonl",
    "mot": ".mot.txt",
    "parquet": ".parquet",
}
"""Format -> what follows the source's name; ``crops`` is the folder ``crops/STEM``."""


def unique_stems(sources: Sequence[Path]) -> dict[Path, str]:
    """A name for the outputs of each source: its stem; where two share one, their whole names.

    >>> list(unique_stems([Path("a/x.mp4"), Path("b/y.mp4"), Path("c/y.avi")]).values())
    ['x', 'y.mp4', 'y.avi']
    """
    stems = [path.stem if path.suffix else path.name for path in sources]
    names: dict[Path, str] = {}
    for path, stem in zip(sources, stems, strict=True):
        name = stem if stems.count(stem) == 1 else path.name
        number = 1
        while name in names.values():
            number += 1
            name = f"{path.name}-{number}"
        names[path] = name
    return names


class OutputFiles:
    """The files of one source.

    Args:
        folder: Where they go; must exist.
        stem: What they are named after.
        formats: Keys of ``SUFFIXES``, or "crops".
        overwrite: Replace what is there.

    Raises:
        OutputExistsError: One is there already and ``overwrite`` is False.
    """

    def __init__(self, folder: Path, stem: str, formats: Sequence[str], *, overwrite: bool) -> None:
        self.folder = folder
        self.stem = stem
        self.final = {
            name: folder / "crops" / stem if name == "crops" else folder / (stem + SUFFIXES[name])
            for name in formats
        }
        for path in self.final.values():
            refuse_existing(path, overwrite=overwrite)

    def part(self, name: str) -> Path:
        """The name under which a format is written until it is whole."""
        return part_of(self.final[name])

    def __contains__(self, name: str) -> bool:
        return name in self.final

    @contextmanager
    def open(self) -> Iterator[None]:
        """Renames all parts when the block ends; removes them when it raises.

        A KeyboardInterrupt is to be handled inside the block: what was written by then is whole.
        """
        self._remove_parts()
        try:
            yield
            for name, path in self.final.items():
                part = self.part(name)
                with writing(path):
                    if not part.exists():
                        continue
                    if path.is_dir():
                        shutil.rmtree(path)
                    part.replace(path)
        finally:
            self._remove_parts()

    def _remove_parts(self) -> None:
        for name in self.final:
            part = self.part(name)
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)


class AnnotatedVideo:
    """Draws on frames and encodes them in threads of their own, in order.

    Args:
        path: The MP4.
        size_hw: (H, W) of the frames.
        frame_rate: Frames per second, as far as known.
    """

    def __init__(self, path: Path, *, size_hw: tuple[int, int], frame_rate: float) -> None:
        self._writer = VideoWriter(path, size_hw=size_hw, frame_rate=frame_rate)
        self._queue: queue.Queue[tuple[Callable[[], Image], float] | None] = queue.Queue(8)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="annotate", daemon=True)
        self._thread.start()

    def write(self, draw: Callable[[], Image], timestamp: float) -> None:
        """Adds a frame.

        Args:
            draw: Gives the drawn frame, uint8 (H, W, 3), BGR; called in another thread, in order.
            timestamp: Seconds.

        Raises:
            OutputError: Encoding an earlier frame failed.
        """
        self._raise()
        self._queue.put((draw, timestamp))

    def close(self) -> None:
        """Draws and encodes what waits, and finishes the file.

        Raises:
            OutputError: Encoding failed.
        """
        self._queue.put(None)
        self._thread.join()
        self._writer.close()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._error is not None:
                continue  # keep emptying the queue, so that nobody waits for room in it
            draw, timestamp = item
            try:
                self._writer.write(draw(), timestamp)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._error = error
