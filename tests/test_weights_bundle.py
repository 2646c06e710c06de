"""Bundles of weights for machines without a network: packed, imported, and refused whole."""

import hashlib
import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies
from typer.testing import CliRunner

from everyid import (
    output,
    weights,
    weights_bundle,
    weights_catalogue,
    weights_import,
    weights_manifest,
    weights_pack,
)
from everyid.cli import weights_app
from everyid.errors import (
    ConfigError,
    EveryIDError,
    InputError,
    OutputError,
    OutputExistsError,
    WeightsError,
)
from everyid.settings import PROJECT_FOLDER, settings
from everyid.weights_bundle import Parcel, open_bundle, write_bundle
from everyid.weights_import import ImportReport, import_bundle
from everyid.weights_manifest import Manifest, PackedFile, PackedWeights, describe
from everyid.weights_pack import PackReport, pack

BODY, BIN = b"structure" * 500, b"weights" * 3000
UNREACHABLE = "http://127.0.0.1:1/"
runner = CliRunner()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(name: str, *files: tuple[str, bytes], licence: str = "MIT") -> dict[str, Any]:
    """An entry of the catalogue whose files nothing can download."""
    items = [
        {
            "file": file,
            "sha256": sha256(content),
            "size_bytes": len(content),
            "sources": [{"kind": "url", "url": UNREACHABLE + file}],
        }
        for file, content in files
    ]
    said = {
        "name": name,
        "licence": licence,
        "licence_note": f"Note of {name}.",
        "task": "detect",
        "architecture": "Tiny",
        "trained_on": "nothing",
        "input": {"size_hw": None, "colour": "rgb", "scale": 255},
        "companions": items[1:],
    }
    return items[0] | said


SHIPPED = entry("shipped", ("shipped.pt", b"x")) | {
    "sources": [{"kind": "bundled", "path": "room/shipped.pt"}]
}
PAIR = entry("pair", ("pair.xml", BODY), ("pair.bin", BIN))
FREE = entry("free", ("free.pt", b"free" * 99), licence="AGPL-3.0")


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch):
    """Replaces the catalogue by the entries given."""

    def replace(*listed: dict[str, Any]) -> None:
        path = tmp_path / "catalogue.json"
        path.write_text(json.dumps({"weights": listed}))
        monkeypatch.setattr(weights_catalogue, "CATALOGUE_FILE", path)
        weights_catalogue._catalogue.cache_clear()

    replace(PAIR, FREE, SHIPPED)
    yield replace
    weights_catalogue._catalogue.cache_clear()


@pytest.fixture
def use(monkeypatch, tmp_path) -> Callable[[str], Path]:
    """Makes a folder the models folder of this process: goes over to another machine."""

    def go(name: str) -> Path:
        folder = tmp_path / name
        monkeypatch.setenv("EVERYID_MODELS", str(folder))
        settings.cache_clear()
        return folder

    return go


@pytest.fixture
def here(catalogue, use) -> Path:
    """The models folder of a machine that has everything."""
    folder = use("here")
    folder.mkdir()
    (folder / "pair.xml").write_bytes(BODY)
    (folder / "pair.bin").write_bytes(BIN)
    (folder / "free.pt").write_bytes(b"free" * 99)
    return folder


@pytest.fixture
def bundle(here, use, tmp_path) -> Path:
    """A bundle of two weights, on a machine that has none."""
    path = tmp_path / "a stick" / "my bundle.zip"
    pack(["pair", "free"], output=path, overwrite=False)
    use("there")
    return path


@pytest.fixture(autouse=True)
def _loud():
    output.quiet(enabled=False)
    yield
    output.quiet(enabled=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rewrite(path: Path, held: list[tuple[str | zipfile.ZipInfo, bytes]], **options: int) -> None:
    """Writes a zip file by hand."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in held:
            archive.writestr(name, content)


def change(path: Path, **changes: bytes | None) -> None:
    """Changes entries of a bundle; None removes one, ``__`` in a name stands for a slash."""
    held = entries(path) | {name.replace("__", "/"): data for name, data in changes.items()}
    rewrite(path, [(name, data) for name, data in held.items() if data is not None])


def change_manifest(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads(entries(path)["manifest.json"])
    edit(manifest)
    change(path, **{"manifest.json": json.dumps(manifest).encode()})


def refused(path: Path, kind: type[EveryIDError], message: str) -> EveryIDError:
    """The error of an import, once nothing is known to be imported."""
    folder = settings().models_folder
    before = contents(folder)
    with pytest.raises(kind, match=message) as caught:
        import_bundle(path, overwrite=False)
    assert contents(folder) == before
    assert not (folder / ".bundle").exists()
    assert "\n" not in str(caught.value)
    return caught.value


# There and back


def test_what_is_packed_is_there_after_the_import(bundle, here, tmp_path):
    report = import_bundle(bundle, overwrite=False)
    there = contents(tmp_path / "there")
    cards = {name: there.pop(name).decode() for name in ("pair.md", "free.md")}
    assert b"AFFERO GENERAL PUBLIC LICENSE" in there.pop("licences/AGPL-3.0.txt")
    assert there == contents(here)
    assert "AGPL-3.0, https://spdx.org/licenses/AGPL-3.0.html\n\nNote of free" in cards["free.md"]
    assert f"`pair.bin` was published at {UNREACHABLE}pair.bin" in cards["pair.md"]
    assert [(one.name, one.model, one.state, one.licence) for one in report.weights] == [
        ("free", "free", "imported", "AGPL-3.0"),
        ("pair", "pair", "imported", "MIT"),
    ]
    assert report.weights[1].path == tmp_path / "there" / "pair.xml"
    assert report.weights[1].card == tmp_path / "there" / "pair.md"
    assert weights.fetch("pair") == tmp_path / "there" / "pair.xml"


def test_a_second_import_changes_nothing(bundle, tmp_path):
    import_bundle(bundle, overwrite=False)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").iterdir()}
    report = import_bundle(bundle, overwrite=False)
    assert {one.state for one in report.weights} == {"there already"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").iterdir()} == times


def test_an_import_brings_what_is_missing(bundle, tmp_path):
    import_bundle(bundle, overwrite=False)
    (tmp_path / "there" / "pair.bin").unlink()
    report = import_bundle(bundle, overwrite=False)
    assert [one.state for one in report.weights] == ["there already", "imported"]
    assert (tmp_path / "there" / "pair.bin").read_bytes() == BIN


def test_the_manifest_tells_all(bundle):
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
    assert manifest.format == weights_manifest.MANIFEST_FORMAT == 1
    assert manifest.made_by == weights_manifest.made_by()
    pair = manifest.weights[1]
    assert (pair.name, pair.origin, pair.licence, pair.card) == (
        *("pair", "catalogue", "MIT"),
        "pair.md",
    )
    assert pair.files[1] == PackedFile(
        file="pair.bin",
        size_bytes=len(BIN),
        sha256=sha256(BIN),
        sources=[UNREACHABLE + "pair.bin"],
    )


def test_the_same_weights_make_the_same_bytes(here, tmp_path):
    one, two = tmp_path / "1.zip", tmp_path / "2.zip"
    first = pack(["pair", "free"], output=one, overwrite=False)
    os.utime(here / "pair.bin", (1, 1))
    pack(["free.pt", "pair", "pair.xml"], output=two, overwrite=False)
    assert one.read_bytes() == two.read_bytes()
    assert (first.sha256, first.size_bytes) == (sha256(one.read_bytes()), one.stat().st_size)
    with zipfile.ZipFile(one) as archive:
        infos = archive.infolist()
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert infos[0].filename == "manifest.json"


def test_files_too_large_for_the_first_zip_format(here, use, tmp_path, monkeypatch):
    with monkeypatch.context() as small:
        small.setattr(zipfile, "ZIP64_LIMIT", 1000)
        pack(["pair"], output=tmp_path / "large.zip", overwrite=False)
    assert b"PK\x06\x06" in (tmp_path / "large.zip").read_bytes()  # the directory of Zip64
    use("there")
    import_bundle(tmp_path / "large.zip", overwrite=False)
    assert (tmp_path / "there" / "pair.bin").read_bytes() == BIN


def test_a_file_goes_below_a_folder_where_its_path_says_so(catalogue, use, tmp_path):
    item = describe(b"net", file="hub/owner/net/model.safetensors")
    said = PackedWeights(
        name="net", origin="file", licence="mit", trained_on="nothing", files=[item]
    )
    write_bundle(tmp_path / "hub.zip", [Parcel(said, (b"net",))])
    folder = use("there")
    report = import_bundle(tmp_path / "hub.zip", overwrite=False)
    assert report.weights[0].path == folder / item.file
    assert report.weights[0].path.read_bytes() == b"net"
    assert report.weights[0].model == str(folder / item.file)


# What is packed


def test_all_leaves_out_what_ships(here, tmp_path, capsys):
    report = pack(["all"], output=tmp_path / "all.zip", overwrite=False)
    assert [one.name for one in report.weights] == ["free", "pair"]
    assert report.skipped == {"shipped": "ships with the project: nothing is to be packed"}
    assert "shipped ships with the project" in capsys.readouterr().err


@pytest.mark.parametrize(("models", "named"), [(["shipped"], "shipped"), ([], "no name was given")])
def test_nothing_to_pack_is_told(here, tmp_path, models, named):
    with pytest.raises(ConfigError, match=rf"^--models: nothing to pack: {named}$") as caught:
        pack(models, output=tmp_path / "b.zip", overwrite=False)
    assert "weights list" in str(caught.value.hint)
    assert not (tmp_path / "b.zip").exists()


def test_an_unknown_name_is_told_before_anything_is_fetched(here, tmp_path):
    (here / "pair.bin").unlink()
    with pytest.raises(ConfigError, match=r"no weights are called 'pairs'") as caught:
        pack(["pair", "pairs"], output=tmp_path / "b.zip", overwrite=False)
    assert caught.value.hint == "did you mean 'pair'?"


def test_without_a_network_the_command_is_told(here, tmp_path):
    (here / "pair.bin").unlink()
    with pytest.raises(WeightsError, match="pair could not be fetched") as caught:
        pack(["pair", "free"], output=tmp_path / "new" / "b.zip", overwrite=False)
    assert "python3 run.py weights fetch pair" in str(caught.value.hint)
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_is_never_packed(here, tmp_path):
    (here / "free.pt").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="free could not be fetched"):
        pack(["free"], output=tmp_path / "b.zip", overwrite=False)
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_that_exists_stays(bundle, here, use):
    use("here")
    before = bundle.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        pack(["free"], output=bundle, overwrite=False)
    assert bundle.read_bytes() == before
    pack(["free"], output=bundle, overwrite=True)
    assert list(entries(bundle)) == [
        *("manifest.json", "weights/free.pt", "weights/free.md"),
        "weights/licences/AGPL-3.0.txt",
    ]


def test_a_folder_is_never_replaced(here, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"^--output .*folder: expected a file to write"):
        pack(["free"], output=tmp_path / "folder", overwrite=True)
    assert (tmp_path / "folder").is_dir()


def test_without_an_output_a_fresh_folder_is_made(here, monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path / "tmp"))
    settings.cache_clear()
    paths = [pack(["free"], output=None, overwrite=False).output for _ in range(2)]
    made = tmp_path / "tmp" / "weights" / "pack"
    assert paths == [made / "0001" / "bundle.zip", made / "0002" / "bundle.zip"]


def test_a_file_that_changes_meanwhile_is_told(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(b"before")
    item = describe(path, file="net.pt")
    said = PackedWeights(
        name="net", origin="file", licence="mit", trained_on="nothing", files=[item]
    )
    path.write_bytes(b"after!")
    with pytest.raises(WeightsError, match=r"net\.pt changed while it was packed"):
        write_bundle(tmp_path / "b.zip", [Parcel(said, (path,))])
    path.unlink()
    with pytest.raises(InputError, match=r"^cannot read .*net\.pt: No such file"):
        write_bundle(tmp_path / "b.zip", [Parcel(said, (path,))])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_pack_leaves_nothing(here, tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights_bundle, "_pieces", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pack(["free"], output=tmp_path / "new" / "b.zip", overwrite=False)
    assert not (tmp_path / "new").exists()


# Model files and official models


@pytest.fixture
def mine(tmp_path) -> Path:
    """A model file of one's own with what lies beside it."""
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / "net.safetensors").write_bytes(b"net")
    (folder / "net.safetensors.json").write_text("{}")
    (folder / "net.md").write_text("---\nlicense: mit\n---\n\n# net\n")
    (folder / "other.txt").write_text("not of it")
    return folder / "net.safetensors"


def test_a_model_file_goes_with_what_belongs_to_it(here, mine, use, tmp_path):
    report = pack([str(mine)], output=tmp_path / "b.zip", overwrite=False)
    assert [(one.name, one.origin, one.licence) for one in report.weights] == [
        ("net.safetensors", "file", "mit")
    ]
    folder = use("there")
    imported = import_bundle(tmp_path / "b.zip", overwrite=False).weights
    assert sorted(contents(folder)) == ["net.md", "net.safetensors", "net.safetensors.json"]
    assert [one.model for one in imported] == [str(folder / "net.safetensors")]


def test_the_card_of_a_training_goes_with_its_network(here, mine, tmp_path):
    mine.with_suffix(".md").unlink()
    page = mine.with_name("README.md")
    page.write_text("---\nlicense: other\nlicense_name: own-1\n---\n--model net.safetensors\n")
    report = pack([str(mine)], output=tmp_path / "1.zip", overwrite=False)
    assert (report.weights[0].licence, report.weights[0].card) == ("own-1", "net.md")
    assert entries(tmp_path / "1.zip")["weights/net.md"] == page.read_bytes()
    page.write_text("# About another model\nlicense: mit\n")
    report = pack([str(mine)], output=tmp_path / "2.zip", overwrite=False)
    assert (report.weights[0].licence, report.weights[0].card) == ("not stated", None)


@pytest.mark.parametrize(
    "page", ["# net\n\nlicense: mit\n", '---\nlicense: other\nlicense_name: "not stated"\n---\n']
)
def test_a_licence_that_is_not_known_is_told(here, mine, tmp_path, capsys, page):
    mine.with_suffix(".md").write_text(page)
    pack([str(mine)], output=tmp_path / "b.zip", overwrite=False)
    assert "warning: net.safetensors: nothing says under which licence" in capsys.readouterr().err


def test_both_files_of_an_openvino_network_are_packed(here, mine, tmp_path):
    graph = mine.with_name("zoo.xml")
    graph.write_bytes(BODY)
    with pytest.raises(InputError, match=r"zoo\.bin: no such file"):
        pack([str(graph)], output=tmp_path / "b.zip", overwrite=False)
    graph.with_suffix(".bin").write_bytes(BIN)
    report = pack([str(graph)], output=tmp_path / "b.zip", overwrite=False)
    assert [item.file for item in report.weights[0].files] == ["zoo.xml", "zoo.bin"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.pt", "no such file"),
        ("notes.txt", "expected a model file ending in"),
        ("folder.pt", "expected a model file ending in"),
        ("my net.pt", "expected a file name of letters"),
        ("nul.pt", "expected a file name of letters"),
    ],
)
def test_a_file_that_is_no_model_is_refused(here, tmp_path, name, message):
    (tmp_path / "folder.pt").mkdir()
    for wrong in ("notes.txt", "my net.pt", "nul.pt"):
        (tmp_path / wrong).touch()
    with pytest.raises(InputError, match=message):
        pack([str(tmp_path / name)], output=tmp_path / "b.zip", overwrite=False)


def test_two_files_of_one_name_are_refused(here, mine, tmp_path):
    again = tmp_path / "NET.safetensors"
    again.write_bytes(b"another")
    with pytest.raises(InputError, match=r"expected each name once, got net\.safetensors twice"):
        pack([str(mine), str(again)], output=tmp_path / "b.zip", overwrite=False)


def test_another_file_under_a_name_of_the_catalogue_is_refused(here, tmp_path):
    (tmp_path / "Free.pt").write_bytes(b"another")
    with pytest.raises(WeightsError, match=r"has another free\.pt: expected sha256") as caught:
        pack([str(tmp_path / "Free.pt")], output=tmp_path / "b.zip", overwrite=False)
    assert caught.value.hint == "give it another name"


def test_an_official_model_goes_with_its_record(here, use, tmp_path):
    (here / "yolov8s.pt").write_bytes(b"official")
    weights._write_record(here / "yolov8s.pt", UNREACHABLE, sha256(b"official"))
    report = pack(["yolov8s"], output=tmp_path / "b.zip", overwrite=False)
    assert (report.weights[0].origin, report.weights[0].licence) == ("official", "AGPL-3.0")
    folder = use("there")
    import_bundle(tmp_path / "b.zip", overwrite=False)
    assert weights.fetch_unpinned("yolov8s") == folder / "yolov8s.pt"
    states = {result.name: result.state for result in weights.verify()}
    assert states["yolov8s"] == "ok"


# What is refused


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 200])
def test_what_is_no_zip_is_refused(bundle, content):
    bundle.write_bytes(content)
    error = refused(
        bundle, WeightsError, r"expected a whole bundle, a zip file that `weights pack`"
    )
    assert "copy it again" in str(error.hint)


def test_a_bundle_cut_short_is_refused(bundle):
    whole = bundle.read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2, 100):
        bundle.write_bytes(whole[:kept])
        refused(bundle, WeightsError, "expected a whole bundle")


def test_no_bundle_there_is_told(bundle, tmp_path):
    refused(tmp_path / "missing.zip", InputError, r"missing\.zip: no such file")
    refused(tmp_path, InputError, "expected a bundle, a zip file; found a folder")


def test_a_zip_of_another_kind_is_refused(bundle):
    change(bundle, **{"manifest.json": None})
    refused(bundle, WeightsError, r"it has no manifest\.json")
    change(bundle, **{"manifest.json": b" " * 5_000_000})
    refused(bundle, WeightsError, r"it has no manifest\.json of at most 4,194,304 bytes")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff", b'{"format": 0}'])
def test_a_damaged_manifest_is_refused(bundle, text):
    change(bundle, **{"manifest.json": text})
    refused(bundle, WeightsError, r"its manifest\.json is damaged: ")


def test_a_newer_format_is_named(bundle):
    text = b'{"format": 2, "made_by": "EveryID 9.0", "boxes": []}'
    change(bundle, **{"manifest.json": text})
    error = refused(bundle, WeightsError, r"is of format 2, made by EveryID 9\.0; .* up to 1$")
    assert error.hint == "use the same version of EveryID on both machines"


def test_a_damaged_file_is_refused_with_both_sums(bundle):
    other = BIN[:-1] + b"!"
    change(bundle, weights__pair_bin=None, **{"weights/pair.bin": other})
    refused(
        bundle,
        WeightsError,
        rf"pair\.bin is damaged: expected sha256 {sha256(BIN)}, found {sha256(other)}",
    )


def test_bits_that_flipped_are_refused(bundle):
    content = bytearray(bundle.read_bytes())
    content[content.index(BIN) + 100] ^= 1
    bundle.write_bytes(content)
    refused(bundle, WeightsError, "Bad CRC-32")


def test_a_damaged_file_is_told_even_when_all_is_there(bundle):
    import_bundle(bundle, overwrite=False)
    change(bundle, **{"weights/pair.bin": BIN[::-1]})
    refused(bundle, WeightsError, "is damaged")


def test_an_incomplete_bundle_is_refused(bundle):
    change(bundle, **{"weights/pair.bin": None, "weights/free.md": None})
    refused(bundle, WeightsError, r"incomplete: weights/free\.md, weights/pair\.bin missing")


@pytest.mark.parametrize("content", [BIN + b"x", BIN[:-1], b"\0" * 1_000_000])
def test_another_size_is_refused_before_it_is_read(bundle, content):
    change(bundle, **{"weights/pair.bin": content})
    sizes = f"expected {len(BIN):,} bytes, found {len(content):,}"
    refused(bundle, WeightsError, rf"weights/pair\.bin: {sizes}")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "weights/../../evil",
        "/evil",
        "C:/evil",
        "C:\\evil",
        "..\\evil",
        "weights/",
        "weights/PAIR.bin",
        "weights/pair.bin/evil",
        "\x1b[31mevil",
        "weights/évil",
    ],
)
def test_what_the_manifest_does_not_list_is_refused(bundle, tmp_path, name):
    before = {path for path in tmp_path.rglob("*") if "there" not in path.parts}
    rewrite(bundle, [*entries(bundle).items(), (name, b"evil")])
    error = refused(bundle, WeightsError, "which its manifest does not list")
    assert "\x1b" not in str(error)
    assert {path for path in tmp_path.rglob("*") if "there" not in path.parts} == before


@pytest.mark.parametrize(
    "file",
    [
        *("../evil", "/evil", "a/../evil", "a//evil", "./evil", "C:evil", "a\\evil", ""),
        *(".hidden", "a/.hidden", ".bundle", "evil\n", "a b", "nul", "a/COM1.pt", "evil.", "é"),
        "a" * 300,
    ],
)
def test_a_path_of_the_manifest_that_leads_elsewhere_is_refused(bundle, file):
    def edit(manifest: dict[str, Any]) -> None:
        manifest["weights"][0]["files"][0]["file"] = file

    held = entries(bundle)
    change_manifest(bundle, edit)
    change(bundle, **{f"weights/{file}": held["weights/free.pt"], "weights/free.pt": None})
    refused(bundle, WeightsError, r"its manifest\.json is damaged: weights\.0\.files\.0\.file")


def test_names_that_differ_in_capitals_only_are_refused(bundle):
    def edit(manifest: dict[str, Any]) -> None:
        manifest["weights"][0]["files"][0]["file"] = "Pair.XML"

    change_manifest(bundle, edit)
    refused(bundle, WeightsError, r"expected each file once, got pair\.xml twice")


def test_a_card_that_is_not_there_is_refused(bundle):
    def edit(manifest: dict[str, Any]) -> None:
        manifest["weights"][0]["card"] = "../card.md"

    change_manifest(bundle, edit)
    refused(bundle, WeightsError, "expected the card")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["weights/pair.bin", "manifest.json"])
def test_an_entry_that_is_there_twice_is_refused(bundle, name):
    rewrite(bundle, [*entries(bundle).items(), (name, entries(bundle)[name])])
    refused(bundle, WeightsError, f'it holds "{name}" more than once')


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO])
def test_a_link_is_refused(bundle, kind):
    held = entries(bundle)
    link = zipfile.ZipInfo("weights/pair.bin")
    link.external_attr = (kind | 0o777) << 16
    rewrite(
        bundle, [(link if name == link.filename else name, data) for name, data in held.items()]
    )
    refused(bundle, WeightsError, r"weights/pair\.bin is a link or a folder")


def test_a_compressed_bundle_is_refused(bundle):
    rewrite(bundle, list(entries(bundle).items()), compression=zipfile.ZIP_DEFLATED)
    refused(bundle, WeightsError, "is compressed or encrypted")


def test_files_larger_than_their_bundle_are_refused(bundle):
    content = bytearray(bundle.read_bytes())
    size = len(BIN).to_bytes(4, "little")
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(b"weights/pair.bin"))
    huge = (1 << 30).to_bytes(4, "little")
    assert content[start + 20 : start + 28] == size + size
    content[start + 20 : start + 28] = huge + huge
    text = entries(bundle)["manifest.json"]
    new = text.replace(b'"size_bytes": 21000', b'"size_bytes":  1073741824')
    assert new != text
    bundle.write_bytes(content)
    with zipfile.ZipFile(bundle) as archive:
        manifest = Manifest.model_validate_json(new)
        problem = weights_bundle._problem(archive, manifest, bundle.stat().st_size)
    assert problem == "its files are larger than itself"


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([PAIR], "free: no command of EveryID .* would find it by its name"),
        (
            [PAIR, entry("free", ("free.pt", b"newer"))],
            rf"free: the catalogue of .* has another free\.pt: expected sha256 {sha256(b'newer')}",
        ),
        (
            [PAIR, entry("free", ("free.pt", b"free" * 99), ("free.names", b"x"))],
            r"free: expected free\.names with it",
        ),
        (
            [PAIR, FREE, entry("third", ("pair.md", b"x"))],
            r"pair: the catalogue of .* has another pair\.md",
        ),
    ],
)
def test_weights_that_this_version_would_not_take_are_refused(bundle, catalogue, listed, message):
    catalogue(*listed)
    error = refused(bundle, WeightsError, rf"made by EveryID .*: {message}")
    assert "the same version of EveryID on both machines" in str(error.hint)


def test_an_official_name_that_is_not_known_is_refused(bundle):
    def edit(manifest: dict[str, Any]) -> None:
        manifest["weights"][0] |= {"origin": "official", "name": "yolo99x"}

    change_manifest(bundle, edit)
    refused(bundle, WeightsError, "yolo99x: EveryID .* knows no official model of that name")


@hypothesis.settings(
    max_examples=40, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    place=strategies.floats(0, 1, exclude_max=True), value=strategies.integers(1, 255)
)
def test_no_damaged_byte_brings_anything_but_the_files(bundle, here, tmp_path, place, value):
    content = bytearray(bundle.read_bytes())
    content[int(place * len(content))] ^= value
    damaged, folder = tmp_path / "damaged.zip", tmp_path / "there"
    damaged.write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        import_bundle(damaged, overwrite=False)
    except EveryIDError:
        assert contents(folder) == {}
    else:
        found = contents(folder)
        assert {name: found[name] for name in contents(here)} == contents(here)


# The models folder


def test_another_file_in_the_models_folder_stays(bundle, tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "pair.bin").write_bytes(b"mine")
    error = refused(bundle, OutputExistsError, r"not what the bundle holds: .*there/pair\.bin$")
    assert "add --overwrite" in str(error.hint)
    report = import_bundle(bundle, overwrite=True)
    assert {one.state for one in report.weights} == {"imported"}
    assert (folder / "pair.bin").read_bytes() == BIN


def test_a_folder_in_the_way_is_told(bundle, tmp_path):
    (tmp_path / "there" / "pair.bin").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"pair\.bin: expected a file or nothing, found a folder"):
        import_bundle(bundle, overwrite=True)
    assert contents(tmp_path / "there") == {}


def test_links_are_replaced_and_never_written_through(bundle, tmp_path):
    folder, outside = tmp_path / "there", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"mine")
    (folder / "pair.bin").symlink_to(outside)
    (folder / "free.pt").symlink_to(tmp_path / "nowhere")
    refused(bundle, OutputExistsError, "not what the bundle holds")
    import_bundle(bundle, overwrite=True)
    assert (folder / "pair.bin").read_bytes() == BIN
    assert not (folder / "pair.bin").is_symlink()
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_leads_out_of_the_models_folder_is_refused(catalogue, use, tmp_path):
    said = PackedWeights(
        name="net",
        origin="file",
        licence="mit",
        trained_on="nothing",
        files=[describe(b"net", file="hub/net.pt")],
    )
    write_bundle(tmp_path / "b.zip", [Parcel(said, (b"net",))])
    folder, outside = use("there"), tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "hub").symlink_to(outside)
    with pytest.raises(OutputError, match=r"hub/net\.pt leads out of .*there, through a link"):
        import_bundle(tmp_path / "b.zip", overwrite=True)
    assert list(outside.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_written(bundle, monkeypatch):
    free = shutil.disk_usage(bundle)._replace(free=1000)
    monkeypatch.setattr(weights_import.shutil, "disk_usage", lambda _: free)
    error = refused(bundle, OutputError, r"no space left on the disk of .*: 6\d,\d+ bytes needed")
    assert "EVERYID_MODELS" in str(error.hint)


def test_a_disk_that_fills_up_leaves_nothing(bundle, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights_import.Path, "rename", full)
    error = refused(bundle, OutputError, "no space left on the disk of")
    assert "EVERYID_MODELS" in str(error.hint)


def test_a_models_folder_that_cannot_be_made_is_told(bundle, use, tmp_path):
    (tmp_path / "file").touch()
    use("file/models")
    with pytest.raises(OutputError, match="cannot write") as caught:
        import_bundle(bundle, overwrite=False)
    assert "EVERYID_MODELS" in str(caught.value.hint)


@pytest.mark.parametrize("step", range(16))
def test_an_interrupted_import_takes_back_what_it_moved(bundle, tmp_path, monkeypatch, step):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "pair.bin").write_bytes(b"mine")
    (folder / "free.md").write_bytes(b"my page")
    before, steps = contents(folder), 0
    rename = Path.rename

    def interrupt(self: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == step // 2 + 1 and step % 2:
            raise KeyboardInterrupt
        moved = rename(self, target)
        if steps == step // 2 + 1:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_bundle(bundle, overwrite=True)
    assert contents(folder) == before


def test_an_import_interrupted_while_it_reads_leaves_nothing(bundle, tmp_path, monkeypatch):
    def interrupt(self: object, _: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights_bundle.Bundle, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_bundle(bundle, overwrite=False)
    assert list((tmp_path / "there").iterdir()) == []


def test_what_a_killed_import_set_aside_comes_back(bundle, tmp_path):
    folder = tmp_path / "there"
    (folder / ".bundle" / "old" / "hub").mkdir(parents=True)
    (folder / "hub").mkdir()
    (folder / ".bundle" / "old" / "mine.pt").write_bytes(b"mine")
    (folder / ".bundle" / "old" / "hub" / "net.pt").write_bytes(b"net")
    (folder / ".bundle" / "old" / "free.pt").write_bytes(b"older")
    (folder / "free.pt").write_bytes(b"free" * 99)
    import_bundle(bundle, overwrite=False)
    assert (folder / "mine.pt").read_bytes() == b"mine"
    assert (folder / "hub" / "net.pt").read_bytes() == b"net"
    assert (folder / "free.pt").read_bytes() == b"free" * 99
    assert not (folder / ".bundle").exists()


def _import_again(path: Path, models: Path, catalogue: Path, count: int) -> None:
    os.environ["EVERYID_MODELS"] = str(models)
    settings.cache_clear()
    weights_catalogue.CATALOGUE_FILE = catalogue
    weights_catalogue._catalogue.cache_clear()
    for _ in range(count):
        import_bundle(path, overwrite=False)


@pytest.mark.slow
def test_two_imports_at_once(bundle, here, tmp_path):
    context = multiprocessing.get_context("spawn")
    arguments = (bundle, tmp_path / "there", tmp_path / "catalogue.json", 5)
    both = [context.Process(target=_import_again, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    there = contents(tmp_path / "there")
    assert {name: there[name] for name in contents(here)} == contents(here)


# The commands


@pytest.mark.parametrize("command", ["pack", "import"])
def test_help_shows_two_examples_and_defaults(command):
    done = runner.invoke(weights_app, [command, "--help"])
    assert done.exit_code == 0
    assert done.output.count(f"python3 run.py weights {command}") == 2
    assert done.output.lower().count("default") >= 3


def test_the_commands_as_text(here, use, tmp_path):
    path = tmp_path / "out put" / "b.zip"
    packed = runner.invoke(
        weights_app, ["pack", "--models", "pair, shipped,free", "--output", str(path)]
    )
    assert (packed.exit_code, packed.stdout.splitlines()) == (
        0,
        [
            "name  size    licence",
            "pair  0.0 MB  MIT",
            "free  0.0 MB  AGPL-3.0",
            str(path),
        ],
    )
    assert "free: AGPL-3.0. Note of free.\n" in packed.stderr
    assert "shipped ships with the project: nothing is to be packed\n" in packed.stderr
    assert "on the other machine: python3 run.py weights import b.zip\n" in packed.stderr
    folder = use("there")
    done = runner.invoke(weights_app, ["import", str(path)])
    assert (done.exit_code, done.stdout.splitlines()[1].split()) == (
        0,
        ["free", "imported", "AGPL-3.0", "free"],
    )
    assert "free: AGPL-3.0. Note of free.\n" in done.stderr
    again = runner.invoke(weights_app, ["import", str(path)])
    assert again.exit_code == 0
    assert f"nothing to import: all of {path} is in {folder} already\n" in again.stderr
    listed = runner.invoke(weights_app, ["list"]).stdout
    assert [line.split()[-1] for line in listed.splitlines()[1:3]] == ["yes", "yes"]


def test_the_commands_as_json(here, use, tmp_path):
    path = tmp_path / "b.zip"
    options = ["--models", "free", "--output", str(path), "--json", "--quiet"]
    packed = runner.invoke(weights_app, ["pack", *options])
    report = PackReport.model_validate_json(packed.stdout)
    assert (report.output, report.sha256, packed.stderr) == (path, sha256(path.read_bytes()), "")
    again = runner.invoke(weights_app, ["pack", *options])
    assert isinstance(again.exception, OutputExistsError)
    assert runner.invoke(weights_app, ["pack", *options, "--overwrite"]).exit_code == 0
    folder = use("there")
    folder.mkdir()
    (folder / "free.pt").write_bytes(b"mine")
    refusal = runner.invoke(weights_app, ["import", str(path), "--json"])
    assert (refusal.stdout, type(refusal.exception)) == ("", OutputExistsError)
    done = runner.invoke(weights_app, ["import", str(path), "--json", "--quiet", "--overwrite"])
    imported = ImportReport.model_validate_json(done.stdout)
    assert (imported.bundle, imported.folder, done.stderr) == (path, folder, "")
    assert imported.weights[0].state == "imported"


def test_a_refusal_on_the_command_line(tmp_path):
    path = tmp_path / "my bundle.zip"
    path.write_bytes(b"no zip")
    environment = {**os.environ, "EVERYID_MODELS": str(tmp_path / "models"), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "run.py", "weights", "import", str(path)],
        cwd=PROJECT_FOLDER,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    problem, hint = done.stderr.splitlines()
    assert problem.startswith(f"error: {path}: expected a whole bundle, a zip file")
    assert hint == ("hint: copy it again, or make it again with `python3 run.py weights pack`")
    assert not (tmp_path / "models").exists()


def test_pack_knows_the_default_weights():
    assert weights.DEFAULT_NAME in runner.invoke(weights_app, ["pack", "--help"]).output
    assert weights_pack.find(weights.DEFAULT_NAME) is not None
