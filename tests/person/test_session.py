"""What is compared, where it comes from, and what is told of it."""

from pathlib import Path

import pytest

from everyid import output
from everyid.errors import InputError
from everyid.output import Stop
from person import session
from person.config import EncodingConfig
from person.embeddings import read_embeddings
from person.session import (
    Session,
    Sides,
    default_source,
    is_embeddings,
    shown,
    sides_of,
)
from tests.person.people import figure, save


@pytest.fixture
def opened(colour):
    """A session; its notices are shown."""
    output.quiet(enabled=False)
    return Session(EncodingConfig(model=str(colour), device="cpu"), Stop())


@pytest.mark.parametrize("parts", [("query", "bounding_box_test"), ("probe", "gallery")])
def test_a_data_set_is_taken_apart(tmp_path, capsys, parts):
    for part in parts:
        (tmp_path / "set" / part).mkdir(parents=True)
    sides = sides_of((tmp_path / "set",), None, None)
    left, right = (tmp_path / "set" / part for part in parts)
    assert sides == Sides((left,), (right,))
    assert sides.name == "set"
    expected = f"{tmp_path / 'set'}: {parts[0]} are the queries, {parts[1]} is the gallery\n"
    assert capsys.readouterr().err == expected


def test_what_is_not_taken_apart(tmp_path):
    (tmp_path / "query").mkdir()
    (tmp_path / "gallery").write_text("a file")
    assert sides_of((tmp_path,), None, None) == Sides((tmp_path,), None)
    several = (tmp_path, tmp_path / "more")
    assert sides_of(several, None, None) == Sides(several, None)


def test_two_sides_by_name(tmp_path):
    sides = sides_of((), tmp_path / "a" / "one.png", tmp_path / "b" / "many")
    assert sides == Sides((tmp_path / "a" / "one.png",), (tmp_path / "b" / "many",))
    assert sides.name == "one.png in many"
    assert shown([tmp_path / "a", tmp_path / "b", tmp_path / "c"]) == "a and 2 more"


def test_a_folder_has_a_name_wherever_it_is_seen_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown([Path()]) == tmp_path.name


def test_the_default_source(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path))
    monkeypatch.setattr(session, "PROJECT_FOLDER", tmp_path / "checkout")
    own = tmp_path / "datasets" / "people"
    with pytest.raises(InputError, match=f"no crops of people: {own} does not exist") as caught:
        sides_of((), None, None)
    assert "--source" in caught.value.hint
    assert "run.py object tracking" in caught.value.hint
    own.mkdir(parents=True)
    assert default_source() == own
    assert sides_of((), None, None) == Sides((own,), None)


def test_which_files_hold_embeddings(embedded, tmp_path):
    assert is_embeddings(embedded / "query.parquet")
    assert is_embeddings(Path("nowhere.NPZ"))
    assert not is_embeddings(tmp_path)
    upper = tmp_path / "QUERY.PARQUET"
    upper.write_bytes((embedded / "query.parquet").read_bytes())
    assert is_embeddings(upper)
    broken = tmp_path / "broken.parquet"
    broken.write_text("no table")
    with pytest.raises(InputError, match=r"broken\.parquet: not a Parquet file that can be read"):
        is_embeddings(broken)


def test_embeddings_from_a_file_open_no_network(embedded):
    opened = Session(EncodingConfig(model="nosuchmodel"), Stop())
    query, gallery = opened.both(Sides((embedded / "query.parquet",), (embedded / "gallery.npz",)))
    assert (len(query), len(gallery)) == (12, 30)
    assert opened.summary(query) == query.summary()
    assert opened.summary(query).input is None
    assert (opened.summary(query).name, opened.summary(query).width) == ("colour", 48)


def test_a_file_and_crops_of_one_model_can_be_compared(opened, embedded, crowd):
    sides = Sides((embedded / "query.parquet",), (crowd / "bounding_box_test",))
    query, gallery = opened.both(sides)
    assert gallery.vectors.tolist() == read_embeddings(embedded / "gallery.npz").vectors.tolist()
    assert opened.summary(query).input == "RGB, ImageNet mean and std, 256x128, Pillow bilinear"
    assert opened.elapsed_s > 0


def test_a_file_of_embeddings_stands_alone(opened, embedded, people):
    mixed = (people, embedded / "gallery.npz")
    with pytest.raises(InputError, match="a file of embeddings, among 2 sources") as caught:
        opened.both(Sides(mixed, None))
    assert caught.value.hint == "name it alone, or name the crops themselves"


def test_what_is_missing_is_missed_before_the_network_is_opened(people, tmp_path):
    opened = Session(EncodingConfig(model="nosuchmodel"), Stop())
    for sides in (Sides((tmp_path / "no",), None), Sides((people,), (tmp_path / "no",))):
        with pytest.raises(InputError, match="no: no such file or folder"):
            opened.both(sides)


def test_skipped_files_are_named(opened, people, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(session, "_TOLD", 2)
    for number in range(5):
        (tmp_path / f"{number}.png").write_text("no picture")
    found = opened.embed(opened.crops((people, tmp_path)))
    assert len(found) == 6
    assert list(opened.skipped) == [str(tmp_path / f"{number}.png") for number in range(5)]
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert warnings == [
        f"warning: skipped: {tmp_path / '0.png'}: not an image that can be decoded",
        f"warning: skipped: {tmp_path / '1.png'}: not an image that can be decoded",
        "warning: skipped: 3 more; --json lists all",
    ]


def test_ctrl_c_before_the_first_crop(opened, people):
    opened.stop.requested = True
    with pytest.raises(KeyboardInterrupt):
        opened.embed(opened.crops((people,)))


def test_patterns_reach_the_names(colour, tmp_path):
    save(tmp_path / "x_7_cam3.png", figure(1))
    config = EncodingConfig(
        model=str(colour), id_pattern=r"x_(\d)", camera_pattern=r"cam(\d)", device="cpu"
    )
    opened = Session(config, Stop())
    found = opened.embed(opened.crops((tmp_path,)))
    assert (found.crops.identities, found.crops.cameras) == (("7",), ("3",))
