"""Metrics give the values that geometry says they must, the same ones on every call."""

import numpy as np
import pytest
import trimesh

from im2hands_ros.evaluation.metrics import iou, surface_scores
from im2hands_ros.evaluation.penetration import inside_on_grid, penetration
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh

RADIUS = 0.05


def ball(radius: float = RADIUS, offset: float = 0.0) -> Mesh:
    shape = trimesh.creation.icosphere(4, radius).apply_translation((offset, 0, 0.5))
    return Mesh(shape.vertices, shape.faces)


def test_a_mesh_scores_perfectly_against_itself() -> None:
    scores = surface_scores(ball(), ball())
    assert scores.chamfer < 1e-9
    assert scores.f_score == 1
    assert scores.normal_consistency == pytest.approx(1, abs=1e-6)


def test_chamfer_of_concentric_balls_is_the_difference_of_their_radii() -> None:
    scores = surface_scores(ball(0.053), ball())
    assert scores.accuracy == pytest.approx(0.003, rel=0.02)
    assert scores.completeness == pytest.approx(0.003, rel=0.02)
    assert scores.chamfer == pytest.approx((scores.accuracy + scores.completeness) / 2)
    assert scores.f_score == 1


def test_f_score_counts_what_lies_within_the_tolerance() -> None:
    assert surface_scores(ball(0.056), ball()).f_score == 0
    half = surface_scores(ball(), ball(offset=0.01)).f_score
    assert half == pytest.approx(0.5, abs=0.03)  # |0.01 cos| <= 0.005 on half the sphere's area


def test_turned_triangles_have_the_opposite_normals() -> None:
    turned = Mesh(ball().vertices, ball().triangles[:, ::-1])
    assert surface_scores(turned, ball()).normal_consistency == pytest.approx(-1, abs=1e-6)


def test_scores_repeat_exactly() -> None:
    assert surface_scores(ball(0.053), ball(), samples=500) == surface_scores(
        ball(0.053), ball(), samples=500
    )


def test_an_empty_mesh_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="the predicted mesh has no triangles"):
        surface_scores(Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), ball())


def test_samples_are_spread_evenly_by_area() -> None:
    points, normals = MeshQueries(ball()).samples(4000)
    relative = points - [0, 0, 0.5]
    assert np.linalg.norm(relative, axis=1) == pytest.approx(RADIUS, rel=0.01)
    assert np.abs(relative.mean(0)).max() < 0.01 * RADIUS
    assert ((relative * normals).sum(1) > 0).all()


def test_iou_of_labels() -> None:
    assert iou(np.array([True, True, False]), np.array([True, False, False])) == 0.5
    assert iou(np.zeros(4, bool), np.zeros(4, bool)) == 1


def test_contains_agrees_with_the_exact_ball() -> None:
    points = np.random.default_rng(0).uniform(-0.07, 0.07, (4000, 3))
    distance = np.linalg.norm(points, axis=1)
    clear = np.abs(distance - RADIUS) > 0.001
    inside = MeshQueries(ball()).contains(points + [0, 0, 0.5])
    np.testing.assert_array_equal(inside[clear], distance[clear] < RADIUS)


def test_contains_of_nothing_is_nothing() -> None:
    assert MeshQueries(ball()).contains(np.zeros((0, 3))).shape == (0,)
    assert (
        not MeshQueries(Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)))
        .contains(np.zeros((2, 3)))
        .any()
    )


def test_penetration_of_two_balls_is_their_lens() -> None:
    overlap = penetration(ball(), ball(offset=0.08))
    height = 0.01  # of each cap of the lens
    lens = 2 * np.pi * height**2 * (3 * RADIUS - height) / 3
    assert overlap.volume == pytest.approx(lens, rel=0.05)
    assert overlap.depth == pytest.approx(0.02, rel=0.05)


def test_balls_apart_do_not_penetrate() -> None:
    assert penetration(ball(), ball(offset=0.2)).volume == 0
    assert penetration(ball(), ball(offset=0.101)).depth == 0


def test_grid_lines_and_winding_numbers_find_the_same_inside() -> None:
    bent = trimesh.creation.torus(0.04, 0.015).apply_transform(
        trimesh.transformations.euler_matrix(0.3, 0.5, 0.7)
    )
    axes = [np.arange(-0.07, 0.07, 0.0019)] * 3
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    for vertices in (bent.vertices, bent.vertices * [-1, 1, 1]):  # outward and inward triangles
        solid = MeshQueries(Mesh(vertices, bent.faces))
        on_grid = inside_on_grid(solid, axes)
        assert 0.01 < on_grid.mean() < 0.2
        np.testing.assert_array_equal(on_grid.ravel(), solid.contains(points))


def test_grid_lines_through_vertices_and_edges_lose_nothing() -> None:
    box = trimesh.creation.box((0.04, 0.04, 0.04))  # lines meet its diagonals and corners
    axes = [np.arange(-0.03, 0.031, 0.005)] * 3
    inside = inside_on_grid(MeshQueries(Mesh(box.vertices, box.faces)), axes)
    strictly = np.abs(axes[0]) < 0.0199
    assert inside[np.ix_(strictly, strictly, strictly)].all()
    assert not inside[0].any() and not inside[:, -1].any() and not inside[..., 0].any()


def test_where_two_parts_of_a_mesh_overlap_is_inside_on_a_grid() -> None:
    parts = [trimesh.creation.icosphere(3, 0.03).apply_translation((x, 0, 0)) for x in (0, 0.02)]
    both = trimesh.util.concatenate(parts)
    axes = [np.arange(-0.041, 0.061, 0.002)] * 3
    alone = [inside_on_grid(MeshQueries(Mesh(part.vertices, part.faces)), axes) for part in parts]
    joined = inside_on_grid(MeshQueries(Mesh(both.vertices, both.faces)), axes)
    np.testing.assert_array_equal(joined, alone[0] | alone[1])


def test_an_open_mesh_is_evaluated_point_by_point() -> None:
    vertices, triangles = ball()
    solid = MeshQueries(Mesh(vertices, triangles[1:]))
    axes = [np.arange(-0.06, 0.06, 0.01)] * 2 + [np.arange(0.44, 0.56, 0.01)]
    whole = inside_on_grid(MeshQueries(ball()), axes)
    assert (inside_on_grid(solid, axes) == whole).mean() > 0.99


def test_volume_is_signed() -> None:
    shape = ball()
    assert MeshQueries(shape).volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.01)
    inward = Mesh(shape.vertices, shape.triangles[:, ::-1])
    assert MeshQueries(inward).volume == pytest.approx(-MeshQueries(shape).volume)


def test_watertightness_rules_out_holes_turned_and_doubled_triangles() -> None:
    vertices, triangles = ball()
    turned = triangles.copy()
    turned[0] = turned[0, ::-1]
    assert MeshQueries(Mesh(vertices, triangles)).is_watertight
    assert not MeshQueries(Mesh(vertices, triangles[1:])).is_watertight
    assert not MeshQueries(Mesh(vertices, turned)).is_watertight
    assert not MeshQueries(Mesh(vertices, np.concatenate((triangles, triangles[:1])))).is_watertight
    assert not MeshQueries(Mesh(vertices, triangles[:0])).is_watertight
