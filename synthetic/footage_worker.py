"""What the worker processes of footage do: a few seconds of one camera's video, with the truth."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from everyid.media import VideoWriter
from everyid.output import whole_file
from synthetic.acting import Manner
from synthetic.cast import draw_cast, draw_manners
from synthetic.config import FootageConfig
from synthetic.filming import Actor, Sighting, Take, film
from synthetic.jobs import stopping
from synthetic.people.appearance import Appearance
from synthetic.people.body import load_body
from synthetic.people.figure import build_figure
from synthetic.rendering.renderer import Renderer, process_renderer
from synthetic.rendering.sensor import adapted
from synthetic.seeds import generator
from synthetic.site import Site, draw_site, load_site, most_present, save_site
from synthetic.story import Story, load_story, save_story, tell_story
from synthetic.truth import Boxes, truth_text

__all__ = [
    "Segment",
    "SegmentTask",
    "Setting",
    "footage_story",
    "frame_count",
    "prepare",
    "render_segment",
]

_SEGMENT_S = 4.0
_FIGURES_KEPT = 48


@dataclass(frozen=True, slots=True)
class Setting:
    """What decides the footage, but for its length in days.

    Args:
        seed: Of the run.
        cameras: How many.
        people: How many.
        size_wh: Of the pictures, pixels.
        frame_rate: Frames a second.
        frames: Of each video.
        place: Kind of place; None: the seed decides.
    """

    seed: int
    cameras: int
    people: int
    size_wh: tuple[int, int]
    frame_rate: float
    frames: int
    place: str | None

    @classmethod
    def of(cls, config: FootageConfig) -> "Setting":
        """The setting of a command."""
        return cls(
            seed=config.seed,
            cameras=config.cameras,
            people=config.people,
            size_wh=config.size,
            frame_rate=config.frame_rate,
            frames=frame_count(config),
            place=config.place,
        )

    @property
    def segment_frames(self) -> int:
        """Frames of a segment, but for the last."""
        return max(1, round(_SEGMENT_S * self.frame_rate))

    @property
    def segments(self) -> int:
        """How many segments a video has."""
        return -(-self.frames // self.segment_frames)


def frame_count(config: FootageConfig) -> int:
    """Frames of each video, at least 1."""
    return max(1, round(config.minutes * 60 * config.frame_rate))


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of one camera's video.

    Args:
        day: From 1.
        camera: From 0.
        number: From 0.
    """

    day: int
    camera: int
    number: int

    def video(self, folder: Path) -> Path:
        """Its video file; there only when the truth is there too."""
        return folder / f"{self.day}-{self.camera + 1:02d}-{self.number:05d}.mp4"

    def truth(self, folder: Path) -> Path:
        """The truth of its frames."""
        return self.video(folder).with_suffix(".txt")


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """A segment to be made.

    Args:
        setting: Of the run.
        segment: Which.
        folder: Where its files go.
    """

    setting: Setting
    segment: Segment
    folder: Path

    @property
    def frames(self) -> range:
        """The frames it has, counted from 0 in the whole video."""
        first = self.segment.number * self.setting.segment_frames
        return range(first, min(first + self.setting.segment_frames, self.setting.frames))


def render_segment(task: SegmentTask) -> int:
    """Makes a segment's video and truth, whole or not at all.

    Returns:
        Its frames; 0 after a request to stop.

    Raises:
        EveryIDError: It cannot be drawn or written.
    """
    setting, segment = task.setting, task.segment
    video = segment.video(task.folder)
    if video.exists():
        return len(task.frames)
    take = _take(setting, task.folder, segment.camera)
    story = footage_story(task.folder, segment.day)
    found: list[tuple[int, Sighting]] = []
    size_hw = (setting.size_wh[1], setting.size_wh[0])
    part = video.with_suffix(".part.mp4")
    rate = setting.frame_rate
    with VideoWriter(part, size_hw=size_hw, frame_rate=rate, reproducible=True) as writer:
        for frame in task.frames:
            if stopping():
                break
            time_s = frame / setting.frame_rate
            people = [
                (_actor(setting, segment.day, moment.person), moment) for moment in story.at(time_s)
            ]
            noise = generator(setting.seed, "noise", segment.day, segment.camera, frame)
            picture, seen = film(process_renderer(), take, people, noise)
            writer.write(picture, time_s)
            found += [(frame + 1, one) for one in seen]
    if stopping():
        part.unlink(missing_ok=True)
        return 0
    with whole_file(segment.truth(task.folder), overwrite=True) as file:
        file.write_text(truth_text(_boxes(found)), encoding="ascii")
    part.replace(video)
    return len(task.frames)


def _boxes(found: list[tuple[int, Sighting]]) -> Boxes:
    return Boxes(
        np.array([frame for frame, _ in found], np.int64),
        np.array([one.person + 1 for _, one in found], np.int64),
        np.array([one.box_xyxy for _, one in found], np.float64).reshape(-1, 4),
        np.array([one.visibility for _, one in found], np.float64),
    )


def prepare(setting: Setting, days: int, folder: Path) -> Site:
    """The site of a run, drawn, with the stories of its days, and kept for the workers.

    Args:
        setting: Of the run.
        days: How many.
        folder: Where they are kept; what is there already is not made again.

    Raises:
        EveryIDError: The kind of place is not known, it has no room for the cameras, there are
            more people than can be told apart, or nothing can be drawn or written.
    """
    if not _site_path(folder).exists():
        with Renderer() as renderer:
            site = draw_site(
                renderer,
                cameras=setting.cameras,
                seed=setting.seed,
                size_wh=setting.size_wh,
                kind=setting.place,
            )
        save_site(site, _site_path(folder))
    site = _site(setting, folder)
    for day in range(1, days + 1):
        if not _story_path(folder, day).exists():
            save_story(_tell(setting, site, day), _story_path(folder, day))
    return site


def _tell(setting: Setting, site: Site, day: int) -> Story:
    return tell_story(
        site,
        entries=site.place.entries,
        zones=site.zones,
        paces=[manner.pace for manner in _people(setting, day)[1]],
        duration_s=setting.frames / setting.frame_rate,
        most_present=most_present(site.place),
        random=(setting.seed, day),
    )


def _site_path(folder: Path) -> Path:
    return folder / "site.json"


def _story_path(folder: Path, day: int) -> Path:
    return folder / f"story-{day}.npz"


@lru_cache(maxsize=1)
def _site(setting: Setting, folder: Path) -> Site:
    return load_site(_site_path(folder), seed=setting.seed, kind=setting.place)


@lru_cache(maxsize=2)
def footage_story(folder: Path, day: int) -> Story:
    """What happens on a day, once it was prepared.

    Args:
        folder: Where it is kept.
        day: From 1.
    """
    return load_story(_story_path(folder, day))


@lru_cache(maxsize=2)
def _people(setting: Setting, day: int) -> tuple[list[Appearance], list[Manner]]:
    cast = draw_cast(setting.people, day=day, seed=setting.seed)
    return cast, draw_manners(cast, seed=setting.seed)


@lru_cache(maxsize=2)
def _take(setting: Setting, folder: Path, camera: int) -> Take:
    site = _site(setting, folder)
    place, lens = site.place, site.cameras[camera]
    plate = process_renderer().plate(place.mesh, place.textures, lens, place.light)
    return Take(lens, adapted(site.sensors[camera], plate.rgb), place.light, plate)


@lru_cache(maxsize=_FIGURES_KEPT)
def _actor(setting: Setting, day: int, person: int) -> Actor:
    cast, manners = _people(setting, day)
    return Actor(build_figure(load_body(), cast[person]), manners[person])
