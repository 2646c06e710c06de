"""What ``person models`` shows: every network with licence and figures, every layout."""

import re

import pytest

from everyid import weights
from person.backbones import ARCHITECTURES
from person.cli import _DEFAULT_MODEL
from person.model_list import ListedNetwork, NetworkListing, listing, listing_text

ENTRIES = [entry for entry in weights.entries() if entry.task == "reid"]
NAMES = [entry.name for entry in ENTRIES]


def test_networks_and_layouts_are_all_there():
    found = listing()
    assert [network.entry.name for network in found.networks] == NAMES
    assert [layout.architecture for layout in found.layouts] == list(ARCHITECTURES)
    assert all(layout.layout for layout in found.layouts)
    assert _DEFAULT_MODEL in NAMES


def test_what_is_here_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path))
    found = listing()
    shipped = [entry.bundled is not None for entry in ENTRIES]
    assert [network.cached for network in found.networks] == shipped
    assert listing_text(found).count("(fetched at the first use)") == shipped.count(False)
    entry = ENTRIES[shipped.index(False)]
    network = ListedNetwork(entry=entry, cached=True)
    text = listing_text(found.model_copy(update={"networks": [network]}))
    assert text.splitlines()[0] == f"{entry.name}  (here)"


@pytest.mark.parametrize(
    ("cached", "where"),
    [(True, "shipped with the project"), (False, "shipped, but damaged or missing")],
)
def test_what_ships_with_the_project_is_told(cached, where):
    source = weights.BundledSource(path="person/weights/tiny.safetensors")
    changes = {"sources": [source], "file": "tiny.safetensors", "name": "tiny", "companions": []}
    entry = ENTRIES[-1].model_copy(update=changes | {"card": "person/weights/tiny.md"})
    found = NetworkListing(networks=[ListedNetwork(entry=entry, cached=cached)], layouts=[])
    lines = listing_text(found).splitlines()
    assert lines[0] == f"tiny  ({where})"
    assert "  card: person/weights/tiny.md" in lines


def test_every_figure_has_its_data_protocol_and_source():
    found = listing()
    text = listing_text(found)
    for network in found.networks:
        assert network.entry.licence in text
        assert network.entry.figures
        for figure in network.entry.figures:
            values = ", ".join(f"{key} {100 * v:.1f} %" for key, v in figure.metrics.items())
            assert f"  {figure.data}: {values} ({figure.protocol})\n    {figure.source}\n" in text


def test_as_text_and_as_json(everyid):
    done = everyid("models")
    assert (done.code, done.err) == (0, "")
    assert re.findall(r"^(\S+)  \(", done.out, re.MULTILINE) == NAMES
    for name in ARCHITECTURES:
        assert re.search(rf"^  {name} +\S", done.out, re.MULTILINE)
    done = everyid("models", "--json")
    assert (done.code, done.err) == (0, "")
    assert NetworkListing.model_validate_json(done.out) == listing()
