"""Tracking that is compared with a truth, as a person at the terminal meets it."""

import os
import re
import signal

import pytest

from everyid.models import TrackingResult, TrackingRun
from everyid.settings import PROJECT_FOLDER
from object import sample, session
from tests.object.scenes import BrightBoxes, at, make_clip, picture, walk

WALKER = [(frame, 1, 20 + 4 * (frame - 1), 100, 40, 80) for frame in range(1, 51)]
"""Who is in the walker's clip: 50 frames; the tracker begins with the third."""


def truth_file(path, rows=WALKER):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + ",1,1,1\n" for row in rows))
    return path


@pytest.fixture
def truth(tmp_path):
    return truth_file(tmp_path / "truth.txt")


@pytest.fixture
def scored(track, walker, truth, tmp_path):
    """Runs tracking of the walker with its truth; the summary, and what was said."""

    def run(*words, source=walker, file=truth):
        named = () if file is None else ("--truth", file)
        folder = tmp_path / "out"
        done = track(
            *("-s", source, "-o", folder, "--save", "csv,json", "--overwrite", "--json"),
            *(*named, *words),
        )
        assert done.code == 0, done.err
        return TrackingRun.model_validate_json(done.out).sources[0].summary, done.err

    return run


def test_scores_as_text(track, walker, truth, tmp_path):
    done = track("-s", walker, "-o", tmp_path / "out", "--save", "csv", "--truth", truth)
    assert done.code == 0
    lines = done.out.splitlines()
    assert re.fullmatch(
        r"  scores   HOTA 9\d\.\d, IDF1 98\.0, MOTA 96\.0 %, 0 id switches "
        rf"against 1 person of the truth \({re.escape(str(truth))}\)",
        lines[2],
    )
    assert f"{walker} is compared with the truth in {truth}" in done.err
    assert "together" not in done.out


def test_scores_as_json(scored, tmp_path, truth):
    summary, _ = scored()
    scores = summary.scores
    assert scores.truth == [truth]
    assert (scores.frames, scores.people, scores.boxes) == (50, 1, 50)
    assert (scores.misses, scores.false_positives, scores.id_switches) == (2, 0, 0)
    assert scores.mota == pytest.approx(0.96)
    assert scores.idf1 == pytest.approx(2 * 48 / 98)
    assert scores.detection_accuracy > 0.85
    assert scores.association_accuracy > 0.85
    assert scores.localisation_accuracy > 0.9
    assert not scores.partial
    assert summary.warnings == []
    file = TrackingResult.model_validate_json((tmp_path / "out" / "walker.json").read_text())
    assert file.summary.scores == scores


def test_no_truth_no_scores(scored):
    summary, told = scored(file=None)
    assert summary.scores is None
    assert "truth" not in told


def test_the_truth_beside_the_video_is_found(scored, tmp_path):
    clip = make_clip(tmp_path / "gate.mp4", walk, seconds=0.6)
    beside = truth_file(tmp_path / "gate" / "gt" / "gt.txt", WALKER[:15])
    summary, told = scored(source=clip, file=None)
    assert summary.scores.truth == [beside]
    assert summary.scores.boxes == 15
    assert f"{clip} is compared with the truth in {beside}" in told


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        (("--every", 2), 25),
        (("--start", 1), 25),
        (("--end", 0.8), 20),
        (("--max-frames", 12), 12),
        (("--start", 0.4, "--every", 3, "--max-frames", 5), 5),
    ],
)
def test_only_frames_that_were_looked_at_are_scored(scored, words, frames):
    summary, _ = scored(*words)
    scores = summary.scores
    assert (scores.frames, scores.boxes, scores.partial) == (frames, frames, True)
    assert (scores.misses, scores.false_positives) == (2, 0)
    assert scores.localisation_accuracy > 0.9  # the frames of truth and tracks are the same ones
    assert summary.warnings == []


def test_a_part_is_said_to_be_one(track, walker, truth):
    done = track("-s", walker, "--save", "csv", "--truth", truth, "--max-frames", 12)
    assert done.out.splitlines()[2].endswith(f"({truth}), in the 12 frames looked at")


def test_other_classes_are_not_compared(scored, track, walker, truth, tmp_path):
    def crossing(time_s):
        x = 20 + 100 * time_s
        return picture([at(x, 100)], cars=[at(300 - x, 20, 60, 40)])

    clip = make_clip(tmp_path / "street.mp4", crossing)
    summary, _ = scored("--classes", "all", source=clip)
    assert summary.tracks == {"person": 1, "car": 1}
    assert summary.scores.false_positives == 0
    done = track("-s", clip, "--save", "csv", "--truth", truth, "--classes", "car")
    assert done.code == 0
    assert done.err.count("truth") == 1
    assert "no scores: a truth is of people" in done.err
    assert "HOTA" not in done.out


def test_a_truth_that_goes_beyond_the_video(scored, tmp_path):
    longer = truth_file(
        tmp_path / "longer.txt", [*WALKER, *((frame, 1, 9, 9, 9, 9) for frame in range(51, 81))]
    )
    summary, told = scored(file=longer)
    message = f"{longer}: the truth goes up to frame 80, the video has about 50 frames"
    assert message in told
    assert summary.warnings[0].startswith(message)
    assert (summary.scores.boxes, summary.scores.partial) == (50, True)


@pytest.mark.parametrize("rows", [WALKER[40:], [(9, 1, 0, 0, 9, 9, 0)]])
def test_a_truth_without_people_in_the_frames_looked_at(scored, tmp_path, rows):
    file = truth_file(tmp_path / "later.txt", rows)
    summary, told = scored("--max-frames", 10, file=file)
    assert summary.scores is None
    message = f"{file}: the truth has no person in the 10 frames that were looked at: no scores"
    assert summary.warnings == [message]
    assert f"warning: {message}" in told


def test_several_sources_are_scored_together(track, tmp_path):
    clips = [make_clip(tmp_path / f"{name}.mp4", walk, seconds=0.8) for name in "abc"]
    for clip in clips[:2]:
        truth_file(tmp_path / clip.stem / "gt" / "gt.txt", WALKER[:20])
    words = [word for clip in clips for word in ("-s", clip)]
    done = track(*words, "--save", "csv", "--json")
    run = TrackingRun.model_validate_json(done.out)
    assert [one.summary.scores is not None for one in run.sources] == [True, True, False]
    assert (run.scores.boxes, run.scores.people, run.scores.misses) == (40, 2, 4)
    assert run.scores.truth == [tmp_path / name / "gt" / "gt.txt" for name in "ab"]
    text = track(*words, "--save", "csv").out
    assert len(re.findall("^  scores   HOTA", text, re.MULTILINE)) == 2
    assert re.search(r"^together HOTA .* against 2 people of the truth", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("content", "message"),
    [("1,1,0,0\n", r"truth\.txt, line 1: expected frame,id,"), (None, "no such file or folder")],
)
def test_a_named_truth_that_cannot_be_used(track, bright_boxes, walker, tmp_path, content, message):
    file = tmp_path / "truth.txt"
    if content is not None:
        file.write_text(content)
    done = track("-s", walker, "--truth", file)
    assert (done.code, done.out) == (1, "")
    assert len(done.errors) == 1
    assert re.search(message, done.errors[0])
    assert bright_boxes == []  # noticed before a model was opened
    assert not (tmp_path / "results").exists()


def test_a_named_truth_of_several_sources(track, walker, truth, tmp_path):
    other = make_clip(tmp_path / "other.mp4", walk, seconds=0.2)
    done = track("-s", walker, "-s", other, "--truth", truth)
    assert (done.code, done.out) == (1, "")
    assert done.errors == ["error: --truth: expected one source that it is the truth of, got 2"]


def test_a_damaged_truth_beside_a_video_does_not_stop_tracking(scored, tmp_path):
    clip = make_clip(tmp_path / "gate.mp4", walk, seconds=0.4)
    beside = tmp_path / "gate" / "gt" / "gt.txt"
    beside.parent.mkdir(parents=True)
    beside.write_text("1,1\n")
    summary, told = scored(source=clip, file=None)
    assert summary.scores is None
    assert summary.people == 1
    assert f"warning: no scores of {clip}: {beside}, line 1: expected" in told


class PressesCtrlC(BrightBoxes):
    """Ctrl-C comes while it looks at the 20th image."""

    parallel_calls = 1
    seen = 0

    def detect(self, images):
        self.seen += len(images)
        if self.seen == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return super().detect(images)


def test_an_interrupted_run_is_scored_as_far_as_it_came(
    everyid, monkeypatch, walker, truth, tmp_path
):
    monkeypatch.setattr(
        session, "open_detector", lambda _, *, device, options: PressesCtrlC(options)
    )
    words = ("-s", walker, "-o", tmp_path / "out", "--save", "csv", "--batch-size", 1)
    done = everyid("object", "tracking", *words, "--truth", truth, "--json")
    assert done.code == 130
    summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert summary.interrupted
    assert 0 < summary.frames < 50
    assert (summary.scores.frames, summary.scores.boxes) == (summary.frames, summary.frames)
    assert summary.scores.partial


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A drawn clip with its truth in place of the sample clip."""
    clip = make_clip(tmp_path / "site" / "camera-1.mp4", walk, seconds=0.6)
    truth_file(tmp_path / "site" / "camera-1" / "gt" / "gt.txt", WALKER[:15])
    monkeypatch.setattr(sample, "_CLIP", clip)
    return clip


def test_without_a_source_the_sample_clip_is_tracked_and_scored(track, site):
    done = track("--save", "csv", "--json")
    assert done.code == 0
    summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert summary.source == str(site)
    assert (summary.scores.boxes, summary.scores.misses) == (15, 2)


def test_without_a_source_video_looks_at_the_sample_clip(video, site):
    done = video("--save", "csv")
    assert done.code == 0
    assert done.out.startswith(f"{site}: 15 frames")


@pytest.mark.parametrize("command", ["video", "tracking"])
def test_no_source_and_no_sample_clip(everyid, bright_boxes, monkeypatch, tmp_path, command):
    monkeypatch.setattr(sample, "_CLIP", tmp_path / "camera-1.mp4")
    done = everyid("object", command)
    assert (done.code, done.out) == (1, "")
    assert done.errors == [f"error: {tmp_path / 'camera-1.mp4'}: the sample clip is missing"]
    assert done.hints == ["hint: name your own footage with --source"]
    assert bright_boxes == []


@pytest.mark.slow
@pytest.mark.usefixtures("default_weights")
def test_people_in_the_sample_clip(everyid, tmp_path):
    clip = PROJECT_FOLDER / "tests/data/site/camera-1.mp4"
    done = everyid("object", "tracking", "-o", tmp_path / "out", "--save", "csv", "--json")
    assert done.code == 0
    summary = TrackingRun.model_validate_json(done.out).sources[0].summary
    assert summary.source == str(clip)
    assert summary.warnings == []
    assert not summary.scores.partial
    assert summary.scores.frames == summary.frames
    assert summary.scores.hota > 0.7
