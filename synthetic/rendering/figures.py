"""Draws figures, each on its own."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthetic.rendering import shaders
from synthetic.rendering.camera import Camera
from synthetic.rendering.shading import openings
from synthetic.rendering.shots import Layer, Light, Shot

if TYPE_CHECKING:
    import moderngl

__all__ = [
    "DEPTH_RANGE_M",
    "FigureDrawer",
    "figure_bounds",
    "fill",
    "release",
    "set_lens",
    "upload_textures",
]

FloatArray = NDArray[np.float32]

_SAMPLES = 2
"""Pixels drawn for one of the layer, along each side."""

_KEPT = 32
"""How many figures stay on the card."""

_SURFACE = 512, 1024
"""The least width and height of the surface, drawn pixels."""

DEPTH_RANGE_M = 0.1, 1000.0
"""What is nearer or farther is not drawn."""

_BITS = np.arange(256)
_COVER = (_BITS > 191).astype(np.float32)
_SHADE = np.where(_BITS > 191, 0, np.minimum(_BITS / 126, 1)).astype(np.float32)
"""What the 8 bits of alpha mean: above three quarters is the figure, a half is full shadow."""


@dataclass(frozen=True, slots=True)
class _Uploaded:
    """A figure on the card, and the arrays it was made of, which keep their ids while it lives."""

    owners: tuple[object, ...]
    buffers: tuple["moderngl.Buffer", ...]
    texture: "moderngl.TextureArray"
    arrays: tuple["moderngl.VertexArray", "moderngl.VertexArray"]

    def release(self) -> None:
        release(*self.arrays, *self.buffers, self.texture)


@dataclass(frozen=True, slots=True)
class _Shadow:
    """How a shadow falls: from where, how strong, how fast it fades with what casts it height.

    ``spread_m`` is how much larger the figure is taken for it.
    """

    direction: tuple[float, float, float]
    strength: float
    fading: float
    softness_m: float
    spread_m: float = 0.0


class FigureDrawer:
    """Draws shots in a context and keeps what it may need again.

    Args:
        context: OpenGL.
    """

    def __init__(self, context: "moderngl.Context") -> None:
        self._context = context
        self._figure = context.program(
            vertex_shader=shaders.FIGURE_VERTEX, fragment_shader=shaders.FIGURE_FRAGMENT
        )
        self._shade = context.program(
            vertex_shader=shaders.SHADE_VERTEX, fragment_shader=shaders.SHADE_FRAGMENT
        )
        self._kept: OrderedDict[tuple[int, ...], _Uploaded] = OrderedDict()
        self._surface: moderngl.Framebuffer | None = None

    def release(self) -> None:
        """Frees all that is on the card."""
        for figure in self._kept.values():
            figure.release()
        self._kept.clear()
        self._drop_surface()
        release(self._figure, self._shade)

    def draw(self, shots: Sequence[Shot]) -> list[Layer]:
        """A layer a shot, in order."""
        return [self._layer_of(shot) for shot in shots]

    def _layer_of(self, shot: Shot) -> Layer:
        """Draws one shot at the surface's corner: elsewhere, coordinates are rounded otherwise."""
        width, height = (_SAMPLES * side for side in shot.size_wh)
        surface = self._surface_of((width, height))
        surface.use()
        surface.viewport = 0, 0, width, height
        surface.clear(0, 0, 0, 0, depth=1.0, viewport=(0, 0, width, height))
        self._draw_one(shot)
        read = surface.read(viewport=(0, 0, width, height), components=4)
        return _layer(shot, np.frombuffer(read, np.uint8).reshape(height, width, 4))

    def _draw_one(self, shot: Shot) -> None:
        """Draws the shadow, then the figure over it, into the surface's viewport."""
        context, figure = self._context, self._uploaded(shot)
        light, model = shot.light, np.asarray(shot.model, np.float64)
        view = shot.camera.view_matrix()
        opened = openings(
            shot.positions,
            shot.normals,
            model[:3, :3].T @ light.direction if any(light.sun) else None,
        )
        for buffer, values in zip(
            figure.buffers, (shot.positions, shot.normals, opened), strict=False
        ):
            buffer.orphan()
            buffer.write(np.ascontiguousarray(values, np.float32))
        context.front_face = "cw"  # rows go down
        if shot.shadow:
            shadow = _shadow(light)
            # Where the shadow fades with height, what faces down is what makes it darkest.
            context.enable_only(context.BLEND | (0 if shadow.fading else context.CULL_FACE))
            context.blend_equation = context.MAX, context.MAX
            set_lens(self._shade, shot.camera, shot.window_xyxy)
            fill(self._shade, view=view, model=model)
            fill(self._shade, direction=shadow.direction)
            fill(self._shade, fading=shadow.fading, spread=shadow.spread_m)
            figure.arrays[1].render()
        context.enable_only(context.CULL_FACE | context.DEPTH_TEST)
        set_lens(self._figure, shot.camera, shot.window_xyxy)
        fill(self._figure, view=view @ model, turn=model[:3, :3], direction=light.direction)
        fill(self._figure, sun=light.sun, sky=light.sky, ground=light.ground)
        figure.texture.use(0)
        figure.arrays[0].render()

    def _uploaded(self, shot: Shot) -> _Uploaded:
        """The shot's figure on the card; the one not used for longest makes room."""
        owners = (shot.uvs, shot.faces, shot.textures)
        key = (len(shot.positions), *map(id, owners))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        context, count = self._context, len(shot.positions)
        moving = [context.buffer(reserve=4 * width * count, dynamic=True) for width in (3, 3, 2)]
        fixed = context.buffer(np.ascontiguousarray(shot.uvs, np.float32))
        index = context.buffer(np.ascontiguousarray(shot.faces, np.int32))
        coarse = context.buffer(_coarser(shot.faces, count))
        formats = (("3f", "position"), ("3f", "normal"), ("2f", "opening"), ("3f", "uv"))
        content = [
            (buffer, layout, name)
            for buffer, (layout, name) in zip((*moving, fixed), formats, strict=True)
        ]
        self._kept[key] = _Uploaded(
            owners,
            (*moving, fixed, index, coarse),
            upload_textures(context, shot.textures),
            (
                context.vertex_array(self._figure, content, index),
                context.vertex_array(self._shade, content[:2], coarse),
            ),
        )
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1].release()
        return self._kept[key]

    def _surface_of(self, size: tuple[int, int]) -> "moderngl.Framebuffer":
        """The surface, made larger where it is smaller than the size."""
        held = self._surface
        if held is not None and held.width >= size[0] and held.height >= size[1]:
            return held
        self._drop_surface()
        side = (max(size[0], _SURFACE[0]), max(size[1], _SURFACE[1]))
        context = self._context
        self._surface = context.framebuffer(
            [context.renderbuffer(side, 4)], context.depth_renderbuffer(side)
        )
        return self._surface

    def _drop_surface(self) -> None:
        if self._surface is not None:
            parts = (*self._surface.color_attachments, self._surface.depth_attachment)
            release(self._surface, *parts)
            self._surface = None


def figure_bounds(
    positions: FloatArray,
    model: NDArray[np.float64] | FloatArray,
    camera: Camera,
    *,
    light: Light | None = None,
) -> tuple[float, float, float, float] | None:
    """The smallest box around a figure in a camera's picture, also where it reaches beyond.

    Args:
        positions: float32 (V, 3), metres.
        model: float (4, 4), from the figure to the world.
        camera: Who sees it.
        light: Includes the shadow that this light makes; None: the figure alone.

    Returns:
        Left, top, right and bottom in pixels; None where some of it is not in front of the lens.
    """
    turn, shift = np.asarray(model, np.float64)[:3, :3], np.asarray(model, np.float64)[:3, 3]
    world = positions @ turn.T + shift
    if light is not None:
        shadow = _shadow(light)
        towards = np.asarray(shadow.direction)
        flat = world - towards * (world[:, 2:] / towards[2])
        edge = shadow.spread_m + 2 * shadow.softness_m
        sides = ((edge, 0, 0), (-edge, 0, 0), (0, edge, 0), (0, -edge, 0))
        world = np.concatenate([world, *(flat + side for side in sides)])
    pixels, depth = camera.project(world)
    if depth.min() <= DEPTH_RANGE_M[0]:
        return None
    (left, top), (right, bottom) = pixels.min(0).tolist(), pixels.max(0).tolist()
    return left, top, right, bottom


def upload_textures(
    context: "moderngl.Context", textures: NDArray[np.uint8]
) -> "moderngl.TextureArray":
    """An array of textures with their smaller copies, repeated in all directions.

    Args:
        context: OpenGL.
        textures: uint8 (L, S, S, 3), sRGB.
    """
    count, height, width, _ = textures.shape
    texture = context.texture_array(
        (width, height, count), 3, np.ascontiguousarray(textures), alignment=1
    )
    texture.build_mipmaps()
    texture.filter = context.LINEAR_MIPMAP_NEAREST, context.LINEAR
    return texture


def set_lens(
    program: "moderngl.Program",
    camera: Camera,
    window_xyxy: tuple[float, float, float, float],
    *,
    distorted: bool = True,
) -> None:
    """Tells a program which part of a camera's picture it draws.

    Args:
        program: One that has ``window``, ``bend`` and ``depths``.
        camera: Who sees it.
        window_xyxy: The part, pixels.
        distorted: Whether pixels are those of the distorted picture.
    """
    left, top, right, bottom = window_xyxy
    x, y = camera.centre_px
    wide, high = 2 / (right - left), 2 / (bottom - top)
    near, far = DEPTH_RANGE_M
    fill(
        program,
        window=(
            camera.focal_px * wide,
            camera.focal_px * high,
            (x - left) * wide - 1,
            (y - top) * high - 1,
        ),
        bend=(camera.k1 if distorted else 0.0, camera.distortion_reach),
        depths=((far + near) / (far - near), -2 * far * near / (far - near)),
    )


def fill(program: "moderngl.Program", **values: ArrayLike) -> None:
    """Sets a program's uniforms; matrices are of rows.

    Args:
        program: One that has them all.
        values: Numbers, vectors, matrices.
    """
    for name, value in values.items():
        cast("moderngl.Uniform", program[name]).write(np.asarray(value, np.float32).T.tobytes())


def release(*things: Any) -> None:  # noqa: ANN401 - the types of OpenGL's objects share no base
    """Frees things on the card."""
    for thing in things:
        thing.release()


def _coarser(faces: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Fewer triangles of nearly the same outline, for shadows.

    Each vertex moves to the first of its neighbours; triangles that shrink to a line go.
    """
    first = np.arange(count, dtype=np.int32)
    lowest = faces.min(1)
    for corner in range(3):
        np.minimum.at(first, faces[:, corner], lowest)
    moved = first[faces]
    lines = (moved == np.roll(moved, 1, 1)).any(1)
    return np.ascontiguousarray(moved[~lines])


def _shadow(light: Light) -> _Shadow:
    """The sun's shadow where the sun counts, else a soft one around the feet."""
    direct = sum(light.sun) * max(light.direction[2], 0)
    share = direct / max(direct + 0.7 * sum(light.sky), 1e-6)
    if share < 0.15 or light.direction[2] < 0.1:
        return _Shadow((0.0, 0.0, 1.0), 0.85, fading=2.0, softness_m=0.06, spread_m=0.08)
    wide = min(max(light.direction[2] - 0.85, 0) / 0.12, 1)  # so are lamps on a ceiling
    return _Shadow(light.direction, share, 1.5 * wide, 0.02 + 0.05 * wide, 0.06 * wide)


def _layer(shot: Shot, pixels: NDArray[np.uint8]) -> Layer:
    """The layer from the drawn pixels, uint8 (2 H, 2 W, 4)."""
    width, height = shot.size_wh
    squared = cv2.multiply(pixels, pixels, scale=4 / 255**2, dtype=cv2.CV_32F)
    alpha = cv2.extractChannel(pixels, 3)
    both = _reduced(squared, shot.size_wh)
    rgb = np.asarray(cv2.cvtColor(both, cv2.COLOR_RGBA2RGB), np.float32)
    cover = _reduced(cv2.LUT(alpha, _COVER), shot.size_wh)
    if not shot.shadow:
        return Layer(rgb, cover, np.zeros((height, width), np.float32))
    shadow = _shadow(shot.light)
    left, _, right, _ = shot.window_xyxy
    place = np.asarray(shot.model, np.float64)[:3, 3]
    depth = max(float(shot.camera.project(place[None])[1][0]), 0.5)
    sigma = shadow.softness_m * shot.camera.focal_px / depth * width / (right - left)
    sigma = min(max(sigma, 0.35), 12.0)
    reach = 2 * math.ceil(2.5 * sigma) + 1
    # Blurred as a share of what the figure leaves free, so that it does not fade at its edges.
    dark: NDArray[Any] = _reduced(cv2.LUT(alpha, _SHADE), shot.size_wh)
    dark = cv2.GaussianBlur(dark, (reach, reach), sigma)
    free = cv2.GaussianBlur(1 - cover, (reach, reach), sigma)
    shade = np.minimum(dark / np.maximum(free, 0.02), 1) * np.float32(shadow.strength)
    return Layer(rgb, cover, shade.astype(np.float32, copy=False))


def _reduced(fine: NDArray[Any], size_wh: tuple[int, int]) -> FloatArray:
    """The means of the samples of each pixel, float32."""
    return np.asarray(cv2.resize(fine, size_wh, interpolation=cv2.INTER_AREA), np.float32)
