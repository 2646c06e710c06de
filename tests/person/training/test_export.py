"""The file of a trained network: half precision, and every command takes it by its name."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from everyid.device import Device
from everyid.errors import OutputError
from everyid.weights_catalogue import InputSpec
from person.backbones.everyid_cnn import ARCHITECTURE, EveryIdCnn, EveryIdCnnConfig
from person.encoder import build_encoder
from person.training.export import export_network
from person.training.validation import NetworkInTraining
from tests.person.people import figure

CPU = Device(kind="cpu", index=0, precision="fp32", threads=1, name="test")
CONFIG = EveryIdCnnConfig(widths=(16, 16, 16, 16), depths=(1, 1, 1), embedding_width=8)
SPEC: InputSpec = ARCHITECTURE.input(CONFIG).model_copy(update={"size_hw": (64, 32)})


def exported(path):
    torch.manual_seed(1)
    network = EveryIdCnn(CONFIG).eval()
    export_network(path, network, architecture="everyid-cnn", config=CONFIG, spec=SPEC)
    return network


def test_the_file_gives_the_embeddings_of_the_network(tmp_path):
    path = tmp_path / "own.safetensors"
    network = exported(path)
    crops = [figure(1), figure(2)[:50], figure(3, 2)]
    encoder = build_encoder(str(path), device=CPU)
    assert encoder.input == SPEC
    own = NetworkInTraining(
        network, name="own", spec=SPEC, device=torch.device("cpu"), precision=None
    )
    expected = own.encode_prepared(np.stack([own.prepare(crop) for crop in crops]))
    np.testing.assert_allclose(encoder.encode(crops), expected, atol=5e-3)


def test_it_is_small_and_says_what_it_is(tmp_path):
    path = tmp_path / "own.safetensors"
    network = exported(path)
    tensors = load_file(path)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    kept = {name for name in network.state_dict() if "num_batches" not in name}
    assert tensors.keys() == kept
    said = json.loads((tmp_path / "own.safetensors.json").read_text())
    assert said["architecture"] == "everyid-cnn"
    assert said["config"] == CONFIG.model_dump(mode="json")
    assert said["input"]["size_hw"] == [64, 32]


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_text("old")
    exported(path)
    assert len(load_file(path)) > 10
    assert sorted(found.name for found in tmp_path.iterdir()) == [path.name, f"{path.name}.json"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*own\.safetensors"):
        exported(tmp_path / "file" / "own.safetensors")
