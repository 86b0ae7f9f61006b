"""What the library does with a depth image equals what NumPy does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from depth_vectors import (
    GRIDS,
    drawn_step,
    noisy_depth,
    one_before_the_other,
    points_on_hand,
    rays_and_hands,
    rows_of_spheres,
)
from kernel_twins import CLOSE, drawn_context, native_twin, points_around

from im2hands_ros.depth import hand_spheres, joint_moves, likely_shifts, pixels
from im2hands_ros.kernels import depth as native
from im2hands_ros.kernels.library import KernelError, available

every_level = pytest.mark.parametrize("level", sorted(available()))


@every_level
@pytest.mark.parametrize("grids", [np.array([[1, 1, 159, 119, 1]], np.int32), GRIDS])
def test_known_pixels_are_the_same(level, grids):
    depth = noisy_depth()
    expected = pixels.known_pixels(depth, grids)
    found = native.known_pixels(available()[level], depth, grids, pixels._ALIKE)
    assert len(expected.depth) > 300 and len(expected.depth) < 0.9 * 158 * 118
    assert np.array_equal(found.places, expected.places)
    np.testing.assert_allclose(found.depth, expected.depth, atol=1e-6)
    np.testing.assert_allclose(found.deviation, expected.deviation, atol=1e-6)


@every_level
def test_near_sides_of_spheres_are_the_same(level):
    rays, hands = rays_and_hands()
    spheres = rows_of_spheres(hands[0])
    expected = hand_spheres.nearest_in_numpy(rays, *spheres)
    found = native.fronts(available()[level], rays, *spheres)
    met = np.isfinite(expected)
    assert 0.1 < met.mean() < 0.9 and (np.isfinite(found) == met).mean() > 0.998
    both = met & np.isfinite(found)
    # Where a ray only grazes a sphere, float32 has a root of nearly nothing.
    assert np.abs(found[both] - expected[both]).max() < 2e-4
    assert np.median(np.abs(found[both] - expected[both])) < 2e-6


@every_level
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("tried", [likely_shifts._FAR, likely_shifts._CLOSE])
def test_likeliest_steps_are_the_same(level, count, tried):
    for off in (0.0, 0.012, -0.008):
        depth, shown, given = one_before_the_other(count, off)
        expected = likely_shifts.steps_in_numpy(depth, given, shown, tried)
        limbs, cores = (np.stack(parts) for parts in zip(*given, strict=True))
        found = native.best_steps(
            available()[level], depth, limbs, cores, shown, tried, likely_shifts._CHANCES
        )
        assert np.array_equal(found, expected)
        assert np.abs(found + off).max() < 0.009


@every_level
def test_points_are_on_the_same_bones(level):
    points, hand = points_on_hand()
    expected = joint_moves.attached_in_numpy(points, hand)
    found = native.attach(available()[level], points, hand)
    # A joint is the end of one bone and the start of the next: the same place.
    moves = np.random.default_rng(4).normal(0, 1, (21, 3))
    carried = [joint_moves.carried(each, moves) for each in (found, expected)]
    np.testing.assert_allclose(*carried, atol=1e-9)
    assert (found.ends == expected.ends).all(axis=1).mean() > 0.8


@every_level
def test_steps_of_the_fit_are_the_same(level):
    step = drawn_step()
    expected = joint_moves.step_in_numpy(*step)
    found = native.skin_step(available()[level], *step)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-9)


@every_level
@pytest.mark.parametrize("count", [5, 63, 64, 200])
@torch.no_grad()
def test_logits_around_points_equal_those_of_torch(level, count):
    context = drawn_context()
    twin = native_twin(available()[level], context).initial
    points = points_around(context, count)
    expected = context.initial.logits_around(points, 0.001)
    found = twin.logits_around(points, 0.001)
    assert found.shape == (2, count, 4) and (found - expected).abs().max() < CLOSE
    assert (found[..., 0] - twin.logits(points)).abs().max() < CLOSE
    # Beside what the image says, they are the logits of the moved points.
    moved = points + torch.tensor([0.0, 0.001, 0.0])
    apart = (found[..., 2] - twin.logits(moved)).abs()
    assert apart.median() < 0.01 and (found[..., 2] - found[..., 0]).abs().median() > 0.1


def test_what_does_not_fit_is_refused_in_words():
    kernels = available()[1]
    with pytest.raises(KernelError, match="box"):
        native.known_pixels(kernels, noisy_depth(), np.array([[0, 1, 9, 9, 1]]), pixels._ALIKE)
