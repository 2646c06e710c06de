"""What a set of crops is made of, how it is split, and what a layout on disk offers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

__all__ = ["DISTRACTOR", "JUNK", "CropPlan", "Layout", "Part", "split"]

Part = Literal["train", "query", "gallery"]

DISTRACTOR = 0
"""The identity of people who are in the gallery and match no query."""
JUNK = -1
"""The identity of crops that an evaluation leaves out: bad boxes, parts of people."""


@dataclass(frozen=True, slots=True)
class CropPlan:
    """One crop of a set.

    Args:
        identity: 1 to N; 0: a distractor; -1: junk.
        camera: 1 to C.
        tracklet: The number of this identity's tracklet in this camera, from 1; distractors
            and junk count as one identity each.
        frame: The frame's number in the camera's sequence, from 1.
        picture: A running number within identity and camera, from 1.
        part: Where the crop belongs; :func:`split` says.
    """

    identity: int
    camera: int
    tracklet: int
    frame: int
    picture: int
    part: Part = "gallery"


class Layout(Protocol):
    """How a set lies on disk: its file names, and the lists that go with them.

    The order of use is ``kept``, ``split`` (by tracklet if the layout says so), ``paths``; then,
    with a file at each path, ``finish``.
    """

    @property
    def name(self) -> str:
        """What the layout is called."""

    @property
    def suffix(self) -> str:
        """The file type of a crop: ".jpg" or ".png"."""

    @property
    def by_tracklet(self) -> bool:
        """Whether a query is a whole tracklet."""

    def kept(self, plan: Sequence[CropPlan]) -> list[CropPlan]:
        """The crops that the layout has a place for, in the order of the plan.

        Args:
            plan: Crops whose ``part`` is not set yet.

        Raises:
            ConfigError: There are more cameras, identities or pictures than its names can tell
                apart, or too few cameras.
        """

    def paths(self, plan: Sequence[CropPlan]) -> list[str]:
        """A path of its own for each crop, seen from the set's folder, with "/" in it.

        Args:
            plan: What ``kept`` and then ``split`` gave.
        """

    def finish(self, folder: Path, plan: Sequence[CropPlan], paths: Sequence[str]) -> list[str]:
        """The further files of the set, which this writes, seen from the set's folder.

        Args:
            folder: The set's, with all crops in it. Folders that the layout knows and that got
                no crop are made.
            plan: What ``paths`` was given.
            paths: What ``paths`` gave.

        Raises:
            OutputError: A file cannot be written.
        """


def split(plan: Sequence[CropPlan], *, by_tracklet: bool = False) -> list[CropPlan]:
    """The same crops in the same order, each with its part.

    The first half of the identities is for training (of an odd number the smaller half), the other
    for testing. Of each test identity and camera one picture, or one tracklet, is a query, as long
    as the gallery keeps at least as many as there are queries, and one of another camera for each
    query. All else is gallery, distractors and junk included. An identity that only one camera
    sees has no query.

    >>> seen = [CropPlan(1, camera, 1, 1, 1) for camera in (1, 2, 3)]
    >>> [crop.part for crop in split(seen)]
    ['gallery', 'query', 'gallery']

    Args:
        plan: The crops; what their ``part`` says does not matter.
        by_tracklet: A query is a whole tracklet, not one picture.
    """
    identities = sorted({crop.identity for crop in plan if crop.identity > DISTRACTOR})
    training = set(identities[: len(identities) // 2])
    units: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for crop in plan:
        if crop.identity > DISTRACTOR and crop.identity not in training:
            seen = units[crop.identity][crop.camera]
            if (unit := _unit(crop, by_tracklet)) not in seen:
                seen.append(unit)
    queries = {identity: _queries(identity, seen) for identity, seen in units.items()}

    def part(crop: CropPlan) -> Part:
        if crop.identity in training:
            return "train"
        chosen = queries.get(crop.identity, {})
        return "query" if chosen.get(crop.camera) == _unit(crop, by_tracklet) else "gallery"

    return [replace(crop, part=part(crop)) for crop in plan]


def _unit(crop: CropPlan, by_tracklet: bool) -> int:
    return crop.tracklet if by_tracklet else crop.picture


def _queries(identity: int, units: dict[int, list[int]]) -> dict[int, int]:
    """Camera -> which of its units is the query, of one identity."""
    left = {camera: len(seen) for camera, seen in units.items()}
    chosen: dict[int, int] = {}
    cameras = sorted(units)
    turn = identity % len(cameras)  # not always the first camera, nor the first unit
    for camera in cameras[turn:] + cameras[:turn]:
        left[camera] -= 1
        in_gallery = {other for other, count in left.items() if count}
        queries = (*chosen, camera)
        if sum(left.values()) >= len(queries) and all(in_gallery - {query} for query in queries):
            seen = units[camera]
            chosen[camera] = seen[(identity + camera) % len(seen)]
        else:
            left[camera] += 1
    return chosen
