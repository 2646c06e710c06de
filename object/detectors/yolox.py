"""YOLOX networks (Apache-2.0) exported to ONNX, through the compiled runtime.

Source: the grid decoding of Megvii-BaseDetection/YOLOX (Apache-2.0), whose exported networks leave
it to the caller: strides 8, 16 and 32; input BGR, 0-255.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid import weights
from everyid.arrays import Detections
from everyid.device import Device
from everyid.errors import WeightsError
from everyid.runtime import NetworkSource, Preprocessing, compile_network
from object.detectors.coco import COCO_NAMES
from object.detectors.common import DetectorOptions, suppress
from object.detectors.dense import GridDetector

__all__ = ["build_yolox", "read_grid"]

_STRIDES = (8, 16, 32)
_SIZES = {"yolox_nano": 416, "yolox_tiny": 416}
_DEFAULT_SIZE = 640


def build_yolox(path: Path, *, device: Device, options: DetectorOptions) -> GridDetector:
    """A detector from a YOLOX ``.onnx`` file.

    Class names are COCO's for 80 classes; for others, those of a ``FILE.json`` beside the model
    (``{"names": ["cat", ...]}``), else their numbers.

    Args:
        path: The file.
        device: Where it runs.
        options: What is kept; without an image size, the one its size was trained with.

    Raises:
        WeightsError: Not a network, or not one of YOLOX.
    """
    network = compile_network(
        lambda: NetworkSource(path),
        device=device,
        preprocessing=Preprocessing(colour="bgr", scale=1.0),
        size_hw=(416, 416),
        dynamic_size=True,
        cache_key=f"yolox-{weights.sha256_of(path)}",
    )
    probe = network(np.zeros((1, 64, 96, 3), np.uint8))
    cells = sum((64 // stride) * (96 // stride) for stride in _STRIDES)
    if len(probe) != 1 or probe[0].ndim != 3 or probe[0].shape[1] != cells:
        shapes = ", ".join(str(output.shape) for output in probe)
        raise WeightsError(
            f"{path}: expected a YOLOX network with one undecoded output (B, {cells}, 5 + classes) "
            f"for a 96x64 image; this one gives {shapes}"
        )
    return GridDetector(
        network,
        class_names=_class_names(path, probe[0].shape[2] - 5),
        size=options.image_size or _SIZES.get(path.stem, _DEFAULT_SIZE),
        stride=max(_STRIDES),
        read=read_grid,
        options=options,
    )


def _class_names(path: Path, count: int) -> dict[int, str]:
    beside = path.with_name(path.name + ".json")
    if beside.is_file():
        try:
            names = json.loads(beside.read_text())["names"]
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError(f'{beside}: expected {{"names": [...]}}: {error}') from error
        if len(names) != count:
            raise WeightsError(f"{beside}: {len(names)} names for a model of {count} classes")
        return dict(enumerate(map(str, names)))
    if count == len(COCO_NAMES):
        return dict(enumerate(COCO_NAMES))
    return {number: str(number) for number in range(count)}


@lru_cache(maxsize=64)
def _grid(canvas_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The cells' corners, float32 (A, 2) x and y in cells, and strides, float32 (A, 1)."""
    corners, strides = [], []
    for stride in _STRIDES:
        rows, columns = canvas_hw[0] // stride, canvas_hw[1] // stride
        y, x = np.mgrid[:rows, :columns]
        corners.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((rows * columns, 1), stride))
    return (
        np.concatenate(corners).astype(np.float32),
        np.concatenate(strides).astype(np.float32),
    )


def read_grid(
    values: NDArray[np.float32],
    canvas_hw: tuple[int, int],
    classes: NDArray[np.int32],
    options: DetectorOptions,
) -> Detections:
    """Boxes from one image's undecoded grid, after suppression, in pixels of the canvas.

    Args:
        values: float32 (A, 5 + C): centre offsets in cells, log sizes in cells, objectness 0-1,
            class scores 0-1.
        canvas_hw: (H, W), multiples of 32.
        classes: int32, the wanted ones.
        options: Confidence (of objectness times class score) and IoU.
    """
    corners, strides = _grid(canvas_hw)
    rows = np.flatnonzero(values[:, 4] > options.confidence)
    near = values[rows]
    class_ids = near[:, 5:].argmax(axis=1).astype(np.int32)
    scores = near[:, 4] * near[np.arange(len(near)), 5 + class_ids]
    keep = (scores > options.confidence) & np.isin(class_ids, classes)
    near, rows = near[keep], rows[keep]
    centers = (near[:, :2] + corners[rows]) * strides[rows]
    halves = np.exp(near[:, 2:4]) * strides[rows] / 2
    boxes = np.concatenate([centers - halves, centers + halves], axis=1)
    return suppress(boxes, scores[keep], class_ids[keep], iou=options.iou)
