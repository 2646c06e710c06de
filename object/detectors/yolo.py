"""YOLO networks of ultralytics (AGPL-3.0), through the compiled runtime.

Only this file imports ultralytics, and only to read a checkpoint: once its network is compiled
and kept on disk, ultralytics is not loaded any more.

Source: post-processing follows ultralytics' ``non_max_suppression`` (one label a box) and
``scale_boxes``, which the tests compare it with.
"""

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from everyid import weights
from everyid.arrays import Detections
from everyid.device import Device
from everyid.errors import WeightsError
from everyid.output import notice
from everyid.runtime import NetworkSource, Preprocessing, compile_network
from everyid.settings import tame_ultralytics
from object.detectors.common import MAX_BOXES, DetectorOptions, suppress
from object.detectors.dense import GridDetector

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build_yolo", "read_anchors", "read_end_to_end"]

_DEFAULT_SIZE = 640


def build_yolo(path: Path, *, device: Device, options: DetectorOptions) -> GridDetector:
    """A detector from an ultralytics checkpoint (YOLOv8, 9, 10, 11, 12, 26 ...).

    Args:
        path: A ``.pt`` file.
        device: Where the network runs.
        options: What is kept; without an image size, 640.

    Raises:
        WeightsError: Not a checkpoint, one of another task, or one that wants to run code.
    """
    digest = weights.sha256_of(path)
    network = compile_network(
        lambda: _read_checkpoint(path, trusted=options.trust_weights or weights.is_trusted(path)),
        device=device,
        preprocessing=Preprocessing(colour="rgb", scale=255.0),
        size_hw=(320, 320),
        dynamic_size=True,
        cache_key=f"yolo-{digest}",
    )
    facts = network.metadata
    return GridDetector(
        network,
        class_names={int(number): name for number, name in facts["names"].items()},
        size=options.image_size or _DEFAULT_SIZE,
        stride=facts["stride"],
        read=read_end_to_end if facts["end_to_end"] else read_anchors,
        options=options,
    )


def read_anchors(
    values: NDArray[np.float32],
    canvas_hw: tuple[int, int],
    classes: NDArray[np.int32],
    options: DetectorOptions,
) -> Detections:
    """Boxes from one image's anchors, after suppression, in pixels of the canvas.

    A box has the class of its highest score; boxes whose class is not wanted go.

    Args:
        values: float32 (4 + C, A): centre x, centre y, width, height in pixels, then the scores
            of C classes, 0-1.
        canvas_hw: Not needed here.
        classes: int32, the wanted ones.
        options: Confidence and IoU.
    """
    scores = values[4:]
    if len(classes) < len(scores):
        hit = (scores[classes] > options.confidence).any(axis=0)
    else:
        hit = (scores > options.confidence).any(axis=0)
    candidates = values[:, np.flatnonzero(hit)]
    class_ids = candidates[4:].argmax(axis=0).astype(np.int32)
    wanted = np.isin(class_ids, classes)
    candidates, class_ids = candidates[:, wanted], class_ids[wanted]
    best = candidates[4:].max(axis=0) if class_ids.size else np.zeros(0, np.float32)
    centers, halves = candidates[:2].T, candidates[2:4].T / 2
    boxes = np.concatenate([centers - halves, centers + halves], axis=1)
    return suppress(boxes, best, class_ids, iou=options.iou)


def read_end_to_end(
    values: NDArray[np.float32],
    canvas_hw: tuple[int, int],
    classes: NDArray[np.int32],
    options: DetectorOptions,
) -> Detections:
    """Boxes from a network that needs no suppression, in pixels of the canvas, best first.

    Args:
        values: float32 (R, 6): x1, y1, x2, y2, score, class.
        canvas_hw: Not needed here.
        classes: int32, the wanted ones.
        options: Confidence.
    """
    class_ids = values[:, 5].astype(np.int32)
    keep = np.flatnonzero((values[:, 4] > options.confidence) & np.isin(class_ids, classes))
    keep = keep[np.argsort(-values[keep, 4], kind="stable")][:MAX_BOXES]
    return Detections(values[keep, :4], values[keep, 4], class_ids[keep])


def _read_checkpoint(path: Path, *, trusted: bool) -> NetworkSource:
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path}: expected an ultralytics checkpoint, this is not one "
            f"({path.stat().st_size} bytes)",
            hint="a model that is cut short looks like this too; fetch it again",
        )
    notice("ultralytics and its weights are AGPL-3.0; --model yolox_nano is Apache-2.0")
    model: Any = _load(path, trusted=trusted)
    task = getattr(model, "task", "unknown")
    if task != "detect":
        raise WeightsError(f"{path}: expected a model of task detect, this one's is {task}")
    head = model.model[-1]
    head.export = True
    head.dynamic = True
    names = {str(number): str(name) for number, name in model.names.items()}
    metadata = {
        "names": names,
        "stride": max(int(model.stride.max()), 32),
        "end_to_end": bool(getattr(head, "end2end", False)),
    }
    return NetworkSource(model, metadata)


def _ultralytics_tasks() -> Any:  # noqa: ANN401 - a module without types
    """Ultralytics' model code, without the patch of Pillow that its import leaves behind."""
    tame_ultralytics()
    open_image = PIL.Image.open
    from ultralytics.nn import tasks

    PIL.Image.open = open_image
    return tasks


def _load(path: Path, *, trusted: bool) -> "nn.Module":
    """The network of a checkpoint, fused, in float32.

    An unknown file is read with torch's restricted unpickler and ultralytics' list of allowed
    classes, so that it can run no code of its own.
    """
    tasks = _ultralytics_tasks()
    try:
        checkpoint, _ = tasks.torch_safe_load(str(path), safe_only=not trusted)
    except (TypeError, pickle.UnpicklingError) as error:
        if trusted:
            raise WeightsError(f"{path}: not an ultralytics checkpoint: {error}") from error
        raise WeightsError(
            f"{path}: this file is damaged, not an ultralytics checkpoint, or wants to run code "
            "when it is loaded",
            hint="if you trust where it came from, add --trust-weights",
        ) from error
    except (RuntimeError, EOFError, KeyError, AttributeError, ImportError) as error:
        raise WeightsError(f"{path}: cannot be read as a checkpoint: {error}") from error
    model: Any = None
    if isinstance(checkpoint, dict):
        model = checkpoint.get("ema") or checkpoint.get("model")
    if not hasattr(model, "fuse") or not hasattr(model, "names"):
        raise WeightsError(f"{path}: expected an ultralytics checkpoint with a model inside")
    model.task = getattr(model, "task", None) or tasks.guess_model_task(model)
    network: nn.Module = model.float().fuse(verbose=False).eval()
    return network
