"""A site: one place, the fixed cameras in it, and which parts of its ground each of them sees."""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError
from everyid.output import whole_file
from synthetic.places.place import Place, draw_place
from synthetic.places.walking import CELL_M, is_free, standing_points
from synthetic.places.walking import path as walking_path
from synthetic.placing import PERSON_M, hangs_in, standing_in_picture, visible_share
from synthetic.rendering.camera import Camera, draw_camera
from synthetic.rendering.renderer import Renderer
from synthetic.rendering.sensor import Sensor, draw_sensor
from synthetic.seeds import generator
from synthetic.walks import Point

__all__ = ["Site", "draw_site", "load_site", "most_present", "overlaps", "save_site", "seen_points"]

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

_POINTS = 600
_HEIGHT_SHARE = (0.14, 0.8)
"""How tall a person may be in the picture for the camera to see the point they stand on well."""
_CANDIDATES = 32
"""Cameras looked at for each that is taken."""
_LOOK_WIDTH = 160
"""Pixels of the small pictures in which cameras are looked at."""
_FEWEST_POINTS = 15
_HEIGHTS_M = np.linspace(0.3, PERSON_M - 0.1, 5)
_FROM_WALL_M = 0.25
_NIGHT_SHARE = 1 / 12
_PLACES = 8
_HEIGHT_M = {True: (2.3, 2.8), False: (2.5, 6.0)}
"""How high cameras hang, indoors and outdoors."""
_OVERLAP = (0.15, 0.6)
"""What share of the smaller view two neighbours have in common."""
_GROUND_EACH_M2 = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """A place with cameras.

    Args:
        place: Where all happens.
        cameras: Named ``camera-1``, ``camera-2`` and so on.
        sensors: Of each camera.
        points: float64 (P, 2), spread over the ground, metres.
        seen: bool (C, P), which of them each camera sees well: a person there is neither too small
            nor too large, whole in the picture, and hidden by nothing of the place.
        attempt: How many places were given up before this one.
    """

    place: Place
    cameras: tuple[Camera, ...]
    sensors: tuple[Sensor, ...]
    points: Doubles
    seen: Mask
    attempt: int = 0

    @property
    def zones(self) -> list[Doubles]:
        """For each camera the points that it sees well: float64 (N, 2)."""
        return [self.points[mask] for mask in self.seen]

    def path(self, start: Point, end: Point) -> Doubles:
        """A way round the obstacles: float64 (N, 2), both ends included, metres."""
        return walking_path(self.place, start, end)

    def free(self, points: Doubles) -> Mask:
        """Where a person can be: bool (N,) for float64 (N, 2), metres."""
        return is_free(self.place, points)


def most_present(place: Place) -> int:
    """How many people there is room for at once, so that they can still walk."""
    return max(1, int(place.free.sum() * CELL_M**2 / _GROUND_EACH_M2))


def draw_site(
    renderer: Renderer,
    *,
    cameras: int,
    seed: int,
    size_wh: tuple[int, int],
    kind: str | None = None,
) -> Site:
    """A site whose cameras hang where they see much; about every second overlaps with another.

    Args:
        renderer: Draws the place as candidates see it.
        cameras: How many, at least 1.
        seed: Of the run.
        size_wh: Of their pictures, pixels.
        kind: Of the place; None: the seed decides.

    Raises:
        ConfigError: The kind of place is not known, or no place had room for that many cameras.
    """
    if cameras < 1:
        raise ConfigError(f"a site needs cameras: expected 1 or more, got {cameras}")
    for attempt in range(_PLACES):
        place, points, chance = _ground(seed, attempt, kind)
        hung = _hang(renderer, place, points, chance, count=cameras, size_wh=size_wh)
        if hung is not None:
            return Site(place, hung[0], _sensors(place, cameras, seed), points, hung[1], attempt)
    raise ConfigError(
        f"no place was found with room for {cameras} cameras of "
        f"{size_wh[0]}x{size_wh[1]} and seed {seed}",
        hint="ask for fewer cameras, or try another --seed",
    )


def _ground(
    seed: int, attempt: int, kind: str | None
) -> tuple[Place, Doubles, np.random.Generator]:
    chance = generator(seed, "site", attempt)
    place = draw_place(chance, kind=kind)
    return place, standing_points(place, chance, _POINTS), chance


def _sensors(place: Place, count: int, seed: int) -> tuple[Sensor, ...]:
    """A sensor for each camera; night, rain and haze are the same for all."""
    night = bool(generator(seed, "night").random() < _NIGHT_SHARE)
    weather = draw_sensor(generator(seed, "weather"), night=night, indoor=place.indoor)
    drawn = (
        draw_sensor(generator(seed, "sensor", number), night=night, indoor=place.indoor)
        for number in range(count)
    )
    return tuple(
        replace(sensor, rain=weather.rain, haze_per_m=weather.haze_per_m) for sensor in drawn
    )


def save_site(site: Site, path: Path) -> None:
    """Writes what of a site takes long to draw.

    Raises:
        OutputError: It cannot be written.
    """
    words = {
        "attempt": site.attempt,
        "cameras": [asdict(camera) for camera in site.cameras],
        "seen": [np.flatnonzero(mask).tolist() for mask in site.seen],
    }
    with whole_file(path, overwrite=True) as part:
        part.write_text(json.dumps(words), encoding="utf-8")


def load_site(path: Path, *, seed: int, kind: str | None) -> Site:
    """The site that was saved.

    Args:
        path: Its file.
        seed: As it was drawn with.
        kind: As it was drawn with.

    Raises:
        OSError: The file cannot be read.
    """
    words = json.loads(path.read_text(encoding="utf-8"))
    place, points, _ = _ground(seed, words["attempt"], kind)
    seen = np.zeros((len(words["cameras"]), len(points)), bool)
    for mask, rows in zip(seen, words["seen"], strict=True):
        mask[rows] = True
    cameras = tuple(_camera(camera) for camera in words["cameras"])
    return Site(place, cameras, _sensors(place, len(cameras), seed), points, seen, words["attempt"])


def _camera(words: dict[str, Any]) -> Camera:
    """The camera of its fields, in which JSON made tuples lists."""
    for name in ("position_m", "size_wh"):
        words[name] = tuple(words[name])
    return Camera(**words)


def _hang(
    renderer: Renderer,
    place: Place,
    points: Doubles,
    chance: np.random.Generator,
    *,
    count: int,
    size_wh: tuple[int, int],
) -> tuple[tuple[Camera, ...], Mask] | None:
    """The cameras and what they see, or None when one of them would see too little."""
    chosen: list[Camera] = []
    seen = np.zeros((0, len(points)), bool)
    for number in range(count):
        best, best_seen, best_score = None, np.zeros(len(points), bool), -math.inf
        for _ in range(_CANDIDATES):
            x, y = points[int(chance.integers(len(points)))].tolist()
            camera = draw_camera(
                chance,
                f"camera-{number + 1}",
                target_xy=(x, y),
                distance_m=(4.0, 14.0),
                height_m=_HEIGHT_M[place.indoor],
                size_wh=size_wh,
                view_deg=(48.0, 78.0),
            )
            if not hangs_in(place, camera, from_wall_m=_FROM_WALL_M):
                continue
            mask = seen_points(renderer, place, camera, points)
            score = _score(mask, seen, neighbour=number % 2 == 1)
            if mask.sum() >= _FEWEST_POINTS and score > best_score:
                best, best_seen, best_score = camera, mask, score
        if best is None:
            return None
        chosen.append(best)
        seen = np.concatenate([seen, best_seen[None]])
    return tuple(chosen), seen


def _score(mask: Mask, seen: Mask, *, neighbour: bool) -> float:
    """How useful a camera would be: much that is new, and overlap where that is wanted.

    Args:
        mask: bool (P,), what it sees.
        seen: bool (C, P), what those see that hang already.
        neighbour: Whether it is to share a part of another's view.
    """
    fresh = float((mask & ~seen.any(0)).sum())
    shares = [overlaps(mask, other) for other in seen]
    if not shares:
        return fresh
    if neighbour:
        return fresh + (len(mask) if any(_OVERLAP[0] < s < _OVERLAP[1] for s in shares) else 0)
    return fresh - 3.0 * float((mask & seen.any(0)).sum())


def overlaps(one: Mask, other: Mask) -> float:
    """What share of the smaller view two cameras have in common, 0-1.

    Args:
        one: bool (P,), the points that one sees.
        other: bool (P,), those that the other sees.
    """
    return float((one & other).sum() / max(1, min(one.sum(), other.sum())))


def seen_points(renderer: Renderer, place: Place, camera: Camera, points: Doubles) -> Mask:
    """Which points of the ground a camera sees well; see :class:`Site`.

    Args:
        renderer: Draws the place, small.
        place: The place.
        camera: The camera.
        points: float64 (P, 2), metres.

    Returns:
        bool (P,).
    """
    small = _small(camera)
    tall, whole = standing_in_picture(small, points)
    with np.errstate(invalid="ignore"):
        share = tall / small.size_wh[1]
        framed = whole & (share >= _HEIGHT_SHARE[0]) & (share <= _HEIGHT_SHARE[1])
    if framed.sum() < _FEWEST_POINTS:
        return np.zeros(len(points), bool)
    plate = renderer.plate(place.mesh, place.textures, small, place.light)
    clear = visible_share(small, plate.distance_m, points, heights_m=_HEIGHTS_M, slack_m=0.4)
    return np.asarray(framed & (clear >= 0.8))


def _small(camera: Camera) -> Camera:
    """The same camera with a small picture."""
    width, height = camera.size_wh
    scale = _LOOK_WIDTH / width
    size = (_LOOK_WIDTH, max(16, round(height * scale)))
    return replace(camera, size_wh=size, focal_px=camera.focal_px * scale)
