"""``person train``, ``recipes`` and ``adapt``: options in, a config, one call, a result out."""

from pathlib import Path
from typing import Annotated

import typer

from everyid.cli import AsJson, DeviceName, Overwrite, Quiet, leave
from person.datasets.cli import CameraPattern, Data, IdPattern

__all__ = ["training_app"]

training_app = typer.Typer(add_completion=False)

Unlabelled = Annotated[
    list[Path] | None,
    typer.Option(
        "--unlabelled",
        readable=False,  # checked where it is read, with our own words and exit code
        help="Pictures of people nobody knows, for a teacher to talk about; the same kinds.",
        show_default=False,
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Another value for a field of the recipe; may be given several times. "
        "`person recipes NAME` lists the fields.",
        show_default=False,
    ),
]


@training_app.command()
def train(
    data: Data = None,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Name of the recipe, see `person recipes`.")
    ] = "everyid-cnn",
    unlabelled: Unlabelled = None,
    settings: Setting = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            help="Encoder to learn from: a name of `person models` or a model file. "
            "Default: as the recipe has it.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Default: as the recipe has it.", show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            help="Weights to begin with, of the recipe's network: a name or a file. "
            "Default: random ones.",
            show_default=False,
        ),
    ] = None,
    validate_on: Annotated[
        Path | None,
        typer.Option(
            "--validate-on",
            readable=False,
            help="What to measure on. Default: query and gallery of the first data that has both, "
            "else identities held out.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="How it is measured, as in `person evaluate`. Default: as the labels speak for.",
            show_default=False,
        ),
    ] = None,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out",
            metavar="SHARE",
            help="Part of the identities kept for measuring where the data has no query and "
            "gallery, 0-0.5.",
        ),
    ] = 0.1,
    id_pattern: IdPattern = None,
    camera_pattern: CameraPattern = None,
    validate_every: Annotated[
        int, typer.Option("--validate-every", help="Epochs between validations.")
    ] = 1,
    patience: Annotated[
        int,
        typer.Option(
            "--patience", help="Validations without gain after which training ends; 0: never."
        ),
    ] = 0,
    checkpoint_every: Annotated[
        float, typer.Option("--checkpoint-every", help="Seconds between checkpoints.")
    ] = 300.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is random.")] = 0,
    device: DeviceName = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help="fp32, bf16 or fp16. Default: the quickest that the device has.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            help="Folder for the network and all about it; a training that was interrupted goes "
            "on there. Default: a fresh tmp/person/train/NNNN.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network to tell people apart, or to say what another network says of them.

    \b
    Examples:
      python3 run.py person train --data Market-1501 --recipe everyid-cnn
      python3 run.py person train --data people/ --teacher person-reidentification-retail-0277
    """
    from everyid import output as out
    from everyid.config import build
    from person.config import TrainConfig
    from person.session import default_source
    from person.training.command import run_train
    from person.training.texts import train_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        TrainConfig,
        recipe=recipe,
        data=tuple(data or (default_source(),)),
        unlabelled=tuple(unlabelled or ()),
        settings=tuple(_pair(text) for text in settings or ()),
        teacher=teacher,
        epochs=epochs,
        start=start,
        validate_on=validate_on,
        protocol=protocol,
        hold_out=hold_out,
        id_pattern=id_pattern,
        camera_pattern=camera_pattern,
        validate_every=validate_every,
        patience=patience,
        checkpoint_every_s=checkpoint_every,
        seed=seed,
        device=device,
        precision=precision,
        output=output,
        overwrite=overwrite,
    )
    run = run_train(config)
    if run is not None:  # of several processes the first one speaks
        out.result(run if json else train_text(run))
        leave(skipped=bool(run.skipped), interrupted=not run.finished)


@training_app.command()
def recipes(
    name: Annotated[
        str | None, typer.Argument(help="One recipe, field by field. Default: all, a line each.")
    ] = None,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show the recipes that `person train` knows, or each field of one.

    \b
    Examples:
      python3 run.py person recipes
      python3 run.py person recipes everyid-cnn
    """
    from everyid import output as out
    from person.training.recipe import RECIPES, recipe
    from person.training.texts import recipe_text, recipes_text

    out.quiet(enabled=quiet, json=json)
    if name is not None:
        found = recipe(name)
        out.result(found if json else recipe_text(found))
        return
    known = list(RECIPES.values())
    out.result([*known] if json else recipes_text(known))


@training_app.command()
def adapt(
    source: Annotated[
        list[Path],
        typer.Option(
            "--source",
            readable=False,  # checked where it is read, with our own words and exit code
            help="A video with its --tracks, or a folder of tracked crops, "
            "crops/VIDEO/TRACK/FRAME.jpg; may be given several times.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="What to begin with: a name of `person models` or a file, with a checkpoint "
            "(.pt, .pth, .safetensors), not OpenVINO or ONNX.",
        ),
    ] = "everyid-cnn",
    tracks: Annotated[
        list[Path] | None,
        typer.Option(
            "--tracks",
            readable=False,
            help="The tracks of a video, as `object tracking --save parquet` writes them; one for "
            "each --source, in the same order.",
            show_default=False,
        ),
    ] = None,
    min_height: Annotated[
        int, typer.Option("--min-height", help="Pixels of the lowest box that is cut out.")
    ] = 48,
    steps: Annotated[int, typer.Option("--steps", help="Batches to learn from.")] = 300,
    learning_rate: Annotated[
        float,
        typer.Option("--learning-rate", help="At its highest; large networks want less."),
    ] = 1e-4,
    validate_on: Annotated[
        Path | None,
        typer.Option(
            "--validate-on",
            readable=False,
            help="Labelled data on which the network must not become worse: query and gallery, or "
            "a folder for each person. Default: none.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="How that is measured, as in `person evaluate`. Default: as the labels speak for.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="How much mAP may fall there, 0-1.")
    ] = 0.005,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is random.")] = 0,
    device: DeviceName = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            readable=False,
            help="Folder for the network and all about it. Default: a fresh tmp/person/adapt/NNNN.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Adapt a network to a site from footage in which nobody is named; never for the worse.

    \b
    Examples:
      python3 run.py person adapt --model everyid-cnn --source hall.mp4 --tracks hall.parquet
      python3 run.py person adapt --model weights.pth --source tmp/object/tracking/0001/crops
    """
    from everyid import output as out
    from everyid.config import build
    from person.config import AdaptConfig
    from person.training.adapt import run_adapt
    from person.training.adapt_results import adapt_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        AdaptConfig,
        model=model,
        sources=tuple(source),
        tracks=tuple(tracks or ()),
        min_height=min_height,
        steps=steps,
        learning_rate=learning_rate,
        validate_on=validate_on,
        protocol=protocol,
        tolerance=tolerance,
        seed=seed,
        device=device,
        output=output,
        overwrite=overwrite,
    )
    run = run_adapt(config)
    out.result(run if json else adapt_text(run))
    leave(skipped=bool(run.skipped), interrupted=not run.finished)


def _pair(text: str) -> tuple[str, str]:
    """Field and value of ``FIELD=VALUE``.

    >>> _pair("learning_rate=0.001")
    ('learning_rate', '0.001')
    """
    field, equals, value = text.partition("=")
    if not field or not equals:
        raise typer.BadParameter(f"--set: expected FIELD=VALUE such as epochs=3, got {text!r}")
    return field, value
