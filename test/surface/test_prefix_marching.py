"""Marching cubes by prefix sums: closed surfaces, and scikit-image's vertices."""

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from im2hands_ros.surface.lattice import Lattice
from im2hands_ros.surface.marching_table import EDGES, marching_table
from im2hands_ros.surface.prefix_marching import PrefixMarching

RESOLUTION = 16


def noise(smoothings, seed=0):
    """(2, 17, 17, 17) random values, outside on the border."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 1, *(RESOLUTION + 1,) * 3, generator=generator)
    for _ in range(smoothings):
        values = torch.nn.functional.avg_pool3d(values, 3, 1, 1)
    values = values[:, 0] / values.abs().amax()
    for axis in (1, 2, 3):
        for end in (0, RESOLUTION):
            values.select(axis, end).fill_(-0.1)
    return values


def marched(values, capacity=9000):
    inside = values > 0
    corners = [inside]
    for axis in (1, 2, 3):
        corners = [it.narrow(axis, k, RESOLUTION) for it in corners for k in (0, 1)]
    every = torch.stack(corners)
    cells = torch.zeros_like(inside)
    cells[:, :-1, :-1, :-1] = every.any(0) & ~every.all(0)
    march = PrefixMarching(Lattice(RESOLUTION, 2, torch.device("cpu")), capacity)
    return march(values.flatten(), cells.flatten(1))


def meshes(found):
    assert not found.overflow
    first_vertex = first_triangle = 0
    for vertex, triangle in zip(
        found.vertex_end.tolist(), found.triangle_end.tolist(), strict=True
    ):
        yield trimesh.Trimesh(
            found.vertices[first_vertex:vertex],
            found.triangles[first_triangle:triangle],
            process=False,
        )
        first_vertex, first_triangle = vertex, triangle


@pytest.mark.parametrize("smoothings", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_noise_gives_closed_surfaces_with_the_vertices_of_scikit_image(smoothings, seed):
    values = noise(smoothings, seed)
    for field, mesh in zip(values.numpy(), meshes(marched(values)), strict=True):
        assert mesh.is_watertight and mesh.is_winding_consistent
        vertices, triangles, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
        assert cKDTree(vertices).query(mesh.vertices)[0].max() < 1e-4
        # It puts a vertex in the middle of some cells, and joins others otherwise.
        missing = cKDTree(mesh.vertices).query(vertices)[0] > 1e-4
        assert missing.mean() < 0.005
        other = trimesh.Trimesh(vertices, triangles, process=False)
        assert mesh.volume == pytest.approx(other.volume, rel=0.01)


def test_one_corner_is_cut_off_by_one_triangle_that_faces_away_from_it():
    table = marching_table()
    for corner in range(8):
        row = table.row[(1 << corner) * 64]
        assert table.counts[row] == 1
        places = np.array([[int(bit) for bit in f"{c:03b}"] for c in range(8)], float)
        ends = [EDGES[edge] for edge in table.triangles[row, 0]]
        a, b, c = (places[list(pair)].mean(0) for pair in ends)
        assert np.cross(b - a, c - a) @ ((a + b + c) / 3 - places[corner]) > 0


def test_every_cell_is_cut_into_whole_loops():
    table = marching_table()
    assert len(table.counts) > 500 and table.counts.max() <= 10
    for inside in range(256):
        crossed = {n for n, (a, b) in enumerate(EDGES) if (inside >> a ^ inside >> b) & 1}
        for row in set(table.row[inside * 64 : inside * 64 + 64].tolist()):
            assert set(table.triangles[row, : table.counts[row]].flatten().tolist()) == crossed


def test_too_little_room_for_cells_or_triangles_is_flagged():
    values = noise(2)
    assert not marched(values).overflow
    assert marched(values, 3000).overflow
    # Room for the cells, but cells of noise have more triangles than those of a hand.
    assert marched(noise(0), 8000).overflow


def test_nothing_inside_is_no_surface():
    found = marched(torch.full((2, *(RESOLUTION + 1,) * 3), -1.0))
    assert not found.overflow and found.vertex_end.tolist() == found.triangle_end.tolist() == [0, 0]
