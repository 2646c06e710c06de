"""Runs the project's tests, for ``run.py tests`` and the ``tests`` command of each domain."""

import importlib
import subprocess
import sys
from pathlib import Path

from everyid.errors import EveryIDError, InputError

__all__ = ["run_tests"]

_CHECKOUT = Path(__file__).resolve().parents[1]
_INTERRUPTED = 130


def run_tests(paths: list[str], extra: list[str]) -> int:
    """Runs pytest in the checkout and returns its exit code; 130 after Ctrl-C.

    The default weights are fetched first; without them, the tests that need them are skipped.

    Args:
        paths: What to run, relative to the checkout; may be patterns such as ``tests/object*``.
            Empty: everything, as configured in pyproject.toml.
        extra: Further arguments for pytest, as they are.

    Raises:
        InputError: A path or pattern matches nothing.
    """
    chosen = [name for path in paths for name in _matches(path)]
    # Most tests need cv2; without its system libraries, one error beats one for each test file.
    importlib.import_module("cv2")
    _fetch_default_weights()
    command = [sys.executable, "-m", "pytest", *chosen, *extra]
    interrupted = False
    with subprocess.Popen(command, cwd=_CHECKOUT) as process:  # noqa: S603 - our interpreter
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                # Ctrl-C has reached pytest too: wait for its summary.
                interrupted = True
            else:
                return _INTERRUPTED if interrupted else code


def _matches(path: str) -> list[str]:
    found = sorted(str(match.relative_to(_CHECKOUT)) for match in _CHECKOUT.glob(path))
    if not found:
        raise InputError(f"no tests at {_CHECKOUT / path}")
    return found


def _fetch_default_weights() -> None:
    """Downloads the default weights when they are not there yet; warns when that fails."""
    # Not at the top: a cli.py imports this file, and its --help is to answer at once.
    from everyid.output import hint, warn
    from everyid.weights import DEFAULT_NAME, fetch

    try:
        fetch(DEFAULT_NAME)
    except EveryIDError as error:
        warn(f"{error}\nthe tests that need the weights {DEFAULT_NAME} are skipped")
        if error.hint:
            hint(error.hint)
