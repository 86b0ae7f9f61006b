"""`im2hands replay --node`, and that replay without ROS writes what the node publishes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import made_bags
import pytest
from analytic_node import Spheres
from cdr_padding import without_padding
from harness import ANALYTIC_NODE
from made_bags import camera_info, compressed_image, image, keypoints, pose_array, write_bag
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader

from im2hands_ros import cli
from im2hands_ros.messages.results import RESULT_TYPES
from im2hands_ros.ros import through_node
from im2hands_ros.ros.topics import OUTPUTS


@pytest.fixture
def analytic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node of the tests in place of the networks, here and in its process."""
    command = (sys.executable, ANALYTIC_NODE)
    monkeypatch.setattr(through_node.ThroughNode.__init__, "__defaults__", (command,))
    monkeypatch.setattr("im2hands_ros.ros.through_node._REST_TIMEOUT", 0.5)


def results(bag: Path) -> dict[str, list[bytes]]:
    with Reader(bag) as reader:
        found: dict[str, list[bytes]] = {}
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(bytes(data))
        return found


def test_every_frame_goes_through_the_node_and_comes_back_as_without_ros(
    tmp_path: Path, analytic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Spheres(SimpleNamespace(stages="initial", look=False, delay=0.0, cost=0.0))
    monkeypatch.setattr("im2hands_ros.bags.replay.load_model", lambda settings: model)
    entries = [made(i) for i in range(4) for made in (camera_info, image, keypoints)]
    entries[5] = keypoints(1, ("right",))
    bag = write_bag(tmp_path / "bag", entries)
    assert cli.main(["replay", str(bag), "-o", str(tmp_path / "node"), "--node", "--debug"]) == 0
    assert cli.main(["replay", str(bag), "-o", str(tmp_path / "offline")]) == 0
    live, alone = results(tmp_path / "node"), results(tmp_path / "offline")
    assert live.keys() == alone.keys() == set(RESULT_TYPES)
    assert [len(live[topic]) for topic in RESULT_TYPES] == [4, 3, 4, 4, 4, 4]
    for topic, kind in OUTPUTS.items():
        for ours, theirs in zip(alone[f"/{topic}"], live[f"/{topic}"], strict=True):
            message = deserialize_message(theirs, kind)
            sent = without_padding(theirs, message)  # DDS fills up to whole words
            assert without_padding(ours, message).ljust(len(sent), b"\0") == sent


def test_compressed_images_and_poses_go_through_the_node(
    tmp_path: Path, analytic: None, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [made(i) for i in range(2) for made in (compressed_image, pose_array)]
    bag = write_bag(tmp_path / "bag", entries, "db3")
    out = tmp_path / "out"
    assert cli.main(["replay", str(bag), "-o", str(out), "--node", "--camera", "60,60,31,23"]) == 0
    assert len(results(out)["/meshes"]) == 2
    assert "round trip" in capsys.readouterr().out


def test_a_node_that_cannot_start_is_told_with_its_last_words(
    tmp_path: Path, analytic: None, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    command = (sys.executable, "-c", "raise SystemExit('no weights here')")
    monkeypatch.setattr(through_node.ThroughNode.__init__, "__defaults__", (command,))
    bag = write_bag(tmp_path / "bag", made_bags.recording(1))
    out = tmp_path / "out"
    assert cli.main(["replay", str(bag), "-o", str(out), "--node"]) == 2
    assert "no weights here" in capsys.readouterr().err and not out.exists()
