"""Results as text: each figure beside its protocol, counts with their nouns."""

from pathlib import Path

from everyid.models import (
    EmbeddingRun,
    EncoderSummary,
    Evaluation,
    EvaluationRun,
    Match,
    MatchRun,
    QueryMatches,
    TopRankRun,
)
from person.texts import embed_text, evaluate_text, match_text, top_rank_text

MODEL = EncoderSummary(name="net", sha256="", width=8)
FOUND = Evaluation(
    protocol_line="people: the rules",
    protocol="cross-camera",
    data="people",
    model=MODEL,
    queries=4,
    queries_without_match=0,
    gallery=9,
    junk=0,
    unlabelled=0,
    mean_average_precision=0.5,
    mean_inverse_negative_penalty=0.25,
    cmc=[0.25, 0.75],
)
FIGURES = "Rank-1 25.0, Rank-5 75.0, Rank-10 75.0, Rank-20 75.0, mAP 50.0, mINP 25.0 %"


def top_rank(**values):
    whole = {"output": Path("out"), "model": MODEL, "queries": 2, "gallery": 1000, "top_k": 20}
    return TopRankRun(**(whole | values))


def test_embed_text():
    run = EmbeddingRun(output=Path("a.npz"), crops=1, model=MODEL, elapsed_s=0.5)
    assert embed_text(run) == "1 crop in 0.5 s, 2.0 crops/s\n8 values each in a.npz"
    run = EmbeddingRun(
        output=Path("a.npz"),
        crops=0,
        model=MODEL,
        elapsed_s=0,
        skipped={"a": "b"},
        interrupted=True,
    )
    assert embed_text(run).splitlines()[:3] == [
        "0 crops in 0.0 s, 0.0 crops/s",
        "skipped 1 file",
        "interrupted",
    ]


def test_match_text():
    run = MatchRun(
        output=Path("out"),
        queries=1,
        gallery=12_000,
        top_k=3,
        model=MODEL,
        elapsed_s=0.25,
        outputs={"csv": Path("out/matches.csv")},
    )
    assert match_text(run) == (
        "1 query, gallery of 12,000, the best 3 of each in 0.25 s\nout/matches.csv"
    )


def test_figures_never_stand_without_their_protocol():
    run = EvaluationRun(output=Path("out"), evaluation=FOUND, skipped={"a": "b", "c": "d"})
    assert evaluate_text(run).splitlines() == [
        FIGURES,
        "people: the rules",
        "skipped 2 files",
        "results in out",
    ]
    lines = top_rank_text(top_rank(evaluation=FOUND)).splitlines()
    assert lines[lines.index(FIGURES) + 1] == "people: the rules"


def test_top_rank_text():
    found = Match(rank=1, path="b.png", identity="ann", camera="2", similarity=0.5, state="same")
    bare = Match(rank=12, path="c.png", similarity=-0.25, state="unknown")
    run = top_rank(
        no_figures="nobody knows",
        matches=[QueryMatches(query="a.png", matches=[found, bare])],
        outputs={"csv": Path("out/matches.csv")},
        skipped={"x": "y"},
        interrupted=True,
    )
    assert top_rank_text(run).splitlines() == [
        "a.png",
        "   1   0.500  b.png  (ann, camera 2)",
        "  12  -0.250  c.png",
        "2 queries, gallery of 1,000, the best 20 of each",
        "no figures: nobody knows",
        "skipped 1 file",
        "interrupted",
        "  csv      out/matches.csv",
        "results in out",
    ]
