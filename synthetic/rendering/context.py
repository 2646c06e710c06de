"""OpenGL without a screen."""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from everyid.errors import DependencyError
from everyid.settings import tame_mesa

if TYPE_CHECKING:
    import moderngl

__all__ = ["open_context"]


def open_context() -> "moderngl.Context":
    """A new OpenGL 3.3 context on EGL, current in this thread: of a GPU, else of Mesa on the CPU.

    Raises:
        DependencyError: The package moderngl or the system's EGL is missing.
    """
    if find_spec("moderngl") is None:
        raise DependencyError(
            "drawing needs the package moderngl, which is not installed",
            hint="pip install -e '.[synthetic]'",
        )
    tame_mesa()
    _load_compilers_first()
    package: ModuleType = importlib.import_module("moderngl")
    try:
        context: moderngl.Context = package.create_context(
            standalone=True, backend="egl", require=330
        )
    except Exception as error:  # nothing narrower is raised
        raise DependencyError(
            f"OpenGL cannot start without a screen: {error}",
            hint="it needs EGL; Debian: apt install libegl1 libgl1-mesa-dri",
        ) from error
    return context


def _load_compilers_first() -> None:
    """Loads torch's compiler before Mesa's, where torch is in use.

    Both carry an LLVM. The names of Mesa's are seen by all that is loaded after it, and triton,
    when it comes second, crashes the process.
    """
    if "torch" in sys.modules and find_spec("triton") is not None:
        importlib.import_module("triton")
