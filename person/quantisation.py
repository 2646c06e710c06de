"""``--precision int8``: the pictures networks are calibrated with, and for which it is offered.

A network is quantised with pictures that come with the project, so that nobody has to supply any:
people who do not exist, see ``quantisation_crops.md``. What that costs in accuracy was measured
for networks known by name and is written in ``quantisation_offers.json``; where it is too much,
int8 is refused. ``python -m benchmarks int8 --record`` measures again and writes that file.
"""

import zipfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from everyid.device import multiplies_int8
from everyid.errors import ConfigError
from everyid.models import Model, Share
from everyid.output import notice
from everyid.protocols import Image
from everyid.quantise import Calibration
from everyid.weights import sha256_of
from everyid.weights_catalogue import SHA256_PATTERN, InputSpec
from person.preparing import fitted

__all__ = [
    "Figures",
    "Offers",
    "QuantisedFigures",
    "calibration_crops",
    "calibration_of",
    "int8_calibration",
    "offers",
]

CROPS_FILE = Path(__file__).with_name("quantisation_crops.zip")
"""JPEGs of synthetic people."""
OFFERS_FILE = Path(__file__).with_name("quantisation_offers.json")
"""What ``offers`` reads."""
MOST_LOST = 0.005
"""Of Rank-1: a network that loses more is not offered in int8."""


class Figures(Model):
    """How well a network finds people in one precision."""

    rank_1: Share
    mean_average_precision: Share


class QuantisedFigures(Model):
    """What quantising costs one network."""

    name: str
    sha256: str = Field(pattern=SHA256_PATTERN, description="as its encoder has it")
    fp32: Figures
    int8: Figures
    across: Share = Field(description="Rank-1 of int8 queries in a gallery of fp32 vectors")
    data: str = Field(description="what that was measured on")
    calibration_sha256: str = Field(pattern=SHA256_PATTERN, description="of the pictures")
    versions: dict[str, str]

    @property
    def lost(self) -> float:
        """How much of Rank-1 int8 costs; below 0: nothing."""
        return max(self.fp32.rank_1 - self.int8.rank_1, self.fp32.rank_1 - self.across)

    @property
    def offered(self) -> bool:
        """Whether that is little enough; a millionth is for rounding."""
        return self.lost <= MOST_LOST + 1e-6


class Offers(Model):
    """For which networks int8 was measured."""

    networks: list[QuantisedFigures]


def offers() -> Offers:
    """What was measured."""
    return Offers.model_validate_json(OFFERS_FILE.read_bytes())


def calibration_crops() -> list[Image]:
    """The pictures that networks are calibrated with: uint8 (h, w, 3), BGR, of many sizes."""
    with zipfile.ZipFile(CROPS_FILE) as archive:
        files = [archive.read(name) for name in sorted(archive.namelist())]
    return [
        np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        for file in files
    ]


def int8_calibration(name: str, sha256: str, spec: InputSpec) -> Calibration:
    """What a network is quantised with, once it is known that int8 is offered for it.

    Says on stderr what int8 costs, where that was measured, and on processors that are slow at it.

    Args:
        name: What the network is called.
        sha256: Stands for the network and what it is fed, as for its encoder.
        spec: What it is fed; size and resize are set.

    Raises:
        ConfigError: int8 costs this network too much, or nothing says its size.
    """
    size_hw, resize = spec.size_hw, spec.resize
    if size_hw is None or resize is None:
        raise ConfigError(f"{name}: expected a size and a way to resize, got {spec}")
    notice(f"{name}: {_offer(name, sha256)}")
    if multiplies_int8() is False:
        notice(
            "this processor has no instructions for int8 (VNNI, AMX): bf16 or fp32 may be quicker"
        )

    return calibration_of(size_hw, resize)


def calibration_of(
    size_hw: tuple[int, int], resize: Literal["bilinear", "bicubic", "linear"]
) -> Calibration:
    """The same pictures for a network of a size, offered or not.

    Args:
        size_hw: Height and width of its input, px.
        resize: How pictures come to that size.
    """

    def images() -> NDArray[np.uint8]:
        return np.stack([fitted(crop, size_hw, resize) for crop in calibration_crops()])

    return Calibration(f"{sha256_of(CROPS_FILE)} {resize}", images)


def _offer(name: str, sha256: str) -> str:
    """What int8 costs a network, in words.

    Raises:
        ConfigError: More than is tolerated.
    """
    figures = next((one for one in offers().networks if one.sha256 == sha256), None)
    if figures is None:
        return (
            "what int8 costs this network was not measured; `python3 run.py person evaluate "
            "--precision int8` on your own labelled crops, and again with fp32, tells"
        )
    cost = (
        f"Rank-1 {100 * figures.fp32.rank_1:.2f} % in fp32, {100 * figures.int8.rank_1:.2f} % in "
        f"int8, {100 * figures.across:.2f} % from int8 to fp32 ({figures.data})"
    )
    if not figures.offered:
        raise ConfigError(
            f"{name}: int8 is not offered for this network, for it may cost "
            f"{100 * MOST_LOST:g} points and costs {100 * figures.lost:.2f}: {cost}",
            hint="leave --precision out: bf16 or fp32, whichever the processor is quicker in",
        )
    return cost
