"""A second branch of the hand's code: nothing at first, and exactly one wider code in the end."""

import pytest
import repository_tools
import torch

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.compact.articulated_decoder import ArticulatedDecoder
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.synthetic.hand import BakedHand


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("train_people")


NARROW = COMPACT.initial.decoder


def logits_of(decoder):
    hand = BakedHand.load()
    keypoints = hand.rest_frame_keypoints(torch.zeros(1, 60), torch.zeros(1, 12))
    hands = canonicalise(keypoints, torch.tensor([False]))
    points = keypoints[:, None] + 0.01 * torch.eye(3)[None, :, None]
    return decoder(points.flatten(1, 2), decoder.bones(hands), image=None)


@pytest.fixture
def decoder():
    torch.manual_seed(3)
    network = ArticulatedDecoder(NARROW, COMPACT.initial.attention.query_width)
    torch.nn.init.normal_(network.last, std=0.1)
    return network


@torch.no_grad()
def test_a_new_branch_changes_nothing(tool, decoder):
    before = logits_of(decoder)
    tool.SecondCode(decoder).join(decoder)
    assert torch.equal(logits_of(decoder), before)


@torch.no_grad()
@pytest.mark.parametrize("part", [1.0, 0.5])
def test_both_codes_become_one(tool, decoder, part):
    state = {name: value.clone() for name, value in decoder.state_dict().items()}
    before = logits_of(decoder)
    second = tool.SecondCode(decoder)
    torch.nn.init.normal_(second.to_bias.weight, std=0.3)
    hidden, width = NARROW.code_hidden + tool.HIDDEN, NARROW.code_width + tool.WIDTH
    preset = COMPACT.with_code(hidden, width).initial.decoder
    wide = ArticulatedDecoder(preset, COMPACT.initial.attention.query_width)
    wide.load_state_dict(tool.widened(state, second, part))
    second.to_bias.weight.mul_(part)
    second.to_bias.bias.mul_(part)
    second.join(decoder)
    assert (logits_of(decoder) - before).abs().max() > 0.1
    torch.testing.assert_close(logits_of(wide), logits_of(decoder), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_held_is_all_that_the_branch_adds(tool, decoder):
    second = tool.SecondCode(decoder)
    keypoints = BakedHand.load().rest_frame_keypoints(torch.zeros(1, 60), torch.zeros(1, 12))
    held = keypoints, torch.tensor([False])
    assert tool.held_loss(decoder, second, held) == 0
    torch.nn.init.normal_(second.to_bias.weight, std=0.3)
    hands = canonicalise(*held)
    before = decoder.bones(hands)
    second.join(decoder)
    after = decoder.bones(hands)
    added = torch.stack(after[1:]) - torch.stack(before[1:])
    assert added.abs().max() > 0.1
    torch.testing.assert_close(tool.held_loss(decoder, second, held), added.square().mean())
