"""A few things to draw, and cameras and lights to draw them with."""

import numpy as np

from synthetic.rendering.camera import Camera, aim
from synthetic.rendering.mesh import Mesh, box, join
from synthetic.rendering.shots import Light, Shot

SUN = Light((0.6, 0.0, 0.8), (0.8, 0.8, 0.8), (0.3, 0.3, 0.3), (0.1, 0.1, 0.1))
CLOUDS = Light((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.8, 0.8, 0.8), (0.3, 0.3, 0.3))
WHITE = np.full((1, 8, 8, 3), 255, np.uint8)
SIZE = (320, 240)


def camera(k1: float = 0.0, *, high: float = 4.0) -> Camera:
    position = (0.5, -6.0, high)
    yaw, pitch = aim(position, (0.0, 0.0, 0.8))
    return Camera("c1", position, yaw, pitch, 4.0, 260.0, SIZE, k1)


def fine(mesh: Mesh, times: int = 4) -> Mesh:
    """The mesh with each triangle cut into four, several times over, as figures are."""
    positions, uvs, normals, faces = mesh.positions, mesh.uvs, mesh.normals, mesh.faces
    for _ in range(times):
        ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        start, count = len(positions), len(faces)
        positions, uvs, normals = (
            np.concatenate([part, part[ends].mean(1)]).astype(np.float32)
            for part in (positions, uvs, normals)
        )
        ab, bc, ca = (np.arange(count, dtype=np.int32) + start + k * count for k in range(3))
        a, b, c = faces.T
        faces = np.concatenate(
            [np.stack(three, 1) for three in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    return Mesh(positions, normals, uvs, faces.astype(np.int32))


PILLAR = fine(box((0.5, 0.4, 1.7), centre_m=(0, 0, 0.85)))


_DIRECTIONS = PILLAR.positions - (0, 0, 0.85)
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS / (0.25, 0.2, 0.85), axis=1, keepdims=True)
EGG = (_DIRECTIONS + np.array((0, 0, 0.85))).astype(np.float32)


def at(x: float, y: float, heading_deg: float = 20.0) -> np.ndarray:
    turn = np.deg2rad(heading_deg)
    model = np.eye(4)
    model[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    model[:2, 3] = x, y
    return model


def shot(seen: Camera, *, light=SUN, model=None, window=None, size=None, **options) -> Shot:
    return Shot(
        PILLAR.positions,
        PILLAR.normals,
        PILLAR.uvs,
        PILLAR.faces,
        options.pop("textures", WHITE),
        at(0, 0) if model is None else model,
        seen,
        window or (0, 0, *SIZE),
        size or SIZE,
        light,
        **options,
    )


GROUND = box((40, 40, 0.2), centre_m=(0, 0, -0.1))
CRATE = box((1.0, 1.0, 1.2), centre_m=(0, 0, 0.6))
PLACE = join([GROUND, CRATE])


def extent(covered: np.ndarray) -> tuple[int, ...]:
    rows, columns = np.nonzero(covered)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
