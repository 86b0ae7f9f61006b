"""The node's inputs: three subscriptions, matched into frames of image, keypoints and camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.camera_info import keypoints_elsewhere
from im2hands_ros.messages.header import nanoseconds
from im2hands_ros.messages.keypoints import CheckedKeypoints, read_keypoints, read_poses
from im2hands_ros.messages.matching import Match, StampMatcher
from im2hands_ros.messages.named_poses import read_named_poses
from im2hands_ros.msg import HandKeypoints
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.depth_images import DepthImages
from im2hands_ros.ros.image_inputs import ImageInputs
from im2hands_ros.ros.parameters import Settings

# Kinds of drops that somebody can repair; the others are in the nature of live streams.
_REMEDIES = {
    "unmatched": "",  # in the detail
    "too_late": "",
    "duplicate": ": give every message its own stamp",
    "zero_stamp": ": set it to the time the image was taken",
    "late": ": publish in the order of the stamps",
}

# Largest stamp difference of an image and its depth image at least, and beyond which a depth image
# is an old one, seconds.
_DEPTH_SLOP, _DEPTH_ALIVE = 0.02, 1.0


@dataclass(frozen=True)
class SyncedFrame:
    """The messages that belong to one instant."""

    image: Image | CompressedImage
    keypoints: CheckedKeypoints
    camera_info: CameraInfo
    depth: Image | None = None
    topic: str = ""  # of the image


class NodeInputs(ImageInputs[Settings]):
    """Subscribes, checks, matches by stamp and delivers complete frames.

    Args:
        node: owns the subscriptions and the settings.
        has_subscribers: whether anybody would receive a result; if not, what comes is dropped.
        deliver: called with each frame, on the executor's thread.

    Raises:
        RuntimeError: a QoS override that is none.
    """

    def __init__(
        self,
        node: BaseNode[Settings],
        has_subscribers: Callable[[], bool],
        deliver: Callable[[SyncedFrame], None],
    ) -> None:
        self._deliver, self._depths = deliver, DepthImages()
        self._matcher = StampMatcher(node.settings.sync_slop, self._on_drop)
        super().__init__(node, node.settings.image_transport, has_subscribers)
        topic, kind, read = _keypoints_input(node.settings.keypoints_type)
        self.subscribe("keypoints", topic, kind, partial(self._on_keypoints, read))

    def subscribe_first(self) -> None:
        """Depth images: one that comes with its image must be there when the frame is complete."""
        if self.node.settings.use_depth:
            self.subscribe("depth", "depth", Image, self._on_depth)

    @property
    def values(self) -> dict[str, str]:
        """How stamps and arrivals of keypoints lie to those of their images, for diagnostics."""
        return self._matcher.timing.values

    def take_image(self, image: Image | CompressedImage) -> None:
        """Keep an image for its keypoints."""
        self._matcher.slop = self.node.settings.sync_slop
        stamp, size = nanoseconds(image.header.stamp), len(image.data)
        self._complete(self._matcher.add_image(stamp, image, size=size))

    def _on_keypoints(self, read: Callable[[Any], CheckedKeypoints], message: Any) -> None:
        self.node.health.receive("keypoints")
        if not self.has_subscribers():
            return
        keypoints = read(message)
        for problem in keypoints.problems:
            self.refuse("keypoints", problem)
        stamp = nanoseconds(message.header.stamp)
        if keypoints.usable:
            self._matcher.slop = self.node.settings.sync_slop
            self._complete(self._matcher.add_keypoints(stamp, keypoints))
        else:
            self._matcher.refuse_keypoints(stamp)

    def _complete(self, pair: Match | None) -> None:
        if pair is None:
            return
        for kind, text in self._matcher.timing.warnings(self._matcher.slop):
            self.node.health.suspect(kind)
            self.node.warn_throttled(kind, f"{self.topics['keypoints']}: {text}")
        try:
            _check_frames(pair)
        except BadInput as problem:
            self.refuse("keypoints", problem)
            return
        camera_info = self.known_camera_info()
        if camera_info is not None:
            depth = self._depth_of(pair.image)
            topic = self.topics["image"]
            self._deliver(SyncedFrame(pair.image, pair.keypoints, camera_info, depth, topic))

    def _on_depth(self, message: Image) -> None:
        self.node.health.receive("depth")
        self._depths.add(message)

    def _depth_of(self, image: Image | CompressedImage) -> Image | None:
        """The depth image of an image; None, warned of, where they come but none is near."""
        slop = max(self.node.settings.sync_slop, _DEPTH_SLOP)
        depth, gap = self._depths.near(nanoseconds(image.header.stamp), slop)
        if depth is None and gap < _DEPTH_ALIVE:
            self.node.health.drop("depth_unmatched")
            self.node.warn_throttled(
                "depth_unmatched",
                f"{self.topics['depth']}: the nearest depth image is {1e3 * gap:.0f} ms from its "
                f"image: publish both with one stamp, or raise sync_slop ({slop:g} s)",
            )
        return depth

    def _on_drop(self, reason: str, detail: str) -> None:
        self.node.health.drop(reason)
        stream, _, kind = reason.partition("_")
        remedy = _REMEDIES.get(kind)
        if remedy is not None:
            self.node.warn_throttled(reason, f"{self.topics[stream]}: {detail}{remedy}")


def _keypoints_input(kind: str) -> tuple[str, type, Callable[[Any], CheckedKeypoints]]:
    """Topic, message class and reader of a `keypoints_type`.

    Raises:
        RuntimeError: the message's package is not there.
    """
    if kind == "hand_keypoints":
        return "keypoints", HandKeypoints, read_keypoints
    if kind == "pose_array":
        return "keypoint_poses", PoseArray, read_poses
    try:
        from teleop_ros2_interfaces.msg import NamedPoseArray
    except ImportError as error:
        raise RuntimeError(
            f"keypoints_type is named_pose_array but its message cannot be imported ({error}): "
            "build teleop_ros2_interfaces of IsaacTeleop in this workspace and source it"
        ) from error
    return "keypoint_named_poses", NamedPoseArray, read_named_poses


def _check_frames(pair: Match) -> None:
    if text := keypoints_elsewhere(pair.keypoints.frame_id, pair.image.header.frame_id):
        raise BadInput("keypoints_frame", text)
