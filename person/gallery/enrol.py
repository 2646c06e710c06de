"""``person gallery enroll``: people into a gallery, a few pictures of each."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from everyid.errors import ConfigError, InputError
from everyid.output import notice, stoppable, warn
from person.crops import Crops
from person.embeddings import Embeddings
from person.gallery.changes import Change, changing
from person.gallery.config import EnrollConfig
from person.gallery.gathering import Gathered, Gatherer, same_model
from person.gallery.head import is_gallery, read_head
from person.gallery.records import Enrolment, Rows
from person.gallery.representatives import representatives, seen_before
from person.gallery.results import EnrollRun
from person.protocol import PROTOCOLS

__all__ = ["Enroller", "People", "check_name", "run_enroll"]

_LONGEST_NAME = 200
_JUNK = frozenset().union(*(rules.junk for rules in PROTOCOLS.values()))

People = dict[str, NDArray[np.intp]]
"""Name -> rows of what was gathered."""


def check_name(name: str) -> str:
    """The name, if a person can be called so.

    Raises:
        ConfigError: It is empty, too long, or has letters that cannot be printed.
    """
    if name != name.strip() or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigError(
            f"name {name!r}: expected 1 to {_LONGEST_NAME} printable letters, no space around them"
        )
    return name


class Enroller:
    """Adds people to a gallery that is being changed, and counts what became of their pictures.

    Args:
        change: Of the gallery.
        found: The vectors that are offered, and their pictures.
        keep: Vectors that a person has at most.
    """

    def __init__(self, change: Change, found: Gathered, *, keep: int) -> None:
        self._change, self._found, self._keep = change, found, keep
        self._chosen: list[tuple[int, str]] = []
        self.there_already = 0
        self.not_needed = 0
        self.replaced = 0
        self.new_people = 0

    @property
    def added(self) -> int:
        """Pictures that are enrolled."""
        return len(self._chosen)

    def add(self, name: str, rows: NDArray[np.intp]) -> None:
        """Enrols rows of what was found under a name, as far as they show something new.

        Args:
            name: New, or of somebody in the gallery.
            rows: intp (M,).
        """
        gallery = self._change.gallery
        known = name in gallery
        mine = gallery.rows_of(name) if known else np.empty(0, np.intp)
        there = gallery.rows.embeddings.vectors[mine]
        offered = self._found.embeddings.vectors[rows]
        fresh = rows[~seen_before(offered, there)]
        vectors = np.concatenate([there, self._found.embeddings.vectors[fresh]])
        kept = representatives(vectors, keep=self._keep)
        new = fresh[kept[kept >= len(mine)] - len(mine)]
        old = np.delete(mine, kept[kept < len(mine)])
        self._change.drop(old)
        self._chosen += [(row, name) for row in new.tolist()]
        self.new_people += not known
        self.there_already += len(rows) - len(fresh)
        self.not_needed += len(fresh) - len(new)
        self.replaced += len(old)

    def finish(self) -> None:
        """Hands all that was chosen to the change, with its pictures."""
        if not self._chosen:
            return
        rows = np.array([row for row, _ in self._chosen], np.intp)
        names = tuple(name for _, name in self._chosen)
        some = self._found.embeddings.select(rows)
        crops = some.crops
        labelled = Crops(
            crops.paths,
            names,
            crops.cameras,
            crops.videos,
            crops.tracks,
            crops.frames,
            crops.timestamps,
        )
        now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ms")
        made = Embeddings(labelled, some.vectors, some.model, some.model_sha256)
        enrolled = Rows(made, np.full(len(rows), now))
        self._change.add(Enrolment(enrolled, tuple(self._found.thumbnails(rows.tolist()))))


def run_enroll(config: EnrollConfig) -> EnrollRun:
    """Enrols people, in a new gallery where there is none.

    Raises:
        EveryIDError: A source, the model or the gallery cannot be used, or nobody is named.
        KeyboardInterrupt: Ctrl-C came before all crops were embedded: nothing is enrolled.
    """
    if config.name is not None:
        check_name(config.name)
    existing = read_head(config.gallery).model if is_gallery(config.gallery) else None
    with stoppable() as stop:
        gatherer = Gatherer(config, existing, stop)
        found = gatherer.gather(config.sources)
        if stop.requested:
            notice("interrupted before all crops were embedded: nothing is enrolled")
            raise KeyboardInterrupt
        vectors = found.embeddings
        people = _people(vectors.crops, config.name, gatherer.skipped)
        with changing(config.gallery, create_for=gatherer.model_of(vectors)) as change:
            model = change.gallery.head.model
            same_model(config.gallery, model, vectors.model, vectors.model_sha256)
            enroller = Enroller(change, found, keep=config.keep)
            for name, rows in people.items():
                enroller.add(name, rows)
            enroller.finish()
        return EnrollRun(
            gallery=config.gallery,
            created=existing is None,
            model=gatherer.session.summary(vectors),
            people=len(people),
            new_people=enroller.new_people,
            added=enroller.added,
            there_already=enroller.there_already,
            not_needed=enroller.not_needed,
            replaced=enroller.replaced,
            skipped=gatherer.skipped,
        )


def _people(crops: Crops, name: str | None, skipped: dict[str, str]) -> People:
    """Whose each row is, in the order they first appear.

    Raises:
        InputError: Nobody is named.
    """
    found: dict[str, list[int]] = {}
    nobody: dict[str, str] = {}
    for row, (path, label) in enumerate(zip(crops.paths, crops.identities, strict=True)):
        who = name or label
        if who is None:
            nobody[path] = f"{path}: nothing says who it is"
        elif who not in _JUNK:
            try:
                found.setdefault(check_name(who), []).append(row)
            except ConfigError as error:
                nobody[path] = f"{path}: {error}"
    if not found:
        raise InputError(
            f"expected crops with names, none of {len(crops)} has one, such as {crops.paths[0]}",
            hint="name the person with --name, put crops in a folder for each person, or add "
            "--id-pattern",
        )
    if nobody:
        warn(f"skipped: {next(iter(nobody.values()))} ({len(nobody):,} such crops)")
        skipped |= nobody
    return {who: np.array(rows, np.intp) for who, rows in found.items()}
