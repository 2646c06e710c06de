"""Where a long run works: a hidden part of its output folder, found again by the next run."""

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everyid.errors import OutputError, OutputExistsError
from everyid.output import counted, notice, result_folder, whole_file, writing
from everyid.store import claimed
from synthetic.rendering.context import open_context

__all__ = ["Workplace", "enough_space", "versions", "workplace"]

_PACKAGES = ("anny", "moderngl", "numpy", "opencv-python", "av", "pillow", "pyarrow")
_DOING = "run.json"


@dataclass(frozen=True, slots=True)
class Workplace:
    """An output folder, and the hidden part in it where files are made.

    Args:
        output: Where all lies in the end.
        part: Where it is made.
        resumed: Whether an earlier run left something here.
    """

    output: Path
    part: Path
    resumed: bool

    def say_unfinished(self) -> None:
        """Tells how to go on from what is here."""
        notice(f"not whole yet: the same command with --output {self.output} goes on from here")

    def finish(self) -> None:
        """Moves all that was made to the output folder, in the place of what has the same name.

        Raises:
            OutputError: The file system refuses.
        """
        with writing(self.output):
            for made in sorted(self.part.iterdir()):
                if made.name.startswith("."):
                    continue
                there = self.output / made.name
                if there.is_dir() and not there.is_symlink():
                    shutil.rmtree(there)
                made.replace(there)
            shutil.rmtree(self.part)


@contextmanager
def workplace(
    output: Path | None, command: str, doing: Mapping[str, Any], *, overwrite: bool
) -> Iterator[Workplace]:
    """Yields the workplace of a run; a part left by an interrupted run of the same is kept.

    Args:
        output: What ``--output`` names, or None for a fresh folder.
        command: Such as "crops".
        doing: What decides the result; kept in the part as ``run.json``, and compared.
        overwrite: Replace results, and drop the unfinished part of another run.

    Raises:
        OutputExistsError: The folder holds results, or the unfinished part of another run.
        OutputError: It cannot be written, or another process works in it.
    """
    with result_folder(output, "synthetic", command) as folder:
        part = folder / ".part"
        with claimed(part, wait=False):
            in_use = any(there.suffix != ".lock" for there in folder.iterdir())
            if not part.exists() and in_use and not overwrite:
                raise OutputExistsError(
                    f"{folder} is not empty", hint="add --overwrite, or name another --output"
                )
            with writing(part):
                part.mkdir(exist_ok=True)
            resumed = _same_work(part, doing, overwrite=overwrite)
            if not resumed:
                with whole_file(part / _DOING) as file:
                    file.write_text(json.dumps(doing, indent=2) + "\n", encoding="utf-8")
            yield Workplace(folder, part, resumed)


def _same_work(part: Path, doing: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Whether the part is of the same work; one that is not is emptied when that is allowed."""
    words = part / _DOING
    try:
        before = json.loads(words.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = None
    except (OSError, ValueError):
        before = {}
    if before == doing:
        notice(f"going on with what an interrupted run left in {part.parent}")
        return True
    if before is not None and not overwrite:
        differing = sorted(key for key in doing if before.get(key) != doing[key])
        raise OutputExistsError(
            f"{part.parent} holds the unfinished result of another run "
            f"(it differs in: {', '.join(differing) or 'unreadable'})",
            hint="add --overwrite to drop it, or name another --output",
        )
    with writing(part):
        shutil.rmtree(part)
        part.mkdir()
    return False


def enough_space(folder: Path, expected_bytes: int, what: str) -> None:
    """Says how much disk a run takes, and refuses to begin one that cannot end.

    Raises:
        OutputError: The disk has less free.
    """
    free = shutil.disk_usage(folder).free
    needed = f"about {_size(expected_bytes)} for {what}"
    if expected_bytes > free:
        raise OutputError(
            f"no room in {folder}: {needed}, {_size(free)} free",
            hint="free some, ask for less, or name a folder on another disk with --output",
        )
    notice(f"{needed}; {_size(free)} free in {folder}")


def _size(count: int) -> str:
    """Bytes in words.

    >>> _size(3_400_000), _size(64_000_000), _size(2_500_000_000)
    ('3.4 MB', '64 MB', '2.5 GB')
    """
    if count >= 10**9:
        return f"{count / 10**9:.1f} GB"
    return f"{count / 10**6:.2g} MB" if count < 10**7 else counted(count // 10**6, "MB", "MB")


def versions() -> dict[str, str]:
    """What a picture's bytes depend on beside the seed: versions, and who renders.

    Raises:
        DependencyError: OpenGL cannot start, so nothing can be rendered.
    """
    context = open_context()
    renderer = str(context.info["GL_RENDERER"])
    context.release()
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        found[name] = importlib.metadata.version(name)
    return {"everyid": importlib.metadata.version("everyid"), **found, "renderer": renderer}
