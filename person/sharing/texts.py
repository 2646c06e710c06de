"""Results of ``person download_model`` and ``upload_model`` as text for people."""

from everyid.hub_upload import HubUpload
from person.sharing.commands import DownloadRun

__all__ = ["download_text", "upload_text"]

_STATES = {
    "new": "new",
    "same": "there already, not sent",
    "other": "replaces other content",
    "not checked": "not checked",
}


def download_text(run: DownloadRun) -> str:
    """Where the model is, what it is, and how to name it."""
    record = run.record
    main = record.main
    return "\n".join(
        [
            str(run.path),
            f"  {main.size_bytes / 1e6:,.1f} MB, sha256 {main.sha256}",
            f"  {record.repository}, revision {record.revision}, commit {record.commit}",
            f"use it: --model {run.model}",
        ]
    )


def upload_text(run: HubUpload) -> str:
    """What went, or would go, and where it is."""
    lines = [
        f"{one.file:40} {one.size_bytes / 1e6:10,.3f} MB  {_STATES[one.state]}" for one in run.files
    ]
    kind = {True: "public", False: "private", None: "not checked"}[run.public]
    made = "would be made" if run.dry_run else "made"
    where = f"{run.endpoint}/{run.repository}, {run.revision}"
    lines.append(f"{where}: {kind}{f', {made}' if run.created else ''}")
    if run.not_checked is not None:
        lines.append(f"not checked: {run.not_checked}")
    if run.dry_run:
        lines.append("dry run: nothing was sent")
    else:
        lines.append(f"commit {run.commit}" if run.commit else "nothing to send")
    return "\n".join(lines)
