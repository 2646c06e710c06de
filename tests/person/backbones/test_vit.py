"""The first EveryID's network: files of its day, forward passes of its day, and compiled graphs."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from everyid.settings import PROJECT_FOLDER
from person.backbones import architecture
from person.backbones.vit import ARCHITECTURE, Vit, VitConfig
from tests.person.backbones.filling import fill, filled, in_openvino, shapes_of

GOLDEN = json.loads((PROJECT_FOLDER / "tests/golden/vit_transformers_4_49.json").read_text())
TINY = VitConfig(image_size=48, hidden_size=128, layers=2, heads=2, mlp_size=192, embedding_width=6)
PUBLISHED_NAMES = {
    "backbone.embeddings.cls_token",
    "backbone.encoder.layer.0.attention.attention.query.weight",
    "backbone.encoder.layer.1.output.dense.bias",
    "backbone.layernorm.weight",
    "backbone.pooler.dense.weight",
    "embedding.0.weight",
}


def published(**changes):
    """Shapes as in the published file, but small."""
    shapes = {name: tuple(shape) for name, shape in GOLDEN["shapes"].items()}
    return {name: shape for name, shape in (shapes | changes).items() if shape is not None}


@pytest.fixture(scope="module")
def network():
    network = Vit(TINY).eval()
    network.load_state_dict(ARCHITECTURE.convert(filled(published()), TINY))
    return network


def test_forward_as_transformers_4_49(network):
    assert published().keys() >= PUBLISHED_NAMES
    with torch.inference_mode():
        embeddings = network(4 * fill("images", (2, 3, 48, 48)))
    torch.testing.assert_close(embeddings, torch.tensor(GOLDEN["embeddings"]), atol=1e-5, rtol=1e-5)


def test_the_published_layout_is_recognised():
    assert ARCHITECTURE.recognise(published()) == TINY


def test_the_published_size_is_the_default():
    with torch.device("meta"):
        shapes = shapes_of(Vit(VitConfig()).state_dict())
    assert shapes["embedding.0.weight"] == (512, 768)
    assert shapes["backbone.embeddings.position_embeddings"] == (1, 197, 768)
    assert ARCHITECTURE.recognise(shapes) == VitConfig()


@pytest.mark.parametrize("changes", [{}, {"backbone.pooler.dense.weight": None}])
def test_files_load_strictly(changes):
    state = ARCHITECTURE.convert(filled(published(**changes)), TINY)
    Vit(TINY).load_state_dict(state, strict=True)


def test_files_with_the_names_of_today_load_too(network):
    state = network.state_dict()
    assert ARCHITECTURE.recognise(shapes_of(state)) == TINY
    again = Vit(TINY)
    again.load_state_dict(ARCHITECTURE.convert(state, TINY), strict=True)
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in state.items())


def test_a_training_head_is_known_by_its_name():
    extra = {"classifier.weight": (1041, 6), "classifier.1.bias": (7,)}
    assert ARCHITECTURE.recognise(published(**extra)) == TINY
    state = ARCHITECTURE.convert(filled(published(**extra)), TINY)
    left = state.keys() - Vit(TINY).state_dict().keys()
    assert left == extra.keys()
    assert all(name.startswith(ARCHITECTURE.classifier) for name in left)


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding.0.weight": None},
        {"embedding.0.weight": (6,)},
        {"backbone.embeddings.position_embeddings": (1, 9, 128)},
        {"backbone.embeddings.position_embeddings": (1, 0, 128)},
        {"backbone.embeddings.patch_embeddings.projection.weight": (128, 1, 16, 16)},
        {"backbone.embeddings.patch_embeddings.projection.weight": (200, 3, 16, 16)},
        {"backbone.embeddings.patch_embeddings.projection.weight": (128, 3, 0, 0)},
        {"backbone.encoder.layer.0.intermediate.dense.weight": None},
    ],
    ids=str,
)
def test_other_shapes_are_not_recognised(changes):
    assert ARCHITECTURE.recognise(published(**changes)) is None


@given(st.dictionaries(st.sampled_from(sorted(published())), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(published(**changes))
    ARCHITECTURE.recognise(changes)


def test_wrong_shapes_do_not_load():
    state = ARCHITECTURE.convert(filled(published(**{"embedding.0.bias": (7,)})), TINY)
    with pytest.raises(RuntimeError, match=r"size mismatch for embedding\.0\.bias"):
        Vit(TINY).load_state_dict(state)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 5}, "hidden_size 768 does not divide by heads 5"),
        ({"image_size": 225}, "image_size 225 does not divide by patch_size 16"),
        ({"layers": 0}, "greater than 0"),
        ({"colour": "rgb"}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        VitConfig(**wrong)


def test_embedding_width_and_input(network):
    assert network.embedding_width == 6
    assert architecture("vit") is ARCHITECTURE
    spec = ARCHITECTURE.input(VitConfig())
    assert (spec.size_hw, spec.colour, spec.scale) == ((224, 224), "rgb", 255.0)
    assert spec.mean == spec.std == (0.5, 0.5, 0.5)
    assert spec.resize == "bilinear"


def test_dropout_in_training_alone(network):
    images = fill("images", (4, 3, 48, 48))
    assert torch.equal(network(images), network(images))
    network.train()
    try:
        embeddings = network(images)
    finally:
        network.eval()
    assert (embeddings == 0).any()


def test_gradients_reach_every_weight():
    network = Vit(TINY)
    network(fill("images", (2, 3, 48, 48))).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.embedding.parameters())


def test_compiled_as_torch_whatever_the_batch(network):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    compiled, eager = in_openvino(ARCHITECTURE, TINY, network, images)
    np.testing.assert_allclose(compiled, eager, atol=1e-4)
    assert in_openvino(ARCHITECTURE, TINY, network, images[:1])[0].shape == (1, 6)
