"""The files of a gallery that hold its rows: Parquet, each written once and never changed.

A segment is a file of embeddings as ``person embed`` writes it, with two more columns, so that what
reads those reads these. Nothing in it is compressed: what has been forgotten can be looked for.
"""

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from everyid.errors import InputError
from everyid.output import whole_file
from everyid.store import sha256_of
from person.crops import LABELS, open_parquet, read_columns, require_column
from person.embeddings import read_embeddings
from person.gallery.records import Enrolment, GalleryModel, Rows, Segment

__all__ = [
    "FOLDER",
    "enrolment_table",
    "read_rows",
    "read_table",
    "read_thumbnails",
    "renamed",
    "synced",
    "write_segments",
]

FOLDER = "segments"
"""Holds them, in the gallery's folder."""
_MOST_ROWS = 16_384
"""Rows of one file: what is rewritten to forget one of them."""
_ROW_GROUP = 1024
"""Rows that are read at least to get one thumbnail."""
_ADDED = pa.timestamp("ms", tz="UTC")
_DAMAGED = "the file is damaged or not of this gallery: restore the folder from a copy"


def _schema(width: int) -> pa.Schema:
    return pa.schema(
        [
            ("path", pa.string()),
            *LABELS.items(),
            ("vector", pa.list_(pa.float32(), width)),
            ("model", pa.string()),
            ("model_sha256", pa.string()),
            ("thumbnail", pa.binary()),
            ("added_utc", _ADDED),
        ]
    )


def enrolment_table(enrolment: Enrolment, model: GalleryModel) -> pa.Table:
    """The rows as they stand in a segment.

    Args:
        enrolment: N rows.
        model: Of the gallery.
    """
    embeddings = enrolment.rows.embeddings
    crops, count = embeddings.crops, len(enrolment)
    values = pa.array(np.ascontiguousarray(embeddings.vectors).reshape(-1))
    columns = [
        *(pa.array(getattr(crops, column.name)) for column in fields(crops)),
        pa.FixedSizeListArray.from_arrays(values, embeddings.width),
        *(pa.array([text] * count, pa.string()) for text in (model.name, model.sha256)),
        pa.array(enrolment.thumbnails, pa.binary()),
        pa.array(enrolment.rows.added_utc.astype("datetime64[ms]")).cast(_ADDED),
    ]
    schema = _schema(embeddings.width)
    cast = [column.cast(kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.Table.from_arrays(cast, schema=schema)


def renamed(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The same rows under these names, one a row."""
    place = table.column_names.index("identity")
    return table.set_column(place, table.schema.field(place), pa.array(names, pa.string()))


def write_segments(folder: Path, tables: Sequence[pa.Table], generation: int) -> list[Segment]:
    """The new files that hold the rows of the tables, in order; they are on the disk.

    Args:
        folder: ``GALLERY/segments``.
        tables: Of one schema; none or empty ones are fine.
        generation: Of the head that will name them.

    Raises:
        OutputError: The file system refuses.
    """
    segments: list[Segment] = []
    if not tables:
        return segments
    whole = pa.concat_tables(tables)
    for start in range(0, whole.num_rows, _MOST_ROWS):
        part = whole.slice(start, _MOST_ROWS)
        path = folder / f"{generation:04d}-{os.urandom(4).hex()}.parquet"
        with whole_file(path) as unfinished:
            pq.write_table(
                part,
                unfinished,
                row_group_size=_ROW_GROUP,
                compression="none",
                use_dictionary=["identity", "camera", "video", "model", "model_sha256"],
                write_page_checksum=True,
                store_schema=False,
            )
            synced(unfinished)
        segments.append(Segment(file=path.name, rows=part.num_rows, sha256=sha256_of(path)))
    return segments


def synced(path: Path) -> None:
    """Sees to it that a file survives a loss of power once it is renamed."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def read_rows(folder: Path, segment: Segment, model: GalleryModel) -> Rows:
    """The rows of a file, without their thumbnails.

    Raises:
        InputError: It is missing, damaged, or not what the head says.
    """
    path = folder / segment.file
    if sha256_of(path) != segment.sha256:
        raise InputError(
            f"{path}: expected sha256 {segment.sha256[:12]}..., the file has another",
            hint=_DAMAGED,
        )
    embeddings = read_embeddings(path)
    if len(embeddings) != segment.rows:
        raise InputError(
            f"{path}: expected {segment.rows:,} rows, found {len(embeddings):,}", hint=_DAMAGED
        )
    if embeddings.model_sha256 != model.sha256 or embeddings.width != model.width:
        raise InputError(
            f"{path}: expected vectors of {model.name} (width {model.width}), found those of "
            f"{embeddings.model} (width {embeddings.width})",
            hint=_DAMAGED,
        )
    with open_parquet(path) as file:
        require_column("added_utc", file.schema_arrow.names, path)
        added = read_columns(file, ("added_utc",)).column("added_utc")
    return Rows(embeddings, added.cast(pa.timestamp("ms")).to_numpy())


def read_table(folder: Path, segment: Segment, width: int) -> pa.Table:
    """All of a file.

    Raises:
        InputError: It is missing or damaged.
    """
    with open_parquet(folder / segment.file) as file:
        return read_columns(file, _schema(width).names).cast(_schema(width))


def read_thumbnails(folder: Path, segment: Segment, rows: Sequence[int]) -> list[bytes | None]:
    """The thumbnails of some rows of a file, JPEG; None where there is none.

    Args:
        folder: ``GALLERY/segments``.
        segment: The file.
        rows: Which of its rows, from 0.

    Raises:
        InputError: It is missing or damaged.
    """
    groups = sorted({row // _ROW_GROUP for row in rows})
    with open_parquet(folder / segment.file) as file:
        found = {
            group: file.read_row_group(group, columns=["thumbnail"]).column(0) for group in groups
        }
    return [found[row // _ROW_GROUP][row % _ROW_GROUP].as_py() for row in rows]
