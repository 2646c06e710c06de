"""Parts of a figure and their textures."""

import numpy as np

from synthetic.people.appearance import Colour
from synthetic.people.piece import Textures, band, grid_faces, sheet, two_sided


def net():
    right, down = np.meshgrid(np.arange(3.0), np.arange(2.0))
    points = np.stack([right, np.zeros((2, 3)), -down], axis=2)
    return sheet(points, points[..., [0, 2]], np.ones((2, 3, 1)), layer=4)


def test_a_net_is_seen_from_where_rows_run_down_and_columns_to_the_right():
    assert np.allclose(net().mesh.normals, [0, -1, 0])
    assert (net().mesh.uvs[:, 2] == 4).all()


def test_a_closed_net_joins_its_last_column_to_the_first():
    assert len(grid_faces(3, 5, closed=True)) == 20
    assert len(grid_faces(3, 5, closed=False)) == 16


def test_two_sides_face_opposite_ways():
    both = two_sided(net())
    assert np.allclose(both.mesh.normals[:6], -both.mesh.normals[6:])
    assert len(both.weights) == 12


def test_a_band_leads_from_the_edge_to_the_points_below():
    outer = np.array([[0, 0, 1], [1, 0, 1]], np.float32)
    positions, faces, ends = band(outer, outer - [0, 0, 1], np.array([[0, 1]], np.int32))
    assert ends.tolist() == [0, 1, 0, 1]
    assert np.allclose(positions[2:, 2], 0)
    assert faces.shape == (2, 3)


def test_textures_are_stacked_upside_down_for_v_to_point_up():
    textures = Textures()
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[0] = 255
    assert textures.add(picture) == 0
    assert textures.add_colour(Colour("red", (1.0, 0.0, 0.0)), shade=0.5) == 1
    stack = textures.stack()
    assert stack.shape == (2, 256, 256, 3)
    assert stack[0, -1].min() == 255
    assert abs(stack[1, ..., 0].mean() - 127.5) < 2
