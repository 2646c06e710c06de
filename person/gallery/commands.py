"""``person gallery list``, ``show``, ``forget`` and ``merge``: who is in a gallery."""

import cv2
import numpy as np

from everyid.errors import ConfigError
from everyid.output import counted, refuse_existing, result_folder, stoppable, whole_file
from person.gallery.asking import CALIBRATION
from person.gallery.calibration import read_calibration
from person.gallery.changes import changing
from person.gallery.config import ForgetConfig, MergeConfig, ShowConfig
from person.gallery.enrol import check_name
from person.gallery.gathering import decoded
from person.gallery.pictures import Cell, draw_person
from person.gallery.records import RowSummary
from person.gallery.representatives import representatives
from person.gallery.results import ForgetRun, GalleryList, MergeRun, ShowRun
from person.gallery.store import Gallery, as_utc

__all__ = ["list_gallery", "run_forget", "run_merge", "run_show"]


def list_gallery(gallery: Gallery) -> GalleryList:
    """Who is in a gallery.

    Raises:
        InputError: Its calibration is damaged.
    """
    model, path = gallery.head.model, gallery.folder / CALIBRATION
    found = read_calibration(path, model_sha256=model.sha256) if path.exists() else None
    return GalleryList(
        gallery=gallery.folder,
        model=model,
        vectors=len(gallery),
        calibration=found.data if found else None,
        people=gallery.people(),
    )


def run_show(config: ShowConfig) -> ShowRun:
    """All about one person, with a picture of the thumbnails.

    Raises:
        EveryIDError: The gallery has nobody of that name, or cannot be read, or the picture not
            written.
    """
    gallery = Gallery.open(config.gallery)
    rows = gallery.rows_of(config.name)
    thumbnails = gallery.thumbnails(rows.tolist())
    crops = gallery.rows.embeddings.crops
    about = [
        RowSummary(
            path=crops.paths[row],
            camera=crops.cameras[row],
            video=crops.videos[row],
            track=crops.tracks[row],
            frame=crops.frames[row],
            timestamp=crops.timestamps[row],
            added=as_utc(gallery.rows.added_utc[row]),
            picture=thumbnail is not None,
        )
        for row, thumbnail in zip(rows.tolist(), thumbnails, strict=True)
    ]
    person = next(one for one in gallery.people() if one.name == config.name)
    with result_folder(config.output, "person", "gallery-show") as folder:
        path = folder / "person.png"
        refuse_existing(path, overwrite=config.overwrite)
        cells = [
            Cell(decoded(thumbnail), _words(row))
            for row, thumbnail in zip(about, thumbnails, strict=True)
        ]
        picture = draw_person(
            cells,
            title=config.name,
            below=f"{counted(len(about), 'picture')}, "
            f"{person.first_added:%Y-%m-%d %H:%M} to {person.last_added:%Y-%m-%d %H:%M} UTC",
            footer=f"{config.gallery} · {gallery.head.model.name}",
        )
        with whole_file(path, overwrite=config.overwrite) as part:
            part.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return ShowRun(gallery=config.gallery, person=person, rows=about, picture=path)


def _words(row: RowSummary) -> tuple[str, ...]:
    track = f"track {row.track}" if row.track is not None else ""
    frame = f"frame {row.frame}" if row.frame is not None else ""
    where = f"camera {row.camera}" if row.camera else ""
    return row.path.rpartition("/")[2], where, " ".join(text for text in (track, frame) if text)


def run_forget(config: ForgetConfig) -> ForgetRun:
    """Takes people out of a gallery and off the disk, before it returns.

    Raises:
        EveryIDError: The gallery has nobody of one of the names (nobody is then forgotten), or
            cannot be read or written.
    """
    with stoppable(), changing(config.gallery) as change:
        gallery = change.gallery
        rows = {name: gallery.rows_of(name) for name in config.names}
        for mine in rows.values():
            change.drop(mine)
        left = len(gallery.names) - len(rows)
    return ForgetRun(
        gallery=config.gallery,
        forgotten={name: len(mine) for name, mine in rows.items()},
        people=left,
    )


def run_merge(config: MergeConfig) -> MergeRun:
    """Makes several people of a gallery one; of all their vectors, those that stand for them stay.

    Raises:
        EveryIDError: The gallery has nobody of one of the other names, or cannot be read or
            written.
    """
    others = tuple(dict.fromkeys(config.others))
    if config.name in others:
        raise ConfigError(
            f"{config.name!r}: expected other people to merge into this one, got the same name"
        )
    check_name(config.name)
    with stoppable(), changing(config.gallery) as change:
        gallery = change.gallery
        names = [config.name] if config.name in gallery else []
        rows = np.concatenate([gallery.rows_of(name) for name in [*names, *others]])
        kept = representatives(gallery.rows.embeddings.vectors[rows], keep=config.keep)
        change.drop(np.delete(rows, kept))
        change.rename(rows[kept], config.name)
    return MergeRun(
        gallery=config.gallery, name=config.name, merged=list(others), vectors=len(kept)
    )
