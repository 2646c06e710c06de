"""The benchmark of re-ranking: its peer, and its command at a small size."""

import json

import numpy as np
import pytest

from benchmarks import rerank_domain
from benchmarks.person_domain import clusters
from benchmarks.rerank_domain import dense_rerank, main
from tests.reference.reranking import reranked_distances


def test_the_dense_peer_equals_the_twin():
    query, gallery = clusters((5, 60), 2.0)[:2]

    def apart(left, right):
        return np.sqrt(np.maximum(2 - 2 * (left @ right.T), 0))

    found = dense_rerank(apart(query, gallery), apart(query, query), apart(gallery, gallery))
    np.testing.assert_allclose(found, reranked_distances(query, gallery), atol=1e-5)


def test_both_sides_in_this_process(monkeypatch, capsys):
    def child(name, side, options, *, distances=None):
        words = ["--only", name, "--side", side, "--scale", "0.01", "--threads", "1"]
        main(words + (["--distances", str(distances)] if distances else []))
        return json.loads(capsys.readouterr().out)

    monkeypatch.setattr(rerank_domain, "_child", child)
    assert main([]) == 0
    document = json.loads(capsys.readouterr().out)
    (ratio,) = document["results"]
    assert ratio["name"].startswith("re-ranking 33 x 159, 512-d / a dense numpy")
    assert ratio["largest_difference"] < 1e-5
    assert ratio["same_top_50"] > 0.99
    assert document["msmt alone"]["shape"] == [116, 821]


def test_a_peer_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        main(["--only", "market", "--side", "theirs", "--peer", str(tmp_path / "gone.py")])
