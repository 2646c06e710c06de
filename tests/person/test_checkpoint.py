"""Checkpoints: wrappers, prefixes, what is recognised, and what is refused."""

import argparse
import contextlib
import io
import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from everyid import output
from everyid.errors import ConfigError, InputError, WeightsError
from everyid.settings import settings
from person import backbones, checkpoint
from person.checkpoint import Recognition, load_network, read_tensors, recognise
from tests.person.tiny_backbone import SIZE, Tiny, TinyConfig, tiny

SHA256 = "0" * 64


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Only the tiny architecture is known, and nothing was recognised before."""
    monkeypatch.setattr(backbones, "ARCHITECTURES", {"tiny": "tests.person.tiny_backbone"})
    monkeypatch.setenv("EVERYID_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    output.quiet(enabled=False)
    return tmp_path / "cache" / "recognised"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def state(**options):
    return tiny(**options).state_dict()


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def loaded(path):
    return load_network(path, recognise(path, sha256=SHA256))


def assert_same(network, other):
    images = torch.rand(2, 3, *SIZE)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), other(images))


WRAPPINGS = {
    "bare": lambda tensors: tensors,
    "state_dict": lambda tensors: {"state_dict": tensors, "epoch": 60, "rank1": np.float64(0.9)},
    "model": lambda tensors: {"model": tensors, "optimizer": {"state": {}, "param_groups": []}},
    "model_state_dict": lambda tensors: {"epoch": 3, "model_state_dict": tensors},
    "teacher-first": lambda tensors: {
        "student": {"conv.weight": torch.zeros(1)},
        "teacher": tensors,
    },
    "two deep": lambda tensors: {"model": {"state_dict": tensors}},
    "a name of its own": lambda tensors: {"epoch": 3, "reid": tensors},
    "module.": lambda tensors: {f"module.{name}": value for name, value in tensors.items()},
    "module.model.": lambda tensors: {
        "state_dict": {f"module.model.{name}": value for name, value in tensors.items()}
    },
    "beside other things": lambda tensors: {**tensors, "epoch": 3},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_what_scripts_put_around_weights_is_taken_off(path, wrap, zipped):
    content = wrap(state())
    saved(path, content, _use_new_zipfile_serialization=zipped)
    assert read_tensors(path).keys() == state().keys()
    assert_same(loaded(path), tiny())


def test_a_safetensors_file_whatever_it_is_called(tmp_path):
    for name in ("weights.safetensors", "weights.pth"):
        save_file(state(), tmp_path / name)
        assert_same(loaded(tmp_path / name), tiny())


def test_a_prefix_that_only_some_names_have_stays(path):
    saved(path, {"module.a": torch.zeros(1), "b": torch.zeros(1)})
    assert list(read_tensors(path)) == ["module.a", "b"]


def test_half_precision_becomes_float32(path):
    saved(path, {name: value.half() for name, value in state().items()})
    assert {value.dtype for value in loaded(path).parameters()} == {torch.float32}


def test_what_is_recognised_is_told(path):
    found = recognise(saved(path, state(width=9)), sha256=SHA256)
    assert found.architecture == "tiny"
    assert found.config == {"embedding_width": 9, "classes": 4}
    assert found.label == "Tiny of the tests, embedding width 9"
    assert found.input.size_hw == SIZE


def test_the_first_architecture_that_knows_it_is_taken(path, monkeypatch):
    both = {"one": "tests.person.tiny_backbone", "two": "nowhere"}
    monkeypatch.setattr(backbones, "ARCHITECTURES", both)
    assert recognise(saved(path, state()), sha256=SHA256).architecture == "tiny"


def test_weights_of_no_known_network(path):
    saved(path, {"stem.weight": torch.zeros(2, 3), "b": torch.zeros(1)})
    with pytest.raises(
        WeightsError, match="the weights of no network known here, 2 tensors: "
    ) as e:
        recognise(path, sha256=SHA256)
    assert "stem.weight (2, 3), b (1,) ...; known: Tiny of the tests (tiny)" in str(e.value)
    assert '{"architecture": "tiny", "config": {...}}' in str(e.value.hint)
    assert "weights.pth.json" in str(e.value.hint)


# What somebody says


def test_what_somebody_says_counts(path):
    saved(path, {name: value for name, value in state().items() if name != "fc.weight"})
    said = recognise(
        path, sha256=SHA256, architecture="tiny", config={"embedding_width": 6, "classes": 9}
    )
    assert said.config == {"embedding_width": 6, "classes": 9}
    assert recognise(path, sha256=SHA256).config["classes"] == 4


def test_an_architecture_without_a_config_is_told_by_the_shapes(path):
    saved(path, state(width=7))
    found = recognise(path, sha256=SHA256, architecture="tiny")
    assert found.config["embedding_width"] == 7
    saved(path, {"x": torch.zeros(1)})
    found = recognise(path, sha256="1" * 64, architecture="tiny")
    assert found.config["embedding_width"] == 6


def test_an_unknown_architecture_is_refused(path):
    saved(path, state())
    with pytest.raises(ConfigError, match=r"no architecture is called 'tinny'; known: tiny$"):
        recognise(path, sha256=SHA256, architecture="tinny")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 3}, "config of tiny: width: Extra inputs .*; its fields: embedding_width, cla"),
        ({"classes": "many"}, "config of tiny: classes: Input should be a valid integer"),
    ],
)
def test_a_wrong_config_is_refused(path, config, message):
    saved(path, state())
    with pytest.raises(ConfigError, match=message):
        recognise(path, sha256=SHA256, architecture="tiny", config=config)


# Strict loading


def test_a_head_of_another_size_or_none_does_not_matter(path):
    assert_same(loaded(saved(path, state(classes=751))), tiny())
    rest = {name: value for name, value in state().items() if "classifier" not in name}
    assert_same(loaded(saved(path, rest)), tiny())
    assert_same(loaded(saved(path, state() | {"classifier.extra": torch.zeros(1)})), tiny())


def test_counters_of_batches_may_be_missing(path):
    rest = {name: value for name, value in state().items() if "num_batches" not in name}
    assert_same(loaded(saved(path, rest)), tiny())


def test_all_that_differs_is_listed(path):
    tensors = state()
    del tensors["norm.running_var"], tensors["fc.bias"]
    tensors["extra.weight"] = torch.zeros(2, 2)
    tensors["norm.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as caught:
        loaded(saved(path, tensors))
    assert str(caught.value).splitlines() == [
        f"{path}: not the weights of Tiny of the tests",
        "  2 missing: norm.running_var (5,); fc.bias (6,)",
        "  1 unexpected: extra.weight (2, 2)",
        "  1 of another shape: norm.bias expected (5,), found (7,)",
    ]


def test_a_long_list_is_cut(path):
    tensors = state() | {f"extra.{number}": torch.zeros(1) for number in range(13)}
    expected = r"13 unexpected: extra.0 \(1,\); .*extra.9 \(1,\); and 3 more$"
    with pytest.raises(WeightsError, match=expected):
        loaded(saved(path, tensors))


def test_a_tensor_that_the_conversion_misses(path, monkeypatch):
    kind = backbones.architecture("tiny")

    def convert(tensors, config):
        return {"fc.weight": tensors["fc.kernel"]}

    changed = backbones.Architecture(
        **{name: getattr(kind, name) for name in kind.__slots__} | {"convert": convert}
    )
    monkeypatch.setattr(backbones, "architecture", lambda name: changed)
    with pytest.raises(WeightsError, match=r"not the weights of Tiny.*: fc\.kernel is missing$"):
        loaded(saved(path, state()))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(path, value):
    tensors = state()
    tensors["fc.weight"][2, 3] = value
    with pytest.raises(WeightsError, match=r"values that are not finite in 1: fc\.weight$"):
        loaded(saved(path, tensors))


# What is no state dict


class Evil:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"model": model}])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_a_whole_pickled_model_is_refused(path, wrap, zipped):
    model = nn.Linear(2, 2)
    saved(path, wrap(model), _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="a whole pickled model, which runs code") as caught:
        read_tensors(path)
    assert "torch.save(model.state_dict()," in str(caught.value.hint)


def test_a_whole_model_of_a_class_of_its_own_is_refused(path):
    saved(path, Tiny(TinyConfig()))
    with pytest.raises(WeightsError, match="a whole pickled model"):
        read_tensors(path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript_is_refused(path):
    torch.jit.save(torch.jit.script(nn.ReLU()), path)
    with pytest.raises(WeightsError, match="a whole pickled model"):
        read_tensors(path)


def test_other_objects_are_named(path):
    saved(path, {"state_dict": state(), "args": argparse.Namespace(lr=1)})
    with pytest.raises(WeightsError, match=r"only code can make: argparse\.Namespace$") as caught:
        read_tensors(path)
    assert "weights_only=False" in str(caught.value.hint)


def test_no_code_of_a_file_runs(path, capsys):
    saved(path, {"state_dict": state(), "evil": Evil()})
    with pytest.raises(WeightsError, match=r"only code can make: .*print"):
        read_tensors(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("keep", [0, 5, 100, -50])
def test_a_file_cut_short(tmp_path, name, keep):
    path = tmp_path / name
    save_file(state(), path) if path.suffix == ".safetensors" else saved(path, state())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"not a checkpoint, or a damaged one .*bytes") as caught:
        read_tensors(path)
    assert "cut short" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"hello world " * 9, b"{" * 20, b"12345678{}", b"\x80\x02."])
def test_a_file_of_another_kind(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not a checkpoint, or a damaged one"):
        read_tensors(path)


def _bytes(zipped):
    file = io.BytesIO()
    content = OrderedDict(a=torch.ones(2), b=torch.zeros(1, 3))
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@given(st.data(), st.booleans())
def test_whatever_a_damaged_file_holds_the_error_is_known(tmp_path_factory, data, zipped):
    content = bytearray(_bytes(zipped))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "weights.pth"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(WeightsError):
        read_tensors(path)


ENDLESS: dict[str, object] = {}
ENDLESS["itself"] = ENDLESS


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([1, 2], "a list"),
        ({}, "a dict of nothing"),
        ({"epoch": 3, "state_dict": {"a": 1}}, "a dict of epoch, state_dict"),
        ({"optimizer": {"state": {0: {"step": torch.ones(1)}}}}, "a dict of optimizer"),
        (ENDLESS, "a dict of itself"),
    ],
)
def test_a_file_without_tensors(path, content, found):
    with pytest.raises(WeightsError, match=rf"names -> tensors\), found {found}$"):
        read_tensors(saved(path, content))


def test_a_missing_file(path):
    with pytest.raises(InputError, match=r"cannot read .*weights\.pth: No such file"):
        read_tensors(path)


# The record of what was recognised


def test_a_file_is_looked_at_once(path, cache):
    first = recognise(saved(path, state()), sha256=SHA256)
    path.unlink()
    assert recognise(path, sha256=SHA256) == first
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(InputError):
        recognise(path, sha256="1" * 64)


def test_a_damaged_record_is_made_again(path, cache, capsys):
    first = recognise(saved(path, state()), sha256=SHA256)
    (record,) = cache.iterdir()
    for content in (b"", b"{}", record.read_bytes()[:-5]):
        record.write_bytes(content)
        assert recognise(path, sha256=SHA256) == first
        assert "unusable; looking at the weights again" in capsys.readouterr().err
    assert Recognition.model_validate_json(record.read_bytes()) == first


def test_other_code_looks_again(path, cache, monkeypatch):
    recognise(saved(path, state()), sha256=SHA256)
    monkeypatch.setattr(checkpoint, "_code_digest", lambda: "other")
    assert recognise(path, sha256=SHA256).code == "other"
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_obstacle(path, tmp_path, capsys):
    (tmp_path / "cache").touch()
    assert recognise(saved(path, state()), sha256=SHA256).architecture == "tiny"
    assert "not kept: cannot write" in capsys.readouterr().err


def test_a_recognition_round_trips(path):
    found = recognise(saved(path, state()), sha256=SHA256)
    assert Recognition.model_validate(json.loads(found.model_dump_json())) == found


def test_a_damaged_pickle_is_no_reason_to_load_it_unsafely(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(WeightsError, match=r"damaged one \(10,240 bytes\)") as caught:
        read_tensors(path)
    assert "weights_only" not in str(caught.value)
