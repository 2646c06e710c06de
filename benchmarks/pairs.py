"""Paired timings: both sides in turn, ratios pair by pair, medians."""

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """One comparison: seconds of both sides in each round.

    Args:
        name: What is compared.
        goal: In words, such as ">= 2.5".
        ours: Seconds a round.
        theirs: Seconds a round.
        facts: What else was seen.
    """

    name: str
    goal: str
    ours: list[float]
    theirs: list[float]
    value: float
    facts: dict[str, object]

    def document(self) -> dict[str, object]:
        """What goes into the JSON."""
        return {
            "name": self.name,
            "goal": self.goal,
            "ratio": round(self.value, 3),
            "ours_median_s": round(statistics.median(self.ours), 5),
            "theirs_median_s": round(statistics.median(self.theirs), 5),
            "rounds": len(self.ours),
            **self.facts,
        }


def alternate(
    ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of both sides, measured in turn, after one uncounted round."""
    ours()
    theirs()
    first, second = [], []
    for _ in range(rounds):
        first.append(ours())
        second.append(theirs())
    return first, second


def median_ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios, pair by pair."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def show(title: str, facts: dict[str, object], ratios: list[Ratio]) -> None:
    """The table to stderr, the JSON document to stdout."""
    sys.stderr.write(f"\n{title}\n" + "".join(f"  {k}: {v}\n" for k, v in facts.items()))
    for ratio in ratios:
        sys.stderr.write(f"\n{ratio.name}: {ratio.value:.2f} (goal {ratio.goal})\n")
        for key, value in ratio.document().items():
            if key not in {"name", "goal", "ratio"}:
                sys.stderr.write(f"    {key}: {value}\n")
    document = {"title": title, **facts, "results": [ratio.document() for ratio in ratios]}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
