"""TransReID against timm, against its slow twin, in its published layout and compiled."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from everyid.settings import PROJECT_FOLDER
from person.backbones import architecture
from person.backbones.transreid import ARCHITECTURE, TransReid, TransReidConfig
from tests.person.backbones.filling import fill, filled, in_openvino, shapes_of
from tests.reference import upright_transformer

GOLDEN = json.loads((PROJECT_FOLDER / "tests/golden/transreid_timm.json").read_text())
TIMM = TransReidConfig(size_hw=(64, 32), hidden_size=128, layers=3, heads=2, mlp_size=192)
TINY = {"size_hw": (32, 16), "patch_size": 8, "hidden_size": 64, "layers": 2, "heads": 1}
TINY |= {"stride": 8, "mlp_size": 96}
PLAIN = TransReidConfig(**TINY)
FULL = TransReidConfig(**TINY, cameras=3, jigsaw=True)
WAYS = {
    "plain": PLAIN,
    "overlapping": TransReidConfig(**TINY | {"stride": 6}),
    "two-heads": TransReidConfig(**TINY | {"heads": 2}),
    "cameras": TransReidConfig(**TINY, cameras=3),
    "after-the-neck": TransReidConfig(**TINY, neck="after"),
    "jigsaw": TransReidConfig(**TINY, jigsaw=True),
    "jigsaw-of-odd": TransReidConfig(**TINY | {"size_hw": (24, 24)}, jigsaw=True),
    "jigsaw-of-four": TransReidConfig(**TINY | {"size_hw": (16, 16)}, jigsaw=True),
    "jigsaw-with-rest": TransReidConfig(**TINY | {"size_hw": (40, 16)}, jigsaw=True),
    "jigsaw-after-the-neck": TransReidConfig(**TINY, jigsaw=True, neck="after"),
    "all": FULL,
}
HEAD = {"classifier.weight": (751, 64), "base.fc.weight": (1000, 64), "base.fc.bias": (1000,)}


def made(config):
    """A network whose weights follow from their names."""
    network = TransReid(config).eval()
    network.load_state_dict(filled(shapes_of(network.state_dict())))
    return network


def shapes(config, **changes):
    with torch.device("meta"):
        known = shapes_of(TransReid(config).state_dict())
    return {name: shape for name, shape in (known | changes).items() if shape is not None}


def images_for(config, count=2):
    return 4 * fill("images", (count, 3, *config.size_hw))


def test_forward_as_timm():
    neck = {f"bottleneck.{part}": [128] for part in ("weight", "bias", "running_mean")}
    neck |= {"bottleneck.running_var": [128], "bottleneck.num_batches_tracked": []}
    network = TransReid(TIMM).eval()
    network.load_state_dict(ARCHITECTURE.convert(filled(GOLDEN["shapes"] | neck), TIMM))
    with torch.inference_mode():
        embeddings = network(images_for(TIMM))[:, :6]
    torch.testing.assert_close(embeddings, torch.tensor(GOLDEN["embeddings"]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", WAYS.values(), ids=WAYS)
def test_forward_as_the_slow_twin(config):
    network, images = made(config), images_for(config)
    weights = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    cameras = [None, torch.tensor([2, 0])] if config.cameras else [None]
    for told in cameras:
        with torch.inference_mode():
            embeddings = network(images, told).numpy()
        for row, image in enumerate(images.double().numpy()):
            camera = None if told is None else int(told[row])
            slow = upright_transformer.embedding(image, weights, config=config, camera=camera)
            np.testing.assert_allclose(embeddings[row], slow, atol=2e-5)
    assert embeddings.shape == (2, network.embedding_width)


def test_cameras_tell_apart():
    network, images = made(FULL), images_for(FULL, 1).expand(3, -1, -1, -1)
    with torch.inference_mode():
        told = network(images, torch.arange(3))
        unknown = network(images)
    assert (told[0] - told[1]).abs().max() > 0.01
    assert (told - unknown).abs().amax(dim=1).min() > 0.01


@pytest.mark.parametrize("config", [PLAIN, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("head", [{}, HEAD, {"classifier_4.weight": (9, 64)}], ids=str)
def test_published_layouts_load_strictly(config, head):
    found = shapes(config, **head)
    assert ARCHITECTURE.recognise(found) == config
    state = ARCHITECTURE.convert(filled(found), config)
    network = TransReid(config)
    left = state.keys() - network.state_dict().keys()
    assert left == head.keys()
    assert all(name.startswith(ARCHITECTURE.classifier) for name in left)
    network.load_state_dict({name: state[name] for name in state.keys() - left}, strict=True)


def test_the_published_names_are_there():
    names = shapes(FULL).keys()
    parts = ("norm1.weight", "attn.qkv.bias", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.bias")
    for block in ("base.blocks.0", "base.blocks.1", "b1.0", "b2.0"):
        assert {f"{block}.{part}" for part in parts} <= names
    assert {"base.cls_token", "base.pos_embed", "base.sie_embed", "base.norm.bias"} <= names
    assert {"base.patch_embed.proj.weight", "b1.1.weight", "b2.1.bias"} <= names
    assert {"bottleneck.running_var", "bottleneck_1.weight", "bottleneck_4.bias"} <= names


@pytest.mark.parametrize(
    "config",
    [
        TransReidConfig(),
        TransReidConfig(stride=12),
        TransReidConfig(size_hw=(384, 128)),
        TransReidConfig(size_hw=(384, 128), stride=12, cameras=15, jigsaw=True),
        TransReidConfig(size_hw=(256, 256), stride=12),
        TransReidConfig(hidden_size=384, heads=6, mlp_size=1536),
        TransReidConfig(hidden_size=192, heads=3, mlp_size=768, layers=4),
        TransReidConfig(size_hw=(64, 32), hidden_size=64, heads=1, mlp_size=64, layers=1),
    ],
    ids=lambda config: f"{config.size_hw}-{config.stride}-{config.hidden_size}",
)
def test_sizes_are_read_from_shapes(config):
    assert ARCHITECTURE.recognise(shapes(config)) == config


@pytest.mark.parametrize(
    "changes",
    [
        {"base.pos_embed": None},
        {"base.pos_embed": (1, 12, 64)},
        {"base.pos_embed": (1, 0, 64)},
        {"base.pos_embed": (9, 64)},
        {"base.patch_embed.proj.weight": (64, 64, 8, 8)},
        {"base.patch_embed.proj.weight": (64, 3, 0, 0)},
        {"base.patch_embed.proj.weight": (200, 3, 8, 8)},
        {"base.blocks.0.attn.qkv.bias": None},
        {"base.sie_embed": (3,)},
    ],
    ids=str,
)
def test_other_shapes_are_not_recognised(changes):
    assert ARCHITECTURE.recognise(shapes(PLAIN, **changes)) is None


@given(st.dictionaries(st.sampled_from(sorted(shapes(FULL))), st.lists(st.integers(0, 200))))
def test_whatever_the_shapes_recognising_raises_nothing(changes):
    changes = {name: tuple(shape) for name, shape in changes.items()}
    ARCHITECTURE.recognise(shapes(PLAIN, **changes))
    ARCHITECTURE.recognise(changes)


def test_wrong_shapes_do_not_load():
    state = ARCHITECTURE.convert(filled(shapes(PLAIN, **{"base.norm.bias": (7,)})), PLAIN)
    with pytest.raises(RuntimeError, match=r"size mismatch for base\.norm\.bias"):
        TransReid(PLAIN).load_state_dict(state)


def test_position_embeddings_are_stretched_to_another_size():
    taller = TransReidConfig(**TINY | {"size_hw": (48, 16)})
    state = ARCHITECTURE.convert(filled(shapes(PLAIN)), taller)
    TransReid(taller).load_state_dict(state, strict=True)
    before = filled(shapes(PLAIN))["base.pos_embed"]
    after = state["base.pos_embed"]
    assert torch.equal(after[:, 0], before[:, 0])
    # Row 0 of six lies above the middle of row 0 of four, and takes its values.
    torch.testing.assert_close(after[:, 1:3], before[:, 1:3])
    # The middle of row 1 of six: (1 + 0.5) * 4 / 6 - 0.5 = 0.5, between rows 0 and 1 of four.
    torch.testing.assert_close(after[:, 3:5], (before[:, 1:3] + before[:, 3:5]) / 2)


def test_a_plain_vit_is_read_as_well():
    plain = {
        name.removeprefix("base."): shape
        for name, shape in shapes(PLAIN, **{"base.head.weight": (1000, 64)}).items()
        if name.startswith("base.")
    }
    assert ARCHITECTURE.recognise(plain) == PLAIN
    state = ARCHITECTURE.convert(filled(plain), PLAIN)
    del state["base.head.weight"]
    network = TransReid(PLAIN).eval()
    network.load_state_dict(state, strict=True)
    assert torch.equal(network.base.cls_token, fill("cls_token", (1, 1, 64)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 5}, "hidden_size 768 does not divide by heads 5"),
        ({"size_hw": (256, 8)}, r"size_hw \(256, 8\) is below patch_size 16"),
        ({"size_hw": (48, 16), "jigsaw": True}, "jigsaw needs at least 4 patches, got 3"),
        ({"neck": "between"}, "'before' or 'after'"),
        ({"drop_path": 1.0}, "less than 1"),
        ({"view": 2}, "Extra inputs"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(ValidationError, match=message):
        TransReidConfig(**wrong)


def test_embedding_width_and_input():
    assert made(PLAIN).embedding_width == 64
    assert made(FULL).embedding_width == 320
    assert architecture("transreid") is ARCHITECTURE
    spec = ARCHITECTURE.input(TransReidConfig())
    assert (spec.size_hw, spec.colour, spec.scale) == ((256, 128), "rgb", 255.0)
    assert spec.mean == spec.std == (0.5, 0.5, 0.5)
    assert spec.resize == "bilinear"


def test_gradients_reach_what_embeddings_come_from():
    network = TransReid(TransReidConfig(**TINY, cameras=3)).train()
    network(images_for(PLAIN), torch.tensor([0, 2])).square().sum().backward()
    idle = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert idle == {"bottleneck.weight", "bottleneck.bias"}
    assert network.base.sie_embed.grad[1].abs().sum() == 0
    assert network.base.sie_embed.grad[2].abs().sum() > 0


def test_layers_are_skipped_in_training_alone():
    torch.manual_seed(0)
    network = TransReid(TransReidConfig(**TINY, drop_path=0.9))
    images = images_for(PLAIN, 1).expand(16, -1, -1, -1)
    with torch.no_grad():
        assert len(network.train()(images).round(decimals=4).unique(dim=0)) > 1
        assert len(network.eval()(images).round(decimals=4).unique(dim=0)) == 1


@pytest.mark.parametrize("config", [PLAIN, FULL], ids=["plain", "full"])
def test_compiled_as_torch_whatever_the_batch(config):
    network = made(config)
    images = np.random.default_rng(0).integers(0, 256, (3, *config.size_hw, 3), np.uint8)
    compiled, eager = in_openvino(ARCHITECTURE, config, network, images)
    np.testing.assert_allclose(compiled, eager, atol=1e-4)
    one, _ = in_openvino(ARCHITECTURE, config, network, images[:1])
    np.testing.assert_allclose(one, eager[:1], atol=1e-4)
