"""``python -m benchmarks gallery``: one query against a million vectors, and its peers.

The vectors are drawn: people who look alike in crowds, several pictures of each. Half of the
queries are new pictures of enrolled people, half are strangers from the same crowds. All sides
answer the same query in turn, in one process with a fixed number of threads.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.pairs import Ratio, median_ratio, show

WIDTH, RANKS, SEED = 256, 10, 6
PICTURES, LIKE = 10, 50
"""Pictures of a person; people of a crowd who look alike."""
CROWD = 0.65
"""Cosine of two people of one crowd, before the spread of their pictures."""
SPREAD = (0.25, 0.67)
"""Squared length that a picture's own part has beside the person's 1: cosines of 0.8 to 0.6."""
LISTS, PROBES, LEARNT_ON = 1024, (8, 32), 65_536
"""faiss's inverted lists: how many, how many a query looks into, and rows they are learnt from."""

ONE, MANY = "ours < 30 ms, recall >= 0.99", "none"
"""Goals."""

Answer = NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """What is searched, and what is searched for.

    Args:
        gallery: float32 (N, D), length 1.
        groups: int64 (N,), the person of each row.
        known: float32 (Q, D), new pictures of people of the gallery.
        strangers: float32 (Q, D), pictures of people of the same crowds who are not enrolled.
        known_groups: int64 (Q,), the person of each known query.
    """

    gallery: NDArray[np.float32]
    groups: NDArray[np.int64]
    known: NDArray[np.float32]
    strangers: NDArray[np.float32]
    known_groups: NDArray[np.int64]


@dataclass
class Side:
    """One way to search.

    Args:
        name: For the table.
        ask: Rows (Q, K) for queries (Q, D).
        facts: What making it cost, and what it found.
        seconds: Of each query.
        processor_s: Of each query, all threads together: what is left of it on a busy machine.
    """

    name: str
    ask: Callable[[NDArray[np.float32]], Answer]
    facts: dict[str, object]
    seconds: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    found: list[Answer] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Runs the comparison in a process with that many threads; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gallery")
    parser.add_argument("--count", type=int, default=1_000_000, help="vectors in the gallery")
    parser.add_argument("--queries", type=int, default=100, help="of each of the two kinds")
    parser.add_argument("--batch", type=int, default=1000, help="queries asked at once; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hnsw", action="store_true", help="also HNSW: long to build")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        _compare(options)
        return 0
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EVERYID_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(options.threads))}
    command = [sys.executable, "-m", "benchmarks", "gallery", "--inside", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def _compare(options: argparse.Namespace) -> None:
    import faiss
    import torch

    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    sys.stderr.write("drawing people ...\n")
    people = draw_people(options.count, max(options.queries, options.batch // 2))
    ours, *others = sides = _sides(people, options)
    queries = np.concatenate([people.known[: options.queries], people.strangers[: options.queries]])
    for row in range(len(queries)):
        for side in sides:
            start, worked = time.perf_counter(), time.process_time()
            answer = side.ask(queries[row : row + 1])
            side.seconds.append(time.perf_counter() - start)
            side.processor_s.append(time.process_time() - worked)
            side.found.append(answer[0])
    exact = np.array(others[0].found)
    for side in sides:
        side.facts |= _figures(side, exact)
    facts = {
        "gallery": f"{len(people.gallery):,} x {WIDTH}, seed {SEED}",
        **_hardness(people, exact),
        "threads": options.threads,
        "versions": {name: version(name) for name in ("torch", "numpy", "faiss-cpu")},
    }
    ratios = [_ratio(f"one query, seconds / {other.name}", ONE, ours, other) for other in others]
    if options.batch:
        asked = np.concatenate([people.known, people.strangers])[: options.batch]
        for side in (ours, others[0]):
            start, worked = time.perf_counter(), time.process_time()
            side.found = [side.ask(asked)]
            side.seconds = [time.perf_counter() - start]
            side.facts = {"processor_s": round(time.process_time() - worked, 2)}
        same = float((ours.found[0] == others[0].found[0]).mean())
        ours.facts["same_places"] = round(same, 6)
        ratios.append(_ratio(f"{len(asked):,} at once / {others[0].name}", MANY, ours, others[0]))
    show("gallery", facts, ratios)


def _ratio(name: str, goal: str, ours: Side, theirs: Side) -> Ratio:
    facts = {f"ours_{k}": v for k, v in ours.facts.items()}
    facts |= {f"theirs_{k}": v for k, v in theirs.facts.items()}
    value = median_ratio(ours.seconds, theirs.seconds)
    return Ratio(name, goal, ours.seconds, theirs.seconds, value, facts)


def _figures(side: Side, exact: Answer) -> dict[str, object]:
    """Recall of both kinds of query, and what all but one query in twenty stay under."""
    hits = (np.array(side.found)[:, :, None] == exact[:, None]).any(axis=1).mean(axis=1)
    half = len(hits) // 2
    return {
        "recall_known": round(float(hits[:half].mean()), 4),
        "recall_strangers": round(float(hits[half:].mean()), 4),
        "processor_ms": round(float(np.median(side.processor_s)) * 1000, 2),
        "p95_ms": round(float(np.percentile(side.seconds, 95)) * 1000, 2),
    }


def _hardness(people: People, exact: Answer) -> dict[str, object]:
    """How near the nearest are: cosines of ranks, 5 %, half and 95 % of the queries below."""
    half = len(exact) // 2
    known, strangers = people.known[:half], people.strangers[:half]
    near = np.einsum("qkd,qd->qk", people.gallery[exact[:half]], known)
    far = np.einsum("qkd,qd->qk", people.gallery[exact[half:]], strangers)
    first = people.groups[exact[:half, 0]] == people.known_groups[:half]
    return {
        "known_cosine_of_rank_1": np.percentile(near[:, 0], [5, 50, 95]).round(3).tolist(),
        "known_cosine_of_rank_10": np.percentile(near[:, 9], [5, 50, 95]).round(3).tolist(),
        "strangers_cosine_of_rank_1": np.percentile(far[:, 0], [5, 50, 95]).round(3).tolist(),
        "known_found_at_rank_1": round(float(first.mean()), 4),
    }


def _sides(people: People, options: argparse.Namespace) -> list[Side]:
    """Ours, then its peers, the exact one first; each made and warmed up."""
    import faiss

    from person.gallery.search import VectorIndex

    gallery = people.gallery
    warm = people.known[:16]

    def searching(index: "faiss.Index") -> Callable[[NDArray[np.float32]], Answer]:
        return lambda query: index.search(query, RANKS)[1]

    def ours() -> Callable[[NDArray[np.float32]], Answer]:
        index = VectorIndex(gallery, people.groups)
        return lambda query: index.search(query, k=RANKS).indices

    def flat() -> Callable[[NDArray[np.float32]], Answer]:
        index = faiss.IndexFlatIP(WIDTH)
        index.add(gallery)
        return searching(index)

    def lists() -> Callable[[NDArray[np.float32]], Answer]:
        coarse = faiss.IndexFlatIP(WIDTH)
        index = faiss.IndexIVFFlat(coarse, WIDTH, LISTS, faiss.METRIC_INNER_PRODUCT)
        index.train(gallery[:LEARNT_ON])
        index.add(gallery)
        kept.append(index)
        return searching(index)

    def probing(number: int) -> Callable[[NDArray[np.float32]], Answer]:
        index = kept[0]
        parameters = faiss.SearchParametersIVF(nprobe=number)
        return lambda query: index.search(query, RANKS, params=parameters)[1]

    def graph() -> Callable[[NDArray[np.float32]], Answer]:
        index = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
        index.add(gallery)
        index.hnsw.efSearch = 128
        return searching(index)

    kept: list[object] = []
    sides = [_made("ours", ours, warm), _made("faiss IndexFlatIP, exact", flat, warm)]
    made = _made(f"faiss IndexIVFFlat, {LISTS} lists", lists, warm)
    sides += [Side(f"{made.name}, {n} probed", probing(n), dict(made.facts)) for n in PROBES]
    if options.hnsw:
        sides.append(_made("faiss IndexHNSWFlat, 32 links, efSearch 128", graph, warm))
    return sides


def _made(
    name: str,
    make: Callable[[], Callable[[NDArray[np.float32]], Answer]],
    warm: NDArray[np.float32],
) -> Side:
    """A side that has answered some queries, what that took, and the memory it took."""
    sys.stderr.write(f"making {name} ...\n")
    process = psutil.Process()
    before, start = process.memory_info().rss, time.perf_counter()
    ask = make()
    made = time.perf_counter()
    first = [time.perf_counter()]
    for row in range(len(warm)):
        ask(warm[row : row + 1])
        first.append(time.perf_counter())
    grown = (process.memory_info().rss - before) / 2**20
    facts: dict[str, object] = {
        "make_s": round(made - start, 3),
        "first_query_s": round(first[1] - first[0], 3),
        "slowest_of_first_16_s": round(max(np.diff(first)), 3),
        "memory_mb": round(grown),
    }
    return Side(name, ask, facts)


def draw_people(count: int, queries: int, *, seed: int = SEED) -> People:
    """A gallery of ``count`` vectors and twice ``queries`` queries, each purpose with its seed."""
    people = count // PICTURES
    crowds = _unit(_generator(seed, 0).standard_normal((max(1, people // LIKE), WIDTH), np.float32))
    random = _generator(seed, 1)
    centres = _members(crowds, random.permutation(people) % len(crowds), random)
    spread = random.uniform(*SPREAD, people).astype(np.float32)
    groups = np.repeat(np.arange(people), PICTURES)
    gallery = np.empty((len(groups), WIDTH), np.float32)
    random = _generator(seed, 2)
    for start in range(0, len(groups), 50_000):
        some = groups[start : start + 50_000]
        gallery[start : start + 50_000] = _pictures(centres[some], spread[some], random)
    random = _generator(seed, 3)
    chosen = random.integers(0, people, queries)
    known = _pictures(centres[chosen], spread[chosen], random)
    others = _members(crowds, random.integers(0, len(crowds), queries), random)
    strangers = _pictures(others, random.uniform(*SPREAD, queries).astype(np.float32), random)
    order = _generator(seed, 4).permutation(len(groups))  # people come and go: not side by side
    return People(gallery[order], groups[order], known, strangers, chosen)


def _generator(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _members(
    crowds: NDArray[np.float32], which: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float32]:
    own = _unit(random.standard_normal((len(which), WIDTH), np.float32))
    return _unit(np.float32(CROWD**0.5) * crowds[which] + np.float32((1 - CROWD) ** 0.5) * own)


def _pictures(
    centres: NDArray[np.float32], spread: NDArray[np.float32], random: np.random.Generator
) -> NDArray[np.float32]:
    own = _unit(random.standard_normal(centres.shape, np.float32))
    return _unit(centres + np.sqrt(spread)[:, None] * own)
