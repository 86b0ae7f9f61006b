"""The keypoint refinement by the library equals the one in torch."""

import pytest
import torch
from kernel_twins import trained
from two_hands import CAMERA, joints, picture

from im2hands_ros.kernels.library import available, best
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.native_keypoints import NativeKeypoints

MILLIMETRE = 1e-3


def features():
    networks = trained()
    size = networks.image_size
    pixels = torch.from_numpy(picture()[:size, :size]).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        return networks.encode(pixels)


def hands(noise, present=(True, True), seed=0):
    generator = torch.Generator().manual_seed(seed)
    places = torch.stack([torch.as_tensor(joints(side)).float() for side in ("left", "right")])
    places = places + noise * torch.randn(places.shape, generator=generator)
    intrinsics = torch.as_tensor(CAMERA.K, dtype=torch.float32)[None]
    return CoarseHands(places[None], torch.tensor([present]), intrinsics)


def assert_same(level, coarse):
    network = trained().keypoints
    with torch.no_grad():
        expected = network(features(), coarse)
        found = NativeKeypoints(available()[level], network)(features(), coarse)
    assert torch.equal(expected.present, found.present)
    there = expected.present[:, :, None, None]
    assert ((expected.joints - found.joints).abs() * there).max() < 1e-3 * MILLIMETRE
    assert ((expected.spread - found.spread).abs() * there[..., 0]).max() < 1e-3 * MILLIMETRE
    assert (expected.swapped - found.swapped).abs().max() < 1e-3
    return expected


@pytest.mark.parametrize("level", sorted(available()))
@pytest.mark.parametrize("present", [(True, True), (True, False), (False, True)])
def test_refined_joints_are_the_same(present, level):
    coarse = hands(0.008, present)
    refined = assert_same(level, coarse)
    assert (refined.joints - coarse.joints).abs().max() > MILLIMETRE


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.002, 0.003])
def test_hands_with_small_corrections_are_the_same(noise):
    for seed in range(4):
        assert_same(max(available()), hands(noise, seed=seed))


def test_swapped_sides_are_the_same():
    coarse = hands(0.002)
    coarse = coarse._replace(joints=coarse.joints.flip(1))
    swapped = [assert_same(max(available()), it).swapped > 1 for it in (coarse, hands(0.002))]
    assert swapped[0] != swapped[1]


def test_joints_outside_of_the_crop_and_behind_the_camera_are_the_same():
    for shift in (torch.tensor([0.4, -0.3, 0.0]), torch.tensor([0.0, 0.0, -0.6])):
        coarse = hands(0.008, seed=3)
        assert_same(max(available()), coarse._replace(joints=coarse.joints + shift))


def test_threads_do_not_matter_and_the_given_joints_stay():
    native, threads = NativeKeypoints(best(), trained().keypoints), torch.get_num_threads()
    coarse, image, found = hands(0.01), features(), []
    before = coarse.joints.clone()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            found.append(native(image, coarse))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(coarse.joints, before)
    for other in found[1:]:
        assert torch.equal(found[0].joints, other.joints)
