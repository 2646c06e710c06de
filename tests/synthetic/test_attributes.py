import cv2
import pyarrow.parquet as pq
import pytest

from everyid.errors import InputError, OutputExistsError, ShapeError
from synthetic.attributes import draw_attributes, read_attributes, write_attributes


def rows(count=20, **more):
    return [
        {
            "identity": number,
            "day": 1,
            "height_m": 1.5 + number / 50,
            "upper_colour": ("red", "blue", "green")[number % 3],
            "hair_colour": f"shade {number}",
            "headwear_kind": None,
            "outer_open": None,
            "glasses": number % 2 == 0,
            "twin_of": None,
            **more,
        }
        for number in range(1, count + 1)
    ]


def test_a_table_comes_back_as_it_was_written(tmp_path):
    write_attributes(tmp_path / "a.parquet", rows())
    assert read_attributes(tmp_path / "a.parquet") == rows()


def test_types_of_columns_do_not_depend_on_what_is_in_them(tmp_path):
    write_attributes(tmp_path / "a.parquet", rows())
    full = rows(headwear_kind="cap", outer_open=True, twin_of=3)
    write_attributes(tmp_path / "b.parquet", full)
    one, two = (pq.read_schema(tmp_path / f"{name}.parquet") for name in "ab")
    assert one == two
    assert [str(one.field(name).type) for name in ("headwear_kind", "outer_open", "twin_of")] == [
        "string",
        "bool",
        "int32",
    ]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_attributes(tmp_path / f"{name}.parquet", rows())
        draw_attributes(tmp_path / f"{name}.png", rows(), title="20 people")
    for suffix in ("parquet", "png"):
        one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab")
        assert one == two
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 1360


def test_an_existing_file_stays_unless_told(tmp_path):
    write_attributes(tmp_path / "a.parquet", rows(1))
    with pytest.raises(OutputExistsError):
        write_attributes(tmp_path / "a.parquet", rows(2))
    write_attributes(tmp_path / "a.parquet", rows(2), overwrite=True)
    assert len(read_attributes(tmp_path / "a.parquet")) == 2


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "expected a row for each person, got none"),
        ([{"day": 1}, {"day": 1, "sex": "male"}], "row 1 differs from the first in: sex"),
        ([{"glasses": "round"}], "attribute glasses: expected bool values"),
    ],
)
def test_rows_that_are_no_table_are_told(tmp_path, bad, message):
    with pytest.raises(ShapeError, match=message):
        write_attributes(tmp_path / "a.parquet", bad)
    assert not list(tmp_path.iterdir())


def test_what_is_no_table_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_attributes(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_text("attributes")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_attributes(tmp_path / "a.parquet")
