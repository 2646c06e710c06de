"""Parts of one video, encoded apart, put together without encoding again."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

from everyid.errors import InputError
from everyid.output import writing

__all__ = ["join_videos"]

_TICKS = 90_000


def join_videos(parts: Sequence[tuple[Path, float]], path: Path) -> None:
    """Writes one MP4 of the packets of several, which one encoder made with the same settings.

    Args:
        parts: Each with the second at which it begins, in order; each begins with a key frame.
        path: The file; replaced if it is there.

    Raises:
        InputError: A part is missing or no video.
        OutputError: The file cannot be written.
    """
    options = {"movflags": "+faststart", "video_track_timescale": str(_TICKS)}
    with writing(path), av.open(str(path.absolute()), "w", format="mp4", options=options) as joined:
        stream = None
        for part, start_s in parts:
            try:
                source = av.open(str(part.absolute()))
            except av.FFmpegError as error:
                raise InputError(f"{part}: cannot be read as a video: {error}") from error
            with source:
                video = source.streams.video[0]
                if stream is None:
                    stream = joined.add_stream_from_template(video)
                    stream.time_base = Fraction(1, _TICKS)
                shift = round(start_s * _TICKS)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:  # the end of the part
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    joined.mux(packet)
