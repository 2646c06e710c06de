"""What every command sets up first: device, detector, sources, folder; and how a source is run."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from everyid.arrays import Detections
from everyid.device import Device, choose
from everyid.errors import EveryIDError, InputError
from everyid.media import Frame, Reader, SourceInfo, open_source
from everyid.models import FrameResult, SourceSummary
from everyid.output import Stop, notice, progress, result_folder, stoppable, warn, writing
from everyid.protocols import Detector
from object.config import RunConfig, VideoConfig
from object.crops import CropKeeper
from object.detectors import DetectorOptions, open_detector
from object.outputs import AnnotatedVideo, OutputFiles
from object.pipeline import default_batch_size, detected_frames
from object.tables import CsvTable, JsonLines, MotText, ParquetTable, Rows

__all__ = ["FrameHandler", "Outcome", "Session", "Sinks", "run_each", "run_source"]


@dataclass(frozen=True, slots=True)
class Session:
    """A command's device, detector and output folder.

    Args:
        device: Where the detector runs.
        detector: Ready to use.
        folder: Where results go; exists.
        batch_size: Frames in one call of the detector.
    """

    device: Device
    detector: Detector
    folder: Path
    batch_size: int

    @classmethod
    @contextmanager
    def open(cls, config: RunConfig, *, command: str, confidence: float) -> Iterator["Session"]:
        """Yields a session with its detector open and its folder made.

        Args:
            config: What the user asked for.
            command: Names the default folder.
            confidence: Lowest score the detector keeps, 0-1.

        Raises:
            EveryIDError: The device, the model or the folder is not usable.
        """
        device = choose(config.device)
        options = DetectorOptions(
            confidence=confidence,
            iou=config.iou,
            image_size=config.image_size,
            classes=config.classes,
            trust_weights=config.trust_weights,
        )
        with result_folder(config.output, "object", command) as folder:
            detector = open_detector(config.model, device=device, options=options)
            notice(f"{config.model} on {device}")
            yield cls(
                device=device,
                detector=detector,
                folder=folder,
                batch_size=config.batch_size or default_batch_size(device),
            )


class Sinks:
    """The files of one source, whichever formats were asked for; None for those that were not.

    Args:
        files: Names of the outputs and the formats wanted.
        info: The source.
        schema: Columns of CSV and Parquet.
    """

    def __init__(self, files: OutputFiles, info: SourceInfo, schema: pa.Schema) -> None:
        self.mot: MotText | None = None
        self.crops: CropKeeper | None = None
        self.video: AnnotatedVideo | None = None
        self._lines: JsonLines | None = None
        self._tables: list[CsvTable | ParquetTable] = []
        self._folder = files.folder
        with writing(files.folder), ExitStack() as stack:
            for name, kind in (("csv", CsvTable), ("parquet", ParquetTable)):
                if name in files:
                    self._tables.append(kind(files.part(name), schema))
                    stack.callback(self._tables[-1].close)
            if "jsonl" in files:
                self._lines = JsonLines(files.part("jsonl"))
                stack.callback(self._lines.close)
            if "mot" in files:
                self.mot = MotText(files.part("mot"))
                stack.callback(self.mot.close)
            if "crops" in files:
                crops = files.part("crops")
                crops.mkdir(parents=True)
                self.crops = CropKeeper(crops.parent, stem=crops.name)
                stack.callback(self.crops.close)
            if "video" in files:
                self.video = AnnotatedVideo(
                    files.part("video"), size_hw=info.size_hw, frame_rate=info.frame_rate
                )
                stack.callback(self.video.close)
            self._stack = stack.pop_all()

    @property
    def wants_objects(self) -> bool:
        """Whether ``write_result`` has anywhere to go."""
        return self._lines is not None

    def write_rows(self, rows: Rows) -> None:
        """Adds rows to CSV and Parquet."""
        for table in self._tables:
            table.write(rows)

    def write_result(self, result: FrameResult) -> None:
        """Adds a frame to the JSON lines."""
        if self._lines is not None:
            self._lines.write(result)

    def close(self) -> None:
        """Finishes all files, even when one of them fails; a second call does nothing.

        Raises:
            OutputError: One cannot be written to its end.
        """
        with writing(self._folder):
            self._stack.close()


class FrameHandler(ABC):
    """What a command does with each frame; a subclass a command.

    Args:
        session: Device, detector, folder.
        sinks: Where it writes.
        info: The source.
        source: Its name in results.
    """

    def __init__(self, session: Session, sinks: Sinks, info: SourceInfo, source: str) -> None:
        self.session = session
        self.sinks = sinks
        self.info = info
        self.source = source
        self.boxes = 0

    @property
    def class_names(self) -> Mapping[int, str]:
        """Class number -> name."""
        return self.session.detector.class_names

    @abstractmethod
    def handle(self, frame: Frame, found: Detections) -> None:
        """Takes one frame and its boxes, in order."""


@dataclass(slots=True)
class _Progress:
    frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    interrupted: bool = False


def run_source(
    reader: Reader,
    handler: FrameHandler,
    *,
    config: VideoConfig,
    files: OutputFiles,
    stop: Stop,
) -> SourceSummary:
    """Takes a source's frames through detector and handler until it ends or is to stop.

    Args:
        reader: Open.
        handler: Takes the frames.
        config: What the user asked for.
        files: Names the progress bar.
        stop: Looked at after each frame.

    Returns:
        What was done so far; ``outputs`` is filled by the caller once the files are whole.
    """
    session, info, state = handler.session, handler.info, _Progress()
    total = _expected_frames(info, config)
    results = detected_frames(reader, session.detector, batch_size=session.batch_size)
    try:
        with progress(files.stem, total) as advance, writing(session.folder):
            for frame, found in results:
                handler.handle(frame, found)
                if state.frames == 0:
                    state.first_s = frame.timestamp
                state.frames += 1
                state.last_s = frame.timestamp
                advance()
                if stop.requested:
                    break
            state.interrupted = stop.requested
    finally:
        results.close()
        handler.sinks.close()
    span = state.last_s - state.first_s + config.every / info.frame_rate if state.frames else 0.0
    return SourceSummary(
        source=handler.source,
        frames=state.frames,
        duration_s=round(span, 6),
        elapsed_s=time.perf_counter() - state.started,
        boxes=handler.boxes,
        warnings=list(reader.warnings),
        interrupted=state.interrupted,
    )


def _expected_frames(info: SourceInfo, config: VideoConfig) -> int | None:
    if info.frame_count is None:
        return config.max_frames
    end = info.frame_count
    if config.end_s is not None:
        end = min(end, round(config.end_s * info.frame_rate))
    count = max(0, -(-(end - round(config.start_s * info.frame_rate)) // config.every))
    return count if config.max_frames is None else min(count, config.max_frames)


def open_reader(source: Path, config: VideoConfig) -> Reader:
    """A source's reader with the command's choice of frames.

    Raises:
        InputError: It cannot be read.
    """
    return open_source(
        source,
        frame_rate=config.frame_rate,
        start_s=config.start_s,
        end_s=config.end_s,
        every=config.every,
        max_frames=config.max_frames,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run over several sources ended.

    Args:
        skipped: Source -> why it could not be used.
        interrupted: Whether Ctrl-C ended it.
    """

    skipped: dict[str, str]
    interrupted: bool


def run_each(sources: Sequence[Path], run: Callable[[Path, Stop], None]) -> Outcome:
    """Runs every source until all are done or Ctrl-C comes; unusable ones are skipped.

    Args:
        sources: One or more.
        run: Does one; ends early, its files finished, when a stop is requested.

    Raises:
        InputError: The only source is unusable, or all are.
    """
    skipped: dict[str, str] = {}
    last: EveryIDError | None = None
    with stoppable() as stop:
        for source in sources:
            if stop.requested:
                break
            try:
                run(source, stop)
            except InputError as error:
                if len(sources) == 1:
                    raise
                warn(f"skipped: {error}")
                skipped[str(source)], last = str(error), error
    if len(skipped) == len(sources):
        raise InputError(f"none of the {len(sources)} sources could be used") from last
    return Outcome(skipped, stop.requested)
