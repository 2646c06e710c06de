"""Recipes: each number can be told by name, and what is no field or no value is refused."""

import pytest

from everyid.errors import ConfigError
from person.training.recipe import RECIPES, override, recipe, recipe_fields

CNN = recipe("everyid-cnn")


@pytest.mark.parametrize("name", RECIPES)
def test_each_field_can_be_given_back_as_it_is(name):
    fields = {field: value for field, value, meaning in recipe_fields(recipe(name)) if meaning}
    assert override(recipe(name), fields) == recipe(name)
    assert len(fields) == len(list(recipe_fields(recipe(name))))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("optimisation.epochs", "3", 3),
        ("learning_rate", "1e-2", 0.01),
        ("margin", "null", None),
        ("teacher", "none", None),
        ("teacher", "osnet.xml", "osnet.xml"),
        ("size_hw", "128x64", (128, 64)),
        ("optimiser", "sgd", "sgd"),
        ("network", '{"depths": [1, 1, 1]}', {"depths": [1, 1, 1]}),
    ],
)
def test_values_are_texts(field, text, value):
    changed = override(CNN, {field: text})
    fields = {name.rpartition(".")[2]: found for name, found, _ in recipe_fields(changed)}
    assert fields[field.rpartition(".")[2]] == value


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("epochs", "0", r"optimisation\.epochs: Input should be greater than or equal to 1, got"),
        ("learning_rate", "nan", r"optimisation\.learning_rate: Input should be a finite number"),
        ("flip", "1.5", r"augmentation\.flip: Input should be less than or equal to 1"),
        ("erase_least", "0.5", r"erase_least 0\.5 is above erase_most 0\.3"),
        ("optimiser", "lion", r"optimiser: Input should be 'adamw' or 'sgd', got 'lion'"),
        ("size_hw", "256", r"size_hw: Input should be a valid tuple"),
        ("size_hw", "0x128", r"size_hw\.0: Input should be greater than or equal to 1"),
        ("network", "wide", r"network: Input should be a valid dictionary"),
        ("network", '{"depths": ', r"expected JSON such as \{.*\}, got '\{\"depths\": '"),
        ("architecture", "null", r"architecture: Input should be a valid string, got None"),
    ],
)
def test_what_is_no_value_is_refused(field, text, message):
    with pytest.raises(ConfigError, match=message):
        override(CNN, {field: text})


def test_a_field_that_is_none_is_told_the_nearest():
    with pytest.raises(ConfigError, match=r"a recipe has no field 'learning_rates'") as caught:
        override(CNN, {"learning_rates": "1"})
    assert caught.value.hint.startswith("did you mean 'learning_rate'?")


@pytest.mark.parametrize("field", ["name", "summary", "optimisation"])
def test_the_name_and_whole_parts_are_no_fields(field):
    with pytest.raises(ConfigError, match=f"no field '{field}'"):
        override(CNN, {field: "other"})


def test_a_recipe_that_is_none_is_told_the_nearest():
    with pytest.raises(ConfigError, match=r"no recipe is called 'everyid-cn'; known: every") as e:
        recipe("everyid-cn")
    assert e.value.hint == "did you mean 'everyid-cnn'?"
    with pytest.raises(ConfigError) as caught:
        recipe("???")
    assert "person recipes" in caught.value.hint


def test_what_is_learnt_from():
    taught = recipe("everyid-cnn-taught")
    assert (CNN.learns_identities, CNN.learns_from_teacher) == (True, False)
    assert (taught.learns_identities, taught.learns_from_teacher) == (False, True)
    weightless = override(taught, {"cosine": "0", "relational": "0"})
    assert not weightless.learns_from_teacher
    assert taught.batching.total == taught.batching.labelled + taught.batching.unlabelled == 68
