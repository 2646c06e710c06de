"""How good a network in training is, by the project's own evaluator."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from everyid.models import Evaluation
from everyid.output import Stop
from everyid.protocols import Image
from everyid.weights_catalogue import InputSpec
from person.crops import Crops, find_crops
from person.datasets.training_set import validation_sides
from person.embed import CropEncoder, embed_crops
from person.embeddings import Embeddings
from person.evaluation import Evaluated, evaluate, fitting_protocol
from person.protocol import label
from person.session import shown
from person.training.augment import plain
from person.training.network import to_network_input

__all__ = [
    "Measured",
    "NetworkInTraining",
    "Validation",
    "check_measurable",
    "ignore_progress",
    "measure",
    "validate",
    "validation_on",
]


@dataclass(frozen=True, slots=True)
class Validation:
    """What a training is measured on.

    Args:
        query: The queries; or all pictures, each in turn a query among the others.
        gallery: The gallery, or None.
        name: What the data is called.
        protocol: A name of ``person.protocol``; None: the one that fits.
    """

    query: Crops
    gallery: Crops | None
    name: str
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement gave.

    Args:
        query: The embeddings of the queries.
        gallery: Those of the gallery; None: the queries are each other's.
        figures: What follows from them.
    """

    query: Embeddings
    gallery: Embeddings | None
    figures: Evaluated


class NetworkInTraining:
    """Embeddings from a network as it is. Fulfils :class:`person.embed.CropEncoder`.

    Args:
        network: In evaluation mode; gives float32 (B, D).
        name: What it is called.
        spec: What it is fed; with a size.
        device: Where it is, a name of torch.
        precision: That it computes in where its kind of layer can; None: fp32.
    """

    sha256 = ""
    batch_size = 64
    parallel_calls = 1

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        spec: InputSpec,
        device: torch.device,
        precision: torch.dtype | None,
    ) -> None:
        self.name = name
        self.width = int(network.embedding_width)  # type: ignore[arg-type]  # all backbones have it
        self._network = network
        self._spec = spec
        self._device = device
        self._precision = precision

    def prepare(self, crop: Image) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), BGR, 0-255: the crop in the size of the network's input.

        Args:
            crop: uint8 (h, w, 3), BGR, 0-255, of any size.
        """
        return plain(crop, size_hw=self._spec.size_hw or crop.shape[:2])

    def encode_prepared(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (B, D), one L2-normalised row a crop, in order.

        Args:
            batch: uint8 (B, H, W, 3), BGR, 0-255.
        """
        images = to_network_input(torch.from_numpy(batch).to(self._device), self._spec)
        with (
            torch.inference_mode(),
            torch.autocast(
                self._device.type, dtype=self._precision, enabled=self._precision is not None
            ),
        ):
            rows = self._network(images).float()
        normalised = torch.nn.functional.normalize(rows, dim=1)
        return np.asarray(normalised.cpu().numpy(), np.float32)


def ignore_progress(steps: int = 1, *, total: int | None = None) -> None:
    """Takes what a progress bar is told; for work that has none of its own."""


def validation_on(
    source: Path,
    *,
    protocol: str | None,
    id_pattern: str | None = None,
    camera_pattern: str | None = None,
) -> Validation:
    """What measuring on a source means: its queries and gallery, or else all of it in itself.

    Args:
        source: A data set's folder, or anything that crops are found in.
        protocol: A name of ``person.protocol``; None: the one that fits.
        id_pattern: As for :func:`person.crops.find_crops`.
        camera_pattern: Likewise.

    Raises:
        InputError: There are no crops, or they cannot be read.
        ConfigError: A pattern is wrong, or fits no crop.
    """

    def crops(paths: tuple[Path, ...]) -> Crops:
        return find_crops(paths, id_pattern=id_pattern, camera_pattern=camera_pattern)

    sides = validation_sides(source)
    if sides is None or sides.gallery is None:
        return Validation(crops((source,)), None, shown((source,)), protocol)
    return Validation(crops(sides.query), crops(sides.gallery), sides.name, protocol)


def check_measurable(data: Validation) -> None:
    """Looks for what measuring will need, before anything is trained.

    Raises:
        ConfigError: No protocol has that name.
        InputError: There are no labels, or no cameras.
    """
    gallery = data.query if data.gallery is None else data.gallery
    label(data.query, gallery, fitting_protocol(data.protocol, data.query, gallery))


def validate(encoder: CropEncoder, data: Validation, *, stop: Stop) -> Evaluation | None:
    """The figures of a network; None when a stop came before all crops were embedded.

    Args:
        encoder: The network.
        data: What it is measured on.
        stop: Looked at as the crops are embedded.

    Raises:
        InputError: Nothing can be measured: no labels, no cameras, or no query with a match.
    """
    found = measure(encoder, data, skipped={}, stop=stop)
    return None if found is None else found.figures.evaluation


def measure(
    encoder: CropEncoder, data: Validation, *, skipped: dict[str, str], stop: Stop
) -> Measured | None:
    """The figures of a network, and what they are from; None when a stop came before.

    Args:
        encoder: The network.
        data: What it is measured on.
        skipped: Takes path -> reason for each picture that cannot be used.
        stop: Looked at as the crops are embedded.

    Raises:
        InputError: Nothing can be measured: no labels, no cameras, or no query with a match.
    """

    def embedded(crops: Crops) -> Embeddings:
        return embed_crops(crops, encoder, skipped=skipped, stop=stop, advance=ignore_progress)

    query = embedded(data.query)
    gallery = None if data.gallery is None else embedded(data.gallery)
    if stop.requested:
        return None
    rules = fitting_protocol(data.protocol, query.crops, (gallery or query).crops)
    return Measured(query, gallery, evaluate(query, gallery, rules=rules, data=data.name))
