"""Footage of one site: a video a camera and day, and the truth about who is where and when."""

import json
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from everyid.models import FootageCamera, FootageRun
from everyid.output import Stop, counted, progress, stoppable, whole_file, writing
from synthetic.attributes import attribute_row, write_attributes
from synthetic.cast import draw_cast
from synthetic.config import FootageConfig
from synthetic.footage_worker import (
    Segment,
    SegmentTask,
    Setting,
    footage_story,
    prepare,
    render_segment,
)
from synthetic.happenings import events_text, happenings, transitions
from synthetic.jobs import run_jobs
from synthetic.join import join_videos
from synthetic.people.body_file import body_file
from synthetic.site import Site, overlaps
from synthetic.truth import Rows, View, identity_rows, read_truth, sequence_text, write_identities
from synthetic.workplace import enough_space, versions, workplace

__all__ = ["make_footage"]

_BYTES_A_PIXEL = 0.05
"""About what a frame takes in its video; parts and whole are both there for a while."""


def make_footage(config: FootageConfig) -> FootageRun:
    """Makes videos of one site, their ground truth, and what says how they were made.

    After Ctrl-C what is done lies hidden in the output folder, and the next run with the same
    options and output goes on from there, but for the last seconds of video.

    Raises:
        EveryIDError: An option, the output, the renderer or the body model cannot be used.
    """
    started = time.perf_counter()
    setting = Setting.of(config)
    doing = {"command": config.command(), "versions": versions()}
    with (
        stoppable() as stop,
        workplace(config.output, "footage", doing, overwrite=config.overwrite) as place,
    ):
        body_file()
        frames = setting.frames * setting.cameras * config.days
        pixels = frames * setting.size_wh[0] * setting.size_wh[1]
        enough_space(place.output, round(2 * _BYTES_A_PIXEL * pixels), counted(frames, "frame"))
        segments = place.part / ".segments"
        with writing(segments):
            segments.mkdir(exist_ok=True)
        with progress("placing cameras"):
            site = prepare(setting, config.days, segments)
        whole = _render(config, setting, segments, stop)
        videos: list[Rows] = []
        events = 0
        if whole:
            videos = [_finish_video(config, place.part, view) for view in _views(config)]
            events = _write_truth(config, place.part, site, videos)
            place.finish()
        else:
            place.say_unfinished()
        return FootageRun(
            output=place.output,
            place=site.place.kind,
            people=config.people,
            days=config.days,
            frame_rate=config.frame_rate,
            cameras=[_summary(config, place.output, rows) for rows in videos],
            events=events,
            elapsed_s=time.perf_counter() - started,
            interrupted=not whole,
        )


def _render(config: FootageConfig, setting: Setting, folder: Path, stop: Stop) -> bool:
    """Makes all segments that are missing; False after a request to stop."""
    missing: list[SegmentTask] = []
    made, frames = 0, setting.frames * config.cameras * config.days
    for segment in _segments(config, setting):
        task = SegmentTask(setting, segment, folder)
        if segment.video(folder).exists():
            made += len(task.frames)
        else:
            missing.append(task)
    with progress("drawing frames", frames) as advance:
        advance(made)
        for _, count in run_jobs(render_segment, missing, workers=config.workers, stop=stop):
            made += count
            advance(count)
    return made == frames


def _segments(config: FootageConfig, setting: Setting) -> list[Segment]:
    """All segments, video by video."""
    return [
        Segment(day, camera, number)
        for day in range(1, config.days + 1)
        for camera in range(config.cameras)
        for number in range(setting.segments)
    ]


def _views(config: FootageConfig) -> list[View]:
    """All videos, day by day."""
    frames = Setting.of(config).frames
    return [
        View(f"camera-{camera + 1}", day, frames, config.frame_rate)
        for day in range(1, config.days + 1)
        for camera in range(config.cameras)
    ]


def _day_folder(config: FootageConfig, folder: Path, day: int) -> Path:
    """Where a day's videos are: a folder of its own only when there are several days."""
    return folder / f"day-{day}" if config.days > 1 else folder


def _finish_video(config: FootageConfig, folder: Path, view: View) -> Rows:
    """Puts a video and its ground truth together, and says what is in it."""
    setting, segments = Setting.of(config), folder / ".segments"
    camera = int(view.camera.rpartition("-")[2]) - 1
    parts = [Segment(view.day, camera, number) for number in range(setting.segments)]
    day_folder = _day_folder(config, folder, view.day)
    sequence = day_folder / view.camera
    with writing(sequence):
        (sequence / "gt").mkdir(parents=True, exist_ok=True)
        truth = "".join(part.truth(segments).read_text(encoding="ascii") for part in parts)
        (sequence / "gt" / "gt.txt").write_text(truth, encoding="ascii")
        (sequence / "seqinfo.ini").write_text(
            sequence_text(view, setting.size_wh), encoding="ascii"
        )
    seconds = setting.segment_frames / setting.frame_rate
    join_videos(
        [(part.video(segments), part.number * seconds) for part in parts],
        day_folder / f"{view.camera}.mp4",
    )
    boxes = read_truth(sequence / "gt" / "gt.txt")
    return identity_rows(view, boxes, footage_story(segments, view.day))


def _write_truth(config: FootageConfig, folder: Path, site: Site, videos: Sequence[Rows]) -> int:
    """Writes what is known of all videos together; gives the number of events."""
    casts = {
        day: draw_cast(config.people, day=day, seed=config.seed)
        for day in range(1, config.days + 1)
    }
    write_identities(folder / "identities.parquet", videos, overwrite=True)
    looks = [
        attribute_row(number, day, person)
        for day, people in casts.items()
        for number, person in enumerate(people, 1)
    ]
    write_attributes(folder / "attributes.parquet", looks, overwrite=True)
    found = []
    for rows in videos:
        things = {
            number: [thing.kind for thing in person.carried]
            for number, person in enumerate(casts[rows.view.day], 1)
        }
        found += happenings(rows, things)
    _write(folder / "events.jsonl", events_text(found))
    calibration = [camera.to_calibration() for camera in site.cameras]
    _write(folder / "calibration.json", json.dumps(calibration, indent=2) + "\n")
    topology = {
        "cameras": [camera.name for camera in site.cameras],
        "overlaps": _overlaps(site),
        "transitions": transitions(videos),
    }
    _write(folder / "topology.json", json.dumps(topology, indent=2) + "\n")
    return len(found)


def _write(path: Path, text: str) -> None:
    with whole_file(path, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")


def _overlaps(site: Site) -> list[dict[str, Any]]:
    """The pairs of cameras that see some of the same ground, and how much of it."""
    return [
        {"cameras": [one.name, other.name], "share_of_smaller_view": round(share, 3)}
        for (one, seen), (other, also_seen) in combinations(
            zip(site.cameras, site.seen, strict=True), 2
        )
        if (share := overlaps(seen, also_seen)) > 0
    ]


def _summary(config: FootageConfig, output: Path, rows: Rows) -> FootageCamera:
    folder = _day_folder(config, output, rows.view.day)
    return FootageCamera(
        name=rows.view.camera,
        day=rows.view.day,
        video=folder / f"{rows.view.camera}.mp4",
        truth=folder / rows.view.camera / "gt" / "gt.txt",
        frames=rows.view.frames,
        identities=len(np.unique(rows.boxes.identities)),
        boxes=len(rows.boxes),
    )
