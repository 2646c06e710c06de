"""One person cut out of a camera's picture, as a detector would cut."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from synthetic.people.appearance import Carried
from synthetic.people.arms import draw_arms
from synthetic.people.figure import Figure, pose_figure
from synthetic.people.gait import Gait
from synthetic.people.pose import Pose, draw_pose, walking
from synthetic.placing import light_at, placement
from synthetic.rendering.compose import Placed, compose, smear
from synthetic.rendering.renderer import Renderer, Shot, figure_bounds
from synthetic.rendering.sensor import develop
from synthetic.stages import Stage, seen_at

__all__ = ["PASSERS_BY", "STEP_S", "Actor", "CutOut", "Step", "cut_out", "draw_walk"]

Doubles = NDArray[np.float64]
Box = tuple[float, float, float, float]

PASSERS_BY = 24
"""How many different people walk through other people's crops."""

STEP_S = 0.2
"""Seconds from one picture of a walk to the next."""

_LEAST_SEEN = 0.45
"""A person of whom less is seen would have been missed."""
_TRIES = 6
_BOUNDING = 4
"""Every so many points of a figure decide its box: less than a pixel is lost."""
_WALKS_TRIED = 24
_CROWDED = 0.15
"""How often somebody else stands so near that they are in the crop as well."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person to be drawn: the dressed body, the manner of walking, and what is carried."""

    figure: Figure
    gait: Gait
    carried: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a walk past a camera.

    Args:
        xy: Where the person is, metres.
        heading_deg: Where they go: 0 along x, 90 along y.
        pose: Of the body.
    """

    xy: tuple[float, float]
    heading_deg: float
    pose: Pose


@dataclass(frozen=True, slots=True)
class CutOut:
    """A crop.

    Args:
        picture: uint8 (H, W, 3), BGR.
        box_xyxy: Where it was cut from the camera's picture, whole pixels.
        person_xyxy: The box of the whole person, hidden parts included.
        visibility: How much of the person is seen in the crop, 0-1.
    """

    picture: NDArray[np.uint8]
    box_xyxy: tuple[int, int, int, int]
    person_xyxy: Box
    visibility: float


def draw_walk(stage: Stage, actor: Actor, chance: np.random.Generator, count: int) -> list[Step]:
    """A walk from one spot of a stage towards another, seen :data:`STEP_S` seconds apart.

    Of some walks it is the one that is least hidden, and that ends last.

    Args:
        stage: What the camera sees.
        actor: Who walks.
        chance: Decides from where to where.
        count: How many moments.
    """
    speed = actor.gait.speed_m_s
    times = np.arange(count) * STEP_S
    best, most = np.zeros((count, 2)), -1.0
    for _ in range(_WALKS_TRIED):
        start, goal = stage.spots_xy[chance.integers(len(stage.spots_xy), size=2)]
        length = max(1e-6, math.dist(start, goal))
        along = np.minimum(times * speed, length)
        points = start + along[:, None] * (goal - start) / length
        seen = seen_at(stage.camera, stage.distance_m, points).min()
        moving = along[-1] / max(1e-6, times[-1] * speed)
        if min(seen, moving) > most:
            best, most = points, float(min(seen, moving))
    way = best[-1] - best[0]
    heading = math.degrees(math.atan2(way[1], way[0]))
    arms, first = draw_arms(chance, carried=actor.carried), float(chance.random())
    steps = []
    for x, y in best.tolist():
        phase = (first + math.dist((x, y), best[0]) / actor.gait.cycle_m) % 1.0
        steps.append(Step((x, y), heading, walking(phase, gait=actor.gait, arms=arms)))
    return steps


def cut_out(
    renderer: Renderer,
    stage: Stage,
    actor: Actor,
    chance: np.random.Generator,
    *,
    step: Step | None = None,
    passer_by: Callable[[int], Actor] | None = None,
    spoiled: bool = False,
) -> CutOut:
    """A crop of a person at some spot of a stage, in some pose.

    Spots where too little of the person is seen are given up, as a detector would miss them; after
    some tries the best is taken.

    Args:
        renderer: Draws the people.
        stage: What the camera sees.
        actor: Whom the crop is of.
        chance: Decides where, how and with whom.
        step: Where and how, if that is not left to chance; then there is one try.
        passer_by: Gives somebody who may pass by, for a number from 0 to 23; None: nobody does.
        spoiled: A bad box: it hardly holds the person.

    Raises:
        InputError: All spots are too near to the lens.
    """
    tries = (
        _attempt(renderer, stage, actor, chance, step, passer_by=passer_by, spoiled=spoiled)
        for _ in range(_TRIES if step is None else 1)
    )
    best: CutOut | None = None
    for made in tries:
        if made is not None and (best is None or made.visibility > best.visibility):
            best = made
        if best is not None and (spoiled or best.visibility >= _LEAST_SEEN):
            return best
    if best is None:
        raise InputError(f"{stage.camera.name}: nobody fits in front of the lens")
    return best


def _attempt(
    renderer: Renderer,
    stage: Stage,
    actor: Actor,
    chance: np.random.Generator,
    step: Step | None,
    *,
    passer_by: Callable[[int], Actor] | None,
    spoiled: bool,
) -> CutOut | None:
    """A crop at one spot, whatever is seen there; None where the lens is in the way."""
    if step is None:
        step = _draw_step(stage, actor, chance)
    person = _stand(stage, actor, step)
    if person is None:
        return None
    drawn = [person]
    if passer_by is not None and chance.random() < _CROWDED:
        other = passer_by(int(chance.integers(PASSERS_BY)))
        turned = step.heading_deg + float(chance.normal(0, 25) + 180 * chance.integers(2))
        x, y = (np.asarray(step.xy) + _beside(chance)).tolist()
        pose = draw_pose(chance, other.gait, carried=other.carried)
        beside = _stand(stage, other, Step((x, y), turned, pose))
        drawn += [] if beside is None else [beside]
    cut = _detected(person.box_xyxy, stage.camera.size_wh, chance, spoiled=spoiled)
    left, top, right, bottom = cut
    view = (slice(top, bottom), slice(left, right))
    layers = renderer.draw([_within(one.shot, cut) for one in drawn])
    placed = [
        Placed(smear(layer, one.shift_xy), (0, 0), one.distance_m)
        for layer, one in zip(layers, drawn, strict=True)
    ]
    away = stage.distance_m[view]
    linear, seen = compose(stage.picture[view], away, placed, ground=stage.ground[view])
    picture = develop(linear, stage.sensor, chance, distance_m=away, vignette=False)
    visibility = seen[0] * _share_within(person.box_xyxy, cut)
    return CutOut(picture, cut, person.box_xyxy, visibility)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A person ready to be drawn.

    Args:
        shot: All but the window.
        box_xyxy: Around the whole person, pixels.
        distance_m: Along the optical axis.
        shift_xy: How far the person moves while the shutter is open, pixels.
    """

    shot: Shot
    box_xyxy: Box
    distance_m: float
    shift_xy: tuple[float, float]


def _draw_step(stage: Stage, actor: Actor, chance: np.random.Generator) -> Step:
    """Any spot, any heading, any pose."""
    x, y = stage.spots_xy[int(chance.integers(len(stage.spots_xy)))].tolist()
    heading = float(chance.uniform(0, 360))
    return Step((x, y), heading, draw_pose(chance, actor.gait, carried=actor.carried))


def _stand(stage: Stage, actor: Actor, step: Step) -> _Drawn | None:
    """A person at a spot, ready to be drawn; None where some of them is behind the lens."""
    posed = pose_figure(actor.figure, step.pose)
    model = placement(step.xy, step.heading_deg)
    box = figure_bounds(posed.positions[::_BOUNDING], model, stage.camera)
    if box is None:
        return None
    shot = Shot(
        positions=posed.positions,
        normals=posed.normals,
        uvs=actor.figure.uvs,
        faces=actor.figure.faces,
        textures=actor.figure.textures,
        model=model,
        camera=stage.camera,
        window_xyxy=box,
        size_wh=(1, 1),
        light=light_at(step.xy, stage.light, stage.camera, stage.sunlit),
    )
    angle, reach = math.radians(step.heading_deg), actor.gait.speed_m_s * stage.sensor.shutter_s
    x, y = step.xy
    ahead = (x + reach * math.cos(angle), y + reach * math.sin(angle), 0.9)
    ends, depth = stage.camera.project([(x, y, 0.9), ahead])
    shift = np.nan_to_num(ends[1] - ends[0])
    return _Drawn(shot, box, float(depth[0]), (float(shift[0]), float(shift[1])))


def _within(shot: Shot, cut: tuple[int, int, int, int]) -> Shot:
    """The shot, drawn in the part of the picture that is cut out."""
    left, top, right, bottom = cut
    window = (float(left), float(top), float(right), float(bottom))
    return replace(shot, window_xyxy=window, size_wh=(right - left, bottom - top))


def _beside(chance: np.random.Generator) -> Doubles:
    """How far away somebody passes, metres."""
    around = chance.uniform(0, 2 * math.pi)
    away = chance.uniform(0.45, 1.1)
    return np.array([away * math.cos(around), away * math.sin(around)])


def _detected(
    person: Box, size_wh: tuple[int, int], chance: np.random.Generator, *, spoiled: bool
) -> tuple[int, int, int, int]:
    """The box a detector might give for a person: a little off, now and then cut short.

    Args:
        person: The box of the whole person, pixels.
        size_wh: The picture's size, which the box keeps to.
        chance: Decides how far it is off.
        spoiled: Much of the person is left out, as in false boxes.

    Returns:
        Whole pixels, at least 8 each way.
    """
    left, top, right, bottom = person
    width, height = right - left, bottom - top
    slack = chance.normal((0.03, 0.015, 0.03, 0.015), 0.03)  # left, top, right, bottom
    left, right = left - slack[0] * height * 0.6, right + slack[2] * height * 0.6
    top, bottom = top - slack[1] * height, bottom + slack[3] * height
    kind = chance.random()
    if spoiled:
        across, down = chance.choice([-1, 1], 2) * chance.uniform(0.5, 0.9, 2)
        left, right = left + across * width, right + across * width
        top, bottom = top + down * height * 0.6, bottom + down * height * 0.6
    elif kind < 0.06:
        bottom -= chance.uniform(0.1, 0.45) * height  # legs hidden, or not found
    elif kind < 0.08:
        top += chance.uniform(0.05, 0.2) * height
    return _whole((left, top, right, bottom), size_wh)


def _whole(box: Box, size_wh: tuple[int, int], least: int = 8) -> tuple[int, int, int, int]:
    """The box in whole pixels of the picture, with some size."""
    width, height = size_wh
    left = min(max(0, round(box[0])), width - least)
    top = min(max(0, round(box[1])), height - least)
    right = min(max(left + least, round(box[2])), width)
    bottom = min(max(top + least, round(box[3])), height)
    return left, top, right, bottom


def _share_within(person: Box, cut: tuple[int, int, int, int]) -> float:
    """How much of a person's box lies in what was cut, 0-1."""
    across = max(0.0, min(person[2], cut[2]) - max(person[0], cut[0]))
    down = max(0.0, min(person[3], cut[3]) - max(person[1], cut[1]))
    return across * down / max(1e-9, (person[2] - person[0]) * (person[3] - person[1]))
