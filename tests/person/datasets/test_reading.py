"""Reading of many files: in order, stopped in good order, errors not lost."""

import threading

import pytest

from everyid.errors import InputError
from everyid.output import Stop
from person.datasets.reading import read_each

PATHS = [f"{number}.png" for number in range(100)]


def test_all_are_read_in_order():
    found = read_each(PATHS, len, label="files", stop=Stop())
    assert list(found) == PATHS
    assert found["0.png"] == 5
    assert read_each([], len, label="files", stop=Stop()) == {}


def test_a_stop_leaves_the_first_ones(monkeypatch):
    monkeypatch.setenv("EVERYID_THREADS", "1")
    stop = Stop()

    def read(path):
        stop.requested |= path == "20.png"
        return path

    found = read_each(PATHS, read, label="files", stop=stop)
    assert list(found) == PATHS[: len(found)]
    assert 20 < len(found) < 100


def test_an_error_ends_it_and_leaves_no_thread():
    def read(path):
        if path == "50.png":
            raise InputError("50.png: broken")
        return path

    with pytest.raises(InputError, match=r"50\.png: broken"):
        read_each(PATHS, read, label="files", stop=Stop())
    assert not [one for one in threading.enumerate() if one.name.startswith("decode")]
