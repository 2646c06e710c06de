"""The commands of the shared floor: ``run.py weights list | fetch | verify | pack | import``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from everyid.weights import VerifyResult

__all__ = [
    "AsJson",
    "DeviceName",
    "Overwrite",
    "Quiet",
    "app",
    "leave",
    "split_list",
    "weights_app",
]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="EveryID's shared commands.")
weights_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Model files: list, fetch, verify and carry them.",
)
app.add_typer(weights_app, name="weights")

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Names or file names, as `weights list` shows them, or of an official Ultralytics "
        "model. Default: yolov8n.",
        show_default=False,
    ),
]
Bundle = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="What `weights pack` made.", show_default=False)
]
DeviceName = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.", metavar="DEVICE")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that exist. Default: off.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document. Default: off, text.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notices, no progress bar. Default: off.")
]


def split_list(values: str) -> tuple[str, ...]:
    """A comma list as its parts.

    >>> split_list("video, csv,")
    ('video', 'csv')
    """
    return tuple(part.strip() for part in values.split(",") if part.strip())


def leave(*, skipped: bool, interrupted: bool) -> None:
    """Exits with 130 after Ctrl-C, and with 1 when a source could not be used."""
    if interrupted:
        raise typer.Exit(130)
    if skipped:
        raise typer.Exit(1)


@weights_app.command("list")
def list_weights(json: AsJson = False, quiet: Quiet = False) -> None:
    """Show all weights that are known by name: size, licence, training data, cached or not.

    \b
    Examples:
      python3 run.py weights list
      python3 run.py weights list --json
    """
    from everyid import output, weights_report

    output.quiet(enabled=quiet, json=json)
    report = weights_report.listing()
    if json:
        output.result(report)
        return
    rows = [
        [
            item.entry.name,
            _megabytes(item.entry.total_bytes),
            item.entry.licence,
            item.entry.task,
            item.entry.trained_on,
            item.state,
        ]
        for item in report.weights
    ]
    output.result(_table(["name", "size", "licence", "task", "trained on", "cached"], rows))
    if report.downloaded:
        hub = [
            [item.name, _megabytes(item.size_bytes), item.licence, "hub", item.record.commit]
            for item in report.downloaded
        ]
        output.result("\n" + _table(["name", "size", "licence", "from", "commit"], hub))
    output.notice(f"kept in {report.folder}")


@weights_app.command("fetch")
def fetch_weights(names: Names = None, json: AsJson = False, quiet: Quiet = False) -> None:
    """Download weights that are not there yet, check them, and print where they are.

    \b
    Examples:
      python3 run.py weights fetch
      python3 run.py weights fetch yolov8n yolox_nano --json
    """
    from everyid import output, weights, weights_report

    output.quiet(enabled=quiet, json=json)
    report = weights_report.fetch_all(names or [weights.DEFAULT_NAME])
    if json:
        output.result(report)
    else:
        output.result("\n".join(str(item.path) for item in report.fetched))


@weights_app.command("verify")
def verify_weights(json: AsJson = False, quiet: Quiet = False) -> None:
    """Compare each file in the models folder with its sha256; exit 1 when one is damaged.

    \b
    Examples:
      python3 run.py weights verify
      python3 run.py weights verify --json
    """
    from everyid import output, weights_report
    from everyid.errors import WeightsError

    output.quiet(enabled=quiet, json=json)
    report = weights_report.verify_all()
    if json:
        output.result(report)
    else:
        rows = [[item.name, item.state, str(item.path)] for item in report.results]
        output.result(_table(["name", "state", "file"], rows))
    wrong = [item for item in report.results if item.wrong]
    if wrong:
        raise WeightsError("\n".join(map(_difference, wrong)), hint=_repair(wrong))


@weights_app.command("pack")
def pack_weights(
    models: Annotated[
        str,
        typer.Option(
            help="Comma list of names, as `weights list` shows them, official Ultralytics names "
            "and model files; or `all`, the whole list with what was downloaded from a hub."
        ),
    ] = "yolov8n",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The zip file. Default: bundle.zip in a fresh tmp/weights/pack/NNNN.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Put weights into one file, for a machine where nothing can be downloaded.

    Weights that are not here yet are downloaded first. Each file goes in with its sha256, its
    licence and its card. Weights that ship with the project need no packing. What was downloaded
    from a hub goes in by OWNER/NAME or the name of its file, as --model takes it.

    \b
    Examples:
      python3 run.py weights pack --models all --output bundle.zip
      python3 run.py weights pack --models yolov8n,tmp/mine/everyid-cnn.safetensors
    """
    from everyid import output as out
    from everyid import weights_pack

    out.quiet(enabled=quiet, json=json)
    report = weights_pack.pack(split_list(models), output=output, overwrite=overwrite)
    if json:
        out.result(report)
        return
    rows = [[one.name, _megabytes(one.total_bytes), one.licence] for one in report.weights]
    out.result(f"{_table(['name', 'size', 'licence'], rows)}\n{report.output}")
    out.notice(f"on the other machine: python3 run.py weights import {report.output.name}")


@weights_app.command("import")
def import_weights(
    bundle: Bundle, overwrite: Overwrite = False, json: AsJson = False, quiet: Quiet = False
) -> None:
    """Take the weights out of a bundle into the models folder: all of them, or none.

    Every file is checked by its sha256 before any gets its name. A bundle that is damaged,
    incomplete or holds anything else is refused whole.

    \b
    Examples:
      python3 run.py weights import bundle.zip
      python3 run.py weights import /media/stick/bundle.zip --overwrite
    """
    from everyid import output, weights_import

    output.quiet(enabled=quiet, json=json)
    report = weights_import.import_bundle(bundle, overwrite=overwrite)
    if json:
        output.result(report)
        return
    rows = [[one.name, one.state, one.licence, one.model] for one in report.weights]
    output.result(_table(["name", "state", "licence", "--model"], rows))
    if all(one.state == "there already" for one in report.weights):
        output.notice(f"nothing to import: all of {bundle} is in {report.folder} already")


def _difference(item: "VerifyResult") -> str:
    """What is wrong with a file, on one line."""
    expected = item.expected_sha256 or "unknown, its record cannot be read"
    found = item.found_sha256 or "no file"
    return f"{item.path} is {item.state}: expected sha256 {expected}, found {found}"


def _repair(wrong: "list[VerifyResult]") -> str:
    """What to do about files that are not as they should be."""
    from everyid.hub_store import records
    from everyid.weights import restore_hint

    downloads = {record.names[-1]: record for record in records()}
    pinned = " ".join(item.name for item in wrong if item.pinned and not item.shipped)
    others = " ".join(
        item.path.name for item in wrong if not item.pinned and item.name not in downloads
    )
    steps = [f"python3 run.py weights fetch {pinned}"] if pinned else []
    steps += [f"delete {others} to download it again"] if others else []
    steps += [restore_hint(item.path) for item in wrong if item.shipped]
    steps += [downloads[item.name].again for item in wrong if item.name in downloads]
    return "; ".join(steps)


def _megabytes(size_bytes: int) -> str:
    """A size for people.

    >>> _megabytes(6_534_387)
    '6.5 MB'
    """
    return f"{size_bytes / 1e6:.1f} MB"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Rows in aligned columns under their head, without colours or frames, for pipes.

    >>> print(_table(["name", "size"], [["a", "1"], ["long", "2"]]))
    name  size
    a     1
    long  2
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )
    return "\n".join(lines)
