"""The node's ears: three subscriptions, made into frames of image, keypoints and camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.images import check_image
from im2hands_ros.messages.keypoints import Keypoints, read_keypoints, read_poses
from im2hands_ros.messages.matching import Pair, StampMatcher
from im2hands_ros.msg import HandKeypoints
from im2hands_ros.ros.diagnostics import Health
from im2hands_ros.ros.endpoints import subscribe
from im2hands_ros.ros.parameters import Settings

# Images wait this long for a slow detector, in frames; at 30 Hz half a second.
_WAITING_FRAMES = 16

# Topic, type and callback of a subscription.
Kind = tuple[str, type, Callable[[Any], None]]

# A camera's first image may come just before its first camera_info.
_CAMERA_INFO_GRACE = 1.0


@dataclass(frozen=True)
class Frame:
    """All that belongs to one instant."""

    image: Image | CompressedImage
    keypoints: Keypoints
    camera_info: CameraInfo


class Inputs:
    """Subscribes, checks, matches by stamp and hands complete frames on.

    Args:
        node: owns the subscriptions.
        settings: which kinds of messages to listen for, and how far stamps may differ.
        health: counts what comes and what is dropped.
        wanted: whether anybody would look at a result; if not, nothing is done with what comes.
        complain: called as `complain(kind, text)` for what a user must repair.
        deliver: called with each frame, on the executor's thread.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        health: Health,
        wanted: Callable[[], bool],
        complain: Callable[[str, str], None],
        deliver: Callable[[Frame], None],
    ) -> None:
        self._node, self._health = node, health
        self._wanted, self._complain, self._deliver = wanted, complain, deliver
        self._matcher = StampMatcher(settings.sync_slop, _WAITING_FRAMES, self._on_drop)
        self._camera_info: CameraInfo | None = None
        self._waiting_since: float | None = None
        kinds = {
            "camera_info": ("camera_info", CameraInfo, self._on_camera_info),
            "image": self._image_kind(settings.image_transport),
            "keypoints": self._keypoints_kind(settings.keypoints_type),
        }
        self._subscriptions: dict[str, Subscription] = {}
        try:
            for name, (topic, kind, callback) in kinds.items():
                self._subscriptions[name] = subscribe(node, kind, topic, callback, complain)
        except Exception:
            self.close()
            raise

    def _image_kind(self, transport: str) -> Kind:
        if transport == "raw":
            return "image", Image, self._on_image
        # As image_transport does it: the name follows a remapped `image`.
        topic = f"{self._node.resolve_topic_name('image')}/compressed"
        return topic, CompressedImage, self._on_image

    def _keypoints_kind(self, name: str) -> Kind:
        if name == "pose_array":
            return "keypoint_poses", PoseArray, partial(self._on_keypoints, read_poses)
        return "keypoints", HandKeypoints, partial(self._on_keypoints, read_keypoints)

    @property
    def topics(self) -> dict[str, str]:
        """Input name -> full topic name after remapping."""
        return {name: each.topic_name for name, each in self._subscriptions.items()}

    def set_slop(self, slop: float) -> None:
        """Change the largest stamp difference of a pair, seconds."""
        self._matcher.slop = slop

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._health.receive("camera_info")
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._health.receive("image")
        if not self._wanted():
            self._health.drop("nobody_subscribed")
            return
        try:
            # A broken image must not take the place of a good one that waits for the worker.
            if isinstance(message, Image):
                check_image(message)
        except BadInput as problem:
            self.refuse("image", problem)
            return
        self._complete(self._matcher.add_image(_nanoseconds(message.header.stamp), message))

    def _on_keypoints(self, read: Callable[[Any], Keypoints], message: Any) -> None:
        self._health.receive("keypoints")
        if not self._wanted():
            return
        keypoints = read(message)
        for problem in keypoints.problems:
            self.refuse("keypoints", problem)
        if keypoints.usable:
            stamp = _nanoseconds(message.header.stamp)
            self._complete(self._matcher.add_keypoints(stamp, keypoints))

    def _complete(self, pair: Pair | None) -> None:
        if pair is None:
            return
        try:
            self._check_frames(pair)
        except BadInput as problem:
            self.refuse("keypoints", problem)
            return
        if self._camera_info is None:
            self._miss_camera_info()
            return
        self._deliver(Frame(pair.image, pair.keypoints, self._camera_info))

    @staticmethod
    def _check_frames(pair: Pair) -> None:
        theirs, ours = pair.keypoints.frame_id, pair.image.header.frame_id
        if theirs and theirs != ours:
            raise BadInput(
                "keypoints_frame",
                f"the keypoints are in frame '{theirs}' but the image is in '{ours}': transform "
                "them into the image's frame (or leave frame_id empty if they are in it)",
            )

    def _miss_camera_info(self) -> None:
        self._health.drop("no_camera_info")
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since > _CAMERA_INFO_GRACE:
            text = "images come but no camera_info: publish the camera's calibration there"
            self._complain("no_camera_info", f"{self.topics['camera_info']}: {text}")

    def refuse(self, name: str, problem: BadInput) -> None:
        """Count an input that cannot be used and say once in a while which and why."""
        self._health.drop(problem.reason)
        self._complain(problem.reason, f"{self.topics[name]}: {problem}")

    def _on_drop(self, reason: str, detail: str) -> None:
        self._health.drop(reason)
        stream, _, kind = reason.partition("_")
        remedy = _REMEDIES.get(kind)
        if remedy:
            self._complain(reason, f"{self.topics[stream]}: {detail}: {remedy}")


# Kinds of drops that somebody can repair; the others are in the nature of live streams.
_REMEDIES = {
    "unmatched": "copy the image's stamp into the keypoints, or raise sync_slop",
    "duplicate": "give every message its own stamp",
    "zero_stamp": "set it to the time the image was taken",
    "late": "publish in the order of the stamps",
}


def _nanoseconds(stamp: Time) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def input_of(problem: BadInput) -> str:
    """The input that a problem found while working on a frame belongs to."""
    return "camera_info" if problem.reason.startswith("camera_info") else "image"
