"""The file of the body model: made once, by another process, whole or not at all."""

import importlib.metadata
import subprocess
from pathlib import Path

import pytest

from everyid.errors import DependencyError
from everyid.settings import settings
from synthetic.people.body_file import body_file


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path))
    settings.cache_clear()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.2.3")
    yield tmp_path
    settings.cache_clear()


def no_run(*args: object, **kwargs: object):
    raise AssertionError("nothing should be built")


def test_a_file_that_is_there_is_taken(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", no_run)
    there = models / "anny-1.2.3-body-4.safetensors"
    there.write_bytes(b"x")
    assert body_file() == there


def test_a_missing_file_is_built_by_another_process(models: Path, monkeypatch: pytest.MonkeyPatch):
    commands = []

    def build(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        Path(command[-1]).write_bytes(b"built")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", build)
    assert body_file().read_bytes() == b"built"
    assert body_file().read_bytes() == b"built"
    assert len(commands) == 1
    assert commands[0][1:3] == ["-m", "synthetic.people.body_file"]


def test_without_the_package_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(DependencyError, match="the package anny, which is not installed") as caught:
        body_file()
    assert caught.value.hint == "run: pip install -e '.[synthetic]'"


@pytest.mark.parametrize(
    ("said", "expected"),
    [("a warning\nValueError: no shapes\n", "ValueError: no shapes"), ("", "exit code 1")],
)
def test_a_build_that_fails_says_why(
    models: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: str
):
    def fail(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(DependencyError, match=f"could not build its model: {expected}"):
        body_file()
    assert not list(models.glob("*.safetensors"))


def test_a_build_that_takes_for_ever_is_given_up(models: Path, monkeypatch: pytest.MonkeyPatch):
    def hang(command: list[str], **kwargs: object):
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(DependencyError, match="within 30 minutes"):
        body_file()


@pytest.mark.slow
def test_the_file_is_equal_to_what_the_package_computes(tmp_path: Path):
    anny = pytest.importorskip("anny")
    torch = pytest.importorskip("torch")
    import numpy as np
    from anny.paths import set_anny_cache_path

    from synthetic.people.body import load_body

    set_anny_cache_path(tmp_path)
    model = anny.Anny(topology="notoes", phenotypes="all").to(dtype=torch.float32)
    body = load_body()
    assert list(body.bones) == list(model.bone_labels)
    for phenotype in (
        {"age": 2 / 3},
        {"age": 0.26, "gender": 0.9, "weight": 0.8, "muscle": 0.2, "african": 0.7, "asian": 0.1},
        {"age": 0.95, "gender": 0.0, "height": 0.9, "proportions": 0.8, "caucasian": 1.0},
    ):
        words = dict.fromkeys(model.phenotype_labels, 0.5) | phenotype
        coefficients = model.get_phenotype_blendshape_coefficients(**words)
        wanted = model.get_rest_vertices(coefficients)[0].numpy()
        wanted = wanted - np.float32([0, 0, wanted[:, 2].min()])
        assert np.abs(body.rest(words).positions - wanted).max() < 1e-3
