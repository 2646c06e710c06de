"""``person embed``, ``match`` and ``evaluate``: embeddings in files, and their figures."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from everyid.device import choose
from everyid.errors import InputError
from everyid.models import EmbeddingRun, EvaluationRun, MatchRun
from everyid.output import (
    notice,
    part_of,
    refuse_existing,
    result_folder,
    stoppable,
    warn,
    whole_file,
)
from person.config import EmbedConfig, EvaluateConfig, MatchConfig
from person.curves import draw_curves
from person.embeddings import Embeddings, read_embeddings, same_space, write_embeddings
from person.evaluation import evaluate, fitting_protocol, summary_line
from person.matches import Matches, refuse_tables, write_tables
from person.protocol import protocol
from person.refinement import Ranked, Refinement
from person.session import Session, default_source, sides_of

__all__ = ["run_embed", "run_evaluate", "run_match"]


def run_embed(config: EmbedConfig) -> EmbeddingRun:
    """Embeds crops into a file.

    After Ctrl-C what is done lies in a hidden part beside it, and the next run with the same
    output, network and input goes on from there.

    Raises:
        EveryIDError: The crops, the model, the device or the output cannot be used.
    """
    sources = config.sources or (default_source(),)
    parent = None if config.output is None else config.output.parent
    with stoppable() as stop, result_folder(parent, "person", "embed") as folder:
        output = config.output or folder / "embeddings.parquet"
        refuse_existing(output, overwrite=config.overwrite)
        session = Session(config, stop)
        crops = session.crops(sources)
        part = part_of(output.with_stem(f"{output.stem}.{session.code}"))
        found = session.embed(crops, _unfinished(part))
        if stop.requested:
            write_embeddings(part, found, overwrite=True)
            notice(f"not whole yet: the same command with --output {output} goes on from here")
        else:
            write_embeddings(output, found, overwrite=config.overwrite)
            part.unlink(missing_ok=True)
        return EmbeddingRun(
            output=part if stop.requested else output,
            crops=len(found),
            model=session.summary(found),
            elapsed_s=session.elapsed_s,
            skipped=session.skipped,
            interrupted=stop.requested,
        )


def _unfinished(part: Path) -> Embeddings | None:
    """What an interrupted run left, if that can be used."""
    if not part.exists():
        return None
    try:
        return read_embeddings(part)
    except InputError as error:
        warn(f"beginning anew: {error}")
        return None


def run_match(config: MatchConfig) -> MatchRun:
    """Finds the top ranks of one file of embeddings in another.

    Raises:
        EveryIDError: A file, the device or the output cannot be used, or the models differ.
    """
    query = read_embeddings(config.query)
    alone = config.gallery.resolve() == config.query.resolve()
    gallery = query if alone else read_embeddings(config.gallery)
    same_space(query, gallery)
    if alone and len(gallery) < 2:
        raise InputError(
            f"{config.gallery}: nothing to compare the one picture with",
            hint="expected more rows than the query's own in the gallery",
        )
    device = choose(config.device)
    with result_folder(config.output, "person", "match") as folder:
        refuse_tables(folder, config.save, overwrite=config.overwrite)
        how = Refinement(config.expand_query, config.rerank, device)
        started = time.perf_counter()
        top = Ranked(how, query.vectors, None if alone else gallery.vectors).top_k(config.top_k)
        elapsed = time.perf_counter() - started
        ranks = top.indices.shape[1]
        _say_fewer(config.top_k, ranks)
        matches = Matches.of(query.crops, gallery.crops, top, rules=None)
        return MatchRun(
            output=folder,
            queries=len(query.crops),
            gallery=len(gallery.crops),
            top_k=ranks,
            reranking=how.summary,
            model=query.summary(),
            elapsed_s=elapsed,
            outputs=write_tables(matches, folder, config.save, overwrite=config.overwrite),
        )


def _say_fewer(wanted: int, given: int) -> None:
    if given < wanted:
        notice(f"--top-k {wanted}: the gallery has only {given} for a query; all are given")


@dataclass(frozen=True, slots=True)
class _Files:
    """What an evaluation writes."""

    document: Path
    curves: Path


def run_evaluate(config: EvaluateConfig) -> EvaluationRun:
    """Measures how well embeddings rank, and draws the curves.

    Raises:
        InputError: Nothing can be measured: no labels, no cameras, no query with a match.
        EveryIDError: A source, the model, the device or the output cannot be used.
        KeyboardInterrupt: Ctrl-C came before all crops were embedded.
    """
    if config.protocol is not None:
        protocol(config.protocol)  # a wrong name is told before the long work
    sides = sides_of(config.sources, config.query, config.gallery)
    with stoppable() as stop, result_folder(config.output, "person", "evaluate") as folder:
        files = _Files(folder / "evaluation.json", folder / "curves.png")
        for path in (files.document, files.curves):
            refuse_existing(path, overwrite=config.overwrite)
        session = Session(config, stop)
        query, gallery = session.both(sides)
        if stop.requested:
            notice("interrupted before all crops were embedded: nothing is measured")
            raise KeyboardInterrupt
        rules = fitting_protocol(config.protocol, query.crops, (gallery or query).crops)
        how = Refinement(config.expand_query, config.rerank, session.device, stop)
        found = evaluate(
            query,
            gallery,
            rules=rules,
            data=sides.name,
            repeats=config.bootstrap,
            seed=config.seed,
            ranked=how.rank(query, gallery),
        )
        run = EvaluationRun(
            output=folder,
            evaluation=found.evaluation,
            outputs={"json": files.document, "curves": files.curves},
            skipped=session.skipped,
        )
        with whole_file(files.document, overwrite=config.overwrite) as part:
            part.write_text(run.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draw_curves(
            files.curves,
            cmc=np.array(found.evaluation.cmc),
            verification=found.verification,
            title=f"{summary_line(found.evaluation)} · {found.evaluation.protocol_line}",
            overwrite=config.overwrite,
        )
        return run
