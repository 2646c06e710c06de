"""``person gallery identify``: who crops show, or that nobody knows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from everyid.output import (
    Stop,
    notice,
    progress,
    refuse_existing,
    result_folder,
    stoppable,
    whole_file,
    writing,
)
from person.gallery.asking import Decider, Inquiry, Strangers, decider_of, tracks_of
from person.gallery.changes import Change, changing
from person.gallery.config import IdentifyConfig
from person.gallery.enrol import Enroller
from person.gallery.gathering import Gathered, Gatherer, decoded, same_model
from person.gallery.head import is_gallery, read_head
from person.gallery.pictures import draw_answer
from person.gallery.records import Answer, GalleryModel, ThresholdSummary
from person.gallery.results import IdentifyRun
from person.gallery.store import Gallery
from person.pictures import query_name

__all__ = ["run_identify"]


_FILES = {"sheets": "answers", "csv": "answers.csv"}
_COLUMNS = (
    *("kind", "path", "crops", "camera", "video", "track", "known", "name", "similarity"),
    *("probability", "remembered"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What came of asking.

    Args:
        gallery: What was asked.
        threshold: How it was come by.
        answers: One a crop.
        tracks: One a track.
        drawn: The answers that are drawn, each with the row of the crop that is shown.
        pictures: Row of the gallery -> its thumbnail.
    """

    gallery: Gallery
    threshold: ThresholdSummary
    answers: list[Answer]
    tracks: list[Answer]
    drawn: list[tuple[int, Answer]]
    pictures: dict[int, bytes | None]


def run_identify(config: IdentifyConfig) -> IdentifyRun:
    """Says who crops show, and enrols those whom nobody knows where that is wanted.

    Raises:
        EveryIDError: A source, the model, the gallery or the output cannot be used, or nothing
            says which similarity means the same person.
        KeyboardInterrupt: Ctrl-C came before the first crop was embedded; or, where unknown people
            are remembered, before the last one was.
    """
    model = None
    if is_gallery(config.gallery) or not config.remember:
        model = read_head(config.gallery).model
        _decider(config, model)  # what is missing is told before the long work
    with stoppable() as stop, result_folder(config.output, "person", "identify") as folder:
        for name in config.save:
            refuse_existing(folder / _FILES[name], overwrite=config.overwrite)
        gatherer = Gatherer(config, model, stop)
        found = gatherer.gather(config.sources)
        if stop.requested and config.remember:
            notice("interrupted before all crops were embedded: nobody is remembered")
            raise KeyboardInterrupt
        asked = (
            _remembering(found, config, gatherer) if config.remember else _reading(found, config)
        )
        outputs = _write(asked, found, folder, config, stop)
        return IdentifyRun(
            gallery=config.gallery,
            output=folder,
            model=gatherer.session.summary(found.embeddings),
            people=len(asked.gallery.names),
            vectors=len(asked.gallery),
            threshold=asked.threshold,
            crops=len(asked.answers),
            known=sum(one.known for one in asked.answers),
            remembered=sorted({one.remembered for one in asked.answers if one.remembered}),
            answers=asked.answers,
            tracks=asked.tracks,
            outputs=outputs,
            skipped=gatherer.skipped,
            interrupted=stop.requested,
        )


def _decider(config: IdentifyConfig, model: GalleryModel) -> Decider:
    return decider_of(
        config.gallery,
        model,
        threshold=config.threshold,
        false_accept_rate=config.false_accept_rate,
    )


def _reading(found: Gathered, config: IdentifyConfig) -> _Asked:
    """Asks the gallery as it is now."""
    inquiry = _inquiry(Gallery.open(config.gallery), found, config)
    return _asked(inquiry, *inquiry.ask(found.embeddings), found, config)


def _remembering(found: Gathered, config: IdentifyConfig, gatherer: Gatherer) -> _Asked:
    """Asks the gallery while nobody else changes it, and enrols whom it does not know."""
    with changing(config.gallery, create_for=gatherer.model_of(found.embeddings)) as change:
        inquiry = _inquiry(change.gallery, found, config)
        answers, tracks = inquiry.ask(found.embeddings)
        names = _remember(change, found, answers, tracks, inquiry.decider, keep=config.keep)
        answers = [
            one.model_copy(update={"remembered": names.get(row)}) for row, one in enumerate(answers)
        ]
        firsts = [int(rows[0]) for rows in tracks_of(found.embeddings.crops)]
        tracks = [
            one.model_copy(update={"remembered": names.get(row)})
            for row, one in zip(firsts, tracks, strict=True)
        ]
        return _asked(inquiry, answers, tracks, found, config)


def _inquiry(gallery: Gallery, found: Gathered, config: IdentifyConfig) -> Inquiry:
    model, made = gallery.head.model, found.embeddings
    same_model(config.gallery, model, made.model, made.model_sha256)
    return Inquiry(gallery, _decider(config, model), config.top_k)


def _remember(
    change: Change,
    found: Gathered,
    answers: Sequence[Answer],
    tracks: Sequence[Answer],
    decider: Decider,
    *,
    keep: int,
) -> dict[int, str]:
    """Row of a crop -> the new name that it was enrolled under.

    A track is one person, by its own answer; other crops are taken one by one.
    """
    vectors, crops = found.embeddings.vectors, found.embeddings.crops
    whole = tracks_of(crops)
    units = [(rows, one) for rows, one in zip(whole, tracks, strict=True)]
    units += [
        (np.array([row]), one) for row, one in enumerate(answers) if crops.tracks[row] is None
    ]
    units.sort(key=lambda unit: int(unit[0][0]))
    strangers = Strangers(decider, change.gallery.groups)
    people: dict[int, list[NDArray[np.intp]]] = {}
    for rows, one in units:
        if not one.known:
            people.setdefault(strangers.place(vectors[rows]), []).append(rows)
    enroller = Enroller(change, found, keep=keep)
    names: dict[int, str] = {}
    for several in people.values():
        rows, name = np.sort(np.concatenate(several)), change.anonymous()
        enroller.add(name, rows)
        names |= dict.fromkeys(rows.tolist(), name)
    enroller.finish()
    return names


def _asked(
    inquiry: Inquiry,
    answers: list[Answer],
    tracks: list[Answer],
    found: Gathered,
    config: IdentifyConfig,
) -> _Asked:
    """The answers with what their pictures need, read before the gallery changes."""
    crops, gallery = found.embeddings.crops, inquiry.gallery
    # somebody who comes into view is whole in the middle of the track rather than at its start
    drawn = [
        (int(rows[len(rows) // 2]), one) for rows, one in zip(tracks_of(crops), tracks, strict=True)
    ]
    drawn += [(row, one) for row, one in enumerate(answers) if crops.tracks[row] is None]
    drawn.sort(key=lambda pair: pair[0])
    drawn = drawn[: config.pictures] if "sheets" in config.save else []
    rows = sorted({near.row for _, one in drawn for near in one.candidates})
    return _Asked(
        gallery=gallery,
        threshold=inquiry.decider.summary(gallery.groups),
        answers=answers,
        tracks=tracks,
        drawn=drawn,
        pictures=dict(zip(rows, gallery.thumbnails(rows), strict=True)),
    )


def _write(
    asked: _Asked, found: Gathered, folder: Path, config: IdentifyConfig, stop: Stop
) -> dict[str, Path]:
    """Format -> file or folder."""
    outputs: dict[str, Path] = {}
    if "csv" in config.save:
        outputs["csv"] = folder / _FILES["csv"]
        with whole_file(outputs["csv"], overwrite=config.overwrite) as part:
            pyarrow.csv.write_csv(_table([*asked.answers, *asked.tracks]), part)
    if asked.drawn:
        outputs["sheets"] = folder / _FILES["sheets"]
        _write_pictures(asked, found, outputs["sheets"], overwrite=config.overwrite, stop=stop)
    return outputs


def _table(answers: Sequence[Answer]) -> pa.Table:
    """A row an answer; the second nearest person beside the nearest."""
    columns: dict[str, list[object]] = {
        name: [getattr(one, name) for one in answers] for name in _COLUMNS
    }
    for place, which in enumerate(("nearest", "second")):
        near = [one.candidates[place] if len(one.candidates) > place else None for one in answers]
        columns[which] = [one.name if one else None for one in near]
        columns[f"{which}_similarity"] = [one.similarity if one else None for one in near]
    return pa.table(columns)


def _write_pictures(
    asked: _Asked, found: Gathered, folder: Path, *, overwrite: bool, stop: Stop
) -> None:
    """Draws ``NNNN_name.png`` for each answer."""
    model = asked.gallery.head.model.name
    footer = f"{asked.gallery.folder} · {model} · threshold {asked.threshold.words}"
    with whole_file(folder, overwrite=overwrite) as part:
        part.mkdir()
        with progress("pictures", len(asked.drawn)) as advance:
            for number, (row, one) in enumerate(asked.drawn, start=1):
                if stop.requested and number > 1:
                    break
                picture = draw_answer(
                    one,
                    decoded(found.thumbnails([row])[0]),
                    [decoded(asked.pictures[near.row]) for near in one.candidates],
                    threshold=asked.threshold.similarity,
                    footer=footer,
                )
                path = part / f"{query_name(number, one.path)}.png"
                with writing(path):
                    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
                advance()
