"""Packing weights into a bundle: what ``run.py weights pack`` does."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from everyid import weights
from everyid.errors import ConfigError, InputError, WeightsError
from everyid.models import Model
from everyid.output import notice, readable, refuse_existing, result_folder
from everyid.settings import PROJECT_FOLDER
from everyid.weights_bundle import Parcel, write_bundle
from everyid.weights_catalogue import (
    SHA256_PATTERN,
    WeightsEntry,
    entries,
    find,
    official_name,
    unknown_name,
)
from everyid.weights_manifest import (
    PackedFile,
    PackedWeights,
    contradiction,
    describe,
    say_licence,
)

__all__ = ["PackReport", "pack"]

_SUFFIXES = (".onnx", ".pt", ".pth", ".safetensors", ".tar", ".xml")
_LICENCE = re.compile(r"^license:[ \t]*([\w.+-]+)[ \t]*$", re.MULTILINE)
_LICENCE_NAME = re.compile(r'^license_name:[ \t]*"?([\w.+ -]+?)"?[ \t]*$', re.MULTILINE)


class PackReport(Model):
    """What ``weights pack --json`` prints."""

    output: Path
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern=SHA256_PATTERN)
    weights: list[PackedWeights]
    skipped: dict[str, str] = Field(default_factory=dict, description="name -> why")


def pack(models: Sequence[str], *, output: Path | None, overwrite: bool) -> PackReport:
    """What a new bundle holds; weights that are not here are downloaded first.

    Those that ship with the project are left out: they are on every machine.

    Args:
        models: Names or file names of the catalogue, official Ultralytics names, model files; or
            ``all`` for the whole catalogue.
        output: The zip file; None: ``bundle.zip`` in a fresh folder.
        overwrite: Replace an existing one.

    Raises:
        ConfigError: A name is not known, or there is nothing to pack; nothing was downloaded then.
        InputError: A file cannot be read.
        OutputExistsError: ``output`` exists and ``overwrite`` is False.
        OutputError: It, or the models folder, cannot be written.
        WeightsError: Weights cannot be had, or change while they are packed.
    """
    wanted, skipped = _chosen(models)
    if output is not None:
        if output.is_dir():
            raise InputError(f"--output {output}: expected a file to write, found a folder")
        refuse_existing(output, overwrite=overwrite)
    parcels = [_parcel(model) for model in wanted]
    for parcel in parcels:
        one = parcel.weights
        problem = contradiction(one)
        if problem is not None:
            raise WeightsError(f"{one.name}: {problem}", hint="give it another name")
        say_licence(one)
    with result_folder(output.parent if output else None, "weights", "pack") as folder:
        path = output or folder / "bundle.zip"
        write_bundle(path, parcels, overwrite=overwrite)
    return PackReport(
        output=path,
        size_bytes=path.stat().st_size,
        sha256=weights.sha256_of(path),
        weights=[parcel.weights for parcel in parcels],
        skipped=skipped,
    )


def _chosen(models: Sequence[str]) -> tuple[list[WeightsEntry | str | Path], dict[str, str]]:
    """What is to be packed, each once, and what need not be, with the reason.

    Raises:
        ConfigError: A name is not known, or nothing is left.
        InputError: There is no such file.
    """
    wanted: dict[str, WeightsEntry | str | Path] = {}
    skipped: dict[str, str] = {}
    names = [entry.name for entry in entries()] if "all" in models else []
    for model in [*names, *(model for model in models if model != "all")]:
        found = _meant(model)
        if isinstance(found, WeightsEntry) and found.bundled is not None:
            skipped[found.name] = "ships with the project: nothing is to be packed"
            notice(f"{found.name} {skipped[found.name]}")
            continue
        wanted[found.name if isinstance(found, WeightsEntry) else str(found)] = found
    if not wanted:
        raise ConfigError(
            f"--models: nothing to pack: {', '.join(skipped) or 'no name was given'}",
            hint="`python3 run.py weights list` shows the names; `all` means all of them",
        )
    return list(wanted.values()), skipped


def _meant(model: str) -> WeightsEntry | str | Path:
    """An entry of the catalogue, the name of an official model, or a file.

    Raises:
        ConfigError: It is none of these.
        InputError: There is no such file, or it is a folder.
    """
    entry = find(model)
    if entry is not None:
        return entry
    if official_name(model):
        return model.removesuffix(".pt")
    path = Path(model)
    if not path.exists() and path.suffix not in _SUFFIXES and len(path.parts) < 2:
        raise unknown_name(model)
    if readable(path).is_dir() or path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: expected a model file ending in {', '.join(_SUFFIXES)}")
    return path


def _parcel(model: WeightsEntry | str | Path) -> Parcel:
    """Some weights with all that belongs to them, downloaded where they are not here."""
    if isinstance(model, WeightsEntry):
        return _of_catalogue(model)
    return _official(model) if isinstance(model, str) else _of_file(model)


def _of_catalogue(entry: WeightsEntry) -> Parcel:
    folder = weights.fetch(entry.name).parent
    files = [
        PackedFile(
            file=item.file,
            size_bytes=item.size_bytes,
            sha256=item.sha256,
            sources=[str(source) for source in item.downloads],
        )
        for item in entry.files
    ]
    said = PackedWeights(
        name=entry.name,
        origin="catalogue",
        licence=entry.licence,
        licence_note=entry.licence_note,
        trained_on=entry.trained_on,
        files=files,
    )
    contents = tuple(folder / item.file for item in files)
    if entry.card is not None:
        return _with_card(said, contents, _content(PROJECT_FOLDER / entry.card))
    return _with_card(said, contents, _card(said, f"{entry.architecture}, for {entry.task}."))


def _official(name: str) -> Parcel:
    """An official Ultralytics model, with the record of its download."""
    path = weights.fetch_unpinned(name)
    record = path.with_name(f"{path.name}.json")
    paths = [path, record] if record.is_file() else [path]
    said = PackedWeights(
        name=path.stem,
        origin="official",
        licence="AGPL-3.0",
        licence_note="Ultralytics weights; their checksum is not in the catalogue, so nothing "
        "vouches for them but the machine that downloaded them.",
        trained_on="not known",
        files=[describe(one, file=one.name) for one in paths],
    )
    return _with_card(said, tuple(paths), _card(said, "An official Ultralytics model."))


def _of_file(path: Path) -> Parcel:
    """A model file with what lies beside it: its weights, FILE.json, and its card."""
    beside = [path.with_name(f"{path.name}.json"), path.with_name(f"{path.name}.data")]
    if path.suffix.lower() == ".xml":
        beside.append(readable(path.with_suffix(".bin")))
    paths = [path, *(one for one in beside if one.is_file())]
    card = _card_beside(path)
    said = PackedWeights(
        name=path.name,
        origin="file",
        licence=_licence(card),
        trained_on="see its card" if card else "not known",
        files=[describe(one, file=one.name) for one in paths],
    )
    return Parcel(said, tuple(paths)) if card is None else _with_card(said, tuple(paths), card)


def _with_card(said: PackedWeights, contents: tuple[Path, ...], card: bytes) -> Parcel:
    """The same weights with their page among the files."""
    page = describe(card, file=f"{Path(said.files[0].file).stem}.md")
    said = said.model_copy(update={"card": page.file, "files": [*said.files, page]})
    return Parcel(said, (*contents, card))


def _card_beside(path: Path) -> bytes | None:
    """The card of a model file: STEM.md, or the README.md that a training leaves; or None."""
    for card in (path.with_suffix(".md"), path.with_name("README.md")):
        if card.is_file():
            content = _content(card)
            if card.name != "README.md" or path.name.encode() in content:
                return content
    return None


def _content(path: Path) -> bytes:
    """What is in a small file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _licence(card: bytes | None) -> str:
    r"""The licence that a card has in its front matter, or ``not stated``.

    >>> _licence(b"---\nlicense: mit\n---\n# net")
    'mit'
    """
    text = (card or b"").decode("utf-8", "replace")
    front = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENCE.search(front)
    if found is not None and found[1] == "other":
        found = _LICENCE_NAME.search(front)
    return "not stated" if found is None else found[1]


def _card(said: PackedWeights, summary: str) -> bytes:
    """A page for weights that have none: what the catalogue says of them."""
    addresses = {item.file: item.sources for item in said.files}
    lines = [
        f"# {said.name}",
        summary,
        f"Licence: {said.licence}, https://spdx.org/licenses/{said.licence}.html",
        said.licence_note,
        f"Trained on: {said.trained_on}",
        *(f"`{file}` was published at {where[0]}" for file, where in addresses.items() if where),
    ]
    return ("\n\n".join(line for line in lines if line) + "\n").encode()
