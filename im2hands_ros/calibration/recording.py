"""A recorded bag as frames to calibrate with: images, joints and, where there are some, depths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.definitions import Topic
from im2hands_ros.bags.frames import Decoder, Frames
from im2hands_ros.bags.reader import BagReader
from im2hands_ros.bags.topics import IMAGE, Chosen
from im2hands_ros.camera import Camera
from im2hands_ros.checks import check_depth
from im2hands_ros.messages.header import nanoseconds
from im2hands_ros.messages.images import read_depth
from im2hands_ros.pair import HandPair

_DEPTH_SLOP_NS = 25_000_000  # between an image and its depth image
# Of several depth topics, those that are surely of the colour image's pixels.
_REGISTERED = ("aligned", "registered")


class RecordedFrame(NamedTuple):
    """One frame. depth: (H, W) metres, None where there is none; stamp: ns."""

    image: NDArray[np.uint8]
    camera: Camera
    joints: HandPair[NDArray[np.float32]]
    stamp: int
    depth: NDArray[np.float32] | None = None


@dataclass
class Recording:
    """What a bag holds.

    Attributes:
        frames: chosen evenly over the bag.
        conventions: of the joints, by their order -> frames.
        skipped: reason -> how many frames or images came to nothing; details: the first of each.
    """

    frames: list[RecordedFrame] = field(default_factory=list)
    conventions: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)

    def skip(self, problem: BadInput) -> None:
        """Count what cannot be used."""
        self.skipped[problem.reason] += 1
        self.details.setdefault(problem.reason, str(problem))

    @property
    def convention(self) -> str:
        """Of all joints.

        Raises:
            ValueError: there are several, or no frame.
        """
        if len(self.conventions) != 1:
            found = ", ".join(f"{name} ({n})" for name, n in self.conventions.items()) or "none"
            raise ValueError(
                f"the bag's joints are of these conventions: {found}; a calibration is for one: "
                "choose the topic with --keypoints"
            )
        return next(iter(self.conventions))


def read_recording(
    source: BagReader,
    chosen: Chosen,
    decoder: Decoder,
    most: int,
    slop: float,
    window_ns: tuple[int, int],
    on_frame: Callable[[], None],
) -> Recording:
    """Frames with joints, evenly spaced, without depths.

    Args:
        source, chosen, slop, window_ns: as `bags.frames.Frames` takes them.
        decoder: makes pixels and a camera of a frame.
        most: about so many frames at most.
        on_frame: called for each.
    """
    every = max(1, round(source.count(chosen.image.name) / most))
    frames = Frames(source, chosen, slop, every, window_ns)
    recording = Recording()
    for frame, _ in frames.steps():
        if frame is None:
            continue
        try:
            image, camera = decoder(frame)
        except BadInput as problem:
            recording.skip(problem)
            continue
        joints = HandPair(**frame.keypoints.hands)
        stamp = nanoseconds(frame.header.stamp)
        recording.frames.append(RecordedFrame(image, camera, joints, stamp))
        recording.conventions[frame.keypoints.convention] += 1
        on_frame()
    recording.skipped += frames.skipped
    recording.details |= frames.details
    return recording


def add_depths(recording: Recording, source: BagReader, topic: Topic) -> int:
    """Give each frame the depth image nearest in time; how many found one."""
    stamps = np.array([frame.stamp for frame in recording.frames], np.int64)
    nearest = np.full(len(stamps), _DEPTH_SLOP_NS + 1, np.int64)
    for stamp, message in _stamped(recording, source, topic):
        gaps = np.abs(stamps - stamp)
        for number in np.flatnonzero(gaps < nearest):
            try:
                depth = read_depth(message)
                check_depth(depth, recording.frames[number].camera)
            except BadInput as problem:
                recording.skip(problem)
                break
            recording.frames[number] = recording.frames[number]._replace(depth=depth)
            nearest[number] = gaps[number]
    return sum(frame.depth is not None for frame in recording.frames)


def _stamped(recording: Recording, source: BagReader, topic: Topic) -> Iterator[tuple[int, object]]:
    for raw in source.raw_messages((topic.name,)):
        try:
            message = source.parse(raw)
            yield nanoseconds(message.header.stamp), message
        except Exception as error:  # noqa: BLE001 - garbled bytes make any error
            recording.skip(BadInput("unreadable", f"a message of {topic.name}: {error}"))


def depth_topic(topics: dict[str, Topic], image: Topic, name: str | None) -> Topic | None:
    """The topic of depth images; None where there is none.

    Args:
        topics: all of the bag's.
        image: the colour image's.
        name: given by the user, or None.

    Raises:
        ValueError: no such topic, or several that may be it.
    """
    images = {n: t for n, t in topics.items() if t.type == IMAGE and t.count and n != image.name}
    if name is not None:
        topic = images.get(name) or images.get(f"/{name}")
        if topic is None:
            listed = ", ".join(images) or "none"
            raise ValueError(f"--depth {name}: no such Image topic in the bag; there are: {listed}")
        return topic
    found = [topic for n, topic in images.items() if "depth" in n.lower()]
    sure = [topic for topic in found if any(word in topic.name for word in _REGISTERED)]
    found = sure or found
    if len(found) > 1:
        listed = ", ".join(topic.name for topic in found)
        raise ValueError(f"the bag has several depth topics: {listed}; choose with --depth TOPIC")
    return found[0] if found else None
