"""Hands under the skin that a depth camera sees."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_depth
from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.observed_skin import observed_skin
from im2hands_ros.skeleton import BONES
from im2hands_ros.skin_fit import fitted_joints
from im2hands_ros.synthetic.depth_camera import KINECT, REALSENSE, perfect_depth, photographed
from im2hands_ros.synthetic.raytracing import plain_part

CAMERA = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
WALL = 0.9
PARENTS, CHILDREN = np.array(BONES).T


def seen(hands: dict[str, np.ndarray], kind=REALSENSE, seed: int = 0) -> np.ndarray:
    """The depth image of hands of capsules before a wall."""
    meshes = [CapsuleHand(xyz).mesh(48) for xyz in hands.values()]
    parts = [plain_part(*mesh, np.ones(3)) for mesh in meshes]
    return photographed(perfect_depth(parts, CAMERA, WALL), kind, np.random.default_rng(seed))


def capsules(xyz: np.ndarray):
    """The depth under the skin of thin capsules around the bones, metres."""
    start, end = xyz[PARENTS].astype(np.float64), xyz[CHILDREN].astype(np.float64)

    def depth(points: np.ndarray) -> np.ndarray:
        bone = end - start
        share = ((points[:, None] - start) * bone).sum(2) / (bone**2).sum(1)
        nearest = start + np.clip(share, 0, 1)[..., None] * bone
        return (0.009 - np.linalg.norm(points[:, None] - nearest, axis=2)).max(axis=1)

    return depth


def both() -> dict[str, np.ndarray]:
    return {side: joints(side, 0.09, 0.5) for side in ("left", "right")}


def off(xyz: np.ndarray, metres: float) -> np.ndarray:
    """The joints moved along their rays."""
    return (xyz * (1 + metres / xyz[:, 2].mean())).astype(np.float32)


@pytest.mark.parametrize("kind", [REALSENSE, KINECT])
@pytest.mark.parametrize("metres", [-0.03, 0.02])
def test_hands_that_are_too_near_or_far_are_found_along_their_rays(kind, metres):
    true = both()
    given = {side: off(xyz, metres) for side, xyz in true.items()}
    found = observed_skin(seen(true, kind), CAMERA, given)
    assert set(found) == {"left", "right"}
    for side, skin in found.items():
        assert abs(skin.shift[2] + metres) < 0.008
        moved = given[side] + skin.shift
        assert len(skin.points) > 50
        assert np.linalg.norm(moved - true[side], axis=1).mean() < 0.009


def test_an_object_before_half_of_the_hand_does_not_draw_it_nearer():
    true = both()
    depth = seen(true)
    pixels = CAMERA.project(true["left"])
    depth[:, : int(pixels[:, 0].mean())] = 0.40
    skin = observed_skin(depth, CAMERA, {"left": true["left"]})["left"]
    assert np.linalg.norm(skin.shift) < 0.01


def test_a_hand_that_is_not_seen_stays_as_it_is():
    true = both()
    nothing = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    assert not observed_skin(nothing, CAMERA, true)
    assert not observed_skin(np.full_like(nothing, np.nan), CAMERA, true)
    assert not observed_skin(np.full_like(nothing, 0.3), CAMERA, true)  # a board before everything
    alone = observed_skin(seen({"left": true["left"]}), CAMERA, true)
    assert list(alone) == ["left"]


def test_pixels_that_the_image_gives_to_no_hand_are_not_used():
    true = both()

    def shown(rays: np.ndarray) -> dict[str, np.ndarray]:
        return {"left": np.ones(len(rays)), "right": np.zeros(len(rays))}

    assert list(observed_skin(seen(true), CAMERA, true, shown)) == ["left"]


def test_the_surface_is_brought_to_the_points_and_joints_with_it():
    true = joints("right", 0.05, 0.5).astype(np.float64)
    moved = true + [0.004, -0.003, 0.012]
    random = np.random.default_rng(0)
    bone = random.integers(0, len(BONES), 300)
    share = random.random((300, 1))
    axis = true[PARENTS[bone]] * (1 - share) + true[CHILDREN[bone]] * share
    towards = -axis / np.linalg.norm(axis, axis=1, keepdims=True)
    skin = axis + 0.009 * towards + random.normal(0, 0.001, axis.shape)
    out = fitted_joints(moved, skin, capsules(moved))
    before = np.linalg.norm(moved - true, axis=1).mean()
    assert np.linalg.norm(out - true, axis=1).mean() < 0.5 * before
    assert abs((out - true)[:, 2].mean()) < 0.002


def test_joints_that_fit_stay_to_the_last_digit():
    true = joints("right", 0.05, 0.5).astype(np.float64)
    axis = (true[PARENTS] + true[CHILDREN]) / 2
    skin = axis - 0.009 * axis / np.linalg.norm(axis, axis=1, keepdims=True)
    noisy = np.repeat(skin, 6, 0) + np.random.default_rng(1).normal(0, 0.001, (120, 3))
    assert np.array_equal(fitted_joints(true, noisy, capsules(true)), true)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda depth: depth[1:], "depth_size"),
        (lambda depth: depth.astype(np.uint16), "depth_size"),
        (lambda depth: depth * 1000, "depth_unit"),
    ],
)
def test_a_depth_image_of_another_size_or_unit_is_refused(change, reason):
    with pytest.raises(BadInput) as refused:
        check_depth(change(np.full((CAMERA.height, CAMERA.width), 0.6, np.float32)), CAMERA)
    assert refused.value.reason == reason
