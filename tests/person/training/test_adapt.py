"""A network adapted to drawn footage: what is learnt from, and never for the worse."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from everyid.errors import ConfigError, InputError, OutputExistsError, TrainingError, WeightsError
from everyid.models import EncoderSummary, Evaluation
from person.backbones.everyid_cnn import EveryIdCnn, EveryIdCnnConfig
from person.config import AdaptConfig
from person.encoder import find_checkpoint
from person.training import adapt as module
from person.training.adapt import contrast, plan_batches, run_adapt
from person.training.adapt_results import adapt_text
from person.training.export import export_network
from tests.person.people import figure, save
from tests.person.training.test_sightings import sightings

CONFIG = EveryIdCnnConfig(widths=(16, 16, 16, 16), depths=(1, 1, 1), embedding_width=8)
CUT = 9
"""Of 12 frames, the last that is learnt from."""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A small network with random weights; not to be written to."""
    path = tmp_path_factory.mktemp("start") / "small.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = EveryIdCnn(CONFIG)
    spec = module.backbones.architecture("everyid-cnn").input(CONFIG)
    spec = spec.model_copy(update={"size_hw": (32, 16)})
    export_network(path, network, architecture="everyid-cnn", config=CONFIG, spec=spec)
    return path


def footage(folder, who=lambda track, frame: track):
    """Five tracks in view together for 12 frames, the light of each frame another."""
    for track in range(5):
        for frame in range(1, 13):
            path = folder / f"crops/hall/{track:04d}/{frame:06d}.png"
            save(path, figure(who(track, frame), camera=frame + 7 * track, view=frame))
    return folder / "crops"


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    """Footage of five people; not to be written to."""
    return footage(tmp_path_factory.mktemp("hall"))


def config(model, source, output, **changes):
    values = {"steps": 15, "learning_rate": 3e-3, "device": "cpu"} | changes
    return AdaptConfig(model=str(model), sources=(source,), output=output, **values)


@pytest.fixture(scope="module")
def adapted(start, hall, tmp_path_factory):
    """What adapting it to the footage gave; not to be written to."""
    return run_adapt(config(start, hall, tmp_path_factory.mktemp("adapted") / "run"))


def same_weights(one, other):
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_the_loss_is_the_mean_over_pairs_of_one_track():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(7, 4, generator=generator)
    tracks = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    together = torch.zeros(3, 3, dtype=torch.bool)
    together[0, 1] = together[1, 0] = True
    unit = (rows / rows.norm(dim=1, keepdim=True)).double().numpy()
    terms = []
    for one in range(7):
        negatives = [k for k in range(7) if together[tracks[one], tracks[k]]]
        for other in range(7):
            if one != other and tracks[one] == tracks[other] and negatives:
                positive = unit[one] @ unit[other]
                gaps = [np.exp((unit[one] @ unit[k] - positive) / 0.1) for k in negatives]
                terms.append(np.log1p(sum(gaps)))
    assert len(terms) == 8
    assert contrast(rows, tracks, together).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_tracks_never_in_view_together_teach_nothing():
    rows = torch.randn(4, 3, requires_grad=True)
    loss = contrast(rows, torch.tensor([0, 0, 1, 1]), torch.zeros(2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(rows.grad, torch.zeros(4, 3))


def test_batches_have_tracks_in_view_together_and_no_crop_twice():
    found = sightings([[1, 2, 3], [1, 2], [2], [50, 51]], together=[(0, 1), (0, 2)])
    batches = plan_batches(found, steps=20, tracks_per_batch=3, crops_per_track=2, seed=1)
    assert len(batches) == 20
    for rows in batches:
        assert len(set(rows.tolist())) == len(rows)
        tracks, counts = np.unique(found.tracks[rows], return_counts=True)
        assert counts.max() <= 2
        assert 3 not in tracks
        assert found.together[np.ix_(tracks, tracks)].any()
    again = plan_batches(found, steps=20, tracks_per_batch=3, crops_per_track=2, seed=1)
    assert all(map(np.array_equal, batches, again))


def test_footage_in_which_nobody_can_be_compared_is_refused():
    found = sightings([[1], [1], [50, 51]], together=[(0, 1)])
    with pytest.raises(InputError, match=r"none of these tracks has two crops and is in view"):
        plan_batches(found, steps=1, tracks_per_batch=2, crops_per_track=2, seed=0)


def test_a_network_adapts_to_the_people_of_a_site(start, adapted):
    run = adapted
    assert run.adapted, run.verdict
    assert run.after.auc > run.before.auc
    assert (run.videos, run.tracks, run.crops) == (1, 5, 60)
    assert run.overlapping_pairs == 10
    assert run.held_out_crops == 5 * (12 - CUT)
    assert run.outputs["similarities"].read_bytes()[:4] == b"\x89PNG"
    card = run.outputs["card"].read_text()
    assert "small, adapted to one site" in card
    assert "--seed 0" in card
    written = find_checkpoint(str(run.outputs["model"]))
    assert written.input.size_hw == (32, 16)
    assert not same_weights(run.outputs["model"], start)
    text = adapt_text(run)
    assert "adapted: right comparisons on tracks held out" in text
    assert "5 of these tracks began before the cut" in text


def test_the_same_seed_gives_the_same_weights(start, hall, tmp_path):
    one, other = [
        run_adapt(config(start, hall, tmp_path / name, steps=2, seed=seed)).outputs["model"]
        for name, seed in (("a", 5), ("b", 5))
    ]
    assert same_weights(one, other)


def test_wrong_tracks_never_make_it_worse(adapted, tmp_path):
    """Everybody is somebody else in each frame that is learnt from."""

    def mixed(track, frame):
        return (track + frame) % 5 if frame <= CUT else track

    noise = footage(tmp_path / "noise", mixed)
    start = adapted.outputs["model"]
    run = run_adapt(config(start, noise, tmp_path / "run", learning_rate=0.1))
    assert not run.adapted, run.verdict
    assert run.after.auc <= run.before.auc
    assert same_weights(run.outputs["model"], start)
    assert run.steps == 0
    assert "kept the start, for none of the adapted networks is better" in adapt_text(run)
    assert "unchanged, for adapting it made it no better" in run.outputs["card"].read_text()


def labelled(*precisions):
    """Stands in for ``validate``: these values of mAP, one a call."""
    values = iter(precisions)

    def measured(_encoder, _data, *, stop):
        if stop.requested:
            return None
        value = next(values)
        return Evaluation(
            protocol_line="by hand",
            protocol="market1501",
            data="people",
            model=EncoderSummary(name="small", sha256="0" * 64, width=8),
            queries=1,
            queries_without_match=0,
            gallery=1,
            junk=0,
            unlabelled=0,
            mean_average_precision=value,
            mean_inverse_negative_penalty=value,
            cmc=[value],
        )

    return measured


@pytest.mark.parametrize(("after", "adapted"), [(0.5, True), (0.39, True), (0.38, False)])
def test_labelled_data_may_not_become_worse_than_is_tolerated(
    start, hall, people, tmp_path, monkeypatch, after, adapted
):
    monkeypatch.setattr(module, "validate", labelled(0.4, *[after] * 9))
    run = run_adapt(
        config(start, hall, tmp_path / "run", steps=8, validate_on=people, tolerance=0.015)
    )
    assert run.adapted is adapted, run.verdict
    assert run.labelled_before.mean_average_precision == 0.4
    assert run.labelled_after.mean_average_precision == after
    assert same_weights(run.outputs["model"], start) is not adapted
    if not adapted:
        assert "mAP on people went from 40.00 % to 38.00 %, and 1.50 % are tolerated" in run.verdict


@pytest.mark.parametrize("after_steps", [1, 8])
def test_a_stop_keeps_the_best_so_far_or_the_start(start, hall, tmp_path, monkeypatch, after_steps):
    stops = []

    class Stop:
        requested = False

        def __init__(self):
            stops.append(self)

    class Pressed(module.AveragedNetwork):
        def update(self, network, *, step):
            super().update(network, step=step)
            stops[0].requested |= step == after_steps

    monkeypatch.setattr("everyid.output.Stop", Stop)
    monkeypatch.setattr(module, "AveragedNetwork", Pressed)
    run = run_adapt(config(start, hall, tmp_path / "run"))
    assert not run.finished
    assert "interrupted" in adapt_text(run)
    assert run.adapted is (after_steps > 1), run.verdict
    assert run.steps < after_steps
    if after_steps == 1:
        assert same_weights(run.outputs["model"], start)
        assert run.verdict == "kept the start: interrupted before any other was measured"


def test_a_start_without_a_mistake_is_kept(start, tmp_path):
    """Everybody looks the same in each crop."""
    for track in range(3):
        for frame in range(1, 13):
            save(tmp_path / f"crops/hall/{track:04d}/{frame:06d}.png", figure(track))
    run = run_adapt(config(start, tmp_path / "crops", tmp_path / "run"))
    assert (run.adapted, run.after) == (False, None)
    assert "it makes no mistake on the tracks held out" in run.verdict


def test_a_loss_that_is_not_finite_ends_it(start, hall, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "contrast", lambda rows, *_: rows.sum() * torch.nan)
    with pytest.raises(TrainingError, match=r"step 1: the loss is not finite: nan"):
        run_adapt(config(start, hall, tmp_path / "run"))


def test_an_existing_result_is_not_replaced_unasked(start, hall, tmp_path):
    (tmp_path / "small-adapted.safetensors").touch()
    with pytest.raises(OutputExistsError, match=r"small-adapted\.safetensors exists already"):
        run_adapt(config(start, hall, tmp_path))


def test_a_graph_cannot_learn(colour, hall, tmp_path):
    with pytest.raises(WeightsError, match=r"expected a checkpoint .*got ONNX: colour\.onnx"):
        run_adapt(config(colour, hall, tmp_path / "run"))


def test_a_video_without_tracks_is_refused(start, tmp_path):
    video = tmp_path / "hall.mp4"
    video.touch()
    with pytest.raises(InputError, match=r"hall\.mp4: expected a folder of tracked crops"):
        run_adapt(config(start, video, tmp_path / "run"))


def test_two_videos_of_one_name_are_refused(start, tmp_path):
    videos = tuple(tmp_path / side / "hall.mp4" for side in "ab")
    asked = AdaptConfig(model=str(start), sources=videos, tracks=videos, output=tmp_path / "run")
    with pytest.raises(InputError, match=r"videos of different names.*several are called hall"):
        run_adapt(asked)


def test_videos_and_tracks_come_in_pairs(start, tmp_path):
    with pytest.raises(ValueError, match=r"expected a --tracks for each --source.*got 1 for 2"):
        AdaptConfig(model=str(start), sources=(tmp_path, tmp_path), tracks=(tmp_path,))


def test_an_unknown_name_is_refused(hall, tmp_path):
    with pytest.raises(ConfigError, match=r"no file and no re-identification weights are called"):
        run_adapt(config("everyid-cnm", hall, tmp_path / "run"))
