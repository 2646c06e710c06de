"""Checkpoints: what is written comes back, what is damaged or of another training is refused."""

import errno
import json

import pytest
import torch
from safetensors import SafetensorError

from everyid.errors import ConfigError, InputError, OutputError
from person.training import checkpoints
from person.training.checkpoints import Progress, latest, read_progress, restore, save
from person.training.recipe import override, recipe
from tests.person.tiny_backbone import tiny

ASKED = Progress(recipe=recipe("everyid-cnn"), data="a digest", seed=3)


def write(output, step, seed=0, **changes):
    progress = ASKED.model_copy(update={"step": step} | changes)
    state = {"optimiser": {"state": {0: {"step": torch.tensor(float(step))}}}}
    save(output, progress, network=tiny(seed=seed), average=tiny(seed=seed + 1), optimiser=state)
    return progress


def test_what_is_written_comes_back(tmp_path):
    progress = write(tmp_path, 7, seed=5, best=0.25, epoch=2, batch=1)
    network, average = tiny(), tiny()
    there = latest(tmp_path)
    assert read_progress(there) == progress
    state = restore(there, network=network, average=average)
    assert state["optimiser"]["state"][0]["step"] == 7
    for found, expected in ((network, tiny(seed=5)), (average, tiny(seed=6))):
        for name, tensor in expected.state_dict().items():
            assert torch.equal(found.state_dict()[name], tensor)


def test_only_the_last_one_is_kept(tmp_path):
    assert latest(tmp_path) is None
    for step in (9, 10, 10, 1_000):
        write(tmp_path, step)
    assert latest(tmp_path).name == "000001000"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000001000"]


def test_one_that_was_not_finished_is_none(tmp_path):
    write(tmp_path, 3)
    (tmp_path / "checkpoints" / ".000000009.part.abcd").mkdir()
    (tmp_path / "checkpoints" / "000000009.txt").touch()
    assert latest(tmp_path).name == "000000003"


@pytest.mark.parametrize(
    ("place", "function", "error"),
    [
        (torch, "save", OSError(errno.ENOSPC, "No space left on device")),
        (torch, "save", RuntimeError("PytorchStreamWriter failed writing file data.pkl")),
        (checkpoints, "save_file", SafetensorError("I/O error: No space left on device")),
    ],
    ids=["of the system", "of torch", "of safetensors"],
)
def test_without_space_the_one_before_stays(tmp_path, monkeypatch, place, function, error):
    def refuse(*_args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, function, refuse)
        with pytest.raises(OutputError, match=r"step 2 was not written: .*; there is none yet$"):
            write(tmp_path, 2)
    write(tmp_path, 4, seed=8)
    monkeypatch.setattr(place, function, refuse)
    message = r"the checkpoint of step 5 was not written: .*(space|failed).*; that of step 4 is who"
    with pytest.raises(OutputError, match=message) as caught:
        write(tmp_path, 5)
    assert caught.value.hint == "make room, then run the same command again: it goes on from there"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000004"]
    network = tiny()
    restore(latest(tmp_path), network=network, average=tiny())
    assert torch.equal(network.fc.weight, tiny(seed=8).fc.weight)


@pytest.mark.parametrize("file", ["network.safetensors", "average.safetensors", "optimiser.pt"])
@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "text"])
def test_a_damaged_file_is_told(tmp_path, file, harm):
    write(tmp_path, 2)
    path = latest(tmp_path) / file
    whole = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"no" * 99}[harm])
    with pytest.raises(InputError, match=r"000000002: not a checkpoint that training can") as e:
        restore(latest(tmp_path), network=tiny(), average=tiny())
    assert e.value.hint == "begin anew with --overwrite, or name another --output"
    assert "\n" not in str(e.value)


def test_weights_of_another_network_are_told(tmp_path):
    write(tmp_path, 2)
    with pytest.raises(InputError, match="not a checkpoint that training can go on from"):
        restore(latest(tmp_path), network=tiny(width=9), average=tiny())


@pytest.mark.parametrize("text", [None, "", "{}", '{"step": "many"}'])
def test_a_progress_that_cannot_be_read_is_told(tmp_path, text):
    write(tmp_path, 2)
    path = latest(tmp_path) / "progress.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="not a checkpoint that training can go on from"):
        read_progress(latest(tmp_path))


def test_a_field_of_another_version_is_told(tmp_path):
    write(tmp_path, 2)
    path = latest(tmp_path) / "progress.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"later": 1}))
    with pytest.raises(InputError, match="not a checkpoint that training can go on from"):
        read_progress(latest(tmp_path))


def test_how_far_it_is_does_not_matter(tmp_path):
    checkpoints.check_same_training(
        ASKED.model_copy(update={"step": 9, "epoch": 2, "elapsed_s": 3.0}), ASKED, tmp_path
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": recipe("everyid-vit")}, "recipe everyid-vit here, everyid-cnn there; archi"),
        ({"recipe": override(ASKED.recipe, {"epochs": 3})}, "optimisation.epochs is 3 here and 60"),
        ({"data": "another"}, "the data changed"),
        ({"start": "a digest"}, "the weights at the start changed"),
        ({"seed": 4}, "seed 4 here, 3 there"),
        ({"processes": 2, "seed": 1}, "seed 1 here, 3 there; processes 2 here, 1 there"),
    ],
)
def test_another_training_is_refused(tmp_path, changes, message):
    wanted = ASKED.model_copy(update=changes)
    with pytest.raises(ConfigError, match=message) as caught:
        checkpoints.check_same_training(ASKED, wanted, tmp_path / "checkpoints" / "000000009")
    assert "000000009: a checkpoint of another training: " in str(caught.value)
    assert "--overwrite to begin anew" in caught.value.hint
