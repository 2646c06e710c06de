"""The loop with a network of moments: exact resume, stops, what is not finite, what is counted."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from everyid.errors import ConfigError, OutputExistsError, TrainingError
from everyid.output import Stop
from person.training import loop
from person.training.checkpoints import latest, read_progress
from person.training.history import read_history
from person.training.loop import Schedule, loss_parts, plan_epoch
from person.training.optimise import learning_rate
from person.training.recipe import override, recipe
from tests.person.training import drawn
from tests.person.training.drawn import EACH_STEP, STEPS, STEPS_AN_EPOCH, figures, same_weights

OFTEN = Schedule(log_every=1, checkpoint_every_s=1e-9)
STILL = dict.fromkeys(("flip", "pad", "brightness", "contrast", "colour", "shift"), 0)
STILL |= dict.fromkeys(("small", "blur", "erase", "triplet"), 0)
TAUGHT = {"teacher": "somebody", "identity": 0, "triplet": 0}


@pytest.fixture
def at_batch(monkeypatch):
    """Does something as the batch of a number, from 1 and over all runs, is fed to the network."""
    real, seen = loop.to_network_input, []

    def act(number, action):
        def watched(images, spec):
            seen.append(spec)
            if len(seen) == number:
                action()
            return real(images, spec)

        monkeypatch.setattr(loop, "to_network_input", watched)

    return act


def run(rows, output, stop=None, **options):
    trainer = drawn.trainer(rows, output, **options)
    trainer.run(stop or Stop())
    return trainer


def stopped(rows, output, at_batch, number, **options):
    """A training that Ctrl-C ends in a batch."""
    stop = Stop()
    at_batch(number, lambda: setattr(stop, "requested", True))
    return run(rows, output, stop, **options)


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory):
    """The folder of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(rows, folder)
    return folder


@pytest.mark.parametrize("number", [1, 6, 8, STEPS], ids=lambda number: f"batch-{number}")
def test_after_a_stop_it_goes_on_to_the_same_weights(rows, tmp_path, whole, at_batch, number):
    first = stopped(rows, tmp_path, at_batch, number)
    assert first.progress.step == number
    assert not first.progress.finished
    assert read_progress(latest(tmp_path)) == first.progress
    second = run(rows, tmp_path)
    assert (second.progress.step, second.progress.finished) == (STEPS, True)
    assert same_weights(tmp_path, whole)
    table = [row["step"] for row in read_history(tmp_path / "history.csv")]
    assert table == list(range(1, 1 + STEPS))


@pytest.mark.parametrize("number", [1, 3, 7])
def test_after_a_crash_it_goes_on_to_the_same_weights(rows, tmp_path, whole, at_batch, number):
    """At once after the checkpoint of the batch before, without a word to anybody."""

    def crash():
        raise MemoryError

    at_batch(number, crash)
    with pytest.raises(MemoryError):
        run(rows, tmp_path, schedule=OFTEN)
    assert read_progress(latest(tmp_path)).step == number - 1
    run(rows, tmp_path)
    assert same_weights(tmp_path, whole)


def test_what_is_finished_stays_as_it_is(rows, tmp_path):
    run(rows, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in latest(tmp_path).iterdir()}
    table = (tmp_path / "history.csv").read_bytes()
    assert run(rows, tmp_path).progress.finished
    assert {path: path.stat().st_mtime_ns for path in latest(tmp_path).iterdir()} == before
    assert (tmp_path / "history.csv").read_bytes() == table


def test_another_seed_gives_other_weights(rows, tmp_path, whole):
    trainer = drawn.trainer(rows, tmp_path)
    trainer.progress = trainer.progress.model_copy(update={"seed": 6})
    trainer.run(Stop())
    assert not same_weights(tmp_path, whole)


def test_a_folder_with_a_history_alone_is_left_alone(rows, tmp_path):
    (tmp_path / "history.csv").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"history\.csv exists already"):
        run(rows, tmp_path)
    drawn.trainer(rows, tmp_path).run(Stop(), overwrite=True)
    assert read_progress(latest(tmp_path)).finished


def test_the_history_tells_of_each_step(rows, whole):
    table = read_history(whole / "history.csv")
    numbers = override(recipe("everyid-cnn"), {"epochs": drawn.EPOCHS}).optimisation
    for step, row in enumerate(table):
        assert row["step"] == step + 1
        assert row["epoch"] == 1 + step // STEPS_AN_EPOCH
        assert row["images_seen"] == 8 * (step + 1)
        assert row["loss"] == pytest.approx(row["loss/identity"] + row["loss/triplet"], rel=1e-4)
        rate = learning_rate(step, steps=STEPS, numbers=numbers)
        assert row["learning_rate"] == pytest.approx(rate, rel=1e-5)
        assert row["gradient_norm"] > 0
        assert row["images_per_s"] > 0
        assert 0 <= row["waited_share"] <= 1


def test_it_learns(rows, tmp_path):
    run(rows, tmp_path, settings=STILL | {"epochs": 8, "learning_rate": 0.05})
    losses = [row["loss"] for row in read_history(tmp_path / "history.csv")]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])


@pytest.mark.parametrize("number", [1, 5, 6])
def test_gradients_of_several_batches_make_one_step(rows, tmp_path, at_batch, number):
    """Of 4 batches the first 3 belong together, and the last has a step of its own."""
    together = {"accumulate": 3}
    run(rows, tmp_path / "whole", settings=together)
    moved = drawn.weights_of(tmp_path / "whole")["optimiser 0 step"]
    assert moved == 2 * drawn.EPOCHS
    first = stopped(rows, tmp_path / "two", at_batch, number, settings=together)
    assert first.progress.step == {1: 3, 5: 7, 6: 7}[number]
    run(rows, tmp_path / "two", settings=together)
    assert same_weights(tmp_path / "two", tmp_path / "whole")


def test_a_batch_counts_for_its_part_of_a_step(rows, tmp_path):
    """Also where it is alone: an epoch has one batch here, of two that could make a step."""
    plain = STILL | {
        "optimiser": "sgd",
        "clip": 0,
        "weight_decay": 0,
        "identities": 8,
        "images_per_identity": 4,
    }
    run(rows, tmp_path / "one", settings=plain | {"epochs": 1})
    run(rows, tmp_path / "two", settings=plain | {"epochs": 1, "accumulate": 2})
    name = "network backbone.fc.weight"
    full, half = (drawn.weights_of(tmp_path / folder)[name] for folder in ("one", "two"))
    start = drawn.tiny().fc.weight
    torch.testing.assert_close(2 * (half - start), full - start, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_mean_of_the_weights_is_kept(rows, tmp_path, ema):
    run(rows, tmp_path, settings={"ema": ema})
    found = drawn.weights_of(tmp_path)
    same = torch.equal(found["average conv.weight"], found["network backbone.conv.weight"])
    assert same == (ema == 0)


def test_bfloat16_computes_and_weights_stay_float32(rows, tmp_path):
    trainer = run(rows, tmp_path, precision="bf16", settings={"epochs": 1})
    assert trainer.progress.finished
    assert drawn.weights_of(tmp_path)["network backbone.conv.weight"].dtype == torch.float32
    assert np.isfinite([row["loss"] for row in read_history(tmp_path / "history.csv")]).all()


def not_a_number(logits, identities, *, label_smoothing):
    return logits.sum() * float("nan")


def no_gradient(logits, identities, *, label_smoothing):
    return (logits * 0).sum().sqrt()


@pytest.mark.parametrize(
    ("loss", "shown"), [(not_a_number, "identity nan"), (no_gradient, "gradient nan")]
)
def test_what_is_not_finite_ends_it_and_keeps_the_batch(
    rows, tmp_path, at_batch, monkeypatch, loss, shown
):
    at_batch(6, lambda: monkeypatch.setattr(loop, "identity_loss", loss))
    with pytest.raises(TrainingError, match=r"step 5: a loss or its gradient is not fin") as caught:
        run(rows, tmp_path, schedule=OFTEN)
    assert shown in str(caught.value)
    assert "learning_rate" in caught.value.hint
    batch = np.load(tmp_path / "not-finite" / "batch-000000005-0.npz")
    assert batch["images"].shape == (8, 16, 8, 3)
    assert batch["paths"].tolist() == [rows.paths[row] for row in batch["rows"]]
    np.testing.assert_array_equal(batch["identities"], rows.identities[batch["rows"]])
    assert read_progress(latest(tmp_path)).step == 5
    state = load_file(latest(tmp_path) / "network.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_an_absurd_learning_rate_ends_in_words(rows, tmp_path):
    absurd = {"learning_rate": "1e30", "optimiser": "sgd", "clip": 0, "warm_up": 0}
    with pytest.raises(TrainingError, match="is not finite"):
        run(rows, tmp_path, settings=absurd)


def scores(*values):
    """A validation that gives these, one after the other; and what it was asked with."""
    left = list(values)
    return lambda network: figures(left.pop(0))


def test_without_gain_it_ends_early_and_the_best_is_kept(rows, tmp_path):
    kept = []
    trainer = run(
        rows,
        tmp_path,
        settings={"epochs": 9},
        schedule=Schedule(patience=2),
        yardstick="yard",
        validate=scores(0.2, 0.5, 0.5, 0.4),
        keep_best=kept.append,
    )
    assert len(kept) == 2
    now = trainer.progress
    assert (now.finished, now.epoch, now.best, now.best_epoch) == (True, 4, 0.5, 2)
    table = read_history(tmp_path / "history.csv")
    found = [row["mean_average_precision/yard"] for row in table]
    assert found == [0.2, 0.5, 0.5, 0.4]
    again = run(rows, tmp_path, settings={"epochs": 9}, validate=scores(), yardstick="yard")
    assert again.progress == now


def test_the_last_epoch_is_always_validated(rows, tmp_path):
    asked = []

    def validate(network):
        asked.append(network.training)
        return figures(0.5)

    run(rows, tmp_path, schedule=Schedule(validate_every=2), yardstick="yard", validate=validate)
    assert asked == [False, False]
    table = read_history(tmp_path / "history.csv")
    assert [row["step"] for row in table if "rank_1/yard" in row] == [8, 12]


def test_a_validation_that_is_stopped_is_made_again(rows, tmp_path):
    stop = Stop()

    def stops(network):
        stop.requested = True

    first = run(rows, tmp_path, stop, yardstick="yard", validate=stops)
    assert (first.progress.step, first.progress.epoch) == (4, 0)
    second = run(rows, tmp_path, yardstick="yard", validate=scores(0.1, 0.2, 0.3))
    assert second.progress.best_epoch == 3
    assert second.progress.finished


def test_a_teacher_alone_is_learnt_from(rows, tmp_path):
    """Of pictures of nobody known as of others; identities are not looked at."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(len(rows), 6)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    nobody = rows.select(np.arange(len(rows)))
    nobody.identities[16:] = -1
    wanted = TAUGHT | {"identities": 2, "unlabelled": 4, "epochs": 6, "learning_rate": 0.02}
    trainer = run(nobody, tmp_path, settings=wanted, targets=targets)
    assert trainer.images_seen == 8 * trainer.progress.step
    table = read_history(tmp_path / "history.csv")
    assert {"loss/cosine", "loss/relational"} < set(table[0])
    assert "loss/identity" not in table[0]
    cosine = [row["loss/cosine"] for row in table]
    assert np.mean(cosine[-4:]) < np.mean(cosine[:4])


class Teacher:
    """Says of each picture the mean of its colours, and remembers what it was asked."""

    width = 6

    def __init__(self):
        self.asked = []

    def encode(self, crops):
        self.asked.append(np.stack(crops))
        means = np.stack([np.tile(crop.mean((0, 1)), 2) for crop in crops])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def test_a_teacher_is_asked_about_mixed_pictures(rows, tmp_path, at_batch):
    targets = np.random.default_rng(0).normal(size=(len(rows), 6)).astype(np.float32)
    wanted = TAUGHT | {"mixed": 0.5, "epochs": 2}
    options = {"settings": wanted, "targets": targets, "teacher": Teacher()}
    whole = run(rows, tmp_path / "whole", **options)
    asked = options["teacher"].asked
    assert 0 < sum(map(len, asked)) < whole.images_seen
    assert all(pictures.dtype == np.uint8 for pictures in asked)
    options["teacher"] = again = Teacher()
    stopped(rows, tmp_path / "stopped", at_batch, 3, **options)
    run(rows, tmp_path / "stopped", **options)
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
    for before, after in zip(asked, again.asked, strict=True):
        assert (before == after).all()


def test_nobody_asks_where_nothing_is_mixed(rows, tmp_path):
    targets = np.random.default_rng(0).normal(size=(len(rows), 6)).astype(np.float32)
    teacher = Teacher()
    run(rows, tmp_path, settings=TAUGHT | {"epochs": 1}, targets=targets, teacher=teacher)
    assert teacher.asked == []


def test_weights_of_0_leave_losses_out():
    assert loss_parts(recipe("everyid-cnn")) == {"identity": 1.0, "triplet": 1.0}
    taught = recipe("everyid-cnn-taught")
    assert loss_parts(taught) == {"cosine": 2.0, "relational": 15.0}
    assert loss_parts(override(taught, {"teacher": None})) == {}


def test_an_epoch_is_batches_of_identities(rows):
    asked = override(recipe("everyid-cnn"), {"identities": 4, "images_per_identity": 2})
    training = loop.Training(asked, rows, None, None)
    plan = plan_epoch(training, seed=1, epoch=0)
    assert len(plan) == STEPS_AN_EPOCH
    for batch in plan:
        _, counts = np.unique(rows.identities[batch], return_counts=True)
        assert counts.tolist() == [2, 2, 2, 2]
    assert not np.array_equal(plan, plan_epoch(training, seed=1, epoch=1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"identities": 9}, r"expected at least the 9 identities of a batch, found 8"),
        ({"identities": 1, "images_per_identity": 1}, r"at least 2 pictures in each process, got"),
    ],
)
def test_batches_that_do_not_fit_are_refused_before_anything_is_written(
    rows, tmp_path, settings, message
):
    with pytest.raises(ConfigError, match=message):
        drawn.trainer(rows, tmp_path, settings=settings)
    assert not list(tmp_path.iterdir())


def test_batches_that_processes_cannot_share_are_refused(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", 3)
    with pytest.raises(ConfigError, match=r"3 processes cannot share identities = 4 of a batch"):
        drawn.trainer(rows, tmp_path, schedule=EACH_STEP)
