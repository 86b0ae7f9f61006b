"""Blocks of self-attention by the library equal those of torch, and so do refined keypoints."""

import copy

import numpy as np
import pytest
import torch
from kernel_twins import trained
from two_hands import CAMERA, joints, picture

from im2hands_ros.kernels.library import KernelError, available, best
from im2hands_ros.networks.attention import AttentionBlocks
from im2hands_ros.networks.native_attention import NativeBlocks, use_native_attention
from im2hands_ros.networks.protocol import EncodedFrame
from im2hands_ros.pair import HandPair


def random_blocks(width, heads, count=2):
    torch.manual_seed(3)
    blocks = AttentionBlocks(count, width, heads).eval().requires_grad_(False)
    for parameter in blocks.parameters():  # norms that do nothing would hide mistakes
        parameter += 0.1 * torch.randn(parameter.shape)
    return blocks


@pytest.mark.parametrize("level", sorted(available()))
@pytest.mark.parametrize(("width", "heads", "count"), [(64, 4, 290), (128, 4, 78), (12, 3, 5)])
def test_tokens_equal_those_of_torch(width, heads, count, level):
    blocks = random_blocks(width, heads)
    native = NativeBlocks(available()[level], blocks)
    tokens = torch.randn(3, count, width)
    mask = torch.rand(3, count) < 0.6
    mask[:, 0] = True
    for masked in (None, mask):
        before = tokens.clone()
        assert (native(tokens, masked) - blocks(tokens, masked)).abs().max() < 2e-5
        assert torch.equal(tokens, before)
    assert (native(tokens, mask) - native(tokens, None)).abs().max() > 1e-3


def test_tokens_need_not_be_contiguous_and_no_numbers_are_refused():
    blocks = random_blocks(8, 2)
    native = NativeBlocks(best(), blocks)
    tokens = torch.randn(8, 7, 1).transpose(0, 2)[:, :, ::1]
    assert (native(tokens, None) - blocks(tokens)).abs().max() < 1e-5
    with pytest.raises(KernelError, match="not finite"):
        native(torch.full((1, 3, 8), float("nan")), None)
    with pytest.raises(KernelError, match="masked"):
        native(torch.zeros(1, 3, 8), torch.zeros(1, 3, dtype=torch.bool))


@pytest.mark.parametrize("noise", [0.0, 0.012])  # metres; flat fingers stay as they are
@pytest.mark.parametrize("sides", [("left", "right"), ("left",), ("right",)])
@torch.no_grad()
def test_refined_keypoints_are_the_same(sides, noise):
    networks = trained()
    native = copy.deepcopy(networks)
    use_native_attention(native, best())
    off = noise * np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)
    given = HandPair(**{side: joints(side) + off for side in sides})
    size = networks.image_size
    pixels = torch.from_numpy(picture()[:size, :size]).permute(2, 0, 1)[None].float() / 255
    frame = EncodedFrame(pixels, CAMERA, networks.encode(pixels))
    expected, found = networks.refine_keypoints(frame, given), native.refine_keypoints(frame, given)
    assert list(expected.joints.present) == list(found.joints.present)
    for side, places in expected.joints.present.items():
        assert np.abs(places - found.joints.present[side]).max() < 1e-6  # metres
        assert (np.abs(places - given.present[side]).max() > 1e-4) == (noise > 0)
        assert abs(expected.confidence.present[side] - found.confidence.present[side]) < 1e-4
