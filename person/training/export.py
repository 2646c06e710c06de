"""A trained network as a file that every command takes by its name."""

import json
from pathlib import Path

from safetensors.torch import save
from torch import nn

from everyid.output import whole_file
from everyid.weights_catalogue import InputSpec
from person.backbones import BackboneConfig

__all__ = ["export_network"]


def export_network(
    path: Path, network: nn.Module, *, architecture: str, config: BackboneConfig, spec: InputSpec
) -> None:
    """Writes the weights in half precision, and ``FILE.json`` that says what they belong to.

    Args:
        path: A .safetensors file; replaced when it is there.
        network: The network.
        architecture: A name of ``person.backbones.ARCHITECTURES``.
        config: What the network is built from.
        spec: What it is fed.

    Raises:
        OutputError: It cannot be written.
    """
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    document = {
        "architecture": architecture,
        "config": config.model_dump(mode="json"),
        "input": spec.model_dump(mode="json"),
    }
    with whole_file(path.with_name(f"{path.name}.json"), overwrite=True) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    with whole_file(path, overwrite=True) as part:
        part.write_bytes(save(tensors, metadata={"format": "pt"}))  # with the usual permissions
