"""What the browser tests share: who publishes to the viewer, and what its page is to show."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import rclpy
import trimesh
from chromium import Page
from diagnostic_msgs.msg import DiagnosticArray
from harness import HEIGHT, WIDTH, NodeProcess, hand, header
from rclpy.qos import qos_profile_sensor_data
from reference_messages import (
    cloud_message,
    image_message,
    keypoints_message,
    mesh_array_message,
)
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from im2hands_ros.ros.base_node import diagnostic_array
from im2hands_ros.ros.viewer.node import TOPICS

VIEWER = ("-m", "im2hands_ros.ros", "viewer.node")
SIZE = (960, 600)
BOTH = ("left", "right")
PATIENCE = 150.0  # a busy machine, and a processor that draws
# Where hands may be seen: not under the panel, nor under the browser's word on software rendering.
SCENE = np.s_[195:, :600]
SCENE_PIXELS = (SIZE[1] - 195) * 600
FIGURES = {
    "state": "active",
    "received.image.hz": "29.7",
    "published.hz": "12.4",
    "stage.encode.median_ms": "31.25",
    "dropped.overwritten": "41",
}


def surface(side: str) -> SimpleNamespace:
    """A palm-sized egg around each test hand's middle, and a voxel for each of its vertices."""
    joints = hand(side)
    egg = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
    vertices = (egg.vertices * (0.05, 0.08, 0.03) + joints.mean(0)).astype(np.float32)
    voxels = np.unique(np.floor(vertices / 0.005), axis=0).astype(np.float32) * 0.005 + 0.0025
    return SimpleNamespace(
        vertices=vertices,
        triangles=egg.faces,
        confidence=1.0,
        keypoints=joints,
        voxels=voxels,
        voxel_occupancy=np.full(len(voxels), 0.9, np.float32),
    )


SURFACES = {side: surface(side) for side in BOTH}


def raw_image(head: Header, pixels: np.ndarray) -> Image:
    """An image as it is."""
    return image_message(head, pixels)


def compressed_image(head: Header, pixels: np.ndarray) -> CompressedImage:
    """A JPEG."""
    data = cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()
    return CompressedImage(header=head, format="rgb8; jpeg compressed bgr8", data=data)


class Publisher:
    """Sends what camera and node would into a viewer's namespace, a few times a second.

    Args:
        namespace: the viewer's.
        compressed: send JPEG on `image/compressed`.

    Attributes:
        sides: the hands that the results hold; None: there are no results.
        colour: of the images, red, green, blue.
    """

    def __init__(self, namespace: str, compressed: bool = False) -> None:
        self.node = rclpy.create_node("publisher", namespace=namespace)
        self.outputs = {
            name: self.node.create_publisher(kind, name, qos)
            for name, (kind, qos) in TOPICS.items()
        }
        self._make_image = raw_image
        if compressed:
            self._make_image = compressed_image
            self.outputs["image"] = self.node.create_publisher(
                CompressedImage, "image/compressed", qos_profile_sensor_data
            )
        self.sides: tuple[str, ...] | None = None
        self.colour = (90, 90, 90)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count(1000):
            if self._closed.wait(0.3):
                return
            stamp = number / 10
            pixels = np.full((HEIGHT, WIDTH, 3), self.colour, np.uint8)
            self.outputs["image"].publish(self._make_image(header(stamp), pixels))
            if self.sides is not None:
                self._send_results(stamp, self.sides)
            self.outputs["/diagnostics"].publish(self._diagnostics())

    def _send_results(self, stamp: float, sides: tuple[str, ...]) -> None:
        head = header(stamp)
        hands = {side: SURFACES[side] for side in BOTH if side in sides}
        joints = {side: hand(side) if side in sides else None for side in BOTH}
        self.outputs["meshes"].publish(mesh_array_message(head, hands))
        self.outputs["occupancy"].publish(cloud_message(head, hands))
        self.outputs["refined_keypoints"].publish(keypoints_message(head, joints))

    def _diagnostics(self) -> DiagnosticArray:
        name = f"{self.node.get_namespace()}/im2hands".lstrip("/")
        return diagnostic_array(name, header(1.0).stamp, 0, "fine", FIGURES)

    def listeners(self, topic: str) -> int:
        """How many subscribe."""
        return self.outputs[topic].get_subscription_count()

    def close(self) -> None:
        """Leave the graph."""
        self._closed.set()
        self._thread.join()
        self.node.destroy_node()


def covered(page: Page) -> dict[str, np.ndarray]:
    """Where each hand's colour is seen: side -> the columns of its pixels in the scene."""
    picture = page.picture()[SCENE].astype(int)
    blueness = picture[..., 2] - picture[..., 0]
    return {"left": np.nonzero(blueness > 40)[1], "right": np.nonzero(blueness < -40)[1]}


def shows(page: Page, *sides: str) -> bool:
    """Whether the hands' colours cover plausible areas, left of right, and absent hands none."""
    columns = covered(page)
    shares = {side: columns[side].size / SCENE_PIXELS for side in BOTH}
    if all(0.01 < shares[side] < 0.3 if side in sides else shares[side] < 1e-3 for side in BOTH):
        return len(sides) < 2 or columns["left"].mean() < columns["right"].mean() - 30
    return False


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Wait until `done()`; fails after a while, naming what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def url_of(viewer: NodeProcess) -> str:
    """Where the viewer says that its page is."""
    viewer.wait_for_log("the hands are at ")
    return viewer.log.split("the hands are at ")[1].split()[0]
