"""Points of a hand's surface in depth images and at outlines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from two_hands import CAMERA, joints

from im2hands_ros.calibration.skin import nearest_on_rays, skin_of_depth, skin_of_outline
from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.skeleton import MIDDLE_MCP, SIDES, WRIST
from im2hands_ros.synthetic.depth_camera import perfect_depth
from im2hands_ros.synthetic.raytracing import plain_part

WALL = 0.9


@pytest.fixture(scope="module")
def hands() -> dict[str, CapsuleHand]:
    return {side: CapsuleHand(joints(side)) for side in SIDES}


@pytest.fixture(scope="module")
def depth(hands) -> np.ndarray:
    parts = [plain_part(*hand.mesh(48), np.ones(3)) for hand in hands.values()]
    return perfect_depth(parts, CAMERA, WALL)


def test_skin_lies_on_the_surface_and_free_points_outside(hands, depth):
    found = skin_of_depth(depth, CAMERA, {side: joints(side) for side in SIDES})
    assert set(found) == set(SIDES)
    for side, seen in found.items():
        skin, free = seen.points[~seen.bound], seen.points[seen.bound]
        assert len(skin) > 60 and len(free) > 30
        for shift, inside in ((-0.006, 0.05), (0.006, 0.8)):  # before the skin, behind it
            moved = skin + shift * skin / np.linalg.norm(skin, axis=1, keepdims=True)
            share = (hands[side].occupancy(moved) > 0.5).mean()
            assert share < inside if shift < 0 else share > inside
        assert (hands[side].occupancy(free) > 0.5).mean() < 0.03


def test_skin_behind_the_wrist_is_left_out(depth):
    for side, seen in skin_of_depth(depth, CAMERA, {s: joints(s) for s in SIDES}).items():
        xyz = joints(side)
        axis = xyz[MIDDLE_MCP] - xyz[WRIST]
        along = (seen.points[~seen.bound] - xyz[WRIST]) @ axis / np.linalg.norm(axis)
        assert along.min() > 0.004


def test_a_hand_that_no_depth_shows_is_left_out(depth):
    assert skin_of_depth(np.zeros_like(depth), CAMERA, {"left": joints("left")}) == {}


def test_an_outline_lies_where_rays_just_meet_the_surface(hands, depth):
    size = 96
    scale = CAMERA.width / size
    columns = np.rint((np.arange(size) + 0.5) * scale - 0.5).astype(int)
    mask = np.zeros((size, size))
    rows = columns[columns < CAMERA.height]
    near = depth[np.ix_(rows, columns)] < WALL - 0.1
    mask[: len(rows)] = near
    found = skin_of_outline(mask, CAMERA, {side: joints(side) for side in SIDES})
    assert set(found) == set(SIDES)
    for side, seen in found.items():
        assert len(seen.points) > 60 and not seen.bound.any()
        surface = cKDTree(hands[side].mesh(96)[0])
        assert np.median(surface.query(seen.points)[0]) < 0.0025
        beside = seen.points * [1.0, 1.0, 0.97]  # before it, on other rays, nothing is met
        assert np.median(surface.query(beside)[0]) > 0.006


def test_rays_are_nearest_to_the_bone_that_they_pass():
    xyz = joints("right")
    points, distance = nearest_on_rays(xyz[8][None] / xyz[8][2], xyz)
    np.testing.assert_allclose(points[0], xyz[8], atol=1e-6)
    assert distance[0] < 1e-6
