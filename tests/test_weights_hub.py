"""Models of a hub in bundles, and under ``weights list`` and ``weights verify``."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from everyid import output, weights_catalogue
from everyid.cli import weights_app
from everyid.errors import (
    ConfigError,
    EveryIDError,
    InputError,
    OutputError,
    OutputExistsError,
    WeightsError,
)
from everyid.hub_download import download
from everyid.hub_store import HubFile, HubRecord, file_place, find_downloaded, write_record
from everyid.settings import settings
from everyid.weights_bundle import Parcel, open_bundle, write_bundle
from everyid.weights_import import import_bundle
from everyid.weights_manifest import PackedWeights, describe
from everyid.weights_pack import pack
from everyid.weights_report import Listing, VerifyReport
from tests.hub_server import guide, running_hubs, sha256

COMMIT = "c0ffee" + "0" * 34
CARD = b"---\nlicense: agpl-3.0\n---\n# net\n"
NET = {"net.onnx": b"graph", "net.onnx.data": b"weights", "README.md": CARD}
FREE_CARD = {"net.onnx": b"graph", "README.md": b"---\nlicense: mit\n---\n"}
runner = CliRunner()


@pytest.fixture(autouse=True)
def _no_catalogue(tmp_path: Path, monkeypatch):
    path = tmp_path / "catalogue.json"
    path.write_text('{"weights": []}')
    monkeypatch.setattr(weights_catalogue, "CATALOGUE_FILE", path)
    weights_catalogue._catalogue.cache_clear()
    output.quiet(enabled=False)
    yield
    output.quiet(enabled=False)
    weights_catalogue._catalogue.cache_clear()


@pytest.fixture
def use(monkeypatch, tmp_path) -> Callable[[str], Path]:
    """Makes a folder the models folder of this process: goes over to another machine."""

    def go(name: str) -> Path:
        monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / name))
        settings.cache_clear()
        return tmp_path / name

    return go


@pytest.fixture
def here(use) -> Path:
    return use("here")


def put(files: dict[str, bytes], repository: str = "anna/net", **changes: Any) -> HubRecord:
    """A model as a download leaves it, the file to open first."""
    for file, content in files.items():
        place = file_place(repository, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    told = {
        "repository": repository,
        "domain": "person",
        "revision": "main",
        "commit": COMMIT,
        "files": [
            HubFile(file=file, sha256=sha256(content), size_bytes=len(content))
            for file, content in files.items()
        ],
        "endpoint": "http://hub",
        "downloaded_at": datetime(2026, 11, 21, tzinfo=UTC),
    }
    record = HubRecord.model_validate(told | changes)
    write_record(record)
    return record


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def packed(tmp_path: Path, *models: str) -> Path:
    path = tmp_path / "bundle.zip"
    pack(models or ["all"], output=path, overwrite=True)
    return path


def refused(path: Path, kind: type[EveryIDError], message: str) -> EveryIDError:
    """The error of an import, once nothing is known to be imported."""
    before = contents(settings().models_folder)
    with pytest.raises(kind, match=message) as caught:
        import_bundle(path, overwrite=False)
    assert contents(settings().models_folder) == before
    return caught.value


# There and back


@pytest.mark.parametrize(
    "name", ["all", "net", "net.onnx", "anna/net", "anna/net/net.onnx", "the path"]
)
def test_a_downloaded_model_is_found_on_the_other_machine(here, use, tmp_path, name):
    record = put(NET)
    report = pack(
        [str(record.path) if name == "the path" else name],
        output=tmp_path / "bundle.zip",
        overwrite=False,
    )
    assert [(one.name, one.origin, one.licence) for one in report.weights] == [
        ("anna/net/net.onnx", "hub", "agpl-3.0")
    ]
    before = contents(here)
    folder = use("there")
    (imported,) = import_bundle(tmp_path / "bundle.zip", overwrite=False).weights
    there = contents(folder)
    assert b"AFFERO" in there.pop("licences/AGPL-3.0.txt")
    assert there == before
    assert (imported.model, imported.state) == ("anna/net/net.onnx", "imported")
    assert imported.card == folder / "hub/anna/net/README.md"
    assert find_downloaded("net", "person") == imported.path == folder / "hub/anna/net/net.onnx"
    assert import_bundle(tmp_path / "bundle.zip", overwrite=False).weights[0].state == (
        "there already"
    )


def test_the_manifest_says_where_it_was_published(here, tmp_path):
    put(NET)
    with open_bundle(packed(tmp_path)) as bundle:
        (one,) = bundle.manifest.weights
    assert [item.file for item in one.files] == [
        *("hub/anna/net/net.onnx", "hub/anna/net/net.onnx.data", "hub/anna/net/net.onnx.hub.json"),
        *("hub/anna/net/README.md", "licences/AGPL-3.0.txt"),
    ]
    assert one.files[0].sources == [f"http://hub/anna/net/resolve/{COMMIT}/net.onnx"]


def test_what_lies_beside_it_by_hand_goes_along(here, use, tmp_path):
    record = put({"net.xml": b"graph"})
    record.path.with_name("net.bin").write_bytes(b"weights")
    record.path.with_name("net.xml.json").write_bytes(b"{}")
    record.path.with_name("other.xml").write_bytes(b"not of it")
    report = pack(["anna/net"], output=tmp_path / "b.zip", overwrite=False)
    assert report.weights[0].licence == "not stated"
    folder = use("there")
    import_bundle(tmp_path / "b.zip", overwrite=False)
    assert [path.name for path in sorted((folder / "hub/anna/net").iterdir())] == [
        *("net.bin", "net.xml", "net.xml.hub.json", "net.xml.json"),
    ]


def test_two_models_of_a_repository_share_the_later_card(here, use, tmp_path):
    put(NET)
    put({"small.onnx": b"small", "README.md": CARD + b"More."}, commit="b" * 40)
    assert runner.invoke(weights_app, ["verify"]).exit_code == 0
    bundle = packed(tmp_path)
    use("there")
    assert [one.state for one in import_bundle(bundle, overwrite=False).weights] == 2 * ["imported"]
    assert find_downloaded("net", "person")
    assert find_downloaded("small", "person")


def test_a_model_file_of_ones_own_stays_one(here, tmp_path, monkeypatch):
    put(NET)
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(b"mine")
    (one,) = pack(["net.onnx"], output=tmp_path / "b.zip", overwrite=False).weights
    assert (one.origin, one.files[0].sha256) == ("file", sha256(b"mine"))


@pytest.fixture(scope="module")
def hubs():
    with running_hubs() as fresh:
        yield fresh


def test_from_a_hub_to_a_machine_without_one(hubs, use, monkeypatch, tmp_path):
    hub = hubs()
    guide(monkeypatch, hub, tmp_path)
    commit = hub.add("anna/net", NET)
    use("here")
    download("anna/net", lambda _: list(NET), domain="person")
    bundle = packed(tmp_path, "anna/net")
    folder = use("there")
    hub.requests.clear()
    done = runner.invoke(weights_app, ["import", str(bundle)])
    assert done.stdout.splitlines()[1].split() == [
        *("anna/net/net.onnx", "imported", "agpl-3.0", "anna/net/net.onnx"),
    ]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = download("anna/net", lambda _: list(NET), domain="person", revision=commit)
    assert again.path == folder / "hub/anna/net/net.onnx"
    assert hub.requests == []


# What is not packed


def test_a_changed_model_is_never_packed(here, tmp_path):
    record = put(NET)
    record.path.with_name("net.onnx.data").write_bytes(b"changed")
    for models in (["all"], ["net"], [str(record.path)]):
        with pytest.raises(WeightsError, match="is not as it was downloaded") as caught:
            pack(models, output=tmp_path / "b.zip", overwrite=False)
        assert f"--repo anna/net --file net.onnx --revision {COMMIT}" in str(caught.value.hint)
    assert not (tmp_path / "b.zip").exists()


def test_a_name_of_several_is_refused(here, tmp_path):
    put(NET)
    put(NET, "bob/net")
    with pytest.raises(ConfigError, match="2 downloaded models are called 'net'"):
        pack(["net"], output=tmp_path / "b.zip", overwrite=False)
    assert len(pack(["all"], output=tmp_path / "b.zip", overwrite=False).weights) == 2


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("anna/other", InputError, "anna/other: no such file or folder"),
        ("other", ConfigError, "no weights are called 'other'"),
    ],
)
def test_what_is_not_here_is_told(here, tmp_path, name, kind, message):
    put(NET)
    with pytest.raises(kind, match=message):
        pack([name], output=tmp_path / "b.zip", overwrite=False)


def test_a_name_that_no_bundle_takes_is_told(here, tmp_path):
    put({"my net.onnx": b"graph"})
    with pytest.raises(InputError, match=r"'hub/anna/net/my net\.onnx': expected a file name"):
        pack(["all"], output=tmp_path / "b.zip", overwrite=False)


# The models folder of the other machine


def test_another_commit_there_stays(here, use, tmp_path):
    put(NET)
    bundle = packed(tmp_path)
    use("there")
    other = put(NET | {"net.onnx": b"newer"}, commit="d" * 40)
    error = refused(bundle, OutputExistsError, r"hub/anna/net/net\.onnx, .*net\.onnx\.hub\.json$")
    assert "--overwrite" in str(error.hint)
    import_bundle(bundle, overwrite=True)
    assert other.path.read_bytes() == b"graph"
    assert find_downloaded("net", "person") == other.path


def test_the_same_model_from_elsewhere_stays_as_it_is(here, use, tmp_path):
    record = put(NET)
    bundle = packed(tmp_path)
    use("there")
    later = record.downloaded_at + timedelta(days=1)
    put(NET, endpoint="http://mirror", downloaded_at=later, revision="v1")
    before = contents(settings().models_folder)
    (one,) = import_bundle(bundle, overwrite=False).weights
    assert before.items() <= contents(settings().models_folder).items()
    (there := find_downloaded("net", "person")).with_name("README.md").unlink()
    import_bundle(bundle, overwrite=False)
    assert find_downloaded("net", "person") == there == one.path


# Bundles of strangers


def forged(tmp_path: Path, edit: Callable[[dict[str, Any]], None], **more: Any) -> Path:
    """A bundle with another record, all sums right."""
    record = put(FREE_CARD)
    told = record.model_dump(mode="json")
    edit(told)
    held = {f"hub/anna/net/{file}": content for file, content in FREE_CARD.items()}
    held |= {"hub/anna/net/net.onnx.hub.json": json.dumps(told).encode()} | more.pop("held", {})
    said = {
        "name": "anna/net/net.onnx",
        "origin": "hub",
        "licence": "mit",
        "trained_on": "nothing",
        "files": [describe(content, file=file) for file, content in held.items()],
    }
    path = tmp_path / "forged.zip"
    parcel = Parcel(PackedWeights.model_validate(said | more), tuple(held.values()))
    write_bundle(path, [parcel])
    return path


def change(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda told: told.update(values)


def change_file(at: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda told: told["files"][at].update(values)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change(repository="../../etc"), "expected a repository as OWNER/NAME"),
        (change(repository="bob/net"), "tells of other files"),
        (change(commit="\x1b[31m"), "commit: String should match"),
        (change(commit="HEAD; rm -rf ~"), "commit: String should match"),
        (change(revision="x y"), "revision: String should match"),
        (change(endpoint="http://a\nb"), "endpoint: String should match"),
        (change(domain="../x"), "domain: String should match"),
        (change(files=[]), "files: List should have"),
        (change(extra=1), "extra: Extra inputs"),
        (change_file(0, file="../../../evil.onnx"), "the file name .* is refused"),
        (change_file(1, file="../../../evil.md"), "the file name .* is refused"),
        (change_file(1, file="/etc/passwd"), "the file name .* is refused"),
        (change_file(1, file=".hidden"), "the file name .* is refused"),
        (change_file(1, file="C:\\evil"), "the file name .* is refused"),
        (change_file(1, file="other.md"), "tells of other files"),
        (change_file(0, sha256="0" * 64), "tells of other files"),
        (change_file(0, size_bytes=1), "tells of other files"),
        (change_file(0, file="other.onnx"), "tells of other files"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(here, use, tmp_path, edit, message):
    bundle = forged(tmp_path, edit)
    use("there")
    refused(bundle, WeightsError, rf"anna/net/net\.onnx: hub/anna/net/.*hub\.json.*{message}")


def test_a_record_that_fits_is_taken(here, use, tmp_path):
    bundle = forged(tmp_path, lambda _: None)
    use("there")
    import_bundle(bundle, overwrite=False)
    assert find_downloaded("net", "person")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"origin": "file"}, r"download none, found hub/anna/net/net\.onnx\.hub\.json"),
        ({"name": "bob/net/net.onnx"}, "tells of other files"),
        (
            {"held": {"hub/bob/net/net.onnx.hub.json": b"{}"}},
            r"download hub/anna/net/net\.onnx\.hub\.json, found .*, hub/bob",
        ),
        ({"held": {"hub/a/b/c.HUB.JSON": b"{}"}}, r"found .*HUB\.JSON"),
        ({"held": {"hub/anna/net/net.onnx.hub.json": b"no record"}}, "Invalid JSON"),
        ({"held": {"hub/anna/net/net.onnx.hub.json": b" " * (1 << 21)}}, "Invalid JSON"),
    ],
)
def test_records_of_other_models_are_refused(here, use, tmp_path, more, message):
    bundle = forged(tmp_path, lambda _: None, **more)
    use("there")
    refused(bundle, WeightsError, message)


@pytest.mark.parametrize(
    "file", ["hub/anna/../../evil", "hub/../evil", "hub//evil", "hub/anna/.ssh/key", "hub/nul/a"]
)
def test_paths_that_lead_elsewhere_are_refused(here, file):
    with pytest.raises(InputError, match="expected a file name"):
        describe(b"", file=file)


@pytest.mark.parametrize("link", ["hub", "hub/anna", "hub/anna/net"])
def test_nothing_is_written_through_a_link(here, use, tmp_path, link):
    put(NET)
    bundle = packed(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    place = use("there") / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    with pytest.raises((OutputError, WeightsError), match=r"leads out of .*, through a link"):
        import_bundle(bundle, overwrite=True)
    assert list(outside.iterdir()) == []


# List and verify


def test_list_shows_downloads(here):
    put(NET)
    put({"net.pth": b"net"}, "bob/net")
    done = runner.invoke(weights_app, ["list"])
    assert [line.split() for line in done.stdout.splitlines()[2:]] == [
        ["name", "size", "licence", "from", "commit"],
        ["anna/net/net.onnx", "0.0", "MB", "agpl-3.0", "hub", COMMIT],
        ["bob/net/net.pth", "0.0", "MB", "not", "stated", "hub", COMMIT],
    ]
    listing = Listing.model_validate_json(runner.invoke(weights_app, ["list", "--json"]).stdout)
    one = listing.downloaded[0]
    assert (one.name, one.licence, one.record.commit) == ("anna/net/net.onnx", "agpl-3.0", COMMIT)
    assert one.size_bytes == sum(map(len, NET.values()))


def test_verify_checks_downloads(here):
    record = put(NET)
    whole = runner.invoke(weights_app, ["verify"])
    assert (whole.exit_code, whole.stdout.splitlines()[1].split()) == (
        0,
        ["anna/net/net.onnx", "ok", str(record.path)],
    )
    data = record.path.with_name("net.onnx.data")
    data.write_bytes(b"changed")
    changed = runner.invoke(weights_app, ["verify", "--json"])
    (result,) = VerifyReport.model_validate_json(changed.stdout).results
    assert (result.state, result.path, changed.exit_code) == ("damaged", data, 1)
    error = changed.exception
    assert isinstance(error, WeightsError)
    assert f"{data} is damaged: expected sha256 {sha256(b'weights')}" in str(error)
    assert f"download it again: --repo anna/net --file net.onnx --revision {COMMIT}" in error.hint
    assert "import its bundle again with --overwrite" in error.hint
    assert "delete" not in error.hint
    data.unlink()
    missing = runner.invoke(weights_app, ["verify"])
    assert "net.onnx.data is damaged: expected" in str(missing.exception)
    assert str(missing.exception).endswith("found no file")


def test_a_record_of_nothing_but_a_page_breaks_nothing(here):
    put({"README.md": CARD})
    assert runner.invoke(weights_app, ["verify"]).exit_code == 0
    assert runner.invoke(weights_app, ["list"]).exit_code == 0
