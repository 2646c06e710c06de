"""Compiled networks against the plain torch module, and the graphs kept on disk."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from everyid import output
from everyid.device import Device, available, choose
from everyid.errors import ShapeError, WeightsError
from everyid.runtime import NetworkSource, Preprocessing, compile_network, graph_size_hw
from everyid.settings import settings

HEIGHT, WIDTH = SIZE = (32, 48)
CPU = Device(kind="cpu", index=0, precision="fp32", threads=2, name="test")
CUDA = Device(kind="cuda", index=0, precision="fp32", threads=2, name="test")
PLAIN = Preprocessing()
EVERY_STEP = Preprocessing(
    colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize_hw=(24, 20)
)
WAYS = {
    "rgb": PLAIN,
    "bgr": Preprocessing(colour="bgr", scale=1.0),
    "bgr-mean-std": Preprocessing(colour="bgr", mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4)),
    "mean-of-255": Preprocessing(scale=1.0, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4)),
    "rgb-mean-std-smaller": EVERY_STEP,
    "bgr-larger": Preprocessing(colour="bgr", resize_hw=(50, 77)),
}
every_way = pytest.mark.parametrize("preprocessing", WAYS.values(), ids=WAYS)


class TwoHeads(nn.Module):
    """A vector and a map, from weights that treat the three channels differently."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, x):
        features = torch.relu(self.stem(x))
        return self.head(features).mean((2, 3)), features


@pytest.fixture(scope="module")
def two_heads():
    torch.manual_seed(0)
    return TwoHeads().eval()


def random_images(count, size_hw=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *size_hw, 3), np.uint8)


IMAGES = random_images(3)


def prepared(images, wanted):
    """The same preprocessing, step by step: float32 (B, 3, H, W)."""
    channels = [2, 1, 0] if wanted.colour == "rgb" else [0, 1, 2]
    x = torch.from_numpy(images[..., channels].astype(np.float32).transpose(0, 3, 1, 2).copy())
    if wanted.resize_hw is not None:
        x = nn.functional.interpolate(x, wanted.resize_hw, mode="bilinear", align_corners=False)
    planes = [
        (x[:, channel] / wanted.scale - wanted.mean[channel]) / wanted.std[channel]
        for channel in range(3)
    ]
    return torch.stack(planes, dim=1)


def expected(module, images, wanted=PLAIN):
    with torch.inference_mode():
        outputs = module(prepared(images, wanted))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [one.float().numpy() for one in outputs]


def compiled(model, *, device=CPU, preprocessing=PLAIN, size_hw=SIZE, **options):
    return compile_network(
        lambda: NetworkSource(model),
        device=device,
        preprocessing=preprocessing,
        size_hw=size_hw,
        **options,
    )


def assert_same(found, wanted, tolerance=1e-4):
    assert isinstance(found, tuple)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def tiny_onnx(path, *, batch="N", shape=None, inputs=1, outputs=1, size_hw=SIZE):
    """Writes conv + relu as ONNX and returns the torch module of it.

    With ``shape``, the result is reshaped to that, as exporters with a fixed batch do.
    """
    conv = nn.Conv2d(3, 4, 3, padding=1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        conv.reset_parameters()
    weights = {name: value.detach().numpy() for name, value in conv.named_parameters()}
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    nodes = [
        helper.make_node("Conv", ["image", "weight", "bias"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["features"]),
    ]
    if shape is not None:
        stored.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", ["features", "shape"], ["flat"]))
    names = (["features"] if shape is None else ["flat", "features"])[:outputs]
    images = ["image", "other"][:inputs]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, 3, *size_hw]) for n in images],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        stored,
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return nn.Sequential(conv, nn.ReLU()).eval()


@pytest.fixture
def onnx_file(tmp_path):
    """A network that compiles fast, for tests that are not about conversion: (path, module)."""
    path = tmp_path / "tiny.onnx"
    return path, tiny_onnx(path)


# the same numbers as torch


@every_way
def test_a_compiled_network_equals_the_module(two_heads, preprocessing):
    network = compiled(two_heads, preprocessing=preprocessing)
    for count in (1, 3, 7):
        images = random_images(count, seed=count)
        assert_same(network(images), expected(two_heads, images, preprocessing))


@every_way
def test_the_torch_way_equals_the_compiled_one(two_heads, preprocessing, monkeypatch):
    monkeypatch.setattr(Device, "torch_name", "cpu")  # the way of a GPU, on this machine
    network = compiled(two_heads, device=CUDA, preprocessing=preprocessing)
    for count in (0, 1, 7):
        images = random_images(count, seed=count)
        assert_same(network(images), expected(two_heads, images, preprocessing))


def test_preprocessing_matters(two_heads):
    results = [expected(two_heads, IMAGES, wanted)[0] for wanted in WAYS.values()]
    for index, one in enumerate(results):
        for other in results[:index]:
            assert np.abs(one - other).max() > 1e-3  # ten times what the tests above let pass


def test_images_of_several_sizes(two_heads):
    network = compiled(two_heads, dynamic_size=True)
    for size_hw in (SIZE, (64, 40), (31, 17)):
        images = random_images(2, size_hw)
        assert_same(network(images), expected(two_heads, images))


@pytest.mark.parametrize("dynamic_size", [False, True])
def test_images_of_any_size_when_the_graph_resizes(onnx_file, dynamic_size):
    path, module = onnx_file
    wanted = Preprocessing(resize_hw=SIZE)
    network = compiled(path, preprocessing=wanted, size_hw=(9, 9), dynamic_size=dynamic_size)
    for size_hw in ((9, 9), (100, 60)):
        images = random_images(2, size_hw)
        assert_same(network(images), expected(module, images, wanted))


class BakesItsBatch(nn.Module):
    """Asks for the batch in a way that tracing takes for a constant."""

    def forward(self, x):
        return x, x.reshape(len(x), -1)


class SumOfAll(nn.Module):
    """Gives one number whatever the batch."""

    def forward(self, x):
        return x.sum()


@pytest.mark.parametrize(
    ("module", "shape"), [(BakesItsBatch(), r"\[2,\?\]"), (SumOfAll(), r"\[\]")]
)
def test_a_batch_that_tracing_fixed_is_refused(module, shape, cache):
    name = type(module).__name__
    expected = f"^{name}: the network was traced with a fixed batch: .* any B, got {shape}$"
    with pytest.raises(WeightsError, match=expected) as caught:
        compiled(module.eval(), cache_key=name)
    assert "len(x)" in caught.value.hint
    assert not list(cache.rglob("*.blob"))


def test_outputs_come_in_order_as_float32():
    class Odd(nn.Module):
        def forward(self, x):
            mean = x.mean((2, 3))
            return mean, x.flatten(1).argmax(1), mean, x

    network = compiled(Odd().eval())
    assert_same(network(IMAGES), expected(Odd(), IMAGES))


def deep_network():
    torch.manual_seed(2)
    layers, channels = [], 3
    for index in range(10):
        conv = nn.Conv2d(channels, 32, 3, stride=2 if index in (0, 5) else 1, padding=1)
        nn.init.kaiming_normal_(conv.weight)
        layers += [conv, nn.ReLU()]
        channels = 32
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 64, bias=False)]
    return nn.Sequential(*layers).eval()


def cosine(one, other):
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(1) / lengths


def test_bf16_is_near_fp32_and_really_bf16():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file() or "avx512bw" not in cpuinfo.read_text():
        pytest.skip("this processor computes no bf16")
    module = deep_network()
    wanted = expected(module, IMAGES)[0]
    bf16 = Device(kind="cpu", index=0, precision="bf16", threads=2, name="test")
    found = compiled(module, device=bf16)(IMAGES)[0]
    assert found.dtype == np.float32
    assert cosine(found, wanted).min() >= 0.999
    assert cosine(wanted[:1], wanted[1:]).max() < 0.999  # else the line above says little
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert error > 1e-4, "as near as fp32: bf16 was not used"


def test_the_torch_way_in_bf16(monkeypatch):
    monkeypatch.setattr(Device, "torch_name", "cpu")
    monkeypatch.setattr("torch.autocast", lambda _, *rest, **named: cpu_autocast(*rest, **named))
    module = deep_network()
    wanted = expected(module, IMAGES)[0]
    bf16 = Device(kind="cuda", index=0, precision="bf16", threads=2, name="test")
    found = compiled(module, device=bf16)(IMAGES)[0]
    assert found.dtype == np.float32
    assert cosine(found, wanted).min() >= 0.999
    assert np.abs(found - wanted).max() / np.abs(wanted).max() > 1e-4


def cpu_autocast(dtype, *, enabled):
    return torch.amp.autocast_mode.autocast("cpu", dtype, enabled=enabled)


@pytest.mark.gpu
@every_way
def test_a_real_gpu_equals_the_module(two_heads, preprocessing):
    if list(available()) == ["cpu"]:
        pytest.skip("no GPU here")
    wanted = expected(two_heads, IMAGES, preprocessing)
    exact = compiled(two_heads, device=choose(precision="fp32"), preprocessing=preprocessing)
    assert_same(exact(IMAGES), wanted, tolerance=1e-2)  # TF32 and other fast kernels
    usual = compiled(two_heads, device=choose(), preprocessing=preprocessing)
    assert cosine(usual(IMAGES)[0], wanted[0]).min() >= 0.999
    two_heads.to("cpu")


# what may be given


@pytest.fixture(params=["openvino", "torch"])
def small(request, monkeypatch, tmp_path):
    """(network, module) of each way to run."""
    path = tmp_path / "small.onnx"
    module = tiny_onnx(path)
    if request.param == "openvino":
        return compiled(path), module
    monkeypatch.setattr(Device, "torch_name", "cpu")
    return compiled(module, device=CUDA), module


def test_no_images_give_no_rows(small):
    network, _ = small
    assert network(IMAGES[:0])[0].shape == (0, 4, *SIZE)


def test_views_and_read_only_arrays(small):
    network, module = small
    larger = random_images(3, (HEIGHT + 8, WIDTH + 8))
    cut = larger[:, 4:-4, 4:-4]
    mirrored = IMAGES[:, :, ::-1]
    swapped = IMAGES[..., ::-1]
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    for images in (cut, mirrored, swapped, frozen):
        assert_same(network(images), expected(module, images.copy()))


def test_images_are_left_alone_and_results_are_the_callers_own(small):
    network, module = small
    images = IMAGES.copy()
    first = network(images)
    np.testing.assert_array_equal(images, IMAGES)
    network(255 - images)
    assert_same(first, expected(module, IMAGES))
    first[0][:] = 0
    assert_same(network(images), expected(module, IMAGES))


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.astype(np.float32),
        IMAGES.astype(np.int16),
        IMAGES[0],
        IMAGES[..., 0],
        IMAGES[..., :2],
        IMAGES.transpose(0, 3, 1, 2),
    ],
)
def test_what_is_no_batch_of_images_is_refused(small, images):
    network, _ = small
    came = f"got {images.dtype} {images.shape}".replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ShapeError, match=rf"^images: expected uint8 \(B, H, W, 3\), {came}$"):
        network(images)


def test_images_of_another_size_are_refused(onnx_file):
    network = compiled(onnx_file[0])
    expected_words = r"^images: expected uint8 \(B, 32, 48, 3\), got \(1, 48, 32, 3\)$"
    with pytest.raises(ShapeError, match=expected_words):
        network(random_images(1, (48, 32)))


def test_several_threads_at_once(small):
    network, module = small
    assert network.parallel_calls >= 1
    batches = [random_images(1 + seed % 3, seed=seed) for seed in range(24)]
    barrier = threading.Barrier(4)

    def work(mine):
        barrier.wait()
        return [network(images) for images in mine]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, [batches[start::4] for start in range(4)]))
    for start in range(4):
        for one, images in zip(found[start], batches[start::4], strict=True):
            assert_same(one, expected(module, images))


def test_metadata_comes_back_as_from_json(onnx_file, monkeypatch):
    facts = {"names": {0: "person"}, "stride": 32, "size": (1, 2), "none": None}
    settings_of = {"preprocessing": PLAIN, "size_hw": SIZE}
    network = compile_network(lambda: NetworkSource(onnx_file[0], facts), device=CPU, **settings_of)
    assert network.metadata == json.loads(json.dumps(facts))
    monkeypatch.setattr(Device, "torch_name", "cpu")
    network = compile_network(
        lambda: NetworkSource(onnx_file[1], facts), device=CUDA, **settings_of
    )
    assert network.metadata == json.loads(json.dumps(facts))


# files


@pytest.mark.parametrize(
    ("batch", "shape"),
    [("N", None), (1, None), (4, None), (1, [1, 4, -1]), (1, [1, 4, HEIGHT * WIDTH])],
)
def test_an_onnx_file_takes_any_number_of_images(tmp_path, batch, shape):
    path = tmp_path / "tiny.onnx"
    module = tiny_onnx(path, batch=batch, shape=shape, outputs=1 if shape is None else 2)
    network = compiled(path)
    for count in (0, 1, 3):
        images = random_images(count, seed=count)
        features = expected(module, images)[0]
        flat = [] if shape is None else [features.reshape(count, 4, HEIGHT * WIDTH)]
        assert_same(network(images), [*flat, features])


def test_an_onnx_file_for_a_gpu_runs_on_the_cpu(onnx_file, capsys):
    path, module = onnx_file
    calls = []
    network = compile_network(
        lambda: calls.append(1) or NetworkSource(path),
        device=CUDA,
        preprocessing=PLAIN,
        size_hw=SIZE,
    )
    assert_same(network(IMAGES), expected(module, IMAGES))
    assert len(calls) == 1
    assert "tiny.onnx: OpenVINO and ONNX files run on the CPU" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"hello\nworld", bytes(range(256))])
def test_a_file_that_is_no_network(tmp_path, content):
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"text\.onnx: not a network that OpenVINO can run: "):
        compiled(path)


def test_a_file_cut_short_and_a_missing_one(onnx_file, tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(onnx_file[0].read_bytes()[:200])
    for one in (path, tmp_path / "none.onnx"):
        with pytest.raises(WeightsError, match=f"{one.name}: not a network") as caught:
            compiled(one)
        assert "\n" not in str(caught.value)


def test_a_network_with_two_inputs_is_refused(tmp_path):
    path = tmp_path / "two.onnx"
    tiny_onnx(path, inputs=2)
    with pytest.raises(WeightsError, match=r"two\.onnx: expected a network with one image input"):
        compiled(path)


def test_a_batch_of_four_built_in_is_refused(tmp_path):
    path = tmp_path / "four.onnx"
    tiny_onnx(path, batch=4, shape=[4, -1])
    with pytest.raises(WeightsError, match=r"four\.onnx: .*batch"):
        compiled(path)


@pytest.mark.parametrize(
    ("size_hw", "expected"), [(SIZE, SIZE), (("H", "W"), None), ((HEIGHT, "W"), None)]
)
def test_the_size_that_a_file_is_made_for(tmp_path, size_hw, expected):
    tiny_onnx(tmp_path / "tiny.onnx", size_hw=size_hw)
    assert graph_size_hw(tmp_path / "tiny.onnx") == expected


def test_the_size_of_what_is_no_network(tmp_path):
    (tmp_path / "text.onnx").write_bytes(b"hello")
    with pytest.raises(WeightsError, match=r"text\.onnx: not a network that OpenVINO can run: "):
        graph_size_hw(tmp_path / "text.onnx")


# graphs kept on disk


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The folder of compiled graphs of this test."""
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    return tmp_path / "cache" / "compiled"


@pytest.fixture
def keep(onnx_file, cache):
    """Compiles with a key; the number of times that the source was made is in ``made``."""

    class Keep:
        made = 0

        def __call__(self, **changes):
            def source():
                self.made += 1
                return NetworkSource(onnx_file[0], {"stride": 32})

            usual = {
                "device": CPU,
                "preprocessing": PLAIN,
                "size_hw": SIZE,
                "cache_key": "weights-1",
            }
            return compile_network(source, **{**usual, **changes})

    return Keep()


def test_without_a_key_nothing_is_kept(keep, cache):
    keep(cache_key=None)
    keep(cache_key=None)
    assert keep.made == 2
    assert not cache.exists()


def test_a_kept_graph_needs_no_source(two_heads, cache, capsys):
    options = {
        "device": CPU,
        "preprocessing": EVERY_STEP,
        "size_hw": SIZE,
        "cache_key": "two-heads",
    }
    facts = {"names": {"0": "person"}, "text": "ä\n"}
    first = compile_network(lambda: NetworkSource(two_heads, facts), **options)
    (entry,) = cache.iterdir()

    def refuse():
        raise RuntimeError("the source was made again")

    second = compile_network(refuse, **options)
    assert_same(second(IMAGES), first(IMAGES), tolerance=0)
    assert_same(second(IMAGES), expected(two_heads, IMAGES, EVERY_STEP))
    assert second.metadata == first.metadata == facts
    assert list(cache.iterdir()) == [entry]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"cache_key": "weights-2"},
        {"preprocessing": Preprocessing(colour="bgr")},
        {"preprocessing": Preprocessing(mean=(0.0, 0.0, 0.1))},
        {"preprocessing": Preprocessing(resize_hw=SIZE)},
        {"device": Device(kind="cpu", index=0, precision="bf16", threads=2, name="test")},
        {"device": Device(kind="cpu", index=0, precision="fp32", threads=1, name="test")},
        {"device": Device(kind="cpu", index=0, precision="fp32", threads=2, name="other")},
        {"size_hw": (64, 48)},
        {"dynamic_size": True},
    ],
    ids=str,
)
def test_whatever_changes_the_graph_makes_another_entry(keep, cache, changes):
    keep()
    keep(**changes)
    assert (keep.made, len(list(cache.iterdir()))) == (2, 2)
    keep()
    keep(**changes)
    assert keep.made == 2


def test_a_graph_for_any_size_has_one_entry(keep):
    keep(dynamic_size=True)
    keep(dynamic_size=True, size_hw=(640, 640))
    assert keep.made == 1


def flipped(content, position):
    damaged = bytearray(content)
    damaged[position] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\n",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content.partition(b"\n")[2],
        lambda content: b"\xff\x00garbage" * 100,
        lambda content: b"[]\n" + content,
        lambda content: content.replace(b'{"stride": 32}', b'{"stride": 16}'),
        lambda content: flipped(content, 0),
        lambda content: flipped(content, 100),
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, -1),
    ],
)
def test_a_damaged_entry_is_made_again(keep, cache, onnx_file, capsys, damage):
    keep()
    (entry,) = cache.iterdir()
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    assert entry.read_bytes() != good
    network = keep()
    assert keep.made == 2
    assert "compiled network unusable" in capsys.readouterr().err
    assert network.metadata == {"stride": 32}
    assert_same(network(IMAGES), expected(onnx_file[1], IMAGES))
    keep()
    assert keep.made == 2
    assert capsys.readouterr().err == ""


def test_a_cache_that_cannot_be_written_is_no_obstacle(keep, onnx_file, cache, capsys):
    cache.parent.mkdir()
    cache.touch()  # a file where the folder should be: refused to root as well
    network = keep()
    assert_same(network(IMAGES), expected(onnx_file[1], IMAGES))
    assert "the compiled network is not kept: cannot write" in capsys.readouterr().err


def test_a_full_disk_is_no_obstacle(keep, cache, capsys, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    keep()
    assert "not kept: no space left on the disk" in capsys.readouterr().err
    assert list(cache.iterdir()) == []


def test_quiet_silences_the_notices_of_the_cache(keep, cache, capsys):
    keep()
    next(cache.iterdir()).write_bytes(b"")
    output.quiet(enabled=True)
    try:
        keep()
    finally:
        output.quiet(enabled=False)
    assert capsys.readouterr() == ("", "")


def test_several_that_compile_the_same_at_once(keep, cache, onnx_file, capsys):
    barrier = threading.Barrier(4)

    def work(_):
        barrier.wait()
        return keep()(IMAGES)

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(work, range(4)):
            assert_same(found, expected(onnx_file[1], IMAGES))
    assert len(list(cache.iterdir())) == 1
    assert "not kept" not in capsys.readouterr().err
    before = keep.made
    keep()
    assert keep.made == before


def test_an_output_that_is_not_finite_stays_so():
    class Infinite(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) / 0.0

    assert math.isinf(compiled(Infinite().eval())(np.full_like(IMAGES, 255))[0].max())
