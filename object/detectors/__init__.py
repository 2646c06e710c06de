"""Detectors: which one a ``--model`` means, and how it is opened."""

from pathlib import Path

from everyid import registry, weights
from everyid.device import Device
from everyid.errors import InputError, WeightsError
from everyid.output import readable
from everyid.protocols import Detector
from object.detectors.common import DetectorOptions

__all__ = ["DetectorOptions", "open_detector"]

_KINDS = {".pt": "ultralytics", ".onnx": "yolox"}


def open_detector(model: str, *, device: Device, options: DetectorOptions) -> Detector:
    """The detector that a ``--model`` value means, fetched when it has to be.

    Args:
        model: A file (``.pt`` of ultralytics, ``.onnx`` of YOLOX), a transformers folder or
            ``owner/repository``, a name of ``run.py weights list``, or an ultralytics model name.
        device: Where it runs.
        options: What it keeps.

    Raises:
        WeightsError: It cannot be found, fetched, trusted or read.
        InputError: The file may not be read.
    """
    path = Path(model)
    if path.is_dir() or (not path.exists() and model.count("/") == 1 and not path.suffix):
        return _build("transformers", model, device, options)
    if path.exists():
        return _build(_kind(readable(path)), path, device, options)
    found = _fetch(model)
    return _build(_kind(found), found, device, options)


def _build(kind: str, what: str | Path, device: Device, options: DetectorOptions) -> Detector:
    detector: Detector = registry.find("detector", kind)(what, device=device, options=options)
    return detector


def _kind(path: Path) -> str:
    if path.suffix.lower() not in _KINDS:
        raise WeightsError(
            f"{path}: expected a detector file ending in {' or '.join(_KINDS)}, "
            "or a transformers model folder"
        )
    return _KINDS[path.suffix.lower()]


def _fetch(model: str) -> Path:
    entry = weights.find(model)
    if entry is not None and entry.task == "detect":
        return weights.fetch(model)
    if weights.official_name(model):
        return weights.fetch_unpinned(model)
    if "/" in model or Path(model).suffix in {".onnx"}:
        raise InputError(f"--model {model}: no such file or folder")
    known = ", ".join(entry.name for entry in weights.entries() if entry.task == "detect")
    raise WeightsError(
        f"--model {model}: no such file, and not the name of a detector",
        hint=f"known names: {known}; or give a file",
    )
