"""The ``person gallery`` commands: options in, a config, one call, a result out."""

from pathlib import Path
from typing import Annotated

import typer

from everyid.cli import AsJson, DeviceName, Overwrite, Quiet, leave, split_list
from person.datasets.cli import CameraPattern, IdPattern

__all__ = ["gallery_app"]

gallery_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="People who are enrolled: who is this, do we know them, forget them.",
)

Folder = Annotated[
    Path,
    typer.Option(
        "--gallery",
        "-g",
        readable=False,  # checked where it is read, with our own words and exit code
        help="The gallery's folder.",
    ),
]
Sources = Annotated[
    list[Path],
    typer.Option(
        "--source",
        "-s",
        readable=False,
        help="Crops of people: file, folder (one for each person, or crops/STEM/TRACK as tracking "
        "writes it), .txt or Parquet list; may be given several times. Or one file of embeddings, "
        "or one other gallery.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Network: a name (`person models`) or a model file. Default: the gallery's own; "
        "everyid-cnn for a new gallery.",
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        help="Crops in one call. Default: 8 on a CPU, 64 on a GPU.",
        show_default=False,
    ),
]
ComputePrecision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="fp32, bf16, fp16 (GPUs) or int8 (CPUs). Default: the device's quickest but int8.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        readable=False,
        help="Folder for the results. Default: a fresh tmp/person/COMMAND/NNNN.",
        show_default=False,
    ),
]
Keep = Annotated[int, typer.Option("--keep", help="Vectors a person has at most.")]


@gallery_app.command()
def enroll(
    gallery: Folder,
    source: Sources,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Who all of the crops show. Default: the folders' names, or --id-pattern.",
            show_default=False,
        ),
    ] = None,
    keep: Keep = 10,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = "",
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Add people to a gallery, which is made where there is none.

    Of many pictures of a person those are kept that stand for the others.

    \b
    Examples:
      python3 run.py person gallery enroll --gallery visitors --source people/
      python3 run.py person gallery enroll --gallery visitors --source anna.jpg --name anna
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.config import EnrollConfig
    from person.gallery.enrol import run_enroll
    from person.gallery.texts import enroll_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        EnrollConfig,
        gallery=gallery,
        sources=tuple(source),
        name=name,
        keep=keep,
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
        model=model,
        device=device,
        batch_size=batch_size,
        precision=precision,
    )
    run = run_enroll(config)
    out.result(run if json else enroll_text(run))
    leave(skipped=bool(run.skipped), interrupted=False)


@gallery_app.command()
def identify(
    gallery: Folder,
    source: Sources,
    false_accept_rate: Annotated[
        float,
        typer.Option(
            "--false-accept-rate",
            metavar="SHARE",
            help="How often a stranger may be taken for somebody, a question; chooses the "
            "threshold by the calibration.",
        ),
    ] = 0.01,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Cosine similarity from which on somebody is known, instead of that.",
            show_default=False,
        ),
    ] = None,
    remember: Annotated[
        bool,
        typer.Option("--remember", help="Enrol unknown people as unknown-0001, ... Default: off."),
    ] = False,
    keep: Keep = 10,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="People shown for each crop.")] = 5,
    output: Output = None,
    save: Annotated[str, typer.Option("--save", help="Comma list of sheets, csv.")] = "sheets,csv",
    pictures: Annotated[
        int | None,
        typer.Option(
            "--pictures",
            help="Sheets for the first N answers only. Default: for all.",
            show_default=False,
            metavar="N",
        ),
    ] = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = "",
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say who crops show: somebody who is enrolled, or somebody unknown.

    Crops of one track are answered one by one, and together.

    \b
    Examples:
      python3 run.py person gallery identify --gallery visitors --source door.jpg
      python3 run.py person gallery identify --gallery visitors --source crops/ --remember
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.config import IdentifyConfig
    from person.gallery.identify import run_identify
    from person.gallery.texts import identify_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        IdentifyConfig,
        gallery=gallery,
        sources=tuple(source),
        false_accept_rate=false_accept_rate,
        threshold=threshold,
        remember=remember,
        keep=keep,
        top_k=top_k,
        output=output,
        save=split_list(save),
        pictures=pictures,
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
        model=model,
        device=device,
        batch_size=batch_size,
        precision=precision,
        overwrite=overwrite,
    )
    run = run_identify(config)
    out.result(run if json else identify_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@gallery_app.command("list")
def list_people(gallery: Folder, json: AsJson = False, quiet: Quiet = False) -> None:
    """List who is in a gallery: names, vectors, cameras, since when; the model.

    \b
    Examples:
      python3 run.py person gallery list --gallery visitors
      python3 run.py person gallery list --gallery visitors --json
    """
    from everyid import output as out
    from person.gallery.commands import list_gallery
    from person.gallery.store import Gallery
    from person.gallery.texts import list_text

    out.quiet(enabled=quiet, json=json)
    found = list_gallery(Gallery.open(gallery))
    out.result(found if json else list_text(found))


@gallery_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Who.", metavar="NAME")],
    gallery: Folder,
    output: Output = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show all that a gallery has of one person, with a sheet of the pictures.

    \b
    Examples:
      python3 run.py person gallery show anna --gallery visitors
      python3 run.py person gallery show unknown-0001 --gallery visitors --output unknown/
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.commands import run_show
    from person.gallery.config import ShowConfig
    from person.gallery.texts import show_text

    out.quiet(enabled=quiet, json=json)
    run = run_show(
        build(ShowConfig, gallery=gallery, name=name, output=output, overwrite=overwrite)
    )
    out.result(run if json else show_text(run))


@gallery_app.command()
def forget(
    names: Annotated[list[str], typer.Argument(help="Who.", metavar="NAME...")],
    gallery: Folder,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take people out of a gallery, and off the disk: nothing of them stays in its folder.

    \b
    Examples:
      python3 run.py person gallery forget anna --gallery visitors
      python3 run.py person gallery forget unknown-0001 unknown-0002 --gallery visitors
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.commands import run_forget
    from person.gallery.config import ForgetConfig
    from person.gallery.texts import forget_text

    out.quiet(enabled=quiet, json=json)
    run = run_forget(build(ForgetConfig, gallery=gallery, names=tuple(names)))
    out.result(run if json else forget_text(run))


@gallery_app.command()
def merge(
    name: Annotated[str, typer.Argument(help="Who they all are; may be new.", metavar="NAME")],
    others: Annotated[list[str], typer.Argument(help="Who else that is.", metavar="OTHER...")],
    gallery: Folder,
    keep: Keep = 10,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make several people of a gallery one, or give somebody another name.

    \b
    Examples:
      python3 run.py person gallery merge anna unknown-0001 unknown-0007 --gallery visitors
      python3 run.py person gallery merge ben unknown-0002 --gallery visitors
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.commands import run_merge
    from person.gallery.config import MergeConfig
    from person.gallery.texts import merge_text

    out.quiet(enabled=quiet, json=json)
    run = run_merge(build(MergeConfig, gallery=gallery, name=name, others=tuple(others), keep=keep))
    out.result(run if json else merge_text(run))


@gallery_app.command()
def calibrate(
    gallery: Folder,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            "-s",
            readable=False,
            help="Crops with names, as for `enroll`; or crops of tracks, where tracks tell who is "
            "the same and who is not. Default: the gallery's own pictures.",
            show_default=False,
        ),
    ] = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = "",
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Learn which similarity means the same person, and keep that with the gallery.

    \b
    Examples:
      python3 run.py person gallery calibrate --gallery visitors --source labelled/
      python3 run.py person gallery calibrate --gallery visitors --source tracking/crops
    """
    from everyid import output as out
    from everyid.config import build
    from person.gallery.calibrating import run_calibrate
    from person.gallery.config import CalibrateConfig
    from person.gallery.texts import calibrate_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        CalibrateConfig,
        gallery=gallery,
        sources=tuple(source or ()),
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
        model=model,
        device=device,
        batch_size=batch_size,
        precision=precision,
    )
    run = run_calibrate(config)
    out.result(run if json else calibrate_text(run))
    leave(skipped=bool(run.skipped), interrupted=False)
