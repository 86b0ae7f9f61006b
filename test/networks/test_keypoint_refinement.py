"""The compact keypoint refinement: before training, its outputs, and the features it samples."""

import numpy as np
import pytest
import torch
from two_hands import joints

from im2hands_ros.networks.compact.image_encoder import JOINT_MAPS, ImageFeatures
from im2hands_ros.networks.compact.joint_features import CoarseHands, JointFeatures, palm_axes
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.presets import COMPACT

PRESET = COMPACT
SIZE = PRESET.initial.encoder.image_size


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = KeypointRefinement(PRESET.keypoints, PRESET.initial.encoder).eval()
    # Weights that start at zero would hide mistakes in what they multiply.
    for step in net.rounds:
        torch.nn.init.normal_(step.step.weight, std=0.02)
        torch.nn.init.normal_(step.look.weight, std=0.02)
    return net


def coarse(scenes: int = 2, seed: int = 0) -> CoarseHands:
    """Both hands of some scenes, each shaken a little."""
    generator = torch.Generator().manual_seed(seed)
    both = torch.from_numpy(np.stack([joints("left"), joints("right")]))
    shaken = both + 0.004 * torch.randn(scenes, 2, 21, 3, generator=generator)
    intrinsics = torch.tensor([[150.0, 0, SIZE / 2], [0, 150.0, SIZE / 2], [0, 0, 1]])
    intrinsics = intrinsics.expand(scenes, 3, 3)
    return CoarseHands(shaken, torch.ones(scenes, 2, dtype=torch.bool), intrinsics)


def features(scenes: int = 2, seed: int = 1) -> ImageFeatures:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(scenes, *shape, generator=generator)

    encoder = PRESET.initial.encoder
    return ImageFeatures(
        pixels=random(encoder.feature_width, SIZE // 4, SIZE // 4),
        context=random(encoder.stage_widths[-1], SIZE // 32, SIZE // 32),
        joints=random(JOINT_MAPS, SIZE // 4, SIZE // 4),
    )


def test_before_training_joints_stay_where_they_are():
    torch.manual_seed(0)
    untrained = KeypointRefinement(PRESET.keypoints, PRESET.initial.encoder).eval()
    given = coarse()
    with torch.inference_mode():
        refined = untrained(features(), given, swapped=torch.zeros(2, dtype=torch.bool))
    assert torch.equal(refined.joints, given.joints)
    assert (refined.spread > 0).all()


def test_an_absent_hand_says_nothing(network):
    given = coarse()
    alone = given._replace(present=torch.tensor([[True, False]] * 2))
    moved = alone.joints.clone()
    moved[:, 1] += 0.1
    with torch.inference_mode():
        first = network(features(), alone).joints[:, 0]
        second = network(features(), alone._replace(joints=moved)).joints[:, 0]
        accompanied = network(features(), given).joints[:, 0]
    assert torch.allclose(first, second, atol=1e-6)
    assert not torch.allclose(first, accompanied, atol=1e-4)


def test_scenes_of_a_batch_do_not_mix(network):
    given, image = coarse(), features()
    with torch.inference_mode():
        together = network(image, given)
        for number in range(2):
            one = slice(number, number + 1)
            alone = network(
                ImageFeatures(*(value[one] for value in image)),
                CoarseHands(*(value[one] for value in given)),
            )
            assert torch.allclose(alone.joints, together.joints[one], atol=1e-5)
            assert torch.allclose(alone.spread, together.spread[one], atol=1e-5)


def test_swapped_sides_are_swapped_back(network):
    given = coarse()
    given = given._replace(present=torch.tensor([[True, True], [True, False]]))
    with torch.inference_mode():
        swapped = network(features(), given, swapped=torch.ones(2, dtype=torch.bool))
    assert swapped.present.tolist() == [[True, True], [False, True]]
    # Each hand moved by little: the left slot holds what was reported as the right hand.
    moved = (swapped.joints - given.joints.flip(1)).norm(dim=-1)
    assert moved.max() < 0.05 < (given.joints[:, 0] - given.joints[:, 1]).norm(dim=-1).min()


def test_a_hand_that_is_good_already_stays_exactly_as_it_was_given(network):
    given = coarse(scenes=1)
    with torch.no_grad():
        for step in network.rounds:
            step.step.weight *= 0.02
        small = network(None, given)
        for step in network.rounds:
            step.step.weight *= 50
        large = network(None, given)
    change = (small.rounds[-1] - given.joints).square().sum(-1).mean(-1).sqrt()
    assert (change > 0).all() and (change < PRESET.keypoints.correction_ramp[0]).all()
    assert torch.equal(small.joints, given.joints)
    assert torch.equal(large.joints, large.rounds[-1])


def test_it_works_without_an_image(network):
    with torch.inference_mode():
        refined = network(None, coarse())
    assert torch.isfinite(refined.joints).all()


def test_a_joint_is_shown_where_its_map_sees_it():
    given = coarse(1)
    projected = given.joints @ given.intrinsics[:, None].transpose(2, 3)
    pixels = (projected[..., :2] / projected[..., 2:] - 1.5) / 4
    target = (pixels[0, 1, 8] + torch.tensor([1.0, -2.0])).round()
    maps = torch.zeros(1, JOINT_MAPS, SIZE // 4, SIZE // 4)
    maps[0, 21 + 8, int(target[1]), int(target[0])] = 30.0
    blank = features(1)._replace(joints=maps)
    with torch.inference_mode():
        sampled = JointFeatures(blank, PRESET.keypoints, SIZE).at(given, 1.0)
    # Metres across one feature pixel at the joint, in units of a centimetre.
    scale = 4 * projected[0, 1, 8, 2] / given.intrinsics[0, 0, 0] / 0.01
    expected = (target - pixels[0, 1, 8]) * scale
    everywhere, nearby = sampled[0, 1, 8, :2], sampled[0, 1, 8, 4:6]
    assert torch.allclose(everywhere, expected, atol=1e-2)
    assert torch.allclose(nearby, expected, atol=0.5 * float(scale))


def test_palms_of_mirrored_hands_have_the_same_axes():
    both = coarse(1).joints
    both[:, 1] = both[:, 0] * torch.tensor([-1.0, 1.0, 1.0])
    local = (both - both[:, :, :1]) @ palm_axes(both)
    assert torch.allclose(local[:, 0], local[:, 1], atol=1e-6)


def test_every_weight_takes_part(network):
    given = coarse()
    refined = network(features(), given, swapped=torch.tensor([False, True]))
    loss = refined.joints.square().mean() + refined.spread.mean() + refined.swapped.sum()
    network.zero_grad()
    loss.backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
