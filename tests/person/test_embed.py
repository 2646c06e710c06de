"""Embedding: right rows in the right order, bad pictures told, bounded memory, an early stop."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from everyid.device import Device
from everyid.errors import InputError, WeightsError
from everyid.media import read_image
from everyid.output import Stop
from everyid.settings import settings
from person import embed
from person.crops import find_crops
from person.embed import embed_crops
from person.encoder import build_encoder
from tests.person.people import (
    UNUSABLE,
    bad_pictures,
    cells,
    colour_onnx,
    figure,
    id_folders,
    market,
    save,
)

CPU = Device(kind="cpu", index=0, precision="fp32", threads=2, name="test")


class MeanColours:
    """An encoder of the mean colour of each quarter's height, that counts what it is given."""

    name, sha256, width = "colours", "00" * 32, 12

    def __init__(self, batch_size=4, parallel_calls=2):
        self.batch_size, self.parallel_calls = batch_size, parallel_calls
        self.batches = []
        self.prepared = self.encoded = self.most_waiting = 0
        self.lock = threading.Lock()

    def prepare(self, crop):
        with self.lock:
            self.prepared += 1
            self.most_waiting = max(self.most_waiting, self.prepared - self.encoded)
        rows = np.linspace(0, len(crop) - 1, 16).astype(int)
        columns = np.linspace(0, crop.shape[1] - 1, 8).astype(int)
        return crop[rows][:, columns]

    def encode_prepared(self, batch):
        with self.lock:
            self.batches.append(len(batch))
            self.encoded += len(batch)
        means = batch.reshape(len(batch), 4, 4, 8, 3).mean((2, 3)).reshape(len(batch), 12) + 1
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)

    def alone(self, path):
        return MeanColours().encode_prepared(self.prepare(read_image(path))[None])[0]


class Counter:
    """An ``advance`` that adds up."""

    def __init__(self):
        self.steps = 0

    def __call__(self, steps=1, *, total=None):
        self.steps += steps


def run(crops, encoder, stop=None):
    skipped, advance = {}, Counter()
    done = embed_crops(crops, encoder, skipped=skipped, stop=stop or Stop(), advance=advance)
    return done, skipped, advance.steps


@pytest.mark.parametrize(("batch_size", "parallel_calls"), [(1, 1), (4, 2), (5, 3), (64, 1)])
def test_rows_are_those_of_the_crops_in_order(tmp_path, batch_size, parallel_calls):
    crops = find_crops([id_folders(tmp_path, identities=7, views=3)])
    encoder = MeanColours(batch_size, parallel_calls)
    done, skipped, steps = run(crops, encoder)
    assert done.crops == crops
    expected = np.array([encoder.alone(Path(path)) for path in crops.paths])
    assert np.array_equal(done.vectors, expected)
    assert (done.model, done.model_sha256) == ("colours", "00" * 32)
    assert skipped == {}
    assert steps == len(crops) == 21
    assert sum(encoder.batches) == 21
    assert max(encoder.batches) <= batch_size


def test_bad_pictures_are_told_and_left_out(tmp_path):
    id_folders(tmp_path / "p", identities=2)
    paths = bad_pictures(tmp_path / "p" / "odd")
    crops = find_crops([tmp_path / "p"])
    done, skipped, steps = run(crops, MeanColours(3))
    assert {Path(path).name for path in skipped} == set(UNUSABLE)
    assert list(done.crops.paths) == [path for path in crops.paths if path not in skipped]
    assert steps == len(crops)
    reasons = {Path(path).name: reason for path, reason in skipped.items()}
    assert reasons["tiny.png"] == f"{paths['tiny.png']}: 1x1 px are too few to show a person"
    assert "not an image that can be decoded" in reasons["text.jpg"]
    assert "damaged" in reasons["truncated.jpg"]
    assert set(paths) - set(UNUSABLE) <= {Path(path).name for path in done.crops.paths}
    assert len(done) == 4 + 5


def test_odd_pictures_look_as_they_should(tmp_path):
    paths = bad_pictures(tmp_path)
    upright = figure(1)
    assert np.array_equal(read_image(paths["rotated.png"]), upright)
    grey = read_image(paths["sixteen_bit.png"])
    assert grey.shape == upright.shape
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert (read_image(paths["alpha.png"]).astype(int) >= upright // 2).all()
    assert np.abs(read_image(paths["cmyk.jpg"]).astype(int) - upright).mean() < 12
    assert read_image(paths["wide.png"]).shape == (40, 20_000, 3)


def test_files_that_vanish_are_told(tmp_path):
    crops = find_crops([id_folders(tmp_path, identities=2)])
    Path(crops.paths[1]).unlink()
    done, skipped, _ = run(crops, MeanColours())
    assert skipped == {crops.paths[1]: f"{crops.paths[1]}: no such file or folder"}
    assert done.crops == crops.select(np.array([0, 2, 3]))


def test_one_bad_picture_says_why(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(InputError, match="not an image that can be decoded"):
        run(find_crops([path]), MeanColours())


def test_nothing_but_bad_pictures_is_an_error(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.jpg").touch()
    crops = find_crops([tmp_path])
    with pytest.raises(
        InputError, match=r"none of the 20 pictures can be used; the first: .*0\.jpg"
    ):
        run(crops, MeanColours())
    with pytest.raises(InputError, match="expected crops to embed, got none"):
        run(crops.select(np.zeros(20, bool)), MeanColours())


def test_only_a_few_batches_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "cpu_threads", lambda: 2)
    save(tmp_path / "a.png", figure(1))
    crops = find_crops([tmp_path]).select(np.zeros(400, np.intp))

    class Slow(MeanColours):
        def encode_prepared(self, batch):
            time.sleep(0.001)
            return super().encode_prepared(batch)

    encoder = Slow(batch_size=8, parallel_calls=1)
    done, _, _ = run(crops, encoder)
    assert len(done) == 400
    # Two threads and two batches of eight are decoded ahead, two batches wait for the network.
    assert encoder.most_waiting <= 8 * (2 + 2) + 8 * (1 + 2)


def test_a_stop_gives_what_is_done(tmp_path):
    save(tmp_path / "a.png", figure(1))
    crops = find_crops([tmp_path]).select(np.zeros(300, np.intp))
    stop = Stop()

    class Stopping(MeanColours):
        def encode_prepared(self, batch):
            stop.requested = stop.requested or self.encoded >= 40
            return super().encode_prepared(batch)

    encoder = Stopping()
    done, _, steps = run(crops, encoder, stop)
    assert 40 <= len(done) == steps == encoder.encoded < 100
    assert done.crops == crops.select(np.arange(len(done)))


def test_a_stop_at_once_gives_nothing(tmp_path):
    stop = Stop()
    stop.requested = True
    done, skipped, steps = run(find_crops([id_folders(tmp_path)]), MeanColours(), stop)
    assert (len(done), skipped, steps) == (0, {}, 0)
    assert done.vectors.shape == (0, 12)


def test_errors_of_the_network_come_through_and_threads_end(tmp_path):
    class Broken(MeanColours):
        def encode_prepared(self, batch):
            raise WeightsError("the network gave no embedding")

    crops = find_crops([id_folders(tmp_path, identities=9)])
    with pytest.raises(WeightsError, match="the network gave no embedding"):
        run(crops, Broken())
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("decode", "encode"))]


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """The encoder that tells drawn people by colour."""
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERYID_CACHE", str(folder))
        settings.cache_clear()
        return build_encoder(str(colour_onnx(folder / "colours.onnx")), device=CPU)


def test_the_network_of_the_tests_sees_the_cells(tmp_path, colours):
    path = save(tmp_path / "a.png", figure(3))
    done, _, _ = run(find_crops([path]), colours)
    common = np.mean([cells(figure(number)) for number in range(1, 30)], axis=0)
    expected = cells(figure(3)) - common
    assert float(done.vectors[0] @ expected) / np.linalg.norm(expected) > 0.999


def test_drawn_people_are_told_apart_across_cameras(tmp_path, colours):
    market(tmp_path, identities=6, cameras=3, views=2)
    query, _, _ = run(find_crops([tmp_path / "query"]), colours)
    gallery, _, _ = run(find_crops([tmp_path / "bounding_box_test"]), colours)
    cameras, identities = np.array(gallery.crops.cameras), np.array(gallery.crops.identities)
    hits = 0
    for row, vector in enumerate(query.vectors):
        similarity = np.where(cameras == query.crops.cameras[row], -2.0, gallery.vectors @ vector)
        hits += identities[similarity.argmax()] == query.crops.identities[row]
    assert len(query) == 18
    assert hits >= 17
