"""``object video``: boxes in every frame of videos."""

from contextlib import closing
from pathlib import Path

from everyid.arrays import Detections
from everyid.media import Frame, SourceInfo, find_sources
from everyid.models import SourceSummary, VideoRun
from everyid.output import Stop
from object.annotate import Annotator
from object.config import VideoConfig
from object.outputs import OutputFiles, output_files
from object.sample import sample_clip
from object.session import FrameHandler, Session, Sinks, open_reader, run_each, run_source
from object.tables import DETECTION_SCHEMA, detection_objects, detection_rows, frame_result

__all__ = ["run_video"]


class _DetectionHandler(FrameHandler):
    """Writes the boxes of each frame."""

    def __init__(self, session: Session, sinks: Sinks, info: SourceInfo, source: str) -> None:
        super().__init__(session, sinks, info, source)
        self._annotator = Annotator(info.size_hw, self.class_names)

    def handle(self, frame: Frame, found: Detections) -> None:
        """Counts and writes one frame."""
        self.boxes += len(found)
        sinks = self.sinks
        sinks.write_rows(detection_rows(frame, found, self.class_names))
        if sinks.wants_objects:
            objects = detection_objects(found, self.class_names)
            sinks.write_result(frame_result(self.source, frame, objects))
        if sinks.video is not None:
            sinks.video.write(
                lambda: self._annotator.draw_detections(frame.image, found), frame.timestamp
            )


def run_video(config: VideoConfig) -> VideoRun:
    """Finds boxes in every frame of each source and writes what was asked for.

    Args:
        config: What the user asked for.

    Raises:
        InputError: No source could be read.
        EveryIDError: The device, the model or the output is not usable.
    """
    paths = find_sources(config.sources or [sample_clip()], want="video")
    summaries: list[SourceSummary] = []
    with Session.open(config, command="video", confidence=config.confidence) as session:
        outputs = output_files(session.folder, paths, config.save, overwrite=config.overwrite)

        def one(path: Path, stop: Stop) -> None:
            summaries.append(_detect_in(path, session, outputs[path], config, stop))

        outcome = run_each(paths, one)
    return VideoRun(
        output=session.folder,
        sources=summaries,
        skipped=outcome.skipped,
        interrupted=outcome.interrupted,
    )


def _detect_in(
    path: Path, session: Session, files: OutputFiles, config: VideoConfig, stop: Stop
) -> SourceSummary:
    with (
        open_reader(path, config) as reader,
        files.open(),
        closing(Sinks(files, reader.info, DETECTION_SCHEMA)) as sinks,
    ):
        handler = _DetectionHandler(session, sinks, reader.info, str(path))
        done = run_source(reader, handler, config=config, files=files, stop=stop)
        summary = done.model_copy(update={"outputs": files.final})
        files.write_json(summary)
    return summary
