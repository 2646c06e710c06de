"""The shared layer against torch's own, for all tokens and for the first alone."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from person.backbones.transformer import TransformerLayer, drop_paths, plain_attention
from tests.person.backbones.filling import fill, filled, shapes_of

NAMES = (
    ("self_attn.in_proj_", "attn.qkv."),
    ("self_attn.out_proj.", "attn.proj."),
    ("linear1.", "mlp.fc1."),
    ("linear2.", "mlp.fc2."),
    ("norm1.", "norm1."),
    ("norm2.", "norm2."),
)
WIDTH, HEADS, MLP_SIZE = 24, 3, 20
mixes = pytest.mark.parametrize("mix", [plain_attention, scaled_dot_product_attention])


def made(mix, drop_path=0.0):
    """A layer whose weights follow from their names."""
    layer = TransformerLayer(WIDTH, heads=HEADS, mlp_size=MLP_SIZE, drop_path=drop_path, mix=mix)
    layer.load_state_dict(filled(shapes_of(layer.state_dict())))
    return layer


@mixes
@pytest.mark.parametrize("count", [1, 9])
def test_a_layer_as_torchs_own(mix, count):
    own = made(mix)
    torchs = nn.TransformerEncoderLayer(
        *(WIDTH, HEADS, MLP_SIZE),
        0.0,
        "gelu",
        layer_norm_eps=1e-6,
        batch_first=True,
        norm_first=True,
    )
    for there, here in NAMES:
        for part in ("weight", "bias"):
            torchs.state_dict()[there + part].copy_(own.state_dict()[here + part])
    tokens = 4 * fill("tokens", (2, count, WIDTH))
    with torch.no_grad():
        expected = torchs.train()(tokens)
        torch.testing.assert_close(own(tokens), expected, atol=1e-5, rtol=1e-5)
        first = own(tokens, first_only=True)
    assert first.shape == (2, 1, WIDTH)
    torch.testing.assert_close(first, expected[:, :1], atol=1e-5, rtol=1e-5)


def test_training_skips_a_layer_for_some_images():
    layer, tokens = made(plain_attention, drop_path=0.5), fill("tokens", (64, 2, WIDTH))
    torch.manual_seed(0)
    skipped = [torch.equal(*pair) for pair in zip(layer.train()(tokens), tokens, strict=True)]
    assert 4 < sum(skipped) < 32  # both halves of a layer are left out for one in four
    assert not any(torch.equal(*pair) for pair in zip(layer.eval()(tokens), tokens, strict=True))


def test_one_layer_is_never_skipped():
    assert drop_paths(0.3, 1) == [0.0]
    assert drop_paths(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
