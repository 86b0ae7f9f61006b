"""The paper preset from image and keypoints to surfaces, with weights whose shapes are known."""

import numpy as np
import pytest
import torch
import trimesh
from two_hands import CAMERA, joints, keypoints, picture

from im2hands_ros import Im2Hands
from im2hands_ros.evaluation.reference.occupancy import BOX_SIDE, initial, refined, search_both
from im2hands_ros.evaluation.reference.octahedra import REFINED_AT, octahedra, volume
from im2hands_ros.kernels.choice import kernels_wanted
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper.surface_anchors import points_on_surface

RADIUS = 0.06


@pytest.fixture(scope="module")
def refined_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "ref_occ.safetensors"
    checkpoints.write(
        octahedra(RADIUS).state_dict(),
        path,
        {"preset": "paper", "network": "ref_occ", "complete": True},
    )
    return path


@pytest.fixture(scope="module")
def model(refined_file):
    return Im2Hands.load(refined_file, preset="paper", device="cpu")


@pytest.fixture(scope="module")
def scene(model):
    return model.encode(picture(), keypoints(), CAMERA)


@pytest.fixture(scope="module")
def hands(scene):
    return scene.reconstruct(resolution=32)


def test_both_hands_get_their_refined_surface(hands):
    for surface in (hands.left, hands.right):
        assert surface.mesh.is_watertight and surface.confidence == pytest.approx(1)
        assert surface.mesh.volume == pytest.approx(volume(RADIUS, REFINED_AT), rel=0.05)
    assert {"encode", "refine", "search"} <= set(hands.timings_ms)


def test_the_compiled_layers_find_the_same_surfaces(model, hands, refined_file):
    with kernels_wanted("torch"):
        twin = Im2Hands.load(refined_file, preset="paper", device="cpu")
    if model.kernels == "torch":
        pytest.skip("no compiled kernels")
    assert (model.kernels, twin.kernels) == ("native", "torch")
    expected = twin.encode(picture(), keypoints(), CAMERA).reconstruct(resolution=32)
    for found, other in zip(hands.present.values(), expected.present.values(), strict=True):
        np.testing.assert_array_equal(found.triangles, other.triangles)
        np.testing.assert_allclose(found.vertices, other.vertices, atol=1e-5)


def test_the_refined_field_answers_queries(scene, hands):
    for side, surface in (("left", hands.left), ("right", hands.right)):
        field = getattr(scene, side)
        normals = surface.mesh.vertex_normals
        assert (field.occupancy(surface.vertices - 0.004 * normals) > 0.5).mean() > 0.98
        assert (field.occupancy(surface.vertices + 0.004 * normals) < 0.5).mean() > 0.98


def test_the_reference_implementation_finds_the_same_surfaces(model, scene, hands):
    """The whole frame as published, on a coarse lattice."""
    network, context = model.networks.refinement, scene._context
    image = torch.zeros(1, 3, 256, 256)
    frames, size = context.hands, {"coarse": 8, "depth": 2}
    points = torch.from_numpy(np.stack([hands.left.vertices, hands.right.vertices])[:, :512])
    with torch.inference_mode():
        grids = search_both(lambda p: initial(network.initial, image, frames, p), 0.5, **size)
        found = [grid.surface() for grid in grids]
        for surface in found:
            mesh = trimesh.Trimesh((surface.vertices - 0.5) * BOX_SIDE, surface.triangles)
            assert mesh.volume == pytest.approx(volume(RADIUS, 0.5), rel=0.1)

        def again(palm):
            return refined(network, image, frames, context.initial.intrinsics, points, palm)

        for grid, surface in zip(search_both(again, 0.5, **size), hands_of(hands), strict=True):
            mesh = grid.surface()
            mesh = trimesh.Trimesh((mesh.vertices - 0.5) * BOX_SIDE, mesh.triangles)
            assert mesh.volume == pytest.approx(surface.mesh.volume, rel=0.1)


def hands_of(hands):
    return hands.left, hands.right


def test_a_query_before_any_surface_is_refined_too(model, scene, hands):
    points = hands.left.vertices[::50]
    fresh = model.encode(picture(), keypoints(), CAMERA)
    assert np.allclose(fresh.left.occupancy(points), scene.left.occupancy(points), atol=1e-5)


def test_a_hand_alone_keeps_its_initial_surface(model):
    alone = model.encode(picture(), {"right": joints("right")}, CAMERA).reconstruct(resolution=32)
    assert alone.left is None and "refine" not in alone.timings_ms
    assert alone.right.mesh.volume == pytest.approx(volume(RADIUS, 0.5), rel=0.05)


def test_occupancies_do_not_depend_on_the_order_of_queries(scene, hands):
    points = hands.right.vertices[::40]
    forwards, backwards = scene.right.occupancy(points), scene.right.occupancy(points[::-1])
    assert np.allclose(forwards, backwards[::-1], atol=1e-5)


def test_reduced_precision_stays_close(refined_file, hands):
    model = Im2Hands.load(refined_file, preset="paper", device="cpu", precision="bf16")
    reduced = model.encode(picture(), keypoints(), CAMERA).reconstruct(resolution=32)
    assert reduced.left.mesh.volume == pytest.approx(hands.left.mesh.volume, rel=0.05)


def test_weights_that_are_no_paper_network_are_named(tmp_path):
    path = tmp_path / "halo.safetensors"
    for record in ({}, {"network": "init_occ", "complete": False}, {"network": "kpts_ref"}):
        checkpoints.write({"a": torch.zeros(1)}, path, record)
        with pytest.raises(ValueError, match="no whole init_occ or ref_occ"):
            Im2Hands.load(path, preset="paper")
    with pytest.raises(FileNotFoundError, match=r"paper.safetensors"):
        Im2Hands.load(preset="paper")


def test_anchors_are_spread_by_area_and_always_the_same():
    """A unit square in one piece beside a square of many pieces, half its side."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    vertices, triangles = [*corners], [[0, 1, 2], [0, 2, 3]]
    for i in range(10):
        low, high = 2 + 0.05 * i, 2.05 + 0.05 * i
        start = len(vertices)
        vertices += [[low, 0, 0], [high, 0, 0], [high, 0.5, 0], [low, 0.5, 0]]
        triangles += [[start, start + 1, start + 2], [start, start + 2, start + 3]]
    points = points_on_surface(np.array(vertices), np.array(triangles), 1000)
    big = points[:, 0] < 1.5
    assert big.sum() == pytest.approx(800, abs=2)
    quarter = (points[big, 0] < 0.5) & (points[big, 1] < 0.5)
    assert quarter.sum() == pytest.approx(200, abs=10)
    again = points_on_surface(np.array(vertices), np.array(triangles), 1000)
    assert np.array_equal(points, again)
