"""The slow, obvious twin of object/tracking_metrics.py: one box at a time, every pairing tried."""

import math
from collections import Counter, defaultdict
from functools import cache

ALPHAS = [0.05 * (number + 1) for number in range(19)]
NEARLY = 1e-12


def overlap(one, other) -> float:
    """Intersection over union of two (x1, y1, x2, y2)."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, wide) * max(0.0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both) if both > 0 else 0.0


def best_pairs(rows, columns, worth) -> list:
    """The (row, column) pairs, each in one at most, whose worth(row, column) sums to the most."""

    @cache
    def best(at, free):
        if at == len(rows):
            return 0.0, ()
        found = best(at + 1, free)
        for column in free:
            gain = worth(rows[at], column)
            if gain > 0:
                rest, pairs = best(at + 1, free - {column})
                if gain + rest > found[0] + NEARLY:
                    found = gain + rest, ((rows[at], column), *pairs)
        return found

    return list(best(0, frozenset(columns))[1])


def slow_scores(people, tracks, excused=()) -> dict[str, float]:
    """The figures of one sequence: all three are rows of (frame, id, (x1, y1, x2, y2)).

    ``excused`` are boxes that take away the tracks' boxes that fit them better than any person.
    """
    truth, found, odd = defaultdict(dict), defaultdict(dict), defaultdict(dict)
    for rows, frames in ((people, truth), (tracks, found), (excused, odd)):
        for frame, name, box in rows:
            frames[frame][name] = box
    for frame in odd:
        boxes = {("odd", name): box for name, box in odd[frame].items()}
        boxes |= {("person", name): box for name, box in truth[frame].items()}
        for key, name in matched(boxes, found[frame]):
            if key[0] == "odd":
                del found[frame][name]
    frames = sorted({*truth, *found})
    times = [(truth[frame], found[frame]) for frame in frames]
    return {**hota(times), **identity(times), **clear(times)}


def matched(boxes, others, bonus=frozenset()) -> list:
    """The best pairs of names whose boxes overlap by a half; pairs in ``bonus`` come first."""

    def worth(name, other):
        value = overlap(boxes[name], others[other])
        return (1000 * ((name, other) in bonus) + value) if value >= 0.5 - NEARLY else 0.0

    return best_pairs(tuple(boxes), tuple(others), worth)


def hota(times) -> dict[str, float]:
    size, length, likely = Counter(), Counter(), Counter()
    for truth, found in times:
        size.update(list(truth))
        length.update(list(found))
        for name, box in truth.items():
            for track, other in found.items():
                value = overlap(box, other)
                row = sum(overlap(box, one) for one in found.values())
                column = sum(overlap(one, other) for one in truth.values())
                if value > 0:
                    likely[name, track] += value / (row + column - value)

    def alignment(name, track):
        return likely[name, track] / (size[name] + length[track] - likely[name, track])

    matches = []
    for truth, found in times:

        def worth(name, track, truth=truth, found=found):
            return alignment(name, track) * overlap(truth[name], found[track])

        for name, track in best_pairs(tuple(truth), tuple(found), worth):
            matches.append((name, track, overlap(truth[name], found[track])))
    total = sum(size.values()) + sum(length.values())
    shares = {"hota": 0.0, "detection_accuracy": 0.0, "association_accuracy": 0.0}
    shares["localisation_accuracy"] = 0.0
    for alpha in ALPHAS:
        close = [match for match in matches if match[2] >= alpha - NEARLY]
        together = Counter((name, track) for name, track, _ in close)
        detection = len(close) / max(1, total - len(close))
        association = sum(
            together[name, track] / (size[name] + length[track] - together[name, track])
            for name, track, _ in close
        ) / max(1, len(close))
        shares["hota"] += math.sqrt(detection * association) / 19
        shares["detection_accuracy"] += detection / 19
        shares["association_accuracy"] += association / 19
        mean = sum(match[2] for match in close) / len(close) if close else 1.0
        shares["localisation_accuracy"] += mean / 19
    return shares


def identity(times) -> dict[str, float]:
    together = Counter()
    for truth, found in times:
        for name, box in truth.items():
            for track, other in found.items():
                together[name, track] += overlap(box, other) >= 0.5
    names = tuple({name for truth, _ in times for name in truth})
    tracks = tuple({track for _, found in times for track in found})
    pairs = best_pairs(names, tracks, lambda name, track: together[name, track])
    same = sum(together[pair] for pair in pairs)
    boxes, tracked = (sum(len(time[side]) for time in times) for side in (0, 1))
    return {
        "idf1": 2 * same / max(1, boxes + tracked),
        "id_precision": same / max(1, tracked),
        "id_recall": same / max(1, boxes),
    }


def clear(times) -> dict[str, float]:
    last, before = {}, set()
    hits = switches = 0
    for truth, found in times:
        if not truth or not found:
            continue
        pairs = matched(truth, found, before)
        for name, track in pairs:
            switches += last.get(name, track) != track
            last[name] = track
        hits += len(pairs)
        before = set(pairs)
    boxes, tracked = (sum(len(time[side]) for time in times) for side in (0, 1))
    return {
        "mota": (2 * hits - tracked - switches) / max(1, boxes),
        "id_switches": switches,
        "false_positives": tracked - hits,
        "misses": boxes - hits,
    }
