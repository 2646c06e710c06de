"""RT-DETR, RT-DETRv2 and D-FINE (Apache-2.0) through transformers and the compiled runtime.

Source: the decoding of transformers' ``post_process_object_detection`` for these models: sigmoid
scores, the best query-class pairs, no suppression.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.arrays import Detections
from everyid.device import Device
from everyid.errors import HubError, WeightsError
from everyid.protocols import Image
from everyid.runtime import Network, NetworkSource, Preprocessing, compile_network
from object.detectors.common import (
    MAX_BOXES,
    DetectorOptions,
    keep_boxes,
    resolve_classes,
)

__all__ = ["DetrDetector", "build_detr", "read_queries"]

MODEL_TYPES = ("rt_detr", "rt_detr_v2", "d_fine")


def build_detr(name: str, *, device: Device, options: DetectorOptions) -> "DetrDetector":
    """A detector from a transformers model folder, or a model repository on the hub.

    Args:
        name: A folder with config.json, model.safetensors and preprocessor_config.json, or a
            repository such as ``PekingU/rtdetr_v2_r18vd``, fetched at the first use.
        device: Where it runs.
        options: What is kept; an image size makes the input a square of that size.

    Raises:
        WeightsError: A model of another kind, or files are missing.
        HubError: The repository cannot be reached.
    """
    config, processor = _read_configs(name)
    size = processor["size"]
    size_hw = (size["height"], size["width"])
    if options.image_size is not None:
        size_hw = (options.image_size, options.image_size)
    normalise = processor.get("do_normalize", False)
    network = compile_network(
        lambda: _load(name),
        device=device,
        preprocessing=Preprocessing(
            colour="rgb",
            scale=1 / processor["rescale_factor"] if processor.get("do_rescale", True) else 1.0,
            mean=tuple(processor["image_mean"]) if normalise else (0.0, 0.0, 0.0),
            std=tuple(processor["image_std"]) if normalise else (1.0, 1.0, 1.0),
        ),
        size_hw=size_hw,
        cache_key=f"detr-{_fingerprint(name)}" if Path(name).is_dir() else None,
    )
    names = {int(number): label for number, label in config.id2label.items()}
    return DetrDetector(network, class_names=names, size_hw=size_hw, options=options)


class DetrDetector:
    """Boxes from a network of queries. Fulfils :class:`everyid.protocols.Detector`.

    Args:
        network: Takes uint8 (B, H, W, 3), gives logits (B, R, C) and boxes (B, R, 4).
        class_names: Class number -> name.
        size_hw: (H, W) that images are stretched to, as these networks are trained.
        options: What is kept.
    """

    def __init__(
        self,
        network: Network,
        *,
        class_names: dict[int, str],
        size_hw: tuple[int, int],
        options: DetectorOptions,
    ) -> None:
        self.class_names = class_names
        self.parallel_calls = network.parallel_calls
        self._network = network
        self._size_hw = size_hw
        self._options = options
        self._classes = resolve_classes(options.classes, class_names)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """One container of boxes for each image, in order; each sorted by falling score.

        Args:
            images: uint8 (H, W, 3), BGR, 0-255; sizes may differ.
        """
        if not images:
            return []
        height, width = self._size_hw
        batch = np.stack(
            [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in images]
        )
        logits, boxes = self._network(np.asarray(batch, np.uint8))
        return [
            read_queries(
                one_logits,
                one_boxes,
                image_hw=(image.shape[0], image.shape[1]),
                classes=self._classes,
                confidence=self._options.confidence,
            )
            for image, one_logits, one_boxes in zip(images, logits, boxes, strict=True)
        ]


def read_queries(
    logits: NDArray[np.float32],
    boxes: NDArray[np.float32],
    *,
    image_hw: tuple[int, int],
    classes: NDArray[np.int32],
    confidence: float,
) -> Detections:
    """Boxes from one image's queries, best first, in pixels of the image.

    Args:
        logits: float32 (R, C), before the sigmoid.
        boxes: float32 (R, 4), centre and size, 0-1 of the image.
        image_hw: (H, W), pixels.
        classes: int32, the wanted ones.
        confidence: Lowest score kept, 0-1.
    """
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    flat = scores.ravel()
    best = np.argsort(-flat, kind="stable")[: min(len(logits), MAX_BOXES)]
    queries, class_ids = np.divmod(best, logits.shape[1])
    keep = (flat[best] > confidence) & np.isin(class_ids, classes)
    queries, class_ids, best = queries[keep], class_ids[keep], best[keep]
    centers, halves = boxes[queries, :2], boxes[queries, 2:] / 2
    limit = np.array([image_hw[1], image_hw[0]] * 2, np.float32)
    xyxy = np.clip(np.concatenate([centers - halves, centers + halves], axis=1), 0, 1) * limit
    return keep_boxes(
        Detections(
            xyxy.astype(np.float32), flat[best].astype(np.float32), class_ids.astype(np.int32)
        )
    )


def _read_configs(name: str) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoConfig, AutoImageProcessor

    try:
        config = AutoConfig.from_pretrained(name)
        processor = AutoImageProcessor.from_pretrained(name).to_dict()
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    if config.model_type not in MODEL_TYPES:
        raise WeightsError(
            f"{name}: expected a detector of type {', '.join(MODEL_TYPES)}, "
            f"this model is {config.model_type}"
        )
    return config, processor


def _unreachable(name: str, error: Exception) -> WeightsError | HubError:
    reason = str(error).strip().splitlines()[0]
    if Path(name).is_dir():
        return WeightsError(f"{name}: cannot be read as a transformers model: {reason}")
    return HubError(
        f"{name}: the model repository cannot be reached or read: {reason}",
        hint=f"on a connected machine: hf download {name} --local-dir FOLDER, then --model FOLDER",
    )


def _fingerprint(folder: str) -> str:
    """A digest of a model folder: its config and the size and time of its weights."""
    parts: list[str] = []
    for path in sorted(Path(folder).iterdir()):
        if path.suffix in {".json", ".safetensors", ".bin"}:
            facts = path.stat()
            parts += [path.name, str(facts.st_size), str(facts.st_mtime_ns)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _load(name: str) -> NetworkSource:
    import torch
    from transformers import AutoModelForObjectDetection

    try:
        model = AutoModelForObjectDetection.from_pretrained(name, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error

    class Outputs(torch.nn.Module):
        """The model with a plain tuple for its output."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.model(images)
            return found.logits, found.pred_boxes

    return NetworkSource(Outputs().eval())
