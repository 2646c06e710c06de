"""The ``person dataset`` commands: options in, a config, one call, a result out."""

from pathlib import Path
from typing import Annotated

import typer

from everyid.cli import AsJson, Overwrite, Quiet, leave

__all__ = ["CameraPattern", "Data", "IdPattern", "dataset_app"]

dataset_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Data to train on: what is wrong with it, and how much of it there is.",
)

Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        readable=False,  # checked where it is read, with our own words and exit code
        help="Crops of people: a data set's folder (Market-1501, MSMT17, MARS, CUHK03, synthetic), "
        "a folder for each person, .txt or Parquet list; may be given several times. "
        "Default: tmp/datasets/people, else the sample tests/data/people.",
        show_default=False,
    ),
]
IdPattern = Annotated[
    str | None,
    typer.Option(
        "--id-pattern",
        help="Regular expression whose group in a crop's path is the identity. Default: the "
        "folder's name, else file names as in Market-1501, MSMT17, Duke, MARS, CUHK03.",
        show_default=False,
    ),
]
CameraPattern = Annotated[
    str | None,
    typer.Option(
        "--camera-pattern",
        help="The same for the camera. Default: file names as in those data sets.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        readable=False,
        help="Folder for the results. Default: a fresh tmp/person/dataset-stats/NNNN.",
        show_default=False,
    ),
]


@dataset_app.command()
def check(
    data: Data = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for what spoils a training: bad images, lone pictures, doubles, leaks; exit 1 on errors.

    Of a data set's folder the training part is checked, and its queries and gallery beside it.

    \b
    Examples:
      python3 run.py person dataset check --data Market-1501-v15.09.15
      python3 run.py person dataset check --data people/ --camera-pattern 'cam(\\d)' --json
    """
    from everyid import output as out
    from everyid.config import build
    from person.datasets.checking import check_text
    from person.datasets.commands import run_check
    from person.datasets.config import DatasetCheckConfig

    out.quiet(enabled=quiet, json=json)
    config = build(
        DatasetCheckConfig,
        sources=tuple(data or ()),
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
    )
    found = run_check(config)
    out.result(found if json else check_text(found))
    leave(skipped=not found.trainable, interrupted=found.interrupted)


@dataset_app.command()
def stats(
    data: Data = None,
    output: Output = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count images, identities, cameras and sizes, part by part; with histograms as one PNG.

    \b
    Examples:
      python3 run.py person dataset stats --data Market-1501-v15.09.15
      python3 run.py person dataset stats --data market/ --data own.parquet --json
    """
    from everyid import output as out
    from everyid.config import build
    from person.datasets.commands import run_stats
    from person.datasets.config import DatasetStatsConfig
    from person.datasets.statistics import statistics_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        DatasetStatsConfig,
        sources=tuple(data or ()),
        output=output,
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
        overwrite=overwrite,
    )
    found = run_stats(config)
    out.result(found if json else statistics_text(found))
