"""Packing weights into a bundle: what ``run.py weights pack`` does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from everyid import weights
from everyid.errors import ConfigError, InputError, WeightsError
from everyid.hub_store import HubRecord, find_record, records, refuse_changed
from everyid.models import Model
from everyid.output import notice, readable, refuse_existing, result_folder
from everyid.settings import PROJECT_FOLDER, settings
from everyid.weights_bundle import Parcel, write_bundle
from everyid.weights_catalogue import (
    SHA256_PATTERN,
    WeightsEntry,
    entries,
    find,
    official_name,
    unknown_name,
)
from everyid.weights_licences import licence_of, licence_text
from everyid.weights_manifest import (
    PackedFile,
    PackedWeights,
    contradiction,
    describe,
    packed_file,
    say_licence,
)

__all__ = ["PackReport", "pack"]

_SUFFIXES = (".onnx", ".pt", ".pth", ".safetensors", ".tar", ".xml")

_Wanted = WeightsEntry | HubRecord | str | Path
"""Of the catalogue, of a hub, the name of an official model, a model file."""


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
        models: Names or file names of the catalogue, official Ultralytics names, model files,
            names of what was downloaded from a hub; or ``all`` for the whole catalogue and all
            that was downloaded from hubs.
        output: The zip file; None: ``bundle.zip`` in a fresh folder.
        overwrite: Replace an existing one.

    Raises:
        ConfigError: A name is not known, or means several, or there is nothing to pack; nothing
            was downloaded then.
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
    parcels = [_with_licence_text(_parcel(model)) for model in wanted]
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


def _chosen(models: Sequence[str]) -> tuple[list[_Wanted], dict[str, str]]:
    """What is to be packed, each once, and what need not be, with the reason.

    Raises:
        ConfigError: A name is not known, or means several, or nothing is left.
        InputError: There is no such file.
    """
    wanted: dict[str, _Wanted] = {}
    skipped: dict[str, str] = {}
    whole: list[_Wanted] = [*entries(), *records()] if "all" in models else []
    for found in [*whole, *(_meant(model) for model in models if model != "all")]:
        if isinstance(found, WeightsEntry) and found.bundled is not None:
            skipped[found.name] = "ships with the project: nothing is to be packed"
            notice(f"{found.name} {skipped[found.name]}")
        elif isinstance(found, WeightsEntry):
            wanted[found.name] = found
        else:
            wanted[found.names[-1] if isinstance(found, HubRecord) else str(found)] = found
    if not wanted:
        raise ConfigError(
            f"--models: nothing to pack: {', '.join(skipped) or 'no name was given'}",
            hint="`python3 run.py weights list` shows the names; `all` means all of them",
        )
    return list(wanted.values()), skipped


def _meant(model: str) -> _Wanted:
    """An entry of the catalogue, the name of an official model, a file, or a downloaded model.

    Raises:
        ConfigError: It is none of these, or means several downloaded ones.
        InputError: There is no such file, or it is a folder.
    """
    entry = find(model)
    if entry is not None:
        return entry
    if official_name(model):
        return model.removesuffix(".pt")
    path = Path(model)
    if path.is_file():
        record = next((one for one in records() if one.path.samefile(path)), None)
    else:
        record = find_record(model)
    if record is not None:
        return record
    if not path.exists() and path.suffix not in _SUFFIXES and len(path.parts) < 2:
        raise unknown_name(model)
    if readable(path).is_dir() or path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: expected a model file ending in {', '.join(_SUFFIXES)}")
    return path


def _parcel(model: _Wanted) -> Parcel:
    """Some weights with all that belongs to them, downloaded where they are not here."""
    if isinstance(model, WeightsEntry):
        return _of_catalogue(model)
    if isinstance(model, HubRecord):
        return _of_hub(model)
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
    if path.suffix.lower() == ".xml":
        readable(path.with_suffix(".bin"))
    paths = [path, *_beside(path)]
    card = _card_beside(path)
    said = PackedWeights(
        name=path.name,
        origin="file",
        licence=licence_of(card),
        trained_on="see its card" if card else "not known",
        files=[describe(one, file=one.name) for one in paths],
    )
    if card is None:
        return Parcel(said, tuple(paths))
    return _with_card(said, tuple(paths), _content(card))


def _of_hub(record: HubRecord) -> Parcel:
    """A downloaded model with its record and what lies beside it, where they belong.

    Raises:
        WeightsError: It is not as it was downloaded.
    """
    refuse_changed(record)
    source = f"{record.endpoint}/{record.repository}/resolve/{record.commit}"
    recorded = record.needed
    files = [
        packed_file(
            _below(place),
            size_bytes=one.size_bytes,
            sha256=one.sha256,
            sources=[f"{source}/{one.file}"],
        )
        for place, one in recorded.items()
    ]
    card = record.card
    beside = [*_beside(record.path), record.record_path, *([card] if card else [])]
    others = [one for one in beside if one not in recorded]
    said = PackedWeights(
        name=record.names[-1],
        origin="hub",
        licence=licence_of(card),
        trained_on="see its card" if card else "not known",
        card=_below(card) if card else None,
        files=[*files, *(describe(one, file=_below(one)) for one in others)],
    )
    return Parcel(said, (*recorded, *others))


def _below(path: Path) -> str:
    """The path of a file below the models folder."""
    return path.relative_to(settings().models_folder).as_posix()


def _beside(path: Path) -> Iterator[Path]:
    """What is there of the files that may lie beside a model's file and belong to it."""
    names = [f"{path.name}.json", f"{path.name}.data"]
    if path.suffix.lower() == ".xml":
        names.append(f"{path.stem}.bin")
    return (path.with_name(name) for name in names if path.with_name(name).is_file())


def _with_licence_text(parcel: Parcel) -> Parcel:
    """The same weights with the text of their licence, which those that share it share."""
    text = licence_text(parcel.weights.licence)
    if text is None:
        return parcel
    page = describe(text, file="licences/AGPL-3.0.txt")
    said = parcel.weights.model_copy(update={"files": [*parcel.weights.files, page]})
    return Parcel(said, (*parcel.contents, text))


def _with_card(said: PackedWeights, contents: tuple[Path, ...], card: bytes) -> Parcel:
    """The same weights with their page among the files."""
    page = describe(card, file=f"{Path(said.files[0].file).stem}.md")
    said = said.model_copy(update={"card": page.file, "files": [*said.files, page]})
    return Parcel(said, (*contents, card))


def _card_beside(path: Path) -> Path | None:
    """The card of a model file: STEM.md, or the README.md that a training leaves; or None."""
    for card in (path.with_suffix(".md"), path.with_name("README.md")):
        if not card.is_file():
            continue
        if card.name != "README.md" or path.name.encode() in _content(card):
            return card
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
