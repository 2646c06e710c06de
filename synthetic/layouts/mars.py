"""The layout of MARS: tracklets in folders of identities, with lists and MATLAB tables."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthetic.layouts.files import make_folders, require_room, write_lists, write_mat, write_text
from synthetic.layouts.plan import JUNK, CropPlan

__all__ = ["MARS"]

_CAMERAS, _IDENTITIES = 6, 9999
"""Readers take the identity and the camera from fixed places of a name."""
_HALVES = ("train", "test")


class MARS:
    """``bbox_train/0001/0001C1T0001F001.jpg`` and the tables of ``info/``.

    The name holds identity, camera, tracklet (counted for the identity over all its cameras) and
    picture of the tracklet. Distractors are called 0000 and junk 00-1. The lists ``train.txt``,
    ``query.txt`` and ``gallery.txt``, which the original lacks, give whole paths.

    Source: Zheng et al. 2016, MARS: A Video Benchmark for Large-Scale Person Re-Identification.
    """

    name = "mars"
    suffix = ".jpg"
    by_tracklet = True

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """All crops.

        Raises:
            ConfigError: There are more than 6 cameras or 9,999 identities.
        """
        require_room(plan, self.name, cameras=_CAMERAS, identities=_IDENTITIES)
        return list(plan)

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """The path of each crop."""
        paths = [""] * len(plan)
        for tracklet in _tracklets(plan):
            home = "bbox_train" if _is_training(tracklet, plan) else "bbox_test"
            for number, row in enumerate(tracklet.rows, 1):
                paths[row] = f"{home}/{tracklet.name[:4]}/{tracklet.name}F{number:03d}.jpg"
        return paths

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """The lists of names, the tables of tracklets and that of queries, all from 1.

        Raises:
            OutputError: One cannot be written.
        """
        make_folders(folder, ("bbox_train", "bbox_test", "info"))
        tracklets = _tracklets(plan)
        halves = {
            half: [one for one in tracklets if _is_training(one, plan) == (half == "train")]
            for half in _HALVES
        }
        for half, chosen in halves.items():
            names = [paths[row].rpartition("/")[2] for one in chosen for row in one.rows]
            write_text(folder / f"info/{half}_name.txt", "".join(f"{name}\n" for name in names))
            table = {f"track_{half}_info": _table(chosen, plan)}
            write_mat(folder / f"info/tracks_{half}_info.mat", table)
        parts = [plan[one.rows[0]].part for one in halves["test"]]
        queries = [number for number, part in enumerate(parts, 1) if part == "query"]
        write_mat(folder / "info/query_IDX.mat", {"query_IDX": np.array([queries], np.int32)})
        info = [f"info/{half}_name.txt" for half in _HALVES]
        info += [f"info/tracks_{half}_info.mat" for half in _HALVES]
        return [*info, "info/query_IDX.mat", *write_lists(folder, plan, paths)]


class _Tracklet(NamedTuple):
    """A tracklet.

    Args:
        name: The beginning of its files' names: "0001C1T0001".
        rows: Its crops in the plan, in the order of time.
    """

    name: str
    rows: list[int]


def _is_training(tracklet: _Tracklet, plan: Sequence[CropPlan]) -> bool:
    return plan[tracklet.rows[0]].part == "train"


def _tracklets(plan: Sequence[CropPlan]) -> list[_Tracklet]:
    """The tracklets in the order of their names: junk, distractors, people."""
    rows: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in sorted(range(len(plan)), key=lambda row: (plan[row].frame, plan[row].picture)):
        rows[plan[row].identity, plan[row].camera, plan[row].tracklet].append(row)
    counts: defaultdict[int, int] = defaultdict(int)
    found = []
    for identity, camera, tracklet in sorted(rows):
        counts[identity] += 1
        who = "00-1" if identity == JUNK else f"{identity:04d}"
        name = f"{who}C{camera}T{counts[identity]:04d}"
        found.append(_Tracklet(name, rows[identity, camera, tracklet]))
    return found


def _table(tracklets: Sequence[_Tracklet], plan: Sequence[CropPlan]) -> NDArray[np.int32]:
    """int32 (T, 4): the first and the last name, counted from 1, identity and camera."""
    table = np.zeros((len(tracklets), 4), np.int32)
    last = 0
    for line, tracklet in zip(table, tracklets, strict=True):
        crop = plan[tracklet.rows[0]]
        line[:] = last + 1, last + len(tracklet.rows), crop.identity, crop.camera
        last += len(tracklet.rows)
    return table
