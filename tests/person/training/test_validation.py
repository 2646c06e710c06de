"""Figures of a network in training, by the project's own evaluator."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from everyid.errors import ConfigError, InputError
from everyid.output import Stop
from person.crops import find_crops
from person.embed import embed_crops
from person.evaluation import evaluate
from person.protocol import protocol
from person.training.network import to_network_input
from person.training.validation import (
    NetworkInTraining,
    Validation,
    check_measurable,
    ignore_progress,
    validate,
)
from tests.person.people import figure, save
from tests.person.tiny_backbone import ARCHITECTURE, TinyConfig, tiny

SPEC = ARCHITECTURE.input(TinyConfig())


def encoder(precision=None):
    return NetworkInTraining(
        tiny(), name="tiny", spec=SPEC, device=torch.device("cpu"), precision=precision
    )


@pytest.fixture
def sides(people_to_train):
    return [find_crops((people_to_train / part,)) for part in ("query", "bounding_box_test")]


def test_figures_are_those_of_the_evaluator(sides):
    found = validate(encoder(), Validation(*sides, "drawn"), stop=Stop())
    query, gallery = (
        embed_crops(crops, encoder(), skipped={}, stop=Stop(), advance=ignore_progress)
        for crops in sides
    )
    expected = evaluate(query, gallery, rules=protocol("cross-camera"), data="drawn").evaluation
    assert found == expected
    assert (found.queries, found.gallery, found.model.name) == (6, 12, "tiny")


def test_without_a_gallery_each_picture_is_asked_for_among_the_others(sides):
    found = validate(encoder(), Validation(sides[1], None, "drawn", "no-camera"), stop=Stop())
    assert (found.queries, found.gallery, found.protocol) == (12, 12, "no-camera")


@pytest.mark.parametrize(("precision", "error"), [(None, 1e-6), (torch.bfloat16, 2e-2)])
def test_embeddings_are_those_of_the_network(precision, error):
    batch = np.stack([encoder().prepare(figure(number)) for number in (1, 2, 3)])
    with torch.inference_mode():
        expected = normalize(tiny()(to_network_input(torch.from_numpy(batch), SPEC)), dim=1)
    found = encoder(precision).encode_prepared(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=error)


def test_a_stop_leaves_no_figures(sides):
    stop = Stop()
    stop.requested = True
    assert validate(encoder(), Validation(*sides, "drawn"), stop=stop) is None


def test_what_cannot_be_measured_is_known_before(sides, tmp_path):
    check_measurable(Validation(*sides, "drawn"))
    for identity in (1, 2):
        for view in (0, 1):
            save(tmp_path / str(identity) / f"{view}.png", figure(identity, 1, view))
    dark = find_crops((tmp_path,))
    with pytest.raises(InputError, match=r"no camera is known of these pictures") as caught:
        check_measurable(Validation(dark, None, "dark"))
    assert "--protocol no-camera" in caught.value.hint
    check_measurable(Validation(dark, None, "dark", "no-camera"))
    with pytest.raises(ConfigError, match="no-cam"):
        check_measurable(Validation(dark, None, "dark", "no-cam"))
