"""What ``person download_model`` and ``upload_model`` are asked to do."""

from everyid.config import CommandConfig

__all__ = ["DEFAULT_FILE", "DEFAULT_REPOSITORY", "DownloadConfig", "UploadConfig"]

DEFAULT_REPOSITORY = "SebLogsdon/EveryPerson"
DEFAULT_FILE = "person_reid_model_vit_msmt17_final.pth"


class SharingConfig(CommandConfig):
    """Where on a hub a model is."""

    repo: str = DEFAULT_REPOSITORY
    account: str | None = None
    file: str | None = None
    revision: str = "main"

    @property
    def repository(self) -> str:
        """``OWNER/NAME``, the owner replaced by the account that was named.

        >>> SharingConfig(account="anna").repository
        'anna/EveryPerson'
        """
        owner, _, name = self.repo.rpartition("/")
        return f"{self.account or owner or DEFAULT_REPOSITORY.partition('/')[0]}/{name}"


class DownloadConfig(SharingConfig):
    """What ``person download_model`` is asked to do."""


class UploadConfig(SharingConfig):
    """What ``person upload_model`` is asked to do."""

    model: str
    public: bool = False
    overwrite: bool = False
    dry_run: bool = False
