"""Bodies: shapes at rest, and bones that carry them into poses."""

from pathlib import Path

import numpy as np
import pytest

from everyid.errors import ConfigError, InputError
from synthetic.people import body as module
from synthetic.people.body import Body, load_body, posed_transforms


def turn_x(angle_deg: float) -> np.ndarray:
    angle = np.deg2rad(angle_deg)
    return np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )


def two_bones() -> Body:
    """A stick of two bones, and no shapes but its template."""
    nothing = np.zeros((0, 2, 3), np.int16)
    return Body(
        bones=("root", "tip"),
        parents=np.array([-1, 0], np.int32),
        weights=np.eye(2, dtype=np.float32),
        faces=np.zeros((0, 3), np.int32),
        _template=np.array([[0, 0, 0], [0, 0, 2]], np.float32),
        _shapes=nothing,
        _template_heads=np.array([[0, 0, 0], [0, 0, 1]], np.float32),
        _head_shapes=nothing.astype(np.float32),
        _mask=np.zeros((0, 0), bool),
        _variations=(),
    )


def moved(transforms: np.ndarray, bone: int, point: tuple[float, float, float]) -> list[float]:
    return (transforms[bone, :, :3] @ point + transforms[bone, :, 3]).round(6).tolist()


def test_a_bone_turns_about_its_head_and_takes_its_children_along():
    stick = two_bones()
    heads = stick.rest({}).heads
    bent = posed_transforms(stick, heads, {"tip": turn_x(90)})
    assert moved(bent, 0, (0, 0, 2)) == [0, 0, 2]
    assert moved(bent, 1, (0, 0, 2)) == [0, -1, 1]
    both = posed_transforms(stick, heads, {"root": turn_x(90), "tip": turn_x(90)})
    assert moved(both, 1, (0, 0, 1)) == [0, -1, 0]
    assert moved(both, 1, (0, 0, 2)) == [0, -1, -1]


def test_without_rotations_nothing_moves():
    stick = two_bones()
    still = posed_transforms(stick, stick.rest({}).heads, {})
    assert np.array_equal(still, np.tile(np.eye(3, 4, dtype=np.float32), (2, 1, 1)))


def test_a_bone_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="expected the name of a bone, got 'tail'"):
        posed_transforms(two_bones(), np.zeros((2, 3), np.float32), {"tail": np.eye(3)})


@pytest.mark.parametrize(
    ("phenotype", "message"),
    [
        ({"arms": 3.0}, r"expected measures of a body \(.*\), got \['arms'\]"),
        ({"age": -0.1}, "age: expected 0-1, got -0.1"),
        ({"weight": 1.5}, "weight: expected 0-1, got 1.5"),
        ({"weight": float("nan")}, "weight: expected 0-1, got nan"),
        ({"african": 0.0, "asian": 0.0, "caucasian": 0.0}, "expected shares of african"),
        ({"african": -1.0}, "expected shares of african"),
    ],
)
def test_measures_that_no_body_has(phenotype: dict[str, float], message: str):
    with pytest.raises(ConfigError, match=message):
        two_bones().rest(phenotype)


def test_bodies_differ_as_their_measures_say(body: Body):
    def height(**measures: float) -> float:
        return float(body.rest(measures).positions[:, 2].max())

    def waist(**measures: float) -> float:
        positions = body.rest(measures).positions
        middle = np.abs(positions[:, 2] - 0.6 * positions[:, 2].max()) < 0.03
        central = middle & (np.abs(positions[:, 0]) < 0.3)
        return float(np.ptp(positions[central, 1]))

    assert 1.5 < height(age=2 / 3) < 1.9
    assert height(age=1 / 3) < height(age=2 / 3) - 0.2
    assert height(age=2 / 3, height=0.9) > height(age=2 / 3, height=0.1) + 0.2
    assert waist(weight=1.0) > waist(weight=0.0) + 0.02


def test_a_body_stands_on_the_ground_facing_minus_y(body: Body):
    shape = body.rest({"age": 0.7})
    assert shape.positions[:, 2].min() == 0
    assert shape.positions.dtype == shape.heads.dtype == np.float32
    feet = shape.heads[[body.bone("foot.L"), body.bone("foot.R")]]
    toes = shape.positions[shape.positions[:, 2] < 0.03]
    assert toes[:, 1].min() < feet[:, 1].min() - 0.08, "toes point to -y"
    assert feet[0, 0] > 0 > feet[1, 0], "x grows to the figure's left"
    assert np.allclose(body.weights.sum(1), 1, atol=1e-4)
    assert (body.parents < np.arange(len(body.bones))).all()


def test_the_same_measures_give_the_same_bytes(body: Body):
    measures = {"age": 0.8, "gender": 0.2, "asian": 0.9}
    assert body.rest(measures).positions.tobytes() == body.rest(measures).positions.tobytes()


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    damaged = tmp_path / "body.safetensors"
    damaged.write_bytes(b"not a tensor")
    monkeypatch.setattr(module, "body_file", lambda: damaged)
    load_body.cache_clear()
    with pytest.raises(InputError, match=r"the body model .* is damaged") as caught:
        load_body()
    load_body.cache_clear()
    assert caught.value.hint == "delete it and run again"
