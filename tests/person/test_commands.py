"""``person embed``, ``match`` and ``evaluate``: whole runs, and what is in their files."""

import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from everyid.models import EmbeddingRun, EvaluationRun, MatchRun
from person.crops import LABELS, Crops
from person.embeddings import Embeddings, read_embeddings, write_embeddings
from tests.object.scenes import files_in, rows_of
from tests.person.people import UNUSABLE, bad_pictures, figure, id_folders, save


def crops(labels, folder=""):
    """Crops from (identity, camera) pairs."""
    count = len(labels)
    nothing = (None,) * count
    identities, cameras = zip(*labels, strict=True)
    paths = tuple(f"{folder}{number}.png" for number in range(count))
    return Crops(paths, identities, cameras, nothing, nothing, nothing, nothing)


def at_angles(path, labels, degrees, *, model="hand", sha256="ab" * 32):
    """A file of embeddings in the plane."""
    radians = np.radians(degrees)
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    write_embeddings(path, Embeddings(crops(labels, f"{path.stem}/"), vectors, model, sha256))
    return path


@pytest.fixture
def by_hand(tmp_path):
    """Queries and gallery whose ranking is plain to see.

    Query 0 (ann): its own camera's picture at 0 degrees is ignored, eve at 5 comes before ann at
    10: AP 1/2. Query 1 (bob): bob at 92 comes before all: AP 1. Query 2 (joe) has no match.
    """
    query = at_angles(
        tmp_path / "query.npz", [("ann", "1"), ("bob", "1"), ("joe", "1")], [0, 90, 180]
    )
    gallery = at_angles(
        tmp_path / "gallery.parquet",
        [("ann", "1"), ("ann", "2"), ("bob", "2"), ("eve", "2"), (None, "2")],
        [0, 10, 92, 5, 1],
    )
    return query, gallery


# embed


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_embed(everyid, colour, people, tmp_path, suffix):
    out = tmp_path / "new" / f"people{suffix}"
    done = everyid("embed", "-s", people, "-m", colour, "-o", out, "--json")
    assert done.code == 0
    run = EmbeddingRun.model_validate_json(done.out)
    found = read_embeddings(out)
    assert (run.output, run.crops, run.skipped) == (out, 6, {})
    assert run.model.input == "RGB, ImageNet mean and std, 256x128, Pillow bilinear"
    assert found.crops.identities == tuple(f"person_{n}" for n in (1, 1, 2, 2, 3, 3))
    assert (found.model, found.model_sha256, found.width) == ("colour", run.model.sha256, 48)
    similar = found.vectors @ found.vectors.T
    np.fill_diagonal(similar, -1)
    assert similar.argmax(1).tolist() == [1, 0, 3, 2, 5, 4]
    if suffix == ".parquet":
        names = pq.read_schema(out).names
        assert names == ["path", *LABELS, "vector", "model", "model_sha256"]


def test_embed_skips_what_is_bad(everyid, colour, people, tmp_path):
    bad = bad_pictures(tmp_path / "bad")
    out = tmp_path / "out.npz"
    done = everyid("embed", "-s", people, "-s", tmp_path / "bad", "-m", colour, "-o", out, "--json")
    assert done.code == 1
    run = EmbeddingRun.model_validate_json(done.out)
    assert run.crops == 6 + len(bad) - len(UNUSABLE)
    assert sorted(run.skipped) == sorted(str(bad[name]) for name in UNUSABLE)
    assert all(path in reason for path, reason in run.skipped.items())
    for reason in run.skipped.values():
        assert f"warning: skipped: {reason}\n" in done.err
    assert len(read_embeddings(out)) == run.crops
    done = everyid("embed", "-s", people, "-s", tmp_path / "bad", "-m", colour)
    assert done.code == 1
    assert f"skipped {len(UNUSABLE)} files" in done.out.splitlines()


def test_embed_reads_a_list_again(everyid, colour, people, embedded, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(str(people / f"person_{n}" / "1.png") for n in (3, 1)))
    out = tmp_path / "out.npz"
    assert everyid("embed", "-s", listed, "-m", colour, "-o", out).code == 0
    assert read_embeddings(out).crops.identities == ("person_3", "person_1")
    wanted = ("--colour", "bgr", "--overwrite")
    source = embedded / "query.parquet"  # of rgb; as a list of crops it is embedded anew
    assert everyid("embed", "-s", source, "-m", colour, "-o", out, *wanted).code == 0
    again, before = read_embeddings(out), read_embeddings(source)
    assert again.crops == before.crops
    assert not np.allclose(again.vectors, before.vectors, atol=0.05)


def test_embed_goes_on_where_it_was_interrupted(everyid, colour, crowd, tmp_path, interrupt):
    whole, out = tmp_path / "whole.parquet", tmp_path / "new" / "out.parquet"
    words = ("embed", "-s", crowd, "-m", colour, "--batch-size", 1)
    assert everyid(*words, "-o", whole).code == 0
    interrupt(3)
    done = everyid(*words, "-o", out, "--json")
    assert done.code == 130
    run = EmbeddingRun.model_validate_json(done.out)
    assert run.interrupted
    assert 3 <= run.crops < 42
    assert len(read_embeddings(run.output)) == run.crops
    assert files_in(out.parent) == [run.output.name]
    assert f"with --output {out} goes on from here" in done.err
    other = everyid(*words, "-o", out.with_name("bgr.parquet"), "--colour", "bgr")
    assert "embedded before" not in other.err  # neither another output nor another input
    again = everyid(*words, "-o", out)
    assert again.code == 0
    assert f"{run.crops} of 42 crops were embedded before" in again.err
    assert files_in(out.parent) == ["bgr.parquet", "out.parquet"]
    found, wanted = read_embeddings(out), read_embeddings(whole)
    assert found.crops == wanted.crops
    np.testing.assert_allclose(found.vectors, wanted.vectors, atol=1e-6)


def test_a_part_of_another_input_or_a_damaged_one_is_left_alone(
    everyid, colour, crowd, tmp_path, interrupt
):
    out = tmp_path / "out.npz"
    words = ("embed", "-s", crowd, "-m", colour, "-o", out, "--batch-size", 1)
    interrupt(3)
    part = EmbeddingRun.model_validate_json(everyid(*words, "--json").out).output
    assert "embedded before" not in everyid(*words, "--colour", "bgr").err
    out.unlink()
    part.write_bytes(b"PK nothing")
    done = everyid(*words)
    assert done.code == 0
    assert "warning: beginning anew: " in done.err
    assert files_in(tmp_path) == ["out.npz"]


def test_embed_interrupted_at_once(everyid, colour, crowd, tmp_path, interrupt):
    for words in (("-o", tmp_path / "new" / "out.parquet"), ()):
        interrupt(0)
        done = everyid("embed", "-s", crowd, "-m", colour, *words)
        assert (done.code, done.out, done.errors) == (130, "", [])
    assert not (tmp_path / "new").exists()
    assert files_in(tmp_path / "results") == ["person/embed"]


def test_the_default_source_is_used(everyid, colour, tmp_path):
    id_folders(tmp_path / "results" / "datasets" / "people")
    done = everyid("embed", "-m", colour, "--json")
    assert EmbeddingRun.model_validate_json(done.out).crops == 6


# match


def test_match_by_hand(everyid, by_hand, tmp_path):
    query, gallery = by_hand
    words = ("match", "--query", query, "--gallery", gallery, "-o", tmp_path / "out")
    done = everyid(*words, "-k", 3, "--save", "csv,parquet", "--json")
    assert done.code == 0
    run = MatchRun.model_validate_json(done.out)
    assert (run.queries, run.gallery, run.top_k) == (3, 5, 3)
    rows = rows_of(run.outputs["csv"])
    assert [row["match"] for row in rows[:6]] == [f"gallery/{n}.png" for n in (0, 4, 3, 2, 1, 3)]
    assert [row["state"] for row in rows[:4]] == ["same", "unknown", "other", "same"]
    assert [float(row["similarity"]) for row in rows[:3]] == pytest.approx(
        np.cos(np.radians([0, 1, 5])).tolist(), abs=1e-6
    )
    table = pq.read_table(run.outputs["parquet"])
    assert table["match"].to_pylist() == [row["match"] for row in rows]
    assert table["match_identity"].to_pylist()[1] is None


def test_match_of_a_file_with_itself(everyid, by_hand, tmp_path):
    gallery = by_hand[1]
    link = tmp_path / "link.parquet"
    link.symlink_to(gallery)
    for other in (gallery, link):
        words = ("match", "--query", gallery, "--gallery", other, "-o", tmp_path / "out")
        done = everyid(*words, "-k", 9, "--overwrite")
        assert done.code == 0
        assert done.err == "--top-k 9: the gallery has only 4 for a query; all are given\n"
        rows = rows_of(tmp_path / "out" / "matches.csv")
        assert len(rows) == 5 * 4
        assert all(row["query"] != row["match"] for row in rows)


def test_match_with_fewer_than_asked_for(everyid, by_hand):
    done = everyid("match", "--query", by_hand[0], "--gallery", by_hand[1], "-k", 9, "--json")
    assert MatchRun.model_validate_json(done.out).top_k == 5
    assert "--top-k 9: the gallery has only 5 for a query; all are given\n" in done.err


def test_match_re_ranked(everyid, tmp_path):
    """The end of a loose group on an arc, and a dense group that is nearer to it."""
    degrees = [0, 4, 8, 12, 16, *range(-10, -33, -1)]
    labels = [("ann", str(camera)) for camera in range(5)] + [("eve", "1")] * 23
    file = at_angles(tmp_path / "set.npz", labels, degrees)
    words = ("match", "--query", file, "--gallery", file, "-o", tmp_path / "out", "--overwrite")
    firsts = {}
    for way in ((), ("--rerank",), ("--expand-query", 2), ("--rerank", "--expand-query", 2)):
        done = everyid(*words, "-k", 5, *way)
        assert (done.code, done.err) == (0, "")
        assert ("k-reciprocal re-ranking" in done.out) == ("--rerank" in way)
        assert ("queries expanded by 2" in done.out) == ("--expand-query" in way)
        rows = rows_of(tmp_path / "out" / "matches.csv")
        assert all(row["query"] != row["match"] for row in rows)
        firsts[way] = [(row["match_identity"], float(row["similarity"])) for row in rows[:5]]
        apart = [degrees[int(row["match"][4:-4])] for row in rows[:5]]
        cosines = np.cos(np.radians(apart)).tolist()
        assert [similarity for _, similarity in firsts[way]] == pytest.approx(cosines, abs=1e-6)
    assert [who for who, _ in firsts[()]] == ["ann", "ann", "eve", "eve", "ann"]
    assert len({tuple(found) for found in firsts.values()}) > 1


# evaluate


def test_refined_figures_say_so(everyid, by_hand):
    words = ("evaluate", "--query", by_hand[0], "--gallery", by_hand[1])
    done = everyid(*words, "--rerank", "--expand-query", 1, "--json")
    found = EvaluationRun.model_validate_json(done.out).evaluation
    summary = "queries expanded by 1, k-reciprocal re-ranking, k1 20, k2 6, lambda 0.3"
    assert (done.code, found.reranking) == (0, summary)
    assert f"; {summary}; model hand" in found.protocol_line
    assert "queries expanded by 1; model hand" in everyid(*words, "--expand-query", 1).out


def test_known_figures(everyid, by_hand, tmp_path):
    query, gallery = by_hand
    words = ("evaluate", "--query", query, "--gallery", gallery, "-o", tmp_path / "out", "--json")
    done = everyid(*words)
    assert (done.code, done.err) == (0, "")
    run = EvaluationRun.model_validate_json(done.out)
    found = run.evaluation
    assert (found.protocol, found.queries, found.queries_without_match) == ("cross-camera", 2, 1)
    assert (found.gallery, found.unlabelled, found.junk) == (4, 1, 0)
    assert found.mean_average_precision == pytest.approx(0.75)
    assert found.mean_inverse_negative_penalty == pytest.approx(0.75)
    assert found.cmc[:3] == [0.5, 1, 1]
    assert (found.intervals, found.bootstrap_repeats) == ({}, 0)
    for part in ("cross-camera protocol", "2 queries", "1 more", "gallery 4", "model hand"):
        assert part in found.protocol_line
    document = run.outputs["json"].read_text()
    assert EvaluationRun.model_validate_json(document) == run
    assert json.loads(document) == json.loads(done.out)
    assert cv2.imread(str(run.outputs["curves"])) is not None
    assert files_in(tmp_path / "out") == ["curves.png", "evaluation.json"]


def test_figures_that_count_the_same_camera(everyid, by_hand):
    words = ("evaluate", "--query", by_hand[0], "--gallery", by_hand[1], "--json")
    done = everyid(*words, "--protocol", "no-camera")
    found = EvaluationRun.model_validate_json(done.out).evaluation
    # ann: ranks 1 and 3 of 4; bob: rank 1
    assert found.mean_average_precision == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert found.mean_inverse_negative_penalty == pytest.approx((2 / 3 + 1) / 2)
    assert found.cmc[0] == 1


def test_a_set_in_itself_leaves_each_query_out(everyid, tmp_path):
    labels = [("ann", "1"), ("ann", "2"), ("bob", "1"), ("bob", "2")]
    file = at_angles(tmp_path / "set.npz", labels, [0, 10, 4, 90])
    done = everyid("evaluate", "--source", file, "--json")
    found = EvaluationRun.model_validate_json(done.out).evaluation
    # ann 1 finds bob (4) and then ann (10); ann 2 finds bob first; bob 1 finds both anns before
    # bob 2; bob 2 finds ann (10) and bob 1 (4) second
    assert (found.queries, found.gallery) == (4, 4)
    assert found.cmc[:3] == [0, 0.75, 1]
    expected = (1 / 2 + 1 / 2 + 1 / 3 + 1 / 2) / 4
    assert found.mean_average_precision == pytest.approx(expected)


def test_bootstrap(everyid, embedded, tmp_path):
    words = ("evaluate", "--query", embedded / "query.parquet")
    words += ("--gallery", embedded / "gallery.npz", "--bootstrap", 50)
    runs = [
        EvaluationRun.model_validate_json(everyid(*words, "--seed", seed, "--json").out).evaluation
        for seed in (1, 1, 2)
    ]
    assert runs[0].intervals == runs[1].intervals != runs[2].intervals
    assert runs[0].bootstrap_repeats == 50
    assert set(runs[0].intervals) == {
        *("mean_average_precision", "mean_inverse_negative_penalty"),
        *("rank_1", "rank_5", "rank_10", "rank_20"),
    }
    span = runs[0].intervals["mean_average_precision"]
    assert span.low < runs[0].mean_average_precision < span.high
    assert everyid(*words).out.startswith("Rank-1 58.3 (")


def test_evaluate_folders(everyid, colour, crowd, embedded):
    done = everyid("evaluate", "-s", crowd, "-m", colour, "--json")
    assert done.code == 0
    run = EvaluationRun.model_validate_json(done.out)
    files = ("--query", embedded / "query.parquet", "--gallery", embedded / "gallery.npz")
    other = EvaluationRun.model_validate_json(everyid("evaluate", *files, "--json").out)
    assert run.evaluation.cmc == other.evaluation.cmc
    assert run.evaluation.protocol_line.startswith("crowd: market1501")


def test_evaluate_with_a_bad_picture(everyid, colour, people, tmp_path):
    save(tmp_path / "set" / "ann_c1.png", figure(1))
    (tmp_path / "set" / "text.png").write_text("no picture")
    words = ("-s", tmp_path / "set", "-s", people, "-m", colour, "--protocol", "no-camera")
    done = everyid("evaluate", *words, "--json")
    assert done.code == 1
    assert list(EvaluationRun.model_validate_json(done.out).skipped) == [
        str(tmp_path / "set" / "text.png")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no camera is known of these pictures"),
        (("--protocol", "market1501"), "the market1501 protocol needs to know the camera"),
        (("--protocol", "mars"), "expected a track, none is known"),
    ],
)
def test_what_cannot_be_measured(everyid, colour, people, tmp_path, words, message):
    out = tmp_path / "out"
    done = everyid("evaluate", "-s", people, "-m", colour, "-o", out, *words)
    assert (done.code, done.out) == (1, "")
    assert message in done.errors[0]
    assert len(done.hints) == 1
    assert not out.exists()


def test_evaluate_interrupted(everyid, colour, crowd, tmp_path, interrupt):
    interrupt(3)
    words = ("evaluate", "-s", crowd / "query", "-m", colour, "--batch-size", 1)
    done = everyid(*words, "-o", tmp_path / "out")
    assert (done.code, done.out, done.errors) == (130, "", [])
    assert "interrupted before all crops were embedded: nothing is measured\n" in done.err
    assert not (tmp_path / "out").exists()
