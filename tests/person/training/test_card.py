"""Model cards: the whole text, and that no value of it can break the page."""

import json

import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import save_file

from everyid.errors import InputError, OutputExistsError
from everyid.settings import PROJECT_FOLDER
from everyid.weights_catalogue import InputSpec, find
from person.training.card import (
    CardFigures,
    CardTeacher,
    DataSource,
    ModelCard,
    RobustnessCurve,
    card_teacher,
    parameter_count,
    versions,
    write_card,
)
from person.training.recipe import Optimisation, Recipe, recipe_fields

GOLDEN = PROJECT_FOLDER / "tests/golden/model_card.json"
MADE_WITH = "python -m tests.person.training.test_card > tests/golden/model_card.json"
PROTOCOL = "cross-camera: same camera left out; 300 queries, gallery of 900"

CARD = ModelCard(
    name="everyid-tiny",
    summary="Turns a crop of a person into an embedding, to find the same person again.",
    file="everyid-tiny.safetensors",
    architecture="everyid-vit",
    parameters=1234567,
    input=InputSpec(size_hw=(256, 128), colour="rgb", scale=255, resize="linear"),
    embedding_width=256,
    licence="MIT",
    data=[
        DataSource(
            name="drawn", images=90000, identities=1500, cameras=6, origin="drawn by `synthetic`"
        ),
        DataSource(name="site | night", images=4000, origin="own footage, MIT"),
    ],
    labels="identities of drawn people; no identity labels of real people.",
    teacher=CardTeacher(
        name="person-reidentification-retail-0277", licence="Apache-2.0", trained_on="own data"
    ),
    recipe=Recipe(
        name="tiny",
        summary="a test",
        architecture="everyid-vit",
        network={"width": 192, "depth": 6},
        optimisation=Optimisation(epochs=3),
    ),
    command="python3 run.py person train --recipe tiny \\\n  --source drawn/ --seed 7",
    seed=7,
    versions={"everyid": "0.1.0", "torch": "2.15.0", "python": "3.11.7"},
    machine="2 cores of a Xeon, no GPU",
    hours=1.25,
    figures=[
        CardFigures(data="drawn, test", protocol=PROTOCOL, metrics={"mAP": 0.71234, "Rank-1": 0.9}),
        CardFigures(data="site", protocol=PROTOCOL, metrics={"Rank-1": 0.5, "mINP": 0.125}),
        CardFigures(data="site", protocol="no-camera", metrics={"mAP": 0}),
    ],
    robustness=[
        RobustnessCurve(
            name="height of the crop",
            data="drawn, test",
            protocol=PROTOCOL,
            levels=["256 px", "64 px", "32 px"],
            metrics={"mAP": [0.7, 0.6, 0.3], "Rank-1": [0.9, 0.8, 0.5]},
        )
    ],
    limits=["People in the same clothes are confused.", "Not measured below 32 px."],
    out_of_scope=["Deciding about a person on a match alone."],
)


def text_of(path, **changes):
    write_card(path / "card.md", CARD.model_copy(update=changes), overwrite=True)
    return (path / "card.md").read_text(encoding="utf-8")


def golden(folder):
    """The text but for the parts of the recipe, whose fields and defaults are not the card's."""
    parts = tuple(f"| {name} |" for name, _, _ in recipe_fields(CARD.recipe) if "." in name)
    lines = [line for line in text_of(folder).splitlines() if not line.startswith(parts)]
    return json.dumps({"made_with": MADE_WITH, "lines": lines}, indent=1) + "\n"


def test_the_whole_text(tmp_path):
    assert golden(tmp_path) == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("licence", "named"),
    [
        ("MIT", {"license": "mit"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("LicenseRef-a: b # c", {"license": "other", "license_name": "LicenseRef-a: b # c"}),
    ],
)
def test_the_front_matter_is_what_the_hub_reads(tmp_path, licence, named):
    front = text_of(tmp_path, licence=licence).split("---\n")[1]
    assert yaml.safe_load(front) == {
        **named,
        "library_name": "everyid",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["person-re-identification"],
    }


def test_no_value_can_break_a_table_or_the_page(tmp_path):
    bad = "a|b\nc <script> *d* _e_ f_g ~5 [h](i) \\ `j`"
    plain = r"a\|b c \<script\> \*d\* \_e\_ f_g \~5 \[h\](i) \\ \`j\`"
    text = text_of(
        tmp_path,
        summary=f"# {bad}",
        machine=bad,
        data=[DataSource(name=bad, images=1, origin=bad)],
        limits=[f"- {bad}"],
    )
    lines = text.splitlines()
    assert rf"\# {plain}" in lines
    assert f"| machine | {plain} |" in lines
    assert f"| {plain} | 1 | not labelled | not labelled | {plain} |" in lines
    assert rf"- \- {plain}" in lines


def test_a_command_with_backquotes_stays_in_its_block(tmp_path):
    text = text_of(tmp_path, command="run ````a\n```\nb")
    assert "\n`````bash\nrun ````a\n```\nb\n`````\n" in text


def test_what_is_not_there_is_said(tmp_path):
    text = text_of(tmp_path, teacher=None, figures=[], robustness=[])
    assert "\nTeacher: none\n" in text
    assert "\nNone were measured.\n" in text


def test_every_field_of_the_recipe_is_told(tmp_path):
    lines = text_of(tmp_path).splitlines()
    assert "| network | width 192, depth 6 |" in lines
    assert "| size_hw | 256 x 128 |" in lines
    assert "| optimisation.epochs | 3 |" in lines
    assert "| optimisation.learning_rate | 0.00035 |" in lines
    assert "| distillation.teacher | none |" in lines


def test_an_existing_card_stays(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match=r"README\.md exists already"):
        write_card(path, CARD, overwrite=False)
    assert path.read_text() == "old"
    write_card(path, CARD, overwrite=True)
    assert path.read_text().startswith("---\nlicense: mit\n")
    assert [one.name for one in tmp_path.iterdir()] == ["README.md"]


def test_a_curve_has_a_value_at_each_level():
    with pytest.raises(ValidationError, match=r"expected 3 values of mAP, got 2"):
        RobustnessCurve(
            name="n", data="d", protocol="p", levels=["1", "2", "3"], metrics={"mAP": [0, 1]}
        )


@pytest.mark.parametrize("field", ["data", "limits", "out_of_scope"])
def test_data_limits_and_misuse_cannot_be_left_out(field):
    with pytest.raises(ValidationError, match=rf"{field}\n.*at least 1 item"):
        ModelCard.model_validate({**CARD.model_dump(), field: []})


def test_shares_are_no_percentages():
    with pytest.raises(ValidationError, match=r"less than or equal to 1"):
        CardFigures(data="d", protocol="p", metrics={"mAP": 71.2})


def test_a_teacher_of_the_catalogue_and_another():
    entry = find("person-reidentification-retail-0277")
    assert card_teacher("zoo", entry).licence == "Apache-2.0"
    assert card_teacher("zoo", entry).trained_on == entry.trained_on
    other = CardTeacher(name="mine", licence="not known", trained_on="not known")
    assert card_teacher("mine", None) == other


def test_running_statistics_are_no_parameters(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"w": torch.ones(2, 3), "bn.running_mean": torch.ones(5)}, path)
    assert parameter_count(path) == 6
    with pytest.raises(InputError, match=r"b\.safetensors"):
        parameter_count(tmp_path / "b.safetensors")


def test_versions_name_what_was_trained_with():
    found = versions()
    assert list(found) == ["everyid", "torch", "python"]
    assert all(found.values())


if __name__ == "__main__":
    import sys
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(golden(Path(folder)))
