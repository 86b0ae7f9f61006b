"""The landmark network with hints begins as MediaPipe's, and hints are about the right hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks, Hints, drawn
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE, LandmarkNetwork


@pytest.fixture
def network() -> ConditionedLandmarks:
    torch.manual_seed(0)
    return ConditionedLandmarks().eval()


def image(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, INPUT_SIZE, INPUT_SIZE, generator=generator)


def hints(count: int = 2, both: float = 1.0) -> Hints:
    generator = torch.Generator().manual_seed(2)
    joints = torch.rand(count, 2, 21, 2, generator=generator) * INPUT_SIZE
    return Hints(joints, torch.full((count,), both), torch.ones(count))


def stir(network: ConditionedLandmarks) -> None:
    """Weights that begin at zero would hide what they multiply."""
    for layer in (network.map, network.vector[1], network.spread):
        nn.init.normal_(layer.weight, std=0.01)


@torch.inference_mode()
def test_an_untrained_one_sees_what_the_network_without_hints_sees(network) -> None:
    plain = LandmarkNetwork().eval()
    plain.load_state_dict(network.network.state_dict())
    seen, spread = network(image(), hints())
    for conditioned, other in zip(seen[:4], plain(image())[:4], strict=True):
        assert torch.equal(conditioned, other)
    assert (spread == spread[0, 0]).all() and spread[0, 0] > 0


@torch.inference_mode()
def test_hints_change_what_is_seen_and_those_of_an_absent_hand_do_not(network) -> None:
    stir(network)
    given = hints(both=1.0)
    elsewhere = given._replace(joints=given.joints.flip(2))
    other_moved = given.joints.clone()
    other_moved[:, 1] += 40
    place = network(image(), given)[0].landmarks
    assert not torch.allclose(network(image(), elsewhere)[0].landmarks, place)
    assert not torch.allclose(
        network(image(), given._replace(joints=other_moved))[0].landmarks, place
    )
    alone = given._replace(both=torch.zeros(2))
    alone_moved = alone._replace(joints=other_moved)
    assert torch.equal(
        network(image(), alone)[0].landmarks, network(image(), alone_moved)[0].landmarks
    )


@torch.inference_mode()
def test_where_nothing_is_known_hints_have_no_effect(network) -> None:
    stir(network)
    given = hints()
    unknown = given._replace(known=torch.tensor([0.0, 1.0]))
    alone = network.network(image()).landmarks
    conditioned, seen = (network(image(), each)[0].landmarks for each in (given, unknown))
    assert torch.allclose(seen[0], alone[0], atol=1e-4)
    assert torch.allclose(seen[1], conditioned[1], atol=1e-4) and not torch.allclose(
        seen[1], alone[1]
    )


@torch.inference_mode()
def test_fused_convolutions_change_nothing(network) -> None:
    stir(network)
    before = network(image(), hints())
    network.to(memory_format=torch.channels_last)
    network.network.fuse()
    after = network(image(), hints())
    assert torch.allclose(before[0].landmarks, after[0].landmarks, atol=1e-3)
    assert torch.allclose(before[1], after[1], atol=1e-3)


def test_a_believed_joint_is_a_blot_in_its_cell() -> None:
    joints = torch.full((1, 2, 21, 2), -500.0)
    joints[0, 0, 6] = torch.tensor([8 * 20 + 3.5, 8 * 5 + 3.5])  # x, y
    joints[0, 1, 0] = torch.tensor([8 * 2 + 3.5, 8 * 9 + 3.5])
    maps = drawn(Hints(joints, torch.ones(1), torch.ones(1)))[0]
    assert maps.shape == (12, 28, 28)
    # An index finger's joint is in its hand's third map, the other's wrist in the seventh.
    assert maps[2, 5, 20] == 1 and maps[6, 9, 2] == 1
    assert maps[[0, 1, 3, 4, 5, 7, 8, 9, 10, 11]].abs().max() == 0
    alone = drawn(Hints(joints, torch.zeros(1), torch.ones(1)))[0]
    assert alone[2, 5, 20] == 1 and alone[6:].abs().max() == 0
