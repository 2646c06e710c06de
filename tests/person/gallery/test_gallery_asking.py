import numpy as np
import pytest

from everyid.errors import InputError
from person.crops import Crops
from person.embeddings import Embeddings
from person.gallery.asking import CALIBRATION, Decider, Inquiry, Strangers, decider_of, tracks_of
from person.gallery.calibration import calibrate
from person.gallery.store import Gallery
from tests.person.gallery.shelves import MODEL, fill
from tests.person.rows import crops, embeddings, unit

GIVEN = Decider(None, 0.8, 0.01, shipped=False)


def learnt(**options):
    rng = np.random.default_rng(0)
    same, different = (
        np.clip(rng.normal(mean, 0.1, 5000), -1, 1).astype(np.float32) for mean in (0.8, 0.1)
    )
    known = {"model": "tiny", "model_sha256": MODEL.sha256, "data": "drawn people"}
    return calibrate(same, different, **(known | options))


def tracked(tracks):
    """Crops of one video with these tracks."""
    count = len(tracks)
    nothing = (None,) * count
    paths = tuple(f"{row}.jpg" for row in range(count))
    return Crops(paths, nothing, nothing, ("hall",) * count, tracks, nothing, nothing)


def test_tracks_in_the_order_they_appear():
    found = tracks_of(tracked((7, None, 3, 7)))
    assert [rows.tolist() for rows in found] == [[0, 3], [2]]
    assert tracks_of(crops("anna ben")) == []


class TestDecider:
    def test_a_threshold_that_was_given(self, tmp_path):
        decider = decider_of(tmp_path, MODEL, threshold=0.5, false_accept_rate=0.01)
        summary = decider.summary(np.arange(100))
        assert (summary.similarity, summary.origin, summary.words) == (0.5, "given", "as given")
        assert decider.probability(0.7) is None

    def test_nothing_to_go_by(self, tmp_path):
        with pytest.raises(InputError, match=r"has no calibration, and none comes with tiny"):
            decider_of(tmp_path, MODEL, threshold=None, false_accept_rate=0.01)

    def test_the_calibration_of_the_gallery(self, tmp_path):
        own = learnt()
        (tmp_path / CALIBRATION).write_text(own.model_dump_json())
        decider = decider_of(tmp_path, MODEL, threshold=None, false_accept_rate=0.1)
        summary = decider.summary(np.arange(10))
        assert summary.origin == "gallery"
        assert summary.similarity == own.threshold(0.1, vectors=10)
        assert "10 % false accepts a question" in summary.words
        assert "extrapolated" not in summary.words
        assert "extrapolated" in decider.summary(np.arange(1_000_000)).words
        assert decider.probability(0.8) > 0.9 > 0.1 > decider.probability(0.1)

    def test_the_calibration_of_another_model(self, tmp_path):
        (tmp_path / CALIBRATION).write_text(learnt(model_sha256="cd" * 32).model_dump_json())
        with pytest.raises(InputError, match=r"expected a calibration of the model"):
            decider_of(tmp_path, MODEL, threshold=None, false_accept_rate=0.1)


class TestInquiry:
    def test_a_track_is_as_near_as_its_crops_are_on_average(self, tmp_path):
        gallery = Gallery.open(fill(tmp_path / "g", "anna ben anna carl"))
        asked = Embeddings(tracked((1, 1, 2)), unit(3, seed=4), "tiny", MODEL.sha256)
        answers, tracks = Inquiry(gallery, GIVEN, people=3).ask(asked)
        assert [one.kind for one in answers] == ["crop"] * 3
        assert [(one.crops, one.track, one.path) for one in tracks] == [
            (2, 1, "0.jpg"),
            (1, 2, "2.jpg"),
        ]
        similarity = asked.vectors[:2] @ gallery.rows.embeddings.vectors.T
        wanted = {
            "anna": similarity[:, [0, 2]].max(axis=1).mean(),
            "ben": similarity[:, 1].mean(),
            "carl": similarity[:, 3].mean(),
        }
        found = {one.name: one.similarity for one in tracks[0].candidates}
        assert found == pytest.approx(wanted, abs=1e-6)
        assert list(found) == sorted(found, key=lambda name: -found[name])
        assert tracks[1].similarity == answers[2].similarity

    def test_known_from_the_threshold_on(self, tmp_path):
        gallery = Gallery.open(fill(tmp_path / "g", "anna ben"))
        asked = embeddings(crops("? ?"), unit(2)[[1, 0]])
        exact = float(Gallery.open(tmp_path / "g").search(asked.vectors)[0][0].similarity)
        answers, _ = Inquiry(gallery, Decider(None, exact, 0.01, shipped=False), 1).ask(asked)
        assert [(one.known, one.name) for one in answers] == [(True, "ben"), (True, "anna")]
        above = Decider(None, exact + 1e-6, 0.01, shipped=False)
        answers, _ = Inquiry(gallery, above, 1).ask(asked)
        assert answers[0].known is False
        assert answers[0].name is None
        assert answers[0].candidates[0].name == "ben"


NOBODY = np.empty(0, np.int64)


class TestStrangers:
    def test_each_once(self):
        a, b = unit(2)
        strangers = Strangers(GIVEN, enrolled=NOBODY)
        assert strangers.place(a[None]) == 0
        assert strangers.place(b[None]) == 1
        assert strangers.place(a[None]) == 0
        assert strangers.place(np.stack([b, b])) == 1
        assert strangers.place(unit(1, seed=9)) == 2

    def test_a_track_with_one_odd_crop_is_somebody_else(self):
        a, b = np.eye(8, dtype=np.float32)[:2]
        strangers = Strangers(GIVEN, enrolled=NOBODY)
        assert strangers.place(a[None]) == 0
        assert strangers.place(np.stack([a, b])) == 1

    def test_more_people_ask_for_more_likeness(self):
        asked = []

        class Told(Decider):
            def threshold(self, whose):
                asked.append((self.false_accept_rate, whose.tolist()))
                return 0.8

        strangers = Strangers(Told(None, None, 0.01, shipped=False), enrolled=np.array([0, 0, 1]))
        for vector in np.eye(8, dtype=np.float32)[:3]:
            strangers.place(vector[None])
        assert asked == [(0.001, [0, 0, 1, 2]), (0.001, [0, 0, 1, 2, 3])]
