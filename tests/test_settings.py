"""Settings: what the environment changes, and what is said when it cannot be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from everyid.errors import ConfigError
from everyid.settings import (
    PROJECT_FOLDER,
    settings,
    tame_matplotlib,
    tame_mesa,
    tame_ultralytics,
)

NAMES = ["TMP", "MODELS", "CACHE", "DEBUG", "THREADS"]


@pytest.fixture
def bare(monkeypatch):
    """An environment without any EVERYID_* variable."""
    for name in NAMES:
        monkeypatch.delenv(f"EVERYID_{name}", raising=False)


@pytest.mark.usefixtures("bare")
def test_defaults_lie_in_the_checkout():
    chosen = settings()
    assert chosen.tmp == PROJECT_FOLDER / "tmp"
    assert chosen.models_folder == PROJECT_FOLDER / "tmp" / "models"
    assert chosen.cache_folder == PROJECT_FOLDER / "tmp" / "cache"
    assert (chosen.debug, chosen.threads) == (False, None)


def test_the_project_folder_holds_run_and_the_packages():
    assert (PROJECT_FOLDER / "run.py").is_file()
    assert (PROJECT_FOLDER / "everyid" / "settings.py").is_file()


@pytest.mark.usefixtures("bare")
def test_tmp_moves_models_and_cache_along(monkeypatch):
    monkeypatch.setenv("EVERYID_TMP", "/elsewhere")
    chosen = settings()
    assert chosen.tmp == Path("/elsewhere")
    assert chosen.models_folder == Path("/elsewhere/models")
    assert chosen.cache_folder == Path("/elsewhere/cache")


@pytest.mark.usefixtures("bare")
def test_models_and_cache_have_their_own_variables(monkeypatch):
    monkeypatch.setenv("EVERYID_TMP", "/elsewhere")
    monkeypatch.setenv("EVERYID_MODELS", "/big")
    monkeypatch.setenv("EVERYID_CACHE", "/fast")
    assert settings().models_folder == Path("/big")
    assert settings().cache_folder == Path("/fast")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("text", "debug"), [("1", True), ("true", True), ("0", False), ("no", False)]
)
def test_debug_is_a_switch(monkeypatch, text, debug):
    monkeypatch.setenv("EVERYID_DEBUG", text)
    assert settings().debug is debug


@pytest.mark.usefixtures("bare")
def test_threads(monkeypatch):
    monkeypatch.setenv("EVERYID_THREADS", "3")
    assert settings().threads == 3


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_counts_as_not_set(monkeypatch, name):
    usual = settings()
    settings.cache_clear()
    monkeypatch.setenv(f"EVERYID_{name}", "")
    assert settings() == usual


@pytest.mark.parametrize(
    ("name", "value"),
    [("THREADS", "0"), ("THREADS", "-2"), ("THREADS", "many"), ("DEBUG", "perhaps")],
)
def test_a_bad_value_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"EVERYID_{name}", value)
    with pytest.raises(ConfigError, match=f"^EVERYID_{name}='{value}': Input should be "):
        settings()


def test_ultralytics_gets_a_folder_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "cache"))
    # Set, then removed: monkeypatch restores what the function sets.
    for name in ("YOLO_CONFIG_DIR", "YOLO_AUTOINSTALL", "YOLO_OFFLINE", "YOLO_VERBOSE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    tame_ultralytics()
    assert Path(os.environ["YOLO_CONFIG_DIR"]) == tmp_path / "cache" / "ultralytics"
    assert Path(os.environ["YOLO_CONFIG_DIR"]).is_dir()
    assert os.environ["YOLO_AUTOINSTALL"] == "false"
    assert os.environ["YOLO_OFFLINE"] == "true"


def test_ultralytics_gets_a_folder_when_the_cache_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("YOLO_CONFIG_DIR", "")
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tame_ultralytics()
    assert Path(os.environ["YOLO_CONFIG_DIR"]).parent == tmp_path
    assert Path(os.environ["YOLO_CONFIG_DIR"]).is_dir()


def test_what_the_user_set_for_ultralytics_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    tame_ultralytics()
    assert os.environ["YOLO_CONFIG_DIR"] == str(tmp_path)
    assert os.environ["YOLO_OFFLINE"] == "false"


def test_mesa_draws_with_one_thread_and_keeps_its_shaders_in_the_cache(monkeypatch):
    for name in ("LP_NUM_THREADS", "MESA_SHADER_CACHE_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    tame_mesa()
    assert os.environ["LP_NUM_THREADS"] == "1"
    assert os.environ["MESA_SHADER_CACHE_DIR"] == str(settings().cache_folder / "mesa")


def test_what_the_user_set_for_mesa_stays(monkeypatch):
    monkeypatch.setenv("LP_NUM_THREADS", "4")
    monkeypatch.setenv("MESA_SHADER_CACHE_DIR", "mine")
    tame_mesa()
    assert (os.environ["LP_NUM_THREADS"], os.environ["MESA_SHADER_CACHE_DIR"]) == ("4", "mine")


def test_openvino_reports_nothing_and_leaves_the_home_folder_alone(tmp_path):
    code = (
        "import sys; from everyid.settings import tame_openvino; tame_openvino()\n"
        "import openvino, openvino.tools.ovc as ovc\n"
        "print(type(ovc.telemetry).__module__, sys.modules['openvino_telemetry'])"
    )
    usual = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**usual, "HOME": str(tmp_path), "PYTHONPATH": str(PROJECT_FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "None"]
    assert list(tmp_path.iterdir()) == []


def test_what_the_user_set_for_matplotlib_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    tame_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path)


def test_matplotlib_leaves_the_home_folder_alone_and_is_silent(tmp_path):
    code = (
        "from everyid.settings import tame_matplotlib; tame_matplotlib()\n"
        "from matplotlib import figure, font_manager, get_cachedir\n"
        "print(get_cachedir())"
    )
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    usual = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **usual,
            "HOME": str(home),
            "EVERYID_CACHE": str(cache),
            "PYTHONPATH": str(PROJECT_FOLDER),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == (str(cache / "matplotlib"), "")
    assert list(home.iterdir()) == []
