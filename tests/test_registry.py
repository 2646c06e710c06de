"""The registry: every entry leads somewhere, and a wrong name gets a helpful answer."""

import subprocess
import sys
from typing import get_args

import pytest

from everyid import registry
from everyid.errors import ConfigError
from everyid.settings import PROJECT_FOLDER

KINDS = get_args(registry.Kind)
ENTRIES = [(kind, name) for kind in KINDS for name in registry.names(kind)]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry_leads_to_a_maker(kind, name):
    assert callable(registry.find(kind, name))


def test_names_are_sorted_and_there_are_some():
    assert registry.names("tracker") == ["botsort", "bytetrack", "ocsort"]
    for kind in KINDS:
        assert registry.names(kind) == sorted(registry.names(kind))


def test_a_near_miss_gets_a_suggestion():
    expected = "^unknown tracker 'bytetrak'; known: botsort, bytetrack, ocsort$"
    with pytest.raises(ConfigError, match=expected) as caught:
        registry.find("tracker", "bytetrak")
    assert caught.value.hint == "did you mean 'bytetrack'?"


def test_a_name_like_no_other_gets_none():
    with pytest.raises(ConfigError, match=r"^unknown detector 'zzz'; known: ") as caught:
        registry.find("detector", "zzz")
    assert caught.value.hint is None


def test_a_kind_without_entries_says_so(monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, "encoder", {})
    with pytest.raises(ConfigError, match=r"^unknown encoder 'x'; known: none yet$"):
        registry.find("encoder", "x")


def test_a_room_is_imported_only_when_asked_for():
    code = (
        "import sys; from everyid import registry; registry.names('detector')\n"
        "print(any(name.split('.')[0] == 'object' for name in sys.modules))\n"
        "registry.find('tracker', 'bytetrack'); print('object.tracking' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"]
