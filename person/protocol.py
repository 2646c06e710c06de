"""Evaluation protocols: which gallery rows count for a query, and the line that says so.

The same embeddings give different figures under different rules, so a figure without its protocol
says little. The rules here are those of the data sets' authors; the area under the precision-recall
curve is the rectangular one everywhere (mean of the precision at each match).
"""

import difflib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError
from person.crops import Crops

__all__ = ["PROTOCOLS", "Labels", "Protocol", "label", "protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules of an evaluation.

    Args:
        name: As in ``PROTOCOLS``.
        summary: What is done, in a few words, for the protocol line.
        uses_cameras: Gallery rows of the query's identity and camera are left out.
        junk: Identities that are dropped from the gallery (and, with distractors, from the
            queries) before anything is counted.
        distractors: Identities that stay in the gallery and match no query.
        single_shot_repeats: 0, or how often one gallery row an identity is drawn for the CMC.
        tracklets: Rows are pooled to one vector a tracklet first.
    """

    name: str
    summary: str
    uses_cameras: bool = True
    junk: frozenset[str] = frozenset()
    distractors: frozenset[str] = frozenset()
    single_shot_repeats: int = 0
    tracklets: bool = False


PROTOCOLS = {
    entry.name: entry
    for entry in (
        Protocol(
            "market1501",
            "same camera left out, junk -1 dropped, distractors 0000 kept",
            junk=frozenset({"-1"}),
            distractors=frozenset({"0000"}),
        ),
        Protocol("cross-camera", "same camera left out"),
        Protocol("msmt17", "same camera left out"),
        Protocol("cuhk03-new", "767/700 split, same camera left out"),
        Protocol(
            "cuhk03-classic",
            "same camera left out, CMC over 100 draws of one gallery image a person",
            single_shot_repeats=100,
        ),
        Protocol(
            "mars",
            "tracklets pooled to one vector, same camera left out, junk 00-1 dropped, "
            "distractors 0000 kept",
            junk=frozenset({"00-1", "-1"}),
            distractors=frozenset({"0000"}),
            tracklets=True,
        ),
        Protocol("no-camera", "every other picture of a person counts", uses_cameras=False),
    )
}
"""Name -> protocol.

Source: Zheng et al. 2015 (Market-1501), Wei et al. 2018 (MSMT17), Zhong et al. 2017 (CUHK03's new
split), Li et al. 2014 (CUHK03), Zheng et al. 2016 (MARS).
"""


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ConfigError: No such name; the message lists the known ones.
    """
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name.lower(), PROTOCOLS, n=1)
        raise ConfigError(
            f"no protocol is called {name!r}; known: {', '.join(PROTOCOLS)}",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    return PROTOCOLS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Queries and gallery as whole numbers, with what the protocol leaves out already left out.

    Args:
        query_rows: int64 (Q,), which rows of the queries remain.
        gallery_rows: int64 (G,), which rows of the gallery remain.
        query_ids: int64 (Q,), 0 and up.
        gallery_ids: int64 (G,), the same numbers; -1 for distractors.
        query_cameras: int64 (Q,), or None when the protocol knows no cameras.
        gallery_cameras: int64 (G,), likewise.
        junk: Gallery rows that the protocol dropped.
        unlabelled: Rows of either side without identity, or without a needed camera; those of a
            set that is its own gallery count once.
    """

    query_rows: NDArray[np.int64]
    gallery_rows: NDArray[np.int64]
    query_ids: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64] | None
    gallery_cameras: NDArray[np.int64] | None
    junk: int
    unlabelled: int


def label(query: Crops, gallery: Crops, rules: Protocol) -> Labels:
    """The labels of queries and gallery under a protocol.

    Args:
        query: The queries.
        gallery: The gallery; the very same object when a set is its own gallery.
        rules: The protocol.

    Raises:
        InputError: No query or no gallery row remains, or the protocol needs cameras and none are
            known; the hint names the way out.
    """
    sides = {"query": query, "gallery": gallery}
    dark = [name for name, crops in sides.items() if not any(crops.cameras)]
    if rules.uses_cameras and dark:
        raise InputError(
            f"the {rules.name} protocol needs to know the camera of each picture; none is known "
            f"of the {' and '.join(dark)} pictures",
            hint="say how file names tell it with --camera-pattern, or accept figures that count "
            "pictures of the same camera with --protocol no-camera",
        )
    numbers: dict[str | None, int] = {}
    cameras: dict[str | None, int] = {}

    def rows_of(crops: Crops, leave_out: frozenset[str]) -> tuple[NDArray[np.int64], int]:
        known = np.array([identity is not None for identity in crops.identities], bool)
        if rules.uses_cameras:
            known &= np.array([camera is not None for camera in crops.cameras], bool)
        wanted = np.array([identity not in leave_out for identity in crops.identities], bool)
        return np.flatnonzero(known & wanted).astype(np.int64), int((~known & wanted).sum())

    def numbered(
        values: tuple[str | None, ...], rows: NDArray[np.int64], seen: dict[str | None, int]
    ) -> NDArray[np.int64]:
        return np.array([seen.setdefault(values[row], len(seen)) for row in rows], np.int64)

    query_rows, lost_queries = rows_of(query, rules.junk | rules.distractors)
    gallery_rows, lost_gallery = rows_of(gallery, rules.junk)
    for name, rows in (("query", query_rows), ("gallery", gallery_rows)):
        if not len(rows):
            raise InputError(
                f"no {name} picture has a known identity"
                + (" and camera" if rules.uses_cameras else "")
                + (", junk and distractors aside" if rules.junk else ""),
                hint="name folders after people, or give --id-pattern"
                + (" and --camera-pattern" if rules.uses_cameras else ""),
            )
    gallery_ids = numbered(gallery.identities, gallery_rows, numbers)
    for distractor in rules.distractors & numbers.keys():
        gallery_ids[gallery_ids == numbers[distractor]] = -1
    return Labels(
        query_rows=query_rows,
        gallery_rows=gallery_rows,
        query_ids=numbered(query.identities, query_rows, numbers),
        gallery_ids=gallery_ids,
        query_cameras=numbered(query.cameras, query_rows, cameras) if rules.uses_cameras else None,
        gallery_cameras=numbered(gallery.cameras, gallery_rows, cameras)
        if rules.uses_cameras
        else None,
        junk=sum(identity in rules.junk for identity in gallery.identities),
        unlabelled=lost_gallery + (0 if query is gallery else lost_queries),
    )
