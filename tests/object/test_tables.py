"""CSV, Parquet, JSON lines, JSON documents and MOTChallenge text."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.arrays import Detections, Tracks
from everyid.media import Frame
from everyid.models import (
    BoundingBox,
    Detection,
    DetectionRun,
    FrameResult,
    ImageResult,
    MovementType,
)
from object.tables import (
    DETECTION_SCHEMA,
    IMAGE_SCHEMA,
    TRACKING_SCHEMA,
    CsvTable,
    JsonDocument,
    JsonLines,
    MotText,
    ParquetTable,
    detection_objects,
    detection_rows,
    frame_result,
    image_rows,
    tracking_objects,
    tracking_rows,
)
from tests.object.scenes import NAMES, TRACKING_HEADER, rows_of

IMAGE = np.zeros((4, 4, 3), np.uint8)


def frame(number=1, timestamp=0.0):
    return Frame(image=IMAGE, frame_number=number, timestamp=timestamp)


def found(*rows):
    """Rows of (x1, y1, x2, y2, score, class)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))


def tracks(*rows):
    """Rows of (x1, y1, x2, y2, score, class, track, velocity x, velocity y)."""
    table = np.array(rows, np.float32).reshape(-1, 9)
    return Tracks(
        table[:, :4],
        table[:, 4],
        table[:, 5].astype(np.int32),
        table[:, 6].astype(np.int64),
        table[:, 7:],
    )


WALKER = (10, 20, 30, 60, 0.75, 0, 3, 60, 0)


def write_all(path, kind, schema, batches):
    table = kind(path, schema)
    for batch in batches:
        table.write(batch)
    table.close()
    return path


def test_the_header_of_tracking():
    assert ",".join(TRACKING_SCHEMA.names) == TRACKING_HEADER


@pytest.mark.parametrize("schema", [IMAGE_SCHEMA, DETECTION_SCHEMA, TRACKING_SCHEMA])
def test_a_table_without_rows_has_its_header(tmp_path, schema):
    path = write_all(tmp_path / "a.csv", CsvTable, schema, [])
    assert path.read_bytes() == (",".join(schema.names) + "\n").encode()
    read = pq.read_table(write_all(tmp_path / "a.parquet", ParquetTable, schema, []))
    assert read.num_rows == 0
    assert read.schema.equals(schema)


def test_csv_of_a_track(tmp_path):
    rows = tracking_rows(frame(7, 0.24), tracks(WALKER), [MovementType.WALKING])
    path = write_all(tmp_path / "a.csv", CsvTable, TRACKING_SCHEMA, [rows])
    assert path.read_text().splitlines()[1] == (
        "7,0.240000,3,0,0.7500,10.00,20.00,30.00,60.00,20.00,40.00,60.00,0.00,60.00,0.00,walking"
    )


def test_image_names_with_commas_quotes_and_line_breaks_survive_csv(tmp_path):
    name = 'photos/a "b", c\nd é.jpg'
    rows = image_rows(name, found((1, 2, 3, 4, 0.5, 2)), NAMES)
    path = write_all(tmp_path / "a.csv", CsvTable, IMAGE_SCHEMA, [rows])
    assert [row["image"] for row in rows_of(path)] == [name]
    assert rows_of(path)[0]["class_name"] == "car"


@pytest.mark.parametrize("value", [-0.0, -0.001, -0.0049])
def test_no_minus_before_a_zero(tmp_path, value):
    rows = tracking_rows(
        frame(), tracks((value, value, 5, 5, 0.5, 0, 1, value, value)), [MovementType.STATIONARY]
    )
    row = rows_of(write_all(tmp_path / "a.csv", CsvTable, TRACKING_SCHEMA, [rows]))[0]
    names = ("x1", "y1", "velocity_x", "velocity_y")
    assert [row[name] for name in names] == ["0.00"] * 4


def test_a_direction_is_below_360_in_csv(tmp_path):
    # 359.998 degrees: a hair below straight right
    rows = tracking_rows(
        frame(), tracks((0, 0, 5, 5, 0.5, 0, 1, 100, 0.003)), [MovementType.WALKING]
    )
    assert 359.99 < float(rows["direction"][0]) < 360
    row = rows_of(write_all(tmp_path / "a.csv", CsvTable, TRACKING_SCHEMA, [rows]))[0]
    assert row["direction"] == "0.00"


pixels = st.floats(-1e4, 1e5, width=32)
speeds = st.floats(-1e4, 1e4, width=32)
track_rows = st.lists(
    st.tuples(
        pixels,
        pixels,
        st.floats(0.5, 1e4, width=32),
        st.floats(0.5, 1e4, width=32),
        st.floats(0, 1, width=32),
        st.integers(0, 79),
        speeds,
        speeds,
    ),
    max_size=6,
)


@given(track_rows, st.integers(1, 10**9), st.floats(0, 1e6))
def test_csv_gives_back_the_values(tmp_path_factory, boxes, number, timestamp):
    rows = [
        (x, y, x + width, y + height, score, class_id, track, vx, vy)
        for track, (x, y, width, height, score, class_id, vx, vy) in enumerate(boxes, 1)
    ]
    values = tracking_rows(
        frame(number, timestamp), tracks(*rows), [MovementType.RUNNING] * len(rows)
    )
    folder = tmp_path_factory.mktemp("round-trip")
    read = rows_of(write_all(folder / "a.csv", CsvTable, TRACKING_SCHEMA, [values]))
    assert len(read) == len(boxes)
    for index, row in enumerate(read):
        assert ",".join(row) == TRACKING_HEADER
        assert not any(value.startswith("-0.00") and float(value) == 0 for value in row.values())
        for field in TRACKING_SCHEMA:
            value, shown = values[field.name][index], row[field.name]
            if not pa.types.is_floating(field.type):
                assert shown == str(value)
                continue
            step = {"timestamp": 1e-6, "confidence": 1e-4}.get(field.name, 1e-2)
            apart = abs(float(shown) - float(value))
            if field.name == "direction":
                assert 0 <= float(shown) < 360
                apart = min(apart, 360 - apart)
            assert apart <= step / 2 * (1 + 1e-6) + 1e-9 * abs(float(value))


@settings(max_examples=40)
@given(track_rows)
def test_parquet_keeps_every_bit(tmp_path_factory, boxes):
    rows = [
        (x, y, x + width, y + height, score, class_id, track, vx, vy)
        for track, (x, y, width, height, score, class_id, vx, vy) in enumerate(boxes, 1)
    ]
    values = tracking_rows(frame(3, 0.1), tracks(*rows), [MovementType.WALKING] * len(rows))
    folder = tmp_path_factory.mktemp("round-trip")
    read = pq.read_table(
        write_all(folder / "a.parquet", ParquetTable, TRACKING_SCHEMA, [values, values])
    )
    assert read.schema.equals(TRACKING_SCHEMA)
    for name in TRACKING_SCHEMA.names:
        assert read[name].to_pylist() == list(np.asarray(values[name]).tolist()) * 2


def test_parquet_goes_to_disk_in_row_groups(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    table = ParquetTable(path, DETECTION_SCHEMA)
    rng = np.random.default_rng(0)
    sizes = []
    for number in range(1, 56):
        corners = rng.uniform(0, 1000, (2000, 2)).astype(np.float32)
        boxes = Detections(
            np.concatenate([corners, corners + 9], axis=1),
            rng.uniform(0, 1, 2000).astype(np.float32),
            np.zeros(2000, np.int32),
        )
        table.write(detection_rows(frame(number, number / 25), boxes, NAMES))
        sizes.append(path.stat().st_size)
    assert sizes[23] == sizes[0]  # 48,000 rows wait in memory
    assert sizes[24] > sizes[0] + 100_000  # 50,000 do not
    table.close()
    metadata = pq.read_metadata(path)
    assert metadata.num_rows == 110_000
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert groups == [50_000, 50_000, 10_000]
    assert (
        pq.read_table(path)["frame_number"].to_pylist()
        == np.repeat(np.arange(1, 56), 2000).tolist()
    )


def test_csv_is_on_disk_after_every_write(tmp_path):
    table = CsvTable(tmp_path / "a.csv", DETECTION_SCHEMA)
    for number in (1, 2):
        table.write(detection_rows(frame(number), found((1, 2, 3, 4, 0.5, 0)), NAMES))
        assert len(rows_of(tmp_path / "a.csv")) == number
    table.close()


def test_json_lines(tmp_path):
    lines = JsonLines(tmp_path / "a.jsonl")
    objects = detection_objects(found((1, 2, 3, 4, 0.5, 2)), NAMES)
    given = [
        frame_result("é.mp4", frame(1, 0.0), objects),
        frame_result("é.mp4", frame(2, 0.04), []),
    ]
    for result in given:
        lines.write(result)
    # readable before the end: another program may follow along
    read = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    lines.close()
    assert [FrameResult.model_validate_json(line) for line in read] == given


@pytest.mark.parametrize("count", [0, 1, 25])
def test_a_json_document_of_any_number_of_images(tmp_path, count):
    path = tmp_path / "a.json"
    box = BoundingBox(x1=1, y1=2, x2=3, y2=4)
    images = [
        ImageResult(
            source=f'a "{number}"\n.jpg',
            width=10,
            height=20,
            objects=[Detection(box=box, confidence=0.5, class_id=0, class_name="person")]
            * (number % 3),
        )
        for number in range(count)
    ]
    run = DetectionRun(
        output=tmp_path,
        image_count=count,
        boxes={"person": 3},
        images=images,
        skipped={"bad.jpg": "it is damaged"},
    )
    document = JsonDocument(path)
    for image in images:
        document.write(image)
    document.finish(run)
    assert DetectionRun.model_validate_json(path.read_text()) == run
    assert next(iter(json.loads(path.read_text()))) == "images"


def test_mot_lines(tmp_path):
    path = tmp_path / "a.mot.txt"
    mot = MotText(path)
    mot.write(frame(1), tracks())
    mot.write(frame(7), tracks(WALKER, (0, 0, 5.5, 8, 0.123456, 2, 12, 0, 0)))
    mot.close()
    assert path.read_text() == (
        "7,3,10.00,20.00,20.00,40.00,0.7500,-1,-1,-1\n7,12,0.00,0.00,5.50,8.00,0.1235,-1,-1,-1\n"
    )


def test_tracking_objects_agree_with_the_rows():
    given = tracks(WALKER, (0, 0, 5, 8, 0.5, 2, 12, 0, -300))
    types = [MovementType.WALKING, MovementType.RUNNING]
    rows = tracking_rows(frame(), given, types)
    objects = tracking_objects(given, types, NAMES)
    for name in ("track_id", "class_id", "confidence", "speed", "direction"):
        expected = np.asarray(rows[name]).tolist()
        assert [getattr(one, name) for one in objects] == pytest.approx(expected)
    assert [one.movement_type for one in objects] == types
    assert [one.class_name for one in objects] == ["person", "car"]
    assert objects[1].direction == pytest.approx(90)
    assert math.isclose(objects[1].speed, 300)
    assert [one.box.center for one in objects] == [(20, 40), (2.5, 4)]
