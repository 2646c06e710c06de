"""Frames through a detector in several threads: order, memory, errors, and the end."""

import threading
import time
from contextlib import closing
from itertools import chain

import numpy as np
import pytest

from everyid.arrays import Detections
from everyid.device import choose
from everyid.errors import InputError
from everyid.media import Frame
from object.pipeline import default_batch_size, detected_frames
from tests.object.conftest import workers


class Slow:
    """Gives each image as many boxes as its pixels say, after a random while."""

    def __init__(self, parallel_calls=3, fails_at=None):
        self.class_names = {0: "person"}
        self.parallel_calls = parallel_calls
        self.fails_at = fails_at
        self.batches = []
        self.threads = set()
        self._random = np.random.default_rng(0)
        self._lock = threading.Lock()

    def detect(self, images):
        with self._lock:
            self.batches.append([int(image[0, 0, 0]) for image in images])
            self.threads.add(threading.current_thread().name)
            wait = self._random.random() / 100
        time.sleep(wait)
        values = [int(image[0, 0, 0]) for image in images]
        if self.fails_at in values:
            raise ZeroDivisionError("the network broke")
        return [
            Detections(
                np.array([[0, 0, 1 + value, 1]], np.float32),
                np.ones(1, np.float32),
                np.zeros(1, np.int32),
            )
            for value in values
        ]


def numbered(count, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Frame(np.full((2, 2, 3), number, np.uint8), number + 1, number / 25)


@pytest.fixture(autouse=True)
def _no_thread_remains():
    yield
    assert workers() == []


@pytest.mark.parametrize("batch_size", [1, 3, 16, 100])
@pytest.mark.parametrize("count", [0, 1, 47])
def test_every_frame_comes_once_in_order_with_its_own_boxes(count, batch_size):
    detector = Slow()
    given = list(detected_frames(numbered(count), detector, batch_size=batch_size))
    assert [frame.frame_number for frame, _ in given] == list(range(1, count + 1))
    for frame, found in given:
        assert found.boxes_xyxy[0, 2] == frame.frame_number
    assert sorted(chain.from_iterable(detector.batches)) == list(range(count))
    assert max(map(len, detector.batches), default=0) == min(batch_size, count)


def test_the_detector_is_called_from_several_threads():
    detector = Slow(parallel_calls=3)
    list(detected_frames(numbered(40), detector, batch_size=1))
    assert len(detector.threads) == 3


@pytest.mark.parametrize(("parallel_calls", "batch_size"), [(1, 1), (2, 4), (4, 2)])
def test_few_batches_are_in_memory(parallel_calls, batch_size):
    taken = []
    detector = Slow(parallel_calls)
    most = 0
    for handled, _ in enumerate(
        detected_frames(numbered(60, taken), detector, batch_size=batch_size)
    ):
        most = max(most, len(taken) - handled)
    assert batch_size < most <= (parallel_calls + 1) * batch_size


@pytest.mark.parametrize("fails_at", [0, 17, 39])
def test_an_error_of_the_detector_reaches_the_caller_after_the_frames_before(fails_at):
    seen = []
    results = detected_frames(numbered(40), Slow(fails_at=fails_at), batch_size=1)
    with pytest.raises(ZeroDivisionError, match="the network broke"):
        seen.extend(frame.frame_number for frame, _ in results)
    assert seen == list(range(1, fails_at + 1))


def test_an_error_of_the_source_reaches_the_caller():
    def broken():
        yield from numbered(5)
        raise InputError("the file went away")

    with pytest.raises(InputError, match="the file went away"):
        list(detected_frames(broken(), Slow(), batch_size=1))


def test_a_detector_that_loses_an_image_is_noticed():
    class Lossy(Slow):
        def detect(self, images):
            return super().detect(images)[1:]

    with pytest.raises(ValueError, match="shorter"):
        list(detected_frames(numbered(4), Lossy(), batch_size=2))


def test_closing_early_stops_the_threads():
    taken = []
    results = detected_frames(numbered(10**9, taken), Slow(), batch_size=2)
    with closing(results):
        next(results)
    assert len(taken) <= 8
    assert workers() == []
    assert next(results, None) is None


def test_nothing_starts_before_the_first_frame_is_asked_for():
    taken = []
    results = detected_frames(numbered(3, taken), Slow(), batch_size=1)
    assert taken == []
    assert workers() == []
    results.close()


def test_the_batch_of_a_cpu_is_one_image():
    assert default_batch_size(choose("cpu")) == 1
