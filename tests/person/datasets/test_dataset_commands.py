"""``person dataset check`` and ``stats``: what they print, write, and end with."""

import json
from contextlib import nullcontext

import pytest
from typer.testing import CliRunner

from everyid import output
from everyid.config import build
from everyid.errors import ConfigError, InputError, OutputExistsError
from person.datasets.checking import DatasetCheck
from person.datasets.cli import dataset_app
from person.datasets.commands import run_check, run_stats
from person.datasets.config import DatasetCheckConfig, DatasetStatsConfig
from person.datasets.statistics import DatasetStatistics
from tests.person.people import id_folders


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs a command below ``tmp_path/results``."""
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path / "results"))
    yield lambda *words: CliRunner().invoke(dataset_app, [*map(str, words)])
    output.quiet(enabled=False)


def test_check_prints_what_it_finds(command, people):
    done = command("check", "--data", people, "--quiet")
    assert done.exit_code == 0
    assert done.stdout.startswith("people: 6 images, 3 identities, 0 cameras\n")
    assert "warning: no camera is known" in done.stdout
    done = command("check", "--data", people, "--json")
    assert DatasetCheck.model_validate_json(done.stdout).images == 6


def test_check_ends_with_1_only_for_errors(command, tmp_path):
    lone = id_folders(tmp_path / "lone", identities=1)
    done = command("check", "--data", lone)
    assert done.exit_code == 1
    assert "error: all labelled images are of one identity" in done.stdout


def test_after_ctrl_c_check_tells_what_it_has_and_stats_nothing(command, monkeypatch, people):
    stop = output.Stop()
    stop.requested = True
    monkeypatch.setattr("person.datasets.commands.stoppable", lambda: nullcontext(stop))
    done = command("check", "--data", people)
    assert done.exit_code == 130
    assert "interrupted after 0 images" in done.stdout
    with pytest.raises(KeyboardInterrupt):
        run_stats(DatasetStatsConfig(sources=(people,)))


def test_stats_writes_a_document_and_a_picture(command, people, tmp_path):
    done = command("stats", "--data", people, "--json", "--quiet")
    assert done.exit_code == 0
    found = DatasetStatistics.model_validate_json(done.stdout)
    folder = tmp_path / "results" / "person" / "dataset-stats" / "0001"
    assert found.outputs == {
        "json": folder / "statistics.json",
        "plots": folder / "statistics.png",
    }
    assert json.loads(found.outputs["json"].read_text()) == json.loads(done.stdout)
    assert found.outputs["plots"].read_bytes().startswith(b"\x89PNG")
    done = command("stats", "--data", people)
    assert "train: 6 images, 3 identities, 0 cameras" in done.stdout
    assert str(folder.with_name("0002") / "statistics.png") in done.stdout


def test_results_that_exist_stay(people, tmp_path):
    config = DatasetStatsConfig(sources=(people,), output=tmp_path)
    run_stats(config)
    with pytest.raises(OutputExistsError, match=r"statistics\.json exists already"):
        run_stats(config)
    run_stats(config.model_copy(update={"overwrite": True}))


def test_without_data_the_sample_is_read(monkeypatch, people):
    monkeypatch.setattr("person.datasets.commands.default_source", lambda: people)
    assert run_check(DatasetCheckConfig()).images == 6


def test_what_cannot_be_read_leaves_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path))
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        run_stats(DatasetStatsConfig(sources=(tmp_path / "nowhere",)))
    assert not list((tmp_path / "person" / "dataset-stats").iterdir())


def test_a_config_names_the_option():
    with pytest.raises(ConfigError, match="--data: "):
        build(DatasetCheckConfig, sources=3)


@pytest.mark.parametrize("name", ["check", "stats"])
def test_help_shows_two_examples(command, name):
    done = command(name, "--help")
    assert done.exit_code == 0
    assert done.stdout.count(f"person dataset {name}") == 2
