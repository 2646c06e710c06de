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
from object.scoring import ScoreBook, comparable
from object.session import FrameHandler, Session, Sinks, open_reader, run_each, run_source
from object.tables import (
    TRACKING_SCHEMA,
    frame_result,
    tracking_objects,
    tracking_rows,
)
from object.tracking import TrackerOptions
from object.tracking_metrics import SequenceCounts, evaluate_tracking
from object.tracklets import TrackletBook
from object.truth import find_truths

__all__ = ["TrackingHandler", "run_tracking", "track_source"]


class TrackingHandler(FrameHandler):
    """Tracks the boxes of each frame and writes the tracks.

    Args:
        session: Device, detector, folder.
        sinks: Where it writes.
        info: The source.
        source: Its name in results.
        config: What the user asked for.
        scores: Collects the tracks for a comparison with the truth, where that is known.
    """

    def __init__(
        self,
        session: Session,
        sinks: Sinks,
        info: SourceInfo,
        source: str,
        *,
        config: TrackingConfig,
        scores: ScoreBook | None = None,
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
        self._scores = scores
        if scores is not None:
            scores.expect(info.frame_count)
        self.book = TrackletBook(self.class_names)

    def handle(self, frame: Frame, found: Detections) -> None:
        """Tracks, counts and writes one frame."""
        tracks = self._track(frame, found)
        types = movement_types(speed(tracks.velocities), self._thresholds)
        self.boxes += len(tracks)
        self.book.add(frame, tracks, types)
        if self._scores is not None:
            self._scores.add(frame, tracks)
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
    above the tracker's birth threshold begin one. Where the truth of a source is known, its tracks
    of people are compared with it.

    Args:
        config: What the user asked for.

    Raises:
        InputError: No source could be read, or the named truth cannot.
        EveryIDError: The device, the model, the tracker or the output is not usable.
    """
    registry.find("tracker", config.tracker)
    paths = find_sources(config.sources or [sample_clip()], want="video")
    truths = find_truths(paths, config.truth)
    results: list[TrackingResult] = []
    counts: list[SequenceCounts] = []
    with Session.open(config, command="tracking", confidence=config.confidence) as session:
        outputs = output_files(session.folder, paths, config.save, overwrite=config.overwrite)
        names = session.detector.class_names
        known = comparable(truths, config.classes, names)

        def one(path: Path, stop: Stop) -> None:
            scores = ScoreBook(known[path], names) if path in known else None
            result = track_source(
                path, session, files=outputs[path], config=config, stop=stop, scores=scores
            )
            results.append(result)
            if scores is not None and scores.counts is not None:
                counts.append(scores.counts)

        outcome = run_each(paths, one)
    return TrackingRun(
        output=session.folder,
        sources=results,
        scores=evaluate_tracking(counts) if len(counts) > 1 else None,
        skipped=outcome.skipped,
        interrupted=outcome.interrupted,
    )


def track_source(
    path: Path,
    session: Session,
    *,
    files: OutputFiles,
    config: TrackingConfig,
    stop: Stop,
    scores: ScoreBook | None = None,
) -> TrackingResult:
    """Tracks what is in one source.

    Args:
        path: A video, GIF, raw stream, or folder of images.
        session: Device, detector, folder.
        files: What is written; may be nothing.
        config: What the user asked for.
        stop: Ends the run early, with its files finished.
        scores: Compares the tracks with the source's truth, where that is known.

    Raises:
        InputError: The source cannot be read.
        OutputError: A result cannot be written.
    """
    with (
        open_reader(path, config) as reader,
        files.open(),
        closing(Sinks(files, reader.info, TRACKING_SCHEMA)) as sinks,
    ):
        handler = TrackingHandler(
            session, sinks, reader.info, str(path), config=config, scores=scores
        )
        done = run_source(reader, handler, config=config, files=files, stop=stop)
        tracklets = handler.book.tracklets()
        summary = _summary(done, tracklets, files.final, scores)
        result = TrackingResult(summary=summary, tracklets=tracklets)
        files.write_json(result)
    return result


def _summary(
    done: SourceSummary,
    tracklets: list[Tracklet],
    outputs: dict[str, Path],
    scores: ScoreBook | None,
) -> TrackingSummary:
    counts = Counter(tracklet.class_name for tracklet in tracklets)
    compared = scores.finish() if scores is not None else None
    return TrackingSummary(
        **done.model_dump(exclude={"outputs", "warnings"}),
        outputs=outputs,
        warnings=done.warnings + (scores.warnings if scores is not None else []),
        tracks=dict(counts.most_common()),
        people=counts["person"],
        longest_track=max(tracklets, key=lambda one: one.duration_s, default=None),
        scores=evaluate_tracking([compared]) if compared is not None else None,
    )
