"""What an adaptation leaves behind: figures before and after, a picture, and a model card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat

from everyid.device import Device
from everyid.models import Evaluation, Model
from everyid.output import counted
from person.config import AdaptConfig
from person.curves import draw_similarities
from person.encoder import Checkpoint
from person.training.card import (
    NO_PROOF,
    OUT_OF_SCOPE,
    CardFigures,
    DataSource,
    ModelCard,
    card_teacher,
    parameter_count,
    versions,
    write_card,
)
from person.training.recipe import Recipe
from person.training.sightings import Sightings
from person.verification import Verification

__all__ = ["AdaptRun", "Candidate", "SeparationFigures", "Story", "adapt_text", "finish"]

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]

_PROTOCOL = (
    "crops of one track against crops of two tracks in view at once, the last part of each video, "
    "cosine similarity"
)
_LIMITS = (
    "It was adapted to one site; elsewhere it may be worse than what it began with.",
    "The network was chosen among those of several steps by the figures above, so they say a "
    "little too much; and tracks tell nothing of one person under two cameras.",
    NO_PROOF,
)


class SeparationFigures(Model):
    """How well a network keeps tracks apart."""

    auc: Share = Field(
        description="share of comparisons of a pair of crops of one track with a pair of two "
        "people in which the first is more alike; ties count half"
    )
    eer: Share = Field(description="equal error rate of one threshold on the similarity")
    same_pairs: int = Field(ge=1)
    different_pairs: int = Field(ge=1)


class AdaptRun(Model):
    """What ``person adapt`` did: the document of its ``--json``."""

    output: Path
    model: str = Field(description="what it began with")
    adapted: bool = Field(description="False: the written file has the weights of the start")
    verdict: str = Field(description="why, in words, with the figures")
    before: SeparationFigures = Field(description="of the start, on tracks held out")
    after: SeparationFigures | None = Field(
        description="of the adapted network, or of the best that was refused; None: none was made"
    )
    labelled_before: Evaluation | None = None
    labelled_after: Evaluation | None = None
    videos: int = Field(ge=1)
    tracks: int = Field(ge=1)
    crops: int = Field(ge=1)
    overlapping_pairs: int = Field(ge=1, description="pairs of tracks in view at once, learnt from")
    held_out_tracks: int = Field(ge=1)
    held_out_crops: int = Field(ge=1)
    held_out_tracks_learnt: int = Field(
        ge=0, description="of the tracks held out, those with earlier crops that were learnt from"
    )
    steps: int = Field(ge=0, description="of the written network; 0: the start")
    elapsed_s: float = Field(ge=0)
    finished: bool
    outputs: dict[str, Path] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict, description="file -> why")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that was measured.

    Args:
        step: Steps it has learnt; 0: the start.
        separation: How well it keeps the tracks held out apart.
        labelled: Its figures on labelled data; None: there is none, or it was not better anyway.
        accepted: Whether it was the best by then, and no worse on labelled data than is tolerated.
    """

    step: int
    separation: Verification
    labelled: Evaluation | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Story:
    """How an adaptation went.

    Args:
        start: What it began with.
        recipe: What was done.
        device: Where it ran.
        learnt: What was learnt from.
        held: What was kept for measuring.
        yardstick: What the labelled data is called; empty: none.
        before: The start.
        candidates: What was measured on the way, in order.
        skipped: Path -> why a picture could not be used.
        finished: False: Ctrl-C.
        embedding_width: D.
        elapsed_s: Wall time.
    """

    start: Checkpoint
    recipe: Recipe
    device: Device
    learnt: Sightings
    held: Sightings
    yardstick: str
    before: Candidate
    candidates: list[Candidate]
    skipped: dict[str, str]
    finished: bool
    embedding_width: int
    elapsed_s: float

    @property
    def kept(self) -> Candidate:
        """What was written: the last one accepted, else the start."""
        accepted = [one for one in self.candidates if one.accepted]
        return accepted[-1] if accepted else self.before

    @property
    def shown(self) -> Candidate | None:
        """What stands against the start: what was written, else the best that was refused."""
        if self.kept is not self.before:
            return self.kept
        return max(self.candidates, key=lambda one: one.separation.auc or 0.0, default=None)


def finish(config: AdaptConfig, story: Story, model: Path) -> AdaptRun:
    """Draws what came out, and writes the card of the network.

    Args:
        config: What was asked for.
        story: How it went.
        model: The written network.

    Raises:
        OutputError: A file cannot be written.
    """
    folder, after = model.parent, story.shown
    outputs = {
        "model": model,
        "similarities": folder / "similarities.png",
        "card": folder / "README.md",
    }
    if config.tracks:
        outputs["crops"] = folder / "crops"
    verdict = _verdict(config, story)
    plots = {_label("start", story.before): story.before.separation}
    if after is not None:
        name = "adapted" if after.accepted else "refused"
        plots[_label(f"{name}, {counted(after.step, 'step')}", after)] = after.separation
    draw_similarities(
        outputs["similarities"], plots, title=f"{story.start.name}: {verdict}", overwrite=True
    )
    write_card(outputs["card"], _card(config, story, model), overwrite=True)
    seen = {*story.learnt.seen.tolist(), *story.held.seen.tolist()}
    return AdaptRun(
        output=folder,
        model=story.start.name,
        adapted=story.kept is not story.before,
        verdict=verdict,
        before=_figures(story.before),
        after=None if after is None else _figures(after),
        labelled_before=story.before.labelled,
        labelled_after=None if after is None else after.labelled,
        videos=len(story.learnt.video_names),
        tracks=len(seen),
        crops=len(story.learnt) + len(story.held),
        overlapping_pairs=story.learnt.overlapping_pairs,
        held_out_tracks=len(story.held.seen),
        held_out_crops=len(story.held),
        held_out_tracks_learnt=len({*story.learnt.seen.tolist()} & {*story.held.seen.tolist()}),
        steps=story.kept.step,
        elapsed_s=story.elapsed_s,
        finished=story.finished,
        outputs=outputs,
        skipped=story.skipped,
    )


def adapt_text(run: AdaptRun) -> str:
    """What was learnt from, what came out, and where everything lies."""
    crossing = run.held_out_tracks_learnt
    lines = [
        f"{run.model}: {counted(run.crops, 'crop')} of {counted(run.tracks, 'track')} in "
        f"{counted(run.videos, 'video')}, {counted(run.overlapping_pairs, 'pair')} of tracks in "
        f"view at once, {run.elapsed_s / 60:.1f} min",
        f"measured on {counted(run.held_out_crops, 'crop')} of "
        f"{counted(run.held_out_tracks, 'track')} held out"
        + (f"; {crossing} of these tracks began before the cut" if crossing else ""),
        run.verdict,
    ]
    for name, labelled in (("before", run.labelled_before), ("after", run.labelled_after)):
        if labelled is not None:
            precision = 100 * labelled.mean_average_precision
            lines.append(f"{name}: mAP {precision:.1f} %; {labelled.protocol_line}")
    if run.skipped:
        lines.append(f"skipped {counted(len(run.skipped), 'file')}")
    if not run.finished:
        lines.append("interrupted")
    lines += [f"  {name:12} {path}" for name, path in run.outputs.items()]
    return "\n".join([*lines, f"results in {run.output}"])


def _label(name: str, found: Candidate) -> str:
    return f"{name}: {_percent(found.separation.auc)} right, EER {_percent(found.separation.eer)}"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.2f} %"


def _verdict(config: AdaptConfig, story: Story) -> str:
    """What was written, and why."""
    before, after = story.before.separation, story.shown
    if after is None:
        if story.finished:
            return (
                "kept the start: it makes no mistake on the tracks held out, so nothing could "
                "become better"
            )
        return "kept the start: interrupted before any other was measured"
    now = after.separation
    figures = (
        f"right comparisons on tracks held out {_percent(before.auc)} -> {_percent(now.auc)}, "
        f"EER {_percent(before.eer)} -> {_percent(now.eer)}"
    )
    if after.accepted:
        return f"adapted: {figures}"
    if (now.auc or 0.0) <= (before.auc or 0.0):
        return f"kept the start, for none of the adapted networks is better: {figures}"
    return f"kept the start, for {_loss_of(config, story, after)}: {figures}"


def _loss_of(config: AdaptConfig, story: Story, after: Candidate) -> str:
    if after.labelled is None or story.before.labelled is None:
        return "the adapted networks are worse on labelled data"
    was, now = story.before.labelled, after.labelled
    return (
        f"mAP on {story.yardstick} went from {_percent(was.mean_average_precision)} to "
        f"{_percent(now.mean_average_precision)}, and {_percent(config.tolerance)} are tolerated"
    )


def _figures(found: Candidate) -> SeparationFigures:
    measured = found.separation
    return SeparationFigures(
        auc=measured.auc or 0.0,
        eer=measured.eer or 0.0,
        same_pairs=measured.same_count,
        different_pairs=measured.different_count,
    )


def _card(config: AdaptConfig, story: Story, model: Path) -> ModelCard:
    start, entry = story.start, story.start.entry
    adapted = story.kept is not story.before
    return ModelCard(
        name=story.recipe.name,
        summary=f"An embedding of a picture of a person: {start.name}, adapted to one site."
        if adapted
        else f"An embedding of a picture of a person: {start.name}, unchanged, for adapting it "
        "made it no better.",
        file=model.name,
        architecture=start.recognition.architecture,
        parameters=parameter_count(model),
        input=start.input,
        embedding_width=story.embedding_width,
        licence=entry.licence if entry else "not stated",
        data=_sources(story),
        labels="none by hand: crops of one track are one person, tracks in view at once are two; "
        "the contrastive loss of `person adapt`",
        teacher=card_teacher(start.name, entry),
        recipe=story.recipe,
        command=config.command_line(),
        seed=config.seed,
        versions=versions(),
        machine=story.device.name,
        hours=story.elapsed_s / 3600,
        figures=_card_figures(story),
        limits=list(_LIMITS),
        out_of_scope=list(OUT_OF_SCOPE),
    )


def _sources(story: Story) -> list[DataSource]:
    found = story.learnt
    videos = found.videos[found.tracks]
    return [
        DataSource(
            name=name,
            images=int((videos == video).sum()),
            origin="footage of whoever adapted it; its tracks, not people, were counted",
        )
        for video, name in enumerate(found.video_names)
    ]


def _card_figures(story: Story) -> list[CardFigures]:
    found = [("the start", story.before)]
    if story.kept is not story.before:
        found.append(("this network", story.kept))
    rows = []
    for name, one in found:
        measured = _figures(one)
        metrics = {"right comparisons": measured.auc, "EER": measured.eer}
        data = f"tracks held out, {name}"
        rows.append(CardFigures(data=data, protocol=_PROTOCOL, metrics=metrics))
        if one.labelled is not None:
            labelled = one.labelled
            metrics = {"Rank-1": labelled.rank(1), "mAP": labelled.mean_average_precision}
            data = f"{labelled.data}, {name}"
            rows.append(CardFigures(data=data, protocol=labelled.protocol_line, metrics=metrics))
    return rows
