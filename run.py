#!/usr/bin/env python3
"""The command line of EveryID: ``python3 run.py object video --source clip.mp4``.

On a machine with nothing but Python it first makes an environment in ``.venv`` (see bootstrap.py).
This file must parse and start on Python versions that are too old, to be able to say so:
no syntax newer than 3.6, and all else is imported below the version check.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple, Type

if TYPE_CHECKING:
    import typer
    from typer._click import Command, Context
    from typer.core import TyperGroup

OLDEST_PYTHON = (3, 11)


def version_problem(version: "Tuple[int, ...]", executable: str) -> "Optional[str]":
    """What to tell the owner of a Python that is too old, or None when it will do.

    Args:
        version: Major, minor and micro, as in ``sys.version_info[:3]``.
        executable: The path of the interpreter, for the message.
    """
    if version >= OLDEST_PYTHON:
        return None
    came = ".".join(str(part) for part in version[:3])
    newer = ["python3.%d" % minor for minor in range(OLDEST_PYTHON[1], OLDEST_PYTHON[1] + 4)]
    here = [name for name in newer if shutil.which(name)]
    if here:
        hint = "this machine has a newer one: run `%s run.py ...`" % here[-1]
    else:
        hint = (
            "install one (`apt install python3.11 python3.11-venv`, `brew install python@3.11`, "
            "or the installer from python.org) and run `python3.11 run.py ...`"
        )
    return "error: EveryID needs Python %d.%d or newer; this is %s at %s\nhint: %s" % (
        *OLDEST_PYTHON,
        came,
        executable,
        hint,
    )


def build_app() -> "typer.Typer":
    """The whole command line: the commands of every domain, and ``tests``."""
    import typer

    from everyid.cli import weights_app
    from object.cli import app as object_app
    from person.cli import app as person_app
    from synthetic.cli import app as synthetic_app

    app = typer.Typer(
        name="run.py",
        cls=_either_spelling(),
        help="Who appears in your footage, where, with whom, doing what.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain help answers in half the time, and pastes into a README
        pretty_exceptions_enable=False,
    )
    app.add_typer(object_app, name="object")
    app.add_typer(person_app, name="person")
    app.add_typer(synthetic_app, name="synthetic")
    app.add_typer(weights_app, name="weights")
    _accept_either_spelling(app)
    _add_tests(app)
    return app


def _either_spelling() -> "Type[TyperGroup]":
    """A kind of command group that finds ``download-model`` as ``download_model`` too."""
    from typer.core import TyperGroup

    class EitherSpelling(TyperGroup):
        def get_command(self, ctx: "Context", cmd_name: str) -> "Optional[Command]":
            spellings = (cmd_name, cmd_name.replace("_", "-"), cmd_name.replace("-", "_"))
            found = (super(EitherSpelling, self).get_command(ctx, name) for name in spellings)
            return next((command for command in found if command is not None), None)

    return EitherSpelling


def _accept_either_spelling(app: "typer.Typer") -> None:
    """Makes every group below an app find its commands in either spelling."""
    for group in app.registered_groups:
        group.cls = _either_spelling()
        if group.typer_instance is not None:
            _accept_either_spelling(group.typer_instance)


def _add_tests(app: "typer.Typer") -> None:
    """Adds the command ``tests``."""
    from typing import Annotated

    import typer

    from everyid.testing import run_tests

    @app.command(
        "tests", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
    )
    def tests(
        arguments: Annotated[
            Optional[list[str]],
            typer.Argument(metavar="PYTEST_WORDS", help="Handed to pytest as they are."),
        ] = None,
    ) -> None:
        """Run the tests of the project with pytest.

        Fetches the default weights first, so that the tests that need them run.

        \b
        Examples:
          python3 run.py tests
          python3 run.py tests --slow -k tracker
        """  # noqa: D301 - this backspace tells click to keep the lines as they are
        raise typer.Exit(run_tests([], arguments or []))


def route() -> int:
    """Runs the command named by ``sys.argv`` and returns its exit code.

    Raises:
        SystemExit: The usual end of a command; its code is the exit code.
    """
    from everyid.errors import DependencyError, EveryIDError

    try:
        build_app()(prog_name="run.py")
    except EveryIDError as error:
        known = error
    except ImportError as error:
        if "cannot open shared object file" not in str(error):
            raise
        known = DependencyError(
            "a system library is missing: %s" % str(error).split(":")[0],
            hint="apt-get install -y libgl1 libglib2.0-0 (Debian and Ubuntu; it is what OpenCV "
            "needs), or the package of your system that has that file",
        )
    else:
        return 0
    from everyid.output import report

    report(known)
    return 1


def _flush_quietly() -> None:
    """Empties stdout; a reader that has gone away (``| head``) is no error to speak of."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> int:
    """Checks the Python version, sees to the environment, and runs the command.

    Returns:
        The exit code: 0 done, 1 known error, 2 usage, 130 Ctrl-C.
    """
    problem = version_problem(tuple(sys.version_info[:3]), sys.executable)
    if problem:
        sys.stderr.write(problem + "\n")
        return 1
    import bootstrap

    try:
        code = bootstrap.prepare(Path(__file__).resolve().parent, sys.argv[1:])
        return route() if code is None else code
    except KeyboardInterrupt:
        return 130
    finally:
        _flush_quietly()


if __name__ == "__main__":
    sys.exit(main())
