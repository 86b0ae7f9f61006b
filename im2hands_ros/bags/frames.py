"""A bag's images, each with the keypoints of its instant, paired as the node pairs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.depth_pairing import DepthPairing
from im2hands_ros.bags.reader import BagReader, RawMessage
from im2hands_ros.bags.topics import HAND_KEYPOINTS, POSE_ARRAY, Chosen
from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import (
    camera_from_info,
    keypoints_elsewhere,
    unlike_frame,
    unusable_frame,
)
from im2hands_ros.messages.header import nanoseconds
from im2hands_ros.messages.images import read_image
from im2hands_ros.messages.keypoints import CheckedKeypoints, read_keypoints, read_poses
from im2hands_ros.messages.matching import Match, StampMatcher
from im2hands_ros.messages.named_poses import NAMED_POSE_ARRAY, read_named_poses

_READERS: dict[str, Callable[[Any], CheckedKeypoints]] = {
    HAND_KEYPOINTS: read_keypoints,
    POSE_ARRAY: read_poses,
    NAMED_POSE_ARRAY: read_named_poses,
}


@dataclass(frozen=True)
class Message:
    """A message of a bag, as it is stored and as its fields."""

    raw: RawMessage
    fields: Any


@dataclass(frozen=True)
class Frame:
    """All that belongs to one instant.

    Attributes:
        image: sensor_msgs/Image or CompressedImage.
        keypoints_message: HandKeypoints, PoseArray or NamedPoseArray.
        keypoints: what it holds, checked.
        camera_info: sensor_msgs/CameraInfo; None where the camera is given otherwise.
        depth: sensor_msgs/Image; None where there is none.
    """

    image: Message
    keypoints_message: Message
    keypoints: CheckedKeypoints
    camera_info: Message | None
    depth: Message | None = None

    @property
    def header(self) -> Any:
        """The image's header: stamp and frame_id of all results."""
        return self.image.fields.header


class Frames:
    """Reads a bag frame by frame.

    Args:
        source: the bag.
        chosen: which topics are which.
        slop: largest stamp difference of an image and its keypoints, seconds.
        every: one of so many matched frames is given out.
        window_ns: reception of the messages to read: from, and up to but not at.

    Attributes:
        images: how many images were read.
        matched: how many of them got keypoints.
        skipped: reason -> images, or keypoints, that came to nothing.
        details: reason -> what was wrong with the first of them.
        warnings: kind -> text of what is unlikely about the pairs.
    """

    def __init__(
        self,
        source: BagReader,
        chosen: Chosen,
        slop: float,
        every: int,
        window_ns: tuple[int, int],
    ) -> None:
        self._source, self._chosen, self._every = source, chosen, every
        self._window_ns = window_ns
        self._matcher = StampMatcher(slop, self.skip)
        self._read = _READERS[chosen.keypoints.type]
        self.images = self.matched = 0
        self.skipped: Counter[str] = Counter()
        self.details: dict[str, str] = {}
        self.warnings: dict[str, str] = {}
        self._camera_info = self._first_camera_info()
        self._depths = None if chosen.depth is None else DepthPairing(slop)

    def steps(self) -> Iterator[tuple[Frame | None, int]]:
        """For each message read, the frame that it completes, if any, and its reception, ns.

        With depth images, frames come when theirs has come.
        """
        handlers = {
            self._chosen.image.name: self._on_image,
            self._chosen.keypoints.name: self._on_keypoints,
        }
        if self._chosen.camera_info is not None:
            handlers[self._chosen.camera_info.name] = self._on_camera_info
        if self._chosen.depth is not None:
            handlers[self._chosen.depth.name] = self._on_depth
        for raw in self._source.raw_messages(tuple(handlers), *self._window_ns):
            message = self._fields_of(raw)
            pair = handlers[raw.topic](message) if message is not None else None
            frame = self._frame_of(pair)
            if self._depths is None:
                yield frame, raw.received_ns
                continue
            if frame is not None:
                self._depths.add_frame(frame, raw.received_ns)
            yield from self._depths.ready(raw.received_ns)
            yield None, raw.received_ns
        if self._depths is not None:
            yield from self._depths.ready(None)
            self._warn_of_missed_depth()
        self._count_the_waiting()

    def skip(self, reason: str, detail: str) -> None:
        """Count what comes to nothing, and keep the first of each kind's explanation."""
        self.skipped[reason] += 1
        self.details.setdefault(reason, detail)

    def _first_camera_info(self) -> Message | None:
        """A calibration may come only once, after the first images or hours before them."""
        if self._chosen.camera_info is None:
            return None
        raws = self._source.raw_messages((self._chosen.camera_info.name,))
        return next(filter(None, map(self._fields_of, raws)), None)

    def _fields_of(self, raw: RawMessage) -> Message | None:
        try:
            return Message(raw, self._source.parse(raw))
        except Exception as error:  # noqa: BLE001 - garbled bytes make any error
            self.skip("unreadable", f"a message of {raw.topic} cannot be read: {error}")
            return None

    def _on_camera_info(self, message: Message) -> None:
        self._camera_info = message

    def _on_depth(self, message: Message) -> None:
        assert self._depths is not None  # the topic was chosen
        self._depths.add_depth(message)

    def _warn_of_missed_depth(self) -> None:
        if self._depths is not None and self._depths.missed:
            self.warnings.setdefault(
                "depth_unmatched",
                f"{self._depths.missed} of {self.matched} frames have no depth image of their "
                "instant: record depth with the image's stamps, or raise --sync-slop",
            )

    def _on_image(self, message: Message) -> Match | None:
        self.images += 1
        return self._matcher.add_image(
            nanoseconds(message.fields.header.stamp),
            message,
            arrival=message.raw.received_ns / 1e9,
            size=len(message.raw.data),
        )

    def _on_keypoints(self, message: Message) -> Match | None:
        keypoints = self._read(message.fields)
        for problem in keypoints.problems:
            self.skip(problem.reason, str(problem))
        stamp = nanoseconds(message.fields.header.stamp)
        if not keypoints.usable:
            self._matcher.refuse_keypoints(stamp)
            return None
        return self._matcher.add_keypoints(
            stamp, (message, keypoints), arrival=message.raw.received_ns / 1e9
        )

    def _frame_of(self, pair: Match | None) -> Frame | None:
        if pair is None:
            return None
        message, keypoints = pair.keypoints
        ours = pair.image.fields.header.frame_id
        if text := keypoints_elsewhere(keypoints.frame_id, ours):
            self.skip("keypoints_frame", text)
            return None
        if self._camera_info is None and self._chosen.camera_info is not None:
            self.skip("no_camera_info", "no camera_info can be read: give --camera FX,FY,CX,CY")
            return None
        if self._camera_info is not None:
            info_frame = self._camera_info.fields.header.frame_id
            if text := unlike_frame(info_frame, ours):
                self.warnings.setdefault("camera_info_frame", text)
        if text := unusable_frame(ours):
            self.warnings.setdefault("frame_id", text)
        self.matched += 1
        self._warn_of_timing()
        if (self.matched - 1) % self._every:
            return None
        return Frame(pair.image, message, keypoints, self._camera_info)

    def _warn_of_timing(self) -> None:
        for kind, text in self._matcher.timing.warnings(self._matcher.slop):
            self.warnings.setdefault(kind, text)

    def _count_the_waiting(self) -> None:
        """What the bag's end left without a partner."""
        self._matcher.finish("the bag ended before its partner came")


class Decoder:
    """Makes pixels and a camera of a frame.

    Args:
        intrinsics: fx, fy, cx, cy, pixels, in place of camera_info.
    """

    def __init__(self, intrinsics: tuple[float, float, float, float] | None) -> None:
        self._camera = partial(_given_camera, intrinsics) if intrinsics else camera_from_info

    def __call__(self, frame: Frame) -> tuple[np.ndarray, Camera]:
        """(H, W, 3) uint8 RGB and the camera that took it.

        Raises:
            BadInput: an image or calibration that cannot be used.
        """
        image = read_image(frame.image.fields)
        info = frame.camera_info.fields if frame.camera_info is not None else None
        size = image.shape[1], image.shape[0]
        return image, self._camera(info, size, frame.image.raw.topic)


def _given_camera(
    intrinsics: tuple[float, float, float, float], _: None, size: tuple[int, int], __: str
) -> Camera:
    try:
        return Camera(*size, *intrinsics)
    except ValueError as error:
        raise BadInput("camera", f"--camera cannot be used: {error}") from error
