"""Folders and sheets of pictures: safe names, whole or absent, the right pictures in them."""

import errno
import re
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import InputError, OutputError, OutputExistsError
from everyid.media import read_image
from everyid.output import Stop
from person import pictures
from person.match import TopK
from person.matches import Matches
from person.pictures import query_name, write_folders, write_sheets
from tests.person.people import figure, save
from tests.person.rows import crops

UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
WRITERS = {"folders": write_folders, "sheets": write_sheets}
both = pytest.mark.parametrize("writer", WRITERS)


def matches_of(paths, indices):
    """The pictures as their own gallery, with the given rows found for each."""
    who = crops(" ".join("1" * len(paths)), paths=tuple(map(str, paths)))
    places = np.asarray(indices, np.int64)
    values = np.linspace(0.9, 0.1, places.size, dtype=np.float32).reshape(places.shape)
    return Matches.of(who, who, TopK(places, values), rules=None)


@pytest.fixture
def three(tmp_path):
    """Three pictures, two of one name, and each one's matches."""
    names = ("anna/front.png", "bo/front.png", "bo/a photo.jpg")
    paths = [save(tmp_path / "in" / name, figure(row + 1)) for row, name in enumerate(names)]
    return paths, matches_of(paths, [[1, 2], [0, 2], [0, 1]])


def write(writer, matches, folder, *, rows=None, overwrite=False, stop=None, steps=None):
    extra = {"footer": "model tiny"} if writer == "sheets" else {}
    WRITERS[writer](
        matches,
        range(len(matches)) if rows is None else rows,
        folder,
        overwrite=overwrite,
        stop=stop or Stop(),
        advance=lambda count=1, **_: steps.append(count) if steps is not None else None,
        **extra,
    )


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folders_hold_the_query_and_its_matches(tmp_path, three):
    paths, matches = three
    out, steps = tmp_path / "queries", []
    write("folders", matches, out, steps=steps)
    assert names(out) == [
        *(f"0001_front/{name}" for name in ("00_front.png", "01_front.png", "02_a photo.jpg")),
        *(f"0002_front/{name}" for name in ("00_front.png", "01_front.png", "02_a photo.jpg")),
        *(f"0003_a photo/{name}" for name in ("00_a photo.jpg", "01_front.png", "02_front.png")),
    ]
    for folder, row in (("0001_front", 0), ("0002_front", 1), ("0003_a photo", 2)):
        order = [row, *matches.top.indices[row]]
        copies = [path.read_bytes() for path in sorted((out / folder).iterdir())]
        assert copies == [paths[place].read_bytes() for place in order]
    assert steps == [1, 1, 1]


def test_sheets_are_pictures_of_their_own_query(tmp_path, three):
    _, matches = three
    out, steps = tmp_path / "sheets", []
    write("sheets", matches, out, steps=steps)
    assert names(out) == ["0001_front.png", "0002_front.png", "0003_a photo.png"]
    sheets = [read_image(path) for path in sorted(out.iterdir())]
    assert len({sheet.shape for sheet in sheets}) == 1
    assert sheets[0].shape[1] > 400
    assert (sheets[0] != sheets[1]).any()
    assert steps == [1, 1, 1]


@both
def test_the_queries_that_are_wanted(tmp_path, three, writer):
    out = tmp_path / "some"
    write(writer, three[1], out, rows=[2, 0])
    assert sorted(path.stem for path in out.iterdir()) == ["0001_a photo", "0002_front"]
    write(writer, three[1], tmp_path / "none", rows=[])
    assert list((tmp_path / "none").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.c.jpg", "0007_b.c"),
        ('a:b*c?d|e<f>g"h\\i.png', "0007_a_b_c_d_e_f_g_h_i"),
        ("tab\tand\nline\x7f.png", "0007_tab_and_line_"),
        ("..", "0007__"),
        ("a/ . .png", "0007__"),
        (".hidden", "0007_.hidden"),
        ("ends. .jpg", "0007_ends"),
        ("CON.png", "0007_CON"),
        ("日本.png", "0007_日本"),
        ("x" * 300 + ".png", "0007_" + "x" * 80),
        ("🙂" * 70 + ".png", "0007_" + "🙂" * 20),
        ("é" + "x" * 78 + "é.png", "0007_é" + "x" * 78),
        ("", "0007__"),
    ],
)
def test_names_that_need_care(path, name):
    assert query_name(7, path) == name


@given(number=st.integers(1, 10**6), path=st.text())
def test_names_are_safe_everywhere(number, path):
    name = query_name(number, path)
    assert name.startswith(f"{number:04d}_")
    assert len(name) > len(f"{number:04d}_")
    assert not UNSAFE.search(name)
    assert name[-1] not in " ."
    assert len(name.encode()) <= 8 + 80


@given(st.text())
def test_copies_have_safe_names_too(path):
    copy = pictures._copied(3, Path(path))
    assert copy.startswith("03_")
    assert not UNSAFE.search(copy)
    assert copy[-1] not in " ."
    assert len(copy.encode()) < 100


@both
def test_pictures_whose_names_need_care(tmp_path, writer):
    long = "🙂" * 60 + ".png"  # 244 bytes, almost all that a file system takes
    odd = ["a b?.png", 'q"uo:te.png', long, "new\nline.png", "no_suffix", "x.odd?suffix"]
    png = cv2.imencode(".png", figure(1))[1].tobytes()
    paths = [tmp_path / name for name in odd]
    for path in paths:
        path.write_bytes(png)
    out = tmp_path / "out"
    write(writer, matches_of(paths, [[(row + 1) % len(odd)] for row in range(len(odd))]), out)
    assert len(list(out.iterdir())) == len(odd)
    for path in out.rglob("*"):
        assert not UNSAFE.search(path.name)
    assert all(read_image(path).size for path in out.rglob("*") if path.is_file())


@both
def test_an_old_result_is_replaced_only_when_asked(tmp_path, three, writer):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.txt").write_text("old")
    with pytest.raises(OutputExistsError, match="out exists already"):
        write(writer, three[1], out)
    assert names(out) == ["old.txt"]
    write(writer, three[1], out, overwrite=True)
    assert "old.txt" not in names(out)
    assert len(list(out.iterdir())) == 3


@both
def test_a_stop_keeps_what_is_done(tmp_path, three, writer, monkeypatch):
    monkeypatch.setattr(pictures, "cpu_threads", lambda: 1)
    stop, out = Stop(), tmp_path / "out"

    class StopAfterTwo(list):
        def append(self, step):
            super().append(step)
            stop.requested = len(self) == 2

    steps = StopAfterTwo()
    write(writer, three[1], out, stop=stop, steps=steps)
    assert sorted(path.stem for path in out.iterdir()) == ["0001_front", "0002_front"]
    assert len(steps) == 2
    assert stop.requested
    write(writer, three[1], tmp_path / "none", stop=stop, steps=steps)
    assert list((tmp_path / "none").iterdir()) == []
    assert len(steps) == 2


@both
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_missing_picture_is_named_and_nothing_is_left(tmp_path, three, writer, overwrite):
    paths, matches = three
    paths[2].unlink()
    out = tmp_path / "out"
    if overwrite:
        out.mkdir()
        (out / "old.txt").write_text("old")
    with pytest.raises(InputError, match=rf"^{re.escape(str(paths[2]))}: no such file or folder$"):
        write(writer, matches, out, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        ["in", "out"] if overwrite else ["in"]
    )
    if overwrite:
        assert names(out) == ["old.txt"]


def test_a_copy_that_fails_half_way_leaves_nothing(tmp_path, three, monkeypatch):
    copyfile, copied = shutil.copyfile, []

    def failing(source, target):
        if len(copied) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        copied.append(target)
        return copyfile(source, target)

    monkeypatch.setattr(pictures.shutil, "copyfile", failing)
    with pytest.raises(OutputError, match=r"^no space left on the disk of .*01_front\.png$"):
        write("folders", three[1], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path, three, monkeypatch):
    def failing(path, content):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(OutputError, match=r"^cannot write .*front\.png: Input/output error$"):
        write("sheets", three[1], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_damaged_picture_is_named(tmp_path, three):
    paths, matches = three
    paths[0].write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"anna/front\.png"):
        write("sheets", matches, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_picture_is_decoded_once_a_run(tmp_path, three, monkeypatch):
    reads = Counter()

    def counted(path):
        reads[path] += 1
        return read_image(path)

    monkeypatch.setattr(pictures, "read_image", counted)
    monkeypatch.setattr(pictures, "cpu_threads", lambda: 1)
    paths, matches = three
    write("sheets", matches, tmp_path / "first")
    assert reads == dict.fromkeys(paths, 1)
    save(paths[0], figure(9))
    write("sheets", matches, tmp_path / "second")
    assert reads == dict.fromkeys(paths, 2)  # pictures may have changed since
    first, second = (tmp_path / name / "0001_front.png" for name in ("first", "second"))
    assert (read_image(first) != read_image(second)).any()


@pytest.mark.parametrize("size_hw", [(900, 300), (300, 900), (1, 3000), (3, 2), (400, 400)])
def test_pictures_of_any_size_are_shown(tmp_path, size_hw):
    path = save(tmp_path / "a.png", np.full((*size_hw, 3), (255, 0, 255), np.uint8))
    small = pictures._small_picture(str(path))
    assert max(small.shape[:2]) == min(200, max(size_hw))
    assert min(small.shape[:2]) >= 1
    write("sheets", matches_of([path, path], [[1], [0]]), tmp_path / "out")
    sheet = read_image(tmp_path / "out" / "0001_a.png")
    assert (sheet == (255, 0, 255)).all(axis=2).sum() >= 2 * 96
