"""``python -m benchmarks int8``: what int8 brings and what it costs, network by network.

Speed: images a second in fp32, bf16 and int8 against the same network in torch, eager and fp32
(networks that come as graphs: against their own fp32), all in turn in one process with one thread.
A ViT-B/16 with random weights is among them, for its speed alone. Accuracy: Rank-1 and mAP on a
labelled folder of people whom no network has seen. ``--record`` writes the accuracies to
``person/quantisation_offers.json``, by which ``--precision int8`` is offered or refused.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from everyid.device import Precision, choose
from everyid.models import Evaluation
from everyid.output import Stop, whole_file
from everyid.quantise import Calibration
from everyid.runtime import NetworkSource, Preprocessing, compile_network
from everyid.store import sha256_of
from person import quantisation
from person.backbones import architecture
from person.checkpoint import load_network
from person.crops import find_crops
from person.embed import embed_crops
from person.embeddings import Embeddings
from person.encoder import EncoderOptions, NetworkEncoder, build_encoder, find_checkpoint
from person.evaluation import evaluate, fitting_protocol
from person.quantisation import Figures, Offers, QuantisedFigures, calibration_of
from person.session import sides_of
from person.training.validation import ignore_progress

__all__ = ["cost_of", "main", "record", "speeds"]

VIT = "vit-b16-256x128"
"""TransReID's ViT-B/16 with random weights."""
NAMES = (
    "everyid-cnn",
    *(f"person-reidentification-retail-{number}" for number in ("0277", "0286", "0287", "0288")),
)
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
WORDS = "synthetic people held out (seed 901), cross-camera, 400 queries, gallery 800"
EAGER = "torch eager fp32"
IMAGES, BATCH = 16, 8
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EVERYID_THREADS")

Side = Callable[[], object]


def main(arguments: list[str]) -> int:
    """Runs the measurements; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks int8")
    parser.add_argument("--model", action="append", help="default: those known by name, and a ViT")
    parser.add_argument("--data", type=Path, help="labelled folder; none: speed alone")
    parser.add_argument(
        "--rounds", type=int, default=5, help="counted rounds of the speeds; 0: none"
    )
    parser.add_argument("--record", action="store_true", help="write what int8 is offered by")
    parser.add_argument("--words", default=WORDS, help="what the data is called in the record")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.record and options.data is None:
        parser.error("--record needs --data")
    if options.child:
        sys.stdout.write(json.dumps(_measure(options.child, options)) + "\n")
        return 0
    found = {}
    for name in options.model or (*NAMES, VIT):
        sys.stderr.write(f"{name} ...\n")
        found[name] = _in_process(name, options)
        sys.stderr.write(json.dumps(found[name], indent=2) + "\n")
    versions = {name: version(name) for name in ("nncf", "openvino", "torch")}
    if options.record:
        costs = [one["cost"] for one in found.values() if one["cost"]]
        record([QuantisedFigures.model_validate(one) for one in costs])
    document = {"title": "int8", "device": str(choose("cpu")), "versions": versions}
    sys.stdout.write(json.dumps({**document, "networks": found}, indent=2) + "\n")
    return 0


def _in_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What is found of one network by a process with one thread and a cache of its own."""
    command = [sys.executable, "-m", "benchmarks", "int8", "--child", name]
    command += ["--rounds", str(options.rounds)]
    command += ["--data", str(options.data), "--words", options.words] if options.data else []
    with tempfile.TemporaryDirectory(prefix="everyid-bench-") as folder:
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "EVERYID_CACHE": folder}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    sides = _vit() if name == VIT else _sides(name)
    cost = None
    if options.data is not None and name != VIT:
        cost = cost_of(name, options.data, options.words).model_dump()
    return {"cost": cost, "speed": speeds(sides, options.rounds) if options.rounds else None}


def speeds(sides: Mapping[str, Side], rounds: int) -> dict[str, dict[str, float]]:
    """Images a second of each side, and the ratio to the first one; medians.

    ``cpu_ratio`` is of processor time, which other programs on the machine disturb less.

    Args:
        sides: Name -> what does ``IMAGES`` images once.
        rounds: In each, all sides have their turn; one more before does not count.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            started = (time.perf_counter(), time.process_time())
            side()
            ended = (time.perf_counter(), time.process_time())
            taken[name].append((ended[0] - started[0], ended[1] - started[1]))
    seconds = {name: np.array(pairs[1:]) for name, pairs in taken.items()}
    first = next(iter(seconds.values()))
    found = {}
    for name, pairs in seconds.items():
        wall, cpu = np.median(first / pairs, axis=0).tolist()
        images_per_s = IMAGES / float(np.median(pairs[:, 0]))
        found[name] = {
            "images_per_s": round(images_per_s, 2),
            "ratio": round(wall, 3),
            "cpu_ratio": round(cpu, 3),
        }
    return found


def _encoder(name: str, precision: str) -> NetworkEncoder:
    """An encoder, whether int8 is offered for it or not."""
    nothing = quantisation.offers().model_copy(update={"networks": []})
    with mock.patch.object(quantisation, "offers", return_value=nothing):
        options = EncoderOptions.model_validate({"precision": precision, "batch_size": BATCH})
        return build_encoder(name, device=choose("cpu"), options=options)


def _pictures(size_hw: tuple[int, int]) -> Any:  # noqa: ANN401
    return np.random.default_rng(0).integers(0, 256, (IMAGES, *size_hw, 3), np.uint8)


def _in_batches(compute: Callable[[Any], object], batch: Any) -> Side:  # noqa: ANN401
    return lambda: [compute(batch[first : first + BATCH]) for first in range(0, IMAGES, BATCH)]


def _sides(name: str) -> dict[str, Side]:
    encoders = {precision: _encoder(name, precision) for precision in PRECISIONS}
    batch = _pictures(encoders["fp32"].input.size_hw or (256, 128))
    sides: dict[str, Side] = {
        precision: _in_batches(encoder.encode_prepared, batch)
        for precision, encoder in encoders.items()
    }
    if name in NAMES[1:] or Path(name).suffix in {".xml", ".onnx"}:
        return sides
    found = find_checkpoint(name)
    return {EAGER: _eager(load_network(found.path, found.recognition), batch), **sides}


def _eager(network: Any, batch: Any) -> Side:  # noqa: ANN401
    import torch

    torch.set_num_threads(1)
    module = network.eval()
    planes = torch.from_numpy(batch).permute(0, 3, 1, 2).float().contiguous() / 255

    def compute(some: Any) -> object:  # noqa: ANN401
        with torch.inference_mode():
            return module(some)

    return _in_batches(compute, planes)


def _vit() -> dict[str, Side]:
    import torch

    torch.manual_seed(0)
    kind = architecture("transreid")
    config = kind.config()
    spec, size_hw = kind.input(config), (256, 128)
    network = kind.build(config).eval()
    batch = _pictures(size_hw)
    sides: dict[str, Side] = {EAGER: _eager(network, batch)}
    # Random weights need no good ranges, and a ViT takes minutes for all the pictures.
    few = Calibration("few", lambda: calibration_of(size_hw, "bilinear").images()[:BATCH])
    for precision in PRECISIONS:
        compiled = compile_network(
            lambda: NetworkSource(network),
            device=choose("cpu", precision=precision),
            preprocessing=Preprocessing(
                colour=spec.colour, scale=spec.scale, mean=spec.mean, std=spec.std
            ),
            size_hw=size_hw,
            calibration=few,
        )
        sides[precision] = _in_batches(compiled, batch)
    return sides


def cost_of(name: str, data: Path, words: str) -> QuantisedFigures:
    """What int8 costs a network on labelled crops.

    Args:
        name: As for ``--model``.
        data: A folder with queries and a gallery, cameras known.
        words: What the data is called, and how many queries and pictures it has.
    """
    sides = sides_of((data,), None, None)
    crops = [find_crops(paths) for paths in (sides.query, sides.gallery or sides.query)]
    rules = fitting_protocol(None, *crops)

    def embedded(precision: str) -> list[Embeddings]:
        encoder = _encoder(name, precision)
        return [
            embed_crops(some, encoder, skipped={}, stop=Stop(), advance=ignore_progress)
            for some in crops
        ]

    def figures(query: Embeddings, gallery: Embeddings) -> Evaluation:
        return evaluate(query, gallery, rules=rules, data=sides.name).evaluation

    plain, small = embedded("fp32"), embedded("int8")
    in_fp32, in_int8 = figures(*plain), figures(*small)
    return QuantisedFigures(
        name=name,
        sha256=plain[0].model_sha256,
        fp32=_short(in_fp32),
        int8=_short(in_int8),
        across=round(figures(small[0], plain[1]).rank(1), 4),
        data=words,
        calibration_sha256=sha256_of(quantisation.CROPS_FILE),
        versions={package: version(package) for package in ("nncf", "openvino")},
    )


def _short(found: Evaluation) -> Figures:
    return Figures(
        rank_1=round(found.rank(1), 4),
        mean_average_precision=round(found.mean_average_precision, 4),
    )


def record(costs: list[QuantisedFigures]) -> None:
    """Writes what int8 is offered by; networks that were not measured now keep their figures."""
    measured = {one.name for one in costs}
    kept = [one for one in quantisation.offers().networks if one.name not in measured]
    after = Offers(networks=sorted([*kept, *costs], key=lambda one: one.name))
    with whole_file(quantisation.OFFERS_FILE, overwrite=True) as part:
        part.write_text(after.model_dump_json(indent=2) + "\n", encoding="utf-8")
