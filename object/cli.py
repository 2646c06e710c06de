"""The ``object`` commands: options in, a config, one call, a result out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everyid.cli import AsJson, DeviceName, Overwrite, Quiet, leave, split_list
from everyid.output import counted

if TYPE_CHECKING:
    from everyid.models import (
        DetectionRun,
        SourceSummary,
        TrackingRun,
        TrackingScores,
        VideoRun,
    )

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Find and track people and things in images and video.",
)

Sources = Annotated[
    list[Path] | None,
    typer.Option(
        "--source",
        "-s",
        readable=False,  # checked where it is read, with our own words and exit code
        help="File, folder, or .txt list of files; may be given several times. "
        "Default: pictures of people inside the ultralytics package.",
        show_default=False,
    ),
]
Videos = Annotated[
    list[Path] | None,
    typer.Option(
        "--source",
        "-s",
        readable=False,
        help="File, folder, or .txt list of files; may be given several times. "
        "Default: a clip of people who do not exist, tests/data/site/camera-1.mp4.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        readable=False,
        help="Folder for the results. Default: a fresh tmp/object/COMMAND/NNNN.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Detector: a name (`weights list`), a .pt of ultralytics, a .onnx of YOLOX, "
        "a transformers folder or owner/repository.",
    ),
]
Classes = Annotated[
    str,
    typer.Option("--classes", "-c", help="Comma list of class names or numbers, or `all`."),
]
Confidence = Annotated[
    float, typer.Option("--conf", help="Lowest confidence of a box, 0-1.", metavar="0-1")
]
Iou = Annotated[
    float,
    typer.Option("--iou", help="Boxes of a class that overlap more are one, 0-1.", metavar="0-1"),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--imgsz",
        help="Long side of the detector's input, pixels. Default: the model's own, mostly 640.",
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        help="Images in one call. Default: 1 on a CPU, 16 on a GPU.",
        show_default=False,
    ),
]
Every = Annotated[int, typer.Option("--every", help="Look at every Nth frame.", metavar="N")]
Start = Annotated[float, typer.Option("--start", help="Begin at this time, seconds.")]
End = Annotated[
    float | None,
    typer.Option("--end", help="End at this time, seconds. Default: the end.", show_default=False),
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        "--max-frames", help="Stop after so many frames. Default: no limit.", show_default=False
    ),
]
FrameRate = Annotated[
    float | None,
    typer.Option(
        "--fps",
        help="Frames per second of streams and image folders that state none. Default: 25.",
        show_default=False,
    ),
]

TrustWeights = Annotated[
    bool,
    typer.Option(
        "--trust-weights", help="Load a .pt that runs code of its own. Only if you trust it."
    ),
]

_DEFAULT_MODEL = "yolov8n"


@app.command()
def detection(
    source: Sources = None,
    output: Output = None,
    save: Annotated[
        str, typer.Option("--save", help="Comma list of images, csv, json, parquet.")
    ] = "images,csv,json",
    model: Model = _DEFAULT_MODEL,
    classes: Classes = "all",
    conf: Confidence = 0.25,
    iou: Iou = 0.7,
    imgsz: ImageSize = None,
    batch_size: BatchSize = None,
    device: DeviceName = "auto",
    trust_weights: TrustWeights = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find objects in images: annotated pictures, and their boxes as CSV and JSON.

    \b
    Examples:
      python3 run.py object detection
      python3 run.py object detection --source photos/ --classes person,dog --save csv
    """
    from everyid import output as out
    from everyid.config import build
    from object.config import DetectionConfig
    from object.detect_images import run_detection

    out.quiet(enabled=quiet, json=json)
    config = build(
        DetectionConfig,
        sources=tuple(source or ()),
        output=output,
        overwrite=overwrite,
        save=split_list(save),
        model=model,
        device=device,
        batch_size=batch_size,
        confidence=conf,
        iou=iou,
        image_size=imgsz,
        classes=_classes(classes),
        trust_weights=trust_weights,
    )
    run = run_detection(config, keep_images=json)
    out.result(run if json else _detection_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@app.command()
def video(
    source: Videos = None,
    output: Output = None,
    save: Annotated[
        str, typer.Option("--save", help="Comma list of video, csv, json, jsonl, parquet.")
    ] = "video,csv,parquet",
    model: Model = _DEFAULT_MODEL,
    classes: Classes = "all",
    conf: Confidence = 0.25,
    iou: Iou = 0.7,
    imgsz: ImageSize = None,
    batch_size: BatchSize = None,
    every: Every = 1,
    start: Start = 0.0,
    end: End = None,
    max_frames: MaxFrames = None,
    fps: FrameRate = None,
    device: DeviceName = "auto",
    trust_weights: TrustWeights = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find objects in every frame of videos: an annotated video, CSV and Parquet of boxes.

    \b
    Examples:
      python3 run.py object video --source clip.mp4
      python3 run.py object video --source footage/ --classes car,bus --every 5 --save parquet
    """
    from everyid import output as out
    from everyid.config import build
    from object.config import VideoConfig
    from object.detect_video import run_video

    out.quiet(enabled=quiet, json=json)
    config = build(
        VideoConfig,
        sources=tuple(source or ()),
        output=output,
        overwrite=overwrite,
        save=split_list(save),
        model=model,
        device=device,
        batch_size=batch_size,
        confidence=conf,
        iou=iou,
        image_size=imgsz,
        classes=_classes(classes),
        trust_weights=trust_weights,
        every=every,
        start_s=start,
        end_s=end,
        max_frames=max_frames,
        frame_rate=fps,
    )
    run = run_video(config)
    out.result(run if json else _video_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@app.command()
def tracking(
    source: Videos = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            readable=False,
            help="Ground truth of the source, a MOTChallenge gt.txt: HOTA, IDF1 and MOTA over the "
            "frames looked at. Default: STEM/gt/gt.txt beside STEM.mp4, if there.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    save: Annotated[
        str,
        typer.Option("--save", help="Comma list of video, csv, json, jsonl, mot, parquet, crops."),
    ] = "video,csv",
    model: Model = _DEFAULT_MODEL,
    classes: Classes = "person",
    conf: Annotated[
        float,
        typer.Option(
            "--conf",
            help="Lowest confidence of a box that may extend a track, 0-1.",
            metavar="0-1",
        ),
    ] = 0.1,
    birth: Annotated[
        float | None,
        typer.Option(
            "--birth",
            help="Lowest confidence of a box that may begin a track, 0-1. Default: 0.6.",
            metavar="0-1",
            show_default=False,
        ),
    ] = None,
    tracker: Annotated[
        str, typer.Option("--tracker", help="bytetrack, ocsort or botsort (camera moves).")
    ] = "bytetrack",
    walking_speed: Annotated[
        float, typer.Option("--walking-speed", help="From here on a track walks, px/s.")
    ] = 50.0,
    running_speed: Annotated[
        float, typer.Option("--running-speed", help="From here on a track runs, px/s.")
    ] = 200.0,
    iou: Iou = 0.7,
    imgsz: ImageSize = None,
    batch_size: BatchSize = None,
    every: Every = 1,
    start: Start = 0.0,
    end: End = None,
    max_frames: MaxFrames = None,
    fps: FrameRate = None,
    device: DeviceName = "auto",
    trust_weights: TrustWeights = False,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Track people (or other classes) through videos: boxes with lasting ids and movement.

    \b
    Examples:
      python3 run.py object tracking
      python3 run.py object tracking --source clip.mp4 --save video,csv,mot,crops
    """
    from everyid import output as out
    from everyid.config import build
    from object.config import TrackingConfig
    from object.track_video import run_tracking

    out.quiet(enabled=quiet, json=json)
    config = build(
        TrackingConfig,
        sources=tuple(source or ()),
        output=output,
        overwrite=overwrite,
        save=split_list(save),
        model=model,
        device=device,
        batch_size=batch_size,
        confidence=conf,
        birth=birth,
        truth=truth,
        tracker=tracker,
        walking_speed=walking_speed,
        running_speed=running_speed,
        iou=iou,
        image_size=imgsz,
        classes=_classes(classes),
        trust_weights=trust_weights,
        every=every,
        start_s=start,
        end_s=end,
        max_frames=max_frames,
        frame_rate=fps,
    )
    run = run_tracking(config)
    out.result(run if json else _tracking_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@app.command("tests", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def tests(context: typer.Context) -> None:
    """Run this domain's tests; further arguments go to pytest.

    \b
    Examples:
      python3 run.py object tests
      python3 run.py object tests -k movement -x
    """
    from everyid.testing import run_tests

    raise typer.Exit(run_tests(["tests/object", "object"], list(context.args)))


def _classes(values: str) -> tuple[str, ...]:
    """The classes of a comma list; none, which keeps all, for "all"."""
    parts = split_list(values)
    return () if "all" in [part.lower() for part in parts] else parts


def _counts(counts: dict[str, int]) -> str:
    """Class counts on one line, most first.

    >>> _counts({"person": 3, "bus": 1})
    '3 person, 1 bus'
    """
    return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "nothing"


def _scores_text(scores: "TrackingScores") -> str:
    """How well tracks agree with the truth, on one line."""
    people = counted(scores.people, "person", "people")
    files = ", ".join(map(str, scores.truth))
    looked_at = f", in the {counted(scores.frames, 'frame')} looked at" if scores.partial else ""
    return (
        f"HOTA {100 * scores.hota:.1f}, IDF1 {100 * scores.idf1:.1f}, "
        f"MOTA {100 * scores.mota:.1f} %, {counted(scores.id_switches, 'id switch', 'id switches')}"
        f" against {people} of the truth ({files}){looked_at}"
    )


def _source_lines(
    summary: "SourceSummary", found: str, scores: "TrackingScores | None" = None
) -> list[str]:
    """A source's summary for people: what was found, how fast, and where the files are."""
    head = (
        f"{summary.source}: {counted(summary.frames, 'frame')} ({summary.duration_s:.1f} s) "
        f"in {summary.elapsed_s:.1f} s, {summary.frames_per_second:.1f} frames/s"
    )
    lines = [head + (", interrupted" if summary.interrupted else ""), f"  found    {found}"]
    lines += [f"  scores   {_scores_text(scores)}"] if scores is not None else []
    return lines + [f"  {name:8} {path}" for name, path in summary.outputs.items()]


def _skipped_lines(skipped: dict[str, str]) -> list[str]:
    return [f"skipped {counted(len(skipped), 'file')}"] if skipped else []


def _detection_text(run: "DetectionRun") -> str:
    head = f"{counted(run.image_count, 'image')}: {_counts(run.boxes)}"
    interrupted = ["interrupted"] if run.interrupted else []
    return "\n".join([head, *_skipped_lines(run.skipped), *interrupted, f"results in {run.output}"])


def _video_text(run: "VideoRun") -> str:
    lines: list[str] = []
    for summary in run.sources:
        lines += _source_lines(summary, counted(summary.boxes, "box", "boxes"))
    return "\n".join([*lines, *_skipped_lines(run.skipped), f"results in {run.output}"])


def _tracking_text(run: "TrackingRun") -> str:
    lines: list[str] = []
    for one in run.sources:
        summary = one.summary
        others = {name: n for name, n in summary.tracks.items() if name != "person"}
        found = counted(summary.people, "person", "people")
        found += f", {_counts(others)}" if others else ""
        longest = summary.longest_track
        if longest is not None:
            found += f"; longest track #{longest.track_id}, {longest.duration_s:.1f} s"
        lines += _source_lines(summary, found, summary.scores)
    if run.scores is not None:
        lines.append(f"together {_scores_text(run.scores)}")
    return "\n".join([*lines, *_skipped_lines(run.skipped), f"results in {run.output}"])
