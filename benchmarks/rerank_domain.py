"""``python -m benchmarks rerank``: k-reciprocal re-ranking against the dense way to do it.

The peer is ``rerank.py`` of torchreid where its path is given, else a dense one of the same
arithmetic. Each side runs in a process of its own and gives the final distance of every query to
every gallery row: the peer as one array, ours in blocks that are forgotten. Memory is the growth of
the process over vectors that lie there already. At the size of MSMT17 the peer needs more than a
hundred gigabytes, and ours runs alone.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pairs import Ratio, median_ratio, show
from benchmarks.person_domain import WIDTH, clusters, growth

SIZES = {"market": (3_368, 15_913), "msmt": (11_659, 82_161)}
ALONE = {"msmt"}
"""Sizes that are beyond the peer."""
BLOCK, RANKS = 256, 50
GOAL = ">= 10 of the time, <= 0.05 of the memory"

Vectors = NDArray[np.float32]
Dense = Callable[[Vectors, Vectors, Vectors], Vectors]


def main(arguments: list[str]) -> int:
    """Compares both sides, or runs one of them once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rerank")
    parser.add_argument("--only", choices=sorted(SIZES), action="append", help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of both sides; 0.1 is quick")
    parser.add_argument(
        "--noise", type=float, default=2.0, help="on an identity's vectors, over the spread of all"
    )
    parser.add_argument("--rounds", type=int, default=1, help="the peer takes minutes for one")
    parser.add_argument("--threads", type=int, default=2, help="of both sides")
    parser.add_argument("--peer", type=Path, help="rerank.py of torchreid; default: a dense one")
    parser.add_argument("--side", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--distances", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        sys.stdout.write(json.dumps(_run_side(options)) + "\n")
        return 0
    ratios, alone = [], {}
    for name in options.only or SIZES:
        sys.stderr.write(f"{name} ...\n")
        if name in ALONE:
            alone[f"{name} alone"] = _child(name, "ours", options)
        else:
            ratios.append(_compare(name, options))
    facts = {"noise": options.noise, "seed": 0, "width": WIDTH, "threads": options.threads}
    show("rerank", facts | alone, ratios)
    return 0


def _compare(name: str, options: argparse.Namespace) -> Ratio:
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
        files = {side: Path(folder) / f"{side}.npy" for side in found}
        for round_number in range(options.rounds):
            for side, documents in found.items():
                file = None if round_number else files[side]
                documents.append(_child(name, side, options, distances=file))
        ours, theirs = (np.load(file, mmap_mode="r") for file in files.values())
        facts = _agreement(ours, theirs)
    for key in ("cpu_s", "peak_mb"):
        pair = [min(document[key] for document in found[side]) for side in ("theirs", "ours")]
        facts |= {f"ours_{key}": pair[1], f"theirs_{key}": pair[0]}
        facts[f"{key}_ratio"] = round(pair[0] / max(pair[1], 1e-9), 2)
    seconds = {side: [each["seconds"] for each in found[side]] for side in found}
    queries, gallery = found["ours"][0]["shape"]
    peer = "torchreid's" if options.peer else "a dense numpy"
    return Ratio(
        f"re-ranking {queries:,} x {gallery:,}, {WIDTH}-d / {peer} rerank.py",
        GOAL,
        seconds["ours"],
        seconds["theirs"],
        median_ratio(seconds["theirs"], seconds["ours"]),
        facts,
    )


def _agreement(ours: Vectors, theirs: Vectors) -> dict[str, object]:
    """How far both sides' distances are apart, and how often they put the same row in a place."""
    apart, same = 0.0, []
    for start in range(0, len(ours), BLOCK):
        pair = [part[start : start + BLOCK] for part in (ours, theirs)]
        apart = max(apart, float(np.abs(pair[0] - pair[1]).max()))
        first, second = (np.argsort(part, axis=1, kind="stable")[:, :RANKS] for part in pair)
        same.append(float((first == second).mean()))
    return {"largest_difference": apart, f"same_top_{RANKS}": round(float(np.mean(same)), 6)}


def _child(
    name: str, side: str, options: argparse.Namespace, *, distances: Path | None = None
) -> dict[str, Any]:
    """What one side reports of itself, from a process with its number of threads."""
    command = [sys.executable, "-m", "benchmarks", "rerank", "--only", name, "--side", side]
    for option in ("scale", "noise", "threads"):
        command += [f"--{option}", str(getattr(options, option))]
    command += ["--peer", str(options.peer)] if options.peer else []
    command += ["--distances", str(distances)] if distances else []
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EVERYID_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(options.threads))}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def _run_side(options: argparse.Namespace) -> dict[str, object]:
    """Seconds, processor seconds and megabytes of one side, run once after a tiny warm-up."""
    torch.set_num_threads(options.threads)
    shape = SIZES[options.only[0]]
    shape = (max(int(shape[0] * options.scale), 2), max(int(shape[1] * options.scale), 30))
    query, gallery = clusters(shape, options.noise)[:2]
    side = _ours if options.side == "ours" else _theirs(options.peer)
    few = clusters((30, 300), options.noise)
    side(few[0], few[1], None)
    before = time.perf_counter(), time.process_time()
    peak = growth(lambda: side(query, gallery, options.distances))
    after = time.perf_counter(), time.process_time()
    return {
        "shape": shape,
        "seconds": round(after[0] - before[0], 3),
        "cpu_s": round(after[1] - before[1], 3),
        "peak_mb": round(peak, 1),
    }


def _ours(query: Vectors, gallery: Vectors, file: Path | None) -> None:
    from everyid.device import choose
    from person.rerank import k_reciprocal

    found = k_reciprocal(query, gallery, device=choose("cpu"))
    with (file or Path(os.devnull)).open("wb") as kept:
        shape = (len(query), len(gallery))
        np.lib.format.write_array_header_1_0(
            kept, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        for start in range(0, len(query), BLOCK):
            block = found.distances(np.arange(start, min(start + BLOCK, len(query))))
            kept.write(block.data)


def _theirs(peer: Path | None) -> Callable[[Vectors, Vectors, Path | None], None]:
    rerank: Dense = dense_rerank
    if peer is not None:
        spec = importlib.util.spec_from_file_location("peer_rerank", peer)
        if spec is None or spec.loader is None:
            raise SystemExit(f"{peer}: not a Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        rerank = module.re_ranking

    def run(query: Vectors, gallery: Vectors, file: Path | None) -> None:
        def apart(left: Vectors, right: Vectors) -> Vectors:
            return np.asarray(np.sqrt(np.maximum(2 - 2 * (left @ right.T), 0)))

        found = rerank(apart(query, gallery), apart(query, query), apart(gallery, gallery))
        if file is not None:
            np.save(file, found)

    return run


def dense_rerank(query_gallery: Vectors, queries: Vectors, gallery: Vectors) -> Vectors:
    """Final distances (Q, G) from Euclidean distances, by arrays of all rows with all rows."""
    count = len(queries)
    distance = np.block([[queries, query_gallery], [query_gallery.T, gallery]]) ** 2
    distance /= distance.max(axis=1, keepdims=True)
    ranks = np.argsort(distance, axis=1).astype(np.int32)

    def reciprocal(row: int, size: int) -> NDArray[np.int32]:
        near = ranks[row, :size]
        return np.asarray(near[(ranks[near, :size] == row).any(axis=1)])

    weights = np.zeros_like(distance)
    for row in range(len(distance)):
        wide = reciprocal(row, 21)
        members = [wide]
        for near in wide:
            narrow = reciprocal(near, 11)
            if 3 * np.isin(narrow, wide).sum() > 2 * len(narrow):
                members.append(narrow)
        chosen = np.unique(np.concatenate(members))
        weight = np.exp(-distance[row, chosen])
        weights[row, chosen] = weight / weight.sum()
    encoded = np.stack([weights[near].mean(axis=0) for near in ranks[:, :6]])
    holders = [np.flatnonzero(column) for column in encoded.T]
    final = np.empty_like(query_gallery)
    for row in range(count):
        shared = np.zeros(len(distance), np.float32)
        for member in np.flatnonzero(encoded[row]):
            others = holders[member]
            shared[others] += np.minimum(encoded[row, member], encoded[others, member])
        jaccard = 1 - shared / (2 - shared)
        final[row] = (0.7 * jaccard + 0.3 * distance[row])[count:]
    return final
