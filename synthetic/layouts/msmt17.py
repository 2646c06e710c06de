"""The layout of MSMT17: folders of identities for training and testing, and four lists."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from everyid.errors import ConfigError
from synthetic.layouts.files import make_folders, require_room, write_lists, write_text
from synthetic.layouts.plan import DISTRACTOR, CropPlan

__all__ = ["MSMT17"]

_MAIN = "MSMT17_V1"
_IDENTITIES, _PICTURES = 20_000, 1000
"""Four digits in training and as many in testing; three digits."""
_VALIDATION = 14
"""Of as many pictures of an identity one is for validation: 2,373 of 32,621 in the original."""
_TIMES = ("morning", "noon", "afternoon")
_DAYS = 31


class MSMT17:
    """``MSMT17_V1/test/0000/0000_000_01_0303morning_0008_0.jpg`` and four lists.

    The name holds identity, picture of the identity, camera, date and part of the day, frame, and
    picture of the tracklet. A tracklet has a part of a day of its own, in the order of its number:
    the date says nothing else. Identities are counted from 0 in training and again in testing,
    those with a query first, as readers expect each list to count without gaps. The set knows no
    distractors and no junk. Beside the original's lists, which give a number after each path, lie
    ``train.txt``, ``query.txt`` and ``gallery.txt`` with whole paths alone.

    Source: Wei et al. 2018, Person Transfer GAN to Bridge Domain Gap for Person Re-Identification.
    """

    name = "msmt17"
    suffix = ".jpg"
    by_tracklet = False

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """All crops but distractors and junk.

        Raises:
            ConfigError: There are more than 20,000 identities, or an identity has more than 1,000
                pictures.
        """
        kept = [crop for crop in plan if crop.identity > DISTRACTOR]
        require_room(kept, self.name, identities=_IDENTITIES)
        most = max(Counter(crop.identity for crop in kept).values(), default=0)
        if most > _PICTURES:
            raise ConfigError(
                f"the {self.name} layout has names for {_PICTURES:,} pictures of a person, "
                f"one has {most:,}",
                hint="take fewer pictures a camera, or the layout folders",
            )
        return kept

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """The path of each crop."""
        numbers = _numbers(plan)
        pictures: Counter[int] = Counter()
        in_tracklet: Counter[tuple[int, int, int]] = Counter()
        paths = [""] * len(plan)
        for row in sorted(range(len(plan)), key=lambda row: _order(plan[row])):
            crop = plan[row]
            number, picture = numbers[crop.identity], pictures[crop.identity]
            tracklet = (crop.identity, crop.camera, crop.tracklet)
            day, time = divmod(crop.tracklet - 1, len(_TIMES))
            name = (
                f"{number:04d}_{picture:03d}_{crop.camera:02d}_03{day % _DAYS + 1:02d}"
                f"{_TIMES[time]}_{crop.frame:04d}_{in_tracklet[tracklet]}.jpg"
            )
            folder = "train" if crop.part == "train" else "test"
            paths[row] = f"{_MAIN}/{folder}/{number:04d}/{name}"
            pictures[crop.identity] += 1
            in_tracklet[tracklet] += 1
        return paths

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """The original's lists and those of paths alone.

        Raises:
            OutputError: One cannot be written.
        """
        make_folders(folder, (f"{_MAIN}/train", f"{_MAIN}/test"))
        lists: dict[str, list[str]] = {name: [] for name in ("train", "val", "query", "gallery")}
        numbers = _numbers(plan)
        seen: Counter[int] = Counter()
        for path, crop in sorted(zip(paths, plan, strict=True), key=lambda pair: pair[0]):
            below = path.split("/", 2)[2]
            seen[crop.identity] += 1
            held_back = crop.part == "train" and seen[crop.identity] % _VALIDATION == 0
            lists["val" if held_back else crop.part].append(f"{below} {numbers[crop.identity]}\n")
        for name, lines in lists.items():
            write_text(folder / _MAIN / f"list_{name}.txt", "".join(lines))
        own = write_lists(folder, plan, paths)
        return [*(f"{_MAIN}/list_{name}.txt" for name in lists), *own]


def _order(crop: CropPlan) -> tuple[int, int, int, int]:
    return crop.camera, crop.tracklet, crop.frame, crop.picture


def _numbers(plan: Sequence[CropPlan]) -> dict[int, int]:
    """Identity -> its number in its half: no list may leave one out that comes before another."""
    pictures: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for crop in plan:
        pictures[crop.identity][crop.part] += 1
    training = [one for one, parts in pictures.items() if parts["train"]]
    testing = [one for one, parts in pictures.items() if not parts["train"]]
    training.sort(key=lambda one: (pictures[one]["train"] < _VALIDATION, one))
    testing.sort(key=lambda one: (not pictures[one]["query"], one))
    return {one: number for half in (training, testing) for number, one in enumerate(half)}
