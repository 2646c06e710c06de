"""Statistics of data: counts by hand, sizes as headers tell, and a picture whatever there is."""

import cv2
import pytest
from PIL import Image as Pillow

from everyid.errors import OutputExistsError
from everyid.output import Stop
from everyid.settings import tame_matplotlib
from person.datasets.histograms import draw_statistics
from person.datasets.statistics import (
    DatasetStatistics,
    Distribution,
    dataset_statistics,
    statistics_text,
)
from tests.person.people import figure, market, save


def stats(*sources, **options):
    return dataset_statistics(sources, **options, stop=Stop())


@pytest.fixture
def crowded(tmp_path):
    """Two people to train on, three to find."""
    root = market(tmp_path / "crowd", identities=3, cameras=2, views=1)
    for name in ("0007_c1s1_000001_01", "0007_c2s1_000001_01", "0008_c1s1_000001_01"):
        save(root / "bounding_box_train" / f"{name}.jpg", figure(7))
    return root


@pytest.fixture
def texts(monkeypatch):
    """The words of the picture."""
    tame_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    found = []
    write = Figure.savefig

    def remember(figure, *args, **named):
        found[:] = [text.get_text() for text in figure.findobj(Text) if text.get_text()]
        write(figure, *args, **named)

    monkeypatch.setattr(Figure, "savefig", remember)
    return found


def test_a_distribution_is_that_of_the_numbers():
    found = Distribution.of([4, 1, 1, 2])
    assert (found.minimum, found.median, found.mean, found.maximum) == (1, 1.5, 2.0, 4)
    assert found.counts == {1: 2, 2: 1, 4: 1}
    assert Distribution.of([]) is None


def test_parts_are_counted_each_and_together(crowded):
    found = stats(crowded)
    assert {name: part.images for name, part in found.splits.items()} == {
        "train": 3,
        "query": 6,
        "gallery": 8,
        "all": 17,
    }
    train, every = found.splits["train"], found.splits["all"]
    assert train.images_per_identity.counts == {1: 1, 2: 1}
    assert train.cameras_per_identity.counts == {1: 1, 2: 1}
    assert train.images_per_camera == {"crowd/1": 2, "crowd/2": 1}
    assert (train.heights.counts, train.widths.counts) == ({64: 3}, {32: 3})
    assert (every.identities, every.cameras, every.unlabelled) == (5, 2, 2)
    assert found.sources == {"crowd": crowded}
    assert DatasetStatistics.model_validate_json(found.model_dump_json()) == found


def test_sizes_are_upright_and_bad_files_counted(tmp_path):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    (tmp_path / "anna").mkdir()
    for suffix in ("jpg", "png"):
        Pillow.new("RGB", (64, 32)).save(tmp_path / "anna" / f"turned.{suffix}", exif=exif)
    Pillow.new("RGB", (32, 64)).save(tmp_path / "anna" / "plain.png")
    (tmp_path / "anna" / "bad.jpg").write_text("no picture")
    part = stats(tmp_path).splits["train"]
    assert (part.images, part.unreadable) == (4, 1)
    assert (part.heights.counts, part.widths.counts) == ({64: 3}, {32: 3})
    assert part.cameras_per_identity is None


def test_a_plain_folder_has_one_part(tmp_path):
    save(tmp_path / "own" / "anna" / "1.png", figure(1))
    found = stats(tmp_path / "own")
    assert list(found.splits) == ["train"]
    text = statistics_text(found)
    assert text.splitlines()[0] == "train: 1 image, 1 identity, 0 cameras"
    assert "height, px            min 64  median 64  mean 64.0  max 64" in text


def test_text_tells_few_cameras_of_many(tmp_path):
    for camera in range(14):
        save(tmp_path / "own" / "anna" / f"c{camera:02d}.png", figure(1)[:4, :4])
    lines = statistics_text(stats(tmp_path / "own", camera_pattern=r"c(\d+)")).splitlines()
    assert sum(line.startswith("camera own/") for line in lines) == 12
    assert lines[-1] == "and 2 cameras more"


def test_a_stop_counts_nothing(crowded):
    stop = Stop()
    stop.requested = True
    with pytest.raises(KeyboardInterrupt):
        dataset_statistics([crowded], stop=stop)


def test_the_picture_tells_the_figures(crowded, tmp_path, texts):
    found = stats(crowded)
    draw_statistics(tmp_path / "a.png", found)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (900, 1500, 3)
    words = " | ".join(texts)
    assert "crowd · train: 3 images, 2 identities, 2 cameras · query: 6 images" in words
    assert "train  median 1.5, 1 to 2" in words
    assert "crowd/1" in words
    with pytest.raises(OutputExistsError, match=r"a\.png exists already"):
        draw_statistics(tmp_path / "a.png", found)
    before = (tmp_path / "a.png").read_bytes()
    draw_statistics(tmp_path / "a.png", found, overwrite=True)
    assert (tmp_path / "a.png").read_bytes() == before


def test_the_picture_says_what_is_not_known(tmp_path, texts):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.png").write_bytes(b"")
    draw_statistics(tmp_path / "a.png", stats(tmp_path / "own"))
    assert {"not known", "no camera is known"} <= set(texts)


def test_many_cameras_and_heights_find_room(tmp_path, texts):
    for number in range(30):
        path = tmp_path / "own" / f"p{number % 3}" / f"c{number:02d}.png"
        save(path, figure(number, view=1)[: 64 - number])
    draw_statistics(tmp_path / "a.png", stats(tmp_path / "own", camera_pattern=r"c(\d+)"))
    assert "30 cameras, most images first" in texts
    assert "train  median 49.5, 35 to 64" in texts
