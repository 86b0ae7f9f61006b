"""Compaction by prefix sums, and lists of points of several hands."""

import pytest
import torch

from im2hands_ros.kernels.gpu.points import TILE, PointList, compact


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("aligned", [1, TILE])
def test_lists_what_a_mask_holds_in_order(share, aligned):
    mask = torch.rand(2, 1000, generator=torch.Generator().manual_seed(3)) < share
    slots = compact(mask, 2048, aligned)
    assert not slots.overflow
    listed = torch.cat([slots.element[a:b] for a, b in zip(slots.begin, slots.end, strict=True)])
    assert torch.equal(listed, mask.flatten().nonzero()[:, 0])
    assert (slots.begin % aligned == 0).all()
    used = slots.element < mask.numel()
    assert int(used.sum()) == len(listed)


def test_too_little_room_is_flagged_and_nothing_is_written_beyond():
    mask = torch.ones(2, 100, dtype=torch.bool)
    slots = compact(mask, 2 * TILE)
    assert slots.overflow and len(slots.element) == 2 * TILE
    assert torch.equal(slots.element[:100], torch.arange(100))
    assert (slots.end <= 2 * TILE).all()
    assert not compact(mask[:, :TILE], 2 * TILE).overflow


@pytest.mark.parametrize("count", [1, TILE, TILE + 1])
def test_lists_of_all_points_go_back_to_rows(count):
    points = torch.rand(2, count, 3)
    listed = PointList.of_hands(points)
    assert torch.equal(listed.in_rows(listed.points[:, 1], 2, count), points[..., 1])
    assert (listed.end - listed.begin).tolist() == [count, count]
