"""``person everyid``: rank every crop against the rest, show it, and say how good it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from everyid.errors import InputError
from everyid.models import Evaluation, TopRankRun
from everyid.output import Stop, notice, progress, refuse_existing, result_folder, stoppable
from person.config import TopRankConfig
from person.embeddings import Embeddings
from person.evaluation import evaluate, fitting_protocol
from person.matches import Matches, refuse_tables, write_tables
from person.pictures import write_folders, write_sheets
from person.protocol import PROTOCOLS, protocol
from person.refinement import Ranked, Refinement
from person.session import Session, Sides, sides_of

__all__ = ["run_top_rank"]

_MANY = 1000
_LISTED = 1
"""Queries up to which the result lists their matches."""


def run_top_rank(config: TopRankConfig, *, list_all: bool = False) -> TopRankRun:
    """Ranks every query against its gallery and writes what was asked for.

    Without a gallery every crop is a query in turn. A query is kept out of its own results, also
    where its file is in the gallery.

    Args:
        config: What the user asked for.
        list_all: Give the matches of every query in the result; it grows with the queries.

    Raises:
        InputError: No crop can be read, or there is nothing to compare it with.
        EveryIDError: The model, the device or the output cannot be used.
        KeyboardInterrupt: Ctrl-C came before all crops were embedded.
    """
    if config.protocol is not None:
        protocol(config.protocol)  # a wrong name is told before the long work
    sides = sides_of(config.sources, config.query, config.gallery)
    with stoppable() as stop, result_folder(config.output, "person", "everyid") as folder:
        targets = _Targets(folder, config)
        session = Session(config, stop)
        query, gallery = session.both(sides)
        if stop.requested:
            notice("interrupted before all crops were embedded: nothing is ranked")
            raise KeyboardInterrupt
        others = query if gallery is None else gallery
        how = Refinement(config.expand_query, config.rerank, session.device, stop)
        ranked = how.rank(query, gallery)
        if ranked.own is not None and len(others) < 2:
            raise InputError(
                f"{sides.name}: nothing to compare the one picture with",
                hint="name a folder with more pictures, or --query and --gallery",
            )
        top = ranked.top_k(config.top_k)
        evaluation, reason = _figures(config, sides, query, gallery, ranked)
        rules = PROTOCOLS[evaluation.protocol] if evaluation else None
        matches = Matches.of(query.crops, others.crops, top, rules=rules)
        model = session.summary(query)
        footer = evaluation.protocol_line if evaluation else f"{sides.name}; model {model.name}"
        outputs = targets.write(matches, footer=footer, stop=stop)
        listed = list_all or len(matches) <= _LISTED
        return TopRankRun(
            output=folder,
            model=model,
            queries=len(query.crops),
            gallery=len(others.crops),
            top_k=top.indices.shape[1],
            reranking=how.summary,
            evaluation=evaluation,
            no_figures=reason,
            matches=[matches.document(row) for row in range(len(matches))] if listed else [],
            outputs=outputs,
            skipped=session.skipped,
            interrupted=stop.requested,
        )


def _figures(
    config: TopRankConfig,
    sides: Sides,
    query: Embeddings,
    gallery: Embeddings | None,
    ranked: Ranked,
) -> tuple[Evaluation | None, str | None]:
    """The evaluation, or why there is none; a protocol that was asked for has to work."""
    if config.protocol is None and len(query) == 1:
        return None, None
    if config.protocol is None and not any(query.crops.identities):
        return None, "no identity is known of these pictures"
    try:
        rules = fitting_protocol(config.protocol, query.crops, (gallery or query).crops)
        found = evaluate(query, gallery, rules=rules, data=sides.name, ranked=ranked)
    except InputError as error:
        if config.protocol is not None:
            raise
        return None, f"{error}; {error.hint}" if error.hint else str(error)
    return found.evaluation, None


@dataclass(frozen=True, slots=True)
class _Targets:
    """The files of a run, checked before anything is computed."""

    folder: Path
    config: TopRankConfig

    def __post_init__(self) -> None:
        refuse_tables(self.folder, self.config.save, overwrite=self.config.overwrite)
        for name in ("folders", "sheets"):
            if name in self.config.save:
                refuse_existing(self._place(name), overwrite=self.config.overwrite)

    def _place(self, name: str) -> Path:
        return self.folder / {"folders": "queries"}.get(name, name)

    def write(self, matches: Matches, *, footer: str, stop: Stop) -> dict[str, Path]:
        """Format -> where it lies. After Ctrl-C the tables are whole and the pictures cut short."""
        save, overwrite = self.config.save, self.config.overwrite
        limit = self.config.pictures
        rows = range(len(matches) if limit is None else min(limit, len(matches)))
        if {"folders", "sheets"} & set(save):
            _refuse_missing(matches, rows)
        outputs = write_tables(matches, self.folder, save, overwrite=overwrite)
        if limit is None and len(rows) > _MANY and {"folders", "sheets"} & set(save):
            notice(f"pictures for all {len(rows):,} queries; --pictures 100 draws only the first")
        if "folders" in save:
            with progress("folders", len(rows)) as advance:
                outputs["folders"] = self._place("folders")
                write_folders(
                    matches,
                    rows,
                    outputs["folders"],
                    overwrite=overwrite,
                    stop=stop,
                    advance=advance,
                )
        if "sheets" in save:
            with progress("sheets", len(rows)) as advance:
                outputs["sheets"] = self._place("sheets")
                write_sheets(
                    matches,
                    rows,
                    outputs["sheets"],
                    footer=footer,
                    overwrite=overwrite,
                    stop=stop,
                    advance=advance,
                )
        return outputs


def _refuse_missing(matches: Matches, rows: Sequence[int]) -> None:
    """Checks that the pictures behind embeddings that were read from a file are there.

    Raises:
        InputError: One is not.
    """
    shown = np.unique(matches.top.indices[rows])
    paths = [*matches.query.paths[: len(rows)], *matches.gallery.select(shown).paths]
    for path in paths:
        if not Path(path).is_file():
            raise InputError(
                f"{path}: no such file, but embeddings of it",
                hint="run where the pictures are, or name --save csv,parquet: no pictures",
            )
