"""Occupied voxels cover the surface from inside, on a grid that stays put between frames."""

import numpy as np
import pytest
import trimesh

from im2hands_ros.surface.voxels import occupied_voxels

CENTRE = np.array([0.013, -0.041, 0.502])
RADIUS = 0.04
SIZE = 0.005


def probability(points: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-800 * (RADIUS - np.linalg.norm(points - CENTRE, axis=1))))


@pytest.fixture(scope="module")
def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(4, RADIUS).apply_translation(CENTRE)


def test_every_voxel_is_occupied_and_near_the_surface(ball: trimesh.Trimesh) -> None:
    centres, occupancy = occupied_voxels(ball.vertices, ball.faces, probability, SIZE)
    depth = RADIUS - np.linalg.norm(centres - CENTRE, axis=1)
    assert (occupancy >= 0.5).all()
    assert (depth >= 0).all()
    assert depth.max() < SIZE * (0.5 + np.sqrt(3) / 2)
    assert centres.dtype == occupancy.dtype == np.float32


def test_the_shell_has_no_hole(ball: trimesh.Trimesh) -> None:
    centres, _ = occupied_voxels(ball.vertices, ball.faces, probability, SIZE)
    every = {tuple(key) for key in np.floor(centres / SIZE).astype(int)}
    axes = [np.arange(int((c - RADIUS) / SIZE) - 2, int((c + RADIUS) / SIZE) + 2) for c in CENTRE]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    inside = np.linalg.norm((grid + 0.5) * SIZE - CENTRE, axis=1) <= RADIUS
    filled = {tuple(key) for key in grid[inside]}
    steps = np.concatenate((np.eye(3, dtype=int), -np.eye(3, dtype=int)))
    at_border = {
        key for key in filled if any(tuple(np.add(key, step)) not in filled for step in steps)
    }
    assert at_border <= every


def test_centres_lie_on_the_grid_of_the_origin_and_repeat_exactly(ball: trimesh.Trimesh) -> None:
    centres, _ = occupied_voxels(ball.vertices, ball.faces, probability, SIZE)
    np.testing.assert_allclose(centres / SIZE % 1, 0.5, atol=1e-3)
    again, _ = occupied_voxels(ball.vertices, ball.faces, probability, SIZE)
    np.testing.assert_array_equal(centres, again)
    assert len(np.unique(centres, axis=0)) == len(centres)


def test_coarse_triangles_leave_no_gap() -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    centres, _ = occupied_voxels(box.vertices, box.faces, lambda points: np.ones(len(points)), SIZE)
    top = centres[np.abs(centres[:, 2] - 0.0475) < 1e-6]
    assert len(top) >= 20 * 20


def test_evaluates_only_a_thin_shell(ball: trimesh.Trimesh) -> None:
    counts = []

    def counting(points: np.ndarray) -> np.ndarray:
        counts.append(len(points))
        return probability(points)

    centres, _ = occupied_voxels(ball.vertices, ball.faces, counting, SIZE)
    assert len(counts) == 1
    assert counts[0] < 1.5 * len(centres)


def test_a_hand_that_nothing_occupies_gives_empty_arrays(ball: trimesh.Trimesh) -> None:
    centres, occupancy = occupied_voxels(
        ball.vertices, ball.faces, lambda points: np.zeros(len(points)), SIZE
    )
    assert centres.shape == (0, 3)
    assert occupancy.shape == (0,)


def test_a_mesh_without_triangles_gives_empty_arrays() -> None:
    centres, _ = occupied_voxels(np.zeros((0, 3)), np.zeros((0, 3), int), probability, SIZE)
    assert centres.shape == (0, 3)


@pytest.mark.parametrize("size", [1e-6, 1e-4, 5.0, float("inf")])
def test_voxels_of_another_unit_are_refused_and_not_counted_for_minutes(
    ball: trimesh.Trimesh, size: float
) -> None:
    with pytest.raises(ValueError, match=f"voxel size {size:g} m: give 0.0005 to 1.0"):
        occupied_voxels(ball.vertices, ball.faces, probability, size)


def test_a_voxel_size_of_zero_is_refused(ball: trimesh.Trimesh) -> None:
    with pytest.raises(ValueError, match="voxel size 0 m is not positive"):
        occupied_voxels(ball.vertices, ball.faces, probability, 0)
