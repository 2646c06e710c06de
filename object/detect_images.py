"""``object detection``: boxes in images."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import cv2

from everyid.arrays import Detections
from everyid.errors import InputError, OutputError
from everyid.media import Frame, find_sources, read_image
from everyid.models import DetectionRun, ImageResult
from everyid.output import (
    Stop,
    progress,
    refuse_existing,
    stoppable,
    warn,
    whole_file,
    writing,
)
from everyid.protocols import Image
from object.annotate import Annotator
from object.config import DetectionConfig
from object.outputs import refuse_source, unique_stems
from object.pipeline import detected_frames
from object.sample import sample_images
from object.session import Session
from object.tables import (
    IMAGE_SCHEMA,
    CsvTable,
    JsonDocument,
    ParquetTable,
    detection_objects,
    image_rows,
)

__all__ = ["run_detection"]

_NAME = "detections"


def run_detection(config: DetectionConfig, *, keep_images: bool = False) -> DetectionRun:
    """Finds boxes in images and writes what was asked for.

    Args:
        config: What the user asked for.
        keep_images: Give the boxes of every image in the result; it grows with the images.

    Raises:
        InputError: No image could be read.
        EveryIDError: The device, the model or the output is not usable.
    """
    paths = find_sources(config.sources or sample_images(), want="images")
    skipped: dict[str, str] = {}
    with (
        Session.open(config, command="detection", confidence=config.confidence) as session,
        _Files(session, config, paths) as files,
        stoppable() as stop,
        progress("images", len(paths)) as advance,
    ):
        frames = _read(paths, skipped, stop)
        results = detected_frames(frames, session.detector, batch_size=session.batch_size)
        with closing(results):
            for frame, detections in results:
                files.write(frame, detections, keep=keep_images)
                advance()
        if not files.count and not stop.requested:
            first = next(iter(skipped.values()))
            raise InputError(
                first if len(paths) == 1 else f"none of the {len(paths)} images could be read"
            )
        return files.finish(skipped, interrupted=stop.requested)


def _read(paths: Sequence[Path], skipped: dict[str, str], stop: Stop) -> Iterator[Frame]:
    for number, path in enumerate(paths, 1):
        if stop.requested:
            return
        try:
            image = read_image(path)
        except InputError as error:
            skipped[str(path)] = str(error)
            if len(paths) > 1:
                warn(f"skipped: {error}")
            continue
        yield Frame(image=image, frame_number=number, timestamp=0.0, path=path)


class _Files:
    """All that one run writes: a picture per image, and one file per table format."""

    def __init__(self, session: Session, config: DetectionConfig, paths: Sequence[Path]) -> None:
        self._session = session
        self._overwrite = config.overwrite
        self._names = {
            path: stem + (".png" if path.suffix.lower() == ".png" else ".jpg")
            for path, stem in unique_stems(paths).items()
        }
        self._pictures = "images" in config.save
        self._tables = [name for name in ("csv", "parquet", "json") if name in config.save]
        targets = [session.folder / f"{_NAME}.{name}" for name in self._tables]
        if self._pictures:
            targets += [session.folder / name for name in self._names.values()]
        read = {path.resolve() for path in paths}
        for target in targets:
            refuse_source(target, read)
            refuse_existing(target, overwrite=config.overwrite)
        self._stack = ExitStack()
        self._csv: CsvTable | None = None
        self._parquet: ParquetTable | None = None
        self._json: JsonDocument | None = None
        self._annotator: tuple[tuple[int, int], Annotator] | None = None
        self._boxes: Counter[str] = Counter()
        self._images: list[ImageResult] = []
        self.count = 0

    def __enter__(self) -> "_Files":
        with ExitStack() as stack:
            for name in self._tables:
                final = self._session.folder / f"{_NAME}.{name}"
                part = stack.enter_context(whole_file(final, overwrite=self._overwrite))
                if name == "csv":
                    self._csv = CsvTable(part, IMAGE_SCHEMA)
                    stack.callback(self._csv.close)
                elif name == "parquet":
                    self._parquet = ParquetTable(part, IMAGE_SCHEMA)
                    stack.callback(self._parquet.close)
                else:
                    self._json = JsonDocument(part)
                    stack.callback(self._json.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> bool | None:
        return self._stack.__exit__(*error)  # type: ignore[arg-type]

    def write(self, frame: Frame, found: Detections, *, keep: bool) -> None:
        path, names = frame.path or Path(), self._session.detector.class_names
        self.count += 1
        self._boxes.update(names[number] for number in found.class_ids.tolist())
        with writing(self._session.folder):
            for table in (self._csv, self._parquet):
                if table is not None:
                    table.write(image_rows(str(path), found, names))
            if self._json is not None or keep:
                height, width = frame.image.shape[:2]
                result = ImageResult(
                    source=str(path),
                    width=width,
                    height=height,
                    objects=detection_objects(found, names),
                )
                if self._json is not None:
                    self._json.write(result)
                if keep:
                    self._images.append(result)
        if self._pictures:
            size_hw = (frame.image.shape[0], frame.image.shape[1])
            if self._annotator is None or self._annotator[0] != size_hw:
                self._annotator = size_hw, Annotator(size_hw, names)
            picture = self._annotator[1].draw_detections(frame.image, found)
            _save_picture(self._session.folder / self._names[path], picture, self._overwrite)

    def finish(self, skipped: dict[str, str], *, interrupted: bool) -> DetectionRun:
        run = DetectionRun(
            output=self._session.folder,
            image_count=self.count,
            boxes=dict(self._boxes.most_common()),
            images=self._images,
            skipped=skipped,
            interrupted=interrupted,
        )
        if self._json is not None:
            with writing(self._session.folder):
                self._json.finish(run)
        return run


def _save_picture(path: Path, image: Image, overwrite: bool) -> None:
    done, encoded = cv2.imencode(path.suffix, image)
    if not done:
        raise OutputError(f"{path}: a picture of {image.shape[1]}x{image.shape[0]} is too large")
    with whole_file(path, overwrite=overwrite) as part:
        part.write_bytes(encoded.tobytes())
