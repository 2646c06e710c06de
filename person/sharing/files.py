"""Which files of a repository make a model, and which files of a model go to a repository."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from everyid import weights
from everyid.errors import ConfigError, HubError, InputError
from everyid.hub_download import Choose
from everyid.output import notice, readable, whole_file
from everyid.settings import PROJECT_FOLDER
from person.checkpoint import read_tensors
from person.encoder import Checkpoint, describe_input, find_checkpoint
from person.model_files import find_model
from person.sharing.config import DEFAULT_FILE

__all__ = ["choose_model", "gather"]

_GRAPHS = (".onnx", ".xml")
_ENDINGS = (".safetensors", ".pth", ".pt", ".tar", *_GRAPHS)
_CARD = "README.md"
_PICTURE = re.compile(r"!\[[^\]]*\]\(([\w.-]+)\)")


def choose_model(file: str | None) -> Choose:
    """What picks a model from the names of a repository's files: it, and what belongs to it.

    Args:
        file: The one that is wanted; None: the default one, else the only model there is.
    """

    def choose(names: Sequence[str]) -> list[str]:
        main = _main(names, file)
        beside = [*_companions(main), str(PurePosixPath(main).with_name(_CARD))]
        return [main, *(name for name in beside if name in names)]

    return choose


def _main(names: Sequence[str], file: str | None) -> str:
    models = [name for name in names if name.endswith(_ENDINGS)]
    if file is not None:
        if file in names and file.endswith(_ENDINGS):
            return file
        raise HubError(
            f"expected a model file called {file!r} in the repository; there are: {_list(models)}",
            hint="name one of them with --file, or another --revision",
        )
    usual = (DEFAULT_FILE, f"{Path(DEFAULT_FILE).stem}.safetensors")
    fitting = [name for name in usual if name in models] or models
    if len(fitting) == 1 or fitting[:1] == [DEFAULT_FILE]:
        return fitting[0]
    raise HubError(
        f"expected {DEFAULT_FILE} or one model in the repository; there are: {_list(models)}",
        hint="name one of them with --file" if models else "name another --repo or --revision",
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _companions(name: str) -> list[str]:
    """What may lie beside a model file and belongs to it.

    >>> _companions("net.xml")
    ['net.xml.json', 'net.bin']
    """
    beside = {".xml": f"{name.removesuffix('.xml')}.bin", ".onnx": f"{name}.data"}
    ending = PurePosixPath(name).suffix
    return [f"{name}.json", *([beside[ending]] if ending in beside else [])]


def gather(model: str, file: str | None, folder: Path) -> dict[str, Path]:
    """The files of a model by their names in a repository, the weights first.

    Weights go as safetensors, with a FILE.json that says what they belong to and a card, which is
    the model's own where it has one; networks as OpenVINO or ONNX files go as they are.

    Args:
        model: The folder of a training, a model file, or a name.
        file: What the weights are to be called; with the ending they have, they go as they are.
        folder: Where what has to be made for it is written.

    Raises:
        ConfigError: Nothing is called that, or ``file`` has another ending.
        InputError: It cannot be read, or the folder does not hold one model.
        OutputError: What has to be made cannot be written.
        WeightsError: It is no model that is known here.
    """
    path = Path(model)
    path = _in_folder(path) if path.is_dir() else find_model(model)
    name = file or _usual_name(path)
    if PurePosixPath(name).suffix not in (path.suffix, ".safetensors") or (
        path.suffix in _GRAPHS and PurePosixPath(name).suffix != path.suffix
    ):
        raise ConfigError(
            f"--file {name}: {path.name} goes to a hub as {_usual_name(path)}",
            hint="leave --file out, or give it that ending",
        )
    if path.suffix in _GRAPHS:
        files = {name: path}
        pairs = zip(_companions(name), _companions(str(path)), strict=True)
        files |= {there: Path(here) for there, here in pairs if Path(here).is_file()}
        return files | _card(path, name, None, folder)
    checkpoint = find_checkpoint(str(path))
    files = {name: path if path.suffix == PurePosixPath(name).suffix else _safe(path, folder)}
    files[f"{name}.json"] = _sidecar(path, checkpoint, folder)
    return files | _card(path, name, checkpoint, folder)


def _usual_name(path: Path) -> str:
    if path.suffix in _GRAPHS:
        return path.name
    return f"{Path(path.name.removesuffix('.tar')).stem}.safetensors"


def _in_folder(folder: Path) -> Path:
    """The model that a training left in its folder."""
    found = sorted(readable(folder).glob("*.safetensors"))
    if len(found) != 1:
        raise InputError(
            f"{folder}: expected the folder of a training, with one .safetensors; "
            f"there are: {_list(one.name for one in found)}",
            hint="name the file itself with --model",
        )
    return found[0]


def _safe(path: Path, folder: Path) -> Path:
    """The same tensors as safetensors, which hold nothing that could be run."""
    from safetensors.torch import save

    tensors = {name: tensor.contiguous().clone() for name, tensor in read_tensors(path).items()}
    made = folder / _usual_name(path)
    with whole_file(made) as part:
        part.write_bytes(save(tensors, metadata={"format": "pt"}))
    notice(f"{path.name}: written as {made}, which holds nothing that could be run")
    return made


def _sidecar(path: Path, checkpoint: Checkpoint, folder: Path) -> Path:
    """The file that says what weights belong to: the model's own, or one made for it."""
    own = path.with_name(f"{path.name}.json")
    if own.is_file():
        return own
    made = folder / f"{_usual_name(path)}.json"
    document = {
        "architecture": checkpoint.recognition.architecture,
        "config": checkpoint.recognition.config,
        "input": checkpoint.input.model_dump(mode="json"),
    }
    with whole_file(made) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return made


def _card(path: Path, name: str, checkpoint: Checkpoint | None, folder: Path) -> dict[str, Path]:
    """The card and the pictures in it."""
    own = _own_card(path)
    if own is not None:
        pictures = set(_PICTURE.findall(own.read_text(encoding="utf-8")))
        beside = {picture: own.with_name(picture) for picture in sorted(pictures)}
        return {_CARD: own} | {there: here for there, here in beside.items() if here.is_file()}
    made = folder / _CARD
    with whole_file(made) as part:
        part.write_text(_short_card(path, name, checkpoint), encoding="utf-8", newline="\n")
    notice(f"no card tells what {path.name} learnt from; {made} goes with it and says so")
    return {_CARD: made}


def _own_card(path: Path) -> Path | None:
    """The model's card: of the catalogue, or the README.md beside it that speaks of it."""
    entry = weights.find_sha256(weights.sha256_of(path))
    if entry is not None and entry.card is not None:
        return PROJECT_FOLDER / entry.card
    beside = path.with_name(_CARD)
    if beside.is_file() and path.stem in beside.read_text(encoding="utf-8", errors="replace"):
        return beside
    return None


def _short_card(path: Path, name: str, checkpoint: Checkpoint | None) -> str:
    what = f"- file: `{name}`\n- made from: `{path.name}`, sha256 {weights.sha256_of(path)}"
    if checkpoint is not None:
        what += f"\n- network: {checkpoint.recognition.label}"
        what += f"\n- input: {describe_input(checkpoint.input)}"
    return f"""---
library_name: everyid
pipeline_tag: image-feature-extraction
tags:
- person-re-identification
---

# {Path(name).stem}

An embedding of a picture of a person, to find that person again.

{what}

```bash
python3 run.py person embed --source crops/ --model {name} --output crops.parquet
```

What it learnt from, under which licence it stands and how good it is was not written down.
"""
