"""Configs of the ``person`` commands: what they take, and the one line about what they do not."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from everyid.config import build
from everyid.errors import ConfigError
from person.config import EmbedConfig, EncodingConfig, EvaluateConfig, MatchConfig, TopRankConfig

TOP = {"model": "m", "save": ("csv",)}
MATCH = {"query": Path("q.npz"), "gallery": Path("g.npz"), "save": ("csv",)}


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (EmbedConfig, {"model": "m", "sources": (), "batch_size": 0}, "--batch-size: .* got 0"),
        (EmbedConfig, {"model": "m", "sources": (), "size_hw": (0, 8)}, "--input-size: .* got 0"),
        (EmbedConfig, {"model": "m", "sources": (), "scale": 0.0}, r"--scale: .* got 0\.0"),
        (EmbedConfig, {"model": "m", "sources": (), "std": (1, 0, 1)}, "--std: .* got 0"),
        (EmbedConfig, {"model": "m", "sources": (), "mean": (0, 0, float("nan"))}, "--mean: .*nan"),
        (EmbedConfig, {"model": "m", "sources": (), "colour": "grb"}, "--colour: .* got 'grb'"),
        (EmbedConfig, {"model": "m", "sources": (), "resize": "area"}, "--resize: .* got 'area'"),
        (EmbedConfig, {"model": "m", "sources": (), "precision": "int4"}, "--precision: .*'int4'"),
        (
            EmbedConfig,
            {"model": "m", "sources": (), "output": Path("a.csv")},
            r"--output: expected a \.parquet or \.npz file, got a\.csv",
        ),
        (TopRankConfig, TOP | {"top_k": 0}, "--top-k: .* got 0"),
        (TopRankConfig, TOP | {"top_k": 1001}, "--top-k: .* got 1001"),
        (TopRankConfig, TOP | {"pictures": -1}, "--pictures: .* got -1"),
        (TopRankConfig, TOP | {"save": ()}, "--save: name at least one format.*"),
        (TopRankConfig, TOP | {"save": ("xml",)}, "--save: .*'folders'.* got 'xml'"),
        (TopRankConfig, TOP | {"query": Path("q")}, "--query needs --gallery as well"),
        (TopRankConfig, TOP | {"gallery": Path("g")}, "--gallery needs --query as well"),
        (
            EvaluateConfig,
            {"model": "m", "sources": (Path("s"),), "query": Path("q"), "gallery": Path("g")},
            "give --source, or --query and --gallery, not both",
        ),
        (EvaluateConfig, {"model": "m", "bootstrap": -1}, "--bootstrap: .* got -1"),
        (EvaluateConfig, {"model": "m", "seed": -1}, "--seed: .* got -1"),
        (MatchConfig, MATCH | {"save": ("folders",)}, "--save: .* got 'folders'"),
        (MatchConfig, MATCH | {"top_k": 0}, "--top-k: .* got 0"),
        (MatchConfig, MATCH | {"expand_query": -1}, "--expand-query: .* got -1"),
        (TopRankConfig, TOP | {"expand_query": 101}, "--expand-query: .* got 101"),
    ],
)
def test_what_is_out_of_range(kind, values, message):
    with pytest.raises(ConfigError) as caught:
        build(kind, **values)
    assert re.fullmatch(message, str(caught.value))


def test_formats_are_kept_once_and_in_order():
    config = build(TopRankConfig, **(TOP | {"save": ("sheets", "csv", "sheets")}))
    assert config.save == ("sheets", "csv")


@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "A.NPZ", "a.Parquet"])
def test_files_of_embeddings(name):
    assert build(EmbedConfig, model="m", sources=(), output=Path(name)).output == Path(name)


def test_a_config_does_not_change_and_knows_its_fields():
    config = build(EncodingConfig, model="m")
    with pytest.raises(ValidationError, match="frozen"):
        config.model = "n"
    with pytest.raises(ConfigError, match="--modle: Extra inputs are not permitted"):
        build(EncodingConfig, model="m", modle="m")
