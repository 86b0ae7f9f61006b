"""Other kinds of inputs: compressed images and pose arrays, through the running node."""

from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from compressed_pictures import with_orientation
from geometry_msgs.msg import Point, Pose, PoseArray
from harness import ANALYTIC_NODE, HEIGHT, WIDTH, NodeProcess, camera_info, hand, header
from sensor_msgs.msg import CameraInfo, CompressedImage

INPUTS = {
    "image/compressed": CompressedImage,
    "camera_info": CameraInfo,
    "keypoint_poses": PoseArray,
}


@pytest.fixture(scope="module")
def other_node(tmp_path_factory):
    parameters = ("image_transport:=compressed", "keypoints_type:=pose_array")
    process = NodeProcess([ANALYTIC_NODE], parameters, tmp_path_factory.mktemp("node") / "log")
    yield process
    process.stop()


def compressed(stamp: float, suffix: str = ".jpg") -> CompressedImage:
    ok, data = cv2.imencode(suffix, np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert ok
    return CompressedImage(header=header(stamp), format=suffix[1:], data=data.tobytes())


def poses(stamp: float, left: bool = True) -> PoseArray:
    blocks = [hand("left") if left else np.full((21, 3), np.nan), hand("right")]
    points = [Point(x=x, y=y, z=z) for x, y, z in np.concatenate(blocks).tolist()]
    return PoseArray(header=header(stamp), poses=[Pose(position=point) for point in points])


def test_compressed_images_and_pose_arrays_give_hands(other_node, connect):
    client = connect(other_node, inputs=INPUTS)
    for stamp, suffix in ((10.0, ".jpg"), (11.0, ".png")):
        client.send(camera_info(stamp), compressed(stamp, suffix), poses(stamp))
        hands = client.wait_for_frame(stamp).hands
        assert [each.side for each in hands] == [0, 1]
        vertices = np.array(hands[0].vertices).reshape(21, -1, 3)
        assert np.allclose(vertices.mean(1), hand("left"), atol=1e-5)


def test_a_picture_is_not_turned_as_its_exif_data_say(other_node, connect):
    client = connect(other_node, inputs=INPUTS)
    turned = compressed(15.0)
    turned.data = with_orientation(turned.data.tobytes(), 6)
    client.send(camera_info(15.0), turned, poses(15.0))
    assert len(client.wait_for_frame(15.0).hands) == 2  # turned, it would not fit camera_info


def test_a_block_of_nan_is_an_absent_hand(other_node, connect):
    client = connect(other_node, inputs=INPUTS)
    client.send(camera_info(20.0), compressed(20.0), poses(20.0, left=False))
    assert [each.side for each in client.wait_for_frame(20.0).hands] == [1]


def test_what_cannot_be_decoded_is_said_with_its_topic_and_the_next_frame_works(
    other_node, connect
):
    client = connect(other_node, inputs=INPUTS)
    torn = compressed(30.0)
    torn.data = torn.data[:20]
    few = poses(31.0)
    few.poses = few.poses[:21]
    client.send(camera_info(30.0), torn, poses(30.0))
    other_node.wait_for_log("/image/compressed: 20 bytes of format 'jpg' cannot be decoded")
    client.send(compressed(31.0), few)
    other_node.wait_for_log("/keypoint_poses: 21 poses: give 42")
    client.send(compressed(32.0), poses(32.0))
    client.wait_for_frame(32.0)
    values = client.diagnostics()
    assert values["dropped.image_data"] == "1"
    assert values["dropped.keypoints_count"] == "1"


@pytest.mark.skipif(find_spec("teleop_ros2_interfaces") is not None, reason="its package is here")
def test_named_poses_without_their_package_are_an_error_with_the_remedy(tmp_path):
    process = NodeProcess([ANALYTIC_NODE], ("keypoints_type:=named_pose_array",), tmp_path / "log")
    try:
        process.wait_for_log(
            "keypoints_type is named_pose_array but its message cannot be imported"
        )
        process.wait_for_log("build teleop_ros2_interfaces of IsaacTeleop in this workspace")
    finally:
        process.stop()
