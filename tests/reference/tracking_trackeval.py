"""Sequences for tracking metrics, and TrackEval's figures of them.

Run from the checkout, in an environment that has ``trackeval==1.3.0``, this makes the golden file
again:  python -m tests.reference.tracking_trackeval > tests/golden/tracking_metrics.json
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

MADE_WITH = "python -m tests.reference.tracking_trackeval > tests/golden/tracking_metrics.json"
SEEDS = range(8)
FRAMES = 24
Row = tuple[float, ...]


def sequences() -> dict[str, tuple[list[Row], list[Row]]]:
    """Name -> rows of the truth (nine fields), rows of the tracks (frame, id, l, t, w, h)."""
    found = {f"drawn {seed}": drawn(seed) for seed in SEEDS}
    still = [(frame, 1.0, 10.0, 10.0, 20.0, 40.0) for frame in range(1, 7)]
    people = [(*row, 1, 1, 1.0) for row in still]
    found["perfect"] = people, still
    found["no predictions"] = people, []
    found["no truth"] = [(*row, 0, 3, 1.0) for row in still], still
    found["empty frames"] = people[:2] + people[4:], [*still[1:3], *still[5:]]
    found["ids swap"] = swapped()
    found["ties"] = tied()
    found["half"] = halves()
    found["left out"] = left_out()
    return found


def drawn(seed: int) -> tuple[list[Row], list[Row]]:
    """People who walk about, and tracks that lose, swap, shift and invent them."""
    random = np.random.default_rng(seed)
    crowd = 2 + seed
    start = random.uniform(0, 120, (crowd, 2))
    pace = random.uniform(-6, 6, (crowd, 2))
    names = random.permutation(40)[:crowd] + 1
    truth: list[Row] = []
    tracks: list[Row] = []
    for frame in range(1, FRAMES + 1):
        if random.random() < 0.2:
            one, other = random.integers(0, crowd, 2)
            names[[one, other]] = names[[other, one]]
        if random.random() < 0.1:
            names[random.integers(0, crowd)] = 100 + frame
        for person in range(crowd):
            left, top = (start[person] + frame * pace[person]).round(2).tolist()
            if random.random() < 0.9:
                kind = int(random.choice([1, 1, 1, 1, 1, 1, 3, 7, 8]))
                flag = int(kind == 1)
                truth.append((frame, person + 1, left, top, 30.0, 70.0, flag, kind, 1.0))
            if random.random() < 0.85:
                shift = random.normal(0, 5, 4).round(2)
                box = (np.array([left, top, 30.0, 70.0]) + shift).round(2).tolist()
                tracks.append((frame, int(names[person]), *box))
        if random.random() < 0.3:
            box = random.uniform(10, 100, 4).round(2).tolist()
            tracks.append((frame, 1000 + int(random.integers(0, 3)), *box))
    return truth, tracks


def swapped() -> tuple[list[Row], list[Row]]:
    """Two people who cross; their tracks are swapped from frame 6 on, and one begins anew."""
    truth: list[Row] = []
    tracks: list[Row] = []
    for frame in range(1, 13):
        for person, left in ((1, 10.0 * frame), (2, 130.0 - 10 * frame)):
            truth.append((frame, person, left, 0.0, 25.0, 60.0, 1, 1, 1.0))
            name = person if frame < 6 else 3 - person
            tracks.append((frame, 7 if frame > 10 and person == 1 else name, left + 2, 1.0, 25, 60))
    return truth, tracks


def tied() -> tuple[list[Row], list[Row]]:
    """Equal boxes: two people on one spot, three tracks on it, in changing order."""
    truth: list[Row] = []
    tracks: list[Row] = []
    for frame in range(1, 9):
        truth += [(frame, person, 8.0, 8.0, 16.0, 32.0, 1, 1, 1.0) for person in (2, 1)]
        names = ((5, 3, 4), (3, 4, 5))[frame % 2][: 2 + frame % 3 // 2]
        tracks += [(frame, name, 8.0, 8.0, 16.0, 32.0) for name in names]
        truth.append((frame, 3, 64.0, 8.0, 16.0, 32.0, 1, 1, 1.0))
        tracks += [(frame, 8, 60.0, 8.0, 16.0, 32.0), (frame, 9, 68.0, 8.0, 16.0, 32.0)]
    return truth, tracks


def halves() -> tuple[list[Row], list[Row]]:
    """Overlaps of exactly a half, just above it, just below it, and boxes that only touch."""
    truth: list[Row] = []
    tracks: list[Row] = []
    for frame, width in enumerate((20.0, 19.5, 20.5, 10.0, 20.0, 20.0), start=1):
        truth.append((frame, 1, 0.0, 0.0, 10.0, 10.0, 1, 1, 1.0))
        left = 10.0 if frame == 5 else 0.0
        tracks.append((frame, 1 + frame // 6, left, 0.0, width, 10.0))
    return truth, tracks


def left_out() -> tuple[list[Row], list[Row]]:
    """A box of every class of MOT17, each with a track on it, and one that two tracks are on."""
    truth: list[Row] = []
    tracks: list[Row] = []
    for frame in range(1, 4):
        for kind in range(1, 14):
            flag = int(kind == 1 or frame == 2)
            truth.append((frame, kind, 50.0 * kind, 0.0, 20.0, 40.0, flag, kind, 1.0))
            tracks.append((frame, 20 + kind, 50.0 * kind + 3, 0.0, 20.0, 40.0))
        tracks.append((frame, 50, 401.0, 0.0, 20.0, 40.0))
        truth.append((frame, 60, 404.0, 0.0, 20.0, 40.0, 1, 1, 1.0))
    return truth, tracks


def text_of(rows: list[Row], *, after: str = "") -> str:
    """Rows as lines of a file."""
    return "".join(",".join(map(str, row)) + after + "\n" for row in rows)


def figures() -> dict[str, dict[str, float]]:
    """TrackEval's figures of each sequence, and of all: the means over the overlaps for HOTA."""
    from trackeval.datasets import MotChallenge2DBox
    from trackeval.metrics import CLEAR, HOTA, Identity

    every = sequences()
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        (folder / "tracks" / "ours").mkdir(parents=True)
        for sequence, (truth, tracks) in every.items():
            (folder / "truth" / sequence / "gt").mkdir(parents=True)
            (folder / "truth" / sequence / "gt" / "gt.txt").write_text(text_of(truth))
            text = text_of(tracks, after=",1,-1,-1,-1")
            (folder / "tracks" / "ours" / f"{sequence}.txt").write_text(text)
        lengths = {
            sequence: int(max(row[0] for row in truth + tracks))
            for sequence, (truth, tracks) in every.items()
        }
        dataset = MotChallenge2DBox(
            {
                "GT_FOLDER": str(folder / "truth"),
                "TRACKERS_FOLDER": str(folder / "tracks"),
                "TRACKER_SUB_FOLDER": "",
                "SKIP_SPLIT_FOL": True,
                "SEQ_INFO": lengths,
                "PRINT_CONFIG": False,
            }
        )
        data = {
            sequence: dataset.get_preprocessed_seq_data(
                dataset.get_raw_seq_data("ours", sequence), "pedestrian"
            )
            for sequence in every
        }
        metrics = [HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False})]
        parts = [{key: metric.eval_sequence(data[key]) for key in every} for metric in metrics]
        groups = {key: [key] for key in every} | {"all": list(every)}
        combined = {
            group: [
                metric.combine_sequences({key: part[key] for key in keys})
                for metric, part in zip(metrics, parts, strict=True)
            ]
            for group, keys in groups.items()
        }
    return {group: named(*three) for group, three in combined.items()}


def named(hota: dict, clear: dict, identity: dict) -> dict[str, float]:
    """TrackEval's figures under our names."""
    return {
        "hota": float(np.mean(hota["HOTA"])),
        "detection_accuracy": float(np.mean(hota["DetA"])),
        "association_accuracy": float(np.mean(hota["AssA"])),
        "localisation_accuracy": float(np.mean(hota["LocA"])),
        "idf1": float(identity["IDF1"]),
        "id_precision": float(identity["IDP"]),
        "id_recall": float(identity["IDR"]),
        "mota": float(clear["MOTA"]),
        "id_switches": int(clear["IDSW"]),
        "false_positives": int(clear["CLR_FP"]),
        "misses": int(clear["CLR_FN"]),
    }


if __name__ == "__main__":
    made_with = f"{MADE_WITH}  (trackeval 1.3.0, numpy {np.__version__})"
    json.dump({"made_with": made_with, "figures": figures()}, sys.stdout, indent=1)
    sys.stdout.write("\n")
