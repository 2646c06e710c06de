"""The top ranks of queries as tables and documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from everyid.models import Match, QueryMatches
from everyid.output import refuse_existing, whole_file
from person.crops import Crops
from person.match import TopK
from person.protocol import Protocol
from person.sheets import State

__all__ = ["STATES", "Matches", "refuse_tables", "write_tables"]

STATES: tuple[State, ...] = ("same", "other", "ignored", "unknown")
_SAME, _OTHER, _IGNORED, _UNKNOWN = range(4)
_ROWS = 100_000
"""Rows of a table that exist at one time."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What was found for each query.

    Args:
        query: The queries.
        gallery: The gallery.
        top: Rows of the gallery and similarities, (Q, K).
        states: uint8 (Q, K), index into ``STATES``.
    """

    query: Crops
    gallery: Crops
    top: TopK
    states: NDArray[np.uint8]

    @classmethod
    def of(cls, query: Crops, gallery: Crops, top: TopK, *, rules: Protocol | None) -> "Matches":
        """The matches with what each is to its query.

        Args:
            query: Q queries.
            gallery: The gallery.
            top: Their top ranks.
            rules: The protocol, which says what is ignored and who is nobody's match; or None.
        """
        numbers: dict[str | None, int] = {None: -1}
        places: dict[str | None, int] = {None: -1}

        def coded(values: tuple[str | None, ...], seen: dict[str | None, int]) -> NDArray[np.int64]:
            return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)

        asked, there = coded(query.identities, numbers), coded(gallery.identities, numbers)
        found = there[top.indices]
        states = np.where(found == asked[:, None], _SAME, _OTHER).astype(np.uint8)
        if rules is not None:
            distractors = [numbers[name] for name in rules.distractors & numbers.keys()]
            junk = [numbers[name] for name in rules.junk & numbers.keys()]
            states[np.isin(found, distractors)] = _OTHER
            states[np.isin(found, junk)] = _IGNORED
        if rules is not None and rules.uses_cameras:
            seen_by = coded(query.cameras, places)[:, None]
            one_camera = (coded(gallery.cameras, places)[top.indices] == seen_by) & (seen_by >= 0)
            states[(states == _SAME) & one_camera] = _IGNORED
        states[(found < 0) | (asked < 0)[:, None]] = _UNKNOWN
        return cls(query, gallery, top, states)

    def __len__(self) -> int:
        return len(self.top.indices)

    def document(self, row: int) -> QueryMatches:
        """One query with its matches, best first."""
        gallery = self.gallery
        return QueryMatches(
            query=self.query.paths[row],
            identity=self.query.identities[row],
            camera=self.query.cameras[row],
            matches=[
                Match(
                    rank=rank,
                    path=gallery.paths[found],
                    identity=gallery.identities[found],
                    camera=gallery.cameras[found],
                    similarity=similarity,
                    state=STATES[state],
                )
                for rank, (found, similarity, state) in enumerate(
                    zip(
                        self.top.indices[row].tolist(),
                        self.top.values[row].tolist(),
                        self.states[row].tolist(),
                        strict=True,
                    ),
                    start=1,
                )
            ],
        )


def refuse_tables(folder: Path, formats: tuple[str, ...], *, overwrite: bool) -> None:
    """Checks that the tables may be written.

    Raises:
        OutputExistsError: One is there already and overwriting was not asked for.
    """
    for name in ("csv", "parquet"):
        if name in formats:
            refuse_existing(folder / f"matches.{name}", overwrite=overwrite)


def write_tables(
    matches: Matches, folder: Path, formats: tuple[str, ...], *, overwrite: bool
) -> dict[str, Path]:
    """Format -> file: the matches, one row each, as ``matches.csv`` and ``matches.parquet``.

    Columns: query, query_identity, query_camera, rank, match, match_identity, match_camera,
    similarity (cosine), state (same, other, ignored, unknown).

    Raises:
        OutputExistsError: One is there already and ``overwrite`` is False.
        OutputError: It cannot be written.
    """
    written: dict[str, Path] = {}
    for name in ("csv", "parquet"):
        if name not in formats:
            continue
        path = folder / f"matches.{name}"
        with whole_file(path, overwrite=overwrite) as part:
            tables = _tables(matches)
            first = next(tables)
            writer = (
                pyarrow.csv.CSVWriter(part, first.schema)
                if name == "csv"
                else pyarrow.parquet.ParquetWriter(part, first.schema)
            )
            with writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)
        written[name] = path
    return written


def _tables(matches: Matches) -> Iterator[pa.Table]:
    """The rows in order, some queries at a time; at least one table."""
    ranks = matches.top.indices.shape[1]
    step = max(1, _ROWS // max(ranks, 1))
    sides = {"query": matches.query, "match": matches.gallery}
    columns = {
        (side, name): pa.array(values, pa.string())
        for side, crops in sides.items()
        for name, values in (
            ("", crops.paths),
            ("_identity", crops.identities),
            ("_camera", crops.cameras),
        )
    }
    for start in range(0, max(len(matches), 1), step):
        part = slice(start, min(start + step, len(matches)))
        rows = {
            "query": np.repeat(np.arange(part.start, part.stop), ranks),
            "match": matches.top.indices[part].ravel(),
        }
        taken = {f"{side}{name}": columns[side, name].take(rows[side]) for side, name in columns}
        yield pa.table(
            {name: taken[name] for name in ("query", "query_identity", "query_camera")}
            | {"rank": np.tile(np.arange(1, ranks + 1, dtype=np.int32), part.stop - part.start)}
            | {name: taken[name] for name in ("match", "match_identity", "match_camera")}
            | {
                "similarity": matches.top.values[part].ravel(),
                "state": pa.array(STATES).take(matches.states[part].ravel()),
            }
        )
