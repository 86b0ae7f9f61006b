"""Extracted meshes lie on the analytic surface: closed, outward, without small components."""

import numpy as np
import pytest
import torch
import trimesh
from test_search import search_densely
from torch import Tensor

from im2hands_ros.surface.extract import extract, orient
from im2hands_ros.surface.search import search

CENTRE = torch.tensor([0.47, 0.52, 0.5])


def sphere(points: Tensor, radius: float = 0.3, centre: Tensor = CENTRE) -> Tensor:
    return radius - (points - centre).norm(dim=-1)


def capsule(points: Tensor) -> Tensor:
    start, along = torch.tensor([0.3, 0.3, 0.4]), torch.tensor([0.3, 0.35, 0.2])
    share = ((points - start) @ along / (along @ along)).clamp(0, 1)
    return 0.08 - (points - start - share[..., None] * along).norm(dim=-1)


def torus(points: Tensor) -> Tensor:
    offset = points - CENTRE
    ring = offset[..., :2].norm(dim=-1) - 0.25
    return 0.07 - torch.stack((ring, offset[..., 2]), -1).norm(dim=-1)


SHAPES = {
    "sphere": (sphere, 4 / 3 * np.pi * 0.3**3),
    "capsule": (capsule, np.pi * 0.08**2 * (np.sqrt(0.2525) + 4 / 3 * 0.08)),
    "torus": (torus, 2 * np.pi**2 * 0.25 * 0.07**2),
}


def mesh_of(shape, resolution: int) -> trimesh.Trimesh:
    found = search(lambda points, valid: shape(points), resolution, 0.0, hands=1)
    surface = extract(found, 0)
    return trimesh.Trimesh(surface.vertices, surface.triangles, process=False)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_vertices_lie_within_a_twentieth_of_a_cell_of_the_exact_surface(
    name: str, resolution: int
) -> None:
    shape, _ = SHAPES[name]
    mesh = mesh_of(shape, resolution)
    error = shape(torch.tensor(mesh.vertices).float()).abs() * resolution
    curvature_limit = 1 / (
        8 * 0.07 * resolution
    )  # of a chord one cell long on the torus' tube, in cells
    assert error.max() < max(0.05, 1.2 * curvature_limit)
    assert error.mean() < 0.4 * curvature_limit


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("resolution", [32, 48, 64])
def test_meshes_are_closed_with_outward_triangles_and_the_right_volume(
    name: str, resolution: int
) -> None:
    shape, volume = SHAPES[name]
    mesh = mesh_of(shape, resolution)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(volume, rel=0.8 / (0.07 * resolution) ** 2)
    outside = mesh.triangles_center + 0.01 * mesh.face_normals
    assert (shape(torch.tensor(outside).float()) < 0).all()


def test_the_sparse_search_gives_the_mesh_of_the_dense_lattice() -> None:
    sparse = extract(search(lambda points, valid: torus(points), 64, 0.0, hands=1), 0)
    dense = extract(search_densely(lambda points, valid: torus(points), 64, 0.0, hands=1), 0)
    np.testing.assert_allclose(sparse.vertices, dense.vertices, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(sparse.triangles, dense.triangles)


@pytest.mark.parametrize("seed", range(12))
def test_rough_noise_still_gives_closed_meshes(seed: int) -> None:
    side, smoothing = 33, (1, 2, 3)[seed % 3]
    noise = torch.randn((1, 1, side, side, side), generator=torch.Generator().manual_seed(seed))
    for _ in range(smoothing):
        noise = torch.nn.functional.avg_pool3d(noise, 3, 1, 1)
    if seed % 4 == 0:
        noise = (noise * 10).round() / 10  # many values exactly at the threshold
    strides = torch.tensor([side * side, side, 1])

    def field(points: Tensor, valid: Tensor) -> Tensor:
        return noise.flatten()[((points * (side - 1)).round().long() * strides).sum(-1)]

    surface = extract(search_densely(field, side - 1, 0.0, hands=1), 0)
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert all(part.volume > 0 for part in mesh.split(only_watertight=False))


def test_lattice_values_exactly_at_the_threshold_leave_no_triangle_without_area() -> None:
    def box(points: Tensor) -> Tensor:
        return 0.25 - (points - 0.5).abs().amax(-1)  # its faces lie on lattice planes

    mesh = mesh_of(box, 32)
    assert mesh.is_watertight
    assert mesh.area_faces.min() > 0
    assert mesh.volume == pytest.approx(0.125, rel=0.01)


def test_small_components_and_inner_cavities_are_left_out() -> None:
    def shape(points: Tensor) -> Tensor:
        speck = sphere(points, 0.05, torch.tensor([0.9, 0.9, 0.9]))
        hollow = -sphere(points, 0.1)
        return torch.maximum(torch.minimum(sphere(points), hollow), speck)

    found = search_densely(lambda points, valid: shape(points), 64, 0.0, hands=1)
    surface = extract(found, 0)
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles, process=False)
    assert mesh.body_count == 1
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.01)


def test_two_parts_of_like_size_are_both_kept() -> None:
    def shape(points: Tensor) -> Tensor:
        return torch.maximum(
            sphere(points, 0.15, torch.tensor([0.25, 0.5, 0.5])),
            sphere(points, 0.12, torch.tensor([0.75, 0.5, 0.5])),
        )

    assert mesh_of(shape, 64).body_count == 2


def test_a_surface_that_leaves_the_box_is_closed_at_its_border() -> None:
    mesh = mesh_of(lambda points: sphere(points, 0.3, torch.tensor([0.1, 0.5, 0.5])), 64)
    assert mesh.is_watertight
    assert mesh.vertices.min() >= 0


def test_no_surface_gives_no_mesh() -> None:
    found = search(lambda points, valid: torch.full(valid.shape, -1.0), 32, 0.0, hands=1)
    assert extract(found, 0) is None


def test_a_threshold_other_than_zero_moves_the_surface() -> None:
    found = search(lambda points, valid: sphere(points), 64, 0.1, hands=1)
    radii = np.linalg.norm(extract(found, 0).vertices - CENTRE.numpy(), axis=1)
    np.testing.assert_allclose(radii, 0.2, atol=1e-3)


def test_mirrored_hands_keep_outward_triangles() -> None:
    mesh = mesh_of(capsule, 32)
    mirrored = trimesh.Trimesh(
        mesh.vertices * [-1, 1, 1], orient(mesh.faces, mirrored=True), process=False
    )
    assert mirrored.volume == pytest.approx(mesh.volume)
    assert orient(mesh.faces, mirrored=False) is mesh.faces
