"""Detectors: the letterbox, suppression, and agreement with the packages they stand in for."""

import json
import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.arrays import Detections
from everyid.device import choose
from everyid.errors import ConfigError, HubError, InputError, WeightsError
from everyid.protocols import Detector
from object.detectors import DetectorOptions, open_detector
from object.detectors.coco import COCO_NAMES
from object.detectors.common import Letterbox, letterboxed_batches, resolve_classes, suppress
from object.detectors.detr import read_queries
from object.detectors.yolo import read_anchors, read_end_to_end
from object.detectors.yolox import read_grid
from object.sample import sample_images

CPU = choose("cpu", precision="fp32")
RNG = np.random.default_rng(7)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of every pair, float64 (N, M)."""
    a, b = a[:, None].astype(float), b[None].astype(float)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=2)
    union = (a[..., 2:] - a[..., :2]).prod(axis=2) + (b[..., 2:] - b[..., :2]).prod(axis=2)
    return shared / (union - shared)


def random_boxes(count: int, size: float = 200) -> np.ndarray:
    corners = RNG.uniform(0, size, (count, 2))
    return np.concatenate([corners, corners + RNG.uniform(5, 80, (count, 2))], 1).astype(np.float32)


# The letterbox


@given(height=st.integers(1, 5000), width=st.integers(1, 5000), size=st.integers(32, 1280))
def test_letterbox_is_what_ultralytics_makes(height: int, width: int, size: int) -> None:
    augment = pytest.importorskip("ultralytics.data.augment")
    size = -(-size // 32) * 32
    theirs = augment.LetterBox((size, size), auto=True, stride=32)
    wanted = theirs.get_params({"img": np.empty((height, width, 0), np.uint8)})
    ours = Letterbox.fit((height, width), size=size, stride=32)
    inner_w, inner_h = wanted["new_unpad"]
    assert ours.inner_hw == (inner_h, inner_w)
    assert (ours.top, ours.left) == (wanted["top"], wanted["left"])
    assert ours.canvas_hw == (
        inner_h + wanted["top"] + wanted["bottom"],
        inner_w + wanted["left"] + wanted["right"],
    )
    assert ours.canvas_hw[0] % 32 == 0
    assert ours.canvas_hw[1] % 32 == 0


@pytest.mark.parametrize("shape", [(576, 768), (432, 768), (1, 1), (1, 5000), (333, 217)])
def test_letterboxed_pixels_are_those_of_ultralytics(shape: tuple[int, int]) -> None:
    augment = pytest.importorskip("ultralytics.data.augment")
    image = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    theirs = augment.LetterBox((640, 640), auto=True, stride=32)(image=image)
    ((positions, boxes, batch),) = letterboxed_batches([image], size=640, stride=32)
    assert positions == [0]
    assert boxes[0].image_hw == shape
    np.testing.assert_array_equal(batch[0], theirs)


def test_boxes_come_back_to_where_they_were() -> None:
    box = Letterbox.fit((360, 640), size=320, stride=32)
    inside = np.array([[64, 36, 320, 180]], np.float32)
    scale = box.inner_hw[0] / 360
    shift = np.array([box.left, box.top] * 2, np.float32)
    np.testing.assert_allclose(box.to_image(inside * scale + shift), inside, atol=1e-3)


def test_boxes_are_clipped_to_the_image() -> None:
    box = Letterbox.fit((100, 200), size=320, stride=32)
    clipped = box.to_image(np.array([[-50, -50, 999, 999]], np.float32))
    np.testing.assert_array_equal(clipped, [[0, 0, 200, 100]])


def test_images_of_several_shapes_are_grouped_and_keep_their_places() -> None:
    images = [np.full((h, w, 3), 9, np.uint8) for h, w in [(60, 80), (80, 60), (120, 160)]]
    batches = letterboxed_batches(images, size=128, stride=32)
    assert sorted(place for places, _, _ in batches for place in places) == [0, 1, 2]
    assert [len(batch) for _, _, batch in batches] == [2, 1]


# Suppression


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 60), iou=st.floats(0.05, 0.95))
def test_suppression_equals_torchvision(seed: int, count: int, iou: float) -> None:
    torchvision = pytest.importorskip("torchvision")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 60, (count, 2))], 1)
    boxes = boxes.astype(np.float32)
    scores = rng.permutation(np.linspace(0.1, 0.9, count)).astype(np.float32)
    classes = rng.integers(0, 3, count).astype(np.int32)
    ours = suppress(boxes, scores, classes, iou=iou)
    kept = torchvision.ops.batched_nms(
        torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(classes), iou
    ).numpy()
    np.testing.assert_array_equal(ours.boxes_xyxy, boxes[kept])
    np.testing.assert_array_equal(ours.class_ids, classes[kept])


def test_suppression_keeps_the_earlier_of_equal_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10]], np.float32)
    kept = suppress(boxes, np.array([0.5, 0.5], np.float32), np.zeros(2, np.int32), iou=0.5)
    np.testing.assert_array_equal(kept.boxes_xyxy, boxes[:1])


def test_suppression_keeps_at_most_300() -> None:
    boxes = np.arange(500, dtype=np.float32)[:, None] * 20 + np.array([0, 0, 10, 10], np.float32)
    scores = np.linspace(0.9, 0.1, 500).astype(np.float32)
    assert len(suppress(boxes, scores, np.zeros(500, np.int32), iou=0.5)) == 300


# Class names


def test_classes_by_name_number_and_case() -> None:
    assert resolve_classes(["PERSON", " 2 ", "dog"], dict(enumerate(COCO_NAMES))).tolist() == [
        0, 2, 16,
    ]  # fmt: skip


def test_an_unknown_class_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="class 'persn': the model knows 80") as caught:
        resolve_classes(["persn"], dict(enumerate(COCO_NAMES)))
    assert caught.value.hint == "did you mean 'person'?"


def test_an_unknown_class_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="class '80'"):
        resolve_classes(["80"], dict(enumerate(COCO_NAMES)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.5}, "confidence: expected 0 to 1, got 1.5"),
        ({"iou": -0.1}, "iou: expected 0 to 1, got -0.1"),
        ({"image_size": 8}, "image size: expected 32 to 8192 pixels, got 8"),
    ],
)
def test_options_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DetectorOptions(**options)


# Reading outputs


def reference_anchors(
    values: np.ndarray, conf: float, iou: float, classes: list[int]
) -> np.ndarray:
    nms = pytest.importorskip("ultralytics.utils.nms")
    torch = pytest.importorskip("torch")
    found = nms.non_max_suppression(
        torch.from_numpy(values[None].copy()), conf, iou, classes=classes or None
    )
    return found[0].numpy()


@pytest.mark.parametrize("classes", [[], [0], [1, 3]])
def test_anchors_are_read_as_ultralytics_reads_them(classes: list[int]) -> None:
    count, kinds = 400, 4
    boxes = random_boxes(count)
    centers, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    scores = RNG.random((count, kinds)).astype(np.float32) ** 3
    values = np.concatenate([centers, sizes, scores], axis=1).T.astype(np.float32).copy()
    wanted = np.array(classes or range(kinds), np.int32)
    ours = read_anchors(values, (0, 0), wanted, DetectorOptions(confidence=0.3, iou=0.6))
    theirs = reference_anchors(values, 0.3, 0.6, classes)
    assert len(ours) == len(theirs) > 5
    np.testing.assert_allclose(ours.boxes_xyxy, theirs[:, :4], atol=1e-3)
    np.testing.assert_allclose(ours.scores, theirs[:, 4], atol=1e-6)
    np.testing.assert_array_equal(ours.class_ids, theirs[:, 5])


def test_no_anchor_above_the_confidence() -> None:
    values = np.zeros((84, 10), np.float32)
    assert len(read_anchors(values, (0, 0), np.arange(80, dtype=np.int32), DetectorOptions())) == 0


def test_end_to_end_output_is_filtered_and_sorted() -> None:
    values = np.array(
        [[0, 0, 9, 9, 0.3, 0], [0, 0, 8, 8, 0.9, 0], [0, 0, 7, 7, 0.8, 5], [0, 0, 6, 6, 0.1, 0]],
        np.float32,
    )
    found = read_end_to_end(values, (0, 0), np.array([0], np.int32), DetectorOptions())
    np.testing.assert_allclose(found.scores, [0.9, 0.3])
    np.testing.assert_array_equal(found.boxes_xyxy[:, 2], [8, 9])


def test_grid_is_decoded_with_its_strides() -> None:
    canvas = (32, 64)
    cells = 4 * 8 + 2 * 4 + 1 * 2
    values = np.zeros((cells, 7), np.float32)
    row = 4 * 8 + 5  # stride 16, second row, second column
    values[row] = [0.5, 0.25, np.log(2.0), np.log(1.0), 0.9, 0.1, 0.8]
    found = read_grid(values, canvas, np.array([0, 1], np.int32), DetectorOptions())
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes_xyxy, [[8, 12, 40, 28]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.72], atol=1e-6)
    assert found.class_ids.tolist() == [1]


def test_queries_are_read_as_transformers_reads_them() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    outputs = type("Outputs", (), {})()
    logits = RNG.normal(-1, 2, (30, 5)).astype(np.float32)
    centers = RNG.uniform(0.3, 0.7, (30, 2))
    boxes = np.concatenate([centers, RNG.uniform(0.1, 0.4, (30, 2))], 1).astype(np.float32)
    outputs.logits, outputs.pred_boxes = torch.tensor(logits)[None], torch.tensor(boxes)[None]
    theirs = transformers.RTDetrImageProcessor().post_process_object_detection(
        outputs, threshold=0.4, target_sizes=[(90, 160)]
    )[0]
    ours = read_queries(
        logits, boxes, image_hw=(90, 160), classes=np.arange(5, dtype=np.int32), confidence=0.4
    )
    order = np.argsort(-theirs["scores"].numpy(), kind="stable")
    np.testing.assert_allclose(ours.scores, theirs["scores"].numpy()[order], atol=1e-6)
    np.testing.assert_allclose(ours.boxes_xyxy, theirs["boxes"].numpy()[order], atol=1e-3)
    np.testing.assert_array_equal(ours.class_ids, theirs["labels"].numpy()[order])


# Real networks


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [cv2.imread(str(path)) for path in sample_images()]


def test_yolo_agrees_with_ultralytics(default_weights: Path, pictures: list[np.ndarray]) -> None:
    ultralytics = pytest.importorskip("ultralytics")
    peer = ultralytics.YOLO(default_weights)
    ours = open_detector(str(default_weights), device=CPU, options=DetectorOptions())
    for image, found in zip(pictures, ours.detect(pictures), strict=True):
        boxes = peer.predict(image, conf=0.25, iou=0.7, imgsz=640, verbose=False)[0].boxes
        assert len(found) == len(boxes) >= 3
        best = overlaps(found.boxes_xyxy, boxes.xyxy.numpy())
        assert best.max(axis=1).min() >= 0.98
        match = best.argmax(axis=1)
        np.testing.assert_allclose(found.scores, boxes.conf.numpy()[match], atol=0.01)
        np.testing.assert_array_equal(found.class_ids, boxes.cls.numpy()[match])


def test_yolo_fulfils_the_protocol_and_takes_a_class(
    default_weights: Path, pictures: list[np.ndarray]
) -> None:
    detector = open_detector(
        str(default_weights), device=CPU, options=DetectorOptions(classes=("bus",))
    )
    assert isinstance(detector, Detector)
    assert detector.class_names[0] == "person"
    bus, none = detector.detect(pictures)
    assert bus.class_ids.tolist() == [5]
    assert len(none) == 0
    assert detector.detect([]) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (7, 3)])
def test_tiny_and_thin_images_give_no_boxes(default_weights: Path, shape: tuple[int, int]) -> None:
    detector = open_detector(str(default_weights), device=CPU, options=DetectorOptions())
    (found,) = detector.detect([np.full((*shape, 3), 90, np.uint8)])
    assert isinstance(found, Detections)
    assert len(found) == 0


def test_yolox_finds_the_people(shared_data: Path, pictures: list[np.ndarray]) -> None:
    path = shared_data / "weights/detect/yolox_nano.onnx"
    detector = open_detector(str(path), device=CPU, options=DetectorOptions(classes=("person",)))
    bus, football = detector.detect(pictures)
    assert len(bus) == 4
    assert len(football) == 2
    expected = np.array([[49, 396, 213, 901]])
    assert overlaps(bus.boxes_xyxy, expected).max() > 0.9


def tiny_yolo(folder: Path, *, task: str = "detect") -> Path:
    """A randomly initialised checkpoint of ultralytics, saved as their trainer does."""
    torch = pytest.importorskip("torch")
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    kinds = {"detect": ("yolov8n.yaml", tasks.DetectionModel)}
    kinds["segment"] = ("yolov8n-seg.yaml", tasks.SegmentationModel)
    kinds["detect26"] = ("yolo26n.yaml", tasks.DetectionModel)
    name, kind = kinds[task]
    torch.manual_seed(0)
    model = kind(name, nc=3, verbose=False)
    model.names = {0: "cat", 1: "dog", 2: "cow"}
    path = folder / f"{task}.pt"
    torch.save({"model": model.half(), "ema": None, "train_args": {"task": "detect"}}, path)
    return path


def test_a_users_own_checkpoint_loads_without_running_code(tmp_path: Path) -> None:
    detector = open_detector(
        str(tiny_yolo(tmp_path)), device=CPU, options=DetectorOptions(image_size=64)
    )
    assert dict(detector.class_names) == {0: "cat", 1: "dog", 2: "cow"}
    detector.detect([np.zeros((48, 64, 3), np.uint8)])


def test_an_end_to_end_checkpoint_agrees_with_ultralytics(tmp_path: Path) -> None:
    ultralytics = pytest.importorskip("ultralytics")
    path = tiny_yolo(tmp_path, task="detect26")
    image = RNG.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    options = DetectorOptions(confidence=0.001, image_size=128)
    (ours,) = open_detector(str(path), device=CPU, options=options).detect([image])
    peer = ultralytics.YOLO(path).predict(image, conf=0.001, imgsz=128, verbose=False)[0].boxes
    assert len(ours) > 0
    best = overlaps(ours.boxes_xyxy[:20], peer.xyxy.numpy()).max(axis=1)
    assert best.min() >= 0.98


# Models that are not


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    mark, path = tmp_path / "ran", tmp_path / "evil.pt"
    torch.save({"model": Evil(mark)}, path)
    with pytest.raises(WeightsError, match="wants to run code") as caught:
        open_detector(str(path), device=CPU, options=DetectorOptions())
    assert "--trust-weights" in str(caught.value.hint)
    assert not mark.exists()


def test_trusting_a_pickle_runs_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    mark, path = tmp_path / "ran", tmp_path / "own.pt"
    torch.save({"model": Evil(mark)}, path)
    with pytest.raises(WeightsError, match="with a model inside"):
        open_detector(str(path), device=CPU, options=DetectorOptions(trust_weights=True))
    assert mark.exists()


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    path = tiny_yolo(tmp_path, task="segment")
    with pytest.raises(
        WeightsError, match="expected a model of task detect, this one's is segment"
    ):
        open_detector(str(path), device=CPU, options=DetectorOptions())


def test_files_that_are_not_models(tmp_path: Path) -> None:
    text = tmp_path / "model.pt"
    text.write_text("not a model")
    archive = tmp_path / "archive.pt"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("readme.txt", "hello")
    old = tmp_path / "old.pt"
    old.write_bytes(pickle.dumps([1, 2, 3]))
    onnx = tmp_path / "model.onnx"
    onnx.write_text("not a model")
    cases = {
        text: "expected an ultralytics checkpoint, this is not one",
        archive: "archive.pt",
        old: "expected an ultralytics checkpoint, this is not one",
        onnx: "not a network that OpenVINO can run",
    }
    for path, message in cases.items():
        with pytest.raises(WeightsError, match=message):
            open_detector(str(path), device=CPU, options=DetectorOptions())


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tiny_yolo(tmp_path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="expected an ultralytics checkpoint, this is not one"):
        open_detector(str(path), device=CPU, options=DetectorOptions())


def test_an_onnx_of_another_kind_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    shape = ["b", 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["in"], ["out"])],
        "relu",
        [helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, shape)],
    )
    path = tmp_path / "relu.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[opset]), path)
    with pytest.raises(WeightsError, match="expected a YOLOX network"):
        open_detector(str(path), device=CPU, options=DetectorOptions())


def test_names_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match="no such file, and not the name of a detector"
    ) as caught:
        open_detector("nonsense", device=CPU, options=DetectorOptions())
    assert "yolov8n" in str(caught.value.hint)
    with pytest.raises(InputError, match="no such file or folder"):
        open_detector(str(tmp_path / "none.onnx"), device=CPU, options=DetectorOptions())
    other = tmp_path / "model.bin"
    other.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"ending in \.pt or \.onnx"):
        open_detector(str(other), device=CPU, options=DetectorOptions())


# transformers


@pytest.fixture(scope="module")
def tiny_detr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny RT-DETR, randomly initialised, saved as published ones are."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 20],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[12, 16, 20],
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_queries=20,
        num_denoising=0,
        id2label={0: "person", 1: "dog"},
        label2id={"person": 0, "dog": 1},
    )
    folder = tmp_path_factory.mktemp("rtdetr tiny")
    transformers.RTDetrForObjectDetection(config).eval().save_pretrained(folder)
    processor = transformers.RTDetrImageProcessor(size={"height": 64, "width": 64})
    processor.save_pretrained(folder)
    return folder


def test_transformers_detector_agrees_with_transformers(tiny_detr: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    image = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    options = DetectorOptions(confidence=0.0)
    detector = open_detector(str(tiny_detr), device=CPU, options=options)
    assert dict(detector.class_names) == {0: "person", 1: "dog"}
    first, second, third = detector.detect([image, image[::-1].copy(), image])
    model = transformers.AutoModelForObjectDetection.from_pretrained(tiny_detr).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_detr)
    inputs = processor(image[..., ::-1].copy(), return_tensors="pt")
    with torch.inference_mode():
        theirs = processor.post_process_object_detection(
            model(**inputs), threshold=0.0, target_sizes=[(64, 64)]
        )[0]
    assert len(first) > 0
    np.testing.assert_allclose(
        first.scores[:5], np.sort(theirs["scores"].numpy())[::-1][:5], atol=1e-3
    )
    np.testing.assert_array_equal(first.boxes_xyxy, third.boxes_xyxy)
    assert len(second) > 0


def test_a_transformers_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "ViTImageProcessor"})
    )
    with pytest.raises(WeightsError, match="expected a detector of type rt_detr"):
        open_detector(str(tmp_path), device=CPU, options=DetectorOptions())


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read as a transformers model"):
        open_detector(str(tmp_path), device=CPU, options=DetectorOptions())


def test_a_repository_that_cannot_be_reached_says_how_to_get_it() -> None:
    with pytest.raises(HubError, match="cannot be reached") as caught:
        open_detector("PekingU/rtdetr_r18vd", device=CPU, options=DetectorOptions())
    assert "hf download PekingU/rtdetr_r18vd" in str(caught.value.hint)
