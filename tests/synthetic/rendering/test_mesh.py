"""Triangles: boxes, joining, normals."""

import numpy as np
import pytest

from synthetic.rendering.mesh import Mesh, box, double_sided, join, vertex_normals


def face_normals(mesh: Mesh) -> np.ndarray:
    first, second, third = (mesh.positions[mesh.faces[:, corner]] for corner in range(3))
    across = np.cross(second - first, third - first)
    return across / np.linalg.norm(across, axis=1, keepdims=True)


def test_a_box_has_its_size_and_place_and_faces_outwards():
    made = box((1.0, 2.0, 3.0), centre_m=(5.0, 6.0, 7.0), layer=4, span_m=0.5)
    assert made.positions.min(0).tolist() == [4.5, 5.0, 5.5]
    assert made.positions.max(0).tolist() == [5.5, 7.0, 8.5]
    normals = face_normals(made)
    assert np.allclose(normals, made.normals[made.faces[:, 0]])
    middles = made.positions[made.faces].mean(1) - (5.0, 6.0, 7.0)
    assert ((normals * middles).sum(1) > 0).all()
    assert (made.uvs[:, 2] == 4).all()
    assert np.ptp(made.uvs[:, 1]) == pytest.approx(3.0 / 0.5)


def test_v_grows_upwards_on_the_upright_sides():
    made = box((1.0, 1.0, 2.0))
    upright = np.abs(made.normals[:, 2]) < 0.5
    assert np.allclose(made.uvs[upright, 1], made.positions[upright, 2])


def test_normals_of_a_box_without_shared_corners_are_those_of_its_sides():
    made = box((1.0, 2.0, 3.0))
    assert np.allclose(vertex_normals(made.positions, made.faces), made.normals, atol=1e-6)


def test_a_vertex_of_no_triangle_has_no_normal():
    positions = np.zeros((1, 3), np.float32)
    assert vertex_normals(positions, np.zeros((0, 3), np.int32)).tolist() == [[0.0, 0.0, 0.0]]


def test_joined_meshes_keep_their_triangles():
    one, other = box((1.0, 1.0, 1.0)), box((1.0, 1.0, 1.0), centre_m=(3.0, 0.0, 0.0), layer=1)
    both = join([one, other])
    assert len(both) == 48
    assert np.array_equal(both.positions[both.faces[12:]], other.positions[other.faces])
    assert np.array_equal(both.uvs[24:], other.uvs)


def test_nothing_joined_is_an_empty_mesh():
    nothing = join([])
    assert len(nothing) == 0
    assert nothing.faces.shape == (0, 3)
    assert nothing.faces.dtype == np.int32


def test_the_second_side_looks_the_other_way():
    both = double_sided(box((1.0, 1.0, 1.0)))
    normals = face_normals(both)
    assert np.allclose(normals[12:], -normals[:12])
    assert np.allclose(both.normals[both.faces[12:, 0]], normals[12:])
