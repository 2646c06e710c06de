"""Bad files, bad places and bad models: one line, a hint, an exit code, and nothing left behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from everyid.models import TopRankRun
from everyid.settings import PROJECT_FOLDER
from person import backbones
from person.cli import _DEFAULT_MODEL
from tests.object.scenes import files_in
from tests.person.people import UNUSABLE, bad_pictures, figure, save
from tests.person.test_commands import at_angles
from tests.person.tiny_backbone import tiny

EMBEDDING = ("everyid", "embed", "evaluate")
PAIR = [("ann", "1"), ("ann", "2")]


@pytest.fixture
def refused(everyid, tmp_path):
    """Runs a command that has to fail cleanly, with ``--output`` where it takes a folder."""

    def command(name, *words):
        out = tmp_path / ("out.npz" if name == "embed" else "out")
        before = files_in(tmp_path)
        done = everyid(name, *words, "-o", out)
        assert (done.code, done.out) == (1, ""), done.err
        assert len(done.errors) == 1
        assert "Traceback" not in done.err
        assert files_in(tmp_path) == before
        return done

    return command


@pytest.fixture
def arrays(tmp_path):
    """Writes an npz file of embeddings as another program would."""

    def write(name="other.npz", **columns):
        path = tmp_path / name
        whole = {"path": np.array(["a.png", "b.png"]), "vector": np.eye(2, dtype=np.float32)}
        np.savez(path, **(whole | columns))
        return path

    return write


# Pictures


@pytest.mark.parametrize("command", EMBEDDING)
def test_an_empty_folder(refused, colour, tmp_path, command):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("")
    done = refused(command, "-s", tmp_path / "none", "-m", colour)
    expected = f"{tmp_path / 'none'}: expected images in this folder or below, found none"
    assert done.errors == [f"error: {expected}"]


@pytest.mark.parametrize("name", UNUSABLE)
def test_one_picture_that_is_bad(refused, colour, tmp_path, name):
    picture = bad_pictures(tmp_path / "bad")[name]
    done = refused("embed", "-s", picture, "-m", colour)
    assert done.errors[0].startswith(f"error: {picture}: ")


def test_nothing_but_bad_pictures(refused, colour, tmp_path):
    bad = bad_pictures(tmp_path / "bad")
    for name in bad.keys() - set(UNUSABLE):
        bad[name].unlink()
    done = refused("everyid", "-s", tmp_path / "bad", "-m", colour)
    assert done.errors[0].startswith("error: none of the 4 pictures can be used; the first: ")


def test_bad_pictures_among_good_ones(everyid, colour, people, tmp_path):
    bad = bad_pictures(tmp_path / "bad")
    words = ("-s", people, "-s", tmp_path / "bad", "-m", colour, "-o", tmp_path / "out")
    done = everyid("everyid", *words, "--json")
    assert done.code == 1
    run = TopRankRun.model_validate_json(done.out)
    assert sorted(run.skipped) == sorted(str(bad[name]) for name in UNUSABLE)
    assert done.err.count("warning: skipped: ") == len(UNUSABLE)
    kept = {one.query for one in run.matches}
    assert {str(bad[name]) for name in bad.keys() - set(UNUSABLE)} <= kept
    assert run.queries == run.gallery == 6 + len(bad) - len(UNUSABLE)
    upright = next(one for one in run.matches if one.query.endswith("rotated.png"))
    nearest = [found.path.rpartition("/")[2] for found in upright.matches[:4]]
    assert "cmyk.jpg" in nearest  # the same figure, once it is turned
    assert len(list((tmp_path / "out" / "sheets").iterdir())) == run.queries


def test_names_that_say_nothing(everyid, colour, tmp_path):
    for name in ("-1_.png", "0001c1.png", "x_y_z.png", "_c_.png", "\u0661_c\u0662.png"):
        save(tmp_path / "odd" / name, figure(len(name)))
    done = everyid("everyid", "-s", tmp_path / "odd", "-m", colour, "--json", "--save", "csv")
    assert done.code == 0
    run = TopRankRun.model_validate_json(done.out)
    assert {one.identity for one in run.matches} == {None}
    assert run.no_figures == "no identity is known of these pictures"


def test_a_list_that_names_what_is_not_there(refused, colour, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("\nnowhere.png\n")
    done = refused("embed", "-s", listed, "-m", colour)
    assert done.errors == ["error: nowhere.png: no such file or folder"]
    assert done.hints == [f"hint: see {listed}, line 2"]


def test_no_source_and_no_default(refused, colour, monkeypatch, tmp_path):
    monkeypatch.setattr("person.session.PROJECT_FOLDER", tmp_path)
    for command in EMBEDDING:
        done = refused(command, "-m", colour)
        own = tmp_path / "results" / "datasets" / "people"
        assert done.errors == [f"error: no crops of people: {own} does not exist"]
        assert "--source" in done.hints[0]


# Files of embeddings


@pytest.mark.parametrize("command", ["match", "evaluate", "everyid"])
@pytest.mark.parametrize("bad", [[np.nan, 0], [np.inf, 0], [0, 0]])
def test_vectors_without_a_direction(refused, arrays, command, bad):
    file = arrays(vector=np.array([[1, 0], bad], np.float32))
    done = refused(command, "--query", file, "--gallery", file)
    assert done.errors[0].startswith("error: b.png: expected a vector of length 1, got ")
    assert "(1 such vectors of 2)" in done.errors[0]
    assert len(done.hints) == 1


@pytest.mark.parametrize("command", ["match", "evaluate", "everyid"])
def test_two_models(refused, tmp_path, command):
    query = at_angles(tmp_path / "query.npz", PAIR, [0, 10], model="one", sha256="ab" * 32)
    other = at_angles(tmp_path / "other.npz", PAIR, [0, 10], model="two", sha256="cd" * 32)
    done = refused(command, "--query", query, "--gallery", other)
    assert done.errors == [
        "error: embeddings of different models or inputs cannot be compared: "
        "one (width 2, sha256 abababababab) and two (width 2, sha256 cdcdcdcdcdcd)"
    ]
    assert done.hints == ["hint: embed both sides again with one --model and the same options"]


@pytest.mark.parametrize("command", ["match", "evaluate", "everyid"])
def test_two_widths(refused, arrays, command):
    query = arrays("query.npz")
    wide = arrays("wide.npz", vector=np.eye(2, 3, dtype=np.float32))
    done = refused(command, "--query", query, "--gallery", wide)
    assert "unknown (width 2, sha256 unknown) and unknown (width 3, " in done.errors[0]


def test_crops_of_another_model(refused, colour, people, arrays):
    done = refused("everyid", "--query", people, "--gallery", arrays(), "-m", colour)
    assert done.errors[0].startswith(
        "error: embeddings of different models or inputs cannot be compared: "
    )


def test_models_mixed_in_one_file(refused, arrays):
    file = arrays(model=np.array(["one", "two"]))
    done = refused("match", "--query", file, "--gallery", file)
    assert "expected embeddings of one model, found 2 values of model: one, two" in done.errors[0]


@pytest.mark.parametrize("name", ["file.npz", "file.parquet"])
@pytest.mark.parametrize("content", [b"", b"no table at all", b"PK\x03\x04 cut short"])
def test_files_that_are_none(refused, tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    for command in ("match", "evaluate"):
        done = refused(command, "--query", file, "--gallery", file)
        assert done.errors[0].startswith(f"error: {file}: not a")


def test_a_file_cut_short(refused, embedded, tmp_path):
    for name in ("query.parquet", "gallery.npz"):
        cut = tmp_path / name
        body = (embedded / name).read_bytes()
        cut.write_bytes(body[: len(body) * 2 // 3])
        done = refused("match", "--query", cut, "--gallery", embedded / "query.parquet")
        assert done.errors[0].startswith(f"error: {cut}: not a")


def test_a_file_of_another_kind(refused, people, tmp_path):
    picture = people / "person_1" / "1.png"
    done = refused("match", "--query", picture, "--gallery", picture)
    expected = "expected a file of embeddings, ending in .parquet or .npz"
    assert done.errors == [f"error: {picture}: {expected}"]


# Models


def test_a_model_that_is_not_there_without_a_network(refused, people, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / "models"))
    name = "person-reidentification-retail-0277"
    for command in EMBEDDING:
        (tmp_path / "models").mkdir(exist_ok=True)
        done = refused(command, "-s", people, "-m", name)
        assert done.errors[0].startswith(f"error: {name} could not be fetched")
        assert f"`python3 run.py weights fetch {name}`" in done.hints[0]


def whole_model(path):
    torch.save(nn.Sequential(nn.Linear(2, 2)), path)


def cut_short(path):
    torch.save({"conv.weight": torch.zeros(100, 100)}, path)
    path.write_bytes(path.read_bytes()[:20_000])


def of_another_kind(path):
    torch.save({"conv.weight": torch.zeros(5, 3, 7, 7), "fc.bias": torch.zeros(9)}, path)


def lacking_a_layer(path):
    state = tiny().state_dict()
    del state["norm.weight"]
    torch.save(state, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (whole_model, "a whole pickled model, which runs code of its own"),
        (cut_short, "not a checkpoint, or a damaged one (20,000 bytes)"),
        (of_another_kind, "the weights of no network known here, 2 tensors"),
        (lacking_a_layer, "1 missing: norm.weight"),
        (lambda path: path.write_text("text"), "not a checkpoint, or a damaged one (4 bytes)"),
        (lambda path: path.mkdir(), "expected a model file, found a folder"),
        (lambda path: None, "no such file or folder"),
    ],
)
def test_checkpoints_that_cannot_be_used(everyid, people, tmp_path, monkeypatch, write, message):
    monkeypatch.setattr(backbones, "ARCHITECTURES", {"tiny": "tests.person.tiny_backbone"})
    path = tmp_path / "model.pth"
    write(path)
    for command in EMBEDDING:
        done = everyid(command, "-s", people, "-m", path)
        assert (done.code, done.out) == (1, "")
        assert len(done.errors) == 1
        assert str(path) in done.errors[0]
        assert message in done.err
        assert "Traceback" not in done.err
    assert files_in(tmp_path / "results") == [f"person/{name}" for name in sorted(EMBEDDING)]


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.bin"])
def test_graphs_that_are_none(refused, people, tmp_path, name):
    (tmp_path / name).write_text("this is no model")
    done = refused("embed", "-s", people, "-m", tmp_path / name)
    assert str(tmp_path / name) in done.errors[0]


def test_a_graph_of_which_nothing_is_said(refused, colour, people, tmp_path):
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(colour.read_bytes())
    done = refused("everyid", "-s", people, "-m", bare)
    assert done.errors[0].startswith(f"error: {bare}: nothing says what this network is fed; ")
    assert f"{bare}.json" in done.hints[0]


@pytest.mark.parametrize("model", ["nosuchmodel", "yolov8n"])
def test_models_that_are_none_of_ours(refused, people, model):
    done = refused("embed", "-s", people, "-m", model)
    assert model in done.errors[0]
    assert _DEFAULT_MODEL in done.errors[0]


# Places


@pytest.mark.parametrize("command", ["everyid", "evaluate", "match", "embed"])
def test_an_output_that_is_a_file(everyid, people, embedded, tmp_path, command):
    there = tmp_path / "there"
    there.write_text("mine")
    words = {
        "match": ("--query", embedded / "query.parquet", "--gallery", embedded / "query.parquet")
    }.get(command, ("-s", people, "-m", "nosuchmodel"))  # noticed before a model is opened
    out = there / "x.npz" if command == "embed" else there
    done = everyid(command, *words, "-o", out)
    assert (done.code, done.out) == (1, "")
    assert done.errors == [f"error: --output {there}: expected a folder, found a file"]
    deeper = there / "deeper" / "x.npz" if command == "embed" else there / "deeper"
    done = everyid(command, *words, "-o", deeper)
    assert done.errors == [f"error: cannot write {there / 'deeper'}: Not a directory"]
    assert done.hints == ["hint: name another place with --output"]
    assert there.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that refuses")
@pytest.mark.parametrize("command", EMBEDDING)
def test_an_output_that_cannot_be_written(everyid, people, command):
    out = "/proc/everyid/x.npz" if command == "embed" else "/proc/everyid"
    done = everyid(command, "-s", people, "-m", "nosuchmodel", "-o", out)
    assert done.code == 1
    assert done.errors[0].startswith("error: cannot write /proc/everyid: ")
    assert done.hints == ["hint: name another place with --output"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("command", EMBEDDING)
def test_an_output_without_permission(everyid, people, tmp_path, command):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    out = locked / "x.npz" if command == "embed" else locked
    done = everyid(command, "-s", people, "-m", "nosuchmodel", "-o", out)
    assert done.errors == [f"error: cannot write {locked}: Permission denied"]
    assert done.hints == ["hint: name another place with --output"]


@pytest.mark.parametrize("place", ["pyarrow.csv.CSVWriter", "pyarrow.parquet.ParquetWriter"])
def test_a_disk_that_is_full_for_a_table(refused, colour, people, monkeypatch, place):
    def full(*words, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, full)
    name = "csv" if "csv" in place else "parquet"
    done = refused("everyid", "-s", people, "-m", colour, "--save", name)
    assert done.errors[0].startswith("error: no space left on the disk of ")


def test_a_disk_that_is_full_for_the_pictures(everyid, colour, people, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("person.pictures.shutil.copyfile", full)
    done = everyid("everyid", "-s", people, "-m", colour, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert done.errors[0].startswith("error: no space left on the disk of ")
    assert files_in(tmp_path / "out") == ["matches.csv", "matches.parquet"]  # whole; no part


def test_the_streams_and_codes_of_a_real_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "run.py", "person", "everyid", "-s", tmp_path / "no", "--json"],
        cwd=PROJECT_FOLDER,
        env={**os.environ, "EVERYID_NO_BOOTSTRAP": "1", "EVERYID_TMP": str(tmp_path / "results")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {tmp_path / 'no'}: no such file or folder\n"
