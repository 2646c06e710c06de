"""What paths of crops say, data set by data set, and what they must not be taken to say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everyid.errors import ConfigError
from person.names import CropName, label_pattern, read_name

NUMBER = st.integers(0, 9999)
CAMERA = st.integers(1, 15)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # Market-1501, its junk and its distractors
        ("0002_c1s1_000451_03.jpg", CropName("0002", "1", frame=451)),
        ("query/0002_c1s1_000451_03.jpg.jpg", CropName("0002", "1", frame=451)),
        ("bounding_box_test/-1_c3s2_000001_00.jpg", CropName("-1", "3", frame=1)),
        ("gt_bbox/0000_c6s4_012345_01.jpg", CropName("0000", "6", frame=12345)),
        ("gallery/-1/-1_c3s2_000001_00.jpg", CropName("-1", "3", frame=1)),
        # DukeMTMC-reID, and others that keep to IDENTITY_cCAMERA
        ("bounding_box_train/0001_c2_f0046182.jpg", CropName("0001", "2", frame=46182)),
        ("0001_c001_00016450_0.jpg", CropName("0001", "1")),
        ("12_c3.png", CropName("12", "3")),
        # MSMT17: the folder says who, the file which camera
        ("train/0000/0000_000_01_0303morning_0015_0.jpg", CropName("0000", "1")),
        ("0007_012_15_0113afternoon_1015_2_ex.jpg", CropName("0007", "15")),
        # MARS
        ("bbox_test/0001/0001C1T0002F003.jpg", CropName("0001", "1", track=2, frame=3)),
        ("00-1C6T0012F101.jpg", CropName("00-1", "6", track=12, frame=101)),
        ("bbox_test/00-1/00-1C6T0012F101.jpg", CropName("00-1", "6", track=12, frame=101)),
        # CUHK03 as torchreid unpacks it
        ("images_labeled/1_001_1_01.png", CropName("1_001", "1")),
        ("5_010_2_10.png", CropName("5_010", "2")),
        # folders of one's own
        ("anna/front.jpg", CropName("anna")),
        ("day1/anna/0002_c1s1_000451_03.jpg", CropName("anna", "1", frame=451)),
        ("Query/front.jpg", CropName()),
        ("front.jpg", CropName()),
        ("./front.jpg", CropName()),
        ("../front.jpg", CropName()),
        # cameras as folders: SYSU-MM01, iLIDS-VID, PRID2011, VIPeR
        ("cam1/0001/0007.jpg", CropName("0001", "1")),
        ("cam_a/person_0001/0001.png", CropName("person_0001", "a")),
        ("VIPeR/cam_b/000_45.bmp", CropName(camera="b")),
        ("Camera-07/x.jpg", CropName(camera="7")),
        ("cameron/x.jpg", CropName("cameron")),
        # what tracking writes
        (
            "crops/hall.left/0003/000127.jpg",
            CropName("hall.left/0003", "hall.left", "hall.left", 3, 127),
        ),
        (
            "out/crops/cam1/12345/1000001.png",
            CropName("cam1/12345", "cam1", "cam1", 12345, 1000001),
        ),
        ("crops/anna/2024/portrait.jpg", CropName("2024")),
        ("crops/anna/003/000127.jpg", CropName("003")),
        ("pictures/hall/0003/000127.jpg", CropName("0003")),
    ],
)
def test_names_that_are_known(path, expected):
    assert read_name(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        "1_001_1_01.jpg",  # CUHK03's files are PNG
        "6_001_1_01.png",  # it has five pairs of cameras
        "1_001_3_01.png",  # of two cameras each
        "1_001_1_001.png",
        "0000_000_01_0303evening_0015_0.jpg",
        "0001C1T0001.jpg",
        "x0001C1T0001F001.jpg",
        "IMG_2041.jpg",
        "2024-05-01_12-30-00.jpg",
        "-2_c1s1_000451_03.jpg",
        "front_c1.jpg",
        "0001_cx.jpg",
    ],
)
def test_other_names_say_nothing(name):
    assert read_name(name) == CropName()


@pytest.mark.parametrize(
    ("above", "path"),
    [
        (("tmp", "crops"), "hall/0003/000127.jpg"),
        (("crops", "hall"), "0003/000127.jpg"),
        (("tmp", "crops", "hall", "0003"), "000127.jpg"),
    ],
)
def test_crops_of_tracking_are_known_wherever_the_search_begins(above, path):
    assert read_name(path, above=above) == CropName("hall/0003", "hall", "hall", 3, 127)


def test_folders_above_the_source_name_nobody():
    assert read_name("1.jpg", above=("people", "anna")) == CropName()
    assert read_name("anna/1.jpg", above=("cam1",)) == CropName("anna")


def test_numbers_that_fit_no_file_are_left_out():
    digits = "9" * 30
    assert read_name(f"0001_c1s1_{digits}_00.jpg") == CropName()
    assert read_name(f"crops/hall/{digits}/000127.jpg") == CropName(digits)


@given(NUMBER, CAMERA, st.integers(1, 6), st.integers(0, 10**6))
def test_every_market_name_is_read_back(identity, camera, sequence, frame):
    name = f"{identity:04d}_c{camera}s{sequence}_{frame:06d}_00.jpg"
    assert read_name(name) == CropName(f"{identity:04d}", str(camera), frame=frame)


@given(NUMBER, CAMERA, NUMBER, st.integers(1, 999))
def test_every_mars_name_is_read_back(identity, camera, track, frame):
    name = f"bbox_test/{identity:04d}/{identity:04d}C{camera}T{track:04d}F{frame:03d}.jpg"
    assert read_name(name) == CropName(f"{identity:04d}", str(camera), None, track, frame)


@given(NUMBER, st.integers(0, 999), CAMERA)
def test_every_msmt17_name_is_read_back(identity, number, camera):
    name = f"{identity:04d}_{number:03d}_{camera:02d}_0303noon_0015_0.jpg"
    assert read_name(name) == CropName(f"{identity:04d}", str(camera))


@given(st.from_regex(r"[^/\x00]{1,30}", fullmatch=True), st.integers(1, 10**6), NUMBER)
def test_crops_of_tracking_are_read_back_for_any_video(stem, track, frame):
    path = f"crops/{stem}/{track:04d}/{frame:06d}.jpg"
    expected = CropName(f"{stem}/{track:04d}", stem, stem, track, frame)
    assert read_name(path) == expected


@given(st.text(st.characters(exclude_characters="\x00"), max_size=60))
def test_any_path_can_be_read(path):
    name = read_name(path)
    assert name.identity is None or name.identity in path
    assert all(number is None or 0 <= number < 2**63 for number in (name.track, name.frame))


def test_patterns_find_their_group():
    assert label_pattern(r"^(\w+)/", "id")("anna/1.jpg") == "anna"
    assert label_pattern(r"(?P<id>\d+)-(\d+)", "id")("7-8.jpg") == "7"
    assert label_pattern(r"(\d+)-(?P<camera>\d+)", "camera")("7-8.jpg") == "8"
    assert label_pattern(r"^(\w+)/", "id")("1.jpg") is None
    assert label_pattern(r"x(\d*)", "id")("x.jpg") is None
    assert label_pattern(r"x(\d)?", "id")("x.jpg") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "--id-pattern (: not a regular expression: missing ), unterminated subpattern"),
        (r"\d+", r"--id-pattern \d+: expected one group in parentheses, found 0"),
        (r"(\d)(\d)", r"--id-pattern (\d)(\d): expected one group in parentheses, found 2"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(pattern, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        label_pattern(pattern, "id")
