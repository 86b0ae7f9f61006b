"""Canonical frames by the library equal those of torch."""

import pytest
import torch
from two_hands import joints

from im2hands_ros.canonical import canonicalise as by_torch
from im2hands_ros.kernels.canonical import canonicalise
from im2hands_ros.kernels.library import KernelError, available, best


def assert_same_frames(given, mirrored, library=None, tolerance=2e-6):
    expected = by_torch(given, mirrored)
    found = canonicalise(library or best(), given, mirrored)
    for name, value in expected._asdict().items():
        other = getattr(found, name)
        assert value.shape == other.shape and value.dtype == other.dtype, name
        assert (value.float() - other.float()).abs().max() < tolerance, name


@pytest.mark.parametrize("level", sorted(available()))
def test_frames_of_bent_and_spread_hands_are_the_same(level):
    torch.manual_seed(2)
    hand = torch.from_numpy(joints("right"))
    given = hand + 0.012 * torch.randn(500, 21, 3)
    assert_same_frames(given, torch.rand(500) < 0.5, available()[level])


def test_frames_of_straight_fingers_and_of_bones_without_length_are_the_same():
    flat = torch.from_numpy(joints("right")) * torch.tensor([1.0, 1, 0]) + torch.tensor([0, 0, 0.5])
    short = flat.clone()
    short[[3, 8]] = short[[2, 7]]
    spot = torch.zeros(21, 3)
    given = torch.stack([flat, short, spot])
    for mirrored in (False, True):
        assert_same_frames(given, torch.full((3,), mirrored), tolerance=1e-5)
    assert torch.isfinite(
        canonicalise(best(), spot[None], torch.tensor([True])).bone_from_palm
    ).all()


def test_no_hands_are_fine_and_no_numbers_are_refused():
    assert canonicalise(best(), torch.zeros(0, 21, 3), torch.zeros(0)).joints_palm.shape == (
        0,
        21,
        3,
    )
    given = torch.from_numpy(joints("left"))[None].clone()
    given[0, 20, 2] = float("inf")
    with pytest.raises(KernelError, match="not finite"):
        canonicalise(best(), given, torch.tensor([True]))
