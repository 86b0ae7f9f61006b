"""The frame path in docs/how-it-works.md has every file that a frame runs through, no other."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from harness import ROOT
from im2hands_ros.msg import HandKeypoints, HandMeshArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from im2hands_ros.kernels import library
from im2hands_ros.ros.node import Im2HandsNode
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

PACKAGE = "/im2hands_ros/"
GENERATED = "msg/"  # message classes
CALLBACKS = ("_on_camera_info", "_on_keypoints", "_on_image")


def table() -> set[str]:
    text = (ROOT / "docs/how-it-works.md").read_text(encoding="utf-8")
    marked = text.partition("<!-- frame path:start -->")[2].partition("<!-- frame path:end -->")[0]
    cells = [line.split("|")[1] for line in marked.strip().splitlines()[2:]]
    return {file for cell in cells for file in re.findall(r"`([^`]+)`", cell)}


class Tracer:
    """Notes the package's files that are called into while an input's callback runs on this thread,
    and then on all other threads: timers of the node are no part of a frame."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._callback: FrameType | None = None
        self._began = False

    def rest(self) -> None:
        """Note nothing before the next callback."""
        self._began = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        path = frame.f_code.co_filename
        if event not in ("call", "return") or PACKAGE not in path or "/site-packages/" in path:
            return
        if event == "return":
            if frame is self._callback:
                self._callback = None
            return
        if frame.f_code.co_name in CALLBACKS:
            self._callback, self._began = frame, True
        here = threading.current_thread() is threading.main_thread()
        if self._callback if here else self._began:
            self.files.add(path.rpartition(PACKAGE)[2])


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """Watches threads that start after it."""
    tracing = Tracer()
    threading.setprofile(tracing)
    sys.setprofile(tracing)
    yield tracing
    sys.setprofile(None)
    threading.setprofile(None)


def test_the_table_has_the_files_that_a_frame_runs_through(
    tracer: Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiled kernels, where there are some, and with their twins in torch."""
    for kernels in ("native", "torch") if library.available() else ("torch",):
        monkeypatch.setenv(library.VARIABLE, kernels)
        run_a_frame()
        tracer.rest()
    found = {file for file in tracer.files if not file.startswith(GENERATED)}
    idle, lacking = sorted(table() - found), sorted(found - table())
    if not library.available():
        idle = [file for file in idle if not file.startswith("kernels/")]
    assert not idle, f"no frame runs through {idle}"
    assert not lacking, f"the table lacks {lacking}"


def run_a_frame() -> None:
    """From the packaged weights to one message on the node's topic `meshes`."""
    node, client = Im2HandsNode(namespace="frame_path"), Node("client", namespace="frame_path")
    meshes: list[HandMeshArray] = []
    client.create_subscription(HandMeshArray, "meshes", meshes.append, 1)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(client)
    try:
        assert node.start()
        messages = frame_messages()
        publishers = {name: client.create_publisher(type(m), name, 1) for name, m in messages}
        while not all_matched(node, client, {*publishers, "meshes"}):
            executor.spin_once(timeout_sec=0.1)
        for name, message in messages:
            publishers[name].publish(message)
        while not meshes:
            executor.spin_once(timeout_sec=0.1)
    finally:
        node.close()
        node.destroy_node()
        client.destroy_node()


def all_matched(node: Node, client: Node, topics: set[str]) -> bool:
    """Whether on each topic both sides have found each other: until then messages are lost."""
    of_both = [*node.publishers, *client.publishers], [*node.subscriptions, *client.subscriptions]
    writers, readers = (
        {each.topic_name.rpartition("/")[2]: each for each in endpoints} for endpoints in of_both
    )
    return all(
        name in readers
        and writers[name].get_subscription_count()
        and readers[name].get_publisher_count()
        for name in topics
    )


def frame_messages() -> list[tuple[str, object]]:
    """Topic and message: two hands of the demo, with camera info and keypoints of one stamp."""
    demo = load_demo_sequence()
    frame, header = demo.frames[45], Header(stamp=Time(sec=1))
    height, width = frame.image.shape[:2]
    info = CameraInfo(header=header, width=width, height=height, k=np.ravel(demo.camera.K))
    keypoints = HandKeypoints(header=header, left_valid=True, right_valid=True)
    keypoints.left_xyz = frame.keypoints["left"].ravel()
    keypoints.right_xyz = frame.keypoints["right"].ravel()
    image = Image(header=header, width=width, height=height, encoding="rgb8", step=3 * width)
    image.data = frame.image.tobytes()
    return [("camera_info", info), ("keypoints", keypoints), ("image", image)]
