"""Which pairs are compared, and the share of right comparisons, against slow twins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everyid.errors import InputError
from everyid.output import Stop
from person.training.separation import pair_similarities, separation, thinned
from person.verification import RESOLUTION, verify_pairs
from tests.person.people import save
from tests.person.training.test_sightings import sightings

similarities = st.lists(st.integers(-5, 5).map(lambda tenth: tenth / 5), min_size=1, max_size=12)


class Brightness:
    """Knows crops by how bright they are."""

    name, sha256, width, batch_size, parallel_calls = "brightness", "", 2, 4, 1

    def prepare(self, crop):
        return crop[:8, :8]

    def encode_prepared(self, batch):
        angle = batch.reshape(len(batch), -1).mean(1) / 255
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@settings(max_examples=20)
@given(similarities, similarities)
def test_the_share_of_right_comparisons_is_counted_pair_by_pair(same, different):
    found = verify_pairs(np.array(same, np.float32), np.array(different, np.float32))
    right = [(one > other) + (one == other) / 2 for one in same for other in different]
    assert found.auc == pytest.approx(np.mean(right), abs=RESOLUTION)
    assert (found.same_count, found.different_count) == (len(same), len(different))


def test_only_pairs_of_one_track_and_of_two_in_view_at_once_are_compared():
    found = sightings([[1, 2, 3], [1, 2], [9]], together=[(0, 1)])
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same, different = pair_similarities(vectors, found)
    scores = vectors @ vectors.T
    assert sorted(same) == pytest.approx(sorted(scores[[0, 0, 1, 3], [1, 2, 2, 4]]), abs=1e-6)
    wanted = [scores[one, other] for one in (0, 1, 2) for other in (3, 4)]
    assert sorted(different) == pytest.approx(sorted(wanted), abs=1e-6)


def test_long_tracks_are_thinned_evenly():
    found = thinned(sightings([[*range(21)], [1, 2]]), per_track=3)
    assert found.frames.tolist() == [0, 10, 20, 1, 2]


def drawn(folder, levels):
    """Sightings of two people in view at once, in pictures of these grey levels."""
    frames = [[*range(len(mine))] for mine in levels]
    found = sightings(frames, together=[(0, 1)])
    paths = []
    for track, mine in enumerate(levels):
        for frame, level in enumerate(mine):
            path = folder / str(track) / f"{frame}.png"
            paths.append(str(save(path, np.full((16, 8, 3), level, np.uint8))))
    object.__setattr__(found, "paths", tuple(paths))
    return found


def test_a_network_that_tells_two_people_apart_makes_no_mistake(tmp_path):
    found = separation(
        Brightness(), drawn(tmp_path, [[10, 20], [200, 210]]), skipped={}, stop=Stop()
    )
    assert (found.auc, found.eer) == (1, 0)


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path):
    people = drawn(tmp_path, [[10, 20, 30], [200, 210]])
    (tmp_path / "0/2.png").write_bytes(b"no picture")
    skipped = {}
    found = separation(Brightness(), people, skipped=skipped, stop=Stop())
    assert list(skipped) == [str(tmp_path / "0/2.png")]
    assert (found.same_count, found.different_count) == (2, 4)


def test_too_few_readable_pictures_are_refused(tmp_path):
    people = drawn(tmp_path, [[10, 20], [200]])
    (tmp_path / "1/0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"nothing can be measured: 1 of 3 pictures"):
        separation(Brightness(), people, skipped={}, stop=Stop())


def test_a_stop_gives_no_figures(tmp_path):
    stop = Stop()
    stop.requested = True
    people = drawn(tmp_path, [[10, 20], [200, 210]])
    assert separation(Brightness(), people, skipped={}, stop=stop) is None
