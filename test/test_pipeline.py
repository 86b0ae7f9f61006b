"""Im2Hands.load, encode, occupancy and reconstruct, as a user without ROS calls them."""

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, keypoints, picture, untrained_networks

from im2hands_ros import Camera, Im2Hands
from im2hands_ros.loaded_networks import choose_device
from im2hands_ros.networks import checkpoints


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    checkpoints.write(untrained_networks().state_dict(), path, {"steps": 0})
    return path


@pytest.fixture(scope="module")
def model(weights):
    return Im2Hands.load(weights, device="cpu")


@pytest.fixture(scope="module")
def scene(model):
    return model.encode(picture(), keypoints(), CAMERA)


@pytest.fixture(scope="module")
def hands(scene):
    return scene.reconstruct(resolution=48)


def surfaces(hands):
    return [("left", hands.left), ("right", hands.right)]


def test_both_meshes_are_closed_with_positive_volume(hands):
    for _, surface in surfaces(hands):
        assert surface.mesh.is_watertight and surface.mesh.is_winding_consistent
        assert 5e-5 < surface.mesh.volume < 1e-3


def test_the_surface_lies_where_the_occupancy_crosses_the_threshold(scene, hands):
    for side, surface in surfaces(hands):
        field = getattr(scene, side)
        normals = surface.mesh.vertex_normals
        inside = field.occupancy(surface.vertices - 0.003 * normals)
        outside = field.occupancy(surface.vertices + 0.003 * normals)
        assert (inside > 0.5).mean() > 0.99 and (outside < 0.5).mean() > 0.99


def test_joints_lie_inside_their_own_hand_only(scene):
    for side, other in (("left", "right"), ("right", "left")):
        own = joints(side)
        assert (getattr(scene, side).occupancy(own) > 0.5).all()
        assert (getattr(scene, other).occupancy(own) < 0.5).all()


def test_mirrored_hands_get_mirrored_surfaces(hands):
    """The scene is symmetric and the untrained image path adds nothing."""
    left, right = hands.left.mesh, hands.right.mesh
    assert left.volume == pytest.approx(right.volume, rel=0.02)
    assert np.allclose(left.bounds[0][0], -right.bounds[1][0], atol=2e-3)


def test_voxels_are_occupied_and_cover_the_surface(scene, hands):
    for side, surface in surfaces(hands):
        assert (surface.voxel_occupancy >= 0.5).all()
        again = getattr(scene, side).occupancy(surface.voxels)
        assert np.allclose(again, surface.voxel_occupancy, atol=1e-4)
        centres = np.floor(surface.voxels / 0.005)
        assert np.allclose(surface.voxels, (centres + 0.5) * 0.005, atol=1e-6)


def test_a_shift_of_hands_and_principal_point_shifts_the_surface(model, hands):
    """Same crop from elsewhere in a wider image: intrinsics are honoured."""
    wide = Camera(640, 240, 300.0, 300.0, 159.5 + 320, 119.5)
    image = np.concatenate([np.zeros_like(picture()), picture()], axis=1)
    moved = model.encode(image, keypoints(), wide).reconstruct(resolution=48)
    assert np.allclose(moved.right.vertices, hands.right.vertices, atol=1e-5)


def test_one_hand_alone_is_enough(model, hands):
    alone = model.encode(picture(), {"right": joints("right"), "left": None}, CAMERA)
    result = alone.reconstruct(resolution=48)
    assert alone.left is None and result.left is None
    assert result.right.mesh.volume == pytest.approx(hands.right.mesh.volume, rel=0.02)


def test_the_same_frame_gives_the_same_vertices(model, hands):
    again = model.encode(picture(), keypoints(), CAMERA).reconstruct(resolution=48)
    assert np.array_equal(again.left.vertices, hands.left.vertices)
    assert np.array_equal(again.left.triangles, hands.left.triangles)


def test_every_stage_is_timed(hands):
    stages = {"crop", "encode", "canonicalise", "search", "extract", "voxels"}
    assert set(hands.timings_ms) == stages and min(hands.timings_ms.values()) > 0


def test_occupancy_answers_any_number_of_points(scene):
    assert scene.left.occupancy(np.empty((0, 3))).shape == (0,)
    many = np.tile(joints("left"), (4000, 1))
    occupancies = scene.left.occupancy(many)
    assert occupancies.dtype == np.float32 and occupancies.shape == (84000,)
    assert np.allclose(occupancies[:21], occupancies[-21:], atol=1e-4)


@pytest.mark.parametrize(
    ("points", "message"),
    [(np.zeros((5, 2)), r"\(5, 2\)"), (np.full((1, 3), np.nan), "non-finite")],
)
def test_bad_query_points_are_named(scene, points, message):
    with pytest.raises(ValueError, match=message):
        scene.left.occupancy(points)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "no hand has keypoints"),
        ({"left": None, "right": None}, "no hand has keypoints"),
        ({"left": np.zeros((20, 3))}, r"the left hand has shape \(20, 3\)"),
        ({"right": np.full((21, 3), np.nan)}, "21 keypoints of the right hand are NaN"),
        ({"middle": np.zeros((21, 3))}, "side 'middle'"),
        ({"right": joints("right", depth=-0.5)}, "optical frame"),
        ({"right": 1000 * joints("right")}, "not millimetres: divide by 1000"),
        ({"right": 100 * joints("right")}, "not centimetres: divide by 100"),
    ],
)
def test_bad_keypoints_are_named(model, change, message):
    with pytest.raises(ValueError, match=message):
        model.encode(picture(), change, CAMERA)


def test_an_image_of_another_size_or_type_is_named(model):
    with pytest.raises(
        ValueError, match=r"\(120, 320, 3\) uint8: the camera needs \(240, 320, 3\)"
    ):
        model.encode(picture()[:120], keypoints(), CAMERA)
    with pytest.raises(ValueError, match="float64"):
        model.encode(picture() / 255.0, keypoints(), CAMERA)


def test_a_bad_threshold_or_resolution_is_named(scene):
    with pytest.raises(ValueError, match="threshold 1.5"):
        scene.reconstruct(threshold=1.5)
    with pytest.raises(ValueError, match="resolution 4 "):
        scene.reconstruct(resolution=4)


def test_a_higher_threshold_gives_a_thinner_hand(scene, hands):
    thin = scene.reconstruct(resolution=48, threshold=0.9)
    assert thin.left.mesh.volume < hands.left.mesh.volume


def test_unknown_settings_are_named(weights):
    with pytest.raises(ValueError, match="preset 'huge' is unknown: use compact"):
        Im2Hands.load(preset="huge")
    with pytest.raises(ValueError, match="device 'tpu' is unknown"):
        Im2Hands.load(weights, device="tpu")
    with pytest.raises(ValueError, match="precision 'int8' is unknown"):
        Im2Hands.load(weights, precision="int8")
    with pytest.raises(FileNotFoundError, match="missing.safetensors"):
        Im2Hands.load("missing.safetensors")


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="'cuda' is not there"):
        choose_device("cuda")


def test_reduced_precision_stays_close(weights, hands):
    model = Im2Hands.load(weights, device="cpu", precision="bf16")
    model.warm_up(resolution=32)
    reduced = model.encode(picture(), keypoints(), CAMERA).reconstruct(resolution=48)
    assert reduced.left.mesh.volume == pytest.approx(hands.left.mesh.volume, rel=0.03)
