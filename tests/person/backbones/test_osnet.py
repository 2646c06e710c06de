"""OSNet against torchreid, in its published layout and compiled."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from person.backbones import architecture
from person.backbones.osnet import ARCHITECTURE, OsNet, OsNetConfig
from tests.person.backbones import convnets

GOLDEN = convnets.golden("osnet_torchreid.json")
VARIANTS = {
    "osnet_x1_0": OsNetConfig(),
    "osnet_x0_75": OsNetConfig(width=0.75),
    "osnet_x0_5": OsNetConfig(width=0.5),
    "osnet_x0_25": OsNetConfig(width=0.25),
    "osnet_ibn_x1_0": OsNetConfig(variant="ibn"),
    "osnet_ain_x1_0": OsNetConfig(variant="ain"),
    "osnet_ain_x0_75": OsNetConfig(variant="ain", width=0.75),
    "osnet_ain_x0_5": OsNetConfig(variant="ain", width=0.5),
    "osnet_ain_x0_25": OsNetConfig(variant="ain", width=0.25),
    "osnet_x0_5_dim_256": OsNetConfig(width=0.5, embedding_width=256),
}
SMALL = {name: VARIANTS[name] for name in ("osnet_x0_25", "osnet_ain_x0_25", "osnet_ibn_x1_0")}
TINY = OsNetConfig(width=0.25, embedding_width=8)
CLASSIFIER = {"classifier.weight": (4101, 512), "classifier.bias": (4101,)}
every_variant = pytest.mark.parametrize("name", VARIANTS)
each_kind = pytest.mark.parametrize("config", SMALL.values(), ids=SMALL)


def published(config, **changes):
    """Names and shapes of a checkpoint, as torchreid has them; None: left out."""
    shapes = convnets.own_shapes(ARCHITECTURE, config) | CLASSIFIER | changes
    return {name: shape for name, shape in shapes.items() if shape is not None}


def test_all_variants_of_torchreid_are_compared():
    assert VARIANTS.keys() == GOLDEN.keys()


@every_variant
def test_names_and_shapes_as_torchreid(name):
    shapes = convnets.own_shapes(ARCHITECTURE, VARIANTS[name])
    assert len(shapes) == GOLDEN[name]["tensors"]
    assert convnets.digest(shapes) == GOLDEN[name]["digest"]


@every_variant
def test_embeddings_as_torchreid(name):
    network = convnets.loaded(ARCHITECTURE, published(VARIANTS[name]))
    found = convnets.figures(network)
    np.testing.assert_allclose(found["first"], GOLDEN[name]["first"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found["norm"], GOLDEN[name]["norm"], rtol=1e-9)


@every_variant
@pytest.mark.parametrize("classifier", [CLASSIFIER, dict.fromkeys(CLASSIFIER)], ids=["with", "-"])
def test_width_and_variant_are_read_from_shapes(name, classifier):
    assert ARCHITECTURE.recognise(published(VARIANTS[name], **classifier)) == VARIANTS[name]


def test_files_without_counts_of_batches_are_recognised():
    old = {k: shape for k, shape in published(TINY).items() if "num_batches" not in k}
    assert ARCHITECTURE.recognise(old) == TINY


@pytest.mark.parametrize(("other", "shapes"), convnets.shapes_of_others("osnet").items())
def test_other_networks_are_not_recognised(other, shapes):
    assert ARCHITECTURE.recognise(shapes) is None, other


@pytest.mark.parametrize(
    "changes",
    [
        {"fc.0.weight": None},
        {"fc.0.weight": (0, 128)},
        {"fc.0.weight": (8, 512)},
        {"conv1.conv.weight": (24, 3, 7, 7)},
        {"conv1.conv.weight": (0, 3, 7, 7)},
        {"conv1.conv.weight": (128, 3, 7, 7)},
        {"conv1.conv.weight": (16, 3, 3, 3)},
        {"conv4.1.gate.fc2.bias": None},
        {"conv4.1.gate.fc2.bias": (33,)},
        {"conv3.0.IN.weight": (96,)},
        {"conv2.0.IN.weight": (64,)},
        {"pool2.0.conv.weight": (64, 64, 1, 1)},
        {"attention.weight": (8,)},
    ],
    ids=str,
)
def test_other_shapes_fit_no_network(changes):
    assert ARCHITECTURE.recognise(published(TINY)) == TINY
    assert not convnets.fits(ARCHITECTURE, published(TINY, **changes))


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(sorted(published(TINY))), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(published(TINY, **changes))
    ARCHITECTURE.recognise(changes)


def test_wrong_shapes_do_not_load():
    state = convnets.weights(published(TINY, **{"conv5.bn.bias": (7,)} | dict.fromkeys(CLASSIFIER)))
    with pytest.raises(RuntimeError, match=r"size mismatch for conv5\.bn\.bias"):
        OsNet(TINY).load_state_dict(ARCHITECTURE.convert(state, TINY))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0.3}, "multiple of 0.25"),
        ({"width": 0.0}, "greater than 0"),
        ({"width": 1.25}, "less than or equal to 1"),
        ({"variant": "iabn"}, "'plain', 'ibn' or 'ain'"),
        ({"embedding_width": 0}, "greater than 0"),
        ({"layers": 2}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        OsNetConfig(**wrong)


def test_embedding_width_and_input():
    assert architecture("osnet") is ARCHITECTURE
    assert OsNet(TINY).embedding_width == 8
    spec = ARCHITECTURE.input(TINY)
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert spec.resize == "bilinear"


@each_kind
def test_embeddings_and_gradients_in_training(config):
    network = OsNet(config)
    assert convnets.idle_parameters(network) == set()
    with torch.no_grad():
        assert network(convnets.images(3)).shape == (3, 512)


@each_kind
def test_compiled_as_torch_whatever_the_batch(config):
    network = convnets.loaded(ARCHITECTURE, published(config))
    compiled, eager = convnets.compiled_and_eager(ARCHITECTURE, config, network, 3)
    assert compiled.shape == (3, 512)
    np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-4)
    assert np.abs(eager).max() > 0.1
