"""The articulated hand: closed skin, mirrored left hand, keypoints where trackers put them."""

import numpy as np
import pytest
import torch
import trimesh
from bent_hand import pose_from_degrees

from im2hands_ros.synthetic.hand import FINGER_NAMES, BakedHand, axis_angle_matrix


@pytest.fixture(scope="module")
def hand() -> BakedHand:
    return BakedHand.load()


def random_parameters(hand: BakedHand, count: int, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    low, high = hand.pose_limits
    pose = low + (high - low) * torch.rand(count, hand.pose_dims, generator=generator)
    shape = 0.8 * torch.randn(count, hand.shape_dims, generator=generator)
    rotation = axis_angle_matrix(torch.randn(count, 3, generator=generator))
    return pose, shape, rotation, torch.randn(count, 3, generator=generator)


def skin_distance(
    vertices: np.ndarray, triangles: np.ndarray, start: np.ndarray, way: np.ndarray
) -> float:
    """Metres from a point inside to the skin (Moeller and Trumbore)."""
    corner = vertices[triangles[:, 0]]
    a, b = vertices[triangles[:, 1]] - corner, vertices[triangles[:, 2]] - corner
    p = np.cross(way, b)
    scale = 1 / (a * p).sum(1)
    u = ((start - corner) * p).sum(1) * scale
    q = np.cross(start - corner, a)
    v, t = q @ way * scale, (q * b).sum(1) * scale
    return t[(u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)].min()


@pytest.mark.parametrize("side", ["left", "right"])
def test_surface_is_closed_and_outward_in_any_pose(hand: BakedHand, side: str) -> None:
    posed = hand.pose(*random_parameters(hand, 6, 1), side)
    assert posed.surface.shape == (6, hand.hand_vertices + 1, 3)
    for surface in posed.surface.numpy():
        mesh = trimesh.Trimesh(surface, hand.triangles_of(side), process=False)
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert 1.5e-4 < mesh.volume < 6e-4  # cubic metres


def test_left_hand_is_the_mirror_image(hand: BakedHand) -> None:
    pose, shape, _, _ = random_parameters(hand, 4, 2)
    still, place = torch.eye(3).expand(4, 3, 3), torch.zeros(4, 3)
    right = hand.pose(pose, shape, still, place, "right")
    left = hand.pose(pose, shape, still, place, "left")
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(left.surface, right.surface * mirror)
    assert torch.equal(left.keypoints, right.keypoints * mirror)


def test_rotation_and_translation_move_everything_rigidly(hand: BakedHand) -> None:
    pose, shape, rotation, translation = random_parameters(hand, 3, 3)
    at_rest = hand.pose(pose, shape, torch.eye(3).expand(3, 3, 3), 0 * translation, "left")
    moved = hand.pose(pose, shape, rotation, translation, "left")
    expected = at_rest.skin @ rotation.mT + translation[:, None]
    assert torch.allclose(moved.skin, expected, atol=1e-6)
    expected = at_rest.keypoints @ rotation.mT + translation[:, None]
    assert torch.allclose(moved.keypoints, expected, atol=1e-6)


def test_keypoints_alone_equal_those_of_the_whole_hand(hand: BakedHand) -> None:
    pose, shape, _, _ = random_parameters(hand, 3, 4)
    posed = hand.pose(pose, shape, torch.eye(3).expand(3, 3, 3), torch.zeros(3, 3), "right")
    assert torch.allclose(hand.rest_frame_keypoints(pose, shape), posed.keypoints, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "bend", "tolerance"),
    [
        ("mcp", 0, 0.0005),
        ("pip", 0, 0.0005),
        ("dip", 0, 0.0005),
        ("mcp", 75, 0.0015),
        ("pip", 60, 0.003),
        ("pip", 90, 0.0015),
        ("dip", 60, 0.0035),
    ],
)
def test_finger_joints_stay_in_the_middle(
    hand: BakedHand, part: str, bend: float, tolerance: float
) -> None:
    """Half the difference between the ways to palmar and to dorsal skin, four shapes."""
    fingers = FINGER_NAMES[1:]
    pose = pose_from_degrees(hand, {f"{finger}_{part}": bend for finger in fingers}).expand(4, -1)
    shape = random_parameters(hand, 4, 5)[1]
    posed = hand.pose(pose, shape, torch.eye(3).expand(4, 3, 3), torch.zeros(4, 3), "right")
    turns = hand.bone_transforms(pose, shape)[..., :3].double().numpy()
    for hand_row, (surface, points) in enumerate(
        zip(posed.surface.double().numpy(), posed.keypoints.double().numpy(), strict=True)
    ):
        for f, finger in enumerate(fingers):
            row = 5 + 4 * f + ("mcp", "pip", "dip").index(part)
            joint = hand.joint(f"{finger}_{part}")
            axis = turns[hand_row, joint + 1] @ hand.frames[joint, :, 0].double().numpy()
            before = points[row] - points[0 if part == "mcp" else row - 1]
            after = points[row + 1] - points[row]
            along = before / np.linalg.norm(before) + after / np.linalg.norm(after)
            palmar = np.cross(axis, along)
            palmar /= np.linalg.norm(palmar)
            to_palm = skin_distance(surface, hand.triangles, points[row], palmar)
            to_back = skin_distance(surface, hand.triangles, points[row], -palmar)
            assert abs(to_palm - to_back) / 2 < tolerance, finger


def test_tips_lie_just_under_the_end_of_the_finger(hand: BakedHand) -> None:
    pose, shape, _, _ = random_parameters(hand, 6, 6)
    posed = hand.pose(pose, shape, torch.eye(3).expand(6, 3, 3), torch.zeros(6, 3), "right")
    for surface, points in zip(posed.surface.numpy(), posed.keypoints.numpy(), strict=True):
        for tip in (4, 8, 12, 16, 20):
            way = points[tip] - points[tip - 1]
            depth = skin_distance(surface, hand.triangles, points[tip], way / np.linalg.norm(way))
            assert 0.001 < depth < 0.005


def test_positive_flexion_closes_the_hand(hand: BakedHand) -> None:
    bend = pose_from_degrees(hand, {f"{f}_mcp": 70 for f in FINGER_NAMES[1:]})
    shape = torch.zeros(2, hand.shape_dims)
    points = hand.rest_frame_keypoints(torch.stack([0 * bend, bend]), shape)
    forward = (points[1] - points[0])[[8, 12, 16, 20], 2]  # z points out of the palm
    assert (forward > 0.02).all()


def test_pose_and_shape_have_finite_gradients(hand: BakedHand) -> None:
    pose = torch.zeros(2, hand.pose_dims, requires_grad=True)
    shape = torch.zeros(2, hand.shape_dims, requires_grad=True)
    posed = hand.pose(pose, shape, torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3), "right")
    (posed.surface.square().sum() + posed.keypoints.square().sum()).backward()
    assert pose.grad is not None and pose.grad.isfinite().all() and pose.grad.any()
    assert shape.grad is not None and shape.grad.isfinite().all() and shape.grad.any()


def test_nails_are_a_small_part_at_the_fingertips(hand: BakedHand) -> None:
    nails = hand.nails > 0.5
    assert 20 < nails.sum() < 200
    tips = hand.rest_frame_keypoints(torch.zeros(1, hand.pose_dims), torch.zeros(1, 12))[0, 4::4]
    distance = np.linalg.norm(hand.skin_rest[nails][:, None] - tips.numpy(), axis=2).min(1)
    assert distance.max() < 0.025


def test_wrong_names_say_what_is_right(hand: BakedHand, tmp_path) -> None:
    with pytest.raises(ValueError, match="index_mcp"):
        pose_from_degrees(hand, {"index_knuckle": 10})
    with pytest.raises(ValueError, match="'left' or 'right'"):
        hand.triangles_of("Left")
    with pytest.raises(FileNotFoundError, match=r"bake_hand\.py"):
        BakedHand.load(tmp_path / "hand.npz")
