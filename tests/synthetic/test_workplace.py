"""Where long runs work: folders in use, unfinished parts, full disks."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from everyid.errors import OutputError, OutputExistsError
from synthetic.workplace import enough_space, versions, workplace

DOING = {"command": {"ids": 3}, "versions": {"numpy": "2"}}


def make(folder: Path, doing: dict = DOING, *, overwrite: bool = False, whole: bool = True) -> bool:
    with workplace(folder, "crops", doing, overwrite=overwrite) as place:
        (place.part / "set").mkdir(exist_ok=True)
        (place.part / "set" / "a.jpg").write_text(json.dumps(doing))
        if whole:
            place.finish()
        return place.resumed


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_made_appears_when_it_is_whole(tmp_path: Path):
    assert not make(tmp_path / "out put", whole=False)
    assert names(tmp_path / "out put") == [".part/run.json", ".part/set/a.jpg"]
    assert make(tmp_path / "out put")
    assert names(tmp_path / "out put") == ["run.json", "set/a.jpg"]
    assert json.loads((tmp_path / "out put" / "run.json").read_text()) == DOING


def test_a_folder_in_use_is_refused_and_overwritten_only_where_it_has_the_same_name(tmp_path: Path):
    make(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not empty"):
        make(tmp_path)
    other = DOING | {"command": {"ids": 4}}
    make(tmp_path, other, overwrite=True)
    assert json.loads((tmp_path / "set" / "a.jpg").read_text()) == other
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_unfinished_part_of_another_run_is_not_mixed_in(tmp_path: Path):
    make(tmp_path, whole=False)
    other = DOING | {"command": {"ids": 4}}
    with pytest.raises(OutputExistsError, match=r"another run \(it differs in: command\)"):
        make(tmp_path, other)
    assert not make(tmp_path, other, overwrite=True)
    assert json.loads((tmp_path / "set" / "a.jpg").read_text()) == other


def test_a_part_whose_words_are_damaged_is_another_run(tmp_path: Path):
    make(tmp_path, whole=False)
    (tmp_path / ".part" / "run.json").write_text("{")
    with pytest.raises(OutputExistsError, match="another run"):
        make(tmp_path)


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path):
    with workplace(tmp_path, "crops", DOING, overwrite=False):
        with pytest.raises(OutputError, match="another process is writing to"):
            make(tmp_path)
        with pytest.raises(OutputError, match="another process is writing to"):
            make(tmp_path, overwrite=True)
    assert names(tmp_path) == [".part/run.json"]


def test_without_an_output_each_run_gets_a_fresh_folder():
    folders = []
    for _ in range(2):
        with workplace(None, "crops", DOING, overwrite=False) as place:
            folders.append(place.output)
            place.finish()
    assert folders[0] != folders[1]
    assert folders[0].parent.parts[-2:] == ("synthetic", "crops")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder, found a file"):
        make(tmp_path / "file")


def test_a_full_disk_is_seen_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2_000_000_000))
    enough_space(tmp_path, 3_400_000, "1,200 crops")
    assert "about 3.4 MB for 1,200 crops; 2.0 GB free" in capsys.readouterr().err
    with pytest.raises(OutputError, match=r"no room in .*: about 3.0 GB for 9 crops, 2.0 GB free"):
        enough_space(tmp_path, 3_000_000_000, "9 crops")


def test_versions_name_all_that_bytes_depend_on():
    pytest.importorskip("moderngl")
    found = versions()
    assert {"everyid", "python", "numpy", "opencv-python", "anny", "moderngl", "renderer"} <= set(
        found
    )
    assert all(found.values())
