"""The sample data of the checkout: whole, small, and true to what the commands take it for."""

import configparser
import json

import av
import numpy as np
import pyarrow.parquet as pq

from everyid.settings import PROJECT_FOLDER
from object.truth import read_truth
from person.crops import find_crops
from person.session import default_source, sides_of
from synthetic.config import CropsConfig, FootageConfig

DATA = PROJECT_FOLDER / "tests" / "data"
PEOPLE, SITE = DATA / "people", DATA / "site"


def size_of(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_data_stay_small():
    assert size_of(PEOPLE) < 1_500_000
    assert size_of(SITE) < 3_000_000


def test_the_crops_show_24_people_under_4_cameras_3_times():
    crops = find_crops([PEOPLE])
    assert len(crops) == 24 * 4 * 3
    seen = {}
    for identity, camera in zip(crops.identities, crops.cameras, strict=True):
        seen[identity, camera] = seen.get((identity, camera), 0) + 1
    assert set(seen.values()) == {3}
    assert len(seen) == 24 * 4
    looks = pq.read_table(PEOPLE / "attributes.parquet").to_pylist()
    assert [row["identity"] for row in looks] == list(range(1, 25))


def test_the_crops_are_what_person_takes_when_nothing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("EVERYID_TMP", str(tmp_path))
    assert default_source() == PEOPLE
    sides = sides_of((), None, None)
    query, gallery = find_crops(sides.query), find_crops(sides.gallery or ())
    assert set(query.identities) == set(gallery.identities)
    assert len(set(query.identities)) == 12


def test_the_truth_fits_the_videos():
    everybody = set()
    cameras = pq.read_table(SITE / "identities.parquet")["camera"].to_pylist()
    for camera in ("camera-1", "camera-2"):
        read_truth(SITE / camera / "gt" / "gt.txt")
        with av.open(str(SITE / f"{camera}.mp4")) as video:
            stream = video.streams.video[0]
            assert (stream.width, stream.height) == (640, 360)
            frames = sum(1 for _ in video.decode(stream))
        assert frames == 180
        table = np.loadtxt(SITE / camera / "gt" / "gt.txt", delimiter=",")
        assert table[:, 0].min() >= 1
        assert table[:, 0].max() <= frames
        assert len(table) == cameras.count(camera) > 300
        words = configparser.ConfigParser()
        words.read(SITE / camera / "seqinfo.ini")
        assert words["Sequence"]["seqLength"] == str(frames)
        everybody |= set(table[:, 1].astype(int).tolist())
    assert everybody == set(range(1, 8))


def test_the_files_say_how_they_were_made():
    for folder, kind in ((PEOPLE, CropsConfig), (SITE, FootageConfig)):
        words = json.loads((folder / "run.json").read_text())["command"]
        assert words.pop("name") in ("synthetic crops", "synthetic footage")
        kind.model_validate(words)
