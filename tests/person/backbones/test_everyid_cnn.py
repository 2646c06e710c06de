"""EveryID's own CNN: in its sizes, trained a step, recognised and compiled."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional

from everyid.errors import WeightsError
from person.backbones import architecture
from person.backbones.everyid_cnn import ARCHITECTURE, EveryIdCnn, EveryIdCnnConfig
from person.checkpoint import load_network, recognise
from tests.person.backbones import convnets

USUAL = EveryIdCnnConfig()
SMALL = EveryIdCnnConfig(widths=(16, 16, 32, 48), depths=(2, 1, 2), embedding_width=6)


def shapes(config, **changes):
    known = dict(convnets.own_shapes(ARCHITECTURE, config)) | changes
    return {name: shape for name, shape in known.items() if shape is not None}


def made(config=SMALL):
    return convnets.loaded(ARCHITECTURE, shapes(config))


def test_the_usual_one_is_small():
    with torch.device("meta"):
        network = EveryIdCnn(USUAL)
    assert sum(parameter.numel() for parameter in network.parameters()) < 2.5e6
    assert network.embedding_width == 256
    assert architecture("everyid-cnn") is ARCHITECTURE


def test_input():
    spec = ARCHITECTURE.input(USUAL)
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert (spec.mean, spec.std, spec.resize) == ((0, 0, 0), (1, 1, 1), "bilinear")


def test_the_neck_comes_last():
    network, images = made(), convnets.images(3)
    with torch.inference_mode():
        before, embeddings = network.features(images, torch.tensor([0, 1, -1]))
        assert torch.equal(network(images), embeddings)
        torch.testing.assert_close(embeddings, network.neck(before))
    assert embeddings.shape == (3, network.embedding_width) == (3, 6)
    assert embeddings.std(0).max() > 1e-3


def test_light_and_white_balance_do_not_matter():
    network, images = made(), torch.rand(2, 3, 64, 32)
    gain, offset = torch.tensor([0.4, 0.6, 0.5]), torch.tensor([0.1, 0.0, 0.3])
    with torch.inference_mode():
        seen = network(images)
        lit = network(images * gain[:, None, None] + offset[:, None, None])
    torch.testing.assert_close(lit, seen, atol=2e-3, rtol=2e-2)


def test_places_have_weights_of_their_own():
    """As by hand: for 256x128 the weights as they are, for other sizes stretched over them."""
    places = EveryIdCnn(SMALL).places
    weight = torch.rand_like(places.weight)
    places.load_state_dict({"weight": weight})
    for height, width in ((16, 8), (4, 2), (7, 5)):
        maps = torch.rand(2, 48, height, width)
        stretched = functional.interpolate(weight, (height, width), mode="bilinear")
        expected = (maps * stretched).sum((2, 3)) * (16 * 8) / (height * width)
        torch.testing.assert_close(places(maps), expected)
    places.load_state_dict({"weight": torch.full_like(weight, 1 / 128)})
    torch.testing.assert_close(places(maps), maps.mean((2, 3)))


@pytest.mark.parametrize("size", [(256, 128), (128, 64), (65, 33), (40, 80), (32, 32)], ids=str)
def test_sizes_of_pictures(size):
    with torch.inference_mode():
        assert made()(torch.rand(1, 3, *size)).isfinite().all()


def test_gradients_reach_every_weight():
    network = EveryIdCnn(SMALL).train()
    images = torch.rand(4, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    before, embeddings = network.features(images)
    (before.square().sum() + embeddings.pow(3).sum()).backward()
    idle = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert idle == set()
    reached = [p.grad.abs().sum() > 0 for p in network.parameters()]
    assert all(reached)


def test_a_step_in_half_precision_has_gradients():
    network = EveryIdCnn(SMALL).train()
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = network(convnets.images(4))
    embeddings.float().pow(2).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": (32, 48, 112)}, "widths.3"),
        ({"widths": (32, 48, 100, 224)}, "multiple of 16"),
        ({"widths": (0, 16, 16, 16)}, "greater than or equal to 16"),
        ({"depths": (1, 0, 1)}, "greater than or equal to 1"),
        ({"embedding_width": 0}, "greater than 0"),
        ({"width": 2}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        EveryIdCnnConfig(**wrong)


@pytest.mark.parametrize(
    "config",
    [USUAL, SMALL, EveryIdCnnConfig(widths=(64, 16, 64, 16), depths=(1, 1, 1))],
    ids=["usual", "small", "narrowing"],
)
def test_sizes_are_read_from_shapes(config):
    assert ARCHITECTURE.recognise(shapes(config)) == config


def test_files_without_counts_of_batches_are_recognised():
    old = {name: shape for name, shape in shapes(SMALL).items() if "num_batches" not in name}
    assert ARCHITECTURE.recognise(old) == SMALL


@pytest.mark.parametrize(
    "changes",
    [
        {"places.weight": None},
        {"places.weight": (1, 48, 8, 8)},
        {"fc.weight": (6,)},
        {"fc.weight": (0, 48)},
        {"stem.1.conv.weight": (24, 8, 3, 3)},
        {"stage2.0.conv3.conv.weight": None},
        {"stage3.1.conv3.conv.weight": None},
        {"stage1.0.conv3.conv.weight": ()},
        {"stage1.1.gate.narrow.weight": (5, 16, 1, 1)},
    ],
    ids=str,
)
def test_other_shapes_fit_no_network(changes):
    assert convnets.fits(ARCHITECTURE, shapes(SMALL))
    assert not convnets.fits(ARCHITECTURE, shapes(SMALL, **changes))


@pytest.mark.parametrize(("other", "found"), convnets.shapes_of_others("everyid-cnn").items())
def test_other_networks_are_not_recognised(other, found):
    assert ARCHITECTURE.recognise(found) is None, other


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(sorted(shapes(SMALL))), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(shapes(SMALL, **changes))
    ARCHITECTURE.recognise(changes)


def test_a_file_is_recognised_and_loaded(tmp_path):
    path, network = tmp_path / "own.pth", made()
    torch.save({"state_dict": network.state_dict()}, path)
    found = recognise(path, sha256="of the small one")
    assert found.architecture == "everyid-cnn"
    assert found.config == SMALL.model_dump(mode="json")
    images = convnets.images()
    assert torch.equal(load_network(path, found)(images), network(images))


def test_a_file_without_a_part_is_not_loaded(tmp_path):
    path, state = tmp_path / "own.pth", made().state_dict()
    torch.save(state, path)
    found = recognise(path, sha256="a whole one")
    del state["neck.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"1 missing: neck\.bias \(6,\)"):
        load_network(path, found)


def test_compiled_as_torch():
    network = made()
    compiled, eager = convnets.compiled_and_eager(ARCHITECTURE, SMALL, network, 3)
    np.testing.assert_allclose(compiled, eager, atol=1e-4, rtol=1e-4)
    assert np.abs(eager).max() > 0.1
