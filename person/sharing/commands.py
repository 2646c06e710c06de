"""``person download_model`` and ``upload_model``: models between this machine and a hub."""

from contextlib import suppress
from pathlib import Path

from pydantic import Field

from everyid import weights
from everyid.hub_download import download
from everyid.hub_store import HubRecord, records
from everyid.hub_upload import HubUpload, upload
from everyid.models import Model
from everyid.output import fresh_folder
from person.sharing.config import DownloadConfig, UploadConfig
from person.sharing.files import choose_model, gather

__all__ = ["DownloadRun", "run_download", "run_upload"]


class DownloadRun(Model):
    """What ``person download_model --json`` prints."""

    path: Path = Field(description="the model's file")
    model: str = Field(description="what --model calls it")
    record: HubRecord


def run_download(config: DownloadConfig) -> DownloadRun:
    """Brings a model and what belongs to it.

    Raises:
        EveryIDError: It cannot be had, or not be written.
    """
    record = download(
        config.repository, choose_model(config.file), domain="person", revision=config.revision
    )
    return DownloadRun(path=record.path, model=_name(record), record=record)


def _name(record: HubRecord) -> str:
    """The shortest name that means this model and no other."""
    others = [other.names for other in records("person") if other.path != record.path]
    free = (
        name
        for name in record.names
        if weights.find(name) is None and not any(name in names for names in others)
    )
    return next(free, record.names[-1])


def run_upload(config: UploadConfig) -> HubUpload:
    """Sends a model, what says what it is, and its card.

    Raises:
        EveryIDError: The model cannot be used, or the hub refuses.
    """
    folder = fresh_folder("person", "upload_model")
    try:
        return upload(
            config.repository,
            gather(config.model, config.file, folder),
            revision=config.revision,
            public=config.public,
            overwrite=config.overwrite,
            dry_run=config.dry_run,
        )
    finally:
        with suppress(OSError):  # something had to be made, and is in it
            folder.rmdir()
