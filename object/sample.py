"""What the commands run on when no source is named.

For images that is pictures of people which belong to the installed ultralytics package and are
not part of EveryID; for video a clip of people who do not exist, with its ground truth beside it.
"""

from importlib.util import find_spec
from pathlib import Path

from everyid.errors import DependencyError, InputError
from everyid.settings import PROJECT_FOLDER

__all__ = ["sample_clip", "sample_images"]

_PICTURES = ("bus.jpg", "zidane.jpg")
_CLIP = PROJECT_FOLDER / "tests" / "data" / "site" / "camera-1.mp4"


def sample_images() -> list[Path]:
    """The two pictures of people that the ultralytics package carries.

    Raises:
        DependencyError: They are not there.
    """
    spec = find_spec("ultralytics")
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError("ultralytics is not installed", hint="pip install ultralytics")
    folder = Path(next(iter(spec.submodule_search_locations))) / "assets"
    pictures = [folder / name for name in _PICTURES]
    for picture in pictures:
        if not picture.is_file():
            raise DependencyError(
                f"{picture}: the installed ultralytics has no such sample picture",
                hint="name your own footage with --source",
            )
    return pictures


def sample_clip() -> Path:
    """The clip of people who do not exist that lies in the checkout.

    Raises:
        InputError: It is not there.
    """
    if not _CLIP.is_file():
        raise InputError(
            f"{_CLIP}: the sample clip is missing", hint="name your own footage with --source"
        )
    return _CLIP
