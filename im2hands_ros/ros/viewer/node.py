"""Node ``im2hands_viewer``: the hands in a browser, for machines without RViz.

Subscribes to ``image`` (or ``image/compressed``), ``camera_info``, ``meshes``,
``refined_keypoints``, ``occupancy`` and ``/diagnostics``, and serves one page on this machine.
While no page is open, or a kind of result is switched off, it does not subscribe to it: the node
computes nothing that is not shown. The newest message wins, at most ``max_rate`` times a second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.header import read_stamp
from im2hands_ros.messages.images import read_image
from im2hands_ros.messages.keypoints import read_keypoints
from im2hands_ros.messages.markers import LIFETIME
from im2hands_ros.messages.meshes import read_meshes
from im2hands_ros.messages.occupancy import read_occupancy, voxel_size
from im2hands_ros.msg import HandKeypoints, HandMeshArray
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.qos import RESULTS
from im2hands_ros.ros.viewer.memory import RecentImages, ResultAge
from im2hands_ros.ros.viewer.settings import ViewerSettings

if TYPE_CHECKING:
    from im2hands_ros.camera import Camera
    from im2hands_ros.viewing.page import Page

TOPICS = {
    "image": (Image, qos_profile_sensor_data),
    "camera_info": (CameraInfo, qos_profile_sensor_data),
    "meshes": (HandMeshArray, RESULTS),
    "refined_keypoints": (HandKeypoints, RESULTS),
    "occupancy": (PointCloud2, RESULTS),
    "/diagnostics": (DiagnosticArray, QoSProfile(depth=10)),  # many nodes say something there
}
# A camera_info may come once and hold for ever; diagnostics cost nothing.
_ALWAYS = ("camera_info", "/diagnostics")
# The topics of the results that the page can switch off, and its names for them.
_LAYERS = {"meshes": "meshes", "refined_keypoints": "keypoints", "occupancy": "occupancy"}
_ROOM_FOR_IMAGES = 64 << 20  # bytes of images that wait for their results
_DIAGNOSTICS_LIVE = 5.0  # seconds
_LONGEST_TIMEOUT = 8.0  # seconds
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ViewerNode(BaseNode[ViewerSettings]):
    """Shows on a page what the topics bring.

    Args:
        options: passed to rclpy's node.

    Raises:
        ValueError: a parameter cannot be used, or viser is not installed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("im2hands_viewer", ViewerSettings, **options)
        self._page = self._open_page()
        compressed = self.settings.image_transport == "compressed"
        kind = CompressedImage if compressed else Image
        self._topics = TOPICS | {"image": (kind, qos_profile_sensor_data)}
        self._subscribed: dict[str, Subscription] = {}
        self._newest: dict[str, bytes] = {}
        self._images = RecentImages(_ROOM_FOR_IMAGES)
        self._results = ResultAge(LIFETIME, _LONGEST_TIMEOUT)
        self._shown_image: bytes | None = None
        self._info: CameraInfo | None = None
        self._last_diagnostics = time.monotonic()
        self._voxel_size = 0.005
        self._show: dict[str, Callable[[Any], None]] = {
            "camera_info": self._take_info,
            "meshes": lambda message: self._page.show_meshes(read_meshes(message)),
            "refined_keypoints": self._show_keypoints,
            "occupancy": self._show_voxels,
        }

    def _open_page(self) -> Page:
        if find_spec("viser") is None:
            raise ValueError(
                "the viewer needs the Python module 'viser', which is not installed: "
                "pip install 'im2hands_ros[view]'"
            )
        from im2hands_ros.viewing.page import Page

        return Page(self.settings.host, self.settings.port)

    def start(self) -> bool:
        """Say where the page is and begin to show."""
        page, log = self._page, self.get_logger()
        if page.port != self.settings.port:
            log.warning(f"port {self.settings.port} is taken: serving on {page.port} instead")
        if page.host not in _LOOPBACK:
            log.warning(f"host {page.host}: everybody on the network can watch")
        log.info(f"the hands are at {page.url}")
        if self.settings.announce:
            print(json.dumps({"event": "serving", "url": page.url}), flush=True)
        self.create_timer(1.0 / self.settings.max_rate, self._update)
        return True

    def _update(self) -> None:
        """One round: subscribe to what the page shows, show the newest of it."""
        self._update_subscriptions()
        newest, self._newest = self._newest, {}
        for topic, cdr in newest.items():
            if topic in self._subscribed:
                self._show_or_warn(topic, self._show[topic], cdr)
        self._show_image()
        self._expire()

    def _update_subscriptions(self) -> None:
        """Subscribe to what the page shows, and to nothing else."""
        needed = set(_ALWAYS)
        if self._page.is_open:
            needed.add("image")
            needed |= {topic for topic, layer in _LAYERS.items() if self._page.shows(layer)}
        for topic in needed - self._subscribed.keys():
            kind, qos = self._topics[topic]
            self._subscribed[topic] = self.create_subscription(
                kind, self._name(topic), partial(self._receive, topic), qos, raw=True
            )
        for topic in self._subscribed.keys() - needed:
            self.destroy_subscription(self._subscribed.pop(topic))
            if topic in _LAYERS:
                self._page.clear(_LAYERS[topic])
            else:
                self._images = RecentImages(_ROOM_FOR_IMAGES)

    def _name(self, topic: str) -> str:
        """What to subscribe to: as with image_transport, it follows a remapped `image`."""
        if self._topics[topic][0] is CompressedImage:
            return f"{self.resolve_topic_name(topic)}/compressed"
        return topic

    def _receive(self, topic: str, cdr: bytes) -> None:
        if topic == "/diagnostics":  # the newest one may be another node's
            self._show_or_warn(topic, self._show_diagnostics, cdr)
            return
        stamp = read_stamp(cdr)
        if topic == "image":
            self._images.add(stamp, cdr)
            return
        self._newest[topic] = cdr
        if topic in _LAYERS:
            self._results.add(stamp)

    def _show_or_warn(self, topic: str, show: Callable[[Any], None], cdr: bytes) -> None:
        """Show a message; one that cannot be shown is warned of and left out."""
        try:
            show(self._message(topic, cdr))
        except BadInput as problem:
            self.warn_throttled(topic, f"{topic}: {problem}")

    def _message(self, topic: str, cdr: bytes) -> Any:
        kind = self._topics[topic][0]
        try:
            return deserialize_message(cdr, kind)
        except RuntimeError as error:
            raise BadInput(
                "not_a_message",
                f"{len(cdr)} bytes are no {kind.__name__}: build its publisher with the same "
                "message definitions",
            ) from error

    def _take_info(self, message: CameraInfo) -> None:
        self._info = message

    def _show_keypoints(self, message: HandKeypoints) -> None:
        hands = read_keypoints(message).hands
        self._page.show_keypoints({side: xyz for side, xyz in hands.items() if xyz is not None})

    def _show_voxels(self, message: PointCloud2) -> None:
        centres = read_occupancy(message)
        if centres:
            self._voxel_size = voxel_size(max(centres.values(), key=len)) or self._voxel_size
        self._page.show_voxels(centres, self._voxel_size)

    def _show_diagnostics(self, message: DiagnosticArray) -> None:
        node = self.settings.node
        name = node if node.startswith("/") else f"{self.get_namespace().rstrip('/')}/{node}"
        for status in message.status:
            if status.name.strip("/") == name.strip("/"):
                values = {pair.key: pair.value for pair in status.values}
                self._page.show_figures(ord(status.level), status.message, values)
                self._last_diagnostics = time.monotonic()

    def _show_image(self) -> None:
        """The image that the results on the page were made from, else the newest one."""
        chosen = self._images.of(self._results.stamp_ns)
        if chosen is not None and chosen is not self._shown_image:
            self._shown_image = chosen
            self._show_or_warn("image", self._draw_image, chosen)
        else:
            self._page.settle_image()

    def _draw_image(self, message: Image | CompressedImage) -> None:
        pixels = read_image(message)
        self._page.show_image(pixels, self._known_camera(pixels.shape[1], pixels.shape[0]))

    def _known_camera(self, width: int, height: int) -> Camera | None:
        """The camera that took images of this size, where camera_info is known."""
        if self._info is None:
            return None
        try:
            return camera_from_info(self._info, (width, height), self.resolve_topic_name("image"))
        except BadInput as problem:
            self.warn_throttled("camera_info", f"camera_info: {problem}")
            return None

    def _expire(self) -> None:
        """Take from view what is too old."""
        if self._results.expire():
            self._page.clear(*_LAYERS.values())
        now = time.monotonic()
        if now - self._last_diagnostics > _DIAGNOSTICS_LIVE:
            self._page.show_no_figures(f"the diagnostics of node {self.settings.node}")
            self._last_diagnostics = now


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the node until SIGINT; the process's exit status is that of `run_process`."""
    run_process(ViewerNode, args)


if __name__ == "__main__":
    main(sys.argv)
