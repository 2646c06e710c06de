"""A renderer that needs no graphics: people are boxes, places are empty."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from synthetic.acting import Manner
from synthetic.filming import Actor
from synthetic.people.arms import HANGING
from synthetic.people.gait import Gait
from synthetic.people.pose import Stand
from synthetic.rendering.camera import Camera
from synthetic.rendering.mesh import Mesh, box
from synthetic.rendering.renderer import Layer, Light, Plate, Shot

LIGHT = Light((0.0, 0.0, 1.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
PERSON = box((0.5, 0.3, 1.7), centre_m=(0.0, 0.0, 0.85))
MANNER = Manner(Gait(leg_m=0.9), HANGING, Stand(0, 0.2, 0, (5, 5), (0, 0), 4, HANGING), 0.0)


def actor() -> Actor:
    """Somebody 1.7 m tall, 0.5 m wide and 0.3 m deep."""
    figure = SimpleNamespace(
        uvs=PERSON.uvs, faces=PERSON.faces, textures=np.zeros((1, 4, 4, 3), np.uint8)
    )
    return Actor(figure, MANNER)


def posed(figure: object, pose: object) -> SimpleNamespace:
    """What stands for ``pose_figure``."""
    many = np.tile(PERSON.positions, (40, 1))
    return SimpleNamespace(positions=many, normals=np.tile(PERSON.normals, (40, 1)))


class Boxes:
    """Draws each person as the box around them, and places as nothing at all.

    Args:
        wall_m: How far away a wall is that hides what is behind it.
    """

    def __init__(self, wall_m: float = np.inf) -> None:
        self.wall_m = wall_m
        self.drawn = 0

    def __enter__(self) -> "Boxes":
        return self

    def __exit__(self, *details: object) -> None: ...

    def plate(self, mesh: Mesh, textures: NDArray[np.uint8], camera: Camera, light: Light) -> Plate:
        shape = camera.size_wh[::-1]
        return Plate(
            np.full((*shape, 3), 0.2, np.float32),
            np.full(shape, self.wall_m, np.float32),
            np.ones(shape, np.float32),
            np.zeros(shape, np.float32),
        )

    def draw(self, shots: Sequence[Shot]) -> list[Layer]:
        self.drawn += len(shots)
        return [_layer(shot) for shot in shots]


def _layer(shot: Shot) -> Layer:
    model = np.asarray(shot.model)
    pixels, _ = shot.camera.project(shot.positions @ model[:3, :3].T + model[:3, 3])
    left, top = shot.window_xyxy[:2]
    x0, y0 = np.round(pixels.min(0) - (left, top)).astype(int).clip(0)
    x1, y1 = np.round(pixels.max(0) - (left, top)).astype(int).clip(0)
    cover = np.zeros(shot.size_wh[::-1], np.float32)
    cover[y0:y1, x0:x1] = 1
    return Layer(np.repeat(cover[..., None] * 0.7, 3, 2), cover, np.zeros_like(cover))
