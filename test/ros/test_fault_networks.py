"""The node as it is shipped: its first frame, the same frame twenty times, hands that are none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import trimesh
from fuzzing import ODD_SHAPES, fuzzed_keypoints
from harness import LOSSLESS, LOSSLESS_INPUTS, REAL_NODE, Client, NodeProcess, header
from im2hands_ros.msg import HandKeypoints, HandMeshArray
from reference_messages import image_message, keypoints_message
from sensor_msgs.msg import CameraInfo

from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

ODD = 12  # frames of shapes that are no hand
LOADING = 240.0  # seconds for torch and the weights on a busy machine
pytestmark = pytest.mark.timeout(600)
_stamps = itertools.count(10.0)


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[NodeProcess]:
    log = tmp_path_factory.mktemp("node") / "log.txt"
    process = NodeProcess(REAL_NODE, (*LOSSLESS_INPUTS, "resolution:=32"), log)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(process) -> Iterator[Client]:
    client = Client(process.namespace, qos=LOSSLESS)
    client.wait_for_node(LOADING)
    yield client
    client.close()


@pytest.fixture(scope="module")
def sequence() -> object:
    return load_demo_sequence()


def answer(client: Client, sequence: object, points: HandKeypoints | None = None) -> HandMeshArray:
    """What the node says to a picture of the demo, with its own or other keypoints."""
    stamp, frame, camera = next(_stamps), sequence.frames[30], sequence.camera
    info = CameraInfo(header=header(stamp), width=camera.width, height=camera.height)
    info.k = camera.K.ravel().tolist()
    points = points or keypoints_message(header(stamp), frame.keypoints)
    points.header = header(stamp)
    client.send(info, image_message(header(stamp), frame.image), points)
    return client.wait_for_frame(stamp)


def test_the_same_frame_twenty_times_gives_the_same_surfaces_to_the_bit(client, sequence):
    answers = [answer(client, sequence).hands for _ in range(20)]
    assert [each.side for each in answers[0]] == [0, 1]
    assert all(hands == answers[0] for hands in answers)


def test_shapes_that_are_no_hand_give_closed_surfaces_or_none(process, client, sequence):
    random = np.random.default_rng(3)
    surfaces = 0
    for _ in range(ODD):
        for hand in answer(client, sequence, fuzzed_keypoints(1.0, random, ODD_SHAPES)).hands:
            vertices = np.array(hand.vertices).reshape(-1, 3)
            assert np.isfinite(vertices).all()
            triangles = np.array(hand.triangles).reshape(-1, 3)
            assert trimesh.Trimesh(vertices, triangles, process=False).is_watertight
            surfaces += 1
    print(f"\n{surfaces} surfaces of {2 * ODD} odd shapes")
    assert surfaces > 0
    assert client.diagnostics().get("dropped.pipeline_error", "0") == "0", process.log
    assert [each.side for each in answer(client, sequence).hands] == [0, 1]
    assert "Traceback" not in process.log


def test_without_a_gpu_a_processor_does_and_a_gpu_that_is_asked_for_is_missed_in_a_line(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    modest = NodeProcess(REAL_NODE, ("auto_activate:=true",), tmp_path / "auto.txt")
    strict = NodeProcess(REAL_NODE, ("device:=cuda",), tmp_path / "cuda.txt")
    try:
        assert strict.wait(LOADING) == 1
        (line,) = [line for line in strict.log.splitlines() if line.strip()]
        assert "device 'cuda' is not there (0 GPUs found): use 'auto' or 'cpu'" in line
        modest.wait_for_log("active", LOADING)
        (line,) = [line for line in modest.log.splitlines() if "[WARN]" in line]
        assert "no GPU found: the networks run on the CPU" in line
    finally:
        modest.stop()
        strict.stop()
