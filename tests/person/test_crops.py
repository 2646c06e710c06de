"""Finding crops: folders, lists and tables, what they are called by, and each file once."""

import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everyid.errors import ConfigError, InputError, ShapeError
from person.crops import LABELS, Crops, find_crops, read_crop
from tests.person.people import figure, id_folders, market, save


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*sources, **patterns):
    return find_crops([Path(source) for source in sources], **patterns)


def table(file, /, **columns):
    pq.write_table(pa.table(columns), file)


def test_a_market_layout_has_identities_cameras_junk_and_distractors(tmp_path):
    market(tmp_path / "market", identities=2, cameras=2, views=1)
    query, gallery = found("market/query"), found("market/bounding_box_test")
    assert query.paths[0] == str(Path("market", "query", "0001_c1s1_000100_00.jpg"))
    assert query.identities == ("0001", "0001", "0002", "0002")
    assert query.cameras == ("1", "2", "1", "2")
    assert query.frames == (100, 100, 200, 200)
    assert gallery.identities.count("-1") == gallery.identities.count("0000") == 2
    assert len(found("market")) == len(query) + len(gallery)


def test_folders_name_people_and_are_searched_deep(tmp_path):
    id_folders(tmp_path / "people", identities=2)
    crops = found("people")
    assert crops.identities == ("person_1", "person_1", "person_2", "person_2")
    assert crops.cameras == crops.videos == crops.tracks == crops.timestamps == (None,) * 4
    assert found("people/person_1").identities == (None, None)


def test_the_order_is_natural_and_files_come_before_folders():
    touch("p/10/a.jpg", "p/9/b10.jpg", "p/9/b9.JPG", "p/9/B1.png", "p/z.jpg", "p/9/x/a.webp")
    names = [Path(path).as_posix() for path in found("p").paths]
    expected = ["z.jpg", "9/B1.png", "9/b9.JPG", "9/b10.jpg", "9/x/a.webp", "10/a.jpg"]
    assert names == [f"p/{name}" for name in expected]


def test_what_is_hidden_or_no_image_is_left_out():
    touch("p/a.jpg", "p/.b.jpg", "p/.git/c.jpg", "p/notes.txt", "p/film.mp4", "p/jpg", "p/.jpg")
    assert found("p").paths == (str(Path("p", "a.jpg")),)


def test_the_current_folder_and_absolute_ones_give_paths_of_their_kind(tmp_path):
    touch("anna/1.jpg")
    assert found(".").paths == (str(Path("anna", "1.jpg")),)
    assert found(tmp_path).paths == (str(tmp_path / "anna" / "1.jpg"),)
    assert found(".").identities == found(tmp_path).identities == ("anna",)


@pytest.mark.parametrize("source", ["crops/hall/0003/000127.jpg", "crops/hall/0003", "crops"])
def test_crops_of_tracking_are_known_from_any_source(source):
    touch("crops/hall/0003/000127.jpg")
    crops = found(source)
    assert crops.identities == ("hall/0003",)
    assert (crops.cameras, crops.videos, crops.tracks, crops.frames) == (
        ("hall",),
        ("hall",),
        (3,),
        (127,),
    )


def test_crops_of_tracking_are_known_from_inside(monkeypatch):
    touch("crops/hall/0003/000127.jpg")
    monkeypatch.chdir("crops/hall")
    assert found(".").identities == found("0003").identities == ("hall/0003",)


def test_each_file_comes_once():
    touch("p/anna/1.jpg", "p/ben/2.jpg")
    Path("list.txt").write_text("p/anna/1.jpg\np/anna/../anna/1.jpg\n")
    assert len(found("p", "p/anna", "p/ben/2.jpg", "list.txt")) == 2
    crops = found("p/ben/2.jpg", "p", "p")
    assert [Path(path).name for path in crops.paths] == ["2.jpg", "1.jpg"]


def test_links_are_followed_once_and_circles_do_no_harm():
    touch("p/anna/1.jpg", "far/2.jpg")
    Path("p/anna/again").symlink_to(Path("..").resolve() / Path.cwd() / "p")
    Path("p/anna/same.jpg").symlink_to("1.jpg")
    Path("p/ben").symlink_to(Path("far").absolute())
    Path("p/carl").mkdir()
    Path("p/carl/3.jpg").symlink_to(Path("far/2.jpg").absolute())
    Path("p/gone.jpg").symlink_to("nowhere.jpg")
    Path("p/round.jpg").symlink_to("round.jpg")
    crops = found("p")
    assert [Path(path).as_posix() for path in crops.paths] == ["p/anna/1.jpg", "p/ben/2.jpg"]
    assert [Path(path).as_posix() for path in found("p/carl", "p").paths] == [
        "p/carl/3.jpg",
        "p/anna/1.jpg",
    ]


def test_a_list_is_seen_from_its_folder_or_from_here():
    touch("data/people/anna/1.jpg", "people/ben/2.jpg", "data/more/carl/3.jpg", "loose.jpg")
    absolute = Path("people/ben/2.jpg").absolute()
    Path("data/list.txt").write_text(
        f"\ufeff# people\n\npeople/anna/1.jpg\n{absolute}\n  more  \nloose.jpg\n", "utf-8"
    )
    crops = found("data/list.txt")
    assert [Path(path).as_posix() for path in crops.paths] == [
        "data/people/anna/1.jpg",
        absolute.as_posix(),
        "data/more/carl/3.jpg",
        "loose.jpg",
    ]
    assert crops.identities == ("anna", "ben", "carl", None)


def test_a_list_in_a_folder_of_crops_knows_them():
    touch("crops/hall/0003/000127.jpg")
    Path("crops/list.txt").write_text("hall/0003/000127.jpg\n")
    assert found("crops/list.txt").tracks == (3,)


def test_a_table_says_more_than_paths_do():
    touch("a/0002_c1s1_000451_03.jpg", "a/0003_c2s1_000452_00.jpg")
    table(
        "a/list.parquet",
        path=["0002_c1s1_000451_03.jpg", "0003_c2s1_000452_00.jpg"],
        identity=[7, None],
        track=["4", ""],
        timestamp=pa.array([1.5, float("nan")], pa.float32()),
        mood=["glad", "sad"],
    )
    crops = found("a/list.parquet")
    assert crops.paths[0] == str(Path("a", "0002_c1s1_000451_03.jpg"))
    assert crops.identities == ("7", None)
    assert crops.cameras == ("1", "2")
    assert crops.tracks == (4, None)
    assert crops.frames == (451, 452)
    assert crops.timestamps == (1.5, None)


def test_a_table_keeps_its_rows_when_some_are_there_already():
    touch("1.jpg", "2.jpg", "3.jpg")
    table("list.parquet", path=["1.jpg", "2.jpg", "3.jpg", "2.jpg"], camera=[1.0, 2.0, None, 9.0])
    crops = found("2.jpg", "list.parquet")
    assert crops.paths == ("2.jpg", "1.jpg", "3.jpg")
    assert crops.cameras == (None, "1", None)
    assert found("1.jpg", "2.jpg", "3.jpg", "list.parquet").cameras == (None,) * 3


def test_patterns_win_over_names_and_tables():
    touch("p/anna/day1-cam7.jpg", "p/ben/day2.jpg")
    table("list.parquet", path=["p/anna/day1-cam7.jpg"], identity=["carl"])
    patterns = {"id_pattern": r"(day\d)", "camera_pattern": r"cam(?P<camera>\d)"}
    crops = found("p", **patterns)
    assert crops.identities == ("day1", "day2")
    assert crops.cameras == ("7", None)
    assert found("list.parquet", **patterns).identities == ("day1",)
    assert found("p", id_pattern=r"^(\w+)/day1").identities == ("anna", None)


def test_a_pattern_that_finds_nothing_is_refused():
    touch("p/anna/1.jpg")
    with pytest.raises(ConfigError, match=re.escape("--id-pattern x(y): found nothing")) as error:
        found("p", id_pattern="x(y)")
    assert error.value.hint == "it is searched for in paths such as anna/1.jpg"


def test_a_circle_without_images_is_told():
    Path("bare/deep").mkdir(parents=True)
    Path("bare/deep/back").symlink_to(Path("bare").absolute())
    with pytest.raises(InputError, match="bare: expected images in this folder or below"):
        found("bare")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "no source given"),
        (["none.jpg"], "none.jpg: no such file or folder"),
        (["bare"], "bare: expected images in this folder or below, found none"),
        (["blank.txt"], "blank.txt: expected a list of paths, found none"),
        (["broken.txt"], "lost.jpg: no such file or folder"),
        (["latin.txt"], "latin.txt: expected a list of paths in UTF-8"),
        (["false.parquet"], "false.parquet: not a Parquet file that can be read"),
        (["pathless.parquet"], "pathless.parquet: expected a column 'path', found file, age"),
        (["gap.parquet"], "gap.parquet: expected a path in each row, 1 have none"),
        (["rowless.parquet"], "rowless.parquet: expected a list of paths, found none"),
        (["folder.parquet"], "bare: expected an image file, found a folder"),
        (["half.parquet"], "half.parquet: track: expected int64 values"),
        (["word.parquet"], "word.parquet: frame: expected int64 values"),
        (["nest.parquet"], "nest.parquet: camera: expected string values"),
        (["zero.parquet"], "no such file or folder"),
    ],
)
def test_sources_without_images_are_refused(sources, message):
    touch("bare/notes.md", "1.jpg")
    Path("blank.txt").write_text("# nothing\n")
    Path("broken.txt").write_text("1.jpg\nlost.jpg\n")
    Path("latin.txt").write_bytes(b"caf\xe9.jpg\n")
    Path("false.parquet").write_text("path\n1.jpg\n")
    table("pathless.parquet", file=["1.jpg"], age=[3])
    table("gap.parquet", path=["1.jpg", None])
    table("rowless.parquet", path=pa.array([], pa.string()))
    table("folder.parquet", path=["bare"])
    table("half.parquet", path=["1.jpg"], track=[1.5])
    table("word.parquet", path=["1.jpg"], frame=["first"])
    table("nest.parquet", path=["1.jpg"], camera=[[1]])
    table("zero.parquet", path=["a\x00.jpg"])
    with pytest.raises(InputError, match=re.escape(message)):
        found(*sources)


def test_a_list_says_which_line_is_wrong():
    Path("broken.txt").write_text("\nlost.jpg\n")
    with pytest.raises(InputError) as error:
        found("broken.txt")
    assert error.value.hint == "see broken.txt, line 2"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_no_result_could_hold_are_refused(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.jpg", os.O_CREAT))
    with pytest.raises(InputError, match="the name is not valid UTF-8"):
        found(".")


def test_folders_that_may_not_be_listed_are_told(monkeypatch):
    touch("p/1.jpg", "p/q/1.jpg")
    scan = os.scandir

    def guarded(folder):
        if Path(folder).name == "q":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(InputError, match=r"q.?: cannot be listed: Permission denied"):
        found("p")


def make(count=3):
    letters = tuple("abcdef"[:count])
    return Crops(letters, letters, letters, letters, *((tuple(range(count)),) * 3))


def test_rows_are_selected_by_mask_and_by_number():
    crops = make()
    assert crops.select(np.array([True, False, True])).paths == ("a", "c")
    assert crops.select(np.array([2, 0])).tracks == (2, 0)
    assert len(crops.select(np.zeros(0, np.intp))) == 0
    assert crops.select(np.arange(3)) == crops


def test_columns_must_align():
    with pytest.raises(ShapeError, match=r"columns of one length, got .*'tracks': 1"):
        Crops(("a", "b"), (None,) * 2, (None,) * 2, (None,) * 2, (1,), (None,) * 2, (None,) * 2)


def test_labels_are_the_columns_of_files():
    assert list(LABELS) == ["identity", "camera", "video", "track", "frame", "timestamp"]


def test_a_crop_is_read_when_it_may_show_somebody():
    picture = figure(1)
    save(Path("a.png"), picture)
    save(Path("least.png"), picture[:4, :4])
    assert np.array_equal(read_crop("a.png"), picture)
    assert read_crop("least.png").shape == (4, 4, 3)


@pytest.mark.parametrize(("height", "width"), [(3, 40), (40, 3), (1, 1)])
def test_a_crop_that_shows_nobody_is_refused(height, width):
    save(Path("tiny.png"), np.zeros((height, width, 3), np.uint8))
    with pytest.raises(InputError) as caught:
        read_crop("tiny.png")
    assert str(caught.value) == f"tiny.png: {width}x{height} px are too few to show a person"


def test_a_crop_that_cannot_be_read_is_told():
    touch("empty.jpg")
    for name in ("empty.jpg", "missing.jpg"):
        with pytest.raises(InputError, match=re.escape(name)):
            read_crop(name)
