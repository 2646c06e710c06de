"""A body measured for clothes: where on arms, legs and trunk each of its points is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags_array

from synthetic.people.body import Body, load_body
from synthetic.rendering.mesh import vertex_normals

__all__ = [
    "Wearer",
    "arm_share",
    "leg_radius",
    "means_among",
    "measure",
    "share_of",
    "smoothed",
    "smoothstep",
]

FloatArray = NDArray[np.float32]

_ARM = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
_HAND = ("wrist", "finger", "metacarpal")
_FOOT = ("foot", "toe")
_LEG = ("upperleg", "lowerleg", *_FOOT)
_FILLING_ROUNDS = 30
_MOST_FILLING_M = 0.045


@dataclass(frozen=True, slots=True)
class Wearer:
    """One person's body at rest at full size, with what tailors need to know of each vertex.

    Args:
        body: The body model.
        positions: float32 (V, 3), metres.
        normals: float32 (V, 3), unit.
        flow: float32 (V, 3), unit: the normals without small forms, along which cloth stands off.
        heads: float32 (J, 3), where the bones begin.
        scale: Size of the body against a usual adult's, about 0.6-1.15.
        drop: float32 (V,), height as garments count it: 0 at the waist, 1 at the ankles.
        leg_m: Metres from waist to ankle.
        reach: float32 (V,), along the arms: 0 shoulder, 0.5 elbow, 1 wrist; 0 or less on the trunk.
        arm_m: Metres from shoulder to wrist.
        filling: float32 (V,), how far cloth that spans the hollows of the body stands off, metres.
        behind: float32 (V,), metres behind the spine at the same height; below 0 in front of it.
    """

    body: Body
    positions: FloatArray
    normals: FloatArray
    flow: FloatArray
    heads: FloatArray
    scale: float
    drop: FloatArray
    leg_m: float
    reach: FloatArray
    arm_m: float
    filling: FloatArray
    behind: FloatArray

    def head(self, name: str) -> FloatArray:
        """Where a bone begins, float32 (3,), metres."""
        return np.asarray(self.heads[self.body.bones.index(name)])

    def height_of(self, drop: float) -> float:
        """Metres above the ground of a height as garments count it."""
        return float(_waist(self.body, self.heads) - drop * self.leg_m)


def smoothstep(low: float, high: float, values: NDArray[np.floating]) -> FloatArray:
    """0 up to one value, 1 from another on, smooth between; either may be the greater."""
    place = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(place * place * (3 - 2 * place), np.float32)


@lru_cache(maxsize=16)
def share_of(*beginnings: str) -> FloatArray:
    """How much each vertex belongs to the bones whose names begin so, float32 (V,), 0-1."""
    body = load_body()
    columns = [number for number, name in enumerate(body.bones) if name.startswith(beginnings)]
    return np.asarray(body.weights[:, columns].sum(axis=1))


def arm_share() -> FloatArray:
    """How much each vertex belongs to the arms and hands, float32 (V,), 0-1."""
    return share_of(*_ARM)


@lru_cache(maxsize=1)
def _neighbours() -> csr_matrix:
    """Takes the mean over a vertex's neighbours: rows sum to 1."""
    body = load_body()
    faces = body.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ones = np.ones(len(edges), np.float32)
    count = len(body.weights)
    touching = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    sums = np.maximum(np.asarray(touching.sum(axis=1)).reshape(-1), 1e-6)
    return csr_matrix(diags_array((1 / sums).astype(np.float32)) @ touching)


def means_among(asked: NDArray[np.bool_]) -> tuple[NDArray[np.int64], csr_matrix]:
    """Some vertices, and the matrix that takes the mean over each one's neighbours among them.

    Args:
        asked: bool (V,), which.

    Returns:
        int64 (N,) their numbers, and (N, N), rows that sum to 1.
    """
    chosen = np.flatnonzero(asked)
    part = _neighbours()[chosen][:, chosen]
    sums = np.maximum(np.asarray(part.sum(axis=1)).reshape(-1), 1e-6)
    return chosen, csr_matrix(diags_array((1 / sums).astype(np.float32)) @ part)


@lru_cache(maxsize=1)
def _trunk_and_limbs() -> tuple[NDArray[np.int64], csr_matrix]:
    """The vertices that cloth can cover (no head, no fingers), and the means among these."""
    return means_among(
        share_of("head", "eye") + share_of("finger", "metacarpal") + share_of("toe") < 0.5
    )


def smoothed(values: FloatArray, rounds: int) -> FloatArray:
    """Values of vertices, each moved half way to its neighbours' mean, a number of times."""
    chosen, means = _trunk_and_limbs()
    part = values[chosen]
    for _ in range(rounds):
        part = 0.5 * part + 0.5 * (means @ part)
    result = values.copy()
    result[chosen] = part
    return result


def measure(body: Body, phenotype: Mapping[str, float], height_m: float) -> Wearer:
    """A person's body at full size, measured.

    Args:
        body: The body model.
        phenotype: What forms the body.
        height_m: From the soles to the crown, without shoes and hair.
    """
    rest = body.rest(phenotype)
    size = np.float32(height_m / rest.positions[:, 2].max())
    positions, heads = rest.positions * size, rest.heads * size
    normals = vertex_normals(positions, body.faces)
    flow = smoothed(normals, 4)
    flow /= np.maximum(np.linalg.norm(flow, axis=1, keepdims=True), 1e-6)
    ankle = float(heads[body.bones.index("foot.L"), 2])
    waist = _waist(body, heads)
    reach, arm_m = _reach(body, positions, heads)
    scale = (waist - ankle) / 0.997
    return Wearer(
        body=body,
        positions=positions,
        normals=normals,
        flow=flow,
        heads=heads,
        scale=scale,
        drop=((waist - positions[:, 2]) / (waist - ankle)).astype(np.float32),
        leg_m=waist - ankle,
        reach=reach,
        arm_m=arm_m,
        filling=_filling(positions, flow, scale),
        behind=_behind(body, positions, heads),
    )


def _waist(body: Body, heads: FloatArray) -> float:
    """Height of the waist, metres."""
    low, high = (heads[body.bones.index(name), 2] for name in ("spine03", "spine02"))
    return float(low + 0.8 * (high - low))


def _behind(body: Body, positions: FloatArray, heads: FloatArray) -> FloatArray:
    bones = ("root", "spine03", "spine01", "neck01", "head")
    spine = heads[[body.bones.index(bone) for bone in bones]]
    middle = np.interp(positions[:, 2], spine[:, 2], spine[:, 1])
    return np.asarray(positions[:, 1] - middle, np.float32)


def _reach(body: Body, positions: FloatArray, heads: FloatArray) -> tuple[FloatArray, float]:
    result = np.full(len(positions), -1.0, np.float32)
    length = 0.0
    for side, sign in (("L", 1), ("R", -1)):
        shoulder, elbow, wrist = (
            heads[body.bones.index(f"{bone}.{side}")]
            for bone in ("upperarm01", "lowerarm01", "wrist")
        )
        upper, lower = elbow - shoulder, wrist - elbow
        along_upper = (positions - shoulder) @ upper / (upper @ upper)
        along_lower = (positions - elbow) @ lower / (lower @ lower)
        along = np.where(along_lower > 0, 0.5 + 0.5 * along_lower, 0.5 * np.minimum(along_upper, 1))
        here = positions[:, 0] * sign > 0
        result[here] = along[here]
        length = float(np.linalg.norm(upper) + np.linalg.norm(lower))
    on_arm = arm_share() > 0.5
    return np.where(on_arm, result, np.minimum(result, 0)).astype(np.float32), length


def leg_radius(wearer: Wearer) -> FloatArray:
    """How far each vertex is from the middle of the leg on its side, level, float32 (V,) metres."""
    x, y, z = wearer.positions.T
    bones = ("foot", "lowerleg01", "upperleg01")
    axis = np.stack([wearer.head(f"{bone}.L") for bone in bones])
    beside = np.abs(x) - np.interp(z, axis[:, 2], axis[:, 0])
    behind = y - np.interp(z, axis[:, 2], axis[:, 1])
    return np.asarray(np.hypot(beside, behind), np.float32)


def _filling(positions: FloatArray, flow: FloatArray, scale: float) -> FloatArray:
    """How far the hollows lie behind a skin that is stretched over them.

    Points move out along their normals, never in, to where their neighbours' mean is.
    """
    chosen, means = _trunk_and_limbs()
    part, out = positions[chosen], flow[chosen]
    height = np.zeros(len(chosen), np.float32)
    most = np.float32(_MOST_FILLING_M * scale)
    for _ in range(_FILLING_ROUNDS):
        moved = part + out * height[:, None]
        behind = ((means @ moved - moved) * out).sum(axis=1)
        height = np.minimum(height + 1.5 * np.maximum(behind, 0), most)
    for _ in range(2):
        height = 0.5 * height + 0.5 * (means @ height)
    result = np.zeros(len(positions), np.float32)
    result[chosen] = height
    return result
