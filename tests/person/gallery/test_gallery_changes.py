import errno
import os
import shutil
import signal
import time

import numpy as np
import pytest

from everyid.errors import InputError, OutputError
from person.gallery import changes, head, segments
from person.gallery.changes import changing
from person.gallery.head import read_head
from person.gallery.store import Gallery
from tests.person.gallery.shelves import MODEL, content, enrolment, fill, found_in
from tests.person.rows import unit

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def forget(folder, name):
    with changing(folder) as change:
        change.drop(change.gallery.rows_of(name))


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def wait_for(child, *, seconds=60):
    """Whether a child ended by itself; it is killed when it takes too long."""
    for _ in range(seconds * 100):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("a child process hangs")


def fork(work):
    """The number of a child process that does this and nothing else."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def test_rows_are_dropped_renamed_and_added_at_once(tmp_path):
    folder = fill(fill(tmp_path / "g", "anna ben carl"), "dora", seed=1)
    with changing(folder) as change:
        change.drop(np.array([1]))
        change.rename(np.array([2]), "karl")
        change.add(enrolment("eva", seed=2))
    opened = Gallery.open(folder)
    assert opened.names == ("anna", "dora", "eva", "karl")
    assert opened.thumbnails(opened.rows_of("karl").tolist()) == [b"a picture of door 0/carl/2.jpg"]
    np.testing.assert_array_equal(
        opened.rows.embeddings.vectors[opened.rows_of("karl")[0]], unit(3)[2]
    )
    assert opened.head.generation == 3
    assert files(folder) == sorted(["gallery.json", *(one.file for one in opened.head.segments)])


def test_what_nobody_touches_is_not_written_again(tmp_path):
    folder = fill(fill(tmp_path / "g", "anna ben"), "carl", seed=1)
    first, second = read_head(folder).segments
    forget(folder, "carl")
    assert read_head(folder).segments == (first,)
    forget(folder, "ben")
    assert first not in read_head(folder).segments
    assert second.file not in files(folder)


def test_a_change_that_asks_for_nothing_writes_nothing(tmp_path):
    folder = fill(tmp_path / "g", "anna")
    before = read_head(folder)
    with changing(folder) as change:
        change.rename(np.array([0]), "anna")
    assert read_head(folder) == before


def test_small_files_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "_MOST_SMALL", 3)
    folder = tmp_path / "g"
    for number in range(9):
        fill(folder, f"p{number}", seed=number)
        assert len(read_head(folder).segments) <= 4
    assert Gallery.open(folder).names == tuple(f"p{number}" for number in range(9))


def test_names_for_the_unknown_are_never_given_twice(tmp_path):
    folder = fill(tmp_path / "g", "unknown-0002")
    with changing(folder) as change:
        assert [change.anonymous(), change.anonymous()] == ["unknown-0001", "unknown-0003"]
        change.add(enrolment("unknown-0001 unknown-0003", seed=3))
    forget(folder, "unknown-0003")
    with changing(folder) as change:
        assert change.anonymous() == "unknown-0004"


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
def test_a_block_that_raises_changes_nothing(tmp_path, error):
    folder = fill(tmp_path / "g", "anna")
    before, there = read_head(folder), files(folder)

    def work():
        with changing(folder) as change:
            change.add(enrolment("ben"))
            raise error("enough")

    with pytest.raises(error, match=r"enough"):
        work()
    assert read_head(folder) == before
    assert files(folder) == there


class TestForget:
    def test_nothing_of_a_person_stays_in_the_folder(self, tmp_path):
        folder = fill(fill(tmp_path / "g", "anna ben anna"), "anna carl", seed=1)
        traces = [
            *(b"anna", b"door 0/anna/0.jpg", b"door 1/anna/0.jpg"),
            b"a picture of door 0/anna/2.jpg",
            *(unit(3)[row].tobytes() for row in (0, 2)),
            unit(2, seed=1)[0].tobytes(),
        ]
        others = [b"ben", b"a picture of door 1/carl/1.jpg", unit(3)[1].tobytes()]
        assert found_in(folder, *traces, *others) == [*traces, *others]
        forget(folder, "anna")
        assert found_in(folder, *traces, *others) == others
        assert Gallery.open(folder).names == ("ben", "carl")

    def test_the_last_person(self, tmp_path):
        folder = fill(tmp_path / "g", "anna")
        forget(folder, "anna")
        assert files(folder) == ["gallery.json"]
        assert Gallery.open(folder).names == ()

    def test_what_a_killed_writer_left_goes_first_of_all(self, tmp_path):
        folder = fill(tmp_path / "g", "ben")
        left = [
            folder / "segments" / "0001-00000000.parquet",
            folder / "segments" / ".0002-00000000.part.11111111.parquet",
            folder / ".gallery.part.22222222.json",
        ]
        for path in left:
            path.write_bytes(b"anna")
        with pytest.raises(InputError, match=r"nobody is called 'anna'"):
            forget(folder, "anna")
        assert found_in(folder, b"anna") == []

    def test_no_room_to_write_anew(self, tmp_path, monkeypatch):
        folder = fill(tmp_path / "g", "anna ben")
        before = content(Gallery.open(folder))

        def full(*args, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(segments.pq, "write_table", full)
        with pytest.raises(OutputError, match=r"no space left on the disk of .*segments") as caught:
            forget(folder, "anna")
        assert "the gallery is as it was" in caught.value.hint
        monkeypatch.undo()
        assert content(Gallery.open(folder)) == before


class TestKilled:
    """A process that is killed at any step leaves the old version or the new one."""

    STEPS = ("replace", "unlink", "fsync", "open")

    def kill_at(self, number, work):
        """Whether the work was done before its step of that number, at which it is killed."""

        def dying():
            steps = []
            for name in self.STEPS:
                real = getattr(os, name)

                def step(*args, real=real, **options):
                    steps.append(1)
                    if len(steps) == number:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **options)

                setattr(os, name, step)
            work()

        return wait_for(fork(dying))

    @forking
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["enrol", "forget"])
    def test_at_every_step(self, tmp_path, kind):
        def change(folder):
            if kind == "enrol":
                fill(folder, "carl anna", seed=2)
            else:
                forget(folder, "anna")

        start = fill(fill(tmp_path / "start", "anna ben"), "anna", seed=1)
        old = content(Gallery.open(start))
        shutil.copytree(start, tmp_path / "end")
        change(tmp_path / "end")
        new = content(Gallery.open(tmp_path / "end"))
        seen = []
        for number in range(1, 100):
            folder = tmp_path / f"{number}"
            shutil.copytree(start, folder)
            if self.kill_at(number, lambda folder=folder: change(folder)):
                break
            found = content(Gallery.open(folder))
            assert found in (old, new)
            seen.append(found == new)
            with changing(folder):
                pass
            opened = Gallery.open(folder)
            assert content(opened) == found
            named = [one.file for one in opened.head.segments]
            assert files(folder) == sorted(["gallery.json", *named])
            assert (found_in(folder, b"anna") == []) == (kind == "forget" and found == new)
        else:
            pytest.fail("the change has no end")
        assert seen == sorted(seen)
        assert set(seen) == {False, True}

    @forking
    @pytest.mark.slow
    def test_while_a_gallery_is_made(self, tmp_path):
        for number in range(1, 100):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            if self.kill_at(number, lambda folder=folder: fill(folder, "anna")):
                break
            fill(folder, "ben", seed=1)
            assert "ben" in Gallery.open(folder)
        else:
            pytest.fail("the change has no end")


@forking
@pytest.mark.slow
def test_processes_that_write_at_once_all_count_and_readers_see_whole_versions(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(head, "_POLL_S", 0.005)
    folder = fill(tmp_path / "g", "first")

    def write(number):
        for turn in range(3):
            fill(folder, f"p{number}-{turn}", seed=10 * number + turn)
            with changing(folder) as change:
                change.rename(change.gallery.rows_of(f"p{number}-{turn}"), f"q{number}-{turn}")

    children = [fork(lambda number=number: write(number)) for number in range(3)]
    versions = set()
    for _ in range(30):
        opened = Gallery.open(folder)
        versions.add(opened.head.generation)
        assert len(opened.rows) == len(opened.names)
        time.sleep(0.005)
    ended = [wait_for(child) for child in children]
    assert all(ended)
    opened = Gallery.open(folder)
    assert set(opened.names) == {"first", *(f"q{a}-{b}" for a in range(3) for b in range(3))}
    assert opened.head.generation == 19
    assert len(versions) > 1
    assert files(folder) == sorted(["gallery.json", *(one.file for one in opened.head.segments)])


def test_somebody_who_waits_is_told(tmp_path, monkeypatch, capsys):
    from everyid.store import claimed

    folder = fill(tmp_path / "g", "anna")
    holder = claimed(folder / "gallery.json")
    holder.__enter__()
    monkeypatch.setattr(head.time, "sleep", lambda _: holder.__exit__(None, None, None))
    with changing(folder):
        pass
    assert "another process is changing" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write") as caught:
        fill(tmp_path / "file" / "g", "anna")
    assert "--gallery" in caught.value.hint


def test_a_change_of_what_is_no_gallery_makes_none(tmp_path):
    with pytest.raises(InputError, match=r"not a gallery"):
        forget(tmp_path, "anna")
    assert list(tmp_path.iterdir()) == []


def test_vectors_of_another_model_never_get_in(tmp_path):
    folder = fill(tmp_path / "g", "anna")
    other = MODEL.model_copy(update={"sha256": "cd" * 32})
    with changing(folder, create_for=other) as change:
        assert change.gallery.head.model == MODEL
