import time

import numpy as np
import pytest
from scipy.io import loadmat

from everyid.errors import ConfigError, OutputError
from synthetic.layouts.files import make_folders, require_room, write_lists, write_mat, write_text
from synthetic.layouts.plan import CropPlan


def test_matlab_files_have_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    table = np.arange(8, dtype=np.int32).reshape(2, 4)
    write_mat(tmp_path / "info/a.mat", {"table": table})
    monkeypatch.setattr(time, "asctime", lambda *_: "Mon Jan  1 00:00:00 2001")
    write_mat(tmp_path / "info/b.mat", {"table": table})
    assert (tmp_path / "info/a.mat").read_bytes() == (tmp_path / "info/b.mat").read_bytes()
    assert loadmat(tmp_path / "info/a.mat")["table"].tolist() == table.tolist()


def test_lists_have_a_path_a_line_and_may_be_empty(tmp_path):
    plan = [CropPlan(1, 1, 1, 1, 1), CropPlan(2, 1, 1, 1, 1, "train")]
    assert write_lists(tmp_path, plan, ["a.jpg", "b.jpg"]) == [
        "train.txt",
        "query.txt",
        "gallery.txt",
    ]
    assert (tmp_path / "gallery.txt").read_bytes() == b"a.jpg\n"
    assert (tmp_path / "train.txt").read_bytes() == b"b.jpg\n"
    assert (tmp_path / "query.txt").read_bytes() == b""


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for write in (
        lambda: write_text(tmp_path / "file/a.txt", ""),
        lambda: write_mat(tmp_path / "file/a.mat", {}),
        lambda: make_folders(tmp_path / "file", ["train"]),
    ):
        with pytest.raises(OutputError, match="cannot write"):
            write()


def test_too_many_cameras_or_people_name_what_would_do():
    with pytest.raises(ConfigError, match="names for 6 cameras, the set has 7 cameras") as error:
        require_room([CropPlan(1, 7, 1, 1, 1)], "mars", cameras=6, identities=9)
    assert "msmt17" in error.value.hint
    with pytest.raises(ConfigError, match="names for 9 people, the set has 12 people"):
        require_room([CropPlan(12, 7, 1, 1, 1)], "mars", identities=9)
    require_room([], "mars", cameras=6, identities=9)
