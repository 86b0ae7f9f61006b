"""The paper preset with the published keypoint refinement in the same weights file."""

import numpy as np
import pytest
from enlarging_keypoints import enlarging
from two_hands import CAMERA, joints, keypoints, picture

from im2hands_ros import Im2Hands
from im2hands_ros.evaluation.reference.octahedra import octahedra, volume
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper.networks import PaperNetworks, in_sections
from im2hands_ros.skeleton import SIDES

RADIUS, FACTOR = 0.06, 1.1


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "paper.safetensors"
    parts = {"ref_occ": octahedra(RADIUS), "kpts_ref": enlarging(FACTOR)}
    tensors = in_sections({name: network.state_dict() for name, network in parts.items()})
    checkpoints.write(tensors, path, {"preset": "paper", "network": "ref_occ", "complete": True})
    return path


@pytest.fixture(scope="module")
def model(weights):
    return Im2Hands.load(weights, preset="paper", device="cpu")


@pytest.fixture(autouse=True)
def all_stages(model):
    model.refine_keypoints = model.refine_occupancy = True


def enlarged(hand):
    return hand[9] + FACTOR * (hand - hand[9])


def test_keypoints_are_refined_first_and_shapes_are_made_from_them(model):
    assert model.stages == ("initial", "keypoints", "refinement")
    scene = model.encode(picture(), keypoints(), CAMERA)
    for side in SIDES:
        assert np.allclose(scene.keypoints[side], enlarged(joints(side)), atol=1e-5)
    hands = scene.reconstruct(32, voxel_size=0)
    assert np.allclose(hands.left.keypoints, enlarged(joints("left")), atol=1e-5)
    assert {"keypoints", "refine"} <= set(hands.timings_ms)


def test_both_refinements_can_be_left_out(model):
    model.refine_keypoints = model.refine_occupancy = False
    scene = model.encode(picture(), keypoints(), CAMERA)
    assert np.array_equal(scene.keypoints["right"], joints("right"))
    hands = scene.reconstruct(32, voxel_size=0)
    assert hands.left.mesh.volume == pytest.approx(volume(RADIUS, 0.5), rel=0.05)
    assert not {"keypoints", "refine"} & set(hands.timings_ms)


def test_a_hand_alone_keeps_its_keypoints(model):
    scene = model.encode(picture(), {"left": joints("left")}, CAMERA)
    assert np.array_equal(scene.keypoints["left"], joints("left"))
    assert scene.keypoints["right"] is None


def test_reduced_precision_keeps_tenths_of_millimetres(weights):
    model = Im2Hands.load(weights, preset="paper", device="cpu", precision="bf16")
    scene = model.encode(picture(), keypoints(), CAMERA)
    for side in SIDES:
        assert np.abs(scene.keypoints[side] - enlarged(joints(side))).max() < 1e-5


def test_weights_without_keypoints_say_so(tmp_path):
    assert PaperNetworks(octahedra(RADIUS)).keypoints is None
    path = tmp_path / "init_occ.safetensors"
    record = {"preset": "paper", "network": "init_occ", "complete": True}
    checkpoints.write(octahedra(RADIUS).initial.state_dict(), path, record)
    model = Im2Hands.load(path, preset="paper", device="cpu")
    assert model.stages == ("initial",) and not model.refine_keypoints
    with pytest.raises(ValueError, match="the stage 'keypoints'"):
        model.refine_keypoints = True
