"""Downloads by the real client of the hub, from a hub on this machine that fails when told to."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi, constants

from everyid import hub_download
from everyid.errors import ConfigError, HubError, OutputError
from everyid.hub_download import download
from everyid.hub_store import find_downloaded, read_record
from everyid.store import sha256_of
from tests.hub_server import READ_TOKEN, SIGNATURE, TOKEN, guide, running_hubs, sha256, whoami

BODY = np.random.default_rng(1).bytes(200_000)
FILES = {"net.pth": BODY, "README.md": b"# net\n", "notes.txt": b"more"}


@pytest.fixture(scope="module")
def hubs():
    with running_hubs() as fresh:
        yield fresh


@pytest.fixture
def hub(hubs, monkeypatch, tmp_path):
    hub = hubs()
    guide(monkeypatch, hub, tmp_path)
    return hub


def both(names):
    return [name for name in ("net.pth", "README.md") if name in names]


def get(choose=both, **more):
    return download("anna/net", choose, domain="person", **more)


def told(capfd):
    return capfd.readouterr().err


def test_files_are_here_checked_and_recorded(hub):
    commit = hub.add("anna/net", FILES)
    record = get()
    assert record.path.read_bytes() == BODY
    assert record.path.with_name("README.md").read_bytes() == FILES["README.md"]
    assert sorted(path.name for path in record.path.parent.iterdir()) == [
        *("README.md", "net.pth", "net.pth.hub.json"),
    ]
    assert (record.commit, record.revision, record.endpoint) == (commit, "main", hub.url)
    assert record.main.sha256 == sha256_of(record.path)
    assert read_record(record.path) == record
    assert find_downloaded("net", "person") == record.path


def test_what_is_here_is_not_fetched_again(hub):
    hub.add("anna/net", FILES)
    get()
    hub.requests.clear()
    get()
    assert [path for _, path, _ in hub.requests] == ["/api/models/anna/net/revision/main"]


def test_a_commit_that_is_here_needs_no_network(hub):
    commit = hub.add("anna/net", FILES)
    record = get(revision=commit)
    hub.requests.clear()
    assert get(revision=commit) == record
    assert hub.requests == []


def test_revisions(hub, capfd):
    old = hub.add("anna/net", FILES)
    new = hub.repos["anna/net"].commit({"net.pth": BODY[::-1]})
    assert get(revision=old).path.read_bytes() == BODY
    record = get()
    assert (record.commit, record.path.read_bytes()) == (new, BODY[::-1])
    assert f"net.pth: here from commit {old}; the one asked for replaces it" in told(capfd)


def test_a_card_that_a_later_commit_renews_is_not_taken_for_damage(hub, capfd):
    def both(names):
        return [name for name in ("net.pth", "README.md") if name in names]

    hub.add("anna/net", {**FILES, "README.md": b"first"})
    record = get(both)
    hub.repos["anna/net"].commit({"README.md": b"second"})
    get(both)
    assert (record.path.parent / "README.md").read_bytes() == b"second"
    assert not list(record.path.parent.glob("*.damaged"))
    assert f"README.md: here from commit {record.commit}" in told(capfd)


def test_the_token_stays_with_the_hub(hub):
    hub.add("anna/net", FILES, private=True)
    get()
    assert all(one["authorization"] == f"Bearer {TOKEN}" for one in hub.asked("/resolve/"))
    assert [one for one in hub.asked("/store/") if "authorization" in one] == []
    assert hub.asked("/store/") != []


def test_the_stored_login_is_used(hub, monkeypatch):
    hub.add("anna/net", FILES, private=True)
    monkeypatch.delenv("HF_TOKEN")
    login = Path(constants.HF_TOKEN_PATH)
    login.parent.mkdir()
    login.write_text(READ_TOKEN)
    assert get().path.read_bytes() == BODY


# What fails, and goes on.


@pytest.mark.parametrize("what", ["cut", "stall"])
def test_a_cut_connection_goes_on_where_it_was(hub, monkeypatch, what):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    hub.add("anna/net", FILES)
    hub.fail("/store/", what)
    assert get().path.read_bytes() == BODY
    ranges = [one.get("range") for one in hub.asked("/store/")]
    assert ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_the_next_run_goes_on_from_what_one_left(hub):
    hub.add("anna/net", FILES)
    hub.fail("/store/", "cut")
    hub.fail("/store/", "403")
    with pytest.raises(HubError):
        get()
    place = find_part()
    assert place.stat().st_size == len(BODY) // 2
    hub.requests.clear()
    assert get().path.read_bytes() == BODY
    assert [one.get("range") for one in hub.asked("/store/")] == [f"bytes={len(BODY) // 2}-"]
    assert not place.exists()


def find_part():
    folder = Path(os.environ["EVERYID_MODELS"], "hub", "anna", "net")
    return next(folder.glob(".*.part"))


def test_a_part_with_other_bytes_is_begun_anew(hub):
    hub.add("anna/net", FILES)
    hub.fail("/store/", "cut")
    hub.fail("/store/", "403")
    with pytest.raises(HubError):
        get()
    find_part().write_bytes(b"something else")
    assert get().path.read_bytes() == BODY


def test_a_server_without_ranges(hub):
    hub.add("anna/net", FILES)
    hub.fail("/store/", "cut")
    hub.fail("/store/", "ignore-range")
    assert get().path.read_bytes() == BODY


@pytest.mark.parametrize("part", ["/api/models/", "/resolve/", "/store/"])
@pytest.mark.parametrize("status", ["429|Retry-After=2", "500", "503"])
def test_what_passes_is_tried_again(hub, part, status):
    hub.add("anna/net", FILES)
    hub.fail(part, status)
    assert get().path.read_bytes() == BODY
    assert len(hub.pauses) == 1
    assert hub.pauses[0] == pytest.approx(1 if status[0] == "5" else 2.5, abs=0.5)


def test_what_is_logged_by_the_client_is_said_by_us(hub, capfd):
    hub.add("anna/net", FILES)
    hub.fail("/store/", "cut")
    get()
    said = told(capfd)
    assert "Trying to resume download" in said
    assert SIGNATURE not in said


# What fails, and ends in one message.


def refusal(**more):
    with pytest.raises(HubError) as caught:
        get(**more)
    assert TOKEN not in f"{caught.value}{caught.value.hint}"
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    return str(caught.value), caught.value.hint or ""


def test_other_bytes_than_stated_are_thrown_away(hub):
    hub.add("anna/net", FILES)
    hub.fail("/store/", "wrong", times=9)
    message, hint = refusal()
    assert "the hub states the checksum" in message
    assert "run the command again" in hint
    assert [path for path in Path(os.environ["EVERYID_MODELS"]).rglob("*") if path.is_file()] == []


def test_a_small_file_is_checked_by_what_git_calls_it(hub):
    hub.add("anna/net", FILES)
    hub.fail("README.md", "wrong", times=9)
    assert "anna/net/README.md: the hub states the checksum" in refusal()[0]


def test_a_hub_that_states_no_checksum(hub, monkeypatch):
    hub.add("anna/net", FILES)
    real = HfApi.model_info

    def bare(*arguments, **named):
        info = real(*arguments, **named)
        for one in info.siblings:
            one.lfs = one.blob_id = None
        return info

    monkeypatch.setattr(HfApi, "model_info", bare)
    assert "states no checksum of net.pth" in refusal()[0]


def test_a_wrong_token(hub, monkeypatch):
    hub.add("anna/net", FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    message, hint = refusal()
    assert "does not accept the token" in message
    assert hint.startswith("`hf auth login` with a token that may read")


def test_a_private_repository(hub, monkeypatch):
    hub.add("bob/net", FILES, private=True)
    hub.repos["anna/net"] = hub.repos.pop("bob/net")
    monkeypatch.delenv("HF_TOKEN")
    message, hint = refusal()
    assert message.endswith("has no public repository anna/net, and nobody is logged in")
    assert "hf auth login" in hint
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    hub.tokens["hf_bob"] = whoami("bob", "write")
    assert "has no repository anna/net that the token may see" in refusal()[0]


@pytest.mark.parametrize("token", [None, "hf_bob"])
def test_a_gated_repository(hub, monkeypatch, token):
    hub.add("anna/net", FILES, gated=True)
    hub.tokens["hf_bob"] = whoami("bob", "write")
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    message, hint = refusal()
    assert "anna/net is gated" in message
    assert f"ask for access at {hub.url}/anna/net" in hint


def test_no_repository(hub):
    assert "has no repository anna/net" in refusal()[0]


def test_no_revision(hub):
    hub.add("anna/net", FILES)
    message, hint = refusal(revision="v2")
    assert message == "anna/net has no revision 'v2'"
    assert hint.startswith("--revision main")


def test_a_file_that_is_gone(hub):
    hub.add("anna/net", FILES)
    hub.fail("/resolve/", "404|X-Error-Code=EntryNotFound")
    assert "anna/net has no such file" in refusal()[0]


def test_forbidden(hub):
    hub.add("anna/net", FILES)
    hub.fail("/api/models", "403|X-Error-Message=Not for you")
    message, hint = refusal()
    assert message == "the token may not read anna/net (Not for you)"
    assert "hf auth login" in hint


@pytest.mark.parametrize("part", ["/api/models", "/resolve/"])
def test_too_many_requests_for_long(hub, part):
    hub.add("anna/net", FILES)
    hub.fail(part, "429|Retry-After=300", times=9)
    message, hint = refusal()
    assert "HTTP 429" in message
    assert "in 300 s" in hint
    assert hub.pauses == []


def test_a_hub_in_trouble(hub):
    hub.add("anna/net", FILES)
    hub.fail("/api/models", "502", times=9)
    assert "is in trouble (HTTP 502)" in refusal()[0]


def test_nobody_answers(hub):
    message, hint = refusal(endpoint="http://127.0.0.1:9")
    assert message.startswith("no answer from http://127.0.0.1:9: ")
    assert "HF_ENDPOINT" in hint


def test_a_hub_that_is_silent(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.2)
    hub.add("anna/net", FILES)
    hub.fail("/api/models", "stall")
    assert refusal()[0].startswith(f"no answer from {hub.url}: ")


def test_a_login_page_in_its_place(hub):
    hub.add("anna/net", FILES)
    hub.fail("/api/models", "html")
    message, hint = refusal()
    assert "does not answer as a hub does" in message
    assert "login page" in hint


def test_no_network_but_a_copy_is_here(hub, capfd):
    commit = hub.add("anna/net", FILES)
    get()
    hub.fail("/api/models", "503", times=9)
    refusal()
    assert f"here is commit {commit}; it goes by the name of net" in told(capfd)


def test_a_full_disk_before_it_begins(hub, monkeypatch):
    hub.add("anna/net", FILES)
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(hub_download.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(
        OutputError, match=r"no space left on the disk of .*net\.pth needs"
    ) as caught:
        get()
    assert "EVERYID_MODELS" in (caught.value.hint or "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_disk_that_fills_up(hub, monkeypatch):
    hub.add("anna/net", FILES)
    real = Path.open

    def full(self, mode="r", *rest, **named):
        return real(Path("/dev/full") if self.suffix == ".part" else self, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match="no space left on the disk") as caught:
        get()
    assert "EVERYID_MODELS" in (caught.value.hint or "")


# Names that a hub gives.


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../evil.pth",
            "../../../../evil.pth",
            "a/../../evil.pth",
            "/evil.pth",
            "//host/evil.pth",
        ),
        *(
            "..\\evil.pth",
            "C:\\evil.pth",
            "C:evil.pth",
            "a\\..\\evil.pth",
            "~/x\0.pth",
            ".ssh/evil.pth",
        ),
        *("nul.pth", "evil.pth.", "evil.pth ", "a//evil.pth", "x.hub.json", "evil\n.pth"),
    ],
)
def test_a_hostile_listing_writes_nothing(hub, tmp_path, name):
    hub.add("anna/net", {name: BODY, "evil.pth": BODY})
    before = sorted(tmp_path.rglob("*"))
    message, hint = refusal(choose=lambda names: [names[0]])
    assert "is refused: expected one below the repository's own folder" in message
    assert "do not trust" in hint
    assert sorted(tmp_path.rglob("*")) == before
    assert hub.asked("/resolve/") == []


def test_a_link_in_the_folder_is_not_followed(hub, tmp_path):
    hub.add("anna/net", {"sub/net.pth": BODY})
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "models" / "hub" / "anna" / "net"
    folder.mkdir(parents=True)
    (folder / "sub").symlink_to(outside)
    message, _ = refusal(choose=lambda names: names)
    assert "leads out of" in message
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_is_replaced_not_written_through(hub, tmp_path):
    hub.add("anna/net", FILES)
    outside = tmp_path / "outside.pth"
    outside.write_bytes(b"mine")
    folder = tmp_path / "models" / "hub" / "anna" / "net"
    folder.mkdir(parents=True)
    (folder / "net.pth").symlink_to(outside)
    record = get()
    assert record.path.read_bytes() == BODY
    assert not record.path.is_symlink()
    assert outside.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["net", "anna/net/more", "../net", "anna/..", "an na/net", ""])
def test_wrong_names_of_repositories(hub, name):
    with pytest.raises(ConfigError, match=r"expected a repository as OWNER/NAME"):
        download(name, both, domain="person")
    assert hub.requests == []


# Without a network.


@pytest.fixture
def offline(monkeypatch):
    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_offline_what_is_here_counts(hub, offline, capfd):
    hub.add("anna/net", FILES)
    record = get()
    offline()
    hub.requests.clear()
    assert get() == record
    assert hub.requests == []
    assert f"offline: as downloaded, commit {record.commit}" in told(capfd)


def test_offline_and_not_here(hub, offline):
    offline()
    message, hint = refusal()
    assert message == "HF_HUB_OFFLINE is set, and anna/net at 'main' is not here"
    assert "unset HF_HUB_OFFLINE" in hint


def cached(commit, content=BODY):
    """What another program of the hub leaves in its cache."""
    folder = Path(constants.HF_HUB_CACHE, "models--anna--net")
    for sub in ("blobs", "refs", f"snapshots/{commit}"):
        (folder / sub).mkdir(parents=True)
    blob = folder / "blobs" / sha256(BODY)
    blob.write_bytes(content)
    (folder / "snapshots" / commit / "net.pth").symlink_to(blob)
    (folder / "refs" / "main").write_text(commit)


def test_offline_from_the_cache_of_other_programs(hub, offline):
    offline()
    cached("a" * 40)
    record = get()
    assert (record.commit, record.path.read_bytes()) == ("a" * 40, BODY)
    assert not record.path.is_symlink()


def test_a_damaged_cache_of_other_programs(hub, offline):
    offline()
    cached("a" * 40, content=b"something else")
    assert "is damaged" in refusal()[0]


def test_the_cache_of_other_programs_saves_the_transfer(hub):
    cached(hub.add("anna/net", FILES))
    assert get().path.read_bytes() == BODY
    assert hub.asked("/store/") == []


# By way of Xet: the real hf-xet asks this hub for reconstructions and xorbs.


@pytest.fixture
def xet(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    hub.xet = True
    hub.add("anna/net", FILES)
    return hub


def test_xet_reconstructs_the_file(xet):
    assert get().path.read_bytes() == BODY
    assert xet.asked("/cas/v1/reconstructions/") != []
    assert xet.asked("/store/") == []
    assert xet.asked("telemetry") == []
    assert [one for one in xet.asked("/cas/v1/xorb/") if "authorization" in one] == []


def test_xet_may_be_switched_off(xet, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert get().path.read_bytes() == BODY
    assert xet.asked("/cas/") == []
    assert len(xet.asked("/store/")) == 1


@pytest.mark.parametrize("part", ["xet-read-token", "/cas/"])
def test_where_xet_fails_http_goes_on(xet, capfd, part):
    xet.fail(part, "404", times=99)
    assert get().path.read_bytes() == BODY
    assert len(xet.asked("/store/")) == 1
    assert "net.pth: going on over plain HTTP, Xet does not work here" in told(capfd)


def test_records_are_readable(hub):
    hub.add("anna/net", FILES)
    path = get().path
    document = json.loads(path.with_name("net.pth.hub.json").read_text())
    assert document["repository"] == "anna/net"
    assert TOKEN not in json.dumps(document)
