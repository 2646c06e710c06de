"""Work in other processes: results, errors, Ctrl-C, a process that dies."""

import os
import signal
import time

import pytest

from everyid.errors import DependencyError, InputError
from everyid.output import Stop
from synthetic.jobs import run_jobs, stopping


def threads_and_square(number: int) -> tuple[str, int]:
    return os.environ["OMP_NUM_THREADS"], number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise InputError("three is refused", hint="take four")
    return number


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_until_told(number: int) -> bool:
    for _ in range(600):
        if stopping():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_comes_back_with_its_result(workers: int):
    before = os.environ.get("OMP_NUM_THREADS")
    found = dict(run_jobs(threads_and_square, [1, 2, 3, 4], workers=workers, stop=Stop()))
    assert found == {number: ("1", number * number) for number in (1, 2, 3, 4)}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_no_task_needs_no_process():
    assert list(run_jobs(die, [], workers=2, stop=Stop())) == []


def test_an_error_of_a_task_arrives_whole():
    with pytest.raises(InputError, match="three is refused") as caught:
        list(run_jobs(refuse_three, [1, 2, 3, 4], workers=1, stop=Stop()))
    assert caught.value.hint == "take four"


def test_a_process_that_dies_is_one_error():
    with pytest.raises(DependencyError, match="worker processes died") as caught:
        list(run_jobs(die, [1], workers=1, stop=Stop()))
    assert "--workers" in str(caught.value.hint)


def test_a_request_to_stop_reaches_tasks_and_drops_the_rest():
    stop = Stop()
    stop.requested = True
    assert list(run_jobs(wait_until_told, [1, 2], workers=1, stop=stop)) == []


def test_a_running_task_is_told_to_stop():
    stop = Stop()
    jobs = run_jobs(mixed, [0, 1, 2, 3, 4, 5, 6, 7], workers=1, stop=stop)
    assert next(jobs) == (0, True)
    stop.requested = True
    rest = list(jobs)
    assert len(rest) < 4, "what was not begun is dropped"
    assert all(told for _, told in rest)


def mixed(number: int) -> bool:
    return number == 0 or wait_until_told(number)


def test_outside_of_jobs_nothing_is_stopping():
    assert not stopping()
