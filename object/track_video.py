"""``object tracking``: detection, tracking and movement on videos."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from everyid import registry
from everyid.arrays import Detections, Tracks
from everyid.media import Frame, SourceInfo, find_sources
from everyid.models import (
    MovementType,
    SourceSummary,
    TrackingResult,
    TrackingRun,
    TrackingSummary,
    Tracklet,
)
from everyid.output import Stop
from object.annotate import Annotator
from object.config import TrackingConfig
from object.movement import MovementEstimator, movement_types, speed
from object.outputs import OutputFiles, output_files
from object.sample import sample_clip
from object.session import FrameHandler, Session, Sinks, open_reader, run_each, run_source
from object.tables import (
    TRACKING_SCHEMA,
    frame_result,
    tracking_objects,
    tracking_rows,
)
from object.tracking import TrackerOptions
from object.tracklets import TrackletBook

__all__ = ["TrackingHandler", "run_tracking", "track_source"]


class TrackingHandler(FrameHandler):
    """Tracks the boxes of each frame and writes the tracks.

    Args:
        session: Device, detector, folder.
        sinks: Where it writes.
        info: The source.
        source: Its name in results.
        config: What the user asked for.
    """

    def __init__(
        self,
        session: Session,
        sinks: Sinks,
        info: SourceInfo,
        source: str,
        *,
        config: TrackingConfig,
    ) -> None:
        super().__init__(session, sinks, info, source)
        options = TrackerOptions()
        if config.birth is not None:
            strong = min(options.strong, config.birth)
            options = TrackerOptions(birth=config.birth, strong=strong)
        make = registry.find("tracker", config.tracker)
        self._tracker = make(frame_rate=info.frame_rate / config.every, options=options)
        self._thresholds = (config.walking_speed, config.running_speed)
        self._movement = MovementEstimator(thresholds=self._thresholds)
        self._annotator = Annotator(info.size_hw, self.class_names)
        self.book = TrackletBook(self.class_names)

    def handle(self, frame: Frame, found: Detections) -> None:
        """Tracks, counts and writes one frame."""
        tracks = self._track(frame, found)
        types = movement_types(speed(tracks.velocities), self._thresholds)
        self.boxes += len(tracks)
        self.book.add(frame, tracks, types)
        if self.sinks.crops is not None:
            self.sinks.crops.add(frame.image, tracks, frame.frame_number, frame.timestamp)
        if self.sinks.mot is not None:
            self.sinks.mot.write(frame, tracks)
        self._write(frame, tracks, types)

    def _track(self, frame: Frame, found: Detections) -> Tracks:
        image = frame.image if self._tracker.needs_image else None
        kept, ids = self._tracker.update(found, timestamp=frame.timestamp, image=image)
        velocities = self._movement.update(ids, kept.boxes_xyxy, frame.timestamp)
        return Tracks(kept.boxes_xyxy, kept.scores, kept.class_ids, ids, velocities)

    def _write(self, frame: Frame, tracks: Tracks, types: list[MovementType]) -> None:
        sinks = self.sinks
        sinks.write_rows(tracking_rows(frame, tracks, types))
        if sinks.wants_objects:
            objects = tracking_objects(tracks, types, self.class_names)
            sinks.write_result(frame_result(self.source, frame, objects))
        if sinks.video is not None:
            sinks.video.write(
                lambda: self._annotator.draw_tracks(frame.image, tracks, types, frame.timestamp),
                frame.timestamp,
            )


def run_tracking(config: TrackingConfig) -> TrackingRun:
    """Tracks what is in each source and writes what was asked for.

    The detector runs at the low ``config.confidence``: weak boxes extend tracks, and only boxes
    above the tracker's birth threshold begin one.

    Args:
        config: What the user asked for.

    Raises:
        InputError: No source could be read.
        EveryIDError: The device, the model, the tracker or the output is not usable.
    """
    registry.find("tracker", config.tracker)
    paths = find_sources(config.sources or [sample_clip()], want="video")
    results: list[TrackingResult] = []
    with Session.open(config, command="tracking", confidence=config.confidence) as session:
        outputs = output_files(session.folder, paths, config.save, overwrite=config.overwrite)

        def one(path: Path, stop: Stop) -> None:
            result = track_source(path, session, files=outputs[path], config=config, stop=stop)
            results.append(result)

        outcome = run_each(paths, one)
    return TrackingRun(
        output=session.folder,
        sources=results,
        skipped=outcome.skipped,
        interrupted=outcome.interrupted,
    )


def track_source(
    path: Path, session: Session, *, files: OutputFiles, config: TrackingConfig, stop: Stop
) -> TrackingResult:
    """Tracks what is in one source.

    Args:
        path: A video, GIF, raw stream, or folder of images.
        session: Device, detector, folder.
        files: What is written; may be nothing.
        config: What the user asked for.
        stop: Ends the run early, with its files finished.

    Raises:
        InputError: The source cannot be read.
        OutputError: A result cannot be written.
    """
    with (
        open_reader(path, config) as reader,
        files.open(),
        closing(Sinks(files, reader.info, TRACKING_SCHEMA)) as sinks,
    ):
        handler = TrackingHandler(session, sinks, reader.info, str(path), config=config)
        done = run_source(reader, handler, config=config, files=files, stop=stop)
        tracklets = handler.book.tracklets()
        summary = _summary(done, tracklets, files.final)
        result = TrackingResult(summary=summary, tracklets=tracklets)
        files.write_json(result)
    return result


def _summary(
    done: SourceSummary, tracklets: list[Tracklet], outputs: dict[str, Path]
) -> TrackingSummary:
    counts = Counter(tracklet.class_name for tracklet in tracklets)
    return TrackingSummary(
        **done.model_dump(exclude={"outputs"}),
        outputs=outputs,
        tracks=dict(counts.most_common()),
        people=counts["person"],
        longest_track=max(tracklets, key=lambda one: one.duration_s, default=None),
    )
