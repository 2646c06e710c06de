"""What layouts share: their limits, empty folders, lists of paths and MATLAB files."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from scipy.io import savemat

from everyid.errors import ConfigError
from everyid.output import counted, writing
from synthetic.layouts.plan import DISTRACTOR, CropPlan, Part

__all__ = ["PARTS", "make_folders", "require_room", "write_lists", "write_mat", "write_text"]

PARTS: tuple[Part, ...] = ("train", "query", "gallery")

_HEADER = b"MATLAB 5.0 MAT-file".ljust(116)
"""The text that begins a MATLAB file; savemat puts the time and the system into it."""


def require_room(
    plan: Sequence[CropPlan], layout: str, *, cameras: int | None = None, identities: int
) -> None:
    """Checks that names of a layout can tell all cameras and identities apart.

    Args:
        plan: The crops.
        layout: What the layout is called, for the message.
        cameras: The highest number of a camera, or None: any will do.
        identities: The highest number of an identity.

    Raises:
        ConfigError: There are more.
    """
    highest = max((crop.camera for crop in plan), default=0)
    if cameras is not None and highest > cameras:
        raise ConfigError(
            f"the {layout} layout has names for {counted(cameras, 'camera')}, "
            f"the set has {counted(highest, 'camera')}",
            hint="take fewer cameras, or the layout msmt17 or folders",
        )
    highest = max((crop.identity for crop in plan), default=DISTRACTOR)
    if highest > identities:
        raise ConfigError(
            f"the {layout} layout has names for {counted(identities, 'person', 'people')}, "
            f"the set has {counted(highest, 'person', 'people')}",
            hint="take fewer people, or the layout folders",
        )


def make_folders(folder: Path, names: Sequence[str]) -> None:
    """Makes the folders of a layout that got no crop: readers want them all the same.

    Raises:
        OutputError: They cannot be made.
    """
    for name in names:
        with writing(folder / name):
            (folder / name).mkdir(parents=True, exist_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file with the same bytes on every system.

    Raises:
        OutputError: It cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def write_lists(
    folder: Path, plan: Sequence[CropPlan], paths: Sequence[str], *, kind: str = ""
) -> list[str]:
    """The lists this writes: ``train.txt``, ``query.txt`` and ``gallery.txt``, a path a line.

    They tell what folders do not where a layout keeps its parts in one folder.

    Args:
        folder: The set's.
        plan: The crops.
        paths: Of the crops, seen from the folder.
        kind: Goes between the part and the suffix of the lists' names.

    Raises:
        OutputError: They cannot be written.
    """
    for part in PARTS:
        lines = [f"{path}\n" for crop, path in zip(plan, paths, strict=True) if crop.part == part]
        write_text(folder / f"{part}{kind}.txt", "".join(lines))
    return [f"{part}{kind}.txt" for part in PARTS]


def write_mat(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes a MATLAB 5 file with the same bytes each time.

    Args:
        path: The file, ``.mat``.
        arrays: Name -> array.

    Raises:
        OutputError: It cannot be written.
    """
    content = BytesIO()
    savemat(content, dict(arrays))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_HEADER + content.getvalue()[len(_HEADER) :])
