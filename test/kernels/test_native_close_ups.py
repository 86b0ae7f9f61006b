"""The refinement by close-ups in the library equals the one in torch."""

from functools import cache

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture

from im2hands_ros.kernels.library import available, best
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import region, shown_in
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.native_close_ups import NativeCloseUps
from im2hands_ros.networks.compact.presets import COMPACT

MILLIMETRE = 1e-3


@cache
def network():
    """Of weights that leave nothing out: those that begin at zero would hide mistakes."""
    torch.manual_seed(0)
    found = CloseUpRefinement(COMPACT.closeups)
    for part in found.rounds:
        torch.nn.init.normal_(part.step.weight, std=0.05)
        torch.nn.init.normal_(part.norm.bias, std=0.2)
    for name, values in (*found.named_parameters(), *found.named_buffers()):
        if (".n" in name or "norms" in name) and values.is_floating_point():
            values.data.add_(0.3 * torch.rand(values.shape))
    return found.eval().requires_grad_(False)


def hands(noise, present=(True, True), seed=0, shift=(0.0, 0.0, 0.0)):
    generator = torch.Generator().manual_seed(seed)
    places = torch.stack([torch.as_tensor(joints(side)).float() for side in ("left", "right")])
    places = places + noise * torch.randn(places.shape, generator=generator) + torch.tensor(shift)
    intrinsics = torch.as_tensor(CAMERA.K, dtype=torch.float32)[None]
    return CoarseHands(places[None], torch.tensor([present]), intrinsics)


def assert_same(level, begin, given):
    found = region(picture(), CAMERA, begin.joints, begin.present)
    assert found is not None
    expected = network()(shown_in(*found, begin.joints, begin.present), begin, given.joints)
    places, spread = NativeCloseUps(available()[level], network())(*found, begin, given.joints)
    there = begin.present[:, :, None]
    assert ((expected.joints - places).abs() * there[..., None]).max() < 2e-3 * MILLIMETRE
    assert ((expected.spread - spread).abs() * there).max() < 2e-3 * MILLIMETRE
    return places


@pytest.mark.parametrize("level", sorted(available()))
@pytest.mark.parametrize("present", [(True, True), (True, False), (False, True)])
def test_refined_joints_are_the_same(present, level):
    begin, given = hands(0.004, present), hands(0.01, present, seed=1)
    places = assert_same(level, begin, given)
    assert (places - begin.joints).abs().max() > MILLIMETRE


def test_hands_at_the_edge_of_the_picture_are_the_same():
    for shift in ((0.12, 0.0, 0.0), (-0.1, 0.1, 0.0), (0.0, 0.0, 0.4)):
        assert_same(max(available()), hands(0.004, shift=shift), hands(0.01, seed=1, shift=shift))


def test_threads_do_not_matter_and_the_joints_to_begin_with_stay():
    native, threads = NativeCloseUps(best(), network()), torch.get_num_threads()
    begin, given, found = hands(0.004), hands(0.01, seed=1), []
    cut = region(picture(), CAMERA, begin.joints, begin.present)
    before = begin.joints.clone()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            found.append(native(*cut, begin, given.joints)[0])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(begin.joints, before)
    for other in found[1:]:
        assert torch.equal(found[0], other)


def test_what_does_not_fit_is_refused():
    native, begin = NativeCloseUps(best(), network()), hands(0.004)
    part, frames = region(picture(), CAMERA, begin.joints, begin.present)
    with pytest.raises(RuntimeError, match="no hand is present"):
        native(
            part, frames, begin._replace(present=torch.zeros(1, 2, dtype=torch.bool)), begin.joints
        )
    with pytest.raises(RuntimeError, match="not finite"):
        native(part, frames, begin, torch.full_like(begin.joints, np.nan))
