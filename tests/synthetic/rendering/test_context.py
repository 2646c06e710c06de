"""Starting OpenGL: what is said where it cannot start."""

import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from everyid.errors import DependencyError
from everyid.settings import PROJECT_FOLDER as ROOT
from synthetic.rendering import context
from synthetic.rendering.renderer import Renderer


@pytest.fixture
def mesa(monkeypatch):
    """Lets tests set what Mesa reads, and takes it back."""
    monkeypatch.setenv("LP_NUM_THREADS", "")
    monkeypatch.delenv("LP_NUM_THREADS")


@pytest.mark.usefixtures("mesa")
def test_without_moderngl_the_hint_installs_it(monkeypatch):
    monkeypatch.setattr(context, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="package moderngl, which is not") as told:
        Renderer().__enter__()
    assert told.value.hint == "pip install -e '.[synthetic]'"


@pytest.mark.usefixtures("mesa")
def test_without_egl_the_hint_names_debians_packages(monkeypatch):
    def refuse(**_):
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(context, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "moderngl", SimpleNamespace(create_context=refuse))
    with pytest.raises(DependencyError, match=r"without a screen: libEGL\.so not loaded$") as told:
        Renderer().__enter__()
    assert told.value.hint == "it needs EGL; Debian: apt install libegl1 libgl1-mesa-dri"


@pytest.mark.usefixtures("mesa")
def test_mesa_gets_one_thread_before_it_starts(monkeypatch):
    seen = {}

    def create(**options):
        seen.update(options, threads=os.environ["LP_NUM_THREADS"])
        return "a context"

    monkeypatch.setattr(context, "find_spec", lambda _: object())
    monkeypatch.setattr(
        importlib, "import_module", lambda name: SimpleNamespace(create_context=create, name=name)
    )
    assert context.open_context() == "a context"
    assert seen == {"standalone": True, "backend": "egl", "require": 330, "threads": "1"}


def test_triton_after_mesa_does_not_crash_a_process_that_has_torch():
    pytest.importorskip("moderngl")
    pytest.importorskip("triton")
    code = (
        "import sys, types; sys.modules['torch'] = types.ModuleType('torch')\n"
        "from synthetic.rendering.context import open_context\n"
        "open_context()\n"
        "import triton\n"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    if "DependencyError" in done.stderr:
        pytest.skip("OpenGL cannot start here")
    assert done.stdout == "alive\n", done.stderr
