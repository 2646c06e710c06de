"""The network that ships: found without a download, small, and able to tell people apart."""

import numpy as np
import pytest

from everyid import weights
from everyid.device import choose
from everyid.media import read_image
from everyid.output import Stop
from everyid.settings import PROJECT_FOLDER
from person.checkpoint import load_network, recognise
from person.crops import find_crops
from person.embed import embed_crops
from person.encoder import build_encoder
from person.evaluation import evaluate
from person.protocol import protocol

NAME = "everyid-cnn"
SAMPLE = PROJECT_FOLDER / "tests" / "data" / "people"


@pytest.fixture(scope="module")
def encoder():
    return build_encoder(NAME, device=choose("cpu", precision="fp32"))


def test_it_is_in_the_checkout():
    path = weights.fetch(NAME)
    assert path == PROJECT_FOLDER / "person" / "weights" / "everyid-cnn.safetensors"
    assert path.stat().st_size <= 5_000_000
    network = load_network(path, recognise(path, sha256=weights.sha256_of(path)))
    assert sum(parameter.numel() for parameter in network.parameters()) <= 2_500_000


def test_the_card_names_data_teacher_and_command():
    entry = weights.find(NAME)
    text = (PROJECT_FOLDER / entry.card).read_text(encoding="utf-8")
    for words in ("synthetic crops", "person-reidentification-retail-0277", "person train", "seed"):
        assert words in text


def test_it_finds_the_sample_people_again(encoder):
    """Rank-1 was 1.0 and mAP 0.94 when it was shipped."""

    def embedded(part):
        crops = find_crops((SAMPLE / part,))
        return embed_crops(crops, encoder, skipped={}, stop=Stop(), advance=lambda *_, **__: None)

    rules = protocol("cross-camera")
    found = evaluate(embedded("query"), embedded("gallery"), rules=rules, data="sample").evaluation
    assert found.rank(1) >= 0.95
    assert found.mean_average_precision >= 0.85


def test_light_and_white_balance_hardly_matter(encoder):
    crop = read_image(next(iter(sorted((SAMPLE / "query").rglob("*.jpg")))))
    other = (crop * np.array([0.7, 0.85, 1.0]) * 0.8).astype(np.uint8)
    before, after = encoder.encode([crop, other])
    assert before @ after > 0.95


def test_it_is_the_default(everyid, tmp_path):
    done = everyid("embed", "--source", SAMPLE / "query", "--output", tmp_path / "e.parquet")
    assert done.code == 0
    assert f"{NAME}: EveryID CNN: RGB, 0-1, 256x128" in done.err
