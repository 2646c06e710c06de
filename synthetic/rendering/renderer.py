"""Draws figures and places with OpenGL, off screen, in linear light."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synthetic.rendering.camera import Camera
from synthetic.rendering.context import open_context
from synthetic.rendering.figures import FigureDrawer, figure_bounds
from synthetic.rendering.mesh import Mesh
from synthetic.rendering.plates import PlateDrawer
from synthetic.rendering.shots import Layer, Light, Plate, Shot

__all__ = ["Layer", "Light", "Plate", "Renderer", "Shot", "figure_bounds", "process_renderer"]


class Renderer:
    """Draws; a context manager, to be used in the thread that entered it.

    Raises:
        DependencyError: On entering: moderngl or EGL is missing.
    """

    def __enter__(self) -> Self:
        with ExitStack() as unless_started:
            self._context = open_context()
            unless_started.callback(self._context.release)
            self._figures = FigureDrawer(self._context)
            self._plates = PlateDrawer(self._context)
            unless_started.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._context:
            self._figures.release()
            self._plates.release()
        self._context.release()

    def draw(self, shots: Sequence[Shot]) -> list[Layer]:
        """The figures, each on its own; the same bytes in any order and grouping.

        Args:
            shots: What to draw, in any sizes.

        Returns:
            A layer a shot, in order.
        """
        with self._context:
            return self._figures.draw(shots)

    def plate(self, mesh: Mesh, textures: NDArray[np.uint8], camera: Camera, light: Light) -> Plate:
        """A place as a camera sees it, with the shadows of what stands in it.

        Args:
            mesh: All of the place; ceilings face down only, so that light passes.
            textures: uint8 (L, S, S, 3), sRGB.
            camera: Who sees it.
            light: Its light; the sky has the colour of ``light.sky``.
        """
        with self._context:
            return self._plates.draw(mesh, textures, camera, light)


@lru_cache(maxsize=1)
def process_renderer() -> Renderer:
    """The renderer of this process, started at the first call; it ends with the process.

    Raises:
        DependencyError: moderngl or EGL is missing.
    """
    return Renderer().__enter__()
