"""What a teacher says: asked once, kept, gone on with, and drawn to the mean of its identity."""

import shutil

import numpy as np
import pytest

from everyid.device import Device
from everyid.errors import ConfigError, InputError
from everyid.output import Stop
from person.datasets.training_set import read_training_set
from person.embeddings import read_embeddings
from person.encoder import build_encoder
from person.training import targets
from person.training.recipe import Distillation
from person.training.targets import teacher_targets

CPU = Device(kind="cpu", index=0, precision="fp32", threads=1, name="test")


@pytest.fixture
def asked(monkeypatch):
    """How many pictures the teacher was asked about, each time."""
    real, found = targets.embed_crops, []

    def embed_crops(crops, encoder, **rest):
        found.append(len(crops))
        return real(crops, encoder, **rest)

    monkeypatch.setattr(targets, "embed_crops", embed_crops)
    return found


def ask(rows, folder, teacher, *, centred=0.0, stop=None, skipped=None):
    return teacher_targets(
        rows,
        told=Distillation(teacher=str(teacher), centred=centred),
        folder=folder,
        device=CPU,
        skipped={} if skipped is None else skipped,
        stop=stop or Stop(),
    )


def test_targets_are_as_by_hand(rows, tmp_path, colour):
    some = rows.select(np.arange(6))
    some.identities[4:] = -1
    used, own, teacher = ask(some, tmp_path, colour)
    assert used.paths == some.paths
    assert teacher.name == "colour"
    assert own.shape == (6, 48)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, rtol=1e-6)
    _, mixed, _ = ask(some, tmp_path, colour, centred=0.7)
    _, whole, _ = ask(some, tmp_path, colour, centred=1.0)
    for row, identity in enumerate(some.identities):
        alike = [own[other] for other in range(6) if some.identities[other] == identity]
        mean = np.mean(alike, axis=0) if identity >= 0 else own[row]
        expected = 0.3 * own[row] + 0.7 * mean
        np.testing.assert_allclose(mixed[row], expected / np.linalg.norm(expected), atol=1e-6)
        np.testing.assert_allclose(whole[row], mean / np.linalg.norm(mean), atol=1e-6)


def test_what_was_said_is_kept_until_the_teacher_changes(
    rows, tmp_path, colour, asked, tmp_path_factory
):
    some = rows.select(np.arange(5))
    _, first, _ = ask(some, tmp_path, colour)
    _, again, _ = ask(some, tmp_path, colour)
    np.testing.assert_array_equal(first, again)
    assert asked == [5]
    ask(rows.select(np.arange(7)), tmp_path, colour)
    assert asked == [5, 2]
    other = tmp_path_factory.mktemp("other") / "other.onnx"
    shutil.copy(colour, other)
    beside = colour.with_name(f"{colour.name}.json").read_text().replace("rgb", "bgr")
    other.with_name(f"{other.name}.json").write_text(beside)
    _, changed, _ = ask(some, tmp_path, other)
    assert asked == [5, 2, 5]
    assert np.abs(changed - first).max() > 0.01


def test_after_a_stop_only_what_is_missing_is_asked(rows, tmp_path, colour, asked, monkeypatch):
    monkeypatch.setattr(targets, "_AT_LEAST", 4)
    stop, real = Stop(), targets.write_embeddings

    def write(file, kept, *, overwrite):
        real(file, kept, overwrite=overwrite)
        stop.requested = len(kept) == 8

    monkeypatch.setattr(targets, "write_embeddings", write)
    some = rows.select(np.arange(14))
    with pytest.raises(KeyboardInterrupt):
        ask(some, tmp_path, colour, stop=stop)
    assert len(read_embeddings(tmp_path / "teacher.parquet")) == 8
    stop.requested = False
    _, found, teacher = ask(some, tmp_path, colour, stop=stop)
    assert asked == [4, 4, 4, 2]
    monkeypatch.undo()
    _, whole, _ = ask(some, tmp_path / "..", colour)
    np.testing.assert_array_equal(found, whole)
    assert teacher.sha256 == build_encoder(str(colour), device=CPU).sha256


def test_a_damaged_file_is_asked_anew(rows, tmp_path, colour, asked, capsys):
    (tmp_path / "teacher.parquet").write_text("no table")
    ask(rows.select(np.arange(3)), tmp_path, colour)
    assert asked == [3]
    assert "warning: asking anew: " in capsys.readouterr().err


def test_pictures_that_cannot_be_read_are_left_out_each_time(
    people_to_train, tmp_path, colour, capsys
):
    folder = tmp_path / "people"
    for number in (1, 2):
        shutil.copytree(people_to_train / "query", folder / str(number))
    bad = sorted(folder.glob("1/*"))[0]
    bad.write_bytes(b"no picture")
    data = read_training_set((folder,))
    for _ in range(2):  # the second time it alone is asked about
        skipped = {}
        used, found, _ = ask(data, tmp_path, colour, skipped=skipped)
        assert list(skipped) == [str(bad)]
        assert len(used) == len(found) == len(data) - 1
        assert str(bad) not in used.paths
        assert f"warning: skipped: {bad}" in capsys.readouterr().err


def test_without_a_picture_there_is_nothing_to_learn(rows, tmp_path, colour):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    data = read_training_set((bad,))
    with pytest.raises(InputError, match=r"none of the 1 pictures can be used; one of them: .*bad"):
        ask(data, tmp_path, colour)


def test_a_teacher_that_is_none_is_refused(rows, tmp_path):
    with pytest.raises(ConfigError, match=r"no file and no re-identification weights are called"):
        ask(rows, tmp_path, "nobody")
    with pytest.raises(ConfigError, match=r"expected a teacher to ask, got none"):
        teacher_targets(
            rows, told=Distillation(), folder=tmp_path, device=CPU, skipped={}, stop=Stop()
        )
