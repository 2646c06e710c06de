"""The commands in this process, one body model, one renderer, and one stage for all tests."""

import importlib
import sys
from importlib.util import find_spec

import pytest

import run
from everyid import output
from everyid.errors import DependencyError
from synthetic.people.body import load_body
from synthetic.rendering.renderer import Renderer
from synthetic.stages import draw_stage
from tests.object.scenes import Done

if find_spec("triton"):  # later tests may load it, and after Mesa that would end the process
    importlib.import_module("triton")


@pytest.fixture
def synthetic(monkeypatch, tmp_path, capfd):
    """Runs ``run.py synthetic`` with these words in this process, below ``tmp_path/results``."""
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path / "results"))

    def command(*words):
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["run.py", "synthetic", *map(str, words)])
        try:
            code = run.route()
        except SystemExit as end:
            code = end.code or 0
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    yield command
    output.quiet(enabled=False)


@pytest.fixture(scope="session")
def body():
    """The body model; its file is built first where it is missing, which takes a minute."""
    try:
        return load_body()
    except DependencyError as error:
        pytest.skip(f"{error}; {error.hint}")


@pytest.fixture(scope="session")
def renderer():
    """One renderer for all tests, as starting one takes long."""
    try:
        with Renderer() as started:
            yield started
    except DependencyError as error:
        pytest.skip(f"{error}; {error.hint}")


@pytest.fixture(scope="session")
def stage(renderer):
    """What the first camera of a set with seed 1 looks at."""
    return draw_stage(renderer, seed=1, number=1)
