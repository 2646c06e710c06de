"""One frame of a fixed camera: the people who are there, laid over the empty place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.acting import Manner, pose_at
from synthetic.people.figure import Figure, pose_figure
from synthetic.placing import light_at, placement
from synthetic.rendering.camera import Camera
from synthetic.rendering.compose import Placed, compose, smear
from synthetic.rendering.renderer import Light, Plate, Renderer, Shot
from synthetic.rendering.sensor import Sensor, develop
from synthetic.truth import LEAST_VISIBILITY, clip_box
from synthetic.walks import Moment

__all__ = ["Actor", "Sighting", "Take", "film"]

Doubles = NDArray[np.float64]
Box = tuple[float, float, float, float]

_TALLEST_M, _WIDEST_M = 2.3, 0.8
"""What surely holds a person: the height, and how far from the middle anything reaches."""
_NEAREST_M = 0.3
"""Who is nearer to the lens is not drawn."""
_EDGE_PX = 3
_EVERY = 24
"""One vertex in so many says where the shadow falls."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody to be drawn: the dressed body, and how it moves."""

    figure: Figure
    manner: Manner


@dataclass(frozen=True, slots=True)
class Take:
    """What stays the same through a video.

    Args:
        camera: Where it is.
        sensor: How it shows colours.
        light: As at a sunny spot of the place.
        plate: The place without people.
    """

    camera: Camera
    sensor: Sensor
    light: Light
    plate: Plate


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody who can be seen.

    Args:
        person: From 0.
        box_xyxy: All of the person, hidden or not, clipped to the picture; pixels.
        visibility: The share of the person that is seen, 0-1: of what lies in the picture as drawn,
            times the share of the whole box that does.
    """

    person: int
    box_xyxy: Box
    visibility: float


@dataclass(frozen=True, slots=True)
class _Drawn:
    person: int
    shot: Shot
    box_xyxy: Box
    distance_m: float
    blur_px: tuple[float, float]


def film(
    renderer: Renderer,
    take: Take,
    people: Sequence[tuple[Actor, Moment]],
    chance: np.random.Generator,
) -> tuple[NDArray[np.uint8], list[Sighting]]:
    """A frame, and who is seen in it.

    Args:
        renderer: Draws the people.
        take: The camera and what it looks at.
        people: Everybody who is there, seen or not, and what they are about.
        chance: Decides the noise of the picture.

    Returns:
        uint8 (H, W, 3), BGR; and the people of whom ``LEAST_VISIBILITY`` is seen, in the order
        given.
    """
    drawn = [
        one
        for actor, moment in people
        if _may_be_seen(take, moment) and (one := _draw(take, actor, moment)) is not None
    ]
    layers = renderer.draw([one.shot for one in drawn])
    placed = [
        Placed(
            smear(layer, one.blur_px),
            (round(one.shot.window_xyxy[0]), round(one.shot.window_xyxy[1])),
            one.distance_m,
        )
        for layer, one in zip(layers, drawn, strict=True)
    ]
    linear, shares = compose(
        take.plate.rgb, take.plate.distance_m, placed, ground=take.plate.ground
    )
    picture = develop(linear, take.sensor, chance, distance_m=take.plate.distance_m)
    sightings = []
    for one, share in zip(drawn, shares, strict=True):
        clipped = clip_box(one.box_xyxy, take.camera.size_wh)
        if clipped is None:
            continue
        visibility = share * _area(clipped) / _area(one.box_xyxy)
        if visibility >= LEAST_VISIBILITY:
            sightings.append(Sighting(one.person, clipped, visibility))
    return picture, sightings


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _may_be_seen(take: Take, moment: Moment) -> bool:
    """Whether anything of a person, or of the shadow, may be in the picture."""
    x, y = moment.xy
    sides = [
        (x + across, y + along, up)
        for across in (-_WIDEST_M, _WIDEST_M)
        for along in (-_WIDEST_M, _WIDEST_M)
        for up in (0.0, _TALLEST_M)
    ]
    corners = np.array(sides)
    pixels, depth = take.camera.project(np.concatenate([corners, _shadow(corners, take.light)]))
    if (depth < _NEAREST_M).all():
        return False
    if (depth < _NEAREST_M).any():
        return True
    width, height = take.camera.size_wh
    low, high = pixels.min(0), pixels.max(0)
    return bool(high[0] > 0 and high[1] > 0 and low[0] < width and low[1] < height)


def _shadow(points: Doubles, light: Light) -> Doubles:
    """Where the shadows of points fall on the ground."""
    steep = max(light.direction[2], 0.1)
    slope = np.array([light.direction[0], light.direction[1]]) / steep
    return np.column_stack([points[:, :2] - slope * points[:, 2:], np.zeros(len(points))])


def _draw(take: Take, actor: Actor, moment: Moment) -> _Drawn | None:
    """A person ready to be drawn, or None for one who is not in the picture."""
    pose = pose_at(moment, actor.manner)
    posed = pose_figure(actor.figure, pose)
    model = placement(moment.xy, moment.heading_deg)
    points = posed.positions @ model[:3, :3].T + model[:3, 3]
    pixels, depth = take.camera.project(points)
    if depth.min() < _NEAREST_M:
        return None
    across, down = np.ascontiguousarray(pixels.T)  # a fifth of the time along rows
    box: Box = (float(across.min()), float(down.min()), float(across.max()), float(down.max()))
    few = points[::_EVERY]
    shade, _ = take.camera.project(np.concatenate([_shadow(few, take.light), few * (1, 1, 0)]))
    blur = _blur(take, moment)
    edge = _EDGE_PX + math.ceil(math.hypot(*blur) / 2)
    window = _window(np.concatenate([[box[:2], box[2:]], shade]), take.camera.size_wh, edge)
    if window is None:
        return None
    left, top, right, bottom = window
    shot = Shot(
        positions=posed.positions,
        normals=posed.normals,
        uvs=actor.figure.uvs,
        faces=actor.figure.faces,
        textures=actor.figure.textures,
        model=model,
        camera=take.camera,
        window_xyxy=(float(left), float(top), float(right), float(bottom)),
        size_wh=(right - left, bottom - top),
        light=light_at(moment.xy, take.light, take.camera, take.plate.sunlit),
    )
    return _Drawn(moment.person, shot, box, float(depth.mean()), blur)


def _window(
    pixels: Doubles, size_wh: tuple[int, int], edge: int
) -> tuple[int, int, int, int] | None:
    """Whole pixels around those of the points that are in the picture, with an edge around."""
    low = np.maximum(np.floor(np.nanmin(pixels, axis=0)), 0) - edge
    high = np.minimum(np.ceil(np.nanmax(pixels, axis=0)), size_wh) + edge
    if (high - low <= 2 * edge).any():
        return None
    left, top, right, bottom = np.concatenate([low, high]).astype(int).tolist()
    return left, top, right, bottom


def _blur(take: Take, moment: Moment) -> tuple[float, float]:
    """How far a person moves in the picture while the shutter is open, pixels."""
    angle = math.radians(moment.heading_deg)
    reach = moment.speed * take.sensor.shutter_s / 2
    x, y = moment.xy
    step = (reach * math.cos(angle), reach * math.sin(angle))
    ends = [(x - step[0], y - step[1], 1.0), (x + step[0], y + step[1], 1.0)]
    pixels, depth = take.camera.project(ends)
    if depth.min() <= _NEAREST_M:
        return 0.0, 0.0
    across, down = (pixels[1] - pixels[0]).tolist()
    return across, down
