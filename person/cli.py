"""The ``person`` commands: options in, a config, one call, a result out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from everyid.cli import AsJson, DeviceName, Overwrite, Quiet, leave, split_list
from person.datasets.cli import CameraPattern, IdPattern, dataset_app
from person.gallery.cli import gallery_app
from person.sharing.cli import sharing_app
from person.training.cli import training_app

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Find people again: embed crops, rank galleries, measure the ranking.",
)

_DEFAULT_MODEL = "everyid-cnn"
_ENCODING = (
    *("id_pattern", "camera_pattern", "model", "device", "batch_size", "precision"),
    *("colour", "scale", "resize"),
)

Sources = Annotated[
    list[Path] | None,
    typer.Option(
        "--source",
        "-s",
        readable=False,  # checked where it is read, with our own words and exit code
        help="Crops of people: file, folder (searched through), .txt or Parquet list; may be given "
        "several times. To rank or measure, also one file of embeddings. "
        "Default: tmp/datasets/people, else the sample tests/data/people.",
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
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Network: a name (`person models`), an OpenVINO .xml, a .onnx, or a .pt, .pth or "
        ".safetensors checkpoint.",
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
InputSize = Annotated[
    str | None,
    typer.Option(
        "--input-size",
        metavar="HxW",
        help="Pixels the network is fed, such as 256x128. Default: as the model is known.",
        show_default=False,
    ),
]
Colour = Annotated[
    str | None,
    typer.Option(
        "--colour",
        help="Channel order the network is fed: rgb or bgr. Default: as known.",
        show_default=False,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        help="Pixels, 0-255, are divided by this. Default: as known.",
        show_default=False,
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        "--mean",
        help="Three numbers subtracted after scaling. Default: as known.",
        show_default=False,
        metavar="A,B,C",
    ),
]
Std = Annotated[
    str | None,
    typer.Option(
        "--std",
        help="Three numbers divided by at last. Default: as known.",
        show_default=False,
        metavar="A,B,C",
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(
        "--resize",
        help="bilinear or bicubic (antialiased) or linear (OpenCV's). Default: as known.",
        show_default=False,
    ),
]
Query = Annotated[
    Path | None,
    typer.Option(
        "--query",
        readable=False,
        help="Queries: a picture, a folder or list of crops, or a file of embeddings.",
        show_default=False,
    ),
]
Gallery = Annotated[
    Path | None,
    typer.Option(
        "--gallery",
        readable=False,
        help="What they are looked for in: the same kinds.",
        show_default=False,
    ),
]
ExpandQuery = Annotated[
    int,
    typer.Option(
        "--expand-query",
        help="Average each query with its nearest N gallery rows first; 0: none.",
        metavar="N",
    ),
]
Rerank = Annotated[
    bool, typer.Option("--rerank", help="Rank by k-reciprocal encoding (k1 20, k2 6, lambda 0.3).")
]
TopRanks = Annotated[int, typer.Option("--top-k", "-k", help="Matches for each query.")]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="market1501, msmt17, cross-camera, cuhk03-new, cuhk03-classic, mars or no-camera. "
        "Default: by the labels; none without cameras.",
        show_default=False,
    ),
]


@app.command("everyid")
def top_rank(
    source: Sources = None,
    query: Query = None,
    gallery: Gallery = None,
    top_k: TopRanks = 20,
    expand_query: ExpandQuery = 0,
    rerank: Rerank = False,
    protocol: ProtocolName = None,
    output: Output = None,
    save: Annotated[
        str, typer.Option("--save", help="Comma list of folders, sheets, csv, parquet.")
    ] = "folders,sheets,csv,parquet",
    pictures: Annotated[
        int | None,
        typer.Option(
            "--pictures",
            help="Folders and sheets for the first N queries only. Default: for all.",
            show_default=False,
            metavar="N",
        ),
    ] = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = _DEFAULT_MODEL,
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    input_size: InputSize = None,
    colour: Colour = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Rank every crop against the rest: pictures of the best matches, tables, and the figures.

    With --query and --gallery, the queries are ranked against the gallery instead. A folder with
    `query` and `bounding_box_test` in it is taken apart in the same way.

    \b
    Examples:
      python3 run.py person everyid --source tmp/object/tracking/0001/crops
      python3 run.py person everyid --query anna.jpg --gallery people/ --top-k 10
    """
    from everyid import output as out
    from everyid.config import build
    from person.config import TopRankConfig
    from person.texts import top_rank_text
    from person.top_rank import run_top_rank

    out.quiet(enabled=quiet, json=json)
    config = build(
        TopRankConfig,
        sources=tuple(source or ()),
        query=query,
        gallery=gallery,
        top_k=top_k,
        expand_query=expand_query,
        rerank=rerank,
        protocol=protocol,
        output=output,
        save=split_list(save),
        pictures=pictures,
        **_encoding(locals()),
        overwrite=overwrite,
    )
    run = run_top_rank(config, list_all=json)
    out.result(run if json else top_rank_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@app.command()
def embed(
    source: Sources = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            help="File of embeddings, .parquet or .npz. Default: embeddings.parquet in a fresh "
            "tmp/person/embed/NNNN.",
            show_default=False,
        ),
    ] = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = _DEFAULT_MODEL,
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    input_size: InputSize = None,
    colour: Colour = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Embed crops into one file: path, identity, camera, track, and a vector of length 1 each.

    \b
    Examples:
      python3 run.py person embed --source crops/ --output crops.parquet
      python3 run.py person embed --source people.txt --model osnet_x1_0.pth --output people.npz
    """
    from everyid import output as out
    from everyid.config import build
    from person.commands import run_embed
    from person.config import EmbedConfig
    from person.texts import embed_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        EmbedConfig,
        sources=tuple(source or ()),
        output=output,
        **_encoding(locals()),
        overwrite=overwrite,
    )
    run = run_embed(config)
    out.result(run if json else embed_text(run))
    leave(skipped=bool(run.skipped), interrupted=run.interrupted)


@app.command()
def match(
    query: Annotated[
        Path, typer.Option("--query", readable=False, help="File of embeddings: the queries.")
    ],
    gallery: Annotated[
        Path,
        typer.Option(
            "--gallery",
            readable=False,
            help="File of embeddings of the same model. The query file itself: each row is kept "
            "out of its own result.",
        ),
    ],
    top_k: TopRanks = 20,
    expand_query: ExpandQuery = 0,
    rerank: Rerank = False,
    output: Output = None,
    save: Annotated[str, typer.Option("--save", help="Comma list of csv, parquet.")] = "csv",
    device: DeviceName = "auto",
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the nearest gallery embeddings of each query, exactly, as CSV or Parquet.

    \b
    Examples:
      python3 run.py person match --query query.parquet --gallery gallery.parquet
      python3 run.py person match --query a.npz --gallery b.npz --top-k 50 --save parquet
    """
    from everyid import output as out
    from everyid.config import build
    from person.commands import run_match
    from person.config import MatchConfig
    from person.texts import match_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        MatchConfig,
        query=query,
        gallery=gallery,
        top_k=top_k,
        expand_query=expand_query,
        rerank=rerank,
        output=output,
        save=split_list(save),
        device=device,
        overwrite=overwrite,
    )
    run = run_match(config)
    out.result(run if json else match_text(run))


@app.command()
def evaluate(
    source: Sources = None,
    query: Query = None,
    gallery: Gallery = None,
    protocol: ProtocolName = None,
    expand_query: ExpandQuery = 0,
    rerank: Rerank = False,
    bootstrap: Annotated[
        int,
        typer.Option(
            "--bootstrap", help="Draws for 95 % intervals over the queries; 0: none.", metavar="N"
        ),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0,
    output: Output = None,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    model: Model = _DEFAULT_MODEL,
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    precision: ComputePrecision = None,
    input_size: InputSize = None,
    colour: Colour = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a ranking: CMC, mAP, mINP, ROC, with the protocol they stand for.

    \b
    Examples:
      python3 run.py person evaluate --query query.parquet --gallery gallery.parquet
      python3 run.py person evaluate --source Market-1501-v15.09.15 --bootstrap 1000
    """
    from everyid import output as out
    from everyid.config import build
    from person.commands import run_evaluate
    from person.config import EvaluateConfig
    from person.texts import evaluate_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        EvaluateConfig,
        sources=tuple(source or ()),
        query=query,
        gallery=gallery,
        protocol=protocol,
        expand_query=expand_query,
        rerank=rerank,
        bootstrap=bootstrap,
        seed=seed,
        output=output,
        **_encoding(locals()),
        overwrite=overwrite,
    )
    run = run_evaluate(config)
    out.result(run if json else evaluate_text(run))
    leave(skipped=bool(run.skipped), interrupted=False)


@app.command()
def models(json: AsJson = False, quiet: Quiet = False) -> None:
    """Show the networks: those known by name with licence and figures, and the file layouts read.

    \b
    Examples:
      python3 run.py person models
      python3 run.py person models --json
    """
    from everyid import output as out
    from person.model_list import listing, listing_text

    out.quiet(enabled=quiet, json=json)
    found = listing()
    out.result(found if json else listing_text(found))


app.add_typer(sharing_app)
app.add_typer(training_app)  # without a name of its own: `person train`
app.add_typer(dataset_app, name="dataset")
app.add_typer(gallery_app, name="gallery")


@app.command("tests", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def tests(context: typer.Context) -> None:
    """Run this domain's tests; further arguments go to pytest.

    \b
    Examples:
      python3 run.py person tests
      python3 run.py person tests -k metrics -x
    """
    from everyid.testing import run_tests

    raise typer.Exit(run_tests(["tests/person", "person"], list(context.args)))


def _encoding(options: dict[str, Any]) -> dict[str, object]:
    """What the three commands that embed share, from their options."""
    values: dict[str, object] = {name: options[name] for name in _ENCODING}
    return values | {
        "size_hw": _size(options["input_size"]),
        "mean": _numbers(options["mean"], "--mean"),
        "std": _numbers(options["std"], "--std"),
    }


def _size(text: str | None) -> tuple[int, int] | None:
    """``HxW`` as (H, W).

    >>> _size("256x128")
    (256, 128)
    """
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise typer.BadParameter(f"--input-size: expected HxW such as 256x128, got {text!r}")
    return int(height), int(width)


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Three numbers of a comma list.

    >>> _numbers("0.5,0.5,0.5", "--mean")
    (0.5, 0.5, 0.5)
    """
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 3:
        raise typer.BadParameter(f"{option}: expected three numbers such as 0.5,0.5,0.5")
    return numbers
