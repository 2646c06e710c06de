"""The files one source's run writes: under part names while it runs, whole when it ends."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from everyid.errors import OutputError
from everyid.media import VideoWriter
from everyid.media_write import Channel
from everyid.output import part_of, refuse_existing, writing
from everyid.protocols import Image

__all__ = [
    "SUFFIXES",
    "AnnotatedVideo",
    "OutputFiles",
    "output_files",
    "refuse_source",
    "unique_stems",
]

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
    named = [path if path.name not in ("", "..") else path.resolve() for path in sources]
    counts = Counter(path.stem for path in named)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    repeats: Counter[str] = Counter()
    for source, path in zip(sources, named, strict=True):
        name = path.stem if counts[path.stem] == 1 else path.name
        while name in taken:
            repeats[path.name] += 1
            name = f"{path.name}-{repeats[path.name] + 1}"
        taken.add(name)
        names[source] = name
    return names


def refuse_source(path: Path, sources: Collection[Path]) -> None:
    """Checks that a result would not replace what results are made from.

    Args:
        path: Where the result is to go.
        sources: Resolved paths.

    Raises:
        OutputError: It would.
    """
    if path.resolve() in sources:
        raise OutputError(
            f"{path}: the result would replace its own source",
            hint="name another folder with --output",
        )


def output_files(
    folder: Path, sources: Sequence[Path], formats: Sequence[str], *, overwrite: bool
) -> dict[Path, "OutputFiles"]:
    """The files of each source, none of which exists already or is a source itself.

    Args:
        folder: Where they go; must exist.
        sources: What they are made from.
        formats: Keys of ``SUFFIXES``, or "crops".
        overwrite: Replace what is there, but never a source.

    Raises:
        OutputError: One may not be written.
    """
    read = {path.resolve() for path in sources}
    found: dict[Path, OutputFiles] = {}
    for path, stem in unique_stems(sources).items():
        found[path] = OutputFiles(folder, stem, formats, overwrite=overwrite, sources=read)
    return found


class OutputFiles:
    """The files of one source.

    Args:
        folder: Where they go; must exist.
        stem: What they are named after.
        formats: Keys of ``SUFFIXES``, or "crops".
        overwrite: Replace what is there.
        sources: Resolved paths that are never replaced.

    Raises:
        OutputExistsError: One is there already and ``overwrite`` is False.
        OutputError: One is a source.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        formats: Sequence[str],
        *,
        overwrite: bool,
        sources: Collection[Path] = (),
    ) -> None:
        self.folder = folder
        self.stem = stem
        self.final = {
            name: folder / "crops" / stem if name == "crops" else folder / (stem + SUFFIXES[name])
            for name in formats
        }
        for path in self.final.values():
            refuse_source(path, sources)
            refuse_existing(path, overwrite=overwrite)

    def part(self, name: str) -> Path:
        """The name under which a format is written until it is whole."""
        return part_of(self.final[name])

    def write_json(self, document: BaseModel) -> None:
        """Writes the document as the part of "json", when that was asked for.

        Raises:
            OutputError: The file system refuses.
        """
        if "json" in self:
            with writing(self.final["json"]):
                self.part("json").write_text(document.model_dump_json(indent=2) + "\n")

    def __contains__(self, name: str) -> bool:
        return name in self.final

    @contextmanager
    def open(self) -> Iterator[None]:
        """Renames all parts when the block ends; removes them when it raises.

        A KeyboardInterrupt is to be handled inside the block: what was written by then is whole.
        """
        with writing(self.folder):
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
        if "crops" in self.final:
            with suppress(OSError):  # holds crops of other sources, or was never made
                self.final["crops"].parent.rmdir()


class AnnotatedVideo:
    """Draws on frames and encodes them in threads of their own, in order.

    Args:
        path: The MP4.
        size_hw: (H, W) of the frames.
        frame_rate: Frames per second, as far as known.
    """

    def __init__(self, path: Path, *, size_hw: tuple[int, int], frame_rate: float) -> None:
        self._writer = VideoWriter(path, size_hw=size_hw, frame_rate=frame_rate)
        self._channel: Channel[tuple[Callable[[], Image], float]] = Channel()
        self._told = False
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
        try:
            self._channel.put((draw, timestamp))
        except BaseException as error:
            self._told = error is self._channel.error
            raise

    def close(self) -> None:
        """Draws and encodes what waits, and finishes the file.

        Raises:
            OutputError: Encoding failed, unless ``write`` said so already.
        """
        self._channel.end()
        self._thread.join()
        error = None if self._told else self._channel.error
        if error is not None:
            raise error

    def _run(self) -> None:
        with self._channel, self._writer:
            while (item := self._channel.get()) is not None:
                draw, timestamp = item
                self._writer.write(draw(), timestamp)
