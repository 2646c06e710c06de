"""Draws places once a camera, with their shadows and the sky."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic.rendering import shaders
from synthetic.rendering.camera import Camera
from synthetic.rendering.figures import DEPTH_RANGE_M, fill, release, set_lens, upload_textures
from synthetic.rendering.mesh import Mesh
from synthetic.rendering.shading import lamp_axes
from synthetic.rendering.shots import Light, Plate

if TYPE_CHECKING:
    import moderngl

__all__ = ["PlateDrawer"]

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SAMPLES = 2
_SUN_MAP, _SKY_MAP = 2048, 1024
"""Widths of the pictures that the lamps see."""

_REACH_M = 45.0
"""Shadows are drawn up to here around what the camera looks at."""

_GROUND_M = 0.1
"""What is lower is the ground."""

_TILE = 16
"""Pixels between those for which the lens's distortion is computed."""


class PlateDrawer:
    """Draws plates in a context.

    Args:
        context: OpenGL.
    """

    def __init__(self, context: "moderngl.Context") -> None:
        self._context = context
        self._place = context.program(
            vertex_shader=shaders.PLATE_VERTEX, fragment_shader=shaders.PLATE_FRAGMENT
        )
        self._depth = context.program(
            vertex_shader=shaders.DEPTH_VERTEX, fragment_shader=shaders.DEPTH_FRAGMENT
        )
        self._maps = []
        for side in (_SUN_MAP, _SKY_MAP):
            texture = context.depth_texture((side, side))
            texture.compare_func = "<="
            texture.repeat_x = texture.repeat_y = False
            self._maps.append((texture, context.framebuffer(depth_attachment=texture)))
        for number, name in enumerate(("sun_map", "sky_map")):
            self._place[name] = number + 1

    def release(self) -> None:
        """Frees all that is on the card."""
        for texture, surface in self._maps:
            surface.release()
            texture.release()
        self._place.release()
        self._depth.release()

    def draw(self, mesh: Mesh, textures: NDArray[np.uint8], camera: Camera, light: Light) -> Plate:
        """The place as the camera sees it; see ``Renderer.plate``."""
        window = _window(camera)
        colours, depth = self._render(mesh, textures, camera, light, window)
        return _developed(colours, depth, camera, light, window)

    def _render(
        self,
        mesh: Mesh,
        textures: NDArray[np.uint8],
        camera: Camera,
        light: Light,
        window: tuple[float, float, float, float],
    ) -> tuple[FloatArray, FloatArray]:
        """The window without distortion, at the finer scale: colours with alpha, and depth."""
        context = self._context
        size = _fine_size(window)
        buffers = [
            context.buffer(np.ascontiguousarray(values))
            for values in (mesh.positions, mesh.normals, mesh.uvs, mesh.faces)
        ]
        texture = upload_textures(context, textures)
        held: list[moderngl.Renderbuffer] = [
            context.renderbuffer(size, 4, dtype="f2"),
            context.depth_renderbuffer(size),
        ]
        surface = context.framebuffer(held[:1], held[1])
        content = [
            (buffer, "3f", name)
            for buffer, name in zip(buffers, ("position", "normal", "uv"), strict=False)
        ]
        place = context.vertex_array(self._place, content, buffers[3])
        depth_only = context.vertex_array(self._depth, content[:1], buffers[3])
        try:
            self._draw_maps(depth_only, mesh, camera, light)
            surface.use()
            surface.clear(0, 0, 0, 0, depth=1.0)
            context.enable_only(context.CULL_FACE | context.DEPTH_TEST)
            context.front_face = "cw"  # rows go down
            set_lens(self._place, camera, window, distorted=False)
            fill(self._place, view=camera.view_matrix(), direction=light.direction)
            fill(self._place, sun=light.sun, sky=light.sky, ground=light.ground)
            texture.use(0)
            for number, (depth_map, _) in enumerate(self._maps):
                depth_map.use(number + 1)
            place.render()
            colours = np.frombuffer(surface.read(components=4, dtype="f2"), np.float16)
            depth = np.frombuffer(surface.read(components=1, attachment=-1, dtype="f4"), np.float32)
        finally:
            release(place, depth_only, surface, *held, *buffers, texture)
        return colours.astype(np.float32).reshape(*size[::-1], 4), depth.reshape(size[::-1])

    def _draw_maps(
        self, depth_only: "moderngl.VertexArray", mesh: Mesh, camera: Camera, light: Light
    ) -> None:
        """Draws what the sun sees, and what somebody high above sees."""
        context = self._context
        context.enable_only(context.CULL_FACE | context.DEPTH_TEST)
        context.front_face = "ccw"
        context.polygon_offset = 1.5, 4.0  # no surface lies in its own shadow
        centre = _shadow_centre(camera)
        lamps = (("sun", light.direction), ("sky", (0.0, 0.0, 1.0)))
        for (name, towards), (_, surface) in zip(lamps, self._maps, strict=True):
            lamp = _lamp_matrix(mesh, centre, towards)
            surface.use()
            surface.clear(depth=1.0)
            fill(self._depth, lamp=lamp)
            if name == "sky" or any(light.sun):
                depth_only.render()
            scale = np.linalg.norm(lamp[1:3, :3], axis=1) / 2
            fill(self._place, **{f"{name}_lamp": lamp, f"{name}_scale": scale})
        context.polygon_offset = 0.0, 0.0


def _window(camera: Camera) -> tuple[float, float, float, float]:
    """What must be drawn without distortion to have all of the distorted picture, pixels."""
    width, height = camera.size_wh
    if camera.k1 == 0:
        return 0.0, 0.0, float(width), float(height)
    along = np.linspace(0, 1, 17)
    edge = [(x, y) for x in along * width for y in (0, height)]
    edge += [(x, y) for x in (0, width) for y in along * height]
    straight = camera.undistort(edge) * camera.focal_px + camera.centre_px
    (left, top), (right, bottom) = np.floor(straight.min(0)) - 2, np.ceil(straight.max(0)) + 2
    return float(left), float(top), float(right), float(bottom)


def _fine_size(window: tuple[float, float, float, float]) -> tuple[int, int]:
    """Width and height in drawn pixels; the window's edges are whole numbers."""
    left, top, right, bottom = (round(edge) for edge in window)
    return _SAMPLES * (right - left), _SAMPLES * (bottom - top)


def _shadow_centre(camera: Camera) -> Doubles:
    """The point on the ground around which shadows are drawn, float64 (2,)."""
    ahead = camera.view_matrix()[2, :3]
    level = float(np.linalg.norm(ahead[:2]))
    reach = min(camera.position_m[2] / max(-float(ahead[2]), 1e-3) * level, 30.0)
    where: Doubles = np.array(camera.position_m[:2]) + ahead[:2] / max(level, 1e-6) * reach
    return where


def _lamp_matrix(mesh: Mesh, centre: Doubles, towards: tuple[float, float, float]) -> Doubles:
    """From the world to a far lamp's square picture."""
    axes = lamp_axes(towards)
    low, high = mesh.positions.min(0).astype(float), mesh.positions.max(0).astype(float)
    low[:2] = np.maximum(low[:2], centre - _REACH_M)
    high[:2] = np.maximum(np.minimum(high[:2], centre + _REACH_M), low[:2] + 1)
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3) @ axes.T
    middle = (corners.min(0) + corners.max(0)) / 2
    half = float((corners.max(0) - corners.min(0))[:2].max() / 2) + 0.1
    heights = mesh.positions @ axes[2]
    middle[2] = (heights.min() + heights.max()) / 2
    deep = float(heights.max() - heights.min()) / 2 + 0.1
    scale = np.array([1 / half, 1 / half, -1 / deep])
    matrix = np.eye(4)
    matrix[:3, :3] = axes * scale[:, None]
    matrix[:3, 3] = -middle * scale
    return matrix


def _flat_grid(camera: Camera, samples: int) -> tuple[FloatArray, FloatArray]:
    """Where the middles of all pixels of the distorted picture look: x / z and y / z.

    Computed for some pixels and interpolated between them, which is exact to 0.01 pixels.
    """
    width, height = (side * samples for side in camera.size_wh)
    columns, rows = (
        (np.arange(-(-side // _TILE) + 2) - 0.5) * _TILE / samples for side in (width, height)
    )
    coarse = camera.undistort(np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2))
    grid = coarse.reshape(len(rows), len(columns), 2).astype(np.float32)
    fine = cv2.resize(grid, None, fx=_TILE, fy=_TILE, interpolation=cv2.INTER_LINEAR)
    inside = fine[_TILE : _TILE + height, _TILE : _TILE + width]
    return np.ascontiguousarray(inside[..., 0]), np.ascontiguousarray(inside[..., 1])


def _developed(
    colours: FloatArray,
    depth: FloatArray,
    camera: Camera,
    light: Light,
    window: tuple[float, float, float, float],
) -> Plate:
    """The distorted picture with its sky from the fine undistorted one."""
    if camera.k1:
        colours, depth = _distorted(colours, depth, camera, window)
    else:
        depth = depth[::_SAMPLES, ::_SAMPLES]
    near, far = DEPTH_RANGE_M
    distance = np.float32(2 * far * near) / (
        np.float32(far + near) - (2 * depth - 1) * np.float32(far - near)
    )
    distance[depth >= 1] = np.inf
    cover = _mean((colours[..., 3] > 0).astype(np.float32), camera)
    small = _mean(colours, camera)
    sunlit: FloatArray = np.clip(2 * small[..., 3] / np.maximum(cover, 1e-3) - 1, 0, 1)
    sunlit[cover <= 0] = 1
    x, y = _flat_grid(camera, 1)
    right, down, ahead = camera.view_matrix()[:3, 2].astype(np.float32)
    up = x * right + y * down + ahead
    with np.errstate(invalid="ignore"):  # the sky's inf times 0
        ground = (camera.position_m[2] + distance * up < _GROUND_M) & (depth < 1)
    rgb = np.ascontiguousarray(small[..., :3])
    if cover.min() < 1:
        sky = _sky(up / np.sqrt(x * x + y * y + 1), light)
        rgb = rgb + (1 - cover)[..., None] * sky
    return Plate(rgb, distance, sunlit, ground.astype(np.float32))


def _mean(fine: FloatArray, camera: Camera) -> FloatArray:
    """The means of the samples of each pixel."""
    return np.asarray(cv2.resize(fine, camera.size_wh, interpolation=cv2.INTER_AREA), np.float32)


def _distorted(
    colours: FloatArray,
    depth: FloatArray,
    camera: Camera,
    window: tuple[float, float, float, float],
) -> tuple[FloatArray, FloatArray]:
    """The fine colours, and the depth of every pixel, as the lens bends them."""
    scale = np.float32(camera.focal_px * _SAMPLES)
    x, y = (
        part * scale + np.float32((middle - edge) * _SAMPLES - 0.5)
        for part, middle, edge in zip(
            _flat_grid(camera, _SAMPLES), camera.centre_px, window[:2], strict=True
        )
    )
    bent = cv2.remap(colours, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    few_x, few_y = (np.ascontiguousarray(part[::_SAMPLES, ::_SAMPLES]) for part in (x, y))
    deep = cv2.remap(depth, few_x, few_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.float32), np.asarray(deep, np.float32)


def _sky(up: FloatArray, light: Light) -> FloatArray:
    """float32 (H, W, 3) for rays' upward parts: paler near the horizon; below it the ground's."""
    height = np.sqrt(np.clip(up, 0, 1))[..., None]
    above = np.asarray(light.sky, np.float32)
    pale = np.float32(1.1) * (np.float32(0.4) * above + np.float32(0.6) * above.mean())
    below = np.clip(-up * 40, 0, 1)[..., None]
    sky = pale + (above - pale) * height
    return np.asarray(sky + (np.asarray(light.ground, np.float32) - sky) * below, np.float32)
