"""What each camera of a set of crops looks at: a place without people, and where one may stand."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everyid.errors import InputError
from everyid.output import whole_file
from synthetic.places.place import Place, draw_place
from synthetic.places.walking import standing_points
from synthetic.placing import PERSON_M, hangs_in, standing_in_picture, visible_share
from synthetic.rendering.camera import Camera, draw_camera
from synthetic.rendering.renderer import Light, Renderer
from synthetic.rendering.sensor import Sensor, adapted, draw_sensor
from synthetic.seeds import generator

__all__ = ["Stage", "draw_stage", "load_stage", "save_stage", "seen_at"]

_SIZES_WH = ((640, 360), (960, 540), (1280, 720))
_SIZE_SHARES = (0.3, 0.4, 0.3)
_HEIGHT_PX = (56.0, 280.0)
_HEIGHTS_M = np.linspace(0.2, PERSON_M - 0.1, 6)
_FROM_WALL_M = 0.2
_FEWEST_SPOTS = 24
_HALF_HIDDEN_ONE_IN = 6
"""One in so many spots may be half hidden behind things; the others are in plain sight."""
_TRIES, _VIEWS = 40, 24
"""How many places are tried, and how many cameras in each."""
_HANGING_M = {False: (1.8, 8.0), True: (2.1, 2.45)}
"""How high a camera hangs, outdoors and indoors."""
_TOO_NEAR_M, _MOST_NEAR = 1.5, 0.12
"""A camera of which a larger share looks at something nearer than this was hung badly."""
_HEADROOM = 4.0
"""The brightest light that a stage keeps; white paper in full light is 1."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A place as a fixed camera sees it.

    Args:
        camera: Where it stands.
        sensor: How it shows colours.
        light: As at a sunny spot of the place.
        picture: float32 (H, W, 3), linear, without people.
        distance_m: float32 (H, W), along the optical axis, inf for the sky.
        sunlit: float32 (H, W), 0-1, how much of the sun gets there.
        ground: float32 (H, W), 1 where the ground is seen, else 0.
        spots_xy: float64 (S, 2), points of the ground on which a person is seen, metres.
    """

    camera: Camera
    sensor: Sensor
    light: Light
    picture: NDArray[np.float32]
    distance_m: NDArray[np.float32]
    sunlit: NDArray[np.float32]
    ground: NDArray[np.float32]
    spots_xy: NDArray[np.float64]


def draw_stage(renderer: Renderer, *, seed: int, number: int) -> Stage:
    """The stage of one camera of a set.

    Args:
        renderer: Draws the place.
        seed: Of the set.
        number: Of the camera, from 1.

    Raises:
        InputError: No camera was found that sees enough of any place.
    """
    chance = generator(seed, "stage", number)
    for _ in range(_TRIES):
        place = draw_place(chance)
        size = _SIZES_WH[int(chance.choice(len(_SIZES_WH), p=_SIZE_SHARES))]
        points = standing_points(place, chance, 400)
        for _ in range(_VIEWS):
            target = points[int(chance.integers(len(points)))]
            camera = draw_camera(
                chance,
                f"camera-{number}",
                target_xy=(float(target[0]), float(target[1])),
                height_m=_HANGING_M[place.indoor],
                size_wh=size,
            )
            framed = points[_in_frame(camera, points)]
            if len(framed) < _FEWEST_SPOTS or not hangs_in(place, camera, from_wall_m=_FROM_WALL_M):
                continue
            stage = _look(renderer, place, camera, framed, chance)
            near = float((stage.distance_m < _TOO_NEAR_M).mean())
            if len(stage.spots_xy) >= _FEWEST_SPOTS and near < _MOST_NEAR:
                return stage
    raise InputError(f"no view of any place was found for camera {number} with seed {seed}")


def _in_frame(camera: Camera, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a whole person on each point is in the picture, neither too small nor too large."""
    tall, whole = standing_in_picture(camera, points)
    with np.errstate(invalid="ignore"):
        return whole & (tall >= _HEIGHT_PX[0]) & (tall <= _HEIGHT_PX[1])


def _look(
    renderer: Renderer,
    place: Place,
    camera: Camera,
    points: NDArray[np.float64],
    chance: np.random.Generator,
) -> Stage:
    """The stage of a camera, with the points at which a person is seen."""
    plate = renderer.plate(place.mesh, place.textures, camera, place.light)
    clear = seen_at(camera, plate.distance_m, points)
    chosen = np.arange(len(points)) % _HALF_HIDDEN_ONE_IN == 0
    seen = (clear > 0.8) | (chosen & (clear >= 0.5))
    return Stage(
        camera=camera,
        sensor=adapted(draw_sensor(chance, indoor=place.indoor), plate.rgb),
        light=place.light,
        picture=plate.rgb,
        distance_m=plate.distance_m,
        sunlit=plate.sunlit,
        ground=plate.ground,
        spots_xy=points[seen],
    )


def seen_at(
    camera: Camera, distance_m: NDArray[np.float32], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much of a person on each point no thing hides, in sixths.

    Args:
        camera: Who looks.
        distance_m: float32 (H, W), of the place without people, along the optical axis.
        points: float64 (N, 2), metres.

    Returns:
        float64 (N,), 0-1.
    """
    return visible_share(camera, distance_m, points, heights_m=_HEIGHTS_M, slack_m=0.3)


def save_stage(stage: Stage, path: Path) -> None:
    """Writes a stage to a ``.npz`` file, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    words = {
        name: dataclasses.asdict(getattr(stage, name)) for name in ("camera", "sensor", "light")
    }
    encoded = np.sqrt(np.clip(stage.picture / _HEADROOM, 0, 1)) * 65535 + 0.5
    with whole_file(path, overwrite=True) as part, part.open("wb") as file:
        np.savez(
            file,
            words=np.array(json.dumps(words)),
            picture=encoded.astype(np.uint16),
            distance_m=stage.distance_m.astype(np.float16),
            sunlit=(stage.sunlit * 255 + 0.5).astype(np.uint8),
            ground=stage.ground.astype(np.uint8),
            spots_xy=stage.spots_xy,
        )


def load_stage(path: Path) -> Stage:
    """A stage from its file; equal to what was saved but for rounding.

    Raises:
        OSError: It cannot be read.
    """
    with np.load(path) as file:
        words: dict[str, dict[str, Any]] = json.loads(str(file["words"]))
        picture = file["picture"].astype(np.float32) / 65535
        return Stage(
            camera=Camera(**_tuples(words["camera"])),
            sensor=Sensor(**_tuples(words["sensor"])),
            light=Light(**_tuples(words["light"])),
            picture=picture * picture * np.float32(_HEADROOM),
            distance_m=file["distance_m"].astype(np.float32),
            sunlit=file["sunlit"].astype(np.float32) / 255,
            ground=file["ground"].astype(np.float32),
            spots_xy=file["spots_xy"],
        )


def _tuples(words: dict[str, Any]) -> dict[str, Any]:
    """The values with lists as tuples, as they were before JSON."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in words.items()
    }
