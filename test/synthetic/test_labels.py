"""Occupancy and depth labels against exact shapes."""

import numpy as np
import pytest
import trimesh

from im2hands_ros.synthetic.labels import (
    MAX_DEPTH,
    VOLUME_PADDING,
    sample_points,
    signed_depth,
    surface_points,
)

RADIUS = 0.05


@pytest.fixture
def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)


def test_labels_equal_the_exact_sphere(ball):
    points = np.random.default_rng(0).uniform(-0.07, 0.07, (4000, 3))
    distance = np.linalg.norm(points, axis=1)
    clear = np.abs(distance - RADIUS) > 2e-4
    labels = signed_depth(ball.vertices, ball.faces, points) > 0
    assert (labels == (distance < RADIUS))[clear].all()


def test_mirrored_mesh_has_the_same_inside(ball):
    points = np.random.default_rng(1).uniform(-0.07, 0.07, (500, 3))
    flipped = ball.faces[:, ::-1]
    expected = signed_depth(ball.vertices, ball.faces, points) > 0
    assert ((signed_depth(ball.vertices, flipped, points) > 0) == expected).all()


def test_where_the_skin_overlaps_itself_is_inside(ball):
    shift = np.array([0.04, 0, 0])
    vertices = np.concatenate([ball.vertices, ball.vertices + shift])
    triangles = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    overlap = np.array([[0.02, 0, 0], [0.02, 0.02, 0.01]])
    assert (signed_depth(vertices, triangles, overlap) > 0).all()
    assert not (signed_depth(vertices, triangles, np.array([[0.02, 0.06, 0]])) > 0).any()


def test_depth_is_signed_and_clamped(ball):
    points = np.random.default_rng(2).uniform(-0.07, 0.07, (2000, 3))
    depth = signed_depth(ball.vertices, ball.faces, points)
    exact = np.clip(RADIUS - np.linalg.norm(points, axis=1), -MAX_DEPTH, MAX_DEPTH)
    assert np.abs(depth - exact).max() < 3e-4


def test_surface_points_are_uniform_by_area():
    box = trimesh.creation.box((0.1, 0.1, 0.3))
    points = surface_points(box.vertices, box.faces, np.random.default_rng(3), 20000)
    on_caps = np.abs(np.abs(points[:, 2]) - 0.15) < 1e-9
    assert on_caps.mean() == pytest.approx(2 * 0.01 / (2 * 0.01 + 4 * 0.03), abs=0.01)


def test_points_crowd_at_the_skin_and_fill_the_padded_box(ball):
    points = sample_points(ball.vertices, ball.faces, np.random.default_rng(4), 3000, 1000)
    assert points.shape == (4000, 3)
    assert points.dtype == np.float32
    offset = np.abs(np.linalg.norm(points[:3000], axis=1) - RADIUS)
    assert (offset < 5e-3).mean() > 0.6
    spread = points[3000:]
    assert np.abs(spread).max() <= RADIUS + VOLUME_PADDING + 1e-6
    assert np.abs(spread).max() > RADIUS + 0.8 * VOLUME_PADDING


def test_points_are_a_function_of_the_seed(ball):
    first, again, other = (
        sample_points(ball.vertices, ball.faces, np.random.default_rng(seed), 50, 50)
        for seed in (5, 5, 6)
    )
    assert (first == again).all()
    assert (first != other).any()
