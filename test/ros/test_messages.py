"""Messages become arrays and arrays messages; what cannot be a hand or a camera is refused."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_node import Hands, balls
from geometry_msgs.msg import Point, Pose, PoseArray
from harness import FRAME_ID, camera_info, hand, header, keypoints
from im2hands_ros.msg import HandKeypoints, HandMesh
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointField, RegionOfInterest
from visualization_msgs.msg import Marker

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.arrays import cloud_points
from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.keypoints import read_keypoints, read_poses
from im2hands_ros.messages.markers import TRIANGLE_BUCKET, draw, triangle_points
from im2hands_ros.ros.messages import (
    cloud_message,
    keypoints_message,
    marker_array_message,
    mesh_array_message,
)
from im2hands_ros.skeleton import ORDER_INTERHAND, ORDER_MANO, ORDER_OPENXR

HANDS = Hands(balls(hand("left")), balls(hand("right")))


def reordered(order: int) -> np.ndarray:
    """The right hand as a tracker of this joint order sends it."""
    mano = hand("right")
    fingers = mano[1:].reshape(5, 4, 3)
    if order == ORDER_INTERHAND:
        return np.concatenate([fingers[:, ::-1].reshape(20, 3), mano[:1]])
    if order == ORDER_OPENXR:
        palm = mano[[0, 9]].mean(0, keepdims=True)
        metacarpals = (mano[0] + fingers[1:, :1]) / 2
        others = np.concatenate([metacarpals, fingers[1:]], axis=1)
        return np.concatenate([palm, mano[:1], fingers[0], others.reshape(20, 3)])
    return mano


@pytest.mark.parametrize("order", [ORDER_MANO, ORDER_INTERHAND, ORDER_OPENXR])
def test_keypoints_of_every_joint_order_arrive_in_mano_order(order):
    sent = keypoints_message(header(1.0), {"right": reordered(order)}, order)
    read = read_keypoints(deserialize_message(serialize_message(sent), HandKeypoints))
    assert np.allclose(read.hands["right"], hand("right"))
    assert read.hands["left"] is None
    assert read.usable
    assert not read.problems


def changed(**changes: object) -> HandKeypoints:
    message = keypoints(1.0, left=False)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def points(**changes: object) -> list[float]:
    """The right hand's numbers with joint 7's coordinates replaced."""
    xyz = hand("right")
    for axis, value in changes.items():
        xyz[7, "xyz".index(axis)] = value
    return xyz.ravel().tolist()


@pytest.mark.parametrize(
    ("message", "reason", "said"),
    [
        (changed(right_xyz=points(x=np.nan)), "keypoints_not_finite", "set right_valid to false"),
        (changed(right_xyz=points(z=np.inf)), "keypoints_not_finite", "1 keypoints of right_xyz"),
        (changed(right_xyz=points()[:60]), "keypoints_count", "holds 60 numbers"),
        (changed(right_xyz=points()[:-1]), "keypoints_count", "holds 62 numbers"),
        (changed(right_xyz=points() * 2), "keypoints_count", "holds 126 numbers"),
        (changed(right_xyz=[]), "keypoints_count", "holds 0 numbers"),
        (changed(joint_order=ORDER_OPENXR), "keypoints_count", "holds 63 numbers"),
        (changed(joint_order=9), "keypoints_count", "joint order 9 is unknown"),
        (changed(right_confidence=[1.0] * 5), "keypoints_count", "give 21 or none"),
        (changed(right_xyz=points(x=1e9)), "keypoints_range", "give metres, not millimetres"),
        (changed(right_xyz=points(z=-0.5)), "keypoints_range", "optical frame"),
        (changed(right_xyz=[0.0] * 63), "keypoints_range", "depth 0.000 m"),
        (changed(right_xyz=[0.0, 0.0, 0.4] * 21), "keypoints_size", "0.000 m across"),
        (changed(right_xyz=points(x=1.0)), "keypoints_size", "m across"),
    ],
)
def test_what_cannot_be_a_hand_is_refused_with_a_reason(message, reason, said):
    read = read_keypoints(message)
    assert read.hands == {"left": None, "right": None}
    assert not read.usable
    assert [problem.reason for problem in read.problems] == [reason]
    assert said in str(read.problems[0])


def test_arbitrary_keypoints_are_read_or_refused():
    random = np.random.default_rng(0)
    for _ in range(300):
        scale = float(random.choice([0.1, 1.0, 1e9, 1e30]))
        length = int(random.choice([0, 1, 60, 63, 78, 126]))
        message = HandKeypoints(
            joint_order=int(random.integers(0, 256)) if random.random() < 0.3 else 0,
            left_valid=bool(random.integers(2)),
            right_valid=bool(random.integers(2)),
            left_xyz=(scale * random.normal(size=length)).astype(np.float32).tolist(),
            right_xyz=np.tile([0.0, 0.0, scale], 21).astype(np.float32).tolist(),
            left_confidence=[0.5] * int(random.choice([0, 20, 21])),
        )
        read = read_keypoints(message)
        for xyz in read.hands.values():
            assert xyz is None or (xyz.shape == (21, 3) and np.isfinite(xyz).all())


def test_a_refused_hand_leaves_the_other_one():
    message = keypoints(1.0)
    message.left_xyz = message.left_xyz[:3]
    read = read_keypoints(message)
    assert read.usable
    assert read.hands["left"] is None
    assert np.allclose(read.hands["right"], hand("right"))


def test_no_hand_is_a_usable_message():
    assert read_keypoints(keypoints(1.0, left=False, right=False)).usable


def info(**changes: object) -> object:
    message = camera_info(1.0)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def poses(left: np.ndarray | None, right: np.ndarray | None) -> PoseArray:
    both = [np.full((21, 3), np.nan) if each is None else each for each in (left, right)]
    positions = [Point(x=x, y=y, z=z) for x, y, z in np.concatenate(both).tolist()]
    return PoseArray(header=header(1.0), poses=[Pose(position=each) for each in positions])


def test_a_pose_array_holds_the_left_block_first_and_nan_for_an_absent_hand():
    read = read_poses(poses(hand("left"), hand("right")))
    assert read.frame_id == FRAME_ID
    assert np.array_equal(read.hands["left"], hand("left"))
    assert np.array_equal(read.hands["right"], hand("right"))
    read = read_poses(poses(None, hand("right")))
    assert read.hands["left"] is None
    assert read.hands["right"] is not None
    assert not read.problems
    assert read_poses(poses(None, None)).usable


def test_a_pose_array_that_cannot_be_hands_is_refused():
    message = poses(hand("left"), hand("right"))
    message.poses[3].position.x = float("nan")
    read = read_poses(message)
    assert read.hands["left"] is None
    assert read.hands["right"] is not None
    assert "1 keypoints of the block of the left hand are NaN" in str(read.problems[0])
    message.poses.pop()
    read = read_poses(message)
    assert not read.usable
    assert read.problems[0].reason == "keypoints_count"
    assert "41 poses: give 42" in str(read.problems[0])


def test_the_camera_is_that_of_the_message():
    camera = camera_from_info(info(), (64, 48))
    assert (camera.width, camera.height, camera.distortion_model) == (64, 48, "none")
    assert (camera.fx, camera.cx, camera.fy, camera.cy) == (60.0, 31.5, 60.0, 23.5)


def test_binning_and_region_of_interest_are_applied():
    full = info(width=256, height=192, binning_x=2, binning_y=2)
    full.k = [240.0, 0.0, 100.0, 0.0, 240.0, 90.0, 0.0, 0.0, 1.0]
    full.roi = RegionOfInterest(x_offset=40, y_offset=20, width=128, height=96)
    binned = camera_from_info(full, (64, 48))
    message = info(width=256, height=192)
    message.k = full.k
    whole = camera_from_info(message, (256, 192))
    point = np.array([[0.01, -0.02, 0.5]])
    # A whole image's pixel u falls into binned pixel ((u - 40) - 0.5) / 2: both centres at whole.
    expected = (whole.project(point) - [40, 20] - 0.5) / 2
    assert np.allclose(binned.project(point), expected)


def test_lens_models_are_passed_on():
    coefficients = [0.1, -0.05, 0.001, 0.002, 0.01]
    camera = camera_from_info(info(d=coefficients), (64, 48))
    assert camera.distortion_model == "plumb_bob"
    assert camera.distortion == tuple(coefficients)
    fish = camera_from_info(info(distortion_model="equidistant", d=[0.1, 0.0, 0.0, 0.0]), (64, 48))
    assert fish.is_distorted


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"width": 1280}, "camera_info_size", "1280x48 image but the image is 64x48"),
        ({"binning_x": 2}, "camera_info_size", "32x48"),
        ({"k": [0.0] * 9}, "camera_info_values", "calibrate the camera"),
        ({"k": [float("nan")] * 9}, "camera_info_values", "calibrate the camera"),
        ({"distortion_model": "magic", "d": [1.0]}, "camera_info_values", "'magic' is unknown"),
        ({"d": [1.0, 2.0]}, "camera_info_values", "has 2 coefficients"),
        ({"d": [float("nan")] * 5}, "camera_info_values", "not finite"),
    ],
)
def test_a_calibration_that_is_not_the_images_is_refused(changes, reason, said):
    with pytest.raises(BadInput, match=said) as raised:
        camera_from_info(info(**changes), (64, 48))
    assert raised.value.reason == reason


def test_meshes_hold_flat_arrays_left_hand_first():
    message = mesh_array_message(header(1.5), HANDS)
    assert message.header == header(1.5)
    assert [each.side for each in message.hands] == [HandMesh.LEFT, HandMesh.RIGHT]
    vertices = np.array(message.hands[1].vertices).reshape(-1, 3)
    assert np.array_equal(vertices, HANDS.right.vertices)
    assert np.array_equal(np.array(message.hands[0].triangles), HANDS.left.triangles.ravel())


def test_the_cloud_names_its_fields_and_the_side_of_each_voxel():
    message = cloud_message(header(1.5), cloud_points(HANDS))
    assert [each.name for each in message.fields] == ["x", "y", "z", "occupancy", "side"]
    assert [each.datatype for each in message.fields] == [PointField.FLOAT32] * 4 + [
        PointField.UINT8
    ]
    kinds = {PointField.FLOAT32: "<f4", PointField.UINT8: "u1"}
    names = [each.name for each in message.fields]
    dtype = np.dtype(
        {
            "names": names,
            "formats": [kinds[each.datatype] for each in message.fields],
            "offsets": [each.offset for each in message.fields],
            "itemsize": message.point_step,
        }
    )
    points = np.frombuffer(message.data, dtype)
    assert len(points) == message.width == 42
    assert message.row_step == len(message.data)
    assert points["side"].tolist() == [HandMesh.LEFT] * 21 + [HandMesh.RIGHT] * 21
    assert np.array_equal(points["x"][21:], HANDS.right.voxels[:, 0])
    assert np.array_equal(points["occupancy"], np.ones(42, np.float32))


def test_triangles_are_padded_to_a_constant_length_with_triangles_of_no_area():
    surface = HANDS.left
    corners = triangle_points(surface.vertices, surface.triangles).reshape(-1, 3, 3)
    count = len(surface.triangles)
    assert len(corners) == TRIANGLE_BUCKET
    assert np.array_equal(corners[:count], surface.vertices[surface.triangles])
    assert (corners[count:] == corners[count:, :1]).all()
    fewer = triangle_points(surface.vertices, surface.triangles[:-5])
    assert fewer.shape == corners.reshape(-1, 3).shape


def test_markers_suit_rviz_and_foxglove():
    message = marker_array_message(header(1.5), draw(HANDS, 0.005), lost=[("left", 7)])
    deletion, *markers = message.markers
    assert (deletion.action, deletion.ns, deletion.id) == (Marker.DELETE, "left", 7)
    assert len({(each.ns, each.id) for each in markers}) == len(markers) == 8
    for marker in markers:
        assert marker.points
        assert not marker.colors
        assert 0 < marker.color.a <= 1
        assert marker.lifetime.sec > 0
        assert marker.pose.orientation.w == 1.0
        if marker.type == Marker.TRIANGLE_LIST:
            assert len(marker.points) % 3 == 0
    colours = {(m.color.r, m.color.g, m.color.b) for m in markers if m.type == Marker.TRIANGLE_LIST}
    assert len(colours) == 2


def test_nothing_is_drawn_of_an_absent_hand_or_an_empty_part():
    right = balls(hand("right"))
    right.voxels = right.voxels[:0]
    names = {each.style.namespace for each in draw(Hands(None, right), 0.005)}
    assert names == {"right", "right_keypoints"}
