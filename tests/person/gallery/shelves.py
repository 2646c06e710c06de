"""Galleries made of labels and random vectors, for tests that read no picture."""

import numpy as np

from person.gallery.changes import changing
from person.gallery.records import Enrolment, GalleryModel, Rows
from tests.person.rows import crops, embeddings, unit

MODEL = GalleryModel(name="tiny", sha256="ab" * 32, width=8, given="tiny")
WHEN = np.datetime64("2026-01-02T03:04:05.678", "ms")


def enrolment(names, *, seed=0, cameras=None, vectors=None):
    """Rows of these people, with pictures that say whose they are."""
    people = names.split()
    paths = tuple(f"door {seed}/{name}/{place}.jpg" for place, name in enumerate(people))
    made = embeddings(
        crops(names, cameras, paths=paths),
        unit(len(people), seed=seed) if vectors is None else vectors,
    )
    pictures = tuple(f"a picture of {path}".encode() for path in paths)
    return Enrolment(Rows(made, np.full(len(people), WHEN)), pictures)


def fill(folder, names, *, seed=0, vectors=None):
    """A gallery with these people, made where there is none; its folder."""
    with changing(folder, create_for=MODEL) as change:
        change.add(enrolment(names, seed=seed, vectors=vectors))
    return folder


def content(gallery):
    """What a gallery says, in any order of its rows."""
    pictures = gallery.thumbnails(range(len(gallery)))
    rows = zip(
        gallery.rows.names,
        gallery.rows.embeddings.crops.paths,
        gallery.rows.embeddings.vectors.tolist(),
        gallery.rows.added_utc.tolist(),
        pictures,
        strict=True,
    )
    return sorted(rows, key=repr)


def found_in(folder, *wanted):
    """Which of these bytes are in any file below a folder, or in a file's name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    whole = b"\n".join(
        [path.read_bytes() + str(path.relative_to(folder)).encode() for path in files]
    )
    return [one for one in wanted if one in whole]
