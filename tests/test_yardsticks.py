import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import yardsticks
from benchmarks.yardsticks import YARDSTICKS, Yardstick, cut_crops, main, measure, read_yardstick
from everyid.errors import ConfigError, InputError, ShapeError
from person.crops import Crops
from tests.media_samples import level, make_video, shade

SIZES_WH = {"vtest": (768, 576), "one-by-one-person-detection": (768, 432)}


def labelled(people, tracklets, frames=None, boxes=None) -> Yardstick:
    """A yardstick of ten people or fewer."""
    count = len(people)
    frames = tuple(range(1, count + 1)) if frames is None else frames
    unknown = (None,) * count
    crops = Crops(
        paths=tuple(f"{track}/{row}.png" for row, track in enumerate(tracklets)),
        identities=tuple(map(str, people)),
        cameras=unknown,
        videos=("clip",) * count,
        tracks=tuple(tracklets),
        frames=tuple(frames),
        timestamps=unknown,
    )
    boxes = np.zeros((count, 4), np.int64) if boxes is None else boxes
    return Yardstick("small", "clip.mp4", "0" * 64, "https://example.org", crops, boxes)


def unit(rows) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("name", YARDSTICKS)
def test_labels_keep_their_own_rules(name):
    one = read_yardstick(name)
    width, height = SIZES_WH[name]
    x1, y1, x2, y2 = one.boxes_xyxy.T
    assert min(x1.min(), y1.min()) >= 0
    assert x2.max() <= width
    assert y2.max() <= height
    assert (y2 - y1).min() >= 48
    assert (x2 - x1).min() >= 10
    assert len(set(one.crops.paths)) == len(one.crops)
    assert set(one.crops.videos) == {name}
    for tracklet in range(1, one.counts()["tracklets"] + 1):
        mine = one.tracklets == tracklet
        assert len(set(one.people[mine])) == 1
        assert 2 <= mine.sum() <= 25
        assert (np.diff(one.frames[mine]) >= 4).all()


def test_what_the_yardsticks_hold():
    counts = {name: read_yardstick(name).counts() for name in YARDSTICKS}
    assert counts == {
        "vtest": {"people": 10, "tracklets": 28, "crops": 406},
        "one-by-one-person-detection": {"people": 6, "tracklets": 6, "crops": 119},
    }


def test_nobody_is_in_two_places_at_once():
    one = read_yardstick("vtest")
    assert len(set(zip(one.people, one.frames, strict=True))) == len(one.crops)


def test_an_unknown_yardstick():
    with pytest.raises(ConfigError, match=r"no yardstick is called 'best'; known: vtest, one-by-"):
        read_yardstick("best")


@pytest.mark.parametrize("name", YARDSTICKS)
@pytest.mark.slow
def test_crops_of_the_real_clips(name, shared_data):
    one = read_yardstick(name)
    images = cut_crops(shared_data / "video" / one.file, one)
    x1, y1, x2, y2 = one.boxes_xyxy.T
    shapes = np.array([image.shape for image in images])
    np.testing.assert_array_equal(shapes.T[:2], [y2 - y1, x2 - x1])


def test_crops_are_cut_from_their_frames(tmp_path):
    clip = make_video(tmp_path / "clip.mp4", [shade(number) for number in range(1, 7)])
    boxes = np.array([[4, 2, 20, 42], [0, 0, 64, 48], [4, 2, 20, 42]], np.int64)
    one = labelled([0, 1, 0], [1, 2, 1], frames=(5, 2, 2), boxes=boxes)
    one = replace(one, sha256=hashlib.sha256(clip.read_bytes()).hexdigest())
    images = cut_crops(clip, one)
    assert [image.shape for image in images] == [(40, 16, 3), (48, 64, 3), (40, 16, 3)]
    for image, number in zip(images, (5, 2, 2), strict=True):
        assert level(image) == number


def test_another_clip_of_the_same_name(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"something else")
    with pytest.raises(InputError, match=r"clip\.mp4: expected sha256 0{64}, got [0-9a-f]{64}"):
        cut_crops(clip, labelled([0, 1], [1, 2]))


def test_without_the_clips_it_says_where_they_are(tmp_path, capsys):
    assert main(["--clips", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    told = " ".join(shown.err.split())
    assert not shown.out
    assert "vtest.avi: no such clip" in told
    assert "https://github.com/opencv/opencv" in told


def test_perfect_vectors():
    people = [0, 0, 1, 1, 0, 0]
    result = measure(labelled(people, [1, 1, 2, 2, 3, 3]), unit(np.eye(2)[people]))
    assert result.pairs.share == result.pairs.anchors_share == 1
    assert (result.pairs.same, result.pairs.different) == (3, 8)
    assert (result.tracklets.queries, result.tracklets.rank_1) == (2, 1)  # nobody else came back
    assert (result.crops.queries, result.crops.mean_average_precision) == (4, 1)
    assert (result.halves.queries, result.halves.rank_1) == (3, 1)


def test_the_own_tracklet_is_no_match():
    people, tracklets = [0, 0, 1, 1, 0, 0], [1, 1, 2, 2, 3, 3]
    # Tracklets 1 and 3, of one person, are less alike than either is to tracklet 2.
    vectors = unit(np.array([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0]])[np.array(tracklets) - 1])
    result = measure(labelled(people, tracklets), vectors)
    assert result.pairs.share == 1
    assert result.tracklets.rank_1 == result.crops.rank_1 == 0
    assert result.tracklets.mean_average_precision == pytest.approx(1 / 2)
    assert result.crops.mean_average_precision == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_halves_are_halves_of_time_not_of_rows():
    # The crops of person 0 stand backwards; early ones look alike, late ones like person 1's.
    early, late, other = [1, 0, 0], [0, 1, 0], [0, 1, 0.1]
    one = labelled([0, 0, 0, 0, 1, 1], [1, 1, 2, 2, 3, 3], frames=(9, 8, 2, 1, 5, 6))
    result = measure(one, unit([late, late, early, early, other, other]))
    assert result.halves.queries == 3
    assert result.halves.rank_1 == pytest.approx(1)
    swapped = measure(one, unit([late, early, late, early, other, other]))
    assert swapped.halves.rank_1 == pytest.approx(1)
    assert swapped.halves.mean_average_precision < result.halves.mean_average_precision


def test_nobody_comes_back():
    result = measure(labelled([0, 0, 1, 1], [1, 1, 2, 2]), unit(np.eye(2)[[0, 0, 1, 1]]))
    assert result.tracklets is None
    assert result.crops is None
    assert result.halves.rank_1 == 1


@pytest.mark.parametrize("seed", range(3))
def test_pairs_agree_with_counting_them_one_by_one(seed):
    random = np.random.default_rng(seed)
    tracklets = random.integers(1, 7, 30)
    people = tracklets % 3
    vectors = unit(random.normal(size=(30, 4)) + np.eye(4)[people])
    pairs = measure(labelled(people, tracklets.tolist()), vectors).pairs
    scores = vectors @ vectors.T
    wins, anchors = [], []
    for anchor in range(30):
        own = []
        for mate in np.flatnonzero(tracklets == tracklets[anchor]):
            for other in np.flatnonzero(people != people[anchor]):
                if mate != anchor:
                    own.append(scores[anchor, mate] > scores[anchor, other])
        anchors += [np.mean(own)] if own else []
    rows = [(a, b) for a in range(30) for b in range(a)]
    same = [scores[a, b] for a, b in rows if tracklets[a] == tracklets[b]]
    different = [scores[a, b] for a, b in rows if people[a] != people[b]]
    wins = [mine > theirs for mine in same for theirs in different]
    assert (pairs.same, pairs.different) == (len(same), len(different))
    assert pairs.share == pytest.approx(np.mean(wins))
    assert pairs.anchors_share == pytest.approx(np.mean(anchors))


def test_no_pairs_to_compare():
    with pytest.raises(ShapeError, match=r"expected a tracklet of two crops and two people"):
        measure(labelled([0, 0], [1, 1]), unit(np.eye(2)))


def test_vectors_of_something_else():
    with pytest.raises(ShapeError, match=r"expected float32 \(4, D\), got float32 \(3, 2\)"):
        measure(labelled([0, 0, 1, 1], [1, 1, 2, 2]), unit(np.ones((3, 2))))


class FakeEncoder:
    """Knows everybody in order of the crops, or nobody."""

    def __init__(self, name: str) -> None:
        self.name, self.sha256 = name, f"sha256 of {name}"

    def encode(self, images):
        if self.name == "blind":
            return unit(np.ones((len(images), 16)))
        return unit(np.eye(16)[[int(image[0, 0, 0]) for image in images]])


def test_a_table_and_one_document(monkeypatch, capsys, tmp_path):
    def painted(clip, yardstick):
        return [np.full((48, 16, 3), person, np.uint8) for person in yardstick.people]

    monkeypatch.setattr(yardsticks, "cut_crops", painted)
    monkeypatch.setattr(yardsticks, "build_encoder", lambda model, device: FakeEncoder(model))
    assert main(["--model", "knowing,blind", "--clips", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "vtest: 10 people, 28 tracklets, 406 crops; goal: pairs >= 97 %" in shown.err
    document = json.loads(shown.out)
    found = {(one["model"], one["yardstick"]): one for one in document["results"]}
    assert list(found) == [(m, y) for m in ("knowing", "blind") for y in YARDSTICKS]
    knowing, blind = found["knowing", "vtest"], found["blind", "vtest"]
    assert [knowing["reached"], blind["reached"]] == [True, False]
    assert knowing["pairs"]["share"] == knowing["crops"]["rank_1"] == 1
    assert blind["pairs"]["share"] == 0  # equally alike is not more alike
    assert found["knowing", "one-by-one-person-detection"]["tracklets"] is None
