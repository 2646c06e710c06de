"""Encoders: what a network is fed, where that comes from, and that its output is as by hand."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image as Pillow
from pydantic import ValidationError

from everyid import output, weights
from everyid.device import Device
from everyid.errors import ConfigError, DeviceError, InputError, ShapeError, WeightsError
from everyid.protocols import Encoder
from everyid.settings import PROJECT_FOLDER, settings
from everyid.weights_catalogue import InputSpec
from person import backbones
from person.encoder import (
    EncoderOptions,
    NetworkEncoder,
    build_encoder,
    describe_input,
    find_checkpoint,
)
from tests.person.tiny_backbone import MEAN, SIZE, STD, tiny

CPU = Device(kind="cpu", index=0, precision="fp32", threads=2, name="test")
CUDA = Device(kind="cuda", index=0, precision="fp32", threads=2, name="test")
RGB = {"colour": "rgb", "scale": 255.0, "mean": MEAN, "std": STD}
BGR = {"colour": "bgr", "scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}
NAMES = [f"person-reidentification-retail-{number}" for number in ("0277", "0286", "0287", "0288")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One for all tests here, as the compiling takes most of their time."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path, cache):
    """Only the tiny architecture is known, and no weights were fetched before."""
    monkeypatch.setattr(backbones, "ARCHITECTURES", {"tiny": "tests.person.tiny_backbone"})
    monkeypatch.setenv("EVERYID_CACHE", str(cache))
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / "models"))
    settings.cache_clear()
    output.quiet(enabled=False)


def random_crops(count=5, seed=0, size_hw=None):
    rng = np.random.default_rng(seed)
    sizes = [size_hw or tuple(rng.integers(5, 60, 2)) for _ in range(count)]
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def graph(path, *, size_hw=SIZE, nodes=("GlobalAveragePool",), batch="N", outputs=1):
    """Writes an ONNX network: by default the mean of each channel, (B, 3, 1, 1)."""
    height, width = size_hw or ("H", "W")
    names = ["image", *(f"x{number}" for number in range(1, len(nodes) + 1))]
    made = [
        helper.make_node(kind, [before], [after])
        for kind, before, after in zip(nodes, names, names[1:], strict=False)
    ]
    named = names[-outputs:]
    whole = helper.make_graph(
        made,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, height, width])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in named],
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def checkpoint(path, **options):
    torch.save(tiny(**options).state_dict(), path)
    return path


def build(path, **options):
    return build_encoder(str(path), device=CPU, options=EncoderOptions(**options))


def beside(path, content):
    where = path.with_name(path.name + ".json")
    where.write_text(content if isinstance(content, str) else json.dumps(content))
    return where


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_hand(crops, spec):
    """Resized channel by channel, then colour, scale, mean and std in numpy: (B, 3, H, W)."""
    height, width = spec.size_hw
    ways = {"bilinear": Pillow.Resampling.BILINEAR, "bicubic": Pillow.Resampling.BICUBIC}
    images = []
    for crop in crops:
        planes = []
        for channel in [2, 1, 0] if spec.colour == "rgb" else [0, 1, 2]:
            plane = np.ascontiguousarray(crop[:, :, channel])
            if spec.resize == "linear":
                planes.append(cv2.resize(plane, (width, height)))
            else:
                resized = Pillow.fromarray(plane).resize((width, height), ways[spec.resize])
                planes.append(np.asarray(resized))
        images.append(planes)
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (spec.mean, spec.std))
    return ((np.array(images, np.float64) / spec.scale - mean) / std).astype(np.float32)


# Against the same by hand


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "linear"])
@pytest.mark.parametrize("said", [RGB, BGR], ids=["rgb", "bgr"])
def test_a_checkpoint_is_as_by_hand(tmp_path, resize, said):
    encoder = build(checkpoint(tmp_path / "weights.pth"), resize=resize, **said)
    crops = random_crops()
    with torch.inference_mode():
        expected = tiny()(torch.from_numpy(by_hand(crops, encoder.input))).numpy()
    found = encoder.encode(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, normalised(expected), atol=1e-5)
    assert encoder.width == found.shape[1] == 6


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "linear"])
@pytest.mark.parametrize("said", [RGB, BGR], ids=["rgb", "bgr"])
def test_a_graph_is_as_by_hand(tmp_path, resize, said):
    encoder = build(graph(tmp_path / "net.onnx"), resize=resize, **said)
    crops = random_crops()
    expected = by_hand(crops, encoder.input).mean((2, 3))
    np.testing.assert_allclose(encoder.encode(crops), normalised(expected), atol=1e-5)


def test_shrinking_by_pillow_and_by_opencv_differ(tmp_path):
    crop = random_crops(1, size_hw=(128, 64))[0]
    path = graph(tmp_path / "net.onnx")
    pillow, opencv = (build(path, resize=way, **RGB) for way in ("bilinear", "linear"))
    assert np.abs(pillow.prepare(crop).astype(int) - opencv.prepare(crop)).max() > 20


def test_crops_of_the_right_size_stay_as_they_are(tmp_path):
    crop = random_crops(1, size_hw=SIZE)[0]
    for resize in ("bilinear", "linear"):
        encoder = build(graph(tmp_path / "net.onnx"), resize=resize, **RGB)
        np.testing.assert_array_equal(encoder.prepare(crop), crop)


def test_views_of_a_frame_are_fine(tmp_path):
    frame = random_crops(1, size_hw=(80, 60))[0]
    for resize in ("bilinear", "linear"):
        encoder = build(graph(tmp_path / "net.onnx"), resize=resize, **RGB)
        view = frame[3:50, 7:31]
        np.testing.assert_array_equal(encoder.prepare(view), encoder.prepare(view.copy()))


# The encoder


@pytest.fixture
def encoder(tmp_path) -> NetworkEncoder:
    return build(checkpoint(tmp_path / "weights.pth"), batch_size=3)


def test_it_fulfils_the_protocol(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.name == "weights"
    assert encoder.batch_size == 3
    assert encoder.parallel_calls >= 1


def test_batches_do_not_matter(encoder):
    crops = random_crops(8)
    whole = encoder.encode_prepared(np.stack([encoder.prepare(crop) for crop in crops]))
    np.testing.assert_allclose(encoder.encode(crops), whole, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)


def test_no_crops_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, 6)
    assert encoder.encode_prepared(np.zeros((0, *SIZE, 3), np.uint8)).shape == (0, 6)


def test_several_threads_at_once(encoder):
    sets = [random_crops(4, seed=seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoder.encode, sets))
    for crops, rows in zip(sets, found, strict=True):
        np.testing.assert_allclose(rows, encoder.encode(crops), atol=1e-6)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_what_is_no_crop_is_refused(encoder, crop):
    with pytest.raises(ShapeError, match=r"crop: expected uint8 \(H, W, 3\), got "):
        encoder.encode([crop])


def test_a_batch_of_another_size_is_refused(encoder):
    with pytest.raises(ShapeError, match=r"batch: expected \(B, 16, 8, 3\), got \(2, 8, 16, 3\)"):
        encoder.encode_prepared(np.zeros((2, 8, 16, 3), np.uint8))


@pytest.mark.parametrize("nodes", [("Log", "GlobalAveragePool"), ("Relu", "GlobalAveragePool")])
def test_a_network_that_gives_no_embedding(tmp_path, nodes):
    # The logarithm of black is -inf; of black, channel means are all zero.
    encoder = build(graph(tmp_path / "net.onnx", nodes=nodes), **BGR)
    crops = [np.full((*SIZE, 3), 9, np.uint8), np.zeros((*SIZE, 3), np.uint8)]
    assert encoder.encode(crops[:1]).shape == (1, 3)
    with pytest.raises(WeightsError, match=r"net: the network gave no embedding.* for 1 of 2"):
        encoder.encode(crops)


# What a network is fed


def test_what_was_recognised_is_told(tmp_path, capsys):
    encoder = build(checkpoint(tmp_path / "weights.pth", width=9))
    assert capsys.readouterr().err == (
        "weights: Tiny of the tests, embedding width 9: RGB, ImageNet mean and std, 16x8, "
        "Pillow bilinear\n"
    )
    assert encoder.width == 9
    assert encoder.batch_size == 8
    assert build(checkpoint(tmp_path / "osnet_x1.0.pth.tar")).name == "osnet_x1.0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 255}, "RGB, 0-1"),
        ({"scale": 1, "size_hw": (4, 2)}, "RGB, 0-255, 4x2"),
        ({"scale": 255, "mean": (0.5,) * 3, "std": (0.5,) * 3}, "RGB, -1 to 1"),
        ({"scale": 1, "mean": (1, 2, 3.5)}, "RGB, / 1, mean 1 2 3.5, std 1 1 1"),
        ({"scale": 255, "resize": "bicubic"}, "RGB, 0-1, Pillow bicubic"),
    ],
)
def test_inputs_in_words(changes, words):
    spec = InputSpec.model_validate({"size_hw": None, "colour": "rgb"} | changes)
    assert describe_input(spec) == words


def test_a_graph_that_nobody_describes_is_refused(tmp_path):
    path = graph(tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match="nothing says what this network is fed; ") as caught:
        build(path)
    assert str(caught.value).endswith("not known: colour, scale, mean, std")
    assert f"in {path}.json, such as " in str(caught.value.hint)
    example = str(caught.value.hint).partition("such as ")[2].partition(" (if")[0]
    beside(path, example)
    assert build(path).input == InputSpec(size_hw=SIZE, resize="bilinear", **RGB)


def test_each_thing_that_is_missing_is_named(tmp_path):
    path = graph(tmp_path / "net.onnx", size_hw=None)
    with pytest.raises(ConfigError, match=r"not known: size_hw$"):
        build(path, **RGB)
    beside(path, {"input": {"colour": "bgr"}})
    with pytest.raises(ConfigError, match=r"not known: size_hw, scale, mean$"):
        build(path, std=(1, 1, 1))
    assert build(path, size_hw=(10, 12), **RGB).input.size_hw == (10, 12)


def test_options_override_the_file_beside_and_that_what_is_recognised(tmp_path):
    path = checkpoint(tmp_path / "weights.pth")
    assert build(path).input == InputSpec(size_hw=SIZE, resize="bilinear", **RGB)
    beside(path, {"input": {"colour": "bgr", "size_hw": [32, 20], "resize": "bicubic"}})
    expected = RGB | {"colour": "bgr", "size_hw": (32, 20), "resize": "bicubic"}
    assert build(path).input == InputSpec(**expected)
    spec = build(path, colour="rgb", scale=1.0, resize="linear").input
    assert spec == InputSpec(**expected | {"colour": "rgb", "scale": 1.0, "resize": "linear"})


def test_colours_in_the_wrong_order_are_another_embedding(tmp_path):
    path = checkpoint(tmp_path / "weights.pth")
    crops = random_crops(1)
    swapped = [crop[..., ::-1] for crop in crops]
    right, wrong = build(path), build(path, colour="bgr", mean=MEAN[::-1], std=STD[::-1])
    assert np.abs(right.encode(crops) - wrong.encode(crops)).max() > 0.01
    turned = build(path, colour="bgr")
    np.testing.assert_allclose(turned.encode(swapped), right.encode(crops), atol=1e-6)


def test_a_checkpoint_to_train_on_is_what_is_recognised_and_what_the_file_beside_says(tmp_path):
    path = checkpoint(tmp_path / "weights.pth", width=9)
    beside(path, {"input": {"size_hw": [32, 16]}})
    found = find_checkpoint(str(path))
    assert (found.path, found.name, found.entry) == (path, "weights", None)
    assert found.recognition.config["embedding_width"] == 9
    assert found.input == build(path).input
    assert found.input.size_hw == (32, 16)


def test_a_graph_is_no_checkpoint_to_train_on(tmp_path):
    path = graph(tmp_path / "a.onnx")
    with pytest.raises(WeightsError, match=r"expected a checkpoint \(\.pt, .*got ONNX: a\.onnx"):
        find_checkpoint(str(path))


def test_the_file_beside_says_what_a_checkpoint_is(tmp_path):
    tensors = tiny(width=7).state_dict()
    path = tmp_path / "weights.pt"
    torch.save(tensors, path)
    beside(path, {"architecture": "tiny", "config": {"embedding_width": 7, "classes": 2}})
    assert build(path).width == 7
    beside(path, {"architecture": "tiny", "config": {"embedding_width": 5}})
    with pytest.raises(WeightsError, match=r"fc\.weight expected \(5, 5\), found \(7, 5\)"):
        build(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"weights\.pth\.json: Invalid JSON"),
        ({"colour": "rgb"}, r"json: colour: Extra inputs are not permitted"),
        ({"input": {"colour": "grey"}}, r"json: input\.colour: Input should be 'rgb' or 'bgr'"),
        ({"input": {"std": [1, 0, 1]}}, r"json: input\.std\.1: Input should be greater than 0"),
        ({"input": {"size_hw": [0, 1]}}, r"json: input\.size_hw\.0: Input should be greater"),
        ({"architecture": "oznet"}, "no architecture is called 'oznet'; known: tiny"),
    ],
)
def test_a_wrong_file_beside_is_refused(tmp_path, content, message):
    path = checkpoint(tmp_path / "weights.pth")
    beside(path, content)
    with pytest.raises(ConfigError, match=message):
        build(path)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"scale": 0.0}, {"colours": "rgb"}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        EncoderOptions(**wrong)


def test_the_precision_can_be_said(tmp_path):
    path = checkpoint(tmp_path / "weights.pth")
    with pytest.raises(DeviceError, match="fp16 is for GPUs"):
        build(path, precision="fp16")
    crops = random_crops(3)
    coarse = build(path, precision="bf16").encode(crops)
    assert ((coarse * build(path).encode(crops)).sum(axis=1) > 0.999).all()


# Which file


def test_a_name_that_is_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"no file and no re-id.* 'person-reid'; known: ") as e:
        build_encoder("person-reid", device=CPU)
    assert all(name in str(e.value) for name in NAMES)
    assert "yolov8n" not in str(e.value)
    with pytest.raises(ConfigError) as e:
        build_encoder("person-reidentification-retail-277", device=CPU)
    assert e.value.hint == f"did you mean {NAMES[0]!r}?"


def test_weights_for_another_task(tmp_path):
    with pytest.raises(ConfigError, match=r"yolov8n: these are .* yolov8n, for detect; expected"):
        build_encoder("yolov8n", device=CPU)


def test_files_that_are_not_there_or_no_models(tmp_path):
    with pytest.raises(InputError, match=r"weights\.pth: no such file"):
        build_encoder("weights.pth", device=CPU)
    with pytest.raises(InputError, match="net: no such file"):
        build_encoder(str(tmp_path / "net"), device=CPU)
    with pytest.raises(InputError, match="expected a model file, found a folder"):
        build_encoder(str(tmp_path), device=CPU)
    (tmp_path / "net.tflite").touch()
    with pytest.raises(WeightsError, match=r"expected a model file ending in \.xml, \.onnx, \.pt"):
        build_encoder(str(tmp_path / "net.tflite"), device=CPU)
    (tmp_path / "net.onnx").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match=r"net\.onnx: not a network that OpenVINO can run"):
        build(tmp_path / "net.onnx", **RGB)


def test_an_ir_without_its_weights(tmp_path):
    (tmp_path / "net.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"weights of this network are missing: .*net\.bin"):
        build(tmp_path / "net.xml", **RGB)


def test_weights_outside_an_onnx_file_count(tmp_path):
    path = graph(tmp_path / "net.onnx")
    before = build(path, **RGB)
    (tmp_path / "net.onnx.data").write_bytes(b"weights")
    after = build(path, **RGB)
    assert before.sha256 != after.sha256
    assert build(path, **RGB).sha256 == after.sha256


def test_what_it_is_fed_is_part_of_what_it_is(tmp_path):
    path = checkpoint(tmp_path / "net.pth")
    usual = build(path)
    assert usual.sha256 == weights.sha256_of(path)
    assert build(path, colour=usual.input.colour).sha256 == usual.sha256
    assert build(path, batch_size=3, precision="fp32").sha256 == usual.sha256
    other = "bgr" if usual.input.colour == "rgb" else "rgb"
    assert build(path, colour=other).sha256 != usual.sha256
    assert build(path, scale=usual.input.scale / 2).sha256 != usual.sha256


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({"nodes": ("Relu",)}, r"\(1, 3, 16, 8\)"),
        ({"nodes": ("Relu", "GlobalAveragePool"), "outputs": 2}, r"\(1, .*\), \(1, .*\)"),
    ],
)
def test_a_network_with_other_outputs_is_refused(tmp_path, options, shapes):
    path = graph(tmp_path / "net.onnx", **options)
    with pytest.raises(WeightsError, match=rf"one output, embeddings .* this one gives {shapes}"):
        build(path, **RGB)


def test_a_size_that_a_network_cannot_take(tmp_path):
    path = checkpoint(tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"cannot take images of 1x1: .*size"):
        build(path, size_hw=(1, 1))


def test_graphs_run_on_the_cpu_whatever_the_device(tmp_path, capsys):
    path = graph(tmp_path / "net.onnx")
    options = EncoderOptions(**RGB)
    found = build_encoder(str(path), device=CUDA, options=options)
    assert "OpenVINO and ONNX files run on the CPU" in capsys.readouterr().err
    assert found.batch_size == 8
    crops = random_crops(2)
    np.testing.assert_array_equal(found.encode(crops), build(path, **RGB).encode(crops))


def test_a_compiled_network_needs_neither_torch_nor_its_file_read_again(tmp_path):
    code = (
        "import sys\n"
        "from everyid.device import Device\n"
        "from person import backbones\n"
        "from person.encoder import build_encoder\n"
        "backbones.ARCHITECTURES = {'tiny': 'tests.person.tiny_backbone'}\n"
        "device = Device('cpu', 0, 'fp32', 2, 'test')\n"
        "encoder = build_encoder(sys.argv[1], device=device)\n"
        "print(encoder.width, 'torch' in sys.modules)"
    )
    path = checkpoint(tmp_path / "weights.pth")
    assert build(path).width == 6
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["6", "False"]


# The networks of the Open Model Zoo


@pytest.fixture(scope="session")
def zoo(shared_data):
    return shared_data / "weights" / "reid_teacher"


@pytest.fixture(scope="session")
def two_people(shared_data):
    """Crops of two people in one frame of a clip, and of the same two 20 frames later."""
    capture = cv2.VideoCapture(str(shared_data / "video" / "people-detection.264"))
    frames = [capture.read()[1] for _ in range(221)]
    boxes = [(200, 191, 122, 299, 389), (200, 314, 133, 395, 355)]
    boxes += [(220, 83, 89, 194, 286), (220, 176, 76, 229, 234)]
    return [frames[number][y1:y2, x1:x2] for number, x1, y1, x2, y2 in boxes]


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_colours_matters_to_real_networks(zoo, two_people, name):
    path = zoo / f"{name}.xml"
    right, wrong = build(path).encode(two_people), build(path, colour="rgb").encode(two_people)
    similarities = right @ right.T
    same, others = similarities[[0, 1], [2, 3]], similarities[[0, 0, 1, 2], [1, 3, 2, 3]]
    assert same.min() > 0.65
    assert others.max() < 0.25
    assert (right * wrong).sum(axis=1).max() < 0.75
    torchlike = build(path, resize="bilinear").encode(two_people)
    assert (right * torchlike).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("name", NAMES)
def test_a_known_network_needs_no_flags_whatever_it_is_called(zoo, tmp_path, name, capsys):
    for suffix in (".xml", ".bin"):
        shutil.copy(zoo / f"{name}{suffix}", tmp_path / f"mine{suffix}")
    encoder = build(tmp_path / "mine.xml")
    assert encoder.name == name
    assert encoder.width == 256
    entry = weights.find(name)
    assert entry is not None
    assert encoder.sha256 == entry.companions[0].sha256
    assert encoder.input == entry.input
    said = capsys.readouterr().err
    assert said.startswith(f"{name}: OSNet")
    assert ": BGR, 0-255, 256x128, " in said
    assert encoder.encode(random_crops(3)).shape == (3, 256)


def test_a_known_network_in_the_models_folder_goes_by_its_name(zoo, tmp_path):
    (tmp_path / "models").mkdir()
    for suffix in (".xml", ".bin"):
        shutil.copy(zoo / f"{NAMES[3]}{suffix}", tmp_path / "models")
    assert build_encoder(NAMES[3], device=CPU).name == NAMES[3]
    assert build_encoder(f"{NAMES[3]}.xml", device=CPU).name == NAMES[3]


def test_a_name_that_cannot_be_fetched(tmp_path):
    with pytest.raises(WeightsError, match="could not be fetched from any of its sources") as e:
        build_encoder(NAMES[3], device=CPU)
    assert f"python3 run.py weights fetch {NAMES[3]}" in str(e.value.hint)
    assert str(tmp_path / "models" / f"{NAMES[3]}.bin") in str(e.value.hint)
