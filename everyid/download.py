"""Files over HTTP, checked by size and sha256, whole or not at all.

The bytes of ``FILE`` go to ``.FILE.part``; ``.FILE.part.json`` says which URL and ETag they came
from. Ctrl-C, a kill or a lost network leave both, and the next download goes on from there. When
size and sha256 are right the part is renamed to ``FILE``. Two processes are kept apart by
``everyid.store.claimed``.
"""

import email.utils
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import ValidationError

from everyid.errors import WeightsError
from everyid.models import Model
from everyid.output import progress
from everyid.store import sha256_of, storing

__all__ = ["discard_part", "download"]

TRIES = 3
"""Tries for each URL; a failure to connect is not tried again, so that the next source is."""
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds to connect, and seconds without a byte."""
BACKOFF_S = 0.5
"""Seconds before the second try; doubled for each one after."""
RETRY_AFTER_MAX_S = 30.0
"""A server that asks for a longer pause than this is given up."""


class _RefusedError(Exception):
    """This URL will not give the file; another try would not help."""


class _CutError(Exception):
    """The try failed in a way that may pass."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _PartNote(Model):
    """Where the bytes of a part came from."""

    url: str
    etag: str | None


@dataclass(frozen=True)
class _Job:
    """One file that is wanted from one URL."""

    url: str
    path: Path
    sha256: str | None
    size_bytes: int | None

    @property
    def part(self) -> Path:
        """The bytes received up to now."""
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def note(self) -> Path:
        """The file that tells where the part came from."""
        return self.path.with_name(f".{self.path.name}.part.json")

    def forget(self) -> None:
        """Removes the part and its note."""
        with storing(self.path):
            self.part.unlink(missing_ok=True)
            self.note.unlink(missing_ok=True)


def discard_part(path: Path) -> None:
    """Returns nothing; removes what an unfinished download of ``path`` left.

    Raises:
        OutputError: It cannot be removed.
    """
    _Job(url="", path=path, sha256=None, size_bytes=None).forget()


def _resume_from(job: _Job) -> tuple[int, str | None]:
    """How many bytes of the part can be kept, and the ETag they belong to."""
    try:
        offset = job.part.stat().st_size
    except OSError:
        return 0, None
    try:
        note = _PartNote.model_validate_json(job.note.read_bytes())
    except (OSError, ValidationError):
        note = _PartNote(url="", etag=None)
    etag = note.etag if note.url == job.url else None
    if etag is not None and etag.startswith("W/"):
        etag = None  # a weak one does not promise the same bytes
    if etag is None and job.sha256 is None:
        return 0, None  # nothing could tell that the rest belongs to another file
    if job.size_bytes is not None and offset > job.size_bytes:
        return 0, None
    return offset, etag


def _retry_after_s(response: httpx.Response) -> float | None:
    """The pause a server asks for, in seconds; None when it asks for none that can be read."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _check_response(response: httpx.Response, job: _Job) -> None:
    """Checks that the answer is the file or a piece of it.

    Raises:
        _CutError: Another try may help.
        _RefusedError: It would not.
    """
    status = response.status_code
    reason = f"HTTP {status} {response.reason_phrase}".rstrip()
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        job.forget()
        raise _CutError(reason, wait_s=0.0)
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        wait_s = _retry_after_s(response)
        if wait_s is not None and wait_s > RETRY_AFTER_MAX_S:
            raise _RefusedError(f"{reason}, asks to wait {wait_s:.0f} s")
        raise _CutError(reason, wait_s)
    if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise _RefusedError(reason)
    hops = [*(hop.url for hop in response.history), response.url]
    if hops[0].scheme == "https" and any(hop.scheme != "https" for hop in hops):
        raise _RefusedError("it redirects from https to an address without encryption")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _RefusedError("the answer is a web page, not the file")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _RefusedError("the server compresses the file on its way, which was not asked for")


def _first_byte(response: httpx.Response, job: _Job, asked: int) -> int:
    """Where in the file the answer starts, bytes; 0 when the server ignored the range.

    Raises:
        _CutError: The server sends another piece than the one asked for.
    """
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if asked == 0 or match is None or int(match[1]) != asked:
        job.forget()
        raise _CutError("the server sent another part of the file than asked for", wait_s=0.0)
    return asked


def _save(response: httpx.Response, job: _Job, offset: int) -> None:
    """Writes the body of an answer to the part, from ``offset`` bytes on.

    Raises:
        OutputError: The part cannot be written.
        _CutError: Less came than announced.
        _RefusedError: The file is not as large as it has to be.
    """
    length = response.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() else None
    expected = job.size_bytes
    if expected is not None and total not in (None, expected):
        job.forget()
        raise _RefusedError(f"expected {expected:,} bytes, the server has {total:,}")
    if total is None and expected is None and "Transfer-Encoding" not in response.headers:
        raise _RefusedError("the server does not say how long the file is")
    received = offset
    label = f"downloading {job.path.name}"
    with (
        storing(job.path),
        progress(label, expected or total, as_bytes=True) as advance,
        job.part.open("r+b" if offset else "wb") as file,
    ):
        note = _PartNote(url=job.url, etag=response.headers.get("ETag"))
        job.note.write_text(note.model_dump_json(), encoding="utf-8")
        file.seek(offset)
        advance(offset)
        for chunk in response.iter_raw():
            received += len(chunk)
            if expected is not None and received > expected:
                break
            file.write(chunk)
            advance(len(chunk))
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    if expected is not None and received > expected:
        job.forget()
        raise _RefusedError(f"expected {expected:,} bytes, the server sends more")
    if expected is not None and received < expected:
        raise _CutError(f"the connection closed after {received:,} of {expected:,} bytes")


def _receive(client: httpx.Client, job: _Job) -> bool:
    """Brings the part to its full length; True when it holds bytes of an earlier try.

    Raises:
        OutputError: The part cannot be written.
        _CutError: Another try may help.
        _RefusedError: It would not.
    """
    offset, etag = _resume_from(job)
    if offset and offset == job.size_bytes:
        return True
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if etag:
            headers["If-Range"] = etag
    try:
        with client.stream("GET", job.url, headers=headers) as response:
            _check_response(response, job)
            start = _first_byte(response, job, offset)
            _save(response, job, start)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise _RefusedError(f"cannot connect: {_in_words(error)}") from error
    except (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError) as error:
        raise _CutError(_in_words(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _RefusedError(_in_words(error)) from error
    return start > 0


def _in_words(error: Exception) -> str:
    """What a failure of the network says, on one line, or else its kind."""
    return " ".join(str(error).split()) or type(error).__name__


def _land(job: _Job, *, resumed: bool) -> str:
    """The sha256 of the finished part, which has now its final name.

    Raises:
        OutputError: It cannot be renamed.
        _CutError: The checksum is wrong, and the start came from an earlier try.
        _RefusedError: The checksum is wrong.
    """
    found = sha256_of(job.part)
    if job.sha256 not in (None, found):
        job.forget()
        reason = f"expected sha256 {job.sha256}, got {found}"
        raise _CutError(reason, wait_s=0.0) if resumed else _RefusedError(reason)
    with storing(job.path):
        job.part.replace(job.path)
        job.note.unlink(missing_ok=True)
    return found


def _client() -> httpx.Client:
    """A client that follows redirects and takes proxies from the environment.

    Raises:
        WeightsError: The proxy settings of the environment cannot be used.
    """
    try:
        return httpx.Client(
            follow_redirects=True, timeout=TIMEOUT, headers={"User-Agent": "everyid"}
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise WeightsError(f"the proxy settings cannot be used: {_in_words(error)}") from error


def download(
    url: str, path: Path, *, sha256: str | None = None, size_bytes: int | None = None
) -> str:
    """The sha256 of the file that is now at ``path``, downloaded whole.

    Goes on from what an earlier download of the file left, when that can still be used. Hold
    ``claimed(path)`` around it when other processes may want the same file.

    Args:
        url: Where the file is; redirects are followed, but not from https to http.
        path: Its final name, in a folder that exists; an existing file is replaced.
        sha256: 64 lower-case hex digits the file must have, or None to take what comes.
        size_bytes: The bytes the file must have, or None to take what comes.

    Raises:
        OutputError: The part or the file cannot be written. What came stays for the next time.
        WeightsError: The file cannot be had from there, or is another one. The message is the
            reason on one line, without the URL.
    """
    job = _Job(url, path, sha256, size_bytes)
    tries = 0
    with _client() as client:
        while True:
            tries += 1
            try:
                return _land(job, resumed=_receive(client, job))
            except _RefusedError as error:
                raise WeightsError(str(error)) from error
            except _CutError as error:
                if tries >= TRIES:
                    raise WeightsError(f"{error} (tried {tries} times)") from error
                wait_s = error.wait_s
            time.sleep(BACKOFF_S * 2 ** (tries - 1) if wait_s is None else wait_s)
