"""The node as it is shipped: packaged weights, a frame of the demo, over DDS."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from harness import REAL_NODE, Client, NodeProcess, header
from reference_messages import image_message, keypoints_message
from scipy.spatial import cKDTree
from sensor_msgs.msg import CameraInfo

from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

LOADING = 120.0  # seconds for torch and the weights on a busy machine


@pytest.fixture
def client(tmp_path):
    process = NodeProcess(REAL_NODE, ["device:=cpu"], tmp_path / "log.txt")
    client = Client(process.namespace)
    try:
        client.wait_for_node(LOADING)
        yield client
    finally:
        client.close()
        process.stop()


def calibration(camera: object) -> CameraInfo:
    message = CameraInfo(header=header(1.0), width=camera.width, height=camera.height)
    message.k = camera.K.ravel().tolist()
    return message


def test_a_demo_frame_gives_two_watertight_hands_where_the_true_ones_are(client):
    sequence = load_demo_sequence()
    frame = sequence.frames[len(sequence.frames) // 3]
    for stamp in (1.0, 2.0):
        client.send(
            calibration(sequence.camera),
            image_message(header(stamp), frame.image),
            keypoints_message(header(stamp), frame.keypoints),
        )
        message = client.wait_for_frame(stamp)
    assert [each.side for each in message.hands] == [0, 1]
    for hand, side in zip(message.hands, ("left", "right"), strict=True):
        vertices = np.array(hand.vertices).reshape(-1, 3)
        mesh = trimesh.Trimesh(vertices, np.array(hand.triangles).reshape(-1, 3), process=False)
        assert mesh.is_watertight
        assert mesh.volume > 1e-4
        assert 0 <= hand.confidence <= 1
        there = cKDTree(vertices).query(frame.meshes[side])[0]
        back = cKDTree(frame.meshes[side]).query(vertices)[0]
        assert there.mean() < 0.006
        assert back.mean() < 0.006
    cloud = client.wait_for_frame(2.0, "occupancy")
    assert cloud.width > 200
    stages = {key.split(".")[1] for key in client.diagnostics() if key.startswith("stage.")}
    assert {"decode", "encode", "search", "extract", "publish", "frame"} <= stages
