"""Uploads by the real client of the hub, to a hub on this machine."""

import os

import numpy as np
import pytest
from huggingface_hub import constants

from everyid.errors import ConfigError, HubError, InputError
from everyid.hub_upload import upload
from tests.hub_server import READ_TOKEN, TOKEN, guide, running_hubs, whoami

BODY = np.random.default_rng(2).bytes(150_000)
CARD = b"---\nlicense: mit\n---\n# net\n"


@pytest.fixture(scope="module")
def hubs():
    with running_hubs() as fresh:
        yield fresh


@pytest.fixture
def hub(hubs, monkeypatch, tmp_path):
    hub = hubs()
    guide(monkeypatch, hub, tmp_path)
    return hub


@pytest.fixture
def files(tmp_path):
    """Weights and a card."""
    weights, card = tmp_path / "net.safetensors", tmp_path / "card.md"
    weights.write_bytes(BODY)
    card.write_bytes(CARD)
    return {"net.safetensors": weights, "README.md": card}


def held(hub, name="anna/net", branch="main"):
    repo = hub.repos[name]
    return repo.commits[repo.names[branch]]


def states(done):
    return [one.state for one in done.files]


def test_a_private_repository_of_one_commit(hub, files):
    done = upload("anna/net", files)
    assert held(hub) == {".gitattributes": b"", "net.safetensors": BODY, "README.md": CARD}
    assert hub.repos["anna/net"].private
    assert (done.account, done.created, done.public) == ("anna", True, False)
    assert states(done) == ["new", "new"]
    assert done.commit == hub.repos["anna/net"].names["main"]
    assert [one for one in hub.asked("/store/") if "authorization" in one] == []


def test_a_public_repository(hub, files):
    assert upload("studio/net", files, public=True).public
    assert not hub.repos["studio/net"].private


def test_nothing_is_sent_twice(hub, files):
    upload("anna/net", files)
    hub.requests.clear()
    done = upload("anna/net", files)
    assert states(done) == ["same", "same"]
    assert done.commit is None
    assert [path for verb, path, _ in hub.requests if verb != "GET"] == []


def test_other_content_is_refused(hub, files):
    before = hub.add("anna/net", {"README.md": b"mine", "net.safetensors": BODY})
    with pytest.raises(HubError, match=r"anna/net has other content in README\.md") as caught:
        upload("anna/net", files)
    assert "--overwrite" in (caught.value.hint or "")
    assert hub.repos["anna/net"].names["main"] == before


def test_other_content_is_replaced_when_asked_for(hub, files):
    hub.add("anna/net", {"README.md": b"mine", "net.safetensors": BODY[::-1]})
    done = upload("anna/net", files, overwrite=True)
    assert states(done) == ["other", "other"]
    assert held(hub) == {"net.safetensors": BODY, "README.md": CARD}


def test_the_next_run_sends_only_what_is_missing(hub, files):
    hub.fail("/commit/", "500")
    with pytest.raises(HubError, match=r"is in trouble \(HTTP 500\)"):
        upload("anna/net", files)
    hub.requests.clear()
    done = upload("anna/net", files)
    assert held(hub)["net.safetensors"] == BODY
    assert not done.created
    assert hub.asked("/store/", "PUT") == []  # its bytes were there


def test_a_cut_transfer_is_tried_again(hub, files):
    hub.fail("/store/", "reset", method="PUT")
    upload("anna/net", files)
    assert held(hub)["net.safetensors"] == BODY
    assert len(hub.asked("/store/", "PUT")) == 2


def test_a_commit_in_between_is_an_error(hub, files):
    hub.add("anna/net", {"notes.txt": b"one"})
    hub.fail("/commit/", "412|X-Error-Message=A commit has happened since")
    with pytest.raises(HubError, match=r"HTTP 412") as caught:
        upload("anna/net", files)
    assert "run the command again" in (caught.value.hint or "")


def test_a_branch(hub, files):
    commit = hub.add("anna/net", {"notes.txt": b"one"})
    hub.repos["anna/net"].names["next"] = commit
    upload("anna/net", files, revision="next")
    assert held(hub) == {"notes.txt": b"one"}
    assert set(held(hub, branch="next")) == {"notes.txt", "net.safetensors", "README.md"}
    with pytest.raises(HubError, match="no revision 'other'"):
        upload("anna/net", files, revision="other")


# Looking only.


def test_a_dry_run_sends_nothing(hub, files):
    done = upload("anna/net", files, dry_run=True)
    assert states(done) == ["new", "new"]
    assert (done.created, done.commit, done.not_checked) == (True, None, None)
    assert {verb for verb, _, _ in hub.requests} == {"GET"}
    hub.add("anna/net", {"README.md": b"mine", "net.safetensors": BODY})
    assert states(upload("anna/net", files, dry_run=True)) == ["same", "other"]


@pytest.mark.parametrize("why", ["no token", "no network", "offline"])
def test_a_dry_run_that_cannot_look_says_so(hub, files, monkeypatch, why):
    if why == "no token":
        monkeypatch.delenv("HF_TOKEN")
    if why == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    endpoint = "http://127.0.0.1:9" if why == "no network" else None
    done = upload("anna/net", files, dry_run=True, endpoint=endpoint)
    assert states(done) == ["not checked", "not checked"]
    assert (done.account, done.created, done.public) == (None, None, None)
    expected = {"no token": "nobody is logged in", "offline": "HF_HUB_OFFLINE is set"}
    assert expected.get(why, "no answer from http://127.0.0.1:9") in (done.not_checked or "")


# Who may write.


def refusal(files, name="anna/net"):
    with pytest.raises(HubError) as caught:
        upload(name, files)
    said = f"{caught.value} {caught.value.hint}"
    assert os.environ.get("HF_TOKEN", TOKEN) not in said
    assert "\n" not in said
    return str(caught.value), caught.value.hint or ""


def test_nobody_is_logged_in(hub, files, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    message, hint = refusal(files)
    assert message == "nobody is logged in, and this is to write"
    assert hint.startswith("`hf auth login` with a token that may write")
    assert hub.requests == []


def test_a_token_that_may_only_read(hub, files, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert refusal(files)[0] == "the token may only read, and this is to write"
    assert hub.repos == {}


def test_a_token_that_is_none(hub, files, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept the token" in refusal(files)[0]


def test_what_belongs_to_others(hub, files):
    message, hint = refusal(files, "SebLogsdon/EveryPerson")
    assert message == "the token is anna's, who may not write to what SebLogsdon owns"
    assert hint.startswith("--account anna")
    assert "may not write to what press owns" in refusal(files, "press/net")[0]


def scope(name, *permissions):
    return {"entity": {"_id": "1", "type": "user", "name": name}, "permissions": list(permissions)}


@pytest.mark.parametrize(
    ("scoped", "may"),
    [
        ([scope("anna", "repo.content.read", "repo.write")], True),
        ([scope("anna/net", "repo.write")], True),
        ([scope("anna", "repo.content.read")], False),
        ([scope("anna/other", "repo.write")], False),
        ([], False),
    ],
)
def test_a_fine_grained_token(hub, files, scoped, may):
    hub.tokens[TOKEN] = whoami("anna", "fineGrained", scoped=scoped)
    if may:
        assert upload("anna/net", files).commit
        return
    message, hint = refusal(files)
    assert message == "the fine-grained token has no write permission for anna/net"
    assert f"{hub.url}/settings/tokens" in hint
    assert hub.repos == {}


def test_a_hub_that_refuses_all_the_same(hub, files):
    hub.fail("/api/repos/create", "403|X-Error-Message=You have reached your limit", times=9)
    message, _ = refusal(files)
    assert message == "the token may not write to anna/net (You have reached your limit)"


def test_a_login_page_in_place_of_the_hub(hub, files):
    hub.fail("/api/whoami-v2", "html")
    assert "does not answer as a hub does" in refusal(files)[0]


def test_an_answer_of_another_kind(hub, files):
    hub.tokens[TOKEN] = {"error": "nothing here"}
    message, hint = refusal(files)
    assert "expected to hear whose token this is" in message
    assert hint == "check HF_ENDPOINT"


# What is wrong here.


def test_wrong_names(hub, files, tmp_path):
    with pytest.raises(ConfigError, match="expected a repository as OWNER/NAME"):
        upload("net", files)
    with pytest.raises(HubError, match=r"the file name '\.\./net' is refused"):
        upload("anna/net", {"../net": files["README.md"]})
    with pytest.raises(InputError, match=r"no\.pth: no such file"):
        upload("anna/net", {"no.pth": tmp_path / "no.pth"})
    assert hub.requests == []


# By way of Xet: the real hf-xet sends xorbs and shards to this hub.


@pytest.fixture
def xet(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    return hub


def test_xet_takes_the_bytes(xet, files, capfd):
    upload("anna/net", files)
    assert held(xet)["net.safetensors"] == BODY
    assert xet.asked("/cas/v1/xorbs/") != []
    assert xet.asked("/cas/v1/shards") != []
    assert xet.asked("/store/") == []
    assert xet.asked("telemetry") == []
    assert capfd.readouterr().err == ""  # the client's own bars are kept away


def test_where_xet_fails_one_message_tells_the_way_out(xet, files):
    files["net.safetensors"].write_bytes(np.random.default_rng(3).bytes(50_000))  # never sent yet
    xet.fail("/cas/v1/xorbs/", "400", times=99)
    message, hint = refusal(files)
    assert message.startswith("net.safetensors: the upload by way of Xet failed: ")
    assert "HF_HUB_DISABLE_XET=1" in hint
