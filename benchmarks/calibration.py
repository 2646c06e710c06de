"""``python -m benchmarks.calibration``: the calibration that is shipped with a network.

It is learnt from synthetic people the network has not seen, and, where ``--tracklets`` are given,
raised by real ones: at each rate the higher of both similarities counts. Tracks that are there at
once show different people, under one camera; nobody has to say who they are.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from everyid.device import choose
from everyid.errors import EveryIDError, InputError
from everyid.output import Stop, progress, report, whole_file
from person.crops import Crops, find_crops
from person.embed import embed_crops
from person.embeddings import Embeddings, read_embeddings
from person.encoder import NetworkEncoder, build_encoder
from person.gallery.calibration import Calibration, calibrate
from person.gallery.pairs import pairs_of_labels, pairs_of_tracklets
from person.gallery.roc import draw_roc
from person.names import read_name

__all__ = ["learn", "main", "read_people", "read_tracks", "upper"]

_FRAMES_APART = 10
"""Of the short clips that tracks are taken from, some of a few frames a second."""
_VECTOR_FILES = (".parquet", ".npz")

Floats = NDArray[np.float32]


def read_people(source: Path, encoder: NetworkEncoder) -> Embeddings:
    """The vectors of a set of people.

    Args:
        source: A folder or list of labelled crops, or a file of their embeddings.
        encoder: The network.

    Raises:
        EveryIDError: It cannot be used, or the embeddings are of another network.
    """
    if source.suffix not in _VECTOR_FILES:
        return _embedded(find_crops([source]), encoder)
    found = read_embeddings(source)
    if found.model_sha256 != encoder.sha256:
        raise InputError(f"{source}: expected embeddings of {encoder.name}, got {found.model}")
    return found


def learn(sets: Sequence[Embeddings], tracks: Embeddings | None, *, names: str) -> Calibration:
    """A calibration from labelled people, raised by tracks.

    Different pairs are of two people of one set: who asks is mostly where the enrolled are, and
    people of two sets, with other places and light, are less alike.

    Args:
        sets: Labelled crops of one network.
        tracks: Crops of tracks of the same network, or None.
        names: Who they are, in words.

    Raises:
        InputError: There are no such pairs.
    """
    parts = [pairs_of_labels(one) for one in sets]
    different = np.concatenate([part.different for part in parts])
    people = sum(part.people for part in parts)
    data = f"{names}: {people:,} people, {parts[0].words}"
    if tracks is not None:
        seen = pairs_of_tracklets(tracks, frames_apart=_FRAMES_APART)
        different = upper(different, seen.different)
        data += (
            f"; different pairs as alike as {seen.people_pairs} pairs of tracks that are there at "
            f"once in real clips, where these are more alike"
        )
    return calibrate(
        np.concatenate([part.same for part in parts]),
        different,
        model=sets[0].model,
        model_sha256=sets[0].model_sha256,
        data=data,
        people=people,
        people_pairs=sum(part.people_pairs for part in parts),
    )


def upper(different: Floats, others: Floats) -> Floats:
    """float32 (P,), rising: at each rate the higher of the similarities of two kinds of pairs.

    Args:
        different: float32 (P,), the larger set.
        others: float32 (R,).
    """
    ours = np.sort(different)
    rates = (np.arange(len(ours)) + 0.5) / len(ours)
    theirs = np.quantile(others, rates, method="inverted_cdf")
    return np.maximum(ours, theirs.astype(np.float32))


def read_tracks(folder: Path, encoder: NetworkEncoder) -> Embeddings:
    """The vectors of a folder STEM/TRACK/FRAME of crops of tracks, or of a file of such.

    Args:
        folder: It need not be called ``crops``.
        encoder: The network.

    Raises:
        EveryIDError: It cannot be used.
    """
    if folder.suffix in _VECTOR_FILES:
        return read_people(folder, encoder)
    found = find_crops([folder])
    names = [read_name(f"crops/{Path(path).relative_to(folder)}") for path in found.paths]
    crops = replace(
        found,
        videos=tuple(name.video for name in names),
        tracks=tuple(name.track for name in names),
        frames=tuple(name.frame for name in names),
    )
    return _embedded(crops, encoder)


def _embedded(crops: Crops, encoder: NetworkEncoder) -> Embeddings:
    with progress("embedding", len(crops)) as advance:
        return embed_crops(crops, encoder, skipped={}, stop=Stop(), advance=advance)


def main(arguments: list[str]) -> int:
    """Learns a calibration and writes it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration")
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled crops")
    parser.add_argument("--tracklets", type=Path, help="a folder STEM/TRACK/FRAME of real tracks")
    parser.add_argument("--called", help="who they are, in words; default: the names of the data")
    parser.add_argument("--model", default="everyid-cnn")
    parser.add_argument("--output", type=Path, required=True, help="NAME.calibration.json")
    parser.add_argument("--picture", type=Path, help="its ROC, a PNG")
    options = parser.parse_args(arguments)
    try:
        # fp32, as galleries on machines without bf16 have it; bf16 moves similarities by 0.002
        encoder = build_encoder(options.model, device=choose("auto", precision="fp32"))
        sets = [read_people(source, encoder) for source in options.data]
        tracks = None if options.tracklets is None else read_tracks(options.tracklets, encoder)
        names = options.called or " and ".join(source.stem for source in options.data)
        found = learn(sets, tracks, names=names)
        with whole_file(options.output, overwrite=True) as part:
            part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if options.picture is not None:
            draw_roc(options.picture, found, overwrite=True)
    except EveryIDError as error:
        report(error)
        return 1
    sys.stdout.write(f"{options.output}: {found.data}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
