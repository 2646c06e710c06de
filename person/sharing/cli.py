"""``person download_model`` and ``upload_model``: options in, a config, one call, a result out."""

from typing import Annotated

import typer

from everyid.cli import AsJson, Quiet

__all__ = ["sharing_app"]

sharing_app = typer.Typer(add_completion=False)

Repository = Annotated[
    str, typer.Option("--repo", help="Repository on the hub.", metavar="OWNER/NAME")
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        help="User or organisation, in place of the repository's owner.",
        show_default=False,
        metavar="NAME",
    ),
]


@sharing_app.command("download_model")
def download_model(
    repo: Repository = "SebLogsdon/EveryPerson",
    account: Account = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            help="Model file in the repository. Default: person_reid_model_vit_msmt17_final.pth, "
            "else the only model there.",
            show_default=False,
        ),
    ] = None,
    revision: Annotated[
        str, typer.Option("--revision", help="Branch, tag or commit; a commit stays the same.")
    ] = "main",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Download a model from the hub, checked by sha256; the other commands find it by name.

    Private and gated repositories need a login: `hf auth login`, or HF_TOKEN. With
    HF_HUB_OFFLINE=1 only what is here already counts.

    \b
    Examples:
      python3 run.py person download_model
      python3 run.py person download_model --account anna --file street.safetensors
    """
    from everyid import output as out
    from everyid.config import build
    from person.sharing.commands import run_download
    from person.sharing.config import DownloadConfig
    from person.sharing.texts import download_text

    out.quiet(enabled=quiet, json=json)
    config = build(DownloadConfig, repo=repo, account=account, file=file, revision=revision)
    run = run_download(config)
    out.result(run if json else download_text(run))


@sharing_app.command("upload_model")
def upload_model(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="The folder that `person train` left, a model file, or a name (`person models`).",
        ),
    ] = "person_reid_model_vit_msmt17_final.pth",
    repo: Repository = "SebLogsdon/EveryPerson",
    account: Account = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            help="What the weights are called there; with the ending they have, they go as they "
            "are. Default: their name, as .safetensors.",
            show_default=False,
        ),
    ] = None,
    revision: Annotated[str, typer.Option("--revision", help="Branch; it has to exist.")] = "main",
    public: Annotated[
        bool,
        typer.Option("--public", help="Make a public repository. Default: off, a private one."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files with other content. Default: off.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would go. Default: off.")
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Upload a model to the hub: weights as safetensors, what they belong to, and the card.

    It needs a token that may write: `hf auth login`, or HF_TOKEN. Cut short, the same command goes
    on: what the hub has is not sent again.

    \b
    Examples:
      python3 run.py person upload_model --model tmp/market --account anna --dry-run
      python3 run.py person upload_model --model street.pth --repo anna/street-people
    """
    from everyid import output as out
    from everyid.config import build
    from person.sharing.commands import run_upload
    from person.sharing.config import UploadConfig
    from person.sharing.texts import upload_text

    out.quiet(enabled=quiet, json=json)
    config = build(
        UploadConfig,
        model=model,
        repo=repo,
        account=account,
        file=file,
        revision=revision,
        public=public,
        overwrite=overwrite,
        dry_run=dry_run,
    )
    run = run_upload(config)
    out.result(run if json else upload_text(run))
