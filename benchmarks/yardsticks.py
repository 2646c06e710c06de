"""``python -m benchmarks yardsticks``: how well networks tell real people apart in two clips.

The clips are for measuring and looking only, never for training. Who is who was told by eye and is
kept in ``yardsticks/*.csv``, with the boxes themselves, so that no tracker has to run again; the
clips are not part of the project, and each is known by its sha256.

- ``pairs``: in which share of comparisons two crops of one tracklet are more alike than two crops
  of different people: over all pairs, and as the mean over each crop's own comparisons.
- ``tracklets``: mean vectors of tracklets, each searched in all others; a match is the same person,
  lost and found again.
- ``crops``: the same for single crops; crops of the query's own tracklet do not count.
- ``halves``: the first half of each person's crops, by time, searched in the last halves.
"""

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device, choose
from everyid.errors import ConfigError, EveryIDError, InputError, ShapeError
from everyid.media import open_source
from everyid.output import report
from everyid.protocols import Image
from everyid.store import sha256_of
from person.crops import Crops
from person.embeddings import Embeddings, pool_tracklets
from person.encoder import NetworkEncoder, build_encoder
from person.metrics import Truth, evaluate_ranking

__all__ = [
    "GOAL",
    "YARDSTICKS",
    "Found",
    "Measured",
    "Pairs",
    "Yardstick",
    "cut_crops",
    "main",
    "measure",
    "read_yardstick",
]

YARDSTICKS = ("vtest", "one-by-one-person-detection")
GOAL = 0.97
"""Share of pairs in which crops of one real track should be the more alike."""
_FOLDER = Path(__file__).with_suffix("")
_SHARED_CLIPS = Path(__file__).resolve().parents[2] / "shared/data/video"
_DEFAULT_MODEL = "everyid-cnn"

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """Crops of people in a clip, labelled by eye.

    Args:
        name: Of the file of labels.
        file: The clip's file name.
        sha256: Of the clip.
        published: Where it is to be had.
        crops: N crops with identity, video, track (the tracklet) and frame; their paths,
            ``CLIP/TRACKLET/FRAME.png``, are names: no such files are needed.
        boxes_xyxy: int64 (N, 4), whole pixels; x2 and y2 are the first outside.
    """

    name: str
    file: str
    sha256: str
    published: str
    crops: Crops
    boxes_xyxy: Integers

    @property
    def people(self) -> Integers:
        """int64 (N,), whom each crop shows, numbered from 0."""
        return np.unique(np.array(self.crops.identities), return_inverse=True)[1].astype(np.int64)

    @property
    def tracklets(self) -> Integers:
        """int64 (N,), the tracklet of each crop, from 1."""
        return np.array(self.crops.tracks, np.int64)

    @property
    def frames(self) -> Integers:
        """int64 (N,), the frame of each crop, from 1."""
        return np.array(self.crops.frames, np.int64)

    def counts(self) -> dict[str, int]:
        """How many people, tracklets and crops there are."""
        people, tracklets = len(set(self.crops.identities)), len(set(self.crops.tracks))
        return {"people": people, "tracklets": tracklets, "crops": len(self.crops)}


@dataclass(frozen=True, slots=True)
class Pairs:
    """How often crops of one tracklet are more alike than crops of different people.

    Args:
        same: Pairs of crops of one tracklet.
        different: Pairs of crops of two people.
        share: Part of all (same, different) comparisons in which the same are strictly more
            alike, 0-1: the area under the ROC curve when no two are equally alike.
        anchors_share: The mean over crops of this part among pairs that have the crop in them.
    """

    same: int
    different: int
    share: float
    anchors_share: float


@dataclass(frozen=True, slots=True)
class Found:
    """How well queries find the same person.

    Args:
        queries: Those that have a match.
        rank_1: 0-1.
        mean_average_precision: 0-1.
    """

    queries: int
    rank_1: float
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a network reaches on a yardstick; see the file's head.

    Args:
        pairs: Within tracklets, against different people.
        tracklets: People found again, by mean vectors; None: nobody has two tracklets.
        crops: People found again, by single crops; None likewise.
        halves: The first half of each person's time, searched in the last.
    """

    pairs: Pairs
    tracklets: Found | None
    crops: Found | None
    halves: Found | None


def read_yardstick(name: str) -> Yardstick:
    """The labels of a clip.

    Args:
        name: One of ``YARDSTICKS``.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in YARDSTICKS:
        raise ConfigError(f"no yardstick is called {name!r}; known: {', '.join(YARDSTICKS)}")
    lines = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    head = dict(line[2:].split(": ", 1) for line in lines if line[0] == "#" and ": " in line)
    rows = list(csv.DictReader(line for line in lines if line[0] != "#"))
    unknown = (None,) * len(rows)
    crops = Crops(
        paths=tuple(
            f"{row['clip']}/{int(row['tracklet']):04d}/{int(row['frame']):06d}.png" for row in rows
        ),
        identities=tuple(row["identity"] for row in rows),
        cameras=unknown,
        videos=tuple(row["clip"] for row in rows),
        tracks=tuple(int(row["tracklet"]) for row in rows),
        frames=tuple(int(row["frame"]) for row in rows),
        timestamps=unknown,
    )
    sides = ("x1", "y1", "x2", "y2")
    boxes = np.array([[int(row[side]) for side in sides] for row in rows], np.int64)
    return Yardstick(name, head["file"], head["sha256"], head["published"], crops, boxes)


def cut_crops(clip: Path, yardstick: Yardstick) -> list[Image]:
    """The pictures of a yardstick's crops, uint8 (h, w, 3), BGR, in their order.

    Args:
        clip: The video that the labels are of.
        yardstick: The labels.

    Raises:
        InputError: The clip is missing or another one; the hint says where it is to be had.
    """
    hint = f"{yardstick.file} is published at {yardstick.published}"
    if not clip.is_file():
        raise InputError(f"{clip}: no such clip", hint=hint)
    found = sha256_of(clip)
    if found != yardstick.sha256:
        raise InputError(f"{clip}: expected sha256 {yardstick.sha256}, got {found}", hint=hint)
    frames, cut = yardstick.frames, {}
    with open_source(clip, max_frames=int(frames.max())) as reader:
        for frame in reader:
            for row in np.flatnonzero(frames == frame.frame_number).tolist():
                x1, y1, x2, y2 = yardstick.boxes_xyxy[row].tolist()
                cut[row] = frame.image[y1:y2, x1:x2].copy()
    return [cut[row] for row in range(len(frames))]


def measure(yardstick: Yardstick, vectors: Floats) -> Measured:
    """What embeddings of a yardstick's crops reach.

    Args:
        yardstick: N crops.
        vectors: float32 (N, D), L2-normalised, in the order of the crops.

    Raises:
        ShapeError: The vectors are not one for each crop, or not of length 1.
    """
    people = yardstick.people
    embeddings = Embeddings(yardstick.crops, vectors, "measured", "")
    pooled = pool_tracklets(embeddings)
    places = [embeddings.crops.paths.index(path) for path in pooled.crops.paths]
    whose = people[places]
    own = np.arange(len(whose), dtype=np.int64)
    first = _first_halves(people, yardstick.frames)
    return Measured(
        pairs=_pairs(vectors, people, yardstick.tracklets),
        tracklets=_found(pooled.vectors, pooled.vectors, Truth(whose, whose, own_rows=own)),
        crops=_found(
            vectors,
            vectors,
            Truth(people, people, yardstick.tracklets, yardstick.tracklets),
        ),
        halves=_found(vectors[first], vectors[~first], Truth(people[first], people[~first])),
    )


def _pairs(vectors: Floats, people: Integers, tracklets: Integers) -> Pairs:
    scores = vectors @ vectors.T
    alone = ~np.eye(len(scores), dtype=bool)
    same = (tracklets[:, None] == tracklets) & alone
    different = people[:, None] != people
    above = [
        _share_above(row[ours], row[theirs])
        for row, ours, theirs in zip(scores, same, different, strict=True)
        if ours.any() and theirs.any()
    ]
    if not above:
        raise ShapeError("expected a tracklet of two crops and two people, there are none")
    half = np.triu(alone)
    ours, theirs = scores[same & half], scores[different & half]
    return Pairs(len(ours), len(theirs), _share_above(ours, theirs), float(np.mean(above)))


def _share_above(ours: Floats, theirs: Floats) -> float:
    """The part of all (one of ours, one of theirs) in which ours is strictly greater."""
    below = np.searchsorted(np.sort(theirs), ours, side="left")
    return float(below.mean()) / len(theirs)


def _first_halves(people: Integers, frames: Integers) -> NDArray[np.bool_]:
    """Whether each crop is, bool (N,), in the first half of its person's crops, by time."""
    first = np.zeros(len(people), bool)
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        ordered = rows[np.argsort(frames[rows], kind="stable")]
        first[ordered[: len(rows) // 2]] = True
    return first


def _found(query: Floats, gallery: Floats, truth: Truth) -> Found | None:
    """None: no query has a match."""
    try:
        ranking = evaluate_ranking(query, gallery, truth=truth)
    except InputError:
        return None
    rank_1 = float(ranking.cmc_curve[0])
    return Found(len(ranking.rows), rank_1, ranking.mean_average_precision)


def main(arguments: list[str]) -> int:
    """Measures networks on both clips; a table on stderr, one JSON document on stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks yardsticks")
    parser.add_argument("--model", default=_DEFAULT_MODEL, help="names or files, by commas")
    parser.add_argument("--clips", type=Path, default=_SHARED_CLIPS, help="folder of both clips")
    options = parser.parse_args(arguments)
    try:
        _run(options.model.split(","), options.clips)
    except EveryIDError as error:
        report(error)
        return 1
    return 0


def _run(models: list[str], folder: Path) -> None:
    yardsticks = [read_yardstick(name) for name in YARDSTICKS]
    pictures = [cut_crops(folder / one.file, one) for one in yardsticks]
    device = choose("auto", precision="fp32")  # figures of different machines are to agree
    measured = []
    for model in models:
        encoder = build_encoder(model, device=device)
        for yardstick, images in zip(yardsticks, pictures, strict=True):
            result = measure(yardstick, encoder.encode(images))
            measured.append((encoder, yardstick, result))
    _show(device, yardsticks, measured)


def _show(
    device: Device,
    yardsticks: list[Yardstick],
    measured: list[tuple[NetworkEncoder, Yardstick, Measured]],
) -> None:
    width = max(len(encoder.name) for encoder, _, _ in measured)
    text = ""
    for yardstick in yardsticks:
        counts = ", ".join(f"{count} {noun}" for noun, count in yardstick.counts().items())
        text += f"\n{yardstick.name}: {counts}; goal: pairs >= {100 * GOAL:g} %\n"
        text += f"{'%':{width}}  pairs anchors  tracklets R1/mAP  crops R1/mAP  halves R1/mAP\n"
        for encoder, of, result in measured:
            if of is yardstick:
                pairs = result.pairs
                text += f"{encoder.name:{width}}  {100 * pairs.share:5.2f}"
                text += f"   {100 * pairs.anchors_share:5.2f}"
                text += f"  {_both(result.tracklets):>16}  {_both(result.crops):>12}"
                text += f"  {_both(result.halves):>13}\n"
    sys.stderr.write(text)
    document = {
        "title": "yardsticks",
        "device": str(device),
        "goal": f"pairs.share >= {GOAL}",
        "yardsticks": [{"name": one.name, **one.counts()} for one in yardsticks],
        "results": [
            {
                "model": encoder.name,
                "model_sha256": encoder.sha256,
                "yardstick": yardstick.name,
                "reached": result.pairs.share >= GOAL,
                **_rounded(asdict(result)),
            }
            for encoder, yardstick, result in measured
        ],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _both(found: Found | None) -> str:
    if found is None:
        return "-"
    return f"{100 * found.rank_1:.1f}/{100 * found.mean_average_precision:.1f}"


def _rounded(value: object) -> dict[str, object]:
    """The same document with its figures to four places."""
    return dict(json.loads(json.dumps(value), parse_float=lambda text: round(float(text), 4)))
