"""ResNet50 against torchreid and torchvision, in its published layouts and compiled."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from person.backbones import architecture
from person.backbones.resnet50 import ARCHITECTURE, ResNet50, ResNet50Config
from tests.person.backbones import convnets

GOLDEN = convnets.golden("resnet50_published.json")
PLAIN = ResNet50Config()
FC = ResNet50Config(last_stride=1, fc_width=512)
STRONG = ResNet50Config(last_stride=1, stem_relu=False, neck=True)
OURS = ResNet50Config(last_stride=1, neck=True)
LAYOUTS = {
    "resnet50": (PLAIN, {"classifier.weight": (751, 2048), "classifier.bias": (751,)}),
    "resnet50_fc512": (FC, {"classifier.weight": (751, 512), "classifier.bias": (751,)}),
    "torchvision": (PLAIN, {"fc.weight": (1000, 2048), "fc.bias": (1000,)}),
    "strong-baseline": (STRONG, {"classifier.weight": (702, 2048)}),
}
every_layout = pytest.mark.parametrize("name", LAYOUTS)
every_config = pytest.mark.parametrize(
    "config", [PLAIN, FC, STRONG, OURS], ids=["plain", "fc512", "strong-baseline", "everyid"]
)


def published(name, *, head=True, **changes):
    """Names and shapes of a checkpoint, as its publisher has them; None: left out."""
    config, classifier = LAYOUTS[name]
    shapes = convnets.own_shapes(ARCHITECTURE, config)
    if name == "strong-baseline":
        shapes = {
            key if key.startswith("bottleneck.") else f"base.{key}": shape
            for key, shape in shapes.items()
        }
    shapes = shapes | (classifier if head else {}) | changes
    return {key: shape for key, shape in shapes.items() if shape is not None}


@every_layout
def test_names_and_shapes_as_published(name):
    shapes = published(name, head=False)
    assert len(shapes) == GOLDEN[name]["tensors"]
    assert convnets.digest(shapes) == GOLDEN[name]["digest"]


@every_layout
def test_embeddings_as_published(name):
    network = convnets.loaded(ARCHITECTURE, published(name))
    found = convnets.figures(network)
    np.testing.assert_allclose(found["first"], GOLDEN[name]["first"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found["norm"], GOLDEN[name]["norm"], rtol=1e-9)


@every_layout
@pytest.mark.parametrize("head", [True, False])
def test_the_layout_is_read_from_names(name, head):
    assert ARCHITECTURE.recognise(published(name, head=head)) == LAYOUTS[name][0]


def test_a_strong_baseline_without_a_neck():
    shapes = published("strong-baseline", **{"classifier.bias": (702,)})
    shapes = {key: shape for key, shape in shapes.items() if "bottleneck" not in key}
    assert ARCHITECTURE.recognise(shapes) == ResNet50Config(last_stride=1, stem_relu=False)


@pytest.mark.parametrize("config", [PLAIN, FC, OURS], ids=["plain", "fc512", "everyid"])
def test_own_files_are_recognised(config):
    assert ARCHITECTURE.recognise(convnets.own_shapes(ARCHITECTURE, config)) == config


def test_files_without_counts_of_batches_are_recognised():
    old = {k: shape for k, shape in published("resnet50").items() if "num_batches" not in k}
    assert ARCHITECTURE.recognise(old) == PLAIN


@pytest.mark.parametrize(("other", "shapes"), convnets.shapes_of_others("resnet50").items())
def test_other_networks_are_not_recognised(other, shapes):
    assert ARCHITECTURE.recognise(shapes) is None, other


@pytest.mark.parametrize(
    "changes",
    [
        {"layer4.2.conv3.weight": None},
        {"layer1.0.bn1.bias": None},
        {"layer1.0.conv2.weight": (64, 64, 1, 1)},
        {"layer1.0.IN.weight": (256,)},
        {"layer3.6.conv1.weight": (256, 1024, 1, 1)},
        {"fc_fusion.0.weight": (1024, 4096)},
        {"fc.0.weight": (512, 2048)},
        {"fc.0.weight": (0, 2048)},
        {"bottleneck.weight": (2048,)},
    ],
    ids=str,
)
def test_other_shapes_fit_no_network(changes):
    assert not convnets.fits(ARCHITECTURE, published("resnet50", **changes))


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(sorted(published("resnet50_fc512"))), st.lists(st.integers(0, 200))
    )
)
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(published("resnet50_fc512", **changes))
    ARCHITECTURE.recognise(changes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"last_stride": 3}, "1 or 2"),
        ({"fc_width": 0}, "greater than 0"),
        ({"groups": 32}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        ResNet50Config(**wrong)


def test_what_shapes_do_not_tell_changes_embeddings():
    state = convnets.weights(convnets.own_shapes(ARCHITECTURE, PLAIN))
    found = []
    for said in ({}, {"last_stride": 1}, {"stem_relu": False}):
        network = ResNet50(ResNet50Config(**said)).eval()
        network.load_state_dict(state, strict=True)
        with torch.inference_mode():
            found.append(network(convnets.images()))
    assert (found[0] - found[1]).abs().max() > 0.01
    assert (found[0] - found[2]).abs().max() > 0.01


def test_embedding_width_and_input():
    assert architecture("resnet50") is ARCHITECTURE
    with torch.device("meta"):
        widths = [ResNet50(config).embedding_width for config in (PLAIN, FC, STRONG)]
    assert widths == [2048, 512, 2048]
    spec = ARCHITECTURE.input(PLAIN)
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert spec.resize == "bilinear"


@every_config
def test_embeddings_and_gradients_in_training(config):
    network = ResNet50(config)
    # The neck has no shift: it would move all identities alike.
    assert convnets.idle_parameters(network) == ({"bottleneck.bias"} if config.neck else set())
    with torch.no_grad():
        assert network(convnets.images(3)).shape == (3, config.embedding_width)


@pytest.mark.parametrize("name", ["resnet50_fc512", "strong-baseline"])
def test_compiled_as_torch_whatever_the_batch(name):
    network = convnets.loaded(ARCHITECTURE, published(name))
    compiled, eager = convnets.compiled_and_eager(ARCHITECTURE, LAYOUTS[name][0], network, 3)
    assert compiled.shape == (3, network.embedding_width)
    np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-4)
    assert np.abs(eager).max() > 0.1
