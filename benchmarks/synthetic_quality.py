"""``python -m benchmarks synthetic --quality``: whether the people who do not exist are any good.

Networks trained on real people look at them: a detector should find them, and nobody where nobody
is; an encoder should tell them apart about as well as real people. All pictures that a figure
stands on are kept in the output folder; what an earlier run made there is used again.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contact_sheets import draw_histograms, draw_sheet, pair_of_pictures
from benchmarks.synthetic_detection import DETECTOR, Detected, empty_pictures, people_in_footage
from benchmarks.synthetic_likeness import (
    ENCODER,
    Alike,
    CropSet,
    Likeness,
    across_cameras,
    alike,
    make_set,
    thumbnails,
    vectors_of,
    within_tracks,
)
from everyid import weights
from everyid.errors import HubError, WeightsError
from everyid.media import read_image
from everyid.output import fresh_folder, usable_folder
from person.embeddings import Embeddings
from person.evaluation import evaluate
from person.protocol import protocol

SETS = (1, 2, 3)
"""Seeds of the sets of crops."""
_SAME_THUMBNAIL, _SAME_VECTOR = 0.98, 0.95
"""From which likeness on pictures of two people count as nearly the same."""
_SHOWN = 12

__all__ = ["measure_quality"]


@dataclass(frozen=True)
class Measure:
    """One figure.

    Args:
        name: What is measured.
        goal: In words, such as ">= 0.97"; empty without one.
        value: The figure.
        reached: Whether the goal is; None without one.
        facts: What else was seen.
    """

    name: str
    goal: str
    value: float
    reached: bool | None
    facts: dict[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """What goes into the JSON."""
        head = {"name": self.name, "goal": self.goal, "value": round(self.value, 4)}
        return {**head, "reached": self.reached, **self.facts}


def measure_quality(options: argparse.Namespace) -> None:
    """Measures all and shows it.

    Args:
        options: ``identities``, ``clips`` and ``output``.
    """
    folder = (
        fresh_folder("benchmarks", "synthetic-quality")
        if options.output is None
        else usable_folder(options.output)
    )
    sets = [make_set(folder, seed, options.identities) for seed in SETS]
    videos, seen = people_in_footage(folder)
    measures = [*_detection(folder, seen), _duplicates(sets)]
    tiny = {one.seed: thumbnails(one.crops) for one in sets}
    measures.append(_most_alike(folder, "thumbnails", sets, tiny, _SAME_THUMBNAIL))
    facts: dict[str, object] = {
        "identities": options.identities,
        "sets": len(sets),
        "detector": DETECTOR,
        "encoder": ENCODER,
        "pictures": str(folder),
    }
    try:
        weights.fetch(ENCODER)
    except (WeightsError, HubError) as error:
        facts["encoder"] = f"re-identification was not measured: {error}"
    else:
        embeddings = {one.seed: vectors_of(one.crops) for one in sets}
        measures += [_ranks(one, embeddings[one.seed]) for one in sets]
        vectors = {seed: found.vectors for seed, found in embeddings.items()}
        measures.append(_most_alike(folder, "embeddings", sets, vectors, _SAME_VECTOR))
        measures += _similarities(folder, sets, vectors, videos, options.clips)
    shutil.copyfile(sets[0].folder / "attributes.png", folder / "attributes.png")
    _show(facts, measures)


def _detection(folder: Path, seen: Sequence[Detected]) -> Iterator[Measure]:
    """How many whole people a detector finds, and how many it sees where there are none."""
    missed = [one for one in seen if not one.found]
    draw_sheet(folder / "missed.png", [(one.picture, one.caption) for one in missed])
    large = [one for one in seen if one.height_px >= 40]
    clear = [one for one in seen if one.view == "clear" and one.height_px >= 60]
    facts: dict[str, object] = {
        "people": len(seen),
        "missed": len(missed),
        "missed_below_40_px": sum(one.height_px < 40 for one in missed),
        "recall_from_40_px": _recall(large)["recall"],
        "recall_from_60_px_in_clear_views": _recall(clear)["recall"],
        "by_view": _by(seen, lambda one: one.view),
        "by_height_px": _by(seen, lambda one: _band(one.height_px, (40, 60, 100))),
        "by_contrast": _by(seen, lambda one: _band(one.contrast, (8, 16, 32))),
        "by_activity": _by(seen, lambda one: one.activity),
        "by_place": _by(seen, lambda one: one.place),
        "by_camera": _by(seen, lambda one: f"{one.place} {one.camera}"),
        "why_missed": _counts(one.why for one in missed),
        "why_missed_from_40_px": _counts(one.why for one in missed if one.height_px >= 40),
    }
    recall = float(np.mean([one.found for one in seen]))
    yield Measure("recall of whole people", ">= 0.97", recall, recall >= 0.97, facts)
    pictures, false = empty_pictures(folder)
    draw_sheet(folder / "false_persons.png", [(one.picture, one.caption) for one in false])
    rate = 100 * len(false) / pictures
    facts = {"pictures": pictures, "false": len(false)}
    yield Measure("persons in 100 empty pictures", "< 1", rate, rate < 1, facts)


def _recall(seen: Sequence[Detected]) -> dict[str, float]:
    found = sum(one.found for one in seen)
    return {"people": len(seen), "recall": round(found / max(1, len(seen)), 4)}


def _by(seen: Sequence[Detected], key: Callable[[Detected], str]) -> dict[str, dict[str, float]]:
    """The recall of each kind of people."""
    kinds = sorted({key(one) for one in seen})
    return {kind: _recall([one for one in seen if key(one) == kind]) for kind in kinds}


def _band(value: float, edges: Sequence[float]) -> str:
    """The name of the band that a value lies in; names sort as the bands do."""
    number = int(np.searchsorted(edges, value, side="right"))
    low = f"{edges[number - 1]:3g}" if number else "  0"
    return f"{low} to {edges[number]:g}" if number < len(edges) else f"{low} and more"


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _duplicates(sets: Sequence[CropSet]) -> Measure:
    """How many identities look in all attributes like another one."""
    twins = [sum(own != person for person, own in one.origin.items()) for one in sets]
    count = sum(one.duplicates for one in sets)
    return Measure(
        "identities with all attributes of another", "0", count, count == 0, {"near_twins": twins}
    )


def _ranks(one: CropSet, found: Embeddings) -> Measure:
    """How well a network trained on real people tells a set's people apart across cameras."""
    rules = protocol("cross-camera")
    whole = evaluate(found, None, rules=rules, data=one.folder.name).evaluation
    single = np.array([one.origin[person] == person for person in one.people.tolist()])
    chosen = Embeddings(
        found.crops.select(single), found.vectors[single], found.model, found.model_sha256
    )
    unlike = evaluate(chosen, None, rules=rules, data=one.folder.name).evaluation
    facts: dict[str, object] = {
        f"{name}{end}": round(value, 4)
        for end, figures in (("", whole), ("_without_near_twins", unlike))
        for name, value in (
            ("rank_1", figures.rank(1)),
            ("rank_5", figures.rank(5)),
            ("mean_average_precision", figures.mean_average_precision),
            ("eer", (figures.verification.eer if figures.verification else None) or 0.0),
        )
    }
    name = f"Rank-1 across cameras, seed {one.seed}"
    reached = 0.55 <= whole.rank(1) <= 0.9
    return Measure(name, "0.55-0.90", whole.rank(1), reached, facts)


def _most_alike(
    folder: Path,
    name: str,
    sets: Sequence[CropSet],
    vectors: dict[int, NDArray[np.float32]],
    least: float,
) -> Measure:
    """How many pictures of people who are no twins are nearly the same, by some vectors."""
    found: list[tuple[CropSet, Alike]] = [
        (one, alike(vectors[one.seed], one.origins, least=least, most=_SHOWN)) for one in sets
    ]
    best = sorted(
        ((score, one, row, other) for one, pairs in found for row, other, score in pairs.best),
        key=lambda pair: -pair[0],
    )
    cells = []
    for score, one, row, other in best[:_SHOWN]:
        left, right = (Path(one.crops.paths[place]) for place in (row, other))
        picture = pair_of_pictures(read_image(left), read_image(right))
        who = f"{one.people[row]} camera {one.cameras[row]}, "
        who += f"{one.people[other]} camera {one.cameras[other]}"
        cells.append((picture, f"{score:.4f}, seed {one.seed}\n{who}"))
    draw_sheet(folder / f"alike_by_{name}.png", cells)
    facts: dict[str, object] = {
        "threshold": least,
        "pairs_of_people": sum(pairs.people for _, pairs in found),
        "highest": round(max(pairs.highest for _, pairs in found), 4),
    }
    count = sum(pairs.pairs for _, pairs in found)
    return Measure(f"pictures of two people nearly the same by {name}", "", count, None, facts)


def _similarities(
    folder: Path,
    sets: Sequence[CropSet],
    vectors: dict[int, NDArray[np.float32]],
    videos: Sequence[Path],
    clips: Sequence[Path],
) -> Iterator[Measure]:
    """How similar pictures of one person and of two are, beside real ones."""
    parts = [across_cameras(vectors[one.seed], one.people, one.cameras) for one in sets]
    same, different = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("same", "different")
    )
    rows = {
        "synthetic crops, across cameras": Likeness(same, different),
        "synthetic footage, within tracks": within_tracks(videos, folder / "tracks" / "synthetic"),
    }
    if clips:
        rows["real clips, within tracks"] = within_tracks(clips, folder / "tracks" / "real")
    draw_histograms(
        folder / "similarities.png", {name: (one.same, one.different) for name, one in rows.items()}
    )
    for name, one in rows.items():
        facts = one.facts()
        yield Measure(f"AUC of {name}", "", float(str(facts.get("auc", 0.0))), None, facts)


def _show(facts: dict[str, object], measures: Sequence[Measure]) -> None:
    """The table to stderr, the JSON document to stdout."""
    sys.stderr.write("\nsynthetic quality\n" + "".join(f"  {k}: {v}\n" for k, v in facts.items()))
    words = {True: "reached", False: "MISSED", None: ""}
    for one in measures:
        goal = f" (goal {one.goal}: {words[one.reached]})" if one.goal else ""
        sys.stderr.write(f"\n{one.name}: {one.value:.4g}{goal}\n")
        for key, value in one.facts.items():
            if not isinstance(value, dict):
                sys.stderr.write(f"    {key}: {value}\n")
                continue
            sys.stderr.write(f"    {key}:\n")
            sys.stderr.write("".join(f"        {k}: {v}\n" for k, v in value.items()))
    document = {
        "title": "synthetic quality",
        **facts,
        "results": [one.document() for one in measures],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
