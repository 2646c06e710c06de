"""Where downloaded models lie, what is recorded of them, and how they are named."""

from datetime import UTC, datetime

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import ConfigError, HubError, WeightsError
from everyid.hub_store import (
    HubFile,
    HubRecord,
    file_place,
    find_downloaded,
    is_intact,
    read_record,
    records,
    write_record,
)
from everyid.settings import settings
from everyid.store import sha256_of


@pytest.fixture(autouse=True)
def _models(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_MODELS", str(tmp_path / "models"))
    settings.cache_clear()


def downloaded(repository="anna/net", file="net.pth", domain="person"):
    """A model as a download leaves it."""
    place = file_place(repository, file)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(f"{repository}/{file}".encode())
    one = HubFile(file=file, sha256=sha256_of(place), size_bytes=place.stat().st_size)
    record = HubRecord(
        repository=repository,
        domain=domain,
        revision="main",
        commit="a" * 40,
        files=[one],
        endpoint="http://hub",
        downloaded_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    write_record(record)
    return record


@pytest.mark.parametrize(
    "name", ["net", "net.pth", "sub/net.pth", "anna/net", "anna/net/sub/net.pth"]
)
def test_a_model_is_found_by_its_names(name):
    record = downloaded(file="sub/net.pth")
    assert find_downloaded(name, "person") == record.path
    assert find_downloaded(name, "scene") is None


def test_what_is_not_there_is_not_found():
    assert records() == []
    record = downloaded()
    assert find_downloaded("other", "person") is None
    record.path.unlink()
    assert records() == []
    assert find_downloaded("net", "person") is None


def test_a_name_of_several_is_refused():
    downloaded()
    downloaded("bob/net")
    with pytest.raises(ConfigError, match="2 downloaded models are called 'net'") as caught:
        find_downloaded("net", "person")
    assert caught.value.hint == "say which: anna/net/net.pth, bob/net/net.pth"
    assert find_downloaded("bob/net", "person") == file_place("bob/net", "net.pth")


def test_a_changed_file_is_refused():
    record = downloaded()
    assert is_intact(record)
    record.path.write_bytes(b"something else")
    assert not is_intact(record)
    with pytest.raises(WeightsError, match="is not as it was downloaded from anna/net") as caught:
        find_downloaded("net", "person")
    assert "download it again: --repo anna/net --file net.pth" in (caught.value.hint or "")


def test_another_card_leaves_a_model_intact():
    record = downloaded()
    card = HubFile(file="README.md", sha256="0" * 64, size_bytes=1)
    record = record.model_copy(update={"files": [*record.files, card]})
    write_record(record)
    assert record.card is None
    record.path.with_name("README.md").write_text("of a later commit")
    assert record.card == record.path.with_name("README.md")
    assert find_downloaded("net", "person") == record.path


@pytest.mark.parametrize("text", ["", "{}", "not json"])
def test_a_damaged_record_is_told_and_passed_over(capfd, text):
    record = downloaded()
    record.path.with_name("net.pth.hub.json").write_text(text)
    assert records() == []
    assert read_record(record.path) is None
    assert "not a record of a download" in capfd.readouterr().err


def test_a_record_of_another_place_does_not_count():
    record = downloaded()
    beside = record.path.with_name("other.pth.hub.json")
    beside.write_text(record.model_dump_json())
    assert records() == [record]


@hypothesis.settings(max_examples=50)
@given(name=st.text(max_size=30), inside=st.lists(st.sampled_from(["..", ".", "a", "/", "\\"])))
def test_no_name_leads_out(name, inside):
    top = settings().models_folder / "hub" / "anna" / "net"
    for file in (name, "/".join(inside), "/".join([*inside, name])):
        try:
            place = file_place("anna/net", file)
        except HubError:
            continue
        assert ".." not in place.parts
        assert place.is_relative_to(top)
        assert place != top
