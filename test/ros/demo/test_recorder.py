"""The recorder process: everything it hears is in the bag, whichever way it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from harness import hand
from im2hands_ros.msg import HandMesh, HandMeshArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import serialize_message
from reference_messages import keypoints_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from im2hands_ros.bags.reader import BagReader
from im2hands_ros.messages.images import read_image
from im2hands_ros.messages.keypoints import read_keypoints
from im2hands_ros.messages.meshes import read_meshes
from im2hands_ros.messages.results import RESULT_TYPES
from im2hands_ros.ros.demo.recorder import TOPICS
from im2hands_ros.ros.topics import OUTPUTS

FRAMES = 5
PATIENCE = 60.0  # seconds; a busy machine


@pytest.fixture
def talker() -> Iterator[Node]:
    node = rclpy.create_node("talker")
    yield node
    node.destroy_node()


@pytest.fixture
def publishers(talker: Node) -> dict[str, Publisher]:
    return {
        name: talker.create_publisher(
            kind,
            name,
            qos_profile_sensor_data
            if name in ("image", "camera_info", "keypoints")
            else QoSProfile(depth=FRAMES),
        )
        for name, kind in TOPICS.items()
    }


def start(bag: Path, *options: str) -> subprocess.Popen:
    recorder = [sys.executable, "-m", "im2hands_ros.ros.demo.recorder", "--announce"]
    command = [*recorder, "-o", str(bag), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def wait_until_matched(process: subprocess.Popen, publishers: dict[str, Publisher]) -> None:
    """Wait until the recorder has found all ``publishers``, and they have found it."""

    def matched(announced: dict[str, Any]) -> bool:
        found = set(announced["matched"]) == set(publishers)
        return found and all(each.get_subscription_count() for each in publishers.values())

    wait_until_announced(process, matched)


def wait_until_announced(
    process: subprocess.Popen, expected: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What the recorder announces, once it is as expected."""
    deadline = time.monotonic() + PATIENCE
    for line in process.stdout:
        if expected(announced := json.loads(line)):
            return announced
        assert time.monotonic() < deadline, f"still after {PATIENCE} s: {line}"
    pytest.fail(f"the recorder has ended: {process.stderr.read()}")


def publish(
    process: subprocess.Popen, publishers: dict[str, Publisher]
) -> tuple[list[bytes], dict[str, Any]]:
    """Publish FRAMES stamped frames once the recorder listens; returns the serialised images, and
    what the recorder announces when it has all."""
    wait_until_matched(process, publishers)
    sent = []
    for i in range(FRAMES):
        header = Header(frame_id="camera")
        header.stamp.sec, header.stamp.nanosec = 100 + i, 7
        image = Image(header=header, height=2, width=2, encoding="bgr8", step=6)
        image.data = bytes(range(i, i + 12))
        keypoints = keypoints_message(header, {"right": hand("right") + np.float32(i / 100)})
        mesh = HandMesh(side=HandMesh.RIGHT, vertices=[0.0] * 9, triangles=[0, 1, 2])
        # Serialised once: a second time, the padding between fields may hold other bytes.
        sent.append(serialize_message(image))
        publishers["image"].publish(sent[-1])
        publishers["keypoints"].publish(keypoints)
        publishers["meshes"].publish(HandMeshArray(header=header, hands=[mesh]))
        time.sleep(0.05)
    publishers["/diagnostics"].publish(DiagnosticArray())
    all_of_them = {"image": FRAMES, "keypoints": FRAMES, "meshes": FRAMES, "/diagnostics": 1}
    return sent, wait_until_announced(process, lambda line: line["counts"] == all_of_them)


def ended(process: subprocess.Popen) -> str:
    """Wait for the recorder's end; its standard output."""
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_complete_bag(
    publishers: dict[str, Publisher], tmp_path: Path, number: signal.Signals
) -> None:
    process = start(tmp_path / "bag")
    publish(process, publishers)
    process.send_signal(number)
    ended(process)
    with BagReader(tmp_path / "bag") as bag:
        counts = {topic: bag.count(topic) for topic in ("/image", "/meshes", "/diagnostics")}
    assert counts == {"/image": FRAMES, "/meshes": FRAMES, "/diagnostics": 1}
    assert (tmp_path / "bag" / "bag.mcap").is_file()


def test_a_recorded_bag_holds_the_results_that_a_replayed_one_does() -> None:
    types = {f"/{name}": kind.__name__ for name, kind in OUTPUTS.items()}
    assert types == {topic: kind.rpartition("/")[2] for topic, kind in RESULT_TYPES.items()}


def test_it_ends_by_itself_when_the_images_have_ended(
    talker: Node, publishers: dict[str, Publisher], tmp_path: Path
) -> None:
    process = start(tmp_path / "bag", "--drain", "0.3")
    _, announced = publish(process, publishers)
    assert announced["latest_ns"]["meshes"] == (100 + FRAMES - 1) * 10**9 + 7
    for publisher in publishers.values():
        talker.destroy_publisher(publisher)
    ended(process)
    with BagReader(tmp_path / "bag") as bag:
        assert bag.count("/image") == FRAMES


def test_messages_are_recorded_byte_for_byte_and_read_back(
    publishers: dict[str, Publisher], tmp_path: Path
) -> None:
    process = start(tmp_path / "bag")
    before = time.time_ns()
    sent, _ = publish(process, publishers)
    process.send_signal(signal.SIGINT)
    ended(process)
    with BagReader(tmp_path / "bag") as bag:
        received = {
            topic: list(bag.messages(topic)) for topic in ("/image", "/keypoints", "/meshes")
        }
    image, keypoints, meshes = (messages[2] for messages in received.values())
    assert image.stamp_ns == 102 * 10**9 + 7 and image.received_ns > before
    assert read_image(image.message)[0, 0].tolist() == [4, 3, 2]
    hands = read_keypoints(keypoints.message).hands
    assert hands["left"] is None
    assert np.array_equal(hands["right"], hand("right") + np.float32(0.02))
    vertices, triangles = read_meshes(meshes.message)["right"]
    assert (vertices.shape, triangles.tolist()) == ((3, 3), [[0, 1, 2]])
    raw = [bytes(data) for data in _raw(tmp_path / "bag", "/image")]
    assert raw == sent


def _raw(path: Path, topic: str) -> Iterator[memoryview]:
    from rosbags.rosbag2 import Reader

    with Reader(path) as reader:
        for _, _, data in reader.messages([c for c in reader.connections if c.topic == topic]):
            yield data


def test_an_existing_bag_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    process = start(tmp_path / "bag")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert errors.strip().splitlines()[-1].endswith("exists already, not overwriting.")
