"""run.py and bootstrap.py as a person meets them: real processes in a small copy of the checkout.

The copy holds the real run.py and bootstrap.py and little packages that answer at once. A folder
on PYTHONPATH stands in for the machine: a pip that records how it was called and fails as told,
and a sitecustomize that fakes a full disk and the like, and keeps venv from unpacking a real pip.
"""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import bootstrap
import run
from everyid import testing
from everyid.errors import InputError, WeightsError
from everyid.settings import PROJECT_FOLDER

HEAVY = {
    *("av", "cv2", "openvino", "pyarrow", "supervision", "torch", "torchvision"),
    *("trackers", "transformers", "ultralytics"),
}

PIP = """
    import json, os, pathlib, signal, sys, sysconfig, time

    words = sys.argv[1:]
    mode = os.environ.get("FAKE_PIP", "works")
    with open(os.environ["FAKE_RECORD"], "a") as record:
        record.write(json.dumps({"words": words, "cwd": os.getcwd(), "prefix": sys.prefix}) + "\\n")
    print("pip's own words")
    site = pathlib.Path(sysconfig.get_path("purelib"))
    log = pathlib.Path(words[words.index("--log") + 1])
    if mode == "waits":
        while not os.path.exists(os.environ["FAKE_GO"]):
            time.sleep(0.02)
    if mode == "dies":
        (site / "half.py").write_text("")
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(1)
    if mode in {"works", "waits"}:
        (site / "real.pth").write_text(os.environ["FAKE_PACKAGES"])
        without_dev = pathlib.Path(sys.prefix, "without-dev")
        without_dev.touch()
        if "dev" in words[-1] or "pytest" in words:
            without_dev.unlink()
    elif mode != "does nothing":
        log.write_text("2026-01-01T00:00:00,000 " + mode)
        sys.exit(1)
"""
SITE = """
    import os, shutil, sys

    if os.path.exists(os.path.join(sys.prefix, "without-dev")):
        sys.modules.update(dict.fromkeys(["pytest", "hypothesis", "pytest_timeout"]))
    for name in os.environ.get("FAKE_HIDE", "").split():
        sys.modules[name] = None
    real = shutil.disk_usage
    free = int(float(os.environ.get("FAKE_FREE_GB", "100")) * 10**9)
    shutil.disk_usage = lambda place: real(place)._replace(free=free)
    if "venv" in sys.orig_argv:
        import venv
        venv.EnvBuilder._setup_pip = lambda *_: None
    if "FAKE_READ_ONLY" in os.environ:
        os.access = lambda *_, **__: False
"""
PYPROJECT = """
    [build-system]
    requires = ["setuptools"]
    [project]
    name = "small"
    version = "0"
    dependencies = ["typer>=0.26"]
    [project.optional-dependencies]
    dev = ["pytest"]
    synthetic = ["anny"]
"""
COMMANDS = """
    import json, os, sys
    import typer
    from everyid.errors import InputError

    app = typer.Typer(pretty_exceptions_enable=False)
    deeper = typer.Typer()
    app.add_typer(deeper, name="deeper")

    @app.command()
    def echo(words: list[str]) -> None:
        seen = {"prefix": sys.prefix, "words": words, "guard": "EVERYID_BOOTSTRAPPED" in os.environ}
        print(json.dumps(seen))

    @app.command("two-words")
    def two_words() -> None:
        print("found")

    @deeper.command("under_score")
    def under_score() -> None:
        print("found below")

    @app.command()
    def known() -> None:
        raise InputError("clip.mp4: no such file", hint="name another")

    @app.command()
    def bug() -> None:
        raise ZeroDivisionError("a bug")

    @app.command()
    def stopped() -> None:
        raise KeyboardInterrupt

    @app.command()
    def leaves() -> None:
        raise typer.Exit(7)

    @app.command()
    def library() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    @app.command()
    def long() -> None:
        for number in range(100_000):
            print(number)
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with nothing but the standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    return bootstrap.Environment(folder, folder).python


class Machine:
    """A bare machine with a small checkout on it, in a folder whose name has a space."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        self.checkout = folder / "check out"
        self.venv = self.checkout / ".venv"
        self.record = folder / "record"
        self.go = folder / "go"
        front = folder / "front"
        write(front / "pip" / "__main__.py", PIP)
        write(front / "pip" / "__init__.py", "")
        write(front / "ensurepip" / "__init__.py", "")
        write(front / "ensurepip" / "__main__.py", "print('unpacks a pip')")
        write(front / "sitecustomize.py", SITE)
        write(self.checkout / "pyproject.toml", PYPROJECT)
        write(self.checkout / "object" / "__init__.py", "")
        write(self.checkout / "object" / "cli.py", COMMANDS)
        write(self.checkout / "person" / "__init__.py", "")
        write(self.checkout / "person" / "cli.py", "import typer\napp = typer.Typer(help='')")
        write(self.checkout / "synthetic" / "__init__.py", "")
        write(self.checkout / "synthetic" / "cli.py", COMMANDS)
        write(
            self.checkout / "everyid" / "cli.py", "import typer\nweights_app = typer.Typer(help='')"
        )
        write(
            self.checkout / "everyid" / "testing.py",
            "def run_tests(paths, extra):\n    print(paths, extra)\n    return 5",
        )
        for name in ("__init__", "errors", "output", "settings"):
            shutil.copy(PROJECT_FOLDER / "everyid" / f"{name}.py", self.checkout / "everyid")
        for name in ("run.py", "bootstrap.py"):
            shutil.copy(PROJECT_FOLDER / name, self.checkout)
        kept = ("PATH", "HOME", "TMPDIR", "TEMP", "SYSTEMROOT")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment |= {
            "PYTHONPATH": str(front),
            "FAKE_RECORD": str(self.record),
            "FAKE_GO": str(self.go),
            "FAKE_PACKAGES": "\n".join(
                {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
            ),
            "COLUMNS": "100",
        }

    def start(self, *words: str, python: Path | None = None, **named: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [python or self.python, "check out/run.py", *words],
            cwd=self.folder,
            env=self.environment | named,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *words: str, python: Path | None = None, **named: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, python=python, **named)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def works(self) -> bool:
        """Whether a command ends well, in the environment."""
        done = self.run("object", "echo", "x")
        return done.returncode == 0 and json.loads(done.stdout)["prefix"] == str(self.venv)

    @property
    def calls(self) -> list[list[str]]:
        """What each call of pip was told, from the word after ``--log LOG`` on."""
        if not self.record.exists():
            return []
        calls = [json.loads(line) for line in self.record.read_text().splitlines()]
        assert all(call["cwd"] == str(self.checkout) for call in calls)
        return [call["words"][call["words"].index("--log") + 2 :] for call in calls]

    def await_pip(self) -> None:
        deadline = time.monotonic() + 30
        while not self.record.exists():
            assert time.monotonic() < deadline, "pip was never called"
            time.sleep(0.02)


@pytest.fixture
def machine(tmp_path: Path, bare_python: Path) -> Machine:
    return Machine(tmp_path, bare_python)


def hints(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The error and the hint on stderr; there is one of each, and no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    found = [
        re.findall(rf"^{word}: (.*)$", done.stderr, re.MULTILINE) for word in ("error", "hint")
    ]
    assert [len(lines) for lines in found] == [1, 1], done.stderr
    return found[0][0], found[1][0]


# The version.


def test_run_py_parses_on_python_3_8():
    ast.parse((PROJECT_FOLDER / "run.py").read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("name", ["python3.6", "python3.7", "python3.8", "python3.9", "python3.10"])
def test_an_old_python_gets_its_message(name: str):
    if subprocess.run(["/usr/bin/env", name, "-V"], capture_output=True, check=False).returncode:
        pytest.skip(f"no {name} on this machine")
    done = subprocess.run(
        [name, "-B", "run.py", "--help"],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    error, hint = hints(done)
    assert re.match(r"EveryID needs Python 3\.11 or newer; this is 3\.\d+\.\d+ at /", error)
    assert "run.py" in hint


def test_the_version_message_names_what_came(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    text = run.version_problem((3, 8, 10), "/usr/bin/python3") or ""
    first = "error: EveryID needs Python 3.11 or newer; this is 3.8.10 at /usr/bin/python3"
    assert text.splitlines()[0] == first
    assert "python3.11" in text.splitlines()[1]


def test_the_version_message_names_a_newer_python_that_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: name == "python3.12" or None)
    text = run.version_problem((3, 10, 2), "python") or ""
    assert "hint: this machine has a newer one: run `python3.12 run.py ...`" in text


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 1), (4, 0, 0)])
def test_a_new_enough_python_passes(version: tuple[int, ...]):
    assert run.version_problem(version, "python") is None


# Making the environment.


def test_first_run_installs_and_runs_the_command(machine: Machine):
    done = machine.run("object", "echo", "a b", "--", "--c")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen == {"prefix": str(machine.venv), "words": ["a b", "--c"], "guard": False}
    assert f"makes an environment in {machine.venv}" in done.stderr
    assert "3.3 GB to download" in done.stderr
    assert "6.5 GB on disk" in done.stderr
    assert "pip's own words" in done.stderr
    assert machine.calls == [["-e", "."]]
    assert (machine.venv / bootstrap.MARKER).exists()
    stamp = json.loads((machine.venv / bootstrap.STAMP).read_text())
    assert stamp["extras"] == []
    assert stamp["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_second_run_installs_nothing_and_is_silent(machine: Machine):
    assert machine.works()
    done = machine.run("object", "echo", "x")
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run("object", "echo", "x", python=machine.venv / "bin" / "python")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(machine.calls) == 1


def test_another_folder_by_the_environment(machine: Machine):
    named = machine.folder / "my envs" / "one"
    done = machine.run("object", "echo", "x", EVERYID_VENV="my envs/one")
    assert json.loads(done.stdout)["prefix"] == str(named)
    assert not machine.venv.exists()


def test_constraints_are_used_and_count(machine: Machine):
    constraints = machine.checkout / "constraints.txt"
    constraints.write_text("typer==0.27.0\n")
    assert machine.works()
    assert machine.works()
    assert machine.calls == [["-c", "constraints.txt", "-e", "."]]
    constraints.write_text("typer==0.28.0\n")
    assert machine.works()
    assert len(machine.calls) == 2


@pytest.mark.parametrize("inside", [False, True])
def test_changed_dependencies_are_installed_in_place(machine: Machine, inside: bool):
    assert machine.works()
    (machine.venv / "mine.txt").touch()
    pyproject = machine.checkout / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + "[tool.ruff]\nline-length = 100\n")
    assert machine.works()
    assert len(machine.calls) == 1, "a tool's setting is no dependency"
    pyproject.write_text(pyproject.read_text().replace("typer>=0.26", "typer>=0.27"))
    python = machine.venv / "bin" / "python" if inside else None
    assert machine.run("object", "echo", "x", python=python).returncode == 0
    assert len(machine.calls) == 2
    assert (machine.venv / "mine.txt").exists()


@pytest.mark.parametrize("words", [["tests"], ["object", "tests"]])
def test_the_word_tests_installs_the_extra_dev(machine: Machine, words: list[str]):
    machine.run(*words, "-k", "one")
    assert machine.calls == [["-e", ".[dev]"]]
    assert machine.works()
    assert len(machine.calls) == 1, "what has dev has all that a plain command needs"


def test_the_word_tests_adds_dev_to_what_is_there(machine: Machine):
    assert machine.works()
    done = machine.run("tests", "-x", "--slow", "-k", "a and b")
    assert done.stdout.strip() == "[] ['-x', '--slow', '-k', 'a and b']"
    assert done.returncode == 5
    assert machine.calls == [["-e", "."], ["-e", ".[dev]"]]


def test_a_command_of_synthetic_adds_its_extra_and_its_help_does_not(machine: Machine):
    assert machine.works()
    assert machine.run("synthetic", "--help").returncode == 0
    assert machine.run("synthetic", "echo", "--help").returncode == 0
    assert machine.calls == [["-e", "."]]
    assert machine.run("synthetic", "echo", "x").returncode == 0
    assert machine.calls == [["-e", "."], ["-e", ".[synthetic]"]]
    assert machine.run("synthetic", "echo", "x").returncode == 0
    assert len(machine.calls) == 2


def test_tests_is_only_a_word_where_a_command_stands(machine: Machine):
    machine.run("object", "echo", "tests")
    assert machine.calls == [["-e", "."]]


def test_an_own_environment_without_pytest_gets_one_message(machine: Machine):
    own = machine.folder / "own"
    machine.run("object", "echo", "x", EVERYID_VENV=str(own))
    for leftover in (bootstrap.MARKER, bootstrap.STAMP):
        (own / leftover).unlink()
    done = machine.run("tests", python=own / "bin" / "python")
    assert done.returncode == 1
    error, hint = hints(done)
    assert "this command needs hypothesis, pytest" in error
    assert f"{own / 'bin' / 'python'} -m pip install -e '.[dev]'" in hint
    assert not machine.venv.exists()


def test_a_read_only_checkout_gets_its_dependencies_only(machine: Machine):
    done = machine.run("tests", EVERYID_VENV=str(machine.folder / "v"), FAKE_READ_ONLY="1")
    assert done.returncode == 5, done.stderr
    assert machine.calls == [["typer>=0.26", "pytest"]]


# What can go wrong.


def test_no_bootstrap_installs_nothing(machine: Machine):
    done = machine.run("object", "echo", "x", EVERYID_NO_BOOTSTRAP="1")
    assert done.returncode == 1
    error, hint = hints(done)
    assert "typer" in error
    assert f"{machine.python} -m pip install -e ." in hint
    assert not machine.venv.exists()


NETWORK = """
2026-01-01T00:00:00,000   WARNING: Retrying after connection broken by 'NewConnectionError('...')'
2026-01-01T00:00:00,000   ERROR: Could not find a version that satisfies setuptools>=77
2026-01-01T00:00:00,000   ERROR: No matching distribution found for setuptools>=77
2026-01-01T00:00:00,000 ERROR: [present-rich] pip subprocess to install build dependencies exited
"""


def test_no_network(machine: Machine):
    done = machine.run("object", "echo", "x", FAKE_PIP=NETWORK)
    assert done.returncode == 1
    error, hint = hints(done)
    assert error.endswith(
        "could not reach the package index: No matching distribution found for setuptools>=77"
    )
    assert "network" in hint
    assert not (machine.venv / bootstrap.STAMP).exists()
    assert machine.works()


def test_no_network_for_an_upgrade_keeps_what_is_there(machine: Machine):
    assert machine.works()
    (machine.venv / "mine.txt").touch()
    done = machine.run("tests", FAKE_PIP=NETWORK)
    assert done.returncode == 1
    assert machine.run("tests").returncode == 5
    assert (machine.venv / "mine.txt").exists()
    assert machine.calls[-1] == ["-e", ".[dev]"]


def test_pip_fails_for_another_reason(machine: Machine):
    done = machine.run("object", "echo", "x", FAKE_PIP="ERROR: a conflict\n")
    assert done.returncode == 1
    error, hint = hints(done)
    assert error == "pip failed with exit code 1: a conflict"
    assert str(machine.venv / bootstrap.LOG) in hint
    assert machine.works()


def test_disk_full_before(machine: Machine):
    done = machine.run("object", "echo", "x", FAKE_FREE_GB="3.14")
    assert done.returncode == 1
    error, hint = hints(done)
    assert "not enough disk space" in error
    assert "has 3.1 GB free, the install needs" in error
    assert "EVERYID_VENV" in hint
    assert machine.calls == []
    assert machine.works()


def test_disk_full_while_installing(machine: Machine):
    words = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left"
    done = machine.run("object", "echo", "x", FAKE_PIP=words)
    assert done.returncode == 1
    error, hint = hints(done)
    assert "is full" in error
    assert "EVERYID_VENV" in hint
    assert machine.works()


@pytest.mark.parametrize("name", ["venv", "ensurepip"])
def test_python_without_venv(machine: Machine, name: str):
    done = machine.run("object", "echo", "x", FAKE_HIDE=name)
    assert done.returncode == 1
    error, hint = hints(done)
    assert f"has no module {name}" in error
    assert "apt install python3-venv" in hint
    assert machine.works()


def test_an_install_that_died_is_started_anew(machine: Machine):
    done = machine.run("object", "echo", "x", FAKE_PIP="dies")
    assert done.returncode == -signal.SIGKILL
    assert (machine.venv / bootstrap.MARKER).exists()
    assert not (machine.venv / bootstrap.STAMP).exists()
    assert list(machine.venv.rglob("half.py"))
    assert machine.works()
    assert not list(machine.venv.rglob("half.py"))


def test_a_dead_install_run_by_its_own_interpreter_is_started_anew(machine: Machine):
    machine.run("object", "echo", "x", FAKE_PIP="dies")
    done = machine.run("object", "echo", "x", python=machine.venv / "bin" / "python")
    assert done.returncode == 0, done.stderr
    assert not list(machine.venv.rglob("half.py"))


def test_an_interpreter_that_went_away_is_replaced(machine: Machine):
    assert machine.works()
    for name in ("python", "python3"):
        (machine.venv / "bin" / name).unlink()
    assert machine.works()
    assert len(machine.calls) == 2


def test_a_folder_of_something_else_is_refused_and_untouched(machine: Machine):
    other = machine.folder / "photos"
    write(other / "one.jpg", "a picture")
    done = machine.run("object", "echo", "x", EVERYID_VENV=str(other))
    assert done.returncode == 1
    error, hint = hints(done)
    assert "neither empty nor a virtual environment" in error
    assert "EVERYID_VENV" in hint
    assert [path.name for path in other.iterdir()] == ["one.jpg"]


def test_a_file_in_its_place_is_refused(machine: Machine):
    machine.venv.write_text("mine")
    done = machine.run("object", "echo", "x")
    assert done.returncode == 1
    assert "is a file" in hints(done)[0]
    assert machine.venv.read_text() == "mine"


def test_a_venv_made_by_others_is_used_and_never_emptied(machine: Machine):
    venv.EnvBuilder(symlinks=True).create(machine.venv)
    (machine.venv / "mine.txt").touch()
    failed = machine.run("object", "echo", "x", FAKE_PIP="ERROR: a conflict\n")
    assert failed.returncode == 1
    assert "unpacks a pip" in failed.stderr, "this one came without"
    assert machine.works()
    assert machine.works()
    assert (machine.venv / "mine.txt").exists()
    assert not (machine.venv / bootstrap.MARKER).exists()
    assert len(machine.calls) == 2


def test_a_place_that_cannot_be_written(machine: Machine):
    blocked = machine.folder / "file"
    blocked.touch()
    done = machine.run("object", "echo", "x", EVERYID_VENV=str(blocked / "venv"))
    assert done.returncode == 1
    error, hint = hints(done)
    assert f"cannot make an environment in {blocked / 'venv'}: Not a directory" in error
    assert "EVERYID_VENV" in hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_checkout(machine: Machine):
    machine.checkout.chmod(0o555)
    done = machine.run("object", "echo", "x")
    machine.checkout.chmod(0o755)
    assert done.returncode == 1
    error, hint = hints(done)
    assert "Permission denied" in error
    assert "EVERYID_VENV" in hint


def test_no_endless_restarts(machine: Machine):
    done = machine.run("object", "echo", "x", FAKE_PIP="does nothing")
    assert done.returncode == 1
    error, _ = hints(done)
    assert "although the install ended well: " in error
    assert "typer" in error
    assert len(machine.calls) == 1
    assert machine.works()


def test_two_runs_at_once(machine: Machine):
    first = machine.start("object", "echo", "one", FAKE_PIP="waits")
    machine.await_pip()
    second = machine.start("object", "echo", "two", FAKE_PIP="waits")
    assert second.stderr is not None
    line = second.stderr.readline()
    assert line == f"another run is preparing {machine.venv}; waiting for it\n"
    machine.go.touch()
    for process, word in ((first, "one"), (second, "two")):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out)["words"] == [word]
    assert len(machine.calls) == 1


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_install(machine: Machine, sent: signal.Signals, code: int):
    process = machine.start("object", "echo", "x", FAKE_PIP="waits")
    machine.await_pip()
    os.killpg(process.pid, sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert not (machine.venv / bootstrap.STAMP).exists()
    assert machine.works()


def test_pip_that_outlives_a_killed_run_is_waited_for(machine: Machine):
    process = machine.start("object", "echo", "x", FAKE_PIP="waits")
    machine.await_pip()
    process.kill()
    process.wait()
    second = machine.start("object", "echo", "x")
    assert second.stderr is not None
    assert "waiting for it" in second.stderr.readline()
    machine.go.touch()
    second.communicate(timeout=60)
    assert second.returncode == 0
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_a_copy_without_pyproject(machine: Machine):
    (machine.checkout / "pyproject.toml").unlink()
    done = machine.run("object", "echo", "x")
    assert done.returncode == 1
    assert "pyproject.toml" in hints(done)[0]


# The command line.


@pytest.fixture
def ready(machine: Machine) -> Machine:
    assert machine.works()
    return machine


@pytest.mark.parametrize(
    "words",
    [
        ["object", "two-words"],
        ["object", "two_words"],
        ["object", "deeper", "under_score"],
        ["object", "deeper", "under-score"],
    ],
)
def test_either_spelling_of_a_command(ready: Machine, words: list[str]):
    done = ready.run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("found")


def test_an_unknown_command_is_usage(ready: Machine):
    done = ready.run("object", "two_wards")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "two-words" in done.stderr


def test_a_known_error_is_one_line_and_a_hint(ready: Machine):
    done = ready.run("object", "known")
    assert done.returncode == 1
    assert done.stdout == ""
    assert hints(done) == ("clip.mp4: no such file", "name another")
    assert "Traceback" in ready.run("object", "known", EVERYID_DEBUG="1").stderr


def test_a_bug_keeps_its_traceback(ready: Machine):
    done = ready.run("object", "bug")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: a bug")
    assert "Traceback (most recent call last)" in done.stderr


@pytest.mark.parametrize(("command", "code"), [("stopped", 130), ("leaves", 7)])
def test_exit_codes_pass(ready: Machine, command: str, code: int):
    done = ready.run("object", command)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_missing_system_library_says_what_to_install(ready: Machine):
    done = ready.run("object", "library")
    assert done.returncode == 1
    error, hint = hints(done)
    assert error == "a system library is missing: libGL.so.1"
    assert "apt-get install -y libgl1 libglib2.0-0" in hint


@pytest.mark.parametrize("words", [["object", "long"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(ready: Machine, words: list[str]):
    process = ready.start(*words)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=60)


@pytest.mark.parametrize("words", [["--help"], ["object", "--help"], ["weights", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]):
    code = (
        "import sys, run\n"
        "try: run.main()\n"
        "except SystemExit as end: sys.stderr.write(f'{end.code}\\n')\n"
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    ended, *loaded = done.stderr.splitlines()
    assert ended == "0", done.stderr
    assert set(loaded[-1].split()) & HEAVY == set()
    assert "Usage: run.py" in done.stdout


# The lists that have to agree.


def test_packages_are_the_dependencies():
    project = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=\[ ]", text)[0].lower() for text in project["dependencies"]}
    providers = packages_distributions()
    found = {
        distribution.lower() for name in bootstrap.PACKAGES for distribution in providers[name]
    }
    assert found == wanted


def test_rooms_are_the_packages_of_the_checkout():
    document = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text())
    include = document["tool"]["setuptools"]["packages"]["find"]["include"]
    assert sorted(pattern.rstrip("*") for pattern in include) == sorted(bootstrap.ROOMS)
    assert sorted(document["tool"]["setuptools"]["py-modules"]) == ["bootstrap", "run"]


# Running the tests.


def test_run_tests_passes_words_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def offline(_name: str) -> Path:
        raise WeightsError("cannot be fetched", hint="go online")

    monkeypatch.setattr("everyid.weights.fetch", offline)
    assert testing.run_tests(["tests/test_ru*.py"], ["--collect-only", "-q", "-k", "zzz"]) == 5
    out, err = capfd.readouterr()
    assert "no tests collected" in out
    assert "warning: cannot be fetched" in err
    assert "the tests that need the weights yolov8n are skipped" in err
    assert "hint: go online" in err


def test_run_tests_refuses_a_path_without_tests():
    with pytest.raises(InputError, match=r"no tests at .*nowhere"):
        testing.run_tests(["tests/nowhere*"], [])
