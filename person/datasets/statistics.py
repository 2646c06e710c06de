"""How much a data set holds: images, people, cameras and sizes, part by part."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, FiniteFloat

from everyid.errors import InputError
from everyid.media_image import open_picture
from everyid.models import Model
from everyid.output import Stop, counted
from person.datasets.reading import read_each
from person.datasets.training_set import TrainingSet, distinct, read_splits

__all__ = [
    "DatasetStatistics",
    "Distribution",
    "SplitStatistics",
    "dataset_statistics",
    "statistics_text",
]

_ORIENTATION_TAG = 0x0112
_CAMERAS_SHOWN = 12


class Distribution(Model):
    """How often each of some whole numbers occurs."""

    minimum: int
    median: FiniteFloat
    mean: FiniteFloat
    maximum: int
    counts: dict[int, int] = Field(description="number -> how often, rising")

    @classmethod
    def of(cls, values: Iterable[int]) -> Self | None:
        """The distribution of some numbers; None of none."""
        listed = np.array(list(values), np.int64)
        if not len(listed):
            return None
        numbers, often = np.unique(listed, return_counts=True)
        return cls(
            minimum=int(numbers[0]),
            median=float(np.median(listed)),
            mean=float(listed.mean()),
            maximum=int(numbers[-1]),
            counts=dict(zip(numbers.tolist(), often.tolist(), strict=True)),
        )


class SplitStatistics(Model):
    """How much a part of the data holds."""

    images: int = Field(ge=0)
    unlabelled: int = Field(ge=0, description="of these: without identity")
    unreadable: int = Field(ge=0, description="of these: no size can be read")
    identities: int = Field(ge=0)
    cameras: int = Field(ge=0)
    images_per_identity: Distribution | None
    cameras_per_identity: Distribution | None = Field(
        description="of people whose cameras are known"
    )
    images_per_camera: dict[str, int] = Field(description="SOURCE/CAMERA -> images, most first")
    heights: Distribution | None = Field(description="pixels")
    widths: Distribution | None = Field(description="pixels")


class DatasetStatistics(Model):
    """What ``person dataset stats`` counted: the document of its ``--json``."""

    sources: dict[str, Path] = Field(description="name -> what was given")
    splits: dict[str, SplitStatistics] = Field(
        description="train, and query, gallery and all where there are such"
    )
    outputs: dict[str, Path] = Field(default_factory=dict)


def dataset_statistics(
    sources: Sequence[Path],
    *,
    id_pattern: str | None = None,
    camera_pattern: str | None = None,
    stop: Stop,
) -> DatasetStatistics:
    """The figures of the sources' training parts, queries and galleries, and of all together.

    Junk is left out; distractors count as images without identity. Of images, only the headers
    are read.

    Args:
        sources: As in :func:`person.datasets.training_set.read_training_set`.
        id_pattern: Likewise.
        camera_pattern: Likewise.
        stop: Looked at between images.

    Raises:
        InputError: There are no images, or a source cannot be read.
        ConfigError: A pattern is none, or finds nothing in any path of a source.
        KeyboardInterrupt: A stop was requested.
    """
    splits = read_splits(sources, id_pattern=id_pattern, camera_pattern=camera_pattern)
    paths = list(dict.fromkeys(path for part in splits.values() for path in part.paths))
    sizes = read_each(paths, _size, label="headers", stop=stop)
    if stop.requested:
        raise KeyboardInterrupt
    found = {str(name): _statistics([part], sizes) for name, part in splits.items()}
    if len(splits) > 1:
        found["all"] = _statistics([*splits.values()], sizes)
    names = splits["train"].source_names
    return DatasetStatistics(
        sources=dict(zip(names, distinct(sources), strict=True)),
        splits=found,
    )


def statistics_text(found: DatasetStatistics) -> str:
    """The figures part by part, and where the files are."""
    lines = []
    for name, part in found.splits.items():
        amounts = [
            counted(part.images, "image"),
            counted(part.identities, "identity", "identities"),
            counted(part.cameras, "camera"),
        ]
        amounts += [f"{part.unlabelled:,} without identity"] if part.unlabelled else []
        amounts += [f"{part.unreadable:,} unreadable"] if part.unreadable else []
        lines.append(f"{name}: {', '.join(amounts)}")
        for label, values in (
            ("images per identity", part.images_per_identity),
            ("cameras per identity", part.cameras_per_identity),
            ("height, px", part.heights),
            ("width, px", part.widths),
        ):
            if values is not None:
                lines.append(f"  {label:20}  {_line(values)}")
    cameras = [*found.splits.values()][-1].images_per_camera  # of all parts
    shown = list(cameras.items())[:_CAMERAS_SHOWN]
    lines += [f"camera {camera}: {counted(images, 'image')}" for camera, images in shown]
    if len(cameras) > len(shown):
        lines.append(f"and {counted(len(cameras) - len(shown), 'camera')} more")
    lines += [f"{name}: {path}" for name, path in found.outputs.items()]
    return "\n".join(lines)


def _line(values: Distribution) -> str:
    return (
        f"min {values.minimum:,}  median {values.median:,g}  mean {values.mean:,.1f}  "
        f"max {values.maximum:,}"
    )


def _size(path: str) -> tuple[int, int] | None:
    """Height and width of an image, upright, as its header has them; None: it has none."""
    try:
        with open_picture(Path(path)) as picture:
            # asked for EXIF data that may stand at its end, Pillow decodes a whole PNG
            exif = picture.format != "PNG" or "exif" in picture.info
            turned = exif and picture.getexif().get(_ORIENTATION_TAG, 1) >= 5
            return picture.size if turned else (picture.height, picture.width)
    except (InputError, OSError, ValueError, SyntaxError):
        return None


def _statistics(
    parts: Sequence[TrainingSet], sizes: Mapping[str, tuple[int, int] | None]
) -> SplitStatistics:
    """The figures of some parts together; a file that is in two of them counts once."""
    seen: set[str] = set()
    people: Counter[str] = Counter()
    cameras: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    unlabelled = 0
    for part in parts:
        for row, path in enumerate(part.paths):
            if path in seen:
                continue
            seen.add(path)
            identity, camera = int(part.identities[row]), int(part.cameras[row])
            if camera >= 0:
                cameras[part.camera_names[camera]] += 1
            if identity < 0:
                unlabelled += 1
                continue
            people[part.identity_names[identity]] += 1
            if camera >= 0:
                pairs.add((part.identity_names[identity], part.camera_names[camera]))
    known = [size for path in seen if (size := sizes[path]) is not None]
    return SplitStatistics(
        images=len(seen),
        unlabelled=unlabelled,
        unreadable=len(seen) - len(known),
        identities=len(people),
        cameras=len(cameras),
        images_per_identity=Distribution.of(people.values()),
        cameras_per_identity=Distribution.of(Counter(person for person, _ in pairs).values()),
        images_per_camera=dict(cameras.most_common()),
        heights=Distribution.of(height for height, _ in known),
        widths=Distribution.of(width for _, width in known),
    )
