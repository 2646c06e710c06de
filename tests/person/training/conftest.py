"""Drawn people to train on, and one training that many tests look at."""

import pytest
from accelerate.state import AcceleratorState

from everyid import output
from everyid.settings import settings
from person.datasets.training_set import read_training_set
from person.training.command import run_train
from tests.person.training import drawn


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Tiny networks are quickest so, and add in one order; precisions are chosen anew."""
    monkeypatch.setenv("EVERYID_THREADS", "1")
    yield
    output.quiet(enabled=False)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def people_to_train(tmp_path_factory):
    """A Market-1501 layout of 8 people to train on and 3 to measure on; not to be written to."""
    return drawn.market_to_train(tmp_path_factory.mktemp("to-train") / "drawn")


@pytest.fixture(scope="session")
def rows(people_to_train):
    """The 32 pictures of the 8 people."""
    return read_training_set((people_to_train,))


@pytest.fixture(scope="session")
def trained(tmp_path_factory, people_to_train):
    """What a whole training of 12 steps gave; its folder is not to be written to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERYID_THREADS", "1")
        settings.cache_clear()
        AcceleratorState._reset_state(reset_partial_state=True)
        return run_train(drawn.config(people_to_train, tmp_path_factory.mktemp("trained") / "run"))


@pytest.fixture
def train(everyid, people_to_train):
    """Runs ``person train`` on the drawn people; further words go to it."""
    return lambda *words: everyid("train", "--data", people_to_train, *drawn.WORDS, *words)
