"""Every writer gives the bytes of rclpy's own serialisation, but for what padding holds."""

from __future__ import annotations

import numpy as np
import pytest
from ball_surfaces import Hands, balls
from cdr_padding import without_padding
from harness import hand, header
from rclpy.serialization import deserialize_message, serialize_message
from reference_messages import (
    camera_info_message,
    cloud_message,
    image_message,
    keypoints_message,
    marker_array_message,
    mesh_array_message,
    wrist_message,
)
from std_msgs.msg import Header

from im2hands_ros.camera import Camera
from im2hands_ros.messages import header as ros_free
from im2hands_ros.messages.camera_info import Calibration, Region, write_camera_info
from im2hands_ros.messages.images import write_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.messages.markers import draw, write_markers
from im2hands_ros.messages.meshes import write_meshes
from im2hands_ros.messages.occupancy import write_occupancy
from im2hands_ros.messages.results import RESULT_TYPES, ResultEncoder
from im2hands_ros.ros.topics import OUTPUTS
from im2hands_ros.skeleton import WRIST
from im2hands_ros.wrist import quaternion, wrist_rotation

LEFT, RIGHT = balls(hand("left")), balls(hand("right"), confidence=0.25)
COMBINATIONS = {
    "both": Hands(LEFT, RIGHT),
    "left": Hands(LEFT, None),
    "right": Hands(None, RIGHT),
    "none": Hands(None, None),
}
# Eight lengths: the frame's name moves all that follows by one byte at a time.
FRAMES = ["", "c", "ca", "cam", "camera", "camera_", "head/camera", "camera_optical_frame", "é"]


@pytest.fixture(params=FRAMES)
def head(request) -> Header:
    message = header(1234.567)
    message.frame_id = request.param
    return message


@pytest.fixture(params=COMBINATIONS)
def hands(request) -> Hands:
    return COMBINATIONS[request.param]


@pytest.fixture(autouse=True)
def _short_triangle_lists(monkeypatch):
    """The reference is slow: pad to little."""
    monkeypatch.setattr("im2hands_ros.messages.markers.TRIANGLE_BUCKET", 50)


def assert_same(ours: bytes, reference: object) -> None:
    kind, theirs = type(reference), serialize_message(reference)
    expected = without_padding(theirs, reference)
    assert without_padding(ours, reference).ljust(len(expected), b"\0") == expected
    assert deserialize_message(ours, kind) == deserialize_message(theirs, kind)


@pytest.mark.parametrize("lost", [(), (("left", 0), ("left_keypoints", 1))])
def test_markers(head, hands, lost):
    drawings = draw(hands.present, 0.005)
    assert_same(write_markers(head, drawings, lost), marker_array_message(head, drawings, lost))


def test_meshes(head, hands):
    assert_same(write_meshes(head, hands.present), mesh_array_message(head, hands.present))


def test_occupied_voxels(head, hands):
    assert_same(write_occupancy(head, hands.present), cloud_message(head, hands.present))


@pytest.mark.parametrize("confidence", [{"left": 1.0, "right": 0.25}, {"right": None}, {}])
def test_keypoints(head, hands, confidence):
    xyz = {side: surface and surface.keypoints for side, surface in hands.items()}
    expected = keypoints_message(head, xyz, confidence=confidence)
    assert_same(write_keypoints(head, xyz, confidence), expected)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
def test_images(head, encoding):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    pixels = pixels[..., 0] if encoding == "mono8" else pixels
    assert_same(write_image(head, pixels, encoding), image_message(head, pixels, encoding))


CAMERA = Camera(64, 48, 60.0, 61.0, 31.5, 23.5)
EIGHT = Camera(64, 48, 60.0, 61.0, 31.5, 23.5, "rational_polynomial", tuple(np.arange(8) / 100))


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration.of(CAMERA),
        Calibration.of(EIGHT),
        Calibration.of(CAMERA)._replace(binning_x=2, roi=Region(1, 2, 30, 40, True)),
        Calibration.of(CAMERA)._replace(d=(), distortion_model=""),
    ],
)
def test_calibrations(head, calibration):
    expected = camera_info_message(head, calibration)
    assert_same(write_camera_info(head, calibration), expected)
    assert_same(write_camera_info(head, expected), expected)


def test_a_frames_results_after_a_frame_with_a_hand_that_is_lost(head, hands):
    encoder = ResultEncoder()
    before = Hands(LEFT, None)
    list(encoder.encode(head, before, 0.005))
    found = dict(encoder.encode(head, hands, 0.005))
    drawings = draw(hands.present, 0.005)
    lost = [] if hands.left else [drawing.key for drawing in draw(before.present, 0.005)]
    present = hands.present
    expected = {
        "/refined_keypoints": keypoints_message(
            head,
            {side: surface.keypoints for side, surface in present.items()},
            confidence={side: surface.confidence for side, surface in present.items()},
        ),
        "/meshes": mesh_array_message(head, hands.present),
        "/occupancy": cloud_message(head, hands.present),
    }
    if drawings or lost:
        expected["/markers"] = marker_array_message(head, drawings, lost)
    for side, surface in present.items():
        turn = quaternion(wrist_rotation(surface.keypoints, side))
        wrist = surface.keypoints[WRIST]
        expected[f"/{side}/wrist_pose"] = wrist_message(head, wrist, turn)
    assert found.keys() == expected.keys()
    for topic, message in expected.items():
        assert_same(found[topic], message)


def test_sizes_change_from_frame_to_frame():
    random = np.random.default_rng(0)
    for _ in range(20):
        some = random.random(len(RIGHT.triangles)) < random.random()
        part = balls(hand("right") + random.normal(size=3).astype(np.float32))
        part.triangles = part.triangles[some]
        part.voxels = part.voxels[: int(random.integers(0, 21))]
        part.voxel_occupancy = part.voxel_occupancy[: len(part.voxels)]
        hands = Hands(LEFT, part)
        stamp = header(float(random.integers(1, 10**9)))
        drawings = draw(hands.present, 0.004)
        assert_same(write_markers(stamp, drawings), marker_array_message(stamp, drawings))
        assert_same(write_meshes(stamp, hands.present), mesh_array_message(stamp, hands.present))
        assert_same(write_occupancy(stamp, hands.present), cloud_message(stamp, hands.present))


def test_headers_of_ros_and_without_it_give_the_same_bytes(head):
    ours = ros_free.Header(ros_free.Stamp(head.stamp.sec, head.stamp.nanosec), head.frame_id)
    assert ros_free.nanoseconds(head.stamp) == ros_free.nanoseconds(ours.stamp)
    assert ours == ros_free.Header.at(ros_free.nanoseconds(head.stamp), head.frame_id)
    assert write_meshes(ours, {"left": LEFT}) == write_meshes(head, {"left": LEFT})


def test_the_nodes_publishers_are_of_the_results_types():
    types = {
        f"/{topic}": f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        for topic, kind in OUTPUTS.items()
    }
    assert types == RESULT_TYPES
