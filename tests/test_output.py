"""What reaches stdout and stderr, and files that appear whole or not at all."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from everyid import output
from everyid.errors import ConfigError, InputError, OutputError, OutputExistsError
from everyid.settings import PROJECT_FOLDER, settings

TOO_LONG = "x" * 300
"""No file system here takes a name of this length; a refusal that root gets too."""


class Answer(BaseModel):
    """A small result."""

    text: str
    number: int


@pytest.fixture(autouse=True)
def _loud():
    output.quiet(enabled=False)
    yield
    output.quiet(enabled=False)


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def use_terminal(monkeypatch):
    """To be called in the test: pytest sets its own stderr after the fixtures have run."""

    def use():
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        return terminal

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return use


@pytest.fixture
def own_tmp(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path))
    settings.cache_clear()
    return tmp_path


# stdout and stderr


def test_a_model_goes_to_stdout_as_json(capsys):
    output.result(Answer(text="ä [bold]", number=1))
    out, err = capsys.readouterr()
    assert json.loads(out) == {"text": "ä [bold]", "number": 1}
    assert out.endswith("}\n")
    assert err == ""


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_list_goes_to_stdout_as_one_document(capsys, length):
    output.result([Answer(text="a", number=number) for number in range(length)])
    assert [one["number"] for one in json.loads(capsys.readouterr().out)] == list(range(length))


def test_text_goes_to_stdout_as_it_is(capsys):
    text = "[red]12:30:45[/red] :car: " + "long " * 50
    output.result(text)
    assert capsys.readouterr() == (text + "\n", "")


@pytest.mark.parametrize(
    ("say", "before"), [(output.notice, ""), (output.warn, "warning: "), (output.hint, "hint: ")]
)
def test_all_else_goes_to_stderr_word_for_word(capsys, say, before):
    text = "[red]clip[/red] :car:.mp4 " + "long " * 50 + "end"
    say(text)
    assert capsys.readouterr() == ("", f"{before}{text}\n")


def test_quiet_silences_notices_but_not_warnings_and_results(capsys):
    output.quiet(enabled=True)
    output.notice("one")
    output.warn("two")
    output.hint("three")
    output.result("four")
    assert capsys.readouterr() == ("four\n", "warning: two\nhint: three\n")


def test_json_keeps_notices_on_stderr(capsys):
    output.quiet(enabled=False, json=True)
    output.notice("one")
    assert capsys.readouterr() == ("", "one\n")


def test_an_error_is_one_line_and_a_hint(capsys):
    output.report(InputError("[a].mp4: no such :car: " + "long " * 50, hint="name a file"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: [a].mp4: no such :car: " + "long " * 50,
        "hint: name a file",
    ]


def test_an_error_without_a_hint_is_one_line(capsys):
    output.report(InputError("no such file"))
    assert capsys.readouterr().err == "error: no such file\n"


def test_an_error_shows_its_traceback_only_for_debugging(capsys, monkeypatch):
    monkeypatch.setenv("EVERYID_DEBUG", "1")
    settings.cache_clear()
    try:
        raise InputError("no such file") from OSError("underneath")
    except InputError as error:
        output.report(error)
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "OSError: underneath" in err
    assert err.endswith("\nerror: no such file\n")


def test_an_error_in_the_settings_can_be_reported_too(capsys, monkeypatch):
    monkeypatch.setenv("EVERYID_DEBUG", "perhaps")
    settings.cache_clear()
    with pytest.raises(ConfigError) as caught:
        settings()
    output.report(caught.value)
    err = capsys.readouterr().err
    assert err.startswith("error: EVERYID_DEBUG='perhaps': ")
    assert len(err.splitlines()) == 1


# progress


def work(label="frames", **options):
    with output.progress(label, 3, **options) as advance:
        advance()
        advance(2, total=5)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_progress_is_silent_without_a_terminal(capsys, as_bytes):
    work(as_bytes=as_bytes)
    assert capsys.readouterr() == ("", "")


def test_progress_shows_on_a_terminal(use_terminal, capsys):
    terminal = use_terminal()
    work("[clip] frames")
    assert "[clip] frames" in terminal.getvalue()
    assert "3/5" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", [{"enabled": True}, {"enabled": False, "json": True}])
def test_progress_is_silent_when_asked(use_terminal, how):
    terminal = use_terminal()
    output.quiet(**how)
    work()
    assert terminal.getvalue() == ""


def test_progress_lets_errors_through(use_terminal):
    terminal = use_terminal()
    with pytest.raises(InputError, match="broken"), output.progress("frames", 3):
        raise InputError("broken")
    assert terminal.getvalue().rstrip().endswith("\x1b[2K"), "the bar is wiped away"


# whole files


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "clip.mp4"
    with output.whole_file(path) as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert part.suffix == ".mp4"
        assert part.name.startswith(".")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, "old"])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, error, old):
    path = tmp_path / "clip.mp4"
    if old:
        path.write_text(old)

    def write():
        with output.whole_file(path, overwrite=True) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert [one.read_text() for one in tmp_path.iterdir()] == ([old] if old else [])


def test_an_existing_file_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match=r"clip\.mp4 exists already$") as caught:
        output.whole_file(path).__enter__()
    assert "--overwrite" in caught.value.hint
    assert path.read_text() == "old"
    with output.whole_file(path, overwrite=True) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def fill(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_replaces_a_folder(tmp_path):
    path = tmp_path / "crops"
    fill(path, "old")
    with output.whole_file(path, overwrite=True) as part:
        fill(part, "new", "more")
        assert names_in(path) == ["old"]
    assert names_in(path) == ["more", "new"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_and_a_file_replace_each_other(tmp_path):
    path = tmp_path / "crops"
    path.write_text("old")
    with output.whole_file(path, overwrite=True) as part:
        fill(part, "new")
    assert names_in(path) == ["new"]
    with output.whole_file(path, overwrite=True) as part:
        part.write_text("file")
    assert path.read_text() == "file"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_folder_leaves_the_old_one(tmp_path):
    path = tmp_path / "crops"
    fill(path, "old")

    def write():
        with output.whole_file(path, overwrite=True) as part:
            fill(part, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert names_in(path) == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_folder(tmp_path):
    path = tmp_path / "crops"
    fill(path, "old")
    with pytest.raises(OutputError), output.whole_file(path, overwrite=True):
        pass
    assert names_in(path) == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "clip.mp4"
    with output.whole_file(path, overwrite=True) as first:
        first.write_text("first")
        with output.whole_file(path, overwrite=True) as second:
            second.write_text("second")
            assert first.read_text() == "first"
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"^no space left on the disk of .*clip\.mp4$"),
        (errno.EACCES, r"^cannot write .*clip\.mp4: Permission denied$"),
        (errno.EROFS, r"^cannot write .*clip\.mp4: Read-only file system$"),
    ],
)
def test_a_refusal_of_the_system_is_a_known_error(tmp_path, number, message):
    path = tmp_path / "clip.mp4"

    def write():
        with output.whole_file(path) as part:
            part.write_text("half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=message) as caught:
        write()
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_reason_is_still_told(tmp_path):
    with pytest.raises(OutputError, match=r"a: the disk is on fire$"), output.writing(Path("a")):
        raise OSError("the disk is on fire")


def test_a_name_that_the_system_refuses_is_a_known_error(tmp_path):
    with pytest.raises(OutputError, match="File name too long"):
        output.whole_file(tmp_path / TOO_LONG).__enter__()
    with pytest.raises(OutputError, match="File name too long"):
        output.usable_folder(tmp_path / TOO_LONG)
    with pytest.raises(OutputError, match="File name too long"):
        output.refuse_existing(tmp_path / TOO_LONG, overwrite=False)
    with pytest.raises(InputError, match="File name too long"):
        output.readable(tmp_path / TOO_LONG)


def test_refuse_existing(tmp_path):
    path = tmp_path / "a"
    output.refuse_existing(path, overwrite=False)
    path.touch()
    output.refuse_existing(path, overwrite=True)
    with pytest.raises(OutputExistsError, match="exists already"):
        output.refuse_existing(path, overwrite=False)


# folders


def test_a_usable_folder_is_made_and_left_empty(tmp_path):
    path = tmp_path / "a" / "b"
    assert output.usable_folder(path) == path
    assert list(path.iterdir()) == []
    assert output.usable_folder(path) == path


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(OutputError, match=r"^--output .*file: expected a folder, found a file$"):
        output.usable_folder(path)
    with pytest.raises(OutputError, match="Not a directory"):
        output.usable_folder(path / "below")


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(**_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied") as caught:
        output.usable_folder(tmp_path)
    assert "--output" in caught.value.hint


def test_fresh_folders_count_up(own_tmp):
    made = [output.fresh_folder("object", "tracking") for _ in range(3)]
    parent = own_tmp / "object" / "tracking"
    assert made == [parent / "0001", parent / "0002", parent / "0003"]
    assert all(list(path.iterdir()) == [] for path in made)
    assert output.fresh_folder("object", "video").name == "0001"


def test_fresh_folders_go_on_after_the_highest(own_tmp):
    parent = own_tmp / "object" / "tracking"
    for name in ("0002", "9999", "notes", "²", "12.old"):
        (parent / name).mkdir(parents=True)
    assert output.fresh_folder("object", "tracking") == parent / "10000"


def test_a_fresh_folder_that_cannot_be_made(own_tmp):
    (own_tmp / "object").touch()
    with pytest.raises(OutputError, match=r"^cannot write .*tracking: "):
        output.fresh_folder("object", "tracking")


def test_a_folder_that_another_run_makes_meanwhile_is_left_to_it(own_tmp, monkeypatch):
    parent = own_tmp / "object" / "tracking"
    (parent / "0001").mkdir(parents=True)
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(()))  # listed before the other made it
    assert output.fresh_folder("object", "tracking") == parent / "0002"


def test_runs_at_the_same_time_never_share_a_folder(own_tmp):
    code = (
        "from everyid.output import fresh_folder\n"
        "print('ready', flush=True); input()\n"
        "for _ in range(60): print(fresh_folder('object', 'tracking').name)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code]
    runs = [subprocess.Popen(command, cwd=PROJECT_FOLDER, **pipes) for _ in range(2)]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    made = [name for run in runs for name in run.communicate()[0].split()]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(made) == [f"{number:04d}" for number in range(1, 121)]


@pytest.mark.parametrize(("leave", "kept"), [([], []), (["a"], ["run"])])
def test_an_unused_folder_goes_when_the_run_fails(tmp_path, leave, kept):
    def run():
        with output.result_folder(tmp_path / "run", "object", "tracking") as folder:
            for name in leave:
                (folder / name).touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert names_in(tmp_path) == kept


def test_an_unused_folder_stays_when_the_run_succeeds(tmp_path):
    with output.result_folder(tmp_path / "run", "object", "tracking"):
        pass
    assert names_in(tmp_path) == ["run"]


def test_a_users_own_empty_folder_stays_when_the_run_fails(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(KeyError), output.result_folder(tmp_path / "run", "object", "tracking"):
        raise KeyError
    assert names_in(tmp_path) == ["run"]


def test_readable(tmp_path, monkeypatch):
    assert output.readable(tmp_path) == tmp_path
    with pytest.raises(InputError, match=r"nowhere: no such file or folder$"):
        output.readable(tmp_path / "nowhere")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="no permission to read it"):
        output.readable(tmp_path)


# Ctrl-C


def test_the_first_ctrl_c_asks_and_the_second_interrupts(capsys):
    before = signal.getsignal(signal.SIGINT)

    def run():
        with output.stoppable() as stop:
            assert not stop.requested
            signal.raise_signal(signal.SIGINT)
            assert stop.requested
            assert re.match("stopping: .*Ctrl-C again", capsys.readouterr().err)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the second Ctrl-C did nothing")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert signal.getsignal(signal.SIGINT) is before


def test_each_block_starts_unasked():
    before = signal.getsignal(signal.SIGINT)
    with output.stoppable() as stop:
        signal.raise_signal(signal.SIGINT)
    assert stop.requested
    with output.stoppable() as stop:
        assert not stop.requested
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_may_use_it_too():
    seen = []

    def run():
        with output.stoppable() as stop:
            seen.append((stop.requested, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
