import numpy as np
import pytest

from synthetic.places.shapes import Skin, boxes, flat_mesh, inside, pipe, turn


def test_many_boxes_are_turned_moved_and_painted_each():
    rows = np.array(
        [
            (0, 0, 1, 2, 1, 2, np.pi / 2, 3, 0.5, 0, 0, 0, 0),
            (5, 5, 1, 1, 1, 1, 0, 4, 0, 0.25, 0.5, 0.5, 0.75),
        ]
    )
    mesh = boxes(rows)
    first, second = mesh.positions[:24], mesh.positions[24:]
    assert np.allclose(first.max(0), (0.5, 1, 2), atol=1e-6)
    assert np.allclose(second.min(0), (4.5, 4.5, 0.5))
    assert set(mesh.uvs[:24, 2]) == {3}
    assert np.ptp(mesh.uvs[:24, 1]) == pytest.approx(4)  # 2 m at half a metre a width
    assert np.allclose(mesh.uvs[24:].min(0), (0.25, 0.5, 4))
    assert np.allclose(mesh.uvs[24:].max(0), (0.5, 0.75, 4))


def test_no_boxes():
    assert len(boxes(np.zeros((0, 13))).faces) == 0


def test_a_cone_has_its_radii():
    mesh = pipe(np.zeros(3), np.array([0.0, 0, 2]), (0.5, 0.1), Skin(0), 16)
    reach = np.hypot(mesh.positions[:, 0], mesh.positions[:, 1])
    assert reach[mesh.positions[:, 2] < 1].max() == pytest.approx(0.5)
    assert reach[mesh.positions[:, 2] > 1].max() == pytest.approx(0.1)


def test_turning_is_counterclockwise_and_borders_are_inside():
    assert np.allclose(turn(90) @ (1, 0, 0), (0, 1, 0))
    assert inside((0, 0, 1, 1), 1, 0.5)
    assert not inside((0, 0, 1, 1), 1.01, 0.5)


def test_normals_get_unit_length():
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float64)
    mesh = flat_mesh(
        corners, corners + np.array([0, 0, 5]), corners[:, :2], 2, np.array([[0, 1, 2]])
    )
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1)
