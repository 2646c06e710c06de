"""Results of the ``person`` commands as text for people."""

from everyid.models import (
    EmbeddingRun,
    Evaluation,
    EvaluationRun,
    MatchRun,
    QueryMatches,
    TopRankRun,
)
from everyid.output import counted
from person.evaluation import summary_line

__all__ = ["embed_text", "evaluate_text", "match_text", "top_rank_text"]


def embed_text(run: EmbeddingRun) -> str:
    """How many crops, how fast, and where they are."""
    rate = run.crops / run.elapsed_s if run.elapsed_s > 0 else 0.0
    head = f"{counted(run.crops, 'crop')} in {run.elapsed_s:.1f} s, {rate:.1f} crops/s"
    interrupted = ["interrupted"] if run.interrupted else []
    last = f"{run.model.width} values each in {run.output}"
    return "\n".join([head, *_skipped_lines(run.skipped), *interrupted, last])


def evaluate_text(run: EvaluationRun) -> str:
    """The figures, the protocol they stand for, and where the curves are."""
    lines = [*_evaluation_lines(run.evaluation), *_skipped_lines(run.skipped)]
    return "\n".join([*lines, f"results in {run.output}"])


def _skipped_lines(skipped: dict[str, str]) -> list[str]:
    return [f"skipped {counted(len(skipped), 'file')}"] if skipped else []


def _evaluation_lines(found: Evaluation) -> list[str]:
    """The figures and the protocol they stand for, never one without the other."""
    return [summary_line(found), found.protocol_line]


def _ranked_lines(found: QueryMatches) -> list[str]:
    """A query's matches as a list."""
    lines = []
    for one in found.matches:
        labels = [text for text in (one.identity, one.camera and f"camera {one.camera}") if text]
        lines.append(
            f"{one.rank:4}  {one.similarity:6.3f}  {one.path}"
            + (f"  ({', '.join(labels)})" if labels else "")
        )
    return lines


def _ranking_line(run: MatchRun | TopRankRun) -> str:
    """What was ranked, and what was done to the ranking."""
    done = "" if run.reranking == "none" else f"; {run.reranking}"
    return (
        f"{counted(run.queries, 'query', 'queries')}, gallery of {run.gallery:,}, "
        f"the best {run.top_k} of each{done}"
    )


def top_rank_text(run: TopRankRun) -> str:
    """The figures or why there are none, and the matches of a single query."""
    lines = [line for found in run.matches for line in (found.query, *_ranked_lines(found))]
    lines.append(_ranking_line(run))
    if run.evaluation is not None:
        lines += _evaluation_lines(run.evaluation)
    elif run.no_figures:
        lines.append(f"no figures: {run.no_figures}")
    lines += _skipped_lines(run.skipped) + (["interrupted"] if run.interrupted else [])
    lines += [f"  {name:8} {path}" for name, path in run.outputs.items()]
    return "\n".join([*lines, f"results in {run.output}"])


def match_text(run: MatchRun) -> str:
    """How much was compared, how fast, and where the tables are."""
    head = f"{_ranking_line(run)} in {run.elapsed_s:.2f} s"
    return "\n".join([head, *(str(path) for path in run.outputs.values())])
