"""The layout of Market-1501: three folders, all else in the file names."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from synthetic.layouts.files import make_folders, require_room
from synthetic.layouts.plan import CropPlan, Part

__all__ = ["Market1501", "market_names"]

_FOLDERS: dict[Part, str] = {
    "train": "bounding_box_train",
    "query": "query",
    "gallery": "bounding_box_test",
}
_CAMERAS, _IDENTITIES = 6, 1501
"""Loaders check that no number is higher, and read one digit of the camera."""


class Market1501:
    """``bounding_box_test/0002_c1s1_000451_03.jpg``: identity, camera, sequence, frame, box.

    Distractors are called 0000 and junk -1. The sequence is the tracklet. Boxes of a query have
    the number 00, as those drawn by hand have in the original; all others count from 01. The
    original's ``gt_bbox/`` and ``gt_query/``, which the standard protocol does not read, are not
    made.

    Source: Zheng et al. 2015, Scalable Person Re-identification: A Benchmark.
    """

    name = "market1501"
    suffix = ".jpg"
    by_tracklet = False

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """All crops.

        Raises:
            ConfigError: There are more than 6 cameras or 1,501 identities.
        """
        require_room(plan, self.name, cameras=_CAMERAS, identities=_IDENTITIES)
        return list(plan)

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """The path of each crop."""
        names = market_names(plan)
        return [f"{_FOLDERS[crop.part]}/{name}" for crop, name in zip(plan, names, strict=True)]

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """No further files; folders without crops are made.

        Raises:
            OutputError: A folder cannot be made.
        """
        make_folders(folder, tuple(_FOLDERS.values()))
        return []


def market_names(plan: Sequence[CropPlan]) -> list[str]:
    """The file name of each crop in the manner of Market-1501, unlike all others of its part.

    >>> market_names([CropPlan(2, 1, 1, 451, 1), CropPlan(-1, 3, 2, 7, 1)])
    ['0002_c1s1_000451_01.jpg', '-1_c3s2_000007_01.jpg']
    """
    boxes: Counter[str] = Counter()
    names = []
    for crop in plan:
        identity = f"{crop.identity:04d}" if crop.identity >= 0 else str(crop.identity)
        start = f"{identity}_c{crop.camera}s{crop.tracklet}_{crop.frame:06d}"
        if crop.part == "query":
            names.append(f"{start}_00.jpg")
        else:
            boxes[start] += 1
            names.append(f"{start}_{boxes[start]:02d}.jpg")
    return names
