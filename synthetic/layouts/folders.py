"""The plain layout: a folder for each part, in it one for each identity."""

from collections.abc import Sequence
from pathlib import Path

from synthetic.layouts.files import PARTS, make_folders
from synthetic.layouts.market1501 import market_names
from synthetic.layouts.plan import CropPlan

__all__ = ["Folders"]


class Folders:
    """``train/0002/0002_c1s1_000451_01.jpg``: the identity's folder tells who it is.

    Names of files are those of Market-1501. Distractors are the identity 0000, junk is -1. There
    may be any number of cameras and identities.
    """

    name = "folders"
    suffix = ".jpg"
    by_tracklet = False

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """All crops."""
        return list(plan)

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """The path of each crop."""
        return [
            f"{crop.part}/{name.partition('_')[0]}/{name}"
            for crop, name in zip(plan, market_names(plan), strict=True)
        ]

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """No further files; folders without crops are made.

        Raises:
            OutputError: A folder cannot be made.
        """
        make_folders(folder, PARTS)
        return []
