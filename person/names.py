"""Identity, camera, video, track and frame as folders and file names tell them."""

import re
from collections.abc import Callable
from functools import lru_cache
from sys import intern
from typing import Literal, NamedTuple

from everyid.errors import ConfigError

__all__ = ["CropName", "label_pattern", "read_name"]


class CropName(NamedTuple):
    """What the path of a crop says; None where it says nothing.

    Args:
        identity: Who it is: a folder's name, or the number in a data set's file name as it stands
            there ("0002", "-1").
        camera: Without leading zeros: "1".
        video: The name of the video the crop was cut from.
        track: The tracklet's number.
        frame: The frame's number in its video or sequence.
    """

    identity: str | None = None
    camera: str | None = None
    video: str | None = None
    track: int | None = None
    frame: int | None = None


_SPLITS = frozenset(
    (
        *("train", "train_all", "val", "valid", "validation", "test", "query", "gallery"),
        *("bounding_box_train", "bounding_box_test", "gt_bbox", "gt_query", "multi-query"),
        *("multi_query", "bbox_train", "bbox_test", "mask_train_v2", "mask_test_v2"),
        *("images", "images_labeled", "images_detected", "labeled", "detected", "crops", ".", ".."),
    )
)
"""Folders that parts of data sets lie in: they name nobody. Lower case."""
_CAMERA_FOLDER = re.compile(r"cam(?:era)?(?:[-_ ]?0*([0-9]+)|[-_ ]([a-z]))", re.IGNORECASE)
_TRACK_FOLDER = re.compile(r"[0-9]{4,18}")  # more digits fit no 64-bit number
_FRAME_FILE = re.compile(r"[0-9]{6,18}")

_FILE_NAMES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # Market-1501 (c1s1_000451: camera 1, sequence 1, frame 451), DukeMTMC-reID (c2_f0046182),
        # and the many sets that keep to IDENTITY_cCAMERA.
        r"(?P<identity>-1|\d+)_c0*(?P<camera>\d+)(?:s\d+_(?P<frame>\d{1,18})|_f(?P<frame2>\d{1,18}))?"
        r"(?:[_.].*)?\.\w+",
        # MARS: 0001C1T0001F001
        r"(?P<identity>\d{4}|00-1)C0*(?P<camera>\d+)T(?P<track>\d{1,18})F(?P<frame>\d{1,18})\.\w+",
        # MSMT17: identity, picture, camera, day with part of the day, and two more numbers
        r"(?P<identity>\d{4})_\d{3}_0*(?P<camera>\d+)_\d{4}(?:morning|noon|afternoon)_.*\.\w+",
        # CUHK03 as torchreid unpacks it: pair of cameras, person, camera, picture
        r"(?P<identity>[1-5]_\d{3,4})_(?P<camera>[12])_\d{2}\.png",
    )
)


def read_name(path: str, *, above: tuple[str, ...] = ()) -> CropName:
    """What the path of a crop says about it.

    The identity is the name of the folder the file lies in, unless that is a data set's part such
    as ``query``; else what the file is called as in Market-1501, DukeMTMC-reID, MSMT17, MARS or
    CUHK03; else None. Camera, track and frame come from the file name. A folder called ``cam1``
    or ``cam_a``, directly above the file or above the identity's folder, names a camera.
    ``crops/STEM/TRACK/FRAME.jpg``, as tracking writes it, is one identity STEM/TRACK in the video
    and camera STEM.

    >>> read_name("query/0002_c1s1_000451_03.jpg")
    CropName(identity='0002', camera='1', video=None, track=None, frame=451)
    >>> read_name("anna/front.jpg").identity
    'anna'
    >>> read_name("0003/000127.jpg", above=("crops", "hall"))
    CropName(identity='hall/0003', camera='hall', video='hall', track=3, frame=127)

    Args:
        path: Seen from the source that was given, with "/" between folders.
        above: The names of the source's own folder and those above it, outermost first. Only
            ``crops/STEM/TRACK`` is looked for there.
    """
    folder, _, file = path.rpartition("/")
    tracked = _read_track_folder(folder, above)
    if tracked is not None and (frame := _FRAME_FILE.fullmatch(file.rpartition(".")[0])):
        return tracked._replace(frame=int(frame[0]))
    about = _read_folder(folder)
    known = _read_file(file)
    return known._replace(
        identity=about.identity or known.identity, camera=about.camera or known.camera
    )


def _parts(folder: str) -> tuple[str, ...]:
    return tuple(part for part in folder.split("/") if part)


@lru_cache(maxsize=4096)
def _read_track_folder(folder: str, above: tuple[str, ...]) -> CropName | None:
    """What crops/STEM/TRACK says; None: it is another folder."""
    parts = (*above, *_parts(folder))[-3:]
    if len(parts) < 3 or parts[0] != "crops" or not _TRACK_FOLDER.fullmatch(parts[2]):
        return None
    _, stem, track = parts
    return CropName(f"{stem}/{track}", stem, stem, int(track))


@lru_cache(maxsize=4096)
def _read_folder(folder: str) -> CropName:
    """What the names of the folder that a file lies in, and of the one above that, say."""
    over, nearest = ("", "", *_parts(folder))[-2:]
    if camera := _camera_of(nearest):
        return CropName(camera=camera)
    if not nearest or nearest.casefold() in _SPLITS:
        return CropName()
    return CropName(nearest, _camera_of(over))


def _camera_of(folder: str) -> str | None:
    found = _CAMERA_FOLDER.fullmatch(folder)
    return (found[1] or found[2].lower()) if found else None


def _read_file(file: str) -> CropName:
    for pattern in _FILE_NAMES:
        found = pattern.fullmatch(file)
        if found:
            groups = found.groupdict()
            frame = groups.get("frame") or groups.get("frame2")
            track = groups.get("track")
            return CropName(
                identity=intern(groups["identity"]),  # a million crops show few people
                camera=intern(groups["camera"]),
                track=int(track) if track else None,
                frame=int(frame) if frame else None,
            )
    return CropName()


def label_pattern(pattern: str, group: Literal["id", "camera"]) -> Callable[[str], str | None]:
    r"""What finds an identity or a camera in a path: the text of the pattern's group, or None.

    >>> label_pattern(r"person_(\d+)", "id")("day1/person_17/3.jpg")
    '17'
    >>> label_pattern(r"(?P<camera>c\d)_(\w+)", "camera")("c2_x.jpg")
    'c2'

    Args:
        pattern: A regular expression with one group, or with a group of that name; it is searched
            for anywhere in the path.
        group: What it finds.

    Raises:
        ConfigError: It is no regular expression, or which group is meant cannot be told.
    """
    option = f"--{group}-pattern {pattern}"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{option}: not a regular expression: {error}") from error
    if group not in compiled.groupindex and compiled.groups != 1:
        raise ConfigError(
            f"{option}: expected one group in parentheses, found {compiled.groups}",
            hint=f"put parentheses around the {group}, or name its group: (?P<{group}>...)",
        )
    wanted = group if group in compiled.groupindex else 1

    def find(path: str) -> str | None:
        found = compiled.search(path)
        return (found[wanted] or None) if found else None

    return find
