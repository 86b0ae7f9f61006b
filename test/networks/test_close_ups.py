"""Close-ups of the picture around joints: where they lie, and what refines joints from them."""

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import SIDE, frames_of, region, sampled, shown_in
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.skeleton import SIDES

BOTH = torch.tensor([[True, True]])


def places() -> torch.Tensor:
    return torch.stack([torch.as_tensor(joints(side)).float() for side in SIDES])[None]


def pixels_of(found: torch.Tensor) -> torch.Tensor:
    pixels = CAMERA.project(found[0].reshape(-1, 3).numpy())
    return torch.from_numpy(pixels).float().view(1, 2, 21, 2)


def test_a_close_up_shows_the_joints_pixel_in_its_middle_whatever_the_pictures_size():
    rows, columns = np.mgrid[: CAMERA.height, : CAMERA.width]
    ramp = np.stack([rows // 4, columns // 4, rows * 0], -1).astype(np.uint8)
    found = region(ramp, CAMERA, places(), BOTH)
    assert found is not None
    part, frames = found
    shown = sampled(torch.from_numpy(part).permute(2, 0, 1)[None].float(), frames)
    middle = shown[0, :, :2, SIDE // 2 - 1 : SIDE // 2 + 1, SIDE // 2 - 1 : SIDE // 2 + 1]
    expected = pixels_of(places()).flatten(1, 2)[0].flip(-1) / 4
    assert (middle.mean((2, 3)) - expected).abs().max() < 1


def test_bones_lie_along_a_close_ups_second_axis_and_left_hands_are_mirrored():
    flat = places()
    flat[0, 0] = flat[0, 1] * torch.tensor([-1.0, 1, 1])
    camera_x = pixels_of(flat) - torch.tensor([CAMERA.cx, CAMERA.cy])
    frames = frames_of(flat, camera_x, CAMERA.fx)
    left, right = frames.axes[0]
    assert torch.allclose(left * torch.tensor([-1.0, 1]), right, atol=1e-5)
    bone = camera_x[0, 1, 6] - camera_x[0, 1, 5]
    assert torch.dot(right[6, 1], bone / bone.norm()) > 0.9


def test_hands_that_the_picture_does_not_show_have_none():
    image = picture()
    assert region(image, CAMERA, places() + torch.tensor([3.0, 0, 0]), BOTH) is None
    behind = places()
    behind[0, 1, :, 2] *= -1
    assert region(image, CAMERA, behind, BOTH) is None
    assert region(image, CAMERA, behind, torch.tensor([[True, False]])) is not None


@pytest.mark.parametrize("there", [(True, True), (False, True)])
def test_before_training_joints_stay_where_they_are(there):
    torch.manual_seed(0)
    network, present = CloseUpRefinement(COMPACT.closeups).eval(), torch.tensor([there])
    begin = CoarseHands(places(), present, torch.eye(3)[None])
    found = region(picture(), CAMERA, begin.joints, present)
    assert found is not None
    with torch.inference_mode():
        refined = network(shown_in(*found, begin.joints, present), begin, begin.joints)
    assert torch.equal(refined.joints, begin.joints)
    assert (refined.spread > 0).all()
