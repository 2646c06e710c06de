"""Embeddings with the crops they belong to: in memory, in Parquet and in npz files."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError, ShapeError
from everyid.models import EncoderSummary
from everyid.output import notice, readable, whole_file, writing
from person.crops import (
    LABELS,
    Crops,
    crops_of_table,
    open_parquet,
    read_columns,
    require_column,
)

__all__ = [
    "Embeddings",
    "pool_tracklets",
    "read_embeddings",
    "same_space",
    "write_embeddings",
]

UNKNOWN_MODEL = "unknown"
"""The model of vectors from a file that does not say which one made them."""

_MODEL = ("model", "model_sha256")
_UNIT = 1e-3
"""How far from 1 the length of a vector may be."""
_DAMAGE = (
    *(OSError, ValueError, EOFError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What numpy and zipfile raise over files that are not whole, or not theirs."""
_ROW_GROUP = 16_384
"""Rows of a Parquet file that are read and written at a time."""
_POOLED_ROWS = 65_536
"""Rows that are pooled at a time."""
_MISSING = {"string": "", "int64": -1, "double": np.nan}
"""What stands in an npz file where a thing is not known, by the type of its column."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Crops and their vectors, row by row.

    Args:
        crops: N crops.
        vectors: float32 (N, D), each of length 1.
        model: The name of the model that made them.
        model_sha256: Of its weights; vectors compare only where it is the same.

    Raises:
        ShapeError: The vectors are not as said; the message names the first crop that is not.
    """

    crops: Crops
    vectors: NDArray[np.float32]
    model: str
    model_sha256: str

    def __post_init__(self) -> None:
        vectors, count = self.vectors, len(self.crops)
        if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != count:
            raise ShapeError(
                f"vectors: expected float32 ({count}, D), got {vectors.dtype} {vectors.shape}"
            )
        lengths = _lengths(vectors)
        bad = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))  # also true of NaN
        if bad.size:
            raise ShapeError(
                f"{self.crops.paths[bad[0]]}: expected a vector of length 1, "
                f"got {lengths[bad[0]]:.4g} ({bad.size} such vectors of {count})",
                hint="leave these crops out, or embed them again",
            )

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def width(self) -> int:
        """D, the width of a vector."""
        return int(self.vectors.shape[1])

    def summary(self, fed: str | None = None) -> EncoderSummary:
        """The network behind the vectors, in words.

        Args:
            fed: What it is fed, where that is known.
        """
        return EncoderSummary(
            name=self.model, sha256=self.model_sha256, width=self.width, input=fed
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The same container with only the chosen rows.

        Args:
            rows: bool (N,) mask, or integer (M,) indices in the wanted order.
        """
        return type(self)(
            self.crops.select(rows), self.vectors[rows], self.model, self.model_sha256
        )


def _lengths(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """float64 (N,), how long each row is."""
    squares: NDArray[np.float64] = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares)


def same_space(a: Embeddings, b: Embeddings) -> None:
    """Checks that two sets of vectors can be compared: one model, fed alike, made both.

    Raises:
        InputError: They differ in width or in the checksum of the model.
    """
    if a.width == b.width and a.model_sha256 == b.model_sha256:
        return
    one, other = (
        f"{side.model} (width {side.width}, sha256 {side.model_sha256[:12] or 'unknown'})"
        for side in (a, b)
    )
    raise InputError(
        f"embeddings of different models or inputs cannot be compared: {one} and {other}",
        hint="embed both sides again with one --model and the same options",
    )


def write_embeddings(path: Path, embeddings: Embeddings, *, overwrite: bool = False) -> None:
    """Writes a file with a row a crop.

    Its columns, or keys, are path, those of ``person.crops.LABELS``, vector, model, model_sha256.
    What is not known is null in Parquet; in npz it is "", -1 or NaN, and both keys of the model
    hold one string.

    Args:
        path: Ends in ``.parquet`` or ``.npz``; its folder is made when missing.
        embeddings: At least one.
        overwrite: Replace an existing file.

    Raises:
        ConfigError: Another suffix.
        InputError: There are none.
        OutputExistsError: The file exists and ``overwrite`` is False.
        OutputError: The file system refuses.
    """
    suffix = _suffix(path)
    if not len(embeddings):
        raise InputError(f"{path}: there are no embeddings to write")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, overwrite=overwrite) as part:
        if suffix == ".parquet":
            _write_parquet(part, embeddings)
        else:
            with part.open("wb") as file:  # by name, numpy adds .npz to all but .npz itself
                np.savez(file, **_arrays(embeddings))


def read_embeddings(path: Path) -> Embeddings:
    """The embeddings of a file.

    Files of other programs need only ``path`` and ``vector``: the model is then "unknown" and
    its checksum "". Vectors of another length are brought to length 1, which a notice tells.

    Args:
        path: A ``.parquet`` or ``.npz`` file.

    Raises:
        ConfigError: Another suffix.
        InputError: It is missing, damaged, empty, lacks a column, or mixes models or widths.
        ShapeError: A vector is zero or not finite.
    """
    suffix = _suffix(path)
    if readable(path).is_dir():
        raise InputError(f"{path}: expected a file of embeddings, found a folder")
    if suffix == ".parquet":
        table, vectors = _read_parquet(path)
    else:
        table, vectors = _read_npz(path)
    crops = crops_of_table(table, path)
    if not len(crops):
        raise InputError(f"{path}: the file holds no embeddings")
    model, sha256 = (_only(table, name, path) for name in _MODEL)
    return Embeddings(crops, _normalised(vectors, path), model or UNKNOWN_MODEL, sha256)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".npz"):
        raise ConfigError(f"{path}: expected a file of embeddings, ending in .parquet or .npz")
    return suffix


def _only(table: pa.Table, name: str, path: Path) -> str:
    """The one value of a column about the model; "" without the column.

    Raises:
        InputError: There are several.
    """
    if name not in table.column_names:
        return ""
    values = [str(value or "") for value in table.column(name).unique().to_pylist()]
    if len(values) > 1:
        raise InputError(
            f"{path}: expected embeddings of one model, "
            f"found {len(values)} values of {name}: {', '.join(sorted(values)[:3])}",
            hint="keep the vectors of each model in a file of their own",
        )
    return values[0]


def _normalised(vectors: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    """The same array, its rows brought to length 1 where they have another, above 0."""
    lengths = _lengths(vectors)
    off = np.isfinite(lengths) & (lengths > 0) & (np.abs(lengths - 1) > _UNIT)
    if off.any():
        notice(f"{path}: {np.count_nonzero(off)} of {len(vectors)} vectors brought to length 1")
        vectors[off] = vectors[off] / lengths[off, None]
    return vectors


def _write_parquet(path: Path, embeddings: Embeddings) -> None:
    name = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("path", pa.string()),
            *LABELS.items(),
            ("vector", pa.list_(pa.float32(), embeddings.width)),
            *((column, name) for column in _MODEL),
        ]
    )
    plain = [column for column in schema.names if column != "vector"]
    with pq.ParquetWriter(
        path,
        schema,
        use_dictionary=plain,  # vectors neither repeat nor shrink
        write_page_checksum=True,
        compression=dict.fromkeys(plain, "zstd") | {"vector.list.element": "none"},
    ) as writer:
        for start in range(0, len(embeddings), _ROW_GROUP):
            writer.write_table(_rows(embeddings, start, start + _ROW_GROUP, schema))


def _rows(embeddings: Embeddings, start: int, stop: int, schema: pa.Schema) -> pa.Table:
    """Some rows of the file."""
    crops = embeddings.crops
    values = np.ascontiguousarray(embeddings.vectors[start:stop]).reshape(-1)
    count = len(crops.paths[start:stop])
    columns = [
        pa.array(getattr(crops, column.name)[start:stop], kind)
        for column, kind in zip(fields(crops), (pa.string(), *LABELS.values()), strict=True)
    ]
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(values), embeddings.width))
    columns += [
        pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value], pa.string()))
        for value in (embeddings.model, embeddings.model_sha256)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _read_parquet(path: Path) -> tuple[pa.Table, NDArray[np.float32]]:
    """All columns but the vectors, and the vectors."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        for name in ("path", "vector"):
            require_column(name, names, path)
        table = read_columns(file, ("path", *LABELS, *_MODEL))
        batches = file.iter_batches(_ROW_GROUP, columns=["vector"])
        return table, _stacked(batches, table.num_rows, path)


def _stacked(batches: Iterator[pa.RecordBatch], count: int, path: Path) -> NDArray[np.float32]:
    """float32 (N, D) of a column of lists.

    Raises:
        InputError: It has other values, gaps, or lists of several lengths.
    """
    vectors = np.zeros((0, 0), np.float32)
    widths: set[int] = set()
    done = 0
    for batch in batches:
        column = batch.column(0)
        kind, rows = column.type, len(column)
        lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not (lists or pa.types.is_fixed_size_list(kind)) or not pa.types.is_floating(
            kind.value_type
        ):
            raise InputError(f"{path}: expected vectors of floats, got {kind}")
        if column.null_count:
            raise InputError(f"{path}: expected a vector in each row, {column.null_count} lack one")
        widths |= set(column.value_lengths().unique().to_pylist()) if lists else {kind.list_size}
        if len(widths) > 1:
            raise InputError(f"{path}: expected vectors of one width, found {sorted(widths)}")
        values = column.flatten().to_numpy(zero_copy_only=False).reshape(rows, -1)
        if not done:
            vectors = np.empty((count, values.shape[1]), np.float32)
        vectors[done : done + rows] = _as_float32(values)
        done += rows
    return vectors


def _as_float32(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is too large is found as infinity later
        return values.astype(np.float32, copy=False)


def _arrays(embeddings: Embeddings) -> dict[str, Any]:
    """The keys of an npz file."""
    crops = embeddings.crops
    arrays: dict[str, Any] = {"path": np.array(crops.paths)}
    for (name, kind), column in zip(LABELS.items(), fields(crops)[1:], strict=True):
        missing = _MISSING[str(kind)]
        values = getattr(crops, column.name)
        arrays[name] = np.array(
            [missing if value is None else value for value in values],
            str if missing == "" else str(kind),
        )
    return arrays | {
        "vector": embeddings.vectors,
        "model": np.array(embeddings.model),
        "model_sha256": np.array(embeddings.model_sha256),
    }


def _read_npz(path: Path) -> tuple[pa.Table, NDArray[np.float32]]:
    """All arrays but the vectors as columns, and the vectors."""
    try:
        with path.open("rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: expected an npz file, found a single array")
            with loaded as file:
                for name in ("path", "vector"):
                    require_column(name, list(file), path)
                wanted = [name for name in ("path", *LABELS, *_MODEL, "vector") if name in file]
                arrays = {name: np.asarray(file[name]) for name in wanted}
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{path}: not an npz file that can be read: {reason}") from error
    vectors = arrays.pop("vector")
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise InputError(
            f"{path}: expected vectors of floats (N, D), got {vectors.dtype} {vectors.shape}"
        )
    columns = {}
    for name, array in arrays.items():
        whole = np.broadcast_to(array, len(vectors)) if name in _MODEL else array
        if whole.shape != (len(vectors),):
            raise InputError(
                f"{path}: {name}: expected {len(vectors)} values, one a vector, got {array.shape}"
            )
        unknown = whole < 0 if name in ("track", "frame") and whole.dtype.kind in "if" else None
        columns[name] = pa.array(whole, mask=unknown)
    return pa.table(columns), _as_float32(vectors)


def pool_tracklets(embeddings: Embeddings, *, sample: int | None = None) -> Embeddings:
    """One row a tracklet: the mean of its vectors, brought to length 1 again.

    A tracklet is what shares identity, camera, video and track. Rows come in the order in which
    tracklets first appear, each with the path, frame and time of its first crop.

    Args:
        embeddings: Rows of a tracklet need not be next to each other.
        sample: Use at most so many crops of a tracklet, evenly spaced over its frames (over its
            rows where frames are not known); None: all.

    Raises:
        InputError: A row has no track.
        ConfigError: ``sample`` is below 1.
        ShapeError: Vectors of a tracklet cancel out.
    """
    crops = embeddings.crops
    missing = crops.tracks.count(None)
    if missing:
        raise InputError(
            f"{crops.paths[crops.tracks.index(None)]}: expected a track, none is known "
            f"({missing} such crops of {len(crops)})",
            hint="tracks come from crops/STEM/TRACK/FRAME.jpg, MARS names or a Parquet list",
        )
    if sample is not None and sample < 1:
        raise ConfigError(f"sample: expected 1 or more crops, got {sample}")
    numbers: dict[tuple[object, ...], int] = {}
    keys = zip(crops.identities, crops.cameras, crops.videos, crops.tracks, strict=True)
    tracklets = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    first = np.unique(tracklets, return_index=True)[1]
    frames = np.array([-1 if frame is None else frame for frame in crops.frames], np.int64)
    order = np.lexsort((frames, tracklets))
    counts = np.bincount(tracklets, minlength=len(numbers))
    if sample is not None:
        order, counts = _sampled(order, counts, sample)
    pooled = _pooled(embeddings.vectors, order, counts)
    return Embeddings(crops.select(first), pooled, embeddings.model, embeddings.model_sha256)


def _sampled(
    order: NDArray[np.intp], counts: NDArray[np.intp], sample: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order and counts with at most ``sample`` rows of each run, the middles of equal parts."""
    wanted = np.minimum(counts, sample)
    run = np.repeat(np.arange(len(counts)), wanted)
    number = np.arange(len(run)) - (np.cumsum(wanted) - wanted)[run]
    inside = (2 * number + 1) * counts[run] // (2 * wanted[run])
    return order[(np.cumsum(counts) - counts)[run] + inside], wanted


def _pooled(
    vectors: NDArray[np.float32], order: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float32]:
    """float32 (T, D), of length 1: the directions of the sums of the runs of rows.

    Args:
        vectors: float32 (N, D).
        order: intp (M,), rows of ``vectors``, those of a run next to each other.
        counts: intp (T,), how many each run has, at least 1.
    """
    pooled = np.zeros((len(counts), vectors.shape[1]), np.float32)
    ends = np.cumsum(counts)
    starts = ends - counts
    run = 0
    while run < len(counts):
        enough = int(np.searchsorted(ends, starts[run] + _POOLED_ROWS, side="right"))
        after = max(run + 1, enough)
        rows = vectors[order[starts[run] : ends[after - 1]]]
        sums = np.add.reduceat(rows, starts[run:after] - starts[run], axis=0, dtype=np.float64)
        lengths = _lengths(sums)[:, None]
        np.divide(sums, lengths, out=sums, where=lengths > 0)  # what cancels out stays 0
        pooled[run:after] = sums
        run = after
    return pooled
