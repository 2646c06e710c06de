"""TransReID one token, one head and one part at a time, in float64, from a checkpoint alone."""

import math

import numpy as np


def layer_norm(token, scale, shift):
    centred = token - token.mean()
    return centred / math.sqrt((centred**2).mean() + 1e-6) * scale + shift


def batch_norm(feature, weights, name):
    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    scaled = (feature - mean) / np.sqrt(variance + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(values):
    return np.array([0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in values])


def normed(tokens, weights, name):
    return [layer_norm(t, weights[f"{name}.weight"], weights[f"{name}.bias"]) for t in tokens]


def affine(token, weights, name):
    return weights[f"{name}.weight"] @ token + weights[f"{name}.bias"]


def attention(tokens, weights, name, heads):
    asked = [affine(token, weights, f"{name}.qkv").reshape(3, heads, -1) for token in tokens]
    mixed = []
    for query, _, _ in asked:
        of_heads = []
        for head in range(heads):
            scores = [query[head] @ key[head] / math.sqrt(len(key[head])) for _, key, _ in asked]
            shares = np.exp(np.array(scores) - max(scores))
            shares /= shares.sum()
            pairs = zip(shares, asked, strict=True)
            of_heads.append(sum(share * value[head] for share, (_, _, value) in pairs))
        mixed.append(affine(np.concatenate(of_heads), weights, f"{name}.proj"))
    return mixed


def layer(tokens, weights, name, heads):
    seen = attention(normed(tokens, weights, f"{name}.norm1"), weights, f"{name}.attn", heads)
    tokens = [token + update for token, update in zip(tokens, seen, strict=True)]
    result = []
    for token, wide in zip(tokens, normed(tokens, weights, f"{name}.norm2"), strict=True):
        inner = gelu(affine(wide, weights, f"{name}.mlp.fc1"))
        result.append(token + affine(inner, weights, f"{name}.mlp.fc2"))
    return result


def embed_patches(image, weights, stride):
    kernel = weights["base.patch_embed.proj.weight"]
    size = kernel.shape[-1]
    tokens = [weights["base.cls_token"][0, 0]]
    for top in range(0, image.shape[1] - size + 1, stride):
        for left in range(0, image.shape[2] - size + 1, stride):
            patch = image[:, top : top + size, left : left + size]
            tokens.append((kernel * patch).sum((1, 2, 3)) + weights["base.patch_embed.proj.bias"])
    return [t + p for t, p in zip(tokens, weights["base.pos_embed"][0], strict=True)]


def jigsaw(patches):
    """The four parts: shift, pad to an even number, deal from two halves, cut."""
    shifted = patches[4:] + patches[:4]
    if len(shifted) % 2:
        shifted.append(shifted[-2])
    first, second = shifted[: len(shifted) // 2], shifted[len(shifted) // 2 :]
    shuffled = []
    for one, other in zip(first, second, strict=True):
        shuffled += [one, other]
    length = len(patches) // 4
    return [shuffled[part * length : (part + 1) * length] for part in range(4)]


def embedding(image, weights, *, config, camera=None):
    """The embedding of one image, float64 (D,); ``camera`` None is the mean of all."""
    tokens = embed_patches(image, weights, config.stride)
    if config.cameras:
        sides = weights["base.sie_embed"][:, 0]
        side = sides.mean(0) if camera is None else sides[camera]
        tokens = [token + config.camera_weight * side for token in tokens]
    for number in range(config.layers - 1):
        tokens = layer(tokens, weights, f"base.blocks.{number}", config.heads)

    def feature(some, block, norm):
        return normed(layer(some, weights, block, config.heads)[:1], weights, norm)[0]

    if not config.jigsaw:
        features = [feature(tokens, f"base.blocks.{config.layers - 1}", "base.norm")]
    else:
        features = [feature(tokens, "b1.0", "b1.1")]
        for part in jigsaw(tokens[1:]):
            features.append(feature([tokens[0], *part], "b2.0", "b2.1"))
    if config.neck == "after":
        names = ["bottleneck", *(f"bottleneck_{part}" for part in range(1, 5))]
        features = [
            batch_norm(feature, weights, name)
            for feature, name in zip(features, names, strict=False)
        ]
    return np.concatenate([features[0], *(part / 4 for part in features[1:])])
