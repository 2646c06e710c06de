"""From crops of people to embeddings, through the compiled runtime.

What a network is fed decides how well it tells people apart: channels in the wrong order cost
about half of Rank-1. So it is never guessed: it comes from the catalogue (by the checksum of the
weights), from the architecture that a checkpoint was recognised as, from a ``FILE.json`` beside
the model, or from the options; the later of these win.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, ValidationError

from everyid import weights
from everyid.device import Device, Precision, choose
from everyid.errors import ConfigError, ShapeError, WeightsError
from everyid.models import Model
from everyid.output import notice, readable
from everyid.protocols import Image
from everyid.runtime import (
    Network,
    NetworkSource,
    Preprocessing,
    compile_network,
    graph_size_hw,
)
from everyid.weights_catalogue import InputSpec, WeightsEntry
from person.checkpoint import Recognition, load_network, recognise
from person.model_files import find_model, for_people
from person.preparing import fitted
from person.quantisation import int8_calibration

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Checkpoint",
    "EncoderOptions",
    "InputOptions",
    "NetworkEncoder",
    "build_encoder",
    "describe_input",
    "find_checkpoint",
]

CPU_BATCH, GPU_BATCH = 8, 64
"""A CPU is as fast with 4 to 16 crops a call as it gets, and slower with 32 and more."""

_GRAPHS = {".xml": "OpenVINO IR", ".onnx": "ONNX"}
_CHECKPOINTS = (".pt", ".pth", ".safetensors", ".tar")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_RANGES = {
    (255.0, _IMAGENET): "ImageNet mean and std",
    (255.0, _PLAIN): "0-1",
    (255.0, _HALVES): "-1 to 1",
    (1.0, _PLAIN): "0-255",
}

Positive = Annotated[FiniteFloat, Field(gt=0)]
Pixels = Annotated[int, Field(gt=0)]


class InputOptions(Model):
    """What of a network's input is said by a user; None: as recognised."""

    size_hw: tuple[Pixels, Pixels] | None = None
    colour: Literal["rgb", "bgr"] | None = None
    scale: Positive | None = None
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    resize: Literal["bilinear", "bicubic", "linear"] | None = None


class EncoderOptions(InputOptions):
    """How crops are encoded.

    The fields of the input, see :class:`everyid.weights_catalogue.InputSpec`, override what was
    recognised.
    """

    batch_size: int | None = Field(default=None, ge=1, description="crops a call; None: by device")
    precision: Precision | None = Field(default=None, description="None: as the device has it")


class _Sidecar(Model):
    """What ``FILE.json`` beside a model says about it."""

    architecture: str | None = None
    config: dict[str, Any] | None = None
    input: InputOptions = InputOptions()


@dataclass(frozen=True, slots=True)
class _Found:
    """A model file and all that is known of it without opening it."""

    path: Path
    sha256: str
    digest: str
    entry: WeightsEntry | None
    sidecar: _Sidecar

    @property
    def name(self) -> str:
        if self.entry is not None:
            return self.entry.name
        return Path(self.path.name.removesuffix(".tar")).stem  # osnet.pth.tar: osnet


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model file whose network can learn on.

    Args:
        path: The file.
        name: What the network is called.
        recognition: Which network it is.
        input: What it is fed; size and resize are set.
        entry: What the catalogue says of it, or None.
    """

    path: Path
    name: str
    recognition: Recognition
    input: InputSpec
    entry: WeightsEntry | None


class NetworkEncoder:
    """Embeddings from a network. Fulfils :class:`everyid.protocols.Encoder`.

    May be used from several threads at once.

    Args:
        network: Takes uint8 (B, H, W, 3) in BGR and gives one output, (B, D) or (B, D, 1, 1).
        name: What the network is called.
        sha256: Stands for the network and what it is fed: of the file with its weights, or, where
            options or a FILE.json say what it is fed, of that file's sha256 and the input.
        spec: What it is fed; size and resize are set.
        batch_size: Crops in one call of the network.

    Raises:
        WeightsError: The network gives something else.
    """

    def __init__(
        self, network: Network, *, name: str, sha256: str, spec: InputSpec, batch_size: int
    ) -> None:
        if spec.size_hw is None or spec.resize is None:
            raise ConfigError(f"{name}: expected a size and a way to resize, got {spec}")
        self.name = name
        self.sha256 = sha256
        self.input = spec
        self.batch_size = batch_size
        self.parallel_calls = network.parallel_calls
        self._network = network
        self._size_hw = spec.size_hw
        self._resize = spec.resize
        self.width = int(network.metadata.get("width", 0)) or self._probe()

    def prepare(self, crop: Image) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), BGR, 0-255: the crop in the size of the network's input.

        Args:
            crop: uint8 (h, w, 3), BGR, 0-255, of any size.

        Raises:
            ShapeError: It is something else, or has no pixels.
        """
        return fitted(crop, self._size_hw, self._resize)

    def encode_prepared(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order; one call of the network.

        Args:
            batch: uint8 (B, H, W, 3), BGR, 0-255, from :meth:`prepare`.

        Raises:
            ShapeError: Crops of another size.
            WeightsError: The network gave values that are not finite, or nothing but zeros.
        """
        if batch.ndim != 4 or batch.shape[1:] != (*self._size_hw, 3):
            height, width = self._size_hw
            raise ShapeError(f"batch: expected (B, {height}, {width}, 3), got {batch.shape}")
        if not len(batch):
            return np.zeros((0, self.width), np.float32)
        rows = self._rows(batch)
        if rows.shape[1] != self.width:
            raise WeightsError(f"{self.name}: expected {self.width} values, got {rows.shape[1]}")
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        bad = np.count_nonzero(~np.isfinite(norms) | (norms == 0))
        if bad:
            raise WeightsError(
                f"{self.name}: the network gave no embedding, but values that are not finite or "
                f"all zero, for {bad} of {len(batch)} crops",
                hint="try precision fp32; if that does not help, the weights are damaged",
            )
        return np.asarray(rows / norms[:, None], np.float32)

    def encode(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order.

        Args:
            crops: uint8 (H, W, 3), BGR, 0-255; sizes may differ.

        Raises:
            ShapeError: One of them is something else.
            WeightsError: As in :meth:`encode_prepared`.
        """
        if not crops:
            return np.zeros((0, self.width), np.float32)

        def run(start: int) -> NDArray[np.float32]:
            some = crops[start : start + self.batch_size]
            return self.encode_prepared(np.stack([self.prepare(crop) for crop in some]))

        starts = range(0, len(crops), self.batch_size)
        with ThreadPoolExecutor(min(self.parallel_calls, len(starts))) as pool:
            return np.concatenate(list(pool.map(run, starts)))

    def _rows(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = self._network(batch)
        first = outputs[0]
        # (B, D), with ones behind it or not; a map that was never pooled is no embedding.
        if len(outputs) != 1 or first.ndim < 2 or first.size != len(batch) * first.shape[1]:
            shapes = ", ".join(str(output.shape) for output in outputs)
            raise WeightsError(
                f"{self.name}: expected a network with one output, embeddings (B, D); "
                f"for {len(batch)} crops this one gives {shapes}"
            )
        return first.reshape(len(batch), -1)

    def _probe(self) -> int:
        return len(self._rows(np.zeros((1, *self._size_hw, 3), np.uint8))[0])


_DEFAULTS = EncoderOptions()


def build_encoder(
    model: str, *, device: Device, options: EncoderOptions = _DEFAULTS
) -> NetworkEncoder:
    """An encoder from a name of the catalogue or a model file.

    Args:
        model: A name of task ``reid``, fetched when needed, or of a downloaded model; an OpenVINO
            ``.xml`` with its ``.bin`` beside it; an ``.onnx``; or a checkpoint (``.pt``, ``.pth``,
            ``.safetensors``) of a network in :mod:`person.backbones`.
        device: Where it runs; OpenVINO and ONNX files run on the CPU.
        options: What is not as recognised.

    Raises:
        ConfigError: No such name, or nothing says what the network is fed; the hint tells how.
        InputError: The file is missing or cannot be read.
        WeightsError: It cannot be fetched, is damaged, or no network that gives embeddings.
    """
    found = _look_at(find_model(model))
    if options.precision is not None:
        device = choose(device.torch_name, precision=options.precision)
    graph = found.path.suffix.lower() in _GRAPHS
    if graph:
        label = found.entry.architecture if found.entry else _GRAPHS[found.path.suffix.lower()]
        key, recognition = found.digest, None
    else:
        recognition = _recognised(found)
        label = recognition.label
        key = _digest([found.digest, recognition.model_dump_json()])
    spec = _input_of(found, recognition, options)
    notice(f"{found.name}: {label}: {describe_input(spec)}")
    # Fed otherwise, the same weights give vectors that do not compare.
    as_known = spec == _known_input(found, recognition)
    sha256 = found.sha256 if as_known else _digest([found.sha256, spec.model_dump_json()])
    int8 = device.precision == "int8"
    network = compile_network(
        lambda: _source(found.path, recognition, spec),
        device=device,
        preprocessing=Preprocessing(
            colour=spec.colour, scale=spec.scale, mean=spec.mean, std=spec.std
        ),
        size_hw=spec.size_hw or (0, 0),
        cache_key=f"encoder-{key}",
        calibration=int8_calibration(found.name, sha256, spec) if int8 else None,
    )
    on_cpu = graph or device.kind == "cpu"
    return NetworkEncoder(
        network,
        name=found.name,
        sha256=sha256,
        spec=spec,
        batch_size=options.batch_size or (CPU_BATCH if on_cpu else GPU_BATCH),
    )


def find_checkpoint(model: str) -> Checkpoint:
    """What is known of a checkpoint that is to be trained on.

    Args:
        model: As for :func:`build_encoder`, but no OpenVINO or ONNX file.

    Raises:
        ConfigError: No such name, or nothing says what the network is fed.
        InputError: The file is missing or cannot be read.
        WeightsError: It cannot be fetched, is damaged, of no known network, or cannot learn.
    """
    found = _look_at(find_model(model))
    kind = _GRAPHS.get(found.path.suffix.lower())
    if kind is not None:
        raise WeightsError(
            f"{model}: expected a checkpoint ({', '.join(_CHECKPOINTS)}), whose network can go on "
            f"learning, got {kind}: {found.path.name}",
            hint="`python3 run.py person models` lists networks with their kinds of files",
        )
    recognition = _recognised(found)
    spec = _input_of(found, recognition, _DEFAULTS)
    return Checkpoint(found.path, found.name, recognition, spec, found.entry)


def _recognised(found: _Found) -> Recognition:
    return recognise(
        found.path,
        sha256=found.sha256,
        architecture=found.sidecar.architecture,
        config=found.sidecar.config,
    )


def describe_input(spec: InputSpec) -> str:
    """What a network is fed, on one line for people.

    >>> describe_input(InputSpec(size_hw=(256, 128), colour="bgr", scale=1, resize="linear"))
    'BGR, 0-255, 256x128, OpenCV linear'
    """
    values = _RANGES.get(
        (spec.scale, (spec.mean, spec.std)),
        f"/ {spec.scale:g}, mean {_numbers(spec.mean)}, std {_numbers(spec.std)}",
    )
    parts = [spec.colour.upper(), values]
    if spec.size_hw is not None:
        parts.append(f"{spec.size_hw[0]}x{spec.size_hw[1]}")
    if spec.resize is not None:
        parts.append(f"{'OpenCV' if spec.resize == 'linear' else 'Pillow'} {spec.resize}")
    return ", ".join(parts)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _look_at(path: Path) -> _Found:
    suffix = path.suffix.lower()
    if suffix not in (*_GRAPHS, *_CHECKPOINTS):
        raise WeightsError(
            f"{path}: expected a model file ending in {', '.join((*_GRAPHS, *_CHECKPOINTS))}"
        )
    files = [path]
    if suffix == ".xml":
        files.append(path.with_suffix(".bin"))
        if not files[-1].exists():
            raise WeightsError(
                f"{path}: the weights of this network are missing: {files[-1]}",
                hint="an OpenVINO network is two files, .xml and .bin, of one name",
            )
    elif suffix == ".onnx" and (outside := path.with_name(f"{path.name}.data")).exists():
        files.append(outside)
    digests = [weights.sha256_of(file) for file in files]
    entry = weights.find_sha256(digests[-1])
    if entry is not None:
        for_people(str(path), entry)
    return _Found(path, digests[-1], _digest(digests), entry, _read_sidecar(path))


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read_sidecar(path: Path) -> _Sidecar:
    beside = _beside(path)
    if not beside.exists():
        return _Sidecar()
    try:
        return _Sidecar.model_validate_json(readable(beside).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{beside}: {where + ': ' if where else ''}{first['msg']}") from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _known_input(found: _Found, recognition: Recognition | None) -> InputSpec | None:
    if found.entry is not None:
        return found.entry.input
    return None if recognition is None else recognition.input


def _input_of(found: _Found, recognition: Recognition | None, options: InputOptions) -> InputSpec:
    """What a network is fed: as known, then as its FILE.json says, then as the options say."""
    known = _known_input(found, recognition)
    said: dict[str, Any] = {"resize": "bilinear"}
    for layer in (known, found.sidecar.input, options):
        fields = layer.model_dump(include=set(InputSpec.model_fields)) if layer else {}
        said |= {name: value for name, value in fields.items() if value is not None}
    if "size_hw" not in said and recognition is None:
        size_hw = graph_size_hw(found.path)
        said |= {"size_hw": size_hw} if size_hw else {}
    missing = [name for name in InputSpec.model_fields if name not in said]
    if missing:
        example = {"colour": "rgb", "scale": 255, "mean": _IMAGENET[0], "std": _IMAGENET[1]}
        example = {name: ({"size_hw": (256, 128)} | example)[name] for name in missing}
        raise ConfigError(
            f"{found.path}: nothing says what this network is fed; not known: {', '.join(missing)}",
            hint=f"give them as options, or in {_beside(found.path)}, such as "
            f"{json.dumps({'input': example})} (if that is what it was trained with)",
        )
    return InputSpec.model_validate(said)


def _source(path: Path, recognition: Recognition | None, spec: InputSpec) -> NetworkSource:
    if recognition is None:
        return NetworkSource(path)
    network = load_network(path, recognition)
    if spec.size_hw is not None and spec.size_hw != recognition.input.size_hw:
        _try_size(path, network, spec.size_hw)
    return NetworkSource(network, {"width": network.embedding_width})


def _try_size(path: Path, network: "nn.Module", size_hw: tuple[int, int]) -> None:
    import torch

    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, *size_hw))
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{path}: this network cannot take images of {size_hw[0]}x{size_hw[1]}: {reason}"
        ) from error
