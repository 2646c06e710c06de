"""Licences of weights, and the texts that go with copies of them."""

from importlib.metadata import PackageNotFoundError

import pytest

from everyid import weights_licences
from everyid.weights_licences import NOT_STATED, licence_of, licence_text


@pytest.mark.parametrize("licence", ["AGPL-3.0", "agpl-3.0", "AGPL-3.0-only"])
def test_the_text_of_the_agpl_is_there(licence):
    text = licence_text(licence)
    assert text is not None
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text.read_text(encoding="utf-8")


def test_other_licences_have_no_text():
    assert licence_text("MIT") is None


def test_without_the_package_there_is_no_text(monkeypatch):
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(weights_licences, "files", missing)
    assert licence_text("AGPL-3.0") is None
    monkeypatch.setattr(weights_licences, "files", lambda _: None)
    assert licence_text("AGPL-3.0") is None


def test_the_licence_of_a_card(tmp_path):
    card = tmp_path / "README.md"
    card.write_bytes(b"---\nlicense: agpl-3.0\n---\n\xff")
    assert licence_of(card) == "agpl-3.0"
    card.write_text("---\nlicense: other\nlicense_name: own-1\n---\n")
    assert licence_of(card) == "own-1"
    assert licence_of(None) == NOT_STATED
