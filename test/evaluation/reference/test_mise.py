"""The published search evaluates the published points and fills the grid as published."""

import numpy as np
from published_networks import golden

from im2hands_ros.evaluation.reference.mise import published_search


def ball(points, centre=(0.4, 0.5, 0.55), radius=0.28):
    distance = np.sqrt(((points - np.array(centre)) ** 2).sum(-1))
    return 1 / (1 + np.exp(30 * (distance - radius)))


def test_counts_and_dense_grid_equal_the_published_ones():
    grid = published_search(ball, threshold=0.45, coarse=4, depth=2)
    assert list(grid.counts) == golden()["mise_counts"].tolist()
    assert np.abs(grid.values - golden()["mise_dense_17"].numpy()).max() < 1e-12


def test_no_point_is_evaluated_for_twice_and_the_first_round_is_in_order():
    evaluated = []

    def field(points):
        evaluated.append(np.round(points * 64).astype(int))
        return ball(points)

    published_search(field, threshold=0.5, coarse=8, depth=3)
    every = np.concatenate(evaluated)
    assert len(np.unique(every, axis=0)) == len(every)
    assert (evaluated[0] == np.argwhere(np.ones((9, 9, 9))) * 8).all()


def test_a_leaf_splits_late_when_a_finer_neighbour_shows_it_the_surface():
    """A needle between all coarse corners is followed from a cell to the next."""

    def needle(points):
        thin = np.hypot(points[:, 1] - 0.5, points[:, 2] - 0.5) < 0.02
        knob = ball(points, (0.25, 0.5, 0.5), 0.18) > 0.5
        return ((thin & (points[:, 0] > 0.2) & (points[:, 0] < 0.95)) | knob).astype(float)

    grid = published_search(needle, threshold=0.5, coarse=5, depth=3)
    assert len(grid.counts) > 4
    axis = grid.values[:, 20, 20]
    assert axis[36] == 1 and axis[39] == 0


def test_the_surface_encloses_the_ball():
    import trimesh

    grid = published_search(ball, threshold=0.5, coarse=8, depth=2)
    surface = grid.surface()
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles)
    assert mesh.is_watertight
    assert abs(mesh.volume - 4 / 3 * np.pi * 0.28**3) < 0.01 * mesh.volume
    assert np.abs(mesh.center_mass - (0.4, 0.5, 0.55)).max() < 1e-3


def test_a_surface_that_leaves_the_box_is_closed_at_its_faces():
    import trimesh

    surface = published_search(lambda p: ball(p, (0.0, 0.5, 0.5)), 0.5, coarse=8, depth=1).surface()
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles)
    assert mesh.is_watertight and mesh.volume > 0


def test_an_empty_box_has_no_surface():
    grid = published_search(lambda points: np.zeros(len(points)), 0.5, coarse=8, depth=2)
    assert grid.surface() is None
    assert grid.counts == (729,)
