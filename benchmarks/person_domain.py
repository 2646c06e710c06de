"""``python -m benchmarks person``: embedding, matching and evaluation against their peers.

Each comparison runs in a process of its own with a fixed number of threads, both sides in turn.
Memory is the growth of a process while it runs one side once.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.pairs import Ratio, alternate, median_ratio, show

MARKET, MSMT, MILLION = (3_368, 19_732), (11_659, 82_161), (1_000, 1_000_000)
WIDTH, RANKS = 512, 50
EASY, HARD = 0.5, 3.0
"""Noise on the vectors of an identity, in units of the spread between identities."""


def main(arguments: list[str]) -> int:
    """Runs the comparisons, or one of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks person")
    parser.add_argument("--only", choices=sorted(CASES), action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds")
    parser.add_argument(
        "--cython", type=Path, help="folder with fast-reid's built rank_cy, see README.md"
    )
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        _run_case(options)
        return 0
    ratios = []
    for name in options.only or CASES:
        if name.startswith("evaluate") and options.cython is None:
            sys.stderr.write(f"{name}: left out, it needs --cython\n")
            continue
        sys.stderr.write(f"{name} ...\n")
        ratios += _in_process(name, options)
    show("person", {"device": _device(), "versions": _versions()}, ratios)
    return 0


def _versions() -> dict[str, str]:
    found = {}
    for name in ("openvino", "torch", "numpy", "transformers", "faiss-cpu", "fastreid"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _device() -> str:
    from everyid.device import choose

    return str(choose("cpu"))


def _in_process(name: str, options: argparse.Namespace) -> list[Ratio]:
    """The ratios of one case, from a process with its number of threads."""
    documents = json.loads(_child(name, options, []))
    if CASES[name][2]:
        ours, theirs = (float(_child(name, options, ["--side", s])) for s in ("ours", "theirs"))
        documents[0]["facts"] |= {
            "ours_peak_mb": round(ours),
            "theirs_peak_mb": round(theirs),
            "memory_ratio": round(ours / theirs, 4),
        }
    return [Ratio(**document) for document in documents]


def _child(name: str, options: argparse.Namespace, more: list[str]) -> str:
    threads = str(CASES[name][1])
    command = [sys.executable, "-m", "benchmarks", "person", "--case", name]
    command += ["--rounds", str(options.rounds), *more]
    command += ["--cython", str(options.cython)] if options.cython else []
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EVERYID_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _run_case(options: argparse.Namespace) -> None:
    make, threads, _ = CASES[options.case]
    import torch

    torch.set_num_threads(threads)
    if options.cython:
        sys.path.insert(0, str(options.cython))
    with make(options) as sides:
        if options.side:
            sys.stdout.write(f"{growth(lambda: sides.run(options.side))}\n")
            return
        documents = [ratio.__dict__ for ratio in sides.compare(options.rounds)]
    sys.stdout.write(json.dumps(documents) + "\n")


def growth(work: Callable[[], object]) -> float:
    """Megabytes by which this process grew at most while it worked, looked at every 2 ms."""
    process, done, seen = psutil.Process(), threading.Event(), [0]
    if sys.platform == "linux":  # what was freed before goes back, or its reuse would not show
        ctypes.CDLL("libc.so.6").malloc_trim(0)

    def watch() -> None:
        while not done.wait(0.002):
            seen[0] = max(seen[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(seen[0] - before, 0) / 2**20


class Sides:
    """Two ways to do one thing.

    Args:
        name: What is compared.
        goal: In words.
        ours: Does it once.
        theirs: Does it once.
        above: Which side's seconds stand above the line.
        facts: What else to say, asked for when both have run.
    """

    def __init__(
        self,
        name: str,
        goal: str,
        ours: Callable[[], Any],
        theirs: Callable[[], Any],
        *,
        above: str = "ours",
        facts: Callable[[], dict[str, object]] = dict,
    ) -> None:
        self.name, self.goal, self.above, self.facts = name, goal, above, facts
        self._does = {"ours": ours, "theirs": theirs}
        self.results: dict[str, Any] = {}

    def run(self, side: str) -> float:
        """Seconds of one side."""
        started = time.perf_counter()
        self.results[side] = self._does[side]()
        return time.perf_counter() - started

    def compare(self, rounds: int) -> list[Ratio]:
        """Both sides in turn."""
        ours, theirs = alternate(
            lambda: self.run("ours"), lambda: self.run("theirs"), rounds=rounds
        )
        pair = (ours, theirs) if self.above == "ours" else (theirs, ours)
        value = median_ratio(*pair)
        return [Ratio(self.name, self.goal, ours, theirs, value, self.facts())]


def clusters(shape: tuple[int, int], noise: float, seed: int = 0) -> tuple[Any, ...]:
    """Vectors of identities with noise: queries, gallery, their identities and cameras.

    A gallery row has about 13 others of its identity, as in Market-1501; 6 cameras.
    """
    random = np.random.default_rng(seed)
    queries, gallery = shape
    identities = max(gallery // 13, 1)

    def rows(count: int) -> tuple[Any, Any, Any]:
        ids = random.integers(0, identities, count)
        vectors = centres[ids]
        vectors += np.float32(noise) * random.standard_normal((count, WIDTH), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors, ids, random.integers(0, 6, count)

    centres = random.standard_normal((identities, WIDTH), np.float32)
    q, q_ids, q_cameras = rows(queries)
    g, g_ids, g_cameras = rows(gallery)
    return q, g, q_ids, g_ids, q_cameras, g_cameras


def _matching(shape: tuple[int, int], goal: str) -> Callable[[Any], Any]:
    @contextmanager
    def make(options: argparse.Namespace) -> Iterator[Sides]:
        import faiss

        from everyid.device import choose
        from person.match import top_k

        faiss.omp_set_num_threads(2)
        query, gallery = clusters(shape, 1.0)[:2]
        device = choose("cpu")

        def facts() -> dict[str, object]:
            same = sides.results["ours"].indices == sides.results["theirs"][1]
            return {"same_places": round(float(same.mean()), 6), "device": str(device)}

        sides = Sides(
            f"top-{RANKS} of {shape[0]:,} x {shape[1]:,}, {WIDTH}-d, 2 threads / faiss.knn, exact",
            goal,
            lambda: top_k(query, gallery, k=RANKS, device=device),
            lambda: faiss.knn(query, gallery, RANKS, metric=faiss.METRIC_INNER_PRODUCT),
            facts=facts,
        )
        yield sides

    return make


def _evaluating(shape: tuple[int, int], noise: float, label: str) -> Callable[[Any], Any]:
    @contextmanager
    def make(options: argparse.Namespace) -> Iterator[Sides]:
        import rank_cy  # fast-reid's, which is torchreid's with mINP
        import torch

        from person.metrics import Truth, evaluate_ranking

        query, gallery, *labels = clusters(shape, noise)
        truth = Truth(*labels)

        def theirs() -> object:
            left, right = torch.from_numpy(query), torch.from_numpy(gallery)
            distances = (1 - torch.mm(left, right.t())).numpy()
            return rank_cy.evaluate_cy(distances, *labels, RANKS)

        def facts() -> dict[str, object]:
            ours = sides.results["ours"]
            cmc, precision, penalty = sides.results["theirs"]
            return {
                "rank1": [round(float(ours.cmc_curve[0]), 6), round(float(cmc[0]), 6)],
                "mAP": [round(ours.mean_average_precision, 6), round(float(precision.mean()), 6)],
                "mINP": [
                    round(ours.mean_inverse_negative_penalty, 6),
                    round(float(penalty.mean()), 6),
                ],
            }

        sides = Sides(
            f"CMC + mAP + mINP, {shape[0]:,} x {shape[1]:,}, {label}, 1 thread / "
            "distance matrix + Cython",
            "<= 0.25 of the time, <= 0.10 of the memory",
            lambda: evaluate_ranking(query, gallery, truth=truth, max_rank=RANKS),
            theirs,
            facts=facts,
        )
        yield sides

    return make


def _peak_gflops() -> dict[str, float]:
    """What a large matrix product reaches on this machine with the threads of this process."""
    import torch

    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
        times = []
        for _ in range(8):
            started = time.perf_counter()
            torch.mm(a, b)
            times.append(time.perf_counter() - started)
        found[name] = round(2 * 2048**3 / min(times) / 1e9, 1)
    return found


@contextmanager
def _embedding(options: argparse.Namespace) -> Iterator[Sides]:
    import torch
    from transformers import ViTConfig, ViTModel

    from everyid.device import choose
    from everyid.runtime import NetworkSource, Preprocessing, compile_network
    from person.backbones.transreid import ARCHITECTURE

    torch.manual_seed(0)
    network = ARCHITECTURE.build(ARCHITECTURE.config()).eval()
    peer = ViTModel(ViTConfig(image_size=(256, 128)), add_pooling_layer=False).eval()  # type: ignore[arg-type]
    device = choose("cpu")
    halves = (0.5, 0.5, 0.5)
    compiled = compile_network(
        lambda: NetworkSource(network),
        device=device,
        preprocessing=Preprocessing(mean=halves, std=halves),
        size_hw=(256, 128),
    )
    batch = np.random.default_rng(0).integers(0, 256, (16, 256, 128, 3), np.uint8)
    planes = torch.from_numpy(batch[..., ::-1].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1

    def ours() -> object:
        return np.concatenate([compiled(batch[:8])[0], compiled(batch[8:])[0]])

    def theirs() -> object:
        with torch.inference_mode():
            return peer(planes).last_hidden_state[:, 0]

    def facts() -> dict[str, object]:
        with torch.inference_mode():
            wanted = network(planes).numpy()
        found = sides.results["ours"]
        cosine = (wanted * found).sum(1) / np.linalg.norm(wanted, axis=1)
        cosine /= np.linalg.norm(found, axis=1)
        parameters = sum(p.numel() for n, p in network.named_parameters() if ".blocks." in n)
        attention = 12 * 2 * 2 * 129**2 * 768
        peak = _peak_gflops()
        return {
            "lowest_cosine_to_own_fp32": round(float(cosine.min()), 6),
            "gflop_an_image": round((2 * parameters * 129 + attention) / 1e9, 2),
            "matrix_peak_gflops": peak,
            "device": str(device),
            "images_a_round": len(batch),
        }

    sides = Sides(
        "ViT-B/16 256x128, images/s, 1 thread / transformers' ViT, torch eager fp32",
        ">= 4 in bf16, >= 80 % of the bf16 peak",
        ours,
        theirs,
        above="theirs",
        facts=facts,
    )
    yield sides


@contextmanager
def _end_to_end(options: argparse.Namespace) -> Iterator[Sides]:
    import cv2
    import torch
    from PIL import Image
    from safetensors.torch import save_file
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    from everyid.device import choose
    from everyid.output import Stop, progress
    from person.backbones.vit import ARCHITECTURE
    from person.crops import find_crops
    from person.embed import embed_crops
    from person.encoder import build_encoder

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    peer = ViTModel(ViTConfig(), add_pooling_layer=False).eval()
    processor = ViTImageProcessor()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / "crops" / f"{number}.jpg" for number in range(32)]
        paths[0].parent.mkdir()
        for path in paths:
            coarse = random.integers(0, 256, (32, 16, 3), np.uint8)
            cv2.imwrite(str(path), cv2.resize(coarse, (160, 400), interpolation=cv2.INTER_CUBIC))
        save_file(ARCHITECTURE.build(ARCHITECTURE.config()).state_dict(), folder / "v.safetensors")
        encoder = build_encoder(str(folder / "v.safetensors"), device=choose("cpu"))
        prepared = np.stack([encoder.prepare(cv2.imread(str(path))) for path in paths])
        alone: list[float] = []

        def ours() -> object:
            with progress("crops") as advance:
                found = embed_crops(
                    find_crops([folder / "crops"]), encoder, skipped={}, stop=Stop(),
                    advance=advance,
                )  # fmt: skip
            started = time.perf_counter()
            for first in range(0, len(prepared), encoder.batch_size):
                encoder.encode_prepared(prepared[first : first + encoder.batch_size])
            alone.append(time.perf_counter() - started)
            return found

        def theirs() -> object:
            rows = []
            for first in range(0, len(paths), 8):
                images = [Image.open(path).convert("RGB") for path in paths[first : first + 8]]
                with torch.inference_mode():
                    tensors = processor(images=images, return_tensors="pt")
                    rows.append(peer(**tensors).last_hidden_state[:, 0])
            return torch.cat(rows)

        class WithoutTheNetwork(Sides):
            def run(self, side: str) -> float:
                seconds = super().run(side)
                return seconds - alone[-1] if side == "ours" else seconds

            def compare(self, rounds: int) -> list[Ratio]:
                (ratio,) = super().compare(rounds)
                share = 1 - float(np.median(alone[1:])) / float(np.median(ratio.ours))
                ratio.facts["preparing_share"] = round(share, 4)
                return [ratio]

        yield WithoutTheNetwork(
            "crops on disk to vectors, ViT-B/16 224x224, 1 thread / image processor + eager ViT",
            ">= 4 in bf16; preparing <= 10 % of the time",
            ours,
            theirs,
            above="theirs",
        )


CASES: dict[str, tuple[Callable[[Any], Any], int, bool]] = {
    "embed": (_embedding, 1, False),
    "end-to-end": (_end_to_end, 1, False),
    "match-market": (_matching(MARKET, "<= 1.0"), 2, False),
    "match-msmt": (_matching(MSMT, "<= 1.0"), 2, False),
    "match-million": (_matching(MILLION, "<= 0.6"), 2, False),
    "evaluate-market-easy": (_evaluating(MARKET, EASY, "easy"), 1, True),
    "evaluate-market-hard": (_evaluating(MARKET, HARD, "hard"), 1, True),
    "evaluate-msmt-easy": (_evaluating(MSMT, EASY, "easy"), 1, True),
    "evaluate-msmt-hard": (_evaluating(MSMT, HARD, "hard"), 1, True),
}
"""Name -> both sides, threads, whether memory is compared too."""
