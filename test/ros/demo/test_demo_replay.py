"""The replay node: what it publishes, when it starts, when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from im2hands_ros.msg import HandKeypoints
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from im2hands_ros.camera import Camera
from im2hands_ros.ros.demo.replay import EXIT_NO_SUBSCRIBERS, ReplayNode
from im2hands_ros.ros.topics import INPUTS

CAMERA = Camera(64, 48, 60.0, 61.0, 31.5, 23.5)


def sequence(count: int) -> SimpleNamespace:
    """Frames whose pixels and keypoints tell their number; the left hand is absent in odd ones."""
    frames = [
        SimpleNamespace(
            image=np.full((48, 64, 3), (10 + i, 20 + i, 30 + i), np.uint8),
            keypoints={
                "left": None if i % 2 else np.full((21, 3), i, np.float32),
                "right": np.full((21, 3), 0.5 + i, np.float32),
            },
        )
        for i in range(count)
    ]
    return SimpleNamespace(frames=frames, camera=CAMERA)


class Listener(Node):
    """Collects what replay publishes."""

    def __init__(self, *topics: str, qos: QoSProfile = qos_profile_sensor_data) -> None:
        super().__init__("listener")
        self.heard: dict[str, list] = {topic: [] for topic in topics}
        for topic in topics:
            self.create_subscription(INPUTS[topic], topic, self.heard[topic].append, qos)


@pytest.fixture
def executor() -> Iterator[SingleThreadedExecutor]:
    executor = SingleThreadedExecutor()
    yield executor
    for node in executor.get_nodes():
        node.destroy_node()
    executor.shutdown()


def replay(count: int, **parameters: object) -> ReplayNode:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return ReplayNode(sequence(count), parameter_overrides=overrides)


def spin_until(
    executor: SingleThreadedExecutor,
    condition: Callable[[], bool],
    seconds: float = 60.0,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not reached within {seconds} s"
        executor.spin_once(timeout_sec=0.05)


def play(executor: SingleThreadedExecutor, node: ReplayNode, listener: Listener) -> dict[str, list]:
    executor.add_node(listener)
    executor.add_node(node)
    spin_until(executor, node.finished.done)
    assert node.finished.result() == 0
    return listener.heard


def stamp_of(message: Image | CameraInfo | HandKeypoints) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def test_every_frame_arrives_on_all_topics_with_one_stamp(
    executor: SingleThreadedExecutor,
) -> None:
    heard = play(executor, replay(5, rate=50.0), Listener(*INPUTS))
    assert [len(messages) for messages in heard.values()] == [5, 5, 5]
    stamps = [[stamp_of(message) for message in messages] for messages in heard.values()]
    assert stamps[0] == stamps[1] == stamps[2] == sorted(set(stamps[0]))


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_pixels_are_packed_in_the_encoding(executor: SingleThreadedExecutor, encoding: str) -> None:
    node = replay(2, rate=50.0, encoding=encoding, frame_id="left_eye")
    message = play(executor, node, Listener("image", "camera_info", "keypoints"))["image"][1]
    assert (message.encoding, message.step, message.header.frame_id) == (
        encoding,
        192,
        "left_eye",
    )
    pixels = np.asarray(message.data, np.uint8).reshape(48, 64, 3)
    assert pixels[7, 9].tolist() == ([11, 21, 31] if encoding == "rgb8" else [31, 21, 11])


def test_keypoints_and_intrinsics_are_those_of_the_frame(
    executor: SingleThreadedExecutor,
) -> None:
    heard = play(executor, replay(2, rate=50.0), Listener(*INPUTS))
    first, second = heard["keypoints"]
    assert first.left_valid and not second.left_valid and len(second.left_xyz) == 0
    assert np.asarray(second.right_xyz).reshape(21, 3) == pytest.approx(1.5)
    assert heard["camera_info"][0].k.tolist() == CAMERA.K.ravel().tolist()


def test_nothing_is_published_before_every_topic_has_a_listener(
    executor: SingleThreadedExecutor,
) -> None:
    node, early = replay(3, rate=50.0), Listener("image")
    executor.add_node(early)
    executor.add_node(node)
    spin_until(executor, lambda: node.count_subscribers("image") > 0)
    for _ in range(10):
        executor.spin_once(timeout_sec=0.05)
    assert early.heard["image"] == []
    executor.add_node(Listener("camera_info", "keypoints"))
    spin_until(executor, node.finished.done)
    assert len(early.heard["image"]) == 3


def test_whoever_comes_late_and_wants_every_message_is_no_incompatible_subscriber(
    executor: SingleThreadedExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    """As RViz does before it has read its settings."""
    node, listener = replay(2, rate=50.0, loop=True), Listener(*INPUTS)
    executor.add_node(listener)
    executor.add_node(node)
    spin_until(executor, lambda: len(listener.heard["image"]) > 0)
    late = Listener("image", qos=QoSProfile(depth=5))
    executor.add_node(late)
    spin_until(executor, lambda: len(late.heard["image"]) > 0)
    assert "incompatible QoS" not in capfd.readouterr().err


def test_it_gives_up_when_nobody_comes(
    executor: SingleThreadedExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    node = replay(1, wait_timeout=0.2, wait_for_node="sleeper")
    executor.add_node(node)
    spin_until(executor, node.finished.done)
    assert node.finished.result() == EXIT_NO_SUBSCRIBERS
    assert "node 'sleeper' is not active; subscribers: image 0" in capfd.readouterr().err


def test_a_loop_starts_over(executor: SingleThreadedExecutor) -> None:
    listener, node = Listener(*INPUTS), replay(2, rate=100.0, loop=True)
    executor.add_node(listener)
    executor.add_node(node)
    spin_until(executor, lambda: len(listener.heard["image"]) >= 5)
    assert [message.data[0] for message in listener.heard["image"][:5]] == [
        10,
        11,
        10,
        11,
        10,
    ]
    assert not node.finished.done()


def test_an_unknown_encoding_is_refused(executor: SingleThreadedExecutor) -> None:
    with pytest.raises(ValueError, match="parameter encoding is 'jpeg': give rgb8, bgr8"):
        replay(1, encoding="jpeg")
