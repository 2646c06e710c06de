"""Checks of data: each thing that spoils a training is found, counted, and told apart."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everyid.errors import InputError
from everyid.output import Stop
from person.datasets.checking import check_dataset, check_text
from person.datasets.problems import look_at
from tests.person.people import bad_pictures, figure, market, save


def people(root, *, identities=3, cameras=2, views=2):
    """Folders of people in files that tell the camera; the folder."""
    for identity in range(identities):
        for camera in range(cameras):
            for view in range(views):
                name = f"p{identity}/p{identity}-c{camera}-{view}.png"
                save(root / name, figure(identity, camera, view))
    return root


def checked(*sources, camera_pattern=None):
    return check_dataset(sources, camera_pattern=camera_pattern, stop=Stop())


def kinds(check):
    return {problem.kind: (problem.severity, problem.count) for problem in check.problems}


def problem(check, kind):
    return next(problem for problem in check.problems if problem.kind == kind)


def test_good_data_has_no_problem(tmp_path):
    check = checked(people(tmp_path / "own"), camera_pattern=r"c(\d)")
    assert check.problems == []
    assert check.trainable
    assert (check.images, check.identities, check.cameras, check.looked_at) == (12, 3, 2, 12)
    assert check_text(check) == "own: 12 images, 3 identities, 2 cameras\nno problem found"


def test_a_look_sees_size_and_content_or_says_why_not(tmp_path):
    one, two = (save(tmp_path / name, figure(1)) for name in ("a.png", "b.png"))
    assert look_at(str(one)) == look_at(str(two))
    assert look_at(str(one)).size_hw == (64, 32)
    assert look_at(str(one)).digest != look_at(str(save(two, figure(2)))).digest
    one.unlink()
    assert look_at(str(one)) == (None, None, f"{one}: no such file or folder")


def test_bad_pictures_are_found(tmp_path):
    root = people(tmp_path / "own")
    bad_pictures(root / "p0")
    check = checked(root, camera_pattern=r"-c(\d)")
    assert kinds(check) == {
        "unreadable": ("warning", 3),
        "small": ("warning", 1),
        "landscape": ("warning", 1),
        "camera-unknown": ("note", 6),
    }
    unreadable = problem(check, "unreadable")
    assert any("truncated.jpg: the image is damaged" in one for one in unreadable.examples)
    assert problem(check, "landscape").examples == [f"{root}/p0/wide.png: 20000x40 px"]
    assert problem(check, "small").examples == [f"{root}/p0/tiny.png: 1x1 px"]
    assert check.trainable


def test_nothing_but_bad_pictures_is_an_error(tmp_path):
    for number in range(2):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "1.jpg").write_text("no picture")
    check = checked(tmp_path)
    assert kinds(check) == {"unreadable": ("error", 2)}
    assert not check.trainable
    assert "error: 2 images cannot be read: no image is left to train on" in check_text(check)


def test_one_image_each_is_an_error(tmp_path):
    check = checked(people(tmp_path / "own", cameras=1, views=1))
    assert kinds(check) == {"single-image": ("error", 3), "no-camera": ("warning", 3)}
    save(tmp_path / "own" / "p0" / "more.png", figure(0, 5))
    check = checked(tmp_path / "own")
    assert kinds(check)["single-image"] == ("warning", 2)
    assert problem(check, "single-image").examples == ["own/p1", "own/p2"]


def test_an_image_that_cannot_be_read_makes_no_pair(tmp_path):
    root = people(tmp_path / "own", views=1)
    (root / "p1" / "p1-c0-0.png").write_bytes(b"")
    assert kinds(checked(root))["single-image"] == ("warning", 1)


def test_one_person_is_an_error(tmp_path):
    check = checked(people(tmp_path / "own", identities=1), camera_pattern=r"c(\d)")
    assert kinds(check) == {"one-identity": ("error", 1)}
    assert problem(check, "one-identity").examples == ["own/p0"]


def test_nobody_known_is_an_error(tmp_path):
    root = tmp_path / "images"
    for number in range(3):
        save(root / f"{number}.png", figure(number))
    check = checked(root)
    assert kinds(check) == {"no-identity": ("error", 3), "no-camera": ("warning", 3)}
    assert "images: 3 images, 0 identities, 0 cameras, 3 without identity" in check_text(check)


def test_people_of_one_camera_are_found(tmp_path):
    root = people(tmp_path / "own")
    for view in range(2):
        save(root / "p9" / f"p9-c1-{view}.png", figure(9, 1, view))
        save(root / "p8" / f"p8-{'c1' if view else 'x'}.png", figure(8, 1, view))
    save(root / "loose-c0.png", figure(7))
    check = checked(root, camera_pattern=r"c(\d)")
    assert kinds(check) == {
        "one-camera": ("warning", 1),
        "unlabelled": ("note", 1),
        "camera-unknown": ("note", 1),
    }
    assert problem(check, "one-camera").examples == ["own/p9"]


def test_doubles_are_found_and_more_so_under_two_names(tmp_path):
    root = people(tmp_path / "own")
    shutil.copy(root / "p0" / "p0-c0-0.png", root / "p0" / "copy-c0.png")
    shutil.copy(root / "p1" / "p1-c0-0.png", root / "p2" / "copy-c0.png")
    check = checked(root, camera_pattern=r"c(\d)")
    assert kinds(check) == {"two-identities": ("warning", 1), "duplicate": ("note", 1)}
    assert problem(check, "two-identities").examples == [
        f"{root}/p1/p1-c0-0.png = {root}/p2/copy-c0.png"
    ]
    assert [problem.severity for problem in check.problems] == ["warning", "note"]


def test_a_copy_in_another_source_is_another_person(tmp_path):
    one, two = people(tmp_path / "one"), people(tmp_path / "two", identities=1)
    assert kinds(checked(one, two))["two-identities"] == ("warning", 4)


def test_leaks_into_the_test_parts_are_found(tmp_path):
    root = market(tmp_path / "crowd", identities=3, cameras=2, views=2)
    train, test = root / "bounding_box_train", root / "bounding_box_test"
    for identity in (7, 8):
        for camera in (1, 2):
            name = f"{identity:04d}_c{camera}s1_000001_01.jpg"
            save(train / name, figure(identity, camera))
    assert kinds(checked(root)) == {}
    source = test / "0001_c1s1_000101_01.jpg"
    shutil.copy(source, train / source.name)
    shutil.copy(source, train / "0008_c1s1_000002_01.jpg")
    for path in test.glob("0003_*"):
        path.unlink()
    check = checked(root)
    assert kinds(check) == {
        "single-image": ("warning", 1),
        "two-identities": ("warning", 1),
        "identity-leak": ("warning", 1),
        "file-leak": ("warning", 1),
        "no-match": ("warning", 1),
    }
    assert problem(check, "identity-leak").examples == ["crowd/0001"]
    assert problem(check, "file-leak").examples == [str(train / source.name)]
    assert problem(check, "no-match").examples == ["crowd/0003"]
    assert "; 6 in query, 10 in gallery" in check_text(check)


def test_a_set_that_counts_people_anew_leaks_no_names(tmp_path):
    name = "{}/0000/0000_{:03d}_{:02d}_0303morning_0008_0.jpg"
    for number, camera in ((0, 1), (1, 2)):
        save(tmp_path / name.format("MSMT17_V1/train", number, camera), figure(1, camera))
        save(tmp_path / name.format("MSMT17_V1/test", number, camera), figure(2, camera))
    (tmp_path / "query.txt").write_text(name.format("MSMT17_V1/test", 0, 1))
    (tmp_path / "gallery.txt").write_text(name.format("MSMT17_V1/test", 1, 2))
    assert "identity-leak" in kinds(checked(tmp_path))
    (tmp_path / "MSMT17_V1" / "list_train.txt").touch()
    assert kinds(checked(tmp_path)) == {"one-identity": ("error", 1)}


def test_sources_are_counted_each_and_together(tmp_path):
    one, two = people(tmp_path / "one"), people(tmp_path / "two", identities=2, views=1)
    save(two / "loose.png", figure(30))
    check = checked(one, two)
    assert [(part.name, part.images, part.identities) for part in check.sources] == [
        ("one", 12, 3),
        ("two", 5, 2),
    ]
    assert check.sources[1].unlabelled == check.unlabelled == 1
    lines = check_text(check).splitlines()
    assert lines[2] == "together: 17 images, 5 identities, 0 cameras, 1 without identity"


def test_text_names_few_examples_and_the_document_twenty(tmp_path):
    for number in range(30):
        save(tmp_path / f"p{number}" / "1.png", figure(number)[:16])
    check = checked(tmp_path)
    small = problem(check, "small")
    assert (small.count, len(small.examples)) == (30, 20)
    assert "  and 27 more" in check_text(check)
    assert type(check).model_validate_json(check.model_dump_json()) == check


def test_labels_that_are_words_or_numbers_of_a_table_are_fine(tmp_path):
    root = people(tmp_path / "own")
    paths = sorted(str(path) for path in root.rglob("*.png"))
    names = [path.rpartition("/")[2][:2] for path in paths]
    table = {"path": paths, "identity": names, "camera": [path[-7] for path in paths]}
    pq.write_table(pa.table(table), tmp_path / "list.parquet")
    assert checked(tmp_path / "list.parquet").problems == []


def test_a_stop_ends_the_looking(tmp_path):
    stop = Stop()
    stop.requested = True
    check = check_dataset([people(tmp_path / "own")], stop=stop)
    assert check.interrupted
    assert check.looked_at == 0
    assert "interrupted after 0 images" in check_text(check)


def test_no_image_at_all_is_told(tmp_path):
    with pytest.raises(InputError, match="expected images in this folder or below, found none"):
        checked(tmp_path)
