"""The whole of footage, drawn with boxes; and once as it is."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from everyid.errors import ConfigError, OutputExistsError
from everyid.output import Stop
from synthetic import filming, footage, footage_worker
from synthetic.config import FootageConfig
from synthetic.footage import make_footage
from tests.synthetic import drawings

CACHES = (
    footage_worker._site,
    footage_worker.footage_story,
    footage_worker._people,
    footage_worker._take,
)
SMALL: dict[str, Any] = {
    "cameras": 2,
    "people": 4,
    "minutes": 0.1,
    "frame_rate": 5,
    "size": (128, 72),
    "place": "square",
}


@pytest.fixture
def drawn(monkeypatch) -> Iterator[None]:
    """People are boxes, places are empty, and all happens in this process."""

    def jobs(
        function: Callable[[Any], int], tasks: Sequence[Any], *, workers: int | None, stop: Stop
    ) -> Iterator[tuple[Any, int]]:
        for task in tasks:
            if stop.requested:
                return
            yield task, function(task)

    monkeypatch.setattr(filming, "pose_figure", drawings.posed)
    monkeypatch.setattr(footage, "run_jobs", jobs)
    monkeypatch.setattr(footage, "body_file", lambda: None)
    monkeypatch.setattr(footage, "versions", lambda: {"everyid": "test"})
    monkeypatch.setattr(footage_worker, "Renderer", drawings.Boxes)
    monkeypatch.setattr(footage_worker, "process_renderer", drawings.Boxes)
    monkeypatch.setattr(footage_worker, "_actor", lambda setting, day, person: drawings.actor())
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def config(output: Path, **changes: Any) -> FootageConfig:
    return FootageConfig(output=output, **{**SMALL, **changes})


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.usefixtures("drawn")
def test_a_run_writes_videos_and_all_that_is_true_of_them(tmp_path):
    run = make_footage(config(tmp_path))
    assert sorted(files(tmp_path)) == [
        "attributes.parquet",
        "calibration.json",
        "camera-1.mp4",
        "camera-1/gt/gt.txt",
        "camera-1/seqinfo.ini",
        "camera-2.mp4",
        "camera-2/gt/gt.txt",
        "camera-2/seqinfo.ini",
        "events.jsonl",
        "identities.parquet",
        "run.json",
        "topology.json",
    ]
    assert (run.place, run.people, run.interrupted) == ("square", 4, False)
    assert [camera.name for camera in run.cameras] == ["camera-1", "camera-2"]
    table = pq.read_table(tmp_path / "identities.parquet")
    assert table.num_rows == sum(camera.boxes for camera in run.cameras) > 20
    assert set(table["identity"].to_pylist()) <= {1, 2, 3, 4}
    assert not np.isnan(table["ground_x_m"].to_numpy()).any()
    for camera in run.cameras:
        with av.open(str(camera.video)) as video:
            stream = video.streams.video[0]
            assert (stream.width, stream.height, stream.frames) == (128, 72, 30)
        lines = camera.truth.read_text().splitlines()
        assert len(lines) == camera.boxes
        assert [int(line.split(",")[0]) for line in lines] == sorted(
            int(line.split(",")[0]) for line in lines
        )
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert len(events) == run.events
    assert {event["camera"] for event in events} <= {"camera-1", "camera-2"}
    calibration = json.loads((tmp_path / "calibration.json").read_text())
    assert [camera["name"] for camera in calibration] == ["camera-1", "camera-2"]
    assert json.loads((tmp_path / "topology.json").read_text())["cameras"] == [
        "camera-1",
        "camera-2",
    ]
    said = json.loads((tmp_path / "run.json").read_text())
    assert said["command"]["seed"] == 1
    assert said["versions"] == {"everyid": "test"}


@pytest.mark.usefixtures("drawn")
def test_truth_projects_onto_its_ground_points(tmp_path):
    make_footage(config(tmp_path))
    calibration = {c["name"]: c for c in json.loads((tmp_path / "calibration.json").read_text())}
    rows = pq.read_table(tmp_path / "identities.parquet").to_pylist()
    checked = 0
    for row in rows:
        camera = calibration[row["camera"]]
        if row["y1"] <= 0 or row["y2"] >= 72 or row["x1"] <= 0 or row["x2"] >= 128:
            continue  # cut by the picture's edge
        middle = np.array([row["ground_x_m"], row["ground_y_m"], 0.85])
        x, y, z = np.array(camera["rotation"]) @ middle + camera["translation_m"]
        flat = np.array([x / z, y / z])
        focal, centre = camera["intrinsic"][0][0], np.array(camera["size_wh"]) / 2
        across, down = centre + focal * (1 + camera["k1"] * flat @ flat) * flat
        assert row["x1"] < across < row["x2"]
        assert row["y1"] < down < row["y2"]
        checked += 1
    assert checked > 20


@pytest.mark.usefixtures("drawn")
def test_two_days_lie_in_two_folders(tmp_path):
    run = make_footage(config(tmp_path, days=2, minutes=0.05))
    assert [(camera.day, camera.name) for camera in run.cameras] == [
        (1, "camera-1"),
        (1, "camera-2"),
        (2, "camera-1"),
        (2, "camera-2"),
    ]
    assert run.cameras[3].video == tmp_path / "day-2" / "camera-2.mp4"
    assert run.cameras[3].truth.is_file()
    looks = pq.read_table(tmp_path / "attributes.parquet").to_pylist()
    assert [(row["day"], row["identity"]) for row in looks] == list(
        itertools.product((1, 2), (1, 2, 3, 4))
    )


@pytest.mark.usefixtures("drawn")
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        make_footage(config(tmp_path / name))
        footage_worker.footage_story.cache_clear()
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.usefixtures("drawn")
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    made: list[object] = []
    render = footage_worker.render_segment

    def counted(task: footage_worker.SegmentTask) -> int:
        made.append(task.segment)
        return render(task)

    monkeypatch.setattr(footage, "render_segment", counted)
    make_footage(config(tmp_path / "whole"))
    every = len(made)
    made.clear()

    def stopping(function: Any, tasks: Any, *, workers: Any, stop: Stop) -> Iterator[Any]:
        yield tasks[0], function(tasks[0])
        stop.requested = True

    with monkeypatch.context() as patch:
        patch.setattr(footage, "run_jobs", stopping)
        run = make_footage(config(tmp_path / "parts"))
    assert run.interrupted
    assert run.cameras == []
    assert not (tmp_path / "parts" / "camera-1.mp4").exists()
    run = make_footage(config(tmp_path / "parts"))
    assert not run.interrupted
    assert len(made) == every
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


@pytest.mark.usefixtures("drawn")
def test_a_segment_that_is_given_up_leaves_no_file(tmp_path, monkeypatch):
    setting = footage_worker.Setting.of(config(tmp_path))
    footage_worker.prepare(setting, 1, tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(footage_worker, "stopping", lambda: True)
    task = footage_worker.SegmentTask(setting, footage_worker.Segment(1, 0, 0), tmp_path)
    assert footage_worker.render_segment(task) == 0
    assert files(tmp_path) == before


@pytest.mark.usefixtures("drawn")
def test_results_are_replaced_only_when_asked(tmp_path):
    make_footage(config(tmp_path, minutes=0.02))
    with pytest.raises(OutputExistsError, match="is not empty"):
        make_footage(config(tmp_path, minutes=0.02))
    assert not make_footage(config(tmp_path, minutes=0.02, overwrite=True)).interrupted


@pytest.mark.usefixtures("drawn")
def test_an_unknown_place_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match="unknown kind of place 'moon'"):
        make_footage(config(tmp_path / "moon", place="moon"))


def test_segments_cover_all_frames_once():
    setting = footage_worker.Setting.of(FootageConfig(minutes=0.15, frame_rate=12.5))
    assert setting.frames == 112
    tasks = [
        footage_worker.SegmentTask(setting, footage_worker.Segment(1, 0, number), Path())
        for number in range(setting.segments)
    ]
    frames = [frame for task in tasks for frame in task.frames]
    assert frames == list(range(112))


@pytest.mark.slow
def test_a_real_run_gives_the_same_bytes_with_any_number_of_workers(tmp_path):
    pytest.importorskip("moderngl")
    pytest.importorskip("anny")
    runs = [
        make_footage(
            config(
                tmp_path / str(workers),
                place=None,
                size=(640, 360),
                minutes=0.12,
                workers=workers,
                days=2,
            )
        )
        for workers in (1, 2)
    ]
    assert sum(camera.boxes for camera in runs[0].cameras) > 20
    assert files(tmp_path / "1") == files(tmp_path / "2")
