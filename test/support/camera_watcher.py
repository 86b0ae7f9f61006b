"""A camera source's pictures on the other side, none of them lost on the way."""

from __future__ import annotations

from harness import LOSSLESS, Client
from sensor_msgs.msg import CameraInfo, Image

# What is best effort may be lost before both ends know each other, or under load.
LOSSLESS_CAMERA = tuple(
    f"qos_overrides.{{namespace}}/{topic}.publisher.{policy}"
    for topic in ("image", "camera_info")
    for policy in ("reliability:=reliable", "depth:=100")
)


class CameraWatcher(Client):
    """Collects images and calibrations, and what else is asked for.

    Args:
        namespace: the camera's, which has the parameters LOSSLESS_CAMERA.
        others: topic -> type of further topics.
    """

    def __init__(self, namespace: str, others: dict[str, type] | None = None) -> None:
        super().__init__(namespace, False, {"unused": Image})
        topics = {"image": Image, "camera_info": CameraInfo, **(others or {})}
        self.received = {topic: [] for topic in topics}
        for topic, kind in topics.items():
            self.node.create_subscription(kind, topic, self.received[topic].append, LOSSLESS)
