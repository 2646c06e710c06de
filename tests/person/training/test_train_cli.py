"""The commands train and recipes at a terminal."""

import json
import shutil

import pytest

from everyid.models import TrainRun
from person.training.recipe import RECIPES, Recipe, recipe


def test_json_is_the_training(trained, train, tmp_path):
    shutil.copytree(trained.output, tmp_path / "run")
    done = train("--output", tmp_path / "run", "--json")
    assert done.code == 0
    found = TrainRun.model_validate_json(done.out)
    assert found.evaluation == trained.evaluation
    assert found.outputs.keys() == trained.outputs.keys()


@pytest.mark.parametrize("command", ["train", "recipes"])
def test_help_shows_two_examples(everyid, command):
    done = everyid(command, "--help")
    assert done.code == 0
    assert done.out.count(f"python3 run.py person {command}") == 2


def test_recipes_are_listed(everyid):
    done = everyid("recipes")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(RECIPES)
    listed = json.loads(everyid("recipes", "--json").out)
    assert [Recipe.model_validate(found) for found in listed] == list(RECIPES.values())


def test_a_recipe_is_shown_field_by_field(everyid):
    done = everyid("recipes", "everyid-vit")
    assert done.code == 0
    assert "optimisation.learning_rate" in done.out
    found = Recipe.model_validate_json(everyid("recipes", "everyid-vit", "--json").out)
    assert found == recipe("everyid-vit")


def test_a_recipe_that_is_none(everyid):
    done = everyid("recipes", "everyid-vi")
    assert done.code == 1
    assert "no recipe is called 'everyid-vi'" in done.err
    assert "did you mean 'everyid-vit'" in done.err


@pytest.mark.parametrize("text", ["epochs", "=3", ""])
def test_settings_are_pairs(train, text):
    done = train("--set", text)
    assert done.code == 2
    assert "expected FIELD=VALUE such as epochs=3" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "--epochs"),
        (("--hold-out", "0.9"), "--hold-out"),
        (("--patience", "-1"), "--patience"),
        (("--validate-every", "0"), "--validate-every"),
        (("--checkpoint-every", "0"), "--checkpoint-every"),
        (("--precision", "fp8"), "--precision"),
        (("--set", "clip=much"), "optimisation.clip"),
    ],
)
def test_options_out_of_range(train, words, message):
    done = train(*words)
    assert done.code == 1
    assert message in done.err
