"""Parts of videos, joined."""

from pathlib import Path

import av
import numpy as np
import pytest

from everyid.errors import InputError, OutputError
from everyid.media import VideoWriter
from synthetic.join import join_videos

RATE = 12.5


def frame(number: int) -> np.ndarray:
    """A grey that tells the frame, next to noise that moves."""
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    image = np.roll(image, number, axis=1)
    image[:, :48] = number * 5
    return image


def part(path: Path, frames: range) -> tuple[Path, float]:
    with VideoWriter(path, size_hw=(64, 96), frame_rate=RATE) as writer:
        for number in frames:
            writer.write(frame(number), number / RATE)
    return path, frames.start / RATE


@pytest.fixture
def parts(tmp_path: Path) -> list[tuple[Path, float]]:
    ranges = (range(20), range(20, 40), range(40, 47))
    return [part(tmp_path / f"{number}.mp4", frames) for number, frames in enumerate(ranges)]


def test_all_frames_are_there_at_their_times(parts, tmp_path):
    join_videos(parts, tmp_path / "whole.mp4")
    with av.open(str(tmp_path / "whole.mp4")) as video:
        found = list(video.decode(video=0))
    assert len(found) == 47
    for number, shown in enumerate(found):
        assert shown.time == pytest.approx(number / RATE, abs=1e-4)
        assert shown.to_ndarray(format="gray")[8:56, 8:40].mean() == pytest.approx(
            number * 5, abs=9
        )


def test_the_same_parts_give_the_same_bytes(parts, tmp_path):
    for name in ("one.mp4", "two.mp4"):
        join_videos(parts, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_part_that_is_no_video_is_refused(parts, tmp_path):
    parts[1][0].write_text("no video")
    with pytest.raises(InputError, match=r"1\.mp4: cannot be read as a video"):
        join_videos(parts, tmp_path / "whole.mp4")


def test_a_missing_part_is_refused(parts, tmp_path):
    parts[1][0].unlink()
    with pytest.raises(InputError, match=r"1\.mp4: cannot be read as a video"):
        join_videos(parts, tmp_path / "whole.mp4")


def test_a_missing_folder_is_an_error_of_the_output(parts, tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        join_videos(parts, tmp_path / "nowhere" / "whole.mp4")
