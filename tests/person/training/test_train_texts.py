"""What people read of a training and of a recipe."""

from pathlib import Path

from everyid.models import TrainRun
from person.training.recipe import RECIPES, override, recipe
from person.training.texts import recipe_text, recipes_text, train_text
from tests.person.training.drawn import figures

RUN = TrainRun(
    output=Path("out"),
    recipe="everyid-cnn",
    identities=8,
    images=1032,
    steps=12,
    epochs=3,
    images_seen=2400,
    best_epoch=2,
    evaluation=figures(0.5),
    elapsed_s=120.0,
    finished=True,
    outputs={"model": Path("out/everyid-cnn.safetensors")},
)


def test_a_finished_training():
    assert train_text(RUN).splitlines() == [
        "everyid-cnn: 3 epochs, 12 steps, 2,400 pictures seen of 1,032 (8 identities), 2.0 min, "
        "20.0 pictures/s",
        "best: epoch 2",
        "Rank-1 50.0, Rank-5 50.0, Rank-10 50.0, Rank-20 50.0, mAP 50.0, mINP 50.0 %",
        "a line",
        "  model       out/everyid-cnn.safetensors",
        "results in out",
    ]


def test_one_that_was_interrupted_with_a_picture_left_out():
    changes = {"finished": False, "best_epoch": None, "evaluation": None, "elapsed_s": 0.0}
    changes |= {"epochs": 1, "steps": 1, "skipped": {"a.jpg": "damaged"}, "outputs": {}}
    lines = train_text(RUN.model_copy(update=changes)).splitlines()
    assert lines[0].startswith("everyid-cnn: 1 epoch, 1 step, ")
    assert lines[1:] == ["skipped 1 file", "interrupted", "results in out"]


def test_recipes_have_a_line_each():
    lines = recipes_text(list(RECIPES.values())).splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)


def test_a_recipe_shows_values_as_they_are_given():
    changes = {"margin": "null", "network": '{"depths": [1, 1, 1]}'}
    lines = recipe_text(override(recipe("everyid-cnn"), changes)).splitlines()
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}
    assert shown["size_hw"].startswith("256x128 of the pictures")
    assert shown["objective.margin"].startswith("null of the triplet loss")
    assert shown["optimisation.learning_rate"].startswith("0.001 at its highest")
    assert shown["network"].startswith('{"depths": [1, 1, 1]} configuration')
