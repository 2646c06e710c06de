"""Models to a hub: whose token it is, what is there already, then one commit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from everyid.errors import HubError
from everyid.hub import Hub, RemoteFile
from everyid.hub_store import file_place
from everyid.models import Model
from everyid.output import readable
from everyid.store import sha256_of

__all__ = ["HubUpload", "PlannedFile", "upload"]

State = Literal["new", "same", "other", "not checked"]


class PlannedFile(Model):
    """One file of an upload."""

    file: str = Field(description="its path in the repository")
    path: Path
    size_bytes: int
    sha256: str
    state: State = Field(
        description="what the repository has by that name: nothing, the same, other content"
    )


class HubUpload(Model):
    """What an upload did, or would do."""

    repository: str = Field(description="OWNER/NAME")
    endpoint: str = Field(description="address of the hub")
    revision: str = Field(description="the branch")
    account: str | None = Field(description="whose token it was; null: not checked")
    created: bool | None = Field(description="the repository was not there; null: not checked")
    public: bool | None = Field(description="what the repository is; null: not checked")
    files: list[PlannedFile]
    commit: str | None = Field(description="null: nothing was sent")
    dry_run: bool
    not_checked: str | None = Field(default=None, description="why a dry run could not look")


def upload(
    repository: str,
    files: Mapping[str, Path],
    *,
    revision: str = "main",
    public: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> HubUpload:
    """What was sent to a repository, in one commit; it is made, private, where there is none.

    Run again after it was cut short, it does not send again what the hub has already.

    Args:
        repository: ``OWNER/NAME``.
        files: Path in the repository -> file here; the main one first.
        revision: The branch.
        public: Make a public repository; one that is there stays what it is.
        overwrite: Replace files that are there with other content.
        dry_run: Only look; where that is not possible, say why.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the usual one.

    Raises:
        ConfigError: ``repository`` is no ``OWNER/NAME``.
        HubError: Nobody is logged in, the token may not write, the hub has other content under
            these names, refuses, or is not there.
        InputError: A file cannot be read.
    """
    for name in files:
        file_place(repository, name)
    hub = Hub(repository, revision, endpoint=endpoint, writing=True)
    plan = HubUpload(
        repository=repository,
        endpoint=hub.asked.endpoint,
        revision=revision,
        account=None,
        created=None,
        public=None,
        files=[_planned(name, path) for name, path in files.items()],
        commit=None,
        dry_run=dry_run,
    )
    try:
        with hub.talking():
            plan, parent = _compared(hub, plan, public=public)
            if dry_run:
                return plan
            _refuse_others(plan, overwrite=overwrite)
            return _sent(hub, plan, parent)
    except HubError as error:
        if not dry_run:
            raise
        return plan.model_copy(update={"not_checked": str(error)})


def _planned(name: str, path: Path) -> PlannedFile:
    size = readable(path).stat().st_size
    return PlannedFile(
        file=name, path=path, size_bytes=size, sha256=sha256_of(path), state="not checked"
    )


def _compared(hub: Hub, plan: HubUpload, *, public: bool) -> tuple[HubUpload, str | None]:
    """The plan beside what the repository has, and the commit that was looked at.

    Raises:
        HubError: Nobody is logged in, or the token may not write there.
    """
    account = hub.writer()
    there = hub.look_if_there()
    known = there.files if there else {}
    files = [one.model_copy(update={"state": _state(one, known)}) for one in plan.files]
    update = {
        "account": account,
        "created": there is None,
        "public": not there.private if there else public,
        "files": files,
    }
    return plan.model_copy(update=update), there.commit if there else None


def _state(mine: PlannedFile, there: Mapping[str, RemoteFile]) -> State:
    other = there.get(mine.file)
    if other is None:
        return "new"
    return "same" if other.found(mine.path) == other.stated else "other"


def _refuse_others(plan: HubUpload, *, overwrite: bool) -> None:
    others = [one.file for one in plan.files if one.state == "other"]
    if others and not overwrite:
        raise HubError(
            f"{plan.repository} has other content in {', '.join(others)}",
            hint="add --overwrite (the history of the repository keeps the old content), or name "
            "another --repo",
        )


def _sent(hub: Hub, plan: HubUpload, parent: str | None) -> HubUpload:
    """The plan, once it is done."""
    fresh = [(one.file, one.path) for one in plan.files if one.state != "same"]
    if not fresh:
        return plan
    if plan.created:
        hub.create(public=bool(plan.public))
    message = f"Upload {plan.files[0].file} with EveryID"
    return plan.model_copy(update={"commit": hub.send(fresh, message=message, parent=parent)})
