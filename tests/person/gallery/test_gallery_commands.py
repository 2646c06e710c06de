"""The ``person gallery`` commands as a person meets them."""

import csv
import json
import re
import shutil

import cv2
import numpy as np
import pytest

from everyid.media import read_image
from person.gallery.results import (
    CalibrateRun,
    EnrollRun,
    ForgetRun,
    GalleryList,
    IdentifyRun,
    MergeRun,
    ShowRun,
)
from person.gallery.store import Gallery
from tests.person.gallery.shelves import found_in
from tests.person.people import bad_pictures, colour_onnx, figure, id_folders, save

COMMANDS = ("enroll", "identify", "list", "show", "forget", "merge", "calibrate")


@pytest.fixture
def gallery(everyid, tmp_path, people, colour):
    """Three people with two pictures each."""
    folder = tmp_path / "my gallery"
    done = everyid("gallery", "enroll", "-g", folder, "-s", people, "-m", colour, "-q")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="session")
def finer(tmp_path_factory):
    """The same network, fed in another way: a model of its own."""
    path = colour_onnx(tmp_path_factory.mktemp("finer") / "finer.onnx")
    beside = path.with_name(f"{path.name}.json")
    beside.write_text(beside.read_text().replace("bilinear", "bicubic"))
    return path


def names(folder):
    return Gallery.open(folder).names


@pytest.mark.parametrize("command", COMMANDS)
def test_help(everyid, command):
    done = everyid("gallery", command, "--help")
    assert (done.code, done.err) == (0, "")
    examples = rf"^ +python3 run\.py person gallery {command}"
    assert len(re.findall(examples, done.out, re.MULTILINE)) == 2
    for option in ("--gallery", "--json", "--quiet"):
        assert option in done.out


class TestEnroll:
    def test_a_folder_for_each_person(self, everyid, gallery, people, colour):
        opened = Gallery.open(gallery)
        assert opened.names == ("person_1", "person_2", "person_3")
        assert len(opened) == 6
        assert opened.head.model.given == str(colour)
        picture = cv2.imdecode(np.frombuffer(opened.thumbnails([0])[0], np.uint8), 1)
        original = read_image(people / "person_1" / "1.png")
        assert picture.shape == original.shape
        assert np.abs(picture.astype(int) - original).mean() < 5

    def test_twice_changes_nothing_and_says_so(self, everyid, gallery, people):
        before = (gallery / "gallery.json").read_bytes()
        done = everyid("gallery", "enroll", "-g", gallery, "-s", people)
        assert done.code == 0
        assert done.out.startswith("nothing changed: every picture is there already")
        assert "6 were there already" in done.out
        assert (gallery / "gallery.json").read_bytes() == before

    def test_one_picture_with_a_name(self, everyid, gallery, tmp_path):
        picture = save(tmp_path / "visit.png", figure(9))
        words = ("gallery", "enroll", "-g", gallery, "-s", picture)
        done = everyid(*words)
        assert done.code == 1
        assert "none of 1 has one" in done.err
        assert "--name" in done.err
        done = everyid(*words, "--name", "Zoë Ann", "--json")
        run = EnrollRun.model_validate_json(done.out)
        assert (run.created, run.people, run.new_people, run.added) == (False, 1, 1, 1)
        assert "Zoë Ann" in names(gallery)

    @pytest.mark.parametrize("name", ["", " anna", "a\nb", "x" * 201])
    def test_what_nobody_is_called(self, everyid, gallery, people, name):
        done = everyid("gallery", "enroll", "-g", gallery, "-s", people, "--name", name)
        assert done.code == 1
        assert "expected 1 to 200 printable letters" in done.err

    def test_crops_of_tracks(self, everyid, tmp_path, colour):
        for frame in (1, 2, 3):
            save(tmp_path / "crops" / "hall" / "0007" / f"{frame:06d}.png", figure(5, view=frame))
        folder = tmp_path / "g"
        done = everyid(
            "gallery", "enroll", "-g", folder, "-s", tmp_path / "crops", "-m", colour, "--keep", 2
        )
        assert done.code == 0, done.err
        assert "1 show views that others stand for" in done.out
        (person,) = Gallery.open(folder).people()
        assert (person.name, person.vectors, person.cameras) == ("hall/0007", 2, ["hall"])

    def test_more_views_than_are_kept_make_room_for_each_other(self, everyid, gallery, tmp_path):
        more = id_folders(tmp_path / "more", identities=1, views=6)
        words = ("gallery", "enroll", "-g", gallery, "-s", more, "--keep", 3, "--json")
        first = EnrollRun.model_validate_json(everyid(*words).out)
        assert Gallery.open(gallery).people()[0].vectors == 3
        assert first.added - first.replaced == 1
        again = EnrollRun.model_validate_json(everyid(*words).out)
        assert (again.added, again.replaced) == (0, 0)

    def test_what_shows_no_person_is_refused_with_a_reason(self, everyid, gallery, tmp_path):
        bad = bad_pictures(tmp_path / "bad")
        save(tmp_path / "bad" / "slender.png", figure(1)[:, :12].repeat(2, axis=0))
        save(tmp_path / "bad" / "small.png", figure(1)[:31])
        done = everyid(
            "gallery",
            "enroll",
            "-g",
            gallery,
            "-s",
            bad["wide.png"].parent,
            "--name",
            "x",
            "--json",
        )
        assert done.code == 1
        run = EnrollRun.model_validate_json(done.out)
        reasons = {path.rpartition("/")[2]: why for path, why in run.skipped.items()}
        assert "20000x40 px: wider than high" in reasons["wide.png"]
        assert "over 8 times as high as wide" in reasons["slender.png"]
        assert "smaller than 12x32" in reasons["small.png"]
        assert "smaller than 12x32" in reasons["tiny.png"]
        assert {"empty.jpg", "text.jpg", "truncated.jpg"} < set(reasons)
        assert run.people == 1

    def test_only_pictures_of_nobody(self, everyid, tmp_path, colour):
        wide = save(tmp_path / "a" / "wide.png", figure(1).transpose(1, 0, 2))
        done = everyid("gallery", "enroll", "-g", tmp_path / "g", "-s", wide, "-m", colour)
        assert done.code == 1
        assert "64x32 px: wider than high" in done.err
        assert "--save crops" in done.err
        assert not (tmp_path / "g").exists()

    def test_another_model_is_refused_with_the_way_out(
        self, everyid, gallery, people, finer, tmp_path
    ):
        done = everyid("gallery", "enroll", "-g", gallery, "-s", people, "-m", finer)
        assert done.code == 1
        assert "expected vectors of its own model colour" in done.err
        assert f"--gallery NEW --source {gallery}" in done.err

        lost = tmp_path / "lost"
        shutil.copytree(people, lost)
        old, new = tmp_path / "old", tmp_path / "new"
        everyid(
            "gallery", "enroll", "-g", old, "-s", lost, "-m", Gallery.open(gallery).head.model.given
        )
        (lost / "person_1" / "1.png").unlink()
        save(lost / "person_1" / "2.png", figure(30))
        done = everyid("gallery", "enroll", "-g", new, "-s", old, "-m", finer)
        assert done.code == 0, done.err
        made, before = Gallery.open(new), Gallery.open(old)
        assert made.head.model.name == "finer"
        assert made.rows.embeddings.crops == before.rows.embeddings.crops
        similarity = made.rows.embeddings.vectors @ before.rows.embeddings.vectors.T
        assert (similarity.argmax(axis=1) == np.arange(6)).all()

    def test_a_gallery_of_the_same_model_is_copied(self, everyid, gallery, colour, tmp_path):
        done = everyid("gallery", "enroll", "-g", tmp_path / "b", "-s", gallery, "-m", colour)
        assert done.code == 0, done.err
        one, other = Gallery.open(gallery), Gallery.open(tmp_path / "b")
        np.testing.assert_array_equal(one.rows.embeddings.vectors, other.rows.embeddings.vectors)
        assert one.thumbnails(range(6)) == other.thumbnails(range(6))

    def test_embeddings_of_a_known_model(self, everyid, tmp_path, people, colour, gallery):
        file = tmp_path / "e.parquet"
        everyid("embed", "-s", people, "-m", colour, "-o", file)
        done = everyid("gallery", "enroll", "-g", gallery, "-s", file)
        assert "6 were there already" in done.out
        done = everyid("gallery", "enroll", "-g", gallery, "-s", file, "-s", people)
        assert done.code == 1
        assert "a file of embeddings, among 2 sources" in done.err

    def test_ctrl_c_enrols_nobody(self, everyid, tmp_path, people, colour, interrupt):
        interrupt(2)
        done = everyid("gallery", "enroll", "-g", tmp_path / "g", "-s", people, "-m", colour)
        assert done.code == 130
        assert "nothing is enrolled" in done.err
        assert not (tmp_path / "g").exists()

    def test_junk_of_data_sets_is_nobody(self, everyid, crowd, colour, tmp_path):
        folder = tmp_path / "g"
        done = everyid("gallery", "enroll", "-g", folder, "-s", crowd, "-m", colour)
        assert done.code == 0, done.err
        assert names(folder) == ("0000", "0001", "0002", "0003", "0004")


class TestIdentify:
    @pytest.fixture
    def asked(self, tmp_path):
        """One who is enrolled, from another day, and one who is not."""
        folder = tmp_path / "asked"
        save(folder / "a.png", figure(2, camera=3, view=8))
        save(folder / "b.png", figure(17))
        return folder

    def test_known_and_unknown(self, everyid, gallery, asked, tmp_path):
        out = tmp_path / "out"
        words = ("gallery", "identify", "-g", gallery, "-s", asked, "--threshold", 0.8, "-o", out)
        done = everyid(*words)
        assert done.code == 0, done.err
        assert re.search(r"a\.png: person_2  similarity 0\.8", done.out)
        assert re.search(r"b\.png: unknown \(nearest: person_\d\)", done.out)
        assert "1 of 2 crops known; asked 3 people with 6 vectors" in done.out
        with (out / "answers.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == ["person_2", ""]
        assert rows[0]["second"] in ("person_1", "person_3")
        pictures = sorted(path.name for path in (out / "answers").iterdir())
        assert pictures == ["0001_a.png", "0002_b.png"]
        assert read_image(out / "answers" / "0001_a.png").shape[1] > 600
        done = everyid(*words)
        assert done.code == 1
        assert "exists already" in done.err

    def test_json(self, everyid, gallery, asked):
        done = everyid(
            *("gallery", "identify", "-g", gallery, "-s", asked, "--threshold", 0.8, "--json"),
            *("--top-k", 2, "--save", "csv"),
        )
        run = IdentifyRun.model_validate_json(done.out)
        assert run.threshold.origin == "given"
        known, unknown = run.answers
        assert (known.known, known.name, known.probability) == (True, "person_2", None)
        assert (unknown.known, unknown.name) == (False, None)
        assert len(unknown.candidates) == 2

    def test_without_calibration_or_threshold(self, everyid, gallery, asked):
        done = everyid("gallery", "identify", "-g", gallery, "-s", asked)
        assert done.code == 1
        assert "nothing says which similarity means the same person" in done.err
        assert f"gallery calibrate --gallery {gallery}" in done.err

    def test_remembers_each_stranger_once(self, everyid, gallery, tmp_path):
        for view in (1, 2, 3):
            save(tmp_path / "new" / f"a{view}.png", figure(17, view=view))
            save(tmp_path / "new" / f"b{view}.png", figure(23, view=view))
        words = (
            *("gallery", "identify", "-g", gallery, "-s", tmp_path / "new"),
            *("--threshold", 0.9, "--remember", "--save", "csv"),
        )
        done = everyid(*words)
        assert done.code == 0, done.err
        assert "remembered 2 new people: unknown-0001, unknown-0002" in done.out
        assert names(gallery)[-2:] == ("unknown-0001", "unknown-0002")
        done = everyid(*words)
        assert "6 of 6 crops known" in done.out
        assert "remembered" not in done.out
        assert len(names(gallery)) == 5

    def test_a_track_is_one_person(self, everyid, gallery, tmp_path):
        for frame in (1, 2):
            save(tmp_path / "crops" / "hall" / "0001" / f"{frame:06d}.png", figure(1, 2, frame))
            save(tmp_path / "crops" / "hall" / "0002" / f"{frame:06d}.png", figure(17, view=frame))
        done = everyid(
            *("gallery", "identify", "-g", gallery, "-s", tmp_path / "crops", "--json"),
            *("--threshold", 0.9, "--remember"),
        )
        assert done.code == 0, done.err
        run = json.loads(done.out)
        first, second = run["tracks"]
        assert (first["kind"], first["crops"], first["name"]) == ("track", 2, "person_1")
        assert (second["known"], second["remembered"]) == (False, "unknown-0001")
        assert [one["remembered"] for one in run["answers"]] == [None, None, *["unknown-0001"] * 2]
        assert len(Gallery.open(gallery).rows_of("unknown-0001")) == 2

    def test_a_gallery_that_begins_with_strangers(self, everyid, tmp_path, people, colour):
        folder = tmp_path / "g"
        words = ("gallery", "identify", "-g", folder, "-s", people, "-m", colour)
        done = everyid(*words)
        assert done.code == 1
        assert "no such file or folder" in done.err
        done = everyid(*words, "--remember", "--threshold", 0.9)
        assert done.code == 0, done.err
        assert names(folder) == ("unknown-0001", "unknown-0002", "unknown-0003")

    def test_ctrl_c_while_strangers_would_be_remembered(self, everyid, gallery, people, interrupt):
        interrupt(2)
        done = everyid(
            *("gallery", "identify", "-g", gallery, "-s", people, "--threshold", 0.99),
            "--remember",
        )
        assert done.code == 130
        assert "nobody is remembered" in done.err
        assert len(names(gallery)) == 3

    def test_embeddings_without_pictures(self, everyid, gallery, asked, colour, tmp_path):
        file = tmp_path / "e.npz"
        everyid("embed", "-s", asked, "-m", colour, "-o", file)
        shutil.rmtree(asked)
        out = tmp_path / "out"
        done = everyid(
            *("gallery", "identify", "-g", gallery, "-s", file, "--threshold", 0.8, "-o", out)
        )
        assert done.code == 0, done.err
        assert "1 of 2 crops known" in done.out
        assert len(list((out / "answers").iterdir())) == 2


def test_list_show_merge_and_forget(everyid, gallery, tmp_path):
    words = ("-g", gallery)
    done = everyid("gallery", "list", *words)
    assert re.search(r"^person_2  2        -  ", done.out, re.MULTILINE)
    assert "3 people, 6 vectors of colour\nnot calibrated" in done.out
    listed = GalleryList.model_validate_json(everyid("gallery", "list", *words, "--json").out)
    assert [one.name for one in listed.people] == ["person_1", "person_2", "person_3"]

    done = everyid("gallery", "show", "person_1", *words, "-o", tmp_path / "shown", "--json")
    shown = ShowRun.model_validate_json(done.out)
    assert [one.path.rpartition("/")[2] for one in shown.rows] == ["1.png", "2.png"]
    assert read_image(tmp_path / "shown" / "person.png").size
    done = everyid("gallery", "show", "person_1", *words, "-o", tmp_path / "shown")
    assert (done.code, "exists already" in done.err) == (1, True)

    done = everyid("gallery", "merge", "anna", "person_1", "person_3", *words, "--json")
    merged = MergeRun.model_validate_json(done.out)
    assert (merged.name, merged.vectors) == ("anna", 4)
    assert names(gallery) == ("anna", "person_2")
    done = everyid("gallery", "merge", "anna", "anna", *words)
    assert (done.code, "got the same name" in done.err) == (1, True)

    done = everyid("gallery", "forget", "anna", "carl", *words)
    assert (done.code, "nobody is called 'carl'" in done.err) == (1, True)
    assert names(gallery) == ("anna", "person_2")
    assert found_in(gallery, b"anna", b"person_1") == [b"anna", b"person_1"]
    done = everyid("gallery", "forget", "anna", *words, "--json")
    assert ForgetRun.model_validate_json(done.out).forgotten == {"anna": 4}
    assert found_in(gallery, b"anna", b"person_1", b"person_3") == []
    assert everyid("gallery", "forget", "person_2", *words).out.endswith(
        f"0 people left in {gallery}\n"
    )
    assert "the gallery is empty" in everyid("gallery", "list", *words).out


class TestCalibrate:
    def test_labelled_crops(self, everyid, gallery, crowd, tmp_path):
        done = everyid("gallery", "calibrate", "-g", gallery, "-s", crowd / "bounding_box_test")
        assert done.code == 0, done.err
        assert re.search(r"^1 % +-?\d\.\d{3} +\d+\.\d %", done.out, re.MULTILINE)
        assert "for 6 enrolled vectors" in done.out
        assert read_image(gallery / "roc.png").size
        assert "calibrated on" in everyid("gallery", "list", "-g", gallery).out
        words = ("gallery", "identify", "-g", gallery, "-s", crowd / "query", "--save", "csv")
        done = everyid(*words, "--false-accept-rate", 0.5)
        assert done.code == 0, done.err
        assert "by the calibration of the gallery" in done.out
        assert "probability" in done.out

    def test_the_gallery_itself(self, everyid, crowd, colour, tmp_path):
        folder = tmp_path / "g"
        everyid("gallery", "enroll", "-g", folder, "-s", crowd, "-m", colour)
        done = everyid("gallery", "calibrate", "-g", folder, "--json")
        run = CalibrateRun.model_validate_json(done.out)
        assert run.calibration.people == 4
        assert [one.measured for one in run.rates][-1] is False
        assert "extrapolated" in done.err

    def test_too_little(self, everyid, gallery):
        done = everyid("gallery", "calibrate", "-g", gallery)
        assert done.code == 1
        assert not (gallery / "calibration.json").exists()

    def test_tracks_tell_where_nobody_is_named(self, everyid, gallery, tmp_path):
        for track, identity in ((1, 5), (2, 6), (3, 7)):
            for frame in range(1, 12):
                name = f"{frame * 30:06d}.png"
                picture = figure(identity, view=frame)
                save(tmp_path / "crops" / "hall" / f"{track:04d}" / name, picture)
        done = everyid("gallery", "calibrate", "-g", gallery, "-s", tmp_path / "crops")
        assert done.code == 0, done.err
        assert "nobody is named: tracks tell" in done.err

    def test_a_damaged_calibration(self, everyid, gallery, people):
        (gallery / "calibration.json").write_text("{")
        done = everyid("gallery", "identify", "-g", gallery, "-s", people)
        assert done.code == 1
        assert "not a calibration that can be read" in done.err
