"""The commands in this process, a network that knows people by colour, and people drawn for it."""

import sys
import threading

import pytest

import run
from everyid import output
from person.config import EncodingConfig
from person.embeddings import write_embeddings
from person.session import Session
from tests.object.scenes import Done
from tests.person.people import colour_onnx, id_folders, market

WORKERS = ("decode", "encode")


@pytest.fixture
def everyid(monkeypatch, tmp_path, capfd):
    """Runs ``run.py person`` with the given words in this process, below ``tmp_path/results``.

    It fails when a thread of the command is left behind.
    """
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path / "results"))

    def command(*words):
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["run.py", "person", *map(str, words)])
        try:
            code = run.route()
        except SystemExit as end:
            code = end.code or 0
        captured = capfd.readouterr()
        left = [one.name for one in threading.enumerate() if one.name.startswith(WORKERS)]
        assert left == []
        return Done(code, captured.out, captured.err)

    yield command
    output.quiet(enabled=False)


@pytest.fixture(scope="session")
def colour(tmp_path_factory):
    """The network that knows people by colour; it is not to be written to."""
    return colour_onnx(tmp_path_factory.mktemp("network") / "colour.onnx")


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Three people, each in a folder of two pictures; no camera is known."""
    return id_folders(tmp_path_factory.mktemp("drawn") / "people")


@pytest.fixture(scope="session")
def crowd(tmp_path_factory):
    """A Market-1501 layout: 12 queries, 30 gallery pictures, 3 of them junk, 3 distractors."""
    return market(tmp_path_factory.mktemp("layout") / "crowd")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory, colour, crowd):
    """The crowd as files of embeddings: query.parquet and gallery.npz in a folder."""
    folder = tmp_path_factory.mktemp("embedded")
    session = Session(EncodingConfig(model=str(colour), device="cpu"), output.Stop())
    for part, name in (("query", "query.parquet"), ("bounding_box_test", "gallery.npz")):
        write_embeddings(folder / name, session.embed(session.crops((crowd / part,))))
    return folder


@pytest.fixture
def interrupt(monkeypatch):
    """Presses Ctrl-C after so many crops of the embedding numbered ``part``, from 0."""
    from person import session

    def press(after, part=0):
        real, parts = session.embed_crops, []

        def embed_crops(crops, encoder, *, skipped, stop, advance):
            mine = len(parts) == part
            parts.append(len(crops))
            done = []

            def counted(steps=1, *, total=None):
                done.append(steps)
                stop.requested |= mine and sum(done) >= after
                advance(steps, total=total)

            counted(0)
            return real(crops, encoder, skipped=skipped, stop=stop, advance=counted)

        monkeypatch.setattr(session, "embed_crops", embed_crops)

    return press
