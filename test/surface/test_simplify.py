"""Coarse copies of meshes for collision checks."""

from __future__ import annotations

import numpy as np
import trimesh

from im2hands_ros.surface.simplify import simplify

BALL = trimesh.creation.icosphere(subdivisions=5, radius=0.05)


def test_few_triangles_keep_shape_and_orientation():
    vertices, triangles = simplify(BALL.vertices.astype(np.float32), BALL.faces, 500)
    assert 100 < len(triangles) <= 500
    assert triangles.dtype == np.int32
    assert triangles.max() < len(vertices)
    coarse = trimesh.Trimesh(vertices, triangles, process=False)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 0.05).max() < 0.008
    assert coarse.volume > 0.8 * BALL.volume


def test_a_mesh_of_few_triangles_stays_as_it_is():
    box = trimesh.creation.box()
    vertices, triangles = simplify(box.vertices, box.faces, 500)
    assert np.array_equal(vertices, box.vertices)
    assert np.array_equal(triangles, box.faces)
