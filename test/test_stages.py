"""All stages in one file of weights: what each adds to a frame, and how to leave it out."""

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, keypoints, picture, untrained_networks

from im2hands_ros import Im2Hands
from im2hands_ros.evaluation.penetration import penetration
from im2hands_ros.networks import checkpoints
from im2hands_ros.synthetic.sample import Mesh


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "all.safetensors"
    checkpoints.write(
        untrained_networks("keypoints", "refinement").state_dict(), path, {"steps": 0}
    )
    return path


@pytest.fixture
def model(weights):
    return Im2Hands.load(weights, device="cpu")


def touching():
    """Keypoints of two hands that reach into each other."""
    shift = np.array([0.065, 0, 0], np.float32)
    return {"left": joints("left") + shift, "right": joints("right") - shift}


def overlap(hands) -> float:
    """Cubic centimetres that both meshes hold."""
    meshes = (Mesh(h.vertices, h.triangles) for h in (hands.left, hands.right))
    return penetration(*meshes, 0.001).volume * 1e6


def test_weights_say_which_stages_they_hold(model):
    assert model.stages == ("initial", "keypoints", "refinement")
    assert model.refine_keypoints and model.refine_occupancy


def test_each_stage_takes_its_time_and_can_be_left_out(model):
    hands = model.encode(picture(), keypoints(), CAMERA).reconstruct(32)
    assert {"keypoints", "anchors"} <= set(hands.timings_ms)
    model.refine_keypoints = model.refine_occupancy = False
    hands = model.encode(picture(), keypoints(), CAMERA).reconstruct(32)
    assert not {"keypoints", "anchors"} & set(hands.timings_ms)


def test_a_stage_without_weights_is_named(tmp_path):
    path = tmp_path / "initial.safetensors"
    checkpoints.write(untrained_networks().state_dict(), path, {"steps": 0})
    model = Im2Hands.load(path, device="cpu")
    assert model.stages == ("initial",)
    assert not model.refine_keypoints and not model.refine_occupancy
    with pytest.raises(ValueError, match="refine_keypoints is true, but the weights hold initial"):
        model.refine_keypoints = True
    with pytest.raises(ValueError, match="the stage 'refinement'"):
        model.refine_occupancy = True
    model.refine_occupancy = False


def test_refined_hands_do_not_pass_through_each_other(model):
    with torch.no_grad():
        scene = model.encode(picture(), touching(), CAMERA)
        refined = scene.reconstruct(64)
        model.refine_occupancy = False
        initial = model.encode(picture(), touching(), CAMERA).reconstruct(64)
    assert overlap(initial) > 1
    assert overlap(refined) < 0.2 * overlap(initial)
    # The mesh and the field are one thing: a query is of the refined hands, too.
    centres = 0.5 * (refined.left.vertices.mean(0) + refined.right.vertices.mean(0))
    grid = centres + np.random.default_rng(0).uniform(-0.05, 0.05, (2000, 3))
    both = (scene.left.occupancy(grid) > 0.5) & (scene.right.occupancy(grid) > 0.5)
    assert both.mean() < 0.002


def test_shapes_are_made_from_the_refined_keypoints(weights):
    model = Im2Hands.load(weights, device="cpu")
    model.networks.native_keypoints = None  # a copy of the weights that change here
    step = model.networks.keypoints.rounds[-1].step
    with torch.no_grad():
        step.bias[3:] = torch.tensor([0.0, 1.0, 0.0])  # a centimetre down the image
    model.networks.use_kernels()  # from the changed weights
    scene = model.encode(picture(), keypoints(), CAMERA)
    down = np.array([0, 0.01, 0], np.float32)
    assert np.allclose(scene.keypoints["left"], joints("left") + down, atol=1e-5)
    hands = scene.reconstruct(48)
    assert np.allclose(hands.right.keypoints, joints("right") + down, atol=1e-5)
    assert 0 < hands.right.confidence < 1


@pytest.mark.parametrize("sides", [("left", "right"), ("right",)])
def test_hands_reported_on_the_wrong_side_are_put_right(weights, sides):
    model = Im2Hands.load(weights, device="cpu")
    model.networks.native_keypoints = None  # a copy of the weights that change here
    with torch.no_grad():
        model.networks.keypoints.side.bias.fill_(5.0)
    model.networks.use_kernels()  # from the changed weights
    given = {side: joints(side) for side in sides}
    scene = model.encode(picture(), given, CAMERA)
    assert scene.swapped
    other = {"left": "right", "right": "left"}
    assert scene.sides == sorted(other[side] for side in sides)
    for side in sides:
        assert np.allclose(scene.keypoints[other[side]], given[side], atol=1e-5)


def test_sides_stay_when_the_network_is_not_sure(model):
    scene = model.encode(picture(), keypoints(), CAMERA)
    assert not scene.swapped and scene.sides == ["left", "right"]


@pytest.fixture(scope="module")
def seeing_weights(tmp_path_factory):
    """All stages, and landmarks whose fusion is not as it begins: there it does nothing."""
    path = tmp_path_factory.mktemp("weights") / "seeing.safetensors"
    networks = untrained_networks("keypoints", "refinement", "landmarks", "fusion")
    for part in networks.fusion.rounds:
        torch.nn.init.normal_(part.joint[-1].weight, std=0.5)
    for step in networks.keypoints.rounds:
        torch.nn.init.normal_(step.step.weight, std=0.05)
    torch.nn.init.constant_(networks.keypoints.side.bias, -9.0)  # sides stay
    checkpoints.write(networks.state_dict(), path, {})
    return path


def test_landmarks_belong_to_the_stage_of_the_keypoints(seeing_weights):
    model = Im2Hands.load(seeing_weights, device="cpu")
    assert model.stages == ("initial", "keypoints", "refinement")
    seen = model.encode(picture(), keypoints(), CAMERA).keypoints
    model.networks.fusion = None
    unseen = model.encode(picture(), keypoints(), CAMERA).keypoints
    assert np.abs(seen.left - unseen.left).max() > 1e-4
    model.refine_keypoints = False
    given = model.encode(picture(), keypoints(), CAMERA).keypoints
    assert np.array_equal(given.left, keypoints()["left"])


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_hand_alone_is_seen_as_well(seeing_weights, side):
    model = Im2Hands.load(seeing_weights, device="cpu")
    found = model.encode(picture(), {side: joints(side)}, CAMERA).keypoints.present
    assert list(found) == [side] and np.isfinite(found[side]).all()
