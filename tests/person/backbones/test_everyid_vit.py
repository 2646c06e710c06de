"""EveryID's own ViT against torch's transformer, in its sizes, trained a step and compiled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from everyid.errors import ShapeError, WeightsError
from person.backbones import architecture
from person.backbones.everyid_vit import ARCHITECTURE, EveryIdVit, EveryIdVitConfig
from person.checkpoint import load_network, recognise
from tests.person.backbones import convnets
from tests.person.backbones.filling import fill, filled, in_openvino

SMALL = {"size_hw": (64, 32), "hidden_size": 128, "layers": 2, "mlp_size": 96}
SMALL |= {"embedding_width": 6}
PLAIN = EveryIdVitConfig(**SMALL)
FULL = EveryIdVitConfig(**SMALL, cameras=3)
AVERAGE = EveryIdVitConfig(**SMALL, class_token=False)
each = pytest.mark.parametrize("config", [PLAIN, FULL, AVERAGE], ids=["plain", "full", "average"])


def made(config):
    """A network whose weights follow from their names."""
    network = EveryIdVit(config).eval()
    network.load_state_dict(filled(shapes(config)), strict=True)
    return network


def shapes(config, **changes):
    known = dict(convnets.own_shapes(ARCHITECTURE, config)) | changes
    return {name: shape for name, shape in known.items() if shape is not None}


def images_for(config, count=2):
    return fill("images", (count, 3, *config.size_hw)) * 2 + 0.5


@each
def test_embeddings_from_what_tokens_come_out(config):
    network, images, seen = made(config), images_for(config), {}
    network.norm.register_forward_hook(lambda _, __, out: seen.update(tokens=out))
    with torch.inference_mode():
        before, embeddings = network.features(images)
        assert torch.equal(network(images), embeddings)
    whole = seen["tokens"].numpy()
    assert whole.shape == (2, 8 + config.class_token, 128)
    pooled = whole[:, 1:].mean(1) if config.class_token else whole.mean(1)
    if config.class_token:
        pooled = np.concatenate((whole[:, 0], pooled), axis=1)
    np.testing.assert_allclose(before, pooled @ network.head.weight.detach().numpy().T, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(embeddings, network.neck(before))
    assert embeddings.shape == (2, network.embedding_width) == (2, 6)


def test_light_and_white_balance_do_not_matter():
    network, images = EveryIdVit(PLAIN).eval(), torch.rand(2, 3, 64, 32)
    gain, offset = torch.tensor([0.4, 0.6, 0.5]), torch.tensor([0.1, 0.0, 0.3])
    with torch.inference_mode():
        seen = network.stem(network.image_norm(images))
        lit = network.stem(network.image_norm(images * gain[:, None, None] + offset[:, None, None]))
    torch.testing.assert_close(lit, seen, atol=5e-3, rtol=1e-2)


def test_maps_for_hooks():
    network, maps = made(PLAIN), {}
    for name in ("stem", "stem.stride8"):
        network.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: maps.update({name: out})
        )
    network(images_for(PLAIN))
    assert maps["stem"].shape == (2, 128, 4, 2)
    assert maps["stem.stride8"].shape == (2, 64, 8, 4)


def test_cameras_tell_apart_and_unknown_ones_are_the_mean():
    network, images = made(FULL), images_for(FULL, 1).expand(4, -1, -1, -1)
    with torch.inference_mode():
        told = network(images, torch.tensor([0, 1, 2, -1]))
        unknown = network(images)
        network.camera_embeddings.copy_(network.camera_embeddings.mean(0).expand(3, -1))
        mean = network(images, torch.tensor([0, 1, 2, -1]))
    assert (told[:3] - unknown[:3]).abs().amax(dim=1).min() > 1e-3
    assert (told[0] - told[1]).abs().max() > 1e-3
    torch.testing.assert_close(told[3], unknown[3])
    torch.testing.assert_close(mean, unknown)


def test_without_camera_embeddings_cameras_are_ignored():
    network, images = made(PLAIN), images_for(PLAIN)
    assert torch.equal(network(images, torch.tensor([5, -1])), network(images))


@each
def test_gradients_reach_every_weight(config):
    network = EveryIdVit(config).train()
    cameras = torch.tensor([0, 2, -1, 0]) if config.cameras else None
    images = torch.rand(4, 3, *config.size_hw, generator=torch.Generator().manual_seed(0))
    before, embeddings = network.features(images, cameras)
    (before.square().sum() + embeddings.pow(3).sum()).backward()
    idle = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert idle == {"neck.bias"}
    reached = [p.grad.abs().sum() > 0 for p in network.parameters() if p.grad is not None]
    assert all(reached)


def test_a_step_in_half_precision_keeps_float32_outside():
    network, images = EveryIdVit(PLAIN).train(), images_for(PLAIN, 4)
    with torch.autocast("cpu", torch.bfloat16):
        before, embeddings = network.features(images)
    assert before.dtype == embeddings.dtype == torch.float32
    embeddings.pow(3).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_layers_are_skipped_in_training_alone():
    network = made(EveryIdVitConfig(**SMALL, drop_path=0.9))
    images = images_for(PLAIN, 1).expand(16, -1, -1, -1)
    network.blocks.train()
    with torch.no_grad():
        assert len(network(images).round(decimals=4).unique(dim=0)) > 1
        assert len(network.eval()(images).round(decimals=4).unique(dim=0)) == 1


@pytest.mark.parametrize(
    "shape", [(2, 3, 60, 32), (2, 3, 32, 64), (2, 1, 64, 32), (3, 64, 32)], ids=str
)
def test_images_of_another_size(shape):
    with pytest.raises(ShapeError, match=r"images: expected \(B, 3, 64, 32\), got \(") as caught:
        made(PLAIN)(torch.zeros(shape))
    assert str(caught.value).endswith(str(shape))
    assert "in multiples of 16 px" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size_hw": (250, 128)}, r"size_hw \(250, 128\) is not in multiples of 16 px"),
        ({"size_hw": (0, 128)}, r"size_hw \(0, 128\) is not in multiples of 16 px"),
        ({"hidden_size": 200}, "multiple of 64"),
        ({"layers": 0}, "greater than 0"),
        ({"cameras": -1}, "greater than or equal to 0"),
        ({"drop_path": 1.0}, "less than 1"),
        ({"heads": 4}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        EveryIdVitConfig(**wrong)


def test_the_default_is_small():
    with torch.device("meta"):
        network = EveryIdVit(EveryIdVitConfig())
    assert 5e6 < sum(parameter.numel() for parameter in network.parameters()) < 7.5e6
    assert network.embedding_width == 256


def test_input():
    assert architecture("everyid-vit") is ARCHITECTURE
    spec = ARCHITECTURE.input(EveryIdVitConfig())
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert (spec.mean, spec.std, spec.resize) == ((0, 0, 0), (1, 1, 1), "bilinear")


@pytest.mark.parametrize(
    "config",
    [
        EveryIdVitConfig(),
        EveryIdVitConfig(size_hw=(128, 64), cameras=1),
        EveryIdVitConfig(size_hw=(64, 128), class_token=False),
        EveryIdVitConfig(hidden_size=64, layers=11, mlp_size=1, embedding_width=3),
    ],
    ids=str,
)
def test_sizes_are_read_from_shapes(config):
    assert ARCHITECTURE.recognise(shapes(config)) == config
    head = {"classifier.weight": (751, config.embedding_width)}
    assert ARCHITECTURE.recognise(shapes(config, **head)) == config


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": None},
        {"positions": (1, 8, 128)},
        {"positions": (1, 128, 0, 2)},
        {"positions": (1, 100, 4, 2)},
        {"blocks.0.mlp.fc1.weight": None},
        {"head.weight": (6,)},
        {"stem.projection.weight": (128, 3, 16, 16)},
        {"camera_embeddings": (3,)},
    ],
    ids=str,
)
def test_other_shapes_are_not_recognised(changes):
    assert ARCHITECTURE.recognise(shapes(PLAIN, **changes)) is None


@pytest.mark.parametrize(("other", "found"), convnets.shapes_of_others("everyid-vit").items())
def test_other_networks_are_not_recognised(other, found):
    assert ARCHITECTURE.recognise(found) is None, other


@given(st.dictionaries(st.sampled_from(sorted(shapes(FULL))), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(shapes(PLAIN, **changes))
    ARCHITECTURE.recognise(changes)


@each
def test_a_file_is_recognised_and_loaded(config, tmp_path):
    path, network = tmp_path / "own.pth", made(config)
    torch.save({"state_dict": network.state_dict() | {"classifier.weight": torch.ones(9, 6)}}, path)
    found = recognise(path, sha256=str(config))
    assert found.architecture == "everyid-vit"
    images = images_for(config)
    assert torch.equal(load_network(path, found)(images), network(images))


def test_a_file_without_a_part_is_not_loaded(tmp_path):
    path, state = tmp_path / "own.pth", made(PLAIN).state_dict()
    del state["norm.bias"]
    torch.save(state, path)
    found = recognise(path, sha256="without norm.bias")
    with pytest.raises(WeightsError, match=r"1 missing: norm\.bias \(128,\)"):
        load_network(path, found)


def test_positions_are_stretched_to_another_size():
    taller = EveryIdVitConfig(**SMALL | {"size_hw": (128, 64)})
    before = filled(shapes(PLAIN))
    before["positions"] = torch.arange(4.0)[:, None].expand(1, 128, 4, 2)
    state = ARCHITECTURE.convert(before, taller)
    EveryIdVit(taller).load_state_dict(state, strict=True)
    rows = state["positions"][0, 0, :, 0]
    # Row 3 of eight lies at (3 + 0.5) / 2 - 0.5 = 1.25 of four: the cubic kernel, by hand, weighs
    # rows 0 to 3 with -27/256, 225/256, 67/256 and -9/256.
    torch.testing.assert_close(rows[3:5], torch.tensor([332 / 256, 3 - 332 / 256]))
    assert ARCHITECTURE.convert(before, PLAIN)["positions"] is before["positions"]


@pytest.mark.parametrize("config", [FULL, AVERAGE], ids=["full", "average"])
def test_compiled_as_torch(config):
    network = made(config)
    images = np.random.default_rng(0).integers(0, 256, (3, *config.size_hw, 3), np.uint8)
    compiled, eager = in_openvino(ARCHITECTURE, config, network, images)
    np.testing.assert_allclose(compiled, eager, atol=1e-4)
    assert np.abs(eager).max() > 0.1
