"""The layout of CUHK03 as it lies unpacked: pictures by pairs of cameras, splits as JSON."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from everyid.errors import ConfigError
from everyid.media import read_image
from everyid.output import writing
from synthetic.layouts.files import make_folders, require_room, write_lists, write_mat, write_text
from synthetic.layouts.plan import DISTRACTOR, CropPlan
from synthetic.seeds import generator

__all__ = ["CUHK03"]

_PAIRS = 5
_IDENTITIES = 9999
_PICTURES = 49
"""Of a person under one camera: two digits have to do for both cameras."""
_PICTURES_THERE = 5
"""Under one camera in the original: the second camera's are counted from 6."""
_LABELED, _DETECTED = "images_labeled", "images_detected"
_MOST_OFF = 0.08
"""How far a side of a detected box is inside of the labelled one, as a share of its length."""
_PARTS_OF_SPLIT = ("train", "query", "gallery")


class CUHK03:
    """``images_labeled/1_001_1_01.png``: pair of cameras, person in it, camera of it, picture.

    Cameras 1 and 2 are the first pair, 3 and 4 the second, up to five pairs; one without a partner
    is left out, and so are distractors and junk. A person is kept in one pair only. The pictures
    of ``images_detected/`` are those of ``images_labeled/`` with up to 8 % cut off each side, as a
    detector's boxes are not exact; no detector has run. The classic split is one, not twenty: its
    queries and its gallery are all pictures of the test identities.

    Paths in the JSON files are seen from the set's folder, so that the set can be moved: a reader
    that takes them as they are, as torchreid's does, must be started in that folder.
    ``cuhk03_release/cuhk-03.mat`` is empty: the same reader only looks whether it is there. The
    lists ``train_labeled.txt`` and so on, which the original lacks, give whole paths.

    Source: Li et al. 2014, DeepReID; Zhong et al. 2017, Re-ranking Person Re-identification with
    k-reciprocal Encoding (the new split). The form is that of torchreid's ``cuhk03.py`` (MIT).
    """

    name = "cuhk03"
    suffix = ".png"
    by_tracklet = False

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """The crops of each person in the pair of cameras that sees most of them.

        Raises:
            ConfigError: There are fewer than 2 cameras or more than 10, more than 9,999 identities,
                or a person has more than 49 pictures under one camera.
        """
        require_room(plan, self.name, cameras=2 * _PAIRS, identities=_IDENTITIES)
        cameras = max((crop.camera for crop in plan), default=0)
        if cameras < 2:
            raise ConfigError(
                f"the {self.name} layout is made of pairs of cameras, the set has {cameras}",
                hint="take 2 cameras or more, or the layout market1501",
            )
        paired = [
            crop for crop in plan if crop.identity > DISTRACTOR and _pair(crop) <= cameras // 2
        ]
        home = _homes(paired)
        kept = [crop for crop in paired if _pair(crop) == home[crop.identity]]
        most = max(Counter((crop.identity, crop.camera) for crop in kept).values(), default=0)
        if most > _PICTURES:
            raise ConfigError(
                f"the {self.name} layout has names for {_PICTURES} pictures of a person under one "
                f"camera, one has {most:,}",
                hint="take fewer pictures a camera, or the layout folders",
            )
        return kept

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """The path of each crop, in ``images_labeled/``."""
        people = _people(plan)
        rows: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for row, crop in enumerate(plan):
            rows[crop.identity, crop.camera].append(row)
        most = max((_PICTURES_THERE, *map(len, rows.values())))
        paths = [""] * len(plan)
        for (identity, camera), own in rows.items():
            first = 1 if camera % 2 else most + 1
            start = f"{_LABELED}/{_pair(plan[own[0]])}_{people[identity]:03d}_{2 - camera % 2}"
            for number, row in enumerate(sorted(own, key=lambda row: plan[row].picture), first):
                paths[row] = f"{start}_{number:02d}.png"
        return paths

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """The detected pictures, the splits, the tables of the new split, and lists.

        Raises:
            InputError: A crop cannot be read back.
            OutputError: A file cannot be written.
        """
        make_folders(folder, (_LABELED, _DETECTED))
        detected = [path.replace(_LABELED, _DETECTED) for path in paths]
        for path, to in zip(paths, detected, strict=True):
            _write_detected(folder, path, to)
        written = [*detected]
        for kind, own in (("labeled", paths), ("detected", detected)):
            for form, splits in (("classic", _classic(plan, own)), ("new", _new(plan, own))):
                written.append(f"splits_{form}_{kind}.json")
                write_text(folder / written[-1], json.dumps([splits]) + "\n")
            written.append(f"cuhk03_new_protocol_config_{kind}.mat")
            write_mat(folder / written[-1], _tables(plan, own))
            written += write_lists(folder, plan, own, kind=f"_{kind}")
        written.append("cuhk03_release/cuhk-03.mat")
        write_text(folder / written[-1], "")
        return written


def _pair(crop: CropPlan) -> int:
    return (crop.camera + 1) // 2


def _homes(plan: Sequence[CropPlan]) -> dict[int, int]:
    """Identity -> its pair: one whose two cameras see it well; where many do, each in turn."""
    seen: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for crop in plan:
        seen[crop.identity][crop.camera] += 1

    pairs = max(map(_pair, plan), default=1)

    def home(identity: int, counts: Counter[int]) -> int:
        def worth(pair: int) -> tuple[int, int, int]:
            first, second = counts[2 * pair - 1], counts[2 * pair]
            return min(first, second), first + second, -((pair - identity) % pairs)

        return max(range(1, pairs + 1), key=worth)

    return {identity: home(identity, counts) for identity, counts in seen.items()}


def _people(plan: Sequence[CropPlan]) -> dict[int, int]:
    """Identity -> its number within its pair, from 1."""
    pairs = sorted({(_pair(crop), crop.identity) for crop in plan})
    counts: Counter[int] = Counter()
    people = {}
    for pair, identity in pairs:
        counts[pair] += 1
        people[identity] = counts[pair]
    return people


def _write_detected(folder: Path, path: str, to: str) -> None:
    """Writes a crop again with a little cut off each side."""
    image = read_image(folder / path)
    height, width = image.shape[:2]
    off = generator(0, "detected", path).uniform(0, _MOST_OFF, 4)
    left, right = (int(share * width) for share in off[:2])
    top, bottom = (int(share * height) for share in off[2:])
    inside = np.ascontiguousarray(image[top : height - bottom, left : width - right])
    with writing(folder / to):
        (folder / to).write_bytes(cv2.imencode(".png", inside)[1].tobytes())


def _split(parts: Iterable[Sequence[tuple[str, int, int]]]) -> dict[str, Any]:
    """A split as its JSON has it: rows of path, identity and camera from 0, and their counts."""
    split: dict[str, Any] = dict(zip(_PARTS_OF_SPLIT, parts, strict=True))
    for part in _PARTS_OF_SPLIT:
        split[f"num_{part}_pids"] = len({identity for _, identity, _ in split[part]})
        split[f"num_{part}_imgs"] = len(split[part])
    return split


def _classic(plan: Sequence[CropPlan], paths: Sequence[str]) -> dict[str, Any]:
    """Training and test identities are counted from 0 each; all test pictures stand twice."""
    halves = []
    for training in (True, False):
        rows = [row for row, crop in enumerate(plan) if (crop.part == "train") == training]
        numbers = _counted_from_zero(plan[row].identity for row in rows)
        halves.append([(paths[row], numbers[plan[row].identity], _view(plan[row])) for row in rows])
    return _split((*halves, halves[1]))


def _new(plan: Sequence[CropPlan], paths: Sequence[str]) -> dict[str, Any]:
    """Training identities are counted from 0; the others keep the set's numbers."""
    numbers = _counted_from_zero(crop.identity for crop in plan if crop.part == "train")
    return _split(
        [
            (path, numbers.get(crop.identity, crop.identity), _view(crop))
            for path, crop in zip(paths, plan, strict=True)
            if crop.part == part
        ]
        for part in _PARTS_OF_SPLIT
    )


def _tables(plan: Sequence[CropPlan], paths: Sequence[str]) -> dict[str, Any]:
    """The new split as its authors keep it: names, identities, and rows of each part from 1."""
    files = np.empty((len(paths), 1), object)
    files[:, 0] = [path.rpartition("/")[2] for path in paths]
    tables: dict[str, Any] = {
        "filelist": files,
        "labels": np.array([[crop.identity] for crop in plan], np.int32).reshape(-1, 1),
        "camId": np.array([[_view(crop) + 1] for crop in plan], np.int32).reshape(-1, 1),
    }
    for part in _PARTS_OF_SPLIT:
        rows = [row for row, crop in enumerate(plan, 1) if crop.part == part]
        tables[f"{part}_idx"] = np.array(rows, np.int32).reshape(-1, 1)
    return tables


def _counted_from_zero(identities: Iterable[int]) -> dict[int, int]:
    return {identity: number for number, identity in enumerate(sorted(set(identities)))}


def _view(crop: CropPlan) -> int:
    return 1 - crop.camera % 2
