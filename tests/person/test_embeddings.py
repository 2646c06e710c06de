"""Embeddings: checked, the same after a file, foreign files, tracklets against the slow twin."""

import re
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid import output
from everyid.errors import ConfigError, InputError, OutputExistsError, ShapeError
from person import embeddings as module
from person.crops import Crops
from person.embeddings import (
    Embeddings,
    pool_tracklets,
    read_embeddings,
    same_space,
    write_embeddings,
)
from tests.reference.tracklets import slow_pool

SHA = "ab" * 32


@pytest.fixture(autouse=True)
def _loud():
    output.quiet(enabled=False)


def unit(rows, width=6, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def crops_of(count, **labels):
    nothing = (None,) * count
    names = ("identities", "cameras", "videos", "tracks", "frames", "timestamps")
    paths = tuple(f"{number}.jpg" for number in range(count))
    return Crops(paths, *(tuple(labels.get(name, nothing)) for name in names))


def embeddings_of(count, *, width=6, model="osnet", sha256=SHA, seed=0, **labels):
    return Embeddings(crops_of(count, **labels), unit(count, width, seed), model, sha256)


MIXED = {
    "identities": ("anna", None, "hall/0003"),
    "cameras": ("1", "hall", None),
    "videos": (None, None, "hall"),
    "tracks": (None, 0, 3),
    "frames": (1, None, 127),
    "timestamps": (0.0, 5.08, None),
}


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".NPZ"])
def test_a_file_gives_back_what_was_written(tmp_path, suffix):
    wanted = embeddings_of(3, **MIXED)
    path = tmp_path / "new" / f"people{suffix}"
    write_embeddings(path, wanted)
    found = read_embeddings(path)
    assert found.crops == wanted.crops
    assert found.vectors.tobytes() == wanted.vectors.tobytes()
    assert (found.model, found.model_sha256) == ("osnet", SHA)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\x00"), min_size=1)),
            st.one_of(st.none(), st.integers(0, 2**62)),
            st.one_of(st.none(), st.floats(0, 1e9)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_labels_come_back_from_a_file(tmp_path_factory, rows):
    identities, tracks, times = zip(*rows, strict=True)
    wanted = embeddings_of(len(rows), identities=identities, tracks=tracks, timestamps=times)
    for suffix in (".parquet", ".npz"):
        path = tmp_path_factory.mktemp("files") / f"people{suffix}"
        write_embeddings(path, wanted)
        assert read_embeddings(path).crops == wanted.crops


def test_the_columns_of_a_parquet_file(tmp_path):
    write_embeddings(tmp_path / "people.parquet", embeddings_of(3, width=4, **MIXED))
    table = pq.read_table(tmp_path / "people.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "path": "string",
        "identity": "string",
        "camera": "string",
        "video": "string",
        "track": "int64",
        "frame": "int64",
        "timestamp": "double",
        "vector": "fixed_size_list<element: float>[4]",
        "model": "dictionary<values=string, indices=int32, ordered=0>",
        "model_sha256": "dictionary<values=string, indices=int32, ordered=0>",
    }
    assert table["track"].to_pylist() == [None, 0, 3]


def test_the_keys_of_an_npz_file(tmp_path):
    write_embeddings(tmp_path / "people.npz", embeddings_of(3, **MIXED))
    with np.load(tmp_path / "people.npz") as file:
        arrays = dict(file)
    assert arrays["identity"].tolist() == ["anna", "", "hall/0003"]
    assert arrays["track"].tolist() == [-1, 0, 3]
    assert np.isnan(arrays["timestamp"]).tolist() == [False, False, True]
    assert arrays["vector"].shape == (3, 6)
    assert arrays["model"].item() == "osnet"
    assert arrays["model_sha256"].item() == SHA


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_files_of_several_row_groups_and_slices_of_arrays(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(module, "_ROW_GROUP", 7)
    wanted = embeddings_of(41).select(np.arange(0, 40, 2))
    write_embeddings(tmp_path / f"people{suffix}", wanted)
    found = read_embeddings(tmp_path / f"people{suffix}")
    assert found.crops.paths == wanted.crops.paths
    assert np.array_equal(found.vectors, wanted.vectors)


def test_files_are_replaced_only_when_asked(tmp_path):
    path = tmp_path / "people.npz"
    write_embeddings(path, embeddings_of(2))
    with pytest.raises(OutputExistsError, match="exists already"):
        write_embeddings(path, embeddings_of(3))
    write_embeddings(path, embeddings_of(3), overwrite=True)
    assert len(read_embeddings(path)) == 3


def test_nothing_is_not_written(tmp_path):
    with pytest.raises(InputError, match="there are no embeddings to write"):
        write_embeddings(tmp_path / "people.npz", embeddings_of(2).select(np.zeros(2, bool)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float32())])
def test_foreign_parquet_needs_only_paths_and_vectors(tmp_path, kind, capsys):
    rows = [[3.0, 4.0], [0.6, 0.8]]
    columns = {"path": ["a.jpg", "b.jpg"], "vector": pa.array(rows, kind), "mood": ["x", "y"]}
    pq.write_table(pa.table(columns), tmp_path / "theirs.parquet")
    found = read_embeddings(tmp_path / "theirs.parquet")
    assert np.allclose(found.vectors, [[0.6, 0.8]] * 2)
    assert (found.model, found.model_sha256) == ("unknown", "")
    assert found.crops.identities == (None, None)
    assert "1 of 2 vectors brought to length 1" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_foreign_npz_needs_only_paths_and_vectors(tmp_path, dtype, capsys):
    vectors = np.array([[3.0, 4.0], [0.6, 0.8]], dtype)
    named = {"path": np.array(["a.jpg", "b.jpg"]), "vector": vectors, "identity": np.array([7, 8])}
    np.savez_compressed(tmp_path / "theirs.npz", **named, model=np.array(["net", "net"]))
    found = read_embeddings(tmp_path / "theirs.npz")
    assert np.allclose(found.vectors, [[0.6, 0.8]] * 2, atol=1e-3)
    assert found.vectors.dtype == np.float32
    assert found.crops.identities == ("7", "8")
    assert (found.model, found.model_sha256) == ("net", "")
    assert "1 of 2 vectors" in capsys.readouterr().err


BAD_TABLES = {
    "no vector": ({"path": ["a"]}, "expected a column 'vector', found path"),
    "no path": ({"vector": [[1.0]]}, "expected a column 'path', found vector"),
    "no row": (
        {"path": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))},
        "the file holds no embeddings",
    ),
    "whole numbers": ({"path": ["a"], "vector": [[1, 2]]}, "expected vectors of floats, got list"),
    "no lists": ({"path": ["a"], "vector": [1.0]}, "expected vectors of floats, got double"),
    "widths": (
        {"path": ["a", "b"], "vector": [[1.0], [0.6, 0.8]]},
        "expected vectors of one width, found [1, 2]",
    ),
    "gap": (
        {"path": ["a", "b"], "vector": [[1.0], None]},
        "expected a vector in each row, 1 lack one",
    ),
    "two models": (
        {"path": ["a", "b"], "vector": [[1.0]] * 2, "model": ["x", "y"]},
        "expected embeddings of one model, found 2 values of model: x, y",
    ),
    "two weights": (
        {"path": ["a", "b"], "vector": [[1.0]] * 2, "model_sha256": ["00", None]},
        "expected embeddings of one model, found 2 values of model_sha256",
    ),
    "zero": (
        {"path": ["a", "b"], "vector": [[1.0], [0.0]]},
        "b: expected a vector of length 1, got 0 (1 such vectors of 2)",
    ),
    "not a number": (
        {"path": ["a"], "vector": [[float("nan"), 1.0]]},
        "a: expected a vector of length 1, got nan",
    ),
    "none inside": ({"path": ["a"], "vector": [[None, 1.0]]}, "got nan"),
    "too large": ({"path": ["a"], "vector": [[1e300, 1.0]]}, "got inf"),
    "no width": ({"path": ["a"], "vector": pa.array([[]], pa.list_(pa.float32()))}, "got 0"),
    "a word": (
        {"path": ["a"], "vector": [[1.0]], "track": ["first"]},
        "track: expected int64 values",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_parquet_files_that_cannot_be_used(tmp_path, name):
    columns, message = BAD_TABLES[name]
    pq.write_table(pa.table(columns), tmp_path / "bad.parquet")
    with pytest.raises(InputError, match=re.escape(message)):
        read_embeddings(tmp_path / "bad.parquet")


def test_models_mixed_across_row_groups_are_found(tmp_path):
    path = tmp_path / "bad.parquet"
    tables = []
    for model in ("x", "y"):
        write_embeddings(path, embeddings_of(2, model=model), overwrite=True)
        tables.append(pq.read_table(path))
    with pq.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    with pytest.raises(InputError, match="found 2 values of model: x, y"):
        read_embeddings(path)


ONE = np.ones((1, 1), np.float32)
BAD_ARRAYS = {
    "no vector": ({"path": ["a"]}, "expected a column 'vector', found path"),
    "objects": (
        {"path": np.array(["a"], object), "vector": ONE},
        "not an npz file that can be read: Object arrays cannot be loaded",
    ),
    "one axis": ({"path": ["a"], "vector": ONE[0]}, "expected vectors of floats (N, D), got"),
    "whole numbers": ({"path": ["a"], "vector": ONE.astype(int)}, "got int64 (1, 1)"),
    "too many paths": (
        {"path": ["a", "b"], "vector": ONE},
        "path: expected 1 values, one a vector, got (2,)",
    ),
    "two models": (
        {"path": ["a", "b"], "vector": ONE.repeat(2, 0), "model": ["x", "y"]},
        "found 2 values of model: x, y",
    ),
    "no row": ({"path": np.zeros(0, "U1"), "vector": ONE[:0]}, "the file holds no embeddings"),
    "zero": ({"path": ["a"], "vector": 0 * ONE}, "a: expected a vector of length 1, got 0"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_npz_files_that_cannot_be_used(tmp_path, name):
    arrays, message = BAD_ARRAYS[name]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=re.escape(message)):
        read_embeddings(tmp_path / "bad.npz")


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text", "folder"])
def test_damaged_files_are_told(tmp_path, suffix, damage):
    path = tmp_path / f"people{suffix}"
    write_embeddings(path, embeddings_of(50))
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle:])
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        contents = {"cut": whole[:middle], "empty": b"", "flipped": flipped, "text": b"path,vector"}
        path.write_bytes(contents[damage])
    with pytest.raises(InputError, match=r"that can be read|found a folder"):
        read_embeddings(path)


def test_other_arrays_under_the_name_are_told(tmp_path):
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, ONE)
    with pytest.raises(InputError, match="expected an npz file, found a single array"):
        read_embeddings(tmp_path / "one.npz")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as file:
        file.writestr("path", "x")
        file.writestr("vector", "x")
    with pytest.raises(InputError, match=r"expected vectors of floats \(N, D\), got \|S1"):
        read_embeddings(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ["people.csv", "people"])
def test_other_suffixes_are_refused(tmp_path, name):
    for act in (read_embeddings, lambda path: write_embeddings(path, embeddings_of(1))):
        with pytest.raises(ConfigError, match=r"ending in \.parquet or \.npz"):
            act(tmp_path / name)


def test_missing_files_are_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_embeddings(tmp_path / "people.npz")


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (unit(2), "expected float32 (3, D), got float32 (2, 6)"),
        (unit(3).astype(np.float64), "expected float32 (3, D), got float64 (3, 6)"),
        (unit(3)[0], "expected float32 (3, D), got float32 (6,)"),
        (unit(3) * np.float32(1.01), "0.jpg: expected a vector of length 1, got 1.01 (3 such"),
        (
            np.array([[1, 0], [np.inf, 0], [0, 0]], np.float32),
            "1.jpg: expected a vector of length 1, got inf (2 such vectors of 3)",
        ),
    ],
)
def test_vectors_are_checked(vectors, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        Embeddings(crops_of(3), vectors, "osnet", SHA)


def test_rows_are_selected_together():
    whole = embeddings_of(4)
    some = whole.select(np.array([3, 1]))
    assert some.crops.paths == ("3.jpg", "1.jpg")
    assert np.array_equal(some.vectors, whole.vectors[[3, 1]])
    assert (some.width, len(some), some.model) == (6, 2, "osnet")
    assert len(whole.select(np.zeros(4, bool))) == 0


def test_vectors_of_one_model_compare():
    same_space(embeddings_of(2), embeddings_of(3, seed=1))
    same_space(embeddings_of(2, model="copy"), embeddings_of(3))
    same_space(embeddings_of(2, model="unknown", sha256=""), embeddings_of(1, sha256=""))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"width": 7}, "osnet (width 6, sha256 abababababab) and osnet (width 7, sha256 abababab"),
        ({"sha256": "cd" * 32, "model": "vit"}, "and vit (width 6, sha256 cdcdcdcdcdcd)"),
        ({"sha256": "", "model": "unknown"}, "and unknown (width 6, sha256 unknown)"),
    ],
)
def test_vectors_of_different_models_do_not_compare(other, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        same_space(embeddings_of(2), embeddings_of(2, **other))
    assert "embed both sides again" in error.value.hint


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["anna", "ben", None]),
            st.sampled_from(["1", None]),
            st.integers(0, 2),
            st.one_of(st.none(), st.integers(0, 9)),
        ),
        min_size=1,
        max_size=30,
    ),
    st.one_of(st.none(), st.integers(1, 6)),
    st.sampled_from([1, 5, 65_536]),
)
def test_tracklets_are_pooled_as_one_by_one(rows, sample, chunk):
    identities, cameras, tracks, frames = zip(*rows, strict=True)
    whole = embeddings_of(
        len(rows), identities=identities, cameras=cameras, tracks=tracks, frames=frames
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_POOLED_ROWS", chunk)
        pooled = pool_tracklets(whole, sample=sample)
    firsts, vectors = slow_pool(whole, sample)
    assert pooled.crops == whole.crops.select(np.array(firsts))
    assert np.allclose(pooled.vectors, vectors, atol=1e-6)


def test_samples_are_spread_evenly():
    vectors = np.eye(10, dtype=np.float32)
    frames = tuple(range(9, -1, -1))
    whole = Embeddings(crops_of(10, tracks=(1,) * 10, frames=frames), vectors, "osnet", SHA)
    seen = [np.flatnonzero(pool_tracklets(whole, sample=n).vectors[0]).tolist() for n in (1, 2, 5)]
    assert [[frames[row] for row in rows][::-1] for rows in seen] == [[5], [2, 7], [1, 3, 5, 7, 9]]
    assert pool_tracklets(whole).crops.paths == ("0.jpg",)


def test_nothing_pools_to_nothing():
    none = embeddings_of(2, tracks=(1, 1)).select(np.zeros(2, bool))
    assert len(pool_tracklets(none)) == 0


def test_what_cannot_be_pooled_is_told():
    with pytest.raises(InputError, match=r"1\.jpg: expected a track, none is known \(2 such"):
        pool_tracklets(embeddings_of(3, tracks=(1, None, None)))
    with pytest.raises(ConfigError, match="sample: expected 1 or more crops, got 0"):
        pool_tracklets(embeddings_of(1, tracks=(1,)), sample=0)
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    with pytest.raises(ShapeError, match=re.escape("0.jpg: expected a vector of length 1, got 0")):
        pool_tracklets(Embeddings(crops_of(2, tracks=(1, 1)), opposite, "osnet", SHA))
