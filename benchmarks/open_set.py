"""``python -m benchmarks open-set``: whether a calibration holds what it promises.

Half of the people are enrolled, with five vectors each; everybody's other crops are asked about.
Measured over several draws of who is enrolled:

- *false accepts*: the share of questions about strangers that are answered with a name. It should
  not be above the wanted rate.
- *identified* (DIR): the share of questions about enrolled people that are answered with the right
  name: it is the most similar, and similar enough.

Synthetic people are enrolled under two of their cameras and asked about under the others. In the
two real clips (see ``yardsticks``), each with one camera, they are enrolled from the first half of
their time and asked about in the rest. ``--fill`` gives people who are enrolled and never asked
about, for larger galleries; they may be such as the network learnt from.

- *held back*: how right rates of pairs are that are extrapolated: learnt from one half of the
  people, counted in the pairs of the other half.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import learn, read_people, read_tracks
from benchmarks.yardsticks import YARDSTICKS, cut_crops, read_yardstick
from everyid.device import choose
from everyid.errors import EveryIDError, InputError
from everyid.output import report
from person.embeddings import Embeddings
from person.encoder import NetworkEncoder, build_encoder
from person.gallery.calibration import (
    Calibration,
    independent_vectors,
    read_calibration,
    shipped_calibration,
)
from person.gallery.pairs import pairs_of_labels

__all__ = ["Asked", "Held", "OpenSet", "held_back", "main", "measure", "of_clip", "of_people"]

WANTED = (0.001, 0.01, 0.1)
SIZES = (50, 500, 5000)
"""Enrolled vectors."""
PAIR_RATES = (1e-2, 1e-3, 1e-4, 1e-5)
_VECTORS_EACH = 5
_DRAWS = 20
_SHARED_CLIPS = Path(__file__).resolve().parents[2] / "shared/data/video"

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class OpenSet:
    """Crops of people of whom some will be enrolled.

    Args:
        name: Of the data.
        vectors: float32 (N, D), L2-normalised.
        people: int64 (N,), from 0.
        sides: int64 (N,), crops of a person with one number are enrolled or asked about together:
            the camera, or the half of the time.
        in_order: Enrol the lowest side, which is the earlier; else some sides by chance.
    """

    name: str
    vectors: Floats
    people: Integers
    sides: Integers
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of the questions.

    Args:
        data: What was asked about.
        vectors: Enrolled.
        wanted: The false accept rate that was wanted, 0-1.
        threshold: For it.
        measured: Whether pairs measure it; else it is extrapolated.
        false_accepts: 0-1, the mean over draws.
        false_accepts_high: 0-1, in the worst draw of twenty.
        identified: 0-1, the mean over draws.
        rank_1: 0-1, the share in which the most similar is the right one, whatever the threshold.
        strangers: Questions about them in a draw.
    """

    data: str
    vectors: int
    wanted: float
    threshold: float
    measured: bool
    false_accepts: float
    false_accepts_high: float
    identified: float
    rank_1: float
    strangers: int


@dataclass(frozen=True, slots=True)
class Held:
    """What became of a rate of pairs among people it was not learnt from.

    Args:
        data: Whose pairs.
        rate: What was wanted.
        factor: The share of different pairs that is accepted over that rate, the mean over draws.
        factor_high: In the worst draw of twenty.
        extrapolated: The share of draws in which the rate was beyond what pairs measure.
    """

    data: str
    rate: float
    factor: float
    factor_high: float
    extrapolated: float


def of_people(name: str, embeddings: Embeddings) -> OpenSet:
    """The labelled crops of a set, by camera.

    Args:
        name: Of the data.
        embeddings: Crops with identity and camera; others are left out.
    """
    crops = embeddings.crops
    labels = zip(crops.identities, crops.cameras, strict=True)
    rows = np.flatnonzero([None not in both for both in labels])
    people, cameras = (
        np.unique([str(column[row]) for row in rows], return_inverse=True)[1].astype(np.int64)
        for column in (crops.identities, crops.cameras)
    )
    return OpenSet(name, embeddings.vectors[rows], people, cameras)


def of_clip(name: str, folder: Path, encoder: NetworkEncoder) -> OpenSet:
    """The crops of a real clip, by half of each person's time.

    Args:
        name: One of ``YARDSTICKS``.
        folder: Where the clips lie.
        encoder: The network.

    Raises:
        InputError: The clip is missing or another one.
    """
    clip = read_yardstick(name)
    vectors = encoder.encode(cut_crops(folder / clip.file, clip))
    people, frames = clip.people, clip.frames
    halves = np.zeros(len(people), np.int64)
    for person in np.unique(people):
        mine = people == person
        halves[mine] = frames[mine] > np.median(frames[mine])
    return OpenSet(name, vectors, people, halves, in_order=True)


def measure(
    data: OpenSet, calibration: Calibration, *, vectors: int, fill: Floats | None = None
) -> list[Asked]:
    """What a calibration holds in galleries of one size, for each wanted rate.

    Args:
        data: Who is enrolled and asked about.
        calibration: Of the same model.
        vectors: The wanted size of the gallery; fewer where there are not so many.
        fill: float32 (F, D), enrolled where ``data`` has too few, or None.
    """
    best: list[tuple[Floats, Floats, NDArray[np.bool_]]] = []
    size = chances = 0
    for draw in range(_DRAWS):
        rng = np.random.default_rng([draw, vectors])
        enrolled, asked, known = _drawn(data, vectors, rng)
        gallery, whose = data.vectors[enrolled], data.people[enrolled]
        if fill is not None and len(gallery) < vectors:
            more = fill[rng.permutation(len(fill))[: vectors - len(gallery)]]
            gallery = np.concatenate([gallery, more])
            whose = np.concatenate([whose, np.full(len(more), -1)])
        scores = data.vectors[asked] @ gallery.T
        right = whose[scores.argmax(axis=1)] == data.people[asked]
        highest = scores.max(axis=1)
        best.append((highest[~known], highest[known], right[known]))
        size = len(gallery)
        each = np.unique(whose[whose >= 0], return_counts=True)[1]
        chances = independent_vectors(np.append(each, np.ones(int((whose < 0).sum()), np.int64)))
    found = []
    for wanted in WANTED:
        threshold = calibration.threshold(wanted, vectors=chances)
        wrong = [float(np.mean(strangers >= threshold)) for strangers, _, _ in best]
        named = [float(np.mean(right & (score >= threshold))) for _, score, right in best]
        found.append(
            Asked(
                data=data.name,
                vectors=size,
                wanted=wanted,
                threshold=threshold,
                measured=calibration.is_measured(wanted, vectors=chances),
                false_accepts=float(np.mean(wrong)),
                false_accepts_high=max(wrong),
                identified=float(np.mean(named)),
                rank_1=float(np.mean([right.mean() for _, _, right in best])),
                strangers=len(best[0][0]),
            )
        )
    return found


def held_back(name: str, people: Embeddings) -> list[Held]:
    """How right rates of pairs are for other people of the same place, for each of ``PAIR_RATES``.

    Args:
        name: Of the data.
        people: Labelled crops, of at least four people.

    Raises:
        InputError: There are too few pairs.
    """
    named = np.array([str(identity) for identity in people.crops.identities])
    factors: list[list[float]] = []
    beyond: list[list[bool]] = []
    for draw in range(_DRAWS):
        everybody = np.random.default_rng(draw).permutation(np.unique(named))
        mine = np.isin(named, everybody[: len(everybody) // 2])
        learnt = learn([people.select(mine)], None, names=name)
        others = pairs_of_labels(people.select(~mine)).different
        thresholds = [learnt.threshold(rate, vectors=1) for rate in PAIR_RATES]
        shares = [float(np.mean(others >= threshold)) for threshold in thresholds]
        factors.append([share / rate for share, rate in zip(shares, PAIR_RATES, strict=True)])
        beyond.append([not learnt.is_measured(rate, vectors=1) for rate in PAIR_RATES])
    means, worst = np.mean(factors, axis=0), np.max(factors, axis=0)
    extrapolated = np.mean(beyond, axis=0)
    return [
        Held(name, rate, *(float(column[place]) for column in (means, worst, extrapolated)))
        for place, rate in enumerate(PAIR_RATES)
    ]


def _drawn(
    data: OpenSet, vectors: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Rows that are enrolled, rows that are asked about, and whether these are of the enrolled."""
    people = rng.permutation(int(data.people.max()) + 1)
    half = people[: len(people) // 2]
    members = half[: -(-vectors // _VECTORS_EACH)]
    each = -(-vectors // len(members)) if data.in_order else _VECTORS_EACH
    enrolled, asked = [], []
    for person in members:
        rows = np.flatnonzero(data.people == person)
        sides = np.unique(data.sides[rows])
        chosen = sides[: len(sides) // 2]
        if not data.in_order:
            chosen = rng.permutation(sides)[: max(1, len(sides) // 2)]
        first = np.isin(data.sides[rows], chosen)
        enrolled.append(rng.permutation(rows[first])[:each])
        asked.append(rows[~first])
    strangers = np.flatnonzero(~np.isin(data.people, half))
    questions = np.concatenate([*asked, strangers])
    known = np.isin(data.people[questions], members)
    return np.concatenate(enrolled)[:vectors], questions, known


def main(arguments: list[str]) -> int:
    """Measures; a table on stderr, one JSON document on stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks open-set")
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled crops")
    parser.add_argument("--model", default="everyid-cnn")
    parser.add_argument("--calibration", type=Path, help="JSON; default: the shipped one")
    parser.add_argument(
        "--calibrate-on", type=Path, action="append", help="learn it from these people instead"
    )
    parser.add_argument("--tracklets", type=Path, help="and from tracks STEM/TRACK/FRAME")
    parser.add_argument("--fill", type=Path, help="crops of people who are only enrolled")
    parser.add_argument("--clips", type=Path, default=_SHARED_CLIPS, help="folder of both clips")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except EveryIDError as error:
        report(error)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    encoder = build_encoder(options.model, device=choose("auto", precision="fp32"))
    calibration = _calibration(options, encoder)
    fill = None if options.fill is None else read_people(options.fill, encoder).vectors
    found: list[Asked] = []
    held: list[Held] = []
    for source in options.data:
        people = read_people(source, encoder)
        held += held_back(source.stem, people)
        data = of_people(source.stem, people)
        most = (int(data.people.max()) + 1) // 2 * _VECTORS_EACH
        for size in SIZES:
            if size <= most or fill is not None:
                found += measure(data, calibration, vectors=size, fill=fill)
    for name in YARDSTICKS:
        clip = of_clip(name, options.clips, encoder)
        sizes = SIZES if fill is not None else SIZES[:1]
        for size in sizes:
            found += measure(clip, calibration, vectors=size, fill=fill)
    sys.stderr.write(f"calibration: {calibration.data}\n{_table(found)}\n{_held(held)}")
    document = {
        "title": "open set",
        "model": encoder.name,
        "model_sha256": encoder.sha256,
        "calibration": calibration.data,
        "results": [asdict(one) for one in found],
        "held_back": [asdict(one) for one in held],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _calibration(options: argparse.Namespace, encoder: NetworkEncoder) -> Calibration:
    """The one that the options say.

    Raises:
        EveryIDError: It is damaged, of another model, or there is none.
    """
    if options.calibrate_on:
        sets = [read_people(source, encoder) for source in options.calibrate_on]
        tracks = None if options.tracklets is None else read_tracks(options.tracklets, encoder)
        return learn(sets, tracks, names=" and ".join(one.stem for one in options.calibrate_on))
    if options.calibration is not None:
        return read_calibration(options.calibration, model_sha256=encoder.sha256)
    shipped = shipped_calibration(encoder.sha256)
    if shipped is None:
        raise InputError(
            f"no calibration is shipped for {encoder.name}",
            hint="give --calibrate-on or --calibration, or make one: "
            "python -m benchmarks.calibration --help",
        )
    return shipped


def _table(found: list[Asked]) -> str:
    width = max(len(one.data) for one in found)
    text = f"{'%':{width}}  vectors  wanted  threshold  false accepts (worst draw)  identified"
    text += "  Rank-1\n"
    for one in found:
        beyond = " " if one.measured else "*"
        text += f"{one.data:{width}}  {one.vectors:>7,}  {100 * one.wanted:6.1f}"
        text += f"     {one.threshold:.3f}{beyond}  {100 * one.false_accepts:13.2f}"
        text += f" ({100 * one.false_accepts_high:10.2f})  {100 * one.identified:10.1f}"
        text += f"  {100 * one.rank_1:6.1f}\n"
    return text + "* extrapolated: beyond what the pairs measure\n"


def _held(found: list[Held]) -> str:
    text = "pairs of other people: rate wanted, what it came to, as a multiple (worst draw)\n"
    for one in found:
        text += f"{one.data}  {one.rate:g}  {one.factor:.2f} ({one.factor_high:.2f})"
        text += f", extrapolated in {100 * one.extrapolated:.0f} % of draws\n"
    return text
