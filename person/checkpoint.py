"""Published checkpoints: read without running any code of theirs, recognised, loaded strictly.

What network a file holds the weights of is told from the names and shapes of its tensors, by
asking each architecture in turn. The answer is kept on disk, so that a file whose network is
compiled already need not be read again.
"""

import hashlib
import json
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from everyid.errors import ConfigError, InputError, OutputError, WeightsError
from everyid.models import Model
from everyid.output import notice, whole_file, writing
from everyid.settings import settings
from everyid.weights_catalogue import InputSpec
from person import backbones

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Recognition", "load_network", "read_tensors", "recognise"]

_WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "teacher"),
    *("network", "net", "module", "student"),
)
"""Where training scripts keep the weights among other things; the first one there is taken."""
_PREFIXES = ("module.", "model.", "_orig_mod.")
_SHOWN = 10


class Recognition(Model):
    """Which network a checkpoint holds the weights of."""

    architecture: str
    config: dict[str, Any]
    input: InputSpec
    label: str
    code: str
    """A digest of the code that said so: other code may build another network from it."""


def recognise(
    path: Path,
    *,
    sha256: str,
    architecture: str | None = None,
    config: dict[str, Any] | None = None,
) -> Recognition:
    """What network a checkpoint belongs to, and what that is fed.

    Args:
        path: The file.
        sha256: Of the file.
        architecture: What somebody says it is, a name of ``ARCHITECTURES``; None: asks them all.
        config: What somebody says that network is built from; None: told by the shapes.

    Raises:
        ConfigError: What is said is no architecture, or no configuration of it.
        InputError: The file cannot be read.
        WeightsError: It is not a checkpoint, or one of no known kind.
    """
    code = _code_digest()
    question = json.dumps([sha256, code, architecture, config])
    digest = hashlib.sha256(question.encode()).hexdigest()
    where = settings().cache_folder / "recognised" / f"{digest}.json"
    kept = _read_record(where)
    if kept is not None:
        return kept
    shapes = {name: tuple(tensor.shape) for name, tensor in read_tensors(path).items()}
    if architecture is None:
        kind, found = _ask_all(path, shapes)
    else:
        kind = _named(path, architecture)
        found = _configured(path, kind, shapes, config)
    changed = found.model_dump(mode="json", exclude_defaults=True)
    said = "".join(f", {name.replace('_', ' ')} {value}" for name, value in changed.items())
    recognition = Recognition(
        architecture=kind.name,
        config=found.model_dump(mode="json"),
        input=kind.input(found),
        label=kind.layout + said,
        code=code,
    )
    _write_record(where, recognition)
    return recognition


def load_network(path: Path, recognition: Recognition) -> "nn.Module":
    """The network of a checkpoint, in evaluation mode on the CPU, every weight of it loaded.

    Only what belongs to the training head may be missing, left over or of another size.

    Args:
        path: The file.
        recognition: From :func:`recognise`.

    Raises:
        InputError: The file cannot be read.
        WeightsError: It is not a checkpoint, or does not fit; the message lists what differs.
    """
    kind = backbones.architecture(recognition.architecture)
    config = kind.config.model_validate(recognition.config)
    try:
        tensors = kind.convert(read_tensors(path), config)
    except KeyError as error:
        raise WeightsError(
            f"{path}: not the weights of {recognition.label}: {error.args[0]} is missing"
        ) from error
    network = kind.build(config)
    own = network.state_dict()
    _check_fit(f"{path}: not the weights of {recognition.label}", kind, own, tensors)
    fitting = {
        name: tensor
        for name, tensor in tensors.items()
        if name in own and own[name].shape == tensor.shape
    }
    _check_finite(path, fitting)
    network.load_state_dict(fitting, strict=False)
    return network.eval()


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """The tensors of a checkpoint by name, freed of what training scripts put around them.

    Wrappers such as ``{"state_dict": ...}`` are opened, and prefixes such as ``module.`` dropped
    when all names have them.

    Args:
        path: A safetensors file, or one of ``torch.save``.

    Raises:
        InputError: The file cannot be read.
        WeightsError: It is damaged, of another kind, or holds objects that only code can make.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    # A safetensors file is eight bytes of length and then JSON, whatever its name ends in.
    content = _load_safetensors(path) if head[8:] == b"{" else _load_pickle(path)
    tensors = _unwrap(content)
    if tensors is None:
        found = f"a {type(content).__name__}"
        if isinstance(content, Mapping):
            found = f"a dict of {', '.join(map(str, list(content)[:_SHOWN])) or 'nothing'}"
        raise WeightsError(f"{path}: expected a state dict (names -> tensors), found {found}")
    return _without_prefixes(tensors)


def _load_safetensors(path: Path) -> Any:  # noqa: ANN401
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _load_pickle(path: Path) -> Any:  # noqa: ANN401
    import torch

    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_numpy_numbers()):
            warnings.simplefilter("ignore")  # about old formats, to whoever wrote the file
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        objects = _objects_in(path, str(error))
        if not objects:
            raise _damaged(path, error) from error
        raise _needs_code(path, objects) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        if "TorchScript" in str(error):
            raise _needs_code(path, ["torch.nn.TorchScript"]) from error
        raise _damaged(path, error) from error


def _numpy_numbers() -> list[Any]:
    """What a numpy number is made of in a pickle; training scripts keep their scores as such."""
    # A float64 carries the name of numpy's own function for it, which numpy 2 has renamed.
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    return [np.dtype, scalar, (scalar, "numpy.core.multiarray.scalar"), *kinds]


def _objects_in(path: Path, message: str) -> list[str]:
    """The classes that a checkpoint wants to make, other than tensors."""
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError):  # only for the zip format
        names = re.findall(r"GLOBAL (\S+)", message)
    return [name for name in names if not name.startswith("numpy.")]


def _needs_code(path: Path, objects: list[str]) -> WeightsError:
    if any(name.startswith("torch.nn.") for name in objects):
        return WeightsError(
            f"{path}: a whole pickled model, which runs code of its own when it is loaded; "
            "expected a state dict (names -> tensors)",
            hint="where you trust it and have its code, save the weights alone: "
            'torch.save(model.state_dict(), "weights.pth")',
        )
    return WeightsError(
        f"{path}: holds objects beside the weights that only code can make: "
        f"{', '.join(objects[:_SHOWN])}",
        hint="where you trust it, save the weights alone: content = torch.load(FILE, "
        'weights_only=False); torch.save(content["state_dict"], "weights.pth")',
    )


def _damaged(path: Path, error: Exception) -> WeightsError:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    if isinstance(error, pickle.UnpicklingError):  # torch's words advise to load it unsafely
        reason = "its pickle cannot be read"
    return WeightsError(
        f"{path}: not a checkpoint, or a damaged one ({path.stat().st_size:,} bytes): {reason}",
        hint="a file that is cut short looks like this too; fetch it again",
    )


def _unwrap(content: Any, depth: int = 2) -> dict[str, "Tensor"] | None:  # noqa: ANN401
    """The tensors by name in a mapping, or in one at most so deep inside it, or None.

    Two deep, a script's weights are found, and the state of its optimizer is not.
    """
    from torch import Tensor

    if not isinstance(content, Mapping):
        return None
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if tensors or not depth:
        return tensors or None
    names = [name for name in _WRAPPERS if name in content]
    names += [name for name in content if name not in _WRAPPERS]
    inner = (_unwrap(content[name], depth - 1) for name in names)
    return next((tensors for tensors in inner if tensors), None)


def _without_prefixes(tensors: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            shorter = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
            return _without_prefixes(shorter)
    return tensors


def _ask_all(
    path: Path, shapes: backbones.Shapes
) -> tuple[backbones.Architecture, backbones.BackboneConfig]:
    layouts = []
    for name in backbones.ARCHITECTURES:
        kind = backbones.architecture(name)
        config = kind.recognise(shapes)
        if config is not None:
            return kind, config
        layouts.append(f"{kind.layout} ({name})")
    some = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:3])
    raise WeightsError(
        f"{path}: the weights of no network known here, {len(shapes)} tensors: {some} ...; "
        f"known: {', '.join(layouts)}",
        hint=f"if it is one of these, say so in {path.name}.json beside it: "
        f'{{"architecture": "{name}", "config": {{...}}}}; others can be exported to ONNX',
    )


def _named(path: Path, name: str) -> backbones.Architecture:
    if name not in backbones.ARCHITECTURES:
        raise ConfigError(
            f"{path}: no architecture is called {name!r}; "
            f"known: {', '.join(sorted(backbones.ARCHITECTURES))}"
        )
    return backbones.architecture(name)


def _configured(
    path: Path,
    kind: backbones.Architecture,
    shapes: backbones.Shapes,
    config: dict[str, Any] | None,
) -> backbones.BackboneConfig:
    if config is None:
        return kind.recognise(shapes) or kind.config()
    try:
        return kind.config.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{path}: config of {kind.name}: {where}: {first['msg']}; "
            f"its fields: {', '.join(kind.config.model_fields)}"
        ) from error


def _check_fit(
    intro: str,
    kind: backbones.Architecture,
    own: Mapping[str, "Tensor"],
    tensors: Mapping[str, "Tensor"],
) -> None:
    def counts(name: str) -> bool:
        return not name.startswith(kind.classifier) and not name.endswith("num_batches_tracked")

    def shape(tensor: "Tensor") -> str:
        return str(tuple(tensor.shape))

    differences = {
        "missing": [f"{name} {shape(own[name])}" for name in own if name not in tensors],
        "unexpected": [f"{name} {shape(tensors[name])}" for name in tensors if name not in own],
        "of another shape": [
            f"{name} expected {shape(own[name])}, found {shape(tensors[name])}"
            for name in own
            if name in tensors and own[name].shape != tensors[name].shape
        ],
    }
    lines = []
    for what, all_of_them in differences.items():
        found = [text for text in all_of_them if counts(text.partition(" ")[0])]
        if found:
            lines.append(f"\n  {len(found)} {what}: {_first(found)}")
    if lines:
        raise WeightsError(intro + "".join(lines))


def _check_finite(path: Path, tensors: Mapping[str, "Tensor"]) -> None:
    bad = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if bad:
        raise WeightsError(f"{path}: values that are not finite in {len(bad)}: {_first(bad)}")


def _first(texts: Iterable[str]) -> str:
    """The first few of a list, and how many more there are."""
    texts = list(texts)
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return "; ".join(texts[:_SHOWN] + more)


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """A digest of this file and of the backbones: what they make of a file changes with them."""
    folder = Path(backbones.__file__).parent
    files = [Path(__file__), *sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read_record(where: Path) -> Recognition | None:
    try:
        return Recognition.model_validate_json(where.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        notice(f"{where.name}: unusable; looking at the weights again")
        return None


def _write_record(where: Path, recognition: Recognition) -> None:
    try:
        with writing(where):
            where.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(where, overwrite=True) as part:
            part.write_text(recognition.model_dump_json(), encoding="utf-8")
    except OutputError as error:
        notice(f"what the weights are is not kept: {error}")
