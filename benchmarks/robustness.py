"""``python -m benchmarks robustness``: how well people are found again as their pictures get worse.

Only the queries are made worse, each way and each much of it alone; the gallery stays as it is.
What is drawn by chance is the same for every network.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations import FAMILIES, Change
from benchmarks.robustness_picture import draw_robustness
from benchmarks.yardsticks import YARDSTICKS, cut_crops, read_yardstick
from everyid.device import choose
from everyid.errors import EveryIDError
from everyid.media import read_image
from everyid.output import Advance, notice, progress, report, result_folder
from everyid.protocols import Image
from person.crops import Crops, find_crops
from person.embeddings import Embeddings
from person.encoder import build_encoder
from person.evaluation import evaluate, fitting_protocol
from person.session import sides_of
from person.training.card import RobustnessCurve

__all__ = ["Source", "main", "measure_robustness"]

_SHARED_CLIPS = Path(__file__).resolve().parents[2] / "shared/data/video"
_DEFAULT_MODEL = "person-reidentification-retail-0277"
_AT_ONCE = 256
"""Pictures in memory."""
_RANK_1, _MAP, _NONE = "Rank-1", "mAP", "none"


@dataclass(frozen=True)
class Source:
    """What is measured on.

    Args:
        name: Of the data.
        query: With identities; one in turn is searched in the gallery.
        gallery: May hold the queries too: none finds its own file.
        read: Path -> the picture, uint8 (H, W, 3), BGR.
    """

    name: str
    query: Crops
    gallery: Crops
    read: Callable[[str], Image]


class Encoder(Protocol):
    """What is asked of a network."""

    name: str
    sha256: str

    def encode(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order."""
        ...


def measure_robustness(
    encoder: Encoder, source: Source, *, advance: Advance
) -> list[RobustnessCurve]:
    """What a network reaches on each family, for its card; level "none" comes first.

    Args:
        encoder: The network.
        source: What it is measured on.
        advance: Called with the number of pictures that became done.

    Raises:
        InputError: A picture cannot be read, or nothing can be measured: no labels, no cameras,
            or no query with a match.
    """
    rules = fitting_protocol(None, source.query, source.gallery)
    gallery = _embedded(encoder, source.gallery, source.read, None, advance)

    def figures(change: Change | None) -> tuple[str, float, float]:
        query = _embedded(encoder, source.query, source.read, change, advance)
        found = evaluate(query, gallery, rules=rules, data=source.name).evaluation
        return found.protocol_line, found.rank(1), found.mean_average_precision

    clean = figures(None)
    curves = []
    for family in FAMILIES:
        found = [clean, *(figures(change) for change in family.changes.values())]
        curves.append(
            RobustnessCurve(
                name=family.name,
                data=f"{source.name}, only the queries made worse",
                protocol=clean[0],
                levels=[_NONE, *family.changes],
                metrics={_RANK_1: [one[1] for one in found], _MAP: [one[2] for one in found]},
            )
        )
    return curves


def _embedded(
    encoder: Encoder,
    crops: Crops,
    read: Callable[[str], Image],
    change: Change | None,
    advance: Advance,
) -> Embeddings:
    parts = []
    for start in range(0, len(crops), _AT_ONCE):
        images = [read(path) for path in crops.paths[start : start + _AT_ONCE]]
        if change is not None:
            images = [
                change(image, np.random.default_rng(start + place))
                for place, image in enumerate(images)
            ]
        parts.append(encoder.encode(images))
        advance(len(images))
    return Embeddings(crops, np.concatenate(parts), encoder.name, encoder.sha256)


def main(arguments: list[str]) -> int:
    """Measures networks; a table on stderr, one JSON document on stdout, and one picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks robustness")
    parser.add_argument("--model", default=_DEFAULT_MODEL, help="names or files, by commas")
    parser.add_argument(
        "--source", required=True, help=f"folder with query and gallery, or {', '.join(YARDSTICKS)}"
    )
    parser.add_argument("--clips", type=Path, default=_SHARED_CLIPS, help="folder of the clips")
    parser.add_argument("--queries", type=int, help="at most so many, taken evenly; default: all")
    parser.add_argument("--output", type=Path, help="folder for robustness.png")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except EveryIDError as error:
        report(error)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    source = _source(options.source, options.clips)
    source = replace(source, query=_some(source.query, options.queries or len(source.query)))
    device = choose("auto", precision="fp32")  # figures of different machines are to agree
    conditions = 1 + sum(len(family.changes) for family in FAMILIES)
    total = len(source.gallery) + conditions * len(source.query)
    measured, hashes = {}, {}
    for model in options.model.split(","):
        encoder = build_encoder(model, device=device)
        with progress(encoder.name, total) as advance:
            curves = measure_robustness(encoder, source, advance=advance)
        name = model if encoder.name in measured else encoder.name  # files of several trainings
        measured[name], hashes[name] = curves, encoder.sha256
    _show(measured, hashes, {"device": str(device), "source": source.name})
    with result_folder(options.output, "benchmarks", "robustness") as folder:
        draw_robustness(folder / "robustness.png", measured)
        notice(f"drawn: {folder / 'robustness.png'}")


def _source(name: str, clips: Path) -> Source:
    if name in YARDSTICKS:
        one = read_yardstick(name)
        pictures = dict(zip(one.crops.paths, cut_crops(clips / one.file, one), strict=True))
        # A tracklet is what a camera is elsewhere: who is found in it was not lost in between.
        tracklets = tuple(str(track) for track in one.crops.tracks)
        crops = replace(one.crops, cameras=tracklets)
        return Source(f"{name} (tracklets as cameras)", crops, crops, pictures.__getitem__)
    sides = sides_of((Path(name),), None, None)
    query = find_crops(sides.query)
    gallery = query if sides.gallery is None else find_crops(sides.gallery)
    return Source(sides.name, query, gallery, lambda path: read_image(Path(path)))


def _some(crops: Crops, most: int) -> Crops:
    """At most so many, as evenly apart as can be."""
    count = min(len(crops), most)
    return crops.select(np.arange(count, dtype=np.intp) * len(crops) // count)


def _show(
    measured: dict[str, list[RobustnessCurve]], hashes: dict[str, str], facts: dict[str, str]
) -> None:
    text = "\nrobustness\n" + "".join(f"  {key}: {value}\n" for key, value in facts.items())
    text += "".join(f"  {curves[0].protocol}\n" for curves in measured.values())
    width = max(12, *(len(name) for name in measured))
    text += f"\n{'Rank-1 / mAP, %':54}" + "".join(f"  {name:>{width}}" for name in measured) + "\n"
    for what, level, cells in _rows(list(measured.values())):
        text += f"{what:36}{level:18}" + "".join(f"  {cell:>{width}}" for cell in cells) + "\n"
    sys.stderr.write(text)
    results = [
        {
            "model": name,
            "model_sha256": hashes[name],
            "protocol": curves[0].protocol,
            "curves": [_rounded(curve) for curve in curves],
        }
        for name, curves in measured.items()
    ]
    sys.stdout.write(json.dumps({"title": "robustness", **facts, "results": results}, indent=2))
    sys.stdout.write("\n")


def _rows(measured: list[list[RobustnessCurve]]) -> Iterator[tuple[str, str, list[str]]]:
    """Family, level and the figures of each network; "none" once, then all else."""
    for number, curve in enumerate(measured[0]):
        for place, level in enumerate(curve.levels):
            if level == _NONE and number:
                continue
            of_each = [curves[number].metrics for curves in measured]
            cells = [
                f"{100 * one[_RANK_1][place]:.1f} / {100 * one[_MAP][place]:.1f}" for one in of_each
            ]
            yield ("" if level == _NONE else curve.name), level, cells


def _rounded(curve: RobustnessCurve) -> dict[str, Any]:
    metrics = {name: [round(value, 4) for value in row] for name, row in curve.metrics.items()}
    return {"name": curve.name, "levels": curve.levels, "metrics": metrics}
