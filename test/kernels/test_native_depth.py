"""What the library does with a depth image equals what NumPy does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from kernel_twins import CLOSE, drawn_context, native_twin, points_around
from two_hands import joints

from im2hands_ros.depth import hand_spheres, joint_moves, likely_shifts, pixels
from im2hands_ros.depth.hand_spheres import Fronts
from im2hands_ros.kernels import depth as native
from im2hands_ros.kernels.library import KernelError, available

every_level = pytest.mark.parametrize("level", sorted(available()))


def noisy_depth(seed: int = 0) -> np.ndarray:
    """A step between two noisy planes, with holes."""
    random = np.random.default_rng(seed)
    depth = np.where(np.arange(160) < 90, 0.5, 0.7) + random.normal(0, 0.002, (120, 160))
    depth[random.random(depth.shape) < 0.2] = 0
    depth[random.random(depth.shape) < 0.05] = np.nan
    return depth.astype(np.float32)


def rays_and_hands(count: int = 700) -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(1)
    hands = [joints(side, 0.04, 0.5).astype(np.float64) for side in ("left", "right")]
    places = np.concatenate(hands)
    near = places[random.integers(len(places), size=count)] + random.normal(0, 0.015, (count, 3))
    return near / near[:, 2:], hands


@every_level
@pytest.mark.parametrize(
    "boxes", [[[1, 1, 159, 119, 1]], [[5, 9, 80, 60, 3], [40, 20, 150, 119, 2]]]
)
def test_known_pixels_are_the_same(level, boxes):
    depth, grids = noisy_depth(), np.array(boxes, np.int32)
    expected = pixels.known_pixels(depth, grids)
    found = native.known_pixels(available()[level], depth, grids, pixels._ALIKE)
    assert len(expected.depth) > 300 and len(expected.depth) < 0.9 * 158 * 118
    assert np.array_equal(found.places, expected.places)
    np.testing.assert_allclose(found.depth, expected.depth, atol=1e-6)
    np.testing.assert_allclose(found.deviation, expected.deviation, atol=1e-6)


@every_level
def test_near_sides_of_spheres_are_the_same(level):
    rays, hands = rays_and_hands()
    centres, radii = hand_spheres._spheres(hands[0])
    rows = np.stack([radii, 0.5 * radii, np.where(np.arange(len(radii)) < 9, radii, 0)])
    expected = hand_spheres.nearest_in_numpy(rays, centres, rows)
    found = native.fronts(available()[level], rays, centres, rows)
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
    rays, hands = rays_and_hands()
    hands[1] = (
        hands[1] + (hands[0] - hands[1]).mean(axis=0) + [0.03, 0, 0.02]
    )  # one before the other
    true = [hand_spheres.fronts_of(xyz, rays) for xyz in hands[:count]]
    random = np.random.default_rng(2)
    depth = np.minimum.reduce([each.limb for each in true])
    depth = np.where(np.isfinite(depth), depth, 0.8) + random.normal(0, 0.003, len(rays))
    shown = np.where(depth < 0.7, 0.9, 0.1)
    for off in (0.0, 0.012, -0.008):
        given = [hand_spheres.fronts_of(xyz * (1 + off / 0.5), rays) for xyz in hands[:count]]
        expected = likely_shifts.steps_in_numpy(depth, given, shown, tried)
        both = Fronts(*(np.stack(parts) for parts in zip(*given, strict=True)))
        found = native.best_steps(
            available()[level], depth, both.limb, both.core, shown, tried, likely_shifts._CHANCES
        )
        assert np.array_equal(found, expected)
        assert np.abs(found + off).max() < 0.009


@every_level
def test_points_are_on_the_same_bones(level):
    _, hands = rays_and_hands()
    points = hands[0].repeat(20, axis=0) + np.random.default_rng(3).normal(0, 0.01, (420, 3))
    expected = joint_moves.attached_in_numpy(points, hands[0])
    found = native.attach(available()[level], points, hands[0])
    # A joint is the end of one bone and the start of the next: the same place.
    moves = np.random.default_rng(4).normal(0, 1, (21, 3))
    carried = [joint_moves.carried(each, moves) for each in (found, expected)]
    np.testing.assert_allclose(*carried, atol=1e-9)
    assert (found.ends == expected.ends).all(axis=1).mean() > 0.8


@every_level
def test_steps_of_the_fit_are_the_same(level):
    _, hands = rays_and_hands()
    random = np.random.default_rng(4)
    points = hands[1].repeat(9, axis=0) + random.normal(0, 0.01, (189, 3))
    on_bones, modes = (
        joint_moves.attached_in_numpy(points, hands[1]),
        joint_moves.modes_of(hands[1]),
    )
    distance, normal = random.normal(0, 0.004, 189), random.normal(0, 1, (189, 3))
    weight = np.where(random.random(189) < 0.3, 0, random.random(189)) / 0.004**2
    given = (distance, normal / np.linalg.norm(normal, axis=1)[:, None], weight, modes)
    amounts = random.normal(0, 1, modes.shape[2])
    expected = joint_moves.step_in_numpy(on_bones, *given, amounts)
    found = native.skin_step(available()[level], on_bones, *given, amounts)
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
