"""What other people's publishers do wrong is named by the running node, with its remedy."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from geometry_msgs.msg import PoseArray
from harness import Client, camera_info, image, keypoints
from im2hands_ros.msg import HandKeypoints
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image


@pytest.fixture
def watched(start):
    """A node whose results are subscribed to, so that it expects its inputs."""
    clients = []

    def begin(*parameters: str, **inputs: type) -> tuple:
        process = start(*parameters)
        clients.append(Client(process.namespace, inputs=inputs))
        return process, clients[-1]

    yield begin
    for client in clients:
        client.close()


def test_another_type_on_the_keypoints_topic_is_named(watched):
    process, client = watched(keypoints=PoseArray, image=Image, camera_info=CameraInfo)
    text = (
        f"{process.namespace}/keypoints: nothing comes: "
        f"{process.namespace}/{client.node.get_name()} publishes geometry_msgs/msg/PoseArray there "
        "but this node subscribes to im2hands_ros/msg/HandKeypoints: set keypoints_type to "
        "pose_array"
    )
    wait(client, process, text)


def test_images_that_are_only_compressed_are_named(watched):
    process, client = watched(**{"image/compressed": CompressedImage})
    wait(client, process, "/image/compressed alone: set image_transport to compressed")


def test_images_that_are_only_raw_are_named(watched):
    process, client = watched("image_transport:=compressed", image=Image)
    wait(client, process, "/image alone: set image_transport to raw")


def test_keypoints_on_a_topic_of_another_name_are_named(watched):
    process, client = watched(**{"tracker/hands": HandKeypoints, "image": Image})
    text = "nobody publishes there, but im2hands_ros/msg/HandKeypoints on "
    wait(client, process, f"{process.namespace}/keypoints: nothing comes: {text}")
    line = next(line for line in process.log.splitlines() if text in line)
    assert f"{process.namespace}/tracker/hands" in line and "refined_keypoints" not in line


def test_a_latched_camera_info_that_came_too_early_is_named(watched):
    process, client = watched(image=Image, keypoints=HandKeypoints)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    client.node.create_publisher(CameraInfo, "camera_info", latched)
    stamps = iter(range(10, 10_000))

    def send() -> bool:
        stamp = next(stamps)
        client.send(image(stamp), keypoints(stamp))
        return "qos_overrides." in process.log

    client.wait_until(send, "the remedy")
    assert (
        f"{process.namespace}/camera_info: images come but no camera_info: " in process.log
        and "subscription.durability with the value transient_local" in process.log
    )


def test_refused_keypoints_are_not_said_to_be_missing(start, connect):
    process = start()
    client = connect(process)
    client.send(camera_info(1.0))
    for i in range(40):
        zeros = keypoints(100 + i)
        zeros.left_xyz = zeros.right_xyz = [0.0] * 63
        client.send(image(100 + i), zeros)
        client.spin(0.02)
    process.wait_for_log("left_xyz holds zeros alone: set left_valid to false")
    client.wait_until(lambda: client.count("dropped.image_keypoints_refused") > 5, "the count")
    assert "keypoints came" not in process.log


def test_an_unlikely_frame_is_published_and_not_called_fine(start, connect):
    process = start()
    client = connect(process)
    stamps = iter(range(100, 10_000))

    def send() -> bool:
        stamp = float(next(stamps))
        info = camera_info(stamp)
        info.header.frame_id = "depth_optical_frame"
        info.k[2] = info.k[5] = 0.0
        client.send(info, image(stamp, value=1), keypoints(stamp))
        return client.verdict.startswith("suspect: ")

    client.wait_until(send, "the verdict")
    assert client.level == 1 and client.received["meshes"]
    for kind in ("camera_centre", "camera_info_frame", "dark_image"):
        assert client.count(f"suspect.{kind}") > 0
        assert kind in client.verdict
    for text in (
        "K has the principal point (0, 0) px, far from the middle",
        "the image is nearly black, mean brightness 1.0 of 255",
        "camera_info is of frame 'depth_optical_frame' but the image of 'camera_optical_frame'",
    ):
        process.wait_for_log(text)


def test_diagnostics_hold_offset_and_lateness_of_keypoints(start, connect):
    process = start()
    client = connect(process)
    for i in range(40):
        client.send(camera_info(100 + i), image(100 + i), keypoints(100 + i + 0.004))
        client.spin(0.02)
    process.wait_for_log("the stamps of keypoints and image are never equal, keypoints 4 ± 0 ms")
    values = client.diagnostics()
    assert values["pairs.offset.mean_ms"] == "4.0" and values["pairs.offset.spread_ms"] == "0.0"
    assert abs(float(values["pairs.arrival.mean_ms"])) < 1000
    assert values["image_period_ms"] == "1000.0"


def test_joints_that_were_not_seen_cost_the_joints_and_lower_the_confidence(start, connect):
    process = start()
    client = connect(process)
    client.send_frame(10.0)
    sure = client.wait_for_frame(10.0).hands[0].confidence
    lacking = keypoints(11.0)
    lacking.left_xyz[21:27] = array("f", [float("nan")] * 6)
    client.send(camera_info(11.0), image(11.0), lacking)
    message = client.wait_for_frame(11.0)
    assert [each.side for each in message.hands] == [0, 1]
    assert np.isfinite(message.hands[0].vertices).all()
    assert np.isclose(message.hands[0].confidence, sure * (19 + 2 * 0.1) / 21)
    assert message.hands[1].confidence == sure
    process.wait_for_log("index_dip, index_tip of the left hand are NaN, infinite or zero")


def wait(client: Client, process: object, text: str) -> None:
    client.wait_until(lambda: text in process.log, text)
