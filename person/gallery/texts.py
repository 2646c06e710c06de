"""Results of the gallery commands as text for people."""

from collections.abc import Sequence

from everyid.output import counted
from person.gallery.pictures import percent
from person.gallery.records import Answer
from person.gallery.results import (
    CalibrateRun,
    EnrollRun,
    ForgetRun,
    GalleryList,
    IdentifyRun,
    MergeRun,
    ShowRun,
)

__all__ = [
    "calibrate_text",
    "enroll_text",
    "forget_text",
    "identify_text",
    "list_text",
    "merge_text",
    "show_text",
]

_SHOWN = 40
"""Answers that are listed; the table has all."""


def enroll_text(run: EnrollRun) -> str:
    """What is new in the gallery, and what was left out."""
    if run.added:
        people = counted(run.people, "person", "people")
        head = f"{counted(run.added, 'picture')} of {people} enrolled, {run.new_people:,} new"
    else:
        head = "nothing changed: every picture is there already, or others stand for it"
    lines = [head]
    lines += [f"{run.there_already:,} were there already"] if run.there_already else []
    lines += [f"{run.not_needed:,} show views that others stand for"] if run.not_needed else []
    lines += [f"{run.replaced:,} older ones made room"] if run.replaced else []
    lines += _skipped(run.skipped)
    made = "new gallery" if run.created else "gallery"
    return "\n".join([*lines, f"{made} {run.gallery}, vectors of {run.model.name}"])


def identify_text(run: IdentifyRun) -> str:
    """Who is known, by which threshold, and where the pictures are."""
    shown = run.tracks or run.answers
    lines = [_answer_line(one) for one in shown[:_SHOWN]]
    if len(shown) > _SHOWN:
        lines.append(f"... and {len(shown) - _SHOWN:,} more, see answers.csv")
    lines.append(
        f"{run.known:,} of {counted(run.crops, 'crop')} known; asked "
        f"{counted(run.people, 'person', 'people')} with {counted(run.vectors, 'vector')}"
    )
    lines.append(f"threshold {run.threshold.similarity:.3f}: {run.threshold.words}")
    if run.remembered:
        few = ", ".join(run.remembered[:5]) + (", ..." if len(run.remembered) > 5 else "")
        people = counted(len(run.remembered), "new person", "new people")
        lines.append(f"remembered {people}: {few}")
    lines += _skipped(run.skipped) + (["interrupted"] if run.interrupted else [])
    lines += [f"  {name:8} {path}" for name, path in run.outputs.items()]
    return "\n".join([*lines, f"results in {run.output}"])


def _answer_line(one: Answer) -> str:
    who = one.name or "unknown"
    if one.remembered:
        who += f", remembered as {one.remembered}"
    elif not one.known and one.candidates:
        who += f" (nearest: {one.candidates[0].name})"
    figures = "" if one.similarity is None else f"  similarity {one.similarity:.3f}"
    figures += "" if one.probability is None else f", probability {percent(one.probability)}"
    what = one.path if one.kind == "crop" else f"{one.path} (track of {one.crops})"
    return f"{what}: {who}{figures}"


def list_text(found: GalleryList) -> str:
    """Everybody in a table, the model and the calibration."""
    rows = [("name", "vectors", "cameras", "first added", "last added")]
    rows += [
        (
            one.name,
            f"{one.vectors:,}",
            ", ".join(one.cameras) or "-",
            f"{one.first_added:%Y-%m-%d %H:%M}",
            f"{one.last_added:%Y-%m-%d %H:%M}",
        )
        for one in found.people
    ]
    people = counted(len(found.people), "person", "people")
    head = f"{people}, {counted(found.vectors, 'vector')} of {found.model.name}"
    return "\n".join(
        [
            *(_table(rows) if found.people else ["the gallery is empty"]),
            head,
            f"calibrated on {found.calibration}" if found.calibration else "not calibrated",
        ]
    )


def show_text(run: ShowRun) -> str:
    """All pictures of a person in a table."""
    rows = [("path", "camera", "track", "frame", "added")]
    rows += [
        (
            one.path,
            one.camera or "-",
            "-" if one.track is None else str(one.track),
            "-" if one.frame is None else str(one.frame),
            f"{one.added:%Y-%m-%d %H:%M}",
        )
        for one in run.rows
    ]
    return "\n".join(
        [*_table(rows), f"{run.person.name}: {counted(len(rows) - 1, 'picture')}", str(run.picture)]
    )


def forget_text(run: ForgetRun) -> str:
    """Who is gone."""
    lines = [f"forgot {name}: {counted(n, 'vector')}" for name, n in run.forgotten.items()]
    return "\n".join([*lines, f"{counted(run.people, 'person', 'people')} left in {run.gallery}"])


def merge_text(run: MergeRun) -> str:
    """Who became one."""
    return f"{', '.join(run.merged)} are {run.name} now: {counted(run.vectors, 'vector')}"


def calibrate_text(run: CalibrateRun) -> str:
    """A small ROC as a table, and what it was learnt on."""
    found = run.calibration
    rows = [("false accepts a question", "threshold", "same pairs recognised", "")]
    rows += [
        (
            f"{100 * one.false_accept_rate:g} %",
            f"{one.threshold:.3f}",
            f"{100 * one.recognised:.1f} %",
            "" if one.measured else "extrapolated",
        )
        for one in run.rates
    ]
    return "\n".join(
        [
            *_table(rows),
            f"for {counted(run.vectors, 'enrolled vector')}; learnt on {found.data}: "
            f"{found.same_pairs:,} same and {found.different_pairs:,} different pairs",
            *_skipped(run.skipped),
            *(f"  {name:8} {path}" for name, path in run.outputs.items()),
        ]
    )


def _skipped(skipped: dict[str, str]) -> list[str]:
    return [f"skipped {counted(len(skipped), 'file')}"] if skipped else []


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in aligned columns, the first one their head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
