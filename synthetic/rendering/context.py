"""OpenGL without a screen."""

import importlib
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
