"""MobileNetV2 against torchreid, in its published layout and compiled."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from person.backbones import architecture
from person.backbones.mobilenetv2 import ARCHITECTURE, MobileNetV2, MobileNetV2Config
from tests.person.backbones import convnets

GOLDEN = convnets.golden("mobilenetv2_torchreid.json")
VARIANTS = {
    "mobilenetv2_x1_0": MobileNetV2Config(),
    "mobilenetv2_x1_4": MobileNetV2Config(width=1.4),
}
PLAIN = MobileNetV2Config()
CLASSIFIER = {"classifier.weight": (751, 1280), "classifier.bias": (751,)}
every_variant = pytest.mark.parametrize("name", VARIANTS)


def published(config, **changes):
    """Names and shapes of a checkpoint, as torchreid has them; None: left out."""
    shapes = convnets.own_shapes(ARCHITECTURE, config) | CLASSIFIER | changes
    return {name: shape for name, shape in shapes.items() if shape is not None}


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
def test_the_width_is_read_from_shapes(name, classifier):
    assert ARCHITECTURE.recognise(published(VARIANTS[name], **classifier)) == VARIANTS[name]


def test_files_without_counts_of_batches_are_recognised():
    old = {k: shape for k, shape in published(PLAIN).items() if "num_batches" not in k}
    assert ARCHITECTURE.recognise(old) == PLAIN


@pytest.mark.parametrize(("other", "shapes"), convnets.shapes_of_others("mobilenetv2").items())
def test_other_networks_are_not_recognised(other, shapes):
    assert ARCHITECTURE.recognise(shapes) is None, other


@pytest.mark.parametrize(
    "changes",
    [
        {"conv1.conv.weight": None},
        {"conv1.conv.weight": (44, 3, 3, 3)},
        {"conv9.conv.weight": (1792, 320, 1, 1)},
        {"conv7.2.conv3.1.running_var": None},
        {"fc.0.weight": (512, 1280)},
    ],
    ids=str,
)
def test_other_shapes_fit_no_network(changes):
    assert ARCHITECTURE.recognise(published(PLAIN)) == PLAIN
    assert not convnets.fits(ARCHITECTURE, published(PLAIN, **changes))


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(sorted(published(PLAIN))), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(published(PLAIN, **changes))
    ARCHITECTURE.recognise(changes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0.0}, "greater than or equal to 0.1"),
        ({"width": 5.0}, "less than or equal to 4"),
        ({"depth": 2}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        MobileNetV2Config(**wrong)


def test_embedding_width_and_input():
    assert architecture("mobilenetv2") is ARCHITECTURE
    with torch.device("meta"):
        widths = [MobileNetV2(MobileNetV2Config(width=w)).embedding_width for w in (0.5, 1.0, 1.4)]
    assert widths == [1280, 1280, 1792]
    spec = ARCHITECTURE.input(PLAIN)
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert spec.resize == "bilinear"


def test_embeddings_and_gradients_in_training():
    network = MobileNetV2(MobileNetV2Config(width=0.5))
    assert convnets.idle_parameters(network) == set()
    with torch.no_grad():
        assert network(convnets.images(3)).shape == (3, 1280)


def test_compiled_as_torch_whatever_the_batch():
    network = convnets.loaded(ARCHITECTURE, published(PLAIN))
    compiled, eager = convnets.compiled_and_eager(ARCHITECTURE, PLAIN, network, 3)
    assert compiled.shape == (3, 1280)
    np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-4)
    assert np.abs(eager).max() > 0.1


@pytest.fixture(scope="module")
def torchvisions():
    from torchvision.models import mobilenet_v2

    network = mobilenet_v2(weights=None)
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if value.is_floating_point() and "running_var" not in name:
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
        elif "running_var" in name:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network.eval()


def test_torchvisions_network_is_read_too(torchvisions):
    state = torchvisions.state_dict()
    config = ARCHITECTURE.recognise({name: tuple(t.shape) for name, t in state.items()})
    assert config == PLAIN
    network = MobileNetV2(PLAIN)
    converted = ARCHITECTURE.convert(state, PLAIN)
    missing, unexpected = network.load_state_dict(converted, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing)
    assert set(unexpected) == {"classifier.1.weight", "classifier.1.bias"}
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        found = network.eval()(images)
        expected = torchvisions.features(images).mean((2, 3))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_part_of_torchvisions_network_is_told(torchvisions, tmp_path):
    from everyid.errors import WeightsError
    from person.checkpoint import load_network, recognise

    state = torchvisions.state_dict()
    del state["features.5.conv.2.weight"]
    path = tmp_path / "part.pth"
    torch.save(state, path)
    found = recognise(path, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"1 missing: conv4\.1\.conv3\.0\.weight"):
        load_network(path, found)
