"""Matches as tables and documents: what each is to its query, in chunks as in one go."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import OutputError, OutputExistsError
from everyid.models import QueryMatches
from person import matches as module
from person.match import TopK, top_k
from person.matches import STATES, Matches, refuse_tables, write_tables
from person.protocol import PROTOCOLS
from tests.person.rows import crops, embeddings, unit

BOTH = ("csv", "parquet")
COLUMNS = [
    *("query", "query_identity", "query_camera", "rank"),
    *("match", "match_identity", "match_camera", "similarity", "state"),
]


def everything(query, gallery, *, rules=PROTOCOLS["cross-camera"]):
    """All gallery rows for each query, in their order, the similarity falling."""
    shape = (len(query), len(gallery))
    top = TopK(
        np.broadcast_to(np.arange(len(gallery)), shape).copy(),
        np.broadcast_to(np.linspace(0.9, -0.9, len(gallery), dtype=np.float32), shape).copy(),
    )
    return Matches.of(query, gallery, top, rules=rules)


def found_by_chance(queries=7, gallery=9, ranks=5):
    who = ["anna", "bo", "?", "0001", "-1"]
    left = crops(
        " ".join(who[n % 5] for n in range(queries)), " ".join("12?"[n % 3] for n in range(queries))
    )
    right = crops(
        " ".join(who[n % 4] for n in range(gallery)),
        " ".join("1?2"[n % 3] for n in range(gallery)),
        side="g",
    )
    top = top_k(unit(queries), unit(gallery, seed=1), k=ranks)
    return Matches.of(left, right, top, rules=PROTOCOLS["cross-camera"])


def words(matches):
    return [[STATES[state] for state in row] for row in matches.states.tolist()]


def test_what_each_match_is():
    query = crops("1 1 ? anna ?", "1 ? 1 hall ?")
    gallery = crops("1 1 1 2 ? anna anna Anna", "1 2 ? 1 1 hall roof hall", side="g")
    with_cameras = everything(query, gallery)
    assert with_cameras.states.dtype == np.uint8
    assert words(with_cameras) == [
        ["ignored", "same", "same", "other", "unknown", "other", "other", "other"],
        ["same", "same", "same", "other", "unknown", "other", "other", "other"],
        ["unknown"] * 8,
        ["other", "other", "other", "other", "unknown", "ignored", "same", "other"],
        ["unknown"] * 8,
    ]
    without = everything(query, gallery, rules=None)
    assert words(without) == [
        [{"ignored": "same"}.get(state, state) for state in row] for row in words(with_cameras)
    ]


labels = st.sampled_from(["1", "2", "anna", None])


@given(
    asked=st.lists(st.tuples(labels, labels), max_size=4),
    there=st.lists(st.tuples(labels, labels), min_size=1, max_size=5),
    cameras=st.booleans(),
)
def test_states_are_those_of_the_rules_in_words(asked, there, cameras):
    def of(rows, side):
        who, where = ([str(row[place] or "?") for row in rows] for place in (0, 1))
        return crops(" ".join(who), " ".join(where), side=side)

    def state(one, other):
        if one[0] is None or other[0] is None:
            return "unknown"
        if one[0] != other[0]:
            return "other"
        return "ignored" if cameras and one[1] is not None and one[1] == other[1] else "same"

    found = everything(
        of(asked, "q"), of(there, "g"), rules=PROTOCOLS["cross-camera"] if cameras else None
    )
    assert words(found) == [[state(one, other) for other in there] for one in asked]
    assert len(found) == len(asked)


def test_a_document():
    query, gallery = crops("1 ?", "1 ?"), crops("1 2 1 ?", "1 1 2 ?", side="g")
    top = TopK(np.array([[2, 0, 1], [3, 1, 0]]), np.float32([[0.5, 0.25, -1], [1, 0.5, 0]]))
    found = Matches.of(query, gallery, top, rules=PROTOCOLS["cross-camera"])
    first = found.document(0)
    assert (first.query, first.identity, first.camera) == ("q/0.png", "1", "1")
    assert [match.model_dump() for match in first.matches] == [
        {
            "rank": rank,
            "path": f"g/{row}.png",
            "identity": identity,
            "camera": camera,
            "similarity": similarity,
            "state": state,
        }
        for rank, row, identity, camera, similarity, state in (
            (1, 2, "1", "2", 0.5, "same"),
            (2, 0, "1", "1", 0.25, "ignored"),
            (3, 1, "2", "1", -1.0, "other"),
        )
    ]
    second = found.document(1)
    assert (second.identity, second.camera) == (None, None)
    assert [match.state for match in second.matches] == ["unknown"] * 3
    for one in (first, second):
        assert QueryMatches.model_validate_json(one.model_dump_json()) == one
    assert json.loads(second.model_dump_json())["matches"][0]["identity"] is None


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return head, rows


def test_the_columns_of_a_table(tmp_path):
    written = write_tables(found_by_chance(), tmp_path, BOTH, overwrite=False)
    assert written == {name: tmp_path / f"matches.{name}" for name in BOTH}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matches.csv", "matches.parquet"]
    schema = pq.read_schema(written["parquet"])
    assert schema.names == COLUMNS
    kinds = {name: str(schema.field(name).type) for name in COLUMNS}
    assert kinds == dict.fromkeys(COLUMNS, "string") | {"rank": "int32", "similarity": "float"}


def test_csv_and_parquet_agree_with_the_documents(tmp_path):
    matches = found_by_chance()
    written = write_tables(matches, tmp_path, BOTH, overwrite=False)
    table = pq.read_table(written["parquet"]).to_pylist()
    documents = [
        {
            "query": found.query,
            "query_identity": found.identity,
            "query_camera": found.camera,
            "rank": match.rank,
            "match": match.path,
            "match_identity": match.identity,
            "match_camera": match.camera,
            "similarity": match.similarity,
            "state": match.state,
        }
        for found in map(matches.document, range(len(matches)))
        for match in found.matches
    ]
    assert table == documents
    head, rows = read_csv(written["csv"])
    assert head == COLUMNS
    assert len(rows) == len(table) == 7 * 5
    for row, wanted in zip(rows, table, strict=True):
        text = ["" if wanted[name] is None else str(wanted[name]) for name in COLUMNS]
        place = COLUMNS.index("similarity")
        assert np.float32(row.pop(place)) == np.float32(text.pop(place))
        assert row == text


@pytest.mark.parametrize("rows", [1, 5, 6, 11, 34, 35, 36])
def test_chunks_give_the_same_tables(tmp_path, monkeypatch, rows):
    matches = found_by_chance()
    whole = write_tables(matches, tmp_path, BOTH, overwrite=False)
    monkeypatch.setattr(module, "_ROWS", rows)
    assert len(list(module._tables(matches))) == -(-7 // max(1, rows // 5))
    (tmp_path / "chunks").mkdir()
    parts = write_tables(matches, tmp_path / "chunks", BOTH, overwrite=False)
    assert parts["csv"].read_bytes() == whole["csv"].read_bytes()
    assert pq.read_table(parts["parquet"]).equals(pq.read_table(whole["parquet"]))


def test_no_queries_give_tables_with_no_rows(tmp_path):
    gallery = crops("1 2", "1 2", side="g")
    top = top_k(unit(0), unit(2), k=5)
    nothing = Matches.of(crops("", ""), gallery, top, rules=PROTOCOLS["cross-camera"])
    assert len(nothing) == 0
    written = write_tables(nothing, tmp_path, BOTH, overwrite=False)
    assert read_csv(written["csv"]) == (COLUMNS, [])
    table = pq.read_table(written["parquet"])
    assert (table.num_rows, table.schema.names) == (0, COLUMNS)


def test_only_what_is_asked_for(tmp_path):
    assert set(write_tables(found_by_chance(), tmp_path, ("csv",), overwrite=False)) == {"csv"}
    rest = write_tables(found_by_chance(), tmp_path, ("sheets", "parquet"), overwrite=False)
    assert set(rest) == {"parquet"}
    assert write_tables(found_by_chance(), tmp_path, ("folders",), overwrite=False) == {}


ODD = ('a,"b".png', "日本/Zoë 🙂.jpg", "line\nbreak.png", "' ;\t.png", '"', "  both ends  ")


def test_odd_paths_come_back_as_they_were(tmp_path):
    people = crops(" ".join("1" * len(ODD)), paths=ODD)
    some = embeddings(people)
    rows = np.arange(len(ODD), dtype=np.int64)
    top = top_k(some.vectors, some.vectors, k=50, exclude=rows)
    written = write_tables(
        Matches.of(people, people, top, rules=None), tmp_path, BOTH, overwrite=False
    )
    head, rows = read_csv(written["csv"])
    table = pq.read_table(written["parquet"])
    for name in ("query", "match"):
        column = table.column(name).to_pylist()
        assert set(column) == set(ODD)
        assert [row[head.index(name)] for row in rows] == column


def test_tables_are_replaced_only_when_asked(tmp_path):
    path = tmp_path / "matches.csv"
    path.write_text("old")
    refuse_tables(tmp_path, ("parquet", "sheets"), overwrite=False)
    refuse_tables(tmp_path, BOTH, overwrite=True)
    with pytest.raises(OutputExistsError, match=r"matches\.csv exists already") as caught:
        refuse_tables(tmp_path, BOTH, overwrite=False)
    assert "--overwrite" in caught.value.hint
    with pytest.raises(OutputExistsError, match=r"matches\.csv exists already"):
        write_tables(found_by_chance(), tmp_path, BOTH, overwrite=False)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]
    write_tables(found_by_chance(), tmp_path, BOTH, overwrite=True)
    assert len(read_csv(path)[1]) == 35
    assert sorted(one.name for one in tmp_path.iterdir()) == ["matches.csv", "matches.parquet"]


@pytest.mark.parametrize("name", BOTH)
def test_a_table_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch, name):
    path = tmp_path / f"matches.{name}"
    path.write_text("old")

    def failing(matches):
        yield next(whole(matches))
        raise OSError(28, "No space left on device")

    whole = module._tables
    monkeypatch.setattr(module, "_tables", failing)
    with pytest.raises(OutputError, match=rf"^no space left on the disk of .*matches\.{name}$"):
        write_tables(found_by_chance(), tmp_path, (name,), overwrite=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"^cannot write .*matches\.csv"):
        write_tables(found_by_chance(), tmp_path / "none", ("csv",), overwrite=False)
