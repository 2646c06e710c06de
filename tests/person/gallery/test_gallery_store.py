import json

import numpy as np
import pytest

from everyid.errors import InputError, OutputError, ShapeError
from person.crops import Crops
from person.embeddings import Embeddings, read_embeddings
from person.gallery import segments
from person.gallery.changes import changing
from person.gallery.head import is_gallery, read_head
from person.gallery.records import Enrolment, Rows
from person.gallery.store import Found, Gallery
from person.match import top_k
from tests.person.gallery.shelves import MODEL, WHEN, content, enrolment, fill
from tests.person.rows import crops, embeddings, unit


@pytest.fixture
def gallery(tmp_path):
    """Anna with two pictures and ben with one."""
    return fill(tmp_path / "my gallery", "anna ben anna")


def test_what_was_enrolled_is_there(gallery):
    opened = Gallery.open(gallery)
    assert content(opened) == sorted(
        (
            (name, path, vector, WHEN.item(), f"a picture of {path}".encode())
            for name, path, vector in zip(
                ("anna", "ben", "anna"),
                ("door 0/anna/0.jpg", "door 0/ben/1.jpg", "door 0/anna/2.jpg"),
                unit(3).tolist(),
                strict=True,
            )
        ),
        key=repr,
    )
    assert opened.names == ("anna", "ben")
    assert opened.groups.tolist() == [0, 1, 0]
    assert "ben" in opened
    assert "Ben" not in opened


def test_labels_of_all_kinds_come_back(tmp_path):
    labels = Crops(
        ("日本/zoë.jpg", "b"),
        ("zoë", "ben"),
        ("1", None),
        ("hall", None),
        (7, None),
        (9, None),
        (0.25, None),
    )
    rows = Rows(embeddings(labels, unit(2)), np.array([WHEN, WHEN]))
    with changing(tmp_path / "g", create_for=MODEL) as change:
        change.add(Enrolment(rows, (None, b"b")))
    opened = Gallery.open(tmp_path / "g")
    assert opened.rows.embeddings.crops == labels
    assert opened.thumbnails([1, 0]) == [b"b", None]


def test_segments_are_files_of_embeddings(gallery):
    (segment,) = read_head(gallery).segments
    read = read_embeddings(gallery / "segments" / segment.file)
    assert read.crops.identities == ("anna", "ben", "anna")
    assert read.model_sha256 == MODEL.sha256


def test_the_head_names_nobody(gallery):
    text = (gallery / "gallery.json").read_text()
    assert "anna" not in text
    assert "door" not in text


def test_many_rows_go_to_several_files_and_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "_MOST_ROWS", 5)
    monkeypatch.setattr(segments, "_ROW_GROUP", 2)
    names = " ".join(f"p{row % 4}" for row in range(13))
    folder = fill(tmp_path / "g", names)
    head = read_head(folder)
    assert [one.rows for one in head.segments] == [5, 5, 3]
    opened = Gallery.open(folder)
    assert opened.rows.names == tuple(names.split())
    wanted = [12, 0, 7, 7]
    assert opened.thumbnails(wanted) == [
        f"a picture of door 0/p{row % 4}/{row}.jpg".encode() for row in wanted
    ]


class TestSearch:
    def test_each_person_once_nearest_first_as_a_slow_search_has_it(self, tmp_path):
        names = [f"p{row % 7}" for row in range(40)]
        opened = Gallery.open(fill(tmp_path / "g", " ".join(names)))
        query = unit(9, seed=5)
        everything = top_k(query, opened.rows.embeddings.vectors, k=40)
        for answer, rows, values in zip(
            opened.search(query, people=3), everything.indices, everything.values, strict=True
        ):
            wanted: dict[str, Found] = {}
            for row, value in zip(rows.tolist(), values.tolist(), strict=True):
                wanted.setdefault(names[row], Found(names[row], value, row))
            assert answer == list(wanted.values())[:3]

    def test_fewer_people_than_wanted(self, gallery):
        (answer,) = Gallery.open(gallery).search(unit(1), people=5)
        assert [one.name for one in answer] == ["anna", "ben"]
        assert answer[0].similarity == pytest.approx(1)
        assert answer[0].row == 0

    def test_an_empty_gallery_knows_nobody(self, tmp_path):
        with changing(tmp_path / "g", create_for=MODEL):
            pass
        opened = Gallery.open(tmp_path / "g")
        assert opened.search(unit(2)) == [[], []]
        assert opened.people() == []
        assert opened.thumbnails([]) == []

    def test_vectors_of_another_width(self, gallery):
        with pytest.raises(ShapeError, match=r"width 5"):
            Gallery.open(gallery).search(unit(1, width=5))


def test_people_are_listed_by_name(tmp_path):
    folder = tmp_path / "g"
    with changing(folder, create_for=MODEL) as change:
        change.add(enrolment("ben anna ben", cameras="2 ? 10"))
    anna, ben = Gallery.open(folder).people()
    assert (anna.name, anna.vectors, anna.cameras) == ("anna", 1, [])
    assert (ben.name, ben.vectors, ben.cameras) == ("ben", 2, ["10", "2"])
    assert ben.first_added.isoformat() == "2026-01-02T03:04:05.678000+00:00"


def test_nobody_of_that_name_and_who_is_like_it(gallery):
    with pytest.raises(InputError, match=r"nobody is called 'Anna'") as caught:
        Gallery.open(gallery).rows_of("Anna")
    assert "anna" in caught.value.hint
    with pytest.raises(InputError, match=r"nobody is called 'xx'") as caught:
        Gallery.open(gallery).rows_of("xx")
    assert "gallery list" in caught.value.hint


class TestDamage:
    def test_no_gallery(self, tmp_path):
        assert not is_gallery(tmp_path)
        with pytest.raises(InputError, match=r"not a gallery: there is no gallery\.json") as caught:
            Gallery.open(tmp_path)
        assert "gallery enroll" in caught.value.hint
        with pytest.raises(InputError, match=r"no such file or folder") as caught:
            Gallery.open(tmp_path / "missing")
        assert "gallery enroll" in caught.value.hint

    @pytest.mark.parametrize("kept", [0, 40])
    def test_a_head_cut_short(self, gallery, kept):
        head = gallery / "gallery.json"
        head.write_bytes(head.read_bytes()[:kept])
        with pytest.raises(InputError, match=r"gallery\.json: not the head of a gallery"):
            Gallery.open(gallery)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("generation", -1, r"generation: .*greater than or equal to 0"),
            ("format_version", 0, r"format_version"),
            ("surprise", 1, r"surprise"),
        ],
    )
    def test_a_head_that_says_something_else(self, gallery, field, value, message):
        head = gallery / "gallery.json"
        head.write_text(json.dumps(json.loads(head.read_text()) | {field: value}))
        with pytest.raises(InputError, match=message):
            Gallery.open(gallery)

    def test_no_file_outside_is_ever_read(self, gallery):
        head = gallery / "gallery.json"
        head.write_text(head.read_text().replace('"file": "', '"file": "../'))
        with pytest.raises(InputError, match=r"segments\.0\.file"):
            Gallery.open(gallery)

    def test_a_newer_format(self, gallery):
        head = gallery / "gallery.json"
        head.write_text(json.dumps({"format_version": 2, "unheard": "of"}))
        with pytest.raises(InputError, match=r"of format 2, .* knows formats up to 1") as caught:
            Gallery.open(gallery)
        assert "newer" in caught.value.hint

    def test_a_file_of_rows_that_is_cut_changed_or_gone(self, gallery):
        (path,) = (gallery / "segments").iterdir()
        whole = path.read_bytes()
        for bytes_ in (whole[:-9], b"", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
            path.write_bytes(bytes_)
            with pytest.raises(InputError, match=rf"{path.name}: expected sha256"):
                Gallery.open(gallery)
        path.unlink()
        with pytest.raises(InputError, match=rf"cannot read .*{path.name}"):
            Gallery.open(gallery)

    def test_a_head_that_counts_otherwise(self, gallery):
        head = gallery / "gallery.json"
        head.write_text(head.read_text().replace('"rows": 3', '"rows": 4'))
        with pytest.raises(InputError, match=r"expected 4 rows, found 3"):
            Gallery.open(gallery)

    def test_a_head_of_another_model(self, gallery):
        head = gallery / "gallery.json"
        head.write_text(head.read_text().replace(MODEL.sha256, "cd" * 32))
        with pytest.raises(InputError, match=r"expected vectors of tiny \(width 8\)"):
            Gallery.open(gallery)


def test_a_gallery_that_changes_while_it_is_read_is_read_anew(gallery, monkeypatch):
    from person.gallery import store

    real, calls = store.read_rows, []

    def read_rows(*args):
        if not calls:
            calls.append(1)
            fill(gallery, "carl", seed=1)
            with changing(gallery) as change:
                change.drop(np.array([0]))
        return real(*args)

    monkeypatch.setattr(store, "read_rows", read_rows)
    assert set(Gallery.open(gallery).names) == {"anna", "ben", "carl"}


def test_pictures_of_a_version_that_is_gone(gallery):
    before = Gallery.open(gallery)
    with changing(gallery) as change:
        change.drop(np.array([0]))
    with pytest.raises(InputError, match=r"changed while it was read") as caught:
        before.thumbnails([1])
    assert caught.value.hint == "run the command again"


def test_rows_need_names_and_times():
    some = embeddings(crops("anna ?"))
    with pytest.raises(ShapeError, match=r"row 1 has none"):
        Rows(some, np.array([WHEN, WHEN]))
    with pytest.raises(ShapeError, match=r"added_utc: expected \(2,\)"):
        Rows(some, np.array([WHEN]))
    whole = Rows(embeddings(crops("anna ben")), np.array([WHEN, WHEN]))
    with pytest.raises(ShapeError, match=r"thumbnails: expected 2"):
        Enrolment(whole, (b"",))


def test_a_folder_of_other_things_is_no_place_for_a_gallery(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(OutputError, match=r"found holiday\.jpg and no gallery\.json"):
        fill(tmp_path, "anna")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_gallery_whose_head_is_lost_is_not_begun_anew(gallery):
    (gallery / "gallery.json").unlink()
    with pytest.raises(OutputError, match=r"found segments and no gallery\.json"):
        fill(gallery, "carl")
    assert len(list((gallery / "segments").iterdir())) == 1


def test_an_embedding_is_of_this_gallery(gallery):
    opened = Gallery.open(gallery)
    assert isinstance(opened.rows.embeddings, Embeddings)
    assert opened.rows.embeddings.vectors.dtype == np.float32
