"""``person download_model`` and ``upload_model`` against a hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from everyid.device import choose
from everyid.errors import ConfigError, HubError, InputError
from everyid.hub_upload import HubUpload
from everyid.settings import PROJECT_FOLDER
from person.encoder import build_encoder
from person.sharing.commands import DownloadRun
from person.sharing.config import DEFAULT_FILE, DEFAULT_REPOSITORY, SharingConfig
from person.sharing.files import choose_model, gather
from tests.hub_server import TOKEN, guide, running_hubs

WEIGHTS = PROJECT_FOLDER / "person" / "weights" / "everyid-cnn.safetensors"
BODY = b"weights" * 100


@pytest.fixture(scope="module")
def hubs():
    with running_hubs() as fresh:
        yield fresh


@pytest.fixture
def hub(hubs, everyid, monkeypatch, tmp_path):
    hub = hubs()
    guide(monkeypatch, hub, tmp_path)
    return hub


@pytest.fixture(scope="module")
def old_file(tmp_path_factory):
    """The shipped network as training scripts keep one: a pickle with the weights in it."""
    path = tmp_path_factory.mktemp("old") / "street.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in load_file(WEIGHTS).items()}}, path)
    return path


def embedded(model):
    picture = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    return build_encoder(model, device=choose("cpu", precision="fp32")).encode([picture])


# Which files make a model.


@pytest.mark.parametrize(
    ("names", "file", "wanted"),
    [
        (["a.pth", DEFAULT_FILE, "README.md"], None, [DEFAULT_FILE, "README.md"]),
        (["b.safetensors", "b.safetensors.json", "x.txt"], None, None),
        (["net.xml", "net.bin", "net.xml.json"], None, ["net.xml", "net.xml.json", "net.bin"]),
        (["a.onnx", "a.onnx.data", "b.pth"], "a.onnx", ["a.onnx", "a.onnx.data"]),
        (["s/a.pth", "s/README.md", "README.md"], None, ["s/a.pth", "s/README.md"]),
    ],
)
def test_a_model_is_picked_with_what_belongs_to_it(names, file, wanted):
    assert choose_model(file)(names) == (wanted or names[:2])


def test_the_default_as_safetensors():
    safe = DEFAULT_FILE.replace(".pth", ".safetensors")
    assert choose_model(None)(["a.pth", safe]) == [safe]


@pytest.mark.parametrize(
    ("names", "file", "message"),
    [
        (["a.pth", "b.pth"], None, r"or one model in the repository; there are: a\.pth, b\.pth"),
        (["README.md"], None, r"there are: none"),
        (["a.pth"], "c.pth", r"called 'c\.pth' in the repository; there are: a\.pth"),
        (["a.pth", "run.py"], "run.py", r"called 'run\.py' in the repository; there are: a\.pth"),
    ],
)
def test_no_model_to_pick(names, file, message):
    with pytest.raises(HubError, match=message):
        choose_model(file)(names)


@pytest.mark.parametrize(
    ("options", "repository"),
    [
        ({}, DEFAULT_REPOSITORY),
        ({"account": "anna"}, "anna/EveryPerson"),
        ({"repo": "anna/net"}, "anna/net"),
        ({"repo": "bob/net", "account": "anna"}, "anna/net"),
        ({"repo": "net", "account": "anna"}, "anna/net"),
        ({"repo": "net"}, "SebLogsdon/net"),
    ],
)
def test_whose_repository(options, repository):
    assert SharingConfig(**options).repository == repository


# What goes to a hub.


def test_the_folder_of_a_training(tmp_path):
    folder, made = tmp_path / "run", tmp_path / "made"
    made.mkdir()
    folder.mkdir()
    for name, text in {
        "street.safetensors.json": '{"architecture": "everyid-cnn"}',
        "README.md": "# street\n![Loss](history.png) ![gone](gone.png) ![far](../far.png)",
        "history.png": "picture",
        "history.csv": "not for the hub",
    }.items():
        (folder / name).write_text(text)
    weights = {name: tensor * 1 for name, tensor in load_file(WEIGHTS).items()}
    save_file(weights | {"more": torch.zeros(1)}, folder / "street.safetensors")
    found = gather(str(folder), None, made)
    names = ["street.safetensors", "street.safetensors.json", "README.md", "history.png"]
    assert found == {name: folder / name for name in names}
    assert list(made.iterdir()) == []


def test_a_pickle_goes_as_safetensors(old_file, tmp_path):
    found = gather(str(old_file), None, tmp_path)
    assert list(found) == ["street.safetensors", "street.safetensors.json", "README.md"]
    sent, own = load_file(found["street.safetensors"]), load_file(WEIGHTS)
    assert sent.keys() == own.keys()
    assert all(torch.equal(sent[name], own[name]) for name in own)
    card = found["README.md"].read_text()
    assert "was not written down" in card
    assert "sha256" in card
    np.testing.assert_array_equal(
        embedded(str(found["street.safetensors"])), embedded(str(old_file))
    )


def test_a_pickle_goes_as_it_is_when_asked_for(old_file, tmp_path):
    found = gather(str(old_file), DEFAULT_FILE, tmp_path)
    assert found[DEFAULT_FILE] == old_file
    assert list(found) == [DEFAULT_FILE, f"{DEFAULT_FILE}.json", "README.md"]


def test_graphs_go_as_they_are(tmp_path, colour):
    found = gather(str(colour), None, tmp_path)
    assert found["colour.onnx"] == colour
    assert found["README.md"].parent == tmp_path  # it has no card of its own


def test_what_cannot_go(tmp_path, old_file, colour):
    with pytest.raises(InputError, match=r"one \.safetensors; there are: none"):
        gather(str(tmp_path), None, tmp_path)
    with pytest.raises(ConfigError, match=r"--file a\.onnx: street\.pth goes to a hub as street"):
        gather(str(old_file), "a.onnx", tmp_path)
    with pytest.raises(ConfigError, match=r"colour\.onnx goes to a hub as colour\.onnx"):
        gather(str(colour), "a.safetensors", tmp_path)


# The commands.


@pytest.mark.parametrize("command", ["download_model", "upload_model"])
def test_help_shows_two_examples(everyid, command):
    done = everyid(command, "--help")
    assert done.code == 0
    assert done.out.count(f"python3 run.py person {command}") == 2


def test_a_downloaded_pickle_is_used_by_its_name(hub, everyid, old_file):
    hub.add("SebLogsdon/EveryPerson", {DEFAULT_FILE: old_file.read_bytes()})
    done = everyid("download-model", "--json")
    assert done.code == 0
    run = DownloadRun.model_validate_json(done.out)
    assert run.model == "person_reid_model_vit_msmt17_final"
    assert run.path.read_bytes() == old_file.read_bytes()
    wanted = embedded(str(old_file))
    for name in (run.model, DEFAULT_FILE, DEFAULT_REPOSITORY):
        np.testing.assert_array_equal(embedded(name), wanted)
    assert f"{DEFAULT_REPOSITORY}/{DEFAULT_FILE}, commit" in everyid("models").out


def test_a_pickle_with_code_in_it_is_refused(hub, everyid, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    evil = tmp_path / "evil.pth"
    torch.save({"state_dict": Evil()}, evil)
    hub.add("SebLogsdon/EveryPerson", {DEFAULT_FILE: evil.read_bytes()})
    assert everyid("download_model").code == 0
    done = everyid("embed", "--model", DEFAULT_REPOSITORY, "--source", "tests/data/people")
    assert done.code == 1
    assert not (tmp_path / "ran").exists()


def test_up_and_down_again(hub, everyid):
    words = ("upload_model", "--model", "everyid-cnn", "--account", "anna")
    done = everyid(*words, "--dry-run")
    assert (done.code, hub.repos) == (0, {})
    assert "private, would be made" in done.out
    assert done.out.endswith("dry run: nothing was sent\n")
    done = everyid(*words, "--json")
    run = HubUpload.model_validate_json(done.out)
    assert [one.file for one in run.files][:3] == [
        *("everyid-cnn.safetensors", "everyid-cnn.safetensors.json", "README.md"),
    ]
    assert f"commit {run.commit}" not in everyid(*words).out
    done = everyid("download_model", "--account", "anna")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "use it: --model anna/EveryPerson"
    np.testing.assert_array_equal(embedded("anna/EveryPerson"), embedded("everyid-cnn"))


def test_names_that_two_models_have(hub, everyid):
    for owner in ("anna", "studio"):
        hub.add(f"{owner}/net", {"a.pth": BODY, "b.pth": owner.encode()})
        everyid("download_model", "--repo", f"{owner}/net", "--file", "a.pth")
    done = everyid("embed", "--model", "a")
    assert done.code == 1
    assert "2 downloaded models are called 'a'" in done.err
    assert "say which: anna/net/a.pth, studio/net/a.pth" in done.err


def test_a_repository_that_was_not_downloaded(everyid):
    done = everyid("embed", "--model", "anna/net")
    assert done.code == 1
    assert "python3 run.py person download_model --repo anna/net" in done.err


def test_failures_end_with_one_message(hub, everyid, monkeypatch):
    done = everyid("download_model")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {hub.url} has no repository SebLogsdon/EveryPerson that")
    done = everyid("upload_model", "--model", "everyid-cnn")
    assert done.code == 1
    assert "hint: --account anna" in done.err
    assert TOKEN not in done.err
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = everyid("download_model")
    assert (done.code, done.err.count("\n")) == (1, 2)


@pytest.mark.slow
def test_the_whole_command_line_with_the_environment_of_the_hub(hub, tmp_path):
    hub.add("SebLogsdon/EveryPerson", {DEFAULT_FILE: BODY}, private=False)
    folders = {"HF_HOME": "home", "EVERYID_MODELS": "models", "EVERYID_TMP": "tmp"}
    environment = os.environ | {name: str(tmp_path / sub) for name, sub in folders.items()}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "EVERYID_NO_BOOTSTRAP": "1"}

    def person(*words, **more):
        return subprocess.run(
            [sys.executable, "run.py", "person", *words],
            cwd=PROJECT_FOLDER,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    done = person("download_model")
    assert (done.returncode, done.stderr) == (0, "")
    path = Path(done.stdout.splitlines()[0])
    assert path.read_bytes() == BODY
    assert path.is_relative_to(tmp_path / "models" / "hub")
    hub.requests.clear()
    assert person("download_model", HF_HUB_OFFLINE="1").returncode == 0
    assert hub.requests == []
    assert person("download_model", HF_TOKEN="hf_wrong").returncode == 1  # noqa: S106 - it is none
