"""Keypoints, wrist poses, transforms and smoothing of the running node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from harness import FRAME_ID, Client, camera_info, hand, header, image, keypoints
from im2hands_ros.msg import HandKeypoints
from reference_messages import keypoints_message
from scipy.spatial.transform import Rotation

from im2hands_ros.wrist import wrist_rotation

# A broadcaster that publishes what tf2_ros's would, on a topic that needs no tf2_msgs.
TF2_ROS = """
from geometry_msgs.msg import TransformStamped
from tf2_msgs_stand_in import announce

class TransformBroadcaster:
    def __init__(self, node):
        self.pub_tf = node.create_publisher(TransformStamped, "transforms", 10)
        announce(node)

    def sendTransform(self, transform):
        self.pub_tf.publish(transform)
"""
NOBODY_ELSE = "raise ImportError('hidden by a test')\n"


class Listener:
    """Collects the poses and keypoints of a node."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.messages: dict[str, list] = {}
        for topic, kind in (
            ("refined_keypoints", HandKeypoints),
            ("left/wrist_pose", PoseStamped),
            ("right/wrist_pose", PoseStamped),
        ):
            self.listen(topic, kind)
        client.wait_until(lambda: client.count("subscribers") == 6, "all publishers")

    def listen(self, topic: str, kind: type) -> None:
        self.messages[topic] = []
        self.client.node.create_subscription(kind, topic, self.messages[topic].append, 50)

    def of(self, topic: str, stamp: float) -> object:
        def found() -> list:
            wanted = header(stamp).stamp
            return [each for each in self.messages[topic] if each.header.stamp == wanted]

        self.client.wait_until(lambda: bool(found()), f"{topic} of {stamp}")
        return found()[0]


@pytest.fixture(scope="module")
def listener(node, _client):
    return Listener(_client)


def rotation_of(orientation: object) -> np.ndarray:
    values = [orientation.x, orientation.y, orientation.z, orientation.w]
    return Rotation.from_quat(values).as_matrix()


def test_keypoints_and_wrist_poses_carry_the_image_s_stamp_and_frame(listener):
    listener.client.send_frame(10.0)
    message = listener.of("refined_keypoints", 10.0)
    assert message.header.frame_id == FRAME_ID
    assert (message.joint_order, message.left_valid, message.right_valid) == (0, True, True)
    for side in ("left", "right"):
        xyz = np.array(getattr(message, f"{side}_xyz")).reshape(21, 3)
        assert np.allclose(xyz, hand(side), atol=1e-6)
        wrist = listener.of(f"{side}/wrist_pose", 10.0)
        assert wrist.header.frame_id == FRAME_ID
        position = wrist.pose.position
        assert np.allclose([position.x, position.y, position.z], hand(side)[0], atol=1e-6)
        rotation = rotation_of(wrist.pose.orientation)
        assert np.allclose(rotation, wrist_rotation(hand(side), side), atol=1e-6)
        # Fingers up in the image; the harness's open hands show their backs.
        assert np.allclose(rotation[:, 0], [0, -1, 0], atol=1e-6)
        assert np.allclose(rotation[:, 2], [0, 0, -1], atol=1e-6)


def test_a_lost_hand_has_no_pose_and_is_marked_invalid(listener):
    listener.client.send_frame(20.0, left=False)
    message = listener.of("refined_keypoints", 20.0)
    assert (message.left_valid, message.right_valid) == (False, True)
    listener.of("right/wrist_pose", 20.0)
    assert header(20.0).stamp not in [
        each.header.stamp for each in listener.messages["left/wrist_pose"]
    ]


def test_poses_alone_need_no_surface(start, connect):
    client = connect(start(options=("--delay", "0.5")), listen=False)
    wrists: list[PoseStamped] = []
    client.node.create_subscription(PoseStamped, "left/wrist_pose", wrists.append, 50)
    client.wait_until(lambda: client.count("subscribers") == 1, "the node's publisher")
    for i in range(10):
        client.send_frame(10.0 + i)
        client.wait_until(lambda i=i: len(wrists) > i, "a wrist pose")
    values = client.diagnostics()
    assert values["published"] == "10"
    assert "stage.extract.median_ms" not in values
    assert float(values["stage.frame.median_ms"]) < 100


def test_smoothing_calms_noisy_keypoints(start, connect):
    random = np.random.default_rng(0)
    spread = {}
    for cutoff in ("0.0", "1.0"):
        listener = Listener(connect(start(f"smoothing:={cutoff}", "tracking:=false")))
        for i in range(30):
            stamp = 10 + i / 25
            noisy = hand("right") + random.normal(0, 0.003, (21, 3)).astype(np.float32)
            points = keypoints_message(header(stamp), {"right": noisy})
            listener.client.send(camera_info(stamp), image(stamp), points)
            listener.of("refined_keypoints", stamp)
        seen = [np.array(each.right_xyz) for each in listener.messages["refined_keypoints"][10:]]
        spread[cutoff] = np.std(seen, axis=0).mean()
    assert spread["0.0"] == pytest.approx(0.003, rel=0.2)
    assert spread["1.0"] < 0.5 * spread["0.0"]


def modules(folder: Path, **sources: str) -> Path:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def test_wrists_are_broadcast_as_transforms(start, connect, tmp_path):
    announce = "def announce(node):\n    node.get_logger().info('broadcasting')\n"
    process = start(
        "publish_tf:=true",
        modules=modules(tmp_path, tf2_ros=TF2_ROS, tf2_msgs_stand_in=announce),
    )
    client = connect(process)
    seen: list[TransformStamped] = []
    client.node.create_subscription(TransformStamped, "transforms", seen.append, 50)
    client.spin(0.5)
    client.send_frame(10.0)
    client.wait_until(lambda: len(seen) == 2, "both transforms")
    assert [each.child_frame_id for each in seen] == ["left_wrist", "right_wrist"]
    for each, side in zip(seen, ("left", "right"), strict=True):
        assert each.header == header(10.0)
        rotation = rotation_of(each.transform.rotation)
        assert np.allclose(rotation, wrist_rotation(hand(side), side), atol=1e-6)


@pytest.mark.parametrize(
    ("parameter", "module", "said"),
    [
        ("publish_tf", "tf2_ros", "install the ROS package tf2_ros_py"),
        ("publish_collision_objects", "moveit_msgs", "install the ROS package moveit_msgs"),
    ],
)
def test_a_missing_package_is_one_line_and_the_rest_works(
    start, connect, tmp_path, parameter, module, said
):
    process = start(f"{parameter}:=true", modules=modules(tmp_path, **{module: NOBODY_ELSE}))
    client = connect(process)
    client.send_frame(10.0)
    client.wait_for_frame(10.0)
    lines = [line for line in process.log.splitlines() if "is set but" in line]
    assert len(lines) == 1
    assert said in lines[0]
    client.send(keypoints(11.0))
