"""Who is where in each frame, written: MOTChallenge ground truth and a table of identities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everyid.errors import InputError
from everyid.output import whole_file
from synthetic.story import Story
from synthetic.walks import ACTIVITIES

__all__ = [
    "IDENTITY_SCHEMA",
    "LEAST_VISIBILITY",
    "Boxes",
    "Rows",
    "View",
    "clip_box",
    "identity_rows",
    "read_truth",
    "sequence_text",
    "truth_text",
    "write_identities",
]

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST_VISIBILITY = 0.1
"""Of whom less can be seen there is no box."""
_TRACK_GAP_S = 2.0
"""Who was not seen for longer begins a new track."""

IDENTITY_SCHEMA = pa.schema(
    [
        ("camera", pa.string()),
        ("day", pa.int32()),
        ("frame", pa.int64()),
        ("timestamp", pa.float64()),
        ("identity", pa.int64()),
        ("track", pa.int64()),
        *((name, pa.float32()) for name in ("x1", "y1", "x2", "y2", "visibility")),
        *((name, pa.float32()) for name in ("ground_x_m", "ground_y_m")),
        ("heading_deg", pa.float32()),
        ("speed_m_s", pa.float32()),
        ("activity", pa.string()),
        ("partner", pa.int64()),
    ]
)
"""The columns of ``identities.parquet``, one row a box.

``camera`` is its name and ``day`` counts from 1; ``frame`` counts from 1 and ``timestamp`` is in
seconds, the first frame at 0; ``identity`` is the same in all cameras and on all days, from 1;
``track`` is one passage through a camera's view, from 1 in each video; boxes are in pixels, x right
and y down, as in the ground truth; the ground point is in metres of the site, the heading 0-360
degrees, 0 along x, 90 along y; ``partner`` is the identity one talks to, or null.
"""


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of one video, by frame, then by identity.

    Args:
        frames: int64 (N,), from 1.
        identities: int64 (N,), from 1.
        boxes_xyxy: float64 (N, 4), pixels: all of a person, hidden or not, clipped to the picture.
        visibility: float64 (N,), 0-1, the share of the person that can be seen: not hidden by
            others or things, and within the picture.
    """

    frames: Integers
    identities: Integers
    boxes_xyxy: Doubles
    visibility: Doubles

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class View:
    """One video: a camera on a day.

    Args:
        camera: Its name.
        day: From 1.
        frames: How many.
        frame_rate: Frames a second.
    """

    camera: str
    day: int
    frames: int
    frame_rate: float


@dataclass(frozen=True, slots=True)
class Rows:
    """The boxes of one video with all that is known of each.

    Args:
        view: The video.
        boxes: Who is where in the picture.
        tracks: int64 (N,), from 1, in the order they begin.
        ground_xy: float64 (N, 2), metres.
        heading_deg: float64 (N,), 0-360.
        speed: float64 (N,), metres a second.
        activity: int64 (N,), places in ``ACTIVITIES``.
        partner: int64 (N,), identities, 0 for nobody.
    """

    view: View
    boxes: Boxes
    tracks: Integers
    ground_xy: Doubles
    heading_deg: Doubles
    speed: Doubles
    activity: Integers
    partner: Integers

    @property
    def timestamps(self) -> Doubles:
        """float64 (N,), seconds."""
        return (self.boxes.frames - 1) / self.view.frame_rate


def clip_box(
    box_xyxy: tuple[float, float, float, float], size_wh: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """The part of a box that is in the picture, or None when there is none.

    >>> clip_box((-10.0, 5.0, 20.0, 90.0), (64, 48))
    (0.0, 5.0, 20.0, 48.0)

    Args:
        box_xyxy: Pixels.
        size_wh: Width and height of the picture.
    """
    left, top = max(0.0, box_xyxy[0]), max(0.0, box_xyxy[1])
    right, bottom = min(float(size_wh[0]), box_xyxy[2]), min(float(size_wh[1]), box_xyxy[3])
    return (left, top, right, bottom) if right > left and bottom > top else None


def truth_text(boxes: Boxes) -> str:
    """MOTChallenge ground truth: frame, id, left, top, width, height, 1, 1, visibility.

    Frames and ids count from 1; pixels count from 0, as the boxes do everywhere here. The two ones
    say that the row counts, and that it is a pedestrian.

    Source: Milan et al., MOT16: A benchmark for multi-object tracking, 2016, section 3.3.
    """
    rows = zip(
        boxes.frames.tolist(),
        boxes.identities.tolist(),
        boxes.boxes_xyxy.tolist(),
        boxes.visibility.tolist(),
        strict=True,
    )
    return "".join(
        f"{frame},{identity},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},1,1,{seen:.4f}\n"
        for frame, identity, (x1, y1, x2, y2), seen in rows
    )


def read_truth(path: Path) -> Boxes:
    """The boxes of a file that :func:`truth_text` is in.

    Raises:
        InputError: The file is missing or holds something else.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        values = np.array([[float(value) for value in line.split(",")] for line in lines])
        values = values.reshape(len(lines), 9)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected rows of nine numbers: {error}") from error
    return Boxes(
        values[:, 0].astype(np.int64),
        values[:, 1].astype(np.int64),
        np.concatenate([values[:, 2:4], values[:, 2:4] + values[:, 4:6]], 1),
        values[:, 8].copy(),
    )


def sequence_text(view: View, size_wh: tuple[int, int]) -> str:
    """What ``seqinfo.ini`` says of a video, as evaluation tools of MOTChallenge read it.

    Args:
        view: The video.
        size_wh: Width and height of the picture.
    """
    return (
        f"[Sequence]\nname={view.camera}\nimDir=img1\nframeRate={view.frame_rate:g}\n"
        f"seqLength={view.frames}\nimWidth={size_wh[0]}\nimHeight={size_wh[1]}\nimExt=.jpg\n"
    )


def identity_rows(view: View, boxes: Boxes, story: Story) -> Rows:
    """What the story says of each box of a video.

    Args:
        view: The video.
        boxes: Its boxes.
        story: Of its day; person 0 is identity 1.
    """
    times = (boxes.frames - 1) / view.frame_rate
    found = story.sample(boxes.identities - 1, times)
    return Rows(
        view=view,
        boxes=boxes,
        tracks=_tracks(boxes, gap=_TRACK_GAP_S * view.frame_rate),
        ground_xy=found.xy,
        heading_deg=found.heading_deg % 360,
        speed=found.speed,
        activity=found.activity.astype(np.int64),
        partner=found.partner.astype(np.int64) + 1,
    )


def _tracks(boxes: Boxes, *, gap: float) -> Integers:
    """The number of each box's track: a person's boxes without a gap of more frames."""
    order = np.lexsort((boxes.frames, boxes.identities))
    frames, identities = boxes.frames[order], boxes.identities[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (identities[1:] != identities[:-1]) | (frames[1:] - frames[:-1] > gap)
    number = np.cumsum(begins) - 1
    first = np.lexsort((identities[begins], frames[begins]))
    rank = np.empty(len(first), np.int64)
    rank[first] = np.arange(1, len(first) + 1)
    tracks = np.empty(len(order), np.int64)
    tracks[order] = rank[number]
    return tracks


def write_identities(path: Path, videos: Sequence[Rows], *, overwrite: bool = False) -> None:
    """Writes ``identities.parquet``.

    Args:
        path: The file.
        videos: In the order of the file.
        overwrite: Replace what is there.

    Raises:
        OutputError: It is there already or cannot be written.
    """
    with (
        whole_file(path, overwrite=overwrite) as part,
        pq.ParquetWriter(part, IDENTITY_SCHEMA, compression="zstd") as file,
    ):
        for rows in videos:
            file.write_table(_table(rows))


def _table(rows: Rows) -> pa.Table:
    count = len(rows.boxes)
    boxes = rows.boxes.boxes_xyxy
    heading = rows.heading_deg.astype(np.float32) % np.float32(360)  # rounds up to 360 otherwise
    columns = {
        "camera": [rows.view.camera] * count,
        "day": [rows.view.day] * count,
        "frame": rows.boxes.frames,
        "timestamp": rows.timestamps,
        "identity": rows.boxes.identities,
        "track": rows.tracks,
        **{name: boxes[:, side] for side, name in enumerate(("x1", "y1", "x2", "y2"))},
        "visibility": rows.boxes.visibility,
        "ground_x_m": rows.ground_xy[:, 0],
        "ground_y_m": rows.ground_xy[:, 1],
        "heading_deg": heading,
        "speed_m_s": rows.speed,
        "activity": [ACTIVITIES[kind] for kind in rows.activity.tolist()],
        "partner": [partner or None for partner in rows.partner.tolist()],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in IDENTITY_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=IDENTITY_SCHEMA)
