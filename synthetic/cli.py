"""The commands of the domain: ``run.py synthetic crops | footage | tests``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everyid.cli import AsJson, Overwrite, Quiet, leave

if TYPE_CHECKING:
    from everyid.models import CropSetRun, FootageRun

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="People who do not exist: sets of crops and footage with ground truth.",
)

Seed = Annotated[
    int, typer.Option(help="The same seed and versions give the same bytes.", min=0, metavar="N")
]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes at work. Default: one a core.", metavar="N", show_default=False),
]
Output = Annotated[
    Path | None,
    typer.Option(
        help="Folder for what is made; an interrupted run goes on there. "
        "Default: a fresh tmp/synthetic/COMMAND/NNNN.",
        metavar="FOLDER",
        show_default=False,
    ),
]


@app.command("crops")
def crops(
    ids: Annotated[int, typer.Option(help="Identities.", metavar="N")] = 100,
    cameras: Annotated[int, typer.Option(help="Cameras of the set.", metavar="N")] = 6,
    per_camera: Annotated[
        int, typer.Option(help="Pictures of an identity in each camera.", metavar="N")
    ] = 4,
    cameras_per_identity: Annotated[
        int | None,
        typer.Option(
            help="Cameras that see each identity. Default: all, but at most 6.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="How the set lies on disk: market1501, msmt17, cuhk03, mars or folders.",
            metavar="NAME",
        ),
    ] = "market1501",
    distractors: Annotated[
        float,
        typer.Option(help="Pictures of other people, per picture of an identity.", metavar="SHARE"),
    ] = 0.1,
    junk: Annotated[
        float, typer.Option(help="Bad boxes, per picture of an identity.", metavar="SHARE")
    ] = 0.03,
    seed: Seed = 1,
    workers: Workers = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a re-identification set: crops in a public layout, attributes, a contact sheet.

    \b
    Examples:
      python3 run.py synthetic crops --ids 20 --cameras 4
      python3 run.py synthetic crops --ids 500 --cameras 6 --per-camera 4 --seed 1 --layout mars
    """
    from everyid import output as terminal
    from everyid.config import build
    from synthetic.config import CropsConfig
    from synthetic.crops import make_crops
    from synthetic.layouts.named import layout_named

    terminal.quiet(enabled=quiet, json=json)
    config = build(
        CropsConfig,
        identities=ids,
        cameras=cameras,
        per_camera=per_camera,
        cameras_per_identity=cameras_per_identity,
        layout=layout_named(layout).name,
        distractors=distractors,
        junk=junk,
        seed=seed,
        workers=workers,
        output=output,
        overwrite=overwrite,
    )
    run = make_crops(config)
    terminal.result(run if json else _crops_text(run))
    leave(skipped=False, interrupted=run.interrupted)


def _crops_text(run: "CropSetRun") -> str:
    """The summary of a set for people."""
    from everyid.output import counted

    rate = f"{run.crops / run.elapsed_s:.0f} crops/s" if run.elapsed_s else ""
    people = counted(run.identities, "identity", "identities")
    made = (
        counted(run.crops, "crop")
        if not run.interrupted
        else f"{run.crops:,} of {run.planned:,} crops"
    )
    return (
        f"{made}: {people} in {counted(run.cameras, 'camera')}, "
        f"{run.distractors:,} distractors, {run.junk:,} junk "
        f"({run.layout}, {run.elapsed_s:.0f} s, {rate})\n{run.output}"
    )


@app.command("footage")
def footage(
    cameras: Annotated[int, typer.Option(help="Cameras of the site.", metavar="N")] = 4,
    people: Annotated[int, typer.Option(help="People who come and go.", metavar="N")] = 15,
    minutes: Annotated[
        float, typer.Option(help="Length of a day's footage in minutes.", metavar="MINUTES")
    ] = 2.0,
    days: Annotated[
        int, typer.Option(help="1, or 2: many come again, some in other clothes.", metavar="N")
    ] = 1,
    fps: Annotated[float, typer.Option(help="Frames a second.", metavar="RATE")] = 15.0,
    size: Annotated[
        str, typer.Option(help="Width and height of the pictures in pixels.", metavar="WxH")
    ] = "640x360",
    place: Annotated[
        str | None,
        typer.Option(
            help="Kind of place, such as street or mall. Default: the seed decides.",
            metavar="KIND",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make footage of one site: a video per camera, and the truth about who is where and when.

    \b
    Examples:
      python3 run.py synthetic footage --cameras 2 --people 8 --minutes 0.5
      python3 run.py synthetic footage --cameras 4 --people 15 --minutes 2 --days 2 --seed 7
    """
    from everyid import output as terminal
    from everyid.config import build
    from synthetic.config import FootageConfig
    from synthetic.footage import make_footage

    terminal.quiet(enabled=quiet, json=json)
    config = build(
        FootageConfig,
        cameras=cameras,
        people=people,
        minutes=minutes,
        days=days,
        frame_rate=fps,
        size=_size(size),
        place=place,
        seed=seed,
        workers=workers,
        output=output,
        overwrite=overwrite,
    )
    run = make_footage(config)
    terminal.result(run if json else _footage_text(run))
    leave(skipped=False, interrupted=run.interrupted)


def _size(text: str) -> tuple[int, int]:
    """Width and height from words such as 640x360."""
    from everyid.errors import ConfigError

    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size: expected WIDTHxHEIGHT such as 640x360, got {text!r}")
    return int(width), int(height)


def _footage_text(run: "FootageRun") -> str:
    """The summary of footage for people."""
    from everyid.output import counted

    lines = [
        f"{camera.video}: {counted(camera.frames, 'frame')}, "
        f"{counted(camera.identities, 'person', 'people')}, "
        f"{counted(camera.boxes, 'box', 'boxes')}; truth {camera.truth}"
        for camera in run.cameras
    ]
    frames = sum(camera.frames for camera in run.cameras)
    rate = f", {frames / run.elapsed_s:.1f} frames/s" if run.elapsed_s else ""
    lines.append(
        f"{run.place}: {counted(run.people, 'person', 'people')}, "
        f"{counted(run.days, 'day')}, {counted(run.events, 'event')} "
        f"({run.elapsed_s:.0f} s{rate})"
    )
    return "\n".join([*lines, str(run.output)])


@app.command("tests", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def tests(context: typer.Context) -> None:
    """Run this domain's tests; further arguments go to pytest.

    \b
    Examples:
      python3 run.py synthetic tests
      python3 run.py synthetic tests -k crops -x
    """
    from everyid.testing import run_tests

    raise typer.Exit(run_tests(["tests/synthetic", "synthetic"], list(context.args)))
