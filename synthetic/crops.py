"""Sets of crops for re-identification, labelled by construction."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from everyid.errors import ConfigError
from everyid.models import CropSetRun
from everyid.output import (
    Stop,
    counted,
    progress,
    stoppable,
    warn,
    whole_file,
    writing,
)
from synthetic.attributes import attribute_row, draw_attributes, write_attributes
from synthetic.config import CropsConfig
from synthetic.crop_worker import CropTask, Role, StageTask, draw_crops, make_stage
from synthetic.jobs import run_jobs
from synthetic.layouts.named import layout_named
from synthetic.layouts.plan import DISTRACTOR, JUNK, CropPlan, Layout, split
from synthetic.people.appearance import Appearance, Label
from synthetic.people.body_file import body_file
from synthetic.people.wardrobe import draw_passer_by, draw_people
from synthetic.seeds import generator
from synthetic.sheet import contact_sheet
from synthetic.workplace import enough_space, versions, workplace

__all__ = ["make_crops"]

_SIZES_WH: dict[str, tuple[int, int]] = {"market1501": (64, 128), "mars": (128, 256)}
"""Layouts whose crops all have one size, and which."""
_BYTES_A_CROP = {"market1501": 2600, "mars": 7500, "cuhk03": 45_000}
_BYTES_A_CROP_AS_CUT = 6000
_BYTES_A_STAGE = 6_000_000
_FRAMES_APART = 5
_UNNAMED_PATTERNS = ("plain", "denim", "knit", "leather", "logo")
"""Patterns that are not worth a word on a sheet."""


_Owner = tuple[Role, int]
"""Whose crop it is: the role, and the number within it."""


@dataclass(frozen=True, slots=True)
class _Person:
    """Whose crops they are.

    Args:
        role: Labelled or not.
        number: Within the role, from 1.
        cameras: That see the person, rising.
        pictures: How many each of them takes.
    """

    role: Role
    number: int
    cameras: tuple[int, ...]
    pictures: int


def make_crops(config: CropsConfig) -> CropSetRun:
    """Makes a set of crops with attributes, a contact sheet and what says how it was made.

    After Ctrl-C what is done lies hidden in the output folder, and the next run with the same
    options and output goes on from there.

    Raises:
        EveryIDError: An option, the output, the renderer or the body model cannot be used.
    """
    started = time.perf_counter()
    layout = layout_named(config.layout)
    cast = draw_people(config.identities, seed=config.seed)
    people = _people(config)
    plan, owners = _plan(people, layout)
    doing = {"command": config.command(), "versions": versions()}
    with (
        stoppable() as stop,
        workplace(config.output, "crops", doing, overwrite=config.overwrite) as place,
    ):
        body_file()
        crop_bytes = _BYTES_A_CROP.get(config.layout, _BYTES_A_CROP_AS_CUT)
        expected = crop_bytes * len(plan) + _BYTES_A_STAGE * config.cameras
        enough_space(place.output, expected, counted(len(plan), "crop"))
        paths = layout.paths(plan)
        made = _draw(config, cast, place.part, list(zip(owners, plan, paths, strict=True)), stop)
        whole = made == len(plan)
        if whole:
            layout.finish(place.part, plan, paths)
            _write_table(place.part, plan, paths)
            _write_attributes(cast, place.part, plan)
            _write_sheet(config, cast, place.part, plan, paths)
            place.finish()
        else:
            place.say_unfinished()
        return CropSetRun(
            output=place.output,
            layout=config.layout,
            crops=made,
            planned=len(plan),
            identities=config.identities,
            cameras=config.cameras,
            distractors=sum(crop.identity == DISTRACTOR for crop in plan),
            junk=sum(crop.identity == JUNK for crop in plan),
            elapsed_s=time.perf_counter() - started,
            interrupted=not whole,
        )


def _people(config: CropsConfig) -> list[_Person]:
    """Who is in the set, and which cameras see them.

    Raises:
        ConfigError: One camera only, in a layout whose protocol compares cameras.
    """
    if config.cameras < 2:
        if config.layout != "folders":
            raise ConfigError(
                f"--cameras: {config.layout} compares cameras and needs 2 or more, got 1",
                hint="add cameras, or choose --layout folders",
            )
        warn("with one camera nothing can be found again in another; figures need --protocol")
    people = []
    for number in range(1, config.identities + 1):
        chance = generator(config.seed, "cameras", number)
        seen = chance.permutation(config.cameras)[: config.seen_by] + 1
        cameras = tuple(sorted(int(camera) for camera in seen))
        people.append(_Person("person", number, cameras, config.per_camera))
    labelled = config.identities * config.seen_by * config.per_camera
    people += _unlabelled(config, "distractor", round(config.distractors * labelled))
    people += _unlabelled(config, "junk", round(config.junk * labelled))
    return people


def _unlabelled(config: CropsConfig, role: Role, crops: int) -> Iterator[_Person]:
    """People of one camera each, with as many crops in all as asked."""
    for number in range(1, -(-crops // config.per_camera) + 1):
        chance = generator(config.seed, "cameras", role, number)
        camera = int(chance.integers(config.cameras)) + 1
        left = crops - (number - 1) * config.per_camera
        yield _Person(role, number, (camera,), min(left, config.per_camera))


def _plan(people: Sequence[_Person], layout: Layout) -> tuple[list[CropPlan], list[_Owner]]:
    """All crops that the layout has a place for, and whose each is: role and number."""
    identities = {"distractor": DISTRACTOR, "junk": JUNK}
    plan: list[CropPlan] = []
    owner_of: dict[tuple[int, int, int], _Owner] = {}
    pictures: dict[tuple[int, int], int] = defaultdict(int)
    tracklets: dict[tuple[int, int], int] = defaultdict(int)
    for place, person in enumerate(people):
        identity = identities.get(person.role, person.number)
        for camera in person.cameras:
            seen = identity, camera
            tracklets[seen] += 1
            first = place * person.pictures * _FRAMES_APART
            for number in range(person.pictures):
                pictures[seen] += 1
                crop = CropPlan(
                    identity=identity,
                    camera=camera,
                    tracklet=tracklets[seen],
                    frame=first + number * _FRAMES_APART + 1,
                    picture=pictures[seen],
                )
                plan.append(crop)
                owner_of[identity, camera, crop.picture] = (person.role, person.number)
    kept = split(layout.kept(plan), by_tracklet=layout.by_tracklet)
    if not kept:
        raise ConfigError(
            f"{layout.name} has no place for any of {counted(len(plan), 'crop')}",
            hint="take more cameras for each identity, or --layout folders",
        )
    return kept, [owner_of[crop.identity, crop.camera, crop.picture] for crop in kept]


def _draw(
    config: CropsConfig,
    cast: Sequence[Appearance],
    part: Path,
    crops: Sequence[tuple[_Owner, CropPlan, str]],
    stop: Stop,
) -> int:
    """Draws all crops that are missing, and says how many there are then."""
    stages = part / ".stages"
    files = defaultdict(list)
    with writing(part):
        stages.mkdir(exist_ok=True)
        for owner, crop, path in crops:
            files[owner].append((crop.camera, crop.picture, part / path))
        for folder in {(part / path).parent for _, _, path in crops}:
            folder.mkdir(parents=True, exist_ok=True)
    used = sorted({crop.camera for _, crop, _ in crops})
    views = [StageTask(config.seed, camera, stages) for camera in used]
    with progress("placing cameras", len(views)) as advance:
        for _ in run_jobs(make_stage, views, workers=config.workers, stop=stop):
            advance()
    looks = _looks(config, cast, files)
    tasks = [
        CropTask(
            seed=config.seed,
            role=owner[0],
            number=owner[1],
            looks=looks[owner],
            stages=stages,
            crops=tuple(own),
            size_wh=_SIZES_WH.get(config.layout),
            walks=layout_named(config.layout).by_tracklet,
        )
        for owner, own in files.items()
    ]
    made = 0
    with progress("drawing crops", len(crops)) as advance:
        if not stop.requested:
            for _, count in run_jobs(draw_crops, tasks, workers=config.workers, stop=stop):
                made += count
                advance(count)
    return made


def _looks(
    config: CropsConfig, cast: Sequence[Appearance], owners: Iterable[_Owner]
) -> dict[_Owner, Appearance]:
    """What everybody looks like, labelled or not."""
    return {
        (role, number): cast[number - 1]
        if role == "person"
        else draw_passer_by(generator(config.seed, "looks", role, number))
        for role, number in owners
    }


def _write_table(folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> None:
    """Writes a row a crop: layouts that count people anew hide who is who in attributes."""
    columns = {"path": list(paths)}
    names = ("identity", "camera", "tracklet", "frame", "picture", "part")
    columns |= {name: [getattr(crop, name) for crop in plan] for name in names}
    with whole_file(folder / "crops.parquet", overwrite=True) as part:
        pq.write_table(pa.table(columns), part)


def _write_attributes(cast: Sequence[Appearance], folder: Path, plan: Sequence[CropPlan]) -> None:
    """Writes what each identity looks like."""
    there = sorted({crop.identity for crop in plan if crop.identity > DISTRACTOR})
    rows = [attribute_row(number, 1, cast[number - 1]) for number in there]
    write_attributes(folder / "attributes.parquet", rows, overwrite=True)
    title = f"What {counted(len(rows), 'synthetic person looks', 'synthetic people look')} like"
    draw_attributes(folder / "attributes.png", rows, title=title, overwrite=True)


def _write_sheet(
    config: CropsConfig,
    cast: Sequence[Appearance],
    folder: Path,
    plan: Sequence[CropPlan],
    paths: Sequence[str],
) -> None:
    """Writes a sheet of some identities in all cameras."""
    sheet = contact_sheet(
        folder,
        plan,
        paths,
        title=f"{counted(config.identities, 'synthetic person', 'synthetic people')}, "
        f"{counted(config.cameras, 'camera')}, seed {config.seed}",
        notes={number: _words(person.labels()) for number, person in enumerate(cast, 1)},
    )
    _, encoded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])
    with whole_file(folder / "sheet.jpg", overwrite=True) as part:
        part.write_bytes(encoded.tobytes())


def _words(labels: Mapping[str, Label]) -> str:
    """The looks of a person in few words, such as "black coat, striped navy shirt, navy jeans"."""
    parts = []
    for part in ("outer", "upper", "lower"):
        if labels[f"{part}_kind"]:
            pattern = labels[f"{part}_pattern"]
            words = () if pattern in _UNNAMED_PATTERNS else (pattern,)
            parts.append(
                " ".join(map(str, (*words, labels[f"{part}_colour"], labels[f"{part}_kind"])))
            )
    return ", ".join(dict.fromkeys(parts))
