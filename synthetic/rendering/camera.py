"""Cameras: where they stand, what they see, and where a point of the world is in their picture."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everyid.errors import ConfigError

__all__ = ["Camera", "aim", "draw_camera"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera with square pixels, its optical axis in the middle, and a little distortion.

    A point at (x, y, z) metres to the right, below and in front of the lens is seen at
    ``centre + focal_px * (1 + k1 * r2) * (x / z, y / z)`` with ``r2 = (x / z)^2 + (y / z)^2``:
    the first term of OpenCV's model. Where ``r2 > distortion_reach``, far outside of the picture,
    the factor stays what it is there, so that nothing folds back into the picture.

    Source: Brown, Decentering distortion of lenses, 1966; Zhang, A flexible new technique for
    camera calibration, 2000.

    Args:
        name: What files call it.
        position_m: Where the lens is in the world.
        yaw_deg: Where it looks, seen from above: 0 along x, 90 along y.
        pitch_deg: 0 level, negative looks down.
        roll_deg: Positive turns the camera clockwise, seen from behind it.
        focal_px: Focal length in pixels.
        size_wh: The picture's width and height in pixels.
        k1: Radial distortion; negative is a barrel, as of wide lenses.

    Raises:
        ConfigError: The distortion is too strong for the field of view.
    """

    name: str
    position_m: tuple[float, float, float]
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    focal_px: float
    size_wh: tuple[int, int]
    k1: float = 0.0

    def __post_init__(self) -> None:
        reach = self.distortion_reach
        if math.sqrt(reach) * (1 + self.k1 * reach) < self._corner():
            raise ConfigError(
                f"camera {self.name}: k1 = {self.k1:g} folds the corners of a picture of "
                f"{self.size_wh[0]}x{self.size_wh[1]} at a focal length of {self.focal_px:g} px",
                hint="a longer focal length or a k1 nearer to 0",
            )

    @property
    def centre_px(self) -> tuple[float, float]:
        """Where the optical axis meets the picture; the top left pixel's middle is (0.5, 0.5)."""
        return self.size_wh[0] / 2, self.size_wh[1] / 2

    @property
    def distortion_reach(self) -> float:
        """The squared distance from the axis, over depth, up to which distortion grows."""
        return 0.8 / (-3 * self.k1) if self.k1 < 0 else (2 * self._corner()) ** 2

    def view_matrix(self) -> Doubles:
        """From the world to the camera: x to the right, y down, z along the optical axis.

        Returns:
            float64 (4, 4), for column vectors, metres; not to be written to.
        """
        return _view_matrix(self.position_m, self.yaw_deg, self.pitch_deg, self.roll_deg)

    def intrinsic_matrix(self) -> Doubles:
        """From the camera's axes to pixels without distortion: float64 (3, 3)."""
        x, y = self.centre_px
        return np.array([[self.focal_px, 0, x], [0, self.focal_px, y], [0, 0, 1]])

    def project(self, points: ArrayLike) -> tuple[Doubles, Doubles]:
        """Where points of the world are in the picture, distortion included.

        Args:
            points: float (N, 3), metres.

        Returns:
            Pixels, float64 (N, 2), also outside of the picture, NaN for what is not in front of
            the lens; and depth along the optical axis, float64 (N,), metres.
        """
        view = self.view_matrix()
        seen = np.asarray(points, np.float64) @ view[:3, :3].T + view[:3, 3]
        depth = seen[:, 2]
        flat = seen[:, :2] / np.where(depth > 0, depth, np.nan)[:, None]
        squared = np.minimum((flat**2).sum(1), self.distortion_reach)
        pixels = self.centre_px + self.focal_px * (1 + self.k1 * squared)[:, None] * flat
        return pixels, depth

    def undistort(self, pixels: ArrayLike) -> Doubles:
        """The x / z and y / z of what is seen at pixels of the picture.

        Args:
            pixels: float (N, 2), of the distorted picture.

        Returns:
            float64 (N, 2).
        """
        bent = (np.asarray(pixels, np.float64) - self.centre_px) / self.focal_px
        wanted = np.hypot(bent[:, 0], bent[:, 1])
        reach = self.distortion_reach
        radius = wanted.copy()
        for _ in range(8):  # Newton; what lies beyond the reach is solved below
            inside = np.minimum(radius, math.sqrt(reach))
            slope = 1 + 3 * self.k1 * inside**2
            radius = inside - (inside * (1 + self.k1 * inside**2) - wanted) / slope
        edge = math.sqrt(reach) * (1 + self.k1 * reach)
        radius = np.where(wanted > edge, wanted / (1 + self.k1 * reach), radius)
        return bent * (radius / np.maximum(wanted, 1e-12))[:, None]

    def ground_point(self, pixel: tuple[float, float]) -> tuple[float, float] | None:
        """The x and y of the ground's point seen at a pixel, metres; None at or above the horizon.

        Args:
            pixel: x and y in the distorted picture.
        """
        x, y = self.undistort([pixel])[0]
        ray = np.array([x, y, 1.0]) @ self.view_matrix()[:3, :3]
        if ray[2] >= -1e-9:
            return None
        reach = -self.position_m[2] / ray[2]
        return self.position_m[0] + reach * float(ray[0]), self.position_m[1] + reach * float(
            ray[1]
        )

    def to_calibration(
        self,
    ) -> dict[str, str | float | list[float] | list[int] | list[list[float]]]:
        """Plain numbers for a file, from which OpenCV computes the same pixels.

        Returns:
            ``name``; ``intrinsic`` 3x3 and ``k1``, for pixels whose middles are at +0.5;
            ``rotation`` 3x3 and ``translation_m``, from the world to the camera; ``size_wh``.
        """
        view = self.view_matrix()
        return {
            "name": self.name,
            "size_wh": list(self.size_wh),
            "intrinsic": self.intrinsic_matrix().tolist(),
            "k1": self.k1,
            "rotation": view[:3, :3].tolist(),
            "translation_m": view[:3, 3].tolist(),
        }

    def _corner(self) -> float:
        """How far the corners of the picture are from its middle, in focal lengths."""
        return math.hypot(*self.centre_px) / self.focal_px


@lru_cache(maxsize=1024)
def _view_matrix(
    position_m: tuple[float, float, float], yaw_deg: float, pitch_deg: float, roll_deg: float
) -> Doubles:
    """See ``Camera.view_matrix``."""
    yaw, pitch, roll = math.radians(yaw_deg), math.radians(pitch_deg), math.radians(roll_deg)
    ahead = np.array(
        [math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), math.sin(pitch)]
    )
    right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    down = np.cross(ahead, right)
    rotation = np.stack(
        [
            math.cos(roll) * right + math.sin(roll) * down,
            math.cos(roll) * down - math.sin(roll) * right,
            ahead,
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ np.asarray(position_m, np.float64)
    matrix.flags.writeable = False
    return matrix


def aim(
    position_m: tuple[float, float, float], target_m: tuple[float, float, float]
) -> tuple[float, float]:
    """The yaw and pitch in degrees with which a camera looks at a point.

    >>> aim((0.0, 0.0, 4.0), (0.0, 4.0, 0.0))
    (90.0, -45.0)
    """
    x, y, z = np.subtract(target_m, position_m).tolist()
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def draw_camera(
    generator: np.random.Generator,
    name: str,
    *,
    target_xy: tuple[float, float] = (0.0, 0.0),
    distance_m: tuple[float, float] = (4.0, 20.0),
    height_m: tuple[float, float] = (1.5, 8.0),
    size_wh: tuple[int, int] = (1280, 720),
    view_deg: tuple[float, float] = (35.0, 90.0),
) -> Camera:
    """A camera such as hang on walls and posts, looking at a place from any side.

    Args:
        generator: Decides all.
        name: Of the camera.
        target_xy: The point of the ground around which it looks, metres.
        distance_m: How near and how far it may be from there, measured along the ground.
        height_m: How low and how high it may hang; low ones are more frequent.
        size_wh: The picture's width and height in pixels.
        view_deg: The narrowest and widest horizontal field of view.

    Returns:
        A camera that has the target near the middle of its picture. Most lenses bend straight
        lines outwards a little, wide ones more.
    """
    distance = generator.uniform(*distance_m)
    around = generator.uniform(0, 2 * math.pi)
    height = height_m[0] + (height_m[1] - height_m[0]) * float(generator.beta(1.3, 2.2))
    position = (
        target_xy[0] + distance * math.cos(around),
        target_xy[1] + distance * math.sin(around),
        height,
    )
    yaw, pitch = aim(position, (*target_xy, float(generator.uniform(0.5, 1.3))))
    view = generator.uniform(*view_deg)
    focal = size_wh[0] / 2 / math.tan(math.radians(view) / 2)
    corner = math.hypot(*size_wh) / 2 / focal
    bend = min(0.01, generator.normal(-0.04, 0.03)) if view > 50 else generator.normal(-0.01, 0.01)
    return Camera(
        name=name,
        position_m=position,
        yaw_deg=yaw + float(generator.normal(0, view / 25)),
        pitch_deg=pitch + float(generator.normal(0, view / 40)),
        roll_deg=float(generator.normal(0, 1.2)),
        focal_px=focal,
        size_wh=size_wh,
        k1=max(-0.12, float(bend)) / corner**2,
    )
