"""Hands under the skin that a depth camera sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from two_hands import joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_depth
from im2hands_ros.depth.likely_shifts import likely_shifts
from im2hands_ros.depth.pixels import depth_pixels
from im2hands_ros.depth.skin_fit import fitted_joints
from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.kernels.choice import kernels_wanted
from im2hands_ros.skeleton import BONES
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


class Capsules:
    """The depth under the skin of a `CapsuleHand`, metres."""

    def __init__(self, xyz: np.ndarray) -> None:
        self.hand = CapsuleHand(xyz)

    def at(self, points: np.ndarray) -> np.ndarray:
        return self.hand.depth(torch.from_numpy(points).float()).double().numpy()

    def around(self, points: np.ndarray, step: float) -> np.ndarray:
        moved = points[:, None] + step * np.vstack([np.zeros(3), np.eye(3)])
        return self.at(moved.reshape(-1, 3)).reshape(-1, 4)


def both() -> dict[str, np.ndarray]:
    return {side: joints(side, 0.09, 0.5).astype(np.float64) for side in ("left", "right")}


def bent_hand() -> np.ndarray:
    """A left hand that leans away from the camera."""
    xyz = joints("left", 0.09, 0.5).astype(np.float64)
    angle, centre = np.radians(40), xyz.mean(axis=0)
    lean = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    return (xyz - centre) @ np.array(lean).T + centre


def off(xyz: np.ndarray, metres: float) -> np.ndarray:
    """The joints moved along their rays."""
    return xyz * (1 + metres / xyz[:, 2].mean())


def shifts_of(depth: np.ndarray, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    pixels = depth_pixels(depth, CAMERA, given)
    return likely_shifts(pixels, given, hands_before_wall(pixels.depth))


def fitted(depth: np.ndarray, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    pixels = depth_pixels(depth, CAMERA, given)
    shown = hands_before_wall(pixels.depth)
    fields = {side: Capsules(xyz) for side, xyz in given.items()}
    return fitted_joints(given, pixels, shown, likely_shifts(pixels, given, shown), fields)


def hands_before_wall(depth: np.ndarray) -> np.ndarray:
    """What a hand mask says."""
    return np.where(depth < WALL - 0.1, 0.95, 0.05)


def error(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true, axis=1).mean())


@pytest.mark.parametrize("kind", [REALSENSE, KINECT])
@pytest.mark.parametrize("metres", [-0.05, 0.02])
def test_hands_that_are_too_near_or_far_are_found_along_their_rays(kind, metres):
    true = both()
    given = {side: off(xyz, metres) for side, xyz in true.items()}
    depth = seen(true, kind)
    for shift in shifts_of(depth, given).values():
        assert abs(shift[2] + metres) < 0.009
    for side, xyz in fitted(depth, given).items():
        assert error(xyz, true[side]) < 0.3 * error(given[side], true[side])


def test_two_hands_one_behind_the_other_are_moved_each_by_its_own_error():
    true = both()
    true["right"] = true["right"] + (true["left"] - true["right"]).mean(axis=0) + [0.02, 0, 0.06]
    given = {"left": off(true["left"], 0.04), "right": off(true["right"], -0.02)}
    for side, xyz in fitted(seen(true), given).items():
        assert error(xyz, true[side]) < 0.5 * error(given[side], true[side])


def test_a_hand_of_which_a_nearer_one_shows_little_stays():
    true = both()
    true["right"] = true["left"] + [0, 0, 0.04]
    for side, xyz in fitted(seen(true), true).items():
        assert np.array_equal(xyz, true[side])


def test_a_flattened_hand_gets_its_relief_back():
    true = {"left": bent_hand()}
    flat = {"left": true["left"] * [1, 1, 0.7] + [0, 0, 0.3 * true["left"][:, 2].mean()]}
    found = fitted(seen(true), flat)["left"]
    reliefs = [np.ptp(xyz[:, 2]) for xyz in (flat["left"], found, true["left"])]
    assert reliefs[1] > reliefs[0] + 0.3 * (reliefs[2] - reliefs[0])
    assert error(found, true["left"]) < 0.8 * error(flat["left"], true["left"])


def test_the_compiled_steps_and_those_in_numpy_move_hands_alike():
    true = both()
    given = {"left": off(true["left"], 0.03), "right": off(true["right"], -0.02)}
    depth, found = seen(true), []
    for kernels in ("native", "torch"):
        with kernels_wanted(kernels):
            found.append(fitted(depth, given))
    for side in true:
        assert error(found[0][side], given[side]) > 0.01
        np.testing.assert_allclose(found[0][side], found[1][side], atol=2e-5)


def test_an_object_before_half_of_the_hand_does_not_draw_it_nearer():
    true = {"left": both()["left"]}
    depth = seen(true)
    depth[:, : int(CAMERA.project(true["left"])[:, 0].mean())] = 0.40
    pixels = depth_pixels(depth, CAMERA, true)
    shown = np.where(pixels.depth < 0.42, 0.05, hands_before_wall(pixels.depth))
    assert np.linalg.norm(likely_shifts(pixels, true, shown)["left"]) < 0.01


@pytest.mark.parametrize("empty", [0.0, np.nan, WALL])
def test_hands_that_are_not_seen_stay_where_they_are(empty):
    true = both()
    nothing = np.full((CAMERA.height, CAMERA.width), empty, np.float32)
    pixels = depth_pixels(nothing, CAMERA, true)
    assert (len(pixels.depth) > 0) == (empty == WALL)
    shown = np.full(len(pixels.depth), 0.05)
    still = dict.fromkeys(true, np.zeros(3))
    fields = {side: Capsules(xyz) for side, xyz in true.items()}
    for side, xyz in fitted_joints(true, pixels, shown, still, fields).items():
        assert np.array_equal(xyz, true[side])


@pytest.mark.parametrize("kind", [REALSENSE, KINECT])
def test_joints_that_fit_stay_to_the_last_digit(kind):
    true = both()
    for side, xyz in fitted(seen(true, kind), true).items():
        assert np.array_equal(xyz, true[side])


def test_edges_of_the_hands_are_left_out_and_the_noise_is_known():
    true = both()
    perfect = photographed(seen(true), REALSENSE, np.random.default_rng(1))
    pixels = depth_pixels(perfect, CAMERA, true)
    assert len(pixels.depth) > 300 and 0.0005 < pixels.noise < 0.003
    spread = (pixels.depth > 0.56) & (pixels.depth < WALL - 0.03)
    assert spread.mean() < 0.05  # few pixels that mix hand and wall


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
