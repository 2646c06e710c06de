"""What worker processes do for a set of crops: the stage of a camera, the crops of a person."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from everyid.errors import OutputError
from everyid.output import whole_file
from synthetic.jobs import stopping
from synthetic.people.appearance import Appearance
from synthetic.people.body import load_body
from synthetic.people.figure import build_figure
from synthetic.people.gait import draw_gait
from synthetic.people.wardrobe import draw_passer_by
from synthetic.pictures import PASSERS_BY, Actor, Step, cut_out, draw_walk
from synthetic.rendering.renderer import process_renderer
from synthetic.seeds import generator
from synthetic.stages import Stage, draw_stage, load_stage, save_stage

__all__ = ["CropTask", "Role", "StageTask", "draw_crops", "make_stage", "stage_path"]

Role = Literal["person", "distractor", "junk"]

_QUALITY = 92


@dataclass(frozen=True, slots=True)
class StageTask:
    """The stage of one camera, to be made.

    Args:
        seed: Of the set.
        camera: From 1.
        folder: Where it is kept while the set is made.
    """

    seed: int
    camera: int
    folder: Path


@dataclass(frozen=True, slots=True)
class CropTask:
    """All crops of one person, to be drawn.

    Args:
        seed: Of the set.
        role: A labelled person, a distractor, or somebody whom boxes miss.
        number: Of the person within the role, from 1.
        looks: The person.
        stages: Where the stages are kept.
        crops: For each crop its camera, its number there, and the file it goes to.
        size_wh: Width and height of all crops, or None: as they were cut.
        walks: Whether the crops of a camera are moments of one walk.
    """

    seed: int
    role: Role
    number: int
    looks: Appearance
    stages: Path
    crops: tuple[tuple[int, int, Path], ...]
    size_wh: tuple[int, int] | None
    walks: bool = False


def stage_path(folder: Path, camera: int) -> Path:
    """The file of a camera's stage."""
    return folder / f"{camera:04d}.npz"


def make_stage(task: StageTask) -> None:
    """Draws the stage of a camera and keeps it; does nothing when it is there.

    Raises:
        EveryIDError: It cannot be drawn or written.
    """
    path = stage_path(task.folder, task.camera)
    if not path.exists():
        save_stage(draw_stage(process_renderer(), seed=task.seed, number=task.camera), path)


def draw_crops(task: CropTask) -> int:
    """Draws all crops of a person that are not there yet.

    Returns:
        How many of the task's crops are there now; fewer than asked only after a request to stop.

    Raises:
        EveryIDError: A crop cannot be drawn or written.
    """
    missing = [crop for crop in task.crops if not crop[2].exists()]
    if not missing:
        return len(task.crops)
    chance = generator(task.seed, "gait", task.role, task.number)
    actor = _actor(task.looks, chance)
    walks = _walks(task, actor) if task.walks else {}
    for done, (camera, picture, path) in enumerate(missing):
        if stopping():
            return len(task.crops) - len(missing) + done
        made = cut_out(
            process_renderer(),
            _stage(stage_path(task.stages, camera)),
            actor,
            generator(task.seed, "crop", task.role, task.number, camera, picture),
            step=walks.get((camera, picture)),
            passer_by=partial(_passer_by, task.seed),
            spoiled=task.role == "junk",
        )
        _write(made.picture, path, task.size_wh)
    return len(task.crops)


def _walks(task: CropTask, actor: Actor) -> dict[tuple[int, int], Step]:
    """Camera and picture -> the moment of the walk past that camera."""
    steps: dict[tuple[int, int], Step] = {}
    for camera in sorted({camera for camera, _, _ in task.crops}):
        pictures = sorted(picture for seen, picture, _ in task.crops if seen == camera)
        chance = generator(task.seed, "walk", task.role, task.number, camera)
        walk = draw_walk(_stage(stage_path(task.stages, camera)), actor, chance, len(pictures))
        steps |= {(camera, picture): step for picture, step in zip(pictures, walk, strict=True)}
    return steps


def _write(picture: NDArray[np.uint8], path: Path, size_wh: tuple[int, int] | None) -> None:
    """Writes a crop, whole or not at all."""
    if size_wh is not None:
        smaller = picture.shape[0] > size_wh[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, size_wh, interpolation=how), np.uint8)
    done, encoded = cv2.imencode(path.suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise OutputError(f"cannot encode {path} as {path.suffix}")
    with whole_file(path, overwrite=True) as part:
        part.write_bytes(encoded.tobytes())


@lru_cache(maxsize=24)
def _stage(path: Path) -> Stage:
    return load_stage(path)


def _actor(looks: Appearance, chance: np.random.Generator) -> Actor:
    """A person with body, clothes and manner of walking."""
    gait = draw_gait(chance, age_group=looks.age_group, height_m=looks.height_m)
    return Actor(build_figure(load_body(), looks), gait, looks.carried)


@lru_cache(maxsize=PASSERS_BY)
def _passer_by(seed: int, number: int) -> Actor:
    """One of the people who walk through other people's crops."""
    chance = generator(seed, "passer-by", number)
    return _actor(draw_passer_by(chance), chance)
