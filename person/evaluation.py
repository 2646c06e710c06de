"""From embeddings and a protocol to figures, with the line that says what they stand for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from everyid.models import Evaluation, Interval, VerificationSummary
from person.crops import Crops, own_rows
from person.embeddings import Embeddings, pool_tracklets
from person.intervals import bootstrap
from person.metrics import Ranking, Truth
from person.protocol import Labels, Protocol, label, protocol
from person.refinement import Ranked, Refinement
from person.verification import FALSE_POSITIVE_RATES, Samples, Verification, verify

__all__ = ["Evaluated", "evaluate", "fitting_protocol", "summary_line"]

_RANKS = (1, 5, 10, 20)
_MOST_RANKS = 50


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation and the curves behind it."""

    evaluation: Evaluation
    verification: Verification


def fitting_protocol(name: str | None, query: Crops, gallery: Crops) -> Protocol:
    """The protocol of that name; without a name the one that the labels speak for.

    Junk of Market-1501 (-1) or MARS (00-1) in the gallery speaks for these; else known cameras for
    ``cross-camera``.

    Raises:
        ConfigError: No such name.
        InputError: No name, and no cameras are known.
    """
    if name is not None:
        return protocol(name)
    if not any(query.cameras) or not any(gallery.cameras):
        raise InputError(
            "no camera is known of these pictures, and Rank-1 among pictures of one camera says "
            "little about finding a person again",
            hint="say how file names tell the camera with --camera-pattern, or accept figures "
            "that count pictures of the same camera with --protocol no-camera",
        )
    identities = set(gallery.identities)
    if "00-1" in identities:
        return protocol("mars")
    return protocol("market1501" if "-1" in identities else "cross-camera")


def evaluate(
    query: Embeddings,
    gallery: Embeddings | None,
    *,
    rules: Protocol,
    data: str,
    repeats: int = 0,
    seed: int = 0,
    ranked: Ranked | None = None,
) -> Evaluated:
    """The figures of queries in a gallery, or of a set in itself.

    Args:
        query: The queries.
        gallery: The gallery of the same model, or None: every row is a query in turn, and the
            others are its gallery. A query whose own file is in the gallery does not find it.
        rules: The protocol.
        data: What it is, for the protocol line.
        repeats: Bootstrap draws for the intervals; 0: none.
        seed: Of the draws.
        ranked: The ranking of these queries in this gallery; None: by similarity alone, on the CPU.
            Pairs are verified by the similarity of their own vectors in any case.

    Raises:
        InputError: Nothing can be measured: no labels, no cameras, or no query with a match.
    """
    how = Refinement() if ranked is None else ranked.how
    if rules.tracklets:
        query = pool_tracklets(query)
        gallery = None if gallery is None else pool_tracklets(gallery)
    if rules.tracklets or ranked is None:
        ranked = how.rank(query, gallery)
    rows = query if gallery is None else gallery
    labels = label(query.crops, rows.crops, rules)
    left, right = query.vectors[labels.query_rows], rows.vectors[labels.gallery_rows]
    truth = _truth(query.crops, None if gallery is None else gallery.crops, labels, rules, seed)
    ranking = ranked.measure(
        labels.query_rows, labels.gallery_rows, truth=truth, max_rank=_MOST_RANKS
    )
    verification = verify(
        Samples(left, labels.query_ids, labels.query_cameras),
        Samples(right, labels.gallery_ids, labels.gallery_cameras),
        exclude=truth.own_rows,
    )
    model = query.summary()
    evaluation = Evaluation(
        protocol_line=_protocol_line(
            ranking, labels, rules, data=data, ending=f"{_reranking(how)}; model {model.name}"
        ),
        protocol=rules.name,
        data=data,
        model=model,
        reranking=how.summary,
        queries=len(ranking.rows),
        queries_without_match=ranking.skipped,
        gallery=len(labels.gallery_rows),
        junk=labels.junk,
        unlabelled=labels.unlabelled,
        mean_average_precision=ranking.mean_average_precision,
        mean_inverse_negative_penalty=ranking.mean_inverse_negative_penalty,
        cmc=ranking.cmc_curve.tolist(),
        intervals=_intervals(ranking, repeats, seed) if repeats else {},
        bootstrap_repeats=repeats,
        verification=_verification_summary(verification),
    )
    return Evaluated(evaluation, verification)


def _truth(
    query: Crops, gallery: Crops | None, labels: Labels, rules: Protocol, seed: int
) -> Truth:
    own: NDArray[np.int64] | None
    if gallery is None:
        own = np.searchsorted(labels.gallery_rows, labels.query_rows).astype(np.int64)
    else:
        own = own_rows(query.select(labels.query_rows), gallery.select(labels.gallery_rows))
    return Truth(
        labels.query_ids,
        labels.gallery_ids,
        labels.query_cameras,
        labels.gallery_cameras,
        own,
        rules.single_shot_repeats,
        seed,
    )


def _protocol_line(
    ranking: Ranking, labels: Labels, rules: Protocol, *, data: str, ending: str
) -> str:
    asked = f"{len(ranking.rows):,} {'query' if len(ranking.rows) == 1 else 'queries'}"
    skipped = f", {ranking.skipped:,} more without a match" if ranking.skipped else ""
    junk = f" after {labels.junk:,} junk removed" if labels.junk else ""
    lost = f"; {labels.unlabelled:,} unlabelled left out" if labels.unlabelled else ""
    return (
        f"{data}: {rules.name} protocol ({rules.summary}); {asked}{skipped}, "
        f"gallery {len(labels.gallery_rows):,}{junk}{lost}; {ending}"
    )


def _reranking(how: Refinement) -> str:
    return "no re-ranking" if how.summary == "none" else how.summary


def _intervals(ranking: Ranking, repeats: int, seed: int) -> dict[str, Interval]:
    columns: dict[str, NDArray[np.float64]] = {
        "mean_average_precision": ranking.average_precision,
        "mean_inverse_negative_penalty": ranking.inverse_negative_penalty,
    }
    for rank in _RANKS:
        columns[f"rank_{rank}"] = ranking.cmc[:, rank - 1]
    low, high = bootstrap(np.stack(list(columns.values()), axis=1), repeats=repeats, seed=seed)
    return {
        name: Interval(low=lowest, high=highest)
        for name, lowest, highest in zip(columns, low.tolist(), high.tolist(), strict=True)
    }


def _verification_summary(found: Verification) -> VerificationSummary:
    return VerificationSummary(
        same_pairs=found.same_count,
        different_pairs=found.different_count,
        auc=found.auc,
        eer=found.eer,
        eer_threshold=found.eer_threshold,
        tpr_at_fpr={f"{rate:g}": found.tpr_at(rate) for rate in FALSE_POSITIVE_RATES},
        fpr=found.fpr.tolist(),
        tpr=found.tpr.tolist(),
        thresholds=found.thresholds.tolist(),
        missing=found.missing,
    )


def summary_line(found: Evaluation) -> str:
    """The figures for people, in per cent, with their intervals where there are some."""

    def shown(name: str, value: float, key: str) -> str:
        text = f"{name} {100 * value:.1f}"
        if key in found.intervals:
            span = found.intervals[key]
            text += f" ({100 * span.low:.1f}-{100 * span.high:.1f})"
        return text

    parts = [shown(f"Rank-{k}", found.rank(k), f"rank_{k}") for k in _RANKS]
    parts.append(shown("mAP", found.mean_average_precision, "mean_average_precision"))
    parts.append(
        shown("mINP", found.mean_inverse_negative_penalty, "mean_inverse_negative_penalty")
    )
    line = ", ".join(parts) + " %"
    pairs = found.verification
    if pairs is not None and pairs.eer is not None:
        line += f"; EER {100 * pairs.eer:.1f} % at similarity {pairs.eer_threshold:.3f}"
    return line
