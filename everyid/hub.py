"""A repository of a model hub, asked politely: the only file that knows ``huggingface_hub``.

It looks, fetches bytes and sends them; what is wanted and where it belongs is decided in
:mod:`everyid.hub_download` and :mod:`everyid.hub_upload`. The token comes from where the client
looks: ``HF_TOKEN``, then the login stored by ``hf auth login``. It never gets into a message.
"""

import errno
import hashlib
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    HfApi,
    constants,
    get_hf_file_metadata,
    get_token,
    hf_hub_url,
    set_client_factory,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    DeviceCodeError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    OIDCError,
)
from huggingface_hub.file_download import HfFileMetadata, http_get, xet_get
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import default_client_factory
from huggingface_hub.utils._runtime import is_xet_available
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from everyid.errors import EveryIDError, HubError, OutputError
from everyid.hub_errors import Asked, check_write, refused, unreachable
from everyid.output import notice, progress, warn
from everyid.settings import tame_xet
from everyid.store import sha256_of

__all__ = ["COMMIT", "Hub", "RemoteFile", "Repository"]

COMMIT = re.compile(r"[0-9a-f]{40}")
"""What the name of a commit looks like."""
TRIES = 3
"""Tries of a request that the client does not repeat by itself."""
PATIENCE_S = 30
"""The longest pause that a hub may ask for between them, seconds."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}
_XET_FAILURES = (OSError, RuntimeError, ValueError, httpx2.HTTPError)
_LIBRARY = "everyid"

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What a hub states of a file.

    Args:
        name: Its path in the repository.
        size_bytes: How large it is.
        sha256: Its checksum, 64 hex digits; None of small files, which git keeps.
        git_sha1: The checksum that git gives it, 40 hex digits.
    """

    name: str
    size_bytes: int
    sha256: str | None
    git_sha1: str

    @property
    def stated(self) -> str:
        """The checksum that counts."""
        return self.sha256 or self.git_sha1

    def found(self, path: Path) -> str:
        """The same checksum of a file that is here.

        Raises:
            InputError: It cannot be read.
        """
        return sha256_of(path) if self.sha256 else _git_sha1(path)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit.

    Args:
        commit: 40 hex digits.
        private: Whether only some may see it.
        files: Path in the repository -> what the hub states of the file.
    """

    commit: str
    private: bool
    files: Mapping[str, RemoteFile]


class Hub:
    """A repository on a hub.

    Args:
        repository: ``OWNER/NAME``.
        revision: A branch, a tag or a commit.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the usual one.
        writing: Something is to be uploaded; for messages.

    Raises:
        HubError: The stored login cannot be used.
    """

    def __init__(
        self, repository: str, revision: str, *, endpoint: str | None = None, writing: bool = False
    ) -> None:
        address = (endpoint or constants.ENDPOINT).rstrip("/")
        try:
            token = get_token()
        except (OSError, ValueError, OIDCError, DeviceCodeError) as error:
            raise HubError(
                f"the login of this machine cannot be used: {error}", hint="`hf auth login`"
            ) from error
        self.asked = Asked(repository, address, revision, token, writing)
        self.offline = constants.is_offline_mode()
        self._api = HfApi(endpoint=address, token=token or False, library_name=_LIBRARY)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Turns all that the client raises, warns of and logs into words of this project.

        Raises:
            HubError: The hub refused, is not there, or is none.
            OutputError: A file cannot be written, or its disk is full.
        """
        tame_xet()
        _limit_waiting()
        with warnings.catch_warnings(record=True) as said, _own_words(self.asked):
            warnings.simplefilter("always")
            try:
                yield
            except EveryIDError:
                raise
            except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
                raise _in_words(self.asked, error) from error
            except httpx2.HTTPError as error:
                raise _in_words(self.asked, error) from error
        for warning in said:
            if not issubclass(warning.category, DeprecationWarning):  # those are for its authors
                warn(self.asked.redacted(str(warning.message)))

    def look(self) -> Repository:
        """The repository as it is now."""
        info = _patiently(
            lambda: self._api.model_info(
                self.asked.repository,
                revision=self.asked.revision,
                files_metadata=True,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
            )
        )
        if not info.sha or not COMMIT.fullmatch(info.sha):
            raise ValueError(f"expected a commit, got {info.sha!r}")
        files = [
            RemoteFile(
                one.rfilename,
                (one.size if one.lfs is None else one.lfs.size) or 0,
                None if one.lfs is None else one.lfs.sha256,
                one.blob_id or "",
            )
            for one in info.siblings or []
        ]
        return Repository(info.sha, bool(info.private), {one.name: one for one in files})

    def look_if_there(self) -> Repository | None:
        """The same, or None where there is no such repository that the token may see."""
        try:
            return self.look()
        except HfHubHTTPError as error:
            if error.response.headers.get("X-Error-Code") == "RepoNotFound":
                return None
            raise

    def cached(self, name: str, commit: str) -> Path | None:
        """A file that another program of the hub left in the client's own cache, or None."""
        found = try_to_load_from_cache(self.asked.repository, name, revision=commit)
        return Path(found) if isinstance(found, str) else None

    def cached_snapshot(self) -> tuple[str, Path] | None:
        """A commit in the client's own cache and the folder of its files, or None."""
        name = f"models--{self.asked.repository.replace('/', '--')}"
        folder = Path(constants.HF_HUB_CACHE, name)
        reference = folder / "refs" / self.asked.revision
        commit = reference.read_text().strip() if reference.is_file() else self.asked.revision
        snapshot = folder / "snapshots" / commit
        return (commit, snapshot) if COMMIT.fullmatch(commit) and snapshot.is_dir() else None

    def fill(self, commit: str, wanted: RemoteFile, part: Path) -> None:
        """Returns nothing; brings a part of a file to its full length, from what it holds on.

        Args:
            commit: Which one of the file.
            wanted: The file.
            part: Where the bytes go; may hold the first of them.
        """
        asked = self.asked
        have = part.stat().st_size if part.exists() else 0
        headers = build_hf_headers(token=asked.token or False, library_name=_LIBRARY)
        url = hf_hub_url(asked.repository, wanted.name, revision=commit, endpoint=asked.endpoint)
        metadata = _patiently(
            lambda: get_hf_file_metadata(
                url,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
                headers=headers,
                endpoint=asked.endpoint,
            )
        )
        where = metadata.location
        with progress(f"downloading {wanted.name}", wanted.size_bytes, as_bytes=True) as advance:
            bar = _bar(advance)
            if not have and self._by_xet(metadata, wanted, headers, part, bar):
                return
            if not where.startswith(f"{asked.endpoint}/"):
                headers.pop("authorization", None)  # the token is not for where the hub points
            advance(have)
            _patiently(lambda: _by_http(where, wanted, headers, part, bar))

    def _by_xet(
        self,
        metadata: HfFileMetadata,
        wanted: RemoteFile,
        headers: dict[str, str],
        part: Path,
        bar: type,
    ) -> bool:
        """Whether the bytes came by way of Xet, where the hub offers it and the client has it."""
        if metadata.xet_file_data is None or not is_xet_available():
            return False
        try:
            xet_get(
                incomplete_path=part,
                xet_file_data=metadata.xet_file_data,
                headers=headers,
                expected_size=wanted.size_bytes,
                displayed_filename=wanted.name,
                tqdm_class=bar,
            )
        except _XET_FAILURES as error:
            reason = self.asked.redacted(str(error))
            notice(f"{wanted.name}: going on over plain HTTP, Xet does not work here: {reason}")
            part.unlink(missing_ok=True)
            return False
        return True

    def writer(self) -> str:
        """The account whose token this is, once it may write to the repository.

        Raises:
            HubError: Nobody is logged in, or the token may not write there.
        """
        if self.asked.token is None:
            raise HubError("nobody is logged in, and this is to write", hint=self.asked.login)
        return check_write(self.asked, _patiently(self._api.whoami))

    def create(self, *, public: bool) -> None:
        """Returns nothing; makes the repository."""
        self._api.create_repo(self.asked.repository, private=not public)

    def send(self, files: Sequence[tuple[str, Path]], *, message: str, parent: str | None) -> str:
        """The commit that brings files; what the hub has of them already is not sent again.

        Args:
            files: Path in the repository, file here.
            message: Of the commit.
            parent: The commit it is to follow; another one in between is an error. None: any.
        """
        asked = self.asked
        operations = [CommitOperationAdd(name, str(path)) for name, path in files]
        total = sum(one.upload_info.size for one in operations)
        with progress(f"uploading to {asked.repository}", total, as_bytes=True) as advance:
            for one in operations:
                self._send_bytes(one)
                advance(one.upload_info.size)
            done = self._api.create_commit(
                asked.repository,
                operations,
                commit_message=message,
                revision=asked.revision,
                parent_commit=parent,
            )
        return str(done.oid)

    def _send_bytes(self, operation: CommitOperationAdd) -> None:
        """Sends the bytes of a large file; a small one goes with the commit."""
        asked = self.asked
        try:
            self._api.preupload_lfs_files(
                asked.repository, [operation], revision=asked.revision, free_memory=False
            )
        except _XET_FAILURES as error:
            if isinstance(error, httpx2.HTTPError) or not is_xet_available():
                raise
            raise HubError(
                f"{operation.path_in_repo}: the upload by way of Xet failed: "
                f"{asked.redacted(str(error))}",
                hint="run the command again; HF_HUB_DISABLE_XET=1 sends it over plain HTTP",
            ) from error


def _git_sha1(path: Path) -> str:
    """The checksum that git gives a file."""
    content = path.read_bytes()
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@cache
def _limit_waiting() -> None:
    """Makes the client of this process one that does not wait for ever."""
    set_client_factory(_client)


def _client() -> httpx2.Client:
    client = default_client_factory()
    connect_s, rest_s = constants.HF_HUB_ETAG_TIMEOUT, 6 * constants.HF_HUB_DOWNLOAD_TIMEOUT
    client.timeout = httpx2.Timeout(rest_s, connect=connect_s)
    return client


class _Notices(logging.Handler):
    """Says what the client logs as this project does, without what must not be said."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(logging.WARNING)
        self._asked = asked

    def emit(self, record: logging.LogRecord) -> None:
        notice(self._asked.redacted(record.getMessage()))


@contextmanager
def _own_words(asked: Asked) -> Iterator[None]:
    """Keeps the client's log and its progress bars from the terminal, where ours are."""
    logger = logging.getLogger("huggingface_hub")
    before, propagate, barless = logger.handlers, logger.propagate, are_progress_bars_disabled()
    logger.handlers, logger.propagate = [_Notices(asked)], False
    disable_progress_bars()
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagate
        if not barless:
            enable_progress_bars()


def _in_words(asked: Asked, error: Exception) -> EveryIDError:
    """The error of this project for one of the client."""
    cause = error.__cause__
    if type(error) is RuntimeError and isinstance(cause, Exception):  # from a thread that uploads
        return _in_words(asked, cause)
    if isinstance(error, HfHubHTTPError):
        return refused(asked, error.response.status_code, error.response.headers)
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(
            "HF_HUB_OFFLINE is set, and this needs the hub", hint="unset HF_HUB_OFFLINE"
        )
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx2.HTTPError | ConnectionError | TimeoutError):
        return unreachable(asked, reason)
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f" of {error.filename}" if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = f"no space left on the disk{where}" if full else f"cannot write: {reason}"
        return OutputError(what, hint="make room, or set EVERYID_MODELS to another folder")
    return HubError(
        f"{asked.endpoint} does not answer as a hub does: {asked.redacted(reason)}",
        hint="check HF_ENDPOINT, and that no proxy or login page answers in its place",
    )


def _patiently(call: Callable[[], ResultT]) -> ResultT:
    """What a request brings, tried again where that may help."""
    for attempt in range(1, TRIES):
        wait_s = 2 ** (attempt - 1)
        try:
            return call()
        except HfHubHTTPError as error:
            status = error.response.status_code
            after = error.response.headers.get("Retry-After", "")
            wait_s = int(after) if after.isdecimal() else wait_s
            if (status != 429 and status < 500) or wait_s > PATIENCE_S:
                raise
            notice(f"the hub answers HTTP {status}; trying again in {wait_s} s")
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            notice(f"the connection was cut; trying again in {wait_s} s")
        time.sleep(wait_s)
    return call()


def _by_http(url: str, wanted: RemoteFile, headers: dict[str, str], part: Path, bar: type) -> None:
    with part.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers=headers,
            expected_size=wanted.size_bytes,
            tqdm_class=bar,
        )


def _bar(advance: Callable[[int], None]) -> type:
    """What the client takes for a progress bar, and moves ours."""

    class Bar:
        total = None

        def __init__(self, *_: object, **__: object) -> None:
            self.n = 0

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, steps: int) -> None:
            advance(steps)

        def ignore(self, *_: object, **__: object) -> None:
            """What is not shown: other figures, and other ways to say them."""

        close = refresh = set_postfix_str = update_transfer = set_transfer_postfix_str = ignore

    return Bar
