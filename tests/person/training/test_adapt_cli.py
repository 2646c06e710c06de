"""``person adapt`` as a command: text, JSON, exit codes."""

import json

import pytest

from everyid.errors import ConfigError
from person.training.cli import training_app
from tests.person.training.test_adapt import footage, hall, start

__all__ = ["hall", "start"]


@pytest.fixture
def command(capfd):
    """Runs the command with the given words; its exit code and what it printed."""

    def run(*words):
        code = training_app(["adapt", *map(str, words)], standalone_mode=False) or 0
        return code, capfd.readouterr().out

    return run


def test_it_prints_one_document_and_leaves_what_it_names(command, start, hall, tmp_path):
    words = ("--model", start, "--source", hall, "--output", tmp_path / "run")
    code, text = command(*words, "--steps", 2, "--device", "cpu", "--json", "--quiet")
    assert code == 0
    found = json.loads(text)
    assert found["model"] == "small"
    assert found["crops"] == 60
    assert set(found["outputs"]) == {"model", "similarities", "card"}
    assert all((tmp_path / "run" / name).exists() for name in ("README.md", "similarities.png"))


def test_a_picture_that_cannot_be_read_gives_exit_code_1(command, start, tmp_path):
    bad = footage(tmp_path) / "hall/0001/000012.png"
    bad.write_bytes(b"no picture")
    words = ("--model", start, "--source", tmp_path / "crops", "--output", tmp_path / "run")
    code, text = command(*words, "--steps", 1, "--device", "cpu", "--quiet")
    assert code == 1
    assert "skipped 1 file" in text


def test_an_option_out_of_range_is_named(command, start, hall):
    with pytest.raises(ConfigError, match=r"--min-height: .*got 3"):
        command("--model", start, "--source", hall, "--min-height", 3)
